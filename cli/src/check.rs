//! `turncoat check FILE`: what is wrong with a script, and where.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::engine::{self, ScriptFault};
use crate::status::{Fault, Status};
use crate::terminal::safe;

/// The largest script that is read: scripts are short, and a device file has no end.
const SCRIPT_MAX: u64 = 1 << 20;

/// Checks one file.
///
/// # Errors
///
/// The file cannot be read, or the result cannot be written.
pub(crate) fn check(file: &Path, output: &mut dyn Write) -> Result<Status, Fault> {
    let text = read(file)?;
    let name = file.display().to_string();
    let faults = engine::check(&text)?;
    print(&name, &text, &faults, output).map_err(|error| Fault::output(&error))?;
    Ok(if faults.is_empty() {
        Status::Fine
    } else {
        Status::Usage
    })
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
        let before: String = source.chars().take(column.saturating_sub(1)).collect();
        // What is written out takes more columns than it has characters.
        let blank = safe(&before).chars().count();
        writeln!(output, "  {}\n  {:blank$}^", safe(source), "")?;
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
        let cases = [
            (scratch.path().join("missing.rhai"), "Check its name"),
            (scratch.path().to_owned(), "could not be read"),
            (binary, "byte 1 is not UTF-8"),
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
