//! Turns what the script engine throws into a fault that names the place and what to do.

use super::call::{Failed, Receiver};
use super::error::{Fault, ScriptError};
use super::nearest::nearest;
use super::verbs;
use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};
use std::collections::BTreeSet;

/// The fault behind an error of the engine. `names` are the variables that the script defines.
pub(crate) fn explain(error: &EvalAltResult, names: &BTreeSet<String>) -> ScriptError {
    let inner = innermost(error);
    let explained = explain_inner(inner, names);
    if explained.place.is_some() {
        return explained;
    }
    place(explained, position(error))
}

/// The error at the bottom of nested calls.
fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => innermost(inner),
        other => other,
    }
}

/// The place nearest to the bottom of nested calls.
fn position(error: &EvalAltResult) -> Position {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, own) => {
            let deeper = position(inner);
            if deeper.is_none() { *own } else { deeper }
        }
        other => other.position(),
    }
}

fn place(error: ScriptError, position: Position) -> ScriptError {
    match (position.line(), position.position()) {
        (Some(line), column) => error.at(line, column.unwrap_or(1)),
        (None, _) => error,
    }
}

fn explain_inner(error: &EvalAltResult, names: &BTreeSet<String>) -> ScriptError {
    use EvalAltResult as E;
    match error {
        E::ErrorParsing(kind, at) => place(syntax(kind), *at),
        E::ErrorFunctionNotFound(signature, _) => unknown_function(signature),
        E::ErrorVariableNotFound(name, _) => unknown_variable(name, names),
        E::ErrorDotExpr(text, _) | E::ErrorPropertyNotFound(text, _) => unknown_property(text),
        E::ErrorTooManyOperations(_) => {
            ScriptError::new(Fault::Budget, "the script takes too many steps")
                .expected("a loop that ends")
        }
        E::ErrorStackOverflow(_) => {
            ScriptError::new(Fault::Budget, "calls within calls, too many of them")
                .expected("a recursion that ends, or a loop instead")
        }
        E::ErrorDataTooLarge(what, _) => {
            ScriptError::new(Fault::Budget, format!("too large: {}", what.to_lowercase())).expected(
                "strings of at most 1 MiB, lists of at most 65536; `bytes(n)` for contents",
            )
        }
        E::ErrorTooManyVariables(_) => {
            ScriptError::new(Fault::Budget, "more variables than a function may have")
                .expected("an array")
        }
        E::ErrorAssignmentToConstant(name, _) => ScriptError::new(
            Fault::WrongUse,
            format!("`{name}` cannot be given another value"),
        )
        .expected(format!(
            "`let {name} = ..` for a new variable: names of users, devices and constants stay"
        )),
        E::ErrorForbiddenVariable(name, _) => ScriptError::new(
            Fault::WrongUse,
            format!("`{name}` means the server, and cannot be another variable"),
        ),
        E::ErrorMismatchDataType(wanted, found, _)
        | E::ErrorMismatchOutputType(wanted, found, _) => {
            ScriptError::new(Fault::WrongType, format!("this is {}", plain(found)))
                .expected(plain(wanted))
        }
        E::ErrorDataRace(name, _) => ScriptError::new(
            Fault::WrongUse,
            format!("{name} is changed while it is in use"),
        )
        .expected("a handler that works on a variable of its own"),
        E::ErrorRuntime(value, _) => thrown(value),
        other => ScriptError::new(Fault::Thrown, first_line(&other.to_string())),
    }
}

fn thrown(value: &rhai::Dynamic) -> ScriptError {
    if let Some(error) = value.clone().try_cast::<ScriptError>() {
        return error;
    }
    if let Some(failed) = value.clone().try_cast::<Failed>() {
        let what = format!(
            "operation {} failed: {}",
            failed.operation, failed.failure.text
        );
        return ScriptError::new(Fault::Operation, what)
            .expected("success here; an expectation or `try_op(|| ..)` around it allows failure");
    }
    ScriptError::new(Fault::Thrown, format!("the script threw {value}"))
}

/// The fault of a text that does not parse.
pub(crate) fn explain_parse(error: &ParseError) -> ScriptError {
    place(syntax(error.err_type()), error.position())
}

fn syntax(kind: &ParseErrorType) -> ScriptError {
    let error = |what: String| ScriptError::new(Fault::Syntax, what);
    match kind {
        ParseErrorType::UnexpectedEOF => error("the script ends in the middle of something".into())
            .expected("what closes the last open bracket, brace or statement"),
        ParseErrorType::MissingToken(token, what) => {
            let closing = if token == "," {
                " or a closing bracket"
            } else {
                ""
            };
            error(format!("`{token}` is missing {what}").trim_end().into())
                .expected(format!("`{token}`{closing}"))
        }
        ParseErrorType::ExprTooDeep => {
            ScriptError::new(Fault::Budget, "brackets within brackets, too many of them")
        }
        ParseErrorType::LiteralTooLarge(what, most) => ScriptError::new(
            Fault::Budget,
            format!("a literal larger than {most}: {what}"),
        ),
        ParseErrorType::TooManyFunctions => {
            ScriptError::new(Fault::Budget, "more functions than a script may have")
        }
        ParseErrorType::ForbiddenVariable(name) => ScriptError::new(
            Fault::WrongUse,
            format!("`{name}` means the server, and cannot be another variable"),
        ),
        ParseErrorType::Reserved(name) => error(format!("`{name}` is not part of the language")),
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, hint)) => {
            let what = error(format!("`{symbol}` does not belong here"));
            if hint.is_empty() {
                what
            } else {
                what.expected(first_line(hint))
            }
        }
        other => error(first_line(&other.to_string())),
    }
}

fn unknown_function(signature: &str) -> ScriptError {
    let (name, values) = signature.split_once(" (").unwrap_or((signature, ""));
    let values: Vec<String> = values
        .trim_end_matches(')')
        .split(", ")
        .filter(|value| !value.is_empty())
        .map(plain)
        .collect();
    let base = name.strip_prefix(verbs::START).unwrap_or(name);
    let known: Vec<_> = verbs::all().filter(|verb| verb.name == base).collect();
    if known.is_empty() {
        let mut error = ScriptError::new(Fault::UnknownName, format!("there is no verb `{name}`"));
        error.meant = nearest(name, verbs::all().map(|verb| verb.name)).map(str::to_owned);
        if name.contains(' ') || !name.contains(|c: char| c.is_alphabetic()) {
            error.what = format!("`{name}` does not work on {}", values.join(" and "));
            error.fault = Fault::WrongType;
        }
        return error;
    }
    let called = match values.split_first() {
        Some((first, [])) => format!("on {first}"),
        Some((first, rest)) => format!("on {first} with {}", rest.join(", ")),
        None => "on nothing".to_owned(),
    };
    let uses: Vec<String> = known
        .iter()
        .map(|verb| match verb.on {
            Receiver::Nothing => format!("`{}`", verb.usage),
            on => format!("`{}` on {}", verb.usage, on.name()),
        })
        .collect();
    ScriptError::new(Fault::WrongType, format!("`{name}` is called {called}"))
        .expected(uses.join(" or "))
}

fn unknown_variable(name: &str, names: &BTreeSet<String>) -> ScriptError {
    let known = names.iter().map(String::as_str).chain(["server"]);
    let mut error = ScriptError::new(Fault::UnknownName, format!("there is no variable `{name}`"));
    error.meant = nearest(name, known).map(str::to_owned);
    error
}

fn unknown_property(text: &str) -> ScriptError {
    let quoted = text.split(['\'', '"', '`']).nth(1).unwrap_or(text);
    let mut error = ScriptError::new(
        Fault::UnknownName,
        format!("there is no property `{quoted}` here"),
    );
    error.meant = nearest(quoted, verbs::PROPERTIES).map(str::to_owned);
    error
}

/// A type of the engine in the language's words.
fn plain(name: &str) -> String {
    let name = name.trim_start_matches('&').trim_start_matches("mut ");
    match name {
        "i64" | "INT" => "a number".into(),
        "f64" => "a fraction".into(),
        "bool" => "true or false".into(),
        "()" => "nothing".into(),
        "array" => "an array".into(),
        "map" => "a map".into(),
        "Fn" => "a closure".into(),
        "blob" => "bytes".into(),
        text if text.contains("str") || text.contains("String") => "a string".into(),
        other => other.to_owned(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
