//! What each operation costs, in process and through a server on loopback, and what goes over the
//! wire for it.
//!
//! Signatures are of RSA-2048, the keys of the pool; a login has few iterations, so that what is
//! around the derivation shows. `figures` measures a login as people have it. The server's store is
//! in the folder for temporary files, which may be memory, and what is read was just written.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use tempfile::TempDir;
use turncoat_benches::{Bed, Traffic, User, incompressible, now};
use turncoat_core::client::Pick;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// The largest is larger than the caches.
const SIZES: [(&str, usize); 3] = [("64 KiB", 64 * KIB), ("1 MiB", MIB), ("64 MiB", 64 * MIB)];
const FILES: usize = 10_000;

/// A place to measure in, and the folder that goes with it.
struct Place {
    name: &'static str,
    bed: Bed,
    _folder: Option<TempDir>,
}

/// Where content is only written, memory keeps none of it.
fn places(only_written: bool) -> [Place; 2] {
    let folder = tempfile::tempdir().expect("there is room");
    let here = match only_written {
        true => Bed::forgetful(),
        false => Bed::in_process(),
    };
    [
        Place {
            name: "in process",
            bed: here,
            _folder: None,
        },
        Place {
            name: "through the server",
            bed: Bed::served(folder.path()),
            _folder: Some(folder),
        },
    ]
}

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(5));
    group
}

/// Prints what one run of an operation sends and receives.
fn tell(what: &str, user: &User, run: impl FnOnce()) {
    let _before = user.traffic();
    run();
    let Traffic {
        requests,
        sent,
        received,
        commits: _,
    } = user.traffic();
    println!("{what}: {requests} requests, {sent} bytes sent, {received} bytes received");
}

fn upload(criterion: &mut Criterion) {
    for place in places(true) {
        let user = place.bed.user("alice", 0);
        let mut session = user.login();
        let mut group = group(criterion, &format!("upload, {}", place.name));
        for (name, size) in SIZES {
            let content = incompressible(1, size);
            let mut upload =
                || now(session.upload_all(b"file", black_box(&content))).expect("it is stored");
            tell(&format!("upload of {name}"), &user, &mut upload);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(name, |bencher| bencher.iter(&mut upload));
        }
        group.finish();
    }
}

fn download(criterion: &mut Criterion) {
    for place in places(false) {
        let user = place.bed.user("alice", 0);
        let mut session = user.login();
        let mut group = group(criterion, &format!("download, {}", place.name));
        for (name, size) in SIZES {
            now(session.upload_all(b"file", &incompressible(1, size))).expect("it is stored");
            // As people download: a piece at a time, so that memory is no part of what is measured.
            let mut download = || {
                let got = now(async {
                    let mut coming = session.download(b"file").await?;
                    let mut got = 0;
                    while let Some(piece) = coming.next().await? {
                        got += black_box(piece).len();
                    }
                    Ok::<_, turncoat_core::Error>(got)
                });
                assert_eq!(got.expect("it is there"), size);
            };
            tell(&format!("download of {name}"), &user, &mut download);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(name, |bencher| bencher.iter(&mut download));
        }
        group.finish();
    }
}

fn append(criterion: &mut Criterion) {
    for place in places(true) {
        let user = place.bed.user("alice", 0);
        let session = RefCell::new(user.login());
        let name = format!("append of 1 KiB, {}", place.name);
        let mut group = group(criterion, &name);
        for (name, size) in [("to nothing", 0), ("to 64 MiB", 64 * MIB)] {
            let (content, more) = (incompressible(1, size), incompressible(2, KIB));
            // Each append is the first one to its file.
            let fresh = || {
                let mut session = session.borrow_mut();
                now(session.upload_all(b"log", &content)).expect("it is stored");
            };
            let append = |()| {
                let mut session = session.borrow_mut();
                now(session.append(b"log", black_box(&more))).expect("it is stored");
            };
            fresh();
            tell(&format!("append of 1 KiB {name}"), &user, || append(()));
            group.bench_function(name, |bencher| {
                bencher.iter_batched(fresh, append, BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

fn many(criterion: &mut Criterion) {
    for place in places(false) {
        let user = place.bed.user("alice", 0);
        let mut session = user.login();
        let names: Vec<String> = (0..FILES).map(|number| format!("file {number}")).collect();
        let content = incompressible(1, FILES * 4 * KIB);
        let files: Vec<(&[u8], &[u8])> = names
            .iter()
            .map(String::as_bytes)
            .zip(content.chunks(4 * KIB))
            .collect();
        let name = format!("10,000 files of 4 KiB, {}", place.name);
        let mut group = group(criterion, &name);
        tell("10,000 files of 4 KiB", &user, || {
            now(session.upload_many(&files)).expect("they are stored");
        });
        group.throughput(Throughput::Elements(FILES as u64));
        group.bench_function("list", |bencher| {
            bencher.iter(|| {
                let listing = now(session.list()).expect("it is answered");
                assert_eq!(listing.names.len(), FILES);
            });
        });
        group.bench_function("store again", |bencher| {
            bencher.iter(|| now(session.upload_many(&files)).expect("they are stored"));
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function("login and list", |bencher| {
            bencher.iter(|| {
                let listing = now(user.login().list()).expect("it is answered");
                assert_eq!(listing.names.len(), FILES);
            });
        });
        group.finish();
    }
}

fn sharing(criterion: &mut Criterion) {
    for place in places(false) {
        let (alice, bob) = (place.bed.user("alice", 0), place.bed.user("bob", 1));
        let (mut owner, mut member) = (alice.login(), bob.login());
        now(owner.upload_all(b"plan", &incompressible(1, KIB))).expect("it is stored");
        let mut group = group(criterion, &format!("sharing, {}", place.name));
        let mut round = || {
            now(async {
                let invitation = owner.share(b"plan", b"bob").await?;
                member
                    .receive(b"alice", Pick::Pointer(invitation.pointer), b"plan")
                    .await?;
                owner.revoke(b"plan", b"bob").await?;
                member.delete(b"plan").await
            })
            .expect("it is done");
        };
        tell("share and revoke, the owner", &alice, &mut round);
        group.bench_function("share, receive, revoke, delete", |bencher| {
            bencher.iter(&mut round);
        });
        group.finish();
    }
}

fn login(criterion: &mut Criterion) {
    for place in places(false) {
        let user = place.bed.user("alice", 0);
        let mut group = group(criterion, &format!("login, {}", place.name));
        tell("login", &user, || drop(user.login()));
        group.bench_function("1,000 iterations", |bencher| {
            bencher.iter(|| user.login());
        });
        group.finish();
    }
}

criterion_group!(benches, upload, download, append, many, sharing, login);
criterion_main!(benches);
