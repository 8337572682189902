//! Scripts that are wrong, and what they are told.

use super::*;
use crate::script::Fault;

/// Checks the fault, its place below the title, and that its text says all of `says`.
fn check(text: &str, kind: Fault, place: Option<(usize, usize)>, says: &[&str]) {
    let error = fault(text);
    let shown = error.to_string();
    assert_eq!(error.fault, kind, "{shown}");
    let found = error.place.map(|place| (place.line - 1, place.column));
    assert_eq!(found, place, "{shown}");
    for part in says {
        assert!(shown.contains(part), "{shown} does not say {part}");
    }
}

#[test]
fn syntax_error_has_a_place_and_what_was_expected() {
    check(
        "let alice = user(\"alice\";\n",
        Fault::Syntax,
        Some((1, 25)),
        &["expected `,` or a closing bracket"],
    );
    check("let = 3;", Fault::Syntax, Some((1, 5)), &["variable"]);
    check(
        "if true { 1",
        Fault::Syntax,
        Some((1, 12)),
        &["`;` is missing"],
    );
}

#[test]
fn unknown_verb_names_the_nearest_known_one() {
    check(
        "let alice = user(\"alice\");\nalice.uplaod(\"n\", \"v\");",
        Fault::UnknownName,
        Some((2, 7)),
        &["no verb `uplaod`", "did you mean `upload`?"],
    );
}

#[test]
fn unknown_verb_is_found_where_no_run_gets_to() {
    check(
        "if false { server.rol_back_to(1); }",
        Fault::UnknownName,
        Some((1, 19)),
        &["did you mean `roll_back_to`?"],
    );
    check(
        "fn never() { expct_ok(|| 1) }",
        Fault::UnknownName,
        Some((1, 14)),
        &["did you mean `expect_ok`?"],
    );
}

#[test]
fn unknown_variable_names_the_nearest_known_one() {
    check(
        "let alice = user(\"alice\");\nalcie.list();",
        Fault::UnknownName,
        Some((2, 1)),
        &["no variable `alcie`", "did you mean `alice`?"],
    );
    check(
        "sever.heal();",
        Fault::UnknownName,
        Some((1, 1)),
        &["did you mean `server`?"],
    );
}

#[test]
fn unknown_property_names_the_nearest_known_one() {
    check(
        "let alice = user(\"alice\");\nalice.upload(\"n\", \"v\");\nalice.wrote()[0].sise;",
        Fault::UnknownName,
        Some((3, 18)),
        &["no property `sise`", "did you mean `size`?"],
    );
}

#[test]
fn wrong_number_of_arguments_shows_how_the_verb_is_written() {
    check(
        "let alice = user(\"alice\");\nalice.upload(\"n\");",
        Fault::WrongType,
        Some((2, 7)),
        &["does not take 1 arguments", "`alice.upload(name, content)`"],
    );
}

#[test]
fn wrong_type_says_what_it_is_and_what_it_must_be() {
    check(
        "let alice = user(\"alice\");\nalice.upload(\"n\", 7);",
        Fault::WrongType,
        Some((2, 7)),
        &["argument 2 of `upload`", "a string or bytes", "a number"],
    );
    check(
        "let alice = \"alice\";\nalice.download(\"n\");",
        Fault::WrongType,
        Some((2, 7)),
        &["`download` is called on a string", "a user or device"],
    );
    check(
        "server.roll_back_to(3);",
        Fault::WrongType,
        Some((1, 8)),
        &["what `server.snapshot()` gave"],
    );
    check(
        "1 - \"a\"",
        Fault::WrongType,
        Some((1, 3)),
        &["does not work"],
    );
}

#[test]
fn endless_loop_is_stopped_by_the_budget_of_steps() {
    check(
        "loop { }",
        Fault::Budget,
        Some((1, 6)),
        &["a loop that ends"],
    );
}

#[test]
fn endless_loop_inside_closures_is_stopped_too() {
    let text = "loop { for_each([1, 2, 3], |x| { let y = x; }); }";
    let error = fault(text);
    assert_eq!(error.fault, Fault::Budget);
    assert!(error.what.contains("2000000 steps"), "{error}");
}

#[test]
fn deep_recursion_is_stopped_by_the_budget_of_depth() {
    check(
        "fn down(n) { down(n + 1) }\ndown(0);",
        Fault::Budget,
        Some((2, 1)),
        &["calls within calls"],
    );
}

#[test]
fn brackets_within_brackets_are_stopped_by_the_parser() {
    let text = format!("let x = {}1{};", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(fault(&text).fault, Fault::Budget);
}

#[test]
fn gigabytes_of_string_are_stopped_at_a_megabyte() {
    check(
        "let s = \"x\";\nloop { s += s; }",
        Fault::Budget,
        Some((2, 10)),
        &["1 MiB"],
    );
}

#[test]
fn many_large_values_are_stopped_by_the_budget_of_memory() {
    let text = "let s = \"x\"; while s.len() < 500000 { s += s; }\n\
        let list = []; let n = 0;\n\
        loop { let one = s + n; let map = #{ a: one }; list.push(map); n += 1; }";
    assert_eq!(fault(text).fault, Fault::Budget);
}

#[test]
fn content_beyond_the_budget_is_refused_before_it_is_made() {
    let error = fault("bytes(1 << 40);");
    assert_eq!(error.fault, Fault::Budget);
    assert!(error.to_string().contains("512 MiB of content"), "{error}");
}

#[test]
fn expectation_of_no_known_violation_names_the_nearest() {
    check(
        "if false { expect_violation(\"rolback\", || 1); }",
        Fault::UnknownWord,
        Some((1, 29)),
        &[
            "no violation `rolback`",
            "did you mean `rollback`?",
            "bad-proof, equivocation",
        ],
    );
    check(
        "let w = \"rol\" + \"back\" + \"s\";\nexpect_violation(w, || 1);",
        Fault::UnknownWord,
        Some((2, 1)),
        &["did you mean `rollback`?"],
    );
    check(
        "expect_any([\"ok\", \"violaton:fork\"], || 1);",
        Fault::UnknownWord,
        Some((1, 19)),
        &["did you mean `violation`?"],
    );
}

#[test]
fn misspelt_selector_names_the_nearest_message() {
    check(
        "server.on_reply(\"alice:comit\", |m| m.drop());",
        Fault::UnknownWord,
        Some((1, 17)),
        &["no message `comit`", "did you mean `commit`?"],
    );
}

#[test]
fn view_of_nobody_names_the_nearest_user() {
    check(
        "let alice = user(\"alice\");\nserver.fork(\"alcie\");",
        Fault::UnknownName,
        Some((2, 8)),
        &["no view `alcie`", "did you mean `alice`?"],
    );
}

#[test]
fn impostor_has_not_appeared_before() {
    check(
        "let bob = user(\"bob\");\nserver.impostor(bob.name, \"alice\");",
        Fault::WrongUse,
        Some((2, 8)),
        &["the user has appeared before"],
    );
    check(
        "user(\"bob\");\nserver.impostor(\"mallory\", \"bbo\");",
        Fault::WrongUse,
        Some((2, 8)),
        &["nobody of that name"],
    );
    check(
        "user(\"bob\");\nserver.impostor(\"eve\", \"bob\");\ncolluder(\"eve\");",
        Fault::WrongUse,
        Some((3, 1)),
        &["an impostor's keys"],
    );
}

#[test]
fn operation_that_fails_outside_an_expectation_is_named() {
    check(
        "let alice = user(\"alice\");\nalice.download(\"none\");",
        Fault::Operation,
        Some((2, 7)),
        &["no-such-file", "try_op"],
    );
}

#[test]
fn server_stays_the_server() {
    check(
        "let server = 3;",
        Fault::WrongUse,
        Some((1, 1)),
        &["`server` means the server"],
    );
}

#[test]
fn user_variable_cannot_be_given_another_value() {
    check(
        "let who = user(\"alice\");\nwho = user(\"bob\");",
        Fault::WrongUse,
        Some((2, 1)),
        &["`let who = ..`"],
    );
}

#[test]
fn clocks_and_hidden_code_are_not_part_of_the_language() {
    for text in ["eval(\"1\");", "sleep(1);", "timestamp();"] {
        assert!(
            matches!(fault(text).fault, Fault::Syntax | Fault::UnknownName),
            "{text}"
        );
    }
}

#[test]
fn expectations_do_not_nest() {
    let error = fault("expect_ok(|| expect_ok(|| 1));");
    assert_eq!(error.fault, Fault::WrongUse);
}

#[test]
fn request_to_stop_ends_the_script_as_out_of_time() {
    let script = prepare(&format!("{TITLE}loop {{ }}"), &Budget::default()).unwrap();
    let stop = Stop::default();
    stop.request();
    let fake = Rc::new(RefCell::new(Fake::new(true)));
    let played = play(&script, fake, &Budget::default(), &stop);
    let error = played.fault.unwrap();
    assert_eq!(error.fault, Fault::Budget);
    assert!(error.what.contains("out of time"), "{error}");
}

#[test]
fn script_without_a_title_is_told_its_shape() {
    let error = prepare("let x = 1;", &Budget::default()).unwrap_err();
    assert_eq!(error.fault, Fault::Header);
    assert!(error.to_string().contains("// id: the attack"), "{error}");
}
