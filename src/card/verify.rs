//! The order of verification of card-application 1.6, steps 1 to 9: stops at the first failure, and each failure has its
//! own error.

use jiff::{SignedDuration, Timestamp};

use super::{
    cose::{ObjectType, Sign1},
    credential::{CredentialClaims, IssuerClaims, Kind},
    error::CardError,
    key::key_id,
    trust::{AccountTrust, Issuer, Trust},
};

/// How far an issuer's clock may run ahead of ours.
pub const ISSUER_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A credential that passed steps 1 to 4: its form is right, nothing it says is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    sign1: Sign1,
    claims: CredentialClaims,
}

impl Presented {
    /// Steps 1 to 4 for a `bik-crd`.
    ///
    /// # Errors
    /// The errors of steps 1 to 4.
    pub fn credential(bytes: &[u8]) -> Result<Self, CardError> {
        let sign1 = Sign1::parse(bytes, ObjectType::Credential)?;
        let claims = CredentialClaims::read(sign1.claims())?;
        Ok(Self { sign1, claims })
    }

    /// Steps 1 to 4 for a `bik-sta`.
    ///
    /// # Errors
    /// The errors of steps 1 to 4.
    pub fn static_print(bytes: &[u8]) -> Result<Self, CardError> {
        let sign1 = Sign1::parse(bytes, ObjectType::StaticPrint)?;
        let claims = CredentialClaims::read_static(sign1.claims())?;
        Ok(Self { sign1, claims })
    }

    /// The kind it claims.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.claims.kind
    }

    /// The account whose documents decide.
    ///
    /// # Errors
    /// [`CardError::UnknownDistrict`].
    pub fn account<'t>(&self, trust: &'t Trust) -> Result<&'t AccountTrust, CardError> {
        trust.serving(&self.claims.district).ok_or(CardError::UnknownDistrict)
    }

    /// Step 5, first half: the issuer as the trust list names it; `None` if only a chain can help.
    ///
    /// # Errors
    /// [`CardError::RevokedIssuer`] before all else, [`CardError::OtherDistrict`].
    pub fn listed_issuer(&self, trust: &Trust) -> Result<Option<Issuer>, CardError> {
        let account = self.account(trust)?;
        let kid = self.sign1.key_id();
        if account.is_revoked_key(kid) {
            return Err(CardError::RevokedIssuer);
        }
        match account.listed(kid) {
            Some(issuer) if issuer.district == self.claims.district => Ok(Some(issuer.clone())),
            Some(_) => Err(CardError::OtherDistrict),
            None if trust.is_listed_anywhere(kid) => Err(CardError::OtherDistrict),
            None => Ok(None),
        }
    }

    /// Step 5, second half: the issuer as the card's own chain names it.
    ///
    /// # Errors
    /// The errors of steps 1 to 7 about the certificate.
    pub fn chained_issuer(&self, trust: &Trust, certificate: &[u8], now: Timestamp) -> Result<Issuer, CardError> {
        let account = self.account(trust)?;
        if account.is_revoked_certificate(certificate) {
            return Err(CardError::RevokedIssuer);
        }
        let sign1 = Sign1::parse(certificate, ObjectType::IssuerCertificate)?;
        let claims = IssuerClaims::read(sign1.claims())?;
        if claims.district != self.claims.district {
            return Err(CardError::OtherDistrict);
        }
        if claims.key.id() != self.sign1.key_id() {
            return Err(CardError::OtherKey);
        }
        let (root, root_key) = account.root(sign1.key_id(), &claims.district).ok_or(CardError::UnknownRoot)?;
        if root.name != claims.root {
            return Err(CardError::UnknownRoot);
        }
        if !sign1.is_signed_by(root_key, &[]) {
            return Err(CardError::CertificateSignature);
        }
        // A trust list names every issuer there was when it was made; one it left out on purpose must not come back.
        let issued_ms = u64::try_from(claims.issued.as_millisecond()).unwrap_or(0);
        if issued_ms <= account.trust_list_seq() {
            return Err(CardError::ChainTooOld);
        }
        if claims.issued > after(now, ISSUER_SKEW) {
            return Err(CardError::IssuerNotYetValid);
        }
        Ok(Issuer {
            key: claims.key,
            district: claims.district,
            kinds: claims.kinds,
            not_before: claims.issued,
            not_after: claims.expires,
            chain_only: true,
        })
    }

    /// The rest of step 5 and steps 6 to 9.
    ///
    /// # Errors
    /// The errors of these steps.
    pub fn verify(
        self,
        trust: &Trust,
        issuer: &Issuer,
        now: Timestamp,
        channel: Kind,
    ) -> Result<CredentialClaims, CardError> {
        let account = self.account(trust)?;
        let claims = &self.claims;
        if issuer.kinds & claims.kind.bit() == 0 {
            return Err(CardError::KindNotAllowed);
        }
        if claims.issued < issuer.not_before || after(now, ISSUER_SKEW) < issuer.not_before {
            return Err(CardError::IssuerNotYetValid);
        }
        if claims.issued >= issuer.not_after || now >= issuer.not_after {
            return Err(CardError::IssuerExpired);
        }
        debug_assert_eq!(key_id(issuer.key.compressed()), self.sign1.key_id());
        if !self.sign1.is_signed_by(&issuer.key, &[]) {
            return Err(CardError::CredentialSignature);
        }
        if claims.issued > after(now, ISSUER_SKEW) {
            return Err(CardError::NotYetValid);
        }
        if claims.expires <= now {
            return Err(CardError::Expired);
        }
        if account.denies(&claims.cti) {
            return Err(CardError::Denied);
        }
        if claims.kind != channel {
            return Err(CardError::WrongKind);
        }
        Ok(self.claims)
    }
}

/// Saturating, so that a hostile clock at the end of time is no panic.
pub(super) fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
