//! What a writer may not say is refused without a key, each thing for its own reason.

use super::{Roster, Unfit, check_commit, fingerprint, sign_change, signable, space_id};
use crate::env::Entropy;
use crate::id::{
    DeviceId, Digest, EnvelopeId, Epoch, Fingerprint, HeadHash, Height, Locator, Realm,
    RosterNumber, SpaceId, UserId,
};
use crate::labels::Label;
use crate::limits::Limits;
use crate::primitive::hash::sha256;
use crate::primitive::rsa::{EXPONENT, KeySize};
use crate::secret::SigningKey;
use crate::tree::ZERO;
use crate::wire::{
    Blob, Commit, Envelope, Frame, Head, Key, PublicRecord, RosterAction, RosterChange,
    SignedEnvelope, SignedHead, SignedRecord,
};
use alloc::vec::Vec;

const REALM: Realm = Realm([9; 32]);

type SpoilEnvelope = fn(&House, &mut Envelope);
type SpoilRecord = fn(&mut SignedRecord);

/// A stream that never repeats.
struct Stream(u64);

impl Entropy for Stream {
    fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            self.0 += 1;
            let block = sha256(&self.0.to_be_bytes());
            part.copy_from_slice(&block[..part.len()]);
        }
    }
}

struct Person {
    id: UserId,
    signing: SigningKey,
    record: SignedRecord,
}

impl Person {
    fn new(number: u8) -> Self {
        let mut entropy = Stream(u64::from(number) << 32);
        let signing = SigningKey::generate(&mut entropy, KeySize::Bits2048);
        let key = Key {
            exponent: EXPONENT,
            modulus: signing.public().unwrap().modulus(),
        };
        let record = PublicRecord {
            realm: REALM,
            user: UserId([number; 32]),
            key_epoch: 1,
            encryption: key.clone(),
            signing: key,
        };
        let mut person = Self {
            id: record.user,
            signing,
            record: SignedRecord {
                record,
                signature: Blob::default(),
            },
        };
        let body = person.record.record.encode();
        person.record.signature = Blob(person.sign(Label::SignRecord, &body));
        person
    }

    fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.record.record)
    }

    fn sign(&self, label: Label, body: &[u8]) -> Vec<u8> {
        let message = signable(label, &REALM, &self.id, body);
        self.signing.sign(&mut Stream(1), &message).unwrap()
    }
}

/// Alice founded a space; bob is a member; dan has an account.
struct House {
    alice: Person,
    bob: Person,
    dan: Person,
    roster: Roster,
    head: Head,
    limits: Limits,
}

impl House {
    fn new() -> Self {
        let (alice, bob, dan) = (Person::new(1), Person::new(2), Person::new(3));
        let space = space_id(&REALM, &alice.id, &alice.fingerprint(), &[4; 32]);
        let genesis = RosterChange {
            space,
            number: RosterNumber(0),
            previous: ZERO,
            signer: alice.id,
            action: RosterAction::Genesis {
                fingerprint: alice.fingerprint(),
                salt: [4; 32],
            },
        };
        let genesis = sign_change(&REALM, &alice.signing, &mut Stream(2), genesis).unwrap();
        let roster = Roster::founded(&genesis, alice.fingerprint());
        let head = Head {
            space,
            height: Height(0),
            previous: HeadHash([0; 32]),
            history: ZERO,
            directory: ZERO,
            entries: 0,
            roster: roster.number,
            roster_hash: roster.hash,
            epoch: Epoch(1),
            commitment: Digest([5; 32]),
            author: alice.id,
            author_key: alice.fingerprint(),
            device: DeviceId([0; 16]),
            written_ms: 0,
            nonce: [0; 16],
        };
        let limits = Limits {
            roster_changes_max: 16,
            ..Limits::standard()
        };
        let mut house = Self {
            alice,
            bob,
            dan,
            roster,
            head,
            limits,
        };
        // The first head of all is judged as well.
        let mut first = house.commit(&house.alice);
        first.expect = None;
        first.roster.push(genesis);
        assert_eq!(house.judge(None, &first), Ok(house.roster.clone()));
        let mut jumped = first.clone();
        jumped.head.head.epoch = Epoch(7);
        house.seal(&house.alice, &mut jumped);
        assert_eq!(house.judge(None, &jumped), Err(Unfit::Epoch));
        first.head.head.space = SpaceId([0; 32]);
        house.seal(&house.alice, &mut first);
        assert_eq!(house.judge(None, &first), Err(Unfit::Roster));

        let add = house.add(&house.bob);
        let with_bob = house.change(&house.alice, add);
        house.roster = house.accepts(&with_bob);
        house.head = with_bob.head.head;
        house
    }

    fn judge(&self, newest: Option<(&Head, &Roster)>, commit: &Commit) -> Result<Roster, Unfit> {
        let people = [&self.alice, &self.bob, &self.dan];
        check_commit(&self.limits, newest, commit, &mut |user| {
            let found = people.iter().find(|person| person.id == *user);
            found.map(|person| person.record.clone())
        })
    }

    fn accepts(&self, commit: &Commit) -> Roster {
        self.judge(Some((&self.head, &self.roster)), commit)
            .unwrap()
    }

    fn refuses(&self, commit: &Commit) -> Unfit {
        self.judge(Some((&self.head, &self.roster)), commit)
            .unwrap_err()
    }

    fn seal(&self, author: &Person, commit: &mut Commit) {
        let body = commit.head.head.encode();
        commit.head.signature = Blob(author.sign(Label::SignHead, &body));
    }

    fn add(&self, person: &Person) -> RosterAction {
        RosterAction::Add {
            user: person.id,
            fingerprint: person.fingerprint(),
        }
    }

    fn commit(&self, author: &Person) -> Commit {
        let mut commit = Commit {
            locator: Locator([6; 32]),
            expect: Some(HeadHash([7; 32])),
            head: SignedHead {
                head: Head {
                    author: author.id,
                    author_key: author.fingerprint(),
                    ..self.head.clone()
                },
                signature: Blob::default(),
            },
            moves_to: None,
            roster: Vec::new(),
            envelopes: Vec::new(),
            leaves: Vec::new(),
            pack: None,
        };
        self.seal(author, &mut commit);
        commit
    }

    /// A commit with one change, signed by its author.
    fn change(&self, author: &Person, action: RosterAction) -> Commit {
        let change = self.roster.change(self.head.space, author.id, action);
        let signed = sign_change(&REALM, &author.signing, &mut Stream(3), change).unwrap();
        let after = self.roster.after(&signed);
        let mut commit = self.commit(author);
        commit.roster.push(signed);
        commit.head.head.roster = after.number;
        commit.head.head.roster_hash = after.hash;
        self.seal(author, &mut commit);
        commit
    }

    fn envelope(&self, sender: &Person, to: &Person) -> SignedEnvelope {
        let mut signed = SignedEnvelope {
            envelope: Envelope {
                id: EnvelopeId([8; 16]),
                space: self.head.space,
                epoch: self.head.epoch,
                role: 1,
                sender: sender.id,
                sender_key: sender.fingerprint(),
                recipient: to.id,
                recipient_key: to.fingerprint(),
                wrapped: Blob::default(),
                note: Blob::default(),
            },
            signature: Blob::default(),
        };
        signed.signature = Blob(sender.sign(Label::SignEnvelope, &signed.envelope.encode()));
        signed
    }
}

#[test]
fn a_member_writes_invites_and_is_believed() {
    let house = House::new();
    assert_eq!(house.accepts(&house.commit(&house.bob)), house.roster);
    let mut invites = house.change(&house.bob, house.add(&house.dan));
    invites
        .envelopes
        .push(house.envelope(&house.bob, &house.dan));
    let roster = house.accepts(&invites);
    assert_eq!(roster.members[&house.dan.id].inviter, Some(house.bob.id));
}

#[test]
fn a_head_that_nobody_believes_is_refused() {
    let house = House::new();
    let mut unsigned = house.commit(&house.bob);
    unsigned.head.signature.0[0] ^= 1;
    assert_eq!(house.refuses(&unsigned), Unfit::Signature);
    // In the owner's name.
    let mut relabelled = house.commit(&house.alice);
    house.seal(&house.bob, &mut relabelled);
    assert_eq!(house.refuses(&relabelled), Unfit::Signature);
    assert_eq!(house.refuses(&house.commit(&house.dan)), Unfit::Author);
    let mut other_keys = house.commit(&house.bob);
    other_keys.head.head.author_key = house.dan.fingerprint();
    house.seal(&house.bob, &mut other_keys);
    assert_eq!(house.refuses(&other_keys), Unfit::Author);
    let mut other_log = house.commit(&house.bob);
    other_log.head.head.roster_hash = Digest([1; 32]);
    house.seal(&house.bob, &mut other_log);
    assert_eq!(house.refuses(&other_log), Unfit::Roster);
}

#[test]
fn only_the_owner_begins_an_epoch() {
    let house = House::new();
    for (author, epoch, unfit) in [
        (&house.bob, 2, Some(Unfit::Epoch)),
        (&house.alice, 3, Some(Unfit::Epoch)),
        (&house.alice, 2, None),
    ] {
        let mut moves = house.commit(author);
        moves.head.head.epoch = Epoch(epoch);
        moves.head.head.commitment = Digest([1; 32]);
        house.seal(author, &mut moves);
        let judged = house.judge(Some((&house.head, &house.roster)), &moves);
        assert_eq!(judged.err(), unfit);
    }
    let mut other_key = house.commit(&house.bob);
    other_key.head.head.commitment = Digest([1; 32]);
    house.seal(&house.bob, &mut other_key);
    assert_eq!(house.refuses(&other_key), Unfit::Epoch);
    // A removal goes with a new key.
    let remove = RosterAction::Remove { user: house.bob.id };
    let mut removal = house.change(&house.alice, remove);
    assert_eq!(house.refuses(&removal), Unfit::Epoch);
    removal.head.head.epoch = Epoch(2);
    house.seal(&house.alice, &mut removal);
    assert!(!house.accepts(&removal).members.contains_key(&house.bob.id));
}

#[test]
fn changes_that_are_not_permitted_are_refused() {
    let house = House::new();
    let remove = RosterAction::Remove {
        user: house.alice.id,
    };
    assert_eq!(
        house.refuses(&house.change(&house.bob, remove)),
        Unfit::Roster
    );
    let outsider = house.change(&house.dan, house.add(&house.dan));
    assert_eq!(house.refuses(&outsider), Unfit::Roster);
    let mut unsigned = house.change(&house.bob, house.add(&house.dan));
    unsigned.roster[0].signature.0[0] ^= 1;
    assert_eq!(house.refuses(&unsigned), Unfit::Roster);
    let nobody = RosterAction::Add {
        user: UserId([0; 32]),
        fingerprint: house.dan.fingerprint(),
    };
    assert_eq!(
        house.refuses(&house.change(&house.bob, nobody)),
        Unfit::Record
    );
    let other_keys = RosterAction::Add {
        user: house.dan.id,
        fingerprint: house.bob.fingerprint(),
    };
    let other_keys = house.change(&house.bob, other_keys);
    assert_eq!(house.refuses(&other_keys), Unfit::Record);
}

#[test]
fn envelopes_are_the_authors_for_members_and_of_this_epoch() {
    let house = House::new();
    let ways: [SpoilEnvelope; 5] = [
        |_, envelope| envelope.epoch = Epoch(1 << 40),
        |_, envelope| envelope.role = 9,
        |house, envelope| envelope.sender = house.alice.id,
        |house, envelope| envelope.recipient = house.dan.id,
        |house, envelope| envelope.recipient_key = house.dan.fingerprint(),
    ];
    for spoil in ways {
        let mut commit = house.commit(&house.bob);
        let mut signed = house.envelope(&house.bob, &house.alice);
        spoil(&house, &mut signed.envelope);
        let body = signed.envelope.encode();
        signed.signature = Blob(house.bob.sign(Label::SignEnvelope, &body));
        commit.envelopes.push(signed);
        assert_eq!(house.refuses(&commit), Unfit::Envelope);
    }
    let mut commit = house.commit(&house.bob);
    let sent = house.envelope(&house.bob, &house.alice);
    commit.envelopes.push(sent.clone());
    house.accepts(&commit);
    commit.envelopes[0].signature.0[0] ^= 1;
    assert_eq!(house.refuses(&commit), Unfit::Envelope);
    // No more than there are members.
    commit.envelopes = alloc::vec![sent; 3];
    assert_eq!(house.refuses(&commit), Unfit::Envelope);
}

#[test]
fn keys_that_are_weak_or_not_signed_found_nothing() {
    let ways: [SpoilRecord; 4] = [
        |signed| signed.signature.0[0] ^= 1,
        |signed| signed.record.signing.exponent = 3,
        |signed| signed.record.encryption.modulus.truncate(128),
        |signed| signed.record.user = UserId([0; 32]),
    ];
    for spoil in ways {
        let mut house = House::new();
        spoil(&mut house.bob.record);
        // The record is found by its name in the house, whatever it says.
        let mut commit = house.commit(&house.bob);
        commit.head.head.author_key = house.roster.members[&house.bob.id].fingerprint;
        house.seal(&house.bob, &mut commit);
        assert_eq!(house.refuses(&commit), Unfit::Record);
    }
}

#[test]
fn a_full_log_has_room_for_the_owner_and_for_every_removal() {
    let mut house = House::new();
    let filler = |number: usize| RosterAction::Add {
        user: UserId([100 + u8::try_from(number).unwrap(); 32]),
        fingerprint: Fingerprint([0; 32]),
    };
    // Unsigned, as a server would let them in that judges nobody.
    let fill = |house: &mut House, author: UserId, max: u64| {
        let mut count = 0;
        while house.roster.has_room(&author, max) {
            let action = filler(house.roster.members.len());
            let change = house.roster.change(house.head.space, author, action);
            house.roster.apply(&crate::wire::SignedRosterChange {
                change,
                signature: Blob::default(),
            });
            count += 1;
        }
        count
    };
    let (alice, bob) = (house.alice.id, house.bob.id);
    // Two changes and two members; each of these is one more change and one more to remove.
    assert_eq!(fill(&mut house, bob, 16), 2);
    house.head.roster = house.roster.number;
    house.head.roster_hash = house.roster.hash;
    let full = house.change(&house.bob, house.add(&house.dan));
    assert_eq!(house.refuses(&full), Unfit::Full);
    let owners = house.change(&house.alice, house.add(&house.dan));
    house.accepts(&owners);
    assert_eq!(fill(&mut house, alice, 16), 4);
    house.head.roster = house.roster.number;
    house.head.roster_hash = house.roster.hash;
    let full = house.change(&house.alice, house.add(&house.dan));
    assert_eq!(house.refuses(&full), Unfit::Full);
    // Everybody can still be removed, one by one.
    while house.roster.members.len() > 1 {
        let member = *house
            .roster
            .members
            .keys()
            .rfind(|id| **id != alice)
            .unwrap();
        let mut removal = house.change(&house.alice, RosterAction::Remove { user: member });
        removal.head.head.epoch = house.head.epoch.next();
        house.seal(&house.alice, &mut removal);
        house.roster = house.accepts(&removal);
        house.head = removal.head.head;
        assert!(house.roster.number.0 < 16);
    }
}

#[test]
fn a_removal_takes_everybody_below_and_nobody_else() {
    let mut house = House::new();
    let (alice, bob) = (house.alice.id, house.bob.id);
    let user = |number: u8| UserId([number; 32]);
    for (signer, added) in [(bob, 10), (user(10), 11), (alice, 12), (user(11), 13)] {
        let action = RosterAction::Add {
            user: user(added),
            fingerprint: Fingerprint([0; 32]),
        };
        let change = house.roster.change(house.head.space, signer, action);
        house.roster.apply(&crate::wire::SignedRosterChange {
            change,
            signature: Blob::default(),
        });
    }
    let removal = house.change(&house.alice, RosterAction::Remove { user: bob });
    let after = house.roster.after(&removal.roster[0]);
    let left: Vec<UserId> = after.members.into_keys().collect();
    assert_eq!(left, [alice, user(12)]);
    assert_eq!(after.removals, 1);
}
