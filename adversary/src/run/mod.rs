//! Runs a script against a client: honest, attacked, and the strawman's runs, and decides.

mod control;
mod decide;
mod offline;
mod parallel;
mod probe;
mod script;
#[cfg(test)]
mod tests;
mod two_secrets;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::attack::{Attack, Step};
use crate::chooser::seeded_bytes;
use crate::client::Failure;
use crate::driver::{Client, Lie, stopwatch, time_in_clients};
use crate::history::History;
use crate::oracle::{self, Facts, HonestCosts};
use crate::stage::{Acts, Judgement, Only, Secrets, Stage, password_of};
use crate::verdict::{Breach, Guarantee, Verdict};

pub use control::Power;
pub use parallel::parallel;
pub use script::{ScriptSubject, dry_run};

/// What a script says about itself, as far as verdicts need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The name of the attack.
    pub id: String,
    /// The verdict that the script states for the hardened client, if it states one.
    pub expected: Option<Verdict>,
    /// The guarantee that falls without the defences.
    pub guarantee: Guarantee,
    /// The smallest set of defences whose removal breaks the guarantee.
    pub defences: Vec<String>,
    /// How the script shows that it could fail.
    pub control: Control,
    /// Whether this is a workload over a bad network, where nothing has to differ.
    pub chaos: bool,
    /// Operations that the script uses, by their names.
    pub operations: Vec<String>,
    /// What else the client and its front must offer.
    pub needs: Vec<String>,
    /// The client whose planted lie must be seen, where the control names one.
    pub planted: Option<&'static Lie>,
    /// How many expectations at most nobody is shown to fall for, and why.
    pub depth: (usize, String),
    /// Why there is no control, where the header says so.
    pub uncontrolled: Option<String>,
    /// Whether the script does anything to messages.
    pub edits: bool,
    /// Whether it has replies come in another frame of HTTP, and some never to their end.
    pub framed: bool,
    /// Whether the script ends the processes of devices.
    pub crashes: bool,
    /// Whether the server must see the same with other secrets.
    pub two_secrets: bool,
    /// Users whose keys the server holds.
    pub colluders: BTreeSet<String>,
}

/// How a script shows that it could fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The client without the named defences must break the guarantee.
    Defences,
    /// A planted breach must be seen: in a run of the client with one lie, if the header names it.
    Planted,
    /// The client must elsewhere in the run claim what it admits here that it cannot know.
    Claim,
}

/// Why a script ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Whether it ended because an operation failed that no expectation guards.
    pub by_operation: bool,
    /// What to tell people.
    pub text: String,
}

/// A script, or anything else that performs steps on a stage.
pub trait Subject {
    /// What it says about itself.
    fn plan(&self) -> &Plan;

    /// Performs it, to its end or to the first thing that stops it.
    fn play(&self, stage: &Rc<RefCell<Stage>>) -> Option<Stopped>;
}

/// The client under test, and what the run knows of it beyond its adapter.
pub struct Target {
    /// The client.
    pub client: Rc<dyn Client>,
    /// Whether it is the project's own, of which an exact verdict is demanded.
    pub ours: bool,
    /// Makes the twin with these defences off; without it, power is taken from elsewhere.
    pub twin: Option<Twin>,
}

/// Makes the client without some of its defences, or says which of them it does not know.
pub type Twin = Box<dyn Fn(&[String]) -> Result<Rc<dyn Client>, String>>;

/// One run and what was found in it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Whether acts took effect.
    pub acts: Acts,
    /// The defences that were off.
    pub without: Vec<String>,
    /// Everything that happened.
    pub history: History,
    /// The run as a value that plays again.
    pub attack: Attack,
    /// The expectations, in the order in which they closed.
    pub judgements: Vec<Judgement>,
    /// The operations that any expectation guarded.
    pub guarded: Vec<u32>,
    /// Panics, hangs and spent budgets of the client.
    pub faults: Vec<Breach>,
    /// Operations that failed outside every expectation.
    pub stray: Vec<u32>,
    /// What stopped the script before its end.
    pub stopped: Option<Stopped>,
    /// What the oracles found.
    pub breaches: Vec<Breach>,
    /// What they would have found, had the client not said of that answer that it cannot know.
    pub admitted: Vec<Breach>,
    /// What the oracles could not decide.
    pub undecided: Vec<String>,
    /// Whether any device was shown anything but what an honest server shows.
    pub lied: bool,
}

/// What one script came to against one client.
#[derive(Clone, Debug)]
pub struct Report {
    /// The script.
    pub id: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// The guarantees that fell.
    pub breaches: Vec<Breach>,
    /// The honest run; none if the script does not apply to the client.
    pub honest: Option<Run>,
    /// The attacked run; none if there was none.
    pub attacked: Option<Run>,
    /// The power control.
    pub power: Power,
    /// How long clients computed in all runs; for people alone.
    pub client_time: Duration,
    /// How long the honest, the attacked and the strawman's run took; for people alone.
    pub three_runs: Duration,
    /// How long all runs took: with those that show that no fewer defences would do.
    pub all_runs: Duration,
}

/// Runs a script against a client, with its controls, and decides.
#[must_use]
pub fn run(subject: &dyn Subject, target: &Target, seed: u64) -> Report {
    let plan = subject.plan();
    let mut report = Report {
        id: plan.id.clone(),
        verdict: Verdict::Inapplicable,
        reason: String::new(),
        breaches: Vec::new(),
        honest: None,
        attacked: None,
        power: Power::NotAsked,
        client_time: Duration::ZERO,
        three_runs: Duration::ZERO,
        all_runs: Duration::ZERO,
    };
    let (time_before, time) = (time_in_clients(), stopwatch());
    if let Err(why) = applies(plan, target) {
        report.reason = why;
        return report;
    }
    let (honest, attacked) = both_runs(subject, target, seed);
    report.three_runs = time();
    let decision = decide::both(plan, &honest, &attacked, target.ours);
    (report.verdict, report.reason) = (decision.verdict, decision.reason);
    report.breaches = decision.breaches;
    if is_foreign(target) && report.verdict == Verdict::Caught {
        report.reason += ", by the client's own word: nothing ties it to the lie";
    }
    if let Some(twin) = &target.twin {
        let strawman = Cell::default();
        report.power = control::power(subject, twin, (&honest, &attacked), (seed, &strawman));
        report.three_runs += strawman.get();
        if let Power::None(why) = &report.power
            && report.verdict < Verdict::Unknown
        {
            report.verdict = Verdict::Unknown;
            report.reason = format!("no control: {why}");
        }
    }
    report.client_time = time_in_clients().saturating_sub(time_before);
    report.all_runs = time();
    report.honest = Some(honest);
    report.attacked = Some(attacked);
    report
}

/// Whether nothing is known of the client but what it says and does.
fn is_foreign(target: &Target) -> bool {
    !target.ours && !target.client.declaration().deterministic
}

/// The honest and the attacked run.
///
/// A foreign client must not know by their order which is which: the seed decides it.
fn both_runs(subject: &dyn Subject, target: &Target, seed: u64) -> (Run, Run) {
    let client = || Rc::clone(&target.client);
    let mut attack = Play {
        probes: !target.ours,
        ..Play::of(Acts::Applied)
    };
    let drawn = seeded_bytes(seed, &format!("order of {}", subject.plan().id), 1);
    let attack_first = is_foreign(target) && drawn.iter().any(|byte| byte % 2 == 1);
    let play = |play: &Play| play_on_stage(subject, client(), play, (seed, Secrets::First));
    let played = attack_first.then(|| play(&attack));
    let honest = Play::of(Acts::Evaluated);
    let honestly = play(&honest);
    let honest = judged(subject, client(), honest, seed, honestly.clone());
    attack.costs = HonestCosts::of(&honest.history);
    let played = match played {
        Some(played) => played,
        None if target.ours && honest.has_nothing_to_apply() => honestly,
        None => play(&attack),
    };
    (honest, judged(subject, client(), attack, seed, played))
}

/// Whether the client has everything that the script uses, by its own declaration.
fn applies(plan: &Plan, target: &Target) -> Result<(), String> {
    let declared = target.client.declaration();
    let missing = plan
        .operations
        .iter()
        .find(|operation| !declared.has(operation));
    if let Some(operation) = missing {
        return Err(format!(
            "{} has no operation {operation}",
            target.client.name()
        ));
    }
    for need in &plan.needs {
        let met = match need.as_str() {
            "native" | "kv" => declared.front.name() == need,
            "conditional" => declared.conditional,
            "monotone" | "contact_verified" | "hides-lengths" => declared.claims.contains(need),
            // A word that stands for an operation, or for something that every client has.
            _ => true,
        };
        if !met {
            return Err(match need.as_str() {
                "native" | "kv" => format!("{} does not speak {need}", target.client.name()),
                _ => format!("{} does not declare {need}", target.client.name()),
            });
        }
    }
    Ok(())
}

/// One run of a script.
#[must_use]
pub fn once(subject: &dyn Subject, target: &Target, acts: Acts, seed: u64) -> Run {
    once_with(subject, Rc::clone(&target.client), Play::of(acts), seed)
}

/// How a run differs from others of the same script.
struct Play {
    acts: Acts,
    /// The defences that are off.
    without: Vec<String>,
    /// The expectations before which acts take effect, if not before all.
    only: Option<Only>,
    /// What the operations cost before an honest server.
    costs: HonestCosts,
    /// Whether what failed under attack is tried again at its end, before an honest server.
    probes: bool,
}

impl Play {
    fn of(acts: Acts) -> Self {
        Self {
            acts,
            without: Vec::new(),
            only: None,
            costs: HonestCosts::default(),
            probes: false,
        }
    }
}

/// One run against a client, some of whose defences may be off.
fn once_with(subject: &dyn Subject, client: Rc<dyn Client>, play: Play, seed: u64) -> Run {
    let played = play_on_stage(subject, Rc::clone(&client), &play, (seed, Secrets::First));
    judged(subject, client, play, seed, played)
}

/// A script that was played, before anybody judged.
#[derive(Clone)]
struct Played {
    stage: Rc<RefCell<Stage>>,
    stopped: Option<Stopped>,
    /// The operations of the script that failed outside every expectation.
    stray: Vec<u32>,
    /// What still failed when the server was honest again.
    probed: Vec<Breach>,
}

/// What a run comes to that was played.
fn judged(
    subject: &dyn Subject,
    client: Rc<dyn Client>,
    play: Play,
    seed: u64,
    played: Played,
) -> Run {
    let Played {
        stage,
        stopped,
        stray,
        probed,
    } = played;
    let stage = stage.borrow();
    let facts = Facts {
        honest: subject.plan().chaos,
        colluders: stage.colluders() | &subject.plan().colluders,
        honest_costs: play.costs.clone(),
        passwords: stage.users().iter().map(|user| password_of(user)).collect(),
        ..Facts::default()
    };
    let history = stage.history().clone();
    // Only the attacked run is judged: a client that tells too much tells it in both.
    let other_secrets = (subject.plan().two_secrets && play.acts == Acts::Applied)
        .then(|| two_secrets::compare(subject, &client, &play, seed, &history));
    let Play { acts, without, .. } = play;
    let mut found = or_undecided("an oracle", || oracle::judge(&history, &facts));
    // A death that the stage saw is not told twice.
    let faults = stage.faults().to_vec();
    let is_told = |breach: &Breach| {
        let mut faults = faults.iter();
        faults
            .any(|fault| (fault.guarantee, fault.operation) == (breach.guarantee, breach.operation))
    };
    found.breaches.retain(|breach| !is_told(breach));
    found.breaches.extend(probed);
    let mut judgements = stage.judgements().to_vec();
    let plan = subject.plan();
    let opened = or_undecided("the decryptor", || {
        offline::examine(&stage, (acts, &without), plan, &history, &mut judgements)
    });
    for more in [Some(opened), other_secrets].into_iter().flatten() {
        found.breaches.extend(more.breaches);
        found.undecided.extend(more.undecided);
    }
    Run {
        acts,
        without,
        attack: stage.attack(),
        judgements,
        guarded: stage.guarded(),
        faults,
        stray,
        stopped,
        breaches: found.breaches,
        admitted: found.admitted,
        undecided: found.undecided,
        lied: stage.lied(),
        history,
    }
}

/// Plays a script, in a world of this seed and with these secrets, as far as it goes.
fn play_on_stage(
    subject: &dyn Subject,
    client: Rc<dyn Client>,
    play: &Play,
    (seed, secrets): (u64, Secrets),
) -> Played {
    let ready = client.begin_run();
    let mut stage = Stage::new(client, play.acts, seed);
    if secrets != Secrets::First {
        stage.set_secrets(secrets);
    }
    if let Some(only) = &play.only {
        stage.act_before(only.clone());
    }
    let stage = Rc::new(RefCell::new(stage));
    if let Err(text) = ready {
        return Played {
            stage,
            stopped: Some(Stopped {
                by_operation: false,
                text,
            }),
            stray: Vec::new(),
            probed: Vec::new(),
        };
    }
    // The script engine is ours: if it crashes, that is the testbed's failure.
    let played = catch_unwind(AssertUnwindSafe(|| subject.play(&stage)));
    let stopped = played.unwrap_or_else(|_| {
        Some(Stopped {
            by_operation: false,
            text: "the script engine crashed".to_owned(),
        })
    });
    let stray = stage.borrow().stray().to_vec();
    let ended = stopped.as_ref().is_none_or(|stopped| stopped.by_operation);
    let probed = match play.probes && ended {
        true => probe::after(&stage),
        false => Vec::new(),
    };
    Played {
        stage,
        stopped,
        stray,
        probed,
    }
}

/// What a judge says. One that crashes has not decided: that is the testbed's failure.
fn or_undecided(who: &str, judge: impl FnOnce() -> oracle::Judgement) -> oracle::Judgement {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| oracle::Judgement {
        undecided: vec![format!("{who} crashed")],
        ..oracle::Judgement::default()
    })
}

impl Run {
    /// Whether the attacked run would be this one over again, to the byte, and be judged alike: it
    /// came to its end without an act, and without an expectation that is another one then.
    #[must_use]
    pub fn has_nothing_to_apply(&self) -> bool {
        let mut steps = self.attack.steps.iter();
        let differs = |step: &Step| step.is_act() || matches!(step, Step::Tear { .. });
        let mut judgements = self.judgements.iter();
        self.stopped.is_none()
            && !steps.any(differs)
            && judgements.all(|judgement| judgement.expectation.is_judged_alike())
    }

    /// The failure of an operation that nobody expected, and that stopped the script.
    fn stray_failure(&self) -> Option<(u32, &Failure)> {
        let number = match &self.stopped {
            Some(stopped) if stopped.by_operation => *self.stray.last()?,
            _ => return None,
        };
        let failure = self.history.outcome(number)?.as_ref().err()?;
        Some((number, failure))
    }

    /// Whether the operation ended in a panic, a hang or a spent budget.
    fn died(&self, operation: u32) -> bool {
        let deaths = [Failure::PANICKED, Failure::EXHAUSTED];
        let outcome = self.history.outcome(operation);
        matches!(outcome, Some(Err(failure)) if deaths.contains(&failure.name.as_str()))
    }

    /// Whether this run shows that the guarantee fell at an operation that the script names.
    ///
    /// A panic, a hang or a limit is no such thing.
    fn breaks(&self, guarantee: Guarantee) -> bool {
        let guarded = |operation: Option<u32>| {
            operation
                .is_none_or(|operation| self.guarded.contains(&operation) && !self.died(operation))
        };
        let mut seen = self.breaches.iter();
        seen.any(|breach| breach.guarantee == guarantee && guarded(breach.operation))
            || self
                .judgements
                .iter()
                .any(|judgement| judgement.shows_fallen(guarantee))
    }

    /// Whether this run shows that the guarantee fell inside one expectation.
    fn breaks_at(&self, judged: usize, guarantee: Guarantee) -> bool {
        let Some(judgement) = self.judgements.get(judged) else {
            return false;
        };
        let inside = |operation: Option<u32>| {
            operation.is_some_and(|operation| {
                judgement.operations.contains(&operation) && !self.died(operation)
            })
        };
        let mut seen = self.breaches.iter();
        judgement.shows_fallen(guarantee)
            || seen.any(|breach| breach.guarantee == guarantee && inside(breach.operation))
    }
}
