//! The native front of a server that is turned: its clients are real, its acts are a script's.
//!
//! One thread has the script, the store and every version of every object. Requests come to it one
//! after another, and each waits until the script has done with it what it does.

mod askers;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rhai::FnPtr;
use turncoat_core::id::Realm;

use self::askers::{Asked, Askers};
use crate::attack::Step;
use crate::client::DeviceName;
use crate::codec::Bytes;
use crate::driver::{Outside, Slot};
use crate::front::native;
use crate::history::Event;
use crate::honest::native::{Native, Settings};
use crate::honest::storage::{Batch, Key, Storage, StorageFault};
use crate::script::performer::{Field, Message, Performer, Progress};
use crate::script::served::{self, Serving};
use crate::script::{Budget, ScriptError, prepare};
use crate::stage::{self, Acts, Answered, Rules, Stage};

/// What a turned server is made of.
pub struct Setup {
    /// The script.
    pub script: String,
    /// Everything that the store holds.
    pub objects: Vec<(Key, Bytes)>,
    /// The store. Whatever clients write is written there; what acts show them is not.
    pub store: Box<dyn Storage + Send>,
    /// What the deployment sets.
    pub settings: Settings,
    /// The deployment: names of users have a meaning in it alone.
    pub realm: Realm,
    /// Is told of each act, in one line.
    pub log: Box<dyn Fn(&str) + Send>,
    /// Is told of the fault that ends the script. The server refuses everything from then on.
    pub fault: Box<dyn FnOnce(ScriptError) + Send>,
}

/// What the script calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Its id.
    pub id: String,
    /// What it does, in one sentence.
    pub sentence: String,
}

/// A server that is turned.
#[derive(Debug)]
pub struct Turned {
    orders: Sender<Order>,
    title: Title,
}

#[derive(Debug)]
struct Order {
    request: Vec<u8>,
    reply: SyncSender<Vec<u8>>,
}

impl Turned {
    /// Runs the script to its last line; its handlers stay.
    ///
    /// # Errors
    ///
    /// The first fault of the script; calls of what is not the server's to do among them.
    pub fn start(setup: Setup) -> Result<Self, ScriptError> {
        let (orders, ordered) = channel();
        let (begun, begins) = sync_channel(1);
        let work = move || match Server::begin(setup) {
            Err(error) => drop(begun.send(Err(error))),
            Ok((mut server, title)) => {
                drop(begun.send(Ok(title)));
                server.serve(&ordered);
            }
        };
        let thread = thread::Builder::new().name("script".to_owned()).spawn(work);
        let begun = thread.ok().and_then(|_| begins.recv().ok());
        let title = begun.unwrap_or_else(|| Err(not_started("its thread did not start")))?;
        Ok(Self { orders, title })
    }

    /// What the script calls itself.
    #[must_use]
    pub const fn title(&self) -> &Title {
        &self.title
    }

    /// Answers an encoded request; without a reply, it is lost.
    #[must_use]
    pub fn answer(&self, request: Vec<u8>) -> Option<Vec<u8>> {
        let (reply, waiting) = sync_channel(1);
        self.orders.send(Order { request, reply }).ok()?;
        waiting.recv().ok()
    }
}

fn not_started(why: &str) -> ScriptError {
    ScriptError::new(crate::script::Fault::Thrown, why)
}

/// What runs in the script's thread.
struct Server {
    script: Serving,
    stage: Rc<RefCell<Stage>>,
    slot: Slot,
    askers: Rc<RefCell<Askers>>,
    timers: Vec<(Instant, FnPtr)>,
    log: Box<dyn Fn(&str) + Send>,
    fault: Option<Box<dyn FnOnce(ScriptError) + Send>>,
}

impl Server {
    fn begin(setup: Setup) -> Result<(Self, Title), ScriptError> {
        let script = prepare(&setup.script, &Budget::default())?;
        let title = Title {
            id: script.id.clone(),
            sentence: script.sentence.clone(),
        };
        let users = served::users(&script);
        let askers = Rc::new(RefCell::new(Askers::new(&setup.realm, users)));
        let slot = Slot::default();
        let rules = Durable {
            native: Native::new(setup.settings),
            store: Rc::new(RefCell::new(setup.store)),
            askers: Rc::clone(&askers),
        };
        let client = Rc::new(Outside(Rc::clone(&slot)));
        let mut stage = Stage::with_rules(client, Box::new(rules), Acts::Applied, 1);
        stage.set_budget(stage::Budget {
            requests_per_operation: u32::MAX,
            bytes_per_operation: u64::MAX,
            calls: u64::MAX,
        });
        let mut objects = Batch::new();
        for (key, bytes) in setup.objects {
            objects.put(key, bytes);
        }
        let stocked = stage.stock(objects);
        stocked.map_err(|StorageFault| not_started("the store cannot be read"))?;
        let stage = Rc::new(RefCell::new(stage));
        let performer: Rc<RefCell<dyn Performer>> = Rc::<RefCell<Stage>>::clone(&stage);
        let mut server = Self {
            script: Serving::begin(script, performer)?,
            stage,
            slot,
            askers,
            timers: Vec::new(),
            log: setup.log,
            fault: Some(setup.fault),
        };
        server.settle();
        Ok((server, title))
    }

    fn serve(&mut self, orders: &Receiver<Order>) {
        while self.fault.is_some() {
            let order = match self.next_time() {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(time) => orders.recv_timeout(time),
            };
            let done = match order {
                Ok(order) => self.exchange(order),
                Err(RecvTimeoutError::Timeout) => self.strike(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Err(error) = done
                && let Some(fault) = self.fault.take()
            {
                fault(error);
            }
            self.settle();
        }
    }

    /// How long until a closure is to be called.
    fn next_time(&self) -> Option<Duration> {
        let next = self.timers.iter().map(|(at, _)| *at).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Calls whatever is due, in its order.
    fn strike(&mut self) -> Result<(), ScriptError> {
        let now = Instant::now();
        self.timers.sort_by_key(|(at, _)| *at);
        let count = self.timers.iter().take_while(|(at, _)| *at <= now).count();
        for (_, closure) in self.timers.drain(..count).collect::<Vec<_>>() {
            self.script.call(&closure)?;
        }
        Ok(())
    }

    /// Tells of what was done, and winds up the timers that were set.
    fn settle(&mut self) {
        for event in self.stage.borrow_mut().take_events() {
            if let Event::Act { text, .. } | Event::Disturbed { text, .. } = event {
                (self.log)(&format!("act {text}"));
            }
        }
        let now = Instant::now();
        for (later_ms, closure) in self.script.take_timers() {
            if let Some(at) = now.checked_add(Duration::from_millis(later_ms)) {
                self.timers.push((at, closure));
            }
        }
    }

    fn exchange(&mut self, order: Order) -> Result<(), ScriptError> {
        let device = self.askers.borrow().device(&order.request);
        let before = self.now_ms();
        self.slot.replace(order.request);
        let step = Step::Run {
            device,
            operation: Outside::EXCHANGE,
        };
        let progress = self.script.perform(step)?;
        // Beside what the script asks for, each request takes a moment of its own.
        let delay = self.now_ms().saturating_sub(before + 1);
        if delay > 0 {
            thread::sleep(Duration::from_millis(delay));
        }
        let answered = matches!(&progress, Progress::Ended(ended)
            if ended.iter().all(|(_, outcome)| outcome.is_ok()));
        if answered {
            // Who asked may have given up meanwhile.
            let _gone = order.reply.try_send(self.slot.take());
        }
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        self.stage.borrow().clock().now_ms()
    }
}

/// The honest rules over what a device is shown. What they change is also changed in the store.
struct Durable {
    native: Native,
    store: Rc<RefCell<Box<dyn Storage + Send>>>,
    askers: Rc<RefCell<Askers>>,
}

struct Through<'a> {
    shown: &'a mut dyn Storage,
    store: &'a RefCell<Box<dyn Storage + Send>>,
}

impl Storage for Through<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        self.shown.fetch(key)
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault> {
        self.store.borrow_mut().apply(batch.clone())?;
        self.shown.apply(batch)
    }
}

impl Rules for Durable {
    fn kind(&self, request: &[u8]) -> &'static str {
        native::kind_of(request)
    }

    fn answer(&mut self, shown: &mut dyn Storage, who: &DeviceName, request: &[u8]) -> Answered {
        let mut storage = Through {
            shown,
            store: &self.store,
        };
        let handled = self.native.handle(&mut storage, request);
        let asked = Asked {
            who,
            request,
            reply: &handled.reply,
        };
        self.askers.borrow_mut().note(&asked);
        Answered {
            reply: handled.reply,
            published: None,
        }
    }

    fn refusal(&self, name: &str) -> Option<Vec<u8>> {
        native::refused(name)
    }

    fn acknowledgement(&self) -> Vec<u8> {
        native::done()
    }

    fn field(&self, message: &Message, path: &str) -> Option<Field> {
        stage::native_rules(&self.native).field(message, path)
    }

    fn with_field(&self, message: &Message, path: &str, value: &Field) -> Option<Bytes> {
        stage::native_rules(&self.native).with_field(message, path, value)
    }

    /// What they would say, without a word to the store.
    fn twin(&self) -> Box<dyn Rules> {
        stage::native_rules(&self.native)
    }
}
