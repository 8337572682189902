//! The commands for people with files: each logs in anew, does one thing, and says what came of it.

mod connect;
mod content;
mod device;
mod fetch;
mod landing;
mod password;
mod people;
mod told;

pub(crate) use connect::realm;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use turncoat_reports::text::visible;

use self::connect::{Account, Connected};
use crate::status::{Fault, Status};

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Files {
    /// Make an account
    SignUp(Account),
    /// Check the password, and say what this device knows of the account
    Login(Account),
    /// Store files
    Put(Put),
    /// Fetch files; they appear under their names once they are complete and verified
    Get(Get),
    /// Add to the end of a file
    Append(Append),
    /// List all names
    Ls(Account),
    /// Delete files
    Rm(Remove),
    /// Share a file with another user, who may read, write and share it
    Share(Share),
    /// Receive what another user shared
    Receive(Receive),
    /// Take a user's access to a file away
    Revoke(Share),
    /// Show one's own fingerprint or a user's, or mark a user's as compared
    Fingerprint(Fingerprint),
    /// Compare what two devices were shown: make a statement, or check another device's
    Compare(Compare),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Put {
    /// Files, and folders with -r; `-` is standard input and needs --name
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Store folders with all that is below them
    #[arg(short, long)]
    recursive: bool,
    /// The name of the one file in the store
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// Names in the store
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Fetch also all that is below these names
    #[arg(short, long)]
    recursive: bool,
    /// Write the one file here; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace files that exist
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Append {
    /// The name in the store
    name: String,
    /// What to add; `-` is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Remove {
    /// Names in the store
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Share {
    /// The name in the store
    name: String,
    /// The other user
    with: String,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Receive {
    /// Who shared it
    from: String,
    /// The name that the sender has for it
    name: String,
    /// The name that you will have for it [default: the sender's]
    #[arg(long, value_name = "NAME")]
    r#as: Option<String>,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Fingerprint {
    /// The other user
    of: Option<String>,
    /// The fingerprint that you compared with the user by another way
    #[arg(long, value_name = "FINGERPRINT", requires = "of")]
    verified: Option<String>,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// The other device's statement: a file, `-` for standard input, or the line itself; without
    /// it, this device's own is written
    statement: Option<PathBuf>,
    #[command(flatten)]
    account: Account,
}

/// What came of a command: lines for people, and the same for programs.
struct Told {
    login: Duration,
    work: Duration,
    lines: Vec<String>,
    document: Value,
}

impl Told {
    fn print(self, json: bool, output: &mut impl Write) -> Result<Status, Fault> {
        let text = if json {
            let document = json!({
                "login_ms": self.login.as_secs_f64() * 1e3,
                "work_ms": self.work.as_secs_f64() * 1e3,
                "result": self.document,
            });
            format!("{document}\n")
        } else {
            self.lines.iter().map(|line| format!("{line}\n")).collect()
        };
        let written = output.write_all(text.as_bytes());
        written.map_err(|error| Fault::output(&error))?;
        Ok(Status::Fine)
    }
}

/// Performs a command.
pub(crate) fn perform(files: &Files, output: &mut impl Write) -> Result<Status, Fault> {
    let (account, connected) = match files {
        Files::SignUp(account) => (account, account.sign_up()?),
        Files::Login(account) | Files::Ls(account) => (account, account.login(false)?),
        Files::Put(put) => (&put.account, content::login_to_put(put)?),
        Files::Get(get) => (&get.account, fetch::login_to_get(get)?),
        Files::Append(append) => {
            let stdin = content::is_standard(&append.file);
            (&append.account, append.account.login(stdin)?)
        }
        Files::Rm(remove) => (&remove.account, remove.account.login(false)?),
        Files::Share(share) | Files::Revoke(share) => (&share.account, share.account.login(false)?),
        Files::Receive(receive) => (&receive.account, receive.account.login(false)?),
        Files::Fingerprint(fingerprint) => {
            (&fingerprint.account, fingerprint.account.login(false)?)
        }
        Files::Compare(compare) => (&compare.account, compare.account.login(false)?),
    };
    let Connected {
        mut client,
        device,
        login,
    } = connected;
    if matches!(files, Files::Get(_) | Files::Ls(_)) && !client.opened().monotone {
        let _nobody_reads_it = writeln!(io::stderr(), "note: {}", people::UNKNOWN_AGE);
    }
    let began = Instant::now();
    let (lines, document) = match files {
        Files::SignUp(_) => people::account(&client, true),
        Files::Login(_) => people::account(&client, false),
        Files::Put(put) => content::put(&mut client, put)?,
        Files::Get(get) => fetch::get(&mut client, get, output)?,
        Files::Append(append) => content::append(&mut client, append)?,
        Files::Ls(_) => content::list(&mut client)?,
        Files::Rm(remove) => content::remove(&mut client, remove)?,
        Files::Share(share) => people::share(&mut client, share)?,
        Files::Receive(receive) => people::receive(&mut client, receive)?,
        Files::Revoke(share) => people::revoke(&mut client, share)?,
        Files::Fingerprint(fingerprint) => people::fingerprint(&mut client, fingerprint)?,
        Files::Compare(compare) => people::compare(&mut client, &device, compare)?,
    };
    let told = Told {
        login,
        work: began.elapsed(),
        lines,
        document,
    };
    told.print(account.json, output)
}

/// A name as a terminal may show it.
fn shown(name: &[u8]) -> String {
    visible(&String::from_utf8_lossy(name))
}
