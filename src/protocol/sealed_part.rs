//! The part of a record that only the account may read, as deterministic CBOR.
//!
//! ```text
//! { "v": 1, "district": text, "kind": "cti" | "number" | "uid", "identity": bytes,
//!   ? "second_factor": text, ? "evidence": { "scheme": text, … } }
//! bik1:        credential, ? chain, nonce (32), beacon (16), card_nonce (8), counter, signature (DER)
//! bik1-code:   credential, proof, ? challenge (text)
//! bik1-static: credential
//! sun:         picc_data, cmac
//! ```

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    cbor::Value,
    domain::{
        ids::{DistrictId, Identity, IdentityKind},
        reading::{Bik1Evidence, Evidence},
    },
};

/// Longest plaintext; a credential and a chain of 512 bytes each and a code of 512 fit well.
pub const MAX_LEN: usize = 4096;
/// Longest text as typed.
pub(super) const MAX_TEXT_LEN: usize = 64;

/// The plaintext is not a sealed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the sealed part is malformed")]
pub struct SealedPartError;

/// Whose record it is, and the proof. Prints masked.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPart {
    /// District and identity.
    pub identity: Identity,
    /// Second factor or reservation code as typed.
    pub second_factor: Option<String>,
    /// The proof by its scheme.
    pub evidence: Evidence,
}

impl fmt::Debug for SealedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPart({:?}, {})", self.identity, scheme(&self.evidence).unwrap_or("none"))
    }
}

/// The scheme's word; `None` without evidence.
#[must_use]
pub const fn scheme(evidence: &Evidence) -> Option<&'static str> {
    match evidence {
        Evidence::None => None,
        Evidence::Bik1(_) => Some("bik1"),
        Evidence::Bik1Code { .. } => Some("bik1-code"),
        Evidence::Bik1Static { .. } => Some("bik1-static"),
        Evidence::Sun { .. } => Some("sun"),
    }
}

impl SealedPart {
    /// The plaintext; wiped when dropped.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut map = Fields::default();
        map.put("v", Value::Unsigned(1));
        map.text("district", self.identity.district.as_str());
        map.text("kind", self.identity.kind.word());
        map.bytes("identity", &self.identity.bytes);
        if let Some(factor) = &self.second_factor {
            map.text("second_factor", factor);
        }
        if let Some(evidence) = encode_evidence(&self.evidence) {
            map.put("evidence", evidence);
        }
        Zeroizing::new(Value::Map(map.0).encode())
    }

    /// Reads a plaintext strictly: unknown members are ignored, known ones must have their type and length.
    ///
    /// # Errors
    /// [`SealedPartError`], which tells nothing of the content.
    pub fn decode(plaintext: &[u8]) -> Result<Self, SealedPartError> {
        if plaintext.len() > MAX_LEN {
            return Err(SealedPartError);
        }
        let value = Value::decode(plaintext).map_err(|_| SealedPartError)?;
        Self::read(&value).ok_or(SealedPartError)
    }

    fn read(value: &Value) -> Option<Self> {
        if value.get_text("v")?.as_int()? != 1 {
            return None;
        }
        let kind = match value.get_text("kind")?.as_text()? {
            "cti" => IdentityKind::Cti,
            "number" => IdentityKind::Number,
            "uid" => IdentityKind::Uid,
            _ => return None,
        };
        let bytes = value.get_text("identity")?.as_bytes()?.to_vec();
        let fits = match kind {
            IdentityKind::Cti => bytes.len() == 16,
            IdentityKind::Number => (1..=20).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit),
            IdentityKind::Uid => (1..=64).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic),
        };
        let district = DistrictId::new(value.get_text("district")?.as_text()?).ok()?;
        let second_factor = match value.get_text("second_factor") {
            None => None,
            Some(factor) => Some(short_text(factor)?),
        };
        let evidence = match value.get_text("evidence") {
            None => Evidence::None,
            Some(evidence) => decode_evidence(evidence)?,
        };
        fits.then_some(Self { identity: Identity { district, kind, bytes }, second_factor, evidence })
    }
}

#[derive(Default)]
struct Fields(Vec<(Value, Value)>);

impl Fields {
    fn put(&mut self, name: &str, value: Value) {
        self.0.push((Value::text(name), value));
    }
    fn text(&mut self, name: &str, text: &str) {
        self.put(name, Value::text(text));
    }
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.put(name, Value::bytes(bytes));
    }
}

fn encode_evidence(evidence: &Evidence) -> Option<Value> {
    let mut map = Fields::default();
    map.text("scheme", scheme(evidence)?);
    match evidence {
        Evidence::None => {}
        Evidence::Bik1(bik1) => {
            map.bytes("credential", &bik1.credential);
            if let Some(chain) = &bik1.chain {
                map.bytes("chain", chain);
            }
            map.bytes("nonce", &bik1.nonce);
            map.bytes("beacon", &bik1.beacon);
            map.bytes("card_nonce", &bik1.card_nonce);
            map.put("counter", Value::Unsigned(bik1.counter.into()));
            map.bytes("signature", &bik1.signature);
        }
        Evidence::Bik1Code { credential, proof, challenge } => {
            map.bytes("credential", credential);
            map.bytes("proof", proof);
            if let Some(challenge) = challenge {
                map.text("challenge", challenge);
            }
        }
        Evidence::Bik1Static { credential } => map.bytes("credential", credential),
        Evidence::Sun { picc_data, cmac } => {
            map.bytes("picc_data", picc_data);
            map.bytes("cmac", cmac);
        }
    }
    Some(Value::Map(map.0))
}

fn decode_evidence(map: &Value) -> Option<Evidence> {
    let bytes = |name: &str| map.get_text(name)?.as_bytes().map(<[u8]>::to_vec);
    Some(match map.get_text("scheme")?.as_text()? {
        "bik1" => Evidence::Bik1(Box::new(Bik1Evidence {
            credential: bytes("credential")?,
            chain: match map.get_text("chain") {
                None => None,
                Some(chain) => Some(chain.as_bytes()?.to_vec()),
            },
            nonce: bytes("nonce")?.try_into().ok()?,
            beacon: bytes("beacon")?.try_into().ok()?,
            card_nonce: bytes("card_nonce")?.try_into().ok()?,
            counter: u32::try_from(map.get_text("counter")?.as_int()?).ok()?,
            signature: bytes("signature")?,
        })),
        "bik1-code" => Evidence::Bik1Code {
            credential: bytes("credential")?,
            proof: bytes("proof")?,
            challenge: match map.get_text("challenge") {
                None => None,
                Some(challenge) => Some(short_text(challenge)?),
            },
        },
        "bik1-static" => Evidence::Bik1Static { credential: bytes("credential")? },
        "sun" => Evidence::Sun { picc_data: bytes("picc_data")?, cmac: bytes("cmac")? },
        _ => return None,
    })
}

fn short_text(value: &Value) -> Option<String> {
    value.as_text().filter(|text| text.len() <= MAX_TEXT_LEN).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(evidence: Evidence) -> SealedPart {
        let district = DistrictId::new("de:00000000").unwrap();
        let identity = Identity { district, kind: IdentityKind::Cti, bytes: vec![7; 16] };
        SealedPart { identity, second_factor: Some("4711".into()), evidence }
    }

    fn evidences() -> [Evidence; 5] {
        [
            Evidence::None,
            Evidence::Bik1(Box::new(Bik1Evidence {
                credential: vec![1; 193],
                chain: Some(vec![2; 193]),
                nonce: [3; 32],
                beacon: [4; 16],
                card_nonce: [5; 8],
                counter: u32::MAX,
                signature: vec![6; 70],
            })),
            Evidence::Bik1Code { credential: vec![1], proof: vec![2], challenge: Some("123456".into()) },
            Evidence::Bik1Static { credential: vec![1] },
            Evidence::Sun { picc_data: vec![1; 16], cmac: vec![2; 8] },
        ]
    }

    #[test]
    fn every_scheme_comes_back() {
        for evidence in evidences() {
            let part = part(evidence);
            assert_eq!(SealedPart::decode(&part.encode()), Ok(part));
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let part = part(Evidence::None);
        assert_eq!(format!("{part:?}"), "SealedPart(Identity(de:00000000 cti ****), none)");
    }

    #[test]
    fn identities_have_the_form_of_their_kind() {
        let cases = [
            (IdentityKind::Cti, &b"0123456789abcde"[..]),
            (IdentityKind::Number, b"12a4"),
            (IdentityKind::Number, b""),
            (IdentityKind::Uid, b"04 AA"),
        ];
        for (kind, bytes) in cases {
            let mut part = part(Evidence::None);
            part.identity.kind = kind;
            part.identity.bytes = bytes.to_vec();
            assert_eq!(SealedPart::decode(&part.encode()), Err(SealedPartError), "{kind:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, cut in 0..300usize, flip in 0..300usize) {
            let _ = SealedPart::decode(&bytes);
            let mut good = part(evidences()[1].clone()).encode().to_vec();
            good.truncate(good.len() - cut.min(good.len()));
            if let Some(byte) = good.get_mut(flip) {
                *byte ^= 0x21;
            }
            let _ = SealedPart::decode(&good);
        }
    }
}
