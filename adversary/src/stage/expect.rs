//! What guarded operations came to, beside what was expected of them.

use super::{Acts, Only, Sent, Stage, count};
use crate::attack::Expectation;
use crate::client::{Claims, Class, DeviceName, Failure, Operation};
use crate::history::Event;
use crate::script::performer::Progress;
use crate::selector::Selector;
use crate::verdict::{Guarantee, Verdict};

/// What one expectation says about the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What was expected.
    pub expectation: Expectation,
    /// The operations that ended while it was open.
    pub operations: Vec<u32>,
    /// What it adds to the verdict; nothing where only oracles can tell.
    pub verdict: Option<Verdict>,
    /// What fell, if the expectation itself shows it.
    pub fallen: Option<Fallen>,
    /// Nothing if it was met; else what came instead.
    pub instead: Option<String>,
    /// Whether the server did anything but what an honest one does, to messages or in what it
    /// showed, since it was last honest again, that reached a device which is guarded here.
    pub deceived: bool,
}

impl Judgement {
    /// Whether it is about an attack, so that it says nothing where there was none.
    #[must_use]
    pub const fn is_of_an_attack(&self) -> bool {
        matches!(
            self.expectation,
            Expectation::Violation { .. }
                | Expectation::Unavailable { .. }
                | Expectation::Any { .. }
                | Expectation::NoRequest { .. }
        )
    }

    /// Whether it shows that this guarantee fell, which is the script's.
    #[must_use]
    pub fn shows_fallen(&self, guarantee: Guarantee) -> bool {
        match self.fallen {
            Some(Fallen::Named(named)) => named == guarantee,
            Some(Fallen::OfTheScript) => true,
            None => false,
        }
    }
}

/// The guarantee that an expectation itself shows to have fallen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallen {
    /// This one.
    Named(Guarantee),
    /// The one that the script's header names.
    OfTheScript,
}

/// The expectations of a run.
#[derive(Default)]
pub(super) struct Expectations {
    open: Vec<Open>,
    judged: Vec<Judgement>,
    /// What the server saw in the first of two parts that must look the same.
    first_view: Vec<Seen>,
    /// What a device has still to admit, as its client was not asked inside the expectation: the
    /// place of the judgement, the device, and the claim.
    unanswered: Vec<(usize, DeviceName, String)>,
}

struct Open {
    expectation: Expectation,
    operations: Vec<u32>,
    first_request: usize,
    first_event: usize,
}

/// One message as the server sees it, its secrets aside.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    kind: &'static str,
    size: usize,
    shown: Option<usize>,
}

impl Expectations {
    pub(super) fn judged(&self) -> &[Judgement] {
        &self.judged
    }

    /// Whether any expectation guards the operation that ended.
    pub(super) fn operation_ended(&mut self, number: u32) -> bool {
        for open in &mut self.open {
            open.operations.push(number);
        }
        !self.open.is_empty()
    }

    /// Notes whose answer settles an admission that nothing inside could settle.
    fn wait_for_answer(&mut self, judgement: &Judgement, last: Option<&DeviceName>) {
        if let (Expectation::Admitted { claim }, Some(UNANSWERED), Some(device)) =
            (&judgement.expectation, judgement.instead.as_deref(), last)
        {
            let waits = (self.judged.len(), device.clone(), claim.clone());
            self.unanswered.push(waits);
        }
    }
}

impl Stage {
    pub(super) fn open_expectation(&mut self, expectation: &Expectation) {
        let text = expectation.to_string();
        let first_event = self.history.push(Event::ExpectationOpened { text });
        self.expectations.open.push(Open {
            expectation: expectation.clone(),
            operations: Vec::new(),
            first_request: self.requests.len(),
            first_event,
        });
    }

    pub(super) fn close_expectation(&mut self) -> Result<Progress, String> {
        let Some(open) = self.expectations.open.pop() else {
            return Err("no expectation is open".to_owned());
        };
        let judgement = self.judge(open);
        let last = judgement.operations.last();
        let last = last.map(|number| &self.operations[*number as usize].device);
        self.expectations.wait_for_answer(&judgement, last);
        let instead = judgement.instead.clone();
        self.history.push(Event::ExpectationClosed {
            met: instead.is_none(),
        });
        self.judged_attack |= judgement.is_of_an_attack();
        self.expectations.judged.push(judgement);
        self.schedule();
        Ok(Progress::Judged(instead.map_or(Ok(()), Err)))
    }

    /// Lets acts take effect before some expectations alone.
    pub(crate) fn act_before(&mut self, only: Only) {
        self.only = Some(only);
        self.schedule();
    }

    /// Whether acts take effect from here to the next expectation.
    fn schedule(&mut self) {
        let judged = self.expectations.judged.len();
        if let Some(only) = &self.only {
            let next = only.counted.range(judged..).next();
            let attacked = next.is_some_and(|next| only.attacked.contains(next));
            self.acts = if attacked {
                Acts::Applied
            } else {
                Acts::Evaluated
            };
        }
    }

    /// An answer of a device whose client was not asked before says now what it admits.
    pub(super) fn settle(&mut self, number: u32) {
        let running = &self.operations[number as usize];
        let Some(outcome) = &running.outcome else {
            return;
        };
        let waits = |(_, device, _): &(usize, DeviceName, String)| *device == running.device;
        let asked = self.client.is_asked(&running.what);
        let Some(at) = self.expectations.unanswered.iter().position(waits) else {
            return;
        };
        if !asked {
            return;
        }
        let found = match outcome {
            Ok(answer) => admission(&answer.claims, &self.expectations.unanswered[at].2),
            Err(failure) if failure.name == Failure::CRASHED => return,
            Err(failure) => Found::instead(Some(Verdict::Refused), failure.to_string()),
        };
        let (judged, ..) = self.expectations.unanswered.remove(at);
        let judgement = &mut self.expectations.judged[judged];
        judgement.operations.push(number);
        judgement.verdict = found.verdict;
        judgement.fallen = found.fallen;
        judgement.instead = found.instead;
    }

    fn judge(&mut self, open: Open) -> Judgement {
        let honest = self.acts == Acts::Evaluated;
        let found = match &open.expectation {
            Expectation::Violation {
                name,
                honest: usage,
            } => {
                let wanted = Wanted::Failure(Class::Violation, Some(name.clone()));
                self.outcomes(&open, &wanted.in_honest(honest, usage.as_ref()))
            }
            Expectation::Unavailable {
                name,
                honest: usage,
            } => {
                let name = (name != "any").then(|| name.clone());
                let wanted = Wanted::Failure(Class::Unavailable, name);
                self.outcomes(&open, &wanted.in_honest(honest, usage.as_ref()))
            }
            Expectation::Usage { name } => {
                let wanted = Wanted::Failure(Class::Usage, Some(name.clone()));
                self.outcomes(&open, &wanted)
            }
            Expectation::Success => self.outcomes(&open, &Wanted::Success),
            Expectation::Any { outcomes } => {
                let wanted = Wanted::AnyOf(outcomes.clone());
                self.outcomes(&open, &wanted.in_honest(honest, None))
            }
            Expectation::Admitted { claim } => self.admitted(&open, claim, honest),
            Expectation::NoRequest { selector } if honest => self.is_sent(&open, Some(selector)),
            Expectation::NoRequest { selector } => self.no_request(&open, selector),
            // Only the attacked run is judged: a client that tells too much tells it in both.
            Expectation::SameView { .. } if honest => self.is_sent(&open, None),
            Expectation::SameView { second } => self.same_view(&open, *second),
            Expectation::Unchanged => self.unchanged(&open),
            // The rest is for the decryptor and the oracles.
            Expectation::Observed | Expectation::ClosedTo { .. } | Expectation::OpenedBy { .. } => {
                self.succeeded(&open)
            }
            Expectation::Anything => Found::nothing(),
        };
        let devices = open.operations.iter().flat_map(|number| {
            let running = &self.operations[*number as usize];
            let met = match &running.what {
                Operation::Compare { other } => Some(other),
                _ => None,
            };
            [Some(&running.device), met].into_iter().flatten()
        });
        let deceived = self.deceived.reaches(devices);
        Judgement {
            expectation: open.expectation,
            operations: open.operations,
            verdict: found.verdict,
            fallen: found.fallen,
            instead: found.instead,
            deceived,
        }
    }

    /// The outcomes of the guarded operations, crashes that the script asked for apart.
    fn failures(&self, open: &Open) -> Vec<(u32, Failure)> {
        let ended = open.operations.iter().filter_map(|number| {
            let outcome = self.operations[*number as usize].outcome.as_ref()?;
            let failure = outcome.as_ref().err()?;
            (failure.name != Failure::CRASHED).then(|| (*number, failure.clone()))
        });
        ended.collect()
    }

    fn outcomes(&self, open: &Open, wanted: &Wanted) -> Found {
        let failures = self.failures(open);
        if open.operations.is_empty() && !matches!(wanted, Wanted::Success) {
            return Found::instead(None, "no operation ended inside".to_owned());
        }
        match (failures.first(), wanted) {
            (None, Wanted::Success) => Found::met(Verdict::Harmless),
            (None, Wanted::AnyOf(outcomes)) if outcomes.iter().any(|one| one == "ok") => {
                Found::met(Verdict::Harmless)
            }
            (None, _) => Found::instead(Some(Verdict::Harmless), "success".to_owned()),
            (Some(_), wanted) => {
                match failures.iter().find(|(_, failure)| !wanted.allows(failure)) {
                    Some((_, other)) => {
                        Found::instead(Some(Verdict::Refused), format!("{other} ({})", other.text))
                    }
                    None if self.goes_on(open) && wanted.is_one_failure() => {
                        let what = "success after the failure that was expected".to_owned();
                        Found::instead(Some(Verdict::Harmless), what)
                    }
                    None => Found::met(wanted.verdict()),
                }
            }
        }
    }

    /// Whether the last guarded operation succeeded: it is the one that an expectation is about.
    fn goes_on(&self, open: &Open) -> bool {
        open.operations.last().is_some_and(|last| {
            let outcome = self.operations[*last as usize].outcome.as_ref();
            outcome.is_some_and(Result::is_ok)
        })
    }

    fn admitted(&mut self, open: &Open, claim: &str, honest: bool) -> Found {
        if let Some((_, failure)) = self.failures(open).first() {
            return Found::instead(Some(Verdict::Refused), failure.to_string());
        }
        if honest {
            return Found::met(Verdict::Admitted);
        }
        // The last guarded operation is the one that cannot know.
        let mut answers = open.operations.iter().rev().filter_map(|number| {
            let running = &self.operations[*number as usize];
            let answer = running.outcome.as_ref()?.as_ref().ok()?;
            self.client.is_asked(&running.what).then_some(answer)
        });
        match answers.next() {
            Some(answer) => admission(&answer.claims, claim),
            None => Found::instead(None, UNANSWERED.to_owned()),
        }
    }

    /// What an honest run must show of operations that the server only watches.
    fn succeeded(&self, open: &Open) -> Found {
        match (self.failures(open).first(), &open.expectation) {
            (Some((_, failure)), _) => Found::instead(Some(Verdict::Refused), failure.to_string()),
            (None, Expectation::Observed) => Found::met(Verdict::Harmless),
            (None, _) => Found::nothing(),
        }
    }

    /// In an honest run, what must not be sent under attack is sent; or else it says nothing that
    /// it is not. An error of the caller's may come, after the request.
    fn is_sent(&self, open: &Open, selector: Option<&Selector>) -> Found {
        let failures = self.failures(open);
        let mut others = failures
            .iter()
            .filter(|(_, failure)| failure.class != Class::Usage);
        if let Some((_, failure)) = others.next() {
            return Found::instead(None, format!("{failure} ({})", failure.text));
        }
        let mut inside = self.requests[open.first_request..].iter();
        let matches =
            |sent: &Sent| selector.is_none_or(|selector| selector.matches(&sent.device, sent.kind));
        if inside.any(matches) {
            return Found::nothing();
        }
        let what = selector.map_or_else(|| "anything".to_owned(), Selector::to_string);
        Found::instead(None, format!("an honest run that never sends {what}"))
    }

    fn no_request(&self, open: &Open, selector: &Selector) -> Found {
        let inside = self.requests[open.first_request..].iter();
        let mut matching = inside.filter(|sent| selector.matches(&sent.device, sent.kind));
        match matching.next() {
            None => Found::met(Verdict::Caught),
            Some(sent) => Found::fell(format!("{} sent {}", sent.device, sent.kind)),
        }
    }

    fn same_view(&mut self, open: &Open, second: bool) -> Found {
        let inside = self.requests[open.first_request..].iter();
        let seen: Vec<Seen> = inside
            .map(|sent| Seen {
                kind: sent.kind,
                size: sent.size,
                shown: sent.shown,
            })
            .collect();
        if !second {
            self.expectations.first_view = seen;
            return Found::nothing();
        }
        let first = std::mem::take(&mut self.expectations.first_view);
        if first == seen {
            return Found::met(Verdict::Caught);
        }
        let at = first
            .iter()
            .zip(&seen)
            .position(|(one, other)| one != other);
        let at = at.unwrap_or(first.len().min(seen.len()));
        let say = |seen: Option<&Seen>| match seen {
            None => "nothing".to_owned(),
            Some(Seen { kind, size, shown }) => {
                format!("{kind} of {size} bytes, answered by {}", shown.unwrap_or(0))
            }
        };
        Found::fell(format!(
            "message {at}: {} in one part, {} in the other",
            say(first.get(at)),
            say(seen.get(at))
        ))
    }

    fn unchanged(&self, open: &Open) -> Found {
        let mut durable = std::collections::BTreeMap::new();
        for event in &self.history.events()[..open.first_event] {
            match event {
                Event::Saved { device, bytes } => {
                    durable.insert(device, Some(bytes));
                }
                Event::Wiped { device } => {
                    durable.insert(device, None);
                }
                _ => {}
            }
        }
        for event in &self.history.events()[open.first_event..] {
            if let Event::Saved { device, bytes } = event
                && durable.get(device).copied().flatten() != Some(bytes)
            {
                return Found {
                    verdict: None,
                    fallen: Some(Fallen::Named(Guarantee::G11)),
                    instead: Some(format!("the durable state of {device} changed")),
                };
            }
        }
        Found::nothing()
    }

    /// The operations that any expectation guarded.
    #[must_use]
    pub fn guarded(&self) -> Vec<u32> {
        let judged = self.judgements().iter().map(|one| &one.operations);
        // Those that a script which stopped left open, too.
        let open = self.expectations.open.iter().map(|one| &one.operations);
        let mut operations: Vec<u32> = judged.chain(open).flatten().copied().collect();
        operations.sort_unstable();
        operations.dedup();
        operations
    }

    /// How many operations were started.
    #[must_use]
    pub fn operations(&self) -> u32 {
        count(self.operations.len())
    }
}

/// What becomes of an admission when no operation of the expectation reached the client, and none
/// of the device does later.
const UNANSWERED: &str = "nothing that the client was asked";

/// What a client says about what it cannot know.
fn admission(claims: &Claims, claim: &str) -> Found {
    let (said, guarantee) = match claim {
        "unverified-contact" => (claims.contact_verified, Guarantee::G8),
        _ => (claims.monotone, Guarantee::G3),
    };
    let said = match said {
        Some(false) => return Found::met(Verdict::Admitted),
        Some(true) => "the client claims that it knows",
        None => "the client does not say that it cannot know",
    };
    Found {
        verdict: Some(Verdict::Broken),
        fallen: Some(Fallen::Named(guarantee)),
        instead: Some(said.to_owned()),
    }
}

/// What the guarded operations shall come to.
enum Wanted {
    Success,
    Failure(Class, Option<String>),
    AnyOf(Vec<String>),
}

impl Wanted {
    /// An honest run comes to success, or to the mistake that the script itself makes.
    fn in_honest(self, honest: bool, usage: Option<&String>) -> Self {
        match (honest, usage) {
            (false, _) => self,
            (true, None) => Self::Success,
            (true, Some(name)) => Self::Failure(Class::Usage, Some(name.clone())),
        }
    }

    fn allows(&self, failure: &Failure) -> bool {
        match self {
            Self::Success => false,
            Self::Failure(class, name) => {
                failure.class == *class && name.as_ref().is_none_or(|name| *name == failure.name)
            }
            Self::AnyOf(outcomes) => outcomes.iter().any(|outcome| {
                *outcome == failure.to_string()
                    || *outcome == format!("{}:any", failure.class.name())
            }),
        }
    }

    const fn is_one_failure(&self) -> bool {
        matches!(self, Self::Failure(..))
    }

    const fn verdict(&self) -> Verdict {
        match self {
            // The caller's own mistake is the right answer, whoever serves.
            Self::Success | Self::Failure(Class::Usage, _) => Verdict::Harmless,
            Self::Failure(..) | Self::AnyOf(_) => Verdict::Caught,
        }
    }
}

/// What a judgement comes to.
struct Found {
    verdict: Option<Verdict>,
    fallen: Option<Fallen>,
    instead: Option<String>,
}

impl Found {
    const fn nothing() -> Self {
        Self {
            verdict: None,
            fallen: None,
            instead: None,
        }
    }

    fn met(verdict: Verdict) -> Self {
        Self {
            verdict: Some(verdict),
            ..Self::nothing()
        }
    }

    const fn instead(verdict: Option<Verdict>, instead: String) -> Self {
        Self {
            verdict,
            fallen: None,
            instead: Some(instead),
        }
    }

    const fn fell(instead: String) -> Self {
        Self {
            verdict: Some(Verdict::Broken),
            fallen: Some(Fallen::OfTheScript),
            instead: Some(instead),
        }
    }
}
