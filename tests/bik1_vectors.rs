//! Every value of the card application's worked example (card-application, 1.8 and 2.5) is reproduced.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot be set up has to fail")]

mod support;

use jiff::Timestamp;
use support::bik1::{Example, booking, hex};
use teilhabe_terminal::{
    card::{
        BookingContext, CardError, Place,
        bik1::{self, Answer, ControlInformation},
        code,
        cose::{self, ObjectType, Sign1},
        credential::{CredentialClaims, IssuerClaims, Kind, ProofClaims},
        evidence,
        key::{PublicKey, Signature, sha256},
    },
    domain::{
        amount::Cents,
        ids::RecordId,
        reading::{Bik1Evidence, Evidence, Level, Route},
    },
    tlv,
};

fn second(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap()
}

#[test]
fn keys_decompress_and_have_their_names() {
    let example = Example::load();
    for name in ["key_root", "key_issuer", "key_card", "key_device"] {
        let compressed: [u8; 33] = example.bytes(&[name, "compressed"]).try_into().unwrap();
        let key = PublicKey::from_compressed(&compressed).unwrap();
        assert_eq!(key.id().to_vec(), example.bytes(&[name, "kid"]), "{name}");
        let uncompressed = [vec![4], example.bytes(&[name, "x"]), example.bytes(&[name, "y"])].concat();
        assert_eq!(key.uncompressed().to_vec(), uncompressed, "{name}");
    }
}

#[test]
fn signed_objects_are_rebuilt_byte_for_byte() {
    let example = Example::load();
    let issuer_claims = IssuerClaims {
        root: "de:bik-test-root".to_owned(),
        district: Example::district(),
        issued: second(1_767_225_600),
        expires: second(1_924_905_600),
        key: example.key("key_issuer"),
        kinds: 7,
    };
    let card_claims = CredentialClaims {
        district: Example::district(),
        issued: second(1_767_225_600),
        expires: second(1_861_833_600),
        cti: hex("00112233445566778899AABBCCDDEEFF").try_into().unwrap(),
        key: Some(example.key("key_card")),
        kind: Kind::Card,
    };
    let cases = [
        ("issuer_cert", ObjectType::IssuerCertificate, "key_root", issuer_claims.encode()),
        ("card_cred", ObjectType::Credential, "key_issuer", card_claims.encode()),
    ];
    for (name, object, signer, payload) in cases {
        let signer = example.key(signer);
        let protected = cose::protected_header(signer.id(), object);
        assert_eq!(protected, example.bytes(&[name, "protected"]), "{name}");
        assert_eq!(payload, example.bytes(&[name, "payload"]), "{name}");
        let to_be_signed = cose::signature_structure(&protected, &[], &payload);
        assert_eq!(sha256(&to_be_signed).0.to_vec(), example.bytes(&[name, "tbs_sha256"]), "{name}");
        let signature: [u8; 64] = example.bytes(&[name, "sig"]).try_into().unwrap();
        let whole = example.bytes(&[name, "cose"]);
        assert_eq!(cose::assemble(&protected, &payload, &signature), whole, "{name}");
        assert_eq!(u64::try_from(whole.len()).unwrap(), example.number(&[name, "len"]), "{name}");
        let parsed = Sign1::parse(&whole, object).unwrap();
        assert!(parsed.is_signed_by(&signer, &[]), "{name}");
        assert!(!parsed.is_signed_by(&example.key("key_device"), &[]), "{name}");
        assert!(!parsed.is_signed_by(&signer, b"something else"), "{name}");
    }
    let read = Sign1::parse(&example.bytes(&["issuer_cert", "cose"]), ObjectType::IssuerCertificate).unwrap();
    assert_eq!(IssuerClaims::read(read.claims()), Ok(issuer_claims));
    let read = Sign1::parse(&example.bytes(&["card_cred", "cose"]), ObjectType::Credential).unwrap();
    assert_eq!(CredentialClaims::read(read.claims()), Ok(card_claims));
}

#[test]
fn control_information_is_read() {
    let example = Example::load();
    let answer = example.bytes(&["fci"]);
    let (information, status) = answer.split_at(answer.len() - 2);
    assert_eq!(status, [0x90, 0x00]);
    assert_eq!(
        ControlInformation::parse(information),
        Ok(ControlInformation {
            version: (1, 0),
            authenticates: true,
            has_chain: true,
            phone: false,
            chooses_child: false,
            key_reference: 1,
            max_answer: 0xE0,
        })
    );
    assert_eq!(bik1::AID.to_vec(), example.bytes(&["aid"]));
}

#[test]
fn files_hold_their_objects() {
    let example = Example::load();
    for (file, place, object) in
        [("ef_cred", Place::CredentialFile, "card_cred"), ("ef_chain", Place::ChainFile, "issuer_cert")]
    {
        let content = example.file(file);
        assert_eq!(u64::try_from(content.len()).unwrap(), example.number(&[file, "len"]));
        assert_eq!(content[..8].to_vec(), example.bytes(&[file, "head8"]));
        assert_eq!(sha256(&content).0.to_vec(), example.bytes(&[file, "sha256"]));
        assert_eq!(tlv::announced_len(&content[..8]), Ok(content.len()));
        assert_eq!(bik1::signed_object(&content, place), Ok(example.bytes(&[object, "cose"])));
    }
}

#[test]
fn the_challenge_is_the_booking() {
    let example = Example::load();
    assert_eq!(booking().encode(), example.bytes(&["dyn", "ctx"]));
    assert_eq!(booking().challenge().to_vec(), example.bytes(&["dyn", "challenge"]));
}

/// Fault 9.
#[test]
fn the_answer_is_a_proof_for_this_booking_only() {
    let example = Example::load();
    let answer = example.bytes(&["dyn", "rapdu"]);
    let answer = Answer::parse(&answer[..answer.len() - 2]).unwrap();
    assert_eq!(answer.card_nonce.to_vec(), example.bytes(&["dyn", "card_nonce"]));
    assert_eq!(u64::from(answer.counter), example.number(&["dyn", "counter"]));
    assert_eq!(answer.signature, example.bytes(&["dyn", "sig_der"]));
    let challenge = booking().challenge();
    let message = bik1::signed_message(&answer.card_nonce, answer.counter, &challenge);
    assert_eq!(message, example.bytes(&["dyn", "signed_message"]));
    assert_eq!(sha256(&message).0.to_vec(), example.bytes(&["dyn", "msg_sha256"]));
    assert_eq!(answer.verify(&example.key("key_card"), &challenge), Ok(()));
    assert!(answer.verify(&example.key("key_device"), &challenge).is_err());
    let other = BookingContext { amount: Cents::new(4501).unwrap(), ..booking() };
    assert!(answer.verify(&example.key("key_card"), &other.challenge()).is_err());
}

#[test]
fn the_account_proves_the_evidence_again() {
    let example = Example::load();
    let answer = example.bytes(&["dyn", "rapdu"]);
    let answer = Answer::parse(&answer[..answer.len() - 2]).unwrap();
    let evidence = Bik1Evidence {
        credential: example.bytes(&["card_cred", "cose"]),
        chain: None,
        nonce: booking().nonce,
        beacon: booking().beacon,
        card_nonce: answer.card_nonce,
        counter: answer.counter,
        signature: answer.signature,
    };
    let at = second(booking().unix_time);
    let trust = example.trust();
    let proof = evidence::verify_bik1(&evidence, &booking(), &trust, at).unwrap();
    assert_eq!((proof.district, proof.kind, proof.counter), (Example::district(), Kind::Card, 5));
    assert_eq!(proof.cti.to_vec(), hex("00112233445566778899AABBCCDDEEFF"));
    assert!(!proof.chain_only);
    // By the chain alone, where the trust list does not know the issuer yet.
    let with_chain = Bik1Evidence { chain: Some(example.bytes(&["issuer_cert", "cose"])), ..evidence.clone() };
    let unlisted = example.trust_without_issuers();
    assert!(evidence::verify_bik1(&with_chain, &booking(), &unlisted, at).unwrap().chain_only);
    assert!(evidence::verify_bik1(&evidence, &booking(), &unlisted, at).is_err());
    // Moved to another record, or claimed with another counter.
    let moved = BookingContext { record: RecordId(uuid::Uuid::nil()), ..booking() };
    assert!(evidence::verify_bik1(&evidence, &moved, &trust, at).is_err());
    let counted = Bik1Evidence { counter: 6, ..evidence };
    assert!(evidence::verify_bik1(&counted, &booking(), &trust, at).is_err());
}

#[test]
fn an_app_proof_covers_its_credential() {
    let example = Example::load();
    let proof = example.proof("qr");
    let parsed = Sign1::parse(&proof, ObjectType::Proof).unwrap();
    let credential = example.app_credential();
    assert_eq!(sha256(&credential).0.to_vec(), example.bytes(&["qr", "aad"]));
    assert!(parsed.is_signed_by(&example.key("key_device"), &example.bytes(&["qr", "aad"])));
    assert!(!parsed.is_signed_by(&example.key("key_device"), &[]));
    let claims = ProofClaims::read(parsed.claims()).unwrap();
    assert_eq!(claims.audience, None);
    assert_eq!((claims.issued, claims.expires), (second(1_767_229_200), second(1_767_229_260)));
    assert_eq!(claims.token.to_vec(), hex("C0C1C2C3C4C5C6C7"));
    assert_eq!(parsed.claims().encode(), claims.encode());
    let bound = Sign1::parse(&example.proof("qr_bound"), ObjectType::Proof).unwrap();
    assert_eq!(ProofClaims::read(bound.claims()).unwrap().audience.as_deref(), Some("T-TEST-0001/493027"));
}

/// RFC 6979, A.2.5: P-256 with SHA-256, message "sample".
#[test]
fn the_curve_agrees_with_rfc_6979() {
    let key = hex("0360FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6");
    let key = PublicKey::from_compressed(&key.try_into().unwrap()).unwrap();
    assert_eq!(
        key.uncompressed()[33..].to_vec(),
        hex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")
    );
    let raw = hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
                   F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
    let signature = Signature::from_raw(&raw).unwrap();
    assert!(key.verifies(b"sample", &signature));
    assert!(!key.verifies(b"simple", &signature));
}

#[test]
fn the_three_codes_are_read() {
    let example = Example::load();
    let (trust, now) = (example.trust(), second(1_767_229_210));
    let printed = code::decode(example.text(&["static_qr", "string"]), &trust, now, None).unwrap();
    assert_eq!((printed.identified.level, printed.identified.route), (Level::SIGNED, Route::Code));
    assert_eq!(printed.identified.identities[0].bytes, hex("FFEEDDCCBBAA99887766554433221100"));
    assert_eq!(printed.evidence, Evidence::Bik1Static { credential: example.bytes(&["static_qr", "hex"]) });
    assert_eq!(printed.replay, None);

    let app = code::decode(example.text(&["qr", "string"]), &trust, now, Some("493027")).unwrap();
    assert_eq!(app.identified.level, Level::SIGNED, "fresh, but not bound");
    assert_eq!(app.identified.identities[0].bytes, hex("0F1E2D3C4B5A69788796A5B4C3D2E1F0"));
    let mark = app.replay.unwrap();
    assert_eq!(mark.jti.to_vec(), hex("C0C1C2C3C4C5C6C7"));
    assert_eq!(mark.until, second(1_767_229_260 + 90));

    let text = example.text(&["qr_bound", "string"]);
    let bound = code::decode(text, &trust, now, Some("493027")).unwrap();
    assert_eq!(bound.identified.level, Level::PROVEN);
    let Evidence::Bik1Code { credential, proof, challenge } = bound.evidence else { panic!("another evidence") };
    assert_eq!((credential, proof), (example.app_credential(), example.proof("qr_bound")));
    assert_eq!(challenge.as_deref(), Some("493027"));
    for shown in [None, Some("493028"), Some("")] {
        assert_eq!(code::decode(text, &trust, now, shown), Err(CardError::CodeChallenge), "{shown:?}");
    }
}
