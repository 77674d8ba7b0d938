//! Public keys on P-256 and ECDSA signatures with SHA-256 (FIPS 186-5), both strict in form.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, PublicKeyX509Der},
    signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey},
};

use crate::domain::ids::Digest;

/// Order of the base point of P-256 (SEC 2, 2.4.2), big endian.
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// Name of a key: the first 8 bytes of SHA-256 over its compressed form (card-application, 1.3).
#[must_use]
pub fn key_id(compressed: &[u8; 33]) -> [u8; 8] {
    *sha256(compressed).0.first_chunk().expect("a digest has 32 bytes")
}

/// A point of P-256, in both of its forms; read once and shared.
#[derive(Clone)]
pub struct PublicKey {
    compressed: [u8; 33],
    uncompressed: [u8; 65],
    parsed: Arc<ParsedPublicKey>,
}

impl PublicKey {
    /// From the compressed SEC1 form; `None` if that is no point of the curve.
    #[must_use]
    pub fn from_compressed(compressed: &[u8; 33]) -> Option<Self> {
        if !matches!(compressed[0], 2 | 3) {
            return None;
        }
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, compressed).ok()?;
        // The provider writes a SubjectPublicKeyInfo, which ends in the uncompressed point (RFC 5480, 2).
        let der: PublicKeyX509Der<'_> = parsed.as_der().ok()?;
        let uncompressed = *der.as_ref().last_chunk()?;
        Some(Self { compressed: *compressed, uncompressed, parsed: Arc::new(parsed) })
    }

    /// The compressed SEC1 form.
    #[must_use]
    pub const fn compressed(&self) -> &[u8; 33] {
        &self.compressed
    }

    /// The uncompressed SEC1 form.
    #[must_use]
    pub const fn uncompressed(&self) -> &[u8; 65] {
        &self.uncompressed
    }

    /// Name of the key.
    #[must_use]
    pub fn id(&self) -> [u8; 8] {
        key_id(&self.compressed)
    }

    /// The signature over the message is by this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        self.parsed.verify_sig(message, &signature.0).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }
}

impl Eq for PublicKey {}

/// A card is known by its key, so it is not printed.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}

/// Why bytes are no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFault {
    /// Not in its one allowed form.
    Form,
    /// r or s outside 1 to n-1.
    Range,
}

/// r ‖ s, each of 32 bytes and within 1 to n-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// From the raw form of COSE (RFC 9053, 2.1).
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn from_raw(bytes: &[u8]) -> Result<Self, SignatureFault> {
        let raw: [u8; 64] = bytes.try_into().map_err(|_| SignatureFault::Form)?;
        let in_range = |number: &[u8]| number.iter().any(|byte| *byte != 0) && number < ORDER.as_slice();
        if in_range(&raw[..32]) && in_range(&raw[32..]) { Ok(Self(raw)) } else { Err(SignatureFault::Range) }
    }

    /// From DER: `SEQUENCE { INTEGER r, INTEGER s }` in the one canonical form, nothing after it.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn from_der(bytes: &[u8]) -> Result<Self, SignatureFault> {
        // Two integers of at most 33 bytes need no long-form length anywhere.
        let [0x30, length, body @ ..] = bytes else {
            return Err(SignatureFault::Form);
        };
        if usize::from(*length) != body.len() || *length > 0x7F {
            return Err(SignatureFault::Form);
        }
        let (r, rest) = der_integer(body)?;
        let (s, rest) = der_integer(rest)?;
        if !rest.is_empty() {
            return Err(SignatureFault::Form);
        }
        let mut raw = [0; 64];
        for (number, place) in [(r, 32), (s, 64)] {
            raw[place - number.len()..place].copy_from_slice(number);
        }
        Self::from_raw(&raw)
    }
}

/// Splits one minimal positive integer off and gives its magnitude, at most 32 bytes.
fn der_integer(bytes: &[u8]) -> Result<(&[u8], &[u8]), SignatureFault> {
    let [0x02, length, body @ ..] = bytes else {
        return Err(SignatureFault::Form);
    };
    let (number, rest) = body.split_at_checked(usize::from(*length)).ok_or(SignatureFault::Form)?;
    let magnitude = match number {
        // Zero is well-formed, but no part of a signature.
        [0] => return Err(SignatureFault::Range),
        [0, next, ..] if *next & 0x80 != 0 => &number[1..],
        [first, ..] if *first != 0 && *first & 0x80 == 0 => number,
        _ => return Err(SignatureFault::Form),
    };
    if magnitude.len() > 32 {
        return Err(SignatureFault::Range);
    }
    Ok((magnitude, rest))
}
