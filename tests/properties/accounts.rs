//! Accounts, passwords and sessions, as the black-box cases of an examiner ask.

use turncoat_core::tree::Mountain;
use turncoat_core::wire::HistoryNode;
use turncoat_core::{Error, Password, Unavailable, Usage};
use turncoat_tests::{Deployment, TestSession, now};

fn read(session: &mut TestSession, name: &[u8]) -> Vec<u8> {
    now(session.download_all(name))
        .expect("the file is there")
        .0
}

fn refused<T>(login: Result<T, Error>) {
    let error = login.map(|_| ()).expect_err("nobody should be let in");
    assert_eq!(error, Error::Unavailable(Unavailable::Refused));
}

#[test]
fn f01_two_sessions_report_one_fingerprint() {
    let world = Deployment::new(1);
    let (_, laptop) = world.user("alice", 0);
    let phone = world.device("alice", "phone").login().expect("a login");
    assert_eq!(laptop.own_fingerprint(), phone.own_fingerprint());
}

#[test]
fn f02_a_name_that_is_taken_stays_as_it_is() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"hers")).expect("an upload");
    let before = world.stored();
    let thief = world.device("alice", "thief");
    let taken = thief.sign_up_as(1, &Password::new(b"other"));
    // That a name is taken is what the server says: nothing that the caller could be blamed for.
    assert_eq!(
        taken.map(|_| ()),
        Err(Error::Unavailable(Unavailable::Taken))
    );
    assert_eq!(world.stored(), before);
    let mut again = world.device("alice", "phone").login().expect("a login");
    assert_eq!(read(&mut again, b"f"), b"hers");
    assert_eq!(again.own_fingerprint(), alice.own_fingerprint());
}

/// A password cannot be changed. So no older record of an account exists that a server could put
/// back, and the one password is the only one, whatever its devices did since.
#[test]
fn s40_an_account_has_one_record_for_ever_and_the_manual_says_so() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let _ = world.user("bob", 1);
    let of_accounts = |world: &Deployment| -> Vec<(String, Vec<u8>)> {
        let stored = world.stored().into_iter();
        let kinds = ["Account", "Bag", "Public"];
        let of_account = |key: &str| kinds.iter().any(|kind| key.contains(kind));
        stored.filter(|(key, _)| of_account(key)).collect()
    };
    let at_first = of_accounts(&world);
    assert_eq!(at_first.len(), 6, "two accounts: {at_first:?}");
    now(alice.upload_all(b"f", b"hers")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    let phone = world.device("alice", "phone");
    let mut again = phone.login().expect("a login");
    now(again.append(b"f", b"!")).expect("an append");
    assert_eq!(of_accounts(&world), at_first);
    refused(phone.login_with(&Password::new(b"an older one")));
    let manual = include_str!("../../core/src/manual/threat_model.md");
    assert!(manual.contains("a password cannot be changed"));
}

#[test]
fn f03_an_empty_user_name_publishes_nothing() {
    let world = Deployment::new(1);
    let nobody = world.device("", "first");
    let made = nobody.sign_up(0).map(|_| ());
    assert_eq!(made, Err(Error::Usage(Usage::EmptyName)));
    assert_eq!(nobody.traffic().requests, 0);
    assert_eq!(world.stored(), []);
}

#[test]
fn f04_an_empty_password_is_a_password_and_equals_no_other() {
    let world = Deployment::new(1);
    let alice = world.device("alice", "first");
    alice
        .sign_up_as(0, &Password::new(b""))
        .expect("an empty password is legal");
    let phone = world.device("alice", "phone");
    phone.login_with(&Password::new(b"")).expect("a login");
    refused(phone.login_with(&Password::new(b" ")));
    refused(phone.login_with(&Password::new(b"\0")));
}

#[test]
fn f05_a_login_never_creates_an_account() {
    let world = Deployment::new(1);
    let zed = world.device("zed", "first");
    refused(zed.login());
    refused(zed.login());
    assert_eq!(world.stored(), []);
    zed.sign_up(0).expect("the name is free still");
}

#[test]
fn f06_s65_a_wrong_password_changes_nothing_and_locks_nobody_out() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"hers")).expect("an upload");
    let before = world.stored();
    let phone = world.device("alice", "phone");
    for _ in 0..20 {
        refused(phone.login_with(&Password::new(b"wrong")));
    }
    refused(world.device("nobody", "first").login());
    assert_eq!(world.stored(), before);
    let mut phone = phone.login().expect("the right password");
    assert_eq!(read(&mut phone, b"f"), b"hers");
}

/// Each account has a file of the same name and reads its own.
fn independent(names: &[&str]) {
    let world = Deployment::new(1);
    let mut sessions: Vec<TestSession> = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let (_, mut session) = world.user(name, number);
        let content = [name.as_bytes(), b" was here"].concat();
        now(session.upload_all(b"x", &content)).expect("an upload");
        now(session.append(b"x", b", twice")).expect("an append");
        sessions.push(session);
    }
    for (name, session) in names.iter().zip(&mut sessions) {
        let expected = [name.as_bytes(), b" was here, twice"].concat();
        assert_eq!(read(session, b"x"), expected, "{name:.20?}");
        let mut again = world.device(name, "again").login().expect("a login");
        assert_eq!(read(&mut again, b"x"), expected, "{name:.20?}");
    }
}

#[test]
fn f07_user_names_differ_by_case() {
    independent(&["Bob", "bob"]);
}

#[test]
fn f08_user_names_differ_by_blanks() {
    independent(&[" ", "a", "a "]);
    let nobody = Deployment::new(1).device("", "first").login().map(|_| ());
    assert_eq!(nobody, Err(Error::Usage(Usage::EmptyName)));
}

#[test]
fn f09_user_names_are_any_characters() {
    let long = "x".repeat(10_000);
    let names = [
        "/",
        "a/b",
        "..",
        "a\0b",
        "\n",
        "\u{1f980}",
        "\u{5d0}\u{5d1}\u{202e}",
        &long,
    ];
    independent(&names);
    let world = Deployment::new(1);
    let too_long = "x".repeat((64 << 10) + 1);
    let refused = world.device(&too_long, "first");
    let made = refused.sign_up(0).map(|_| ());
    assert_eq!(made, Err(Error::Usage(Usage::TooLong)));
    assert_eq!(refused.traffic().requests, 0);
}

#[test]
fn f12_s08_one_password_for_two_users_shares_nothing() {
    let world = Deployment::new(1);
    let password = Password::new(b"the same for both");
    let mut sessions = Vec::new();
    let mut stored: Vec<Vec<(String, Vec<u8>)>> = vec![Vec::new()];
    for (number, name) in ["alice", "carol"].into_iter().enumerate() {
        let device = world.device(name, "first");
        let mut session = device.sign_up_as(number, &password).expect("a user");
        now(session.upload_all(b"f", name.as_bytes())).expect("an upload");
        sessions.push(session);
        stored.push(world.stored());
    }
    assert_eq!(read(&mut sessions[0], b"f"), b"alice");
    assert_eq!(read(&mut sessions[1], b"f"), b"carol");
    let (alice, both) = (&stored[1], &stored[2]);
    let carol: Vec<_> = both.iter().filter(|one| !alice.contains(one)).collect();
    assert!(!carol.is_empty());
    nothing_in_common(
        alice.iter().map(|(_, bytes)| bytes.as_slice()),
        carol.iter().map(|(_, bytes)| bytes.as_slice()),
        &[],
    );
}

#[test]
fn s07_one_name_and_password_in_two_deployments_share_nothing() {
    let password = Password::new(b"the same in both");
    let deploy = |seed: u64| {
        let world = Deployment::new(seed);
        let device = world.device("alice", "first");
        let mut session = device.sign_up_as(seed as usize, &password).expect("a user");
        now(session.upload_all(b"f", b"the same")).expect("an upload");
        (session.user().0, world.stored())
    };
    let (user, first) = deploy(1);
    let (same, second) = deploy(2);
    assert_eq!(
        user, same,
        "who somebody is does not depend on a deployment"
    );
    nothing_in_common(
        first.iter().map(|(_, bytes)| bytes.as_slice()),
        second.iter().map(|(_, bytes)| bytes.as_slice()),
        &[&user],
    );
}

/// No stretch of 16 bytes is in both stores, but for public values and what every object has:
/// padding, the realm of these tests, and the few times that their clock tells.
fn nothing_in_common<'a>(
    first: impl Iterator<Item = &'a [u8]>,
    second: impl Iterator<Item = &'a [u8]>,
    public: &[&[u8]],
) {
    const WINDOW: usize = 16;
    // The first head of any space says that nothing came before it.
    let nothing = Mountain::<HistoryNode>::new().root();
    let public = [public, &[nothing.as_bytes()]].concat();
    let secret = |window: &[u8]| {
        let count = |wanted: u8| window.iter().filter(|byte| **byte == wanted).count();
        count(0) < 4 && count(7) < 4 && {
            let inside = |public: &&[u8]| {
                // A window that begins or ends in a public value is not one of its own.
                (8..=WINDOW).any(|size| {
                    let begins = window.get(..size).unwrap_or_default();
                    let ends = window.get(WINDOW - size..).unwrap_or_default();
                    let found = |part: &[u8]| public.windows(size).any(|own| own == part);
                    found(begins) || found(ends)
                })
            };
            !public.iter().any(inside)
        }
    };
    let known: std::collections::BTreeSet<&[u8]> = first
        .flat_map(|bytes| bytes.windows(WINDOW))
        .filter(|window| secret(window))
        .collect();
    assert!(known.len() > 1000, "{} windows are no store", known.len());
    for bytes in second {
        for window in bytes.windows(WINDOW) {
            assert!(!known.contains(window), "in both: {window:02x?}");
        }
    }
}

#[test]
fn f14_overwrites_and_appends_of_two_sessions_come_together() {
    let world = Deployment::new(1);
    let (_, mut laptop) = world.user("alice", 0);
    let mut phone = world.device("alice", "phone").login().expect("a login");
    now(laptop.upload_all(b"f", b"first")).expect("an upload");
    now(laptop.upload_all(b"f", b"over")).expect("an upload");
    now(phone.append(b"f", b"+more")).expect("an append");
    assert_eq!(read(&mut laptop, b"f"), b"over+more");
}

#[test]
fn f18_everything_is_readable_with_name_and_password_alone() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let (_, mut bob) = world.user("bob", 1);
    let fresh = |user: &str, life: u32| {
        let device = world.device(user, &format!("life {life}"));
        device.login().expect("name and password are enough")
    };
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    drop(alice);
    let mut alice = fresh("alice", 1);
    now(alice.append(b"f", b" two")).expect("an append");
    drop(alice);
    let mut alice = fresh("alice", 2);
    now(alice.share(b"f", b"bob")).expect("a share");
    drop(alice);
    now(bob.receive(b"alice", turncoat_core::client::Pick::Name(b"f"), b"g")).expect("a receipt");
    drop(bob);
    let mut bob = fresh("bob", 1);
    assert_eq!(read(&mut bob, b"g"), b"one two");
    now(bob.append(b"g", b" three")).expect("an append");
    drop(bob);
    let mut alice = fresh("alice", 3);
    assert_eq!(read(&mut alice, b"f"), b"one two three");
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    drop(alice);
    let mut alice = fresh("alice", 4);
    assert_eq!(read(&mut alice, b"f"), b"one two three");
    now(alice.delete(b"f")).expect("a deletion");
    drop(alice);
    assert!(
        now(fresh("alice", 5).list())
            .expect("a list")
            .names
            .is_empty()
    );
}

#[test]
fn s68_passwords_that_hash_alike_are_not_equivalent() {
    let digest = turncoat_core::hazmat::hash::sha256(&[b'x'; 65]);
    let pairs: [(&[u8], &[u8]); 4] = [
        (b"", b"\0"),
        (b"pw", b"pw\0"),
        (&[b'x'; 65], &digest),
        (&[b'y'; 64], &[[b'y'; 64].as_slice(), b"\0"].concat()),
    ];
    for (number, (one, other)) in pairs.into_iter().enumerate() {
        let world = Deployment::new(1);
        let device = world.device("alice", "first");
        device
            .sign_up_as(number, &Password::new(one))
            .expect("a user");
        let phone = world.device("alice", "phone");
        refused(phone.login_with(&Password::new(other)));
        phone.login_with(&Password::new(one)).expect("a login");
    }
}
