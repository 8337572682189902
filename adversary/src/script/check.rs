//! Finds what is wrong with a script before any of it runs.

use super::bridge;
use super::budget::{Budget, Meter, Stop};
use super::call::Receiver;
use super::error::{Fault, ScriptError};
use super::fault;
use super::known::{self, FailureClass};
use super::nearest::nearest;
use super::selector;
use super::verbs::{self, START};
use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// A script that parses and says no word that nobody knows.
#[derive(Clone, Debug)]
pub struct Script {
    /// The name of the attack.
    pub id: String,
    /// The attack in one sentence.
    pub sentence: String,
    /// The whole text.
    pub text: String,
    pub(crate) ast: AST,
    pub(crate) words: Words,
    pub(crate) sample_seed: u64,
}

/// What a script says, read off its text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// The variables that it defines.
    pub(crate) variables: BTreeSet<String>,
    /// The functions and verbs that it calls.
    pub(crate) calls: BTreeSet<String>,
    /// The first arguments of calls, where they are literals: (function, literal).
    pub(crate) literals: BTreeSet<(String, String)>,
    /// Functions that are somewhere called with a first argument that is no literal.
    pub(crate) computed: BTreeSet<String>,
}

impl Words {
    fn note(&mut self, call: &FnCallExpr) {
        self.calls.insert(call.name.to_string());
        let mut literal = |text: &str| {
            let noted = (call.name.to_string(), text.to_owned());
            self.literals.insert(noted);
        };
        if let Some(Expr::StringConstant(text, _)) = call.args.first() {
            literal(text);
        } else if let Some(Expr::InterpolatedString(parts, _)) = call.args.first()
            && let Some(Expr::StringConstant(text, _)) = parts.first()
            && let Some((all, _)) = text.split_once('#').filter(|(all, _)| all.ends_with(":*"))
        {
            // Of a selector that counts, all but the number stands there.
            literal(all);
        } else {
            self.computed.insert(call.name.to_string());
        }
    }
}

/// Functions that are part of the engine's core, and not registered with it.
const CORE: [&str; 10] = [
    "call",
    "curry",
    "debug",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "print",
    "type_of",
    "Fn",
    "contains",
];

/// The functions at hand, by name, each with the numbers of values that it takes.
type Functions = BTreeMap<String, BTreeSet<usize>>;

/// Reads a script's title, parses it, and checks its words.
///
/// # Errors
///
/// The first fault, with its place.
pub fn prepare(text: &str, budget: &Budget) -> Result<Script, ScriptError> {
    let (id, sentence) = super::header::title(text)?;
    let script = prepare_body(text, budget)?;
    Ok(Script {
        id,
        sentence,
        ..script
    })
}

/// The same for a text that need not have a title.
pub(crate) fn prepare_body(text: &str, budget: &Budget) -> Result<Script, ScriptError> {
    if text.len() > budget.text {
        let what = format!("a script of {} bytes", text.len());
        return Err(ScriptError::new(Fault::Budget, what)
            .expected(format!("at most {} bytes", budget.text)));
    }
    let meter = Meter::new(budget.clone(), Stop::default());
    let engine = bridge::bare(&meter);
    let ast = engine
        .compile(text)
        .map_err(|error| fault::explain_parse(&error))?;
    let words = check_words(&engine, &ast)?;
    Ok(Script {
        id: String::new(),
        sentence: String::new(),
        text: text.to_owned(),
        ast,
        words,
        sample_seed: super::header::sample_seed(text),
    })
}

/// Every name of a function that a script may call.
fn functions(engine: &Engine, ast: &AST) -> Functions {
    let mut known = Functions::new();
    let native = engine.collect_fn_metadata(
        None,
        |info| Some((info.metadata.name.to_string(), info.metadata.num_params)),
        true,
    );
    let own = ast
        .iter_functions()
        .map(|function| (function.name.to_owned(), function.params.len()));
    let mut add = |name: String, count: usize| known.entry(name).or_default().insert(count);
    for (name, count) in native.into_iter().chain(own) {
        add(name, count);
    }
    for verb in verbs::all() {
        let receiver = usize::from(verb.on != Receiver::Nothing);
        for count in verb.takes.0..=verb.takes.1 {
            add(verb.name.to_owned(), receiver + count);
            if matches!(verb.does, super::call::Does::Operation(_)) {
                add(format!("{START}{}", verb.name), receiver + count);
            }
        }
    }
    known
}

/// Checks every call in the script, also those that no run would reach.
fn check_words(engine: &Engine, ast: &AST) -> Result<Words, ScriptError> {
    let functions = functions(engine, ast);
    let mut words = Words::default();
    let mut found: Option<ScriptError> = None;
    ast.walk(&mut |path| {
        let (call, receiver, at) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                (call, 0, *at)
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => (call, 1, *at),
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                words.variables.insert(variable.0.name.to_string());
                return true;
            }
            _ => return true,
        };
        words.note(call);
        found = check_call(&functions, call, receiver, at).err();
        found.is_none()
    });
    found.map_or(Ok(words), Err)
}

fn check_call(
    functions: &Functions,
    call: &FnCallExpr,
    receiver: usize,
    at: Position,
) -> Result<(), ScriptError> {
    let name = call.name.as_str();
    let written = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if call.op_token.is_some() || !written || name.contains('$') || CORE.contains(&name) {
        return Ok(());
    }
    if bridge::FORBIDDEN.contains(&name) {
        let what = format!("`{name}` is not part of the language");
        return Err(placed(ScriptError::new(Fault::Syntax, what), at));
    }
    let count = call.args.len() + receiver;
    let Some(counts) = functions.get(name) else {
        let names = functions.keys().map(String::as_str);
        let what = format!("there is no verb `{name}`");
        let mut error = placed(ScriptError::new(Fault::UnknownName, what), at);
        error.meant = nearest(name, names.filter(|known| !known.contains('$'))).map(str::to_owned);
        return Err(error);
    };
    if !counts.contains(&count) {
        return Err(placed(miscounted(name, call.args.len()), at));
    }
    check_literals(name, call, at)
}

/// The fault of a verb with too many or too few arguments.
fn miscounted(name: &str, count: usize) -> ScriptError {
    let base = name.strip_prefix(START).unwrap_or(name);
    let uses: Vec<String> = verbs::all()
        .filter(|verb| verb.name == base)
        .map(|verb| format!("`{}`", verb.usage))
        .collect();
    let what = format!("`{name}` does not take {count} arguments");
    let error = ScriptError::new(Fault::WrongType, what);
    if uses.is_empty() {
        return error;
    }
    error.expected(uses.join(" or "))
}

/// Checks words that stand in the script as literals: a run would find them only when it gets
/// there.
fn check_literals(name: &str, call: &FnCallExpr, at: Position) -> Result<(), ScriptError> {
    let text = |index: usize| match call.args.get(index) {
        Some(Expr::StringConstant(text, at)) => Some((text.as_str(), *at)),
        _ => None,
    };
    let check = |index: usize, check: &dyn Fn(&str) -> Result<(), ScriptError>| {
        text(index).map_or(Ok(()), |(word, at)| {
            check(word).map_err(|error| placed(error, at))
        })
    };
    match name {
        "expect_violation" => {
            check(0, &|word| FailureClass::Violation.check(word))?;
            check(2, &|word| FailureClass::Usage.check(word))
        }
        "expect_unavailable" => {
            check(0, &|word| match word {
                "any" => Ok(()),
                word => FailureClass::Unavailable.check(word),
            })?;
            check(2, &|word| FailureClass::Usage.check(word))
        }
        "expect_usage" => check(0, &|word| FailureClass::Usage.check(word)),
        "expect_admitted" => check(0, &|word| {
            if known::ADMISSIONS.contains(&word) {
                return Ok(());
            }
            let known = known::ADMISSIONS;
            Err(ScriptError::not_in(
                Fault::UnknownWord,
                "admission",
                word,
                known,
            ))
        }),
        "expect_any" => outcomes(call),
        "on_reply" | "on_request" | "hold" | "kept" | "record" | "expect_no_request" => {
            check(0, &|word| selector::read(word).map(|_| ()))
        }
        "refuse" | "store_but" => check(0, &known::check_refusal),
        _ => Ok(()),
    }
    .map_err(|error: ScriptError| match error.place {
        Some(_) => error,
        None => placed(error, at),
    })
}

fn outcomes(call: &FnCallExpr) -> Result<(), ScriptError> {
    let Some(Expr::Array(items, _)) = call.args.first() else {
        return Ok(());
    };
    for item in items.iter() {
        if let Expr::StringConstant(word, at) = item {
            verbs::expect::check_outcome(word).map_err(|error| placed(error, *at))?;
        }
    }
    Ok(())
}

fn placed(error: ScriptError, at: Position) -> ScriptError {
    match at.line() {
        Some(line) => error.at(line, at.position().unwrap_or(1)),
        None => error,
    }
}
