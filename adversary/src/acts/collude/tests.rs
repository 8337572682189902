//! What colluders forge verifies where it should, and nowhere else.

use super::*;
use crate::decryptor::formula;
use turncoat_core::id::{EnvelopeId, Epoch, SpaceId};
use turncoat_core::wire::Reply;

const REALM: Realm = Realm([7; 32]);

fn colluder(name: &str, number: usize) -> Colluder {
    Colluder::new(REALM, name, &pool::identities()[number]).unwrap()
}

fn record(bytes: &[u8]) -> SignedRecord {
    Reader::all(bytes, SignedRecord::read).unwrap()
}

/// What the signature of a record is over, written once more by hand.
fn signed_bytes(record: &PublicRecord) -> Vec<u8> {
    let mut bytes = b"TCsign\x01".to_vec();
    let label = b"turncoat/1/sign-record:";
    bytes.extend(u32::try_from(label.len()).unwrap().to_be_bytes());
    bytes.extend(label);
    bytes.extend(record.realm.0);
    bytes.extend(record.user.0);
    bytes.extend(1_u32.to_be_bytes());
    let body = record.encode();
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn a_record_of_another_name_is_signed_with_these_keys() {
    let eve = colluder("eve", 0);
    for bytes in [eve.record().unwrap(), eve.record_for("bob").unwrap()] {
        let signed = record(&bytes);
        let key = public_key(&signed.record.signing).unwrap();
        let message = signed_bytes(&signed.record);
        assert!(
            key.pss_verify::<Sha256>(&message, &signed.signature.0)
                .is_ok()
        );
    }
    assert_eq!(
        record(&eve.record_for("bob").unwrap()).record.user,
        user_id(&REALM, "bob")
    );
    assert_eq!(eve.record(), eve.record(), "a replay signs the same");
}

#[test]
fn only_one_scheme_is_the_clients() {
    let eve = colluder("eve", 0);
    let reply = Reply::Record(Some(record(&eve.record().unwrap()))).encode();
    for (name, valid) in [("pss", true), ("pss-salt-0", false), ("pss-salt-20", false)]
        .into_iter()
        .chain([("pkcs1", false)])
    {
        let scheme = Scheme::parse(name).unwrap();
        let forged = eve.sign(&reply, "record", scheme).unwrap();
        let Ok(Reply::Record(Some(signed))) = Reply::decode(&forged) else {
            panic!("no record");
        };
        let key = public_key(&signed.record.signing).unwrap();
        let message = signed_bytes(&signed.record);
        let verified = key
            .pss_verify::<Sha256>(&message, &signed.signature.0)
            .is_ok();
        assert_eq!(verified, valid, "{name}");
        assert_eq!(signed.signature.0.len(), 256);
        if scheme == Scheme::Pkcs1 {
            // Raised to the public exponent, it is the padded hash again.
            let signature = integer(&signed.signature.0).unwrap();
            let key = public_key(&signed.record.signing).unwrap();
            let mut power = signature.clone();
            for _ in 0..16 {
                power = power.mul_mod(&power, key.n());
            }
            let opened = power.mul_mod(&signature, key.n()).to_be_bytes();
            assert_eq!(opened[..3], [0, 1, 0xff]);
            assert_eq!(opened[224..], Sha256::digest(&message)[..]);
        }
    }
    assert_eq!(Scheme::parse("pss-salt-"), None);
    assert_eq!(eve.sign(&reply, "head", Scheme::Pss), None);
}

#[test]
fn a_wrapped_key_opens_with_the_recipients_key() {
    let (eve, bob) = (colluder("eve", 0), colluder("bob", 1));
    let envelope = Envelope {
        id: EnvelopeId([1; 16]),
        space: SpaceId([2; 32]),
        epoch: Epoch(3),
        role: 1,
        sender: user_id(&REALM, "alice"),
        sender_key: Fingerprint([4; 32]),
        recipient: bob.user,
        recipient_key: bob.fingerprint().unwrap(),
        wrapped: Blob(vec![5; 256]),
        note: Blob(vec![6; 100]),
    };
    let bare = envelope.clone();
    let genuine = SignedEnvelope {
        envelope,
        signature: Blob(vec![7; 256]),
    };
    let inbox = Reply::Inbox(vec![genuine]).encode();
    let recipient = bob.record().unwrap();
    let forged = eve.wrap(&inbox, "inbox.last", &recipient, b"plan");
    let forged = forged.unwrap();
    let Ok(Reply::Inbox(envelopes)) = Reply::decode(&forged) else {
        panic!("no inbox");
    };
    let forged = &envelopes[0].envelope;
    let key = formula::unwrap(&bob.encryption, forged).unwrap();
    assert_eq!(key, eve.epoch_key(&bare));
    assert_eq!(formula::open_note(&key, forged), Some(b"plan".to_vec()));
}
