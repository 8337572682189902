//! Where a password comes from: never an argument, which others on the machine can read.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use turncoat_core::Password;
use zeroize::Zeroizing;

use super::interrupt::Echo;
use crate::status::Fault;

/// Bytes of a password's line at most; the client has a bound of its own.
const LINE_MAX: u64 = 64 << 10;

#[derive(Args, Clone, Debug)]
pub(crate) struct Source {
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_command")]
    password_file: Option<PathBuf>,
    /// Read the password from the first line that this command prints
    #[arg(long, value_name = "COMMAND")]
    password_command: Option<String>,
}

impl Source {
    /// The password; asked for twice where it is new. `stdin_is_taken` says that standard input is
    /// content.
    pub(crate) fn password(&self, new: bool, stdin_is_taken: bool) -> Result<Password, Fault> {
        let line = match (&self.password_file, &self.password_command) {
            (Some(path), _) => {
                let failed = |error| Fault::usage(format!("{}: {error}", path.display()));
                first_line(File::open(path).map_err(failed)?).map_err(failed)?
            }
            (None, Some(command)) => printed(command)?,
            (None, None) if io::stdin().is_terminal() => asked(new)?,
            (None, None) if stdin_is_taken => {
                return Err(Fault::usage(
                    "standard input is the content: say --password-file or --password-command",
                ));
            }
            (None, None) => first_line(io::stdin().lock())
                .map_err(|error| Fault::machine(format!("standard input: {error}")))?,
        };
        if line.is_empty() {
            return Err(Fault::usage("the password is empty"));
        }
        Ok(Password::new(&line))
    }
}

fn first_line(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(1024));
    io::BufReader::new(source.take(LINE_MAX)).read_until(b'\n', &mut line)?;
    for end in *b"\n\r" {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(line)
}

fn printed(command: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let failed = |what: String| Fault::usage(format!("--password-command: {what}"));
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let printed = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed(format!("it ended with {}", output.status)));
    }
    first_line(printed.as_slice()).map_err(|error| failed(error.to_string()))
}

fn asked(new: bool) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let _echo = Echo::kept();
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map(|answer| Zeroizing::new(answer.into_bytes()))
            .map_err(|error| match error.kind() {
                // The prompt may hear of it before whoever watches for signals does.
                io::ErrorKind::Interrupted => Fault::interrupted(),
                _ => Fault::machine(format!("the terminal: {error}")),
            })
    };
    let password = ask("Password: ")?;
    if new && *ask("Again: ")? != *password {
        return Err(Fault::usage("the two passwords differ"));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::{first_line, printed};

    #[test]
    fn a_password_is_one_line_without_its_end() {
        let line = |text: &[u8]| first_line(text).unwrap().to_vec();
        assert_eq!(line(b"secret\n"), b"secret");
        assert_eq!(line(b"secret\r\nmore"), b"secret");
        assert_eq!(line(b" a b "), b" a b ");
        assert_eq!(line(b"\xff\x00\n"), b"\xff\x00");
        assert_eq!(line(b""), b"");
    }

    #[test]
    fn a_command_that_fails_is_no_password() {
        assert_eq!(*printed("echo secret").unwrap(), b"secret");
        assert!(printed("echo secret; exit 3").is_err());
    }
}
