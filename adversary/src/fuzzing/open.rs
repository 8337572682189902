//! A file that a member wrote by no rules: it opens to what its chunks say, or not at all.

use std::rc::Rc;

use turncoat_core::id::PackId;
use turncoat_core::tree::{Mountain, segment_leaf};
use turncoat_core::wire::{
    Blob, Entry, Frame as _, Leaf, Reader, Reply, SegmentNode, SegmentRecord, View, Wire,
};

use super::forge::fit;
use super::generate::Generator;
use super::opening::{Opening, devices};
use super::session::judged;
use crate::acts::collude::member::{Member, seal_frames};
use crate::attack::{Edit, Step};
use crate::client::Operation;
use crate::driver::Hardened;
use crate::oracle::Judgement;
use crate::script::performer::{Direction, Message, Performer as _, Progress};
use crate::selector::Selector;

/// Opened bytes of a chunk at most.
const CHUNK: usize = 65_536;

/// How far a hostile file came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opened {
    /// Its leaf or the proofs of it were refused, or its records were.
    Refused,
    /// The records were taken, and its bytes were refused.
    Fetched,
    /// It was read.
    Read,
}

/// Shows alice a file of bob's making in place of the one that they share.
///
/// # Panics
///
/// If alice reads anything but what well-formed chunks say, or does not read what is well formed
/// throughout; or if a guarantee falls.
#[must_use]
pub fn open(bytes: &[u8]) -> Opened {
    let mut generator = Generator::new(bytes);
    let opening = Opening::Written;
    let mut stage = opening.stage(Rc::new(Hardened));
    stage.collude("bob");
    if let Some(replies) = Selector::parse("alice/phone:*") {
        stage.hook(Direction::Reply, replies);
    }
    let mut file = File::made(&mut generator);
    let [_, device, _] = devices();
    let name = b"notes".to_vec();
    let operation = Operation::Download { name };
    let mut progress = stage.perform(Step::Run { device, operation });
    while let Progress::Message(message) = progress {
        let bytes = file.shown(&message, &opening.member(), &mut generator);
        let edits = bytes.map(|bytes| {
            vec![Edit::Replace {
                bytes: bytes.into(),
            }]
        });
        progress = stage.resume(edits.unwrap_or_default());
    }
    let judgement = judged(&stage);
    assert_eq!(
        judgement,
        Judgement::default(),
        "{}",
        stage.attack().print()
    );
    let Progress::Ended(mut ended) = progress else {
        panic!("a run came to {progress:?}");
    };
    match ended.remove(0).1 {
        Ok(answer) => {
            assert_eq!(answer.content, file.content(), "{file:?}");
            Opened::Read
        }
        Err(failure) => {
            let honest = !file.bent && file.content().is_some();
            assert!(!honest, "{failure:?} of {file:?}");
            match file.fetched {
                true => Opened::Fetched,
                false => Opened::Refused,
            }
        }
    }
}

/// A file as its author sealed it.
#[derive(Debug)]
struct File {
    key: [u8; 32],
    /// The opened chunks of each segment.
    segments: Vec<Vec<Vec<u8>>>,
    sealed: Vec<(Vec<u8>, SegmentRecord)>,
    /// Something else of it was changed as well.
    bent: bool,
    fetched: bool,
}

impl File {
    fn made(generator: &mut Generator) -> Self {
        let [.., byte] = generator.choose(256).to_be_bytes();
        let (key, mut segments, mut sealed) = ([byte; 32], Vec::new(), Vec::new());
        for number in 0..generator.choose(4) {
            let count = 1 + generator.choose(3);
            let chunk = |at| frame(generator, at + 1 < count);
            let frames: Vec<Vec<u8>> = (0..count).map(chunk).collect();
            let [.., byte] = number.to_be_bytes();
            sealed.push(seal_frames(&key, 0, PackId([byte; 16]), &frames));
            segments.push(frames);
        }
        Self {
            key,
            segments,
            sealed,
            bent: false,
            fetched: false,
        }
    }

    /// What all chunks together say, if each says something.
    fn content(&self) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        for frame in self.segments.iter().flatten() {
            let (size, rest) = frame.split_first_chunk()?;
            let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
            let (said, padding) = rest.split_at_checked(size)?;
            if padding.iter().any(|byte| *byte != 0) {
                return None;
            }
            content.extend_from_slice(said);
        }
        Some(content)
    }

    /// The reply with what is of this file in it.
    fn shown(
        &mut self,
        message: &Message,
        member: &Member,
        generator: &mut Generator,
    ) -> Option<Vec<u8>> {
        let mut reply = match message.kind.as_str() {
            "read" => self.read(&message.bytes, member, generator)?,
            "segments" => {
                let mut records: Vec<_> = self.records().cloned().collect();
                if generator.choose(8) == 7 {
                    self.bent = true;
                    generator.change_records(&mut records);
                }
                Reply::Segments(records).encode()
            }
            "fetch" => {
                self.fetched = true;
                let sealed = self.sealed.iter().flat_map(|(bytes, _)| bytes);
                Reply::Content(Blob(sealed.copied().collect())).encode()
            }
            _ => return None,
        };
        if generator.choose(8) == 7 {
            self.bent = true;
            let at = generator.choose(1 << 20) as usize % reply.len();
            match generator.choose(3) {
                0 => reply[at] ^= 1 << generator.choose(8),
                1 => reply.truncate(at),
                _ => reply.insert(at, 0),
            }
        }
        Some(reply)
    }

    fn records(&self) -> impl Iterator<Item = &SegmentRecord> {
        self.sealed.iter().map(|(_, record)| record)
    }

    /// The views with a leaf that says what this file is.
    fn read(
        &mut self,
        bytes: &[u8],
        member: &Member,
        generator: &mut Generator,
    ) -> Option<Vec<u8>> {
        let mut reply = Reply::decode(bytes).ok()?;
        let Reply::Views(views) = &mut reply else {
            return None;
        };
        let shared = views.iter_mut().find_map(|view| match view {
            View::Shown { head, leaves, .. } => {
                let (head, stored) = (head.head.clone(), leaves.first()?.0.clone());
                // The shared space is the one that has one entry without a name.
                let edit = |leaf: &mut Leaf, entry: &mut Entry| {
                    self.write(leaf, entry);
                    if generator.choose(4) == 3 {
                        self.bent = true;
                        generator.edit(leaf, entry);
                    }
                };
                Some((member.edit_leaf(&head, &stored, edit)?, view))
            }
            _ => None,
        });
        let (forged, view) = shared?;
        member.show_leaf(view, 0, forged)?;
        Some(reply.encode())
    }

    /// What the leaf of this file says.
    fn write(&self, leaf: &mut Leaf, entry: &mut Entry) {
        let Entry::File(file) = entry else {
            return;
        };
        let mut mountain: Mountain<SegmentNode> = Mountain::new();
        for record in self.records() {
            // There are three at most.
            let _ = mountain.push(segment_leaf(record));
        }
        let said = self.segments.iter().flatten().map(|frame| said(frame));
        file.size = said.sum();
        file.version = file.version.saturating_add(1);
        file.segments = mountain.size();
        file.peaks = mountain.into_peaks();
        file.keyring = None;
        file.key_index = 0;
        // Any 32 bytes are a key.
        if let Ok(key) = Reader::all(&self.key, Wire::read) {
            file.content_key = key;
        }
        fit(leaf, entry);
    }
}

/// How many bytes a chunk says that it says.
fn said(frame: &[u8]) -> u64 {
    let size = frame.first_chunk().map(|size| u32::from_be_bytes(*size));
    size.map_or(0, u64::from)
}

/// An opened chunk, well formed as a rule. All chunks of a segment but the last are full.
fn frame(generator: &mut Generator, full: bool) -> Vec<u8> {
    let sizes = [4, 5, 260, 4_100, CHUNK - 1, CHUNK];
    let size = match full {
        true => CHUNK,
        false => sizes[generator.choose(6) as usize],
    };
    let room = u32::try_from(size - 4).unwrap_or(u32::MAX);
    let said = room - room.min(generator.choose(1 << 9));
    let mut frame = said.to_be_bytes().to_vec();
    frame.resize(4 + said as usize, b'c');
    frame.resize(size, 0);
    match generator.choose(10) {
        6 => frame[..4].copy_from_slice(&(room + 1).to_be_bytes()),
        7 => frame[generator.choose(4) as usize] ^= 1 << generator.choose(8),
        8 => frame[size - 1] ^= 1,
        9 if !full => frame.truncate(generator.choose(4) as usize),
        _ => {}
    }
    frame
}
