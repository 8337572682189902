//! Hash, MAC, password derivation and authenticated encryption against their vectors.

use turncoat_core::hazmat::{Label, Opaque, aead, equal, hash, kdf, mac};

use crate::file::{read, unhex};

fn label(name: &str) -> Label {
    let bytes = format!("turncoat/1/{name}:");
    *Label::ALL
        .iter()
        .find(|label| label.as_bytes() == bytes.as_bytes())
        .unwrap_or_else(|| panic!("no label {name}"))
}

#[test]
fn sha256_agrees_with_its_vectors() {
    for vector in read("sha256.txt") {
        let digest = hash::sha256(&vector.bytes("message"));
        assert_eq!(digest, vector.array("digest"), "{}", vector.name());
    }
}

/// FIPS 180's long message: a million times the letter a.
#[test]
fn sha256_of_a_million_letters_agrees_with_fips_180() {
    let expected = unhex("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_eq!(hash::sha256(&vec![b'a'; 1_000_000]).as_slice(), expected);
}

#[test]
fn hmac_sha256_agrees_with_its_vectors() {
    for vector in read("hmac_sha256.txt") {
        let tag = mac::hmac_sha256(&vector.bytes("key"), &vector.bytes("message"));
        let same = equal(&tag, &vector.bytes("tag"));
        assert_eq!(same, vector.is_valid(), "{}", vector.name());
    }
}

#[test]
fn pbkdf2_agrees_with_its_vectors() {
    for vector in read("pbkdf2_hmac_sha256.txt") {
        let expected = vector.bytes("output");
        let mut output = vec![0; expected.len()];
        let iterations = vector
            .text("iterations")
            .parse()
            .expect("iterations are a count");
        kdf::pbkdf2(
            &vector.bytes("password"),
            &vector.bytes("salt"),
            iterations,
            &mut output,
        );
        assert_eq!(output, expected, "{}", vector.name());
    }
}

/// The reason why passwords are hashed first: two of them can be one HMAC key.
#[test]
fn pbkdf2_alone_has_equivalent_passwords() {
    let derive = |password: &[u8]| {
        let mut output = [0; 32];
        kdf::pbkdf2(password, b"salt", 1, &mut output);
        output
    };
    assert_eq!(derive(b"secret"), derive(b"secret\0"));
    let long = [b'a'; 65];
    assert_eq!(derive(&long), derive(&hash::sha256(&long)));
}

#[test]
fn labelled_hashes_and_macs_agree_with_their_definition() {
    for vector in read("labelled.txt") {
        let label = label(vector.text("label"));
        let parts: Vec<Vec<u8>> = match vector.text("parts") {
            // A block without parts has one empty part if it is a hash, none if it is a MAC.
            "" if vector.has("key") => Vec::new(),
            parts => parts.split(',').map(unhex).collect(),
        };
        let output = if vector.has("key") {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            mac::mac(&vector.array("key"), label, &parts)
        } else {
            parts
                .iter()
                .fold(hash::Hasher::new(label), |hasher, part| hasher.part(part))
                .finish()
        };
        assert_eq!(output, vector.array("output"), "{}", vector.name());
    }
}

#[test]
fn a_part_in_pieces_hashes_as_the_whole() {
    let whole = hash::Hasher::new(Label::Segment)
        .part(b"ciphertext")
        .finish();
    let mut pieces = hash::Hasher::new(Label::Segment).number(10);
    pieces.update_raw(b"cipher");
    pieces.update_raw(b"text");
    assert_eq!(pieces.finish(), whole);
}

#[test]
fn aes_256_gcm_agrees_with_its_vectors() {
    for vector in read("aes_256_gcm.txt") {
        let (key, nonce) = (vector.array("key"), vector.array("nonce"));
        let associated = vector.bytes("associated");
        let mut buffer = vector.bytes("ciphertext");
        buffer.extend(vector.bytes("tag"));
        let sealed = buffer.clone();

        let opened = aead::open_in_place(&key, &nonce, &associated, &mut buffer);
        if !vector.is_valid() {
            assert_eq!(opened, Err(Opaque), "{}", vector.name());
            assert!(buffer.is_empty(), "{} leaves bytes behind", vector.name());
            continue;
        }
        assert_eq!(opened, Ok(()), "{}", vector.name());
        assert_eq!(buffer, vector.bytes("plaintext"), "{}", vector.name());
        aead::seal_in_place(&key, &nonce, &associated, &mut buffer);
        assert_eq!(buffer, sealed, "{}", vector.name());
    }
}

#[test]
fn less_than_a_tag_does_not_open() {
    for length in 0..aead::TAG_SIZE {
        let mut buffer = vec![0; length];
        let opened = aead::open_in_place(&[7; 32], &[0; 12], b"", &mut buffer);
        assert_eq!(opened, Err(Opaque), "{length} bytes");
    }
}

#[test]
fn a_slice_that_does_not_open_is_wiped() {
    let (key, nonce) = ([7; 32], [0; 12]);
    let mut data = *b"sixteen letters!";
    let tag = aead::seal_slice(&key, &nonce, b"here", &mut data);
    let sealed = data;
    assert_eq!(
        aead::open_slice(&key, &nonce, b"there", &mut data, &tag),
        Err(Opaque)
    );
    assert_eq!(data, [0; 16]);
    data = sealed;
    assert_eq!(
        aead::open_slice(&key, &nonce, b"here", &mut data, &tag),
        Ok(())
    );
    assert_eq!(&data, b"sixteen letters!");
}
