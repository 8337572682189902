//! Builds small histories for the tests of oracles, one sentence for each event.

use std::collections::BTreeSet;

use super::{Facts, judge};
use crate::client::{Answer, Claims, Class, DeviceName, Failure, Operation};
use crate::history::{Event, History, ObjectKey};
use crate::verdict::Guarantee;

/// A history in the making.
pub(crate) struct Scene {
    pub(crate) history: History,
    pub(crate) facts: Facts,
    operations: u32,
    requests: u32,
    versions: u64,
    devices: BTreeSet<DeviceName>,
    /// The operation that each device ran last.
    latest: Vec<(DeviceName, u32)>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            history: History::new(),
            facts: Facts::default(),
            operations: 0,
            requests: 0,
            versions: 0,
            devices: BTreeSet::new(),
            latest: Vec::new(),
        }
    }

    /// Asserts that exactly these guarantees fell, and that nothing is undecided.
    #[track_caller]
    pub(crate) fn breaks(&self, guarantees: &[Guarantee]) {
        let judgement = judge(&self.history, &self.facts);
        let fallen = self.fallen();
        let wanted: BTreeSet<_> = guarantees.iter().copied().collect();
        assert_eq!(fallen, wanted, "{judgement:#?}");
        assert!(judgement.undecided.is_empty(), "{judgement:#?}");
    }

    /// The guarantees that fell.
    pub(crate) fn fallen(&self) -> BTreeSet<Guarantee> {
        let judgement = judge(&self.history, &self.facts);
        let breaches = judgement.breaches.iter();
        breaches.map(|breach| breach.guarantee).collect()
    }

    /// Asserts that nothing fell, and that the client admitted this much instead.
    #[track_caller]
    pub(crate) fn admits(&self, guarantees: &[Guarantee]) {
        let judgement = judge(&self.history, &self.facts);
        assert!(judgement.breaches.is_empty(), "{judgement:#?}");
        let admitted: Vec<_> = judgement.admitted.iter().map(|one| one.guarantee).collect();
        assert_eq!(admitted, guarantees, "{judgement:#?}");
    }

    /// Asserts that nothing fell.
    #[track_caller]
    pub(crate) fn passes(&self) {
        self.breaks(&[]);
    }

    pub(crate) fn user(&mut self, user: &str) {
        self.history.push(Event::UserCreated {
            user: user.to_owned(),
        });
    }

    pub(crate) fn impostor(&mut self, user: &str, of: &str) {
        self.history.push(Event::Impostor {
            user: user.to_owned(),
            of: of.to_owned(),
        });
        self.user(user);
    }

    fn device(&mut self, device: &str) -> DeviceName {
        let name = DeviceName::parse(device);
        if self.devices.insert(name.clone()) {
            self.history.push(Event::DeviceStarted {
                device: name.clone(),
                remembers: false,
            });
        }
        name
    }

    pub(crate) fn start(&mut self, device: &str, what: Operation) -> u32 {
        let device = self.device(device);
        let operation = self.operations;
        self.operations += 1;
        self.latest.retain(|(other, _)| *other != device);
        self.latest.push((device.clone(), operation));
        self.history.push(Event::OperationStarted {
            operation,
            device,
            what,
        });
        operation
    }

    pub(crate) fn end(&mut self, operation: u32, content: Option<&str>) {
        self.end_claiming(operation, content, Claims::default());
    }

    pub(crate) fn end_claiming(&mut self, operation: u32, content: Option<&str>, claims: Claims) {
        let content = content.map(|content| content.as_bytes().to_vec());
        self.answer(
            operation,
            Answer {
                content,
                claims,
                ..Answer::default()
            },
        );
    }

    fn answer(&mut self, operation: u32, answer: Answer) {
        self.history.push(Event::OperationEnded {
            operation,
            outcome: Ok(answer),
        });
    }

    /// Fails as the core would, with the class that the word belongs to.
    pub(crate) fn fail(&mut self, operation: u32, name: &str) {
        let class = match name {
            "no-such-file" | "not-shared" | "no-invitation" => Class::Usage,
            "closed" | "timeout" => Class::Unavailable,
            _ => Class::Violation,
        };
        if class == Class::Violation {
            self.act("server.turn()", true);
        }
        self.fail_with(operation, class, name);
    }

    pub(crate) fn fail_with(&mut self, operation: u32, class: Class, name: &str) {
        let outcome = Err(Failure::new(class, name));
        self.history
            .push(Event::OperationEnded { operation, outcome });
    }

    fn done(&mut self, device: &str, what: Operation) -> u32 {
        let operation = self.start(device, what);
        self.end(operation, None);
        operation
    }

    pub(crate) fn start_upload(&mut self, device: &str, name: &str, content: &str) -> u32 {
        let (name, content) = (name.into(), content.into());
        self.start(device, Operation::Upload { name, content })
    }

    pub(crate) fn upload(&mut self, device: &str, name: &str, content: &str) {
        let operation = self.start_upload(device, name, content);
        self.end(operation, None);
    }

    pub(crate) fn lost_upload(&mut self, device: &str, name: &str, content: &str, stored: bool) {
        let operation = self.start_upload(device, name, content);
        self.lose(operation, stored);
    }

    fn lose(&mut self, operation: u32, stored: bool) {
        if stored {
            self.versions += 1;
            let (object, version) = (ObjectKey::new("obj", *b"lost"), self.versions);
            self.history.push(Event::Wrote {
                operation,
                object,
                version,
            });
        }
        self.fail(operation, "timeout");
    }

    pub(crate) fn start_append(&mut self, device: &str, name: &str, content: &str) -> u32 {
        let (name, content) = (name.into(), content.into());
        self.start(device, Operation::Append { name, content })
    }

    pub(crate) fn append(&mut self, device: &str, name: &str, content: &str) {
        let operation = self.start_append(device, name, content);
        self.end(operation, None);
    }

    pub(crate) fn lost_append(&mut self, device: &str, name: &str, content: &str, stored: bool) {
        let operation = self.start_append(device, name, content);
        self.lose(operation, stored);
    }

    pub(crate) fn start_download(&mut self, device: &str, name: &str) -> u32 {
        self.start(device, Operation::Download { name: name.into() })
    }

    pub(crate) fn download(&mut self, device: &str, name: &str, content: &str) {
        let operation = self.start_download(device, name);
        self.end(operation, Some(content));
    }

    pub(crate) fn delete(&mut self, device: &str, name: &str) {
        self.done(device, Operation::Delete { name: name.into() });
    }

    pub(crate) fn list(&mut self, device: &str, names: &[&str]) {
        self.list_claiming(device, names, Claims::default());
    }

    pub(crate) fn list_claiming(&mut self, device: &str, names: &[&str], claims: Claims) {
        let operation = self.start(device, Operation::List);
        let names = Some(names.iter().map(|name| name.as_bytes().to_vec()).collect());
        self.answer(
            operation,
            Answer {
                names,
                claims,
                ..Answer::default()
            },
        );
    }

    pub(crate) fn share(&mut self, device: &str, name: &str, with: &str) {
        self.done(
            device,
            Operation::Share {
                name: name.into(),
                with: with.to_owned(),
            },
        );
    }

    pub(crate) fn receive(&mut self, device: &str, from: &str, name: &str, as_name: &str) {
        let (from, name) = (from.to_owned(), Some(name.into()));
        let as_name = as_name.into();
        self.done(
            device,
            Operation::Receive {
                from,
                name,
                pointer: None,
                as_name,
            },
        );
    }

    pub(crate) fn revoke(&mut self, device: &str, name: &str, from: &str) {
        self.done(
            device,
            Operation::Revoke {
                name: name.into(),
                from: from.to_owned(),
            },
        );
    }

    /// Alice's file "n" holds "v1", and is bob's "m".
    pub(crate) fn shared_by_alice_with_bob(&mut self) {
        self.upload("alice", "n", "v1");
        self.share("alice", "n", "bob");
        self.receive("bob", "alice", "n", "m");
    }

    pub(crate) fn fingerprint(&mut self, device: &str, user: &str, print: &[u8]) {
        let operation = self.start(
            device,
            Operation::Fingerprint {
                user: user.to_owned(),
            },
        );
        let fingerprint = Some(print.to_vec());
        self.answer(
            operation,
            Answer {
                fingerprint,
                ..Answer::default()
            },
        );
    }

    pub(crate) fn verify(&mut self, device: &str, user: &str, print: &[u8], agrees: bool) {
        let fingerprint = print.to_vec();
        let what = Operation::Verify {
            user: user.to_owned(),
            fingerprint,
        };
        let operation = self.start(device, what);
        if agrees {
            self.end(operation, None);
        } else {
            self.fail(operation, "key-changed");
        }
    }

    pub(crate) fn compare(&mut self, device: &str, other: &str, content: bool) {
        let other = DeviceName::parse(other);
        let operation = self.start(device, Operation::Compare { other });
        if content {
            self.end(operation, None);
        } else {
            self.fail(operation, "fork");
        }
    }

    pub(crate) fn wipe(&mut self, device: &str) {
        let device = self.device(device);
        self.history.push(Event::Wiped { device });
    }

    /// The process ends, and another one begins.
    pub(crate) fn restart(&mut self, device: &str) {
        let device = self.device(device);
        let crashed = device.clone();
        self.history.push(Event::Crashed { device: crashed });
        let remembers = false;
        self.history
            .push(Event::DeviceStarted { device, remembers });
    }

    fn latest(&self, device: &DeviceName) -> u32 {
        let found = self.latest.iter().find(|(other, _)| other == device);
        found.expect("the device ran something").1
    }

    /// The device's latest operation published a head; head zero is none.
    pub(crate) fn head(&mut self, device: &str, space: u8, parent: u8, head: u8) {
        let operation = self.latest(&DeviceName::parse(device));
        let height = u64::from(head);
        let [space, parent, head] = [space, parent, head].map(|byte| [byte; 32]);
        self.history.push(Event::Published {
            space,
            head,
            parent,
            height,
            operation,
        });
    }

    pub(crate) fn accepted(&mut self, device: &str, space: u8, head: u8) {
        self.accepted_at(device, space, head, u64::from(head));
    }

    pub(crate) fn accepted_at(&mut self, device: &str, space: u8, head: u8, height: u64) {
        let device = self.device(device);
        let [space, head] = [space, head].map(|byte| [byte; 32]);
        self.history.push(Event::Accepted {
            device,
            space,
            head,
            height,
        });
    }

    /// The device's latest operation stored an object.
    pub(crate) fn wrote(&mut self, device: &str, kind: &str, id: u8) {
        let operation = self.latest(&DeviceName::parse(device));
        self.versions += 1;
        let (object, version) = (ObjectKey::new(kind, [id]), self.versions);
        self.history.push(Event::Wrote {
            operation,
            object,
            version,
        });
    }

    pub(crate) fn message(
        &mut self,
        operation: u32,
        kind: &str,
        request: &[u8],
        honest: Option<&[u8]>,
        shown: Option<&[u8]>,
    ) {
        let found = self.latest.iter().find(|(_, latest)| *latest == operation);
        let device = found
            .expect("the operation is its device's latest")
            .0
            .clone();
        let number = self.requests;
        self.requests += 1;
        self.history.push(Event::Request {
            request: number,
            device,
            operation,
            kind: kind.to_owned(),
            bytes: request.into(),
        });
        let [honest, shown] = [honest, shown].map(|bytes| bytes.map(Into::into));
        self.history.push(Event::Reply {
            request: number,
            honest,
            shown,
        });
    }

    pub(crate) fn released(&mut self, operation: u32, bytes: &[u8]) {
        self.history.push(Event::Released {
            operation,
            bytes: bytes.into(),
        });
    }

    pub(crate) fn saved(&mut self, device: &str, bytes: &[u8]) {
        let device = self.device(device);
        self.history.push(Event::Saved {
            device,
            bytes: bytes.into(),
        });
    }

    pub(crate) fn secret(&mut self, bytes: &[u8]) {
        self.history.push(Event::Secret {
            bytes: bytes.into(),
        });
    }

    pub(crate) fn disturbed(&mut self, text: &str) {
        self.history.push(Event::Disturbed {
            text: text.to_owned(),
            applied: true,
        });
    }

    pub(crate) fn act(&mut self, text: &str, applied: bool) {
        self.history.push(Event::Act {
            text: text.to_owned(),
            applied,
        });
    }
}
