//! The straw clients as clients under test: any of them, on the key-value front.

use std::rc::Rc;

use turncoat_core::Limits;
use turncoat_core::remote::Lost;

use super::{Accepted, Client, Declaration, Front, Line, OwnedFuture, Process, Setting};
use crate::client::{Operation, Outcome};
use crate::front::kv::{Door, LocalFuture, Memory, Store};
use crate::strawman::{Device, Environment, Kind, Person, Policy};

/// A straw client under test.
pub struct Straw(pub &'static Kind);

impl Client for Straw {
    fn name(&self) -> String {
        self.0.name.to_owned()
    }

    fn declaration(&self) -> Declaration {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Declaration {
            front: Front::KeyValue,
            operations: owned(self.0.operations),
            claims: owned(self.0.claims),
            conditional: self.0.conditional,
            deterministic: true,
        }
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        (self.0.accepted)(durable)
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        let device = (self.0.start)(Environment {
            person: Person {
                user: setting.account,
                password: setting.password,
                identity: setting.identity.clone(),
            },
            store: Store::new(Rc::new(setting.line.clone())),
            memory: Rc::new(setting.line),
            entropy: Box::new(setting.entropy),
            policy: Policy::RUNS,
        });
        Ok(Box::new(Running(device)))
    }
}

struct Running(Rc<dyn Device>);

impl Process for Running {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let device = Rc::clone(&self.0);
        Box::pin(async move { device.perform(operation).await })
    }
}

impl Door for Line {
    fn exchange(&self, request: Vec<u8>) -> LocalFuture<'_, Result<Vec<u8>, Lost>> {
        // A client of this front has no limits of its own; the line has.
        Box::pin(Self::exchange(
            self,
            request,
            Limits::standard().reply_size_max,
        ))
    }
}

impl Memory for Line {
    fn load(&self) -> LocalFuture<'_, Option<Vec<u8>>> {
        Box::pin(Self::load(self))
    }

    fn save(&self, bytes: Vec<u8>) -> LocalFuture<'_, bool> {
        Box::pin(async move {
            Self::save(self, bytes).await;
            true
        })
    }
}
