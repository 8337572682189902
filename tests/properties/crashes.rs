//! A process may end at, before or after any point where it waits: the device goes on from what it
//! remembers, and finds the old state or the new one, never a mix.

use turncoat_core::client::Pick;
use turncoat_core::{Error, Usage};
use turncoat_tests::{Crash, Deployment, Device, TestSession, Waits, now, until_crash};

struct World {
    deployment: Deployment,
    alice: Device,
    session: TestSession,
    bob: TestSession,
}

const OLD: &[u8] = b"old content";

/// Three chunks.
fn new_content() -> Vec<u8> {
    (0..2 * 65_532 + 100_u32)
        .map(|at| (at % 251) as u8)
        .collect()
}

/// Alice has a file of this content, which Bob shares in if `shared`.
fn world(shared: bool, content: &[u8]) -> World {
    let deployment = Deployment::new(11);
    let (alice, mut session) = deployment.user("alice", 0);
    let (_, mut bob) = deployment.user("bob", 1);
    now(session.upload_all(b"file", content)).expect("an upload");
    if shared {
        now(session.share(b"file", b"bob")).expect("a share");
        now(bob.receive(b"alice", Pick::Name(b"file"), b"theirs")).expect("a receipt");
    }
    World {
        deployment,
        alice,
        session,
        bob,
    }
}

/// One operation, and what its world must look like.
struct Case {
    shared: bool,
    run: fn(&mut TestSession) -> Result<(), Error>,
    /// What a read may return after a crash: before and after the operation.
    contents: fn() -> [Vec<u8>; 2],
    /// What trying again may say if the first try took effect.
    again: Option<Usage>,
}

fn read(session: &mut TestSession, name: &[u8]) -> Vec<u8> {
    now(session.download_all(name))
        .expect("the file is there")
        .0
}

fn crash_everywhere(case: &Case) {
    let mut points = 0;
    loop {
        let mut any = false;
        for crash in [Crash::Before(points), Crash::After(points)] {
            let World {
                deployment,
                alice,
                mut session,
                ..
            } = world(case.shared, &(case.contents)()[0]);
            let before = alice.remembered_heights();
            alice.crash_at(crash);
            let run = case.run;
            let ended = until_crash(|| run(&mut session));
            drop(session);
            alice.crash_at(Crash::Never);
            if let Waits::Finished(result) = ended {
                result.expect("an operation without a crash succeeds");
                continue;
            }
            any = true;
            let after = alice.remembered_heights();
            assert!(
                before
                    .iter()
                    .all(|(space, height)| after.get(space) >= Some(height)),
                "{crash:?}: what is remembered went back"
            );
            let mut restarted = alice.login().unwrap_or_else(|e| panic!("{crash:?}: {e}"));
            let [old, new] = (case.contents)();
            let seen = read(&mut restarted, b"file");
            assert!(
                seen == old || seen == new,
                "{crash:?}: {} bytes",
                seen.len()
            );
            match run(&mut restarted) {
                Ok(()) => {}
                Err(Error::Usage(usage)) if Some(usage) == case.again => {}
                Err(error) => panic!("{crash:?}: trying again: {error}"),
            }
            let mut other = deployment
                .device("alice", "other")
                .login()
                .expect("a login");
            let finally = read(&mut other, b"file");
            assert_eq!(finally, read(&mut restarted, b"file"), "{crash:?}");
        }
        if !any {
            break;
        }
        points += 1;
    }
    assert!(
        points >= 3,
        "{points} points are fewer than any operation has"
    );
}

/// One chunk of three is another one.
fn edited_content() -> Vec<u8> {
    let mut edited = new_content();
    edited[65_532] ^= 1;
    edited
}

#[test]
fn s72_a_crash_during_an_update_leaves_the_old_or_the_new_content() {
    for shared in [false, true] {
        crash_everywhere(&Case {
            shared,
            run: |session| now(session.update_all(b"file", &edited_content())).map(drop),
            contents: || [new_content(), edited_content()],
            again: None,
        });
    }
}

fn same() -> [Vec<u8>; 2] {
    [OLD.to_vec(), OLD.to_vec()]
}

fn same_of_three_chunks() -> [Vec<u8>; 2] {
    [new_content(), new_content()]
}

#[test]
fn s72_a_crash_during_an_upload_leaves_the_old_or_the_new_content() {
    for shared in [false, true] {
        crash_everywhere(&Case {
            shared,
            run: |session| now(session.upload_all(b"file", &new_content())),
            contents: || [OLD.to_vec(), new_content()],
            again: None,
        });
    }
}

#[test]
fn s72_a_crash_during_an_append_leaves_it_undone_or_done() {
    for shared in [false, true] {
        crash_everywhere(&Case {
            shared,
            run: |session| now(session.append(b"file", b" and more")),
            contents: || [OLD.to_vec(), b"old content and more".to_vec()],
            again: None,
        });
    }
}

#[test]
fn s72_a_crash_during_an_append_of_three_chunks_leaves_it_undone_or_done() {
    crash_everywhere(&Case {
        shared: false,
        run: |session| now(session.append(b"file", &new_content())),
        contents: || [OLD.to_vec(), [OLD, &new_content()].concat()],
        again: None,
    });
}

#[test]
fn s72_a_crash_during_an_upload_over_three_chunks_leaves_the_old_or_the_new_content() {
    for size in [0, 65_532, 65_533] {
        let run: fn(&mut TestSession) -> Result<(), Error> = match size {
            0 => |session| now(session.upload_all(b"file", &[])),
            65_532 => |session| now(session.upload_all(b"file", &new_content()[..65_532])),
            _ => |session| now(session.upload_all(b"file", &new_content()[..65_533])),
        };
        let contents: fn() -> [Vec<u8>; 2] = match size {
            0 => || [new_content(), Vec::new()],
            65_532 => || [new_content(), new_content()[..65_532].to_vec()],
            _ => || [new_content(), new_content()[..65_533].to_vec()],
        };
        crash_everywhere(&Case {
            shared: false,
            run,
            contents,
            again: None,
        });
    }
}

#[test]
fn s72_a_crash_during_a_share_leaves_the_file_readable_and_shareable() {
    for contents in [same, same_of_three_chunks] {
        crash_everywhere(&Case {
            shared: false,
            run: |session| now(session.share(b"file", b"bob")).map(|_| ()),
            contents,
            again: None,
        });
    }
}

#[test]
fn s72_a_crash_during_a_revocation_leaves_it_undone_or_done() {
    for contents in [same, same_of_three_chunks] {
        crash_everywhere(&Case {
            shared: true,
            run: |session| now(session.revoke(b"file", b"bob")).map(|_| ()),
            contents,
            again: Some(Usage::NotShared),
        });
    }
}

#[test]
fn s72_a_crash_during_a_deletion_leaves_the_name_or_frees_it() {
    let mut points = 0;
    loop {
        let World {
            alice,
            mut session,
            mut bob,
            ..
        } = world(true, OLD);
        alice.crash_at(Crash::After(points));
        let ended = until_crash(|| now(session.delete(b"file")));
        alice.crash_at(Crash::Never);
        let mut restarted = alice.login().expect("a login");
        if matches!(ended, Waits::Crashed) {
            match now(restarted.delete(b"file")) {
                Ok(()) | Err(Error::Usage(Usage::NoSuchFile)) => {}
                Err(error) => panic!("after point {points}: {error}"),
            }
        }
        assert!(now(restarted.list()).expect("a list").names.is_empty());
        let gone = now(bob.download_all(b"theirs")).map(|_| ());
        assert_eq!(gone, Err(Error::Usage(Usage::NoSuchFile)));
        if matches!(ended, Waits::Finished(_)) {
            break;
        }
        points += 1;
    }
    assert!(points >= 6, "two commits have more points than {points}");
}
