//! One device's process: lines in, lines out, each bounded, none of them waited for here.

use std::fmt;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::Event;
use super::command::CommandLine;
use super::fault::LastWords;
use super::groups::{Leader, REGISTRY};

/// How much of the standard error output is kept for the diagnosis.
const COMPLAINT_MAX: usize = 2 * 1024;

/// How much is read from a pipe at once.
const READ_SIZE: usize = 16 * 1024;

/// What a line costs of the allowance beside its bytes, because it costs memory beside them.
const LINE_COST: usize = 256;

/// A running client process.
pub(super) struct Process {
    /// Tells this process from its predecessors on the same device.
    pub(super) number: u64,
    leader: Leader,
    input: Sender<Vec<u8>>,
    allowance: Arc<AtomicU64>,
    /// Gone once the output is at its end.
    reading: Weak<()>,
    complaint: Arc<Mutex<Vec<u8>>>,
    /// Disconnected once all complaints are kept.
    silent: Receiver<()>,
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Process")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Starts the command; what it says arrives as events with `number`.
    pub(super) fn start(
        command: &CommandLine,
        number: u64,
        output_max: u64,
        events: &Sender<Event>,
    ) -> io::Result<Self> {
        let mut prepared = Command::new(command.program());
        prepared
            .args(command.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1");
        // A proxy would come between the client and the front, and know the device's secret.
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            prepared.env_remove(name);
        }
        let mut leader = REGISTRY.spawn(&mut prepared)?;
        let child = leader.child();
        let missing = || io::Error::other("a pipe that was asked for is missing");
        let mut stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;

        let (input, lines) = channel::<Vec<u8>>();
        // The writer ends with the pipe: a client that reads nothing holds up nobody else.
        named("client-stdin").spawn(move || {
            while let Ok(line) = lines.recv() {
                if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
                    break;
                }
            }
        })?;
        let allowance = Arc::new(AtomicU64::new(output_max));
        let alive = Arc::new(());
        let reading = Arc::downgrade(&alive);
        let reader = Lines {
            number,
            allowance: Arc::clone(&allowance),
            events: events.clone(),
            alive,
        };
        named("client-stdout").spawn(move || reader.read(stdout))?;
        let complaint = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&complaint);
        let (speaking, silent) = channel();
        named("client-stderr").spawn(move || {
            keep_last(stderr, &kept);
            drop(speaking);
        })?;
        Ok(Self {
            number,
            leader,
            input,
            allowance,
            reading,
            complaint,
            silent,
        })
    }

    /// Sends one line; the client may read it when it likes.
    pub(super) fn send(&self, mut line: Vec<u8>, output_max: u64) {
        line.push(b'\n');
        self.allowance.store(output_max, Ordering::SeqCst);
        // A writer that is gone means a process that is gone, which its output tells.
        let _gone = self.input.send(line);
    }

    /// Whether the process has ended, although its output may be open still.
    pub(super) fn has_ended(&self) -> bool {
        self.leader.peek().is_some()
    }

    /// Ends the whole process group, and returns how it ended by itself and what it complained of.
    pub(super) fn end(mut self, patience: Duration) -> LastWords {
        // A process whose output has just ended is about to end: its own status says more.
        let waited = Instant::now();
        let mut status = self.leader.peek();
        while status.is_none() && self.closed() && waited.elapsed() < patience {
            thread::sleep(Duration::from_millis(2));
            status = self.leader.peek();
        }
        let _not_ours_any_more = self.leader.end();
        let _last_words_are_late = self.silent.recv_timeout(patience);
        let kept = self
            .complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let complaint = text
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .map(printable);
        LastWords { status, complaint }
    }

    fn closed(&self) -> bool {
        self.reading.upgrade().is_none()
    }
}

/// The text without control characters, and of a length for one line.
pub(super) fn printable(text: &str) -> String {
    const LENGTH_MAX: usize = 300;
    text.chars()
        .map(|one| if one.is_control() { ' ' } else { one })
        .take(LENGTH_MAX)
        .collect()
}

fn named(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned())
}

/// Cuts the output into lines within an allowance that each operation fills again.
struct Lines {
    number: u64,
    allowance: Arc<AtomicU64>,
    events: Sender<Event>,
    alive: Arc<()>,
}

impl Lines {
    fn read(self, mut output: impl Read) {
        let process = self.number;
        let mut line = Vec::new();
        let mut piece = [0; READ_SIZE];
        loop {
            let count = match output.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            let piece = piece.get(..count).unwrap_or_default();
            let lines = piece.iter().filter(|&&byte| byte == b'\n').count();
            if !self.may_spend(count.saturating_add(lines.saturating_mul(LINE_COST))) {
                let _run_ended = self.events.send(Event::Flooded { process });
                return;
            }
            for &byte in piece {
                if byte != b'\n' {
                    line.push(byte);
                } else if self
                    .events
                    .send(Event::Line {
                        process,
                        line: std::mem::take(&mut line),
                    })
                    .is_err()
                {
                    return;
                }
            }
        }
        drop(self.alive);
        let _run_ended = self.events.send(Event::Ended { process });
    }

    fn may_spend(&self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.allowance
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(count)
            })
            .is_ok()
    }
}

/// Reads everything and keeps the end: a client that logs much is no fault.
fn keep_last(mut output: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut piece = [0; READ_SIZE];
    while let Ok(count) = output.read(&mut piece) {
        if count == 0 {
            break;
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(piece.get(..count).unwrap_or_default());
        let surplus = kept.len().saturating_sub(COMPLAINT_MAX);
        kept.drain(..surplus);
    }
}
