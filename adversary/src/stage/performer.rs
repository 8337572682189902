//! The stage as the script language sees it.

use super::{Hook, Secrets, Stage, count};
use crate::attack::{Edit, Object, Step};
use crate::client::DeviceName;
use crate::codec::Bytes;
use crate::decryptor;
use crate::driver::REALM;
use crate::history::{History, ObjectKey};
use crate::honest::store;
use crate::script::performer::{Direction, Field, Message, ObjectInfo, Performer, Progress};
use crate::selector::{Audience, Selector};
use turncoat_core::wire::Envelope;

impl Performer for Stage {
    fn perform(&mut self, step: Step) -> Progress {
        Self::perform(self, step)
    }

    fn resume(&mut self, edits: Vec<Edit>) -> Progress {
        Self::resume(self, edits)
    }

    fn collude(&mut self, user: &str) {
        self.colluders.insert(user.to_owned());
    }

    fn hook(&mut self, direction: Direction, selector: Selector) -> u32 {
        // Whoever sees messages must see them pass.
        self.worlds = None;
        self.hooks.push(Hook {
            direction,
            selector,
            count: 0,
            over: false,
        });
        count(self.hooks.len()) - 1
    }

    fn unhook(&mut self, hook: u32) {
        if let Some(hook) = self.hooks.get_mut(hook as usize) {
            hook.over = true;
        }
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn secrets(&self) -> Secrets {
        self.secrets
    }

    fn choose(&mut self, options: u32) -> u32 {
        self.worlds = None;
        self.chooser.choose(options)
    }

    fn wrote(&self, device: &DeviceName) -> Vec<ObjectInfo> {
        let latest = self.devices.get(device).and_then(|device| device.latest);
        let Some(operation) = latest else {
            return Vec::new();
        };
        let wrote = self.versions.wrote(operation).into_iter().enumerate();
        let named = wrote.map(|(index, written)| {
            let index = count(index);
            info(Object::Written { operation, index }, written)
        });
        named.collect()
    }

    fn objects(&self, kind: Option<&str>) -> Vec<ObjectInfo> {
        let objects = self.versions.objects(&Audience::Everyone).into_iter();
        let wanted =
            objects.filter(|object| kind.is_none_or(|kind| object.key.kind.name() == kind));
        let named = wanted.map(|object| {
            let key = ObjectKey::from(&object.key);
            info(Object::Key { key }, object)
        });
        named.collect()
    }

    fn content(&self, object: &Object) -> Option<Bytes> {
        let key = self.key_of(object).ok()?;
        self.versions.shown_to(&key, &Audience::Everyone)
    }

    fn key_of(&self, user: &str, envelope: &Envelope) -> Option<[u8; 32]> {
        // What a colluder was given is in the record.
        let sent = History::new();
        let opened = decryptor::open(
            &REALM,
            self.account_of(user),
            &self.secrets.password_of(user),
            &self.versions,
            &sent,
        );
        opened.key_of(envelope)
    }

    fn held(&self, hold: u32) -> u32 {
        let hold = self.holds.get(hold as usize);
        hold.map_or(0, |hold| count(hold.waiting.len()))
    }

    fn kept(&self, selector: &Selector) -> Vec<Bytes> {
        let matching = self.requests.iter();
        let matching = matching.filter(|sent| selector.matches(&sent.device, sent.kind));
        let answered = matching.filter_map(|sent| sent.honest.clone()).enumerate();
        let wanted = answered.filter(|(index, _)| selector.wants(count(*index) + 1));
        wanted.map(|(_, bytes)| bytes).collect()
    }

    fn field(&self, message: &Message, path: &str) -> Option<Field> {
        self.rules.field(message, path)
    }

    fn with_field(&self, message: &Message, path: &str, value: &Field) -> Option<Bytes> {
        self.rules.with_field(message, path, value)
    }
}

fn info(object: Object, version: store::Object) -> ObjectInfo {
    ObjectInfo {
        object,
        kind: version.key.kind.name().to_owned(),
        id: version.key.id,
        size: version.size as u64,
    }
}
