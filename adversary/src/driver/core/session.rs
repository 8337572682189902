//! One device of the client `subject`: this file is compiled for the hardened client and again for
//! its twin.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::subject::client::{Comparison, ContactStanding, Pick};
use super::subject::env::{Clock, Entropy};
use super::subject::id::{EnvelopeId, Fingerprint, Realm};
use super::subject::remote::{Lost, Remote, Unusable, Vault};
use super::subject::wire::{Frame as _, TrustedState};
use super::subject::{Config, Error, Freshness, Limits, Password, Ports, Session, danger};
use crate::chooser::DeviceEntropy;
use crate::client::{Answer, Claims, Class, DeviceName, Failure, Operation, Outcome};
use crate::driver::{
    Accepted, Line, Meets, OwnedFuture, Peers, Process, Saved, Setting, StageClock,
};
use crate::pool::Identity;

type Door = Ports<LineRemote, LineVault, SharedEntropy, RunClock>;
type Live = Session<LineRemote, LineVault, SharedEntropy, RunClock>;

/// Bytes in front of the state that is saved.
const CHECKSUM_SIZE: usize = 32;

/// The heads that a device accepted, out of its durable state.
pub(in super::super) fn accepted(durable: &[u8]) -> Vec<Accepted> {
    let encoded = durable.get(CHECKSUM_SIZE..).unwrap_or_default();
    let Ok(state) = TrustedState::decode(encoded) else {
        return Vec::new();
    };
    let heads = state.spaces.iter().filter_map(|space| {
        let accepted = space.accepted?;
        Some(Accepted {
            space: space.space.0,
            head: accepted.head.0,
            height: accepted.height.0,
        })
    });
    heads.collect()
}

/// The running device.
pub(in super::super) struct Ours(Rc<Device>);

struct Device {
    name: DeviceName,
    account: String,
    password: Vec<u8>,
    identity: &'static Identity,
    line: Line,
    entropy: SharedEntropy,
    clock: StageClock,
    peers: Peers,
    /// Whoever works with the session takes it out.
    session: Cell<Option<Live>>,
}

impl Ours {
    pub(in super::super) fn new(setting: Setting) -> Self {
        let peers = setting.peers.clone();
        let device = Rc::new(Device {
            name: setting.device,
            account: setting.account,
            password: setting.password,
            identity: setting.identity,
            line: setting.line,
            entropy: SharedEntropy(Rc::new(RefCell::new(setting.entropy))),
            clock: setting.clock,
            peers: setting.peers,
            session: Cell::new(None),
        });
        let meets: Rc<dyn Meets> = Rc::<Device>::clone(&device);
        peers.enter(device.name.clone(), &meets);
        Self(device)
    }

    /// The device as it was when it was saved.
    pub(in super::super) fn resume(mut setting: Setting, saved: &Saved) -> Option<Self> {
        let saved = saved.downcast_ref::<Suspended>()?;
        setting.entropy = saved.entropy.copy();
        let ours = Self::new(setting);
        let session = saved.session.as_ref();
        let session = session.map(|session| danger::copy(session, ours.0.ports()));
        ours.0.session.set(session);
        Some(ours)
    }
}

impl Process for Ours {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let device = Rc::clone(&self.0);
        Box::pin(async move { device.perform(operation).await })
    }

    fn save(&self) -> Option<Saved> {
        let session = self.0.session.take();
        let nowhere = Ports {
            remote: (),
            vault: (),
            entropy: (),
            clock: (),
        };
        let copy = session
            .as_ref()
            .map(|session| danger::copy(session, nowhere));
        self.0.session.set(session);
        let entropy = self.0.entropy.0.borrow().copy();
        Some(Rc::new(Suspended {
            session: copy,
            entropy,
        }))
    }
}

/// A device at rest: its session without doors, and how far its random stream is.
struct Suspended {
    session: Option<Session<(), (), (), ()>>,
    entropy: DeviceEntropy,
}

impl Device {
    async fn perform(&self, operation: Operation) -> Outcome {
        match operation {
            // A new account has no past of which anything could be claimed.
            Operation::SignUp => self.enter(self.sign_up().await).map(|_| Answer::default()),
            Operation::Login => self.enter(self.login().await),
            other => {
                let Some(mut session) = self.session.take() else {
                    return Err(Failure::new(Class::Other, "not-logged-in"));
                };
                let outcome = self.with(&mut session, other).await;
                self.session.set(Some(session));
                outcome
            }
        }
    }

    /// A login that failed leaves the session before it as it is.
    fn enter(&self, entered: Result<Live, Error>) -> Outcome {
        match entered {
            Ok(session) => {
                let claims = fresh(session.opened());
                self.session.set(Some(session));
                Ok(Answer {
                    claims,
                    ..Answer::default()
                })
            }
            Err(error) => Err(failure(&error)),
        }
    }

    async fn sign_up(&self) -> Result<Live, Error> {
        let Identity {
            encryption,
            signing,
        } = self.identity;
        let identity = danger::identity((&encryption.p, &encryption.q), (&signing.p, &signing.q))
            .expect("the pool holds keys of suite 1, as its test proves");
        let name = self.account.as_bytes();
        let password = Password::new(&self.password);
        danger::sign_up(self.ports(), config(), name, &password, identity).await
    }

    async fn login(&self) -> Result<Live, Error> {
        let name = self.account.as_bytes();
        Session::login(self.ports(), config(), name, &Password::new(&self.password)).await
    }

    fn ports(&self) -> Door {
        Ports {
            remote: LineRemote(self.line.clone()),
            vault: LineVault(self.line.clone()),
            entropy: self.entropy.clone(),
            clock: RunClock(self.clock.clone()),
        }
    }

    async fn with(&self, session: &mut Live, operation: Operation) -> Outcome {
        let done = |()| Answer::default();
        let answer = match operation {
            Operation::Upload { name, content } => {
                session.upload_all(&name, &content).await.map(done)
            }
            Operation::Update { name, content } => {
                let updated = session.update_all(&name, &content).await;
                updated.map(|_| Answer::default())
            }
            Operation::UploadMany { files } => {
                let files: Vec<(&[u8], &[u8])> = files
                    .iter()
                    .map(|(name, content)| (name.as_slice(), content.as_slice()))
                    .collect();
                session.upload_many(&files).await.map(done)
            }
            Operation::Download { name } => self.download(session, &name).await,
            Operation::Append { name, content } => session.append(&name, &content).await.map(done),
            Operation::Delete { name } => session.delete(&name).await.map(done),
            Operation::List => session.list().await.map(|listing| Answer {
                names: Some(listing.names),
                claims: fresh(&listing.freshness),
                ..Answer::default()
            }),
            Operation::Share { name, with } => {
                session
                    .share(&name, with.as_bytes())
                    .await
                    .map(|invitation| Answer {
                        pointer: Some(invitation.pointer.0.to_vec()),
                        claims: contact(invitation.standing),
                        ..Answer::default()
                    })
            }
            Operation::Receive {
                from,
                name,
                pointer,
                as_name,
            } => {
                let pointer = pointer.unwrap_or_default();
                let pick = match &name {
                    Some(name) => Pick::Name(name),
                    None => match pointer.try_into() {
                        Ok(id) => Pick::Pointer(EnvelopeId(id)),
                        Err(_) => return Err(Failure::new(Class::Usage, "no-invitation")),
                    },
                };
                let standing = session.receive(from.as_bytes(), pick, &as_name).await;
                standing.map(|standing| Answer {
                    claims: contact(standing),
                    ..Answer::default()
                })
            }
            Operation::Revoke { name, from } => {
                let revoked = session.revoke(&name, from.as_bytes()).await;
                revoked.map(|_| Answer::default())
            }
            Operation::Fingerprint { user } => {
                session
                    .fingerprint(user.as_bytes())
                    .await
                    .map(|found| Answer {
                        fingerprint: Some(found.fingerprint.0.to_vec()),
                        claims: contact(found.standing),
                        ..Answer::default()
                    })
            }
            Operation::Verify { user, fingerprint } => match fingerprint.try_into() {
                Ok(seen) => session
                    .verify(user.as_bytes(), Fingerprint(seen))
                    .await
                    .map(done),
                // What two people compare has one length; anything else is a slip of the caller.
                Err(_) => return Err(Failure::new(Class::Usage, "no-fingerprint")),
            },
            Operation::Compare { other } => {
                let Some(peer) = self.peers.find(&other) else {
                    return Err(Failure::new(Class::Other, "nobody-there"));
                };
                let statement = peer.statement()?;
                session.compare(&statement).await.map(|compared| Answer {
                    // Behind means that the other device knows of something newer; and devices that
                    // have nothing in common are no witnesses for each other.
                    claims: Claims {
                        witnesses: (!compared.is_empty()
                            && compared
                                .iter()
                                .all(|(_, comparison)| *comparison != Comparison::Behind))
                        .then_some(1),
                        ..Claims::default()
                    },
                    ..Answer::default()
                })
            }
            Operation::SignUp | Operation::Login => Ok(Answer::default()),
        };
        answer.map_err(|error| failure(&error))
    }

    /// Every part counts as handed out, whatever comes after it.
    async fn download(&self, session: &mut Live, name: &[u8]) -> Result<Answer, Error> {
        let mut downloading = session.download(name).await?;
        let mut content = Vec::new();
        while let Some(part) = downloading.next().await? {
            content.extend_from_slice(&part);
            self.line.release(part);
        }
        Ok(Answer {
            content: Some(content),
            claims: fresh(downloading.freshness()),
            ..Answer::default()
        })
    }
}

impl Meets for Device {
    fn statement(&self) -> Result<Vec<u8>, Failure> {
        let Some(mut session) = self.session.take() else {
            return Err(Failure::new(Class::Other, "nobody-there"));
        };
        let statement = session.statement();
        self.session.set(Some(session));
        statement.map_err(|error| failure(&error))
    }
}

fn config() -> Config {
    let mut limits = Limits::standard();
    limits.roster_changes_max = super::super::ROSTER_CHANGES_MAX;
    limits.envelopes_max = super::super::ENVELOPES_MAX;
    Config {
        realm: Realm(super::super::REALM),
        policy: danger::policy(super::super::ITERATIONS_MIN, super::super::ITERATIONS_MAX),
        limits,
    }
}

fn failure(error: &Error) -> Failure {
    let class = match error {
        Error::Violation(_) => Class::Violation,
        Error::Unavailable(_) => Class::Unavailable,
        Error::Usage(_) => Class::Usage,
        _ => Class::Other,
    };
    Failure {
        class,
        name: error.name().to_owned(),
        text: error.to_string(),
    }
}

fn fresh(freshness: &Freshness) -> Claims {
    Claims {
        monotone: Some(freshness.monotone),
        bounded: Some(freshness.bound.is_some()),
        witnesses: u32::try_from(freshness.witnesses.len()).ok(),
        ..Claims::default()
    }
}

fn contact(standing: ContactStanding) -> Claims {
    Claims {
        contact_verified: Some(standing == ContactStanding::Verified),
        ..Claims::default()
    }
}

struct LineRemote(Line);

impl Remote for LineRemote {
    async fn call(&mut self, request: Vec<u8>, reply_max: u64) -> Result<Vec<u8>, Lost> {
        use turncoat_core::remote::Lost as Cut;
        self.0
            .exchange(request, reply_max)
            .await
            .map_err(|lost| match lost {
                Cut::TooLarge => Lost::TooLarge,
                Cut::Timeout => Lost::Timeout,
                _ => Lost::CutOff,
            })
    }
}

struct LineVault(Line);

impl Vault for LineVault {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.0.load().await)
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        self.0.save(state).await;
        Ok(())
    }
}

/// All logins of one life draw from one stream.
#[derive(Clone)]
struct SharedEntropy(Rc<RefCell<DeviceEntropy>>);

impl Entropy for SharedEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        turncoat_core::env::Entropy::fill(&mut *self.0.borrow_mut(), bytes);
    }
}

struct RunClock(StageClock);

impl Clock for RunClock {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }
}
