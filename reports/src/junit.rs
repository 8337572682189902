//! JUnit XML: a class is a suite, a script is a case, and every finding fails.

use std::collections::BTreeMap;
use std::io;

use crate::text::{clipped, visible};
use crate::{Exporter, Results, ScriptResult, Verdict};

/// The JUnit document, for continuous integration.
#[derive(Clone, Copy, Debug)]
pub struct Junit;

impl Exporter for Junit {
    fn file_name(&self) -> &'static str {
        "report.junit.xml"
    }

    fn export(&self, results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
        let mut classes: BTreeMap<&str, Vec<&ScriptResult>> = BTreeMap::new();
        for script in &results.scripts {
            classes.entry(&script.class).or_default().push(script);
        }
        let client = attribute(&results.run.client.name);
        writeln!(output, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(output, "<testsuites name=\"turncoat {client}\">")?;
        for (class, scripts) in classes {
            let count = |wanted: Kind| {
                scripts
                    .iter()
                    .filter(|script| Kind::of(script) == wanted)
                    .count()
            };
            writeln!(
                output,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
                 skipped=\"{}\">",
                attribute(class),
                scripts.len(),
                count(Kind::Failure),
                count(Kind::Error),
                count(Kind::Skipped)
            )?;
            for script in scripts {
                case(script, output)?;
            }
            writeln!(output, "  </testsuite>")?;
        }
        not_run(&results.run.not_run, output)?;
        writeln!(output, "</testsuites>")?;
        output.flush()
    }
}

/// What an interrupt kept from its end has passed nothing.
fn not_run(ids: &[String], output: &mut dyn io::Write) -> io::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let count = ids.len();
    writeln!(
        output,
        "  <testsuite name=\"not run\" tests=\"{count}\" failures=\"0\" errors=\"{count}\" \
         skipped=\"0\">"
    )?;
    for id in ids {
        writeln!(
            output,
            "    <testcase classname=\"not run\" name=\"{}\">\n      <error type=\"interrupted\" \
             message=\"interrupted before its end\"/>\n    </testcase>",
            attribute(id)
        )?;
    }
    writeln!(output, "  </testsuite>")
}

/// What JUnit calls the outcome of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passed,
    Failure,
    Error,
    Skipped,
}

impl Kind {
    fn of(script: &ScriptResult) -> Self {
        match script.verdict {
            Verdict::Unknown => Self::Error,
            _ if script.is_finding() => Self::Failure,
            Verdict::Inapplicable => Self::Skipped,
            _ => Self::Passed,
        }
    }
}

fn case(script: &ScriptResult, output: &mut dyn io::Write) -> io::Result<()> {
    let (class, id) = (attribute(&script.class), attribute(&script.id));
    write!(output, "    <testcase classname=\"{class}\" name=\"{id}\"")?;
    let element = match Kind::of(script) {
        Kind::Passed => return writeln!(output, "/>"),
        Kind::Failure => "failure",
        Kind::Error => "error",
        Kind::Skipped => "skipped",
    };
    let message = format!("{}: {}", script.verdict, script.reason);
    writeln!(output, ">")?;
    if element == "skipped" {
        writeln!(
            output,
            "      <skipped message=\"{}\"/>",
            attribute(&message)
        )?;
    } else {
        writeln!(
            output,
            "      <{element} type=\"{}\" message=\"{}\">{}</{element}>",
            script.verdict,
            attribute(&message),
            attribute(&script.reproduction)
        )?;
    }
    writeln!(output, "    </testcase>")
}

/// Text for an attribute or an element: one line, markup escaped.
///
/// XML 1.0 has no way to write most control characters, so they are written out.
fn attribute(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(&clipped(text)).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // Scalar values that XML does not allow, besides the controls.
            '\u{fffe}' | '\u{ffff}' => escaped.extend(character.escape_default()),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{hostile, sample, sample_file};

    #[test]
    fn sample_is_what_is_committed() {
        sample_file(&Junit, "report.junit.xml");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(attribute("<a b=\"c\">'&\n\u{ffff}"), {
            "&lt;a b=&quot;c&quot;&gt;&apos;&amp;\\n\\u{ffff}"
        });
    }

    #[test]
    fn hostile_text_adds_no_element() {
        let mut bytes = Vec::new();
        Junit.export(&hostile(), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("<testcase ").count(), hostile().scripts.len());
        assert!(!text.contains("<img") && !text.contains("]]>"), "{text}");
    }

    #[test]
    fn an_unknown_is_an_error_even_where_it_was_expected() {
        let mut script = sample().scripts.remove(0);
        script.verdict = Verdict::Unknown;
        script.expected = Some(Verdict::Unknown);
        script.as_expected = true;
        assert!(Kind::of(&script) == Kind::Error);
    }
}
