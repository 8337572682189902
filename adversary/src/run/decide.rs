//! From what was found in the runs of a script to its verdict.

use std::fmt::Write as _;

use super::{Plan, Run};
use crate::attack::{Attack, Expectation, Step};
use crate::client::Failure;
use crate::history::Event;
use crate::stage::{Fallen, Judgement};
use crate::verdict::{Breach, Guarantee, Verdict};

/// A verdict and its reason.
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) breaches: Vec<Breach>,
}

impl Decision {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            reason: reason.into(),
            breaches: Vec::new(),
        }
    }

    /// The worse of the two stays, and the first of equals.
    fn worsen(&mut self, verdict: Verdict, reason: impl FnOnce() -> String) {
        if verdict > self.verdict {
            self.verdict = verdict;
            self.reason = reason();
        }
    }

    fn broken(&mut self, breach: Breach) {
        self.worsen(Verdict::Broken, || breach.to_string());
        self.breaches.push(breach);
    }
}

/// The verdict of a script, from its honest and its attacked run.
///
/// Of a client of ours every breach of either run counts. Another one is convicted by an attack
/// alone, and only where it does right before an honest server.
pub(super) fn both(plan: &Plan, honest: &Run, run: &Run, ours: bool) -> Decision {
    match self::honest(plan, honest, ours) {
        None => attacked(plan, honest, run, ours),
        Some(fault) if !ours => fault,
        Some(mut fault) => {
            let Decision {
                verdict,
                reason,
                breaches,
            } = attacked(plan, honest, run, ours);
            fault.worsen(verdict, || reason);
            fault.breaches.extend(breaches);
            fault
        }
    }
}

/// What an honest server cannot make fall: a client in whose honest run it does is wrong whoever
/// serves. Secrets may rightly fall before a server that only watches.
const NEVER_HONESTLY: [Guarantee; 9] = [
    Guarantee::G1,
    Guarantee::G2,
    Guarantee::G3,
    Guarantee::G4,
    Guarantee::G5,
    Guarantee::G8,
    Guarantee::G11,
    Guarantee::G12,
    Guarantee::G15,
];

/// What is wrong with the honest run, if anything is.
fn honest(plan: &Plan, run: &Run, ours: bool) -> Option<Decision> {
    let mut decision = Decision::new(Verdict::Inapplicable, "");
    if let Some(why) = honest_failure(run) {
        decision.worsen(Verdict::Unknown, || match ours {
            true => format!("the honest run fails: {why}"),
            false => format!("the client fails before an honest server: {why}"),
        });
    }
    // An honest server shows nothing that would have to be admitted.
    let found = run.breaches.iter().chain(&run.admitted).cloned();
    let mut breaches = fallen(plan, run).chain(found);
    if ours {
        for fault in &run.faults {
            decision.broken(fault.clone());
        }
        for breach in breaches {
            decision.broken(breach);
        }
        if let Some(why) = run.undecided.first() {
            decision.worsen(Verdict::Unknown, || format!("in the honest run, {why}"));
        }
    } else if let Some(breach) = breaches.find(|one| NEVER_HONESTLY.contains(&one.guarantee)) {
        let reason = format!("the client is wrong before an honest server: {breach}");
        // Wrong bytes and wrong lists need no attack to convict.
        if matches!(breach.guarantee, Guarantee::G1 | Guarantee::G5) {
            decision.worsen(Verdict::Broken, || reason);
            decision.breaches.push(breach);
        } else {
            decision.worsen(Verdict::Unknown, || reason);
        }
    }
    (decision.verdict > Verdict::Inapplicable).then_some(decision)
}

/// What expectations themselves show to have fallen.
fn fallen<'a>(plan: &'a Plan, run: &'a Run) -> impl Iterator<Item = Breach> + 'a {
    run.judgements.iter().filter_map(|judgement| {
        let guarantee = match judgement.fallen? {
            Fallen::Named(guarantee) => guarantee,
            Fallen::OfTheScript => plan.guarantee,
        };
        let instead = judgement.instead.as_deref().unwrap_or_default();
        Some(Breach {
            guarantee,
            evidence: format!("{} came to {instead}", judgement.expectation.summary()),
            operation: judgement.operations.last().copied(),
        })
    })
}

/// The first thing in an honest run that is not as the script expects of one.
///
/// A guarantee that falls before a server that only watches is no failure of the run.
pub(super) fn honest_failure(run: &Run) -> Option<String> {
    if let Some(fault) = run.faults.first() {
        return Some(fault.evidence.clone());
    }
    if let Some((number, failure)) = run.stray_failure() {
        return Some(format!("operation {number}: {failure} ({})", failure.text));
    }
    let unmet = run.judgements.iter().find_map(|judgement| {
        if judgement.fallen.is_some() {
            return None;
        }
        let instead = judgement.instead.as_ref()?;
        Some(format!(
            "{} came to {instead}",
            judgement.expectation.summary()
        ))
    });
    unmet.or_else(|| run.stopped.as_ref().map(|stopped| stopped.text.clone()))
}

/// The verdict of a script whose honest run is as it should be.
fn attacked(plan: &Plan, honest: &Run, run: &Run, ours: bool) -> Decision {
    let mut decision = met(run);
    for breach in fallen(plan, run) {
        decision.broken(breach);
    }
    for judgement in &run.judgements {
        if let (Some(instead), None) = (&judgement.instead, judgement.fallen) {
            decision.worsen(judgement.verdict.unwrap_or(Verdict::Unknown), || {
                format!("{} came to {instead}", judgement.expectation.summary())
            });
        }
    }
    if let Some((number, failure)) = run.stray_failure() {
        decision.worsen(Verdict::Refused, || {
            format!("operation {number} failed: {failure} ({})", failure.text)
        });
    }
    for fault in &run.faults {
        died(&mut decision, run, fault.clone(), ours);
    }
    for breach in &run.breaches {
        decision.broken(breach.clone());
    }
    for one in &run.admitted {
        decision.worsen(Verdict::Admitted, || {
            format!("{}; the client said that it cannot know", one.evidence)
        });
    }
    if let Some(stopped) = &run.stopped {
        // What the script would have asked after that was never answered.
        let verdict = match stopped.by_operation {
            true => Verdict::Refused,
            false => Verdict::Unknown,
        };
        decision.worsen(verdict, || stopped.text.clone());
    }
    if let Some(why) = run.undecided.first() {
        decision.worsen(Verdict::Unknown, || why.clone());
    }
    if is_inert(plan, honest, run) {
        decision.worsen(Verdict::Inert, || {
            "the client was shown the honest answers and no others".to_owned()
        });
    }
    if let Some(judgement) = untouched(plan, run, ours) {
        decision.worsen(Verdict::Inert, || {
            format!(
                "{} guards what nothing dishonest was done to",
                judgement.expectation.summary()
            )
        });
    }
    if let Some(judgement) = missed(plan, run, &decision).filter(|_| ours) {
        let instead = judgement.instead.as_deref().unwrap_or_default();
        let (summary, verdict) = (judgement.expectation.summary(), decision.verdict);
        decision.worsen(Verdict::Unknown, || {
            format!("{summary} came to {instead}, though the rest of the script is {verdict}")
        });
    }
    decision
}

/// The first expectation that was not met, where the script is as it states by the others.
///
/// The worst verdict of all hides a better one that is as wrong: a violation that never came is
/// `harmless`, and so would the whole be. Then the script and the oracles contradict each other.
fn missed<'a>(plan: &Plan, run: &'a Run, decision: &Decision) -> Option<&'a Judgement> {
    if plan.expected != Some(decision.verdict) {
        return None;
    }
    run.judgements
        .iter()
        .find(|judgement| judgement.instead.is_some() && judgement.fallen.is_none())
}

/// A client of ours that dies is broken. Another one that panics refused; one that does not stop
/// is broken all the same.
fn died(decision: &mut Decision, run: &Run, breach: Breach, ours: bool) {
    let outcome = breach
        .operation
        .and_then(|operation| run.history.outcome(operation));
    let panicked = matches!(outcome, Some(Err(failure)) if failure.name == Failure::PANICKED);
    if panicked && !ours {
        decision.worsen(Verdict::Refused, || breach.evidence);
    } else {
        decision.broken(breach);
    }
}

/// What the expectations that were met come to.
fn met(run: &Run) -> Decision {
    let met = |verdict| {
        let mut judgements = run.judgements.iter();
        judgements.find(|one| one.instead.is_none() && one.verdict == Some(verdict))
    };
    for verdict in [Verdict::Admitted, Verdict::Caught, Verdict::Harmless] {
        if let Some(judgement) = met(verdict) {
            let mut reason = format!("{} was met", judgement.expectation.summary());
            let mut of_attacks = run.judgements.iter().filter(|one| one.is_of_an_attack());
            let all = of_attacks.clone().count();
            let idle = of_attacks.by_ref().filter(|one| !one.deceived).count();
            if idle > 0 && idle < all {
                // Part of a sweep says nothing, and is not passed over in silence.
                let _ = write!(
                    reason,
                    "; {idle} of {all} expectations had no attack before them"
                );
            }
            return Decision::new(verdict, reason);
        }
    }
    Decision::new(Verdict::Harmless, "nothing was seen to fall")
}

/// The first expectation of an attack that none preceded since the server was last honest.
///
/// A script of ours must reach the client each time. In a sweep, what may be `ok` and is, says
/// nothing where nothing was done; neither does what another client does not use. There is no
/// attack where no step is one.
fn untouched<'a>(plan: &Plan, run: &'a Run, ours: bool) -> Option<&'a Judgement> {
    if plan.chaos || !acts(&run.attack) {
        return None;
    }
    let is_fine = |one: &Judgement| {
        let sweeps = matches!(one.expectation, Expectation::Any { .. });
        sweeps && one.instead.is_none() && one.verdict == Some(Verdict::Harmless)
    };
    let deceived = run.judgements.iter().any(|one| one.deceived);
    let mut of_attacks = run.judgements.iter().filter(|one| one.is_of_an_attack());
    of_attacks.find(|one| !(one.deceived || deceived && (!ours || is_fine(one))))
}

/// Whether the clients were shown the same as in the honest run, byte for byte and in this order.
///
/// Everything else in a run is a function of the seed, so that the first difference between the two
/// runs is an act that reached a client.
fn is_inert(plan: &Plan, honest: &Run, run: &Run) -> bool {
    let passive = run.judgements.iter().any(|judgement| {
        matches!(
            judgement.expectation,
            Expectation::ClosedTo { .. }
                | Expectation::OpenedBy { .. }
                | Expectation::SameView { .. }
                | Expectation::NoRequest { .. }
                | Expectation::Observed
        )
    });
    if plan.chaos {
        // A late message is the same message, and a doubled one may be answered twice alike.
        let mut steps = run.attack.steps.iter();
        let edited =
            steps.any(|step| matches!(step, Step::EditRequest { .. } | Step::EditReply { .. }));
        return (plan.edits && !edited) || (plan.crashes && !crashed(run));
    }
    // A passive server has no acts, and what is decided offline needs none.
    if passive && !acts(&run.attack) {
        return false;
    }
    // What a process draws by itself is in its requests, and two runs of it are never alike.
    !run.lied || honest.history.dialogue().eq(run.history.dialogue())
}

/// Whether any device ended without warning.
fn crashed(run: &Run) -> bool {
    let mut events = run.history.events().iter();
    events.any(|event| matches!(event, Event::Crashed { .. }))
}

pub(super) fn acts(attack: &Attack) -> bool {
    attack.steps.iter().any(Step::is_act)
}
