//! The rules of an honest data and key server for the native messages.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use turncoat_core::id::{HeadHash, Height, PackId, SpaceId, Token, UserId};
use turncoat_core::wire::{
    Blob, Commit, Frame, KdfParams, KeyBag, Pack, Range, Reader, RecordRange, Refusal, Reply,
    Request, RequestBody, SignedRecord, VERSION, Wire, Writer,
};
use turncoat_core::{Limits, SEGMENTS_MAX};

use super::commit::{self, Terms};
use super::storage::{Batch, Key, Kind, Storage, encoded};
use super::{read, segments};

/// Bytes that one reply or request carries at most, beside what describes them.
pub(super) const CONTENT_MAX: u64 = (8 << 20) - (64 << 10);
/// Bytes of a pack at most.
const PACK_MAX: usize = 6 << 20;

/// What a deployment sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Makes what the server invents: tokens, and the derivation of users that do not exist.
    pub secret: [u8; 32],
    /// Makes the tokens of one lifetime unlike those of another; zero where there is one alone.
    pub lifetime: [u8; 32],
    /// The iterations that users who do not exist seem to have; what clients of the deployment use.
    pub iterations: u32,
    /// The bounds that clients of the deployment hold each other to.
    pub limits: Limits,
}

/// Whether it is verified what a writer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// As an honest server does: nothing is stored for which clients would have to blame it.
    All,
    /// Only that it can be stored. So does a server that is in league with a writer.
    None,
}

/// The server. What it must not forget is in the store; here are the logins of its own lifetime.
#[derive(Clone, Debug)]
pub struct Native {
    settings: Settings,
    logins: BTreeMap<Token, UserId>,
}

/// A head that became the newest one of its space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The space.
    pub space: SpaceId,
    /// The head.
    pub head: HeadHash,
    /// The head before; zero for the first.
    pub previous: HeadHash,
    /// Its height.
    pub height: Height,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The encoded [`Reply`].
    pub reply: Vec<u8>,
    /// The head that the request made the newest one.
    pub published: Option<Published>,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
}

impl Handled {
    /// A refusal, and nothing else.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        Self {
            reply: Reply::Refused(refusal).encode(),
            published: None,
            refusal: Some(refusal),
        }
    }

    fn of(answer: Result<Answer, Refusal>) -> Self {
        match answer {
            Ok(Answer::Encoded(reply)) => Self {
                reply,
                published: None,
                refusal: None,
            },
            Ok(Answer::Taken(published)) => Self {
                reply: Reply::Done.encode(),
                published: Some(published),
                refusal: None,
            },
            Err(refusal) => Self::refused(refusal),
        }
    }
}

/// What the rules decided.
pub(super) enum Answer {
    /// An encoded reply.
    Encoded(Vec<u8>),
    /// A head was taken.
    Taken(Published),
}

impl Answer {
    fn whole(reply: &Reply) -> Self {
        Self::Encoded(reply.encode())
    }
}

impl Native {
    /// A server to which nobody is logged in.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            logins: BTreeMap::new(),
        }
    }

    /// Handles an encoded [`Request`].
    pub fn handle(&mut self, storage: &mut impl Storage, request: &[u8]) -> Handled {
        self.handle_with(storage, request, Checks::All)
    }

    /// Handles an encoded [`Request`], and verifies no more of what its writer says than that.
    pub fn handle_with(
        &mut self,
        storage: &mut impl Storage,
        request: &[u8],
        checks: Checks,
    ) -> Handled {
        match Request::decode(request) {
            Ok(request) => Handled::of(self.answer(storage, &request, checks)),
            Err(_) => Handled::refused(Refusal::Invalid),
        }
    }

    /// Handles a [`Request`].
    pub fn handle_decoded(&mut self, storage: &mut impl Storage, request: &Request) -> Handled {
        Handled::of(self.answer(storage, request, Checks::All))
    }

    /// The user who logged in with this token.
    #[must_use]
    pub fn user_of(&self, token: &Token) -> Option<UserId> {
        self.logins.get(token).copied()
    }

    fn answer(
        &mut self,
        storage: &mut impl Storage,
        request: &Request,
        checks: Checks,
    ) -> Result<Answer, Refusal> {
        let terms = Terms {
            limits: self.settings.limits,
            checks,
        };
        let user = self.logins.get(&request.token).copied();
        let user = user.ok_or(Refusal::Unauthenticated);
        match &request.body {
            RequestBody::Kdf { user } => self.kdf(storage, user),
            RequestBody::Register {
                kdf,
                proof,
                record,
                bag,
                space,
            } => self.register(storage, &terms, (kdf, *proof), (record, bag), space),
            RequestBody::Login { user, proof } => self.login(storage, *user, proof),
            RequestBody::Lookup { user } => lookup(storage, user),
            RequestBody::Read { views } => {
                user?;
                read::views(storage, views).map(Answer::Encoded)
            }
            RequestBody::Segments { ranges } => {
                user?;
                records(storage, ranges)
            }
            RequestBody::Fetch { ranges } => {
                user?;
                fetch(storage, ranges)
            }
            RequestBody::Store { pack } => {
                user?;
                store(storage, pack)
            }
            RequestBody::Commit(commit) => take(storage, &terms, &user?, commit),
            RequestBody::Inbox {
                sender,
                space,
                before,
                count,
            } => {
                read::inbox(storage, (&user?, sender), *space, *before, *count).map(Answer::Encoded)
            }
        }
    }

    /// Handles a request that is about packs alone, of a user who is logged in. Packs never
    /// change, so that such requests need no order among the others.
    ///
    /// `None` if it is about something else.
    pub fn handle_packs(storage: &mut impl Storage, body: &RequestBody) -> Option<Handled> {
        let answer = match body {
            RequestBody::Fetch { ranges } => fetch(storage, ranges),
            RequestBody::Store { pack } => store(storage, pack),
            _ => return None,
        };
        Some(Handled::of(answer))
    }

    /// A user that does not exist looks like one that does, and always the same.
    fn kdf(&self, storage: &impl Storage, user: &UserId) -> Result<Answer, Refusal> {
        let params = match Account::load(storage, user)? {
            Some(account) => account.kdf,
            None => KdfParams {
                suite: 1,
                iterations: self.settings.iterations,
                salt_seed: self.invent(b"salt", user.as_bytes()),
            },
        };
        Ok(Answer::whole(&Reply::Kdf(params)))
    }

    /// Account and space come to be together, once.
    fn register(
        &mut self,
        storage: &mut impl Storage,
        terms: &Terms,
        (kdf, proof): (&KdfParams, [u8; 32]),
        (record, bag): (&SignedRecord, &KeyBag),
        space: &Commit,
    ) -> Result<Answer, Refusal> {
        let user = record.record.user;
        if bag.user != user || bag.kdf != *kdf || space.expect.is_some() {
            return Err(Refusal::Invalid);
        }
        if storage.fetch(&public_key(&user))?.is_some() {
            return Err(Refusal::Exists);
        }
        let mut batch = Batch::new();
        let account = Account {
            kdf: kdf.clone(),
            proof,
        };
        batch.put(account_key(&user), encoded(&account));
        batch.put(bag_key(&user), encoded(bag));
        batch.put(public_key(&user), encoded(record));
        if commit::plan(storage, &mut batch, terms, (&user, Some(record)), space)?.is_none() {
            return Err(Refusal::Exists);
        }
        storage.apply(batch)?;
        let token = self.admit(user);
        Ok(Answer::whole(&Reply::Registered { token }))
    }

    /// A user that does not exist and a wrong proof look alike.
    fn login(
        &mut self,
        storage: &impl Storage,
        user: UserId,
        proof: &[u8; 32],
    ) -> Result<Answer, Refusal> {
        let account = Account::load(storage, &user)?;
        let stored = account.map_or([0; 32], |account| account.proof);
        let bag = storage.fetch(&bag_key(&user))?;
        let record = storage.fetch(&public_key(&user))?;
        let right = bool::from(stored.ct_eq(proof));
        let (true, Some(bag), Some(record)) = (right, bag, record) else {
            return Err(Refusal::Unauthenticated);
        };
        let token = self.admit(user);
        Ok(Answer::Encoded(reply(LOGIN, |writer| {
            token.write(writer);
            writer.raw(&record);
            writer.raw(&bag);
        })))
    }

    fn admit(&mut self, user: UserId) -> Token {
        let count = self.logins.len() as u64;
        let which = [self.settings.lifetime.as_slice(), &count.to_be_bytes()].concat();
        let token = Token(self.invent(b"token", &which));
        self.logins.insert(token, user);
        token
    }

    /// A value that nobody foresees who does not know the secret, and that a run repeats.
    fn invent(&self, purpose: &[u8], what: &[u8]) -> [u8; 32] {
        let hash = Sha256::new_with_prefix(self.settings.secret);
        hash.chain_update(purpose)
            .chain_update(what)
            .finalize()
            .into()
    }
}

/// How a user logs in.
struct Account {
    kdf: KdfParams,
    proof: [u8; 32],
}

impl Account {
    fn load(storage: &impl Storage, user: &UserId) -> Result<Option<Self>, Refusal> {
        let bytes = storage.fetch(&account_key(user))?;
        Ok(bytes.and_then(|bytes| Reader::all(&bytes, Self::read).ok()))
    }
}

impl Wire for Account {
    fn write(&self, writer: &mut Writer) {
        self.kdf.write(writer);
        self.proof.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, turncoat_core::wire::Malformed> {
        Ok(Self {
            kdf: Wire::read(reader)?,
            proof: Wire::read(reader)?,
        })
    }
}

fn account_key(user: &UserId) -> Key {
    Key::new(Kind::Account, *user.as_bytes())
}

fn bag_key(user: &UserId) -> Key {
    Key::new(Kind::Bag, *user.as_bytes())
}

pub(super) fn public_key(user: &UserId) -> Key {
    Key::new(Kind::Public, *user.as_bytes())
}

pub(super) fn pack_key(pack: &PackId) -> Key {
    Key::new(Kind::Pack, *pack.as_bytes())
}

// The numbers of the replies that carry stored bytes as they are; a test compares them with the
// encoding of the same replies by `Reply`.
const LOGIN: u8 = 3;
const RECORD: u8 = 4;
pub(super) const VIEWS: u8 = 5;
const CONTENT: u8 = 7;
pub(super) const INBOX: u8 = 8;

/// An encoded reply around stored bytes, which are passed on whatever they are.
pub(super) fn reply(number: u8, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(&[b'T', b'C', Reply::KIND, VERSION, number]);
    body(&mut writer);
    writer.finish()
}

fn lookup(storage: &impl Storage, user: &UserId) -> Result<Answer, Refusal> {
    let record = storage.fetch(&public_key(user))?;
    Ok(Answer::Encoded(reply(RECORD, |writer| {
        writer.option(record.as_ref(), |writer, record| writer.raw(record));
    })))
}

fn take(
    storage: &mut impl Storage,
    terms: &Terms,
    user: &UserId,
    commit: &Commit,
) -> Result<Answer, Refusal> {
    let mut batch = Batch::new();
    match commit::plan(storage, &mut batch, terms, (user, None), commit)? {
        None => Ok(Answer::whole(&Reply::Done)),
        Some(published) => {
            storage.apply(batch)?;
            Ok(Answer::Taken(published))
        }
    }
}

fn store(storage: &mut impl Storage, pack: &Pack) -> Result<Answer, Refusal> {
    if let Some(key) = new_pack(storage, pack)? {
        storage.put(key, &pack.bytes.0)?;
    }
    Ok(Answer::whole(&Reply::Done))
}

/// Where a pack is to be kept, unless the same one is there.
pub(super) fn new_pack(storage: &impl Storage, pack: &Pack) -> Result<Option<Key>, Refusal> {
    let Blob(bytes) = &pack.bytes;
    if bytes.len() > PACK_MAX {
        return Err(Refusal::TooLarge);
    }
    let key = pack_key(&pack.id);
    match storage.fetch(&key)? {
        None => Ok(Some(key)),
        Some(stored) if *stored == **bytes => Ok(None),
        Some(_) => Err(Refusal::Exists),
    }
}

/// Records of leaves, no more than one file can have.
fn records(storage: &impl Storage, ranges: &[RecordRange]) -> Result<Answer, Refusal> {
    let counts = ranges.iter().map(|range| u64::from(range.count));
    if counts.sum::<u64>() > SEGMENTS_MAX {
        return Err(Refusal::TooLarge);
    }
    let mut work = segments::WORK_MAX;
    let mut records = Vec::new();
    for RecordRange { leaf, from, count } in ranges {
        let found = segments::range_of(storage, leaf, (*from, *count), &mut work)?;
        records.extend(found);
    }
    Ok(Answer::whole(&Reply::Segments(records)))
}

/// A range past the end of a pack is answered with what is there.
fn fetch(storage: &impl Storage, ranges: &[Range]) -> Result<Answer, Refusal> {
    let sizes = ranges.iter().map(|range| u64::from(range.length));
    if sizes.sum::<u64>() > CONTENT_MAX || ranges.len() as u64 > SEGMENTS_MAX {
        return Err(Refusal::TooLarge);
    }
    let mut parts = Vec::new();
    for range in ranges {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (offset, length) = (size(range.offset), size(range.length));
        let part = storage.fetch_part(&pack_key(&range.pack), offset, length)?;
        parts.push(part.ok_or(Refusal::NotFound)?);
    }
    Ok(Answer::Encoded(reply(CONTENT, |writer| {
        writer.joined(&parts);
    })))
}
