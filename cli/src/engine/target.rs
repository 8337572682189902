//! From the client that the command line names to one that can be put under test.

use std::rc::Rc;

use turncoat_adversary::driver::external::{
    CommandLine, Declaration, ExternalClient, ExternalLimits, declaration_of,
};
use turncoat_adversary::driver::{Hardened, Straw, Weakened};
use turncoat_adversary::run::Target;
use turncoat_adversary::strawman;
use turncoat_adversary::strawman::expected::{Expectations, expected};
use turncoat_reports::{Client, ScriptResult, agrees};

use crate::client::ClientChoice;
use crate::status::Fault;

/// A client of which everything is known that all its runs share.
pub(super) struct Prepared<'a> {
    choice: &'a ClientChoice,
    external: Option<(CommandLine, Declaration)>,
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
    pub(super) fn new(choice: &'a ClientChoice) -> Result<Self, Fault> {
        let external = match choice {
            ClientChoice::External(text) => {
                let command = command(text)?;
                let declared = declaration_of(&command, ExternalLimits::default())
                    .map_err(|error| Fault::not_started(error.to_string()))?;
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
        matches!(self.choice, ClientChoice::Core | ClientChoice::Weakened(_))
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
                    ClientChoice::Straw(_) => vec!["straw: made to fall".to_owned()],
                    ClientChoice::Weakened(_) => vec!["the hardened client, weakened".to_owned()],
                    ClientChoice::Core | ClientChoice::External(_) => Vec::new(),
                },
            },
        }
    }

    /// The client for one script's runs.
    pub(super) fn target(&self) -> Result<Target, Fault> {
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
                    .map_err(|error| Fault::not_started(error.to_string()))?;
                foreign(Rc::new(client))
            }
            (ClientChoice::External(_), None) => {
                return Err(Fault::machine("an external client was not prepared"));
            }
        })
    }
}
