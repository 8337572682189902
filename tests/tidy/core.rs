//! What the hardened client may name: nothing that would make an auditor doubt its boundary.

use super::lexer::{has_word, names_below, words};
use super::tree::{Finding, Tree};
use super::{obeyed, seen};

/// The crates that compute, and the ones that compare and wipe.
const CRYPTOGRAPHY: &[&str] = &[
    "aes_gcm",
    "hmac",
    "pbkdf2",
    "rand_core",
    "rsa",
    "sha2",
    "subtle",
    "zeroize",
];

/// What would be input, output, a clock, a runtime or a second encoding.
const OUTSIDE: &[&str] = &[
    "async_std",
    "eprintln",
    "log",
    "println",
    "serde",
    "smol",
    "std",
    "tokio",
    "tracing",
    "turncoat_adversary",
    "turncoat_reports",
    "turncoat_strawman",
];

/// Parts of names that belong to the one who lies.
const HOSTILE: &[&str] = &[
    "adversary",
    "attack",
    "attacker",
    "corrupt",
    "evil",
    "forge",
    "malicious",
    "mallory",
    "tamper",
    "victim",
];

/// The folder that computes.
const PRIMITIVE: &str = "core/src/primitive/";

/// The file in which defences can be left out.
const SWITCHES: &str = "core/src/defence.rs";

/// The file with the weak values.
const WEAK: &str = "adversary/strawman/weaken.rs";

/// Every place below a folder where a line of code breaks a rule.
fn lines(
    tree: &Tree,
    above: &str,
    outside: &[&str],
    breach: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files(above, ".rs") {
        if outside.iter().any(|free| path.starts_with(free)) {
            continue;
        }
        for (line, code) in file.code_lines() {
            found.extend(breach(code).map(|advice| Finding::new(path, line, advice)));
        }
    }
    found
}

/// The first of these words in a line.
fn first_word<'word>(code: &str, of: &[&'word str]) -> Option<&'word str> {
    of.iter().copied().find(|word| has_word(code, word))
}

fn nothing_outside(tree: &Tree) -> Vec<Finding> {
    let mut found = lines(tree, "core/src/", &[], |code| {
        let word = first_word(code, OUTSIDE)?;
        Some(format!(
            "core names {word}: the world enters through the four traits alone"
        ))
    });
    if let Some(file) = tree.file("core/src/lib.rs")
        && !file.code.contains("#![no_std]")
    {
        found.push(Finding::new(
            "core/src/lib.rs",
            1,
            "core begins with #![no_std]",
        ));
    }
    found
}

fn std_of_the_twin(tree: &Tree) -> Vec<Finding> {
    lines(tree, "", &[WEAK], |code| {
        let linked = code.contains("extern crate std");
        linked.then(|| format!("extern crate std stands in {WEAK} alone"))
    })
}

fn one_folder_computes(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("core/src/", ".rs") {
        if path.starts_with(PRIMITIVE) {
            continue;
        }
        let modules = names_below(&file.code.replace("crate::", ""), "primitive");
        for name in CRYPTOGRAPHY {
            // `rsa` is a module of ours as well, in the files that import it.
            if modules.iter().any(|(_, module)| module == name) {
                continue;
            }
            let named = names_below(&file.code, name);
            found.extend(
                named
                    .iter()
                    .filter(|(_, below)| !below.is_empty())
                    .map(|(line, _)| {
                        let advice =
                            format!("{name} is named in {PRIMITIVE} alone: add a function there");
                        Finding::new(path, *line, advice)
                    }),
            );
        }
    }
    found
}

fn one_file_owns_keys(tree: &Tree) -> Vec<Finding> {
    let owners = &["core/src/secret.rs", "core/src/secret/", PRIMITIVE];
    lines(tree, "core/src/", owners, |code| {
        let flat: String = code.split_whitespace().collect();
        let owned = has_word(code, "ZeroizeOnDrop") || flat.contains("Box<[u8;");
        owned
            .then(|| "key bytes are owned in core/src/secret.rs alone: add a role there".to_owned())
    })
}

fn decoding_is_dumb(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("core/src/wire/", ".rs") {
        // A path inside the crate begins with `crate` or with `super`s.
        let code = file.code.replace("crate::", "").replace("super::", "");
        for (root, allowed) in [
            ("primitive", &[][..]),
            ("secret", &["KeyBytes", "KeyPair"][..]),
        ] {
            for (line, name) in names_below(&code, root) {
                if !name.is_empty() && !allowed.contains(&name.as_str()) {
                    let advice = format!("wire names {root}::{name}: decoding knows no keys");
                    found.push(Finding::new(path, line, advice));
                }
            }
        }
    }
    found
}

fn operations_compute_nothing(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("core/src/client/", ".rs") {
        let code = file.code.replace("crate::", "");
        for (line, name) in names_below(&code, "primitive") {
            if ["aead", "kdf", "mac"].contains(&name.as_str()) {
                let advice = format!("an operation calls {name}: seal, open and secret do that");
                found.push(Finding::new(path, line, advice));
            }
        }
    }
    found
}

fn one_switchboard(tree: &Tree) -> Vec<Finding> {
    let mut found = lines(tree, "core/src/", &[SWITCHES], |code| {
        let word = first_word(code, &["weaken", "Weakened"])?;
        Some(format!(
            "{word} stands in {SWITCHES} alone: use defend! or construct!"
        ))
    });
    for (path, file) in tree.files("", "Cargo.toml") {
        for (line, text) in file.lines() {
            if text.trim_start().starts_with("weaken") {
                let advice = "weaken is no feature of any package: the twin's build script sets it";
                found.push(Finding::new(path, line, advice));
            }
        }
    }
    found
}

fn no_attack_code(tree: &Tree) -> Vec<Finding> {
    lines(tree, "core/src/", &[], |code| {
        let hostile = |part: &String| HOSTILE.contains(&part.as_str());
        let part = words(code).flat_map(parts).find(hostile)?;
        Some(format!(
            "core has a name with {part}: attacks live in adversary"
        ))
    })
}

/// The parts of a name, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for character in name.chars() {
        if character == '_' || character.is_uppercase() {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut().filter(|_| character != '_') {
            last.extend(character.to_lowercase());
        }
    }
    parts
}

fn sharp_tools_are_for_tests(tree: &Tree) -> Vec<Finding> {
    let free = &[
        "benches/",
        "tests/",
        "core/src/lib.rs",
        "adversary/examples/",
    ];
    lines(tree, "", free, |code| {
        has_word(code, "hazmat").then(|| "hazmat is named by tests and benches alone".to_owned())
    })
}

#[test]
fn core_names_nothing_outside() {
    obeyed(nothing_outside);
    let files = [
        ("core/src/lib.rs", "//! Crate.\nextern crate alloc;\n"),
        (
            "core/src/id.rs",
            "// std is not here\nuse std::fmt;\nlet log = \"log\";\nfn prolog() {}\n",
        ),
        ("adversary/src/lib.rs", "use std::fmt;\n"),
    ];
    seen(
        nothing_outside,
        &files,
        &["core/src/id.rs:2", "core/src/id.rs:3", "core/src/lib.rs:1"],
    );
}

#[test]
fn only_the_twin_links_std() {
    obeyed(std_of_the_twin);
    let files = [
        (WEAK, "extern crate std;\n"),
        ("core/src/defence.rs", "#[cfg(weaken)]\nextern crate std;\n"),
        ("adversary/strawman/build.rs", "// extern crate std\n"),
    ];
    seen(std_of_the_twin, &files, &["core/src/defence.rs:2"]);
}

#[test]
fn one_folder_names_cryptography() {
    obeyed(one_folder_computes);
    let files = [
        ("core/src/primitive/rsa.rs", "use rsa::RsaPublicKey;\n"),
        (
            "core/src/secret.rs",
            "use crate::primitive::{hash, rsa};\nfn f() { rsa::sign(); }\n",
        ),
        (
            "core/src/config.rs",
            "use crate::primitive::rsa::KeySize;\n",
        ),
        (
            "core/src/seal.rs",
            "use crate::primitive::aead;\nuse rsa::RsaPublicKey;\n",
        ),
        (
            "core/src/chunk.rs",
            "fn f() {\n    subtle::black_box();\n}\n",
        ),
    ];
    seen(
        one_folder_computes,
        &files,
        &["core/src/chunk.rs:2", "core/src/seal.rs:2"],
    );
}

#[test]
fn one_file_owns_key_bytes() {
    obeyed(one_file_owns_keys);
    let files = [
        ("core/src/secret.rs", "struct Key(Box<[u8; 32]>);\n"),
        (
            "core/src/chunk.rs",
            "struct Key(Box< [u8; 32] >);\nstruct Body(Box<[u8]>);\n",
        ),
        ("core/src/seal.rs", "#[derive(ZeroizeOnDrop)]\n"),
    ];
    seen(
        one_file_owns_keys,
        &files,
        &["core/src/chunk.rs:1", "core/src/seal.rs:1"],
    );
}

#[test]
fn decoding_holds_no_keys() {
    obeyed(decoding_is_dumb);
    let files = [
        (
            "core/src/wire/bag.rs",
            "use crate::secret::{KeyBytes, KeyPair};\n",
        ),
        (
            "core/src/wire/head.rs",
            "use crate::secret::{EpochKey, KeyBytes};\n",
        ),
        (
            "core/src/wire/leaf.rs",
            "\nuse super::super::primitive::hash;\n",
        ),
    ];
    let places = ["core/src/wire/head.rs:1", "core/src/wire/leaf.rs:2"];
    seen(decoding_is_dumb, &files, &places);
}

#[test]
fn operations_call_no_cipher() {
    obeyed(operations_compute_nothing);
    let files = [
        (
            "core/src/client/append.rs",
            "use crate::primitive::{Zeroizing, aead};\n",
        ),
        (
            "core/src/client/list.rs",
            "use crate::primitive::Zeroizing;\n",
        ),
        ("core/src/seal.rs", "use crate::primitive::aead;\n"),
    ];
    seen(
        operations_compute_nothing,
        &files,
        &["core/src/client/append.rs:1"],
    );
}

#[test]
fn defences_are_left_out_in_one_file() {
    obeyed(one_switchboard);
    let files = [
        (SWITCHES, "#[cfg(weaken)]\nmod weak;\n"),
        ("core/src/seal.rs", "#[cfg(weaken)]\nfn f() {}\n"),
        ("core/Cargo.toml", "[features]\nweaken = []\n"),
    ];
    seen(
        one_switchboard,
        &files,
        &["core/src/seal.rs:1", "core/Cargo.toml:2"],
    );
}

#[test]
fn core_has_no_attack_code() {
    obeyed(no_attack_code);
    let files = [
        (
            "core/src/limits.rs",
            "/// Answers the attack of endless data.\nconst FORGED: u8 = 1;\n",
        ),
        ("core/src/seal.rs", "\nfn tamper_with() {}\n"),
        ("core/src/tree.rs", "struct MaliciousServer;\n"),
    ];
    seen(
        no_attack_code,
        &files,
        &["core/src/seal.rs:2", "core/src/tree.rs:1"],
    );
}

#[test]
fn sharp_tools_are_named_by_tests_alone() {
    obeyed(sharp_tools_are_for_tests);
    let files = [
        ("tests/vectors/main.rs", "use turncoat_core::hazmat;\n"),
        ("cli/src/main.rs", "\nuse turncoat_core::hazmat::aead;\n"),
    ];
    seen(sharp_tools_are_for_tests, &files, &["cli/src/main.rs:2"]);
}
