//! A client under test whose requests travel over a real socket, through the HTTP client of people.
//!
//! Nothing else changes: the stage decides what a request is answered, and when. The thread of the
//! run waits while bytes are under way, so that the order of everything stays the stage's.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use turncoat_core::remote::Lost;
use turncoat_remote::{HttpRemote, Patience};

use super::line::{Sent, Shown, Transport};
use super::{Accepted, Client, Declaration, Process, Saved, Setting};
use crate::client::Operation;
use crate::front::http::frames::{Arrived, Door, FrameServer};

/// A client of the native front, over HTTP.
pub struct OverHttp {
    client: Rc<dyn Client>,
    server: FrameServer,
    patience: Patience,
}

impl OverHttp {
    /// The client, whose requests go to this server and are waited for so long.
    #[must_use]
    pub fn new(client: Rc<dyn Client>, server: &FrameServer, patience: Duration) -> Self {
        Self {
            client,
            server: server.clone(),
            patience: Patience {
                connect: patience,
                request: patience,
            },
        }
    }

    fn through(&self, mut setting: Setting) -> Setting {
        let wire = Wire::new(&self.server, self.patience);
        setting.line = setting.line.through(Rc::new(wire));
        setting
    }
}

impl Client for OverHttp {
    fn name(&self) -> String {
        format!("{} over HTTP", self.client.name())
    }

    fn declaration(&self) -> Declaration {
        self.client.declaration()
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        self.client.start(self.through(setting))
    }

    fn resume(&self, setting: Setting, saved: &Saved) -> Option<Box<dyn Process>> {
        self.client.resume(self.through(setting), saved)
    }

    fn is_asked(&self, operation: &Operation) -> bool {
        self.client.is_asked(operation)
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        self.client.accepted(durable)
    }

    fn torn(&self, durable: &[u8]) -> Vec<u8> {
        self.client.torn(durable)
    }
}

/// What happens to a request that is under way.
enum Event {
    Arrived(Arrived),
    Over(Result<Vec<u8>, Lost>),
    /// The HTTP client panicked.
    Died,
}

/// What the HTTP client is told to send, and how much of the reply it may read.
type Order = (Vec<u8>, u64);

/// The way of one process to the server. It opens with the first request.
struct Wire {
    server: FrameServer,
    patience: Patience,
    open: RefCell<Option<Open>>,
}

struct Open {
    orders: Sender<Order>,
    events: Receiver<Event>,
    waiting: Option<Arrived>,
    _door: Door,
}

impl Wire {
    fn new(server: &FrameServer, patience: Patience) -> Self {
        Self {
            server: server.clone(),
            patience,
            open: RefCell::new(None),
        }
    }
}

impl Open {
    fn new(server: &FrameServer, patience: Patience) -> Option<Self> {
        let (event, events) = channel();
        let arrived = event.clone();
        let door = server.door(move |one| {
            // A process that has ended takes nothing.
            let _gone = arrived.send(Event::Arrived(one));
        });
        let remote = HttpRemote::new(&door.url(), patience);
        let (orders, ordered) = channel::<Order>();
        let work = move || {
            for (request, reply_max) in ordered {
                let sent = catch_unwind(AssertUnwindSafe(|| remote.send(&request, reply_max)));
                let _gone = event.send(sent.map_or(Event::Died, Event::Over));
            }
        };
        let thread = thread::Builder::new().name("http-client".to_owned());
        thread.spawn(work).ok()?;
        Some(Self {
            orders,
            events,
            waiting: None,
            _door: door,
        })
    }

    fn next(&self) -> Event {
        // The thread ends after this does.
        self.events.recv().unwrap_or(Event::Died)
    }
}

impl Transport for Wire {
    fn send(&self, request: Vec<u8>, reply_max: u64) -> Sent {
        let mut open = self.open.borrow_mut();
        if open.is_none() {
            *open = Open::new(&self.server, self.patience);
        }
        let Some(open) = open.as_mut() else {
            return Sent::Over(Err(Lost::CutOff));
        };
        let _died = open.orders.send((request, reply_max));
        match open.next() {
            Event::Arrived(mut arrived) => {
                let frame = std::mem::take(&mut arrived.frame);
                open.waiting = Some(arrived);
                Sent::Arrived(frame)
            }
            Event::Over(result) => Sent::Over(result),
            Event::Died => died(),
        }
    }

    fn receive(&self, shown: Shown) -> Result<Vec<u8>, Lost> {
        let mut open = self.open.borrow_mut();
        let Some(open) = open.as_mut() else {
            return Err(Lost::CutOff);
        };
        if let Some(waiting) = open.waiting.take() {
            waiting.answer(shown);
        }
        loop {
            match open.next() {
                Event::Over(result) => return result,
                // Whoever asks twice has asked once, and the second time gets no answer.
                Event::Arrived(_) => {}
                Event::Died => died(),
            }
        }
    }
}

/// Ends the client as its own panic would have.
fn died() -> ! {
    std::panic::resume_unwind(Box::new("its HTTP client panicked"))
}
