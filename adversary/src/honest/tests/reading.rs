//! Reading: what the server shows and proves.

use turncoat_core::SEGMENTS_MAX;
use turncoat_core::id::{
    Checkpoint, EnvelopeId, HeadHash, Height, LeafHash, Locator, RosterNumber, Tag,
};
use turncoat_core::tree::directory::{first_opaque_at_or_after, root_of, slots};
use turncoat_core::tree::{Lookup, directory, leaf_hash, roster_hash};
use turncoat_core::wire::{
    AtHeight, Blob, Frame, Range, RecordRange, Refusal, Reply, Request, RequestBody, Selection,
    View, ViewRequest, Wire, Writer,
};

use super::client::*;
use super::refused;
use crate::client::DeviceName;

#[test]
fn a_space_that_never_was_is_absent() {
    let mut world = World::new();
    let (alice, space) = world.register("alice");
    let mut request = space.read(Selection::Nothing);
    request.locator = Locator([0x42; 32]);
    assert_eq!(world.view(&alice, request), View::Absent);
}

#[test]
fn the_history_is_proved_from_any_trusted_height_to_any_other() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let mut ranges = vec![space.range.clone()];
    for _ in 0..13 {
        let commit = space.next(&alice, Vec::new());
        assert_eq!(world.commit(&alice, &commit), Reply::Done);
        space.accept(&commit);
        ranges.push(space.range.clone());
    }
    for trusted in 0..13 {
        for height in trusted + 1..14 {
            let mut request = space.read(Selection::Nothing);
            request.at = AtHeight::Exactly(Height(height));
            request.trusted = Some(Checkpoint {
                height: Height(trusted),
                head: HeadHash([0; 32]),
            });
            let View::Shown { head, history, .. } = world.view(&alice, request) else {
                panic!("not shown");
            };
            assert_eq!(head.head.height, Height(height));
            let mut range = ranges[usize::try_from(trusted).unwrap()].clone();
            range.extend_to(height, &history).unwrap();
            assert_eq!(range.root(), head.head.history, "{trusted}..{height}");
        }
    }
    let mut warm = space.read(Selection::Nothing);
    warm.warm = space.hash;
    assert_eq!(world.view(&alice, warm), View::Same);
}

fn encoded_size(view: &View) -> usize {
    let mut writer = Writer::new();
    view.write(&mut writer);
    writer.size()
}

#[test]
fn single_slots_are_proved_at_padded_length() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let leaves = (0..400).map(|number| leaf(number, 0, 1)).collect();
    let commit = space.next(&alice, sorted(leaves));
    assert_eq!(world.commit(&alice, &commit), Reply::Done);
    space.accept(&commit);
    for wanted in [vec![], vec![5], vec![5, 4], vec![7, 900, 3], vec![1000]] {
        let tags: Vec<Tag> = wanted.iter().copied().map(tag).collect();
        let view = world.view(&alice, space.read(Selection::Tags(tags.clone())));
        assert_eq!(encoded_size(&view) % 512, 0);
        let View::Shown {
            directory: shown,
            leaves,
            ..
        } = view
        else {
            panic!("not shown");
        };
        assert_eq!(root_of(&shown), root(&space.head));
        let mut found: Vec<_> = tags
            .iter()
            .filter(|wanted| **wanted < tag(u16::MAX))
            .collect();
        found.sort_unstable();
        let found: Vec<_> = found
            .into_iter()
            .filter_map(|wanted| match directory::lookup(&shown, wanted) {
                Lookup::Found(leaf) => Some(leaf),
                Lookup::Absent => None,
                Lookup::Opaque => panic!("a wanted path is closed"),
            })
            .collect();
        let hashes: Vec<_> = leaves.iter().map(|Blob(bytes)| leaf_hash(bytes)).collect();
        assert_eq!(hashes, found);
        assert_eq!(
            found.len(),
            wanted.iter().filter(|number| **number < 400).count()
        );
    }
}

#[test]
fn pages_add_up_to_the_directory() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let leaves = (0..300).map(|number| leaf(number, 0, 0)).collect();
    let commit = space.next(&alice, sorted(leaves));
    assert_eq!(world.commit(&alice, &commit), Reply::Done);
    space.accept(&commit);
    for count in [1, 7, 100, 5000] {
        let mut from = Tag([0; 32]);
        let mut listed = Vec::new();
        let mut pages = 0;
        loop {
            let select = Selection::Page { from, count };
            let View::Shown {
                directory: shown,
                leaves,
                ..
            } = world.view(&alice, space.read(select))
            else {
                panic!("not shown");
            };
            assert_eq!(root_of(&shown), root(&space.head));
            let page: Vec<_> = slots(&shown).filter(|slot| slot.tag >= from).collect();
            let hashes = leaves.iter().map(|Blob(bytes)| leaf_hash(bytes));
            assert!(page.iter().map(|slot| slot.leaf).eq(hashes));
            assert!(page.len() <= usize::try_from(count).unwrap() + 1);
            listed.extend(page.iter().map(|slot| slot.tag));
            pages += 1;
            match first_opaque_at_or_after(&shown, &from) {
                Some(next) => from = next,
                None => break,
            }
        }
        let mut all: Vec<_> = (0..300).map(tag).collect();
        all.sort_unstable();
        assert_eq!(listed, all, "{count} a page");
        assert!(
            pages <= 1 + 300_u32.div_ceil(count),
            "{pages} pages of {count}"
        );
    }
}

#[test]
fn earlier_directories_stay_readable() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let mut roots = vec![root(&space.head)];
    for step in 0..40 {
        let mut leaves = vec![leaf(step, 0, 0)];
        if step >= 3 && step % 2 == 1 {
            leaves.push(removed(step - 3));
        }
        let commit = space.next(&alice, sorted(leaves));
        assert_eq!(world.commit(&alice, &commit), Reply::Done, "{step}");
        space.accept(&commit);
        roots.push(root(&space.head));
    }
    for (height, root) in (0_u64..).zip(roots) {
        let mut request = space.read(Selection::Page {
            from: Tag([0; 32]),
            count: 2000,
        });
        request.at = AtHeight::Exactly(Height(height));
        let View::Shown {
            head,
            directory: shown,
            ..
        } = world.view(&alice, request)
        else {
            panic!("not shown");
        };
        assert_eq!((head.head.directory, root_of(&shown)), (root, root));
        assert_eq!(first_opaque_at_or_after(&shown, &Tag([0; 32])), None);
        assert_eq!(slots(&shown).count() as u64, head.head.entries);
    }
}

#[test]
fn appends_add_records_and_keep_those_before() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let mut last = Blob(Vec::new());
    for step in 0..6 {
        let change = leaf(1, step * 3, 3);
        last = change.leaf.clone().unwrap();
        let commit = space.next(&alice, vec![change]);
        assert_eq!(world.commit(&alice, &commit), Reply::Done);
        space.accept(&commit);
    }
    let leaf = leaf_hash(&last.0);
    for from in 0..20 {
        for count in 1..20 {
            let body = records(leaf, from, count);
            let expected = (from..(from + count).min(18)).map(record).collect();
            assert_eq!(
                world.ask(&alice, body),
                Reply::Segments(expected),
                "{from} {count}"
            );
        }
    }
    let shorter = super::client::leaf(1, 4, 0);
    let commit = space.next(&alice, vec![shorter.clone()]);
    assert_eq!(world.commit(&alice, &commit), Reply::Done);
    let shorter = leaf_hash(&shorter.leaf.unwrap().0);
    let body = records(shorter, 0, 100);
    assert_eq!(
        world.ask(&alice, body),
        Reply::Segments((0..4).map(record).collect())
    );
    // Of several leaves, one after another; and no more than a file can have.
    let range = |leaf, from, count| RecordRange { leaf, from, count };
    let ranges = vec![range(leaf, 16, 9), range(shorter, 1, 2), range(leaf, 0, 1)];
    let numbers = [16, 17, 1, 2, 0];
    assert_eq!(
        world.ask(&alice, RequestBody::Segments { ranges }),
        Reply::Segments(numbers.map(record).into())
    );
    let ranges = vec![range(leaf, 0, 0x8000), range(leaf, 0, 0x7fff)];
    let most = RequestBody::Segments { ranges };
    assert!(matches!(world.ask(&alice, most), Reply::Segments(all) if all.len() == 36));
    let ranges = vec![range(leaf, 0, 0x8000), range(leaf, 0, 0x8000)];
    let more = RequestBody::Segments { ranges };
    assert_eq!(world.ask(&alice, more), refused(Refusal::TooLarge));
}

/// Writes a leaf of one file anew, and returns it.
fn written(
    world: &mut World,
    alice: &User,
    space: &mut Space,
    (keep, add): (u32, u32),
) -> LeafHash {
    let change = leaf(1, keep, add);
    let written = leaf_hash(&change.leaf.as_ref().unwrap().0);
    let commit = space.next(alice, vec![change]);
    assert_eq!(world.commit(alice, &commit), Reply::Done);
    space.accept(&commit);
    written
}

#[test]
fn a_read_is_of_few_views_and_not_of_too_many_slots() {
    let mut world = World::new();
    let (alice, space) = world.register("alice");
    let mut read = |views: Vec<ViewRequest>| world.ask(&alice, RequestBody::Read { views });
    let nothing = || space.read(Selection::Nothing);
    let is_shown = |reply| matches!(reply, Reply::Views(_));
    assert!(is_shown(read((0..16).map(|_| nothing()).collect())));
    let more = read((0..17).map(|_| nothing()).collect());
    assert!(more == refused(Refusal::TooLarge));
    let slots = |count: u16| space.read(Selection::Tags((0..count).map(tag).collect()));
    assert!(is_shown(read(vec![slots(4096), slots(4096)])));
    let more = read(vec![slots(4096), slots(4096), slots(1)]);
    assert!(more == refused(Refusal::TooLarge));
}

#[test]
fn what_is_read_for_one_request_is_bounded() {
    /// Records of one list, of which two may be read for a request.
    const LONG: u32 = 60_000;
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let long = written(&mut world, &alice, &mut space, (0, LONG));
    let ask = |leaf, ranges: Vec<(u32, u32)>| {
        let range = |(from, count)| RecordRange { leaf, from, count };
        let ranges = ranges.into_iter().map(range).collect();
        RequestBody::Segments { ranges }
    };
    let all = |reply, count| matches!(reply, Reply::Segments(all) if all.len() == count);
    assert!(all(world.ask(&alice, ask(long, vec![(0, LONG)])), 60_000));
    // Each range reads the list anew.
    let two = ask(long, vec![(0, 1), (9, 1)]);
    assert!(all(world.ask(&alice, two), 2));
    let three = ask(long, vec![(0, 1), (9, 1), (0, 1)]);
    assert_eq!(world.ask(&alice, three), refused(Refusal::TooLarge));
    // Nor does a commit read it again and again.
    let beside = |number: u16, keep| {
        let mut change = leaf(1, keep, 0);
        change.tag = tag(number);
        change
    };
    let shorter = space.next(&alice, vec![beside(1, 2)]);
    assert_eq!(world.commit(&alice, &shorter), Reply::Done);
    space.accept(&shorter);
    let mut doubled = Vec::new();
    for number in 2..5 {
        let mut change = beside(number, 2);
        (change.keep, change.add) = (0, vec![record(0), record(1)]);
        doubled.push(change);
    }
    let doubled = space.next(&alice, sorted(doubled));
    assert_eq!(world.commit(&alice, &doubled), Reply::Done);
    space.accept(&doubled);
    let cut = |numbers: &[u16]| {
        let cut = numbers.iter().map(|number| beside(*number, 1));
        sorted(cut.collect())
    };
    let three = space.next(&alice, cut(&[2, 3, 4]));
    assert_eq!(world.commit(&alice, &three), refused(Refusal::TooLarge));
    let two = space.next(&alice, cut(&[2, 3]));
    assert_eq!(world.commit(&alice, &two), Reply::Done);
}

#[test]
fn packs_are_written_once_and_read_in_ranges() {
    let mut world = World::new();
    let (alice, space) = world.register("alice");
    let store = |world: &mut World, bytes| {
        let pack = pack(1, bytes);
        world.ask(&alice, RequestBody::Store { pack })
    };
    assert_eq!(store(&mut world, b"0123456789"), Reply::Done);
    assert_eq!(store(&mut world, b"0123456789"), Reply::Done);
    assert_eq!(store(&mut world, b"0123456788"), refused(Refusal::Exists));
    let mut commit = space.next(&alice, Vec::new());
    commit.pack = Some(pack(1, b"other"));
    assert_eq!(world.commit(&alice, &commit), refused(Refusal::Exists));
    commit.pack = Some(pack(2, b"abc"));
    assert_eq!(world.commit(&alice, &commit), Reply::Done);
    let range = |id: u8, offset, length| Range {
        pack: pack(id, b"").id,
        offset,
        length,
    };
    let ranges = vec![
        range(2, 1, 2),
        range(1, 0, 3),
        range(1, 8, 100),
        range(1, 99, 1),
    ];
    let content = Reply::Content(Blob(b"bc01289".to_vec()));
    assert_eq!(world.ask(&alice, RequestBody::Fetch { ranges }), content);
    let missing = vec![range(3, 0, 1)];
    let reply = world.ask(&alice, RequestBody::Fetch { ranges: missing });
    assert_eq!(reply, refused(Refusal::NotFound));
    let huge = vec![range(1, 0, u32::MAX)];
    let reply = world.ask(&alice, RequestBody::Fetch { ranges: huge });
    assert_eq!(reply, refused(Refusal::TooLarge));
    // Nor are there more of them than a file has segments.
    let most = usize::try_from(SEGMENTS_MAX).unwrap();
    let nothing = |count| RequestBody::Fetch {
        ranges: vec![range(1, 0, 0); count],
    };
    let content = Reply::Content(Blob(Vec::new()));
    assert_eq!(world.ask(&alice, nothing(most)), content);
    let reply = world.ask(&alice, nothing(most + 1));
    assert_eq!(reply, refused(Refusal::TooLarge));
}

#[test]
fn envelopes_reach_their_recipient_alone() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let (bob, mut other) = world.register("bob");
    let (carol, _) = world.register("carol");
    let nobody = User::new("nobody");
    let ghost = space.invite(&alice, &nobody, 9);
    assert_eq!(world.commit(&alice, &ghost), refused(Refusal::Invalid));
    for (member, envelope) in [(&bob, 1), (&carol, 2)] {
        let commit = space.invite(&alice, member, envelope);
        assert_eq!(world.commit(&alice, &commit), Reply::Done);
        space.accept(&commit);
    }
    let commit = space.deliver(&alice, &carol, 4);
    assert_eq!(world.commit(&alice, &commit), Reply::Done);
    space.accept(&commit);
    let reused = other.invite(&bob, &carol, 1);
    assert_eq!(world.commit(&bob, &reused), refused(Refusal::Exists));
    let commit = other.invite(&bob, &carol, 3);
    assert_eq!(world.commit(&bob, &commit), Reply::Done);
    other.accept(&commit);

    let mut ids = |user: &User, sender: &User, space, before: Option<u8>| {
        let count = 9;
        let body = RequestBody::Inbox {
            sender: sender.id,
            space,
            before: before.map(|id| EnvelopeId([id; 16])),
            count,
        };
        match world.ask(user, body) {
            Reply::Inbox(envelopes) => envelopes
                .iter()
                .map(|signed| signed.envelope.id.0[0])
                .collect::<Vec<_>>(),
            reply => panic!("{reply:?}"),
        }
    };
    assert_eq!(ids(&bob, &alice, None, None), [1]);
    assert_eq!(ids(&carol, &alice, None, None), [4, 2]);
    assert_eq!(ids(&carol, &alice, None, Some(4)), [2]);
    assert_eq!(ids(&carol, &bob, None, None), [3]);
    assert_eq!(ids(&carol, &bob, Some(other.head.space), None), [3]);
    assert_eq!(ids(&carol, &alice, Some(other.head.space), None), [0_u8; 0]);
    assert_eq!(ids(&carol, &alice, None, Some(2)), [0_u8; 0]);
    assert_eq!(ids(&carol, &alice, None, Some(1)), [0_u8; 0]);
    assert_eq!(ids(&carol, &alice, None, Some(3)), [0_u8; 0]);
    assert_eq!(ids(&alice, &bob, None, None), [0_u8; 0]);
}

#[test]
fn a_view_shows_the_roster_changes_asked_for_and_their_signers() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let (bob, _) = world.register("bob");
    let (carol, _) = world.register("carol");
    for (author, member, envelope) in [(&alice, &bob, 1), (&bob, &carol, 2)] {
        let commit = space.invite(author, member, envelope);
        assert_eq!(world.commit(author, &commit), Reply::Done);
        space.accept(&commit);
    }
    let commit = space.next(&carol, Vec::new());
    assert_eq!(world.commit(&carol, &commit), Reply::Done);
    space.accept(&commit);
    let mut shown = |from| {
        let mut request = space.read(Selection::Nothing);
        request.roster_from = RosterNumber(from);
        let View::Shown {
            head,
            records,
            roster,
            ..
        } = world.view(&alice, request)
        else {
            panic!("not shown");
        };
        if let Some(last) = roster.last() {
            assert_eq!(roster_hash(last), head.head.roster_hash);
        }
        let records: Vec<_> = records.iter().map(|record| record.record.user).collect();
        (roster.len(), records)
    };
    assert_eq!(shown(0), (3, vec![carol.id, alice.id, bob.id]));
    assert_eq!(shown(2), (1, vec![carol.id, bob.id]));
    assert_eq!(shown(3), (0, vec![carol.id]));
}

#[test]
fn replies_are_passed_on_byte_for_byte() {
    let mut world = World::new();
    let (alice, space) = world.register("alice");
    let request = Request {
        token: alice.token,
        body: RequestBody::Read {
            views: vec![ViewRequest {
                warm: Some(HeadHash([0; 32])),
                ..space.read(Selection::Nothing)
            }],
        },
    }
    .encode();
    let device = DeviceName::first("alice");
    let honest = world
        .native
        .handle(&mut world.versions.view(&device, 1), &request)
        .reply;
    let everyone = crate::selector::Audience::Everyone;
    let objects = world.versions.objects(&everyone);
    let head = objects
        .iter()
        .find(|object| object.key.kind.name() == "head")
        .unwrap();
    for bit in 0..(head.size as u64 * 8) {
        world.versions.heal();
        world.versions.flip(&head.key, bit, &everyone).unwrap();
        let shown = world
            .native
            .handle(&mut world.versions.view(&device, 1), &request)
            .reply;
        let differ = shown
            .iter()
            .zip(&honest)
            .filter(|(shown, honest)| shown != honest);
        assert_eq!(
            (differ.count(), shown.len()),
            (1, honest.len()),
            "bit {bit}"
        );
    }
    let rehearsed = world.native.clone();
    let mut rehearsed = rehearsed;
    let reply = rehearsed
        .handle(&mut world.versions.rehearsal(), &request)
        .reply;
    assert_eq!(reply, honest);
}

#[test]
fn a_store_that_lies_about_anything_is_answered_from() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let (bob, _) = world.register("bob");
    for step in 0..4 {
        let mut commit = space.next(&alice, sorted((0..20).map(|n| leaf(n, 0, step)).collect()));
        if step == 2 {
            commit = space.invite(&alice, &bob, 1);
        }
        commit.pack = Some(pack(u8::try_from(step).unwrap(), b"content"));
        assert_eq!(world.commit(&alice, &commit), Reply::Done);
        space.accept(&commit);
    }
    let stored = leaf(3, 0, 3).leaf.unwrap();
    let tags = (0..20).map(tag).collect();
    let from = Tag([0; 32]);
    let read = |select| RequestBody::Read {
        views: vec![space.read(select)],
    };
    let next = space.next(&alice, vec![leaf(7, 1, 1)]);
    let requests = [
        read(Selection::Tags(tags)),
        read(Selection::Page { from, count: 9 }),
        records(leaf_hash(&stored.0), 0, 9),
        RequestBody::Inbox {
            sender: alice.id,
            space: None,
            before: None,
            count: 9,
        },
        RequestBody::Commit(Box::new(next)),
    ];
    let everyone = crate::selector::Audience::Everyone;
    let device = DeviceName::first("alice");
    let mut shown = std::collections::BTreeSet::new();
    for object in world.versions.objects(&everyone) {
        for bit in (0..object.size as u64 * 8).step_by(797).chain([1, 8]) {
            let mut versions = world.versions.clone();
            versions.flip(&object.key, bit, &everyone).unwrap();
            for body in &requests {
                let body = body.clone();
                for token in [alice.token, bob.token] {
                    let request = Request {
                        token,
                        body: body.clone(),
                    };
                    let mut native = world.native.clone();
                    let mut view = versions.view(&device, 1);
                    shown.insert(native.handle(&mut view, &request.encode()).reply);
                }
            }
        }
    }
    assert!(shown.len() > 500, "{} replies", shown.len());
}
