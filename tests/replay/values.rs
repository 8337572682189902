//! Every run of the library is recorded as a value: it encodes, prints, and plays the same run.

use std::rc::Rc;

use turncoat_adversary::attack::Attack;
use turncoat_adversary::driver::Hardened;
use turncoat_adversary::run::{Run, once, parallel};
use turncoat_adversary::script;
use turncoat_adversary::stage::{Acts, Stage};

use super::library;

const SEED: u64 = 7;

/// What differs, if anything, when the value of a run is played.
fn played(run: &Run, attack: &Attack) -> Option<String> {
    let mut stage = Stage::new(Rc::new(Hardened), run.acts, SEED);
    stage.play(attack);
    if stage.history().encode() == run.history.encode() {
        return None;
    }
    let (first, again) = (run.history.events(), stage.history().events());
    let at = first
        .iter()
        .zip(again)
        .take_while(|(one, other)| one == other);
    let at = at.count();
    Some(format!(
        "{} and {} events, apart at {at}: {:.300} / {:.300}",
        first.len(),
        again.len(),
        format!("{:?}", first.get(at)),
        format!("{:?}", again.get(at))
    ))
}

/// What is wrong with the value of one run. What its printed script says is what is played, and it
/// says the same steps.
fn faults(id: &str, acts: Acts) -> Vec<String> {
    let run = once(&library::script(id), &library::ours(), acts, SEED);
    let attack = &run.attack;
    let mut faults = Vec::new();
    let bytes = attack.encode();
    match Attack::decode(&bytes) {
        Ok(decoded) if decoded == *attack && decoded.encode() == bytes => {}
        decoded => faults.push(format!("decoded as {decoded:.300?}")),
    }
    match script::parse(&script::print(attack, id, "printed.")) {
        Ok(parsed) if parsed.steps == attack.steps => {
            let choices = attack.choices.clone();
            let parsed = Attack { choices, ..parsed };
            faults.extend(played(&run, &parsed));
        }
        Ok(_) => faults.push("the printed script says other steps".to_owned()),
        Err(error) => faults.push(format!("the printed script: {error}")),
    }
    let named = faults.into_iter();
    named
        .map(|fault| format!("{id} {acts:?}: {fault}"))
        .collect()
}

fn every_run(acts: Acts) {
    let ids = library::ids();
    assert!(ids.len() >= 100, "the library is not found");
    let chosen = library::sampled(ids.len(), 4);
    let work = |at: usize| faults(&ids[chosen[at]], acts);
    let found = parallel(chosen.len(), library::jobs(), work, |_, _| ());
    let found: Vec<String> = found.into_iter().flatten().collect();
    assert!(found.is_empty(), "{}:\n{}", found.len(), found.join("\n"));
}

#[test]
fn attacked_runs_play_again_as_a_value_and_as_its_printed_script() {
    every_run(Acts::Applied);
}

#[test]
fn honest_runs_play_again_as_a_value_and_as_its_printed_script() {
    every_run(Acts::Evaluated);
}

/// The runner spares itself the second run of such a script.
#[test]
fn where_there_is_nothing_to_apply_the_attacked_run_is_the_honest_one() {
    let ids = library::ids();
    let alike = |at: usize| {
        let play = |acts| once(&library::script(&ids[at]), &library::ours(), acts, SEED);
        let honest = play(Acts::Evaluated);
        honest.has_nothing_to_apply().then(|| {
            let attacked = play(Acts::Applied);
            assert_eq!(
                honest.history.encode(),
                attacked.history.encode(),
                "{}",
                ids[at]
            );
            assert_eq!(honest.attack, attacked.attack, "{}", ids[at]);
            let verdicts = |run: &Run| {
                let judgements = run.judgements.iter();
                let said = judgements.map(|one| (one.verdict, one.instead.clone()));
                said.collect::<Vec<_>>()
            };
            // Without what the decryptor adds, of which an honest run is not asked.
            assert_eq!(verdicts(&honest), verdicts(&attacked), "{}", ids[at]);
        })
    };
    let chosen: Vec<usize> = (0..ids.len())
        .filter(|at| ids[*at].starts_with("honest-"))
        .collect();
    let work = |at: usize| alike(chosen[at]);
    let found = parallel(chosen.len(), library::jobs(), work, |_, _| ());
    assert!(found.into_iter().flatten().count() >= 5);
}
