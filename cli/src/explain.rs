//! `turncoat explain NAME`: whatever has a name, from attacks to words, and what hangs together.

use std::io::{self, Write};

use turncoat_reports::{Guarantee, Verdict};

use crate::engine::{self, Defence, Entry, Word, did_you_mean};
use crate::quote::program;
use crate::status::{Fault, Status};
use crate::terminal::{Painter, safe};

/// Explains whatever has this name, and lists all names where there is none. A name of several
/// things is explained as each.
///
/// # Errors
///
/// Nothing has this name, or the text cannot be written.
pub(crate) fn explain(id: Option<&str>, output: &mut dyn Write) -> Result<Status, Fault> {
    let (library, defences) = (engine::library()?, engine::defences());
    let page = Page {
        library: &library,
        defences: &defences,
        words: &engine::words(),
        painter: Painter::of_output(),
        output,
    };
    match id {
        Some(id) => page.explain(id),
        None => page.index().map_err(|error| Fault::output(&error)),
    }
}

struct Page<'a> {
    library: &'a [Entry],
    defences: &'a [Defence],
    words: &'a [Word],
    painter: Painter,
    output: &'a mut dyn Write,
}

impl<'a> Page<'a> {
    fn explain(mut self, id: &str) -> Result<Status, Fault> {
        let found = self.all(id).map_err(|error| Fault::output(&error))?;
        if found > 0 {
            return Ok(Status::Fine);
        }
        let names: Vec<&str> = self
            .names()
            .into_iter()
            .flat_map(|(_, names)| names)
            .collect();
        Err(Fault::usage(format!(
            "nothing has the name '{id}'{}\nWhat has a name is listed by: {} explain",
            did_you_mean(id, &names),
            program()
        )))
    }

    /// Everything that has a name, by kind.
    fn names(&self) -> [(&'static str, Vec<&'a str>); 7] {
        let mut classes: Vec<&'a str> = Vec::new();
        for entry in self.library {
            if !classes.contains(&entry.class.as_str()) {
                classes.push(&entry.class);
            }
        }
        let attacks = self.library.iter().map(|entry| entry.id.as_str());
        let defences = self.defences.iter().map(|defence| defence.name.as_str());
        let verdicts = Verdict::WORST_FIRST
            .into_iter()
            .map(|verdict| verdict.word());
        [
            ("words", self.words.iter().map(|word| word.name).collect()),
            ("classes", classes),
            ("attacks", attacks.collect()),
            ("defences", defences.collect()),
            (
                "guarantees",
                Guarantee::all().map(|one| one.name()).collect(),
            ),
            ("violations", engine::violations().to_vec()),
            ("verdicts", verdicts.collect()),
        ]
    }

    fn index(self) -> io::Result<Status> {
        const WIDTH: usize = 78;
        let clients = engine::straw_clients().chain(["core", "weakened:DEFENCE,...", "exec:CMD"]);
        let mut sections = Vec::from(self.names());
        sections.push(("clients", clients.collect()));
        for (kind, names) in sections {
            let heading = self.painter.heading(kind);
            writeln!(self.output, "{heading} ({})", names.len())?;
            let mut line = String::new();
            for name in names {
                if line.len() + name.len() > WIDTH {
                    writeln!(self.output, "{line}")?;
                    line.clear();
                }
                line.push_str("  ");
                line.push_str(name);
            }
            writeln!(self.output, "{line}")?;
        }
        writeln!(self.output, "\n{} explain NAME tells of each.", program())?;
        Ok(Status::Fine)
    }

    /// Everything of this name; how much that was.
    fn all(&mut self, id: &str) -> io::Result<usize> {
        let mut found = 0;
        let (library, words) = (self.library, self.words);
        if let Some(entry) = library.iter().find(|entry| entry.id == id) {
            self.next(&mut found)?;
            self.attack(entry)?;
        }
        if library.iter().any(|entry| entry.class == id) {
            self.next(&mut found)?;
            self.class(id)?;
        }
        if let Some(defence) = self.defences.iter().find(|defence| defence.name == id) {
            self.next(&mut found)?;
            self.defence(defence)?;
        }
        let guarantee = Guarantee::all()
            .find(|one| one.name() == id || one.to_string().eq_ignore_ascii_case(id));
        if let Some(guarantee) = guarantee {
            self.next(&mut found)?;
            self.guarantee(guarantee)?;
        }
        if engine::violations().contains(&id) {
            self.next(&mut found)?;
            self.violation(id)?;
        }
        let mut verdicts = Verdict::WORST_FIRST.into_iter();
        if let Some(verdict) = verdicts.find(|one| one.word() == id) {
            self.next(&mut found)?;
            self.verdict(verdict)?;
        }
        for word in words.iter().filter(|word| word.name == id) {
            self.next(&mut found)?;
            self.word(word)?;
        }
        Ok(found)
    }

    /// Parts one explanation from the one before.
    fn next(&mut self, found: &mut usize) -> io::Result<()> {
        if *found > 0 {
            writeln!(self.output)?;
        }
        *found += 1;
        Ok(())
    }

    fn class(&mut self, class: &str) -> io::Result<()> {
        self.heading("class of attacks", class)?;
        self.line("run", &format!("{} attack {class}", program()))?;
        self.scripts("scripts", |entry| entry.class == class)
    }

    fn violation(&mut self, violation: &str) -> io::Result<()> {
        self.heading("violation", violation)?;
        self.line("means", "what a client reports that has caught its server")?;
        self.line("source", "core/src/error.rs")?;
        let expected = format!("expect_violation(\"{violation}\"");
        self.scripts("expected by", |entry| entry.text.contains(&expected))
    }

    fn word(&mut self, word: &Word) -> io::Result<()> {
        self.heading("word of the attack language", word.name)?;
        self.line("written", word.usage)?;
        self.line("does", word.says)?;
        if word.starts {
            let starts = format!("start_{} starts it; finish(op) waits for it", word.name);
            self.line("at once", &starts)?;
        }
        let uses = |entry: &&Entry| {
            let mut parts = entry.text.split(word.name).skip(1);
            parts.any(|rest| rest.starts_with('('))
        };
        let examples: Vec<&Entry> = self.library.iter().filter(uses).take(3).collect();
        self.scripts("such as", |entry| {
            examples.iter().any(|one| one.id == entry.id)
        })
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
        if matches!(guarantee.number(), 9 | 14) {
            self.line("to come", guarantee.meaning())?;
            self.line("", "nothing keeps or checks this yet")?;
        } else {
            self.line("promise", guarantee.meaning())?;
        }
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
        let words = [Word {
            name: "user",
            usage: "user(name)",
            says: "a user who signs up.",
            starts: false,
        }];
        let page = Page {
            library: &library,
            defences: &defences,
            words: &words,
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
    fn classes_violations_and_words_are_explained_with_their_scripts() {
        holds("binding", &["binding (class of attacks)", "leaf-swap: "]);
        holds("rollback", &["rollback (violation)", "none in the library"]);
        holds(
            "user",
            &[
                "user(name)",
                "a user who signs up.",
                "such as     head-rollback: ",
            ],
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
