//! Who may depend on whom, by the manifests.

use super::tree::{Finding, Tree};
use super::{obeyed, seen};

/// What each package may depend on among ours, by its folder.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("core/remote", &["turncoat-core"]),
    (
        "adversary",
        &["turncoat-core", "turncoat-remote", "turncoat-strawman"],
    ),
    (
        "adversary/server",
        &["turncoat-adversary", "turncoat-core", "turncoat-remote"],
    ),
    ("adversary/strawman", &[]),
    ("reports", &[]),
    (
        "cli",
        &[
            "turncoat-adversary",
            "turncoat-core",
            "turncoat-remote",
            "turncoat-reports",
            "turncoat-server",
        ],
    ),
    ("fuzz", &["turncoat-adversary", "turncoat-server"]),
    (
        "benches",
        &[
            "turncoat-adversary",
            "turncoat-core",
            "turncoat-remote",
            "turncoat-server",
        ],
    ),
    (
        "tests",
        &[
            "turncoat-adversary",
            "turncoat-core",
            "turncoat-reports",
            "turncoat-server",
            "turncoat-strawman",
        ],
    ),
];

/// All that `core` may depend on.
const PRIMITIVES: &[&str] = &[
    "aes-gcm",
    "hmac",
    "pbkdf2",
    "rand_core",
    "rsa",
    "sha2",
    "subtle",
    "zeroize",
];

/// The dependencies that a manifest declares for a package, with line and requirement.
fn dependencies(manifest: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (at, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let (above, name) = section.rsplit_once('.').unwrap_or(("", section));
            // `[dependencies]`, `[target.X.dependencies]` and `[dependencies.NAME]`.
            inside = name.ends_with("dependencies");
            if above.ends_with("dependencies") {
                found.push((at + 1, name, ""));
            }
        } else if inside
            && !line.starts_with('#')
            && let Some((name, requirement)) = line.split_once('=')
        {
            let name = name.trim().trim_matches('"');
            let name = name.split_once('.').map_or(name, |(name, _)| name);
            found.push((at + 1, name, requirement.trim()));
        }
    }
    found
}

/// The folder of a manifest.
fn folder(path: &str) -> &str {
    path.trim_end_matches("Cargo.toml").trim_end_matches('/')
}

fn one_direction(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("", "Cargo.toml") {
        let folder = folder(path);
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(package, _)| *package == folder) else {
            if !folder.is_empty() {
                found.push(Finding::new(
                    path,
                    1,
                    "add the package to the table of directions",
                ));
            }
            continue;
        };
        for (line, name, _) in dependencies(&file.text) {
            let ours = name == "turncoat" || name.starts_with("turncoat-");
            if ours && !allowed.contains(&name) {
                let advice = format!("{folder} may not depend on {name}");
                found.push(Finding::new(path, line, advice));
            }
        }
    }
    found
}

fn core_is_small(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for path in ["core/Cargo.toml", "adversary/strawman/Cargo.toml"] {
        let text = tree.file(path).map_or("", |file| file.text.as_str());
        for (line, name, _) in dependencies(text) {
            if !PRIMITIVES.contains(&name) {
                let advice = format!("core does not depend on {name}: eight crates, and no more");
                found.push(Finding::new(path, line, advice));
            }
        }
    }
    found
}

fn requirements(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("", "Cargo.toml") {
        for (line, name, requirement) in dependencies(&file.text) {
            if requirement.contains("\"*\"") {
                let advice = format!("{name} has no version: name one");
                found.push(Finding::new(path, line, advice));
            }
            if requirement.contains("git =") {
                found.push(Finding::new(
                    path,
                    line,
                    "dependencies come from the registry",
                ));
            }
        }
    }
    found
}

fn packages_inherit(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("", "Cargo.toml") {
        if !file.text.contains("[package]") {
            continue;
        }
        if !file.text.contains("rust-version.workspace = true") {
            found.push(Finding::new(
                path,
                1,
                "declare rust-version.workspace = true",
            ));
        }
        if !file.text.contains("[lints]\nworkspace = true") {
            found.push(Finding::new(
                path,
                1,
                "inherit the lints: [lints] workspace = true",
            ));
        }
    }
    found
}

#[test]
fn dependencies_have_one_direction() {
    obeyed(one_direction);
    let files = [
        (
            "Cargo.toml",
            "[workspace.dependencies]\nturncoat-tests = { path = \"tests\" }\n",
        ),
        (
            "cli/Cargo.toml",
            "[dependencies]\nturncoat-reports.workspace = true\n",
        ),
        (
            "core/Cargo.toml",
            "[dependencies]\nrsa = \"1\"\n[dev-dependencies]\nturncoat-tests = \"1\"\n",
        ),
        (
            "reports/Cargo.toml",
            "[target.'cfg(unix)'.dependencies.turncoat-core]\npath = \"x\"\n",
        ),
        ("extra/Cargo.toml", "[package]\n"),
        (
            "benches/Cargo.toml",
            "[dependencies]\n# turncoat-tests = 1\nturncoat-tests = \"1\"\n",
        ),
    ];
    let places = [
        "benches/Cargo.toml:3",
        "core/Cargo.toml:4",
        "extra/Cargo.toml:1",
        "reports/Cargo.toml:1",
    ];
    seen(one_direction, &files, &places);
}

#[test]
fn core_depends_on_primitives_alone() {
    obeyed(core_is_small);
    let files = [
        (
            "core/Cargo.toml",
            "[dependencies]\nsha2.workspace = true\nserde = \"1\"\n",
        ),
        (
            "adversary/strawman/Cargo.toml",
            "[build-dependencies]\ncc = \"1\"\n",
        ),
        ("cli/Cargo.toml", "[dependencies]\nserde = \"1\"\n"),
    ];
    let places = ["core/Cargo.toml:3", "adversary/strawman/Cargo.toml:2"];
    seen(core_is_small, &files, &places);
}

#[test]
fn dependencies_have_versions() {
    obeyed(requirements);
    let files = [(
        "Cargo.toml",
        "[workspace.dependencies]\na = \"1\"\nb = \"*\"\nc = { git = \"x\" }\n",
    )];
    seen(requirements, &files, &["Cargo.toml:3", "Cargo.toml:4"]);
}

#[test]
fn packages_inherit_compiler_and_lints() {
    obeyed(packages_inherit);
    let whole = "[package]\nrust-version.workspace = true\n[lints]\nworkspace = true\n";
    let files = [
        ("Cargo.toml", "[workspace]\n"),
        ("core/Cargo.toml", whole),
        (
            "cli/Cargo.toml",
            "[package]\nrust-version.workspace = true\n",
        ),
        (
            "reports/Cargo.toml",
            "[package]\n[lints]\nworkspace = true\n",
        ),
    ];
    seen(
        packages_inherit,
        &files,
        &["cli/Cargo.toml:1", "reports/Cargo.toml:1"],
    );
}
