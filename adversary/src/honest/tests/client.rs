//! A client without secrets, for tests of the rules: trees and signatures are right, and nothing
//! under them opens.

use turncoat_core::Limits;
use turncoat_core::id::{
    DeviceId, Digest, EnvelopeId, Epoch, Fingerprint, HeadHash, Height, LeafHash, LeafId, Locator,
    PackId, Realm, RosterNumber, SpaceId, Tag, Token, UserId,
};
use turncoat_core::tree::{Mountain, ZERO, directory, head_hash, history_leaf, leaf_hash};
use turncoat_core::tree::{roster_hash, segment_hash, segment_leaf};
use turncoat_core::wire::{
    AtHeight, Blob, Commit, Envelope, Frame, Head, HistoryNode, KdfParams, KeyBag, Leaf,
    LeafChange, Pack, PartialTrie, Reader, RecordRange, Reply, Request, RequestBody, RosterAction,
    RosterChange, SegmentRecord, Selection, SignedEnvelope, SignedHead, SignedRecord,
    SignedRosterChange, View, ViewRequest, Wire,
};

use crate::acts::collude::{Colluder, Scheme, user_id};
use crate::client::DeviceName;
use crate::decryptor::formula::hash;
use crate::honest::native::{Handled, Native, Settings};
use crate::honest::storage::encoded;
use crate::honest::store::Versions;
use crate::pool;

pub(super) const ITERATIONS: u32 = 1000;

/// A server and its store.
pub(super) struct World {
    pub(super) versions: Versions,
    pub(super) native: Native,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            versions: Versions::new(),
            native: Native::new(Settings {
                secret: [7; 32],
                lifetime: [0; 32],
                iterations: ITERATIONS,
                limits: Limits::standard(),
            }),
        }
    }

    pub(super) fn handle(&mut self, user: &User, body: RequestBody) -> Handled {
        let request = Request {
            token: user.token,
            body,
        };
        let device = DeviceName::first(user.name);
        let mut view = self.versions.view(&device, 0);
        self.native.handle(&mut view, &request.encode())
    }

    /// The reply, which must be the canonical encoding of something.
    pub(super) fn ask(&mut self, user: &User, body: RequestBody) -> Reply {
        let bytes = self.handle(user, body).reply;
        let reply = Reply::decode(&bytes).unwrap();
        assert_eq!(reply.encode(), bytes);
        reply
    }

    /// Commits what may have been changed since it was signed.
    pub(super) fn commit(&mut self, user: &User, commit: &Commit) -> Reply {
        let mut commit = commit.clone();
        commit.head = user.seal(&commit.head);
        self.ask(user, RequestBody::Commit(Box::new(commit)))
    }

    pub(super) fn register(&mut self, name: &'static str) -> (User, Space) {
        let mut user = User::new(name);
        let mut space = Space::new(&user, name.as_bytes()[0]);
        let commit = space.next(&user, Vec::new());
        let reply = self.ask(&user, user.register(&commit));
        let Reply::Registered { token } = reply else {
            panic!("{reply:?}");
        };
        user.token = token;
        space.accept(&commit);
        let pack = pack(RECORDED, &[0; 1024]);
        assert_eq!(self.ask(&user, RequestBody::Store { pack }), Reply::Done);
        (user, space)
    }

    pub(super) fn view(&mut self, user: &User, request: ViewRequest) -> View {
        let views = vec![request];
        match self.ask(user, RequestBody::Read { views }) {
            Reply::Views(mut views) if views.len() == 1 => views.remove(0),
            reply => panic!("{reply:?}"),
        }
    }
}

/// Asks for records of one leaf.
pub(super) fn records(leaf: LeafHash, from: u32, count: u32) -> RequestBody {
    let ranges = vec![RecordRange { leaf, from, count }];
    RequestBody::Segments { ranges }
}

/// The deployment.
const REALM: Realm = Realm([7; 32]);

pub(super) struct User {
    pub(super) name: &'static str,
    pub(super) id: UserId,
    pub(super) token: Token,
    keys: Colluder,
}

impl User {
    pub(super) fn new(name: &'static str) -> Self {
        let identities = pool::identities();
        let number = usize::from(name.as_bytes()[0]) % identities.len();
        Self {
            name,
            id: user_id(&REALM, name),
            token: Token([0; 32]),
            keys: Colluder::new(REALM, name, &identities[number]).unwrap(),
        }
    }

    pub(super) fn record(&self) -> SignedRecord {
        Reader::all(&self.keys.record().unwrap(), SignedRecord::read).unwrap()
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.keys.fingerprint().unwrap()
    }

    /// A head, a change or an envelope, signed.
    pub(super) fn seal<T: Wire>(&self, what: &T) -> T {
        let signed = self.keys.signed(&encoded(what), Scheme::Pss).unwrap();
        Reader::all(&signed, T::read).unwrap()
    }

    pub(super) fn kdf() -> KdfParams {
        KdfParams {
            suite: 1,
            iterations: ITERATIONS,
            salt_seed: [3; 32],
        }
    }

    pub(super) fn proof(&self) -> [u8; 32] {
        self.id.0
    }

    pub(super) fn bag(&self) -> KeyBag {
        KeyBag {
            user: self.id,
            kdf: Self::kdf(),
            commitment: [0; 32],
            nonce: [0; 12],
            sealed: Blob(vec![2; 80]),
        }
    }

    pub(super) fn register(&self, space: &Commit) -> RequestBody {
        RequestBody::Register {
            kdf: Self::kdf(),
            proof: self.proof(),
            record: self.record(),
            bag: self.bag(),
            space: Box::new(space.clone()),
        }
    }
}

/// A space as its members know it.
#[derive(Clone)]
pub(super) struct Space {
    pub(super) head: Head,
    pub(super) hash: Option<HeadHash>,
    pub(super) locator: Locator,
    pub(super) range: Mountain<HistoryNode>,
    pub(super) trie: PartialTrie,
    salt: [u8; 32],
}

impl Space {
    pub(super) fn new(owner: &User, name: u8) -> Self {
        let salt = [name; 32];
        let key = owner.fingerprint();
        let id = hash("space", &[&REALM.0, &owner.id.0, &key.0, &salt]);
        Self {
            salt,
            head: Head {
                space: SpaceId(id),
                height: Height(0),
                previous: HeadHash([0; 32]),
                history: ZERO,
                directory: ZERO,
                entries: 0,
                roster: RosterNumber(0),
                roster_hash: ZERO,
                epoch: Epoch(1),
                commitment: ZERO,
                author: owner.id,
                author_key: key,
                device: DeviceId([0; 16]),
                written_ms: 0,
                nonce: [0; 16],
            },
            hash: None,
            locator: Locator([name; 32]),
            range: Mountain::new(),
            trie: PartialTrie::Empty,
        }
    }

    /// The commit of these changes on top of the accepted head.
    pub(super) fn next(&self, author: &User, leaves: Vec<LeafChange>) -> Commit {
        self.commit(author, leaves, None)
    }

    pub(super) fn moving(&self, author: &User, leaves: Vec<LeafChange>, to: Locator) -> Commit {
        self.commit(author, leaves, Some(to))
    }

    fn commit(&self, author: &User, leaves: Vec<LeafChange>, to: Option<Locator>) -> Commit {
        let mut head = self.head.clone();
        let mut roster = Vec::new();
        if let Some(previous) = self.hash {
            head.height = head.height.next();
            head.previous = previous;
        } else {
            let genesis = RosterAction::Genesis {
                fingerprint: author.fingerprint(),
                salt: self.salt,
            };
            let genesis = self.roster_change(author, genesis);
            head.roster_hash = roster_hash(&genesis);
            roster.push(genesis);
        }
        let mut trie = self.trie.clone();
        if to.is_some() {
            head.epoch = head.epoch.next();
            head.entries = 0;
            trie = PartialTrie::Empty;
        }
        for change in &leaves {
            let leaf = change.leaf.as_ref().map(|Blob(bytes)| leaf_hash(bytes));
            let before = directory::set(&mut trie, &change.tag, leaf).unwrap();
            head.entries += u64::from(leaf.is_some());
            head.entries -= u64::from(before.is_some());
        }
        head.directory = directory::root_of(&trie);
        head.history = self.range.root();
        head.author = author.id;
        head.author_key = author.fingerprint();
        head.nonce[0] = head.nonce[0].wrapping_add(1);
        Commit {
            locator: self.locator,
            expect: self.hash,
            head: author.seal(&SignedHead {
                head,
                signature: Blob::default(),
            }),
            moves_to: to,
            roster,
            envelopes: Vec::new(),
            leaves,
            pack: None,
        }
    }

    fn roster_change(&self, signer: &User, action: RosterAction) -> SignedRosterChange {
        let first = self.hash.is_none();
        let number = self.head.roster;
        signer.seal(&SignedRosterChange {
            change: RosterChange {
                space: self.head.space,
                number: if first { number } else { number.next() },
                previous: self.head.roster_hash,
                signer: signer.id,
                action,
            },
            signature: Blob::default(),
        })
    }

    /// The commit of one more member, with the member's envelope.
    pub(super) fn invite(&self, author: &User, member: &User, envelope: u8) -> Commit {
        let mut commit = self.next(author, Vec::new());
        let add = RosterAction::Add {
            user: member.id,
            fingerprint: member.fingerprint(),
        };
        let change = self.roster_change(author, add);
        commit.head.head.roster = change.change.number;
        commit.head.head.roster_hash = roster_hash(&change);
        commit.roster.push(change);
        commit.envelopes.push(author.seal(&SignedEnvelope {
            envelope: Envelope {
                id: EnvelopeId([envelope; 16]),
                space: self.head.space,
                epoch: self.head.epoch,
                role: 1,
                sender: author.id,
                sender_key: author.fingerprint(),
                recipient: member.id,
                recipient_key: member.fingerprint(),
                wrapped: Blob(vec![7; 256]),
                note: Blob(vec![8; 40]),
            },
            signature: Blob::default(),
        }));
        commit.head = author.seal(&commit.head);
        commit
    }

    /// One more envelope for a member.
    pub(super) fn deliver(&self, author: &User, member: &User, envelope: u8) -> Commit {
        let mut commit = self.invite(author, member, envelope);
        commit.roster.clear();
        commit.head.head.roster = self.head.roster;
        commit.head.head.roster_hash = self.head.roster_hash;
        commit.head = author.seal(&commit.head);
        commit
    }

    /// The commit of one member less, whose key nobody has who was removed.
    pub(super) fn remove(&self, author: &User, member: &User, to: Locator) -> Commit {
        let mut commit = self.moving(author, Vec::new(), to);
        let change = self.roster_change(author, RosterAction::Remove { user: member.id });
        commit.head.head.roster = change.change.number;
        commit.head.head.roster_hash = roster_hash(&change);
        commit.roster.push(change);
        commit.head = author.seal(&commit.head);
        commit
    }

    /// Takes the commit's head as the newest one.
    pub(super) fn accept(&mut self, commit: &Commit) {
        let hash = head_hash(&commit.head);
        self.head = commit.head.head.clone();
        self.hash = Some(hash);
        let leaf = history_leaf(&hash, self.head.roster, self.head.epoch);
        self.range.push(leaf).unwrap();
        if let Some(to) = commit.moves_to {
            self.trie = PartialTrie::Empty;
            self.locator = to;
        }
        for change in &commit.leaves {
            let leaf = change.leaf.as_ref().map(|Blob(bytes)| leaf_hash(bytes));
            directory::set(&mut self.trie, &change.tag, leaf).unwrap();
        }
    }

    /// Asks for the newest head, knowing nothing.
    pub(super) fn read(&self, select: Selection) -> ViewRequest {
        ViewRequest {
            locator: self.locator,
            at: AtHeight::Newest,
            trusted: None,
            warm: None,
            roster_from: RosterNumber(0),
            select,
        }
    }
}

pub(super) fn tag(number: u16) -> Tag {
    let mut bytes = [0; 32];
    // Spread over the trie, with a few pairs that share their first 16 bits.
    bytes[0] = ((number >> 1) as u8).reverse_bits();
    bytes[1] = (number >> 9) as u8;
    bytes[31] = (number & 1) as u8;
    Tag(bytes)
}

/// A leaf of so many segments, of which the last ones are new.
pub(super) fn leaf(number: u16, keep: u32, add: u32) -> LeafChange {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    id[2..6].copy_from_slice(&keep.to_be_bytes());
    let mut range = Mountain::new();
    for number in 0..keep + add {
        range.push(segment_leaf(&record(number))).unwrap();
    }
    let stored = Leaf {
        id: LeafId(id),
        segments: keep + add,
        root: range.root(),
        sealed: Blob(vec![3; 1000]),
    };
    LeafChange {
        tag: tag(number),
        leaf: Some(Blob(stored.encode())),
        keep,
        add: (keep..keep + add).map(record).collect(),
    }
}

pub(super) fn removed(number: u16) -> LeafChange {
    LeafChange {
        tag: tag(number),
        leaf: None,
        keep: 0,
        add: Vec::new(),
    }
}

/// The changes in the order that commits must have.
pub(super) fn sorted(mut leaves: Vec<LeafChange>) -> Vec<LeafChange> {
    leaves.sort_by_key(|change| change.tag);
    leaves
}

/// The pack that the records of these tests name. It is there.
const RECORDED: u8 = 0xee;

pub(super) fn record(number: u32) -> SegmentRecord {
    let pack = PackId([RECORDED; 16]);
    let sealed = number.to_be_bytes();
    SegmentRecord {
        pack,
        offset: number * 4,
        length: 4,
        key_index: 0,
        hash: segment_hash(&pack, &sealed),
    }
}

pub(super) fn pack(id: u8, bytes: &[u8]) -> Pack {
    Pack {
        id: PackId([id; 16]),
        bytes: Blob(bytes.to_vec()),
    }
}

pub(super) fn root(head: &Head) -> Digest {
    head.directory
}
