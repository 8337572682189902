//! A few hundred runs over a bad network: no alarm, no lost write, and some serial order for each.

use std::rc::Rc;

use turncoat_adversary::chaos::{Run, Tally, play};
use turncoat_adversary::driver::Hardened;
use turncoat_adversary::run::parallel;

/// Ten thousand are `cargo run --release -- chaos --runs 10000`.
const RUNS: usize = 200;

fn runs(from: u64, count: usize, jobs: usize) -> Vec<Run> {
    let work = |index: usize| play(Rc::new(Hardened), from + index as u64);
    parallel(count, jobs, work, |_, _| ())
}

#[test]
fn g15_runs_over_a_bad_network_raise_no_alarm_lose_no_write_and_have_an_order() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut tally = Tally::default();
    for run in runs(1, RUNS, cores) {
        assert_eq!(
            run.failings,
            [],
            "turncoat chaos --seed {} --runs 1",
            run.seed
        );
        tally.add(&run.tally);
    }
    // What never happens is not tested.
    for operation in [
        "append",
        "delete",
        "download",
        "list",
        "login",
        "receive",
        "revoke",
        "share",
        "sign_up",
        "upload",
        "upload_many",
    ] {
        let times = tally.operations.get(operation).copied().unwrap_or_default();
        assert!(times > 20, "{operation}: {times} times\n{tally:#?}");
    }
    for trouble in [
        "5xx after it acted",
        "5xx before it acted",
        "connections reset",
        "delayed",
        "replies lost",
        "replies reframed",
        "requests doubled",
        "requests late",
        "requests lost",
    ] {
        let times = tally.troubles.get(trouble).copied().unwrap_or_default();
        assert!(times > 20, "{trouble}: {times} times\n{tally:#?}");
    }
    for turn in [
        "crashes",
        "crashes in a race",
        "races",
        "replies overtaken",
        "requests overtaken",
        "waits",
    ] {
        let times = tally.turns.get(turn).copied().unwrap_or_default();
        assert!(times > 20, "{turn}: {times} times\n{tally:#?}");
    }
    let operations: u64 = tally.operations.values().sum();
    assert!(
        tally.failed * 20 > operations,
        "hardly anything fails: {tally:#?}"
    );
    assert!(
        tally.failed * 2 < operations,
        "hardly anything works: {tally:#?}"
    );
}

#[test]
fn what_comes_of_a_seed_depends_on_nothing_else() {
    let alone: Vec<_> = runs(70, 6, 1).into_iter().map(|run| run.tally).collect();
    let together: Vec<_> = runs(70, 6, 3).into_iter().map(|run| run.tally).collect();
    assert_eq!(alone, together);
    assert!(alone.windows(2).all(|two| two[0] != two[1]));
}
