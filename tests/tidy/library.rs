//! The lists that rot: scripts, defences, labels, vectors; each compared with what it lists.

use std::collections::BTreeMap;

use super::tree::{Finding, Tree};
use super::{obeyed, seen};

/// Where the defences are.
const DEFENCES: &str = "core/src/defence.rs";

/// Where the labels are.
const LABELS: &str = "core/src/labels.rs";

/// Where the scripts are.
const SCRIPTS: &str = "adversary/scripts/";

/// One row of the table of defences.
struct Row {
    line: usize,
    variant: String,
    name: String,
    partner: Option<String>,
}

/// The table of defences: `Variant = "name", "G1", Some(Self::Partner);`.
fn defences(tree: &Tree) -> Vec<Row> {
    let text = tree.file(DEFENCES).map_or("", |file| file.text.as_str());
    let rows = text.lines().enumerate().filter_map(|(at, line)| {
        let (variant, rest) = line.trim().strip_suffix(';')?.split_once(" = \"")?;
        let (name, rest) = rest.split_once("\", \"G")?;
        let (_, partner) = rest.split_once("\", ")?;
        let partner = partner.strip_prefix("Some(Self::");
        Some(Row {
            line: at + 1,
            variant: variant.to_owned(),
            name: name.to_owned(),
            partner: partner.map(|name| name.trim_end_matches(')').to_owned()),
        })
    });
    rows.collect()
}

/// The value of a key in a script's header, with its line.
fn header<'text>(text: &'text str, key: &str) -> Option<(usize, &'text str)> {
    let begin = format!("// {key}: ");
    let mut lines = text
        .lines()
        .take_while(|line| line.starts_with("//"))
        .enumerate();
    lines.find_map(|(at, line)| Some((at + 1, line.strip_prefix(&begin)?)))
}

fn scripts_are_named(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, file) in tree.files(SCRIPTS, "") {
        let inner = path
            .strip_prefix(SCRIPTS)
            .and_then(|rest| rest.strip_suffix(".rhai"));
        let Some((class, id)) = inner.and_then(|rest| rest.split_once('/')) else {
            found.push(Finding::new(path, 1, "a script is CLASS/ID.rhai"));
            continue;
        };
        // Lines of a header that are indented go on with the one before.
        let title: Vec<&str> = file
            .text
            .lines()
            .enumerate()
            .take_while(|(at, line)| *at == 0 || line.starts_with("//  "))
            .map(|(_, line)| line)
            .collect();
        let named = file.text.starts_with(&format!("// {id}: "));
        if !named || !title.last().is_some_and(|line| line.ends_with('.')) {
            let advice = format!("the first line is `// {id}: ` and one sentence");
            found.push(Finding::new(path, 1, advice));
        }
        match header(&file.text, "class") {
            Some((_, named)) if named == class => {}
            other => {
                let advice = format!("the header says `// class: {class}`, as its folder does");
                found.push(Finding::new(
                    path,
                    other.map_or(1, |(line, _)| line),
                    advice,
                ));
            }
        }
        if let Some(other) = ids.insert(id, path) {
            found.push(Finding::new(
                path,
                1,
                format!("{other} has this id as well"),
            ));
        }
    }
    found
}

fn defences_bear_load(tree: &Tree) -> Vec<Finding> {
    let rows = defences(tree);
    let mut found = Vec::new();
    let mut used = Vec::new();
    let mut together: Vec<Vec<&str>> = Vec::new();
    for (path, file) in tree.files(SCRIPTS, ".rhai") {
        let Some((line, list)) = header(&file.text, "defences") else {
            continue;
        };
        for name in list
            .split(',')
            .map(str::trim)
            .filter(|name| *name != "none")
        {
            if !rows.iter().any(|row| row.name == name) {
                let advice = format!("{name} is no defence of {DEFENCES}");
                found.push(Finding::new(path, line, advice));
            }
            used.push(name.to_owned());
        }
        together.push(list.split(',').map(str::trim).collect());
    }
    for row in &rows {
        if row.partner.is_none() && !used.contains(&row.name) {
            let advice = format!(
                "no script falls without {}: write one, or name the partner of a mere depth",
                row.name
            );
            found.push(Finding::new(DEFENCES, row.line, advice));
        }
        let Some(partner) = &row.partner else {
            continue;
        };
        let Some(partner) = rows.iter().find(|other| other.variant == *partner) else {
            let advice = format!("{partner} is no defence");
            found.push(Finding::new(DEFENCES, row.line, advice));
            continue;
        };
        let pair = [row.name.as_str(), partner.name.as_str()];
        if !together
            .iter()
            .any(|list| pair.iter().all(|name| list.contains(name)))
        {
            let advice = format!(
                "no script falls without {} and {} together",
                pair[0], pair[1]
            );
            found.push(Finding::new(DEFENCES, row.line, advice));
        }
    }
    let depth: Vec<&Row> = rows.iter().filter(|row| row.partner.is_some()).collect();
    if let Some(last) = depth.last().filter(|_| depth.len() * 5 > rows.len()) {
        let advice = format!("{} of {} defences are mere depth", depth.len(), rows.len());
        found.push(Finding::new(DEFENCES, last.line, advice));
    }
    found
}

fn labels_are_distinct(tree: &Tree) -> Vec<Finding> {
    let text = tree.file(LABELS).map_or("", |file| file.text.as_str());
    let mut found = Vec::new();
    let mut before: Vec<&str> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let row = line
            .trim()
            .strip_suffix("\",")
            .and_then(|line| line.split_once(" = \""));
        let Some((variant, name)) = row else {
            continue;
        };
        if before.contains(&name) {
            let advice = format!("{name} is a label already: one use, one label");
            found.push(Finding::new(LABELS, at + 1, advice));
        }
        before.push(name);
        let word = format!("Label::{variant}");
        let used = |code: &str| {
            code.match_indices(&word).any(|(at, _)| {
                let after = code
                    .get(at + word.len()..)
                    .and_then(|rest| rest.chars().next());
                !after.is_some_and(char::is_alphanumeric)
            })
        };
        if !tree
            .files("core/src/", ".rs")
            .any(|(_, file)| used(&file.code))
        {
            let advice = format!("nothing uses the label {name}: take it out");
            found.push(Finding::new(LABELS, at + 1, advice));
        }
    }
    found
}

fn vectors_are_read(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, _) in tree.files("tests/vectors/data/", "") {
        let name = path.rsplit('/').next().unwrap_or(path);
        let read = |(_, file): (&str, &super::tree::File)| file.text.contains(&format!("{name}\""));
        if !path.ends_with(".md") && !tree.files("tests/vectors/", ".rs").any(read) {
            found.push(Finding::new(path, 1, "no vector test reads the file"));
        }
    }
    found
}

#[test]
fn scripts_bear_the_names_of_their_files() {
    obeyed(scripts_are_named);
    let files = [
        (
            "adversary/scripts/object/flip.rhai",
            "// flip: one\n//   bit.\n// class: object\n",
        ),
        (
            "adversary/scripts/object/swap.rhai",
            "// swop: two files.\n// class: object\n",
        ),
        (
            "adversary/scripts/leakage/flip.rhai",
            "// flip: one bit.\n// class: object\n",
        ),
        ("adversary/scripts/notes.txt", ""),
    ];
    let places = [
        "adversary/scripts/notes.txt:1",
        "adversary/scripts/object/flip.rhai:1",
        "adversary/scripts/object/swap.rhai:1",
        "adversary/scripts/leakage/flip.rhai:2",
    ];
    let mut found: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
    found.sort();
    let mut seen: Vec<String> = scripts_are_named(&Tree::planted(&files))
        .iter()
        .map(Finding::place)
        .collect();
    seen.sort();
    assert_eq!(seen, found);
}

#[test]
fn every_defence_bears_load_or_names_its_partner() {
    obeyed(defences_bear_load);
    let table = "    Alone = \"alone\", \"G1\", None;\n\
                 \x20   Deep = \"deep\", \"G1\", Some(Self::Held);\n\
                 \x20   Held = \"held\", \"G3\", None;\n\
                 \x20   Lost = \"lost\", \"G3\", Some(Self::Nobody);\n\
                 \x20   Bare = \"bare\", \"G3\", Some(Self::Held);\n";
    let files = [
        (DEFENCES, table),
        (
            "adversary/scripts/a/b.rhai",
            "// b: x.\n// defences: deep, held, unheard\n",
        ),
        (
            "adversary/scripts/a/c.rhai",
            "// c: x.\n// defences: none\n",
        ),
    ];
    let places = [
        "adversary/scripts/a/b.rhai:2",
        "core/src/defence.rs:1",
        "core/src/defence.rs:4",
        "core/src/defence.rs:5",
        "core/src/defence.rs:5",
    ];
    seen(defences_bear_load, &files, &places);
    assert!(
        defences(super::repository()).len() > 30,
        "the table is not found"
    );
}

#[test]
fn labels_are_distinct_and_used() {
    obeyed(labels_are_distinct);
    let files = [
        (
            LABELS,
            "    Head = \"head\",\n    Leaf = \"leaf\",\n    Tip = \"head\",\n    Lea = \"l\",\n",
        ),
        (
            "core/src/tree.rs",
            "hash(Label::Head, Label::Leaf, Label::Tip)\n",
        ),
    ];
    seen(
        labels_are_distinct,
        &files,
        &["core/src/labels.rs:3", "core/src/labels.rs:4"],
    );
}

#[test]
fn every_vector_is_read() {
    obeyed(vectors_are_read);
    let files = [
        ("tests/vectors/main.rs", "include_str!(\"data/one.txt\")\n"),
        ("tests/vectors/data/one.txt", ""),
        ("tests/vectors/data/two.txt", ""),
    ];
    seen(vectors_are_read, &files, &["tests/vectors/data/two.txt:1"]);
}
