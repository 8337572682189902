//! Prose: one title in each document, and every path that it names exists.

use super::tree::{Finding, Tree};
use super::{obeyed, seen};

/// The lines of a document that stand outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

fn one_title(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("", ".md") {
        let titles: Vec<usize> = prose(&file.text)
            .filter(|(_, line)| line.starts_with("# "))
            .map(|(line, _)| line)
            .collect();
        if titles.is_empty() {
            found.push(Finding::new(
                path,
                1,
                "the document has no title: begin with one #",
            ));
        }
        for line in titles.iter().skip(1) {
            found.push(Finding::new(
                path,
                *line,
                "a second title: use ## for sections",
            ));
        }
    }
    found
}

/// The targets of the links in a line of prose, those to other sites apart.
fn links(line: &str) -> Vec<String> {
    // What stands between backticks is code, where brackets mean something else.
    let spoken: String = line.split('`').step_by(2).collect();
    let targets = spoken.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split([')', '#']).next());
    let near = targets.filter(|target| !target.is_empty() && !target.contains(':'));
    near.map(str::to_owned).collect()
}

/// The words of a line that begin with a folder of the root. Words with a wildcard are patterns.
fn words_of_paths<'text>(line: &'text str, rooms: &[String]) -> Vec<&'text str> {
    let apart = |letter: char| letter.is_whitespace() || "`'\"()[]|,;:<>=".contains(letter);
    let words = line.split(apart);
    let words = words.map(|word| word.trim_end_matches(['.', '?', '!', '#']));
    let whole = |word: &&str| !word.contains(['*', '{', '$', '~']) && !word.contains("...");
    let begins = |word: &&str| rooms.iter().any(|room| word.starts_with(room.as_str()));
    words.filter(whole).filter(begins).collect()
}

/// The folders of the root, each with its slash.
fn rooms(tree: &Tree) -> Vec<String> {
    let mut rooms: Vec<String> = tree
        .files("", "")
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(room, _)| format!("{room}/"))
        .collect();
    rooms.dedup();
    rooms
}

fn paths_exist(tree: &Tree) -> Vec<Finding> {
    let rooms = rooms(tree);
    let mut found = Vec::new();
    for (path, file) in tree.files("", ".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let linked = prose(&file.text).flat_map(|(line, text)| {
            let targets = links(text).into_iter();
            targets.map(move |target| (line, resolved(folder, &target)))
        });
        let named = file.lines().flat_map(|(line, text)| {
            let words = words_of_paths(text, &rooms).into_iter();
            words.map(move |word| (line, word.to_owned()))
        });
        let mut gone: Vec<(usize, String)> = linked
            .chain(named)
            .filter(|(_, target)| !tree.has(target))
            .collect();
        // A link from the root is a word that begins with a room as well.
        gone.sort();
        gone.dedup();
        found.extend(gone.into_iter().map(|(line, target)| {
            Finding::new(
                path,
                line,
                format!("{target} does not exist: mend the path"),
            )
        }));
    }
    found
}

/// A relative link, from the root.
fn resolved(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_document_has_one_title() {
    obeyed(one_title);
    let files = [
        ("README.md", "# Title\n```sh\n# comment\n```\n## Section\n"),
        ("a.md", "Prose.\n"),
        ("b.md", "# One\n\n# Two\n"),
    ];
    seen(one_title, &files, &["a.md:1", "b.md:3"]);
}

#[test]
fn every_path_in_a_document_exists() {
    obeyed(paths_exist);
    let files = [
        ("core/src/id.rs", ""),
        (
            "README.md",
            "See `core/src/id.rs`, core/src and core/src/*.rs.\nNot core/src/ids.rs.\n\
             [here](core/src/id.rs) [there](core/gone.rs) [far](https://core/x)\n",
        ),
        (
            "core/README.md",
            "[id](src/id.rs) [up](../README.md#part)\n[gone](id.rs)\n`Hash[a](b)`\n",
        ),
    ];
    let places = ["README.md:2", "README.md:3", "core/README.md:2"];
    seen(paths_exist, &files, &places);
}
