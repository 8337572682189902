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

/// The targets of links, and every word that begins with a folder of the root.
fn named_paths<'text>(line: &'text str, rooms: &[String]) -> Vec<(bool, &'text str)> {
    let links = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    let links = links.filter(|link| !link.is_empty() && !link.contains(':'));
    let apart =
        |character: char| character.is_whitespace() || "`'\"()[]|,;:<>=".contains(character);
    let bare = line
        .split(apart)
        .map(|word| word.trim_end_matches(['.', '?', '!', '#']));
    let bare = bare.filter(|word| rooms.iter().any(|room| word.starts_with(room.as_str())));
    let whole = |path: &&str| !path.contains(['*', '{', '$', '~']) && !path.contains("...");
    links
        .map(|link| (true, link))
        .chain(bare.map(|word| (false, word)))
        .filter(|(_, path)| whole(path))
        .collect()
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
        for (line, text) in file.lines() {
            for (link, named) in named_paths(text, &rooms) {
                let target = match link {
                    true => resolved(folder, named),
                    false => named.to_owned(),
                };
                if !tree.has(&target) {
                    let advice = format!("{target} does not exist: mend the path");
                    found.push(Finding::new(path, line, advice));
                }
            }
        }
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
            "[id](src/id.rs) [up](../README.md#part)\n[gone](id.rs)\n",
        ),
    ];
    // A link from the root is a word that begins with a room as well.
    let places = [
        "README.md:2",
        "README.md:3",
        "README.md:3",
        "core/README.md:2",
    ];
    seen(paths_exist, &files, &places);
}
