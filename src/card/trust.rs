//! Whom to believe: what the descriptors, trust lists and deny lists of the enrolled accounts allow. Always an argument,
//! never a global.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::key::{PublicKey, sha256};
use crate::domain::{
    documents::{AccountDescriptor, CardRoot, DenyList, TrustList},
    ids::{Digest, DistrictId, TerminalId},
    reading::IssuerKey,
};

/// A key that may sign credentials, with its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The key.
    pub key: PublicKey,
    /// The one district it issues for.
    pub district: DistrictId,
    /// Bits of the kinds it may issue.
    pub kinds: u8,
    /// First instant at which it may have issued.
    pub not_before: Timestamp,
    /// First instant at which nothing by it is valid.
    pub not_after: Timestamp,
    /// Vouched for by a chain of the card alone.
    pub chain_only: bool,
}

/// What one account allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTrust {
    descriptor: AccountDescriptor,
    terminal: Option<TerminalId>,
    roots: Vec<(CardRoot, PublicKey)>,
    issuers: BTreeMap<[u8; 8], Issuer>,
    revoked_certificates: Vec<Digest>,
    revoked_kids: Vec<[u8; 8]>,
    trust_list_seq: u64,
    deny_list: Option<DenyList>,
}

impl AccountTrust {
    /// From an account's verified documents. Whatever they say about districts the account does not serve, and keys that
    /// are no points or bear a wrong name, is left out: nothing is believed because of it.
    #[must_use]
    pub fn new(descriptor: &AccountDescriptor, trust_list: Option<&TrustList>, deny_list: Option<&DenyList>) -> Self {
        let named_key =
            |kid: [u8; 8], key: &[u8; 33]| PublicKey::from_compressed(key).filter(|point| point.id() == kid);
        let issuer = |listed: &IssuerKey| {
            let issuer = Issuer {
                key: named_key(listed.kid, &listed.key)?,
                district: listed.district.clone(),
                kinds: listed.kinds,
                not_before: listed.not_before,
                not_after: listed.not_after,
                chain_only: false,
            };
            descriptor.districts.contains(&listed.district).then_some((listed.kid, issuer))
        };
        Self {
            descriptor: descriptor.clone(),
            terminal: None,
            roots: descriptor
                .card_roots
                .iter()
                .filter_map(|root| Some((root.clone(), named_key(root.kid, &root.key)?)))
                .collect(),
            issuers: trust_list.iter().flat_map(|list| &list.issuers).filter_map(issuer).collect(),
            revoked_certificates: trust_list.map(|list| list.revoked_certificates.clone()).unwrap_or_default(),
            revoked_kids: trust_list.map(|list| list.revoked_kids.clone()).unwrap_or_default(),
            trust_list_seq: trust_list.map_or(0, |list| list.seq),
            deny_list: deny_list.cloned(),
        }
    }

    /// As seen by one terminal: app codes may be bound to its challenge.
    #[must_use]
    pub fn at_terminal(mut self, terminal: TerminalId) -> Self {
        self.terminal = Some(terminal);
        self
    }

    /// What the account is and serves.
    #[must_use]
    pub const fn descriptor(&self) -> &AccountDescriptor {
        &self.descriptor
    }

    /// This terminal's id in it.
    #[must_use]
    pub const fn terminal(&self) -> Option<&TerminalId> {
        self.terminal.as_ref()
    }

    /// Sequence of the trust list, its issue time in milliseconds; 0 if none ever came.
    #[must_use]
    pub const fn trust_list_seq(&self) -> u64 {
        self.trust_list_seq
    }

    pub(super) fn listed(&self, kid: [u8; 8]) -> Option<&Issuer> {
        self.issuers.get(&kid)
    }

    pub(super) fn is_revoked_key(&self, kid: [u8; 8]) -> bool {
        self.revoked_kids.contains(&kid)
    }

    pub(super) fn is_revoked_certificate(&self, certificate: &[u8]) -> bool {
        self.revoked_certificates.contains(&sha256(certificate))
    }

    /// The root of this name that may certify issuers of this district.
    pub(super) fn root(&self, kid: [u8; 8], district: &DistrictId) -> Option<&(CardRoot, PublicKey)> {
        self.roots.iter().find(|(root, _)| root.kid == kid && root.districts.contains(district))
    }

    pub(super) fn denies(&self, cti: &[u8; 16]) -> bool {
        self.deny_list.as_ref().is_some_and(|list| list.denies(&sha256(cti)))
    }
}

/// What all enrolled accounts allow. A district belongs to at most one of them (protocol, 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    accounts: Vec<AccountTrust>,
}

impl Trust {
    /// From the accounts; of two that claim a district, the first has it.
    #[must_use]
    pub const fn new(accounts: Vec<AccountTrust>) -> Self {
        Self { accounts }
    }

    /// The accounts, in the order of enrolment.
    #[must_use]
    pub fn accounts(&self) -> &[AccountTrust] {
        &self.accounts
    }

    /// The account that serves a district.
    #[must_use]
    pub fn serving(&self, district: &DistrictId) -> Option<&AccountTrust> {
        self.accounts.iter().find(|account| account.descriptor.districts.contains(district))
    }

    /// Some account lists this key, for whatever district.
    pub(super) fn is_listed_anywhere(&self, kid: [u8; 8]) -> bool {
        self.accounts.iter().any(|account| account.listed(kid).is_some())
    }
}
