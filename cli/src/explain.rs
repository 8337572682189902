//! `turncoat explain ID`: an attack, a defence, a guarantee or a verdict, and what hangs together.

use std::io::{self, Write};

use turncoat_reports::{Guarantee, Verdict};

use crate::engine::{self, Defence, Entry, did_you_mean};
use crate::quote::program;
use crate::status::{Fault, Status};
use crate::terminal::{Painter, safe};

/// Explains whatever has this name. A name of two things is explained as both.
///
/// # Errors
///
/// Nothing has this name, or the text cannot be written.
pub(crate) fn explain(id: &str, output: &mut dyn Write) -> Result<Status, Fault> {
    let (library, defences) = (engine::library()?, engine::defences());
    let page = Page {
        library: &library,
        defences: &defences,
        painter: Painter::of_output(),
        output,
    };
    page.explain(id)
}

struct Page<'a> {
    library: &'a [Entry],
    defences: &'a [Defence],
    painter: Painter,
    output: &'a mut dyn Write,
}

impl Page<'_> {
    fn explain(mut self, id: &str) -> Result<Status, Fault> {
        let found = self.all(id).map_err(|error| Fault::output(&error))?;
        if found {
            return Ok(Status::Fine);
        }
        let attacks = self.library.iter().map(|entry| entry.id.as_str());
        let defences = self.defences.iter().map(|defence| defence.name.as_str());
        let mut names: Vec<&str> = attacks.chain(defences).collect();
        for guarantee in Guarantee::all() {
            names.push(guarantee.name());
        }
        for verdict in Verdict::WORST_FIRST {
            names.push(verdict.word());
        }
        Err(Fault::usage(format!(
            "no attack, defence, guarantee or verdict has the name '{id}'{}\nGuarantees are G1 to \
             G15; attacks are the files in adversary/scripts.",
            did_you_mean(id, &names)
        )))
    }

    /// Everything of this name; whether there was anything.
    fn all(&mut self, id: &str) -> io::Result<bool> {
        let library = self.library;
        let attack = library.iter().find(|entry| entry.id == id);
        let defence = self.defences.iter().find(|defence| defence.name == id);
        let guarantee = Guarantee::all()
            .find(|one| one.name() == id || one.to_string().eq_ignore_ascii_case(id));
        let verdict = Verdict::WORST_FIRST
            .into_iter()
            .find(|one| one.word() == id);
        if let Some(entry) = attack {
            self.attack(entry)?;
        }
        if let Some(defence) = defence {
            if attack.is_some() {
                writeln!(self.output)?;
            }
            self.defence(defence)?;
        }
        if let Some(guarantee) = guarantee {
            self.guarantee(guarantee)?;
        }
        if let Some(verdict) = verdict {
            self.verdict(verdict)?;
        }
        Ok(attack.is_some() || defence.is_some() || guarantee.is_some() || verdict.is_some())
    }

    fn heading(&mut self, kind: &str, name: &str) -> io::Result<()> {
        let heading = self.painter.heading(&safe(name));
        writeln!(self.output, "{heading} ({kind})")
    }

    fn line(&mut self, name: &str, text: &str) -> io::Result<()> {
        writeln!(self.output, "  {name:<11} {}", safe(text))
    }

    /// Scripts, one on each line, the name of the list before the first.
    fn scripts(&mut self, name: &str, wanted: impl Fn(&Entry) -> bool) -> io::Result<()> {
        let mut name = name;
        for entry in self.library.iter().filter(|entry| wanted(entry)) {
            self.line(name, &format!("{}: {}", entry.id, entry.summary))?;
            name = "";
        }
        if !name.is_empty() {
            self.line(name, "none in the library")?;
        }
        Ok(())
    }

    fn attack(&mut self, entry: &Entry) -> io::Result<()> {
        self.heading("attack", &entry.id)?;
        self.line("attack", &entry.summary)?;
        self.line("class", &entry.class)?;
        for guarantee in &entry.guarantees {
            self.line("guarantee", &format!("{guarantee} {}", guarantee.name()))?;
        }
        self.line("source", &entry.source)?;
        let (verdict, meaning) = (entry.verdict, entry.verdict.meaning());
        self.line("verdict", &format!("{verdict}: {meaning}"))?;
        if entry.defences.is_empty() {
            self.line("defence", "none: this is not a matter of one defence")?;
        }
        let defences = self.defences;
        for name in &entry.defences {
            let sentence = defences
                .iter()
                .find(|defence| defence.name == *name)
                .map_or("", |defence| defence.sentence.as_str());
            self.line("defence", &format!("{name}: {sentence}"))?;
        }
        match entry.defences.as_slice() {
            [] => {}
            [_] => self.line("without it", "this attack succeeds")?,
            _ => self.line("without all", "this attack succeeds; each alone stops it")?,
        }
        let command = format!("{} attack {}", program(), entry.id);
        self.line("run", &command)?;
        self.line("watch", &format!("{command} --timeline"))?;
        writeln!(self.output)?;
        for text in entry.text.lines() {
            writeln!(self.output, "    {}", safe(text))?;
        }
        Ok(())
    }

    fn defence(&mut self, defence: &Defence) -> io::Result<()> {
        self.heading("defence", &defence.name)?;
        self.line("decides", &defence.sentence)?;
        if let Some(guarantee) = defence.guarantee {
            self.line("guarantee", &format!("{guarantee} {}", guarantee.name()))?;
        }
        if let Some(partner) = &defence.partner {
            self.line("depth", &format!("{partner} stands where this is left out"))?;
        }
        self.line("source", "core/src/defence.rs, core/src/manual/attacks.md")?;
        let name = &defence.name;
        self.scripts("without it", |entry| entry.defences == [name.as_str()])?;
        let shared = |entry: &Entry| entry.defences.len() > 1 && entry.defences.contains(name);
        if self.library.iter().any(shared) {
            self.scripts("with others", shared)?;
        }
        let command = format!("{} attack --client weakened:{name}", program());
        self.line("run", &command)
    }

    fn guarantee(&mut self, guarantee: Guarantee) -> io::Result<()> {
        self.heading("guarantee", &format!("{guarantee} {}", guarantee.name()))?;
        self.line("promise", guarantee.meaning())?;
        self.line("source", "core/src/manual/threat_model.md")?;
        let defences = self.defences.iter();
        let defences = defences.filter(|defence| defence.guarantee == Some(guarantee));
        for defence in defences.collect::<Vec<_>>() {
            self.line(
                "without",
                &format!("{}: {}", defence.name, defence.sentence),
            )?;
        }
        self.scripts("attacked by", |entry| entry.guarantees.contains(&guarantee))
    }

    fn verdict(&mut self, verdict: Verdict) -> io::Result<()> {
        self.heading("verdict", verdict.word())?;
        self.line("means", verdict.meaning())?;
        let ends = match verdict {
            Verdict::Broken => "1, for any client",
            Verdict::Unknown => "3, for any client",
            Verdict::Inert => "3, for our client",
            _ => "1, for our client, where its script expects another; 0 for others",
        };
        self.line("exit status", ends)?;
        self.line("source", "README.md, adversary/src/verdict.rs")?;
        self.scripts("expected by", |entry| entry.verdict == verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::tests::library;

    fn explained(id: &str) -> Result<String, Fault> {
        let (library, mut bytes) = (library(), Vec::new());
        let defence = |name: &str, partner: Option<&str>| Defence {
            name: name.to_owned(),
            guarantee: Guarantee::numbered(3),
            partner: partner.map(str::to_owned),
            sentence: format!("what {name} decides."),
        };
        let defences = [
            defence("head-rollback", None),
            defence("leaf-hash", Some("leaf-seal")),
            defence("idle", None),
        ];
        let page = Page {
            library: &library,
            defences: &defences,
            painter: Painter::plain(),
            output: &mut bytes,
        };
        page.explain(id)?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    fn holds(id: &str, parts: &[&str]) {
        let text = explained(id).unwrap();
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn an_attack_is_explained_with_its_defence_source_and_script() {
        holds(
            "leaf-swap",
            &[
                "leaf-swap (attack)",
                "an older signed head is served",
                "G3 freshness",
                "a paper",
                "caught: the client named the violation",
                "leaf-hash: what leaf-hash decides.",
                "without it  this attack succeeds",
                " attack leaf-swap --timeline",
                "    let alice = user(\"alice\");",
            ],
        );
    }

    #[test]
    fn a_set_of_defences_is_not_said_to_fall_one_by_one() {
        let text = explained("head-fork").unwrap();
        assert!(!text.contains("without it"), "{text}");
        assert!(text.contains("without all"), "{text}");
    }

    #[test]
    fn a_defence_is_explained_with_all_that_falls_without_it() {
        holds(
            "leaf-hash",
            &[
                "leaf-hash (defence)",
                "leaf-seal stands where this is left out",
                "without it  leaf-swap: ",
                "--client weakened:leaf-hash",
            ],
        );
        holds("idle", &["without it  none in the library"]);
    }

    #[test]
    fn a_name_of_two_things_is_explained_as_both() {
        holds(
            "head-rollback",
            &[
                "head-rollback (attack)",
                "head-rollback (defence)",
                "with others head-fork: ",
            ],
        );
    }

    #[test]
    fn guarantees_and_verdicts_are_explained_with_their_scripts() {
        for id in ["G3", "g3", "freshness"] {
            holds(
                id,
                &[
                    "G3 freshness (guarantee)",
                    "attacked by head-rollback: ",
                    "without     idle: ",
                ],
            );
        }
        holds(
            "caught",
            &["caught (verdict)", "expected by head-rollback: "],
        );
        holds(
            "broken",
            &["1, for any client", "expected by none in the library"],
        );
    }

    #[test]
    fn an_unknown_name_is_a_usage_fault_with_the_nearest() {
        let fault = explained("head-frok").unwrap_err();
        assert_eq!(fault.status, Status::Usage);
        assert!(fault.shown().contains("did you mean 'head-fork'?"));
        assert!(
            explained("cuaght")
                .unwrap_err()
                .shown()
                .contains("'caught'")
        );
    }
}
