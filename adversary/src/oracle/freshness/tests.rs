//! Planted breaches of freshness that must be seen, and near misses that must pass.

use super::OTHER_MISTAKES;
use crate::client::{Claims, Class, Operation};
use crate::oracle::scene::Scene;
use crate::verdict::Guarantee::{G2, G3, G5};

fn claim(monotone: bool) -> Claims {
    Claims {
        monotone: Some(monotone),
        ..Claims::default()
    }
}

#[test]
fn an_older_version_after_a_newer_one_was_read_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.upload("alice", "n", "v2");
    scene.download("alice/phone", "n", "v2");
    scene.download("alice/phone", "n", "v1");
    scene.breaks(&[G3]);
}

#[test]
fn losing_ones_own_append_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.append("alice", "n", "+a");
    scene.download("alice", "n", "v1");
    scene.breaks(&[G3]);
}

#[test]
fn undoing_a_deletion_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.delete("alice", "n");
    scene.download("alice", "n", "v1");
    scene.breaks(&[G3]);
}

#[test]
fn denying_a_file_that_was_seen_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    let op = scene.start_download("alice", "n");
    scene.fail(op, "no-such-file");
    scene.breaks(&[G3]);
}

#[test]
fn an_older_listing_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "a", "1");
    scene.upload("alice", "b", "2");
    scene.list("alice", &["a"]);
    scene.breaks(&[G3]);
}

#[test]
fn writing_on_an_older_state_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.append("alice", "n", "+a");
    scene.append("alice", "n", "+b");
    scene.download("alice/phone", "n", "v1+b");
    scene.breaks(&[G2, G3]);
}

#[test]
fn accepting_an_older_head_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.head("alice", 1, 0, 1);
    scene.upload("alice", "n", "v2");
    scene.head("alice", 1, 1, 2);
    scene.accepted("alice", 1, 2);
    scene.accepted("alice", 1, 1);
    scene.breaks(&[G3]);
}

#[test]
fn claiming_too_much_and_too_little_are_breaches() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    let op = scene.start_download("alice/phone", "n");
    scene.end_claiming(op, Some("v1"), claim(true));
    scene.breaks(&[G3]);
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.head("alice", 1, 0, 1);
    scene.accepted("alice", 1, 1);
    let op = scene.start_download("alice", "n");
    scene.end_claiming(op, Some("v1"), claim(false));
    scene.breaks(&[G3]);
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    let op = scene.start_download("alice", "n");
    let invented = Claims {
        witnesses: Some(1),
        ..claim(true)
    };
    scene.end_claiming(op, Some("v1"), invented);
    scene.breaks(&[G3]);
}

#[test]
fn exact_claims_pass() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    let op = scene.start_download("alice/phone", "n");
    scene.end_claiming(op, Some("v1"), claim(false));
    let op = scene.start_download("alice/phone", "n");
    scene.end_claiming(op, Some("v1"), claim(true));
    scene.wipe("alice/phone");
    let op = scene.start_download("alice/phone", "n");
    scene.end_claiming(op, Some("v1"), claim(false));
    scene.passes();
}

#[test]
fn a_shared_space_seen_first_is_claimed_as_such() {
    let mut scene = Scene::new();
    scene.shared_by_alice_with_bob();
    scene.head("alice", 9, 0, 90);
    scene.accepted("bob/phone", 1, 5);
    let op = scene.start_download("bob/phone", "m");
    scene.accepted("bob/phone", 9, 90);
    scene.end_claiming(op, Some("v1"), claim(false));
    let op = scene.start_download("bob/phone", "m");
    scene.end_claiming(op, Some("v1"), claim(true));
    scene.passes();
}

#[test]
fn a_device_that_saw_nothing_may_be_shown_anything_old() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.upload("alice", "n", "v2");
    scene.download("alice/phone", "n", "v1");
    scene.wipe("alice/first");
    scene.download("alice/first", "n", "v1");
    scene.passes();
}

#[test]
fn an_equal_content_of_a_later_version_is_fresh() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.upload("alice", "n", "v2");
    scene.upload("alice", "n", "v1");
    scene.download("alice", "n", "v1");
    scene.passes();
    scene.download("alice", "n", "v2");
    scene.breaks(&[G3]);
}

#[test]
fn a_read_beside_a_write_may_see_either() {
    for read in ["v1", "v2"] {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        let write = scene.start_upload("alice/phone", "n", "v2");
        scene.download("alice", "n", read);
        scene.end(write, None);
        scene.passes();
    }
}

#[test]
fn a_frozen_state_is_no_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.download("alice/phone", "n", "v1");
    scene.upload("alice", "n", "v2");
    scene.download("alice/phone", "n", "v1");
    scene.passes();
}

#[test]
fn a_file_that_another_device_deleted_may_be_gone_or_not_yet() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.delete("alice/phone", "n");
    scene.download("alice", "n", "v1");
    let op = scene.start_download("alice", "n");
    scene.fail(op, "no-such-file");
    scene.passes();
}

/// Alice reads the second version, her process ends, and then the first one is shown.
fn rolled_back_across_a_restart(claims: Claims) -> Scene {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.upload("alice", "n", "v2");
    scene.restart("alice");
    let op = scene.start_download("alice", "n");
    scene.end_claiming(op, Some("v1"), claims);
    scene
}

#[test]
fn what_a_device_has_seen_outlives_its_process() {
    rolled_back_across_a_restart(Claims::default()).breaks(&[G3]);
    rolled_back_across_a_restart(claim(true)).breaks(&[G3]);
    rolled_back_across_a_restart(claim(false)).admits(&[G3]);
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.restart("alice");
    let op = scene.start_download("alice", "n");
    scene.fail(op, "no-such-file");
    scene.breaks(&[G3]);
}

#[test]
fn no_word_excuses_what_one_process_has_seen() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.upload("alice", "n", "v2");
    let op = scene.start_download("alice", "n");
    scene.end_claiming(op, Some("v1"), claim(false));
    scene.breaks(&[G3]);
    let mut scene = rolled_back_across_a_restart(claim(false));
    scene.upload("alice", "n", "v3");
    scene.admits(&[G3]);
    let op = scene.start_download("alice", "n");
    scene.end_claiming(op, Some("v2"), claim(false));
    scene.breaks(&[G3]);
}

#[test]
fn an_operation_that_waited_for_its_process_runs_in_it() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.upload("alice", "n", "v2");
    let op = scene.start_download("alice", "n");
    scene.restart("alice");
    scene.end_claiming(op, Some("v1"), claim(false));
    scene.admits(&[G3]);
}

#[test]
fn a_list_across_a_restart_is_held_to_the_same() {
    let relisted = |claims: Claims| {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "1");
        scene.upload("alice", "b", "2");
        scene.restart("alice");
        scene.list_claiming("alice", &["a"], claims);
        scene
    };
    relisted(Claims::default()).breaks(&[G3]);
    relisted(claim(false)).admits(&[G3]);
    let mut scene = relisted(claim(false));
    scene.upload("alice", "c", "3");
    scene.list_claiming("alice", &["a"], claim(false));
    scene.breaks(&[G3]);
}

#[test]
fn a_name_that_nobody_made_is_admitted_by_no_word() {
    let mut scene = Scene::new();
    scene.upload("alice", "a", "1");
    scene.restart("alice");
    scene.list_claiming("alice", &["a", "planted"], claim(false));
    scene.breaks(&[G5]);
}

#[test]
fn a_write_on_an_older_state_across_a_restart_is_admitted_by_who_reads_it() {
    let rewritten = |claims: Claims| {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.append("alice", "n", "+a");
        scene.restart("alice");
        scene.append("alice", "n", "+b");
        let op = scene.start_download("alice/phone", "n");
        scene.end_claiming(op, Some("v1+b"), claims);
        scene
    };
    assert!(rewritten(Claims::default()).fallen().contains(&G3));
    assert!(!rewritten(claim(false)).fallen().contains(&G3));
}

#[test]
fn who_never_claims_to_compare_may_say_so_each_time() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    for _ in 0..2 {
        let op = scene.start_download("alice", "n");
        scene.end_claiming(op, Some("v1"), claim(false));
    }
    scene.passes();
    let op = scene.start_download("alice", "n");
    scene.end_claiming(op, Some("v1"), claim(true));
    let op = scene.start_download("alice", "n");
    scene.end_claiming(op, Some("v1"), claim(false));
    scene.breaks(&[G3]);
}

#[test]
fn a_listing_beside_an_upload_may_miss_it() {
    let mut scene = Scene::new();
    scene.upload("alice", "a", "1");
    let write = scene.start_upload("alice/phone", "b", "2");
    scene.list("alice", &["a"]);
    scene.list("alice", &["a", "b"]);
    scene.end(write, None);
    scene.passes();
    scene.list("alice", &["c"]);
    scene.breaks(&[G5]);
}

#[test]
fn denying_a_file_in_other_words_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    let op = scene.start_download("alice", "n");
    scene.fail_with(op, Class::Usage, "unknown-file");
    scene.breaks(&[G3]);
}

#[test]
fn another_mistake_of_the_callers_denies_no_file() {
    for mistake in OTHER_MISTAKES {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        let op = scene.start_append("alice", "n", "+a");
        scene.fail_with(op, Class::Usage, mistake);
        scene.passes();
    }
}

#[test]
fn who_only_reads_cannot_make_the_mistakes_of_others() {
    for (mistake, fallen) in [
        ("full", true),
        ("already-shared", true),
        ("not-owner", true),
        ("empty-name", false),
        ("wrong-device", false),
    ] {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        let op = scene.start_download("alice", "n");
        scene.fail_with(op, Class::Usage, mistake);
        assert_eq!(scene.fallen().contains(&G3), fallen, "{mistake}");
    }
}

#[test]
fn a_list_that_goes_back_is_a_breach_without_any_head() {
    let mut scene = Scene::new();
    scene.upload("alice", "a", "1");
    scene.upload("alice", "b", "2");
    scene.list("alice/phone", &["a", "b"]);
    scene.list("alice/phone", &["a"]);
    scene.breaks(&[G3]);
}

#[test]
fn a_file_older_than_a_list_that_showed_it_is_a_breach() {
    let mut scene = Scene::new();
    scene.upload("alice", "a", "1");
    scene.list("alice/phone", &["a"]);
    let op = scene.start_download("alice/phone", "a");
    scene.fail(op, "no-such-file");
    scene.breaks(&[G3]);
}

#[test]
fn undoing_a_deletion_that_one_was_told_of_is_a_breach() {
    let told_by_list = |scene: &mut Scene| scene.list("alice/phone", &[]);
    let told_by_denial = |scene: &mut Scene| {
        let op = scene.start_download("alice/phone", "n");
        scene.fail(op, "no-such-file");
    };
    for told in [told_by_list as fn(&mut Scene), told_by_denial] {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.download("alice/phone", "n", "v1");
        scene.delete("alice", "n");
        told(&mut scene);
        scene.download("alice/phone", "n", "v1");
        scene.breaks(&[G3]);
    }
}

#[test]
fn a_list_tells_nothing_of_a_name_that_two_may_have_made_or_deleted() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.upload("alice", "n", "v2");
    scene.list("alice/phone", &["n"]);
    scene.download("alice/phone", "n", "v1");
    scene.passes();
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.download("alice/phone", "n", "v1");
    scene.delete("alice", "n");
    scene.list("alice/phone", &[]);
    scene.upload("alice", "n", "v3");
    scene.download("alice/phone", "n", "v3");
    scene.passes();
}

#[test]
fn who_holds_no_head_of_a_space_witnesses_nothing_in_it() {
    let witnessed = |theirs: u8| {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.accepted("alice", 1, 1);
        scene.upload("bob", "m", "v1");
        scene.head("bob", 2, 0, 2);
        scene.accepted("bob", theirs, theirs);
        scene.compare("alice", "bob", true);
        let op = scene.start_download("alice", "n");
        let claims = Claims {
            witnesses: Some(1),
            ..Claims::default()
        };
        scene.end_claiming(op, Some("v1"), claims);
        scene
    };
    witnessed(2).breaks(&[G3]);
    witnessed(1).passes();
}

/// Alice uploads a file that is shared and one that is not, as one batch. The head of her directory
/// comes first, and is accepted on her phone.
fn batch(fails: bool) -> Scene {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.share("alice", "n", "bob");
    let files = [("m", "w2"), ("n", "v2")];
    let files = files
        .map(|(name, content)| (name.into(), content.into()))
        .to_vec();
    let batch = scene.start("alice", Operation::UploadMany { files });
    scene.head("alice", 1, 0, 1);
    if fails {
        scene.fail(batch, "timeout");
    }
    scene.accepted("alice/phone", 1, 1);
    scene.download("alice/phone", "n", "v1");
    if !fails {
        scene.head("alice", 2, 0, 11);
        scene.end(batch, None);
    }
    scene
}

#[test]
fn one_head_of_a_batch_tells_nothing_of_the_file_that_has_another() {
    batch(true).passes();
    let mut scene = batch(false);
    scene.passes();
    scene.download("alice/phone", "n", "v2");
    scene.download("alice/phone", "n", "v1");
    scene.breaks(&[G3]);
}

#[test]
fn the_one_head_of_a_batch_tells_of_all_its_files() {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    let files = [("m", "w2"), ("n", "v2")];
    let files = files
        .map(|(name, content)| (name.into(), content.into()))
        .to_vec();
    let batch = scene.start("alice", Operation::UploadMany { files });
    scene.head("alice", 1, 0, 1);
    scene.end(batch, None);
    scene.accepted("alice/phone", 1, 1);
    scene.download("alice/phone", "n", "v1");
    scene.breaks(&[G3]);
}

/// Alice, whose directory is space 1, deletes a file that she shares: space 2 is emptied, and the
/// reply is lost.
fn deletion(of_the_name: bool) -> Scene {
    let mut scene = Scene::new();
    scene.upload("alice", "n", "v1");
    scene.head("alice", 1, 0, 1);
    scene.share("alice", "n", "bob");
    scene.head("alice", 2, 0, 10);
    let name = b"n".to_vec();
    let delete = scene.start("alice", Operation::Delete { name });
    scene.head("alice", 2, 10, 11);
    if of_the_name {
        scene.head("alice", 1, 1, 2);
    }
    scene.fail(delete, "timeout");
    scene.accepted("alice/phone", 2, 11);
    scene
}

#[test]
fn an_emptied_file_tells_nothing_of_its_name() {
    let mut scene = deletion(false);
    scene.list("alice/phone", &["n"]);
    scene.passes();
    let mut scene = deletion(true);
    scene.accepted("alice/phone", 1, 2);
    scene.list("alice/phone", &["n"]);
    scene.breaks(&[G3]);
}

#[test]
fn who_was_told_that_an_emptied_file_is_missing_may_list_its_name() {
    let told = |of_the_name: bool| {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.share("alice", "n", "bob");
        scene.head("alice", 2, 0, 10);
        scene.list("alice/phone", &["n"]);
        let name = b"n".to_vec();
        let delete = scene.start("alice", Operation::Delete { name });
        scene.head("alice", 2, 10, 11);
        if of_the_name {
            scene.head("alice", 1, 1, 2);
        }
        scene.fail(delete, "timeout");
        let name = b"n".to_vec();
        let gone = scene.start("alice/phone", Operation::Download { name });
        scene.fail(gone, "no-such-file");
        scene.list("alice/phone", &["n"]);
        scene
    };
    told(false).passes();
    told(true).breaks(&[G3]);
}

#[test]
fn one_file_of_a_batch_that_failed_tells_nothing_of_another() {
    let part = || {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        let files = [("m", "w2"), ("n", "v2")];
        let files = files
            .map(|(name, content)| (name.into(), content.into()))
            .to_vec();
        let batch = scene.start("alice", Operation::UploadMany { files });
        scene.wrote("alice", "head", 1);
        scene.fail(batch, "timeout");
        scene
    };
    let mut listed = part();
    listed.list("alice", &["m", "n"]);
    listed.download("alice", "n", "v1");
    listed.passes();
    let name = b"m".to_vec();
    let gone = listed.start("alice", Operation::Download { name });
    listed.fail(gone, "no-such-file");
    listed.breaks(&[G3]);
    let mut read = part();
    read.download("alice", "m", "w2");
    read.download("alice", "n", "v1");
    read.passes();
    let mut both = part();
    both.download("alice", "n", "v2");
    both.download("alice", "n", "v1");
    both.breaks(&[G3]);
}
