//! The server: opens its store, listens on loopback, and stops in order. A script turns it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use turncoat_adversary::front::turned::{Setup, Turned};
use turncoat_adversary::honest::native::Settings;
use turncoat_adversary::script::ScriptError;
use turncoat_reports::text::visible_lines;
use turncoat_server::http::{Bounds, serve};
use turncoat_server::service::Service;
use turncoat_server::store::{Durable, NoStore};

use crate::files::realm;
use crate::status::{Fault, Status};
use crate::time;

/// The iterations that accounts which do not exist seem to have: what this program's clients use.
const ITERATIONS: u32 = 600_000;

#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// The folder that holds everything; made if it is missing
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Where to listen: an address of this machine alone
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7733")]
    listen: SocketAddr,
    /// Betray: this script says what the server does to requests, replies and the store. It holds
    /// the server's part alone; sessions are `alice/1`, `alice/2`, and so on
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Keep what no current state of any file needs for so many seconds, and about twice as long at
    /// most: for readers that began before, and for uploads that were cut off. The time begins anew
    /// with the server
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400,
        value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    grace: u64,
    /// The deployment's name, the same that its users have; a script's names of users need it
    #[arg(
        long,
        value_name = "NAME",
        env = "TURNCOAT_REALM",
        default_value = "turncoat"
    )]
    realm: String,
}

/// Serves until the process is interrupted or terminated.
pub(crate) fn run(arguments: &Serve, output: &mut impl Write) -> Result<Status, Fault> {
    if !arguments.listen.ip().is_loopback() {
        return Err(Fault::usage(format!(
            "{} is not of this machine alone: listen on 127.0.0.1 or [::1], and let a proxy with \
             TLS stand before it",
            arguments.listen
        )));
    }
    let store = Durable::open(&arguments.store).map_err(|error| unopened(arguments, &error))?;
    let secret = store.secret(random);
    let settings = Settings {
        secret: secret.map_err(|error| unopened(arguments, &error))?,
        lifetime: random(),
        iterations: ITERATIONS,
        limits: turncoat_core::Limits::standard(),
    };
    let (broken, breaks) = tokio::sync::oneshot::channel::<()>();
    let fault: Arc<Mutex<Option<Fault>>> = Arc::default();
    let service = match &arguments.script {
        None => Service::new(settings, store, Box::new(log)),
        Some(script) => {
            let turned = turn(arguments, script, settings, store, {
                let fault = Arc::clone(&fault);
                move |error| {
                    *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    let _ = broken.send(());
                }
            })?;
            let title = turned.title();
            let told = format!("turned by {}: {}", title.id, title.sentence);
            writeln!(output, "{}", visible_lines(&told)).map_err(|error| Fault::output(&error))?;
            Service::turned(turned, Box::new(log))
        }
    };
    let service = Arc::new(service);
    let runtime = Runtime::new().map_err(|error| Fault::machine(error.to_string()))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
            Fault::machine(format!(
                "cannot listen on {}: {error}; choose another with --listen",
                arguments.listen
            ))
        })?;
        let address = listener.local_addr();
        let address = address.map_err(|error| Fault::machine(error.to_string()))?;
        let told = told_to_stop()?;
        let told = async {
            tokio::select! {
                () = told => {}
                Ok(()) = breaks => {}
            }
        };
        writeln!(output, "listening on http://{address}")
            .and_then(|()| output.flush())
            .map_err(|error| Fault::output(&error))?;
        let bounds = Bounds {
            grace: Duration::from_secs(arguments.grace),
            ..Bounds::default()
        };
        let served = serve(listener, service, bounds, told).await;
        served.map_err(|error| Fault::machine(error.to_string()))
    })?;
    let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
    fault.map_or(Ok(Status::Fine), Err)
}

/// One line for each refusal and each act; if nobody reads them, that is no reason to stop.
fn log(line: &str) {
    let line = visible_lines(line);
    let _ = writeln!(std::io::stderr(), "{} {line}", time::now());
}

/// The store in the hands of a script.
fn turn(
    arguments: &Serve,
    script: &Path,
    settings: Settings,
    store: Durable,
    fault: impl FnOnce(Fault) + Send + 'static,
) -> Result<Turned, Fault> {
    let name = script.display().to_string();
    let named = move |error: ScriptError| Fault::usage(format!("{name}: {error}"));
    let objects = store.all().map_err(|error| unopened(arguments, &error))?;
    Turned::start(Setup {
        script: crate::check::read(script)?,
        objects,
        store: Box::new(store),
        settings,
        realm: realm(&arguments.realm)?,
        log: Box::new(log),
        fault: Box::new({
            let named = named.clone();
            move |error| fault(named(error))
        }),
    })
    .map_err(named)
}

/// Ready once the process is interrupted or terminated.
fn told_to_stop() -> Result<impl Future<Output = ()>, Fault> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| Fault::machine(error.to_string()));
    let mut interrupted = listen(SignalKind::interrupt())?;
    let mut terminated = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

fn unopened(arguments: &Serve, error: &NoStore) -> Fault {
    let advice = match error {
        NoStore::InUse => "stop that one, or name another folder",
        NoStore::Foreign(_) => "name another folder, or use the version that made it",
        _ => "see that the folder can be written",
    };
    let store = arguments.store.display();
    Fault::machine(format!("{store}: {error}; {advice}"))
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap_or_else(|error| {
        // Without it there are no tokens that nobody guesses.
        unreachable!("the machine has no randomness: {error}")
    });
    bytes
}
