//! The straw clients fall where it is written down that they fall, and nowhere else.

use turncoat_adversary::run::{parallel, run};
use turncoat_adversary::strawman::{ALL, expected};

use super::library;

/// The seed of the command line when none is named.
const SEED: u64 = 1;

#[test]
fn every_cell_of_the_table_of_straw_clients_holds() {
    let table = expected::expected().expect("the committed table parses");
    let ids = library::ids();
    // Coprime to the number of clients, so that each has its share of every class.
    let cells = library::sampled(ids.len() * ALL.len(), 3);
    let work = |at: usize| {
        let at = cells[at];
        let id = &ids[at / ALL.len()];
        let kind = ALL[at % ALL.len()];
        let cell = (id.clone(), kind.name.to_owned());
        let report = run(&library::script(id), &library::straw(kind), SEED);
        match table.get(&cell) {
            Some(expected) if *expected == report.verdict => None,
            expected => Some(format!(
                "{id} {}: {expected:?} is written down, {:?} came: {}",
                kind.name, report.verdict, report.reason
            )),
        }
    };
    let found = parallel(cells.len(), library::jobs(), work, |_, _| ());
    let found: Vec<String> = found.into_iter().flatten().collect();
    assert!(found.is_empty(), "{}:\n{}", found.len(), found.join("\n"));
}
