//! Who is in a run, and what they do next.

use crate::chooser::Chooser;
use crate::client::{DeviceName, Operation};

/// The names of files. The last one is kept in a pack.
pub(super) const NAMES: [&[u8]; 4] = [b"notes", b"plans", b"", &[b'n'; 300]];

/// The devices that there may be, each list with the first device of a user before the others.
const CASTS: [&[&str]; 8] = [
    &["alice", "alice/phone"],
    &["alice", "alice/phone", "alice/tablet"],
    &["alice", "bob"],
    &["alice", "alice/phone", "bob"],
    &["alice", "alice/phone", "bob"],
    &["alice", "bob", "carol"],
    &["alice", "alice/phone", "bob", "bob/phone"],
    &["alice", "alice/phone", "bob", "carol"],
];

/// The sizes of content that are not small, a few of them beyond one chunk.
const SIZES: [usize; 8] = [0, 255, 256, 4_000, 65_532, 65_533, 70_000, 140_000];

/// One in so many contents is not small.
const NOT_SMALL: u32 = 10;

/// What one does.
#[derive(Clone, Copy)]
enum Deed {
    Append,
    Delete,
    Download,
    List,
    Login,
    Receive,
    Revoke,
    Share,
    Upload,
    UploadMany,
}

const DEEDS: [(Deed, usize); 10] = [
    (Deed::Append, 5),
    (Deed::Delete, 2),
    (Deed::Download, 3),
    (Deed::List, 1),
    (Deed::Login, 1),
    (Deed::Receive, 3),
    (Deed::Revoke, 1),
    (Deed::Share, 3),
    (Deed::Upload, 3),
    (Deed::UploadMany, 1),
];

/// A share that somebody tried: from, the name there, to whom.
type Tried = (String, Vec<u8>, String);

/// The people of one run.
pub(super) struct People {
    pub(super) devices: Vec<DeviceName>,
    pub(super) users: Vec<String>,
    deeds: Vec<Deed>,
    tried: Vec<Tried>,
    /// Whether alice shares a file before the network goes bad.
    shares: bool,
    /// Counts contents, so that no two are alike.
    contents: u32,
}

impl People {
    pub(super) fn new(chooser: &mut Chooser) -> Self {
        let cast = CASTS[chooser.choose(8) as usize];
        let devices: Vec<DeviceName> = cast.iter().map(|name| DeviceName::parse(name)).collect();
        let mut users: Vec<String> = devices.iter().map(|device| device.user.clone()).collect();
        users.dedup();
        let mut deeds = Vec::new();
        for (deed, often) in DEEDS {
            // What people like to do differs from run to run.
            let times = [0, 1, 1, 3][chooser.choose(4) as usize];
            deeds.extend(std::iter::repeat_n(deed, often * times));
        }
        if deeds.is_empty() {
            deeds.push(Deed::Append);
        }
        Self {
            devices,
            users,
            deeds,
            tried: Vec::new(),
            shares: chooser.choose(4) > 0,
            contents: 0,
        }
    }

    /// What is there before the network goes bad: each user has a file, and all may share one.
    pub(super) fn opening(&mut self) -> Vec<(DeviceName, Operation)> {
        let mut opening = Vec::new();
        for user in self.users.clone() {
            let (name, content) = (NAMES[0].to_vec(), self.marked(24));
            let upload = Operation::Upload { name, content };
            opening.push((DeviceName::first(&user), upload));
        }
        for other in self.users.clone().into_iter().skip(1) {
            if self.shares {
                let name = NAMES[0].to_vec();
                let share = self.shared("alice", &name, &other);
                opening.push((DeviceName::first("alice"), share));
                let receive = Operation::Receive {
                    from: "alice".to_owned(),
                    name: Some(name),
                    pointer: None,
                    as_name: NAMES[1].to_vec(),
                };
                opening.push((DeviceName::first(other), receive));
            }
        }
        opening
    }

    /// What somebody does next.
    pub(super) fn operation(&mut self, chooser: &mut Chooser, user: &str) -> Operation {
        let deed = *one(chooser, &self.deeds).unwrap_or(&Deed::Append);
        let name = name(chooser);
        match deed {
            Deed::Append => Operation::Append {
                name,
                content: self.content(chooser),
            },
            Deed::Upload => Operation::Upload {
                name,
                content: self.content(chooser),
            },
            Deed::UploadMany => Operation::UploadMany {
                files: self.files(chooser),
            },
            Deed::Delete => Operation::Delete { name },
            Deed::Download => Operation::Download { name },
            Deed::List => Operation::List,
            Deed::Login => Operation::Login,
            Deed::Share => match self.other(chooser, user) {
                Some(with) => self.shared(user, &name, &with),
                None => Operation::Download { name },
            },
            Deed::Receive => self.receive(chooser, user, name),
            Deed::Revoke => self.revoke(chooser, user, name),
        }
    }

    fn shared(&mut self, user: &str, name: &[u8], with: &str) -> Operation {
        let (name, with) = (name.to_vec(), with.to_owned());
        let tried = (user.to_owned(), name.clone(), with.clone());
        self.tried.push(tried);
        Operation::Share { name, with }
    }

    /// A receipt of what somebody tried to share with the user, if anybody did.
    fn receive(&mut self, chooser: &mut Chooser, user: &str, as_name: Vec<u8>) -> Operation {
        let mine = |(_, _, with): &&Tried| with == user;
        let mine: Vec<Tried> = self.tried.iter().filter(mine).cloned().collect();
        match one(chooser, &mine) {
            Some((from, name, _)) => Operation::Receive {
                from: from.clone(),
                name: Some(name.clone()),
                pointer: None,
                as_name,
            },
            None => Operation::Download { name: as_name },
        }
    }

    /// A revocation of what the user tried to share, if anything.
    fn revoke(&mut self, chooser: &mut Chooser, user: &str, name: Vec<u8>) -> Operation {
        let mine = |(from, _, _): &&Tried| from == user;
        let mine: Vec<Tried> = self.tried.iter().filter(mine).cloned().collect();
        match one(chooser, &mine) {
            Some((_, name, with)) => Operation::Revoke {
                name: name.clone(),
                from: with.clone(),
            },
            None => Operation::Download { name },
        }
    }

    fn other(&self, chooser: &mut Chooser, user: &str) -> Option<String> {
        let others = self.users.iter().filter(|other| *other != user);
        let others: Vec<String> = others.cloned().collect();
        one(chooser, &others).cloned()
    }

    /// A few small files of different names.
    fn files(&mut self, chooser: &mut Chooser) -> Vec<(Vec<u8>, Vec<u8>)> {
        let first = chooser.choose(4) as usize;
        let count = 1 + chooser.choose(3) as usize;
        let names = NAMES.iter().cycle().skip(first).take(count);
        let named = names.map(|name| (name.to_vec(), self.marked(20)));
        named.collect()
    }

    fn content(&mut self, chooser: &mut Chooser) -> Vec<u8> {
        let size = match chooser.choose(NOT_SMALL) {
            0 => one(chooser, &SIZES).copied().unwrap_or_default(),
            _ => 8 + chooser.choose(40) as usize,
        };
        self.marked(size)
    }

    /// Content that begins like no other one, unless it is empty.
    fn marked(&mut self, size: usize) -> Vec<u8> {
        self.contents += 1;
        let mut content = format!("<{}>", self.contents).into_bytes();
        content.resize(size, b'.');
        content
    }
}

fn name(chooser: &mut Chooser) -> Vec<u8> {
    // The first ones more often, so that people meet.
    let at = [0, 0, 0, 1, 1, 2, 3][chooser.choose(7) as usize];
    NAMES[at].to_vec()
}

/// One of a list; none of an empty one.
pub(super) fn one<'list, T>(chooser: &mut Chooser, list: &'list [T]) -> Option<&'list T> {
    let options = u32::try_from(list.len()).unwrap_or(u32::MAX);
    list.get(chooser.choose(options) as usize)
}
