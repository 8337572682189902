//! An account at a server, and a login for one command: no key ever rests on disk unwrapped.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use turncoat_core::client::{Contradiction, Downloading, Updating, Uploading};
use turncoat_core::id::Realm;
use turncoat_core::wire::Frame as _;
use turncoat_core::{Config, Error, Limits, Policy, Ports, Session, Unavailable};
use turncoat_remote::{HttpRemote, Patience};

use super::device::{Device, FileVault, Machine};
use super::names::hex;
use super::password::Source;
use super::told::fault;
use crate::status::Fault;
use crate::time;

/// Requests under way at a time: enough to keep disk and cipher busy, and each holds a pack.
const DEPTH: usize = 4;

/// A session of this program.
pub(crate) type Client = Session<HttpRemote, FileVault, Machine, Machine>;

/// A file of this program's on its way into the store.
pub(crate) type Upload<'a> = Uploading<'a, HttpRemote, FileVault, Machine, Machine>;

/// A file of this program's of which only what changed is on its way into the store.
pub(crate) type Update<'a> = Updating<'a, HttpRemote, FileVault, Machine, Machine>;

/// A file of this program's on its way from the store.
pub(crate) type Fetching<'a> = Downloading<'a, HttpRemote, FileVault, Machine, Machine>;

#[derive(Args, Clone, Debug)]
pub(crate) struct Account {
    /// The server
    #[arg(
        long,
        value_name = "URL",
        env = "TURNCOAT_SERVER",
        default_value = "http://127.0.0.1:7733"
    )]
    server: String,
    /// Who you are
    #[arg(long, value_name = "NAME", env = "TURNCOAT_USER")]
    user: String,
    /// The deployment's name, the same for all its users; 32 bytes at most
    #[arg(
        long,
        value_name = "NAME",
        env = "TURNCOAT_REALM",
        default_value = "turncoat"
    )]
    realm: String,
    /// Where this device remembers what it has seen [default: the data folder of the platform]
    #[arg(long, value_name = "DIR", env = "TURNCOAT_STATE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    password: Source,
    /// Print what happened as JSON, login and work timed apart
    #[arg(long)]
    pub(crate) json: bool,
}

/// A session, the device that it locks, and how long it took to get it.
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) device: Device,
    pub(crate) login: Duration,
}

impl Account {
    /// Makes the account.
    pub(crate) fn sign_up(&self) -> Result<Connected, Fault> {
        self.connected(true, false)
    }

    /// Logs in. `stdin_is_taken` says that standard input is content.
    pub(crate) fn login(&self, stdin_is_taken: bool) -> Result<Connected, Fault> {
        self.connected(false, stdin_is_taken)
    }

    fn connected(&self, new: bool, stdin_is_taken: bool) -> Result<Connected, Fault> {
        if !self.server.starts_with("http://") {
            return Err(Fault::usage(format!(
                "--server {}: an address that begins with http:// is needed",
                self.server
            )));
        }
        let config = Config {
            realm: realm(&self.realm)?,
            policy: Policy::hardened(),
            limits: Limits::standard(),
        };
        let device = Device::open(self.state.as_deref(), &self.realm, &self.user)?;
        let password = self.password.password(new, stdin_is_taken)?;
        let ports = Ports {
            remote: HttpRemote::new(&self.server, Patience::default()).with_depth(DEPTH),
            vault: device.vault(),
            entropy: Machine,
            clock: Machine,
        };
        let name = self.user.as_bytes();
        let began = Instant::now();
        let mut kept = None;
        let client = match new {
            true => now(Session::sign_up(ports, config, name, &password)),
            false => now(Session::login_keeping(
                ports, config, name, &password, &mut kept,
            )),
        };
        let doing = if new { "sign-up" } else { "login" };
        let failed = |error: Error| match error {
            Error::Unavailable(Unavailable::CutOff | Unavailable::Timeout) => {
                let at = format!("\n  no server answered at {}", self.server);
                fault(doing, &error).and(&at)
            }
            Error::Unavailable(Unavailable::LocalState(_)) => {
                fault(doing, &error).and(&format!("\n  it is in {}", device.folder().display()))
            }
            _ => match &kept {
                Some(kept) => self.with_evidence(fault(doing, &error), &device, kept),
                None => fault(doing, &error),
            },
        };
        Ok(Connected {
            client: client.map_err(failed)?,
            device,
            login: began.elapsed(),
        })
    }
}

impl Account {
    /// Keeps both sides of what the server contradicted in a file, and says where.
    pub(super) fn with_evidence(
        &self,
        fault: Fault,
        device: &Device,
        kept: &Contradiction,
    ) -> Fault {
        let document = json!({
            "violation": fault.name(),
            "server": self.server,
            "user": self.user,
            "written": time::now(),
            "own_statement": hex(&kept.own.encode()),
            "offered_head": hex(&kept.offered.encode()),
        });
        fault.and(
            &match device.keep("evidence", format!("{document:#}\n").as_bytes()) {
                Ok(path) => format!("\n  evidence: {}", path.display()),
                Err(error) => format!("\n  the evidence could not be kept: {error}"),
            },
        )
    }
}

/// A deployment by its name.
pub(crate) fn realm(name: &str) -> Result<Realm, Fault> {
    let mut realm = [0; 32];
    let place = realm.get_mut(..name.len());
    let place = place.ok_or_else(|| Fault::usage("--realm is longer than 32 bytes"))?;
    place.copy_from_slice(name.as_bytes());
    Ok(Realm(realm))
}

/// The client waits nowhere but in its doors, and those of this program block.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("no door of this program waits"),
    }
}
