//! How a terminal comes in: activation codes, enrolment, renewal (protocol, 2).
//!
//! Here every provider that is admitted enrols at once. The other ways of a municipality are decisions at the same two
//! places: whether [`Account::enrol`] answers with a certificate or with [`Problem::ProviderNotAdmitted`], and which
//! offers the catalogue of the site releases.

use data_encoding::BASE32_NOPAD;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Account, AccountError,
    certificates::{self, LATE_RENEWAL},
    keys::random,
    store::{CertifiedKey, ProviderStanding, StoreError, Terminal, Tx},
};
use crate::{
    domain::{
        documents::{DocumentName, Environment, ReferenceKey, TerminalStanding},
        ids::{SiteId, TerminalId},
    },
    protocol::{
        enrolment::{ActivationCode, Admitted, Der, EnrolmentRequest, RenewalAnswer, RenewalRequest},
        jws::sha256,
        problem::Problem,
        record::chain_start,
    },
};

/// How long an activation code counts.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_mins(15);

fn refused(problem: Problem) -> AccountError {
    AccountError::problem(problem, "")
}

impl Account {
    /// Mints an activation code for a site; `None` if there is no such site. `life` of `None` = does not expire, which
    /// only a demonstration account may do.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn mint_code(
        &self,
        tx: &Tx<'_>,
        site: &SiteId,
        host: &str,
        life: Option<SignedDuration>,
    ) -> Result<Option<ActivationCode>, StoreError> {
        let now = self.now();
        let secret: [u8; 16] = random();
        let life = if self.founded.environment == Environment::Demo { life } else { Some(life.unwrap_or(CODE_LIFE)) };
        let expires_at = life.map(|life| now + life);
        let kept = tx.add_activation(&sha256(&secret), site, now, expires_at)?;
        Ok(kept.then(|| ActivationCode::new(host, &self.certificates.root, now, secret)))
    }

    /// Enrols a terminal.
    ///
    /// # Errors
    /// [`AccountError::Problem`] with the codes of protocol, 2.
    pub fn enrol(&self, tx: &Tx<'_>, request: &EnrolmentRequest) -> Result<Result<Admitted, Problem>, AccountError> {
        let now = self.now();
        let key = certificates::requested_key(&request.csr.0).map_err(|_| refused(Problem::CsrInvalid))?;
        let secret = BASE32_NOPAD.decode(request.secret.as_bytes()).ok().filter(|bytes| bytes.len() == 16);
        let secret = sha256(&secret.ok_or_else(|| refused(Problem::CodeUnknown))?);
        let code = tx.activation(&secret)?.ok_or_else(|| refused(Problem::CodeUnknown))?;
        if let Some(first) = &code.used_by {
            // Two hold the same code and nobody knows who is honest: the first user stops until the office has looked.
            // This is kept although the request fails, hence the answer inside the answer.
            tx.set_standing(first, TerminalStanding::Suspended)?;
            return Ok(Err(Problem::CodeUsed));
        }
        if code.expires_at.is_some_and(|end| now >= end) {
            return Err(refused(Problem::CodeExpired));
        }
        if code.provider_standing != ProviderStanding::Admitted {
            return Err(refused(Problem::ProviderNotAdmitted));
        }
        if self.founded.environment == Environment::Production && request.device.simulated {
            return Err(refused(Problem::EnrolmentRefused));
        }
        if tx.certified_key(key.kid())?.is_some() {
            return Err(AccountError::problem(Problem::CsrInvalid, "this key belongs to a terminal"));
        }
        let id = TerminalId::new(format!("T-{}", Uuid::from_bytes(random()).simple())).expect("letters and digits");
        let (chain, not_after) = self.certificates.terminal(&id, &key, now)?;
        let leaf = chain.first().expect("a chain begins with its leaf");
        tx.add_terminal(&id, &code.site, &chain_start(leaf), &fresh_reference(), now)?;
        tx.add_terminal_key(&id, &CertifiedKey { key, not_after })?;
        tx.use_activation(&secret, &id, now)?;
        let one = |name| -> Result<String, AccountError> {
            let part = self.common(tx, name, now)?.parts.into_iter().next();
            part.ok_or_else(|| StoreError::Damaged("document").into())
        };
        Ok(Ok(Admitted {
            account: self.id.clone(),
            terminal: id,
            provider: code.provider,
            site_name: code.site.to_string(),
            site: code.site,
            chain: chain.into_iter().map(Der).collect(),
            keys: one(DocumentName::Keys)?,
            descriptor: one(DocumentName::Descriptor)?,
        }))
    }

    /// Renews a certificate, for the same key or another; the old key's records stay good.
    ///
    /// # Errors
    /// [`AccountError::Problem`]: not due, too late, or not acceptable.
    pub fn renew(
        &self,
        tx: &Tx<'_>,
        terminal: &Terminal,
        not_after: Timestamp,
        request: &RenewalRequest,
    ) -> Result<RenewalAnswer, AccountError> {
        let now = self.now();
        if !certificates::renewal_is_due(not_after, now) {
            return Err(refused(Problem::RenewalNotDue));
        }
        if now > not_after + LATE_RENEWAL {
            return Err(refused(Problem::RenewalNeedsApproval));
        }
        let key = certificates::requested_key(&request.csr.0).map_err(|_| refused(Problem::CsrInvalid))?;
        match tx.certified_key(key.kid())? {
            Some((owner, _)) if owner != terminal.id => {
                return Err(AccountError::problem(Problem::CsrInvalid, "this key belongs to another terminal"));
            }
            _ => {}
        }
        let (chain, not_after) = self.certificates.terminal(&terminal.id, &key, now)?;
        tx.add_terminal_key(&terminal.id, &CertifiedKey { key, not_after })?;
        Ok(RenewalAnswer { chain: chain.into_iter().map(Der).collect() })
    }
}

fn fresh_reference() -> ReferenceKey {
    let name: [u8; 10] = random();
    ReferenceKey { ref_kid: format!("R-{}", BASE32_NOPAD.encode(&name)), key: random() }
}
