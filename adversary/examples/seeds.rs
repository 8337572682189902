//! Writes the seeds of the fuzz targets: `cargo run -p turncoat-adversary --example seeds`.
//!
//! Seeds of `decode` are what a session of three devices sent and was sent, one of each kind, each
//! whole and with one fault. Seeds that are choices come from a seeded stream: a few of each
//! outcome.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use turncoat_adversary::attack::Step;
use turncoat_adversary::catalogue::Catalogue;
use turncoat_adversary::client::{DeviceName, Operation};
use turncoat_adversary::codec::Bytes;
use turncoat_adversary::driver::Hardened;
use turncoat_adversary::fuzzing;
use turncoat_adversary::history::Event;
use turncoat_adversary::script;
use turncoat_adversary::script::performer::Performer;
use turncoat_adversary::stage::{Acts, Stage};
use turncoat_core::wire::{Frame, Reply, View};
use turncoat_remote::api;

/// The longest seed of `decode`.
const LONGEST: usize = 4_096;

/// What stands before a saved state.
const CHECKSUM: usize = 32;

/// Seeds of one outcome.
const FEW: usize = 6;

fn main() -> io::Result<()> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "fuzz/seeds".to_owned());
    let folder = PathBuf::from(folder);
    decode_seeds(&folder.join("decode"))?;
    chosen(&folder.join("session"), 120, fuzzing::session)?;
    chosen(&folder.join("open"), 48, fuzzing::open)?;
    chosen(&folder.join("proofs"), 160, |bytes| {
        let proofs = fuzzing::proofs(bytes);
        (proofs.shown > 0, proofs.changed > 0, proofs.extended > 0)
    })?;
    let trie = kinds(&story()).remove("trie").unwrap_or_default();
    fs::write(folder.join("proofs/trie"), trie)?;
    state_seeds(&folder.join("state"))?;
    write_all(&folder.join("script"), scripts())?;
    write_all(&folder.join("lines"), lines())?;
    write_all(&folder.join("http_request"), requests())?;
    write_all(&folder.join("http_reply"), replies())
}

/// Writes a few inputs of each outcome out of those that a stream gives.
fn chosen<T: Debug + Ord>(
    folder: &Path,
    size: usize,
    outcome: impl Fn(&[u8]) -> T,
) -> io::Result<()> {
    let mut found: BTreeMap<T, usize> = BTreeMap::new();
    let mut seeds = Vec::new();
    for number in 0..200 {
        let mut stream = ChaCha20Rng::seed_from_u64(number);
        let mut bytes = vec![0; size];
        stream.fill_bytes(&mut bytes);
        // For sessions: a quarter of the bytes at most orders what runs at once.
        bytes[0] %= 24;
        let count = found.entry(outcome(&bytes)).or_default();
        *count += 1;
        if *count <= FEW {
            seeds.push((format!("chosen-{number:03}"), bytes));
        }
    }
    println!("{}: {found:?}", folder.display());
    write_all(folder, seeds)
}

fn write_all(folder: &Path, seeds: Vec<(String, Vec<u8>)>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("empty"), [])?;
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// The phone's own state as it stands, framed and with its checksum; and choices that change it.
fn state_seeds(folder: &Path) -> io::Result<()> {
    let saved = story().durable(&DeviceName::new("alice", "phone")).cloned();
    let saved = saved.expect("a device that logged in remembers");
    let seeds = vec![
        ("saved".to_owned(), [&[0], &saved[..]].concat()),
        ("framed".to_owned(), [&[1], &saved[CHECKSUM..]].concat()),
        ("cut".to_owned(), [&[0], &saved[..saved.len() / 2]].concat()),
    ];
    write_all(folder, seeds)?;
    chosen(folder, 24, |bytes| fuzzing::state(&[&[2], bytes].concat()))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        if path.to_string_lossy().contains("chosen-") {
            fs::write(path, [&[2], &bytes[..]].concat())?;
        }
    }
    Ok(())
}

/// Short scripts of the library, a plain attack as a script and as a value, and slips.
fn scripts() -> Vec<(String, Vec<u8>)> {
    let library = Catalogue::built_in().expect("the library reads, as a test proves");
    let mut seeds: Vec<(String, Vec<u8>)> = library
        .entries()
        .iter()
        .filter(|entry| entry.text.len() < 900)
        .step_by(12)
        .map(|entry| (format!("library-{}", entry.header.id), entry.text.into()))
        .collect();
    let attack = story().attack();
    let printed = script::print(&attack, "story", "everything that there is to do.");
    seeds.push(("printed".to_owned(), printed.into_bytes()));
    seeds.push(("attack".to_owned(), attack.encode()));
    for (name, text) in [
        (
            "unknown-word",
            "// a: b.\nlet alice = user(\"alice\");\nalice.uplaod(\"n\", \"c\");\n",
        ),
        ("unclosed", "// a: b.\nlet alice = user(\"alice\";\n"),
        ("endless", "// a: b.\nloop { user(\"alice\"); }\n"),
    ] {
        seeds.push((name.to_owned(), text.into()));
    }
    seeds
}

/// What clients say of themselves, and answer.
fn lines() -> Vec<(String, Vec<u8>)> {
    let whole = r#"{"turncoat":1,"name":"notes","operations":["upload","download","list"],"#;
    let claims = r#""claims":["monotone","witnesses","contact_verified"],"conditional":true}"#;
    let answers = [
        r#"{"id":1,"ok":true,"content":{"b64":"aGVsbG8="},"claims":{"monotone":true}}"#,
        r#"{"id":2,"ok":true,"names":["a",{"utf8":"b"},{"b64":"Yw=="}],"claims":{"witnesses":1}}"#,
        r#"{"id":3,"ok":true,"pointer":{"utf8":"p"},"claims":{"contact_verified":false}}"#,
        r#"{"id":4,"ok":true,"fingerprint":"f"}"#,
        r#"{"id":5,"ok":false,"class":"violation","error":"rollback","text":"older than seen"}"#,
        r#"{"id":6,"ok":true}"#,
    ];
    let faults = [
        r#"{"id":1,"ok":true}"#,
        r#"{"id":9,"ok":true}"#,
        r#"{"id":3,"ok":"yes"}"#,
        r#"{"id":4,"ok":false,"class":"none"}"#,
        r#"{"id":5,"ok":false,"error":"crashed"}"#,
        r#"{"id":6,"ok":true,"claims":{"bounded":true}}"#,
        "[]",
    ];
    let bare = r#"{"turncoat":1,"name":"n","operations":["list"]}"#;
    let told = |first: &str, lines: &[&str]| {
        let mut text = first.to_owned();
        for line in lines {
            text.push('\n');
            text.push_str(line);
        }
        text.into_bytes()
    };
    vec![
        (
            "answers".to_owned(),
            told(&format!("{whole}{claims}"), &answers),
        ),
        (
            "faults".to_owned(),
            told(&format!("{whole}{claims}"), &faults),
        ),
        ("bare".to_owned(), told(bare, &answers)),
        ("newer".to_owned(), told(r#"{"turncoat":2}"#, &answers)),
    ]
}

/// What alice asks as frames over HTTP, each after a login; and plain requests for objects.
fn requests() -> Vec<(String, Vec<u8>)> {
    let http = |request: &Bytes| {
        let operation = api::Operation::of_encoded(request).expect("it was sent");
        let (path, length) = (operation.path(), request.len());
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        [head.as_bytes(), request].concat()
    };
    let conversation = fuzzing::conversation();
    let login = http(&conversation[0]);
    let mut seeds: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for request in &conversation[1..] {
        let kind = turncoat_adversary::front::native::kind_of(request);
        let both = [&login[..], &http(request)].concat();
        let shortest = seeds
            .entry(format!("after-login-{kind}"))
            .or_insert_with(|| both.clone());
        if both.len() < shortest.len() {
            *shortest = both;
        }
    }
    seeds.insert("login".to_owned(), login.clone());
    seeds.insert("elsewhere".to_owned(), {
        let text = String::from_utf8_lossy(&login[..40]).replace("sessions", "accounts");
        [text.as_bytes(), &login[40..]].concat()
    });
    seeds.insert(
        "no-request".to_owned(),
        b"\x16\x03\x01\x00\x05hello\r\n\r\n".to_vec(),
    );
    let put = "PUT /d/s/obj/a%20b HTTP/1.1\r\nif-none-match: *\r\ncontent-length: 3\r\n\r\nabc";
    let get = "GET /d/s/obj/a%20b HTTP/1.1\r\n\r\nDELETE /d/s/obj/a HTTP/1.1\r\n\r\n";
    let chunked =
        "PUT /d/s/pub/bob HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    seeds.insert("objects".to_owned(), format!("{put}{get}{chunked}").into());
    let smuggled =
        "PUT /d/s/obj/a HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
    seeds.insert("two-framings".to_owned(), smuggled.into());
    seeds.into_iter().collect()
}

/// Replies of every framing, whole and broken.
fn replies() -> Vec<(String, Vec<u8>)> {
    let media = api::MEDIA_TYPE;
    let ok = format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\n");
    let texts = [
        (
            "whole",
            format!("{ok}content-length: 5\r\n\r\nTC\x15\x01\0"),
        ),
        (
            "chunked",
            format!("{ok}transfer-encoding: chunked\r\n\r\n2\r\nTC\r\n3;x=y\r\nabc\r\n0\r\n\r\n"),
        ),
        (
            "refused",
            format!("HTTP/1.1 409 Conflict\r\ncontent-type: {media}\r\ncontent-length: 1\r\n\r\nx"),
        ),
        (
            "continued",
            format!("HTTP/1.1 100 Continue\r\n\r\n{ok}content-length: 2\r\n\r\nTC"),
        ),
        ("short", format!("{ok}content-length: 50\r\n\r\nTC")),
        (
            "cut-chunk",
            format!("{ok}transfer-encoding: chunked\r\n\r\n9\r\nTC"),
        ),
        ("endless", format!("{ok}\r\nTC")),
        (
            "too-long",
            format!("{ok}content-length: 99999999\r\n\r\nTC"),
        ),
        (
            "two-lengths",
            format!("{ok}content-length: 2\r\ncontent-length: 3\r\n\r\nTCx"),
        ),
        (
            "redirect",
            "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
        ),
        (
            "page",
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n<p>".to_owned(),
        ),
        (
            "coded",
            format!("{ok}content-encoding: gzip\r\ncontent-length: 2\r\n\r\nTC"),
        ),
    ];
    texts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.into_bytes()))
        .collect()
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
