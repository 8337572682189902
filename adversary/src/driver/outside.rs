//! Clients outside of this process: each request of theirs is an operation of one exchange.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Client, Declaration, Front, Line, OwnedFuture, Process, Setting};
use crate::client::{Answer, Class, Failure, Operation, Outcome};

/// Where the request that comes next lies, and then its reply. It goes this way and not through the
/// operation, which is kept for as long as the stage is.
pub(crate) type Slot = Rc<RefCell<Vec<u8>>>;

/// Clients outside.
pub(crate) struct Outside(pub(crate) Slot);

impl Outside {
    /// The operation that sends what lies in the slot.
    pub(crate) const EXCHANGE: Operation = Operation::List;
}

impl Client for Outside {
    fn name(&self) -> String {
        "outside".to_owned()
    }

    fn declaration(&self) -> Declaration {
        Declaration {
            front: Front::Native,
            operations: vec![Self::EXCHANGE.name().to_owned()],
            claims: Vec::new(),
            conditional: true,
            deterministic: false,
        }
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        Ok(Box::new(Exchanging(Rc::clone(&self.0), setting.line)))
    }
}

struct Exchanging(Slot, Line);

impl Process for Exchanging {
    fn begin(&mut self, _: Operation) -> OwnedFuture<Outcome> {
        let (slot, line) = (Rc::clone(&self.0), self.1.clone());
        Box::pin(async move {
            let request = slot.take();
            match line.exchange(request, u64::MAX).await {
                Ok(reply) => {
                    slot.replace(reply);
                    Ok(Answer::default())
                }
                Err(_) => Err(Failure::new(Class::Unavailable, "lost")),
            }
        })
    }
}
