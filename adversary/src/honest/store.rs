//! The store of a run: it keeps every version of every object, on branches, and who is shown which.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::storage::{Batch, Bytes, Key, Kind};
use crate::client::DeviceName;
use crate::selector::Audience;

/// A branch: it sees its parent as of one moment, and what was written on it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Branch {
    parent: usize,
    since: u64,
}

/// The branch that honest servers have alone.
const TRUNK: usize = 0;

#[derive(Clone, Debug)]
struct Version {
    time: u64,
    branch: usize,
    bytes: Option<Bytes>,
}

/// A moment of one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    branch: usize,
    time: u64,
}

/// One version of one object, as an operation wrote it or as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Which object.
    pub key: Key,
    /// When that version was written.
    pub time: u64,
    /// Its bytes; zero if it was deleted.
    pub size: usize,
}

/// One change that a request made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// During which operation.
    pub operation: u32,
    /// On whose behalf.
    pub device: DeviceName,
    /// What.
    pub object: Object,
}

/// What an act shows in place of an object until the object is written again.
#[derive(Clone, Debug)]
struct Shown {
    time: u64,
    bytes: Option<Bytes>,
}

/// What an audience is shown beyond what larger audiences are.
#[derive(Clone, Debug, Default)]
struct Lie {
    branch: Option<usize>,
    shown: BTreeMap<Key, Shown>,
    all_hidden: Option<u64>,
}

/// Every version of every object, and every view of them. A clone shares all that is unchanged.
#[derive(Clone, Debug)]
pub struct Versions {
    objects: Arc<BTreeMap<Key, Vec<Version>>>,
    log: Arc<Vec<Written>>,
    branches: Vec<Branch>,
    lies: BTreeMap<Audience, Lie>,
    time: u64,
}

impl Versions {
    /// An empty store, honest.
    #[must_use]
    pub fn new() -> Self {
        Self {
            objects: Arc::default(),
            log: Arc::default(),
            branches: vec![Branch {
                parent: TRUNK,
                since: 0,
            }],
            lies: BTreeMap::new(),
            time: 0,
        }
    }

    /// This moment, as everyone sees it who is not singled out.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            branch: self.branch_of(&[Audience::Everyone]),
            time: self.time,
        }
    }

    /// Everything that requests changed, in order.
    #[must_use]
    pub fn log(&self) -> &[Written] {
        &self.log
    }

    /// Every version of every object that requests ever wrote, on whatever branch.
    pub fn everything(&self) -> impl Iterator<Item = (&Key, &Bytes)> {
        self.objects.iter().flat_map(|(key, versions)| {
            let bytes = versions.iter().filter_map(|version| version.bytes.as_ref());
            bytes.map(move |bytes| (key, bytes))
        })
    }

    /// What one operation wrote, in order.
    #[must_use]
    pub fn wrote(&self, operation: u32) -> Vec<Object> {
        let written = self.log.iter();
        let written = written.filter(|written| written.operation == operation);
        written.map(|written| written.object.clone()).collect()
    }

    /// All objects that the audience is shown, in the order of their keys.
    #[must_use]
    pub fn objects(&self, audience: &Audience) -> Vec<Object> {
        let levels = levels(audience);
        let planted = levels.iter().filter_map(|level| self.lies.get(level));
        let planted = planted.flat_map(|lie| lie.shown.keys());
        let keys = self.objects.keys().chain(planted);
        let keys: std::collections::BTreeSet<&Key> = keys.collect();
        let objects = keys.into_iter().filter_map(|key| {
            let (time, bytes) = self.shown_at(&levels, key)?;
            Some(Object {
                key: key.clone(),
                time,
                size: bytes?.len(),
            })
        });
        objects.collect()
    }

    /// The object that the audience is shown under `key`.
    #[must_use]
    pub fn object(&self, key: &Key, audience: &Audience) -> Option<Object> {
        let (time, bytes) = self.shown_at(&levels(audience), key)?;
        Some(Object {
            key: key.clone(),
            time,
            size: bytes?.len(),
        })
    }

    /// The bytes of a version; what everyone is shown, if none was written at that time.
    #[must_use]
    pub fn bytes_of(&self, object: &Object) -> Option<Bytes> {
        let versions = self.objects.get(&object.key).map_or(&[][..], Vec::as_slice);
        match versions.iter().find(|version| version.time == object.time) {
            Some(version) => version.bytes.clone(),
            None => self.shown_to(&object.key, &Audience::Everyone),
        }
    }

    /// What the audience is shown under `key`.
    #[must_use]
    pub fn shown_to(&self, key: &Key, audience: &Audience) -> Option<Bytes> {
        self.shown(&levels(audience), key)
    }

    /// Whether any act bears on what the device is shown.
    #[must_use]
    pub fn lies_to(&self, device: &DeviceName) -> bool {
        self.lies.keys().any(|audience| audience.includes(device))
    }

    /// Whether the device writes where not everybody looks.
    pub(crate) fn is_led_astray(&self, device: &DeviceName) -> bool {
        let mut lies = self.lies.iter();
        lies.any(|(audience, lie)| lie.branch.is_some() && audience.includes(device))
    }

    pub(super) fn shown(&self, levels: &[Audience], key: &Key) -> Option<Bytes> {
        self.shown_at(levels, key)?.1
    }

    /// The truth, as a server without acts would have it.
    pub(super) fn honest(&self, key: &Key) -> Option<Bytes> {
        self.version(TRUNK, u64::MAX, key)?.bytes.clone()
    }

    /// The keys of all objects of a kind, as a server without acts would have them.
    pub(super) fn keys(&self, kind: Kind) -> Vec<Key> {
        let keys = self.objects.keys().filter(|key| key.kind == kind);
        keys.filter(|key| self.honest(key).is_some())
            .cloned()
            .collect()
    }

    /// What was written or shown last: a lie lasts until the object is written again.
    fn shown_at(&self, levels: &[Audience], key: &Key) -> Option<(u64, Option<Bytes>)> {
        let version = self.version(self.branch_of(levels), u64::MAX, key);
        let mut latest = version.map(|version| (version.time, version.bytes.clone()));
        for lie in levels.iter().filter_map(|level| self.lies.get(level)) {
            let hidden = lie.all_hidden.map(|time| (time, None));
            let shown = lie.shown.get(key);
            let shown = shown.map(|shown| (shown.time, shown.bytes.clone()));
            for offered in [hidden, shown].into_iter().flatten() {
                if latest.as_ref().is_none_or(|(time, _)| *time < offered.0) {
                    latest = Some(offered);
                }
            }
        }
        latest
    }

    fn version(&self, branch: usize, until: u64, key: &Key) -> Option<&Version> {
        let versions = self.objects.get(key)?;
        let (mut branch, mut until) = (branch, until);
        loop {
            let mut latest_first = versions.iter().rev();
            let here = |version: &&Version| version.branch == branch && version.time <= until;
            if let Some(version) = latest_first.find(here) {
                return Some(version);
            }
            if branch == TRUNK {
                return None;
            }
            let Branch { parent, since } = self.branches[branch];
            until = until.min(since);
            branch = parent;
        }
    }

    /// The bytes of all versions that the audience's branch ever had, oldest first.
    pub(crate) fn versions(&self, key: &Key, audience: &Audience) -> Vec<Option<Bytes>> {
        let mut branch = self.branch_of(&levels(audience));
        let mut until = u64::MAX;
        let mut found = Vec::new();
        loop {
            let versions = self.objects.get(key).map_or(&[][..], Vec::as_slice);
            let latest_first = versions.iter().rev();
            let here = latest_first
                .filter(|version| version.branch == branch && version.time <= until)
                .map(|version| version.bytes.clone());
            found.extend(here);
            if branch == TRUNK {
                found.reverse();
                return found;
            }
            let Branch { parent, since } = self.branches[branch];
            until = until.min(since);
            branch = parent;
        }
    }

    fn branch_of(&self, levels: &[Audience]) -> usize {
        let mut narrowest_first = levels.iter().rev();
        let branch = narrowest_first.find_map(|level| self.lies.get(level)?.branch);
        branch.unwrap_or(TRUNK)
    }

    fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    /// Writes on the branch that the device is shown.
    pub(super) fn write(
        &mut self,
        levels: &[Audience],
        device: &DeviceName,
        operation: u32,
        batch: Batch,
    ) {
        let branch = self.branch_of(levels);
        let time = self.tick();
        let objects = Arc::make_mut(&mut self.objects);
        let log = Arc::make_mut(&mut self.log);
        for (key, bytes) in batch.into_changes() {
            log.push(Written {
                operation,
                device: device.clone(),
                object: Object {
                    key: key.clone(),
                    time,
                    size: bytes.as_ref().map_or(0, |bytes| bytes.len()),
                },
            });
            objects.entry(key).or_default().push(Version {
                time,
                branch,
                bytes,
            });
        }
    }

    // What acts do. Each counts as a moment, so that of two the later one holds.

    /// Shows `bytes` under `key`, or denies it.
    pub(crate) fn show_bytes(&mut self, key: &Key, bytes: Option<Bytes>, audience: &Audience) {
        let time = self.tick();
        let lie = self.lies.entry(audience.clone()).or_default();
        lie.shown.insert(key.clone(), Shown { time, bytes });
    }

    /// Denies everything that there is now.
    pub(crate) fn hide_everything(&mut self, audience: &Audience) {
        let time = self.tick();
        self.lies.entry(audience.clone()).or_default().all_hidden = Some(time);
    }

    /// Puts the audience on a new branch that begins at `snapshot`.
    pub(crate) fn branch_off(&mut self, snapshot: Snapshot, audience: &Audience) {
        self.branches.push(Branch {
            parent: snapshot.branch,
            since: snapshot.time,
        });
        self.put_on(self.branches.len() - 1, audience);
    }

    /// Puts the audience on the branch that another one is shown.
    pub(crate) fn put_on_branch_of(&mut self, audience: &Audience, of: &Audience) {
        self.put_on(self.branch_of(&levels(of)), audience);
    }

    fn put_on(&mut self, branch: usize, audience: &Audience) {
        self.tick();
        // Smaller audiences follow the larger one that is singled out now.
        for (other, lie) in &mut self.lies {
            if levels(other).contains(audience) {
                lie.branch = None;
            }
        }
        self.lies.entry(audience.clone()).or_default().branch = Some(branch);
    }

    /// This moment, as the audience is shown it.
    pub(crate) fn snapshot_of(&self, audience: &Audience) -> Snapshot {
        Snapshot {
            branch: self.branch_of(&levels(audience)),
            time: self.time,
        }
    }

    /// Puts everyone on the trunk.
    pub(crate) fn leave_branches(&mut self) {
        self.tick();
        for lie in self.lies.values_mut() {
            lie.branch = None;
        }
    }

    /// Ends every lie.
    pub(crate) fn end_lies(&mut self) {
        self.tick();
        self.lies.clear();
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self::new()
    }
}

/// The audience and all larger ones, largest first.
pub(super) fn levels(audience: &Audience) -> Vec<Audience> {
    let mut levels = vec![Audience::Everyone];
    if let Audience::Device { device } = audience {
        levels.push(Audience::User {
            user: device.user.clone(),
        });
    }
    if *audience != Audience::Everyone {
        levels.push(audience.clone());
    }
    levels
}
