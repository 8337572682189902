//! Any bytes as what a peer says on a connection: the server answers in whole replies, and what it
//! refuses changes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redb::backends::InMemoryBackend;
use tokio::runtime::{Builder, Runtime};
use turncoat_adversary::fuzzing::Beginning;
use turncoat_adversary::honest::storage::{Batch, Storage as _, part};
use turncoat_core::wire::{Frame as _, Reply};
use turncoat_remote::api::MEDIA_TYPE;

use crate::http::{Bounds, converse_over};
use crate::service::Service;
use crate::shelf::Shelf;
use crate::store::Durable;

/// How many replies of which kind a peer had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replies {
    /// The server did, or told, what was asked.
    pub done: usize,
    /// The server refused.
    pub refused: usize,
    /// What came was no request, and the answer no frame.
    pub unheard: usize,
}

/// A server that has met alice and bob, and hears these bytes on one connection.
///
/// # Panics
///
/// If it says anything but whole replies, or if nothing but refusals changes what it keeps.
#[must_use]
pub fn requests(bytes: &[u8]) -> Replies {
    let beginning = Beginning::new();
    let opened = AtomicBool::new(false);
    let memory = move || {
        assert!(!opened.swap(true, Relaxed), "memory does not fail");
        InMemoryBackend::new()
    };
    let mut store = Durable::on(memory, Memory::default()).expect("memory takes a new store");
    let mut batch = Batch::new();
    for (key, bytes) in beginning.objects {
        batch.put(key, bytes);
    }
    store.apply(batch).expect("memory has room");
    let kept = || store.all().expect("memory is read");
    let before = kept();
    let log = Box::new(|_: &str| {});
    let service = Arc::new(Service::new(beginning.settings, store.clone(), log));
    let bounds = Bounds {
        header_time: Duration::from_secs(5),
        request_time: Duration::from_secs(5),
        ..Bounds::default()
    };
    let said = on_this_thread(|runtime| {
        runtime.block_on(converse_over(Arc::clone(&service), bounds, bytes))
    });
    let replies = read(&said);
    assert!(
        replies.done > 0 || kept() == before,
        "a refusal changed the store"
    );
    replies
}

fn on_this_thread<T>(work: impl FnOnce(&Runtime) -> T) -> T {
    thread_local! {
        static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(|| {
            let runtime = Builder::new_current_thread().enable_time().build();
            runtime.expect("the machine has threads")
        });
        work(runtime)
    })
}

/// Reads replies as they follow one another on a connection.
fn read(mut said: &[u8]) -> Replies {
    let mut replies = Replies::default();
    while !said.is_empty() {
        let head = said.windows(4).position(|end| end == b"\r\n\r\n");
        let (head, rest) = said.split_at(head.expect("a reply has a head") + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        assert!(head.starts_with("http/1."), "{head}");
        if head.starts_with("http/1.1 100 ") {
            said = rest;
            continue;
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().expect("a length is a number"));
        // The reply to a HEAD says how long it would be.
        let (body, rest) = rest.split_at_checked(length).unwrap_or((&[], rest));
        said = rest;
        if !head.contains(MEDIA_TYPE) || body.is_empty() {
            replies.unheard += 1;
            continue;
        }
        match Reply::decode(body).expect("a frame is a reply") {
            Reply::Refused(_) => replies.refused += 1,
            _ => replies.done += 1,
        }
    }
    replies
}

/// Packs in memory.
#[derive(Debug, Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> io::Result<T> {
        Ok(work(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Shelf for Memory {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.with(|packs| packs.get(name).cloned())
    }

    fn read_part(&self, name: &str, offset: usize, size: usize) -> io::Result<Option<Vec<u8>>> {
        let cut = |pack: &Vec<u8>| part(pack, offset, size).to_vec();
        self.with(|packs| packs.get(name).map(cut))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.with(|packs| drop(packs.insert(name.to_owned(), bytes.to_vec())))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.with(|packs| drop(packs.remove(name)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.with(|packs| packs.keys().cloned().collect())
    }
}
