//! Whatever ran once runs again: seeds of fuzz targets, scripts of the library, attacks as values.

mod histories;
mod library;
mod over_http;
mod straw;
mod values;

use std::fs;
use std::path::Path;
use std::rc::Rc;

use turncoat_adversary::driver::Weakened;
use turncoat_adversary::fuzzing;
use turncoat_adversary::verdict::Guarantee;

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

/// A seed named `valid-...` is an encoding of exactly one format; any other is of none.
#[test]
fn decode_accepts_what_is_valid_and_nothing_else() {
    replay("decode", |name, bytes| {
        let formats = usize::from(name.starts_with("valid-"));
        assert_eq!(fuzzing::decode(bytes), formats, "{name}");
    });
}

#[test]
fn no_guarantee_falls_in_a_session() {
    replay("session", |_, bytes| fuzzing::session(bytes));
}

/// What finds nothing in the hardened client finds what falls without one of its checks.
#[test]
fn sessions_convict_a_client_that_takes_older_heads() {
    let mut convicted = Vec::new();
    replay("session", |name, bytes| {
        let twin = Weakened::without(&["head-rollback".to_owned()]).expect("the defence exists");
        if fuzzing::fallen(Rc::new(twin), bytes).contains(&Guarantee::G3) {
            convicted.push(name.to_owned());
        }
    });
    assert!(!convicted.is_empty(), "no seed shows an older head");
}
