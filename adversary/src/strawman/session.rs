//! What every careful straw client has: a person, an account after login, a store and randomness.

use std::cell::RefCell;
use std::rc::Rc;

use crate::client::Failure;
use crate::front::kv::{Memory, Store};
use crate::strawman::account::{Account, log_in, sign_up};
use crate::strawman::toolkit::{Dice, PublicKeys};
use crate::strawman::{Environment, Person, Policy, usage};

/// Bytes of content in one sealed piece.
pub(crate) const PIECE_SIZE: usize = 64 * 1024;

/// One process of one device.
pub(crate) struct Session {
    pub(crate) store: Store,
    pub(crate) memory: Rc<dyn Memory>,
    pub(crate) dice: Dice,
    person: Person,
    policy: Policy,
    account: RefCell<Option<Rc<Account>>>,
}

impl Session {
    pub(crate) fn new(environment: Environment) -> Self {
        Self {
            store: environment.store.patient(),
            memory: environment.memory,
            dice: Dice::new(environment.entropy),
            person: environment.person,
            policy: environment.policy,
            account: RefCell::new(None),
        }
    }

    pub(crate) async fn sign_up(&self) -> Result<Rc<Account>, Failure> {
        let account = sign_up(&self.store, &self.dice, &self.person, self.policy).await?;
        Ok(self.entered(account))
    }

    pub(crate) async fn log_in(&self) -> Result<Rc<Account>, Failure> {
        let account = log_in(&self.store, &self.person, self.policy).await?;
        Ok(self.entered(account))
    }

    fn entered(&self, account: Account) -> Rc<Account> {
        let account = Rc::new(account);
        *self.account.borrow_mut() = Some(account.clone());
        account
    }

    /// The account, on a device that is logged in.
    pub(crate) fn account(&self) -> Result<Rc<Account>, Failure> {
        let account = self.account.borrow().clone();
        account.ok_or_else(|| usage("locked"))
    }

    /// What the key server calls this user's keys; one's own are known.
    pub(crate) async fn published_keys(&self, user: &str) -> Result<Option<PublicKeys>, Failure> {
        let account = self.account()?;
        if account.user == user {
            return Ok(Some(account.keys.public()));
        }
        let shown = self.store.get_public(user).await?;
        shown
            .map(|shown| PublicKeys::parse(&shown.bytes))
            .transpose()
    }
}
