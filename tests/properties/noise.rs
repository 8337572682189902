//! What a network or a server that garbles replies can do to a client, and to what it sees.

use std::collections::BTreeSet;

use turncoat_core::client::Pick;
use turncoat_tests::{Deployment, Device, TestSession, now};

/// What a file may hold: a write that failed may have taken effect, or not.
struct Possible(BTreeSet<Vec<u8>>);

impl Possible {
    fn wrote(
        &mut self,
        result: Result<(), turncoat_core::Error>,
        content: impl Fn(&[u8]) -> Vec<u8>,
    ) {
        let after: BTreeSet<Vec<u8>> = self.0.iter().map(|before| content(before)).collect();
        match result {
            Ok(()) => self.0 = after,
            Err(_) => self.0.extend(after),
        }
    }

    /// A read is right, or it fails; what it returned is what the file holds.
    fn read(&mut self, session: &mut TestSession, name: &[u8]) -> bool {
        match now(session.download_all(name)) {
            Ok((content, _)) => {
                let known = self.0.contains(&content);
                assert!(known, "{content:?} was never written");
                self.0 = BTreeSet::from([content]);
                true
            }
            Err(_) => false,
        }
    }
}

fn opened(device: &Device) -> Option<TestSession> {
    (0..20).find_map(|_| device.login().ok())
}

/// One byte of one reply in six is another one, while two users and three devices are at work.
fn a_noisy_day(seed: u64) -> u32 {
    let world = Deployment::new(seed);
    let (laptop, mut alice) = world.user("alice", 0);
    let (hers, mut bob) = world.user("bob", 1);
    now(alice.upload_all(b"f", b"0")).expect("an upload");
    now(alice.upload_all(b"own", b"kept")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"f")).expect("a receipt");
    let mut possible = Possible(BTreeSet::from([b"0".to_vec()]));
    world.disturb(seed);
    let mut right = 0;
    for round in 0..8_u8 {
        let content = [b'a' + round; 5];
        let result = now(alice.upload_all(b"f", &content));
        possible.wrote(result, |_| content.to_vec());
        right += u32::from(possible.read(&mut bob, b"f"));
        let more = [b'A' + round];
        let result = now(bob.append(b"f", &more));
        possible.wrote(result, |before| [before, &more].concat());
        right += u32::from(possible.read(&mut alice, b"f"));
        if let Ok(listing) = now(alice.list()) {
            assert_eq!(listing.names, [b"f".to_vec(), b"own".to_vec()]);
            right += 1;
        }
        if let Ok((content, _)) = now(alice.download_all(b"own")) {
            assert_eq!(content, b"kept");
            right += 1;
        }
        if round % 3 == 2 {
            // A process that ends goes on from what its device remembers.
            alice = opened(&laptop).unwrap_or(alice);
            bob = opened(&hers).unwrap_or(bob);
        }
    }
    world.disturb(0);
    let mut alice = laptop.login().expect("the noise is over");
    let mut bob = hers.login().expect("the noise is over");
    assert!(possible.read(&mut alice, b"f"), "her file is lost");
    assert!(possible.read(&mut bob, b"f"), "his file is lost");
    now(bob.append(b"f", b"!")).expect("an append");
    possible.wrote(Ok(()), |before| [before, b"!"].concat());
    assert!(possible.read(&mut alice, b"f"));
    right
}

#[test]
fn s75_garbled_replies_make_right_answers_or_typed_errors() {
    let right: Vec<u32> = (1..=30).map(a_noisy_day).collect();
    let sum: u32 = right.iter().sum();
    // Noise that lets nothing pass, or everything, would prove nothing.
    assert!((200..30 * 32).contains(&sum), "{right:?}");
}

/// What the leakage table allows a server to tell from one operation: its kind, and the class of
/// its length. Two users whose secrets differ give equal traffic, operation by operation.
#[test]
fn s13_operations_of_one_kind_and_class_look_alike() {
    let day = |name: &[u8], content: u8| {
        let world = Deployment::new(1);
        let (device, mut alice) = world.user("alice", 0);
        let (_, mut bob) = world.user("bob", 1);
        let mut seen = Vec::new();
        let mut note = |what: &'static str| seen.push((what, device.traffic()));
        note("signs up");
        now(alice.upload_all(name, &[content; 3000])).expect("an upload");
        note("uploads");
        now(alice.append(name, &[content; 200])).expect("an append");
        note("appends");
        now(alice.upload_all(name, &[content; 3000])).expect("an upload");
        note("overwrites");
        let _ = now(alice.download_all(name)).expect("a download");
        note("reads");
        now(alice.list()).expect("a list");
        note("lists");
        now(alice.share(name, b"bob")).expect("a share");
        note("shares");
        now(bob.receive(b"alice", Pick::Name(name), name)).expect("a receipt");
        now(alice.revoke(name, b"bob")).expect("a revocation");
        note("revokes");
        now(alice.delete(name)).expect("a deletion");
        note("deletes");
        seen
    };
    let short = day(b"a", 0);
    assert_eq!(short, day(&[b'z'; 200], 255));
    assert_eq!(short, day(b"", 7));
}
