//! Faults 23 and 24: whatever a scanner types is one of our codes or refused, and an app code is fresh, ours and used once.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot be set up has to fail")]

mod support;

use data_encoding::BASE32HEX_NOPAD;
use jiff::Timestamp;
use proptest::prelude::*;
use support::{bik1::Example, issuer::Signer};
use teilhabe_terminal::{
    card::{
        CardError,
        code::{self, Decoded},
        cose::ObjectType,
        credential::{CredentialClaims, Kind, ProofClaims},
        key::sha256,
    },
    cbor::Value,
    domain::{
        documents::NumberPrefix,
        ids::{CardNumber, DistrictId, IdentityKind},
        number,
        reading::{Evidence, Level, ReadFailure, Route},
    },
};

const NOW: i64 = 1_767_229_210;

fn second(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap()
}

fn decode(example: &Example, text: &str) -> Result<Decoded, CardError> {
    code::decode(text, &example.trust(), second(NOW), None)
}

fn word(result: &Result<Decoded, CardError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

fn whole_number(digits: &str) -> String {
    format!("{digits}{}", number::check_digits(&CardNumber::new(digits).unwrap()))
}

/// Fault 23.
#[test]
fn scanners_may_do_what_scanners_do() {
    let example = Example::load();
    let printed = example.text(&["static_qr", "string"]);
    let good = decode(&example, printed).unwrap();
    let around = [
        printed.to_lowercase(),
        format!("{printed}\r\n"),
        format!("\u{2}{printed}\u{3}"),
        format!("]Q1{printed}"),
        format!("\u{2}]q1{printed}\r"),
        format!("  {printed}\t"),
        format!("{}\r\n{}", &printed[..100], &printed[100..]),
    ];
    for text in around {
        assert_eq!(decode(&example, &text).as_ref(), Ok(&good), "{text:?}");
    }
    let number = whole_number("491712345678");
    let refused = [
        ("", "code_empty"),
        ("\r\n", "code_empty"),
        ("]Q1", "code_empty"),
        (code::SELF_TEST, "code_self_test"),
        ("BIKT10123456789ABCDEFGHIJKLMNOPQRSTUVWXZY", "code_self_test"),
        ("https://example.org/BIKS1QA25", "code_foreign"),
        ("HTTPS://EXAMPLE.ORG", "code_foreign"),
        ("BEGIN:VCARD\r\nVERSION:3.0\r\nN:Muster\r\nEND:VCARD", "code_foreign"),
        ("HC1:NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL", "code_foreign"),
        ("BIK", "code_foreign"),
        ("BIKX1QA25", "code_foreign"),
        ("BIKS2QA25", "code_foreign"),
        ("4006381333931", "code_foreign"),
        ("äöüß", "code_foreign"),
        ("BIKS1QA25W", "code_alphabet"),
        ("BIKS1QA25ß", "code_alphabet"),
        ("BIKS1QA25/", "code_alphabet"),
        ("BIKS1QA2", "code_alphabet"),
        ("BIKN1ABC", "code_foreign"),
        ("BIKN1", "code_foreign"),
        ("BIKS1", "cbor"),
        ("BIKD1", "cbor"),
    ];
    for (text, expected) in refused {
        assert_eq!(word(&decode(&example, text)), expected, "{text:?}");
    }
    assert_eq!(word(&decode(&example, &"A".repeat(4096))), "code_too_long");
    assert_eq!(word(&decode(&example, &format!("{printed}{printed}"))), "code_alphabet");
    assert_eq!(word(&decode(&example, &format!("{number}{number}"))), "code_foreign");
    assert_eq!(word(&decode(&example, &printed[..printed.len() - 8])), "cbor");
    for cut in 0..printed.len() {
        let error = decode(&example, &printed[..cut]).expect_err("half a code");
        let friendly = matches!(error.failure(), ReadFailure::NotOurCode | ReadFailure::Malformed);
        assert!(friendly, "{cut}: {error}");
    }
}

#[test]
fn numbers_are_seen_and_not_proven() {
    let example = Example::load();
    let whole = whole_number("491712345678");
    for (text, route) in [(whole.clone(), Route::Number), (format!("BIKN1{whole}"), Route::Code)] {
        let decoded = decode(&example, &text).unwrap();
        let identified = &decoded.identified;
        assert_eq!((identified.level, identified.route), (Level::SEEN, route));
        assert_eq!(identified.identities.len(), 1);
        assert_eq!(identified.identities[0].kind, IdentityKind::Number);
        assert_eq!(identified.identities[0].bytes, b"491712345678");
        assert_eq!(identified.tag.as_ref().unwrap().as_str(), "7807");
        assert!(!identified.must_authenticate);
        assert_eq!((decoded.evidence, decoded.replay), (Evidence::None, None));
    }
    let mut wrong = whole.clone();
    wrong.replace_range(4..5, "9");
    let other_district = whole_number("501712345678");
    let too_long = whole_number("4917123456789");
    let cases = [
        (wrong.clone(), "check_digits"),
        (format!("BIKN1{wrong}"), "check_digits"),
        (other_district.clone(), "code_unknown_number"),
        (format!("BIKN1{other_district}"), "code_unknown_number"),
        (too_long, "code_unknown_number"),
        // A foreign bar code of fourteen digits is not called a mistyped number.
        ("05012345678900".to_owned(), "code_foreign"),
    ];
    for (text, expected) in cases {
        assert_eq!(word(&decode(&example, &text)), expected, "{text}");
    }
}

#[test]
fn a_number_of_two_districts_stands_for_both() {
    let example = Example::load();
    let second_district = DistrictId::new("de:11111111").unwrap();
    let mut descriptor = example.descriptor();
    descriptor.districts.push(second_district.clone());
    descriptor.number_prefixes.push(NumberPrefix { district: second_district, prefix: "49".into(), length: 12 });
    let trust =
        teilhabe_terminal::card::Trust::new(vec![teilhabe_terminal::card::AccountTrust::new(&descriptor, None, None)]);
    let decoded = code::decode(&whole_number("491712345678"), &trust, second(NOW), None).unwrap();
    let districts: Vec<_> = decoded.identified.identities.iter().map(|one| one.district.as_str()).collect();
    assert_eq!(districts, ["de:00000000", "de:11111111"]);
}

/// Makes app codes that are signed correctly.
struct App {
    example: Example,
    issuer: Signer,
    device: Signer,
    card: Signer,
}

impl App {
    fn new() -> Self {
        let example = Example::load();
        let signer = |name| Signer::new(&example, name);
        Self { issuer: signer("key_issuer"), device: signer("key_device"), card: signer("key_card"), example }
    }

    fn claims(&self) -> CredentialClaims {
        CredentialClaims {
            district: Example::district(),
            issued: second(1_767_225_600),
            expires: second(1_767_225_600 + 35 * 86_400),
            cti: [3; 16],
            key: Some(self.device.public.clone()),
            kind: Kind::Phone,
        }
    }

    fn proof() -> ProofClaims {
        ProofClaims { audience: None, issued: second(NOW), expires: second(NOW + 60), token: [9; 8] }
    }

    fn code_by(&self, signer: &Signer, claims: &CredentialClaims, proof: &ProofClaims) -> String {
        let credential = self.issuer.issue(ObjectType::Credential, &claims.encode(), &[]);
        let proof = signer.issue(ObjectType::Proof, &proof.encode(), &sha256(&credential).0);
        transport(&credential, &proof)
    }

    fn code(&self, claims: &CredentialClaims, proof: &ProofClaims) -> String {
        self.code_by(&self.device, claims, proof)
    }
}

fn transport(credential: &[u8], proof: &[u8]) -> String {
    let array = Value::Array(vec![Value::Unsigned(1), Value::bytes(credential), Value::bytes(proof)]);
    format!("BIKD1{}", BASE32HEX_NOPAD.encode(&array.encode()))
}

/// Fault 24.
#[test]
fn app_codes_are_fresh_and_ours() {
    let app = App::new();
    let claims = app.claims();
    let proof = |from: i64, to: i64| ProofClaims { issued: second(from), expires: second(to), ..App::proof() };
    let cases = [
        ("ok", app.code(&claims, &App::proof())),
        ("ok", app.code(&claims, &proof(NOW - 120 - 89, NOW - 89))),
        ("code_expired", app.code(&claims, &proof(NOW - 120 - 90, NOW - 90))),
        ("code_expired", app.code(&claims, &proof(NOW - 120 - 91, NOW - 91))),
        ("code_expired", app.code(&claims, &proof(NOW - 86_400, NOW - 86_340))), // yesterday's screenshot
        ("ok", app.code(&claims, &proof(NOW + 90, NOW + 150))),
        ("code_not_yet_valid", app.code(&claims, &proof(NOW + 91, NOW + 151))),
        ("code_not_yet_valid", app.code(&claims, &proof(NOW + 600, NOW + 660))), // ten minutes ahead
        ("ok", app.code(&claims, &proof(NOW, NOW + 120))),
        ("code_lifetime", app.code(&claims, &proof(NOW, NOW + 121))),
        ("layout", app.code(&claims, &proof(NOW, NOW))),
        ("code_lifetime", {
            let claims = CredentialClaims { expires: second(1_767_225_600 + 35 * 86_400 + 1), ..claims.clone() };
            app.code(&claims, &App::proof())
        }),
        ("code_proof", app.code_by(&app.card, &claims, &App::proof())), // another device's key
        ("wrong_kind", app.code(&CredentialClaims { kind: Kind::Card, ..claims.clone() }, &App::proof())),
        ("wrong_kind", app.code(&CredentialClaims { kind: Kind::Printed, ..claims.clone() }, &App::proof())),
        ("code_challenge", {
            app.code(&claims, &ProofClaims { audience: Some("T-TEST-0001/493027".into()), ..App::proof() })
        }),
    ];
    for (expected, text) in cases {
        assert_eq!(word(&decode(&app.example, &text)), expected, "{text}");
    }
}

#[test]
fn a_proof_belongs_to_one_credential() {
    let app = App::new();
    let first = app.issuer.issue(ObjectType::Credential, &app.claims().encode(), &[]);
    let second_claims = CredentialClaims { cti: [4; 16], ..app.claims() };
    let other = app.issuer.issue(ObjectType::Credential, &second_claims.encode(), &[]);
    let proof = app.device.issue(ObjectType::Proof, &App::proof().encode(), &sha256(&first).0);
    assert_eq!(word(&decode(&app.example, &transport(&first, &proof))), "ok");
    assert_eq!(word(&decode(&app.example, &transport(&other, &proof))), "code_proof");
    assert_eq!(word(&decode(&app.example, &transport(&first, &first))), "wrong_type");
    assert_eq!(word(&decode(&app.example, &transport(&proof, &proof))), "wrong_type");
    let unsigned_for = app.device.issue(ObjectType::Proof, &App::proof().encode(), &[]);
    assert_eq!(word(&decode(&app.example, &transport(&first, &unsigned_for))), "code_proof");
}

#[test]
fn a_bound_code_is_for_one_terminal_and_one_challenge() {
    let app = App::new();
    let trust = app.example.trust();
    let level = |audience: &str, shown: Option<&str>| {
        let proof = ProofClaims { audience: Some(audience.to_owned()), ..App::proof() };
        let decoded = code::decode(&app.code(&app.claims(), &proof), &trust, second(NOW), shown)?;
        Ok(decoded.identified.level)
    };
    assert_eq!(level("T-TEST-0001/493027", Some("493027")), Ok(Level::PROVEN));
    let elsewhere =
        [("T-TEST-0002/493027", "493027"), ("T-TEST-0001/493028", "493027"), ("493027", "493027"), ("", "")];
    for (audience, shown) in elsewhere {
        assert_eq!(level(audience, Some(shown)), Err(CardError::CodeChallenge), "{audience}");
    }
}

#[test]
fn the_same_code_leaves_the_same_mark() {
    let app = App::new();
    let text = app.code(&app.claims(), &App::proof());
    let first = decode(&app.example, &text).unwrap().replay.unwrap();
    let again = decode(&app.example, &text.to_lowercase()).unwrap().replay.unwrap();
    assert_eq!(first, again);
    assert_eq!((first.cti, first.jti, first.until), ([3; 16], [9; 8], second(NOW + 150)));
    // Once the mark may be forgotten, the code is dead of itself.
    let trust = app.example.trust();
    assert_eq!(word(&code::decode(&text, &trust, first.until, None)), "code_expired");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}", prefix in prop::sample::select(vec!["", "BIKS1", "BIKD1", "BIKN1", "]Q1BIKD1"])) {
        let example = Example::load();
        let text = [prefix, &text].concat();
        prop_assert!(decode(&example, &text).is_err());
    }

    #[test]
    fn no_bytes_in_our_alphabet_panic(bytes: Vec<u8>, prefix in prop::sample::select(vec!["BIKS1", "BIKD1"])) {
        let example = Example::load();
        let text = format!("{prefix}{}", BASE32HEX_NOPAD.encode(&bytes));
        prop_assert!(decode(&example, &text).is_err());
    }
}
