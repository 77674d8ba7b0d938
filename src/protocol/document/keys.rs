//! The root-signed document `keys`: who may sign what, and what records are sealed to (protocol, 2).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Form;
use crate::{
    domain::{
        documents::{AccountDescriptor, DocumentName, TrustList},
        ids::Digest,
    },
    protocol::{
        form,
        jws::{KeySet, PublicKey, Typ},
        seal::SealingKey,
    },
};

/// One key with what it may sign and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    /// What it may sign.
    pub typ: Typ,
    /// The key.
    pub key: PublicKey,
    /// First instant at which it counts.
    pub not_before: Timestamp,
    /// First instant at which nothing by it counts any more; documents by it lapse then at the latest.
    pub not_after: Timestamp,
}

/// What the document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKeySet {
    /// Signing keys.
    pub grants: Vec<KeyGrant>,
    /// What records are sealed to.
    pub sealing: SealingKey,
    /// SHA-256 of the DER of revoked terminal certificates.
    pub revoked_certificates: Vec<Digest>,
    /// SHA-256 of the next root's DER, once it is known.
    pub next_root: Option<Digest>,
}

/// Every key a terminal believes at one time: the root for `keys`, the granted keys, the descriptor's card roots for
/// the trust list, and the trust list's district keys for the deny list.
#[must_use]
pub fn key_set(
    root: &PublicKey,
    keys: Option<&AccountKeySet>,
    descriptor: Option<&AccountDescriptor>,
    trust_list: Option<&TrustList>,
) -> KeySet {
    let mut set = KeySet::new().with(Typ::Document(DocumentName::Keys), root.clone());
    for grant in keys.map(|keys| keys.grants.as_slice()).unwrap_or_default() {
        set.allow(grant.typ, grant.key.clone(), grant.not_before, grant.not_after);
    }
    for card_root in descriptor.map(|descriptor| descriptor.card_roots.as_slice()).unwrap_or_default() {
        if let Ok(key) = PublicKey::from_sec1(&card_root.key) {
            set = set.with(Typ::Document(DocumentName::TrustList), key);
        }
    }
    if let (Some(list), Some(descriptor)) = (trust_list, descriptor) {
        let ours = list.issuers.iter().filter(|issuer| descriptor.districts.contains(&issuer.district));
        for issuer in ours.filter(|issuer| !list.revoked_kids.contains(&issuer.kid)) {
            if let Ok(key) = PublicKey::from_sec1(&issuer.key) {
                set.allow(Typ::Document(DocumentName::DenyList), key, issuer.not_before, issuer.not_after);
            }
        }
    }
    set
}

/// Whether the keys document may grant this type: what terminals, card roots and districts sign is none of its
/// business, and itself is the root's.
const fn grantable(typ: Typ) -> bool {
    !matches!(
        typ,
        Typ::Record | Typ::Poll | Typ::Document(DocumentName::Keys | DocumentName::TrustList | DocumentName::DenyList)
    )
}

#[derive(Serialize, Deserialize)]
pub(super) struct KeysForm {
    /// Signing keys with what they may sign.
    keys: Vec<GrantForm>,
    sealing_key: PublicKey,
    #[serde(with = "form::list")]
    revoked_certificates: Vec<Digest>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    next_root: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
struct GrantForm {
    typ: String,
    key: PublicKey,
    #[serde(with = "form")]
    not_before: Timestamp,
    #[serde(with = "form")]
    not_after: Timestamp,
}

impl Form for KeysForm {}

impl From<&AccountKeySet> for KeysForm {
    fn from(set: &AccountKeySet) -> Self {
        let grant = |grant: &KeyGrant| GrantForm {
            typ: grant.typ.word().to_owned(),
            key: grant.key.clone(),
            not_before: grant.not_before,
            not_after: grant.not_after,
        };
        Self {
            keys: set.grants.iter().map(grant).collect(),
            sealing_key: set.sealing.public().clone(),
            revoked_certificates: set.revoked_certificates.clone(),
            next_root: set.next_root,
        }
    }
}

impl KeysForm {
    pub fn read(self) -> Result<AccountKeySet, &'static str> {
        let mut grants = Vec::new();
        for GrantForm { typ, key, not_before, not_after } in self.keys {
            // A type of a later version is no business of ours; one that must not be granted is an attack.
            let Some(typ) = Typ::ALL.into_iter().find(|known| known.word() == typ) else { continue };
            if !grantable(typ) {
                return Err("a type that the keys document must not grant");
            }
            grants.push(KeyGrant { typ, key, not_before, not_after });
        }
        Ok(AccountKeySet {
            grants,
            sealing: self.sealing_key.into(),
            revoked_certificates: self.revoked_certificates,
            next_root: self.next_root,
        })
    }
}
