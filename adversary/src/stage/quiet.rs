//! Panics of clients are results of a run, and not news for whoever looks at the terminal.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static IN_CLIENT: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of a client under test. A panic comes back as a value, and nothing is printed of it.
pub(super) fn caught<T>(client: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let outer = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IN_CLIENT.get() {
                outer(panic);
            }
        }));
    });
    let before = IN_CLIENT.replace(true);
    // What a client leaves behind when it panics is dropped and never looked at again.
    let result = catch_unwind(AssertUnwindSafe(client));
    IN_CLIENT.set(before);
    result
}
