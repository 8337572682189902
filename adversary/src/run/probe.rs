//! After an attack the server is honest again: whatever failed has to work then (G11).
//!
//! Clients of ours are asked for this by their scripts. Another one that refuses for ever would be
//! merely `refused`.

use std::cell::RefCell;
use std::rc::Rc;

use crate::attack::{Expectation, Step};
use crate::client::{Class, DeviceName, Failure, Operation, Outcome};
use crate::history::{Event, History};
use crate::script::performer::Progress;
use crate::stage::Stage;
use crate::verdict::{Breach, Guarantee};

/// Operations that are tried again at most.
const PROBES_MAX: usize = 4;

/// Heals the server and does again what failed under attack; on a process that starts anew, where
/// the one that was attacked still refuses.
///
/// Nothing is asked of a client that says that it shuts itself off, nor where somebody wrote since
/// the first lie, or lost memory: what the server then holds may rightly be refused.
pub(super) fn after(stage: &Rc<RefCell<Stage>>) -> Vec<Breach> {
    let mut stage = stage.borrow_mut();
    let declared = stage.client().declaration();
    let quarantines = declared.claims.iter().any(|claim| claim == "quarantines");
    let torn = |step: &Step| matches!(step, Step::Tear { .. } | Step::Wipe { .. });
    if quarantines
        || !stage.lied()
        || stage.attack().steps.iter().any(torn)
        || wrote_after_a_lie(stage.history())
    {
        return Vec::new();
    }
    let failed = failed(&stage);
    if failed.is_empty() {
        return Vec::new();
    }
    stage.perform(Step::Heal);
    let mut breaches = Vec::new();
    for (device, what) in failed {
        let Some(first) = again(&mut stage, &device, &what) else {
            continue;
        };
        if first.1.is_ok() {
            continue;
        }
        stage.perform(Step::Restart {
            device: device.clone(),
        });
        again(&mut stage, &device, &Operation::Login);
        let Some((operation, Err(failure))) = again(&mut stage, &device, &what) else {
            continue;
        };
        breaches.push(Breach {
            guarantee: Guarantee::G11,
            evidence: format!(
                "{} on {device} fails for ever, though the server is honest again: {failure} ({})",
                what.name(),
                failure.text
            ),
            operation: Some(operation),
        });
    }
    breaches
}

fn again(stage: &mut Stage, device: &DeviceName, what: &Operation) -> Option<(u32, Outcome)> {
    let step = Step::Run {
        device: device.clone(),
        operation: what.clone(),
    };
    match stage.perform(step) {
        Progress::Ended(ended) => ended.into_iter().next(),
        _ => None,
    }
}

/// What failed where the script expects that an attack is seen, and works before an honest server.
fn failed(stage: &Stage) -> Vec<(DeviceName, Operation)> {
    let mut failed = Vec::new();
    let expected = stage.judgements().iter().filter(|judgement| {
        matches!(
            judgement.expectation,
            Expectation::Violation { honest: None, .. }
                | Expectation::Unavailable { honest: None, .. }
                | Expectation::Any { .. }
        )
    });
    for number in expected.flat_map(|judgement| &judgement.operations) {
        let Some(Err(failure)) = stage.history().outcome(*number) else {
            continue;
        };
        if failure.class == Class::Usage || failure.name == Failure::CRASHED {
            continue;
        }
        let started = stage
            .history()
            .events()
            .iter()
            .find_map(|event| match event {
                Event::OperationStarted {
                    operation,
                    device,
                    what,
                } if operation == number => Some((device.clone(), what.clone())),
                _ => None,
            });
        let can_be_done_again = |(_, what): &(DeviceName, Operation)| {
            matches!(
                what,
                Operation::Login
                    | Operation::Upload { .. }
                    | Operation::Update { .. }
                    | Operation::Download { .. }
                    | Operation::Append { .. }
                    | Operation::List
            )
        };
        let one = started.filter(can_be_done_again);
        failed.extend(one.filter(|one| !failed.contains(one)));
        if failed.len() == PROBES_MAX {
            break;
        }
    }
    failed
}

/// Whether a request that changes the store was sent after the server first lied.
fn wrote_after_a_lie(history: &History) -> bool {
    let mut lied = false;
    for event in history.events() {
        match event {
            Event::Act { applied: true, .. } | Event::Disturbed { applied: true, .. } => {
                lied = true;
            }
            Event::Reply { honest, shown, .. } => lied |= honest != shown,
            Event::Request { kind, .. } => {
                let reads = [
                    "get", "kdf", "login", "lookup", "read", "segments", "fetch", "inbox",
                ];
                if lied && !reads.iter().any(|read| kind.starts_with(read)) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}
