//! G6: what the server is sent holds no secret, in no encoding that a careless client might use.
//!
//! This is the half that one run decides: canaries. What lengths, counts and repetitions tell is
//! decided by comparing two runs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::seen::Case;
use super::truth::{Use, uses};
use super::{Facts, Judgement, quote};
use crate::history::Event;
use crate::memo::Memo;
use crate::verdict::Guarantee;

/// Bytes that are looked for at once. Sixteen random bytes occur nowhere by chance.
const PROBE: usize = 16;
/// Bytes of a secret that a probe needs before it is told from chance.
const SECRET_MIN: usize = 16;
/// Different byte values that a secret needs, or padding would be taken for it.
const VARIETY_MIN: usize = 8;

/// What is looked for in every message.
struct Probes {
    /// What each probe means, in their order: the secret, and how it is written.
    meanings: Vec<(u128, usize, &'static str)>,
    /// Which ends probes have, a bit each: most windows are told from all probes by theirs.
    ends: Vec<u64>,
}

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    let mut secrets = secrets(case, facts);
    let mut wanted = Vec::new();
    for (at, secret) in secrets.iter().enumerate() {
        wanted.extend(probes(secret).map(|(probe, how)| (probe, at, how)));
    }
    for (secret, digests) in hashes(case, facts) {
        let at = secrets.len();
        secrets.push(secret);
        let probes = digests.iter().flat_map(|digest| probes(digest));
        wanted.extend(probes.map(|(probe, _)| (probe, at, "hashed without a key")));
    }
    let wanted = Probes::of(wanted);
    if wanted.meanings.is_empty() {
        return;
    }
    let mut told = BTreeSet::new();
    for event in case.history.events() {
        let Event::Request {
            operation,
            kind,
            bytes,
            ..
        } = event
        else {
            continue;
        };
        for (secret, how) in wanted.find(bytes) {
            if told.insert(secret) {
                judgement.breach(
                    Guarantee::G6,
                    Some(*operation),
                    format!(
                        "a {kind:?} request holds the secret {}, {how}",
                        quote(secrets[secret])
                    ),
                );
            }
        }
    }
}

/// The canaries, the passwords, and stretches of every content and name that was given to a client
/// to keep secret.
fn secrets<'c>(case: &Case<'c>, facts: &'c Facts) -> Vec<&'c [u8]> {
    let mut secrets: BTreeSet<&[u8]> = facts.passwords.iter().map(Vec::as_slice).collect();
    let mut public: Vec<&[u8]> = Vec::new();
    for event in case.history.events() {
        match event {
            Event::Secret { bytes } => {
                secrets.insert(bytes);
            }
            Event::UserCreated { user } => public.push(user.as_bytes()),
            _ => {}
        }
    }
    for op in &case.truth.ops {
        for (name, used) in uses(op.what) {
            secrets.extend(stretches(name));
            match used {
                Use::Upload(content) | Use::Append(content) => secrets.extend(stretches(content)),
                _ => {}
            }
        }
    }
    let telling = |secret: &&[u8]| {
        let variety: BTreeSet<u8> = secret.iter().copied().collect();
        // Shorter ones tell nothing; an empty one would even be part of everything.
        secret.len() >= SECRET_MIN
            && variety.len() >= VARIETY_MIN
            && !public.iter().any(|public| contains(public, secret))
    };
    secrets.into_iter().filter(telling).collect()
}

/// Bare hashes of one secret.
type Hashes = Rc<[Vec<u8>]>;

thread_local! {
    /// All runs of a script have the same names and passwords, and the same users.
    static KNOWN: Memo<(Vec<u8>, Option<Vec<u8>>), Hashes> = const { Memo::new(1024) };
}

/// Names and passwords with their bare hashes, which whoever guesses them can check: alone, or
/// behind one byte that tells what they are.
fn hashes<'c>(case: &Case<'c>, facts: &'c Facts) -> Vec<(&'c [u8], Hashes)> {
    let users: BTreeSet<&[u8]> = case
        .truth
        .ops
        .iter()
        .map(|op| op.user().as_bytes())
        .collect();
    let mut guessed: BTreeSet<&[u8]> = facts.passwords.iter().map(Vec::as_slice).collect();
    for op in &case.truth.ops {
        guessed.extend(uses(op.what).into_iter().map(|(name, _)| name));
    }
    let mut hashes = Vec::new();
    for secret in guessed
        .difference(&users)
        .filter(|secret| !secret.is_empty())
    {
        let with = users.iter().map(|user| Some(*user));
        for user in with.chain([None]) {
            let key = (secret.to_vec(), user.map(<[u8]>::to_vec));
            let known = KNOWN.with(|known| known.get_or(key, |_| Some(hashes_of(secret, user))));
            hashes.extend(known.map(|known| (*secret, known)));
        }
    }
    // Whoever has the content confirms that it is stored by a hash that depends on nothing else.
    let contents = case.truth.ops.iter().flat_map(|op| uses(op.what));
    let contents: BTreeSet<&[u8]> = contents
        .filter_map(|(_, used)| match used {
            Use::Upload(content) | Use::Append(content) => Some(content),
            _ => None,
        })
        .filter(|content| !content.is_empty() && !users.contains(content))
        .collect();
    let contents = contents.into_iter();
    hashes.extend(contents.map(|content| (content, digests(&[content]).into())));
    hashes
}

/// The bare hashes of a secret, with a user's name or alone.
fn hashes_of(secret: &[u8], user: Option<&[u8]>) -> Hashes {
    const KINDS: u8 = 4;
    const BETWEEN: [&[u8]; 6] = [b"", b"/", b":", b"|", b"\0", b" "];
    if let Some(user) = user {
        let with = |between| {
            let before = digests(&[user, between, secret]);
            let after = digests(&[secret, between, user]);
            before.into_iter().chain(after)
        };
        return BETWEEN.into_iter().flat_map(with).collect();
    }
    let mut hashes = digests(&[secret]).to_vec();
    for kind in 0..KINDS {
        let behind = Sha256::new_with_prefix([kind]).chain_update(secret);
        hashes.push(behind.finalize().to_vec());
    }
    hashes.into()
}

/// What the usual hash functions without a key make of something, given in parts.
fn digests(parts: &[&[u8]]) -> [Vec<u8>; 4] {
    let once = digest::<Sha256>(parts);
    let twice = Sha256::digest(&once).to_vec();
    [
        once,
        twice,
        digest::<Sha512>(parts),
        digest::<Sha384>(parts),
    ]
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// The beginning, the middle and the end of a content.
fn stretches(content: &[u8]) -> Vec<&[u8]> {
    const LENGTH: usize = 24;
    if content.len() <= LENGTH {
        return vec![content];
    }
    let last = content.len() - LENGTH;
    [0, last / 2, last]
        .map(|from| &content[from..from + LENGTH])
        .to_vec()
}

fn contains(public: &[u8], secret: &[u8]) -> bool {
    public.windows(secret.len()).any(|window| window == secret)
}

/// The secret as it would look, each encoding by its first sixteen bytes.
fn probes(secret: &[u8]) -> impl Iterator<Item = (u128, &'static str)> {
    let hex = |digits| probe(hex(secret, digits));
    // One of three alignments is the one at which the secret begins inside something longer.
    let base64 = move |skipped: usize, last: &[u8; 2]| {
        let from = secret.get(skipped..).unwrap_or_default();
        probe(base64(from, *last))
    };
    let forms = [
        (probe(secret.iter().copied()), "as it is"),
        (probe(secret.iter().rev().copied()), "reversed"),
        (hex(b"0123456789abcdef"), "in hexadecimal"),
        (hex(b"0123456789ABCDEF"), "in hexadecimal"),
        (base64(0, b"+/"), "in base64"),
        (base64(1, b"+/"), "in base64"),
        (base64(2, b"+/"), "in base64"),
        (base64(0, b"-_"), "in base64 for URLs"),
        (base64(1, b"-_"), "in base64 for URLs"),
        (base64(2, b"-_"), "in base64 for URLs"),
    ];
    forms
        .into_iter()
        .filter_map(|(probe, how)| Some((probe?, how)))
}

/// The first sixteen bytes of a form, if it has so many.
fn probe(form: impl Iterator<Item = u8>) -> Option<u128> {
    let mut first = [0; PROBE];
    let mut form = form.take(PROBE);
    for byte in &mut first {
        *byte = form.next()?;
    }
    Some(u128::from_be_bytes(first))
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| {
        [
            digits[usize::from(byte >> 4)],
            digits[usize::from(byte & 15)],
        ]
    })
}

/// Whole groups of three bytes alone: the rest depends on what follows.
fn base64(bytes: &[u8], last: [u8; 2]) -> impl Iterator<Item = u8> {
    let digit = move |value: u32| match value & 63 {
        value @ 0..=25 => b'A' + value as u8,
        value @ 26..=51 => b'a' + (value - 26) as u8,
        value @ 52..=61 => b'0' + (value - 52) as u8,
        62 => last[0],
        _ => last[1],
    };
    bytes.chunks_exact(3).flat_map(move |group| {
        let value = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        [18, 12, 6, 0].map(|shift| digit(value >> shift))
    })
}

impl Probes {
    /// Bits of a probe's end.
    const END: u32 = 20;

    fn of(mut meanings: Vec<(u128, usize, &'static str)>) -> Self {
        // What comes first tells what a probe means: the sort is stable.
        meanings.sort_by_key(|(probe, ..)| *probe);
        meanings.dedup_by_key(|(probe, ..)| *probe);
        let mut ends = vec![0; 1 << (Self::END - 6)];
        for (probe, ..) in &meanings {
            let (word, bit) = Self::end(*probe);
            ends[word] |= bit;
        }
        Self { meanings, ends }
    }

    /// The word and the bit of a window's end.
    fn end(window: u128) -> (usize, u64) {
        let end = window & ((1 << Self::END) - 1);
        ((end >> 6) as usize, 1 << (end & 63))
    }

    fn may_be(&self, window: u128) -> bool {
        let (word, bit) = Self::end(window);
        self.ends[word] & bit != 0
    }

    /// The secrets that occur in a message.
    fn find(&self, bytes: &[u8]) -> Vec<(usize, &'static str)> {
        let mut found = BTreeMap::new();
        let mut window: u128 = 0;
        for (at, byte) in bytes.iter().enumerate() {
            window = window << 8 | u128::from(*byte);
            if at + 1 >= PROBE
                && self.may_be(window)
                && let Ok(at) = self
                    .meanings
                    .binary_search_by_key(&window, |(probe, ..)| *probe)
            {
                let (_, secret, how) = self.meanings[at];
                found.entry(secret).or_insert(how);
            }
        }
        found.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256, Sha512};

    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::G6;

    const SECRET: &[u8] = b"marker-4f9a1c7be2d05386";

    fn sent(bytes: &[u8]) -> Scene {
        let mut scene = Scene::new();
        scene.secret(SECRET);
        let op = scene.start_upload("alice", "n", "v1");
        scene.message(op, "put", bytes, Some(b"ok"), Some(b"ok"));
        scene.end(op, None);
        scene
    }

    fn around(middle: &[u8], before: usize) -> Vec<u8> {
        [&vec![0x55; before], middle, b"tail"].concat()
    }

    #[test]
    fn the_secret_in_any_encoding_is_a_breach() {
        let hex: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
        let reversed: Vec<u8> = SECRET.iter().rev().copied().collect();
        for form in [
            SECRET,
            hex.as_bytes(),
            hex.to_uppercase().as_bytes(),
            &reversed,
        ] {
            sent(&around(form, 7)).breaks(&[G6]);
        }
    }

    #[test]
    fn the_secret_in_base64_at_any_alignment_is_a_breach() {
        for before in 0..3 {
            let encode = |last| super::base64(&around(SECRET, before), last).collect::<Vec<_>>();
            sent(&around(&encode(*b"+/"), 5)).breaks(&[G6]);
            let encoded = encode(*b"-_");
            sent(&encoded).breaks(&[G6]);
        }
    }

    #[test]
    fn a_content_or_a_name_in_clear_is_a_breach_without_any_canary() {
        for clear in ["the quick brown fox jumps", "a file's telling name.txt"] {
            let mut scene = Scene::new();
            let content = "the quick brown fox jumps over the lazy dog";
            let op = scene.start_upload("alice", "a file's telling name.txt", content);
            scene.message(op, "put", clear.as_bytes(), Some(b"ok"), Some(b"ok"));
            scene.end(op, None);
            scene.breaks(&[G6]);
        }
    }

    #[test]
    fn a_password_is_a_secret() {
        let mut scene = Scene::new();
        scene
            .facts
            .passwords
            .push(b"correct horse battery".to_vec());
        let op = scene.start_upload("alice", "n", "v1");
        scene.message(
            op,
            "put",
            b"pw=correct horse battery;",
            Some(b"ok"),
            Some(b"ok"),
        );
        scene.end(op, None);
        scene.breaks(&[G6]);
    }

    #[test]
    fn ciphertext_padding_and_user_names_are_no_secret() {
        let mut other = SECRET.to_vec();
        other[10] ^= 1;
        sent(&around(&other, 3)).passes();
        sent(&[0; 4096]).passes();
        let mut scene = Scene::new();
        let user = "a user with a long name";
        let zeros = "\0".repeat(4096);
        scene.user(user);
        scene.upload(user, user, &zeros);
        let op = scene.start_upload(user, "n", &zeros);
        let message = [user.as_bytes(), zeros.as_bytes()].concat();
        scene.message(op, "put", &message, Some(b"ok"), Some(b"ok"));
        scene.end(op, None);
        scene.passes();
    }

    #[test]
    fn a_name_or_a_password_hashed_without_a_key_is_a_breach() {
        let prefixed = Sha256::new_with_prefix([0]).chain_update(b"n").finalize();
        for hash in [Sha256::digest(b"n"), prefixed, Sha256::digest(b"hunter2")] {
            let mut scene = sent(&around(hash.as_slice(), 5));
            scene.facts.passwords.push(b"hunter2".to_vec());
            scene.breaks(&[G6]);
        }
        let mut keyed = sent(&around(Sha256::digest(b"a key, then n").as_slice(), 5));
        keyed.facts.passwords.push(b"hunter2".to_vec());
        keyed.passes();
    }

    #[test]
    fn a_hash_of_name_and_user_or_of_a_content_is_a_breach() {
        let content = b"what everybody may have";
        let ids = [
            Sha256::digest(b"alice/n").to_vec(),
            Sha256::digest(b"n:alice").to_vec(),
            Sha512::digest(b"n").to_vec(),
            Sha256::digest(Sha256::digest(b"n")).to_vec(),
            Sha256::digest(content).to_vec(),
            Sha512::digest(content).to_vec(),
        ];
        let stored = |id: &[u8]| {
            let mut scene = Scene::new();
            let content = std::str::from_utf8(content).expect("it is text");
            let op = scene.start_upload("alice", "n", content);
            scene.message(op, "put", &around(id, 3), Some(b"ok"), Some(b"ok"));
            scene.end(op, None);
            scene
        };
        for id in ids {
            stored(&id).breaks(&[G6]);
        }
        stored(&Sha256::digest(b"a key, then what everybody may have")).passes();
        stored(&Sha256::digest(b"")).passes();
    }

    #[test]
    fn an_empty_content_is_no_secret() {
        let mut scene = Scene::new();
        scene.user("alice");
        let op = scene.start_upload("alice", "n", "");
        scene.message(op, "put", b"anything", Some(b"ok"), Some(b"ok"));
        scene.end(op, None);
        scene.passes();
    }
}
