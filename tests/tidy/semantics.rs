//! The black-box cases of an honest client's semantics: a test or a script bears the id of each.

use std::collections::BTreeSet;

use super::obeyed;
use super::tree::{Finding, Tree};

/// Where the scripts are.
const SCRIPTS: &str = "adversary/scripts/";

/// The cases. The numbers are names: they are not contiguous.
const CASES: &str = "\
    f01 f02 f03 f04 f05 f06 f07 f08 f09 f12 f13 f14 f15 f16 f17 f18 \
    f20 f21 f22 f23 f24 f25 f26 f27 f28 f29 f30 f31 f32 f33 f35 f36 f37 \
    f39 f40 f41 f42 f43 f48 f49 \
    f50 f51 f52 f53 f54 f55 f56 f57 f58 f59 f60 f61 f62 f63 \
    f70 f71 f72 f73 f74 f75 f76 f77 f78 f79 f80 \
    s01 s02 s03 s04 s06 s07 s08 s10 s12 s13 \
    s14 s15 s16 s17 s19 s20 s23 s24 s25 s26 s29 s30 \
    s31 s32 s33 s36 s40 s41 s42 s43 s44 s45 s46 s47 s48 s51 s52 \
    s55 s56 s57 s58 s59 s60 s62 \
    s65 s66 s67 s68 s70 s71 s72 s74 s75 s76";

/// The file where the functional cases are expected, for what is missing.
const HERE: &str = "tests/properties/main.rs";

/// The ids that the name of a test begins with: `f26_f27_the_last_write_is_read`.
fn ids_of_name(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').take_while(|word| {
        let digits = word.strip_prefix(['f', 's']).unwrap_or_default();
        digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The ids that tests and scripts bear.
fn borne(tree: &Tree) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for folder in ["tests/", "adversary/src/", "core/src/"] {
        for (_, file) in tree.files(folder, ".rs") {
            let names = file.code.split("#[test]").skip(1).filter_map(|rest| {
                let (name, _) = rest.trim_start().strip_prefix("fn ")?.split_once('(')?;
                Some(name)
            });
            ids.extend(names.flat_map(ids_of_name).map(str::to_owned));
        }
    }
    for (_, file) in tree.files(SCRIPTS, ".rhai") {
        let header = file.text.lines().take_while(|line| line.starts_with("//"));
        let rows = header.filter_map(|line| line.strip_prefix("// rows: "));
        ids.extend(rows.flat_map(str::split_whitespace).map(str::to_lowercase));
    }
    ids
}

fn cases_are_borne(tree: &Tree, cases: &str) -> Vec<Finding> {
    let borne = borne(tree);
    let missing = cases.split_whitespace().filter(|id| !borne.contains(*id));
    missing
        .map(|id| format!("no test and no script bears the case {id}"))
        .map(|advice| Finding::new(HERE, 1, advice))
        .collect()
}

#[test]
fn every_case_of_the_semantics_has_a_test_or_a_script() {
    obeyed(|tree| cases_are_borne(tree, CASES));
    let files = [
        (
            "tests/properties/basics.rs",
            "#[test]\nfn f01_s02_works() {}\n#[test]\nfn works_f03() {}\nfn f04_helper() {}\n",
        ),
        (
            "adversary/scripts/chaos/x.rhai",
            "// x: y.\n// rows: F05 write-replay S40\nlet a = 1; // rows: F06\n",
        ),
    ];
    let tree = Tree::planted(&files);
    let found = |cases: &str| {
        let found = cases_are_borne(&tree, cases);
        let advice: Vec<String> = found.iter().map(ToString::to_string).collect();
        advice.join("\n")
    };
    assert_eq!(found("f01 s02 f05 s40"), "");
    for missing in ["f03", "f04", "f06"] {
        let text = found(missing);
        assert!(text.contains(&format!("the case {missing}")), "{text}");
    }
}
