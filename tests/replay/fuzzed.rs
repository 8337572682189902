//! The seeds of the fuzz targets: nothing falls, and each target gets to where it claims to go.
//!
//! A target that dies at its first check finds nothing. So its seeds are counted by how far they
//! come, and what finds nothing in the hardened client must find something in a client that falls.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use turncoat_adversary::chooser::seeded_bytes;
use turncoat_adversary::driver::Weakened;
use turncoat_adversary::front::http;
use turncoat_adversary::fuzzing::{self, Depth, Opened, Remembered};
use turncoat_adversary::verdict::Guarantee;
use turncoat_core::remote::Lost;

/// Runs a target's function over its seeds, in order of their names.
fn replay(target: &str, mut play: impl FnMut(&str, &[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .expect("the target has seeds")
        .map(|entry| entry.expect("the folder is readable").path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    for seed in seeds {
        let name = seed.file_name().unwrap_or_default().to_string_lossy();
        let bytes = fs::read(&seed).expect("the seed is readable");
        // Shown if the function panics.
        println!("{}", seed.display());
        play(&name, &bytes);
    }
}

/// How many seeds came to each outcome, for all to see.
fn reached<T: Copy + Ord + std::fmt::Debug>(
    target: &str,
    outcome: impl Fn(&[u8]) -> T,
) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    replay(target, |_, bytes| {
        *counts.entry(outcome(bytes)).or_default() += 1;
    });
    println!("{target}: {counts:?}");
    counts
}

/// A seed named `valid-...` is an encoding of exactly one format; any other is of none.
#[test]
fn decode_accepts_what_is_valid_and_nothing_else() {
    replay("decode", |name, bytes| {
        let formats = usize::from(name.starts_with("valid-"));
        assert_eq!(fuzzing::decode(bytes), formats, "{name}");
    });
}

#[test]
fn no_guarantee_falls_in_a_session_and_lies_get_past_the_first_check() {
    let counts = reached("session", fuzzing::session);
    for depth in [Depth::Honest, Depth::Lied, Depth::Believed] {
        assert!(counts.contains_key(&depth), "no session is {depth:?}");
    }
}

/// Stories that nobody has chosen.
fn out_of_thin_air(count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| seeded_bytes(number, "a story", 120))
}

/// What a fuzzer makes up before it has learnt anything: three in ten get past the first check.
#[test]
fn sessions_out_of_thin_air_get_past_the_first_check() {
    let sessions: u64 = if cfg!(debug_assertions) { 40 } else { 400 };
    let stories = out_of_thin_air(sessions);
    let depths: Vec<Depth> = stories.map(|bytes| fuzzing::session(&bytes)).collect();
    let believed = depths.iter().filter(|depth| **depth == Depth::Believed);
    let share = 100 * believed.count() / depths.len();
    println!("past the first check: {share} % of {sessions} sessions");
    assert!(share >= 30, "{share} %");
}

#[test]
fn a_session_is_the_same_when_it_is_played_as_a_value() {
    replay("session", |_, bytes| fuzzing::session_again(bytes));
}

/// What finds nothing in the hardened client finds what falls without one of its checks.
#[test]
fn sessions_convict_clients_without_a_check() {
    let mut stories: Vec<Vec<u8>> = out_of_thin_air(20).collect();
    replay("session", |_, bytes| stories.push(bytes.to_vec()));
    for defence in ["head-rollback", "own-heads"] {
        let mut fallen = BTreeMap::<Guarantee, usize>::new();
        for bytes in &stories {
            let twin = Weakened::without(&[defence.to_owned()]).expect("the defence exists");
            for guarantee in fuzzing::fallen(Rc::new(twin), bytes) {
                *fallen.entry(guarantee).or_default() += 1;
            }
        }
        println!("without {defence}: {fallen:?}");
        assert!(!fallen.is_empty(), "no session shows what {defence} is for");
    }
}

#[test]
fn hostile_files_are_read_as_they_are_or_not_at_all() {
    let counts = reached("open", fuzzing::open);
    for depth in [Opened::Refused, Opened::Fetched, Opened::Read] {
        assert!(
            counts.get(&depth).is_some_and(|count| *count >= 3),
            "{depth:?}"
        );
    }
}

#[test]
fn proofs_of_every_kind_are_made_and_lies_are_denied() {
    let mut all = fuzzing::Proofs::default();
    replay("proofs", |_, bytes| {
        let proofs = fuzzing::proofs(bytes);
        all.decoded += proofs.decoded;
        all.shown += proofs.shown;
        all.denied += proofs.denied;
        all.changed += proofs.changed;
        all.extended += proofs.extended;
        all.refused += proofs.refused;
    });
    println!("proofs: {all:?}");
    let fewest = [
        all.shown,
        all.denied,
        all.changed,
        all.extended,
        all.refused,
    ];
    assert!(fewest.iter().all(|count| *count >= 3), "{all:?}");
}

#[test]
fn remembered_state_is_kept_contradicted_or_unread() {
    let counts = reached("state", fuzzing::state);
    for end in [
        Remembered::Unread,
        Remembered::Contradicted,
        Remembered::Kept,
    ] {
        assert!(counts.get(&end).is_some_and(|count| *count >= 2), "{end:?}");
    }
}

#[test]
fn scripts_and_attacks_print_as_what_they_say() {
    let (mut headed, mut prepared, mut recorded, mut attacks) = (0, 0, 0, 0);
    replay("script", |_, bytes| {
        let read = fuzzing::script(bytes);
        headed += usize::from(read.headed);
        prepared += usize::from(read.prepared);
        recorded += usize::from(read.recorded);
        attacks += usize::from(read.attack);
    });
    println!("script: {headed} {prepared} {recorded} {attacks}");
    assert!(headed >= 3 && prepared > headed && recorded >= 1 && attacks == 1);
}

#[test]
fn lines_of_external_clients_say_what_they_say() {
    let mut all = fuzzing::Lines::default();
    replay("lines", |_, bytes| {
        let lines = fuzzing::lines(bytes);
        all.declared += lines.declared;
        all.answered += lines.answered;
        all.failed += lines.failed;
        all.refused += lines.refused;
    });
    println!("lines: {all:?}");
    assert!(all.declared >= 3 && all.answered >= 8 && all.failed >= 2 && all.refused >= 8);
}

#[test]
fn servers_answer_what_comes_over_http_in_whole_replies() {
    let mut objects = 0;
    let (mut done, mut refused, mut unheard) = (0, 0, 0);
    replay("http_request", |_, bytes| {
        objects += http::requests(bytes).len();
        let replies = turncoat_server::fuzzing::requests(bytes);
        done += replies.done;
        refused += replies.refused;
        unheard += replies.unheard;
    });
    println!("http_request: {done} done, {refused} refused, {unheard} unheard, {objects} objects");
    assert!(done >= 8 && refused >= 1 && unheard >= 1 && objects >= 3);
}

#[test]
fn a_client_has_a_whole_reply_or_none() {
    let counts = reached("http_reply", |bytes| match http::reply(bytes) {
        Ok(_) => "whole",
        Err(Lost::TooLarge) => "too large",
        Err(_) => "cut off",
    });
    for (end, fewest) in [("whole", 3), ("too large", 1), ("cut off", 5)] {
        assert!(
            counts.get(end).is_some_and(|count| *count >= fewest),
            "{end}"
        );
    }
}
