//! Issues signed objects with the private keys of the worked example, right ones and wrong ones.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use teilhabe_terminal::{
    card::{
        bik1,
        cose::{self, ObjectType},
        key::PublicKey,
    },
    cbor::Value,
    tlv,
};

use super::bik1::Example;

/// A private key of the worked example.
pub struct Signer {
    pair: EcdsaKeyPair,
    pub public: PublicKey,
}

impl Signer {
    pub fn new(example: &Example, name: &str) -> Self {
        let public = example.key(name);
        let secret = example.bytes(&[name, "d"]);
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &secret,
            public.uncompressed(),
        )
        .unwrap();
        Self { pair, public }
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().try_into().unwrap()
    }

    /// A COSE_Sign1 as it should be.
    pub fn issue(&self, object: ObjectType, payload: &[u8], external_aad: &[u8]) -> Vec<u8> {
        self.issue_with(&cose::protected_header(self.public.id(), object), payload, external_aad)
    }

    /// A COSE_Sign1 with any protected header, correctly signed.
    pub fn issue_with(&self, protected: &[u8], payload: &[u8], external_aad: &[u8]) -> Vec<u8> {
        let signature = self.sign(&cose::signature_structure(protected, external_aad, payload));
        cose::assemble(protected, payload, &signature)
    }

    /// A card's answer to a challenge, in DER.
    pub fn answer(&self, counter: u32, challenge: &[u8; 32]) -> Vec<u8> {
        let nonce = *b"cardnonc";
        let raw = self.sign(&bik1::signed_message(&nonce, counter, challenge));
        answer_template(&nonce, counter, &der(&raw))
    }
}

/// `7C { 81 nonce, 82 counter, 9E signature }`.
pub fn answer_template(nonce: &[u8], counter: u32, signature: &[u8]) -> Vec<u8> {
    let mut inner = Vec::new();
    tlv::append(&mut inner, 0x81, nonce);
    tlv::append(&mut inner, 0x82, &counter.to_be_bytes());
    tlv::append(&mut inner, 0x9E, signature);
    let mut whole = Vec::new();
    tlv::append(&mut whole, 0x7C, &inner);
    whole
}

/// Canonical DER of a raw signature.
pub fn der(raw: &[u8; 64]) -> Vec<u8> {
    let body = [der_integer(&raw[..32]), der_integer(&raw[32..])].concat();
    [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
}

/// A positive integer in its shortest form.
pub fn der_integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count().min(number.len() - 1);
    let mut magnitude = number[zeros..].to_vec();
    if magnitude[0] & 0x80 != 0 {
        magnitude.insert(0, 0);
    }
    [vec![0x02, u8::try_from(magnitude.len()).unwrap()], magnitude].concat()
}

/// A CBOR map with integer keys.
pub fn map(entries: &[(i64, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| (Value::int(*key), value.clone())).collect())
}

/// The same map with one entry set, or taken away.
pub fn with(value: &Value, key: i64, entry: Option<Value>) -> Value {
    let mut entries: Vec<_> = value.as_map().unwrap().iter().filter(|(k, _)| *k != Value::int(key)).cloned().collect();
    entries.extend(entry.map(|entry| (Value::int(key), entry)));
    Value::Map(entries)
}
