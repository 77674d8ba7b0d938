//! Sealing (RFC 9180): what only the account may read. Base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! `info` is `teilhabe-sealed-1`; `aad` is the account's id in UTF-8 followed by the record's 16 bytes, so that a sealed
//! part cannot be moved to another record or account. The wire form is `enc ‖ ciphertext`.

use std::fmt;

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    encoding::{AsBigEndian, EcPrivateKeyBin},
};
use rustls::crypto::{
    aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256 as SUITE,
    hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey},
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::key::{KeyError, PublicKey};
use crate::domain::ids::{AccountId, RecordId};

/// Length of the encapsulated key, an uncompressed point.
pub const ENC_LEN: usize = 65;
const INFO: &[u8] = b"teilhabe-sealed-1";

/// Why something could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// The provider could not seal; the key was checked before, so this does not depend on the content.
    #[error("sealing failed")]
    Seal,
    /// Not sealed by this suite, to this key, for this record of this account, or changed since.
    #[error("the sealed part does not open")]
    Open,
}

/// The account's public sealing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey(PublicKey);

impl From<PublicKey> for SealingKey {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

impl SealingKey {
    /// From a SEC1 point, compressed or not.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_sec1(point: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_sec1(point).map(Self)
    }

    /// As a public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.0
    }

    /// Seals for one record of one account: `enc ‖ ciphertext`, 81 bytes longer than the plaintext.
    ///
    /// # Errors
    /// [`SealError::Seal`].
    pub fn seal(&self, account: &AccountId, record: RecordId, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = HpkePublicKey(self.0.as_sec1().to_vec());
        let aad = aad(account, record);
        let (enc, ciphertext) = SUITE.seal(INFO, &aad, plaintext, &key).map_err(|_| SealError::Seal)?;
        let mut sealed = enc.0;
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }
}

/// The account's private key.
pub struct OpeningKey {
    scalar: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl OpeningKey {
    /// A fresh key.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn generate() -> Self {
        let key = PrivateKey::generate(&ECDH_P256).expect("the system gives randomness");
        Self::of(&key).expect("a generated key is on the curve")
    }

    /// From its scalar, 32 bytes big endian.
    ///
    /// # Errors
    /// [`KeyError`] outside 1 to n-1.
    pub fn from_bytes(scalar: &[u8; 32]) -> Result<Self, KeyError> {
        Self::of(&PrivateKey::from_private_key(&ECDH_P256, scalar).map_err(|_| KeyError)?)
    }

    fn of(key: &PrivateKey) -> Result<Self, KeyError> {
        let bytes: EcPrivateKeyBin<'_> = key.as_be_bytes().map_err(|_| KeyError)?;
        let scalar = Zeroizing::new(bytes.as_ref().try_into().map_err(|_| KeyError)?);
        let point = key.compute_public_key().map_err(|_| KeyError)?;
        Ok(Self { scalar, public: PublicKey::from_sec1(point.as_ref())? })
    }

    /// The scalar, 32 bytes big endian; wiped when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.scalar.clone()
    }

    /// The key to seal to.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKey {
        SealingKey(self.public.clone())
    }

    /// Opens what was sealed for this record of this account.
    ///
    /// # Errors
    /// [`SealError::Open`], without a reason why.
    pub fn open(&self, account: &AccountId, record: RecordId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (enc, ciphertext) = sealed.split_at_checked(ENC_LEN).ok_or(SealError::Open)?;
        let key = HpkePrivateKey::from(self.scalar.to_vec());
        let enc = EncapsulatedSecret(enc.to_vec());
        let opened = SUITE.open(&enc, INFO, &aad(account, record), ciphertext, &key);
        opened.map(Zeroizing::new).map_err(|_| SealError::Open)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({})", self.public.kid())
    }
}

fn aad(account: &AccountId, record: RecordId) -> Vec<u8> {
    [account.as_str().as_bytes(), record.0.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_the_right_key_record_and_account_open() {
        let key = OpeningKey::from_bytes(&OpeningKey::generate().to_bytes()).unwrap();
        let account = AccountId::new("A-1").unwrap();
        let record = RecordId(Uuid::from_u128(1));
        let sealed = key.sealing_key().seal(&account, record, b"secret").unwrap();
        assert_eq!(sealed.len(), 6 + ENC_LEN + 16);
        assert_eq!(key.open(&account, record, &sealed).unwrap().as_slice(), b"secret");
        assert!(key.open(&account, RecordId(Uuid::from_u128(2)), &sealed).is_err());
        assert!(key.open(&AccountId::new("A-2").unwrap(), record, &sealed).is_err());
        assert!(OpeningKey::generate().open(&account, record, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(&account, record, &changed).is_err(), "byte {at}");
            assert!(key.open(&account, record, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn scalars_out_of_range_are_refused() {
        assert!(OpeningKey::from_bytes(&[0; 32]).is_err());
        assert!(OpeningKey::from_bytes(&[0xff; 32]).is_err());
    }
}
