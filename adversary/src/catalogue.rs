//! The table of attacks, derived from the headers of the scripts in the library.

use crate::driver::defences;
use crate::run::ScriptSubject;
use crate::script::Stop;
use crate::script::error::{Fault, ScriptError};
use crate::script::header::{self, Header};
use crate::script::known::CLASSES;
use std::fmt;

/// The files of the library: class, id, text.
static FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// One attack of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the script says about itself.
    pub header: Header,
    /// The whole text.
    pub text: &'static str,
}

/// The library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

/// A file of the library whose header is wrong, or says another thing than where the file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryError {
    /// The file, below the library.
    pub path: String,
    /// What is wrong with it.
    pub error: Box<ScriptError>,
}

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.error)
    }
}

impl std::error::Error for LibraryError {}

impl Catalogue {
    /// The library that the program was built with, by class and id.
    ///
    /// # Errors
    ///
    /// The first file with a fault.
    pub fn built_in() -> Result<Self, LibraryError> {
        Self::of(FILES)
    }

    fn of(files: &[(&str, &str, &'static str)]) -> Result<Self, LibraryError> {
        let defences = defences();
        let entries = files.iter().map(|(class, id, text)| {
            let read = entry(class, id, text, &defences);
            read.map_err(|error| LibraryError {
                path: format!("{class}/{id}.rhai"),
                error: Box::new(error),
            })
        });
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    /// All attacks, by class and id.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The attack of this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.header.id == id)
    }

    /// The attacks that a word means: an id, or a class.
    ///
    /// # Errors
    ///
    /// A word that is neither, with the nearest one.
    pub fn select(&self, word: &str) -> Result<Vec<&Entry>, ScriptError> {
        let chosen = self.entries.iter();
        let chosen = chosen.filter(|entry| entry.header.id == word || entry.header.class == word);
        let chosen: Vec<&Entry> = chosen.collect();
        if !chosen.is_empty() || CLASSES.contains(&word) {
            return Ok(chosen);
        }
        let ids = self.entries.iter().map(|entry| entry.header.id.as_str());
        let mut error = ScriptError::not_in(Fault::UnknownName, "attack", word, ids);
        let words = CLASSES.iter().copied();
        if let Some(class) = crate::script::nearest::nearest(word, words) {
            error.meant.get_or_insert_with(|| class.to_owned());
        }
        error.expected = Some("the id of a script, a class, or the path of a file".to_owned());
        Err(error)
    }

    /// A script that is given as a text, such as the content of a file. Where it has a title alone
    /// and the library knows its id, the library's header holds.
    ///
    /// # Errors
    ///
    /// The first fault in the header, the syntax or the words.
    pub fn read(&self, text: &str, stop: Stop) -> Result<ScriptSubject, ScriptError> {
        ScriptSubject::known(text, stop, |id| {
            self.find(id).map(|entry| entry.header.clone())
        })
    }

    /// The attacks that fall through without this defence, each with the others that must be off
    /// too.
    #[must_use]
    pub fn without(&self, defence: &str) -> Vec<(&Entry, Vec<&str>)> {
        let falls = self.entries.iter().filter_map(|entry| {
            let set = &entry.header.defences;
            let others = set.iter().filter(|other| *other != defence);
            let others = others.map(String::as_str).collect();
            set.iter()
                .any(|own| own == defence)
                .then_some((entry, others))
        });
        falls.collect()
    }
}

impl Entry {
    /// Parses and checks the script.
    ///
    /// # Errors
    ///
    /// The first fault in its syntax or its words.
    pub fn script(&self, stop: Stop) -> Result<ScriptSubject, ScriptError> {
        ScriptSubject::new(self.text, stop)
    }

    /// The script below its header.
    #[must_use]
    pub fn body(&self) -> &'static str {
        header::body(self.text)
    }
}

fn entry(
    class: &str,
    id: &str,
    text: &'static str,
    defences: &[&str],
) -> Result<Entry, ScriptError> {
    let header = header::read(text, defences)?;
    if header.id != id {
        let what = format!("the script calls itself `{}`", header.id);
        return Err(ScriptError::new(Fault::Header, what)
            .at(1, 4)
            .expected(format!("`{id}`, the name of its file")));
    }
    if header.class != class {
        let what = format!("the script says that it is of class `{}`", header.class);
        return Err(
            ScriptError::new(Fault::Header, what).expected(format!("`{class}`, its folder"))
        );
    }
    Ok(Entry { header, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "// head-rollback: an older head.\n// class: freshness\n// guarantee: G3\n\
        // source: own\n// defences: head-rollback\n// verdict: caught\n\
        let alice = user(\"alice\");\n";

    #[test]
    fn every_script_of_the_library_has_its_header_and_says_known_words() {
        let catalogue = Catalogue::built_in().unwrap_or_else(|error| panic!("{error}"));
        let faults: Vec<String> = catalogue
            .entries()
            .iter()
            .filter_map(|entry| {
                let error = entry.script(Stop::default()).err()?;
                Some(format!("{}: {error}", entry.header.id))
            })
            .collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        for (at, entry) in catalogue.entries().iter().enumerate() {
            let first = catalogue.find(&entry.header.id);
            assert_eq!(first, Some(entry), "{at}: an id twice");
        }
    }

    #[test]
    fn file_that_stands_elsewhere_than_it_says_is_named() {
        let error = |class, id| Catalogue::of(&[(class, id, GOOD)]).unwrap_err().to_string();
        assert!(Catalogue::of(&[("freshness", "head-rollback", GOOD)]).is_ok());
        let renamed = error("freshness", "head-fork");
        assert!(
            renamed.starts_with("freshness/head-fork.rhai: line 1"),
            "{renamed}"
        );
        let moved = error("object", "head-rollback");
        assert!(moved.contains("`object`, its folder"), "{moved}");
    }

    #[test]
    fn ids_and_classes_select_and_other_words_name_the_nearest() {
        let catalogue = Catalogue::of(&[("freshness", "head-rollback", GOOD)]).unwrap();
        let ids = |word| {
            let found = catalogue.select(word).unwrap();
            found
                .iter()
                .map(|entry| entry.header.id.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids("head-rollback"), ["head-rollback"]);
        assert_eq!(ids("freshness"), ["head-rollback"]);
        assert!(ids("aead").is_empty());
        let meant = |word| catalogue.select(word).unwrap_err().meant;
        assert_eq!(meant("head-rolback").as_deref(), Some("head-rollback"));
        assert_eq!(meant("freshnes").as_deref(), Some("freshness"));
    }

    #[test]
    fn bare_script_takes_the_header_of_its_id() {
        let catalogue = Catalogue::of(&[("freshness", "head-rollback", GOOD)]).unwrap();
        let bare = catalogue
            .read("// head-rollback: the same, in short.\n", Stop::default())
            .unwrap();
        assert_eq!(bare.header.as_ref(), Some(&catalogue.entries()[0].header));
        let own = catalogue
            .read("// mine: something else.\n", Stop::default())
            .unwrap();
        assert_eq!(own.header, None);
    }

    #[test]
    fn what_falls_without_a_defence_is_listed_with_its_partners() {
        let both = GOOD.replace(
            "defences: head-rollback",
            "defences: head-fork, head-rollback",
        );
        let both: &'static str = both.leak();
        let catalogue = Catalogue::of(&[("freshness", "head-rollback", both)]).unwrap();
        let falls = catalogue.without("head-fork");
        assert_eq!(falls.len(), 1);
        assert_eq!(falls[0].1, ["head-rollback"]);
        assert!(catalogue.without("leaf-hash").is_empty());
    }

    #[test]
    fn script_for_a_new_attack_is_whole() {
        let text = include_str!("../../cli/src/new_attack.rhai").replace("ID", "my-attack");
        let catalogue = Catalogue::of(&[]).unwrap();
        let scripted = catalogue.read(&text, Stop::default()).unwrap();
        assert_eq!(
            scripted.header.as_ref().map(|header| header.id.as_str()),
            Some("my-attack")
        );
    }
}
