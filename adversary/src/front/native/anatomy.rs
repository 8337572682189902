//! What a server reads in requests of the native front: which ids, and which numbers.

use turncoat_core::wire::{
    AtHeight, Commit, Frame as _, Head, LeafChange, Range, RecordRange, Request, RequestBody,
    Selection, ViewRequest,
};

use crate::oracle::Anatomy;

/// The anatomy of the native front's requests. One that does not decode has a length alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests;

impl Anatomy for Requests {
    fn ids(&self, _: &str, request: &[u8]) -> Vec<Vec<Vec<u8>>> {
        parts(request).ids
    }

    fn numbers(&self, _: &str, request: &[u8]) -> Vec<u64> {
        parts(request).numbers
    }
}

#[derive(Default)]
struct Parts {
    ids: Vec<Vec<Vec<u8>>>,
    numbers: Vec<u64>,
}

fn parts(request: &[u8]) -> Parts {
    let mut parts = Parts::default();
    if let Ok(request) = Request::decode(request) {
        parts.id(&request.token.0);
        parts.body(&request.body);
    }
    parts
}

impl Parts {
    fn id(&mut self, id: &[u8]) {
        self.ids.push(vec![id.to_vec()]);
    }

    /// Ids in the order of their values, which are as good as random.
    fn sorted<'i>(&mut self, ids: impl Iterator<Item = &'i [u8]>) {
        self.ids.push(ids.map(<[u8]>::to_vec).collect());
    }

    /// An id that need not be there: whether it is, is a number.
    fn perhaps(&mut self, id: Option<&[u8]>) {
        self.number(u64::from(id.is_some()));
        if let Some(id) = id {
            self.id(id);
        }
    }

    fn number(&mut self, number: impl Into<u64>) {
        self.numbers.push(number.into());
    }

    fn count(&mut self, count: usize) {
        self.numbers.push(count as u64);
    }

    fn body(&mut self, body: &RequestBody) {
        match body {
            RequestBody::Kdf { user }
            | RequestBody::Login { user, .. }
            | RequestBody::Lookup { user } => self.id(&user.0),
            RequestBody::Register {
                kdf, record, space, ..
            } => {
                self.id(&record.record.user.0);
                self.number(kdf.suite);
                self.number(kdf.iterations);
                self.commit(space);
            }
            RequestBody::Read { views } => {
                self.count(views.len());
                for view in views {
                    self.view(view);
                }
            }
            RequestBody::Segments { ranges } => {
                self.count(ranges.len());
                for RecordRange { leaf, from, count } in ranges {
                    self.id(&leaf.0);
                    self.number(*from);
                    self.number(*count);
                }
            }
            RequestBody::Fetch { ranges } => {
                self.count(ranges.len());
                for Range {
                    pack,
                    offset,
                    length,
                } in ranges
                {
                    self.id(&pack.0);
                    self.number(*offset);
                    self.number(*length);
                }
            }
            RequestBody::Store { pack } => {
                self.id(&pack.id.0);
                self.count(pack.bytes.0.len());
            }
            RequestBody::Commit(commit) => self.commit(commit),
            RequestBody::Inbox {
                sender,
                space,
                before,
                count,
            } => {
                self.id(&sender.0);
                self.perhaps(space.as_ref().map(|space| &space.0[..]));
                self.perhaps(before.as_ref().map(|before| &before.0[..]));
                self.number(*count);
            }
        }
    }

    fn view(&mut self, view: &ViewRequest) {
        self.id(&view.locator.0);
        self.number(match view.at {
            AtHeight::Newest => 0,
            AtHeight::Exactly(height) => 1 + height.0,
        });
        self.number(view.trusted.map_or(0, |trusted| 1 + trusted.height.0));
        self.perhaps(view.trusted.as_ref().map(|trusted| &trusted.head.0[..]));
        self.perhaps(view.warm.as_ref().map(|warm| &warm.0[..]));
        self.number(view.roster_from.0);
        match &view.select {
            Selection::Nothing => self.number(0_u8),
            Selection::Tags(tags) => {
                self.number(1_u8);
                self.count(tags.len());
                self.sorted(tags.iter().map(|tag| &tag.0[..]));
            }
            Selection::Page { from, count } => {
                self.number(2_u8);
                self.id(&from.0);
                self.number(*count);
            }
        }
    }

    fn commit(&mut self, commit: &Commit) {
        self.id(&commit.locator.0);
        self.perhaps(commit.expect.as_ref().map(|head| &head.0[..]));
        self.head(&commit.head.head);
        self.perhaps(commit.moves_to.as_ref().map(|place| &place.0[..]));
        self.count(commit.roster.len());
        self.count(commit.envelopes.len());
        for envelope in &commit.envelopes {
            let envelope = &envelope.envelope;
            self.id(&envelope.space.0);
            self.id(&envelope.sender.0);
            self.id(&envelope.recipient.0);
            self.number(envelope.epoch.0);
            self.count(envelope.wrapped.0.len());
            self.count(envelope.note.0.len());
        }
        self.leaves(&commit.leaves);
        if let Some(pack) = &commit.pack {
            self.id(&pack.id.0);
            self.count(pack.bytes.0.len());
        }
    }

    /// Changes of leaves come in the order of their tags.
    fn leaves(&mut self, leaves: &[LeafChange]) {
        self.count(leaves.len());
        self.sorted(leaves.iter().map(|leaf| &leaf.tag.0[..]));
        let records = leaves.iter().flat_map(|leaf| &leaf.add);
        self.sorted(records.map(|record| &record.pack.0[..]));
        let numbers = leaves.iter().map(|leaf| {
            let LeafChange {
                leaf, keep, add, ..
            } = leaf;
            let sizes = [leaf.as_ref().map_or(0, |leaf| 1 + leaf.0.len()), add.len()];
            let records = add.iter().flat_map(|record| {
                [record.offset, record.length, u32::from(record.key_index)].map(u64::from)
            });
            let sizes = sizes.map(|size| size as u64).into_iter();
            let numbers = sizes.chain([u64::from(*keep)]).chain(records);
            numbers.collect::<Vec<u64>>()
        });
        let mut numbers: Vec<Vec<u64>> = numbers.collect();
        numbers.sort_unstable();
        self.numbers.extend(numbers.into_iter().flatten());
    }

    fn head(&mut self, head: &Head) {
        self.id(&head.space.0);
        self.number(head.height.0);
        self.id(&head.previous.0);
        self.number(head.entries);
        self.number(head.roster.0);
        self.number(head.epoch.0);
        self.id(&head.commitment.0);
        self.id(&head.author.0);
        self.id(&head.device.0);
        self.number(head.written_ms);
    }
}
