//! From the words on the command line to the scripts that are meant.

use std::path::PathBuf;

use crate::engine::{Entry, did_you_mean};
use crate::status::Fault;

/// One script to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    /// One of the library, by its id.
    Library(String),
    /// A file outside the library.
    File(PathBuf),
}

/// The scripts that the words mean, each once, in the order of the words; all of the library where
/// there are no words.
///
/// # Errors
///
/// A word that is neither an id, nor a class, nor the name of a script file.
pub(crate) fn select(words: &[String], library: &[Entry]) -> Result<Vec<Selected>, Fault> {
    let mut selected = Vec::new();
    let mut add = |script: Selected| {
        if !selected.contains(&script) {
            selected.push(script);
        }
    };
    for word in words {
        if word.ends_with(".rhai") {
            add(Selected::File(PathBuf::from(word)));
            continue;
        }
        let mut matching = library
            .iter()
            .filter(|entry| word == "all" || entry.id == *word || entry.class == *word)
            .peekable();
        if matching.peek().is_none() {
            return Err(unknown(word, library));
        }
        matching.for_each(|entry| add(Selected::Library(entry.id.clone())));
    }
    if words.is_empty() {
        library
            .iter()
            .for_each(|entry| add(Selected::Library(entry.id.clone())));
    }
    Ok(selected)
}

fn unknown(word: &str, library: &[Entry]) -> Fault {
    let known: Vec<&str> = library
        .iter()
        .flat_map(|entry| [entry.id.as_str(), entry.class.as_str()])
        .collect();
    Fault::usage(format!(
        "no attack and no class has the name '{word}'{}\nA script of your own is named by its \
         file, which ends in .rhai.",
        did_you_mean(word, &known)
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use turncoat_reports::{Guarantee, Verdict};

    use super::*;
    use crate::status::Status;

    pub(crate) fn library() -> Vec<Entry> {
        let entry = |id: &str, class: &str, defences: &[&str]| Entry {
            id: id.to_owned(),
            class: class.to_owned(),
            summary: "an older signed head is served".to_owned(),
            guarantees: Guarantee::numbered(3).into_iter().collect(),
            source: "a paper".to_owned(),
            defences: defences.iter().map(|name| (*name).to_owned()).collect(),
            verdict: Verdict::Caught,
            text: "let alice = user(\"alice\");\n".to_owned(),
        };
        vec![
            entry("head-rollback", "freshness", &["head-rollback"]),
            entry("head-fork", "freshness", &["head-fork", "head-rollback"]),
            entry("leaf-swap", "binding", &["leaf-hash"]),
        ]
    }

    fn selected(words: &[&str]) -> Result<Vec<Selected>, Fault> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        select(&words, &library())
    }

    fn ids(names: &[&str]) -> Vec<Selected> {
        names
            .iter()
            .map(|name| Selected::Library((*name).to_owned()))
            .collect()
    }

    #[test]
    fn words_are_ids_classes_or_files() {
        assert_eq!(selected(&["leaf-swap"]), Ok(ids(&["leaf-swap"])));
        assert_eq!(
            selected(&["freshness"]),
            Ok(ids(&["head-rollback", "head-fork"]))
        );
        assert_eq!(
            selected(&["./x.rhai"]),
            Ok(vec![Selected::File("./x.rhai".into())])
        );
        assert_eq!(selected(&[]).unwrap().len(), 3);
    }

    #[test]
    fn a_script_that_is_named_twice_runs_once() {
        let found = selected(&["head-fork", "freshness", "head-fork"]);
        assert_eq!(found, Ok(ids(&["head-fork", "head-rollback"])));
    }

    #[test]
    fn an_unknown_word_is_a_usage_fault_with_the_nearest_name() {
        let fault = selected(&["head-rolback"]).unwrap_err();
        assert_eq!(fault.status, Status::Usage);
        assert!(
            fault.shown().contains("did you mean 'head-rollback'?"),
            "{}",
            fault.shown()
        );
        let fault = selected(&["frehsness"]).unwrap_err();
        assert!(
            fault.shown().contains("did you mean 'freshness'?"),
            "{}",
            fault.shown()
        );
    }
}
