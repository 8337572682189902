//! Over a real socket a script is what it is in memory: the same verdict, the same bytes.

use std::rc::Rc;
use std::time::Duration;

use turncoat_adversary::driver::{Client, Hardened, OverHttp, Weakened};
use turncoat_adversary::front::http::frames::FrameServer;
use turncoat_adversary::history::Event;
use turncoat_adversary::run::{Report, Target, run};

use super::library;

const SEED: u64 = 7;

/// Scripts of many classes: refusals, lost and doubled replies, replies above the limit, races,
/// holds, crashes, forks, colluders, edited messages, what is admitted.
const SCRIPTS: [&str; 14] = [
    "honest-races",
    "honest-crash-append",
    "honest-sharing",
    "head-rollback",
    "fork-compare",
    "head-freeze",
    "chunk-reorder",
    "name-swap",
    "kdf-iter-huge",
    "revoke-rollback",
    "pk-substitute-first",
    "error-oracle",
    "reply-flood",
    "status-lies",
];

/// No run waits so long.
const PATIENCE: Duration = Duration::from_secs(600);

fn over_http(server: &FrameServer) -> Target {
    let over = |client: Rc<dyn Client>, server: &FrameServer| -> Rc<dyn Client> {
        Rc::new(OverHttp::new(client, server, PATIENCE))
    };
    let server = server.clone();
    Target {
        client: over(Rc::new(Hardened), &server),
        ours: true,
        twin: Some(Box::new(move |defences| {
            Ok(over(Rc::new(Weakened::without(defences)?), &server))
        })),
    }
}

fn requests(report: &Report) -> usize {
    let attacked = report.attacked.as_ref().expect("our client runs it");
    let events = attacked.history.events().iter();
    events
        .filter(|event| matches!(event, Event::Request { .. }))
        .count()
}

#[test]
fn verdicts_and_histories_are_those_in_memory() {
    let server = FrameServer::open().expect("the machine has a port");
    let mut sent = 0;
    for id in SCRIPTS {
        let script = library::script(id);
        let memory = run(&script, &library::ours(), SEED);
        let http = run(&script, &over_http(&server), SEED);
        assert_eq!(
            (http.verdict, &http.reason, &http.power),
            (memory.verdict, &memory.reason, &memory.power),
            "{id}"
        );
        let pairs = [
            ("honest", &memory.honest, &http.honest),
            ("attacked", &memory.attacked, &http.attacked),
        ];
        for (name, memory, http) in pairs {
            let memory = memory.as_ref().expect("our client runs it");
            let http = http.as_ref().expect("our client runs it");
            let same = memory.history.encode() == http.history.encode();
            assert!(same, "{id}: the {name} histories differ");
            assert_eq!(memory.attack, http.attack, "{id}, {name}");
        }
        sent += requests(&memory);
    }
    // What one run sent serves others that begin alike; the twins send as well.
    assert!(sent > 200, "the scripts send {sent} requests alone");
    let carried = server.answered();
    assert!(carried > sent as u64 / 2, "{carried} went over the socket");
}
