//! What an external client says in lines: nothing is taken for more than it says.

use crate::chooser::Chooser;
use crate::client::{Answer, Claims, Failure, Operation, Outcome};
use crate::driver::external::{Declaration, OPERATIONS, answer, ask};

/// How many lines came how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// First lines that declare a client.
    pub declared: usize,
    /// Answers that say what was returned.
    pub answered: usize,
    /// Answers that say why nothing was.
    pub failed: usize,
    /// Lines that are refused.
    pub refused: usize,
}

/// The longest sentence that says what is wrong with a line; a client shall not fill the report.
const SENTENCE_MAX: usize = 4 * 400;

/// Takes the bytes as the lines of a client that is asked for one operation after the other, by
/// turns, whatever it declared.
///
/// # Panics
///
/// If an answer says what its line cannot say, or a refusal more than a person wants to read.
#[must_use]
pub fn lines(bytes: &[u8]) -> Lines {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut found = Lines::default();
    let declared = Declaration::read(lines.next().unwrap_or_default());
    match &declared {
        Ok(declared) => {
            assert!(
                declared
                    .operations
                    .iter()
                    .all(|one| OPERATIONS.contains(&one.as_str()))
            );
            found.declared += 1;
        }
        Err(why) => {
            refusal(why);
            found.refused += 1;
        }
    }
    let declared = declared.unwrap_or_default();
    for ((id, line), operation) in (1..).zip(lines).zip(operations(bytes).iter().cycle()) {
        if let Ok(question) = ask(id, operation) {
            assert!(!question.contains(&b'\n'), "a question of two lines");
        }
        match answer(line, id, operation, &declared) {
            Ok(outcome) => {
                check(&outcome, operation, &declared);
                match outcome {
                    Ok(_) => found.answered += 1,
                    Err(_) => found.failed += 1,
                }
            }
            Err(why) => {
                refusal(&why);
                found.refused += 1;
            }
        }
    }
    found
}

/// One of each operation, with a name that the bytes choose.
fn operations(bytes: &[u8]) -> Vec<Operation> {
    let mut chooser = Chooser::from_bytes(bytes);
    let name: Vec<u8> = (0..chooser.choose(8))
        .map(|_| chooser.choose(256).to_be_bytes()[3])
        .collect();
    let (user, content) = ("bob".to_owned(), bytes.iter().take(9).copied().collect());
    vec![
        Operation::Download { name: name.clone() },
        Operation::List,
        Operation::Share {
            name: name.clone(),
            with: user.clone(),
        },
        Operation::Fingerprint { user: user.clone() },
        Operation::Receive {
            from: user,
            name: None,
            pointer: Some(name.clone()),
            as_name: name.clone(),
        },
        Operation::Upload { name, content },
    ]
}

fn check(outcome: &Outcome, operation: &Operation, declared: &Declaration) {
    let failure = match outcome {
        Ok(answer) => return check_answer(answer, operation, declared),
        Err(failure) => failure,
    };
    let Failure { name, text, .. } = failure;
    assert!(!Failure::OF_THE_STAGE.contains(&name.as_str()), "{name}");
    for words in [name, text] {
        refusal(words);
    }
}

fn check_answer(answer: &Answer, operation: &Operation, declared: &Declaration) {
    let of = |name: &str| operation.name() == name;
    assert_eq!(answer.content.is_some(), of("download"));
    assert_eq!(answer.names.is_some(), of("list"));
    assert_eq!(answer.fingerprint.is_some(), of("fingerprint"));
    assert!(answer.pointer.is_none() || of("share"));
    let Claims {
        monotone,
        bounded,
        witnesses,
        contact_verified,
    } = &answer.claims;
    for (made, claim) in [
        (monotone.is_some(), "monotone"),
        (bounded.is_some(), "bounded"),
        (witnesses.is_some(), "witnesses"),
        (contact_verified.is_some(), "contact_verified"),
    ] {
        assert!(!made || declared.claims.contains(claim), "{claim}");
    }
}

/// What is shown of a line is short, and nothing for a terminal to obey.
fn refusal(sentence: &str) {
    assert!(sentence.len() <= SENTENCE_MAX, "{} bytes", sentence.len());
    assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
}
