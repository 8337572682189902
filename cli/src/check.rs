//! `turncoat check FILE`: what is wrong with a script, and where.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::engine::{self, ScriptFault};
use crate::status::{Fault, Status};
use crate::terminal::safe;

/// The largest script that is read: scripts are short, and a device file has no end.
const SCRIPT_MAX: u64 = 1 << 20;
/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Characters of a line that are shown on either side of a fault.
const AROUND: usize = 60;

/// Checks one file.
///
/// # Errors
///
/// The file cannot be read, or the result cannot be written.
pub(crate) fn check(file: &Path, output: &mut dyn Write) -> Result<Status, Fault> {
    let name = file.display().to_string();
    let (text, checked) = with_notice(&name, || {
        let text = read(file)?;
        let checked = engine::check(&text, &name)?;
        Ok((text, checked))
    })?;
    let engine::Checked { faults, printed } = checked;
    for line in printed {
        // Standard output is for what is wrong; what a script prints is for whoever writes it.
        let _ = writeln!(io::stderr(), "{}", safe(&line));
    }
    print(&name, &text, &faults, output).map_err(|error| Fault::output(&error))?;
    Ok(if faults.is_empty() {
        Status::Fine
    } else {
        Status::Usage
    })
}

/// How long a check is silent.
const SILENT: Duration = Duration::from_secs(2);

/// Does the work, and says so on standard error if it takes its time.
fn with_notice<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(SILENT) == Err(RecvTimeoutError::Timeout) {
                let limit = engine::SCRIPT_LIMIT.as_secs();
                let (name, mut errors) = (safe(name), io::stderr());
                // Nothing is lost if nobody listens.
                let _ = writeln!(
                    errors,
                    "checking {name}; a script is stopped after {limit} s"
                );
            }
        });
        let outcome = work();
        drop(done);
        outcome
    })
}

/// Whether it is a pipe with a name, which waits until somebody writes; one that a shell made is
/// written already.
fn waits_for_a_writer(file: &Path) -> bool {
    let by_a_shell = file.starts_with("/dev") || file.starts_with("/proc");
    !by_a_shell && std::fs::metadata(file).is_ok_and(|found| found.file_type().is_fifo())
}

/// The text of a script.
///
/// # Errors
///
/// A usage fault: the file is missing, unreadable, too long or not text.
pub(crate) fn read(file: &Path) -> Result<String, Fault> {
    let unreadable = |error: io::Error| {
        Fault::usage(format!(
            "the script {file:?} could not be read: {error}. Check its name and its permissions."
        ))
    };
    if waits_for_a_writer(file) {
        return Err(Fault::usage(format!(
            "the script {file:?} is a pipe. Write it into a file."
        )));
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened
        .take(SCRIPT_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > SCRIPT_MAX) {
        return Err(Fault::usage(format!(
            "the script {file:?} is longer than {SCRIPT_MAX} bytes. Make data with bytes(n)."
        )));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(Fault::usage(format!(
            "the script {file:?} begins with a byte order mark. Save it as UTF-8 without one."
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Fault::usage(format!(
            "the script {file:?} is not text: byte {place} is not UTF-8. Save it as UTF-8."
        ))
    })
}

/// Each fault with its line and a mark under its column.
fn print(name: &str, text: &str, faults: &[ScriptFault], output: &mut dyn Write) -> io::Result<()> {
    let name = safe(name);
    if faults.is_empty() {
        return writeln!(output, "{name}: parses and runs");
    }
    for ScriptFault { place, message } in faults {
        let message = safe(message);
        let Some((line, column)) = *place else {
            writeln!(output, "{name}: {message}")?;
            continue;
        };
        writeln!(output, "{name}:{line}:{column}: {message}")?;
        let Some(source) = line.checked_sub(1).and_then(|line| text.lines().nth(line)) else {
            continue;
        };
        let at = column.saturating_sub(1);
        let from = at.saturating_sub(AROUND);
        let part = |from: usize, to: usize| -> String {
            let part = source.chars().skip(from).take(to - from);
            safe(&part.collect::<String>())
        };
        // A line of any length stands around its column.
        let cut = if from > 0 { ".. " } else { "" };
        let more = source.chars().nth(at + AROUND).map_or("", |_| " ..");
        let before = format!("{cut}{}", part(from, at));
        // What is written out takes more columns than it has characters.
        let blank = before.chars().count();
        let after = part(at, at + AROUND);
        writeln!(output, "  {before}{after}{more}\n  {:blank$}^", "")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str, place: Option<(usize, usize)>) -> String {
        let fault = ScriptFault {
            place,
            message: "no verb 'flipp'; did you mean 'flip'?".into(),
        };
        let mut bytes = Vec::new();
        print("x.rhai", text, &[fault], &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_fault_is_marked_in_its_line() {
        let text = printed("let a = 1;\n\tserver.flipp();\n", Some((2, 9)));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "x.rhai:2:9: no verb 'flipp'; did you mean 'flip'?"
        );
        assert_eq!(lines[1], "  \\tserver.flipp();");
        assert_eq!(lines[2].find('^'), lines[1].find("flipp"));
    }

    #[test]
    fn a_line_of_any_length_is_cut_around_its_fault() {
        let long = format!(
            "{}server.flipp();{}",
            "x".repeat(50_000),
            "y".repeat(50_000)
        );
        let text = printed(&long, Some((1, 50_008)));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.iter().all(|line| line.len() < 140), "{text}");
        assert!(lines[1].starts_with("  .. x") && lines[1].ends_with("y .."));
        assert_eq!(lines[2].find('^'), lines[1].find("flipp"));
    }

    #[test]
    fn a_place_outside_the_text_is_no_panic() {
        for place in [Some((9, 1)), Some((0, 0)), Some((1, 900)), None] {
            assert!(printed("one line", place).contains("no verb"));
        }
    }

    #[test]
    fn files_that_are_no_scripts_are_usage_faults_that_say_what_to_do() {
        let scratch = tempfile::tempdir().unwrap();
        let (binary, long) = (scratch.path().join("binary"), scratch.path().join("long"));
        std::fs::write(&binary, [b'a', 0xff]).unwrap();
        std::fs::write(&long, vec![b' '; 2 << 20]).unwrap();
        let (marked, pipe) = (scratch.path().join("marked"), scratch.path().join("pipe"));
        std::fs::write(&marked, "\u{feff}// id: a sentence.\n").unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()));
        let cases = [
            (scratch.path().join("missing.rhai"), "Check its name"),
            (scratch.path().to_owned(), "could not be read"),
            (binary, "byte 1 is not UTF-8"),
            (marked, "byte order mark"),
            (pipe, "is a pipe"),
            (long, "longer than 1048576 bytes"),
            ("/dev/zero".into(), "longer than 1048576 bytes"),
        ];
        for (file, part) in cases {
            let fault = read(&file).unwrap_err();
            assert_eq!(fault.status, Status::Usage);
            assert!(fault.shown().contains(part), "{}", fault.shown());
        }
    }
}
