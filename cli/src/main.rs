//! The program `turncoat`: files, clock, environment and terminal, around the attack engine.

mod args;
mod attack;
mod check;
mod client;
mod engine;
mod explain;
mod nearest;
mod new_attack;
mod quote;
mod selection;
mod status;
mod summary;
mod terminal;
mod time;
mod timeline;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::status::{Fault, Status};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain_usage(&error),
    };
    let mut output = io::stdout().lock();
    let outcome = match &arguments.command {
        Command::Attack(attack) => attack::attack(attack, &mut output),
        Command::Explain { id } => explain::explain(id, &mut output),
        Command::Check { file } => check::check(file, &mut output),
        Command::NewAttack { id, directory } => new_attack::write(id, directory, &mut output),
    };
    let flushed = output.flush().map_err(|error| Fault::output(&error));
    let status = outcome
        .and_then(|status| flushed.map(|()| status))
        .unwrap_or_else(|fault| {
            // Nothing is left to tell it to, if standard error is closed too.
            let _ = writeln!(io::stderr(), "error: {}", fault.shown());
            fault.status
        });
    status.into()
}

/// Help and version go to standard output, mistakes to standard error.
fn explain_usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) if error.use_stderr() => Status::Usage.into(),
        Ok(()) => Status::Fine.into(),
        Err(_) => Status::Machine.into(),
    }
}
