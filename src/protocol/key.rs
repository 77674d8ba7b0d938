//! P-256 keys as JOSE names them (RFC 7517, RFC 7518, RFC 7638).

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::form::{self, B64, TextForm};
use crate::domain::ids::Digest;

/// SHA-256 by the one provider.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// Why bytes are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a P-256 key")]
pub struct KeyError;

/// Name of a key: its RFC 7638 thumbprint with SHA-256, written in base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(pub [u8; 32]);

impl Kid {
    /// Reads 43 characters of strict base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        TextForm::read(text).map(Self)
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&B64.encode(&self.0))
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({self})")
    }
}

/// A public key that lies on the curve.
#[derive(Clone)]
pub struct PublicKey {
    point: [u8; 65],
    kid: Kid,
    parsed: Arc<ParsedPublicKey>,
}

impl PublicKey {
    /// Takes a SEC1 point, uncompressed (65 bytes, 04) or compressed (33 bytes, 02 or 03).
    ///
    /// # Errors
    /// [`KeyError`] for any other form and for points off the curve.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, KeyError> {
        if !matches!((bytes.len(), bytes.first()), (65, Some(4)) | (33, Some(2 | 3))) {
            return Err(KeyError);
        }
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).map_err(|_| KeyError)?;
        // The provider writes a SubjectPublicKeyInfo, which ends in the uncompressed point (RFC 5480, 2).
        let der: PublicKeyX509Der<'_> = parsed.as_der().map_err(|_| KeyError)?;
        let point = *der.as_ref().last_chunk().ok_or(KeyError)?;
        let kid = Kid(sha256(&Jwk::of(&point).canonical()).0);
        Ok(Self { point, kid, parsed: Arc::new(parsed) })
    }

    /// Its name.
    #[must_use]
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// The uncompressed SEC1 point.
    #[must_use]
    pub const fn as_sec1(&self) -> &[u8; 65] {
        &self.point
    }

    /// The compressed SEC1 point, as cards and trust lists carry it.
    #[must_use]
    pub fn compressed(&self) -> [u8; 33] {
        let mut short = [2 | (self.point[64] & 1); 33];
        short[1..].copy_from_slice(&self.point[1..33]);
        short
    }

    /// `signature` (r ‖ s, 64 bytes) is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}

/// The one form of a public key in JSON: `{"crv":"P-256","kty":"EC","x":…,"y":…}`.
#[derive(Serialize, Deserialize)]
struct Jwk {
    crv: String,
    kty: String,
    #[serde(with = "form")]
    x: [u8; 32],
    #[serde(with = "form")]
    y: [u8; 32],
}

impl Jwk {
    fn of(point: &[u8; 65]) -> Self {
        let half = |at: usize| point[at..at + 32].try_into().expect("a half of the point has 32 bytes");
        Self { crv: "P-256".to_owned(), kty: "EC".to_owned(), x: half(1), y: half(33) }
    }

    /// The fields stand in the order RFC 7638 wants, and serde keeps it.
    fn canonical(&self) -> Vec<u8> {
        super::json::to_vec(self)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Jwk::of(&self.point).serialize(to)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let jwk = Jwk::deserialize(from)?;
        let mut point = vec![4];
        point.extend_from_slice(&jwk.x);
        point.extend_from_slice(&jwk.y);
        let named = jwk.crv == "P-256" && jwk.kty == "EC";
        let key = Self::from_sec1(&point).ok().filter(|_| named);
        key.ok_or_else(|| super::json::wrong("a public key on P-256"))
    }
}

/// A private key that signs. Cloning shares it; the provider wipes it when the last one goes.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<EcdsaKeyPair>,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Panics
    /// If the system gives no randomness, without which nothing here is safe.
    #[must_use]
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("the system gives randomness");
        Self::of(pair).expect("a generated key is on the curve")
    }

    /// Reads PKCS #8, DER.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        Self::of(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| KeyError)?)
    }

    fn of(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let public = PublicKey::from_sec1(pair.public_key().as_ref())?;
        Ok(Self { pair: Arc::new(pair), public })
    }

    /// PKCS #8 version 1, DER; wiped when dropped.
    ///
    /// # Panics
    /// Never: a key that signs can be written.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let document = self.pair.to_pkcs8v1().expect("a P-256 key has a PKCS #8 form");
        Zeroizing::new(document.as_ref().to_vec())
    }

    /// Its public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Its name.
    #[must_use]
    pub const fn kid(&self) -> Kid {
        self.public.kid
    }

    /// ECDSA with SHA-256, r ‖ s. Randomised: two signatures over one message differ.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(&SystemRandom::new(), message).expect("the system gives randomness");
        signature.as_ref().try_into().expect("a fixed P-256 signature has 64 bytes")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_forms() {
        let key = SigningKey::generate();
        let again = SigningKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(key.kid(), again.kid());
        assert_eq!(PublicKey::from_sec1(&key.public().compressed()).unwrap(), *key.public());
        let json = super::super::json::to_vec(key.public());
        assert_eq!(super::super::json::from_slice::<PublicKey>(&json, 500).unwrap(), *key.public());
        assert!(key.public().verifies(b"a", &again.sign(b"a")));
        assert!(!key.public().verifies(b"b", &key.sign(b"a")));
        assert!(!format!("{key:?}").contains(&B64.encode(&key.to_pkcs8()[36..68])));
    }

    #[test]
    fn points_off_the_curve_and_other_forms_are_refused() {
        let mut point = *SigningKey::generate().public().as_sec1();
        point[40] ^= 1;
        assert!(PublicKey::from_sec1(&point).is_err());
        for bytes in [&[][..], &[0], &[4; 65], &[2; 32], &[6; 65], &[5; 33]] {
            assert!(PublicKey::from_sec1(bytes).is_err());
        }
    }
}
