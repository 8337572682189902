//! The honest workload for each operation.

use super::conformance::{Check, PASSWORD, Trial};
use crate::client::{DeviceName, FIRST, Operation};

/// What is checked of an operation, in words, and the check.
pub(super) type Checked = (&'static str, fn(&mut Trial<'_>) -> Check);

/// What to check of an operation.
pub(super) fn checked(operation: &str) -> Option<Checked> {
    Some(match operation {
        "sign_up" => ("a new user signs up", sign_up),
        "login" => ("a second device logs in, and again", login),
        "upload" => ("an upload replaces the one before it", upload),
        "upload_many" => ("each file of a batch is there", upload_many),
        "download" => (
            "0, 1, 300 and 1048576 bytes come back, also on another device and after a restart; \
             an unknown file is a usage error, and what the server lost is lost",
            download,
        ),
        "append" => ("appended bytes follow what was there", append),
        "delete" => ("a deleted file is gone, others stay", delete),
        "list" => ("the list is exact, empty at first", list),
        "share" | "receive" => ("a shared file is received and read", share),
        "revoke" => ("the owner reads on after a revocation", revoke),
        "fingerprint" => ("a fingerprint is the same for everybody", fingerprint),
        "verify" => ("the right fingerprint is taken", verify),
        _ => return None,
    })
}

fn sign_up(trial: &mut Trial<'_>) -> Check {
    trial.device("ann", FIRST).map(drop)
}

fn login(trial: &mut Trial<'_>) -> Check {
    trial.device("ann", FIRST)?;
    let phone = trial.device("ann", "phone")?;
    trial.run(&phone, &Operation::Login).map(drop)
}

fn upload(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    trial.put(&ann, "a", b"first")?;
    trial.put(&ann, "a", b"second")?;
    trial.expect(&ann, "a", b"second")
}

fn upload_many(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    let files = vec![
        (b"a".to_vec(), b"1".to_vec()),
        (b"b".to_vec(), b"22".to_vec()),
    ];
    trial.run(&ann, &Operation::UploadMany { files })?;
    trial.expect(&ann, "a", b"1")?;
    trial.expect(&ann, "b", b"22")
}

/// All byte values in turn, with a period that is no power of two.
fn pattern(length: usize) -> Vec<u8> {
    (0..=u8::MAX)
        .chain(0..=u8::MAX / 2)
        .cycle()
        .take(length)
        .collect()
}

fn download(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    for length in [0, 1, 300, 1_048_576] {
        trial.put(&ann, "a b/c%d", &pattern(length))?;
        trial.expect(&ann, "a b/c%d", &pattern(length))?;
    }
    trial.expect_gone(&ann, "never")?;
    let phone = trial.device("ann", "phone")?;
    trial.expect(&phone, "a b/c%d", &pattern(1_048_576))?;
    trial.external.crash(&ann);
    trial
        .external
        .start(&ann, PASSWORD, &mut trial.watch)
        .map_err(|error| error.to_string())?;
    trial.run(&ann, &Operation::Login)?;
    trial.expect(&ann, "a b/c%d", &pattern(1_048_576))?;
    trial.expect_stored("ann", "a b/c%d")
}

fn append(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    trial.put(&ann, "a", b"one")?;
    for content in [&b" two"[..], b"", b" three"] {
        let content = content.to_vec();
        trial.run(
            &ann,
            &Operation::Append {
                name: b"a".to_vec(),
                content,
            },
        )?;
    }
    trial.expect(&ann, "a", b"one two three")
}

fn delete(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    trial.put(&ann, "a", b"")?;
    trial.put(&ann, "b", b"stays")?;
    trial.run(
        &ann,
        &Operation::Delete {
            name: b"a".to_vec(),
        },
    )?;
    trial.expect_gone(&ann, "a")?;
    trial.expect(&ann, "b", b"stays")?;
    trial.put(&ann, "a", b"again")?;
    trial.expect(&ann, "a", b"again")
}

fn list(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    trial.expect_names(&ann, &[])?;
    trial.put(&ann, "b", b"1")?;
    trial.put(&ann, "a", b"2")?;
    trial.put(&ann, "b", b"3")?;
    trial.expect_names(&ann, &["a", "b"])?;
    let declared = trial
        .external
        .declared()
        .is_some_and(|one| one.has("delete"));
    if declared {
        trial.run(
            &ann,
            &Operation::Delete {
                name: b"a".to_vec(),
            },
        )?;
        trial.expect_names(&ann, &["b"])?;
    }
    Ok(())
}

/// Shares a file of ann's with bob, and has him receive and read it.
fn shared(trial: &mut Trial<'_>) -> Result<(DeviceName, DeviceName), String> {
    let ann = trial.device("ann", FIRST)?;
    let bob = trial.device("bob", FIRST)?;
    trial.put(&ann, "a", b"ours")?;
    let with = bob.user.clone();
    let answer = trial.run(
        &ann,
        &Operation::Share {
            name: b"a".to_vec(),
            with,
        },
    )?;
    let from = ann.user.clone();
    let (name, pointer) = (Some(b"a".to_vec()), answer.pointer);
    let as_name = b"from ann".to_vec();
    trial.run(
        &bob,
        &Operation::Receive {
            from,
            name,
            pointer,
            as_name,
        },
    )?;
    trial.expect(&bob, "from ann", b"ours")?;
    Ok((ann, bob))
}

fn share(trial: &mut Trial<'_>) -> Check {
    shared(trial).map(drop)
}

fn revoke(trial: &mut Trial<'_>) -> Check {
    let (ann, bob) = shared(trial)?;
    trial.run(
        &ann,
        &Operation::Revoke {
            name: b"a".to_vec(),
            from: bob.user,
        },
    )?;
    trial.expect(&ann, "a", b"ours")
}

fn fingerprint_of(trial: &mut Trial<'_>, asker: &DeviceName) -> Result<Vec<u8>, String> {
    let user = trial.user("bob");
    let answer = trial.run(asker, &Operation::Fingerprint { user })?;
    answer
        .fingerprint
        .filter(|one| !one.is_empty())
        .ok_or_else(|| "it is empty".to_owned())
}

fn fingerprint(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    let bob = trial.device("bob", FIRST)?;
    if fingerprint_of(trial, &ann)? == fingerprint_of(trial, &bob)? {
        return Ok(());
    }
    Err("ann and bob see two fingerprints of bob".to_owned())
}

fn verify(trial: &mut Trial<'_>) -> Check {
    let ann = trial.device("ann", FIRST)?;
    trial.device("bob", FIRST)?;
    let fingerprint = fingerprint_of(trial, &ann)?;
    let user = trial.user("bob");
    trial
        .run(&ann, &Operation::Verify { user, fingerprint })
        .map(drop)
}
