//! From the client that the command line names to one that can be put under test.

use std::rc::Rc;
use std::time::Duration;

use turncoat_adversary::driver::external::{
    CommandLine, Declaration, ExternalClient, ExternalLimits, NotStarted, declaration_of,
};
use turncoat_adversary::driver::{Client as UnderTest, Hardened, OverHttp, Straw, Weakened};
use turncoat_adversary::front::http::frames::FrameServer;
use turncoat_adversary::run::{Plan, Target, Twin};
use turncoat_adversary::strawman;
use turncoat_adversary::strawman::expected::{Expectations, expected};
use turncoat_reports::{Client, ScriptResult, agrees};

use crate::args::{Attack, Way};
use crate::client::ClientChoice;
use crate::status::Fault;

/// The order of a run is its script's, however long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(600);
/// Where some replies never come to their end.
const IMPATIENCE: Duration = Duration::from_secs(3);

/// A client of which everything is known that all its runs share.
pub(super) struct Prepared<'a> {
    choice: &'a ClientChoice,
    external: Option<(CommandLine, Declaration)>,
    /// Where requests go that travel over HTTP.
    server: Option<FrameServer>,
    /// What was written down of the straw clients before they ran.
    straw: Expectations,
}

/// The command of an external client, split into words.
pub(super) fn command(text: &str) -> Result<CommandLine, Fault> {
    CommandLine::parse(text).map_err(Fault::usage)
}

/// How results call a client that shares no code with this program.
pub(super) fn external_client(name: &str) -> Client {
    Client {
        name: name.to_owned(),
        ours: false,
        deterministic: false,
        labels: vec!["external: its runs are not deterministic".to_owned()],
    }
}

impl<'a> Prepared<'a> {
    /// Looks the client up; an external one is started once, for its declaration.
    pub(super) fn new(attack: &'a Attack) -> Result<Self, Fault> {
        let choice = &attack.client;
        let server = match attack.over {
            Way::Memory => None,
            Way::Http => Some(server(choice)?),
        };
        let external = match choice {
            ClientChoice::External(text) => {
                let command = command(text)?;
                let declared = declaration_of(&command, ExternalLimits::default())
                    .map_err(|error| not_started(&error))?;
                Some((command, declared))
            }
            ClientChoice::Weakened(names) => {
                Weakened::without(names).map_err(Fault::usage)?;
                None
            }
            ClientChoice::Core | ClientChoice::Straw(_) => None,
        };
        let straw = expected().map_err(|fault| {
            let line = fault.line;
            Fault::machine(format!(
                "the table of straw clients is damaged at line {line}"
            ))
        })?;
        Ok(Self {
            choice,
            external,
            server,
            straw,
        })
    }

    /// Holds a straw client's result against its cell of the table. Whether a guarantee fell is
    /// another question, and decides how the program ends.
    pub(super) fn held(&self, mut result: ScriptResult) -> ScriptResult {
        if let ClientChoice::Straw(name) = self.choice {
            let cell = (result.id.clone(), (*name).to_owned());
            result.expected = self.straw.get(&cell).copied().map(super::convert::word);
            result.as_expected = agrees(result.expected, result.verdict);
        }
        result
    }

    /// Whether the time that is spent in the client can be told from the rest.
    pub(super) fn in_process(&self) -> bool {
        let ours = matches!(self.choice, ClientChoice::Core | ClientChoice::Weakened(_));
        ours && self.server.is_none()
    }

    /// How results call the client.
    pub(super) fn client(&self) -> Client {
        let name = self.choice.to_string();
        match self.choice {
            ClientChoice::External(_) => external_client(&name),
            choice => Client {
                name,
                ours: *choice == ClientChoice::Core,
                deterministic: true,
                labels: match choice {
                    _ if self.server.is_some() => vec!["over HTTP".to_owned()],
                    ClientChoice::Straw(_) => vec!["straw: made to fall".to_owned()],
                    ClientChoice::Weakened(_) => vec!["the hardened client, weakened".to_owned()],
                    ClientChoice::Core | ClientChoice::External(_) => Vec::new(),
                },
            },
        }
    }

    /// The client for one script's runs.
    pub(super) fn target(&self, plan: &Plan) -> Result<Target, Fault> {
        let target = self.in_memory()?;
        Ok(match &self.server {
            None => target,
            Some(server) => over_http(
                target,
                server,
                if plan.framed { IMPATIENCE } else { PATIENCE },
            ),
        })
    }

    fn in_memory(&self) -> Result<Target, Fault> {
        let foreign = |client| Target {
            client,
            ours: false,
            twin: None,
        };
        Ok(match (self.choice, &self.external) {
            (ClientChoice::Core, _) => Target {
                client: Rc::new(Hardened),
                ours: true,
                twin: Some(Box::new(|defences| {
                    Ok(Rc::new(Weakened::without(defences)?))
                })),
            },
            (ClientChoice::Straw(name), _) => {
                let kind = strawman::find(name);
                let kind = kind.ok_or_else(|| Fault::usage(format!("no straw client {name}")))?;
                foreign(Rc::new(Straw(kind)))
            }
            (ClientChoice::Weakened(names), _) => {
                foreign(Rc::new(Weakened::without(names).map_err(Fault::usage)?))
            }
            (ClientChoice::External(_), Some((command, declared))) => {
                let limits = ExternalLimits::default();
                let client = ExternalClient::new(command, declared.clone(), limits)
                    .map_err(|error| not_started(&error))?;
                foreign(Rc::new(client))
            }
            (ClientChoice::External(_), None) => {
                return Err(Fault::machine("an external client was not prepared"));
            }
        })
    }
}

/// Whose fault it is that a client did not start: its own, or the machine's.
pub(super) fn not_started(error: &NotStarted) -> Fault {
    match error.by_machine {
        true => Fault::machine(format!(
            "the run of {} could not be prepared: {}. Check TMPDIR.",
            error.command, error.reason
        )),
        false => Fault::not_started(error.to_string()),
    }
}

/// A server for a client that speaks over HTTP here.
fn server(choice: &ClientChoice) -> Result<FrameServer, Fault> {
    match choice {
        ClientChoice::Core | ClientChoice::Weakened(_) => {
            FrameServer::open().map_err(|error| Fault::machine(error.to_string()))
        }
        ClientChoice::Straw(_) => Err(Fault::usage(
            "--over http is for core and weakened: a straw client has no HTTP client",
        )),
        ClientChoice::External(_) => Err(Fault::usage(
            "--over http is for core and weakened: an external client is over HTTP anyway",
        )),
    }
}

/// The same client and its twin, over HTTP.
fn over_http(target: Target, server: &FrameServer, patience: Duration) -> Target {
    let over = move |client: Rc<dyn UnderTest>, server: &FrameServer| -> Rc<dyn UnderTest> {
        Rc::new(OverHttp::new(client, server, patience))
    };
    let (server, twin) = (server.clone(), target.twin);
    Target {
        client: over(target.client, &server),
        ours: target.ours,
        twin: twin
            .map(|twin| -> Twin { Box::new(move |defences| Ok(over(twin(defences)?, &server))) }),
    }
}
