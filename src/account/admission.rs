//! How a terminal comes in: activation codes, enrolment, renewal (protocol, 2).
//!
//! A provider that is admitted enrols at once, or after approval where the code was minted so. The other ways of a
//! municipality are decisions at the same two places: whether [`Account::enrol`] answers with a certificate or with
//! [`Problem::ProviderNotAdmitted`], and which offers the catalogue of the site releases.

use data_encoding::BASE32_NOPAD;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Account, AccountError,
    certificates::{self, LATE_RENEWAL},
    keys::random,
    store::{Activation, Application, CertifiedKey, Decision, ProviderStanding, StoreError, Terminal, Tx},
};
use crate::{
    domain::{
        documents::{DocumentName, Environment, ReferenceKey, TerminalStanding},
        ids::{Digest, ProviderId, SiteId, TerminalId},
    },
    protocol::{
        enrolment::{
            ActivationCode, Admitted, Der, EnrolmentRequest, Pending, PollRequest, RenewalAnswer, RenewalRequest,
            verify_poll,
        },
        jws::{PublicKey, sha256},
        problem::Problem,
        published::is_published,
    },
};

/// How long an activation code counts.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_mins(15);

/// How long a terminal waits between two questions for a decision.
const POLL_AFTER_MS: u32 = 5000;

/// What becomes of a terminal that wants to come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is one now.
    Admitted(Box<Admitted>),
    /// The office has yet to decide.
    Pending(Pending),
}

fn pending(application: &Application) -> Pending {
    Pending { enrolment_id: application.id.clone(), poll_after_ms: POLL_AFTER_MS }
}

fn refused(problem: Problem) -> AccountError {
    AccountError::problem(problem, "")
}

impl Account {
    /// Mints an activation code for a site; `None` if there is no such site. `life` of `None` = does not expire, which
    /// only a demonstration account may do. With `approval` the office decides on whoever uses it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn mint_code(
        &self,
        tx: &Tx<'_>,
        site: &SiteId,
        host: &str,
        life: Option<SignedDuration>,
        approval: bool,
    ) -> Result<Option<ActivationCode>, StoreError> {
        let now = self.now();
        let secret: [u8; 16] = random();
        let life = if self.founded.environment == Environment::Demo { life } else { Some(life.unwrap_or(CODE_LIFE)) };
        let expires_at = life.map(|life| now + life);
        let kept = tx.add_activation(&sha256(&secret), site, now, expires_at, approval)?;
        Ok(kept.then(|| ActivationCode::new(host, &self.certificates.root, now, secret)))
    }

    /// Enrols a terminal, or takes its application where the code asks for the office's approval. The same secret and key
    /// again get the same answer: an answer that was lost on its way costs nothing.
    ///
    /// # Errors
    /// [`AccountError::Problem`] with the codes of protocol, 2.
    pub fn enrol(&self, tx: &Tx<'_>, request: &EnrolmentRequest) -> Result<Result<Answer, Problem>, AccountError> {
        let now = self.now();
        let key = certificates::requested_key(&request.csr.0).map_err(|_| refused(Problem::CsrInvalid))?;
        let secret = BASE32_NOPAD.decode(request.secret.as_bytes()).ok().filter(|bytes| bytes.len() == 16);
        let secret = sha256(&secret.ok_or_else(|| refused(Problem::CodeUnknown))?);
        let code = tx.activation(&secret)?.ok_or_else(|| refused(Problem::CodeUnknown))?;
        if let Some(first) = &code.used_by {
            if tx.certified_key(key.kid())?.is_some_and(|(owner, _)| owner == *first) {
                return Ok(Ok(Answer::Admitted(Box::new(self.admitted(tx, code.site, code.provider, first)?))));
            }
            // Two hold the same code and nobody knows who is honest: the first user stops until the office has looked.
            // This is kept although the request fails, hence the answer inside the answer.
            tx.set_standing(first, TerminalStanding::Suspended)?;
            tx.note_terminal_for_office(first, "activation code used twice", now)?;
            return Ok(Err(Problem::CodeUsed));
        }
        if let Some(first) = tx.application_of(&secret)? {
            if first.key == key {
                return self.decided(tx, &first).map(Ok);
            }
            tx.decide(&first.id, Decision::Refused)?;
            return Ok(Err(Problem::CodeUsed));
        }
        if code.expires_at.is_some_and(|end| now >= end) {
            return Err(refused(Problem::CodeExpired));
        }
        if code.provider_standing != ProviderStanding::Admitted {
            return Err(refused(Problem::ProviderNotAdmitted));
        }
        if self.founded.environment == Environment::Production && (request.device.simulated || is_published(&key)) {
            return Err(refused(Problem::EnrolmentRefused));
        }
        if tx.certified_key(key.kid())?.is_some() {
            return Err(AccountError::problem(Problem::CsrInvalid, "this key belongs to a terminal"));
        }
        if code.approval {
            let id = BASE32_NOPAD.encode(&random::<16>());
            let application = Application { id, secret, key, decision: Decision::Open };
            tx.add_application(&application, now)?;
            return Ok(Ok(Answer::Pending(pending(&application))));
        }
        self.admit(tx, code, &secret, &key).map(|admitted| Ok(Answer::Admitted(Box::new(admitted))))
    }

    /// Answers the question for the decision on an application.
    ///
    /// # Errors
    /// [`AccountError::Problem`]: no such application, or not asked by its key, or refused.
    pub fn poll(&self, tx: &Tx<'_>, id: &str, request: &PollRequest) -> Result<Answer, AccountError> {
        let application = tx.application(id)?.ok_or_else(|| refused(Problem::NotFound))?;
        // Whoever does not hold the key learns not even that there is an application.
        verify_poll(request, &application.key, id).map_err(|_| refused(Problem::NotFound))?;
        self.decided(tx, &application)
    }

    fn decided(&self, tx: &Tx<'_>, application: &Application) -> Result<Answer, AccountError> {
        match application.decision {
            Decision::Open => Ok(Answer::Pending(pending(application))),
            Decision::Refused => Err(refused(Problem::EnrolmentRefused)),
            Decision::Approved => {
                let code = tx.activation(&application.secret)?.ok_or_else(|| refused(Problem::CodeUnknown))?;
                let admitted = match &code.used_by {
                    Some(terminal) => self.admitted(tx, code.site, code.provider, terminal)?,
                    None => self.admit(tx, code, &application.secret, &application.key)?,
                };
                Ok(Answer::Admitted(Box::new(admitted)))
            }
        }
    }

    /// Makes a terminal of a key and uses the code up.
    fn admit(&self, tx: &Tx<'_>, code: Activation, secret: &Digest, key: &PublicKey) -> Result<Admitted, AccountError> {
        let now = self.now();
        let id = TerminalId::new(format!("T-{}", Uuid::from_bytes(random()).simple())).expect("letters and digits");
        let (chain, not_after) = self.certificates.terminal(&id, key, now)?;
        let leaf = chain.first().expect("a chain begins with its leaf");
        tx.add_terminal(&id, &code.site, leaf, &fresh_reference(), now)?;
        tx.add_terminal_key(&id, &CertifiedKey { key: key.clone(), not_after })?;
        tx.use_activation(secret, &id, now)?;
        self.admitted(tx, code.site, code.provider, &id)
    }

    /// What a terminal is told that is admitted: always the same but for the documents, which are those of today.
    fn admitted(
        &self,
        tx: &Tx<'_>,
        site: SiteId,
        provider: ProviderId,
        terminal: &TerminalId,
    ) -> Result<Admitted, AccountError> {
        let now = self.now();
        let one = |name| -> Result<String, AccountError> {
            let part = self.common(tx, name, now)?.parts.into_iter().next();
            part.ok_or_else(|| StoreError::Damaged("document").into())
        };
        let chain = self.certificates.terminal_chain(tx.first_leaf(terminal)?);
        Ok(Admitted {
            account: self.id.clone(),
            terminal: terminal.clone(),
            provider,
            site_name: tx.site_name(&site)?,
            site,
            chain: chain.into_iter().map(Der).collect(),
            keys: one(DocumentName::Keys)?,
            descriptor: one(DocumentName::Descriptor)?,
        })
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
