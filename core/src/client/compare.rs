//! Two devices meet: they show each other what they accepted, and a fork comes to light.

use super::Session;
use super::contact::Comparison;
use super::sync::{Seen, Want};
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Checkpoint, Fingerprint, SpaceId, UserId};
use crate::labels::Label;
use crate::remote::{Remote, Vault};
use crate::tree::Mountain;
use crate::verify::{check_record, signable};
use crate::wire::{
    AtHeight, Blob, Contact, ContactPin, ContactSpace, Entry, Frame, HistoryNode, Reply,
    RequestBody, Selection, SignedContact, SignedHead, View, ViewRequest,
};
use alloc::vec::Vec;

/// Two signed statements that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What this device stated.
    pub own: SignedContact,
    /// What the other device stated.
    pub other: SignedContact,
}

/// What the server offered against what this device had accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What this device states that it had accepted.
    pub own: SignedContact,
    /// The signed head that the server showed as the newest. Its author need not have lied: whoever
    /// shows an old head, or hides another, does.
    pub offered: SignedHead,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// A signed statement of what this device accepted and pinned, for another device.
    ///
    /// # Errors
    ///
    /// None that the server could cause.
    pub fn statement(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.signed_statement()?.encode())
    }

    fn signed_statement(&mut self) -> Result<SignedContact, Error> {
        let account = &self.account;
        let mut pins: Vec<ContactPin> = self
            .state
            .pins
            .iter()
            .map(|pin| ContactPin {
                user: pin.user,
                fingerprint: pin.fingerprint,
            })
            .collect();
        pins.push(ContactPin {
            user: account.user,
            fingerprint: account.fingerprint,
        });
        let spaces = self.state.spaces.iter().filter_map(|known| {
            let accepted = known.accepted?;
            Some(ContactSpace {
                space: known.space,
                accepted,
                peaks: known.peaks.clone(),
            })
        });
        let contact = Contact {
            realm: self.config.realm,
            user: account.user,
            user_key: account.fingerprint,
            device: self.state.device,
            spaces: spaces.collect(),
            pins,
        };
        let realm = &self.config.realm;
        let message = signable(Label::SignContact, realm, &account.user, &contact.encode());
        let signature = account.signing.sign(&mut self.ports.entropy, &message);
        let signature = Blob(signature.map_err(|_| Violation::Inauthentic)?);
        Ok(SignedContact {
            contact,
            record: account.record.clone(),
            signature,
        })
    }

    /// Compares with another device's statement, which came by a way that the server does not
    /// control. Spaces that only one of the two knows are passed over.
    ///
    /// If the two contradict each other, both statements are kept: see
    /// [`evidence`](Self::evidence).
    ///
    /// # Errors
    ///
    /// [`Violation::Fork`] if neither head is in the other's history, [`Violation::Rollback`] if
    /// the server shows nothing as new as what the other device accepted,
    /// [`Violation::Equivocation`] if one user's key was shown differently,
    /// [`Violation::UntrustedKey`] if it is signed with other keys than the user's that it names;
    /// [`Unavailable`] if the server does not help to decide; [`Usage::BadStatement`] if it is no
    /// statement, and [`Usage::UnknownContact`] if it is by nobody whom this account knows: it did
    /// not come from the server, so that nothing is the server's fault.
    pub async fn compare(&mut self, statement: &[u8]) -> Result<Vec<(SpaceId, Comparison)>, Error> {
        let other = SignedContact::decode(statement).map_err(|_| Usage::BadStatement)?;
        self.check_statement(&other).await?;
        let compared = self.compare_all(&other.contact).await;
        if matches!(
            compared,
            Err(Error::Violation(
                Violation::Fork { .. }
                    | Violation::Rollback { .. }
                    | Violation::Equivocation { .. }
            ))
        ) {
            let own = self.signed_statement()?;
            self.evidence.push(Evidence { own, other });
        }
        compared
    }

    /// What was kept when statements contradicted each other.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// What was kept when the server contradicted what this device had accepted.
    #[must_use]
    pub fn contradictions(&self) -> &[Contradiction] {
        &self.contradictions
    }

    /// Keeps a head that is a rollback or a fork, with what it contradicts.
    pub(super) fn keep_contradiction(&mut self, offered: SignedHead) -> Result<(), Error> {
        // One is enough: a server that repeats itself must not fill the memory.
        if self.contradictions.is_empty() {
            let own = self.signed_statement()?;
            self.contradictions.push(Contradiction { own, offered });
        }
        Ok(())
    }

    async fn check_statement(&mut self, signed: &SignedContact) -> Result<(), Error> {
        let said = &signed.contact;
        let realm = &self.config.realm;
        let contact =
            check_record(realm, &said.user, &signed.record).map_err(|_| Usage::BadStatement)?;
        let bound = said.realm == *realm && said.user_key == contact.fingerprint;
        let body = said.encode();
        let signed = contact.verify(realm, Label::SignContact, &body, &signed.signature.0);
        if !bound || signed.is_err() {
            return Err(Usage::BadStatement.into());
        }
        // Another device of this account may have pinned who signed it.
        let known = match self.own_view(&said.user) {
            Some(key) => Some(key),
            None => self.pin_of(&said.user).await?,
        };
        match known {
            Some(key) if key == contact.fingerprint => Ok(()),
            Some(_) => Err(Violation::UntrustedKey { user: said.user }.into()),
            None => Err(Usage::UnknownContact.into()),
        }
    }

    /// The key of a user as this account has it.
    pub(super) fn own_view(&self, user: &UserId) -> Option<Fingerprint> {
        match *user == self.account.user {
            true => Some(self.account.fingerprint),
            false => self.remembered_pin(user),
        }
    }

    async fn compare_all(&mut self, said: &Contact) -> Result<Vec<(SpaceId, Comparison)>, Error> {
        for pin in &said.pins {
            if let Some(trusted) = self.own_view(&pin.user) {
                let (user, offered) = (pin.user, pin.fingerprint);
                let agreed = trusted == offered;
                defend!(
                    Defence::Contact,
                    agreed,
                    Violation::Equivocation {
                        user,
                        trusted,
                        offered
                    }
                );
            }
        }
        // What the two devices can decide alone comes first: the server must not be able to end the
        // comparison before.
        for theirs in &said.spaces {
            if let Some(own) = self.accepted(&theirs.space) {
                same_head(theirs, own)?;
            }
        }
        let mut compared = Vec::new();
        let mut undecided = self.open_compared(said).await?;
        for theirs in &said.spaces {
            if self.accepted(&theirs.space).is_none() {
                continue;
            }
            match self.compare_space(theirs).await {
                Ok(comparison) => compared.push((theirs.space, comparison)),
                Err(Error::Unavailable(why)) => undecided = undecided.or(Some(why)),
                Err(error) => return Err(error),
            }
        }
        match undecided {
            Some(why) => Err(why.into()),
            None => Ok(compared),
        }
    }

    /// Opens the shared spaces that this session has not come across: only the server can show
    /// what follows a head. What it does not help with is returned.
    async fn open_compared(&mut self, said: &Contact) -> Result<Option<Unavailable>, Error> {
        let spaces = said.spaces.iter().map(|theirs| theirs.space);
        let closed: Vec<SpaceId> = spaces
            .filter(|id| self.accepted(id).is_some() && !self.spaces.contains_key(id))
            .collect();
        if closed.is_empty() {
            return Ok(None);
        }
        let entries = match self.entries_once().await {
            Ok(Some(entries)) => entries,
            Ok(None) => return Ok(Some(Unavailable::Contended)),
            Err(Error::Unavailable(why)) => return Ok(Some(why)),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let Entry::Link(link) = entry else { continue };
            if !closed.contains(&link.space) {
                continue;
            }
            match self.open_link(&link).await {
                // It is asked again below, and found to be closed or not.
                Ok(()) | Err(Error::Unavailable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn compare_space(&mut self, theirs: &ContactSpace) -> Result<Comparison, Error> {
        let space = theirs.space;
        let behind = |own: Checkpoint| own.height < theirs.accepted.height;
        let mut own = self.accepted(&space).ok_or(Violation::OutOfTurn)?;
        if behind(own) && self.spaces.contains_key(&space) {
            if self.read_one(Want::head(space)).await? == Seen::Closed {
                return Err(Unavailable::Closed.into());
            }
            own = self.accepted(&space).ok_or(Violation::OutOfTurn)?;
            // The other device accepted its head before this one asked: an older one is no answer.
            defend!(
                Defence::Contact,
                !behind(own),
                Violation::Rollback {
                    space,
                    trusted: theirs.accepted,
                    offered: own
                }
            );
        }
        let fork = Violation::Fork {
            space,
            trusted: own,
            offered: theirs.accepted,
        };
        if behind(own) {
            return Ok(Comparison::Behind);
        }
        if own.height == theirs.accepted.height {
            same_head(theirs, own)?;
            return Ok(Comparison::Same);
        }
        let contained = self.contains(theirs, own).await?;
        defend!(Defence::Contact, contained, fork);
        Ok(Comparison::Ahead)
    }

    /// Whether the history of this device's head contains the other's, as the server proves.
    async fn contains(&mut self, theirs: &ContactSpace, own: Checkpoint) -> Result<bool, Error> {
        let space = self.spaces.get(&theirs.space).ok_or(Unavailable::Closed)?;
        let request = ViewRequest {
            locator: space.locator,
            at: AtHeight::Exactly(own.height),
            trusted: Some(theirs.accepted),
            warm: None,
            roster_from: crate::id::RosterNumber(u64::MAX),
            select: Selection::Nothing,
        };
        let views = match self
            .ask(RequestBody::Read {
                views: Vec::from([request]),
            })
            .await?
        {
            Reply::Views(views) => views,
            other => return Err(super::transport::unexpected(&other)),
        };
        let Some(View::Shown { head, history, .. }) = views.into_iter().next() else {
            return Err(Unavailable::Withheld.into());
        };
        if crate::tree::head_hash(&head) != own.head {
            return Err(Violation::Misbound.into());
        }
        let size = theirs.accepted.height.next().0;
        let started: Result<Mountain<HistoryNode>, _> =
            Mountain::from_parts(size, theirs.peaks.clone());
        let mut extended = started.map_err(|_| Usage::BadStatement)?;
        let grown = extended.extend_to(head.head.height.0, &history);
        Ok(grown.is_ok() && extended.root() == head.head.history)
    }
}

/// Two heads at one height are one head.
fn same_head(theirs: &ContactSpace, own: Checkpoint) -> Result<(), Error> {
    let agreed = own.height != theirs.accepted.height || own.head == theirs.accepted.head;
    defend!(
        Defence::Contact,
        agreed,
        Violation::Fork {
            space: theirs.space,
            trusted: own,
            offered: theirs.accepted,
        }
    );
    Ok(())
}
