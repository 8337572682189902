//! How inputs begin: one story up to a point that the input chooses, played once on each thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use turncoat_core::id::Realm;

use crate::acts::collude::Colluder;
use crate::acts::collude::member::Member;
use crate::attack::Step;
use crate::client::{DeviceName, Operation};
use crate::codec::Bytes;
use crate::decryptor;
use crate::driver::{Client, Hardened, REALM};
use crate::history::Event;
use crate::honest::native::Settings;
use crate::honest::storage::Key;
use crate::pool;
use crate::selector::Audience;
use crate::stage::{Acts, Stage, password_of, run_settings};

/// The seed of every input's run: what differs between runs is in the bytes.
const SEED: u64 = 1;

/// Up to where an input's run has its beginning in common with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opening {
    /// Alice has two devices, and bob one.
    Accounts,
    /// Alice has shared `notes` with bob, who calls it `plans`, and all devices have read it.
    Shared,
    /// Both have added to it. The phone is behind.
    Written,
    /// Bob is excluded, and alice has written since.
    Revoked,
}

impl Opening {
    /// All of them, from the shortest on.
    pub(super) const ALL: [Self; 4] = [Self::Accounts, Self::Shared, Self::Written, Self::Revoked];

    /// The steps up to here. None of them is an act.
    pub(super) fn steps(self) -> Vec<Step> {
        let mut steps = accounts();
        for (opening, more) in [
            (Self::Shared, shared as fn() -> Vec<Step>),
            (Self::Written, written),
            (Self::Revoked, revoked),
        ] {
            if self as usize >= opening as usize {
                steps.extend(more());
                steps.push(Step::Snapshot);
            }
        }
        steps
    }

    /// Bob, with all that his keys open up to here, in the server's hands.
    pub(super) fn member(self) -> Rc<Member> {
        thread_local! {
            static MEMBERS: RefCell<BTreeMap<Opening, Rc<Member>>> = RefCell::default();
        }
        let known = MEMBERS.with_borrow(|members| members.get(&self).cloned());
        known.unwrap_or_else(|| {
            let member = Rc::new(self.opened().expect("bob's keys are of the pool, and open"));
            MEMBERS.with_borrow_mut(|members| members.insert(self, Rc::clone(&member)));
            member
        })
    }

    fn opened(self) -> Option<Member> {
        let stage = self.stage(Rc::new(Hardened));
        let bob = stage.users().iter().position(|user| user == "bob")?;
        let identities = pool::identities();
        let keys = Colluder::new(Realm(REALM), "bob", &identities[bob % identities.len()])?;
        let (versions, history) = (stage.versions(), stage.history());
        let opened = decryptor::open(&REALM, "bob", &password_of("bob"), versions, history);
        Member::new(keys, &opened)
    }

    /// A stage on which the client has played up to here. Its server is honest so far.
    ///
    /// # Panics
    ///
    /// If the client fails before an honest server.
    pub(super) fn stage(self, client: Rc<dyn Client>) -> Stage {
        let mut stage = Stage::new(client, Acts::Applied, SEED);
        for step in self.steps() {
            stage.perform(step);
        }
        assert!(stage.stray().is_empty(), "{:?}", stage.history());
        stage
    }
}

/// What an honest server has where the inputs of requests begin: alice and bob have shared a file
/// and written to it.
#[derive(Debug)]
pub struct Beginning {
    /// The deployment's settings.
    pub settings: Settings,
    /// Everything in the store.
    pub objects: Vec<(Key, Bytes)>,
}

impl Beginning {
    /// The same each time.
    #[must_use]
    pub fn new() -> Self {
        let stage = Opening::Written.stage(Rc::new(Hardened));
        let versions = stage.versions();
        let keys = versions.objects(&Audience::Everyone).into_iter();
        let objects = keys.filter_map(|object| {
            let bytes = versions.shown_to(&object.key, &Audience::Everyone)?;
            Some((object.key, bytes))
        });
        Self {
            settings: run_settings(),
            objects: objects.collect(),
        }
    }
}

impl Default for Beginning {
    fn default() -> Self {
        Self::new()
    }
}

/// What alice's first device asks a server that is at the [`Beginning`] and was not asked since:
/// a login, and whatever her work takes from there on.
#[must_use]
pub fn conversation() -> Vec<Bytes> {
    let mut stage = Opening::Written.stage(Rc::new(Hardened));
    let began = stage.history().events().len();
    let name = b"letter".to_vec();
    let upload = Operation::Upload {
        name: name.clone(),
        content: b"dear bob".to_vec(),
    };
    for operation in [download(b"notes"), upload, Operation::List] {
        stage.perform(run("alice", operation));
    }
    let with = "bob".to_owned();
    stage.perform(run("alice", Operation::Share { name, with }));
    let events = stage.history().events().iter().enumerate();
    let requests = events.filter_map(|(at, event)| match event {
        // The first login of a server has the token that her sign-up had here.
        Event::Request { kind, bytes, .. } if at >= began || kind == "login" => Some(bytes),
        _ => None,
    });
    requests.cloned().collect()
}

/// Alice's first device, her phone, and bob's.
pub(super) fn devices() -> [DeviceName; 3] {
    ["alice", "alice/phone", "bob"].map(DeviceName::parse)
}

fn run(device: &str, operation: Operation) -> Step {
    Step::Run {
        device: DeviceName::parse(device),
        operation,
    }
}

fn user(user: &str) -> Step {
    let user = user.to_owned();
    Step::User { user }
}

fn download(name: &[u8]) -> Operation {
    let name = name.to_vec();
    Operation::Download { name }
}

fn append(name: &[u8], content: &[u8]) -> Operation {
    let (name, content) = (name.to_vec(), content.to_vec());
    Operation::Append { name, content }
}

fn accounts() -> Vec<Step> {
    vec![
        user("alice"),
        run("alice", Operation::SignUp),
        user("bob"),
        run("bob", Operation::SignUp),
        run("alice/phone", Operation::Login),
    ]
}

fn shared() -> Vec<Step> {
    let (name, with) = (b"notes".to_vec(), "bob".to_owned());
    let upload = Operation::Upload {
        name: name.clone(),
        content: b"what alice notes".to_vec(),
    };
    let receive = Operation::Receive {
        from: "alice".to_owned(),
        name: Some(name.clone()),
        pointer: None,
        as_name: b"plans".to_vec(),
    };
    vec![
        run("alice", upload),
        run("alice", Operation::Share { name, with }),
        run("bob", receive),
        run("bob", download(b"plans")),
        run("alice/phone", download(b"notes")),
    ]
}

fn written() -> Vec<Step> {
    vec![
        run("alice", append(b"notes", b", and more")),
        run("bob", append(b"plans", b", and bob")),
        run("alice", download(b"notes")),
    ]
}

fn revoked() -> Vec<Step> {
    let revoke = Operation::Revoke {
        name: b"notes".to_vec(),
        from: "bob".to_owned(),
    };
    vec![
        run("alice", revoke),
        run("alice", append(b"notes", b", without bob")),
    ]
}
