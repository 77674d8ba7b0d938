//! The order of verification of card-application 1.6: faults 7 (CBOR), 8 (headers), 9 (signatures), 11 and 13 (validity,
//! deny list), as tables. Every object is signed correctly unless the signature is the point.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot be set up has to fail")]

mod support;

use proptest::prelude::*;
use support::{
    bik1::{Example, booking},
    forgery::{Bench, Forgery, ISSUED, NOW, second},
    issuer::Signer,
};
use teilhabe_terminal::{
    card::{
        AccountTrust, Trust,
        bik1::Answer,
        cose::{self, ObjectType, Sign1},
        credential::{CredentialClaims, Kind},
        evidence,
        key::sha256,
    },
    domain::{
        documents::{CardRoot, DenyList, TrustList},
        ids::DistrictId,
        reading::{Bik1Evidence, IssuerKey},
    },
};

fn are_refused(bench: &Bench, forgeries: Vec<Forgery>) {
    for (expected, credential) in forgeries {
        assert_eq!(bench.verdict(credential.clone()), expected, "{credential:02X?}");
    }
}

/// Fault 8.
#[test]
fn header_games_have_codes_of_their_own() {
    let bench = Bench::new();
    are_refused(&bench, bench.headers());
}

/// Fault 9, with 63 and 65 bytes, r or s zero or n.
#[test]
fn a_sign1_has_one_form() {
    let bench = Bench::new();
    are_refused(&bench, bench.forms());
}

/// Fault 7: correctly signed, and refused all the same.
#[test]
fn cbor_attacks_are_refused() {
    let bench = Bench::new();
    are_refused(&bench, bench.cbor());
}

/// Fault 9, with points off the curve.
#[test]
fn claims_are_exactly_those_of_the_table() {
    let bench = Bench::new();
    are_refused(&bench, bench.claim_sets());
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
    for (expected, answer) in bench.answers() {
        let verdict = Answer::parse(&answer)
            .and_then(|parsed| parsed.verify(&bench.card.public, &booking().challenge()))
            .map_or_else(|error| error.code(), |()| "ok");
        assert_eq!(verdict, expected, "{answer:02X?}");
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
