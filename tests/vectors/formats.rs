//! Every format of suite 1: valid encodings are accepted and written back, and one fault in any of
//! them is refused.

use std::fmt::Write as _;

use turncoat_core::wire::{
    BagSecret, Contact, ENTRY_SIZE, Entry, Envelope, Frame, Head, KeyBag, Leaf, Malformed,
    PartialTrie, PublicRecord, Reply, Request, RosterChange, SignedContact, SignedEnvelope,
    SignedHead, SignedRecord, SignedRosterChange, TrustedState,
};

use super::file::{self, Vector};
use super::layout::{Fault, Layout};

/// Set this to write the committed files anew.
const WRITE: &str = "TURNCOAT_WRITE_VECTORS";

/// The frames: name, kind, fields. A name with a blank is a variant of the format before the blank.
const FRAMES: &[(&str, u8, &str)] = &[
    ("record", 1, "{public-record}"),
    ("signed-record", 2, "{signed-record}"),
    ("key-bag", 3, "{key-bag}"),
    (
        "bag-secret",
        4,
        "version:8 encryption-p~128 encryption-q~128 signing-p~128 signing-q~128 space:32 \
         salt:32 epoch-key:32",
    ),
    ("head", 5, "{head}"),
    ("signed-head", 6, "{signed-head}"),
    (
        "roster-change genesis",
        7,
        "{change} action!00 fingerprint:32 salt:32",
    ),
    (
        "roster-change add",
        7,
        "{change} action!01 user:32 fingerprint:32",
    ),
    ("roster-change remove", 7, "{change} action!02 user:32"),
    ("signed-roster-change", 8, "{signed-change}"),
    ("envelope", 9, "{envelope}"),
    ("signed-envelope", 10, "{envelope} signature~256"),
    ("leaf", 11, "id:16 segments=00000003 root:32 sealed~64"),
    (
        "state",
        14,
        "{remembers} spaces#2 {one} {other} pins#2 {pin-one} {pin-other}",
    ),
    ("state new", 14, "{remembers} spaces#0 pins#0"),
    ("contact", 15, "{contact}"),
    (
        "signed-contact",
        16,
        "{contact} {signed-record} signature~256",
    ),
    ("request kdf", 20, "token:32 body!00 user:32"),
    (
        "request register",
        20,
        "token:32 body!01 {kdf} proof:32 {signed-record} {key-bag} {commit}",
    ),
    ("request login", 20, "token:32 body!02 user:32 proof:32"),
    ("request lookup", 20, "token:32 body!03 user:32"),
    (
        "request read",
        20,
        "token:32 body!04 views#3 \
         locator:32 at!00 trusted?0 warm?0 roster-from:8 select!00 \
         locator-2:32 at-2!01 height:8 trusted-2?1 trusted-height:8 trusted-head:32 warm-2?1 \
         warm-head:32 roster-from-2:8 select-2!01 tags#2 tag:32 tag-2:32 \
         locator-3:32 at-3!00 trusted-3?0 warm-3?0 roster-from-3:8 select-3!02 from:32 \
         count=00000100",
    ),
    (
        "request segments",
        20,
        "token:32 body!05 ranges#2 leaf:32 from=00000000 count=00000010 leaf-2:32 \
         from-2=00000003 count-2=00000001",
    ),
    (
        "request fetch",
        20,
        "token:32 body!06 ranges#2 pack:16 offset=00000000 length=00001000 pack-2:16 \
         offset-2=00000010 length-2=00000020",
    ),
    ("request store", 20, "token:32 body!07 pack:16 content~40"),
    ("request commit", 20, "token:32 body!08 {commit}"),
    (
        "request inbox",
        20,
        "token:32 body!09 sender:32 space?1 space-id:32 before?1 envelope-id:16 \
         count=00000100",
    ),
    (
        "request inbox-all",
        20,
        "token:32 body!09 sender:32 space?0 before?0 count=00000100",
    ),
    ("reply done", 21, "body!00"),
    ("reply refused", 21, "body!01 refusal!06"),
    ("reply kdf", 21, "body!02 {kdf}"),
    (
        "reply login",
        21,
        "body!03 token:32 {signed-record} {key-bag}",
    ),
    ("reply record", 21, "body!04 found?1 {signed-record}"),
    ("reply record-none", 21, "body!04 found?0"),
    (
        "reply views",
        21,
        "body!05 views#4 absent!00 closed!01 same!02 shown!03 {shown}",
    ),
    (
        "reply segments",
        21,
        "body!06 records#2 {segment} {segment-2}",
    ),
    ("reply content", 21, "body!07 content~40"),
    (
        "reply inbox",
        21,
        "body!08 envelopes#1 {envelope} signature~256",
    ),
    ("reply registered", 21, "body!09 token:32"),
];

/// What an opened leaf says, padded to its one length.
const ENTRIES: &[(&str, &str)] = &[
    (
        "entry file",
        "entry!00 file:16 version:8 size:8 content-key:32 key-index=0002 keyring?1 {region} \
         segments:8 peaks#2 {node} {node-2} name!00 inline~5",
    ),
    (
        "entry file-long-name",
        "entry!00 file:16 version:8 size:8 content-key:32 key-index=0000 keyring?0 segments:8 \
         peaks#0 name!01 {region}",
    ),
    (
        "entry link",
        "entry!01 space:32 owner:32 owner-key:32 epoch:8 epoch-key:32 name!00 inline~200 \
         name-key:32",
    ),
    ("entry pin", "entry!02 user:32 fingerprint:32 verified?1"),
    ("entry received", "entry!03 envelope:16"),
];

/// What several formats hold.
fn part(name: &str) -> Layout {
    let text = match name {
        "kdf" => "suite=01 iterations=000927c0 salt-seed:32",
        "public-record" => {
            "realm:32 user:32 key-epoch=00000001 encryption-exponent=00010001 \
             encryption-modulus~256 signing-exponent=00010001 signing-modulus~256"
        }
        "signed-record" => "{public-record} signature~256",
        "key-bag" => "user:32 {kdf} commitment:32 nonce:12 sealed~64",
        "head" => {
            "space:32 height:8 previous:32 history:32 directory:32 entries:8 roster:8 \
             roster-hash:32 epoch:8 commitment:32 author:32 author-key:32 device:16 written-ms:8 \
             nonce:16"
        }
        "signed-head" => "{head} signature~256",
        "change" => "space:32 number:8 previous:32 signer:32",
        "signed-change" => "{change} action!02 user:32 signature~256",
        "envelope" => {
            "id:16 space:32 epoch:8 role=01 sender:32 sender-key:32 recipient:32 \
             recipient-key:32 wrapped~256 note~64"
        }
        "remembers" => "realm:32 user:32 fingerprint:32 device:16 iterations=000927c0 salt-seed:32",
        "one" => {
            "space:32 accepted?1 height:8 head:32 roster:8 roster-hash:32 epoch:8 peaks#1 \
             hash:32 roster-max:8 epoch-max:8 pending?1 pending-height:8 pending-head:32 \
             pending-roster:8 pending-roster-hash:32 pending-epoch:8"
        }
        "other" => "space:32 accepted?0 roster:8 roster-hash:32 epoch:8 peaks#0 pending?0",
        "pin-one" | "pin-other" => "user:32 fingerprint:32",
        "contact" => {
            "realm:32 user:32 user-key:32 device:16 spaces#1 space:32 height:8 head:32 peaks#1 \
             hash:32 roster-max:8 epoch-max:8 pins#1 pin-user:32 pin-fingerprint:32"
        }
        "commit" => {
            "locator:32 expect?1 expected:32 {signed-head} moves-to?1 new-locator:32 roster#1 \
             {signed-change} envelopes#1 {envelope} envelope-signature~256 leaves#2 tag:32 leaf?1 \
             stored~40 keep=00000001 add#1 {segment} tag-2:32 leaf-2?0 keep-2=00000000 add-2#0 \
             pack?1 pack-id:16 content~40"
        }
        "shown" => {
            "{signed-head} records#1 {signed-record} history#1 hash:32 roster-max:8 epoch-max:8 \
             roster#1 {signed-change} trie!02 left!00 right!01 right-hash:32 leaves#1 leaf~40 \
             padding=00000003 zeros=000000"
        }
        "segment" | "segment-2" => "pack:16 offset=00000000 length=00000100 key-index=0000 hash:32",
        "region" => "pack:16 offset=00000000 length=00000100 hash:32",
        "node" | "node-2" => "hash:32 bytes:8",
        _ => panic!("no part {name}"),
    };
    let mut layout = Layout::default();
    layout.add(text, &part);
    layout
}

/// One format, with what can be wrong with it.
struct Made {
    name: String,
    bytes: Vec<u8>,
    faults: Vec<Fault>,
}

fn frame(name: &str, kind: u8, fill: impl FnOnce(&mut Layout)) -> (Layout, Made) {
    let mut layout = Layout::default();
    layout.add(&format!("magic=5443 kind={kind:02x} version=01"), &part);
    fill(&mut layout);
    let mut faults = vec![
        layout.with("another magic", "magic", b"TD".to_vec()),
        layout.with("another kind of frame", "kind", vec![kind + 64]),
        layout.with("a newer version", "version", vec![2]),
        layout.with("version zero", "version", vec![0]),
    ];
    faults.extend(layout.faults());
    let made = Made {
        name: name.to_owned(),
        bytes: layout.encoding(),
        faults,
    };
    (layout, made)
}

/// Faults that only one format can have.
fn of_its_own(layout: &Layout, name: &str) -> Vec<Fault> {
    let taken = |fault: &str, of: &str, from: &str| layout.with(fault, of, layout.value(from));
    match name {
        "state" => vec![
            layout.with("spaces out of order", "other.space", vec![0; 32]),
            taken("a space twice", "other.space", "one.space"),
            layout.with("pins out of order", "pin-other.user", vec![0; 32]),
            taken("a contact twice", "pin-other.user", "pin-one.user"),
        ],
        "reply views" => vec![
            layout.with("padding that is not zero", "shown.zeros", vec![0, 0, 1]),
            layout.with("padding beyond the end", "shown.padding", vec![0xff; 4]),
            layout.with(
                "an empty subtree behind its hash",
                "shown.right-hash",
                vec![0; 32],
            ),
        ],
        _ => Vec::new(),
    }
}

fn frames() -> Vec<Made> {
    let frames = FRAMES.iter().map(|&(name, kind, text)| {
        let (layout, mut made) = frame(name, kind, |layout| layout.add(text, &part));
        made.faults.extend(of_its_own(&layout, name));
        made
    });
    frames.collect()
}

fn entries() -> Vec<Made> {
    let entries = ENTRIES.iter().map(|&(name, text)| {
        let mut layout = Layout::default();
        layout.add(text, &part);
        let size = layout.encoding().len();
        layout.bytes("padding", vec![0; ENTRY_SIZE - size]);
        let mut faults = layout.faults();
        // One item more is made of padding, and what it says is decided elsewhere.
        faults.retain(|fault| !fault.name.ends_with("one more than there is"));
        let mut padding = vec![0; ENTRY_SIZE - size];
        padding[0] = 1;
        faults.push(layout.with("padding that is not zero", "padding", padding));
        if name == "entry link" {
            let long = 201_u32.to_be_bytes().to_vec();
            let what = "a name of one byte too many for a leaf";
            faults.push(layout.with(what, "length of inline", long));
        }
        Made {
            name: name.to_owned(),
            bytes: layout.encoding(),
            faults,
        }
    });
    entries.collect()
}

/// A path to the leftmost bucket through all levels; `below` is what is at its end.
fn path(siblings: &[u8], below: &[u8]) -> Vec<u8> {
    let inner = vec![2; usize::from(turncoat_core::wire::DEPTH)];
    let siblings = siblings.repeat(usize::from(turncoat_core::wire::DEPTH));
    [&inner, below, &siblings].concat()
}

/// A bucket of slots whose tags end with these bytes.
fn bucket(first: u8, lasts: &[u8]) -> Vec<u8> {
    let count = u32::try_from(lasts.len()).expect("few").to_be_bytes();
    let slots = lasts.iter().flat_map(|&last| {
        let mut tag = [0; 32];
        tag[0] = first;
        tag[31] = last;
        [tag, [0x70 + last; 32]].concat()
    });
    [&[3], &count[..]]
        .concat()
        .into_iter()
        .chain(slots)
        .collect()
}

fn tries() -> Vec<Made> {
    let hash = [0x55; 32];
    let opaque = [&[1], &hash[..]].concat();
    let hollow = [&[1], &[0; 32][..]].concat();
    let trie = |name: &str, bytes: Vec<u8>, wrong: &[(&str, Vec<u8>)]| {
        let (layout, mut made) = frame(name, 12, |layout| layout.bytes("trie", bytes));
        let faults = wrong.iter();
        let faults = faults.map(|(fault, bytes)| layout.with(fault, "trie", bytes.clone()));
        made.faults.extend(faults);
        made
    };
    let inner = |left: &[u8], right: &[u8]| [&[2], left, right].concat();
    vec![
        trie("trie empty", vec![0], &[("no such node", vec![4])]),
        trie(
            "trie hidden",
            opaque.clone(),
            &[("an empty trie behind its hash", hollow.clone())],
        ),
        trie(
            "trie inner",
            inner(&opaque, &[0]),
            &[
                ("an inner node with nothing below", inner(&[0], &[0])),
                ("an empty subtree behind its hash", inner(&opaque, &hollow)),
                ("nothing but hidden emptiness", inner(&hollow, &[0])),
                ("a bucket above its depth", inner(&bucket(0, &[1]), &[0])),
            ],
        ),
        trie(
            "trie path",
            path(&[0], &bucket(0, &[1, 2, 3])),
            &[
                ("an empty bucket", path(&[0], &bucket(0, &[]))),
                ("slots out of order", path(&[0], &bucket(0, &[1, 3, 2]))),
                ("a slot twice", path(&[0], &bucket(0, &[1, 1, 2]))),
                (
                    "a slot of another bucket",
                    path(&[0], &bucket(1, &[1, 2, 3])),
                ),
                (
                    "an inner node below the depth",
                    path(&[0], &inner(&opaque, &[0])),
                ),
                (
                    "empty siblings behind their hashes",
                    path(&hollow, &bucket(0, &[1, 2, 3])),
                ),
            ],
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// The two committed files: the encodings, and the faults.
fn made() -> [(&'static str, String); 2] {
    let all: Vec<Made> = frames()
        .into_iter()
        .chain(tries())
        .chain(entries())
        .collect();
    let mut valid = String::from(
        "# One valid encoding of each variant of each format of suite 1, made of filler.\n\
         # Written from the manual by tests/vectors/formats.rs; no code of the core took part.\n",
    );
    let mut faults = String::from(
        "# One fault each in an encoding of format_valid.txt: at byte `at`, `remove` bytes are\n\
         # taken out and `insert` takes their place. A decoder refuses each with `error`.\n",
    );
    for made in &all {
        let Made { name, bytes, .. } = made;
        let bytes = hex(bytes);
        write!(valid, "\nname = {name}\nbytes = {bytes}\n").expect("a string");
        for fault in &made.faults {
            let insert = hex(&fault.insert);
            let (what, at, remove) = (&fault.name, fault.at, fault.remove);
            write!(
                faults,
                "\nname = {name}: {what}\nof = {name}\nat = {at}\nremove = {remove}\n\
                 insert = {insert}\nerror = malformed\n"
            )
            .expect("a string");
        }
    }
    [("format_valid.txt", valid), ("format_faults.txt", faults)]
}

/// The encoding of what the bytes say in the format of that name.
fn again(format: &str, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    fn frame<T: Frame>(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        T::decode(bytes).map(|value| value.encode())
    }
    match format.split(' ').next().unwrap_or_default() {
        "record" => frame::<PublicRecord>(bytes),
        "signed-record" => frame::<SignedRecord>(bytes),
        "key-bag" => frame::<KeyBag>(bytes),
        "bag-secret" => frame::<BagSecret>(bytes),
        "head" => frame::<Head>(bytes),
        "signed-head" => frame::<SignedHead>(bytes),
        "roster-change" => frame::<RosterChange>(bytes),
        "signed-roster-change" => frame::<SignedRosterChange>(bytes),
        "envelope" => frame::<Envelope>(bytes),
        "signed-envelope" => frame::<SignedEnvelope>(bytes),
        "leaf" => frame::<Leaf>(bytes),
        "trie" => frame::<PartialTrie>(bytes),
        "state" => frame::<TrustedState>(bytes),
        "contact" => frame::<Contact>(bytes),
        "signed-contact" => frame::<SignedContact>(bytes),
        "request" => frame::<Request>(bytes),
        "reply" => frame::<Reply>(bytes),
        "entry" => Entry::decode(bytes).map(|entry| entry.encode()),
        other => panic!("no format {other}"),
    }
}

#[test]
fn the_committed_format_vectors_are_those_of_the_layouts() {
    for (name, text) in made() {
        let path = format!("{}/{name}", file::FOLDER);
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, &text).expect("the folder is writable");
        }
        let committed = std::fs::read_to_string(&path).expect("the file is there");
        assert!(
            committed == text,
            "{name} is out of date: set {WRITE}=1 once"
        );
    }
}

#[test]
fn every_valid_encoding_is_accepted_and_written_back() {
    for vector in file::read("format_valid.txt") {
        let bytes = vector.bytes("bytes");
        let written = again(vector.name(), &bytes);
        assert!(written == Ok(bytes), "{}: {written:02x?}", vector.name());
    }
}

#[test]
fn every_single_fault_is_refused() {
    let valid = file::read("format_valid.txt");
    let faults = file::read("format_faults.txt");
    assert!(faults.len() > 500, "{} faults", faults.len());
    let mut accepted = Vec::new();
    for vector in faults {
        let of = vector.text("of");
        let whole = valid.iter().find(|valid| valid.name() == of);
        let whole: &Vector = whole.unwrap_or_else(|| panic!("no encoding {of}"));
        let number = |field: &str| vector.text(field).parse().expect("a number");
        let fault = Fault {
            name: vector.name().to_owned(),
            at: number("at"),
            remove: number("remove"),
            insert: vector.bytes("insert"),
        };
        let bytes = fault.applied(&whole.bytes("bytes"));
        assert_ne!(bytes, whole.bytes("bytes"), "{}: no fault", fault.name);
        assert_eq!(vector.text("error"), "malformed");
        if again(of, &bytes) != Err(Malformed) {
            accepted.push(fault.name);
        }
    }
    assert!(accepted.is_empty(), "accepted: {accepted:#?}");
}
