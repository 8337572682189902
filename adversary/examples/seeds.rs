//! Writes the seeds of the fuzz targets: `cargo run -p turncoat-adversary --example seeds`.
//!
//! Seeds of `decode` are what a session of three devices sent and was sent, one of each kind, each
//! whole and with one fault. Seeds of `session` are stories that
//! a seeded stream tells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use turncoat_adversary::attack::Step;
use turncoat_adversary::client::{DeviceName, Operation};
use turncoat_adversary::codec::Bytes;
use turncoat_adversary::driver::Hardened;
use turncoat_adversary::fuzzing;
use turncoat_adversary::history::Event;
use turncoat_adversary::script::performer::Performer;
use turncoat_adversary::stage::{Acts, Stage};
use turncoat_core::wire::{Frame, Reply, View};

/// The longest seed of `decode`.
const LONGEST: usize = 4_096;

/// What stands before a saved state.
const CHECKSUM: usize = 32;

/// How many stories `session` begins with.
const STORIES: u64 = 24;

fn main() -> io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "fuzz/seeds".to_owned());
    let folder = PathBuf::from(folder);
    decode_seeds(&folder.join("decode"))?;
    session_seeds(&folder.join("session"))
}

/// A session in which every message occurs.
fn story() -> Stage {
    let mut stage = Stage::new(Rc::new(Hardened), Acts::Applied, 1);
    let (alice, bob) = (DeviceName::first("alice"), DeviceName::first("bob"));
    let phone = DeviceName::new("alice", "phone");
    let name = b"notes".to_vec();
    let content = vec![7; 1_000];
    let run = |device: &DeviceName, operation| Step::Run {
        device: device.clone(),
        operation,
    };
    let steps = [
        Step::User {
            user: "alice".to_owned(),
        },
        run(&alice, Operation::SignUp),
        Step::User {
            user: "bob".to_owned(),
        },
        run(&bob, Operation::SignUp),
        Step::Device {
            device: phone.clone(),
        },
        run(&phone, Operation::Login),
        run(
            &alice,
            Operation::Upload {
                name: name.clone(),
                content: content.clone(),
            },
        ),
        run(
            &alice,
            Operation::Append {
                name: name.clone(),
                content,
            },
        ),
        run(&phone, Operation::Download { name: name.clone() }),
        run(&alice, Operation::List),
        run(
            &alice,
            Operation::Share {
                name: name.clone(),
                with: "bob".to_owned(),
            },
        ),
        run(
            &bob,
            Operation::Receive {
                from: "alice".to_owned(),
                name: Some(name.clone()),
                pointer: None,
                as_name: b"hers".to_vec(),
            },
        ),
        run(
            &bob,
            Operation::Download {
                name: b"hers".to_vec(),
            },
        ),
        run(
            &alice,
            Operation::Revoke {
                name: name.clone(),
                from: "bob".to_owned(),
            },
        ),
        run(
            &bob,
            Operation::Download {
                name: b"hers".to_vec(),
            },
        ),
        run(&alice, Operation::Delete { name }),
    ];
    for step in steps {
        stage.perform(step);
    }
    stage
}

/// One message, object or state of each kind, by its name.
fn kinds(stage: &Stage) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    let mut kind_of = BTreeMap::new();
    for event in stage.history().events() {
        let (name, bytes) = match event {
            Event::Request {
                request,
                kind,
                bytes,
                ..
            } => {
                kind_of.insert(*request, kind.clone());
                (format!("request-{kind}"), bytes.clone())
            }
            Event::Reply {
                request,
                shown: Some(bytes),
                ..
            } => {
                let kind = kind_of.get(request).map_or("", String::as_str);
                (format!("reply-{kind}"), bytes.clone())
            }
            // The frame, without the checksum before it.
            Event::Saved { bytes, .. } => {
                let frame = bytes.get(CHECKSUM..).unwrap_or_default();
                ("state".to_owned(), frame.into())
            }
            _ => continue,
        };
        for (name, part) in Reply::decode(&bytes).map(parts).unwrap_or_default() {
            found.entry(name.to_owned()).or_insert(part.into());
        }
        // The longest that is still a small seed: the most fields are filled there.
        let known = found.entry(name).or_insert_with(|| bytes.clone());
        if known.len() < bytes.len() && bytes.len() <= LONGEST {
            *known = bytes;
        }
    }
    for info in stage.objects(None) {
        if let Some(bytes) = stage.content(&info.object) {
            found
                .entry(format!("object-{}", info.kind))
                .or_insert(bytes);
        }
    }
    let attack = stage.attack();
    found.insert("attack".to_owned(), attack.encode().into());
    found
}

/// What stands in a reply and is a frame by itself where it is signed or hashed.
fn parts(reply: Reply) -> Vec<(&'static str, Vec<u8>)> {
    let mut parts = Vec::new();
    match reply {
        Reply::Login { record, bag, .. } => {
            parts.push(("record", record.record.encode()));
            parts.push(("signed-record", record.encode()));
            parts.push(("bag", bag.encode()));
        }
        Reply::Views(views) => {
            for view in views {
                if let View::Shown {
                    head,
                    roster,
                    directory,
                    ..
                } = view
                {
                    parts.push(("head", head.head.encode()));
                    parts.push(("signed-head", head.encode()));
                    parts.push(("trie", directory.encode()));
                    for change in roster {
                        parts.push(("roster-change", change.change.encode()));
                        parts.push(("signed-roster-change", change.encode()));
                    }
                }
            }
        }
        Reply::Inbox(envelopes) => {
            for envelope in envelopes {
                parts.push(("envelope", envelope.envelope.encode()));
                parts.push(("signed-envelope", envelope.encode()));
            }
        }
        _ => {}
    }
    parts
}

fn decode_seeds(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("empty"), [])?;
    for (name, bytes) in kinds(&story()) {
        // Objects that hold no frame are not decoded by anybody.
        if bytes.len() > LONGEST || fuzzing::decode(&bytes) != 1 {
            continue;
        }
        fs::write(folder.join(format!("valid-{name}")), &bytes)?;
        let longer = [&bytes[..], &[0]].concat();
        let shorter = bytes.get(..bytes.len() - 1).unwrap_or_default();
        let mut newer = bytes.to_vec();
        newer[3] += 1;
        for (fault, bytes) in [
            ("longer", &longer[..]),
            ("shorter", shorter),
            ("newer", &newer),
        ] {
            fs::write(folder.join(format!("{fault}-{name}")), bytes)?;
        }
    }
    Ok(())
}

fn session_seeds(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("empty"), [])?;
    for number in 0..STORIES {
        let mut stream = ChaCha20Rng::seed_from_u64(number);
        let mut bytes = [0; 160];
        stream.fill_bytes(&mut bytes);
        // A quarter of the bytes at most orders what runs at once.
        bytes[0] %= 24;
        fs::write(folder.join(format!("story-{number:02}")), bytes)?;
    }
    Ok(())
}
