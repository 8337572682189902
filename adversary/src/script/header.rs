//! Reads what a script says about itself in its leading comment lines.

use super::error::{Fault, ScriptError};
use super::known;
use super::nearest::{listed, nearest};
use crate::driver::Lie;
use crate::run::Control;
use crate::verdict::{Guarantee, Verdict};

/// The keys of a header, in the order in which a template writes them.
pub const KEYS: [&str; 11] = [
    "class",
    "guarantee",
    "source",
    "defences",
    "verdict",
    "control",
    "depth",
    "rows",
    "sample",
    "secrets",
    "needs",
];

/// A quantifier that was sampled: how many, from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How many positions.
    pub count: u32,
    /// The seed that picks them.
    pub seed: u64,
}

/// What a script says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name of the attack; the script's file has the same name.
    pub id: String,
    /// The attack in one sentence.
    pub sentence: String,
    /// The class of the catalogue.
    pub class: String,
    /// The guarantee that falls without the defences.
    pub guarantee: Guarantee,
    /// Where the attack was published.
    pub source: String,
    /// The smallest set of defences whose removal breaks the guarantee.
    pub defences: Vec<String>,
    /// The one verdict expected of the hardened client.
    pub verdict: Verdict,
    /// How the script shows that it has power.
    pub control: Control,
    /// The client that is played for a planted control, if the script names one.
    pub planted: Option<&'static Lie>,
    /// Why there is no control, where the script says that there is none.
    pub uncontrolled: Option<String>,
    /// How many expectations at most stand without the defences as well, and why.
    pub depth: (usize, String),
    /// Other rows of the catalogue, and cases of the semantics, that the script covers.
    pub rows: Vec<String>,
    /// The count and the seed of a sampled quantifier.
    pub sample: Option<Sample>,
    /// Whether it is run with two sets of secrets, which the server must not tell apart.
    pub two_secrets: bool,
    /// What a client and its front must offer, beyond what the verbs show.
    pub needs: Vec<String>,
}

/// One `key: value` of a header, and where its value stands.
struct Line {
    key: String,
    value: String,
    line: usize,
    column: usize,
    /// The last line of the value.
    end: usize,
}

/// The first line alone: the id and the sentence.
///
/// A script that says no more can be run by path, but it is not one of the library.
///
/// # Errors
///
/// A first line that is not `// id: sentence.`
pub fn title(text: &str) -> Result<(String, String), ScriptError> {
    let lines = lines(text)?;
    let Some(first) = lines.first() else {
        return Err(no_title(1));
    };
    check_id(first)?;
    if first.value.is_empty() {
        return Err(
            ScriptError::new(Fault::Header, format!("`{}` has no sentence", first.key))
                .at(first.line, first.column)
                .expected("`// id: the attack in one sentence.`"),
        );
    }
    Ok((first.key.clone(), first.value.clone()))
}

/// Whether a script says no more about itself than its title.
pub fn is_bare(text: &str) -> bool {
    lines(text).is_ok_and(|lines| lines.len() <= 1)
}

/// The script below its header.
#[must_use]
pub fn body(text: &str) -> &str {
    let count = lines(text).map_or(0, |lines| lines.last().map_or(0, |last| last.end));
    let mut rest = text;
    for _ in 0..count {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest.trim_start_matches('\n')
}

/// The seed of the sampled positions: the header's, or 1.
pub fn sample_seed(text: &str) -> u64 {
    let lines = lines(text).unwrap_or_default();
    let found = find(&lines, "sample").and_then(|line| sample(line).ok());
    found.map_or(1, |sample| sample.seed)
}

/// The whole header.
///
/// `defences` are the names of the client's defences; a header may name no other.
///
/// # Errors
///
/// The first line that is missing, unknown, doubled, or does not say what it must.
pub fn read(text: &str, defences: &[&str]) -> Result<Header, ScriptError> {
    let (id, sentence) = title(text)?;
    let lines = lines(text)?;
    let fields = lines.get(1..).unwrap_or_default();
    check_keys(fields)?;
    let after = lines.last().map_or(1, |last| last.end + 1);
    let must = |key: &str| {
        find(fields, key).ok_or_else(|| {
            ScriptError::new(Fault::Header, format!("the header has no line `{key}`"))
                .at(after, 1)
                .expected(format!("`// {key}: {}`", meaning(key)))
        })
    };
    let class = must("class")?;
    one_of(class, "class", known::CLASSES.iter().copied())?;
    let guarantee = guarantee(must("guarantee")?)?;
    let source = must("source")?;
    if source.value.is_empty() {
        return Err(empty(source));
    }
    let verdict = must("verdict")?;
    one_of(verdict, "expected verdict", known::VERDICTS.iter().copied())?;
    let line = find(fields, "control");
    let (control, planted) = control(line)?;
    let uncontrolled = line.and_then(|line| line.value.strip_prefix("none:"));
    let defence_list = must("defences")?;
    Ok(Header {
        id,
        sentence,
        class: class.value.clone(),
        guarantee,
        source: source.value.clone(),
        defences: read_defences(defence_list, control, defences)?,
        verdict: Verdict::parse(&verdict.value).ok_or_else(|| empty(verdict))?,
        control,
        planted,
        uncontrolled: uncontrolled.map(|why| why.trim().to_owned()),
        depth: find(fields, "depth")
            .map(depth)
            .transpose()?
            .unwrap_or_default(),
        rows: find(fields, "rows").map(words).unwrap_or_default(),
        sample: find(fields, "sample").map(sample).transpose()?,
        two_secrets: two_secrets(find(fields, "secrets"))?,
        needs: needs(find(fields, "needs"))?,
    })
}

/// What each key is for, as the value that a template shows.
pub const fn meaning(key: &str) -> &'static str {
    match key.as_bytes() {
        b"class" => "the folder of the library, such as freshness",
        b"guarantee" => "G1 to G15, the one that falls without the defences",
        b"source" => "where the attack was published, such as [SUNDR04]",
        b"defences" => "the smallest set whose removal breaks the guarantee",
        b"verdict" => "caught, harmless or admitted",
        b"control" => {
            "planted LIE, claim, or none: and the reason, where no defence can be removed"
        }
        b"depth" => "5, and why so many expectations stand without the defences as well",
        b"rows" => "other rows and cases that the script covers",
        b"secrets" => "two, if the server must see the same whatever the secrets are",
        b"sample" => "count 64, seed 1, if a quantifier is sampled",
        _ => "what a client must offer beyond what the verbs show",
    }
}

/// Splits the leading comment lines into keys and values; deeper indentation continues a value.
fn lines(text: &str) -> Result<Vec<Line>, ScriptError> {
    let mut found: Vec<Line> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let Some(comment) = raw.strip_prefix("//") else {
            break;
        };
        let line = index + 1;
        if found.is_empty() && comment.trim().is_empty() {
            return Err(no_title(line));
        }
        if comment.trim().is_empty() {
            break;
        }
        let indent = comment.len() - comment.trim_start().len();
        if let (true, Some(last)) = (indent > 1, found.last_mut()) {
            last.value.push(' ');
            last.value.push_str(comment.trim());
            last.end = line;
            continue;
        }
        let (key, value) = comment.split_once(':').unwrap_or((comment, ""));
        let is_key = comment.contains(':') && is_word(key.trim());
        if found.is_empty() && !comment.contains(':') {
            return Err(no_title(line));
        }
        if !found.is_empty() && !is_key {
            // What is no `key: value` is a remark about the script, and the header is over.
            break;
        }
        let column = 3 + key.chars().count() + 1 + value.len() - value.trim_start().len();
        found.push(Line {
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
            line,
            column,
            end: line,
        });
    }
    if found.is_empty() {
        return Err(no_title(1));
    }
    Ok(found)
}

/// Whether a text could be a key: one word in lower case.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

fn no_title(line: usize) -> ScriptError {
    ScriptError::new(Fault::Header, "the script does not say what it is")
        .at(line, 1)
        .expected("a first line `// id: the attack in one sentence.`")
}

fn empty(line: &Line) -> ScriptError {
    let key = &line.key;
    ScriptError::new(Fault::Header, format!("`{key}` says nothing"))
        .at(line.line, line.column)
        .expected(meaning(key))
}

fn check_id(line: &Line) -> Result<(), ScriptError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !line.key.is_empty() && line.key.len() <= 64 && line.key.chars().all(fits) {
        return Ok(());
    }
    Err(
        ScriptError::new(Fault::Header, format!("`{}` is no id", line.key))
            .at(line.line, 4)
            .expected(
                "a first line `// id: the attack in one sentence.`, the id in lower-case letters, \
                 digits and hyphens",
            ),
    )
}

fn check_keys(fields: &[Line]) -> Result<(), ScriptError> {
    for (index, field) in fields.iter().enumerate() {
        if !KEYS.contains(&field.key.as_str()) {
            let mut error = ScriptError::not_in(Fault::Header, "header key", &field.key, KEYS)
                .at(field.line, 4);
            error.meant = nearest(&field.key, KEYS).map(str::to_owned);
            return Err(error);
        }
        if fields[..index].iter().any(|other| other.key == field.key) {
            let what = format!("`{}` is said twice", field.key);
            return Err(ScriptError::new(Fault::Header, what).at(field.line, 4));
        }
    }
    Ok(())
}

fn find<'a>(fields: &'a [Line], key: &str) -> Option<&'a Line> {
    fields.iter().find(|field| field.key == key)
}

fn one_of<'a, I>(line: &Line, kind: &str, known: I) -> Result<(), ScriptError>
where
    I: IntoIterator<Item = &'a str> + Clone,
{
    if known.clone().into_iter().any(|name| name == line.value) {
        return Ok(());
    }
    Err(ScriptError::not_in(Fault::Header, kind, &line.value, known).at(line.line, line.column))
}

fn guarantee(line: &Line) -> Result<Guarantee, ScriptError> {
    Guarantee::parse(&line.value).ok_or_else(|| {
        ScriptError::new(
            Fault::Header,
            format!("there is no guarantee `{}`", line.value),
        )
        .at(line.line, line.column)
        .expected("one of G1 to G15")
    })
}

fn control(line: Option<&Line>) -> Result<(Control, Option<&'static Lie>), ScriptError> {
    let Some(line) = line else {
        return Ok((Control::Defences, None));
    };
    if let Some(reason) = line.value.strip_prefix("none:") {
        // That nothing shows the script's power is said with the reason, or not at all.
        return match reason.trim() {
            "" => Err(empty(line)),
            _ => Ok((Control::Planted, None)),
        };
    }
    let Some(name) = line.value.strip_prefix("planted ") else {
        one_of(line, "control", ["planted LIE", "none: REASON", "claim"])?;
        return Ok((Control::Claim, None));
    };
    let named = Lie::ALL.iter().find(|lie| lie.name == name.trim());
    let lie = named.ok_or_else(|| {
        let known = Lie::ALL.iter().map(|lie| lie.name);
        ScriptError::not_in(Fault::Header, "planted lie", name.trim(), known)
            .at(line.line, line.column)
    })?;
    Ok((Control::Planted, Some(lie)))
}

fn read_defences(
    line: &Line,
    control: Control,
    known: &[&str],
) -> Result<Vec<String>, ScriptError> {
    let names = words(line);
    if names.is_empty() {
        return Err(empty(line));
    }
    if names == ["none"] {
        if control == Control::Defences {
            return Err(ScriptError::new(
                Fault::Header,
                "a script without defences has no control",
            )
            .at(line.line, line.column)
            .expected(
                "the defences, or a line `// control: planted LIE`, `// control: claim` or \
                       `// control: none: REASON`",
            ));
        }
        return Ok(Vec::new());
    }
    for name in &names {
        if !known.contains(&name.as_str()) {
            let column = line.column + line.value.find(name.as_str()).unwrap_or(0);
            let known = known.iter().copied();
            return Err(
                ScriptError::not_in(Fault::Header, "defence", name, known).at(line.line, column)
            );
        }
    }
    Ok(names)
}

fn depth(line: &Line) -> Result<(usize, String), ScriptError> {
    let (count, why) = line.value.split_once(',').unwrap_or((&line.value, ""));
    let why = why.trim();
    match count.trim().parse() {
        Ok(count) if count > 0 && !why.is_empty() => Ok((count, why.to_owned())),
        _ => Err(
            ScriptError::new(Fault::Header, "a depth without its count and its reason")
                .at(line.line, line.column)
                .expected("`// depth: 5, the signature over all of them is seen first`"),
        ),
    }
}

fn two_secrets(line: Option<&Line>) -> Result<bool, ScriptError> {
    line.map_or(Ok(()), |line| one_of(line, "number of secrets", ["two"]))?;
    Ok(line.is_some())
}

fn needs(line: Option<&Line>) -> Result<Vec<String>, ScriptError> {
    let Some(line) = line else {
        return Ok(Vec::new());
    };
    let names = words(line);
    for name in &names {
        if !known::NEEDS.contains(&name.as_str()) {
            let what = format!("no client can be asked for `{name}`");
            let mut error = ScriptError::new(Fault::Header, what)
                .at(line.line, line.column)
                .expected(format!("one of {}", listed(known::NEEDS)));
            error.meant = nearest(name, known::NEEDS).map(str::to_owned);
            return Err(error);
        }
    }
    Ok(names)
}

fn sample(line: &Line) -> Result<Sample, ScriptError> {
    let words = words(line);
    let number = |key: &str| {
        let at = words.iter().position(|word| word == key)?;
        let word = words.get(at + 1)?;
        match word.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => word.parse().ok(),
        }
    };
    let count = number("count").and_then(|count| u32::try_from(count).ok());
    match (count, number("seed")) {
        (Some(count), Some(seed)) => Ok(Sample { count, seed }),
        _ => Err(
            ScriptError::new(Fault::Header, "a sample without its count and its seed")
                .at(line.line, line.column)
                .expected("`// sample: count 64, seed 1`"),
        ),
    }
}

fn words(line: &Line) -> Vec<String> {
    line.value
        .split([',', ' '])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
