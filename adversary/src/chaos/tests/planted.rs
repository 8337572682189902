//! Real runs: a breach that is planted in one is seen, and each plays again as the script that it
//! prints as.

use std::rc::Rc;

use super::{checks, judged};
use crate::attack::Attack;
use crate::chaos::story::Story;
use crate::chaos::{Check, WORLD, play_on};
use crate::client::Answer;
use crate::driver::Hardened;
use crate::history::{Event, History};
use crate::run::parallel;
use crate::script;
use crate::stage::{Acts, Stage};

/// The history of an honest run, and when its network was well.
fn honest(seed: u64) -> (History, usize) {
    let mut stage = Stage::new(Rc::new(Hardened), Acts::Applied, WORLD);
    let told = Story::new(seed).tell(&mut stage);
    (stage.history().clone(), told.healed)
}

/// The same history with another answer to one operation.
fn planted(history: &History, at: usize, answer: Answer) -> History {
    let mut planted = History::new();
    for (place, event) in history.events().iter().enumerate() {
        planted.push(match event {
            Event::OperationEnded { operation, .. } if place == at => Event::OperationEnded {
                operation: *operation,
                outcome: Ok(answer.clone()),
            },
            event => event.clone(),
        });
    }
    planted
}

/// The answers of operations from an event on, with their places.
fn answers(history: &History, from: usize) -> Vec<(usize, Answer)> {
    let events = history.events().iter().enumerate().skip(from);
    let answers = events.filter_map(|(at, event)| match event {
        Event::OperationEnded {
            outcome: Ok(answer),
            ..
        } => Some((at, answer.clone())),
        _ => None,
    });
    answers.collect()
}

#[test]
fn breaches_that_are_planted_in_real_runs_are_seen() {
    let work = |index: usize| {
        let (history, healed) = honest(index as u64);
        assert_eq!(judged(&history, healed), [], "seed {index}");
        let mut planted_in = 0;
        for (at, answer) in answers(&history, healed) {
            let mut falls = |changed: Answer| {
                let planted = planted(&history, at, changed);
                let fallen = checks(&judged(&planted, healed));
                assert!(
                    fallen.contains(&Check::Order),
                    "seed {index}, event {at}: {fallen:?}"
                );
                planted_in += 1;
            };
            let mut changed = Vec::new();
            if let Some(content) = answer
                .content
                .as_deref()
                .filter(|content| !content.is_empty())
            {
                // Without its last part, with that part twice, and something of an earlier read.
                let cut = content.iter().rposition(|byte| *byte == b'<').unwrap_or(0);
                let (before, last) = content.split_at(cut);
                changed.push(before.to_vec());
                changed.push([content, last].concat());
                let earlier = answers(&history, 0)
                    .into_iter()
                    .take_while(|(place, _)| *place < at);
                let earlier = earlier.filter_map(|(_, answer)| answer.content);
                changed.extend(earlier.filter(|earlier| earlier != content).take(2));
                changed.push(b"<nobody>".to_vec());
            }
            for content in changed {
                let content = Some(content);
                falls(Answer {
                    content,
                    ..answer.clone()
                });
            }
            if let Some((_, rest)) = answer.names.as_deref().and_then(<[Vec<u8>]>::split_last) {
                let names = Some(rest.to_vec());
                falls(Answer {
                    names,
                    ..answer.clone()
                });
            }
        }
        planted_in
    };
    let planted: usize = parallel(8, 2, work, |_, _| ()).into_iter().sum();
    assert!(planted > 100, "{planted} breaches were planted");
}

#[test]
fn a_run_plays_again_as_a_value_and_as_its_printed_script() {
    for seed in 0..6 {
        let stage = Stage::new(Rc::new(Hardened), Acts::Applied, WORLD);
        let (stage, run) = play_on(stage, seed);
        assert_eq!(run.failings, [], "seed {seed}");
        let attack = stage.attack();
        let printed = script::print(&attack, "chaos-run", "printed.");
        let parsed = script::parse(&printed).expect("what is printed is a script");
        assert!(parsed.steps == attack.steps, "seed {seed}: other steps");
        let choices = attack.choices.clone();
        let mut again = Stage::new(Rc::new(Hardened), Acts::Applied, WORLD);
        again.play(&Attack { choices, ..parsed });
        let events = stage
            .history()
            .events()
            .iter()
            .zip(again.history().events());
        let apart = events.clone().position(|(one, other)| one != other);
        assert_eq!(
            again.history().digest(),
            stage.history().digest(),
            "seed {seed}, event {apart:?}: {:.400?}",
            apart.and_then(|at| events.clone().nth(at)),
        );
    }
}
