//! A script that acts for as long as a server serves: its handlers outlive its last line.
//!
//! Such a script holds the server's part alone. Who uploads, downloads and judges are people with
//! real clients.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rhai::{
    ASTNode, Dynamic, Engine, Expr, FnPtr, GlobalRuntimeState, NativeCallContext, Position, Scope,
    Stmt,
};

use super::budget::{Budget, Meter, Stop};
use super::call::Given;
use super::check::Script;
use super::error::{Fault, ScriptError};
use super::performer::{Performer, Progress};
use super::verbs::{self, START};
use super::world::World;
use super::{bridge, first_fault};
use crate::attack::Step;
use crate::selector::{Audience, Selector};

/// Words of the workload that lists have, too; without a user there is nothing else to call them
/// on.
const OF_LISTS: [&str; 1] = ["append"];

/// A script between two requests.
pub(crate) struct Serving {
    script: Script,
    world: Rc<World>,
    meter: Rc<Meter>,
    engine: Engine,
    global: GlobalRuntimeState,
}

impl Serving {
    /// Runs the script to its last line; its handlers stay.
    pub(crate) fn begin(
        script: Script,
        performer: Rc<RefCell<dyn Performer>>,
    ) -> Result<Self, ScriptError> {
        check(&script)?;
        let meter = Meter::new(Budget::default(), Stop::default());
        let world = World::new(performer, Rc::clone(&meter), script.sample_seed, false);
        world.served.set(true);
        let world = Rc::new(world);
        let engine = bridge::engine(&world);
        let result = engine.run_ast_with_scope(&mut Scope::new(), &script.ast);
        let fatal = world.fatal.take();
        match (result, fatal) {
            (Ok(()), None) => {}
            (Ok(()), Some(fatal)) => return Err(fatal),
            (Err(error), fatal) => return Err(first_fault(&error, fatal, &script)),
        }
        let mut global = engine.new_global_runtime_state();
        global.lib.push(script.ast.shared_lib().clone());
        Ok(Self {
            script,
            world,
            meter,
            engine,
            global,
        })
    }

    /// Performs a step, running the handlers of each message on the way.
    pub(crate) fn perform(&self, step: Step) -> Result<Progress, ScriptError> {
        self.within(|context| self.world.perform(context, step))
    }

    /// Calls a closure of the script.
    pub(crate) fn call(&self, closure: &FnPtr) -> Result<(), ScriptError> {
        // Whatever it gives back is of no use to anybody.
        let _value = self.within(|context| closure.call_within_context::<Dynamic>(context, ()))?;
        Ok(())
    }

    /// The closures that are to be called later, each with how many milliseconds later.
    pub(crate) fn take_timers(&self) -> Vec<(u64, FnPtr)> {
        self.world.timers.take()
    }

    fn within<T>(
        &self,
        run: impl FnOnce(&NativeCallContext<'_>) -> Given<T>,
    ) -> Result<T, ScriptError> {
        // What a script may spend, it may spend on each request.
        self.meter.refill();
        let context = (&self.engine, "serve", None, &self.global, Position::NONE);
        let context: NativeCallContext<'_> = context.into();
        run(&context).map_err(|error| first_fault(&error, self.world.fatal.take(), &self.script))
    }
}

/// The first call of a word that is not the server's.
fn check(script: &Script) -> Result<(), ScriptError> {
    let mut found = None;
    script.ast.walk(&mut |path| {
        let (call, at) = match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at))
                | ASTNode::Stmt(Stmt::FnCall(call, at)),
            ) => (call, *at),
            _ => return true,
        };
        if is_workload(&call.name) {
            let what = format!("`{}` is not the server's to do", call.name);
            let error = ScriptError::new(Fault::WrongUse, what).expected(
                "acts of the server alone, such as `server.on_reply(..)`: real clients do the rest",
            );
            found = Some(match at.line() {
                Some(line) => error.at(line, at.position().unwrap_or(1)),
                None => error,
            });
        }
        found.is_none()
    });
    found.map_or(Ok(()), Err)
}

fn is_workload(name: &str) -> bool {
    let base = name.strip_prefix(START).unwrap_or(name);
    let known = verbs::all().any(|verb| verb.name == base);
    let own = verbs::of_the_server().any(|verb| verb.name == base);
    known && !own && !OF_LISTS.contains(&base)
}

/// The users that the script may speak of: whatever stands in it as a selector or as a view.
pub(crate) fn users(script: &Script) -> BTreeSet<String> {
    let mut users = BTreeSet::new();
    let mut note = |audience: Audience| match audience {
        Audience::Everyone => {}
        Audience::User { user } => drop(users.insert(user)),
        Audience::Device { device } => drop(users.insert(device.user)),
    };
    script.ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::StringConstant(text, _))) = path.last() {
            note(Audience::parse(text));
            if let Some(selector) = Selector::parse(text) {
                note(selector.audience);
            }
        }
        true
    });
    users
}

#[cfg(test)]
mod tests {
    use super::super::check::prepare;
    use super::{Budget, check, users};
    use crate::script::error::Place;

    fn script(body: &str) -> super::Script {
        let text = format!("// a: a server that acts.\n{body}");
        prepare(&text, &Budget::default()).unwrap()
    }

    #[test]
    fn a_workload_is_refused_with_its_line() {
        let cases = [
            ("let alice = user(\"alice\");", 2, 13),
            (
                "\nserver.on_reply(\"read\", |m| { alice.start_upload(\"a\", \"b\") });",
                3,
                37,
            ),
            ("expect_ok(|| 1);", 2, 1),
            ("let h = server.hold(\"read\");", 2, 16),
            ("colluder(\"eve\");", 2, 1),
            ("server.impostor(\"eve\", \"bob\");", 2, 8),
        ];
        for (body, line, column) in cases {
            let error = check(&script(body)).unwrap_err();
            assert_eq!(error.place, Some(Place { line, column }), "{body}: {error}");
        }
    }

    #[test]
    fn what_a_server_does_is_its_own() {
        let body = "let past = []; past.append([1]); server.on_reply(\"alice:commit\", |m| {
            past.push(server.snapshot()); m.truncate(3); server.heal();
            server.after(10, || server.roll_back_to(past[0], \"bob/2\"));
        });";
        let script = script(body);
        assert_eq!(check(&script), Ok(()));
        let named = users(&script);
        assert!(
            named.contains("alice") && named.contains("bob"),
            "{named:?}"
        );
    }
}
