//! The messages of one run as a sequence, with a lane for each device and one for the server.

use std::io::{self, Write};

use crate::terminal::{Painter, safe};

/// One run, drawn from top to bottom.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    /// Which run.
    pub(crate) title: String,
    /// The devices, from left to right; the server has the lane on the right.
    pub(crate) lanes: Vec<String>,
    /// What happened, in order.
    pub(crate) events: Vec<Event>,
}

/// One thing that happened. `lane` counts the devices from zero.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A device starts an operation.
    Start { lane: usize, text: String },
    /// A device sends a request.
    Request {
        lane: usize,
        text: String,
        tampered: bool,
    },
    /// A device receives a reply.
    Reply {
        lane: usize,
        text: String,
        tampered: bool,
    },
    /// The server does something of its own.
    Act { text: String },
    /// An operation ends: what the client believed, beside what the server held.
    End {
        lane: usize,
        outcome: String,
        believed: String,
        held: String,
    },
}

/// The columns from one lane to the next.
const STEP: usize = 26;
/// The columns before the first lane.
const INDENT: usize = 2;

/// Draws one run.
///
/// # Errors
///
/// Whatever the writer returns.
pub(crate) fn print(
    timeline: &Timeline,
    painter: Painter,
    output: &mut dyn Write,
) -> io::Result<()> {
    writeln!(output, "{}\n", painter.heading(&safe(&timeline.title)))?;
    let lanes = timeline.lanes.len();
    let mut names = " ".repeat(INDENT);
    for name in timeline
        .lanes
        .iter()
        .map(|name| safe(name))
        .chain(["server".to_owned()])
    {
        let short: String = name.chars().take(STEP - 2).collect();
        names.push_str(&format!("{short:<STEP$}"));
    }
    writeln!(output, "{}", painter.heading(names.trim_end()))?;
    for event in &timeline.events {
        for line in drawn(event, lanes) {
            writeln!(output, "{line}")?;
        }
    }
    writeln!(output)
}

/// The lines of one event.
fn drawn(event: &Event, lanes: usize) -> Vec<String> {
    match event {
        Event::Start { lane, text } => vec![beside(*lane, lanes, &format!("> {}", safe(text)))],
        Event::Request {
            lane,
            text,
            tampered,
        } => {
            vec![arrow(*lane, lanes, text, *tampered, true)]
        }
        Event::Reply {
            lane,
            text,
            tampered,
        } => {
            vec![arrow(*lane, lanes, text, *tampered, false)]
        }
        Event::Act { text } => vec![beside(lanes, lanes, &format!("* {}", safe(text)))],
        Event::End {
            lane,
            outcome,
            believed,
            held,
        } => {
            let mut lines = vec![beside(*lane, lanes, &format!("= {}", safe(outcome)))];
            for (name, text) in [("believed", believed), ("held", held)] {
                if !text.is_empty() {
                    let text = format!("  {name:<8} {}", safe(text));
                    lines.push(beside(*lane, lanes, &text));
                }
            }
            lines
        }
    }
}

/// The bars of all lanes, as characters.
fn bars(lanes: usize) -> Vec<char> {
    let mut line = vec![' '; INDENT + lanes * STEP + 1];
    for lane in 0..=lanes {
        if let Some(place) = line.get_mut(INDENT + lane * STEP) {
            *place = '|';
        }
    }
    line
}

/// A text beside a lane's bar. It may cover the bars to its right, and is never cut.
fn beside(lane: usize, lanes: usize, text: &str) -> String {
    let mut line = bars(lanes);
    let start = INDENT + lane.min(lanes) * STEP + 2;
    for (offset, character) in text.chars().enumerate() {
        match line.get_mut(start + offset) {
            Some(place) => *place = character,
            None => {
                line.resize(start + offset, ' ');
                line.push(character);
            }
        }
    }
    // A covered bar right after the text would read as a part of it.
    let end = start + text.chars().count();
    if let Some(place) = line.get_mut(end)
        && *place == '|'
    {
        *place = ' ';
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

/// An arrow between a device and the server, with its text after it.
fn arrow(lane: usize, lanes: usize, text: &str, tampered: bool, upward: bool) -> String {
    let mut line = bars(lanes);
    let (from, into) = (INDENT + lane.min(lanes) * STEP, INDENT + lanes * STEP);
    let shaft = if tampered { '=' } else { '-' };
    for place in line.iter_mut().take(into).skip(from + 1) {
        *place = shaft;
    }
    let head = if upward {
        into.saturating_sub(1)
    } else {
        from + 1
    };
    if let Some(place) = line.get_mut(head).filter(|place| **place == shaft) {
        *place = if upward { '>' } else { '<' };
    }
    let mark = if tampered { "  TAMPERED" } else { "" };
    format!(
        "{}  {}{mark}",
        line.into_iter().collect::<String>(),
        safe(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(events: Vec<Event>) -> String {
        let lanes = vec!["alice/first".to_owned(), "bob/first".to_owned()];
        let timeline = Timeline {
            title: "attacked run".to_owned(),
            lanes,
            events,
        };
        let mut bytes = Vec::new();
        print(&timeline, Painter::plain(), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_run_is_drawn_with_a_lane_for_each() {
        let text = printed(vec![
            Event::Start {
                lane: 1,
                text: "download a".to_owned(),
            },
            Event::Request {
                lane: 1,
                text: "read 80 B".to_owned(),
                tampered: false,
            },
            Event::Act {
                text: "roll back".to_owned(),
            },
            Event::Reply {
                lane: 0,
                text: "shown 1 KiB".to_owned(),
                tampered: true,
            },
            Event::End {
                lane: 1,
                outcome: "violation rollback".to_owned(),
                believed: "height 2".to_owned(),
                held: "height 1".to_owned(),
            },
        ]);
        let expected = "\
attacked run

  alice/first               bob/first                 server
  |                         | > download a            |
  |                         |------------------------>|  read 80 B
  |                         |                         | * roll back
  |<==================================================|  shown 1 KiB  TAMPERED
  |                         | = violation rollback    |
  |                         |   believed height 2     |
  |                         |   held     height 1     |

";
        assert_eq!(text, expected);
    }

    #[test]
    fn hostile_and_long_texts_stay_in_their_line() {
        let text = printed(vec![
            Event::Start {
                lane: 0,
                text: format!("a\n\u{1b}[2J{}", "x".repeat(100)),
            },
            Event::Reply {
                lane: 9,
                text: "lane that is not there".to_owned(),
                tampered: true,
            },
        ]);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(text.contains(&"x".repeat(100)), "{text}");
    }
}
