//! Headers: what is read, and what a wrong one is told.

use super::*;

const GOOD: &str = "\
// head-rollback: an older signed head is served to a device that has seen a newer one.
// class: freshness
// guarantee: G3
// source: attacks.md D head-rollback; [GOTUF] [RESTIC]
// defences: head-rollback
// verdict: caught
let alice = user(\"alice\");
";

const DEFENCES: [&str; 2] = ["head-rollback", "head-fork"];

fn fault(text: &str) -> (String, Option<(usize, usize)>, Option<String>) {
    let error = read(text, &DEFENCES).unwrap_err();
    assert_eq!(error.fault, Fault::Header);
    let place = error.place.map(|place| (place.line, place.column));
    (error.what, place, error.meant)
}

#[test]
fn whole_header_is_read() {
    let header = read(GOOD, &DEFENCES).unwrap();
    assert_eq!(header.id, "head-rollback");
    assert!(header.sentence.starts_with("an older signed head"));
    assert_eq!(header.class, "freshness");
    assert_eq!(header.guarantee, Guarantee::G3);
    assert_eq!(header.defences, ["head-rollback"]);
    assert_eq!(header.verdict, Verdict::Caught);
    assert_eq!(header.control, Control::Defences);
    assert!(!is_bare(GOOD));
}

#[test]
fn indented_line_goes_on_with_the_one_above() {
    let text = GOOD.replace("; [GOTUF] [RESTIC]", ";\n//   [GOTUF] [RESTIC]");
    let header = read(&text, &DEFENCES).unwrap();
    assert_eq!(
        header.source,
        "attacks.md D head-rollback; [GOTUF] [RESTIC]"
    );
}

#[test]
fn title_alone_is_bare() {
    let text = "// head-rollback: an older head.\nlet alice = user(\"alice\");\n";
    assert!(is_bare(text));
    assert_eq!(title(text).unwrap().0, "head-rollback");
}

#[test]
fn missing_title_is_named_with_its_shape() {
    for text in ["", "let x = 1;", "\n// a: b.", "//\n// a: b."] {
        let error = title(text).unwrap_err();
        assert_eq!(error.place.map(|place| place.line), Some(1));
        assert!(error.to_string().contains("// id: the attack"), "{error}");
    }
}

#[test]
fn id_with_a_space_is_no_id() {
    let (what, place, _) = fault("// Note to self: do it.\n");
    assert_eq!(what, "`Note to self` is no id");
    assert_eq!(place, Some((1, 4)));
}

#[test]
fn misspelt_key_names_the_nearest() {
    let (what, place, meant) = fault(&GOOD.replace("// verdict", "// verdit"));
    assert_eq!(what, "there is no header key `verdit`");
    assert_eq!(place, Some((6, 4)));
    assert_eq!(meant.as_deref(), Some("verdict"));
}

#[test]
fn misspelt_class_names_the_nearest() {
    let (what, place, meant) = fault(&GOOD.replace("class: freshness", "class: freshnes"));
    assert_eq!(what, "there is no class `freshnes`");
    assert_eq!(place, Some((2, 11)));
    assert_eq!(meant.as_deref(), Some("freshness"));
}

#[test]
fn unknown_defence_names_the_nearest_at_its_column() {
    let text = GOOD.replace(
        "defences: head-rollback",
        "defences: head-fork, head-rolback",
    );
    let (what, place, meant) = fault(&text);
    assert_eq!(what, "there is no defence `head-rolback`");
    assert_eq!(place, Some((5, 25)));
    assert_eq!(meant.as_deref(), Some("head-rollback"));
}

#[test]
fn missing_line_is_named_where_it_should_stand() {
    let (what, place, _) = fault(&GOOD.replace("// guarantee: G3\n", ""));
    assert_eq!(what, "the header has no line `guarantee`");
    assert_eq!(place, Some((6, 1)));
}

#[test]
fn doubled_line_is_named() {
    let (what, place, _) = fault(&GOOD.replace("// guarantee: G3", "// class: object"));
    assert_eq!(what, "`class` is said twice");
    assert_eq!(place, Some((3, 4)));
}

#[test]
fn unknown_guarantee_is_named() {
    let (what, place, _) = fault(&GOOD.replace("G3", "G16"));
    assert_eq!(what, "there is no guarantee `G16`");
    assert_eq!(place, Some((3, 15)));
}

#[test]
fn verdict_that_no_script_may_expect_is_named() {
    let (what, _, _) = fault(&GOOD.replace("verdict: caught", "verdict: refused"));
    assert_eq!(what, "there is no expected verdict `refused`");
}

#[test]
fn no_defence_needs_another_control() {
    let text = GOOD.replace("defences: head-rollback", "defences: none");
    assert_eq!(fault(&text).0, "a script without defences has no control");
    let text = text.replace("// verdict", "// control: none: a reason\n// verdict");
    assert_eq!(read(&text, &DEFENCES).unwrap().control, Control::Planted);
}

#[test]
fn a_control_that_nothing_runs_has_a_reason() {
    let text = GOOD.replace("defences: head-rollback", "defences: none");
    let with =
        |control: &str| text.replace("// verdict", &format!("// control: {control}\n// verdict"));
    assert_eq!(fault(&with("planted")).0, "there is no control `planted`");
    assert_eq!(fault(&with("none:")).0, "`control` says nothing");
    assert_eq!(
        fault(&with("planted nobody")).0,
        "there is no planted lie `nobody`"
    );
    let header = read(&with("planted misplaces"), &DEFENCES).unwrap();
    assert_eq!(header.planted.map(|lie| lie.name), Some("misplaces"));
}

#[test]
fn sample_states_count_and_seed() {
    let with = |line: &str| GOOD.replace("// verdict", &format!("// sample: {line}\n// verdict"));
    let header = read(&with("count 64, seed 0x10"), &DEFENCES).unwrap();
    assert_eq!(
        header.sample,
        Some(Sample {
            count: 64,
            seed: 16
        })
    );
    assert_eq!(
        fault(&with("64 of 512")).0,
        "a sample without its count and its seed"
    );
}

#[test]
fn unknown_need_is_named() {
    let text = GOOD.replace("// verdict", "// needs: nativ\n// verdict");
    let (what, _, meant) = fault(&text);
    assert_eq!(what, "no client can be asked for `nativ`");
    assert_eq!(meant.as_deref(), Some("native"));
}

#[test]
fn remark_below_the_header_ends_it() {
    for remark in [
        "// User, derivation: the first byte.",
        "// 16,384 bits, which it survives.",
    ] {
        let text = GOOD.replace("let alice", &format!("{remark}\nlet alice"));
        assert_eq!(read(&text, &DEFENCES), read(GOOD, &DEFENCES));
        assert!(body(&text).starts_with(remark));
    }
    assert_eq!(body(GOOD), "let alice = user(\"alice\");\n");
}
