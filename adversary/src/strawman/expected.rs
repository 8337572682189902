//! The verdicts that are expected of the straw clients, written down before any run.

use std::collections::BTreeMap;

use super::ALL;
use crate::verdict::Verdict;

/// The committed table; its first lines say how it is read.
pub const TEXT: &str = include_str!("../../expected/straw.txt");

/// By script and client.
pub type Expectations = BTreeMap<(String, String), Verdict>;

/// A line of the table that is not what belongs there, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFault {
    /// The number of the line.
    pub line: usize,
}

/// The committed table.
///
/// # Errors
///
/// [`TableFault`] names the first line that does not belong.
pub fn expected() -> Result<Expectations, TableFault> {
    parse(TEXT)
}

/// Reads a table: comments, empty lines, and lines of a script, a client or `*`, and a verdict. No
/// cell is filled twice.
///
/// # Errors
///
/// [`TableFault`] names the first line that does not belong.
pub fn parse(text: &str) -> Result<Expectations, TableFault> {
    let mut table = Expectations::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = TableFault { line: index + 1 };
        let words: Vec<&str> = line.split(' ').collect();
        let [script, client, verdict] = words[..] else {
            return Err(fault);
        };
        let verdict = Verdict::parse(verdict).ok_or(fault)?;
        let clients = ALL.into_iter().map(|kind| kind.name);
        let clients: Vec<&str> = clients
            .filter(|name| client == "*" || client == *name)
            .collect();
        if clients.is_empty() {
            return Err(fault);
        }
        for client in clients {
            let cell = (script.to_owned(), client.to_owned());
            if table.insert(cell, verdict).is_some() {
                return Err(fault);
            }
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ALL, TableFault, Verdict, expected, parse};
    use crate::catalogue::Catalogue;

    /// The names of all scripts of the library.
    fn scripts() -> BTreeSet<String> {
        let catalogue = Catalogue::built_in().expect("the library is whole");
        let entries = catalogue.entries().iter();
        entries.map(|entry| entry.header.id.clone()).collect()
    }

    #[test]
    fn every_script_has_an_expected_verdict_for_every_straw_client() {
        let table = expected().expect("the committed table parses");
        for script in scripts() {
            for kind in ALL {
                let cell = (script.clone(), kind.name.to_owned());
                assert!(table.contains_key(&cell), "nothing is written of {cell:?}");
            }
        }
    }

    #[test]
    fn the_naive_client_falls_to_twenty_five_scripts_or_more() {
        let table = expected().expect("the committed table parses");
        let broken = table
            .iter()
            .filter(|((_, client), verdict)| client == "naive" && **verdict == Verdict::Broken);
        assert!(broken.count() >= 25);
    }

    #[test]
    fn a_line_that_does_not_belong_is_named() {
        let check = |text: &str, line| assert_eq!(parse(text), Err(TableFault { line }), "{text}");
        check("# comment\n\nrow naive", 3);
        check("row naive lucky", 1);
        check("row nobody caught", 1);
        check("row naive caught\nrow * caught", 2);
        check("row  naive caught", 1);
        let one = parse("row naive caught").expect("this is a table");
        let cell = ("row".to_owned(), "naive".to_owned());
        assert_eq!(
            one.into_iter().collect::<Vec<_>>(),
            [(cell, Verdict::Caught)]
        );
    }
}
