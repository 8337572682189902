//! What is recorded of a run, so that it plays again as a value.

use crate::attack::{Edit, Step};
use crate::script::performer::Direction;

/// What was recorded so that the run can be played again as a value.
#[derive(Clone, Default)]
pub(super) struct Recorded {
    /// Edits and pauses by request; they stand before all other steps.
    pub(super) planned: Vec<Step>,
    pub(super) steps: Vec<Step>,
    /// How many steps there were when each message in hand came, outermost first.
    marks: Vec<usize>,
}

impl Recorded {
    /// Edits stand first, so that the value plays whatever order they were made in.
    pub(super) fn note(&mut self, step: Step) {
        match step {
            Step::EditRequest { .. } | Step::EditReply { .. } => self.planned.push(step),
            // Noted when the message that it names has passed.
            Step::Pause { .. } => {}
            step => self.steps.push(step),
        }
    }

    /// A message is in hand: what follows until it is edited belongs to its handlers.
    pub(super) fn message(&mut self) {
        self.marks.push(self.steps.len());
    }

    /// If handlers performed no step, plain edits tell it all; else the run must pause there.
    pub(super) fn edited(&mut self, request: u32, direction: Direction, edits: &[Edit]) {
        let mark = self.marks.pop().unwrap_or(self.steps.len());
        let reply = direction == Direction::Reply;
        let edits = edits.to_vec();
        if mark < self.steps.len() {
            self.planned.push(Step::Pause { request, reply });
            self.steps.push(Step::Resume { edits });
        } else if !edits.is_empty() {
            self.planned.push(if reply {
                Step::EditReply { request, edits }
            } else {
                Step::EditRequest { request, edits }
            });
        }
    }
}
