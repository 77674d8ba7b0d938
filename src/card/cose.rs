//! COSE_Sign1 (RFC 9052, 4.2) with the one header the card application allows (card-application, 1.3).

use super::{
    error::{CardError, HeaderFault, Place},
    key::{PublicKey, Signature},
};
use crate::cbor::Value;

/// CBOR tag of COSE_Sign1.
const TAG: u64 = 18;
/// Header label of the algorithm.
const ALGORITHM: i64 = 1;
/// Header label of critical headers.
const CRITICAL: i64 = 2;
/// Header label of the key id.
const KEY_ID: i64 = 4;
/// Header label of the type (RFC 9596).
const TYPE: i64 = 16;
/// ES256 (RFC 9053, 2.1).
const ES256: i64 = -7;

/// Largest COSE_Sign1 that is looked at: no file or code holds more.
pub const MAX_SIGN1: usize = 512;

/// Which signed object (card-application, 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectType {
    /// `bik-iss`: a root says that a key issues for a district.
    IssuerCertificate,
    /// `bik-crd`: a district says whose key a card or phone has.
    Credential,
    /// `bik-sta`: a district's printed code.
    StaticPrint,
    /// `bik-pop`: a phone's fresh proof.
    Proof,
}

impl ObjectType {
    /// The text in the header.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::IssuerCertificate => "bik-iss",
            Self::Credential => "bik-crd",
            Self::StaticPrint => "bik-sta",
            Self::Proof => "bik-pop",
        }
    }
}

/// A COSE_Sign1 whose form is right. Nothing it says has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign1 {
    protected: Vec<u8>,
    payload: Vec<u8>,
    claims: Value,
    key_id: [u8; 8],
    signature: Signature,
}

impl Sign1 {
    /// Reads one, in the order of card-application 1.6: size, CBOR, headers, type.
    ///
    /// # Errors
    /// [`CardError::Size`], [`CardError::Cbor`], [`CardError::Layout`], [`CardError::Header`],
    /// [`CardError::WrongType`], [`CardError::CredentialSignature`] if r or s is out of range.
    pub fn parse(bytes: &[u8], expected: ObjectType) -> Result<Self, CardError> {
        let layout = CardError::Layout(Place::Sign1);
        let cbor = |bytes: &[u8]| Value::decode(bytes).map_err(|error| CardError::Cbor(Place::Sign1, error));
        if bytes.len() > MAX_SIGN1 {
            return Err(CardError::Size(Place::Sign1));
        }
        let Value::Tag(TAG, array) = cbor(bytes)? else {
            return Err(layout);
        };
        let Some([Value::Bytes(protected), Value::Map(unprotected), Value::Bytes(payload), Value::Bytes(signature)]) =
            array.as_array()
        else {
            return Err(layout);
        };
        // The payload is CBOR too, and strict before anything in the headers is believed (step 2 before step 3).
        let claims = cbor(payload)?;
        let header = if protected.is_empty() { Value::Map(Vec::new()) } else { cbor(protected)? };
        let (key_id, found) = check_headers(&header, unprotected)?;
        if found != expected.word() {
            return Err(CardError::WrongType);
        }
        let signature = Signature::from_raw(signature).map_err(|_| CardError::CredentialSignature)?;
        Ok(Self { protected: protected.clone(), payload: payload.clone(), claims, key_id, signature })
    }

    /// Name of the key that is said to have signed.
    #[must_use]
    pub const fn key_id(&self) -> [u8; 8] {
        self.key_id
    }

    /// The decoded payload.
    #[must_use]
    pub const fn claims(&self) -> &Value {
        &self.claims
    }

    /// The key signed exactly this, together with the external data.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey, external_aad: &[u8]) -> bool {
        key.verifies(&signature_structure(&self.protected, external_aad, &self.payload), &self.signature)
    }
}

fn check_headers(header: &Value, unprotected: &[(Value, Value)]) -> Result<([u8; 8], String), CardError> {
    let fault = |fault| Err(CardError::Header(fault));
    if unprotected.iter().any(|(label, _)| *label == Value::int(ALGORITHM)) {
        return fault(HeaderFault::UnprotectedAlgorithm);
    }
    if !unprotected.is_empty() {
        return fault(HeaderFault::Unprotected);
    }
    let Some(entries) = header.as_map() else {
        return fault(HeaderFault::Unknown);
    };
    if entries.is_empty() {
        return fault(HeaderFault::Empty);
    }
    if header.get(CRITICAL).is_some() {
        return fault(HeaderFault::Critical);
    }
    if header.get(ALGORITHM).and_then(Value::as_int) != Some(ES256) {
        return fault(HeaderFault::Algorithm);
    }
    let Some(key_id) = header.get(KEY_ID).and_then(Value::as_bytes).and_then(|id| id.try_into().ok()) else {
        return fault(HeaderFault::KeyId);
    };
    let Some(found) = header.get(TYPE).and_then(Value::as_text) else {
        return fault(HeaderFault::Type);
    };
    if entries.len() != 3 {
        return fault(HeaderFault::Unknown);
    }
    Ok((key_id, found.to_owned()))
}

/// The protected header as it must stand, encoded.
#[must_use]
pub fn protected_header(key_id: [u8; 8], object: ObjectType) -> Vec<u8> {
    Value::Map(vec![
        (Value::int(ALGORITHM), Value::int(ES256)),
        (Value::int(KEY_ID), Value::bytes(key_id)),
        (Value::int(TYPE), Value::text(object.word())),
    ])
    .encode()
}

/// The bytes that are signed: `Sig_structure` (RFC 9052, 4.4).
#[must_use]
pub fn signature_structure(protected: &[u8], external_aad: &[u8], payload: &[u8]) -> Vec<u8> {
    Value::Array(vec![
        Value::text("Signature1"),
        Value::bytes(protected),
        Value::bytes(external_aad),
        Value::bytes(payload),
    ])
    .encode()
}

/// Puts a signed object together; for whoever issues one.
#[must_use]
pub fn assemble(protected: &[u8], payload: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let parts = [Value::bytes(protected), Value::Map(Vec::new()), Value::bytes(payload), Value::bytes(*signature)];
    Value::Tag(TAG, Box::new(Value::Array(parts.into()))).encode()
}
