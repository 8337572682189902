//! The plain key-value front: what a client may ask, how it is encoded, the client's side of it.
//!
//! It is the shape of every course project and of most storage back ends: objects under ids of the
//! client's choice, and one public object for each user. The server answers; it proves nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use turncoat_core::remote::Lost;

use crate::codec::{Code as _, coded};
use crate::oracle::Anatomy;

/// A future that lives on one thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Names one version of an object: the SHA-256 of its bytes.
pub type Tag = [u8; 32];

/// The tag of these bytes, as an honest server states it.
#[must_use]
pub fn tag(bytes: &[u8]) -> Tag {
    Sha256::digest(bytes).into()
}

coded! {
    /// When a write takes effect.
    #[derive(Copy)]
    pub enum Condition {
        /// Always.
        0 => Always,
        /// Only if there is no such object (`If-None-Match: *`).
        1 => Absent,
        /// Only if this version is the current one (`If-Match`).
        2 => Matches {
            /// The version.
            tag: Tag,
        },
    }
}

coded! {
    /// What a client asks.
    pub enum Request {
        /// `GET /obj/{id}`.
        0 => Get {
            /// The object.
            id: Vec<u8>,
        },
        /// `PUT /obj/{id}`.
        1 => Put {
            /// The object.
            id: Vec<u8>,
            /// All of its new bytes.
            bytes: Vec<u8>,
            /// When it takes effect.
            condition: Condition,
        },
        /// `DELETE /obj/{id}`.
        2 => Delete {
            /// The object.
            id: Vec<u8>,
            /// When it takes effect.
            condition: Condition,
        },
        /// `GET /pub/{user}`.
        3 => GetPublic {
            /// Whose public object.
            user: String,
        },
        /// `PUT /pub/{user}`: the owner may always replace it.
        4 => PutPublic {
            /// Whose public object.
            user: String,
            /// All of its new bytes.
            bytes: Vec<u8>,
        },
    }
}

coded! {
    /// What the server answers.
    pub enum Reply {
        /// The object, to a `get`.
        0 => Found {
            /// Its bytes.
            bytes: Vec<u8>,
            /// Its version.
            tag: Tag,
        },
        /// There is no such object, to a `get` or a `delete`.
        1 => Absent,
        /// The write took effect.
        2 => Done,
        /// The condition did not hold; nothing changed.
        3 => Conflict,
        /// The server refuses, with a status of its own.
        4 => Refused {
            /// The status, as in HTTP.
            status: u16,
        },
    }
}

/// The anatomy of this front's requests: one id each, and whether a write has a condition.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests;

impl Anatomy for Requests {
    fn ids(&self, _: &str, request: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let Some(request) = Request::from_bytes(request) else {
            return Vec::new();
        };
        match request {
            Request::Get { id } | Request::Put { id, .. } | Request::Delete { id, .. } => {
                vec![vec![id]]
            }
            Request::GetPublic { user } | Request::PutPublic { user, .. } => {
                vec![vec![user.into_bytes()]]
            }
        }
    }

    fn numbers(&self, _: &str, request: &[u8]) -> Vec<u64> {
        match Request::from_bytes(request) {
            Some(Request::Put { condition, .. } | Request::Delete { condition, .. }) => {
                vec![match condition {
                    Condition::Always => 0,
                    Condition::Absent => 1,
                    Condition::Matches { .. } => 2,
                }]
            }
            _ => Vec::new(),
        }
    }
}

impl Request {
    /// The word by which selectors name the message.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Get { .. } => "get",
            Self::Put { .. } => "put",
            Self::Delete { .. } => "delete",
            Self::GetPublic { .. } => "get-pub",
            Self::PutPublic { .. } => "put-pub",
        }
    }
}

/// A client's way to the server. Whoever drives the client decides when a reply comes, and which.
pub trait Door {
    /// Sends an encoded [`Request`]; returns an encoded [`Reply`], which is untrusted.
    fn exchange(&self, request: Vec<u8>) -> LocalFuture<'_, Result<Vec<u8>, Lost>>;
}

/// A client's durable memory: one value, replaced as a whole.
pub trait Memory {
    /// What was saved last; `None` on a device that never saved.
    fn load(&self) -> LocalFuture<'_, Option<Vec<u8>>>;

    /// Replaces the value; durable once it returns. `false` if it could not be written.
    fn save(&self, bytes: Vec<u8>) -> LocalFuture<'_, bool>;
}

/// Why a request has no usable reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No reply, or not all of it.
    Lost(Lost),
    /// Bytes that are no reply, or the reply to another kind of request.
    Nonsense,
    /// A status that says no.
    Refused(u16),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(lost) => write!(f, "no reply: {lost:?}"),
            Self::Nonsense => f.write_str("not a reply to this request"),
            Self::Refused(status) => write!(f, "refused with status {status}"),
        }
    }
}

/// How a conditional write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It took effect, says the server.
    Done,
    /// The condition did not hold, says the server.
    Conflict,
    /// There was nothing to delete, says the server.
    Absent,
}

/// An object as the server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its version, as the server states it; for `If-Match` and nothing else.
    pub tag: Tag,
}

/// The key-value store as a client sees it through its [`Door`].
#[derive(Clone)]
pub struct Store {
    door: Rc<dyn Door>,
    tries: u32,
}

impl Store {
    /// The store behind this door, each request sent once.
    #[must_use]
    pub fn new(door: Rc<dyn Door>) -> Self {
        Self { door, tries: 1 }
    }

    /// The same store for a client that sends a request again if the reply is lost or the server is
    /// busy. A conditional write may then meet its own first effect and be told of a conflict.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { tries: 6, ..self }
    }

    async fn ask(&self, request: Request) -> Result<Reply, Trouble> {
        let request = request.to_bytes();
        let mut tries = self.tries;
        loop {
            tries -= 1;
            match self.ask_once(request.clone()).await {
                Err(Trouble::Lost(Lost::CutOff | Lost::Timeout) | Trouble::Refused(503))
                    if tries > 0 => {}
                answer => return answer,
            }
        }
    }

    async fn ask_once(&self, request: Vec<u8>) -> Result<Reply, Trouble> {
        let reply = self.door.exchange(request).await.map_err(Trouble::Lost)?;
        match Reply::from_bytes(&reply) {
            Some(Reply::Refused { status }) => Err(Trouble::Refused(status)),
            Some(reply) => Ok(reply),
            None => Err(Trouble::Nonsense),
        }
    }

    async fn read(&self, request: Request) -> Result<Option<Shown>, Trouble> {
        match self.ask(request).await? {
            Reply::Found { bytes, tag } => Ok(Some(Shown { bytes, tag })),
            Reply::Absent => Ok(None),
            _ => Err(Trouble::Nonsense),
        }
    }

    async fn write(&self, request: Request) -> Result<Written, Trouble> {
        match self.ask(request).await? {
            Reply::Done => Ok(Written::Done),
            Reply::Conflict => Ok(Written::Conflict),
            Reply::Absent => Ok(Written::Absent),
            _ => Err(Trouble::Nonsense),
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if there is no usable reply.
    pub async fn get(&self, id: &[u8]) -> Result<Option<Shown>, Trouble> {
        self.read(Request::Get { id: id.to_vec() }).await
    }

    /// Writes an object.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if there is no usable reply; the write may have taken effect.
    pub async fn put(
        &self,
        id: &[u8],
        bytes: Vec<u8>,
        condition: Condition,
    ) -> Result<Written, Trouble> {
        let id = id.to_vec();
        self.write(Request::Put {
            id,
            bytes,
            condition,
        })
        .await
    }

    /// Deletes an object.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if there is no usable reply; the deletion may have taken effect.
    pub async fn delete(&self, id: &[u8], condition: Condition) -> Result<Written, Trouble> {
        let id = id.to_vec();
        self.write(Request::Delete { id, condition }).await
    }

    /// Reads a user's public object.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if there is no usable reply.
    pub async fn get_public(&self, user: &str) -> Result<Option<Shown>, Trouble> {
        let user = user.to_owned();
        self.read(Request::GetPublic { user }).await
    }

    /// Writes a user's public object.
    ///
    /// # Errors
    ///
    /// [`Trouble`] if there is no usable reply; the write may have taken effect.
    pub async fn put_public(&self, user: &str, bytes: Vec<u8>) -> Result<Written, Trouble> {
        let user = user.to_owned();
        self.write(Request::PutPublic { user, bytes }).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::{Condition, Door, LocalFuture, Lost, Reply, Request, Store, Trouble, Written};
    use crate::codec::Code as _;
    use crate::strawman::testing::block_on;

    /// Answers every request with the same bytes and keeps what was asked.
    struct Canned {
        reply: Result<Vec<u8>, Lost>,
        asked: RefCell<Vec<Request>>,
    }

    impl Door for Canned {
        fn exchange(&self, request: Vec<u8>) -> LocalFuture<'_, Result<Vec<u8>, Lost>> {
            let request = Request::from_bytes(&request).expect("a client encodes its requests");
            self.asked.borrow_mut().push(request);
            Box::pin(std::future::ready(self.reply.clone()))
        }
    }

    fn canned(reply: Result<Vec<u8>, Lost>) -> (Rc<Canned>, Store) {
        let asked = RefCell::new(Vec::new());
        let door = Rc::new(Canned { reply, asked });
        let store = Store::new(door.clone());
        (door, store)
    }

    #[test]
    fn a_write_carries_its_condition_and_a_refused_one_is_a_conflict() {
        let (door, store) = canned(Ok(Reply::Conflict.to_bytes()));
        let condition = Condition::Matches { tag: [7; 32] };
        let written = block_on(store.put(b"id", b"bytes".to_vec(), condition));
        assert_eq!(written, Ok(Written::Conflict));
        let put = Request::Put {
            id: b"id".to_vec(),
            bytes: b"bytes".to_vec(),
            condition,
        };
        assert_eq!(*door.asked.borrow(), [put]);
    }

    #[test]
    fn a_reply_to_another_question_is_nonsense() {
        let (_, store) = canned(Ok(Reply::Done.to_bytes()));
        assert_eq!(block_on(store.get(b"id")), Err(Trouble::Nonsense));
        let (_, store) = canned(Ok(b"garbage".to_vec()));
        assert_eq!(block_on(store.get(b"id")), Err(Trouble::Nonsense));
    }

    #[test]
    fn a_lost_reply_is_told_from_an_absent_object() {
        let (_, store) = canned(Err(Lost::Timeout));
        let lost = Err(Trouble::Lost(Lost::Timeout));
        assert_eq!(block_on(store.get_public("bob")), lost);
        let (_, store) = canned(Ok(Reply::Absent.to_bytes()));
        assert_eq!(block_on(store.get_public("bob")), Ok(None));
    }

    #[test]
    fn a_patient_client_asks_a_busy_server_again_and_gives_up_in_the_end() {
        let busy = Reply::Refused { status: 503 }.to_bytes();
        for (patient, tries) in [(false, 1), (true, 6)] {
            let (door, store) = canned(Ok(busy.clone()));
            let store = if patient { store.patient() } else { store };
            assert_eq!(block_on(store.get(b"id")), Err(Trouble::Refused(503)));
            assert_eq!(door.asked.borrow().len(), tries);
        }
    }
}
