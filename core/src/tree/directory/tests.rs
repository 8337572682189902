//! A directory has one form, and every change keeps it.

use super::*;
use crate::wire::Frame;
use alloc::collections::BTreeMap;

/// Tags whose first bits differ, and some that share a bucket.
fn tag(number: u8) -> Tag {
    let mut bytes = [0; 32];
    bytes[0] = (number & 0x3f).reverse_bits();
    bytes[31] = number >> 6;
    Tag(bytes)
}

#[test]
fn tags_share_a_bucket_from_the_seventeenth_bit_on() {
    let with = |bit: u8| {
        let mut tag = Tag([0; 32]);
        tag.0[usize::from(bit / 8)] = 0x80 >> (bit % 8);
        tag
    };
    for (bit, buckets) in [(0, 2), (7, 2), (8, 2), (15, 2), (16, 1), (255, 1)] {
        let mut trie = PartialTrie::Empty;
        for tag in [Tag([0; 32]), with(bit)] {
            set(&mut trie, &tag, Some(leaf(1))).unwrap();
        }
        assert_eq!(
            PartialTrie::decode(&trie.encode()),
            Ok(trie.clone()),
            "{bit}"
        );
        assert_eq!(buckets_of(&trie), buckets, "{bit}");
        // Nobody else's slot is in a bucket.
        let moved = moved_into_the_first_bucket(&trie, with(bit));
        assert_eq!(
            PartialTrie::decode(&moved.encode()).is_ok(),
            buckets == 1,
            "{bit}"
        );
    }
}

fn buckets_of(node: &PartialTrie) -> usize {
    match node {
        PartialTrie::Bucket(_) => 1,
        PartialTrie::Inner(children) => buckets_of(&children.0) + buckets_of(&children.1),
        PartialTrie::Empty | PartialTrie::Opaque(_) => 0,
    }
}

/// The trie with both slots in the bucket of the first.
fn moved_into_the_first_bucket(trie: &PartialTrie, tag: Tag) -> PartialTrie {
    let mut trie = trie.clone();
    set(&mut trie, &tag, None).unwrap();
    let mut node = &mut trie;
    while let PartialTrie::Inner(children) = node {
        node = &mut children.0;
    }
    let PartialTrie::Bucket(slots) = node else {
        panic!("the first slot is there");
    };
    let leaf = leaf(1);
    slots.push(Slot { tag, leaf });
    trie
}

fn leaf(number: u8) -> LeafHash {
    LeafHash([number; 32])
}

fn trie(numbers: impl IntoIterator<Item = u8>) -> PartialTrie {
    let mut trie = PartialTrie::Empty;
    for number in numbers {
        set(&mut trie, &tag(number), Some(leaf(number))).unwrap();
    }
    trie
}

/// Hides the subtrees at `depth` that the bits of `tag` do not lead to.
fn hide(node: &PartialTrie, depth: u8, tag: &Tag) -> PartialTrie {
    match node {
        PartialTrie::Inner(children) if slot_bit(tag, depth) => PartialTrie::Inner(Box::new((
            opaque(&children.0),
            hide(&children.1, depth + 1, tag),
        ))),
        PartialTrie::Inner(children) => PartialTrie::Inner(Box::new((
            hide(&children.0, depth + 1, tag),
            opaque(&children.1),
        ))),
        other => other.clone(),
    }
}

fn opaque(node: &PartialTrie) -> PartialTrie {
    match node {
        PartialTrie::Empty => PartialTrie::Empty,
        other => PartialTrie::Opaque(root_of(other)),
    }
}

#[test]
fn the_order_of_changes_does_not_matter() {
    let forward = trie(0..200);
    assert_eq!(forward, trie((0..200).rev()));
    assert_eq!(root_of(&forward), root_of(&trie((0..200).rev())));
    let mut with_more = trie(0..=255);
    for number in 200..=255 {
        let before = set(&mut with_more, &tag(number), None);
        assert_eq!(before, Ok(Some(leaf(number))));
    }
    assert_eq!(with_more, forward);
}

#[test]
fn emptied_slots_leave_nothing_behind() {
    let mut some = trie([3, 67, 131, 9]);
    for number in [67, 9, 3, 131] {
        set(&mut some, &tag(number), None).unwrap();
        assert_eq!(set(&mut some, &tag(number), None), Ok(None));
    }
    assert_eq!(some, PartialTrie::Empty);
    assert_eq!(root_of(&some), ZERO);
}

#[test]
fn every_trie_is_the_one_that_decoding_accepts() {
    for size in [0, 1, 2, 63, 64, 65, 200] {
        let trie = trie(0..size);
        assert_eq!(PartialTrie::decode(&trie.encode()), Ok(trie));
    }
}

#[test]
fn a_trie_is_looked_up_like_a_map() {
    let trie = trie((0..200).filter(|number| number % 3 == 0));
    for number in 0..=255 {
        let expected = if number % 3 == 0 && number < 200 {
            Lookup::Found(leaf(number))
        } else {
            Lookup::Absent
        };
        assert_eq!(lookup(&trie, &tag(number)), expected);
    }
}

#[test]
fn a_path_alone_gives_the_same_root_before_and_after() {
    let full = trie(0..200);
    for number in 0..=255 {
        for change in [None, Some(leaf(7))] {
            let mut path = hide(&full, 0, &tag(number));
            assert_eq!(root_of(&path), root_of(&full));
            assert_eq!(lookup(&path, &tag(number)), lookup(&full, &tag(number)));
            let mut whole = full.clone();
            assert_eq!(
                set(&mut path, &tag(number), change),
                set(&mut whole, &tag(number), change),
            );
            assert_eq!(root_of(&path), root_of(&whole));
        }
    }
}

#[test]
fn whatever_decodes_and_is_emptied_is_the_empty_trie() {
    // The last slot goes while all beside it is empty, in each form that decoding accepts.
    let alone = trie([5]);
    for hide_siblings in [false, true] {
        let mut shown = match hide_siblings {
            true => hide_empty(&alone, 0, &tag(5)),
            false => alone.clone(),
        };
        let decoded = PartialTrie::decode(&shown.encode());
        set(&mut shown, &tag(5), None).unwrap();
        if decoded.is_ok() {
            assert_eq!(root_of(&shown), ZERO, "signed for a directory of nothing");
        } else {
            assert_ne!(root_of(&shown), ZERO, "what decoding refuses does no harm");
        }
        assert_eq!(decoded.is_ok(), !hide_siblings);
    }
}

/// Puts the hash of nothing in place of each empty subtree beside the path to `tag`.
fn hide_empty(node: &PartialTrie, depth: u8, tag: &Tag) -> PartialTrie {
    let hidden = |node: &PartialTrie| match node {
        PartialTrie::Empty => PartialTrie::Opaque(ZERO),
        other => other.clone(),
    };
    match node {
        PartialTrie::Inner(children) => {
            let (left, right) = if slot_bit(tag, depth) {
                let right = hide_empty(&children.1, depth + 1, tag);
                (hidden(&children.0), right)
            } else {
                let left = hide_empty(&children.0, depth + 1, tag);
                (left, hidden(&children.1))
            };
            PartialTrie::Inner(Box::new((left, right)))
        }
        other => other.clone(),
    }
}

#[test]
fn what_is_not_shown_is_neither_absent_nor_changed() {
    let full = trie(0..64);
    let path = hide(&full, 0, &tag(5));
    let mut changed = path.clone();
    assert_eq!(lookup(&path, &tag(6)), Lookup::Opaque);
    for change in [None, Some(leaf(7))] {
        assert_eq!(set(&mut changed, &tag(6), change), Err(OpaquePath));
        assert_eq!(changed, path);
    }
}

#[test]
fn slots_come_in_the_order_of_their_tags() {
    let trie = trie((0..200).rev());
    let listed: Vec<_> = slots(&trie).map(|slot| (slot.tag, slot.leaf)).collect();
    let model: BTreeMap<_, _> = (0..200).map(|number| (tag(number), leaf(number))).collect();
    assert_eq!(listed, model.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_first_hidden_tag_bounds_a_page() {
    let full = trie(0..64);
    let path = hide(&full, 0, &tag(20));
    for number in 0..=255 {
        let from = tag(number);
        // Each of these tags lies in a subtree of 32 bits or more below it; walk the model.
        let mut hidden = (0..64).map(tag).filter(|at| *at >= from);
        let expected = if lookup(&path, &from) == Lookup::Opaque {
            Some(from)
        } else {
            let next = hidden
                .by_ref()
                .filter(|at| lookup(&path, at) == Lookup::Opaque);
            next.min()
        };
        assert_eq!(first_opaque_at_or_after(&path, &from), expected);
    }
    assert_eq!(first_opaque_at_or_after(&full, &Tag([0; 32])), None);
    let hidden = PartialTrie::Opaque(root_of(&full));
    assert_eq!(first_opaque_at_or_after(&hidden, &tag(9)), Some(tag(9)));
}

#[test]
fn hashes_hold_order_and_count() {
    let digests = [Digest([1; 32]), Digest([2; 32])];
    let [one, two] = &digests;
    assert_ne!(inner_hash(one, two), inner_hash(two, one));
    assert_ne!(inner_hash(&ZERO, &ZERO), ZERO);
    let slot = |number| Slot {
        tag: tag(number),
        leaf: leaf(number),
    };
    assert_ne!(bucket_hash(&[slot(0)]), bucket_hash(&[slot(0), slot(64)]));
    assert_ne!(bucket_hash(&[]), ZERO);
}

#[test]
fn two_views_show_together_what_either_showed() {
    let whole = trie(0..200);
    for (one, other) in [(0, 1), (0, 63), (7, 7), (9, 137)] {
        for depth in [0, 3, 15] {
            let [mut view, more] = [one, other].map(|number| hide(&whole, depth, &tag(number)));
            let shown = |trie: &PartialTrie| slots(trie).cloned().collect::<Vec<_>>();
            let mut either = [shown(&view), shown(&more)].concat();
            either.sort_unstable_by_key(|slot| slot.tag);
            either.dedup();
            unite(&mut view, more);
            assert_eq!(shown(&view), either, "{one} and {other} from {depth}");
            assert_eq!(root_of(&view), root_of(&whole));
        }
    }
    let mut nothing = opaque(&whole);
    unite(&mut nothing, whole.clone());
    assert_eq!(nothing, whole);
    unite(&mut nothing, opaque(&whole));
    assert_eq!(nothing, whole);
}
