//! The program `turncoat`: files, clock, environment and terminal, around the attack engine.

mod args;
mod attack;
mod chaos;
mod check;
mod client;
mod engine;
mod explain;
mod files;
mod new_attack;
mod quote;
mod selection;
mod serve;
mod status;
mod summary;
mod terminal;
mod time;
mod timeline;

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::args::{Arguments, Command};
use crate::status::{Fault, Status};

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return explain_usage(&error),
    };
    // A panic that nothing caught is this program's fault, and has said so on standard error.
    match catch_unwind(AssertUnwindSafe(|| perform(&arguments.command))) {
        Ok(status) => status.into(),
        Err(_) => Status::Machine.into(),
    }
}

fn perform(command: &Command) -> Status {
    let mut output = io::stdout().lock();
    let outcome = match command {
        Command::Attack(attack) => attack::attack(attack, &mut output),
        Command::Chaos(order) => chaos::chaos(order, &mut output),
        Command::Explain { id } => explain::explain(id.as_deref(), &mut output),
        Command::Check { file } => check::check(file, &mut output),
        Command::Files(files) => files::perform(files, &mut output),
        Command::Serve(serve) => serve::run(serve, &mut output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            let mut command = Arguments::defined();
            clap_complete::generate(*shell, &mut command, "turncoat", &mut script);
            let written = output.write_all(&script);
            written
                .map(|()| Status::Fine)
                .map_err(|error| Fault::output(&error))
        }
        Command::NewAttack { id, directory } => new_attack::write(id, directory, &mut output),
    };
    let flushed = match output.flush() {
        // The status still tells what came of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        flushed => flushed.map_err(|error| Fault::output(&error)),
    };
    let outcome = outcome.and_then(|status| flushed.map(|()| status));
    outcome.unwrap_or_else(|fault| tell(&fault))
}

/// Says what failed, if anything is to be said, and what the program ends with.
fn tell(fault: &Fault) -> Status {
    if !fault.message().is_empty() {
        // Nothing is left to tell it to, if standard error is closed too.
        let _ = writeln!(io::stderr(), "error: {}", fault.shown());
    }
    fault.status
}

/// Help and version go to standard output, mistakes to standard error.
fn explain_usage(error: &clap::Error) -> ExitCode {
    // Whoever asked for JSON cannot be asked whether the rest of the line meant it.
    let mut words = std::env::args_os().skip(1).take_while(|word| word != "--");
    let files = words.next().is_some_and(|command| command != "attack");
    if files && error.use_stderr() && words.any(|word| word == "--json") {
        let why = error.render().to_string();
        // The same follows on standard error, and the status says it too.
        let _ = files::misread(why.trim_end(), &mut io::stdout());
    }
    match error.print() {
        Ok(()) if error.use_stderr() => Status::Usage.into(),
        Ok(()) => Status::Fine.into(),
        Err(error) => tell(&Fault::output(&error)).into(),
    }
}
