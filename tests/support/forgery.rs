//! Forged credentials and answers as tables: correctly signed unless the signature is the point, each with the code that
//! it is refused with. What the verification refuses as bytes is laid into a reader as well.

use jiff::Timestamp;
use teilhabe_terminal::{
    card::{
        Trust,
        bik1::{Answer, signed_message},
        cose::{self, ObjectType},
        credential::{CredentialClaims, Kind},
        evidence,
    },
    cbor::Value,
    domain::reading::Bik1Evidence,
};

use super::{
    bik1::{Example, booking, hex},
    issuer::{Signer, answer_template, der, der_integer, map, with},
};

/// The code it is refused with, `ok` for what is only unusual, and its bytes.
pub type Forgery = (&'static str, Vec<u8>);

/// When the example's objects were issued, unix seconds.
pub const ISSUED: i64 = 1_767_225_600;
/// When they are looked at.
pub const NOW: i64 = 1_767_229_200;

/// An instant.
pub fn second(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap()
}

/// Signs right and wrong things with the example's keys, and has the verification alone judge them, as the account does.
pub struct Bench {
    pub example: Example,
    pub issuer: Signer,
    pub card: Signer,
    pub root: Signer,
}

impl Bench {
    pub fn new() -> Self {
        let example = Example::load();
        let signer = |name| Signer::new(&example, name);
        Self { issuer: signer("key_issuer"), card: signer("key_card"), root: signer("key_root"), example }
    }

    pub fn claims(&self) -> CredentialClaims {
        CredentialClaims {
            district: Example::district(),
            issued: second(ISSUED),
            expires: second(ISSUED + 1_000_000),
            cti: [7; 16],
            key: Some(self.card.public.clone()),
            kind: Kind::Card,
        }
    }

    pub fn payload(&self) -> Value {
        Value::decode(&self.claims().encode()).unwrap()
    }

    pub fn credential(&self, payload: &[u8]) -> Vec<u8> {
        self.issuer.issue(ObjectType::Credential, payload, &[])
    }

    /// A true answer of the card beside this credential.
    pub fn evidence(&self, credential: Vec<u8>, chain: Option<Vec<u8>>) -> Bik1Evidence {
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

    /// What the verification says of it at this time.
    pub fn verdict_at(&self, credential: Vec<u8>, chain: Option<Vec<u8>>, trust: &Trust, at: i64) -> &'static str {
        match evidence::verify_bik1(&self.evidence(credential, chain), &booking(), trust, second(at)) {
            Ok(_) => "ok",
            Err(error) => error.code(),
        }
    }

    /// The same with the example's trust, at [`NOW`].
    pub fn verdict(&self, credential: Vec<u8>) -> &'static str {
        self.verdict_at(credential, None, &self.example.trust(), NOW)
    }

    /// Fault 8: credentials whose headers say something else than they must.
    pub fn headers(&self) -> Vec<Forgery> {
        let kid = self.issuer.public.id();
        let header = map(&[(1, Value::int(-7)), (4, Value::bytes(kid)), (16, Value::text("bik-crd"))]);
        let payload = self.claims().encode();
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
        let mut cases: Vec<Forgery> = protected
            .into_iter()
            .map(|(expected, protected)| (expected, self.issuer.issue_with(&protected, &payload, &[])))
            .collect();
        let signature = self.issuer.sign(&cose::signature_structure(&header.encode(), &[], &payload));
        let sign1 = |parts: Vec<Value>| Value::Tag(18, Box::new(Value::Array(parts))).encode();
        let outside = |unprotected: Value| {
            sign1(vec![Value::bytes(header.encode()), unprotected, Value::bytes(&*payload), Value::bytes(signature)])
        };
        cases.push(("ok", outside(map(&[]))));
        cases.push(("header_unprotected_algorithm", outside(map(&[(1, Value::int(-7))]))));
        cases.push(("header_unprotected", outside(map(&[(4, Value::bytes(kid))]))));
        cases.push(("header_unprotected", outside(map(&[(33, Value::bytes([1]))]))));
        cases
    }

    /// Fault 9: credentials that are no COSE_Sign1 of the one form, edge values of the signature among them.
    pub fn forms(&self) -> Vec<Forgery> {
        let whole = Value::decode(&self.credential(&self.claims().encode())).unwrap();
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
        vec![
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
        ]
    }

    /// Fault 7: correctly signed, and refused all the same.
    pub fn cbor(&self) -> Vec<Forgery> {
        let good = self.claims().encode();
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
            ("cbor", [good.clone(), vec![0x00]].concat()), // something after the end
            ("cbor", replace("061A6955B900", "061B000000006955B900")), // long form
            ("layout", replace("061A6955B900", "06C2446955B900")), // bignum
            ("layout", replace("061A6955B900", "063A6955B900")), // before 1970
            ("layout", replace("061A6955B900", "061BFFFFFFFFFFFFFFFF")), // beyond all time
            ("layout", replace("061A6955B900", "061B7FFFFFFFFFFFFFFF")),
        ];
        cases.into_iter().map(|(expected, payload)| (expected, self.credential(&payload))).collect()
    }

    /// Fault 9: points that are none, and claims that are not exactly those of the table.
    pub fn claim_sets(&self) -> Vec<Forgery> {
        let good = self.payload();
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
        let issue = |(expected, key, entry)| (expected, self.credential(&with(&good, key, entry).encode()));
        cases.into_iter().map(issue).collect()
    }

    /// Fault 9: answers to INTERNAL AUTHENTICATE. An answer has one spelling, and is for one challenge.
    pub fn answers(&self) -> Vec<Forgery> {
        let challenge = booking().challenge();
        let nonce = *b"cardnonc";
        // A signature whose r and s both need no leading zero and one whose r does are tried by signing again.
        let raw = self.card.sign(&signed_message(&nonce, 1, &challenge));
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
            ("proof_signature", der(&self.card.sign(&signed_message(&nonce, 2, &challenge)))),
            ("proof_signature", der(&self.card.sign(&signed_message(&nonce, 1, &[0; 32])))),
            ("proof_signature", der(&self.issuer.sign(&signed_message(&nonce, 1, &challenge)))),
            ("proof_signature", {
                // The same signature under another application's name.
                let mut message = signed_message(&nonce, 1, &challenge);
                message[13] = 2;
                der(&self.card.sign(&message))
            }),
        ];
        let mut answers: Vec<Forgery> =
            cases.into_iter().map(|(expected, signature)| (expected, answer_template(&nonce, 1, &signature))).collect();
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
        answers.extend(layouts.map(|layout| ("proof_layout", layout)));
        answers
    }
}
