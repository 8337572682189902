//! The commands for people with files: each logs in anew, does one thing, and says what came of it.

mod connect;
mod content;
mod device;
mod fetch;
mod gather;
mod interrupt;
mod journal;
mod landing;
mod large;
mod names;
mod password;
mod people;
mod progress;
mod report;
mod times;
mod told;
mod update;

pub(crate) use connect::realm;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde_json::json;

use self::connect::{Account, Connected};
use self::gather::is_standard;
use self::report::Report;
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
    /// Store folders with all files below them; links are not followed
    #[arg(short, long)]
    recursive: bool,
    /// The name of the one file in the store
    #[arg(long)]
    name: Option<OsString>,
    /// Of a large file that is stored already, send only what changed. The server sees which parts
    /// did, and what was in their place can be read by those who are given the file later
    #[arg(long)]
    changes: bool,
    /// Do not even read a file whose path, size and times are what this device noted when it stored
    /// it with this word, if the server's newest head still names that very version of it. A change
    /// that keeps size and times is missed, and the server need not show that it has the content
    #[arg(long)]
    trust_times: bool,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// Names in the store
    #[arg(value_name = "NAME", required = true)]
    names: Vec<OsString>,
    /// Fetch also all that is below these names
    #[arg(short, long)]
    recursive: bool,
    /// Write the one file here, or into this pipe or device; `-` is standard output
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
    name: OsString,
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
    names: Vec<OsString>,
    #[command(flatten)]
    account: Account,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Share {
    /// The name in the store
    name: OsString,
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
    name: OsString,
    /// The name that you will have for it [default: the sender's]
    #[arg(long, value_name = "NAME")]
    r#as: Option<OsString>,
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

impl Files {
    fn account(&self) -> &Account {
        match self {
            Self::SignUp(account) | Self::Login(account) | Self::Ls(account) => account,
            Self::Put(put) => &put.account,
            Self::Get(get) => &get.account,
            Self::Append(append) => &append.account,
            Self::Rm(remove) => &remove.account,
            Self::Share(share) | Self::Revoke(share) => &share.account,
            Self::Receive(receive) => &receive.account,
            Self::Fingerprint(fingerprint) => &fingerprint.account,
            Self::Compare(compare) => &compare.account,
        }
    }

    fn connected(&self) -> Result<Connected, Fault> {
        match self {
            Self::SignUp(account) => account.sign_up(),
            Self::Put(put) => content::login_to_put(put),
            Self::Get(get) => fetch::login_to_get(get),
            Self::Append(append) => append.account.login(is_standard(&append.file)),
            _ => self.account().login(false),
        }
    }
}

/// Performs a command.
pub(crate) fn perform(files: &Files, output: &mut impl Write) -> Result<Status, Fault> {
    let json = files.account().json;
    let mut report = Report::default();
    let outcome = interrupt::watch(json).and_then(|()| work(files, output, &mut report));
    report.print(json, outcome, output)
}

/// What a command line that cannot be read comes to, for a program that asked for JSON.
pub(crate) fn misread(why: &str, output: &mut impl Write) -> Result<(), Fault> {
    let fault = Fault::usage(why);
    let document = json!({ "error": report::error(&fault), "status": fault.status.code() });
    writeln!(output, "{document}").map_err(|error| Fault::output(&error))
}

fn work(files: &Files, output: &mut impl Write, report: &mut Report) -> Result<(), Fault> {
    let Connected {
        mut client,
        device,
        login,
    } = files.connected()?;
    report.login = login;
    if matches!(files, Files::Get(_) | Files::Ls(_)) && !client.opened().monotone {
        report.note(people::UNKNOWN_AGE.to_owned());
    }
    let folder = device.folder();
    if !client.opened().monotone {
        // Without a memory the device cannot tell that an old state is what fits its notes.
        times::forget(folder)
            .map_err(|_| Fault::machine("the notes on files cannot be thrown away"))?;
    }
    if !client.forgotten().is_empty() {
        journal::forget(folder)
            .and_then(|()| times::forget(folder))
            .map_err(|_| Fault::machine("the notes on uploads and files cannot be thrown away"))?;
    }
    let client = &mut client;
    let began = Instant::now();
    let worked = match files {
        Files::SignUp(_) => people::account(client, true, report),
        Files::Login(_) => people::account(client, false, report),
        Files::Put(put) => content::put(client, &device, put, report),
        Files::Get(get) => fetch::get(client, get, output, report),
        Files::Append(append) => content::append(client, append, report),
        Files::Ls(_) => content::list(client, report),
        Files::Rm(remove) => content::remove(client, remove, report),
        Files::Share(share) => people::share(client, share, report),
        Files::Receive(receive) => people::receive(client, receive, report),
        Files::Revoke(share) => people::revoke(client, share, report),
        Files::Fingerprint(fingerprint) => people::fingerprint(client, fingerprint, report),
        Files::Compare(compare) => people::compare(client, &device, compare, report),
    };
    report.work = began.elapsed();
    for forgotten in client.forgotten() {
        report.forgot(forgotten);
    }
    worked.map_err(|fault| match client.contradictions().first() {
        Some(kept) => files.account().with_evidence(fault, &device, kept),
        None => fault,
    })
}
