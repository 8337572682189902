//! Any sequence of operations by several devices of several users equals a plain model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::Config as Runner;
use turncoat_core::client::Pick;
use turncoat_core::{Error, Unavailable, Usage};
use turncoat_tests::{Deployment, TestSession, now};

const USERS: [&str; 3] = ["alice", "bob", "carol"];
/// The last one is kept in a pack.
const LONG: &str = match core::str::from_utf8(&[b'n'; 300]) {
    Ok(name) => name,
    Err(_) => "",
};
const NAMES: [&str; 4] = ["a", "b", "", LONG];

#[derive(Clone, Debug)]
enum Act {
    Upload {
        name: usize,
        content: Vec<u8>,
    },
    Update {
        name: usize,
        content: Vec<u8>,
    },
    Append {
        name: usize,
        content: Vec<u8>,
    },
    Delete {
        name: usize,
    },
    Share {
        name: usize,
        with: usize,
    },
    Receive {
        from: usize,
        name: usize,
        own: usize,
    },
    Revoke {
        name: usize,
        from: usize,
    },
    Download {
        name: usize,
    },
    List,
}

fn act() -> impl Strategy<Value = Act> {
    let name = 0..NAMES.len();
    let user = 0..USERS.len();
    let content = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => proptest::collection::vec(any::<u8>(), 65_500..65_600),
    ];
    // Chunks of two kinds, so that an update finds some where they were.
    let size = prop_oneof![Just(0), Just(65_532), 131_060..131_070_usize, Just(200_000)];
    let chunks = (size, 0..4_u8).prop_map(|(size, kinds)| {
        let kind = |at: usize| kinds >> (at / 65_532 % 2) & 1;
        (0..size).map(kind).collect()
    });
    let update = prop_oneof![content.clone(), chunks];
    prop_oneof![
        3 => (name.clone(), content.clone())
            .prop_map(|(name, content)| Act::Upload { name, content }),
        3 => (name.clone(), update).prop_map(|(name, content)| Act::Update { name, content }),
        3 => (name.clone(), content).prop_map(|(name, content)| Act::Append { name, content }),
        1 => name.clone().prop_map(|name| Act::Delete { name }),
        3 => (name.clone(), user.clone()).prop_map(|(name, with)| Act::Share { name, with }),
        3 => (user.clone(), name.clone(), name.clone())
            .prop_map(|(from, name, own)| Act::Receive { from, name, own }),
        1 => (name.clone(), user).prop_map(|(name, from)| Act::Revoke { name, from }),
        3 => name.prop_map(|name| Act::Download { name }),
        1 => Just(Act::List),
    ]
}

/// A file, shared or not.
#[derive(Clone, Debug, Default)]
struct File {
    content: Option<Vec<u8>>,
    owner: usize,
    /// Who invited whom; empty until the file is shared for the first time.
    members: BTreeMap<usize, usize>,
    shared: bool,
}

#[derive(Clone, Debug)]
struct Sent {
    from: usize,
    to: usize,
    name: usize,
    file: usize,
    /// An invitation ends with the membership that it came with.
    term: usize,
    received: bool,
}

#[derive(Debug, Default)]
struct Model {
    files: Vec<File>,
    /// What a user's name leads to, and whether by receipt: then with the term of the membership.
    names: BTreeMap<(usize, usize), usize>,
    sent: Vec<Sent>,
    /// Counts the times that a user became a member of a file.
    terms: BTreeMap<(usize, usize), usize>,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Done,
    Content(Vec<u8>),
    Names(BTreeSet<Vec<u8>>),
    Failed(Error),
}

fn usage(usage: Usage) -> Said {
    Said::Failed(Error::Usage(usage))
}

impl Model {
    fn member(&self, file: usize, user: usize) -> bool {
        let file = &self.files[file];
        file.owner == user || file.members.contains_key(&user)
    }

    /// The file behind a name, or what the client says instead.
    fn open(&self, user: usize, name: usize) -> Result<usize, Said> {
        let file = *self
            .names
            .get(&(user, name))
            .ok_or(usage(Usage::NoSuchFile))?;
        if !self.member(file, user) {
            return Err(Said::Failed(Error::Unavailable(Unavailable::Closed)));
        }
        match self.files[file].content {
            Some(_) => Ok(file),
            None => Err(usage(Usage::NoSuchFile)),
        }
    }

    fn apply(&mut self, user: usize, act: &Act) -> Said {
        match self.try_apply(user, act) {
            Ok(said) | Err(said) => said,
        }
    }

    fn try_apply(&mut self, user: usize, act: &Act) -> Result<Said, Said> {
        match act {
            Act::Upload { name, content } | Act::Update { name, content } => {
                self.upload(user, *name, content)
            }
            Act::Append { name, content } => {
                let file = self.open(user, *name)?;
                self.files[file]
                    .content
                    .get_or_insert_default()
                    .extend_from_slice(content);
                Ok(Said::Done)
            }
            Act::Delete { name } => self.delete(user, *name),
            Act::Share { name, with } => self.share(user, *name, *with),
            Act::Receive { from, name, own } => self.receive(user, *from, *name, *own),
            Act::Revoke { name, from } => self.revoke(user, *name, *from),
            Act::Download { name } => {
                let file = self.open(user, *name)?;
                Ok(Said::Content(
                    self.files[file].content.clone().unwrap_or_default(),
                ))
            }
            Act::List => {
                let own = self.names.keys().filter(|(whose, _)| *whose == user);
                Ok(Said::Names(
                    own.map(|(_, name)| NAMES[*name].as_bytes().to_vec())
                        .collect(),
                ))
            }
        }
    }

    fn upload(&mut self, user: usize, name: usize, content: &[u8]) -> Result<Said, Said> {
        match self.open(user, name) {
            Ok(file) => self.files[file].content = Some(content.to_vec()),
            Err(Said::Failed(Error::Usage(_))) => {
                // Free, or left by a file that its owner deleted.
                self.files.push(File {
                    content: Some(content.to_vec()),
                    owner: user,
                    ..File::default()
                });
                self.names.insert((user, name), self.files.len() - 1);
            }
            Err(said) => return Err(said),
        }
        Ok(Said::Done)
    }

    fn delete(&mut self, user: usize, name: usize) -> Result<Said, Said> {
        let file = match self.open(user, name) {
            Ok(file) => file,
            Err(Said::Failed(Error::Usage(_))) if self.names.contains_key(&(user, name)) => {
                self.names.remove(&(user, name));
                return Ok(Said::Done);
            }
            Err(said) => return Err(said),
        };
        if self.files[file].owner == user {
            self.files[file].content = None;
        }
        self.names.remove(&(user, name));
        Ok(Said::Done)
    }

    fn share(&mut self, user: usize, name: usize, with: usize) -> Result<Said, Said> {
        let file = self.open(user, name)?;
        if user == with {
            return Err(usage(Usage::Oneself));
        }
        // A member is invited once more, and nothing changes by it.
        let member = self.member(file, with);
        let term = self.terms.entry((file, with)).or_default();
        if !member {
            self.files[file].members.insert(with, user);
            *term += 1;
        }
        self.files[file].shared = true;
        let term = *term;
        self.sent.push(Sent {
            from: user,
            to: with,
            name,
            file,
            term,
            received: false,
        });
        Ok(Said::Done)
    }

    fn receive(&mut self, user: usize, from: usize, name: usize, own: usize) -> Result<Said, Said> {
        if user == from {
            return Err(usage(Usage::Oneself));
        }
        let fits = |sent: &&mut Sent| sent.from == from && sent.to == user && sent.name == name;
        let newest = self.sent.iter_mut().rev().find(fits);
        let sent = newest.ok_or(Said::Failed(Error::Unavailable(Unavailable::NoInvitation)))?;
        if sent.received {
            return Err(usage(Usage::AlreadyReceived));
        }
        if self.names.contains_key(&(user, own)) {
            return Err(usage(Usage::NameTaken));
        }
        let (file, term) = (sent.file, sent.term);
        let current = self.terms.get(&(file, user)) == Some(&term);
        if !current || !self.files[file].members.contains_key(&user) {
            return Err(Said::Failed(Error::Unavailable(Unavailable::Closed)));
        }
        if let Some(sent) = self.sent.iter_mut().rev().find(fits) {
            sent.received = true;
        }
        self.names.insert((user, own), file);
        Ok(Said::Done)
    }

    fn revoke(&mut self, user: usize, name: usize, from: usize) -> Result<Said, Said> {
        let file = self.open(user, name)?;
        if !self.files[file].shared {
            return Err(usage(Usage::NotShared));
        }
        if self.files[file].owner != user {
            return Err(usage(Usage::NotOwner));
        }
        if user == from {
            return Err(usage(Usage::Oneself));
        }
        if !self.files[file].members.contains_key(&from) {
            return Err(usage(Usage::NotShared));
        }
        let mut gone = vec![from];
        let mut next = 0;
        while next < gone.len() {
            let above = gone[next];
            let members = &self.files[file].members;
            gone.extend(
                members
                    .iter()
                    .filter(|(_, by)| **by == above)
                    .map(|(who, _)| *who),
            );
            next += 1;
        }
        for user in gone {
            self.files[file].members.remove(&user);
        }
        Ok(Said::Done)
    }
}

fn play(session: &mut TestSession, act: &Act) -> Said {
    let name = |name: &usize| NAMES[*name].as_bytes();
    let user = |user: &usize| USERS[*user].as_bytes();
    let done = match act {
        Act::Upload { name: n, content } => now(session.upload_all(name(n), content)),
        Act::Update { name: n, content } => now(session.update_all(name(n), content)).map(|_| ()),
        Act::Append { name: n, content } => now(session.append(name(n), content)),
        Act::Delete { name: n } => now(session.delete(name(n))),
        Act::Share { name: n, with } => now(session.share(name(n), user(with))).map(|_| ()),
        Act::Receive { from, name: n, own } => {
            now(session.receive(user(from), Pick::Name(name(n)), name(own))).map(|_| ())
        }
        Act::Revoke { name: n, from } => now(session.revoke(name(n), user(from))).map(|_| ()),
        Act::Download { name: n } => match now(session.download_all(name(n))) {
            Ok((content, _)) => return Said::Content(content),
            Err(error) => Err(error),
        },
        Act::List => match now(session.list()) {
            Ok(listing) => return Said::Names(listing.names.into_iter().collect()),
            Err(error) => Err(error),
        },
    };
    done.map_or_else(Said::Failed, |()| Said::Done)
}

proptest! {
    #![proptest_config(Runner { cases: 24, failure_persistence: None, ..Runner::default() })]

    #[test]
    fn f15_any_sequence_of_operations_equals_the_model(
        acts in proptest::collection::vec((0..USERS.len(), 0..2_usize, act()), 1..40),
        swept in any::<bool>(),
    ) {
        let world = Deployment::new(5);
        let mut sessions: Vec<Vec<TestSession>> = Vec::new();
        for (number, name) in USERS.iter().enumerate() {
            let (_, first) = world.user(name, number);
            let second = world.device(name, "second").login().expect("a login");
            sessions.push(vec![first, second]);
        }
        let mut model = Model::default();
        for (user, device, act) in &acts {
            let expected = model.apply(*user, act);
            let said = play(&mut sessions[*user][*device], act);
            prop_assert_eq!(said, expected, "{} {}: {:?}", USERS[*user], device, act);
            if swept {
                world.sweep();
            }
        }
    }
}
