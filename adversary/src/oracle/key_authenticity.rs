//! G8: a pinned key never changes unnoticed, and first contact says honestly what was checked.
//!
//! The pins of a client are known by the fingerprints that it tells its user; who compared with
//! whom decides which devices must agree.

use std::collections::{BTreeMap, BTreeSet};

use super::authenticity::asks_for_keys;
use super::seen::Case;
use super::truth::Op;
use super::{Judgement, cite, quote};
use crate::client::{DeviceName, Operation};
use crate::codec::Code as _;
use crate::front::kv::Request;
use crate::history::Event;
use crate::verdict::Guarantee;

/// What requests that publish a public object are called.
const PUT_PUBLIC: &str = "put-pub";

pub(super) fn judge(case: &Case<'_>, judgement: &mut Judgement) {
    let mut pins = Pins::default();
    for event in case.history.events() {
        let Event::OperationEnded {
            operation,
            outcome: Ok(answer),
        } = event
        else {
            continue;
        };
        let Some(at) = case.truth.index(*operation) else {
            continue;
        };
        let op = &case.truth.ops[at];
        let told = match op.what {
            Operation::Fingerprint { user } => answer
                .fingerprint
                .as_ref()
                .and_then(|print| pins.tell(op, user, print)),
            Operation::Verify { user, fingerprint } => pins.verify(op, user, fingerprint),
            Operation::Compare { other } => pins.compare(op, other),
            _ => None,
        };
        let claimed = answer.claims.contact_verified;
        let claim = contact(op.what).and_then(|contact| pins.claim(op, contact, claimed));
        let swapped = contact(op.what)
            .filter(|contact| claimed == Some(true) && shown_other_keys_now(case, op, contact))
            .map(|contact| {
                format!("was shown other keys of {contact:?}, and claims that they were checked")
            });
        for what in told.into_iter().chain(claim).chain(swapped) {
            judgement.breach(
                Guarantee::G8,
                Some(op.id),
                format!("{} {what}", cite(case, at)),
            );
        }
    }
    let uploaded = uploaded_keys(case);
    for (at, op) in case.truth.ops.iter().enumerate() {
        let logs_in = matches!(op.what, Operation::Login);
        if let Some(kind) = uploaded.get(&op.id).filter(|_| logs_in) {
            judgement.breach(
                Guarantee::G8,
                Some(op.id),
                format!("{} published new keys: a {kind:?} object", cite(case, at)),
            );
        }
    }
}

/// The contact whose keys an operation rests on.
pub(super) fn contact(what: &Operation) -> Option<&str> {
    match what {
        Operation::Share { with: user, .. }
        | Operation::Receive { from: user, .. }
        | Operation::Fingerprint { user } => Some(user),
        _ => None,
    }
}

/// Whether this very operation asked for the contact's keys, and was shown others.
fn shown_other_keys_now(case: &Case<'_>, op: &Op<'_>, contact: &str) -> bool {
    let mut asked = BTreeSet::new();
    case.history.events().iter().any(|event| match event {
        Event::Request {
            request,
            operation,
            kind,
            bytes,
            ..
        } => {
            if *operation == op.id && asks_for_keys(case, kind, bytes, contact) {
                asked.insert(*request);
            }
            false
        }
        Event::Reply {
            request,
            honest: Some(honest),
            shown: Some(shown),
        } => asked.contains(request) && honest != shown,
        _ => false,
    })
}

/// The first new key material that each operation published, or asked the server to take.
///
/// A public object that was never there is no change of keys, and neither are the same bytes again.
pub(super) fn uploaded_keys(case: &Case<'_>) -> BTreeMap<u32, &'static str> {
    // Of each user: an impostor publishes under another's name.
    let mut published: BTreeMap<(&str, String), Vec<u8>> = BTreeMap::new();
    let mut asked: BTreeMap<u32, ((&str, String), Vec<u8>)> = BTreeMap::new();
    let mut uploaded = BTreeMap::new();
    for event in case.history.events() {
        let (operation, kind) = match event {
            Event::Request {
                operation, kind, ..
            } if kind == "register" => (*operation, "account"),
            Event::Request {
                device,
                operation,
                kind,
                bytes,
                ..
            } if kind == PUT_PUBLIC => {
                if let Some(Request::PutPublic { user, bytes }) = Request::from_bytes(bytes) {
                    asked.insert(*operation, ((&device.user, user), bytes));
                }
                continue;
            }
            Event::Wrote {
                operation, object, ..
            } => match object.kind.as_str() {
                "account" => (*operation, "account"),
                "bag" => (*operation, "bag"),
                "pub" => {
                    if let Some((whose, bytes)) = asked.get(operation) {
                        let before = published.insert(whose.clone(), bytes.clone());
                        if before.is_none_or(|before| before == *bytes) {
                            continue;
                        }
                    }
                    (*operation, "pub")
                }
                _ => continue,
            },
            _ => continue,
        };
        uploaded.entry(operation).or_insert(kind);
    }
    uploaded
}

/// What devices said of keys, up to one point of the run.
#[derive(Default)]
struct Pins<'h> {
    /// By device memory and contact.
    told: BTreeMap<(usize, &'h str), &'h [u8]>,
    /// What each user's own devices say of that user.
    own: BTreeMap<&'h str, &'h [u8]>,
    /// Who checked whom, and on which memory.
    verified: Vec<(&'h str, usize, &'h str)>,
    /// The memory that each device runs on.
    memory: BTreeMap<&'h DeviceName, usize>,
}

impl<'h> Pins<'h> {
    fn tell(&mut self, op: &Op<'h>, user: &'h str, print: &'h [u8]) -> Option<String> {
        self.memory.insert(op.device, op.lineage);
        if let Some(pinned) = self.told.insert((op.lineage, user), print)
            && pinned != print
        {
            return Some(format!(
                "tells {} of {user:?}, whom this device knew as {}",
                quote(print),
                quote(pinned)
            ));
        }
        if op.user() == user {
            if let Some(own) = self.own.insert(user, print)
                && own != print
            {
                return Some(format!(
                    "tells {} of its own account, whose other device says {}",
                    quote(print),
                    quote(own)
                ));
            }
        } else if self.was_verified(op, user)
            && let Some(own) = self.own.get(user)
            && *own != print
        {
            return Some(format!(
                "tells {} of {user:?}, who was checked and is {}",
                quote(print),
                quote(own)
            ));
        }
        None
    }

    fn was_verified(&self, op: &Op<'h>, user: &str) -> bool {
        self.verified
            .iter()
            .any(|(by, _, of)| *by == op.user() && *of == user)
    }

    fn verify(&mut self, op: &Op<'h>, user: &'h str, print: &'h [u8]) -> Option<String> {
        self.memory.insert(op.device, op.lineage);
        self.verified.push((op.user(), op.lineage, user));
        let pinned = self.told.insert((op.lineage, user), print)?;
        (pinned != print).then(|| {
            format!(
                "agrees that {user:?} is {}, having told {}",
                quote(print),
                quote(pinned)
            )
        })
    }

    /// Two devices that met and were content agree on every key that both told.
    fn compare(&mut self, op: &Op<'h>, other: &'h DeviceName) -> Option<String> {
        let met = *self.memory.get(other)?;
        let differing = self.told.iter().find_map(|((lineage, user), print)| {
            let theirs = self
                .told
                .get(&(met, user))
                .filter(|_| *lineage == op.lineage)?;
            (theirs != print).then_some((user, print, theirs))
        });
        let (user, print, theirs) = differing?;
        Some(format!(
            "met {other} and was content, though {user:?} is {} here and {} there",
            quote(print),
            quote(theirs)
        ))
    }

    /// What a client says about a check, against who checked.
    fn claim(&self, op: &Op<'h>, user: &str, claimed: Option<bool>) -> Option<String> {
        if op.user() == user {
            return None;
        }
        let here = (op.user(), op.lineage);
        let checked_here = self
            .verified
            .iter()
            .any(|(by, memory, of)| (*by, *memory) == here && *of == user);
        match claimed {
            Some(true) if !self.was_verified(op, user) => Some(format!(
                "claims that somebody checked {user:?}, and nobody did"
            )),
            Some(false) if checked_here => Some(format!(
                "claims that nobody checked {user:?}, who was checked here"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::client::{Claims, Class, Operation};
    use crate::codec::Code as _;
    use crate::front::kv::Request;
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::{G8, G11};

    fn claim(verified: bool) -> Claims {
        Claims {
            contact_verified: Some(verified),
            ..Claims::default()
        }
    }

    fn share() -> Operation {
        Operation::Share {
            name: b"n".to_vec(),
            with: "bob".to_owned(),
        }
    }

    #[test]
    fn sharing_under_swapped_keys_of_a_checked_contact_is_a_breach() {
        let shared = |asked: &str, shown: &[u8], verified: bool| {
            let mut scene = Scene::new();
            scene.upload("alice", "n", "v1");
            scene.fingerprint("bob", "bob", b"bob's");
            scene.verify("alice", "bob", b"bob's", true);
            let op = scene.start("alice/phone", share());
            let user = asked.to_owned();
            let request = Request::GetPublic { user }.to_bytes();
            scene.message(op, "get-pub", &request, Some(b"genuine"), Some(shown));
            scene.end_claiming(op, None, claim(verified));
            scene
        };
        shared("bob", b"the server's", true).breaks(&[G8]);
        shared("bob", b"genuine", true).passes();
        shared("bob", b"the server's", false).passes();
        shared("carol", b"the server's", true).passes();
    }

    #[test]
    fn a_key_that_changes_unnoticed_is_a_breach() {
        let mut scene = Scene::new();
        scene.fingerprint("alice", "bob", b"bob's");
        scene.fingerprint("alice", "bob", b"server's");
        scene.breaks(&[G8]);
    }

    #[test]
    fn another_key_after_a_check_is_a_breach() {
        let mut scene = Scene::new();
        scene.fingerprint("bob", "bob", b"bob's");
        scene.verify("alice", "bob", b"bob's", true);
        scene.fingerprint("alice/phone", "bob", b"server's");
        scene.breaks(&[G8]);
    }

    #[test]
    fn agreeing_to_another_key_than_the_one_in_use_is_a_breach() {
        let mut scene = Scene::new();
        scene.fingerprint("alice", "bob", b"server's");
        scene.verify("alice", "bob", b"bob's", true);
        scene.breaks(&[G8]);
    }

    #[test]
    fn a_contact_that_does_not_expose_two_keys_is_a_breach() {
        let mut scene = Scene::new();
        scene.fingerprint("alice", "bob", b"bob's");
        scene.fingerprint("alice/phone", "bob", b"server's");
        scene.compare("alice", "alice/phone", true);
        scene.breaks(&[G8]);
    }

    #[test]
    fn claiming_a_check_that_nobody_made_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        let op = scene.start("alice", share());
        scene.end_claiming(op, None, claim(true));
        scene.breaks(&[G8]);
    }

    #[test]
    fn claiming_no_check_after_one_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.verify("alice", "bob", b"bob's", true);
        let op = scene.start("alice", share());
        scene.end_claiming(op, None, claim(false));
        scene.breaks(&[G8]);
    }

    #[test]
    fn a_login_that_publishes_keys_is_a_breach() {
        let mut scene = Scene::new();
        let op = scene.start("alice", Operation::Login);
        scene.end(op, None);
        scene.wrote("alice", "bag", 1);
        scene.breaks(&[G8]);
    }

    #[test]
    fn a_login_that_asks_for_a_new_account_is_a_breach() {
        let mut scene = Scene::new();
        let op = scene.start("alice", Operation::Login);
        scene.message(op, "register", b"?", Some(b"exists"), Some(b"exists"));
        scene.fail_with(op, Class::Unavailable, "refused");
        scene.breaks(&[G8, G11]);
    }

    #[test]
    fn the_same_public_key_again_is_no_breach_and_another_one_is() {
        for (again, fallen) in [(b"one", &[][..]), (b"two", &[G8][..])] {
            let mut scene = Scene::new();
            for (what, key) in [(Operation::SignUp, b"one"), (Operation::Login, again)] {
                let op = scene.start("alice", what);
                let request = Request::PutPublic {
                    user: "alice".to_owned(),
                    bytes: key.to_vec(),
                };
                scene.message(op, "put-pub", &request.to_bytes(), Some(b""), Some(b""));
                scene.wrote("alice", "pub", 1);
                scene.end(op, None);
            }
            scene.breaks(fallen);
        }
    }

    #[test]
    fn the_same_public_key_is_the_same_whatever_an_impostor_publishes() {
        let mut scene = Scene::new();
        scene.impostor("mallory", "bob");
        for (who, what, key) in [
            ("bob", Operation::SignUp, b"one"),
            ("mallory", Operation::SignUp, b"two"),
            ("bob", Operation::Login, b"one"),
        ] {
            let op = scene.start(who, what);
            let request = Request::PutPublic {
                user: "bob".to_owned(),
                bytes: key.to_vec(),
            };
            scene.message(op, "put-pub", &request.to_bytes(), Some(b""), Some(b""));
            scene.wrote(who, "pub", 1);
            scene.end(op, None);
        }
        scene.passes();
    }

    #[test]
    fn a_first_public_key_in_an_upload_that_fails_is_no_breach() {
        let mut scene = Scene::new();
        let op = scene.start_upload("alice", "n", "v1");
        let request = Request::PutPublic {
            user: "alice".to_owned(),
            bytes: b"one".to_vec(),
        };
        scene.message(op, "put-pub", &request.to_bytes(), Some(b""), Some(b""));
        scene.wrote("alice", "pub", 1);
        scene.fail_with(op, Class::Unavailable, "refused");
        scene.passes();
    }

    #[test]
    fn first_contact_that_admits_it_is_no_breach() {
        let mut scene = Scene::new();
        scene.fingerprint("bob", "bob", b"bob's");
        scene.fingerprint("alice", "bob", b"server's");
        let op = scene.start("alice", share());
        scene.end_claiming(op, None, claim(false));
        scene.verify("alice", "bob", b"bob's", false);
        scene.passes();
    }

    #[test]
    fn devices_that_expose_two_keys_and_forget_are_no_breach() {
        let mut scene = Scene::new();
        scene.fingerprint("alice", "bob", b"bob's");
        scene.fingerprint("alice/phone", "bob", b"server's");
        scene.compare("alice", "alice/phone", false);
        scene.wipe("alice/phone");
        scene.fingerprint("alice/phone", "bob", b"bob's");
        scene.passes();
    }

    #[test]
    fn checked_contacts_that_agree_are_no_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.fingerprint("bob", "bob", b"bob's");
        scene.fingerprint("alice", "bob", b"bob's");
        scene.verify("alice", "bob", b"bob's", true);
        let op = scene.start("alice", share());
        scene.end_claiming(op, None, claim(true));
        scene.fingerprint("alice/phone", "bob", b"bob's");
        scene.compare("alice", "alice/phone", true);
        scene.passes();
    }
}
