//! Colours and progress, where a person is watching and nowhere else.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use turncoat_reports::Verdict;
use turncoat_reports::text::visible;

/// How many characters of a hostile text one line shows.
const LINE_MAX: usize = 300;

/// Paints words, or leaves them plain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painter {
    colours: bool,
}

impl Painter {
    /// For standard output as it is.
    pub(crate) fn of_output() -> Self {
        let no_color = env::var_os("NO_COLOR");
        let term = env::var_os("TERM");
        let terminal = io::stdout().is_terminal();
        Self {
            colours: colours(terminal, no_color.as_deref(), term.as_deref()),
        }
    }

    /// One that never paints, for tests and files.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { colours: false }
    }

    /// The text in a style.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if self.colours {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A verdict's word, padded on the right and painted by how bad it is.
    pub(crate) fn verdict(self, verdict: Verdict) -> String {
        let style = match verdict {
            Verdict::Broken => AnsiColor::Red.on_default().bold(),
            Verdict::Unknown | Verdict::Inert => AnsiColor::Magenta.on_default(),
            Verdict::Refused => AnsiColor::Yellow.on_default(),
            Verdict::Admitted => AnsiColor::Cyan.on_default(),
            Verdict::Harmless | Verdict::Caught => AnsiColor::Green.on_default(),
            Verdict::Inapplicable => Style::new().dimmed(),
        };
        self.paint(style, &format!("{verdict:<12}"))
    }

    /// A heading.
    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }
}

/// Whether to paint: on a terminal that can, unless `NO_COLOR` holds anything.
fn colours(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty) && term != Some(OsStr::new("dumb"))
}

/// A text that somebody hostile may have chosen, as one line of bounded length.
pub(crate) fn safe(text: &str) -> String {
    match text.char_indices().nth(LINE_MAX) {
        None => visible(text),
        Some((end, _)) => format!("{}...", visible(text.get(..end).unwrap_or_default())),
    }
}

/// A bar on standard error while scripts run; nothing where that is not a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For standard error as it is.
    pub(crate) fn of_errors() -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant; a mistake in it costs the looks alone.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Sets how many scripts there are.
    pub(crate) fn begin(&self, scripts: usize) {
        self.bar
            .set_length(u64::try_from(scripts).unwrap_or(u64::MAX));
    }

    /// One more script is done. May be called from any thread.
    pub(crate) fn finished(&self, script: &str, verdict: Verdict) {
        self.bar
            .set_message(format!("{} {}", visible(script), verdict.word()));
        self.bar.inc(1);
    }

    /// One more run is done. May be called from any thread.
    pub(crate) fn one_more(&self) {
        self.bar.inc(1);
    }

    /// Removes the bar, so that results start on a clean line.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_no_objection() {
        let (empty, one) = (Some(OsStr::new("")), Some(OsStr::new("1")));
        let (dumb, xterm) = (Some(OsStr::new("dumb")), Some(OsStr::new("xterm")));
        let cases = [
            (true, None, xterm, true),
            (true, empty, xterm, true),
            (true, None, None, true),
            (true, one, xterm, false),
            (true, None, dumb, false),
            (false, None, xterm, false),
            (false, one, dumb, false),
        ];
        for (terminal, no_color, term, expected) in cases {
            assert_eq!(
                colours(terminal, no_color, term),
                expected,
                "{no_color:?} {term:?}"
            );
        }
    }

    #[test]
    fn only_a_painter_with_colours_paints() {
        let verdict = Verdict::Broken;
        assert_eq!(Painter::plain().verdict(verdict), "broken      ");
        let painted = Painter { colours: true }.verdict(verdict);
        assert!(
            painted.starts_with('\u{1b}') && painted.contains("broken      "),
            "{painted:?}"
        );
        assert!(painted.ends_with("\u{1b}[0m"), "{painted:?}");
    }

    #[test]
    fn hostile_text_is_one_bounded_line() {
        assert_eq!(safe("a\u{1b}[2J\nb\u{202e}"), "a\\u{1b}[2J\\nb\\u{202e}");
        let long = safe(&"\u{e9}".repeat(LINE_MAX + 1));
        assert_eq!(long.chars().count(), LINE_MAX + 3);
        assert_eq!(safe(&"x".repeat(LINE_MAX)).len(), LINE_MAX);
    }

    #[test]
    fn progress_counts_without_a_terminal() {
        let progress = Progress::of_errors();
        progress.begin(2);
        progress.finished("a\u{1b}b", Verdict::Caught);
        assert_eq!(progress.bar.position(), 1);
        assert_eq!(progress.bar.message(), "a\\u{1b}b caught");
        progress.one_more();
        assert_eq!(progress.bar.position(), 2);
        progress.end();
    }
}
