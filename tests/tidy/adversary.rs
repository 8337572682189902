//! What the adversary and its oracles may name, and where it may touch the machine.

use super::lexer::{has_word, names_below};
use super::tree::{Finding, Tree};
use super::{obeyed, seen};

/// What the adversary imports of the client, wherever it is.
const SHARED: &[&str] = &[
    // Modules.
    "defence",
    "env",
    "error",
    "id",
    "limits",
    "remote",
    "tree",
    "wire",
    // The same, re-exported.
    "CHUNK_SIZE",
    "Defence",
    "Error",
    "KeyBytes",
    "KeyPair",
    "Limits",
    "LocalState",
    "PACK_CHUNKS_MAX",
    "SEGMENTS_MAX",
    "Unavailable",
    "Usage",
    "Violation",
];

/// The folders that may touch sockets, processes and files.
const DOORS: &[&str] = &[
    "adversary/src/driver/",
    "adversary/src/front/",
    "adversary/src/honest/",
];

/// The client and its twin.
const CLIENTS: &[&str] = &["turncoat_core", "turncoat_strawman"];

/// Every place below a folder that names something of these crates that is not allowed there.
fn strangers(
    tree: &Tree,
    above: &str,
    roots: &[&str],
    allowed: impl Fn(&str, &str) -> bool,
    advice: &str,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files(above, ".rs") {
        for root in roots {
            for (line, name) in names_below(&file.code, root) {
                if !allowed(path, &name) {
                    let advice = format!("names {root}::{name}: {advice}");
                    found.push(Finding::new(path, line, advice));
                }
            }
        }
    }
    found
}

/// Whether a file is compiled into tests alone. What a unit is worth shows beside the client.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn client_imports(tree: &Tree) -> Vec<Finding> {
    let allowed = |path: &str, name: &str| {
        let in_driver = path.starts_with("adversary/src/driver/");
        // An honest server refuses whoever has it accused: what clients must refuse, and no key.
        let judges = name == "verify" && path.starts_with("adversary/src/honest/");
        SHARED.contains(&name) || is_test(path) || in_driver || judges
    };
    let advice = "only driver/ meets the client; the rest shares ids, wire and errors with it, and \
                  honest/ what it judges commits by";
    strangers(tree, "adversary/src/", CLIENTS, allowed, advice)
}

fn oracles_are_strangers(tree: &Tree) -> Vec<Finding> {
    let advice = "oracles speak in plain names and bytes, for clients that share no code with core";
    strangers(tree, "adversary/src/oracle/", CLIENTS, |_, _| false, advice)
}

fn decryptor_is_second(tree: &Tree) -> Vec<Finding> {
    let allowed = |path: &str, name: &str| ["wire", "id"].contains(&name) || is_test(path);
    let advice = "the decryptor is a second implementation: it shares the wire format alone";
    let mut found = strangers(tree, "adversary/src/decryptor", CLIENTS, allowed, advice);
    let above = "adversary/src/oracle/decryptor";
    found.extend(strangers(tree, above, CLIENTS, allowed, advice));
    found
}

fn doors(tree: &Tree) -> Vec<Finding> {
    let advice = "sockets, processes and files are for front/, driver/ and honest/";
    let free = |path: &str| DOORS.iter().any(|door| path.starts_with(door));
    let machine = |path: &str, name: &str| {
        free(path) || !["env", "fs", "net", "os", "process"].contains(&name)
    };
    let mut found = strangers(tree, "adversary/src/", &["std"], machine, advice);
    let crates = &[
        "getrandom",
        "httparse",
        "nix",
        "tempfile",
        "turncoat_remote",
    ];
    found.extend(strangers(
        tree,
        "adversary/src/",
        crates,
        |path, _| free(path),
        advice,
    ));
    found
}

fn no_wall_clock(tree: &Tree) -> Vec<Finding> {
    let free = |path: &str| {
        [
            "adversary/src/driver/",
            "adversary/src/front/",
            // Real users' requests, of which no run consists.
            "adversary/server/",
            "core/remote/tests/",
            "benches/",
            "cli/",
            "tests/end_to_end/",
        ]
        .iter()
        .any(|folder| path.starts_with(folder))
    };
    let mut found = Vec::new();
    for (path, file) in tree.files("", ".rs").filter(|(path, _)| !free(path)) {
        for (line, code) in file.code_lines() {
            for word in ["Instant", "OsRng", "SystemTime", "thread_rng"] {
                if has_word(code, word) {
                    let advice = format!("{word} makes a run no function of its seed");
                    found.push(Finding::new(path, line, advice));
                }
            }
        }
    }
    found
}

fn domain_types_are_not_serialized(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("adversary/", ".rs") {
        for (line, code) in file.code_lines() {
            if has_word(code, "Serialize") || has_word(code, "Deserialize") {
                let advice = "what crosses a boundary is encoded by hand; results are for reports";
                found.push(Finding::new(path, line, advice));
            }
        }
    }
    found
}

#[test]
fn the_client_is_met_in_driver_alone() {
    obeyed(client_imports);
    let files = [
        (
            "adversary/src/driver/core.rs",
            "use turncoat_core::{Session, danger};\n",
        ),
        (
            "adversary/src/honest/native.rs",
            "use turncoat_core::verify::check_commit;\nuse turncoat_core::wire::{Head, Reply};\n",
        ),
        (
            "adversary/src/run.rs",
            "use turncoat_core::{\n    id,\n    danger::resume};\n",
        ),
        (
            "adversary/src/stage.rs",
            "// turncoat_core::Session\nuse turncoat_strawman::Session;\n",
        ),
        ("adversary/src/world.rs", "use turncoat_core as client;\n"),
    ];
    let places = [
        "adversary/src/run.rs:1",
        "adversary/src/stage.rs:2",
        "adversary/src/world.rs:1",
    ];
    seen(client_imports, &files, &places);
}

#[test]
fn oracles_name_no_client() {
    obeyed(oracles_are_strangers);
    let files = [
        (
            "adversary/src/oracle/fork.rs",
            "\nuse turncoat_core::id::SpaceId;\n",
        ),
        (
            "adversary/src/oracle/truth.rs",
            "use crate::history::History;\n",
        ),
    ];
    seen(
        oracles_are_strangers,
        &files,
        &["adversary/src/oracle/fork.rs:2"],
    );
}

#[test]
fn the_decryptor_shares_the_wire_alone() {
    obeyed(decryptor_is_second);
    let files = [
        (
            "adversary/src/decryptor/mod.rs",
            "use turncoat_core::{tree, wire};\n",
        ),
        (
            "adversary/src/decryptor/keys.rs",
            "use turncoat_core::wire::BagSecret;\n",
        ),
        (
            "adversary/src/decryptor/tests.rs",
            "use turncoat_core::Session;\n",
        ),
    ];
    seen(
        decryptor_is_second,
        &files,
        &["adversary/src/decryptor/mod.rs:1"],
    );
}

#[test]
fn the_machine_is_touched_behind_three_doors() {
    obeyed(doors);
    let files = [
        (
            "adversary/src/driver/external.rs",
            "use std::process::Command;\n",
        ),
        (
            "adversary/src/run.rs",
            "use std::{\n    fmt,\n    fs};\nuse std::thread;\n",
        ),
        (
            "adversary/src/world.rs",
            "\nlet folder = tempfile::tempdir();\n",
        ),
    ];
    seen(
        doors,
        &files,
        &["adversary/src/run.rs:1", "adversary/src/world.rs:2"],
    );
}

#[test]
fn time_and_chance_come_from_the_seed() {
    obeyed(no_wall_clock);
    let files = [
        ("cli/src/time.rs", "use std::time::SystemTime;\n"),
        ("reports/src/model.rs", "use std::time::Duration;\n"),
        (
            "adversary/src/stage.rs",
            "let now = Instant::now();\nlet instant = 1;\n",
        ),
    ];
    seen(no_wall_clock, &files, &["adversary/src/stage.rs:1"]);
}

#[test]
fn the_adversary_encodes_by_hand() {
    obeyed(domain_types_are_not_serialized);
    let files = [
        ("reports/src/model.rs", "use serde::Serialize;\n"),
        (
            "adversary/src/attack.rs",
            "#[derive(Debug, Serialize)]\nstruct Attack;\n",
        ),
    ];
    seen(
        domain_types_are_not_serialized,
        &files,
        &["adversary/src/attack.rs:1"],
    );
}
