//! The fuzz targets: a manifest entry, a file and a folder of seeds for each.

use super::tree::{Finding, Tree};
use super::{obeyed, seen};

/// The manifest of the fuzz targets.
const MANIFEST: &str = "fuzz/Cargo.toml";

/// Where the targets are.
const TARGETS: &str = "fuzz/targets/";

/// The binaries that a manifest declares, each with its line.
fn binaries(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (at, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[[bin]]";
        } else if let Some(name) = line.strip_prefix("name = ").filter(|_| inside) {
            found.push((at + 1, name.trim().trim_matches('"')));
        }
    }
    found
}

fn targets_are_whole(tree: &Tree) -> Vec<Finding> {
    let manifest = tree.file(MANIFEST).map_or("", |file| file.text.as_str());
    let binaries = binaries(manifest);
    let mut found = Vec::new();
    for (line, name) in &binaries {
        for (path, what) in [
            (format!("{TARGETS}{name}.rs"), "a file"),
            (format!("fuzz/seeds/{name}"), "committed seeds"),
        ] {
            if !tree.has(&path) {
                let advice = format!("the target {name} needs {what}: {path}");
                found.push(Finding::new(MANIFEST, *line, advice));
            }
        }
        let replay =
            |(_, file): (&str, &super::tree::File)| file.text.contains(&format!("\"{name}\""));
        if !tree.files("tests/replay/", ".rs").any(replay) {
            let advice = format!("no replay test runs the seeds of {name}");
            found.push(Finding::new(MANIFEST, *line, advice));
        }
    }
    for (path, _) in tree.files("fuzz/", "") {
        let name = path
            .strip_prefix(TARGETS)
            .and_then(|rest| rest.strip_suffix(".rs"));
        let seeds = path
            .strip_prefix("fuzz/seeds/")
            .and_then(|rest| rest.split('/').next());
        if let Some(name) = name.or(seeds)
            && !binaries.iter().any(|(_, binary)| *binary == name)
        {
            let advice = format!("{MANIFEST} has no [[bin]] called {name}");
            found.push(Finding::new(path, 1, advice));
        }
    }
    found
}

#[test]
fn targets_have_entries_files_seeds_and_replays() {
    obeyed(targets_are_whole);
    let manifest = "[package]\nname = \"turncoat-fuzz\"\n[[bin]]\nname = \"decode\"\n\n\
                    [[bin]]\nname = \"session\"\n";
    let files = [
        (MANIFEST, manifest),
        ("fuzz/targets/decode.rs", ""),
        ("fuzz/targets/other.rs", ""),
        ("fuzz/seeds/decode/empty", ""),
        ("tests/replay/main.rs", "replay(\"decode\", decode);\n"),
    ];
    let places = [
        "fuzz/Cargo.toml:7",
        "fuzz/Cargo.toml:7",
        "fuzz/Cargo.toml:7",
        "fuzz/targets/other.rs:1",
    ];
    seen(targets_are_whole, &files, &places);
}
