//! A device's line to the stage: one call at a time, answered when the stage decides.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use turncoat_core::remote::Lost;

use crate::codec::Bytes;
use crate::framing::Framing;

/// What a device asks of the stage.
#[derive(Debug)]
pub(crate) enum Call {
    /// A message to the server.
    Request {
        /// The message.
        bytes: Vec<u8>,
        /// The longest reply that is read.
        reply_max: u64,
    },
    /// The durable state.
    Load,
    /// A new durable state.
    Save(Vec<u8>),
}

/// How a call was answered.
#[derive(Debug)]
pub(crate) enum Response {
    Reply(Shown),
    Loaded(Option<Vec<u8>>),
    Saved,
}

/// The reply that the server gives, whatever a client reads of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Its bytes; none if it is lost.
    pub(crate) bytes: Option<Bytes>,
    /// In which frame of HTTP it comes, if not in the one that is due.
    pub(crate) framing: Option<Framing>,
}

impl Shown {
    /// What a client has of it that reads so many bytes at most.
    fn read(&self, reply_max: u64) -> Result<Vec<u8>, Lost> {
        if let Some(lost) = self.framing.and_then(Framing::lost) {
            return Err(lost);
        }
        match &self.bytes {
            None => Err(Lost::CutOff),
            Some(bytes) if bytes.len() as u64 > reply_max => Err(Lost::TooLarge),
            Some(bytes) => Ok(bytes.to_vec()),
        }
    }
}

/// What a message really travels over between the client and the stage.
pub(crate) trait Transport {
    /// Sends a request, and waits until it has arrived.
    fn send(&self, request: Vec<u8>, reply_max: u64) -> Sent;

    /// Has the reply to it delivered, and returns what the client has of it.
    fn receive(&self, shown: Shown) -> Result<Vec<u8>, Lost>;
}

/// What came of sending a request.
pub(crate) enum Sent {
    /// These bytes arrived.
    Arrived(Vec<u8>),
    /// Nothing arrived, and this is what the client has instead of a reply.
    Over(Result<Vec<u8>, Lost>),
}

#[derive(Debug, Default)]
struct Mailbox {
    call: Option<Call>,
    response: Option<Response>,
    released: Vec<Vec<u8>>,
}

/// The device's end of the line. Clones share the line.
#[derive(Clone, Default)]
pub struct Line {
    mailbox: Rc<RefCell<Mailbox>>,
    transport: Option<Rc<dyn Transport>>,
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mailbox.fmt(formatter)
    }
}

impl Line {
    /// The same line, whose messages travel over something.
    pub(crate) fn through(self, transport: Rc<dyn Transport>) -> Self {
        Self {
            transport: Some(transport),
            ..self
        }
    }

    /// Sends a message to the server and waits for the reply.
    ///
    /// # Errors
    ///
    /// [`Lost`] if there is no whole reply of at most `reply_max` bytes.
    pub async fn exchange(&self, bytes: Vec<u8>, reply_max: u64) -> Result<Vec<u8>, Lost> {
        let bytes = match &self.transport {
            None => bytes,
            Some(transport) => match transport.send(bytes, reply_max) {
                Sent::Arrived(bytes) => bytes,
                Sent::Over(result) => return result,
            },
        };
        match (
            self.call(Call::Request { bytes, reply_max }).await,
            &self.transport,
        ) {
            (Response::Reply(shown), None) => shown.read(reply_max),
            (Response::Reply(shown), Some(transport)) => transport.receive(shown),
            (Response::Loaded(_) | Response::Saved, _) => Err(Lost::CutOff),
        }
    }

    /// Reads the durable state.
    pub async fn load(&self) -> Option<Vec<u8>> {
        match self.call(Call::Load).await {
            Response::Loaded(state) => state,
            Response::Reply(_) | Response::Saved => None,
        }
    }

    /// Replaces the durable state.
    pub async fn save(&self, state: Vec<u8>) {
        self.call(Call::Save(state)).await;
    }

    /// States that content was handed out before the operation ended.
    pub fn release(&self, bytes: Vec<u8>) {
        self.mailbox.borrow_mut().released.push(bytes);
    }

    fn call(&self, call: Call) -> Answering {
        Answering {
            line: self.clone(),
            call: Some(call),
        }
    }

    /// The call that waits, which is then no longer here.
    pub(crate) fn take_call(&self) -> Option<Call> {
        self.mailbox.borrow_mut().call.take()
    }

    /// Answers the call that was taken.
    pub(crate) fn respond(&self, response: Response) {
        self.mailbox.borrow_mut().response = Some(response);
    }

    /// The content that was handed out since this was asked last.
    pub(crate) fn take_released(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.mailbox.borrow_mut().released)
    }
}

/// Waits for the answer to one call.
struct Answering {
    line: Line,
    call: Option<Call>,
}

impl Future for Answering {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Response> {
        let line = self.line.clone();
        let mut mailbox = line.mailbox.borrow_mut();
        if let Some(call) = self.call.take() {
            mailbox.call = Some(call);
            return Poll::Pending;
        }
        // The stage polls after it has answered, and at no other time.
        match mailbox.response.take() {
            Some(response) => Poll::Ready(response),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::{Call, Future, Line, Lost, Response, Shown};

    #[test]
    fn a_call_waits_until_it_is_answered() {
        let line = Line::default();
        let mut future = pin!(line.exchange(b"ask".to_vec(), 10));
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert!(
            matches!(line.take_call(), Some(Call::Request { bytes, reply_max: 10 })
                if bytes == b"ask")
        );
        assert!(future.as_mut().poll(&mut context).is_pending());
        line.respond(Response::Reply(Shown::default()));
        assert_eq!(
            future.as_mut().poll(&mut context),
            Poll::Ready(Err(Lost::CutOff))
        );
        assert!(line.take_call().is_none());
    }
}
