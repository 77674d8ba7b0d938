//! The order of verification of card-application 1.6: faults 7 (CBOR), 8 (headers), 9 (signatures), 11 and 13 (validity,
//! deny list), as tables. Every object is signed correctly unless the signature is the point.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot be set up has to fail")]

mod support;

use jiff::Timestamp;
use proptest::prelude::*;
use support::{
    bik1::{Example, booking, hex},
    issuer::{Signer, answer_template, der, der_integer, map, with},
};
use teilhabe_terminal::{
    card::{
        AccountTrust, Trust,
        bik1::{Answer, signed_message},
        cose::{self, ObjectType, Sign1},
        credential::{CredentialClaims, Kind},
        evidence,
        key::sha256,
    },
    cbor::Value,
    domain::{
        documents::{CardRoot, DenyList, TrustList},
        ids::DistrictId,
        reading::{Bik1Evidence, IssuerKey},
    },
};

const ISSUED: i64 = 1_767_225_600;
const NOW: i64 = 1_767_229_200;

fn second(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap()
}

struct Bench {
    example: Example,
    issuer: Signer,
    card: Signer,
    root: Signer,
}

impl Bench {
    fn new() -> Self {
        let example = Example::load();
        let signer = |name| Signer::new(&example, name);
        Self { issuer: signer("key_issuer"), card: signer("key_card"), root: signer("key_root"), example }
    }

    fn claims(&self) -> CredentialClaims {
        CredentialClaims {
            district: Example::district(),
            issued: second(ISSUED),
            expires: second(ISSUED + 1_000_000),
            cti: [7; 16],
            key: Some(self.card.public.clone()),
            kind: Kind::Card,
        }
    }

    fn payload(&self) -> Value {
        Value::decode(&self.claims().encode()).unwrap()
    }

    fn credential(&self, payload: &[u8]) -> Vec<u8> {
        self.issuer.issue(ObjectType::Credential, payload, &[])
    }

    /// A true answer of the card beside this credential.
    fn evidence(&self, credential: Vec<u8>, chain: Option<Vec<u8>>) -> Bik1Evidence {
        let answer = Answer::parse(&self.card.answer(1, &booking().challenge())).unwrap();
        Bik1Evidence {
            credential,
            chain,
            nonce: booking().nonce,
            beacon: booking().beacon,
            card_nonce: answer.card_nonce,
            counter: answer.counter,
            signature: answer.signature,
        }
    }

    fn verdict_at(&self, credential: Vec<u8>, chain: Option<Vec<u8>>, trust: &Trust, at: i64) -> &'static str {
        match evidence::verify_bik1(&self.evidence(credential, chain), &booking(), trust, second(at)) {
            Ok(_) => "ok",
            Err(error) => error.code(),
        }
    }

    fn verdict(&self, credential: Vec<u8>) -> &'static str {
        self.verdict_at(credential, None, &self.example.trust(), NOW)
    }
}

#[test]
fn header_games_have_codes_of_their_own() {
    let bench = Bench::new();
    let kid = bench.issuer.public.id();
    let header = map(&[(1, Value::int(-7)), (4, Value::bytes(kid)), (16, Value::text("bik-crd"))]);
    let payload = bench.claims().encode();
    let set = |key, value| with(&header, key, Some(value)).encode();
    let without = |key| with(&header, key, None).encode();
    let protected = [
        ("ok", header.encode()),
        ("header_empty", Vec::new()),
        ("header_empty", vec![0xA0]),
        ("header_algorithm", without(1)),
        ("header_algorithm", set(1, Value::int(0))),
        ("header_algorithm", set(1, Value::text("none"))),
        ("header_algorithm", set(1, Value::int(-35))),
        ("header_algorithm", set(1, Value::int(-8))),
        ("header_critical", set(2, Value::Array(vec![Value::int(99)]))),
        ("header_key_id", without(4)),
        ("header_key_id", set(4, Value::bytes(&kid[..7]))),
        ("header_key_id", set(4, Value::text("E65F963F"))),
        ("header_type", without(16)),
        ("header_type", set(16, Value::int(1))),
        ("header_unknown", set(99, Value::int(1))),
        ("header_unknown", set(5, Value::bytes([0; 12]))),
        ("header_unknown", vec![0x80]),
        ("wrong_type", set(16, Value::text("bik-pop"))),
        ("wrong_type", set(16, Value::text("bik-sta"))),
        ("wrong_type", set(16, Value::text("bik-iss"))),
        ("wrong_type", set(16, Value::text("BIK-CRD"))),
        ("unknown_issuer", set(4, Value::bytes([9; 8]))),
        ("cbor", [header.encode(), vec![0]].concat()),
        ("cbor", vec![0xBF, 0xFF]),
    ];
    for (expected, protected) in protected {
        let credential = bench.issuer.issue_with(&protected, &payload, &[]);
        assert_eq!(bench.verdict(credential), expected, "{protected:02X?}");
    }
    let signature = bench.issuer.sign(&cose::signature_structure(&header.encode(), &[], &payload));
    let sign1 = |parts: Vec<Value>| Value::Tag(18, Box::new(Value::Array(parts))).encode();
    let outside = |unprotected: Value| {
        sign1(vec![Value::bytes(header.encode()), unprotected, Value::bytes(&*payload), Value::bytes(signature)])
    };
    assert_eq!(bench.verdict(outside(map(&[]))), "ok");
    assert_eq!(bench.verdict(outside(map(&[(1, Value::int(-7))]))), "header_unprotected_algorithm");
    assert_eq!(bench.verdict(outside(map(&[(4, Value::bytes(kid))]))), "header_unprotected");
    assert_eq!(bench.verdict(outside(map(&[(33, Value::bytes([1]))]))), "header_unprotected");
}

#[test]
fn a_sign1_has_one_form() {
    let bench = Bench::new();
    let whole = Value::decode(&bench.credential(&bench.claims().encode())).unwrap();
    let Value::Tag(18, array) = &whole else { panic!("a COSE_Sign1") };
    let parts = array.as_array().unwrap().to_vec();
    let tagged = |tag, parts: &[Value]| Value::Tag(tag, Box::new(Value::Array(parts.to_vec()))).encode();
    let replaced = |at: usize, value: Value| {
        let mut parts = parts.clone();
        parts[at] = value;
        tagged(18, &parts)
    };
    let raw = parts[3].as_bytes().unwrap();
    let n = hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    let halves = |r: &[u8], s: &[u8]| Value::bytes([r, s].concat());
    let cases = [
        ("ok", tagged(18, &parts)),
        ("layout", Value::Array(parts.clone()).encode()),
        ("layout", tagged(17, &parts)),
        ("layout", tagged(98, &parts)),
        ("layout", tagged(18, &parts[..3])),
        ("layout", tagged(18, &[parts.clone(), vec![Value::int(0)]].concat())),
        ("layout", replaced(0, map(&[]))),
        ("layout", replaced(1, Value::bytes([]))),
        ("layout", replaced(2, Value::Null)),
        ("layout", replaced(3, Value::text("x"))),
        // Fault 9: 63 and 65 bytes, r or s zero or n.
        ("credential_signature", replaced(3, Value::bytes(&raw[..63]))),
        ("credential_signature", replaced(3, Value::bytes([raw, &[0]].concat()))),
        ("credential_signature", replaced(3, halves(&[0; 32], &raw[32..]))),
        ("credential_signature", replaced(3, halves(&raw[..32], &[0; 32]))),
        ("credential_signature", replaced(3, halves(&n, &raw[32..]))),
        ("credential_signature", replaced(3, halves(&raw[..32], &n))),
        ("size", [whole.encode(), vec![0; 400]].concat()),
        ("cbor", [whole.encode(), vec![0]].concat()),
        ("cbor", whole.encode()[..192].to_vec()),
    ];
    for (expected, credential) in cases {
        assert_eq!(bench.verdict(credential.clone()), expected, "{credential:02X?}");
    }
}

/// Fault 7: correctly signed, and refused all the same.
#[test]
fn cbor_attacks_are_refused() {
    let bench = Bench::new();
    let good = bench.claims().encode();
    let text = data_encoding::HEXUPPER.encode(&good);
    let replace = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        hex(&text.replace(from, to))
    };
    let cases = [
        ("ok", good.clone()),
        ("cbor", replace("016B64653A3030303030303030", "017F6364653A683030303030303030FF")), // indefinite text
        ("cbor", replace("061A6955B900", "041A6955B900")),                                   // a key twice
        ("cbor", replace("061A6955B900", "069AFFFFFFFF")),                                   // 2^32 items
        ("cbor", [vec![0x81; 400], vec![0]].concat()),                                       // depth 400
        ("cbor", replace("061A6955B900", "06FA4ED2AB72")),                                   // float as time
        ("cbor", [good.clone(), vec![0x00]].concat()),                                       // something after the end
        ("cbor", replace("061A6955B900", "061B000000006955B900")),                           // long form
        ("layout", replace("061A6955B900", "06C2446955B900")),                               // bignum
        ("layout", replace("061A6955B900", "063A6955B900")),                                 // before 1970
        ("layout", replace("061A6955B900", "061BFFFFFFFFFFFFFFFF")),                         // beyond all time
        ("layout", replace("061A6955B900", "061B7FFFFFFFFFFFFFFF")),
    ];
    for (expected, payload) in cases {
        assert_eq!(bench.verdict(bench.credential(&payload)), expected, "{payload:02X?}");
    }
}

#[test]
fn claims_are_exactly_those_of_the_table() {
    let bench = Bench::new();
    let good = bench.payload();
    let cnf = good.get(8).unwrap().clone();
    let key = cnf.get(1).unwrap().clone();
    let holder = |key: Value| Some(map(&[(1, key)]));
    let kind = |entries: &[(i64, i64)]| {
        let entries: Vec<_> = entries.iter().map(|(key, value)| (*key, Value::int(*value))).collect();
        Some(map(&entries))
    };
    let x = key.get(-2).unwrap().as_bytes().unwrap().to_vec();
    // No point of P-256 has x = 1.
    let mut off_curve = [0; 32];
    off_curve[31] = 1;
    let cases = [
        ("ok", -65537, kind(&[(1, 1), (2, 1), (3, 9), (-7, 0)])),
        ("critical_claim", -65537, kind(&[(1, 1), (2, 1), (4, 9)])),
        ("critical_claim", -65537, kind(&[(1, 1), (2, 1), (-2, 9)])),
        ("critical_claim", -65537, kind(&[(1, 2), (2, 1)])),
        ("layout", -65537, kind(&[(1, 1)])),
        ("layout", -65537, kind(&[(2, 1)])),
        ("layout", -65537, kind(&[(1, 1), (2, 0)])),
        ("layout", -65537, kind(&[(1, 1), (2, 3)])),
        ("layout", -65537, kind(&[(1, 1), (2, 8)])),
        ("layout", -65537, Some(Value::int(1))),
        ("layout", -65537, None),
        ("layout", 1, None),
        ("layout", 1, Some(Value::int(1))),
        ("layout", 1, Some(Value::text("de:0000000"))),
        ("layout", 1, Some(Value::text("de:000000000"))),
        ("layout", 1, Some(Value::text("at:00000000"))),
        ("layout", 1, Some(Value::text("de:0000000O"))),
        ("unknown_district", 1, Some(Value::text("de:99999999"))),
        ("layout", 4, None),
        ("layout", 4, Some(Value::int(ISSUED))),
        ("layout", 6, None),
        ("layout", 6, Some(Value::text("2026-01-01"))),
        ("layout", 7, None),
        ("layout", 7, Some(Value::bytes([7; 15]))),
        ("layout", 7, Some(Value::bytes([7; 17]))),
        ("layout", 8, None),
        ("layout", 8, Some(key.clone())),
        ("layout", 8, holder(with(&key, 1, Some(Value::int(1))))),
        ("layout", 8, holder(with(&key, -1, Some(Value::int(2))))),
        ("layout", 8, holder(with(&key, -2, Some(Value::bytes(&x[..31]))))),
        ("layout", 8, holder(with(&key, -3, Some(Value::bytes(&*x))))), // uncompressed form
        ("layout", 8, holder(with(&key, -3, None))),
        ("layout", 8, holder(with(&key, -4, Some(Value::bytes([1; 32]))))), // a private key
        ("not_a_point", 8, holder(with(&key, -2, Some(Value::bytes(off_curve))))),
        ("not_a_point", 8, holder(with(&key, -2, Some(Value::bytes([0xFF; 32]))))),
        ("layout", 3, Some(Value::text("T-1/123456"))),
        ("layout", 5, Some(Value::int(ISSUED))),
        ("layout", 99, Some(Value::Null)),
    ];
    for (expected, key, entry) in cases {
        let payload = with(&good, key, entry.clone()).encode();
        assert_eq!(bench.verdict(bench.credential(&payload)), expected, "{key}: {entry:?}");
    }
}

/// A card on which everything is wrong is mended from the first step to the last; each time the next fault speaks.
#[test]
fn the_first_failure_speaks() {
    let bench = Bench::new();
    let list = bench.example.trust_list();
    let issuer = |kinds, from, to| IssuerKey {
        kinds,
        not_before: second(from),
        not_after: second(to),
        ..list.issuers[0].clone()
    };
    let kid = bench.issuer.public.id();
    let deny = DenyList { seq: 1, exp: list.exp, prefixes: vec![*sha256(&[7; 16]).0.first_chunk().unwrap()] };
    let other = Signer::new(&bench.example, "key_device");
    let phone = CredentialClaims { kind: Kind::Printed, ..bench.claims() };
    let signed = |signer: &Signer, issued: i64, expires: i64| {
        let claims = CredentialClaims { issued: second(issued), expires: second(expires), ..phone.clone() };
        let protected = cose::protected_header(kid, ObjectType::Credential);
        signer.issue_with(&protected, &claims.encode(), &[])
    };
    let forged = signed(&other, NOW + 400, NOW + 500);
    let future = signed(&bench.issuer, NOW + 400, NOW + 500);
    let past = signed(&bench.issuer, ISSUED, NOW);
    let valid = signed(&bench.issuer, ISSUED, NOW + 1);
    let far = NOW + 1_000_000;
    let steps = [
        ("revoked_issuer", issuer(3, NOW + 600, NOW + 700), vec![kid], Some(&deny), &forged),
        ("kind_not_allowed", issuer(3, NOW + 600, NOW + 700), vec![], Some(&deny), &forged),
        ("issuer_not_yet_valid", issuer(7, NOW + 600, NOW + 700), vec![], Some(&deny), &forged),
        ("issuer_expired", issuer(7, ISSUED, NOW), vec![], Some(&deny), &forged),
        ("credential_signature", issuer(7, ISSUED, far), vec![], Some(&deny), &forged),
        ("not_yet_valid", issuer(7, ISSUED, far), vec![], Some(&deny), &future),
        ("expired", issuer(7, ISSUED, far), vec![], Some(&deny), &past),
        ("denied", issuer(7, ISSUED, far), vec![], Some(&deny), &valid),
        ("wrong_kind", issuer(7, ISSUED, far), vec![], None, &valid),
    ];
    for (expected, issuer, revoked_kids, deny, credential) in steps {
        let list = TrustList { issuers: vec![issuer], revoked_kids, ..list.clone() };
        let trust = bench.example.trust_with(Some(&list), deny);
        assert_eq!(bench.verdict_at(credential.clone(), None, &trust, NOW), expected);
    }
}

#[test]
fn validity_ends_to_the_second() {
    let bench = Bench::new();
    let (trust, end) = (bench.example.trust(), ISSUED + 1_000_000);
    let issuer_end = 1_924_905_600;
    let long = CredentialClaims { expires: second(issuer_end + 10), ..bench.claims() };
    let cases = [
        (bench.claims(), end, "expired"),
        (bench.claims(), end - 1, "ok"),
        (bench.claims(), ISSUED - 300, "ok"),
        (bench.claims(), ISSUED - 301, "issuer_not_yet_valid"),
        (CredentialClaims { issued: second(NOW + 300), ..bench.claims() }, NOW, "ok"),
        (CredentialClaims { issued: second(NOW + 301), ..bench.claims() }, NOW, "not_yet_valid"),
        (CredentialClaims { issued: second(ISSUED - 1), ..bench.claims() }, NOW, "issuer_not_yet_valid"),
        (long.clone(), issuer_end - 1, "ok"),
        (long, issuer_end, "issuer_expired"),
        (CredentialClaims { expires: second(253_402_207_200), ..bench.claims() }, 253_402_207_199, "issuer_expired"),
    ];
    for (claims, at, expected) in cases {
        let credential = bench.credential(&claims.encode());
        assert_eq!(bench.verdict_at(credential, None, &trust, at), expected, "{claims:?} at {at}");
    }
}

#[test]
fn districts_and_accounts_are_kept_apart() {
    let bench = Bench::new();
    let elsewhere = DistrictId::new("de:11111111").unwrap();
    let device = Signer::new(&bench.example, "key_device");
    let listed = |district: &DistrictId, signer: &Signer| IssuerKey {
        district: district.clone(),
        kid: signer.public.id(),
        key: *signer.public.compressed(),
        ..bench.example.trust_list().issuers[0].clone()
    };
    let by_device = device.issue(ObjectType::Credential, &bench.claims().encode(), &[]);
    let list = bench.example.trust_list();
    // Both districts in one account.
    let mut descriptor = bench.example.descriptor();
    descriptor.districts.push(elsewhere.clone());
    let mut both = list.clone();
    both.issuers.push(listed(&elsewhere, &device));
    let one = Trust::new(vec![AccountTrust::new(&descriptor, Some(&both), None)]);
    assert_eq!(bench.verdict_at(by_device.clone(), None, &one, NOW), "other_district");
    // Each in its own.
    let mut other = bench.example.descriptor();
    other.districts = vec![elsewhere.clone()];
    let other_list = TrustList { issuers: vec![listed(&elsewhere, &device)], ..list.clone() };
    let first = AccountTrust::new(&bench.example.descriptor(), Some(&list), None);
    let two = Trust::new(vec![first.clone(), AccountTrust::new(&other, Some(&other_list), None)]);
    assert_eq!(bench.verdict_at(by_device.clone(), None, &two, NOW), "other_district");
    // An account cannot speak for a district it does not serve.
    let claimed = TrustList { issuers: vec![listed(&Example::district(), &device)], ..list.clone() };
    let two = Trust::new(vec![first, AccountTrust::new(&other, Some(&claimed), None)]);
    assert_eq!(bench.verdict_at(by_device.clone(), None, &two, NOW), "unknown_issuer");
    // A key under another key's name is left out.
    let mut misnamed = listed(&Example::district(), &device);
    misnamed.kid = bench.issuer.public.id();
    let misnamed = TrustList { issuers: vec![misnamed], ..list };
    let trust = bench.example.trust_with(Some(&misnamed), None);
    assert_eq!(bench.verdict_at(bench.credential(&bench.claims().encode()), None, &trust, NOW), "unknown_issuer");
    assert_eq!(bench.verdict_at(by_device, None, &Trust::default(), NOW), "unknown_district");
}

#[test]
fn a_chain_leads_to_a_root_of_its_district_or_nowhere() {
    use teilhabe_terminal::card::credential::IssuerClaims;
    let bench = Bench::new();
    let trust = bench.example.trust_without_issuers();
    let good = IssuerClaims {
        root: "de:bik-test-root".to_owned(),
        district: Example::district(),
        issued: second(ISSUED),
        expires: second(ISSUED + 2_000_000),
        key: bench.issuer.public.clone(),
        kinds: 7,
    };
    let elsewhere = DistrictId::new("de:11111111").unwrap();
    let by =
        |signer: &Signer, claims: &IssuerClaims| signer.issue(ObjectType::IssuerCertificate, &claims.encode(), &[]);
    let by_root = |claims: IssuerClaims| by(&bench.root, &claims);
    let root_header = cose::protected_header(bench.root.public.id(), ObjectType::IssuerCertificate);
    let cases = [
        ("ok", by_root(good.clone())),
        ("other_district", by_root(IssuerClaims { district: elsewhere.clone(), ..good.clone() })),
        ("other_key", by_root(IssuerClaims { key: bench.card.public.clone(), ..good.clone() })),
        ("unknown_root", by(&bench.card, &good)),
        ("unknown_root", by(&bench.issuer, &good)),
        ("unknown_root", by_root(IssuerClaims { root: "de:another-root".to_owned(), ..good.clone() })),
        ("certificate_signature", bench.card.issue_with(&root_header, &good.encode(), &[])),
        ("chain_too_old", by_root(IssuerClaims { issued: second(1_767_000_000), ..good.clone() })),
        ("issuer_not_yet_valid", by_root(IssuerClaims { issued: second(NOW + 301), ..good.clone() })),
        ("issuer_not_yet_valid", by_root(IssuerClaims { issued: second(ISSUED + 1), ..good.clone() })),
        ("issuer_expired", by_root(IssuerClaims { expires: second(NOW), ..good.clone() })),
        ("kind_not_allowed", by_root(IssuerClaims { kinds: 6, ..good.clone() })),
        ("wrong_type", bench.credential(&bench.claims().encode())),
        ("cbor", vec![0xFF]),
    ];
    let credential = bench.credential(&bench.claims().encode());
    for (expected, certificate) in cases {
        let verdict = bench.verdict_at(credential.clone(), Some(certificate.clone()), &trust, NOW);
        assert_eq!(verdict, expected, "{certificate:02X?}");
    }
    // A root of another district of the same account does not help.
    let mut descriptor = bench.example.descriptor();
    descriptor.card_roots = vec![CardRoot { districts: vec![elsewhere], ..descriptor.card_roots[0].clone() }];
    let trust = Trust::new(vec![AccountTrust::new(&descriptor, None, None)]);
    assert_eq!(bench.verdict_at(credential, Some(by_root(good)), &trust, NOW), "unknown_root");
}

/// Fault 9: an answer has one spelling, and is for one challenge.
#[test]
fn answers_have_one_form() {
    let bench = Bench::new();
    let (key, challenge) = (&bench.card.public, booking().challenge());
    let nonce = *b"cardnonc";
    // A signature whose r and s both need no leading zero and one whose r does are tried by signing again.
    let raw = bench.card.sign(&signed_message(&nonce, 1, &challenge));
    let good = der(&raw);
    let (r, s) = (der_integer(&raw[..32]), der_integer(&raw[32..]));
    let sequence = |parts: &[&[u8]]| {
        let body = parts.concat();
        [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
    };
    let n = hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    let mut padded = r.clone();
    padded[1] += 1;
    padded.insert(2, 0);
    let mut negative = r.clone();
    if negative[2] == 0 {
        negative.remove(2);
        negative[1] -= 1;
    } else {
        negative[2] |= 0x80;
    }
    let long_form = [vec![0x30, 0x81, good[1]], good[2..].to_vec()].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("ok", good.clone()),
        ("proof_not_canonical", [good.clone(), vec![0]].concat()),
        ("proof_not_canonical", sequence(&[&r, &s, &[0]])),
        ("proof_not_canonical", sequence(&[&padded, &s])),
        ("proof_not_canonical", sequence(&[&negative, &s])),
        ("proof_not_canonical", long_form),
        ("proof_not_canonical", sequence(&[&r])),
        ("proof_not_canonical", sequence(&[&r, &[0x02, 0x00]])),
        ("proof_not_canonical", good[..good.len() - 1].to_vec()),
        ("proof_not_canonical", raw.to_vec()),
        ("proof_not_canonical", vec![]),
        ("proof_range", sequence(&[&[2, 1, 0], &s])),
        ("proof_range", sequence(&[&r, &[2, 1, 0]])),
        ("proof_range", sequence(&[&der_integer(&n), &s])),
        ("proof_range", sequence(&[&r, &der_integer(&n)])),
        ("proof_range", sequence(&[&r, &[&[0x02, 0x22, 0x01][..], &[0; 33]].concat()])),
        ("proof_signature", sequence(&[&s, &r])),
        ("proof_signature", der(&bench.card.sign(&signed_message(&nonce, 2, &challenge)))),
        ("proof_signature", der(&bench.card.sign(&signed_message(&nonce, 1, &[0; 32])))),
        ("proof_signature", der(&bench.issuer.sign(&signed_message(&nonce, 1, &challenge)))),
        ("proof_signature", {
            // The same signature under another application's name.
            let mut message = signed_message(&nonce, 1, &challenge);
            message[13] = 2;
            der(&bench.card.sign(&message))
        }),
    ];
    for (expected, signature) in cases {
        let answer = Answer::parse(&answer_template(&nonce, 1, &signature)).unwrap();
        let verdict = answer.verify(key, &challenge).map_or_else(|error| error.code(), |()| "ok");
        assert_eq!(verdict, expected, "{signature:02X?}");
    }
    let template = answer_template(&nonce, 1, &good);
    let layouts = [
        template[..template.len() - 1].to_vec(),
        [template.clone(), vec![0]].concat(),
        [vec![0x7D], template[1..].to_vec()].concat(),
        answer_template(&nonce[..7], 1, &good),
        hex("7C00"),
        hex("7C0A81081011121314151617"),
        vec![],
    ];
    for layout in layouts {
        assert_eq!(Answer::parse(&layout).unwrap_err().code(), "proof_layout", "{layout:02X?}");
    }
}

/// No single changed byte anywhere in credential, chain or answer is accepted.
#[test]
fn every_byte_counts() {
    let bench = Bench::new();
    let certificate = bench.example.bytes(&["issuer_cert", "cose"]);
    let good = bench.evidence(bench.credential(&bench.claims().encode()), Some(certificate));
    let trust = bench.example.trust_without_issuers();
    let accepted = |evidence: &Bik1Evidence| evidence::verify_bik1(evidence, &booking(), &trust, second(NOW)).is_ok();
    assert!(accepted(&good));
    for index in 0..good.credential.len() {
        let mut spoiled = good.clone();
        spoiled.credential[index] ^= 1 << (index % 8);
        assert!(!accepted(&spoiled), "credential byte {index}");
    }
    for index in 0..good.chain.as_ref().unwrap().len() {
        let mut spoiled = good.clone();
        spoiled.chain.as_mut().unwrap()[index] ^= 1 << (index % 8);
        assert!(!accepted(&spoiled), "certificate byte {index}");
    }
    for index in 0..good.signature.len() {
        let mut spoiled = good.clone();
        spoiled.signature[index] ^= 1 << (index % 8);
        assert!(!accepted(&spoiled), "signature byte {index}");
    }
    for index in 0..8 {
        let mut spoiled = good.clone();
        spoiled.card_nonce[index] ^= 1;
        assert!(!accepted(&spoiled), "nonce byte {index}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for object in [ObjectType::Credential, ObjectType::Proof, ObjectType::IssuerCertificate] {
            prop_assert!(Sign1::parse(&bytes, object).is_err());
        }
        let _ = Answer::parse(&bytes);
    }

    #[test]
    fn spoiling_never_panics(at in any::<prop::sample::Index>(), insert: Vec<u8>, cut in 0_usize..40) {
        let example = Example::load();
        let mut credential = example.bytes(&["card_cred", "cose"]);
        let at = at.index(credential.len());
        let end = (at + cut).min(credential.len());
        let unchanged = credential[at..end] == insert[..];
        credential.splice(at..end, insert);
        let trust = example.trust();
        let evidence = Bik1Evidence {
            credential,
            chain: None,
            nonce: booking().nonce,
            beacon: booking().beacon,
            card_nonce: example.bytes(&["dyn", "card_nonce"]).try_into().unwrap(),
            counter: 5,
            signature: example.bytes(&["dyn", "sig_der"]),
        };
        let verified = evidence::verify_bik1(&evidence, &booking(), &trust, second(NOW)).is_ok();
        prop_assert_eq!(verified, unchanged);
    }
}
