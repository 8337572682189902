//! The JSON lines between Turncoat and a client: one for each operation, one for each answer.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::process::printable;
use crate::client::{Answer, Claims, Class, Failure, Operation, Outcome};

/// The version of the protocol, which both first lines state.
pub const VERSION: u64 = 1;

/// Every operation that a client may declare. Not `compare`: a process cannot meet another one; nor
/// `update`, as what a client sends of an upload is its own affair.
pub const OPERATIONS: [&str; 13] = [
    "sign_up",
    "login",
    "upload",
    "upload_many",
    "download",
    "append",
    "delete",
    "list",
    "share",
    "receive",
    "revoke",
    "fingerprint",
    "verify",
];

/// Every claim that a client may declare: those that its answers then make, and one of its design.
pub const CLAIMS: [&str; 6] = [
    "monotone",
    "bounded",
    "witnesses",
    "contact_verified",
    "hides-lengths",
    "quarantines",
];

/// What a client says of itself in its first line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// Its name, for reports.
    pub name: String,
    /// The operations that it has.
    pub operations: BTreeSet<String>,
    /// The claims that its answers may make.
    pub claims: BTreeSet<String>,
    /// Whether it uses conditional writes.
    pub conditional: bool,
}

impl Declaration {
    /// Whether the client has the operation.
    #[must_use]
    pub fn has(&self, operation: &str) -> bool {
        self.operations.contains(operation)
    }

    /// Reads a client's first line.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let object = object(line)?;
        match object.get("turncoat").and_then(Value::as_u64) {
            Some(VERSION) => {}
            _ => return Err(format!("its first line has no \"turncoat\": {VERSION}")),
        }
        let name = match object.get("name") {
            Some(Value::String(name)) => printable(name),
            _ => return Err("its first line has no \"name\"".to_owned()),
        };
        let operations = words(&object, "operations", &OPERATIONS)?;
        if operations.is_empty() {
            return Err("its first line declares no operation".to_owned());
        }
        let claims = match object.get("claims") {
            None => BTreeSet::new(),
            Some(_) => words(&object, "claims", &CLAIMS)?,
        };
        let conditional = match object.get("conditional") {
            None => false,
            Some(Value::Bool(conditional)) => *conditional,
            Some(_) => return Err("\"conditional\" is true or false".to_owned()),
        };
        Ok(Self {
            name,
            operations,
            claims,
            conditional,
        })
    }
}

/// The first line to a client: who it is and where it stores.
pub(super) fn hello(
    device: &str,
    (user, password): (&str, &str),
    url: &str,
    state: &str,
) -> Vec<u8> {
    json!({
        "turncoat": VERSION,
        "user": user,
        "device": device,
        "password": password,
        "url": url,
        "state": state,
    })
    .to_string()
    .into_bytes()
}

/// The line that asks for `operation`.
///
/// # Errors
///
/// A name that is not valid UTF-8: names are JSON strings.
pub(crate) fn ask(id: u64, operation: &Operation) -> Result<Vec<u8>, Failure> {
    let mut line = json!({ "id": id, "op": operation.name() });
    let mut add = |key: &str, value: Value| {
        line[key] = value;
    };
    match operation {
        Operation::SignUp | Operation::Login | Operation::List => {}
        Operation::Upload { name, content } | Operation::Append { name, content } => {
            add("name", text(name)?);
            add("content", encoded(content));
        }
        Operation::UploadMany { files } => {
            let files: Result<Vec<Value>, Failure> = files
                .iter()
                .map(|(name, content)| {
                    Ok(json!({ "name": text(name)?, "content": encoded(content) }))
                })
                .collect();
            add("files", Value::Array(files?));
        }
        Operation::Download { name } | Operation::Delete { name } => add("name", text(name)?),
        Operation::Share { name, with } => {
            add("name", text(name)?);
            add("with", json!(with));
        }
        Operation::Receive {
            from,
            name,
            pointer,
            as_name,
        } => {
            add("from", json!(from));
            if let Some(name) = name {
                add("name", text(name)?);
            }
            if let Some(pointer) = pointer {
                add("pointer", encoded(pointer));
            }
            add("as", text(as_name)?);
        }
        Operation::Revoke { name, from } => {
            add("name", text(name)?);
            add("from", json!(from));
        }
        Operation::Fingerprint { user } => add("user", json!(user)),
        Operation::Verify { user, fingerprint } => {
            add("user", json!(user));
            add("fingerprint", encoded(fingerprint));
        }
        Operation::Compare { .. } | Operation::Update { .. } => {
            return Err(Failure::new(Class::Usage, "undeclared"));
        }
    }
    Ok(line.to_string().into_bytes())
}

/// Reads the line that answers request `id` for `operation`.
///
/// # Errors
///
/// A sentence that says why the line is no such answer.
pub(crate) fn answer(
    line: &[u8],
    id: u64,
    operation: &Operation,
    declared: &Declaration,
) -> Result<Outcome, String> {
    let object = object(line)?;
    if object.get("id").and_then(Value::as_u64) != Some(id) {
        return Err(format!("an answer without \"id\": {id}"));
    }
    match object.get("ok") {
        Some(Value::Bool(true)) => success(&object, operation, declared).map(Ok),
        Some(Value::Bool(false)) => failure(&object).map(Err),
        _ => Err("an answer without \"ok\": true or false".to_owned()),
    }
}

fn success(
    object: &Map<String, Value>,
    operation: &Operation,
    declared: &Declaration,
) -> Result<Answer, String> {
    let bytes = |key: &str| object.get(key).map(|value| decoded(key, value)).transpose();
    let mut answer = Answer {
        claims: claims(object, declared)?,
        ..Answer::default()
    };
    match operation {
        Operation::Download { .. } => {
            answer.content = Some(bytes("content")?.ok_or("a download without \"content\"")?);
        }
        Operation::List => {
            let Some(Value::Array(names)) = object.get("names") else {
                return Err("a list without \"names\"".to_owned());
            };
            let names: Result<_, _> = names.iter().map(|name| decoded("names", name)).collect();
            answer.names = Some(names?);
        }
        Operation::Fingerprint { .. } => {
            let fingerprint = bytes("fingerprint")?.ok_or("no \"fingerprint\" in its answer")?;
            answer.fingerprint = Some(fingerprint);
        }
        Operation::Share { .. } => answer.pointer = bytes("pointer")?,
        _ => {}
    }
    Ok(answer)
}

fn failure(object: &Map<String, Value>) -> Result<Failure, String> {
    let class = match object.get("class").map(Value::as_str) {
        None | Some(Some("other")) => Class::Other,
        Some(Some("violation")) => Class::Violation,
        Some(Some("unavailable")) => Class::Unavailable,
        Some(Some("usage")) => Class::Usage,
        Some(_) => {
            return Err("\"class\" is violation, unavailable, usage or other".to_owned());
        }
    };
    let word = |key: &str| match object.get(key) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(printable(word))),
        Some(_) => Err(format!("\"{key}\" is a string")),
    };
    let name = word("error")?.unwrap_or_else(|| "unnamed".to_owned());
    if Failure::OF_THE_STAGE.contains(&name.as_str()) {
        return Err(format!(
            "\"error\" is a word that Turncoat keeps for itself: {name}"
        ));
    }
    let text = word("text")?.unwrap_or_else(|| name.clone());
    Ok(Failure { class, name, text })
}

fn claims(object: &Map<String, Value>, declared: &Declaration) -> Result<Claims, String> {
    let mut claims = Claims::default();
    let made = match object.get("claims") {
        None => return Ok(claims),
        Some(Value::Object(made)) => made,
        Some(_) => return Err("\"claims\" is an object".to_owned()),
    };
    for (claim, value) in made {
        if !declared.claims.contains(claim) {
            return Err(format!(
                "a claim that it did not declare: {}",
                printable(claim)
            ));
        }
        let truth = || {
            value
                .as_bool()
                .ok_or_else(|| format!("claim {claim} is true or false"))
        };
        match claim.as_str() {
            "monotone" => claims.monotone = Some(truth()?),
            "bounded" => claims.bounded = Some(truth()?),
            "contact_verified" => claims.contact_verified = Some(truth()?),
            _ => {
                let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
                claims.witnesses = Some(count.ok_or("claim witnesses is a number")?);
            }
        }
    }
    Ok(claims)
}

fn object(line: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => Ok(object),
        _ => {
            let shown = printable(&String::from_utf8_lossy(line.get(..60).unwrap_or(line)));
            Err(format!("a line that is no JSON object: {shown}"))
        }
    }
}

fn words(
    object: &Map<String, Value>,
    key: &str,
    known: &[&str],
) -> Result<BTreeSet<String>, String> {
    let Some(Value::Array(list)) = object.get(key) else {
        return Err(format!("its first line has no list \"{key}\""));
    };
    list.iter()
        .map(|word| match word.as_str() {
            Some(word) if known.contains(&word) => Ok(word.to_owned()),
            Some(word) => Err(format!("unknown in \"{key}\": {}", printable(word))),
            None => Err(format!("\"{key}\" is a list of strings")),
        })
        .collect()
}

fn text(name: &[u8]) -> Result<Value, Failure> {
    match std::str::from_utf8(name) {
        Ok(name) => Ok(json!(name)),
        Err(_) => Err(Failure::new(Class::Usage, "name-is-no-text")),
    }
}

fn encoded(bytes: &[u8]) -> Value {
    json!({ "b64": STANDARD.encode(bytes) })
}

/// Reads bytes: a plain string, `{"utf8": ...}` or `{"b64": ...}`.
fn decoded(key: &str, value: &Value) -> Result<Vec<u8>, String> {
    let wrong = || format!("\"{key}\" is text, {{\"utf8\": text}} or {{\"b64\": base64}}");
    match value {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Object(object) if object.len() == 1 => {
            match (
                object.get("utf8").and_then(Value::as_str),
                object.get("b64"),
            ) {
                (Some(text), None) => Ok(text.as_bytes().to_vec()),
                (None, Some(Value::String(text))) => STANDARD.decode(text).map_err(|_| wrong()),
                _ => Err(wrong()),
            }
        }
        _ => Err(wrong()),
    }
}
