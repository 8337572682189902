//! Plain files that several users share, and how an operation changes them: a moment at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::past::{Act, Content, Past};
use crate::client::Operation;

/// All directories, shared files and invitations.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct World {
    /// What a user's name leads to.
    names: BTreeMap<(u8, u8), Entry>,
    shared: Vec<Shared>,
    sent: Vec<Sent>,
    /// Who received which invitation.
    received: BTreeSet<(u8, u8)>,
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    /// A file of the user's own.
    File(Content),
    /// A shared file.
    Link(Link),
}

/// The way to a shared file, with the key that it had when the link was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    file: u8,
    epoch: u8,
}

/// A shared file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shared {
    /// None once its owner deleted it, for good.
    content: Option<Content>,
    owner: u8,
    /// Members beside the owner, each with whoever invited it.
    members: BTreeMap<u8, u8>,
    /// Counts revocations.
    epoch: u8,
    /// Whom the owner sent the newest key.
    keyed: BTreeSet<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    from: u8,
    to: u8,
    name: u8,
    file: u8,
}

/// What an operation says in the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Done,
    Content(Content),
    Names(BTreeSet<u8>),
    /// A mistake of the caller's.
    Usage(&'static str),
    /// The file is closed to the user.
    Closed,
}

/// How far an operation has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// It looks for the name; `again` if it found the file changed under its hands before.
    Begun { again: bool },
    /// It found a shared file behind the name.
    At { link: Link, again: bool },
    /// It has deleted the content of that file, and the name is left.
    Emptied { link: Link },
    /// It has found that invitation.
    Picked { invitation: u8 },
    /// It has read the file behind it, under its key.
    Entered { invitation: u8, link: Link },
    /// Of several files, those with these places are left: they are shared ones.
    Left { places: u8, at: Option<Link> },
    /// It is over, and says so.
    Over(Said),
}

impl Progress {
    pub(super) const BEGUN: Self = Self::Begun { again: false };
}

/// What is done to a file under a name.
#[derive(Clone, Copy)]
enum Deed {
    Append,
    Delete,
    Download,
    Revoke(u8),
    Share(u8),
    Upload,
}

/// An operation in the numbers of the model.
pub(super) struct Task {
    user: u8,
    kind: Kind,
}

enum Kind {
    /// It reads and changes nothing that is modelled.
    Nothing,
    List,
    /// A deed under a name, with the content that it writes.
    Named(Deed, u8, Content),
    /// From whom, the name there, and the name here.
    Receive(u8, u8, u8),
    /// Names, in order, and contents.
    Many(Vec<(u8, Content)>),
}

impl Task {
    /// What an operation does; nothing if it is about a name of which the past knows nothing.
    pub(super) fn of(past: &Past<'_>, act: &Act<'_>) -> Self {
        let user = past.user(&act.device.user).unwrap_or(u8::MAX);
        let kind = Self::kind(past, act.what).unwrap_or(Kind::Nothing);
        Self { user, kind }
    }

    fn kind(past: &Past<'_>, what: &Operation) -> Option<Kind> {
        // Who never did anything has no number of his own, and nothing comes of him.
        let user = |user: &str| past.user(user).unwrap_or(u8::MAX);
        let named = |deed, name: &[u8], content: &[u8]| {
            let content = past.content(content)?;
            Some(Kind::Named(deed, past.name(name)?, content))
        };
        match what {
            Operation::List => Some(Kind::List),
            Operation::Upload { name, content } => named(Deed::Upload, name, content),
            Operation::Append { name, content } => named(Deed::Append, name, content),
            Operation::Download { name } => named(Deed::Download, name, b""),
            Operation::Delete { name } => named(Deed::Delete, name, b""),
            Operation::Share { name, with } => named(Deed::Share(user(with)), name, b""),
            Operation::Revoke { name, from } => named(Deed::Revoke(user(from)), name, b""),
            Operation::Receive {
                from,
                name,
                as_name,
                ..
            } => {
                // A name that nobody ever used was never shared.
                let there = past.name(name.as_ref()?).unwrap_or(u8::MAX);
                Some(Kind::Receive(user(from), there, past.name(as_name)?))
            }
            Operation::UploadMany { files } => {
                let mut last = BTreeMap::new();
                for (name, content) in files {
                    last.insert(name, (past.name(name)?, past.content(content)?));
                }
                Some(Kind::Many(last.into_values().collect()))
            }
            _ => None,
        }
    }

    /// Whether any serial order says what this operation answers.
    pub(super) const fn is_modelled(&self) -> bool {
        !matches!(self.kind, Kind::Nothing)
    }
}

impl World {
    /// Every way in which an operation may go on by one moment.
    pub(super) fn next(&self, task: &Task, progress: &Progress) -> Vec<(Self, Progress)> {
        let mut moves = Moves {
            world: self,
            user: task.user,
            found: Vec::new(),
        };
        match (&task.kind, progress) {
            (Kind::Nothing, _) | (_, Progress::Over(_)) => {}
            (Kind::List, _) => {
                let own = self.names.keys().filter(|(user, _)| *user == task.user);
                let names = own.map(|(_, name)| *name).collect();
                moves.read(Progress::Over(Said::Names(names)));
            }
            (Kind::Named(deed, name, content), progress) => {
                moves.named(*deed, *name, content, progress);
            }
            (Kind::Receive(from, there, here), progress) => {
                moves.receive(*from, *there, *here, progress);
            }
            (Kind::Many(files), progress) => moves.many(files, progress),
        }
        moves.found
    }

    fn file(&self, link: Link) -> &Shared {
        &self.shared[usize::from(link.file)]
    }

    fn file_mut(&mut self, link: Link) -> &mut Shared {
        &mut self.shared[usize::from(link.file)]
    }
}

impl Shared {
    fn has(&self, user: u8) -> bool {
        self.owner == user || self.members.contains_key(&user)
    }

    /// Whether a member finds the newest key from a link. Who was invited once more by somebody
    /// else than the owner may have to receive that invitation first.
    fn opens(&self, user: u8, link: Link) -> bool {
        let keyed = self.owner == user || self.keyed.contains(&user);
        self.has(user) && (keyed || link.epoch >= self.epoch)
    }

    /// Removes a member and everybody whom it invited, and gives the others a new key.
    fn remove(&mut self, gone: u8) {
        let mut gone = vec![gone];
        while let Some(user) = gone.pop() {
            self.members.remove(&user);
            let below = self.members.iter().filter(|(_, by)| **by == user);
            gone.extend(below.map(|(user, _)| *user));
        }
        self.epoch += 1;
        self.keyed = self.members.keys().copied().collect();
    }
}

/// The ways on from one state, as they are found.
struct Moves<'w> {
    world: &'w World,
    user: u8,
    found: Vec<(World, Progress)>,
}

impl Moves<'_> {
    /// The operation goes on, and nothing changes.
    fn read(&mut self, progress: Progress) {
        self.found.push((self.world.clone(), progress));
    }

    fn says(&mut self, said: Said) {
        self.read(Progress::Over(said));
    }

    /// The operation goes on, and this changes.
    fn changes(&mut self, progress: Progress, change: impl FnOnce(&mut World)) {
        let mut world = self.world.clone();
        change(&mut world);
        self.found.push((world, progress));
    }

    fn does(&mut self, change: impl FnOnce(&mut World)) {
        self.changes(Progress::Over(Said::Done), change);
    }

    fn named(&mut self, deed: Deed, name: u8, content: &Content, progress: &Progress) {
        let slot = (self.user, name);
        match progress {
            Progress::Begun { again } => self.look(deed, slot, content, *again),
            Progress::At { link, again } => self.at(deed, slot, content, *link, *again),
            Progress::Emptied { link } => {
                if self.world.names.get(&slot) == Some(&Entry::Link(*link)) {
                    self.does(|world| drop(world.names.remove(&slot)));
                } else {
                    // Somebody was quicker: what has the name now goes as well.
                    self.read(Progress::Begun { again: true });
                }
            }
            _ => {}
        }
    }

    /// The directory, at one moment.
    fn look(&mut self, deed: Deed, slot: (u8, u8), content: &Content, again: bool) {
        match (self.world.names.get(&slot), deed) {
            (None, Deed::Upload) => self.store(slot, content),
            (None, _) => self.says(Said::Usage("no-such-file")),
            (Some(Entry::File(_)), Deed::Upload) => self.store(slot, content),
            (Some(Entry::File(before)), Deed::Append) => {
                let longer = [before.as_slice(), content].concat();
                self.store(slot, &longer);
            }
            (Some(Entry::File(whole)), Deed::Download) => {
                self.says(Said::Content(whole.clone()));
            }
            (Some(Entry::File(_)), Deed::Delete) => {
                self.does(|world| drop(world.names.remove(&slot)));
            }
            (Some(Entry::File(_)), Deed::Revoke(_)) => self.says(Said::Usage("not-shared")),
            (Some(Entry::File(_)), Deed::Share(with)) if with == self.user => {
                self.says(Said::Usage("oneself"));
            }
            (Some(Entry::File(whole)), Deed::Share(_)) => self.found_space(slot, whole.clone()),
            (Some(Entry::Link(link)), Deed::Delete)
                if self.world.file(*link).owner != self.user =>
            {
                self.does(|world| drop(world.names.remove(&slot)));
            }
            (Some(Entry::Link(link)), _) => self.read(Progress::At { link: *link, again }),
        }
    }

    fn store(&mut self, slot: (u8, u8), content: &Content) {
        self.does(|world| {
            world.names.insert(slot, Entry::File(content.clone()));
        });
    }

    /// A file of one's own becomes a shared one, of which nobody else is a member yet.
    fn found_space(&mut self, slot: (u8, u8), content: Content) {
        let Ok(file) = u8::try_from(self.world.shared.len()) else {
            return;
        };
        let link = Link { file, epoch: 0 };
        let owner = self.user;
        self.changes(Progress::At { link, again: false }, |world| {
            world.names.insert(slot, Entry::Link(link));
            world.shared.push(Shared {
                content: Some(content),
                owner,
                members: BTreeMap::new(),
                epoch: 0,
                keyed: BTreeSet::new(),
            });
        });
    }

    /// The shared file, at one moment.
    fn at(&mut self, deed: Deed, slot: (u8, u8), content: &Content, link: Link, again: bool) {
        let (user, file) = (self.user, self.world.file(link));
        if !file.opens(user, link) {
            self.says(Said::Closed);
        }
        if !file.has(user) {
            return;
        }
        match (deed, &file.content) {
            (Deed::Upload, None) => {
                // The name is free again, for a file of one's own.
                if self.world.names.get(&slot) == Some(&Entry::Link(link)) {
                    self.store(slot, content);
                }
            }
            (Deed::Upload, Some(_)) => {
                self.does(|world| world.file_mut(link).content = Some(content.clone()));
            }
            (Deed::Append, Some(before)) => {
                let longer = [before.as_slice(), content].concat();
                self.does(|world| world.file_mut(link).content = Some(longer));
            }
            (Deed::Download, Some(whole)) => self.says(Said::Content(whole.clone())),
            (Deed::Share(with), Some(_)) if with == user => self.says(Said::Usage("oneself")),
            (Deed::Share(with), Some(_)) => self.invite(slot.1, with, link),
            (Deed::Append | Deed::Download | Deed::Share(_), None) => {
                self.says(Said::Usage("no-such-file"));
            }
            (Deed::Delete, _) => self.changes(Progress::Emptied { link }, |world| {
                world.file_mut(link).content = None;
            }),
            (Deed::Revoke(_), _) if file.owner != user => self.says(Said::Usage("not-owner")),
            (Deed::Revoke(gone), _) if gone == user => self.says(Said::Usage("oneself")),
            (Deed::Revoke(gone), _) if file.members.contains_key(&gone) => {
                self.does(|world| world.file_mut(link).remove(gone));
                if !again {
                    // It may be said to have lost, and find that another one did it.
                    self.read(Progress::Begun { again: true });
                }
            }
            (Deed::Revoke(_), _) => self.says(match again {
                true => Said::Done,
                false => Said::Usage("not-shared"),
            }),
        }
        if matches!(deed, Deed::Share(_)) {
            // It may have to look for the name once more, and what it made stays.
            self.read(Progress::BEGUN);
        }
    }

    fn invite(&mut self, name: u8, with: u8, link: Link) {
        let user = self.user;
        self.does(|world| {
            let file = world.file_mut(link);
            if !file.has(with) {
                file.members.insert(with, user);
            }
            if file.owner == user {
                file.keyed.insert(with);
            }
            world.sent.push(Sent {
                from: user,
                to: with,
                name,
                file: link.file,
            });
        });
    }

    fn receive(&mut self, from: u8, there: u8, here: u8, progress: &Progress) {
        let slot = (self.user, here);
        match progress {
            Progress::Begun { .. } if from == self.user => self.says(Said::Usage("oneself")),
            Progress::Begun { .. } => {
                let user = self.user;
                let fits = |sent: &Sent| (sent.from, sent.to, sent.name) == (from, user, there);
                let newest = self.world.sent.iter().rposition(fits);
                if let Some(invitation) = newest.and_then(|newest| u8::try_from(newest).ok()) {
                    self.read(Progress::Picked { invitation });
                }
            }
            Progress::Picked { invitation } => {
                self.taken(*invitation, slot);
                let file = self.world.sent[usize::from(*invitation)].file;
                let epoch = self.world.shared[usize::from(file)].epoch;
                if self.world.shared[usize::from(file)].has(self.user) {
                    let (invitation, link) = (*invitation, Link { file, epoch });
                    self.read(Progress::Entered { invitation, link });
                }
            }
            Progress::Entered { invitation, link } => {
                if self.taken(*invitation, slot) {
                    return;
                }
                let marker = (self.user, *invitation);
                self.does(|world| {
                    world.names.insert(slot, Entry::Link(*link));
                    world.received.insert(marker);
                });
            }
            _ => {}
        }
    }

    /// Says so if the invitation was received before, or the name is taken.
    fn taken(&mut self, invitation: u8, slot: (u8, u8)) -> bool {
        let before = self.world.received.contains(&(self.user, invitation));
        let taken = self.world.names.contains_key(&slot);
        if before {
            self.says(Said::Usage("already-received"));
        } else if taken {
            self.says(Said::Usage("name-taken"));
        }
        before || taken
    }

    /// Files of one's own under one head; then one shared file after the other.
    fn many(&mut self, files: &[(u8, Content)], progress: &Progress) {
        match progress {
            Progress::Begun { .. } => {
                let mut places = 0_u8;
                for (place, (name, _)) in files.iter().enumerate() {
                    let before = self.world.names.get(&(self.user, *name));
                    places |= u8::from(matches!(before, Some(Entry::Link(_)))) << place;
                }
                let user = self.user;
                self.changes(left(places), |world| {
                    for (place, (name, content)) in files.iter().enumerate() {
                        if places >> place & 1 == 0 {
                            let file = Entry::File(content.clone());
                            world.names.insert((user, *name), file);
                        }
                    }
                });
            }
            Progress::Left { places, at } => {
                let place = places.trailing_zeros() as usize;
                let Some((name, content)) = files.get(place) else {
                    return;
                };
                let rest = left(places & (places - 1));
                let slot = (self.user, *name);
                let before = self.found.len();
                match at {
                    None => self.look(Deed::Upload, slot, content, false),
                    Some(link) => self.at(Deed::Upload, slot, content, *link, false),
                }
                for (_, progress) in &mut self.found[before..] {
                    match progress {
                        Progress::Over(Said::Done) => *progress = rest.clone(),
                        Progress::At { link, .. } => {
                            let (places, at) = (*places, Some(*link));
                            *progress = Progress::Left { places, at };
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn left(places: u8) -> Progress {
    match places {
        0 => Progress::Over(Said::Done),
        places => Progress::Left { places, at: None },
    }
}
