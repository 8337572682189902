//! Beside the bare rate of their primitives: a large file and many small ones, in process, and a
//! login with the iterations that people have. And how much memory the program takes for a file.
//!
//! Each round measures everything once, each first in its turn; medians and their spread are
//! printed. The bare rate is what the same primitives take for the same bytes, one after the other
//! on the same core: of each chunk one copy, its key, the cipher and the hash. What is measured
//! beside it has the server in the same process, and on the same core.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use clap::Parser;
use nix::sys::resource::{UsageWho, getrusage};
use turncoat_adversary::pool;
use turncoat_benches::{Bed, Client, Counter, REAL_ITERATIONS, incompressible, now};
use turncoat_core::hazmat::rsa::PrivateKey;
use turncoat_core::hazmat::{Label, aead, hash, kdf, mac};
use turncoat_core::wire::ENTRY_SIZE;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const CHUNK: usize = 64 * KIB;
const SMALL: usize = 4 * KIB;

/// Measures a large file, many small ones, a login, and the program's memory.
#[derive(Debug, Parser)]
struct Order {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// MiB of the large file.
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// Small files of 4 KiB.
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// Seed of all contents.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program whose memory is measured.
    #[arg(long)]
    turncoat: Option<PathBuf>,
    /// What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    black_box(run());
    began.elapsed()
}

/// Times of one thing in all rounds.
struct Times {
    name: &'static str,
    beside: &'static str,
    times: Vec<Duration>,
}

impl Times {
    fn median(&self) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2].as_secs_f64()
    }
}

/// What is measured in every round, and beside what.
type Measured<'a> = (
    &'static str,
    &'static str,
    Box<dyn FnMut() -> Duration + 'a>,
);

fn main() {
    let order = Order::parse();
    let size = order.size * MIB;
    // Before anything else: what a process has taken before it becomes another counts as the
    // other's.
    let program = order.turncoat.clone().unwrap_or_else(built);
    let memory = memory(&program, order.seed, order.size);
    // What is uploaded is one piece again and again: the memory of the file is no part of it.
    let piece = incompressible(order.seed, 64 * MIB);
    let pieces = || {
        let whole = std::iter::repeat_n(piece.as_slice(), size / piece.len());
        whole.chain([&piece[..size % piece.len()]])
    };

    let up = Bed::forgetful();
    let mut uploading = up.user("alice", 0).login();
    let down = Bed::in_process();
    let mut downloading = down.user("alice", 0).login();
    upload(&mut downloading, pieces());

    let names: Vec<String> = (0..order.files)
        .map(|number| format!("file {number}"))
        .collect();
    let contents = incompressible(order.seed + 1, order.files * SMALL);
    let files: Vec<(&[u8], &[u8])> = names
        .iter()
        .map(String::as_bytes)
        .zip(contents.chunks(SMALL))
        .collect();

    let hardened = Bed::hardened();
    let person = hardened.user("alice", 0);

    let pooled = &pool::identities()[0].signing;
    let key = PrivateKey::from_primes(&pooled.p, &pooled.q).expect("a pooled key is a key");
    // How many heads it takes, and memory that was touched once.
    let store = || {
        let bed = Bed::in_process();
        let user = bed.user("alice", 0);
        let mut session = user.login();
        let _before = user.traffic();
        let time = timed(|| now(session.upload_many(&files)).expect("they are stored"));
        (time, user.traffic().commits)
    };
    let (_, commits) = store();

    let mut measured: Vec<Measured<'_>> = vec![
        (
            "seal and hash, bare",
            "",
            Box::new(|| timed(|| bare_seal(pieces()))),
        ),
        (
            "upload",
            "seal and hash, bare",
            Box::new(|| timed(|| upload(&mut uploading, pieces()))),
        ),
        (
            "hash and open, bare",
            "",
            Box::new(|| bare_open(&piece, size)),
        ),
        (
            "download",
            "hash and open, bare",
            Box::new(|| timed(|| download(&mut downloading))),
        ),
        (
            "small files, bare",
            "",
            Box::new(|| timed(|| bare_small(&files, &key, commits))),
        ),
        ("small files", "small files, bare", Box::new(|| store().0)),
        ("PBKDF2, bare", "", Box::new(|| timed(bare_derivation))),
        (
            "login",
            "PBKDF2, bare",
            Box::new(|| timed(|| person.login())),
        ),
    ];
    let mut times: Vec<Times> = measured
        .iter()
        .map(|(name, beside, _)| Times {
            name,
            beside,
            times: Vec::new(),
        })
        .collect();
    for round in 0..order.rounds {
        for at in 0..measured.len() {
            let at = (at + round) % measured.len();
            let (_, _, run) = &mut measured[at];
            times[at].times.push(run());
        }
    }
    drop(measured);
    println!(
        "{} MiB and {} files of 4 KiB, seed {}, {} rounds, one core",
        order.size, order.files, order.seed, order.rounds
    );
    println!(
        "{:<22} {:>10} {:>10} {:>10}   beside",
        "", "median", "least", "most"
    );
    for one in &times {
        let ends = (one.times.iter().min(), one.times.iter().max());
        let (Some(least), Some(most)) = ends else {
            continue;
        };
        let beside = times.iter().find(|other| other.name == one.beside);
        let beside = beside.map_or(String::new(), |other| {
            format!(
                "{:.0} % of {}",
                100.0 * other.median() / one.median(),
                other.name
            )
        });
        println!(
            "{:<22} {:>8.3} s {:>8.3} s {:>8.3} s   {beside}",
            one.name,
            one.median(),
            least.as_secs_f64(),
            most.as_secs_f64()
        );
    }
    println!("{} small files: {commits} heads signed", order.files);
    match memory {
        Ok(line) => println!("memory of {}: {line}", program.display()),
        Err(why) => println!("memory: not measured, {why}"),
    }
}

fn upload<'a>(session: &mut Client, pieces: impl Iterator<Item = &'a [u8]>) {
    now(async {
        let mut uploading = session.upload(b"large")?;
        for piece in pieces {
            uploading.write(piece).await?;
        }
        uploading.finish().await
    })
    .expect("it is stored");
}

fn download(session: &mut Client) {
    now(async {
        let mut coming = session.download(b"large").await?;
        while let Some(piece) = coming.next().await? {
            black_box(piece);
        }
        Ok::<_, turncoat_core::Error>(())
    })
    .expect("it is there");
}

/// Each chunk is copied, as it must be to be sealed, sealed under a key of its own, and hashed.
fn bare_seal<'a>(pieces: impl Iterator<Item = &'a [u8]>) {
    let mut chunk = vec![0; CHUNK];
    let mut number: u32 = 0;
    for part in pieces.flat_map(|piece| piece.chunks(CHUNK)) {
        let sealed = &mut chunk[..part.len()];
        sealed.copy_from_slice(part);
        number += 1;
        let key = mac::mac(&[7; 32], Label::ChunkKey, &[&number.to_be_bytes()]);
        let tag = aead::seal_slice(&key, &[0; 12], b"context", sealed);
        black_box(
            hash::Hasher::new(Label::Segment)
                .part(sealed)
                .part(&tag)
                .finish(),
        );
    }
}

/// The same backwards; what is opened is sealed before the clock starts.
fn bare_open(piece: &[u8], size: usize) -> Duration {
    let key = |number: usize| mac::mac(&[7; 32], Label::ChunkKey, &[&number.to_be_bytes()]);
    let mut sealed = piece.to_vec();
    let seal = |(number, chunk): (usize, &mut [u8])| {
        aead::seal_slice(&key(number), &[0; 12], b"context", chunk)
    };
    let tags: Vec<_> = sealed.chunks_mut(CHUNK).enumerate().map(seal).collect();
    let mut chunk = vec![0; CHUNK];
    timed(|| {
        let chunks = || sealed.chunks(CHUNK).zip(&tags).enumerate();
        let all = std::iter::repeat_with(chunks).flatten();
        for (number, (part, tag)) in all.take(size.div_ceil(CHUNK)) {
            let opened = &mut chunk[..part.len()];
            opened.copy_from_slice(part);
            black_box(
                hash::Hasher::new(Label::Segment)
                    .part(opened)
                    .part(tag)
                    .finish(),
            );
            aead::open_slice(&key(number), &[0; 12], b"context", opened, tag).expect("it is whole");
        }
    })
}

/// Of each file its chunk and its leaf are sealed and hashed, two nodes of a tree are hashed, and
/// five keys, tags and nonces derived; so many heads are signed.
fn bare_small(files: &[(&[u8], &[u8])], key: &PrivateKey, heads: u64) {
    let mut leaf = vec![0; ENTRY_SIZE];
    let mut chunk = vec![0; SMALL];
    for (name, content) in files {
        chunk.copy_from_slice(content);
        for part in [&mut chunk, &mut leaf] {
            let tag = aead::seal_slice(&[7; 32], &[0; 12], b"context", part);
            black_box(
                hash::Hasher::new(Label::Segment)
                    .part(part)
                    .part(&tag)
                    .finish(),
            );
        }
        for _ in 0..2 {
            black_box(
                hash::Hasher::new(Label::Segment)
                    .part(&[1; 32])
                    .part(&[2; 32])
                    .finish(),
            );
        }
        for _ in 0..5 {
            black_box(mac::mac(&[7; 32], Label::Tag, &[name]));
        }
    }
    for _ in 0..heads {
        black_box(key.sign(&mut Counter(0), b"a head").expect("it signs"));
    }
}

fn bare_derivation() {
    let mut output = [0; 32];
    kdf::pbkdf2(&[7; 32], &[3; 32], REAL_ITERATIONS, &mut output);
    black_box(output);
}

/// The program that this build of the workspace made.
fn built() -> PathBuf {
    let bench = env::current_exe().unwrap_or_default();
    let folder = bench.ancestors().nth(2).unwrap_or(Path::new("."));
    folder.join("turncoat")
}

/// A server that is ended with the benchmark.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The most memory that the program took for a file, beside what it takes for none.
fn memory(program: &Path, seed: u64, mib: usize) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(told)?;
    let at = folder.path();
    let mut file = fs::File::create(at.join("large")).map_err(told)?;
    for number in 0..mib as u64 {
        let part = incompressible(seed + number, MIB);
        file.write_all(&part).map_err(told)?;
    }
    fs::write(at.join("password"), "a benchmark's\n").map_err(told)?;
    let mut child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--store", "store"])
        .current_dir(at)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let output = child.stdout.take();
    let _server = Server(child);
    let lines = BufReader::new(output.ok_or("it has no output")?).lines();
    let mut lines = lines.map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()));
    let address = address.ok_or("the server does not start")?;
    // The most of all children that ended: each command that follows takes more than those before.
    let peak = |words: &[&str]| {
        let status = Command::new(program)
            .args(words)
            .args(["--password-file", "password", "--state", "state"])
            .args(["--user", "alice", "--server", &address])
            .current_dir(at)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(told)?;
        if !status.success() {
            return Err(format!("turncoat {} ended with {status}", words.join(" ")));
        }
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
        Ok(usage.max_rss() / 1024)
    };
    let signed_up = peak(&["sign-up"])?;
    let idle = peak(&["ls"])?;
    let put = peak(&["put", "large"])?;
    let get = peak(&["get", "large", "-o", "back"])?;
    Ok(format!(
        "{signed_up} MiB at most to sign up, {idle} with an empty list; {} more to put {mib} MiB, \
         {} more to put and get them",
        put - idle,
        get - idle
    ))
}
