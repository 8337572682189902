//! The common body of the three tree clients: signed roots that name every piece of every file.
//!
//! Each account has a private space; a file that is shared gets a space of its own. A root is
//! sealed for the members, signed by one of them, and names who they are in a roster that the owner
//! signed, and every piece by its hash: content cannot be moved, cut or mixed below a root. What a
//! device remembers of roots, and whose word it takes for a key, is the `Design`'s to say, and is
//! where the three differ.

mod files;
pub mod format;
mod sharing;
mod space;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::client::{Answer, Failure, Operation, Outcome};
use crate::codec::Code as _;
use crate::driver::Accepted;
use crate::front::kv::LocalFuture;
use crate::strawman::session::Session;
use crate::strawman::toolkit::{Bytes32, PublicKeys, derive, hash};
use crate::strawman::tree::format::{Link, Member, Remembered, Root, Roster, Seen};
use crate::strawman::tree::space::Loaded;
use crate::strawman::{Device, Environment, unavailable, unsupported};

/// The operations of every tree client.
pub(crate) const OPERATIONS: &[&str] = &[
    "sign_up",
    "login",
    "upload",
    "upload_many",
    "download",
    "append",
    "delete",
    "list",
    "share",
    "receive",
    "revoke",
];

/// What a device remembers of the roots that it accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Nothing.
    Forgotten,
    /// The version of the newest, and the number of its roster.
    Versions,
    /// Its hash too, and each root lists the hashes of all roots before it.
    Chained,
}

/// Whose word a device takes for a user's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The key server's at first contact, and then its own.
    Pinned,
    /// The key server's, every time.
    KeyServer,
}

/// Where the tree clients differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Design {
    pub(crate) freshness: Freshness,
    pub(crate) trust: Trust,
}

/// One process of one device of a tree client.
pub(crate) struct TreeClient {
    pub(crate) session: Session,
    pub(crate) design: Design,
    seen: RefCell<BTreeMap<Bytes32, Seen>>,
}

impl TreeClient {
    pub(crate) fn start(environment: Environment, design: Design) -> Rc<dyn Device> {
        Rc::new(Self {
            session: Session::new(environment),
            design,
            seen: RefCell::new(BTreeMap::new()),
        })
    }

    /// What a device accepted, as far as its memory tells roots apart: a client that remembers
    /// version numbers alone gives all roots of one version one name.
    pub(crate) fn accepted(memory: &[u8]) -> Vec<Accepted> {
        let seen = Remembered::from_bytes(memory).map(|remembered| remembered.seen);
        let accept = |seen: Seen| Accepted {
            space: seen.space,
            head: hash(&[&seen.space, &seen.version.to_be_bytes(), &seen.hash]),
            height: seen.version,
        };
        seen.unwrap_or_default().into_iter().map(accept).collect()
    }

    fn seen(&self, space: &Bytes32) -> Option<Seen> {
        self.seen.borrow().get(space).copied()
    }

    async fn remember(&self, root: &Root, hash: Bytes32) -> Result<(), Failure> {
        let hash = match self.design.freshness {
            Freshness::Forgotten => return Ok(()),
            Freshness::Versions => [0; 32],
            Freshness::Chained => hash,
        };
        let version = root.version;
        if self
            .seen(&root.space)
            .is_some_and(|seen| seen.version >= version)
        {
            return Ok(());
        }
        let seen = Seen {
            space: root.space,
            version,
            roster: root.roster.roster.number,
            hash,
        };
        self.seen.borrow_mut().insert(root.space, seen);
        let remembered = Remembered {
            user: self.session.account()?.user.clone(),
            seen: self.seen.borrow().values().copied().collect(),
        };
        let saved = self.session.memory.save(remembered.to_bytes()).await;
        saved
            .then_some(())
            .ok_or_else(|| unavailable("state-unwritable"))
    }

    async fn recall(&self) -> Result<(), Failure> {
        if self.design.freshness == Freshness::Forgotten {
            return Ok(());
        }
        let Some(bytes) = self.session.memory.load().await else {
            return Ok(());
        };
        let remembered = Remembered::from_bytes(&bytes);
        let remembered = remembered.ok_or_else(|| unavailable("state-torn"))?;
        if remembered.user != self.session.account()?.user {
            return Err(unavailable("state-foreign"));
        }
        let seen = remembered.seen.into_iter().map(|seen| (seen.space, seen));
        *self.seen.borrow_mut() = seen.collect();
        Ok(())
    }

    /// The link to one's own private space: all of it follows from the account.
    fn private_link(&self) -> Result<Link, Failure> {
        let account = self.session.account()?;
        Ok(Link {
            space: derive(&account.master, &[b"private space"]),
            owner: account.user.clone(),
            owner_keys: self.fingerprint_to_keep(&account.keys.public()),
            salt: [0; 16],
            key: derive(&account.master, &[b"private key"]),
            epoch: 0,
        })
    }

    /// A client without pins keeps no fingerprints.
    fn fingerprint_to_keep(&self, keys: &PublicKeys) -> Bytes32 {
        match self.design.trust {
            Trust::Pinned => keys.fingerprint(),
            Trust::KeyServer => [0; 32],
        }
    }

    async fn private(&self) -> Result<(Link, Loaded), Failure> {
        let link = self.private_link()?;
        let loaded = self.load(&link).await?;
        // It was made at sign-up: its absence is never a reason to make it.
        let loaded = loaded.ok_or_else(|| unavailable("withheld"))?;
        Ok((link, loaded))
    }

    async fn sign_up(&self) -> Result<(), Failure> {
        self.session.sign_up().await?;
        let link = self.private_link()?;
        let root = self.first_root(&link, Vec::new())?;
        self.publish_first(&link, &root).await
    }

    /// The first root of a space of one's own.
    fn first_root(&self, link: &Link, others: Vec<Member>) -> Result<Root, Failure> {
        let mut members = vec![Member {
            user: link.owner.clone(),
            keys: link.owner_keys,
        }];
        members.extend(others);
        let roster = self.sign_roster(Roster {
            space: link.space,
            number: 0,
            epoch: link.epoch,
            members,
        })?;
        Ok(Root {
            space: link.space,
            version: 0,
            history: Vec::new(),
            roster,
            author: link.owner.clone(),
            entries: Vec::new(),
            pins: Vec::new(),
        })
    }

    async fn login(&self) -> Outcome {
        self.session.log_in().await?;
        self.recall().await?;
        let private = self.private_link()?;
        Ok(self.answer_of_read(self.seen(&private.space).is_some()))
    }

    async fn list(&self) -> Outcome {
        let (_, private) = self.private().await?;
        let mut answer = self.answer_of_read(private.remembered);
        let entries = private.root.entries.into_iter();
        answer.names = Some(entries.map(|entry| entry.name).collect());
        Ok(answer)
    }

    /// An answer that says what this device can know of its age.
    fn answer_of_read(&self, remembered: bool) -> Answer {
        let mut answer = Answer::default();
        if self.design.freshness != Freshness::Forgotten {
            answer.claims.monotone = Some(remembered);
        }
        answer
    }

    /// An answer that says that nobody compared the contact's key.
    fn answer_of_contact(&self) -> Answer {
        let mut answer = Answer::default();
        if self.design.trust == Trust::Pinned {
            answer.claims.contact_verified = Some(false);
        }
        answer
    }

    async fn dispatch(&self, operation: Operation) -> Outcome {
        match operation {
            Operation::SignUp => self.sign_up().await?,
            Operation::Login => return self.login().await,
            Operation::Upload { name, content } => {
                self.upload_many(&[(name, content)]).await?;
            }
            Operation::UploadMany { files } => self.upload_many(&files).await?,
            Operation::Append { name, content } => self.append(&name, &content).await?,
            Operation::Delete { name } => self.delete(&name).await?,
            Operation::Download { name } => return self.download(&name).await,
            Operation::List => return self.list().await,
            Operation::Share { name, with } => return self.share(&name, &with).await,
            Operation::Receive {
                from,
                name,
                pointer,
                as_name,
            } => {
                if name.is_none() && pointer.is_none() {
                    return Err(unavailable("no-invitation"));
                }
                return self.receive(&from, name, pointer, &as_name).await;
            }
            Operation::Revoke { name, from } => self.revoke(&name, &from).await?,
            other => return Err(unsupported(&other)),
        }
        Ok(Answer::default())
    }
}

impl Device for TreeClient {
    fn perform(&self, operation: Operation) -> LocalFuture<'_, Outcome> {
        Box::pin(self.dispatch(operation))
    }
}
