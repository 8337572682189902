//! The command line, and the one line that repeats a result.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use turncoat_reports::Seed;

use crate::client::ClientChoice;
use crate::files::Files;
use crate::quote::{program, quoted};
use crate::serve::Serve;
use crate::status::{HELP, HELP_OF_CHAOS, HELP_OF_FILES, HELP_OF_OTHERS};

/// A storage server that betrays its users on purpose, and the client that must catch it.
#[derive(Debug, Parser)]
#[command(name = "turncoat", version, about, after_help = HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// The command line with the statuses of each command in its help.
    pub(crate) fn defined() -> clap::Command {
        Self::command().mut_subcommands(|command| {
            let statuses = match command.get_name() {
                "attack" => HELP,
                "chaos" => HELP_OF_CHAOS,
                "check" | "completions" | "explain" | "new-attack" | "serve" => HELP_OF_OTHERS,
                _ => HELP_OF_FILES,
            };
            command.after_help(statuses)
        })
    }

    /// Reads a command line.
    pub(crate) fn read(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::defined().try_get_matches_from(words)?)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run attack scripts against a client and give a verdict for each
    Attack(Attack),
    /// Run honest workloads over a bad network, each from a seed, and look for false alarms, lost
    /// writes, and what no serial order of the operations explains
    Chaos(Chaos),
    /// Show an attack, a defence, a guarantee or a word of the language: what it is, and what falls
    /// without it
    Explain {
        /// The name of an attack, a class, a defence, a violation, a verdict or a word of the
        /// attack language, or a guarantee such as G3; without it, the list of all names
        id: Option<String>,
    },
    /// Parse and dry-run a script, and say what is wrong where
    Check {
        /// The script
        file: PathBuf,
    },
    /// Be the server: honest, durable, bounded, on loopback; or turned by a script
    Serve(Serve),
    #[command(flatten)]
    Files(Files),
    /// Print the completions of a shell: source them, or put them where it looks for them
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a script that runs, and say what to fill in
    NewAttack {
        /// The new attack's id: lower-case words joined by hyphens
        id: String,
        /// Where to write it
        #[arg(long, value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Attack {
    /// Attack ids, classes, or files that end in .rhai; all of the library where none is named
    #[arg(value_name = "SCRIPT|CLASS")]
    pub(crate) selected: Vec<String>,
    /// The client under test: core, naive, aead-only, unfresh, trusting, unchained,
    /// weakened:DEFENCE,... or exec:COMMAND
    #[arg(long, default_value = "core")]
    pub(crate) client: ClientChoice,
    /// How the messages of core and weakened travel; scripts and verdicts are the same
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Way::Memory)]
    pub(crate) over: Way,
    /// The seed of every choice, decimal or 0x and hexadecimal
    #[arg(long, default_value = "0x1")]
    pub(crate) seed: Seed,
    /// How many scripts run at once [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Print the result as JSON and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the result in every format into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Print the messages of the honest and the attacked run of one script
    #[arg(long, conflicts_with_all = ["json", "report", "conformance"])]
    pub(crate) timeline: bool,
    /// Run honest workloads only, and say which operations of an external client work
    #[arg(long, conflicts_with = "selected")]
    pub(crate) conformance: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Chaos {
    /// How many runs; each has the seed after the one before
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) runs: NonZeroUsize,
    /// The seed of the first run, decimal or 0x and hexadecimal
    #[arg(long, default_value = "0x1")]
    pub(crate) seed: Seed,
    /// The client under test: core or weakened:DEFENCE,...
    #[arg(long, default_value = "core")]
    pub(crate) client: ClientChoice,
    /// How many runs at once [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// How messages travel between the client under test and the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Within the process
    #[default]
    Memory,
    /// Through the HTTP client and a socket of this machine
    Http,
}

/// One for each core, unless the command line says otherwise.
fn at_once(jobs: Option<NonZeroUsize>) -> NonZeroUsize {
    let one = NonZeroUsize::MIN;
    jobs.unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(one))
}

impl Chaos {
    /// How many runs at once.
    pub(crate) fn jobs(&self) -> NonZeroUsize {
        at_once(self.jobs)
    }

    /// The one command that repeats the run of one seed.
    pub(crate) fn reproduction(&self, seed: Seed) -> String {
        let mut command = format!("{} chaos", program());
        if self.client != ClientChoice::Core {
            command.push_str(&format!(" --client {}", quoted(&self.client.to_string())));
        }
        command.push_str(&format!(" --seed {seed} --runs 1"));
        command
    }
}

impl Attack {
    /// How many scripts run at once.
    pub(crate) fn jobs(&self) -> NonZeroUsize {
        at_once(self.jobs)
    }

    /// The one command that repeats what one script found.
    pub(crate) fn reproduction(&self, script: &str) -> String {
        let mut command = format!("{} attack {}", program(), quoted(script));
        if self.client != ClientChoice::Core {
            command.push_str(&format!(" --client {}", quoted(&self.client.to_string())));
        }
        if self.over == Way::Http {
            command.push_str(" --over http");
        }
        command.push_str(&format!(" --seed {}", self.seed));
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(words: &[&str]) -> Result<Attack, clap::Error> {
        let words = ["turncoat", "attack"].iter().chain(words);
        match Arguments::read(words)?.command {
            Command::Attack(attack) => Ok(attack),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::defined().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_says_its_statuses() {
        let mut commands = 0;
        for mut command in Arguments::defined().get_subcommands().cloned() {
            let help = command.render_help().to_string();
            let statuses = help.contains("Exit status") && help.contains("  4  ");
            assert!(statuses, "{help}");
            let name = command.get_name().to_owned();
            let asked = Arguments::read(["turncoat", &name, "--help"]);
            assert!(!asked.unwrap_err().use_stderr(), "{name}");
            assert_eq!(
                help.contains("  6  "),
                name == "attack" || help.contains("--state")
            );
            commands += 1;
        }
        assert!(commands > 15, "{commands}");
    }

    #[test]
    fn completions_know_every_command() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            let mut command = Arguments::defined();
            clap_complete::generate(*shell, &mut command, "turncoat", &mut script);
            let script = String::from_utf8(script).unwrap();
            for command in command.get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell} {command}");
            }
        }
    }

    #[test]
    fn no_words_mean_the_whole_library_against_our_client() {
        let found = attack(&[]).unwrap();
        assert!(found.selected.is_empty() && !found.json);
        assert_eq!((found.client, found.seed), (ClientChoice::Core, Seed(1)));
    }

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        assert_eq!(attack(&["--seed", "42"]).unwrap().seed, Seed(42));
        assert_eq!(attack(&["--seed", "0x2A"]).unwrap().seed, Seed(42));
        let error = attack(&["--seed", "2a"]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("0x and up to 16 hexadecimal digits"),
            "{error}"
        );
    }

    #[test]
    fn words_that_contradict_are_refused() {
        let cases: [&[&str]; 6] = [
            &["--timeline", "--json", "x"],
            &["--timeline", "--report", "out", "x"],
            &["--conformance", "x"],
            &["--jobs", "0"],
            &["--client", "weakend:rollback"],
            &["--sneed", "1"],
        ];
        for words in cases {
            assert_eq!(attack(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    /// The commands of a document: what follows `cargo run --` or `turncoat`, and spans of code
    /// that begin with a command's name.
    fn commands(text: &str) -> Vec<String> {
        let names = ["attack", "explain", "check", "new-attack"];
        let called = text
            .lines()
            .flat_map(|line| line.split("cargo run").skip(1));
        let called = called.filter_map(|line| {
            let (_, line) = line.split_once("-- ")?;
            let line = line.split(" # ").next()?;
            Some(line.split('`').next()?.trim().to_owned())
        });
        let spans = text.split('`').skip(1).step_by(2);
        let spans = spans.filter_map(|span| {
            let words = span.strip_prefix("turncoat ").unwrap_or(span);
            let first = words.split(' ').next()?;
            let command = names.contains(&first) && !words.contains('\n');
            (command && words != first).then(|| words.to_owned())
        });
        called.chain(spans).collect()
    }

    #[test]
    fn every_command_that_a_document_shows_is_one() {
        let documents = [
            (include_str!("../../README.md"), 6),
            (include_str!("../../CONTRIBUTING.md"), 5),
        ];
        for (document, least) in documents {
            let commands = commands(document);
            assert!(commands.len() >= least, "{commands:?}");
            for command in commands {
                let words = crate::quote::tests::words(&format!("turncoat {command}"));
                let parsed = Arguments::read(&words);
                let help = |error: &clap::Error| !error.use_stderr();
                assert!(
                    parsed.as_ref().err().is_none_or(help),
                    "{command}: {parsed:?}"
                );
            }
        }
    }

    #[test]
    fn the_reproduction_of_a_chaos_run_parses_back_to_it() {
        for client in ["core", "weakened:leaf-hash,own-place"] {
            let words = ["turncoat", "chaos", "--client", client, "--runs", "900"];
            let Command::Chaos(first) = Arguments::read(words).unwrap().command else {
                panic!("another command");
            };
            assert_eq!((first.seed, first.runs.get()), (Seed(1), 900));
            let line = first.reproduction(Seed(0x2a));
            let words = crate::quote::tests::words(&line);
            let Command::Chaos(again) = Arguments::read(&words).unwrap().command else {
                panic!("{line}");
            };
            assert_eq!(again.client, first.client, "{line}");
            assert_eq!((again.seed, again.runs.get()), (Seed(0x2a), 1), "{line}");
        }
    }

    #[test]
    fn a_reproduction_parses_back_to_the_same_run() {
        let clients = [
            "core",
            "naive",
            "weakened:head-rollback,leaf",
            "exec:python3 'a b'.py $HOME",
        ];
        for client in clients {
            let first = attack(&["--client", client, "--seed", "0x2a", "head-rollback"]).unwrap();
            for over in [Way::Memory, Way::Http] {
                let mut told = first.clone();
                told.over = over;
                let line = told.reproduction("head-rollback");
                let words = crate::quote::tests::words(&line);
                let words: Vec<_> = words.iter().skip(2).map(String::as_str).collect();
                assert_eq!(attack(&words).unwrap().over, over, "{line}");
            }
            let line = first.reproduction("head-rollback");
            let words = crate::quote::tests::words(&line);
            let words: Vec<_> = words.iter().skip(2).map(String::as_str).collect();
            let second = attack(&words).unwrap();
            assert_eq!(second.client, first.client, "{line}");
            assert_eq!(second.seed, first.seed, "{line}");
            assert_eq!(second.selected, ["head-rollback"], "{line}");
        }
    }
}
