//! Random honest histories: whatever interleaves, fails late or goes lost, no oracle sees a breach.

use std::collections::{BTreeMap, BTreeSet};

use crate::chooser::Chooser;
use crate::client::{Answer, Claims, Class, DeviceName, Failure, Operation, Outcome};
use crate::history::{Event, History, ObjectKey};
use crate::oracle::{Facts, judge};
use crate::verdict::Guarantee;

/// A file as an honest store keeps it.
#[derive(Clone, Default)]
struct Stored {
    content: Vec<u8>,
    owner: String,
    /// Members below whom: the share tree.
    members: BTreeMap<String, String>,
    space: Option<u8>,
    deleted: bool,
}

/// An operation under way.
struct Running {
    id: u32,
    device: DeviceName,
    what: Operation,
    /// What it will return, once it took effect.
    outcome: Option<Outcome>,
}

/// Who invited, under which name, whom, to which file, and the pointer.
type Invitation = (String, Vec<u8>, String, usize, Vec<u8>);

/// An honest store and its clients, which run at random.
struct World {
    history: History,
    chooser: Chooser,
    /// Whether clients publish heads.
    visible: bool,
    files: Vec<Stored>,
    names: BTreeMap<(String, Vec<u8>), usize>,
    invitations: Vec<Invitation>,
    heads: BTreeMap<[u8; 32], ([u8; 32], u64)>,
    running: Vec<Running>,
    operations: u32,
    published: u64,
}

const DEVICES: [&str; 5] = ["alice", "alice/phone", "bob", "bob/phone", "carol"];
const NAMES: [&[u8]; 4] = [b"a", b"b", b"r", b"s"];
const CONTENTS: [&[u8]; 5] = [b"x", b"y", b"xy", b"", b"yx"];

impl World {
    fn new(seed: u64, visible: bool) -> Self {
        Self {
            history: History::new(),
            chooser: Chooser::seeded(seed),
            visible,
            files: Vec::new(),
            names: BTreeMap::new(),
            invitations: Vec::new(),
            heads: BTreeMap::new(),
            running: Vec::new(),
            operations: 0,
            published: 0,
        }
    }

    fn run(mut self, operations: u32) -> History {
        for device in DEVICES {
            let device = DeviceName::parse(device);
            self.history.push(Event::DeviceStarted {
                device,
                remembers: false,
            });
        }
        while self.operations < operations || !self.running.is_empty() {
            let at = self.choose(DEVICES.len());
            let device = DeviceName::parse(DEVICES[at]);
            match self
                .running
                .iter()
                .position(|running| running.device == device)
            {
                None if self.operations < operations => self.start(device),
                None => {}
                Some(at) => self.go_on(at),
            }
        }
        self.history
    }

    fn choose(&mut self, options: usize) -> usize {
        self.chooser
            .choose(u32::try_from(options).expect("few options")) as usize
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.choose(of.len());
        of[at].clone()
    }

    fn start(&mut self, device: DeviceName) {
        let name = self.pick(&NAMES).to_vec();
        let content = self.pick(&CONTENTS).to_vec();
        let with = self.pick(&["alice", "bob", "carol"]).to_owned();
        let what = match self.choose(14) {
            0 | 1 => Operation::Upload { name, content },
            2 => {
                let other = self.pick(&NAMES).to_vec();
                let mut files = vec![(name.clone(), content.clone())];
                if other != name {
                    files.push((other, content));
                }
                Operation::UploadMany { files }
            }
            3..=5 => Operation::Append { name, content },
            6 | 7 => Operation::Download { name },
            8 => Operation::Delete { name },
            9 => Operation::List,
            10 | 11 => Operation::Share { name, with },
            12 => self.invited(&device.user, with, name),
            _ => {
                let mut sent = self.invitations.clone();
                sent.retain(|(sender, ..)| *sender == device.user);
                match sent.is_empty() {
                    true => Operation::Revoke { name, from: with },
                    false => {
                        let (_, name, from, ..) = self.pick(&sent);
                        Operation::Revoke { name, from }
                    }
                }
            }
        };
        let id = self.operations;
        self.operations += 1;
        self.history.push(Event::OperationStarted {
            operation: id,
            device: device.clone(),
            what: what.clone(),
        });
        self.running.push(Running {
            id,
            device,
            what,
            outcome: None,
        });
    }

    /// A receive of one of the user's invitations, if there is any.
    fn invited(&mut self, user: &str, from: String, name: Vec<u8>) -> Operation {
        let mine = |invitation: &&Invitation| invitation.2 == user;
        let found: Vec<_> = self.invitations.iter().filter(mine).cloned().collect();
        let as_name = self.pick(&NAMES[2..]).to_vec();
        if found.is_empty() {
            let (name, pointer) = (Some(name), None);
            return Operation::Receive {
                from,
                name,
                pointer,
                as_name,
            };
        }
        let (from, name, _, _, pointer) = self.pick(&found);
        let by_pointer = self.choose(2) == 0;
        Operation::Receive {
            from,
            name: (!by_pointer).then_some(name),
            pointer: by_pointer.then_some(pointer),
            as_name,
        }
    }

    /// One more step of an operation: it takes effect, it ends, or it is lost.
    fn go_on(&mut self, at: usize) {
        let lost = self.choose(12) == 0;
        let Running {
            id,
            device,
            what,
            outcome,
        } = self.running.swap_remove(at);
        let outcome = match outcome {
            None if !lost => {
                let outcome = Some(self.apply(id, &device, &what));
                self.running.push(Running {
                    id,
                    device,
                    what,
                    outcome,
                });
                return;
            }
            Some(outcome) if !lost => outcome,
            _ => Err(Failure::new(Class::Unavailable, "timeout")),
        };
        self.history.push(Event::OperationEnded {
            operation: id,
            outcome,
        });
    }

    fn file(&self, user: &str, name: &[u8]) -> Result<usize, Failure> {
        let missing = || Failure::new(Class::Usage, "no-such-file");
        let file = *self
            .names
            .get(&(user.to_owned(), name.to_vec()))
            .ok_or_else(missing)?;
        if self.files[file].deleted {
            return Err(missing());
        }
        if self.may_use(file, user) {
            Ok(file)
        } else {
            Err(Failure::new(Class::Unavailable, "closed"))
        }
    }

    fn may_use(&self, file: usize, user: &str) -> bool {
        self.files[file].owner == user || self.files[file].members.contains_key(user)
    }

    fn apply(&mut self, id: u32, device: &DeviceName, what: &Operation) -> Outcome {
        let user = device.user.as_str();
        let mut answer = Answer::default();
        match what {
            Operation::Upload { name, content } | Operation::Update { name, content } => {
                let space = self.upload(id, user, name, content)?;
                self.publish(id, device, space);
            }
            Operation::UploadMany { files } => {
                let mut spaces = BTreeSet::new();
                for (name, content) in files {
                    spaces.insert(self.upload(id, user, name, content)?);
                }
                for space in spaces {
                    self.publish(id, device, space);
                }
            }
            Operation::Append { name, content } => {
                let file = self.file(user, name)?;
                self.files[file].content.extend_from_slice(content);
                self.wrote(id);
                let space = self.space(file);
                self.publish(id, device, space);
            }
            Operation::Download { name } => {
                let file = self.file(user, name)?;
                answer.content = Some(self.files[file].content.clone());
                let space = self.space(file);
                self.accept(device, space);
                self.accept(device, private(user));
            }
            Operation::Delete { name } => {
                let file = self.names.remove(&(user.to_owned(), name.clone()));
                let file = file.ok_or_else(|| Failure::new(Class::Usage, "no-such-file"))?;
                self.wrote(id);
                if self.files[file].owner == user {
                    self.files[file].deleted = true;
                    let space = self.space(file);
                    if space != private(user) {
                        self.publish(id, device, space);
                    }
                }
                self.publish(id, device, private(user));
            }
            Operation::List => {
                let names = self.names.keys().filter(|(owner, _)| owner == user);
                answer.names = Some(names.map(|(_, name)| name.clone()).collect());
                self.accept(device, private(user));
            }
            Operation::Share { name, with } => {
                answer.pointer = Some(self.share(id, device, name, with)?)
            }
            Operation::Receive { .. } => self.receive(id, device, what)?,
            Operation::Revoke { name, from } => self.revoke(id, device, name, from)?,
            _ => {}
        }
        answer.claims = Claims::default();
        Ok(answer)
    }

    fn upload(
        &mut self,
        id: u32,
        user: &str,
        name: &[u8],
        content: &[u8],
    ) -> Result<[u8; 32], Failure> {
        let file = match self.file(user, name) {
            Ok(file) => file,
            Err(failure) if failure.class == Class::Usage => {
                self.files.push(Stored {
                    owner: user.to_owned(),
                    ..Stored::default()
                });
                self.names
                    .insert((user.to_owned(), name.to_vec()), self.files.len() - 1);
                self.files.len() - 1
            }
            Err(failure) => return Err(failure),
        };
        self.files[file].content = content.to_vec();
        self.wrote(id);
        Ok(self.space(file))
    }

    fn share(
        &mut self,
        id: u32,
        device: &DeviceName,
        name: &[u8],
        with: &str,
    ) -> Result<Vec<u8>, Failure> {
        let user = device.user.as_str();
        let file = self.file(user, name)?;
        if self.may_use(file, with) {
            return Err(Failure::new(Class::Usage, "already-shared"));
        }
        self.wrote(id);
        self.files[file]
            .members
            .insert(with.to_owned(), user.to_owned());
        if self.files[file].space.is_none() {
            let number = u8::try_from(file).expect("few files");
            self.files[file].space = Some(100 + number);
            self.publish(id, device, private(user));
        }
        let space = self.space(file);
        self.publish(id, device, space);
        let pointer = vec![u8::try_from(self.invitations.len()).expect("few invitations")];
        let invitation = (
            user.to_owned(),
            name.to_vec(),
            with.to_owned(),
            file,
            pointer.clone(),
        );
        self.invitations.push(invitation);
        Ok(pointer)
    }

    fn receive(&mut self, id: u32, device: &DeviceName, what: &Operation) -> Result<(), Failure> {
        let user = device.user.as_str();
        let Operation::Receive {
            from,
            name,
            pointer,
            as_name,
        } = what
        else {
            return Ok(());
        };
        let found = self
            .invitations
            .iter()
            .rev()
            .find(|(sender, sent, recipient, _, number)| {
                sender == from
                    && recipient == user
                    && name.as_ref().is_none_or(|name| name == sent)
                    && pointer.as_ref().is_none_or(|pointer| pointer == number)
            });
        let none = || Failure::new(Class::Usage, "no-invitation");
        let file = found.map(|(_, _, _, file, _)| *file).ok_or_else(none)?;
        if self.names.contains_key(&(user.to_owned(), as_name.clone())) {
            return Err(Failure::new(Class::Usage, "name-taken"));
        }
        if self.files[file].deleted || !self.may_use(file, user) {
            return Err(Failure::new(Class::Unavailable, "closed"));
        }
        self.names.insert((user.to_owned(), as_name.clone()), file);
        self.wrote(id);
        let space = self.space(file);
        self.accept(device, space);
        self.publish(id, device, private(user));
        Ok(())
    }

    fn revoke(
        &mut self,
        id: u32,
        device: &DeviceName,
        name: &[u8],
        from: &str,
    ) -> Result<(), Failure> {
        let file = self.file(&device.user, name)?;
        if self.files[file].owner != device.user || !self.files[file].members.contains_key(from) {
            return Err(Failure::new(Class::Usage, "not-shared"));
        }
        let mut gone = vec![from.to_owned()];
        while let Some(user) = gone.pop() {
            let members = &mut self.files[file].members;
            members.remove(&user);
            gone.extend(
                members
                    .iter()
                    .filter(|(_, by)| **by == user)
                    .map(|(user, _)| user.clone()),
            );
        }
        self.wrote(id);
        let space = self.space(file);
        self.publish(id, device, space);
        Ok(())
    }

    fn space(&self, file: usize) -> [u8; 32] {
        let file = &self.files[file];
        file.space
            .map_or_else(|| private(&file.owner), |space| [space; 32])
    }

    fn wrote(&mut self, operation: u32) {
        let (object, version) = (ObjectKey::new("obj", *b"object"), self.published);
        self.history.push(Event::Wrote {
            operation,
            object,
            version,
        });
    }

    fn publish(&mut self, operation: u32, device: &DeviceName, space: [u8; 32]) {
        if !self.visible {
            return;
        }
        self.published += 1;
        let mut head = [7; 32];
        head[..8].copy_from_slice(&self.published.to_be_bytes());
        let before = self.heads.insert(space, (head, 0));
        let (parent, height) = before.map_or(([0; 32], 0), |(parent, height)| (parent, height + 1));
        self.heads.insert(space, (head, height));
        self.history.push(Event::Published {
            space,
            head,
            parent,
            height,
            operation,
        });
        self.accept(device, space);
    }

    fn accept(&mut self, device: &DeviceName, space: [u8; 32]) {
        if let Some((head, height)) = self.heads.get(&space).filter(|_| self.visible).copied() {
            let device = device.clone();
            self.history.push(Event::Accepted {
                device,
                space,
                head,
                height,
            });
        }
    }
}

fn private(user: &str) -> [u8; 32] {
    [user.as_bytes()[0]; 32]
}

/// The same history with another content in one of its reads.
fn planted(history: &History, content: &[u8]) -> Option<History> {
    let mut events = history.events().to_vec();
    let read = events.iter_mut().rev().find_map(|event| match event {
        Event::OperationEnded {
            outcome:
                Ok(Answer {
                    content: Some(content),
                    ..
                }),
            ..
        } => Some(content),
        _ => None,
    })?;
    *read = content.to_vec();
    let mut history = History::new();
    for event in events {
        history.push(event);
    }
    Some(history)
}

#[test]
fn no_honest_history_is_a_breach() {
    for seed in 0..300 {
        let history = World::new(seed, seed % 2 == 0).run(120);
        let judgement = judge(&history, &Facts::default());
        assert_eq!(judgement.breaches, [], "seed {seed}");
        assert!(
            judgement.undecided.is_empty(),
            "seed {seed}: {judgement:#?}"
        );
    }
}

#[test]
fn a_planted_content_in_any_history_is_a_breach() {
    let mut planted_in = 0;
    for seed in 0..100 {
        let history = World::new(seed, seed % 2 == 0).run(120);
        for content in [
            b"planted".as_slice(),
            b"xyz",
            b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        ] {
            let Some(history) = planted(&history, content) else {
                continue;
            };
            planted_in += 1;
            assert!(
                judge(&history, &Facts::default()).has(Guarantee::G1),
                "seed {seed}"
            );
        }
    }
    assert!(planted_in > 100, "{planted_in} reads");
}
