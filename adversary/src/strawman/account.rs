//! Accounts of the four careful straw clients: all secrets on the server, sealed under a password.

use crate::client::Failure;
use crate::codec::{Code as _, coded};
use crate::front::kv::{Condition, Store, Written};
use crate::pool::{Identity, Key as Primes};
use crate::strawman::toolkit::{Bytes32, Dice, Keys, PublicKeys, hash, open, seal, stretch};
use crate::strawman::{Person, Policy, unavailable, usage, violation};

coded! {
    /// What the server keeps of an account.
    pub struct Stored {
        /// Random for each account.
        pub salt: Bytes32,
        /// [`Secrets`] under the password, bound to the user's name.
        pub sealed: Vec<u8>,
    }
}

coded! {
    /// What a password opens.
    pub struct Secrets {
        /// The root of the account's symmetric keys.
        pub master: Bytes32,
        /// Four primes: of the encryption key, then of the signing key.
        pub primes: Vec<Vec<u8>>,
    }
}

/// An account that is logged in.
pub struct Account {
    /// Its name.
    pub user: String,
    /// The root of its symmetric keys.
    pub master: Bytes32,
    /// Its private keys.
    pub keys: Keys,
}

impl PublicKeys {
    /// What users pin, and signatures bind.
    #[must_use]
    pub fn fingerprint(&self) -> Bytes32 {
        hash(&[b"fingerprint", &self.to_bytes()])
    }

    /// A user's published keys, if they are of the only size and exponent in use.
    ///
    /// # Errors
    ///
    /// A violation if they are not.
    pub fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let keys = Self::from_bytes(bytes).ok_or_else(|| violation("malformed"))?;
        if keys.encryption.is_sound() && keys.signing.is_sound() {
            Ok(keys)
        } else {
            Err(violation("weak-parameters"))
        }
    }
}

fn account_id(user: &str) -> Vec<u8> {
    format!("account/{user}").into_bytes()
}

fn password_key(person: &Person, salt: &Bytes32, policy: Policy) -> Bytes32 {
    // Hashed first, so that no two passwords are equivalent HMAC keys.
    let password = hash(&[b"password", &person.password]);
    let salt = hash(&[b"salt", person.user.as_bytes(), salt]);
    stretch(&password, &salt, policy.iterations())
}

/// Makes an account and publishes its keys.
///
/// # Errors
///
/// If the name is empty or taken, or the server does not answer.
pub async fn sign_up(
    store: &Store,
    dice: &Dice,
    person: &Person,
    policy: Policy,
) -> Result<Account, Failure> {
    if person.user.is_empty() {
        return Err(usage("empty-name"));
    }
    if store.get_public(&person.user).await?.is_some() {
        return Err(usage("name-taken"));
    }
    let Identity {
        encryption,
        signing,
    } = person.identity.clone();
    let secrets = Secrets {
        master: dice.roll(),
        primes: vec![encryption.p, encryption.q, signing.p, signing.q],
    };
    let salt = dice.roll();
    let key = password_key(person, &salt, policy);
    let sealed = seal(dice, &key, person.user.as_bytes(), &secrets.to_bytes());
    let stored = Stored { salt, sealed }.to_bytes();
    let id = account_id(&person.user);
    match store.put(&id, stored, Condition::Absent).await? {
        Written::Done => {}
        _ => return Err(usage("name-taken")),
    }
    let account = unpack(person, secrets).ok_or_else(|| usage("unusable-keys"))?;
    let public = account.keys.public().to_bytes();
    store.put_public(&person.user, public).await?;
    Ok(account)
}

/// Opens an account from the server with nothing but name and password.
///
/// # Errors
///
/// If there is no such account, the password is wrong or the record was changed: the last two look
/// alike, and neither is proof against the server.
pub async fn log_in(store: &Store, person: &Person, policy: Policy) -> Result<Account, Failure> {
    let shown = store.get(&account_id(&person.user)).await?;
    let shown = shown.ok_or_else(|| unavailable("refused"))?;
    let stored = Stored::from_bytes(&shown.bytes).ok_or_else(|| violation("malformed"))?;
    let key = password_key(person, &stored.salt, policy);
    let secrets = open(&key, person.user.as_bytes(), &stored.sealed);
    let secrets = secrets.ok_or_else(|| unavailable("refused"))?;
    let secrets = Secrets::from_bytes(&secrets).ok_or_else(|| violation("malformed"))?;
    unpack(person, secrets).ok_or_else(|| violation("malformed"))
}

fn unpack(person: &Person, secrets: Secrets) -> Option<Account> {
    let [ep, eq, sp, sq] = <[Vec<u8>; 4]>::try_from(secrets.primes).ok()?;
    let keys = Keys::new(&Identity {
        encryption: Primes { p: ep, q: eq },
        signing: Primes { p: sp, q: sq },
    })?;
    Some(Account {
        user: person.user.clone(),
        master: secrets.master,
        keys,
    })
}
