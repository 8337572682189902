//! Sharing, and who can be trusted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::json;
use turncoat_core::client::{Comparison, ContactStanding, Pick};
use turncoat_core::id::Fingerprint as Print;
use turncoat_core::wire::Frame as _;
use turncoat_core::{Error, Violation};

use super::connect::{Client, now};
use super::device::Device;
use super::names::{bytes, given, hex, named, shown};
use super::report::Report;
use super::told::fault;
use super::{Compare, Fingerprint, Receive, Share};
use crate::status::{Fault, Status};

type Outcome = Result<(), Fault>;

/// Bytes of a statement at most.
const STATEMENT_MAX: u64 = 16 << 20;

/// What a device without a memory admits.
pub(super) const UNKNOWN_AGE: &str =
    "this device saw nothing before, so nobody knows whether what the server shows is current";

/// What this device knows of its own account.
pub(super) fn account(client: &Client, new: bool, report: &mut Report) -> Outcome {
    let print = client.own_fingerprint();
    let monotone = client.opened().monotone;
    let known = match (new, monotone) {
        (true, _) => "signed up",
        (false, true) => "logged in; the account is not older than what this device saw before",
        (false, false) => UNKNOWN_AGE,
    };
    let lines = vec![known.to_owned(), format!("fingerprint {}", grouped(&print))];
    let document = json!({ "fingerprint": print.to_string(), "monotone": monotone });
    report.done(lines, document);
    Ok(())
}

pub(super) fn share(client: &mut Client, share: &Share, report: &mut Report) -> Outcome {
    let name = given(&share.name)?;
    let invitation = now(client.share(name, share.with.as_bytes()))
        .map_err(|error| fault(&doing("share", share), &error))?;
    let with = shown(share.with.as_bytes());
    let lines = vec![
        format!("shared {} with {with}", shown(name)),
        standing(&with, invitation.standing),
    ];
    let document = json!({
        "pointer": invitation.pointer.to_string(),
        "contact": word(invitation.standing),
    });
    report.done(lines, document);
    Ok(())
}

pub(super) fn receive(client: &mut Client, receive: &Receive, report: &mut Report) -> Outcome {
    let theirs = given(&receive.name)?;
    let name = receive
        .r#as
        .as_ref()
        .map_or(Ok(theirs), |name| given(name))?;
    let pick = Pick::Name(theirs);
    let received = now(client.receive(receive.from.as_bytes(), pick, name))
        .map_err(|error| fault(&format!("receive {}", shown(name)), &error))?;
    let from = shown(receive.from.as_bytes());
    let lines = vec![
        format!("received {} from {from}", shown(name)),
        standing(&from, received),
    ];
    report.done(
        lines,
        json!({ "name": named(name), "contact": word(received) }),
    );
    Ok(())
}

pub(super) fn revoke(client: &mut Client, share: &Share, report: &mut Report) -> Outcome {
    let name = given(&share.name)?;
    let revoked = now(client.revoke(name, share.with.as_bytes()))
        .map_err(|error| fault(&doing("revoke", share), &error))?;
    let mut lines = vec![format!(
        "revoked {} from {}; what was read before cannot be unread",
        shown(name),
        shown(share.with.as_bytes())
    )];
    lines.extend(revoked.passed_over.iter().map(|user| {
        format!("user {user} was not given the new key, for want of keys to trust; share anew")
    }));
    if let Some(author) = &revoked.spoilt {
        lines.push(format!(
            "user {author} left nothing in it that opens: it is empty now; put it anew"
        ));
    }
    let document = json!({
        "name": named(name),
        "from": share.with,
        "passed_over": revoked.passed_over.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "spoilt": revoked.spoilt.map(|author| author.to_string()),
    });
    report.done(lines, document);
    Ok(())
}

fn doing(what: &str, share: &Share) -> String {
    let name = shown(share.name.as_encoded_bytes());
    format!("{what} {name} {}", shown(share.with.as_bytes()))
}

pub(super) fn fingerprint(
    client: &mut Client,
    asked: &Fingerprint,
    report: &mut Report,
) -> Outcome {
    let Some(of) = &asked.of else {
        let print = client.own_fingerprint();
        let document = json!({ "fingerprint": print.to_string() });
        report.done(vec![grouped(&print)], document);
        return Ok(());
    };
    let doing = format!("fingerprint {}", shown(of.as_bytes()));
    let failed = |error| fault(&doing, &error);
    if let Some(verified) = &asked.verified {
        let print = parsed(verified)
            .ok_or_else(|| Fault::usage("a fingerprint is 64 hexadecimal digits"))?;
        match now(client.verify(of.as_bytes(), print)) {
            Err(Error::Violation(Violation::UntrustedKey { .. })) => {
                let found = now(client.fingerprint(of.as_bytes())).map_err(failed)?;
                return Err(differ(&doing, &print, &found.fingerprint));
            }
            other => other.map_err(failed)?,
        }
    }
    let found = now(client.fingerprint(of.as_bytes())).map_err(failed)?;
    let of = shown(of.as_bytes());
    let lines = vec![grouped(&found.fingerprint), standing(&of, found.standing)];
    let document = json!({
        "fingerprint": found.fingerprint.to_string(),
        "contact": word(found.standing),
    });
    report.done(lines, document);
    Ok(())
}

/// A slip of the person or the server's lie: only the two people can tell.
fn differ(doing: &str, given: &Print, found: &Print) -> Fault {
    Fault::of(
        Status::Violation,
        format!(
            "{doing}: the fingerprints differ\n  you gave:          {}\n  the account holds: {}\n  \
             what to do: read them to each other once more; if they still differ, somebody \
             exchanged keys: share nothing with that user over this server",
            grouped(given),
            grouped(found)
        ),
    )
}

/// A statement as it was handed over: a file, `-`, or the line itself.
fn handed_over(given: &Path) -> Result<Vec<u8>, Fault> {
    let shown_as = given.display().to_string();
    let is_text = shown_as.len() > 200 && shown_as.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unread = |why: String| match is_text {
        true => Fault::usage(why),
        false => Fault::usage(format!("{shown_as}: {why}")),
    };
    let mut text = String::new();
    let read = match given.to_str() {
        Some("-") => io::stdin()
            .lock()
            .take(STATEMENT_MAX)
            .read_to_string(&mut text),
        Some(line) if is_text => {
            text.push_str(line);
            Ok(text.len())
        }
        _ => File::open(given).and_then(|file| file.take(STATEMENT_MAX).read_to_string(&mut text)),
    };
    read.map_err(|error| unread(error.to_string()))?;
    bytes(&text).ok_or_else(|| {
        unread("this is no statement: make one with turncoat compare on the other device".into())
    })
}

pub(super) fn compare(
    client: &mut Client,
    device: &Device,
    asked: &Compare,
    report: &mut Report,
) -> Outcome {
    let Some(path) = &asked.statement else {
        let statement = client
            .statement()
            .map_err(|error| fault("compare", &error))?;
        let text = hex(&statement);
        report.done(vec![text.clone()], json!({ "statement": text }));
        return Ok(());
    };
    let statement = handed_over(path)?;
    let compared = now(client.compare(&statement)).map_err(|error| {
        let kept = client.evidence().iter().map(|evidence| {
            let both = [evidence.own.encode(), evidence.other.encode()].concat();
            device.keep("evidence", hex(&both).as_bytes())
        });
        let kept: Vec<String> = kept
            .map(|kept| match kept {
                Ok(path) => format!("\n  evidence: {}", path.display()),
                Err(error) => format!("\n  the evidence could not be kept: {error}"),
            })
            .collect();
        fault("compare", &error).and(&kept.concat())
    })?;
    let lines = compared.iter().map(|(space, comparison)| {
        let said = match comparison {
            Comparison::Same => "both devices have seen the same",
            Comparison::Ahead => "this device has seen all that the other has, and more",
            _ => {
                "the other device has seen more of a file that is not among this account's any more"
            }
        };
        format!("space {space}: {said}")
    });
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        lines.push("the two devices know no space in common: nothing was compared".to_owned());
    }
    let document = compared.iter().map(|(space, comparison)| {
        let comparison = format!("{comparison:?}").to_lowercase();
        json!({ "space": space.to_string(), "comparison": comparison })
    });
    report.done(lines, document.collect());
    Ok(())
}

fn word(standing: ContactStanding) -> &'static str {
    match standing {
        ContactStanding::Verified => "verified",
        ContactStanding::Pinned => "pinned",
        _ => "first-contact",
    }
}

fn standing(of: &str, standing: ContactStanding) -> String {
    match standing {
        ContactStanding::Verified => format!("{of}'s keys are those that you compared"),
        ContactStanding::Pinned => {
            format!("{of}'s keys are the same as before; you never compared them")
        }
        _ => format!(
            "{of}'s keys are seen for the first time: the server may have put its own there. \
             Compare with {of}: turncoat fingerprint {of}"
        ),
    }
}

/// A fingerprint in groups that two people can read to each other.
fn grouped(print: &Print) -> String {
    let digits = print.to_string();
    let groups = digits.as_bytes().chunks(4);
    let groups: Vec<String> = groups
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    groups.join(" ")
}

fn parsed(text: &str) -> Option<Print> {
    let digits: String = text.split_whitespace().collect();
    bytes(&digits)?.try_into().ok().map(Print)
}

#[cfg(test)]
mod tests {
    use super::{grouped, parsed};
    use turncoat_core::id::Fingerprint;

    #[test]
    fn a_fingerprint_is_read_back_however_it_is_grouped() {
        let print = Fingerprint(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(parsed(&grouped(&print)), Some(print));
        assert_eq!(parsed(&print.to_string()), Some(print));
        assert_eq!(parsed("12"), None);
        assert_eq!(parsed(&grouped(&print).replace('0', "g")), None);
    }
}
