//! Signs up and logs in. Login never creates anything.

use super::commit::{Outline, Pen};
use super::contact::same_key;
use super::space::Space;
use super::state::{load, put_space, unknown};
use super::transport::{ask, unexpected};
use super::{Account, Contradiction, Freshness, Ports, Session};
use crate::config::Config;
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, LocalState, Unavailable, Usage, Violation};
use crate::id::{
    DeviceId, Digest, Epoch, Fingerprint, HeadHash, Height, Locator, RosterNumber, SpaceId, Token,
    UserId,
};
use crate::labels::Label;
use crate::primitive::hash::Hasher;
use crate::remote::{Remote, Vault};
use crate::seal::{fresh_id, open_bag, seal_bag};
use crate::secret::{DecryptionKey, EpochKey, KeyBytes, KeyPair, MasterKey, Password, SigningKey};
use crate::tree::{Mountain, ZERO, history_leaf};
use crate::verify::{
    Contact, Roster, check_record, checkpoint_of, fingerprint, sign_change, signable, space_id,
    user_id,
};
use crate::wire::{
    BagSecret, Blob, Commit, Frame, HistoryNode, KdfParams, Key, KeyBag, PublicRecord, Reply,
    RequestBody, RosterAction, RosterChange, SignedHead, SignedRecord, SpaceState, TrustedState,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The suite's number.
const SUITE: u8 = 1;

/// The two private keys of an account that is about to be.
#[derive(Debug)]
pub struct Identity {
    decryption: DecryptionKey,
    signing: SigningKey,
}

impl Identity {
    /// Fresh keys of the policy's size.
    pub(crate) fn generate(entropy: &mut dyn Entropy, config: &Config) -> Self {
        let size = config.policy.key_size;
        Self {
            decryption: DecryptionKey::generate(entropy, size),
            signing: SigningKey::generate(entropy, size),
        }
    }

    /// Keys from their primes.
    pub(crate) fn from_primes(encryption: (&[u8], &[u8]), signing: (&[u8], &[u8])) -> Option<Self> {
        Some(Self {
            decryption: DecryptionKey::from_primes(encryption.0, encryption.1).ok()?,
            signing: SigningKey::from_primes(signing.0, signing.1).ok()?,
        })
    }

    fn record(&self, config: &Config, user: UserId) -> Result<PublicRecord, Error> {
        let key = |modulus: Vec<u8>| Key {
            exponent: crate::primitive::rsa::EXPONENT,
            modulus,
        };
        let weak = |_| Error::from(Violation::WeakParameters);
        Ok(PublicRecord {
            realm: config.realm,
            user,
            key_epoch: 1,
            encryption: key(self.decryption.public().map_err(weak)?.modulus()),
            signing: key(self.signing.public().map_err(weak)?.modulus()),
        })
    }
}

/// `SHA-256(realm, user, seed)`: a server cannot give two users one salt.
fn salt(config: &Config, user: &UserId, kdf: &KdfParams) -> [u8; 32] {
    Hasher::new(Label::Salt)
        .part(&config.realm.0)
        .part(&user.0)
        .part(&kdf.salt_seed)
        .finish()
}

/// Everything that a new account sends, and what is true once it is taken.
struct NewAccount {
    account: Account,
    state: TrustedState,
    space: Space,
    body: RequestBody,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Creates an account and logs this device in.
    ///
    /// # Errors
    ///
    /// [`Usage::EmptyName`], [`Usage::TooLong`], and [`Usage::WrongDevice`] on a device that
    /// remembers an account already; [`Unavailable::Taken`] if the server says that the name is
    /// taken. Nothing is changed on the server by a failure that the server reports.
    pub async fn sign_up(
        mut ports: Ports<R, V, E, C>,
        config: Config,
        name: &[u8],
        password: &Password,
    ) -> Result<Self, Error> {
        let identity = Identity::generate(&mut ports.entropy, &config);
        Self::sign_up_as(ports, config, name, password, identity).await
    }

    pub(crate) async fn sign_up_as(
        mut ports: Ports<R, V, E, C>,
        config: Config,
        name: &[u8],
        password: &Password,
        identity: Identity,
    ) -> Result<Self, Error> {
        check_credentials(&config, name, password)?;
        if load(&mut ports.vault).await?.is_some() {
            return Err(Usage::WrongDevice.into());
        }
        let now_ms = ports.clock.now_ms();
        let new = new_account(
            &mut ports.entropy,
            &config,
            name,
            password,
            identity,
            now_ms,
        )?;
        let NewAccount {
            account,
            state,
            space,
            body,
        } = new;
        let limits = &config.limits;
        let token = match ask(&mut ports.remote, limits, Token([0; 32]), body).await? {
            Reply::Registered { token } => token,
            other => return Err(unexpected(&other)),
        };
        let mut session = Self::assemble(ports, config, account, token, space, state.clone());
        session.state.spaces.clear();
        // This device remembered nothing of the space that it just made.
        session.opened.monotone = false;
        session.remember(state).await?;
        Ok(session)
    }

    /// Logs in with name and password alone; what this device remembers serves freshness.
    ///
    /// # Errors
    ///
    /// [`Unavailable::Refused`] if the server does not accept user or password. A [`Violation`] for
    /// parameters below the policy, or for a key bag, record or space that does not fit.
    pub async fn login(
        ports: Ports<R, V, E, C>,
        config: Config,
        name: &[u8],
        password: &Password,
    ) -> Result<Self, Error> {
        Self::login_keeping(ports, config, name, password, &mut None).await
    }

    /// The same, and keeps what the server offered where that contradicts what this device had
    /// accepted: no session is left that could be asked for it.
    ///
    /// # Errors
    ///
    /// Those of [`login`](Self::login).
    pub async fn login_keeping(
        mut ports: Ports<R, V, E, C>,
        config: Config,
        name: &[u8],
        password: &Password,
        kept: &mut Option<Contradiction>,
    ) -> Result<Self, Error> {
        check_credentials(&config, name, password)?;
        let user = user_id(&config.realm, name);
        let known = load(&mut ports.vault).await?;
        if known
            .as_ref()
            .is_some_and(|state| state.realm != config.realm || state.user != user)
        {
            return Err(Unavailable::LocalState(LocalState::Foreign).into());
        }
        let limits = &config.limits;
        let nobody = Token([0; 32]);
        let kdf = match ask(&mut ports.remote, limits, nobody, RequestBody::Kdf { user }).await? {
            Reply::Kdf(kdf) => kdf,
            other => return Err(unexpected(&other)),
        };
        check_kdf(&config, &kdf, known.as_ref())?;
        let master = password.derive(&salt(&config, &user, &kdf), kdf.iterations);
        let proof = master.login_proof().into_public();
        let body = RequestBody::Login { user, proof };
        let (token, record, bag) = match ask(&mut ports.remote, limits, nobody, body).await? {
            Reply::Login { token, record, bag } => (token, record, bag),
            other => return Err(unexpected(&other)),
        };
        let (account, space) =
            open_account(&config, user, &kdf, &master, record, &bag, known.as_ref())?;
        let state = match known {
            Some(known) => known,
            None => first_state(&config, &account, &kdf, &mut ports.entropy),
        };
        let mut session = Self::assemble(ports, config, account, token, space, state);
        // Proves that the private space is there; its roster and head are needed anyway.
        let want = super::sync::Want::tags(session.private, Vec::new());
        match session.read_one(want).await {
            Ok(_) => Ok(session),
            Err(error) => {
                *kept = session.contradictions.pop();
                Err(error)
            }
        }
    }

    fn assemble(
        ports: Ports<R, V, E, C>,
        config: Config,
        account: Account,
        token: Token,
        space: Space,
        state: TrustedState,
    ) -> Self {
        let private = space.id;
        let monotone = state.spaces.iter().any(|known| known.space == private);
        let opened = Freshness::alone(monotone);
        Self {
            ports,
            config,
            account,
            token,
            state,
            private,
            spaces: BTreeMap::from([(private, space)]),
            contacts: BTreeMap::new(),
            links: BTreeMap::new(),
            written: BTreeMap::new(),
            evidence: Vec::new(),
            contradictions: Vec::new(),
            forgotten: Vec::new(),
            opened,
        }
    }
}

fn check_credentials(config: &Config, name: &[u8], password: &Password) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Usage::EmptyName.into());
    }
    let max = config.limits.credential_size_max;
    let fits = |size: usize| u64::try_from(size).is_ok_and(|size| size <= max);
    if fits(name.len()) && fits(password.size()) {
        Ok(())
    } else {
        Err(Usage::TooLong.into())
    }
}

/// Floor and ceiling come before anything that depends on the password, and the ceiling before any
/// derivation.
fn check_kdf(config: &Config, kdf: &KdfParams, known: Option<&TrustedState>) -> Result<(), Error> {
    let policy = &config.policy;
    defend!(
        Defence::KdfSuite,
        kdf.suite == SUITE,
        Violation::WeakParameters
    );
    let enough = kdf.iterations >= policy.iterations_min;
    defend!(Defence::KdfFloor, enough, Violation::WeakParameters);
    let bearable = kdf.iterations <= policy.iterations_max;
    defend!(Defence::KdfCeiling, bearable, Violation::WeakParameters);
    if let Some(known) = known {
        let as_before = kdf.iterations >= known.iterations && kdf.salt_seed == known.salt_seed;
        defend!(Defence::KdfMemory, as_before, Violation::WeakParameters);
    }
    Ok(())
}

/// Opens a key bag: binding and commitment first, then the cipher, then the public halves; no
/// private-key operation before all of it.
fn open_account(
    config: &Config,
    user: UserId,
    kdf: &KdfParams,
    master: &MasterKey,
    record: SignedRecord,
    bag: &KeyBag,
    known: Option<&TrustedState>,
) -> Result<(Account, Space), Error> {
    let contact = check_record(&config.realm, &user, &record)?;
    if let Some(known) = known {
        same_key(&contact, known.fingerprint)?;
    }
    // Both are sealed with the bag as well; said here, the cipher is never asked about a bag of
    // another place or under another key.
    if bag.user != user || bag.kdf != *kdf {
        return Err(Violation::Misbound.into());
    }
    if !crate::primitive::equal(&master.bag_commitment(), &bag.commitment) {
        return Err(Violation::Inauthentic.into());
    }
    let secret = open_bag(&config.realm, &master.wrap_key(), bag)?;
    let identity = Identity::from_primes(secret.encryption.expose(), secret.signing.expose())
        .ok_or(Violation::Malformed)?;
    let recomputed = identity.record(config, user)?;
    let own = fingerprint(&recomputed);
    let paired = own == contact.fingerprint;
    defend!(Defence::BagPublicHalves, paired, Violation::Misbound);
    let space = private_space(config, user, &own, &secret)?;
    let Identity {
        decryption,
        signing,
    } = identity;
    let account = Account {
        user,
        fingerprint: contact.fingerprint,
        record,
        signing: Arc::new(signing),
        decryption: Arc::new(decryption),
    };
    Ok((account, space))
}

fn private_space(
    config: &Config,
    user: UserId,
    own: &Fingerprint,
    secret: &BagSecret,
) -> Result<Space, Error> {
    if space_id(&config.realm, &user, own, &secret.space_salt) != secret.space {
        return Err(Violation::Misbound.into());
    }
    Ok(Space::new(
        secret.space,
        Epoch(1),
        EpochKey::copy_from(secret.epoch_key.expose()),
    ))
}

fn first_state(
    config: &Config,
    account: &Account,
    kdf: &KdfParams,
    entropy: &mut dyn Entropy,
) -> TrustedState {
    TrustedState {
        realm: config.realm,
        user: account.user,
        fingerprint: account.fingerprint,
        device: DeviceId(fresh_id(entropy)),
        iterations: kdf.iterations,
        salt_seed: kdf.salt_seed,
        spaces: Vec::new(),
        pins: Vec::new(),
    }
}

fn new_account(
    entropy: &mut dyn Entropy,
    config: &Config,
    name: &[u8],
    password: &Password,
    identity: Identity,
    now_ms: u64,
) -> Result<NewAccount, Error> {
    let user = user_id(&config.realm, name);
    let mut kdf = KdfParams {
        suite: SUITE,
        iterations: config.policy.iterations,
        salt_seed: [0; 32],
    };
    entropy.fill(&mut kdf.salt_seed);
    let master = password.derive(&salt(config, &user, &kdf), kdf.iterations);
    let record = identity.record(config, user)?;
    let own = fingerprint(&record);
    let message = signable(Label::SignRecord, &config.realm, &user, &record.encode());
    let signature = identity
        .signing
        .sign(entropy, &message)
        .map_err(|_| Violation::Inauthentic)?;
    let record = SignedRecord {
        record,
        signature: Blob(signature),
    };
    let mut space_salt = [0; 32];
    entropy.fill(&mut space_salt);
    let id = space_id(&config.realm, &user, &own, &space_salt);
    let epoch_key = EpochKey::random(entropy);
    let bag = seal_new_bag(
        entropy,
        config,
        user,
        &kdf,
        &master,
        &identity,
        (id, space_salt, &epoch_key),
    );
    let Identity {
        decryption,
        signing,
    } = identity;
    let account = Account {
        user,
        fingerprint: own,
        record: record.clone(),
        signing: Arc::new(signing),
        decryption: Arc::new(decryption),
    };
    let mut state = first_state(config, &account, &kdf, entropy);
    let mut space = Space::new(id, Epoch(1), epoch_key);
    let founded = found_space(
        entropy,
        config,
        &account,
        state.device,
        &space,
        space_salt,
        now_ms,
    )?;
    put_space(&mut state, founded.after);
    space.roster = Some(founded.roster);
    let body = RequestBody::Register {
        kdf,
        proof: master.login_proof().into_public(),
        record,
        bag,
        space: Box::new(founded.commit),
    };
    Ok(NewAccount {
        account,
        state,
        space,
        body,
    })
}

fn seal_new_bag(
    entropy: &mut dyn Entropy,
    config: &Config,
    user: UserId,
    kdf: &KdfParams,
    master: &MasterKey,
    identity: &Identity,
    space: (SpaceId, [u8; 32], &EpochKey),
) -> KeyBag {
    let (decryption, signing) = (identity.decryption.primes(), identity.signing.primes());
    let secret = BagSecret {
        version: 1,
        encryption: KeyPair::new(&decryption.0, &decryption.1),
        signing: KeyPair::new(&signing.0, &signing.1),
        space: space.0,
        space_salt: space.1,
        epoch_key: KeyBytes::new(space.2.expose()),
    };
    let commitment = master.bag_commitment();
    seal_bag(
        entropy,
        &config.realm,
        user,
        kdf.clone(),
        &master.wrap_key(),
        commitment,
        &secret,
    )
}

/// The first head of a space, with its founder as the only member.
pub(super) struct Founded {
    pub(super) commit: Commit,
    pub(super) roster: Roster,
    pub(super) after: SpaceState,
}

fn found_space(
    entropy: &mut dyn Entropy,
    config: &Config,
    account: &Account,
    device: DeviceId,
    space: &Space,
    salt: [u8; 32],
    now_ms: u64,
) -> Result<Founded, Error> {
    let genesis = genesis(entropy, config, account, space.id, salt)?;
    let roster = Roster::founded(&genesis, account.fingerprint);
    let pen = Pen {
        realm: &config.realm,
        user: account.user,
        key: account.fingerprint,
        device,
        signing: &account.signing,
        now_ms,
    };
    let mut history: Mountain<HistoryNode> = Mountain::new();
    let outline = Outline {
        space: space.id,
        height: Height(0),
        previous: HeadHash([0; 32]),
        history: &history,
        directory: ZERO,
        entries: 0,
        roster: &roster,
        epoch: space.epoch,
        epoch_key: &space.key,
    };
    let head: SignedHead = pen.sign(entropy, &outline)?;
    let checkpoint = checkpoint_of(&head);
    let leaf = history_leaf(&checkpoint.head, roster.number, space.epoch);
    history.push(leaf).map_err(|_| Violation::BadProof)?;
    let after = SpaceState {
        accepted: Some(checkpoint),
        roster: roster.number,
        roster_hash: roster.hash,
        epoch: space.epoch,
        peaks: history.into_peaks(),
        ..unknown(space.id)
    };
    let commit = Commit {
        locator: Locator(space.key.locator(&space.id.0)),
        expect: None,
        head,
        moves_to: None,
        roster: Vec::from([genesis]),
        envelopes: Vec::new(),
        leaves: Vec::new(),
        pack: None,
    };
    Ok(Founded {
        commit,
        roster,
        after,
    })
}

/// The first change of a roster, by the space's owner.
pub(super) fn genesis(
    entropy: &mut dyn Entropy,
    config: &Config,
    account: &Account,
    space: SpaceId,
    salt: [u8; 32],
) -> Result<crate::wire::SignedRosterChange, Error> {
    let change = RosterChange {
        space,
        number: RosterNumber(0),
        previous: Digest([0; 32]),
        signer: account.user,
        action: RosterAction::Genesis {
            fingerprint: account.fingerprint,
            salt,
        },
    };
    sign_change(&config.realm, &account.signing, entropy, change)
        .map_err(|_| Violation::Inauthentic.into())
}

/// The account's own keys as a contact.
pub(super) fn own_contact(config: &Config, account: &Account) -> Result<Contact, Error> {
    check_record(&config.realm, &account.user, &account.record)
}
