//! Any accepted bytes encode to themselves, in every format that crosses a boundary.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::test_runner::{Config, TestRunner};
use turncoat_adversary::attack::{Attack, NoAttack};
use turncoat_adversary::fuzzing;

/// Valid encodings: what a session sent, was sent and saved, and the committed vectors.
fn whole() -> &'static [Vec<u8>] {
    static WHOLE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let seeds = fs::read_dir(root.join("../fuzz/seeds/decode")).expect("seeds are there");
        let mut paths: Vec<_> = seeds.map(|seed| seed.expect("a seed").path()).collect();
        paths.sort();
        let valid = |path: &&std::path::PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("valid-")
        };
        let read = |path| fs::read(path).expect("a seed is readable");
        let mut whole: Vec<Vec<u8>> = paths.iter().filter(valid).map(read).collect();
        let vectors = root.join("vectors/data/format_valid.txt");
        let vectors = fs::read_to_string(vectors).expect("the vectors are there");
        let bytes = vectors
            .lines()
            .filter_map(|line| line.strip_prefix("bytes = "));
        let unhex = |hex: &str| {
            let pairs = hex.as_bytes().chunks(2);
            let pairs = pairs.map(|pair| std::str::from_utf8(pair).expect("hexadecimal"));
            pairs
                .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal"))
                .collect()
        };
        whole.extend(bytes.map(unhex));
        assert!(whole.len() > 60, "{} encodings", whole.len());
        whole
    })
}

/// One thing that happens to an encoding. Places are shares of its length.
#[derive(Clone, Debug)]
enum Change {
    /// One bit turns over.
    Flip(u16, u8),
    /// A byte becomes one that means much: a flag, a choice, a small count, the largest.
    Set(u16, u8),
    /// A length of four bytes becomes another one.
    Count(u16, u32),
    /// The end is missing.
    Cut(u16),
    /// Bytes are put in.
    Insert(u16, Vec<u8>),
    /// Bytes are taken out.
    Remove(u16, u8),
    /// A stretch comes twice.
    Repeat(u16, u8),
    /// From there on it is another encoding.
    Splice(u16, usize, u16),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<u16>();
    let telling = prop_oneof![0..8_u8, Just(0xff), any::<u8>()];
    let count = prop_oneof![0..70_u32, Just(u32::MAX), any::<u32>()];
    prop_oneof![
        6 => (at, 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        4 => (at, telling).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (at, count).prop_map(|(at, count)| Change::Count(at, count)),
        1 => at.prop_map(Change::Cut),
        1 => (at, vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (at, 1..64_u8).prop_map(|(at, size)| Change::Remove(at, size)),
        1 => (at, 1..64_u8).prop_map(|(at, size)| Change::Repeat(at, size)),
        2 => (at, any::<usize>(), any::<u16>())
            .prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ]
}

/// The place in `bytes` that a share of their length is.
fn place(share: u16, bytes: &[u8]) -> usize {
    usize::from(share) * bytes.len() / (usize::from(u16::MAX) + 1)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let stretch = |at: u16, size: u8| {
            let at = place(at, &bytes);
            at..(at + usize::from(size)).min(bytes.len())
        };
        match change {
            Change::Flip(at, bit) => {
                let at = place(*at, &bytes);
                bytes[at] ^= 1 << bit;
            }
            Change::Set(at, byte) => {
                let at = place(*at, &bytes);
                bytes[at] = *byte;
            }
            Change::Count(at, count) => {
                let places = stretch(*at, 4);
                let count = count.to_be_bytes();
                let size = places.len();
                bytes[places].copy_from_slice(&count[..size]);
            }
            Change::Cut(at) => bytes.truncate(place(*at, &bytes)),
            Change::Insert(at, more) => {
                let at = place(*at, &bytes);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Remove(at, size) => drop(bytes.drain(stretch(*at, *size))),
            Change::Repeat(at, size) => {
                let again = bytes[stretch(*at, *size)].to_vec();
                let at = place(*at, &bytes);
                bytes.splice(at..at, again);
            }
            Change::Splice(at, other, from) => {
                let other = &whole()[other % whole().len()];
                bytes.truncate(place(*at, &bytes));
                bytes.extend_from_slice(&other[place(*from, other)..]);
            }
        }
    }
    bytes
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn any_accepted_bytes_reencode_to_themselves() {
    let (accepted, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let strategy = (0..whole().len(), vec(change(), 1..4));
    let run = runner(20_000).run(&strategy, |(at, changes)| {
        // The function panics if what is accepted would be written otherwise.
        let count = match fuzzing::decode(&changed(whole()[at].clone(), &changes)) {
            0 => &refused,
            _ => &accepted,
        };
        count.set(count.get() + 1);
        Ok(())
    });
    run.expect("one encoding for each value");
    // Changes that are all refused, or none of them, would prove little.
    assert!(
        accepted.get() > 2_000 && refused.get() > 2_000,
        "{accepted:?} {refused:?}"
    );
}

/// An attack that a session recorded.
fn recorded() -> Attack {
    let attacks = whole()
        .iter()
        .filter_map(|bytes| Attack::decode(bytes).ok());
    attacks
        .max_by_key(|attack| attack.steps.len())
        .expect("a seed is an attack")
}

#[test]
fn attack_values_round_trip_in_any_selection_and_order_of_steps() {
    let attack = recorded();
    assert!(attack.steps.len() > 10);
    let steps = vec(0..attack.steps.len(), 0..40);
    let strategy = (steps, vec(any::<u32>(), 0..20));
    let run = runner(500).run(&strategy, |(steps, choices)| {
        let steps = steps
            .into_iter()
            .map(|at| attack.steps[at].clone())
            .collect();
        let attack = Attack { steps, choices };
        let bytes = attack.encode();
        let decoded = Attack::decode(&bytes).expect("what was encoded");
        assert_eq!(decoded.encode(), bytes);
        assert_eq!(decoded, attack);
        Ok(())
    });
    run.expect("every value comes back");
}

#[test]
fn an_attack_of_a_newer_version_is_named_as_such() {
    let bytes = recorded().encode();
    for version in 0..=255 {
        let mut other = bytes.clone();
        other[3] = version;
        let expected = match version {
            b'1' => Ok(recorded()),
            version => Err(NoAttack::Version(version)),
        };
        assert_eq!(Attack::decode(&other), expected);
    }
    assert_eq!(Attack::decode(b"TCx1"), Err(NoAttack::Foreign));
    assert_eq!(Attack::decode(b"TC"), Err(NoAttack::Foreign));
    assert_eq!(
        Attack::decode(&bytes[..bytes.len() - 1]),
        Err(NoAttack::Damaged)
    );
    assert_eq!(
        Attack::decode(&[&bytes[..], &[0]].concat()),
        Err(NoAttack::Damaged)
    );
    let said = NoAttack::Version(b'2').to_string();
    assert_eq!(
        said,
        "an attack of format version 2; this program reads version 1"
    );
}
