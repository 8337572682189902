//! G15: an honest server behind a bad network never causes a `Violation`.

use super::seen::Case;
use super::{Facts, Judgement, cite};
use crate::history::Event;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    let dishonest = if facts.honest {
        usize::MAX
    } else {
        first_lie(case)
    };
    for (at, op) in case.truth.ops.iter().enumerate() {
        if op.caught() && op.ended < dishonest {
            let what = op.failure().map(ToString::to_string).unwrap_or_default();
            judgement.breach(
                Guarantee::G15,
                Some(op.id),
                format!("{} says {what}, and the server was honest", cite(case, at)),
            );
        }
    }
}

/// When the server first did anything that an honest one behind a bad network does not: it showed
/// other bytes than the honest ones, or an act took effect.
///
/// A lost reply, a late one, a doubled or refused request, and an answer to one that never came
/// through are the network's.
fn first_lie(case: &Case<'_>) -> usize {
    let lies = |event: &Event| match event {
        Event::Reply {
            honest,
            shown: Some(shown),
            ..
        } => honest.as_ref() != Some(shown),
        Event::Act { applied, .. } => *applied,
        _ => false,
    };
    case.history
        .events()
        .iter()
        .position(lies)
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use crate::client::Class;
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::G15;

    fn shown(honest: Option<&[u8]>, shown: Option<&[u8]>, class: Class) -> Scene {
        let mut scene = Scene::new();
        let op = scene.start_download("alice", "n");
        scene.message(op, "read", b"?", honest, shown);
        scene.fail_with(op, class, "cut-off");
        scene
    }

    #[test]
    fn an_alarm_over_honest_bytes_is_a_breach() {
        shown(Some(b"yes"), Some(b"yes"), Class::Violation).breaks(&[G15]);
    }

    #[test]
    fn an_alarm_over_a_lost_reply_is_a_breach() {
        shown(Some(b"yes"), None, Class::Violation).breaks(&[G15]);
        shown(None, None, Class::Violation).breaks(&[G15]);
    }

    #[test]
    fn an_alarm_before_the_first_lie_is_a_breach() {
        let mut scene = shown(Some(b"yes"), Some(b"yes"), Class::Violation);
        scene.act("server.flip(obj)", true);
        scene.breaks(&[G15]);
    }

    #[test]
    fn an_alarm_over_other_bytes_is_right() {
        shown(Some(b"yes"), Some(b"no"), Class::Violation).passes();
        shown(None, Some(b"no"), Class::Violation).passes();
    }

    #[test]
    fn an_alarm_after_an_act_is_right_and_after_one_that_was_not_applied_is_not() {
        for applied in [true, false] {
            let mut scene = Scene::new();
            scene.act("server.roll_back_to(before)", applied);
            let op = scene.start_download("alice", "n");
            scene.message(op, "read", b"?", Some(b"old"), Some(b"old"));
            scene.fail_with(op, Class::Violation, "rollback");
            if applied {
                scene.passes();
            } else {
                scene.breaks(&[G15]);
            }
        }
    }

    #[test]
    fn an_alarm_after_the_network_disturbed_a_message_is_a_breach() {
        let mut scene = Scene::new();
        scene.disturbed("drop()");
        let op = scene.start_download("alice", "n");
        scene.message(op, "read", b"?", Some(b"yes"), None);
        scene.fail_with(op, Class::Violation, "fork");
        scene.breaks(&[G15]);
    }

    #[test]
    fn a_server_that_is_known_to_be_honest_excuses_no_alarm() {
        let mut scene = Scene::new();
        scene.facts.honest = true;
        scene.act("server.roll_back_to(before)", true);
        let op = scene.start_download("alice", "n");
        scene.message(op, "read", b"?", Some(b"yes"), Some(b"no"));
        scene.fail_with(op, Class::Violation, "rollback");
        scene.breaks(&[G15]);
    }

    #[test]
    fn unavailable_is_what_a_bad_network_is() {
        shown(Some(b"yes"), None, Class::Unavailable).passes();
        shown(Some(b"yes"), Some(b"yes"), Class::Usage).passes();
    }
}
