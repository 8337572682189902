//! Bounds what a script may spend: steps, depth, memory and time.

use rhai::{Array, Dynamic, Engine, Map};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a script may spend.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Steps of the language, handlers and closures included.
    pub steps: u64,
    /// Calls within calls.
    pub depth: usize,
    /// Handlers that wait for an operation that they started.
    pub handlers: u32,
    /// Bytes of one string.
    pub string_size: usize,
    /// Elements of one array or entries of one map.
    pub list_size: usize,
    /// Variables alive in one function.
    pub variables: usize,
    /// Bytes that all variables together may take.
    pub memory: usize,
    /// Bytes of content that verbs may make or hand out, over the whole run.
    pub content: u64,
    /// Bytes of the script's text.
    pub text: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            steps: 2_000_000,
            depth: 24,
            handlers: 4,
            string_size: 1 << 20,
            list_size: 1 << 16,
            variables: 256,
            memory: 64 << 20,
            content: 512 << 20,
            text: 1 << 20,
        }
    }
}

/// A request from outside the run to stop it: a budget of wall-clock time, or an interrupt.
///
/// Time lies outside the run. Whoever holds the clock sets this, and the run ends as unknown.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the run to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the run was asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    Steps,
    Memory,
    Time,
}

/// What a script has spent so far.
pub(crate) struct Meter {
    budget: Budget,
    stop: Stop,
    steps: Cell<u64>,
    looks: Cell<u32>,
    /// Bytes of the variables of each function that runs, by depth, when last looked at.
    sizes: RefCell<Vec<usize>>,
    content: Cell<u64>,
}

/// Variables are measured once in this many uses of a variable.
const LOOK_EVERY: u32 = 16;

impl Meter {
    pub(crate) fn new(budget: Budget, stop: Stop) -> Rc<Self> {
        Rc::new(Self {
            budget,
            stop,
            steps: Cell::new(0),
            looks: Cell::new(0),
            sizes: RefCell::default(),
            content: Cell::new(0),
        })
    }

    pub(crate) const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Begins to count again.
    pub(crate) fn refill(&self) {
        self.steps.set(0);
        self.content.set(0);
    }

    /// Counts one step.
    ///
    /// The engine's own count starts again in each closure that a verb calls; this one does not.
    pub(crate) fn step(&self) -> Option<Spent> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps > self.budget.steps {
            Some(Spent::Steps)
        } else if self.stop.is_requested() {
            Some(Spent::Time)
        } else {
            None
        }
    }

    /// Looks at the variables of the function at this depth, now and then.
    pub(crate) fn look<'a>(
        &self,
        depth: usize,
        variables: impl Iterator<Item = &'a Dynamic>,
    ) -> Option<Spent> {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        if !looks.is_multiple_of(LOOK_EVERY) {
            return None;
        }
        let mut sizes = self.sizes.borrow_mut();
        sizes.resize(depth + 1, 0);
        sizes[depth] = variables.map(size).sum();
        (sizes.iter().sum::<usize>() > self.budget.memory).then_some(Spent::Memory)
    }

    /// Counts bytes that a verb is about to make.
    pub(crate) fn make(&self, bytes: u64) -> Option<Spent> {
        let made = self.content.get().saturating_add(bytes);
        if made > self.budget.content {
            return Some(Spent::Memory);
        }
        self.content.set(made);
        None
    }

    /// Sets the engine's own limits.
    pub(crate) fn limit(&self, engine: &mut Engine) {
        let budget = &self.budget;
        engine
            .set_max_operations(budget.steps)
            .set_max_call_levels(budget.depth)
            .set_max_string_size(budget.string_size)
            .set_max_array_size(budget.list_size)
            .set_max_map_size(budget.list_size)
            .set_max_variables(budget.variables)
            .set_max_functions(budget.list_size)
            .set_max_expr_depths(48, 32);
    }
}

/// About how many bytes a value takes.
fn size(value: &Dynamic) -> usize {
    let own = size_of::<Dynamic>();
    if let Some(list) = value.read_lock::<Array>() {
        return own + list.iter().map(size).sum::<usize>();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return own
            + map
                .iter()
                .map(|(key, value)| 32 + key.len() + size(value))
                .sum::<usize>();
    }
    if let Some(blob) = value.read_lock::<rhai::Blob>() {
        return own + blob.len();
    }
    match value.read_lock::<rhai::ImmutableString>() {
        Some(text) => own + text.len(),
        None => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_to_the_last() {
        let budget = Budget {
            steps: 3,
            ..Budget::default()
        };
        let meter = Meter::new(budget, Stop::default());
        assert_eq!([meter.step(), meter.step(), meter.step()], [None; 3]);
        assert_eq!(meter.step(), Some(Spent::Steps));
    }

    #[test]
    fn request_to_stop_is_heard_at_the_next_step() {
        let stop = Stop::default();
        let meter = Meter::new(Budget::default(), stop.clone());
        assert_eq!(meter.step(), None);
        stop.request();
        assert_eq!(meter.step(), Some(Spent::Time));
    }

    #[test]
    fn nested_values_are_measured_with_what_they_hold() {
        let text = Dynamic::from("x".repeat(1000));
        let list = Dynamic::from_array(vec![text.clone(), text.clone()]);
        assert!(size(&text) >= 1000 && size(&text) < 1100);
        assert!(size(&list) >= 2000 && size(&list) < 2200);
    }

    #[test]
    fn content_is_counted_over_the_run() {
        let budget = Budget {
            content: 10,
            ..Budget::default()
        };
        let meter = Meter::new(budget, Stop::default());
        assert_eq!(meter.make(6), None);
        assert_eq!(meter.make(6), Some(Spent::Memory));
        assert_eq!(meter.make(4), None);
    }
}
