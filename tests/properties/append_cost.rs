//! An append costs two requests and a constant beside its content, whatever it is appended to.
//!
//! Counted, not timed: bodies of requests and replies, with keys of 3072 bits.

use turncoat_core::client::Pick;
use turncoat_core::{Policy, Session};
use turncoat_tests::{Deployment, Device, TestSession, Traffic, now};

/// What an append may cost beside 1.01 times its content.
const CONSTANT: u64 = 8 << 10;

fn append(device: &Device, session: &mut TestSession, size: usize) -> Traffic {
    let content = vec![0x5a; size];
    let _before = device.traffic();
    now(session.append(b"file", &content)).expect("an append");
    device.traffic()
}

#[track_caller]
fn check(what: &str, traffic: Traffic, size: usize) {
    let size = size as u64;
    let allowed = size + size / 100 + CONSTANT;
    println!(
        "{what}: n = {size}: {} requests, {} bytes",
        traffic.requests,
        traffic.bytes()
    );
    assert_eq!(traffic.requests, 2, "{what}, n = {size}");
    assert!(
        traffic.bytes() <= allowed,
        "{what}, n = {size}: {} bytes",
        traffic.bytes()
    );
}

/// Appends of several sizes by the device that wrote last, and by one that has just logged in.
fn check_all(what: &str, world: &Deployment, device: &Device, session: &mut TestSession) {
    for size in [0, 1, 1000, 100_000, 1 << 20] {
        check(
            &format!("{what}, warm"),
            append(device, session, size),
            size,
        );
        let fresh = world.device("alice", &format!("fresh for {size}"));
        let mut opened = fresh.login().expect("a login");
        check(
            &format!("{what}, cold"),
            append(&fresh, &mut opened, size),
            size,
        );
    }
}

fn big_upload(session: &mut TestSession, size: usize) {
    let part = vec![0xa5; 1 << 20];
    let mut uploading = session.upload(b"file").expect("a name");
    for _ in 0..size >> 20 {
        now(uploading.write(&part)).expect("a part");
    }
    now(uploading.finish()).expect("an upload");
}

fn alice(world: &Deployment) -> (Device, TestSession) {
    let device = world.device("alice", "first");
    let session = device
        .sign_up_with_policy(Policy::hardened())
        .expect("a new user");
    (device, session)
}

#[test]
fn f39_f41_f43_an_append_costs_the_same_for_every_file_and_directory() {
    for files in [1_u32, 10_000] {
        for size in [0, 1 << 20, 1 << 30] {
            let world = Deployment::forgetful(3);
            let (device, mut session) = alice(&world);
            if files > 1 {
                let names: Vec<Vec<u8>> = (1..files)
                    .map(|n| format!("other {n}").into_bytes())
                    .collect();
                let others: Vec<(&[u8], &[u8])> = names
                    .iter()
                    .map(|name| (name.as_slice(), b"x".as_slice()))
                    .collect();
                now(session.upload_many(&others)).expect("a batch");
            }
            big_upload(&mut session, size);
            check_all(
                &format!("{files} files, {size} bytes"),
                &world,
                &device,
                &mut session,
            );
        }
    }
}

#[test]
fn f40_f42_f48_the_thousandth_append_costs_what_the_second_did() {
    let world = Deployment::new(3);
    let (device, mut session) = alice(&world);
    now(session.upload_all(b"file", b"")).expect("an upload");
    append(&device, &mut session, 100);
    let second = append(&device, &mut session, 100);
    check("second, warm", second, 100);
    append(&device, &mut session, 1 << 20);
    for _ in 0..996 {
        append(&device, &mut session, 10);
    }
    let thousandth = append(&device, &mut session, 100);
    check("thousandth, warm", thousandth, 100);
    assert!(
        thousandth.bytes() * 10 <= second.bytes() * 11,
        "{second:?} {thousandth:?}"
    );
    check_all("after 1,000 appends", &world, &device, &mut session);
}

#[test]
fn an_append_costs_the_same_for_fifty_members() {
    let world = Deployment::new(3);
    let (device, mut session) = alice(&world);
    now(session.upload_all(b"file", b"shared")).expect("an upload");
    let mut last: Option<TestSession> = None;
    for number in 0..49 {
        let name = format!("member {number}");
        let (_, mut member) = world.user(&name, number);
        now(session.share(b"file", name.as_bytes())).expect("a share");
        now(member.receive(b"alice", Pick::Name(b"file"), b"file")).expect("a receipt");
        last = Some(member);
    }
    let mut last: Session<_, _, _, _> = last.expect("members");
    for size in [0, 1000, 1 << 20] {
        let _opened = now(session.download_all(b"file")).expect("a download");
        check(
            "50 members, warm",
            append(&device, &mut session, size),
            size,
        );
        now(last.append(b"file", b"by another")).expect("an append");
        check(
            "50 members, cold",
            append(&device, &mut session, size),
            size,
        );
    }
}
