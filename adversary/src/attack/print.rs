//! Attacks as scripts: each step prints as one line that parses back to it.

use std::fmt::{self, Write as _};

use super::{Attack, Edit, Expectation, Object, Step};
use crate::client::Operation;
use crate::selector::Audience;

impl Attack {
    /// The body of a script that performs the same steps.
    ///
    /// The choices are not part of it: they belong to the run.
    #[must_use]
    pub fn print(&self) -> String {
        let mut text = String::new();
        let mut open: Vec<&Expectation> = Vec::new();
        for step in &self.steps {
            let closed = match step {
                Step::Met => open.pop(),
                _ => None,
            };
            let indent = "    ".repeat(open.len());
            let line = match (step, closed) {
                (Step::Met, closed) => {
                    format!("}}{});", closed.map_or_else(String::new, honest_end))
                }
                (Step::Expect { expectation }, _) => {
                    open.push(expectation);
                    format!("{expectation} || {{")
                }
                (step, _) => format!("{step};"),
            };
            text.push_str(&indent);
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { user } => write!(f, "new_user({})", Text(user)),
            Self::Device { device } => write!(f, "new_device({})", Text(&device.to_string())),
            Self::Run { device, operation } => operation_on(f, &device.to_string(), "", operation),
            Self::Start { device, operation } => {
                operation_on(f, &device.to_string(), "start_", operation)
            }
            Self::Finish { operation } => write!(f, "finish(op({operation}))"),
            Self::Race { operations } => {
                f.write_str("race([")?;
                for (at, operation) in operations.iter().enumerate() {
                    write!(f, "{}op({operation})", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("])")
            }
            Self::Crash { device } => write!(f, "crash({})", Text(&device.to_string())),
            Self::CrashAt { operation, point } => write!(f, "crash_at(op({operation}), {point})"),
            Self::Restart { device } => write!(f, "start_again({})", Text(&device.to_string())),
            Self::Tear { device } => write!(f, "tear({})", Text(&device.to_string())),
            Self::Impostor { user, of } => {
                write!(f, "server.impostor({}, {})", Text(user), Text(of))
            }
            Self::Wipe { device } => write!(f, "start_empty({})", Text(&device.to_string())),
            Self::Hold { selector } => write!(f, "server.hold({})", Text(&selector.to_string())),
            Self::Answer { hold } => write!(f, "server.answer(hold({hold}))"),
            Self::AnswerAll { hold } => write!(f, "server.answer_all(hold({hold}))"),
            Self::Expect { expectation } => write!(f, "{expectation} || .."),
            Self::Met => f.write_str("met"),
            Self::Secret { bytes } => write!(f, "canary({})", Literal(bytes)),
            Self::Snapshot => f.write_str("server.snapshot()"),
            Self::EditRequest { request, edits } => edits_of(f, "edit_request", *request, edits),
            Self::EditReply { request, edits } => edits_of(f, "edit_reply", *request, edits),
            Self::Pause { request, reply } => write!(f, "server.pause({request}, {reply})"),
            Self::Resume { edits } => write!(f, "server.resume({})", Edits(edits)),
            act => act_on_store(f, act),
        }
    }
}

fn act_on_store(f: &mut fmt::Formatter<'_>, act: &Step) -> fmt::Result {
    let to = |audience: &Audience| match audience {
        Audience::Everyone => String::new(),
        audience => format!(", {}", Text(&audience.to_string())),
    };
    let alone = |audience: &Audience| Text(&audience.to_string()).to_string();
    f.write_str("server.")?;
    match act {
        Step::RollBackTo { snapshot, audience } => {
            write!(f, "roll_back_to(snapshot({snapshot}){})", to(audience))
        }
        Step::Flip {
            object,
            bit,
            audience,
        } => write!(f, "flip({object}, {bit}{})", to(audience)),
        Step::Truncate {
            object,
            size,
            audience,
        } => {
            write!(f, "truncate({object}, {size}{})", to(audience))
        }
        Step::Extend {
            object,
            bytes,
            audience,
        } => {
            write!(f, "extend({object}, {}{})", Literal(bytes), to(audience))
        }
        Step::Zero { object, audience } => write!(f, "zero({object}{})", to(audience)),
        Step::Replace {
            object,
            by,
            audience,
        } => {
            write!(f, "replace({object}, {by}{})", to(audience))
        }
        Step::Swap {
            first,
            second,
            audience,
        } => {
            write!(f, "swap({first}, {second}{})", to(audience))
        }
        Step::Hide { object, audience } => write!(f, "hide({object}{})", to(audience)),
        Step::HideAll { audience } => write!(f, "hide_all({})", alone(audience)),
        Step::Resurrect { object, audience } => write!(f, "resurrect({object}{})", to(audience)),
        Step::RollBack {
            object,
            versions,
            audience,
        } => {
            write!(f, "roll_back({object}, {versions}{})", to(audience))
        }
        Step::Put {
            object,
            bytes,
            audience,
        } => {
            write!(f, "put({object}, {}{})", Literal(bytes), to(audience))
        }
        Step::Fork { audience } => write!(f, "fork({})", alone(audience)),
        Step::Join => f.write_str("join()"),
        Step::Show { audience, of } => write!(f, "show({}, {})", alone(audience), alone(of)),
        Step::Freeze { audience } => write!(f, "freeze({})", alone(audience)),
        // All that is left: every other step is handled before.
        _ => f.write_str("heal()"),
    }
}

fn operation_on(
    f: &mut fmt::Formatter<'_>,
    device: &str,
    prefix: &str,
    operation: &Operation,
) -> fmt::Result {
    write!(f, "device({}).{prefix}", Text(device))?;
    let name = operation.name();
    match operation {
        Operation::SignUp | Operation::Login | Operation::List => write!(f, "{name}()"),
        Operation::Upload {
            name: file,
            content,
        }
        | Operation::Update {
            name: file,
            content,
        }
        | Operation::Append {
            name: file,
            content,
        } => {
            write!(f, "{name}({}, {})", Literal(file), Literal(content))
        }
        Operation::UploadMany { files } => {
            f.write_str("upload_many([")?;
            for (at, (file, content)) in files.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                write!(f, "{comma}[{}, {}]", Literal(file), Literal(content))?;
            }
            f.write_str("])")
        }
        Operation::Download { name: file } | Operation::Delete { name: file } => {
            write!(f, "{name}({})", Literal(file))
        }
        Operation::Share {
            name: file,
            with: user,
        }
        | Operation::Revoke {
            name: file,
            from: user,
        } => {
            write!(f, "{name}({}, {})", Literal(file), Text(user))
        }
        Operation::Receive {
            from,
            name: file,
            pointer,
            as_name,
        } => {
            let (verb, what) = match (file, pointer) {
                (Some(file), _) => ("receive", file.as_slice()),
                (None, pointer) => ("receive_pointer", pointer.as_deref().unwrap_or_default()),
            };
            write!(
                f,
                "{verb}({}, {}, {})",
                Text(from),
                Literal(what),
                Literal(as_name)
            )
        }
        Operation::Fingerprint { user } => write!(f, "{name}({})", Text(user)),
        Operation::Verify { user, fingerprint } => {
            write!(f, "{name}({}, {})", Text(user), Literal(fingerprint))
        }
        Operation::Compare { other } => {
            write!(f, "{name}(device({}))", Text(&other.to_string()))
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key } => write!(f, "object({}, {})", Text(&key.kind), Literal(&key.id)),
            Self::Written { operation, index } => write!(f, "wrote({operation}, {index})"),
        }
    }
}

impl fmt::Display for Expectation {
    /// The verb, up to the closure that it guards.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation { name, .. } => write!(f, "expect_violation({},", Text(name)),
            Self::Unavailable { name, .. } => write!(f, "expect_unavailable({},", Text(name)),
            Self::Usage { name } => write!(f, "expect_usage({},", Text(name)),
            Self::Success => f.write_str("expect_ok("),
            Self::Any { outcomes } => {
                f.write_str("expect_any([")?;
                for (at, outcome) in outcomes.iter().enumerate() {
                    write!(f, "{}{}", if at == 0 { "" } else { ", " }, Text(outcome))?;
                }
                f.write_str("],")
            }
            Self::Admitted { claim } => write!(f, "expect_admitted({},", Text(claim)),
            Self::NoRequest { selector } => {
                write!(f, "expect_no_request({},", Text(&selector.to_string()))
            }
            Self::ClosedTo { colluder, object } => {
                write!(f, "expect_closed_to({}, {object},", Text(colluder))
            }
            Self::OpenedBy { colluder, object } => {
                write!(f, "expect_opened_by({}, {object},", Text(colluder))
            }
            Self::SameView { second } => write!(f, "expect_same_view({second},"),
            Self::Unchanged => f.write_str("expect_unchanged("),
            Self::Anything => f.write_str("try_op("),
            Self::Observed => f.write_str("observe("),
        }
    }
}

impl Expectation {
    /// The verb and what it expects, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let text = self.to_string();
        match text.strip_suffix(',') {
            Some(call) => format!("{call})"),
            None => text.trim_end_matches('(').to_owned(),
        }
    }
}

/// What follows the closure: the mistake that the honest run comes to.
fn honest_end(expectation: &Expectation) -> String {
    match expectation {
        Expectation::Violation { honest, .. } | Expectation::Unavailable { honest, .. } => {
            let honest = honest.as_ref();
            honest.map_or_else(String::new, |name| format!(", {}", Text(name)))
        }
        _ => String::new(),
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replace { bytes } => write!(f, "put({})", Literal(bytes)),
            Self::Drop => f.write_str("drop()"),
            Self::Refuse { name } => write!(f, "refuse({})", Text(name)),
            Self::Twice => f.write_str("twice()"),
            Self::Acknowledge => f.write_str("acknowledge()"),
            Self::WaveThrough => f.write_str("wave_through()"),
            Self::StoreBut { name } => write!(f, "store_but({})", Text(name)),
            Self::Delay { duration_ms } => write!(f, "delay({duration_ms})"),
            Self::Late { requests } => write!(f, "late({requests})"),
            Self::Framed { framing } => write!(f, "framed({})", Text(framing.name())),
        }
    }
}

fn edits_of(f: &mut fmt::Formatter<'_>, verb: &str, request: u32, edits: &[Edit]) -> fmt::Result {
    write!(f, "server.{verb}({request}, {})", Edits(edits))
}

/// A closure over the message in hand.
struct Edits<'a>(&'a [Edit]);

impl fmt::Display for Edits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("|m| {")?;
        for edit in self.0 {
            write!(f, " m.{edit};")?;
        }
        f.write_str(" }")
    }
}

/// A string literal.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                letter if letter.is_control() => write!(f, "\\x{:02x}", u32::from(letter))?,
                letter => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

/// Bytes: a string literal if they are text, else their digits.
struct Literal<'a>(&'a [u8]);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // C1 controls take two bytes, so that an escape of two digits would not bring them back.
        let plain = |text: &&str| {
            !text
                .chars()
                .any(|letter| matches!(letter, '\u{7f}'..='\u{9f}'))
        };
        match std::str::from_utf8(self.0).ok().filter(plain) {
            Some(text) => Text(text).fmt(f),
            None => {
                f.write_str("hex(\"")?;
                // In pieces: what a handler puts may be megabytes.
                for bytes in self.0.chunks(256) {
                    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('?');
                    f.write_str(&digits.map(digit).collect::<String>())?;
                }
                f.write_str("\")")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Attack, Edit, Expectation, Object, Step};
    use crate::client::{DeviceName, Operation};
    use crate::selector::Audience;

    #[test]
    fn an_attack_prints_as_a_script() {
        let device = DeviceName::first("alice");
        let run = |operation| Step::Run {
            device: device.clone(),
            operation,
        };
        let attack = Attack {
            steps: vec![
                run(Operation::Upload {
                    name: b"n".to_vec(),
                    content: vec![0, 255],
                }),
                Step::Flip {
                    object: Object::Written {
                        operation: 0,
                        index: 1,
                    },
                    bit: 3,
                    audience: Audience::parse("bob"),
                },
                Step::EditReply {
                    request: 4,
                    edits: vec![Edit::Delay { duration_ms: 5 }, Edit::Drop],
                },
                Step::Expect {
                    expectation: Expectation::Violation {
                        name: "inauthentic".to_owned(),
                        honest: Some("no-such-file".to_owned()),
                    },
                },
                run(Operation::Download {
                    name: b"a \"b\"\n".to_vec(),
                }),
                Step::Met,
            ],
            choices: Vec::new(),
        };
        let lines = [
            "device(\"alice/first\").upload(\"n\", hex(\"00ff\"));",
            "server.flip(wrote(0, 1), 3, \"bob\");",
            "server.edit_reply(4, |m| { m.delay(5); m.drop(); });",
            "expect_violation(\"inauthentic\", || {",
            "    device(\"alice/first\").download(\"a \\\"b\\\"\\n\");",
            "}, \"no-such-file\");",
            "",
        ];
        assert_eq!(attack.print(), lines.join("\n"));
        assert_eq!(Expectation::Success.summary(), "expect_ok");
        let usage = Expectation::Usage {
            name: "too-long".to_owned(),
        };
        assert_eq!(usage.summary(), "expect_usage(\"too-long\")");
    }
}
