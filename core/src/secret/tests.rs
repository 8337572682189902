//! Every derivation has the value that its definition gives, computed by another implementation.

use alloc::format;
use alloc::string::String;

use super::{ContentKey, EpochKey, KeyBytes, KeyPair, MasterKey, NameKey, Password};
use crate::env::Entropy;
use crate::id::{Digest, FileId, PackId, SpaceId};
use crate::wire::{BagSecret, ENTRY_SIZE, Entry, FileEntry, Frame, NameRef, Region, SegmentNode};

/// An entropy that counts, so that a repeated draw would show.
struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

const KEY: [u8; 32] = [7; 32];
const SPACE: [u8; 32] = [1; 32];
const ID: [u8; 16] = [2; 16];

fn check(bytes: &[u8; 32], expected: &str) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected);
}

#[test]
fn a_password_derives_its_master_key() {
    let master = Password::new(b"correct horse").derive(&[3; 32], 1000);
    check(
        master.expose(),
        "b9f50058934a5a75e1a1a011991d72cc45b34e534e2ed67ccd8ed3b37f137555",
    );
}

#[test]
fn passwords_that_are_one_hmac_key_derive_different_master_keys() {
    let derive = |bytes: &[u8]| *Password::new(bytes).derive(&[3; 32], 1).expose();
    assert_ne!(derive(b"secret"), derive(b"secret\0"));
}

#[test]
fn a_master_key_derives_its_three_children() {
    let master = MasterKey::copy_from(&KEY);
    check(
        &master.login_proof().into_public(),
        "4ae3e8e514793b1885afcbe6a8804399b5649f6ad7cc854daf9930ab96b9ecef",
    );
    check(
        master.wrap_key().expose(),
        "73b0926334725874cfac6ecbbf1d3cd7e1cb1e54b7c02de9726819e737943ca8",
    );
    check(
        &master.bag_commitment(),
        "7eee5b5362dc146c67bd9e64700b62c2261ac262a2d86238a1ba7e0cecbaee81",
    );
}

#[test]
fn an_epoch_key_derives_its_children() {
    let epoch = EpochKey::copy_from(&KEY);
    check(
        &epoch.commitment(&SPACE, 5),
        "8e9a0558cc6757acc3b059424fd47de985088acfffdedc928c34b6fe31f1428a",
    );
    check(
        &epoch.locator(&SPACE),
        "9e223664e7b91778539e753d30fa56e60cb19b92d56ffd8e935cfedda3c82ff5",
    );
    check(
        epoch.name_key().expose(),
        "3cb8e674ab3b194ee1f9eeac5886565ddc4d0ae27b869b5dd418746f3be11360",
    );
    check(
        epoch.leaf_key(&ID).expose(),
        "62a54037e2265f9abd62f16ebb93bf852746a4b7f15476919f469607683e6aae",
    );
    check(
        epoch.note_key(&ID).expose(),
        "67f39cdda6a9f4e758e2f95faf75aa7af67ccfae21ddc336f9e89f8934881436",
    );
}

#[test]
fn a_name_key_gives_a_name_its_slot() {
    check(
        &NameKey::copy_from(&KEY).tag(1, b"notes.txt"),
        "8e34f8ce02d0fcae12440bc308e6f6b971a439ab18f499fb2424e9acdc383a67",
    );
}

#[test]
fn a_content_key_derives_its_children() {
    let content = ContentKey::copy_from(&KEY);
    check(
        content.chunk_key(&ID, 9).expose(),
        "ad89add7651d632dc21daffd4cd44db8147b71cd0c4d72a1d3625770979d8b18",
    );
    check(
        content.keyring_key(&ID).expose(),
        "33602d5ff59c8907a423aba42c68f47b1a5c2ec33c42c4882b9258846928065a",
    );
    check(
        content.name_object_key(&ID).expose(),
        "494cad4e34720c5ac6ffa64850eca536339e937eca22de26f5c9ad09b70d4c0a",
    );
}

#[test]
fn two_random_keys_differ() {
    let mut entropy = Counter(0);
    let (one, other) = (
        EpochKey::random(&mut entropy),
        EpochKey::random(&mut entropy),
    );
    assert_ne!(one.expose(), other.expose());
}

#[test]
fn debug_prints_no_bytes() {
    assert_eq!(format!("{:?}", MasterKey::copy_from(&KEY)), "MasterKey(..)");
    assert_eq!(
        format!("{:?}", Password::new(b"correct horse")),
        "Password(..)"
    );
}

#[test]
fn what_holds_keys_does_not_move_while_it_is_encoded() {
    // A vector that grew would have room for something else than was asked for.
    let prime = [0xff; 192];
    let secret = BagSecret {
        version: 1,
        encryption: KeyPair::new(&prime, &prime),
        signing: KeyPair::new(&prime, &prime),
        space: SpaceId(SPACE),
        space_salt: [5; 32],
        epoch_key: KeyBytes::new(&KEY),
    };
    assert_eq!(secret.encode().capacity(), BagSecret::ROOM);
    let node = SegmentNode {
        hash: Digest(KEY),
        bytes: 1,
    };
    let region = Region {
        pack: PackId(ID),
        offset: 0,
        length: 1,
        hash: Digest(KEY),
    };
    let largest = Entry::File(FileEntry {
        file: FileId(ID),
        version: 1,
        size: 1,
        content_key: KeyBytes::new(&KEY),
        key_index: 1,
        keyring: Some(region),
        segments: 65_535,
        peaks: alloc::vec![node; 16],
        name: NameRef::Inline(alloc::vec![b'n'; crate::wire::NAME_INLINE_MAX]),
    });
    assert_eq!(largest.encode().capacity(), ENTRY_SIZE);
}
