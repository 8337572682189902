//! From a history to the sequence that a timeline draws.

use std::collections::BTreeMap;

use turncoat_adversary::client::{DeviceName, Operation};
use turncoat_adversary::history::{Event, History};

use super::convert::{phrase, started};
use crate::timeline::{self, Timeline};

/// What is known while a history is read from its beginning.
#[derive(Default)]
struct Reader {
    lanes: Vec<DeviceName>,
    /// The device and the kind of each request.
    requests: BTreeMap<u32, (usize, String)>,
    /// The newest head that each device accepted of each space.
    accepted: BTreeMap<(DeviceName, [u8; 32]), u64>,
    /// The newest head that the server holds of each space.
    published: BTreeMap<[u8; 32], u64>,
    /// What was last written under a user's name.
    written: BTreeMap<(String, Vec<u8>), Vec<u8>>,
}

/// The sequence of a run.
pub(super) fn timeline(title: &str, history: &History) -> Timeline {
    let operations = started(history);
    let mut reader = Reader::default();
    let mut events = Vec::new();
    for event in history.events() {
        events.extend(reader.read(event, &operations));
    }
    Timeline {
        title: title.to_owned(),
        lanes: reader.lanes.iter().map(ToString::to_string).collect(),
        events,
    }
}

impl Reader {
    fn lane(&mut self, device: &DeviceName) -> usize {
        match self.lanes.iter().position(|known| known == device) {
            Some(lane) => lane,
            None => {
                self.lanes.push(device.clone());
                self.lanes.len() - 1
            }
        }
    }

    fn read(
        &mut self,
        event: &Event,
        operations: &BTreeMap<u32, (&DeviceName, &Operation)>,
    ) -> Option<timeline::Event> {
        match event {
            Event::DeviceStarted { device, .. } => {
                self.lane(device);
                None
            }
            Event::OperationStarted { device, what, .. } => Some(timeline::Event::Start {
                lane: self.lane(device),
                text: phrase(what),
            }),
            Event::Request {
                request,
                device,
                kind,
                bytes,
                ..
            } => {
                let lane = self.lane(device);
                self.requests.insert(*request, (lane, kind.clone()));
                Some(timeline::Event::Request {
                    lane,
                    text: format!("{kind} ({} bytes)", bytes.len()),
                    tampered: false,
                })
            }
            Event::Reply {
                request,
                honest,
                shown,
            } => {
                let (lane, kind) = self.requests.get(request)?.clone();
                let text = match shown {
                    Some(shown) => format!("{kind} ({} bytes)", shown.len()),
                    None => format!("{kind} (lost)"),
                };
                Some(timeline::Event::Reply {
                    lane,
                    text,
                    tampered: honest != shown,
                })
            }
            Event::Act {
                text,
                applied: true,
            }
            | Event::Disturbed {
                text,
                applied: true,
            } => Some(timeline::Event::Act { text: text.clone() }),
            Event::Accepted {
                device,
                space,
                height,
                ..
            } => {
                self.accepted.insert((device.clone(), *space), *height);
                None
            }
            Event::Published { space, height, .. } => {
                self.published.insert(*space, *height);
                None
            }
            Event::OperationEnded { operation, outcome } => {
                let (device, what) = operations.get(operation)?;
                Some(self.end(device, what, outcome))
            }
            _ => None,
        }
    }

    fn end(
        &mut self,
        device: &DeviceName,
        what: &Operation,
        outcome: &turncoat_adversary::client::Outcome,
    ) -> timeline::Event {
        let lane = self.lane(device);
        if let (Operation::Upload { name, content } | Operation::Update { name, content }, Ok(_)) =
            (what, outcome)
        {
            let key = (device.user.clone(), name.clone());
            self.written.insert(key, content.clone());
        }
        if let (Operation::Append { name, content }, Ok(_)) = (what, outcome) {
            let key = (device.user.clone(), name.clone());
            self.written
                .entry(key)
                .or_default()
                .extend_from_slice(content);
        }
        let (said, read) = match outcome {
            Ok(answer) => match (&answer.content, &answer.names) {
                (Some(content), _) => ("ok".to_owned(), Some(short(content))),
                (_, Some(names)) => (format!("ok: {} names", names.len()), None),
                _ => ("ok".to_owned(), None),
            },
            Err(failure) => (failure.to_string(), None),
        };
        let written = match what {
            Operation::Download { name } => self
                .written
                .get(&(device.user.clone(), name.clone()))
                .map(|held| short(held)),
            _ => None,
        };
        timeline::Event::End {
            lane,
            outcome: said,
            believed: joined(read, self.heights_of(device)),
            held: joined(written, self.heights_held(device)),
        }
    }

    fn heights_of(&self, device: &DeviceName) -> Vec<u64> {
        let own = self
            .accepted
            .iter()
            .filter(|((whose, _), _)| whose == device);
        own.map(|(_, height)| *height).collect()
    }

    /// The newest heads of the spaces that the device knows.
    fn heights_held(&self, device: &DeviceName) -> Vec<u64> {
        let own = self.accepted.keys().filter(|(whose, _)| whose == device);
        own.filter_map(|(_, space)| self.published.get(space))
            .copied()
            .collect()
    }
}

fn joined(content: Option<String>, heights: Vec<u64>) -> String {
    let heights: Vec<String> = heights.iter().map(u64::to_string).collect();
    let heights = match heights.len() {
        0 => None,
        1 => Some(format!("head {}", heights.join(", "))),
        _ => Some(format!("heads {}", heights.join(", "))),
    };
    let parts: Vec<String> = content.into_iter().chain(heights).collect();
    parts.join(", ")
}

/// The beginning of a content, in quotes.
fn short(content: &[u8]) -> String {
    const SHOWN: usize = 24;
    let text = String::from_utf8_lossy(content);
    match text.chars().nth(SHOWN) {
        None => format!("{text:?}"),
        Some(_) => {
            let start: String = text.chars().take(SHOWN).collect();
            format!("{start:?}... ({} bytes)", content.len())
        }
    }
}
