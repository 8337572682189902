//! `turncoat explain ID`: the attack, what answers it, and what falls without that.

use std::io::{self, Write};

use crate::engine::{self, Entry};
use crate::selection::find;
use crate::status::{Fault, Status};
use crate::terminal::{Painter, safe};

/// Explains one attack.
///
/// # Errors
///
/// There is no such attack, or the text cannot be written.
pub(crate) fn explain(id: &str, output: &mut dyn Write) -> Result<Status, Fault> {
    let library = engine::library()?;
    let entry = find(id, &library)?;
    print(entry, &library, Painter::of_output(), output).map_err(|error| Fault::output(&error))?;
    Ok(Status::Fine)
}

fn print(
    entry: &Entry,
    library: &[Entry],
    painter: Painter,
    output: &mut dyn Write,
) -> io::Result<()> {
    writeln!(output, "{}", painter.heading(&safe(&entry.id)))?;
    let mut line = |name: &str, text: &str| writeln!(output, "  {name:<10} {}", safe(text));
    line("attack", &entry.summary)?;
    line("class", &entry.class)?;
    for guarantee in &entry.guarantees {
        line("guarantee", &format!("{guarantee} {}", guarantee.name()))?;
    }
    line("source", &entry.source)?;
    line(
        "verdict",
        &format!("{}: {}", entry.verdict, entry.verdict.meaning()),
    )?;
    if entry.defences.is_empty() {
        line("defence", "none: this is not a matter of one defence")?;
    }
    for defence in &entry.defences {
        line("defence", defence)?;
        let others = library
            .iter()
            .filter(|other| other.id != entry.id && other.defences.contains(defence))
            .map(|other| match other.defences.len() {
                1 => other.id.clone(),
                _ => format!("{} (with {})", other.id, partners(other, defence)),
            });
        let fallen: Vec<_> = std::iter::once(entry.id.clone()).chain(others).collect();
        let together = if entry.defences.len() > 1 {
            "takes part in"
        } else {
            "without it"
        };
        line(together, &fallen.join(", "))?;
    }
    let command = format!("turncoat attack {}", entry.id);
    line("run", &command)?;
    line("watch", &format!("{command} --timeline"))?;
    writeln!(output)?;
    for text in entry.text.lines() {
        writeln!(output, "    {}", safe(text))?;
    }
    Ok(())
}

/// The other defences that must be off too.
fn partners(entry: &Entry, defence: &str) -> String {
    let others: Vec<_> = entry
        .defences
        .iter()
        .filter(|other| *other != defence)
        .map(String::as_str)
        .collect();
    others.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::tests::library;

    fn printed(id: &str) -> String {
        let library = library();
        let mut bytes = Vec::new();
        let entry = find(id, &library).unwrap();
        print(entry, &library, Painter::plain(), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_attack_is_explained_with_all_that_falls_without_its_defence() {
        let text = printed("head-rollback");
        for part in [
            "an older signed head is served",
            "G3 freshness",
            "a paper",
            "caught: the client named the violation",
            "without it head-rollback, head-fork (with head-fork)",
            "turncoat attack head-rollback --timeline",
            "    let alice = user(\"alice\");",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("leaf-swap"), "{text}");
    }

    #[test]
    fn a_set_of_defences_is_not_said_to_fall_one_by_one() {
        let text = printed("head-fork");
        assert!(!text.contains("without it"), "{text}");
        assert!(text.contains("takes part in"), "{text}");
    }

    #[test]
    fn an_unknown_attack_is_a_usage_fault() {
        assert_eq!(
            find("head-frok", &library()).unwrap_err().status,
            Status::Usage
        );
    }
}
