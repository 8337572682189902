//! G2: content is bound to account, space, path, file, version, position and length.

use std::collections::BTreeSet;

use super::authenticity::excused;
use super::bits::Bits;
use super::explain::{Edges, Query, explain};
use super::seen::{Case, Reading, Standing};
use super::{Facts, Judgement, cite, quote};
use crate::verdict::Guarantee;

/// Bytes of one window of a spliced content.
const WINDOW: usize = 16;
/// Bytes of genuine content that windows are looked for in, at most.
const GENUINE_MAX: usize = 4 << 20;

/// Says of each read that is no state of its file whether it is genuine bytes in the wrong place.
pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    for reading in &case.readings {
        let what = match reading.standing {
            Standing::Foreign if !excused(case, facts, reading) => misplaced(case, reading),
            // A write in the middle is missing: either it was cut out, or what follows it was
            // written on an older state. Bytes alone do not tell the two apart.
            Standing::Regressed => Some("the writes of its file, one of them left out".to_owned()),
            _ => None,
        };
        if let Some(what) = what {
            judgement.breach(
                Guarantee::G2,
                Some(case.truth.ops[reading.op].id),
                format!(
                    "{} returned {}: {what}",
                    cite(case, reading.op),
                    quote(reading.content)
                ),
            );
        }
    }
}

fn misplaced(case: &Case<'_>, reading: &Reading<'_>) -> Option<String> {
    let content = reading.content;
    if let Some(class) = elsewhere(case, reading) {
        let touch = &case.names.touches[class];
        return Some(format!(
            "a state of {:?}'s file {}",
            touch.user,
            quote(touch.name)
        ));
    }
    let own = reading
        .classes
        .iter()
        .flat_map(|class| case.file(*class).pieces());
    if joined(content, own.map(|piece| piece.content).collect()) {
        return Some("the writes of its file in a wrong order, count or version".to_owned());
    }
    // Writes of a byte or two would make up anything.
    let all = case
        .files()
        .flat_map(|(_, file)| file.pieces())
        .map(|piece| piece.content);
    if joined(content, all.filter(|piece| piece.len() > 1).collect()) {
        return Some("writes of several files, joined".to_owned());
    }
    let cut = case.files().any(|(_, file)| {
        file.pieces().any(|piece| {
            piece.content.len() > content.len()
                && !content.is_empty()
                && (piece.content.starts_with(content) || piece.content.ends_with(content))
        })
    });
    if cut || beginning(case, reading) {
        return Some("a part of what was written, passed off as the whole".to_owned());
    }
    spliced(case, content).then(|| "stretches of several genuine contents, joined".to_owned())
}

/// Another file of which the bytes are a state.
fn elsewhere(case: &Case<'_>, reading: &Reading<'_>) -> Option<usize> {
    let nothing = Bits::default();
    let others = case.files().map(|(class, _)| class);
    others
        .filter(|class| !reading.classes.contains(class))
        .find(|class| case.is_state(reading, *class, &nothing))
}

/// Whether the bytes are the beginning of a state of the file.
fn beginning(case: &Case<'_>, reading: &Reading<'_>) -> bool {
    let nothing = Bits::default();
    let query = Query {
        content: reading.content,
        prefix: true,
        until: case.truth.ops[reading.op].end,
        edges: Edges::Proved,
        required: &nothing,
        excluded: &nothing,
    };
    !reading.content.is_empty()
        && reading
            .classes
            .iter()
            .any(|class| explain(case.ground(), case.file(*class), &query, false).explained())
}

/// Whether the bytes are these writes, each as often and in whatever order.
fn joined(content: &[u8], mut pieces: BTreeSet<&[u8]>) -> bool {
    pieces.remove([].as_slice());
    let mut reached = BTreeSet::from([0]);
    while let Some(position) = reached.pop_first() {
        if position == content.len() {
            return position > 0;
        }
        let rest = &content[position..];
        let next = pieces.iter().filter(|piece| rest.starts_with(piece));
        reached.extend(next.map(|piece| position + piece.len()));
    }
    false
}

/// Whether every stretch of the bytes occurs in something that somebody wrote.
fn spliced(case: &Case<'_>, content: &[u8]) -> bool {
    let mut wanted: BTreeSet<&[u8]> = content.chunks_exact(WINDOW).collect();
    if wanted.is_empty() {
        return false;
    }
    // Most windows are told from all that are wanted by their first two bytes.
    let start = |window: &[u8]| usize::from(u16::from_be_bytes([window[0], window[1]]));
    let mut starts = vec![false; 1 << 16];
    for window in &wanted {
        starts[start(window)] = true;
    }
    let mut left = GENUINE_MAX;
    for piece in case.files().flat_map(|(_, file)| file.pieces()) {
        let Some(rest) = left.checked_sub(piece.content.len()) else {
            continue;
        };
        left = rest;
        for window in piece.content.windows(WINDOW) {
            if starts[start(window)] && wanted.remove(window) && wanted.is_empty() {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::{G1, G2, G3};

    #[test]
    fn another_file_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "content of a");
        scene.upload("alice", "b", "content of b");
        scene.download("alice", "a", "content of b");
        scene.breaks(&[G1, G2]);
    }

    #[test]
    fn another_users_file_of_that_name_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "of alice");
        scene.upload("bob", "n", "of bob");
        scene.download("alice", "n", "of bob");
        scene.breaks(&[G1, G2]);
    }

    #[test]
    fn wrong_order_and_count_are_breaches() {
        for wrong in ["0BA", "0AAB", "0ABAB"] {
            let mut scene = Scene::new();
            scene.upload("alice", "n", "0");
            scene.append("alice", "n", "A");
            scene.append("alice", "n", "B");
            scene.download("alice", "n", wrong);
            scene.breaks(&[G1, G2]);
        }
    }

    #[test]
    fn a_write_cut_out_of_the_middle_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "0");
        scene.append("alice", "n", "A");
        scene.append("alice", "n", "B");
        scene.download("alice", "n", "0B");
        scene.breaks(&[G2, G3]);
    }

    #[test]
    fn a_truncated_content_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "a long enough content");
        scene.download("alice", "n", "a long enough");
        scene.breaks(&[G1, G2]);
    }

    #[test]
    fn chunks_of_two_versions_are_a_breach() {
        let version = |letter: &str| format!("{}{}", letter.repeat(32), letter.repeat(32));
        let mut scene = Scene::new();
        scene.upload("alice", "n", &version("a"));
        scene.upload("alice", "n", &version("b"));
        scene.download(
            "alice",
            "n",
            &format!("{}{}", "a".repeat(32), "b".repeat(32)),
        );
        scene.breaks(&[G1, G2]);
    }

    #[test]
    fn equal_contents_of_two_files_are_no_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "same");
        scene.upload("alice", "b", "same");
        scene.download("alice", "a", "same");
        scene.download("alice", "b", "same");
        scene.passes();
    }

    #[test]
    fn a_name_used_again_for_a_new_file_is_no_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "old");
        scene.delete("alice", "n");
        scene.upload("alice", "n", "new");
        scene.append("alice", "n", "er");
        scene.download("alice", "n", "newer");
        scene.passes();
    }

    #[test]
    fn an_append_to_a_new_file_does_not_go_to_the_old_one() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "old");
        scene.delete("alice", "n");
        scene.upload("alice", "n", "new");
        scene.append("alice", "n", "er");
        scene.download("alice", "n", "older");
        scene.breaks(&[G1, G2]);
    }
}
