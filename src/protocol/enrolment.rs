//! Enrolment, renewal and the reference key (protocol, 2).

use data_encoding::{BASE32_NOPAD, BASE64};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

pub use super::activation::{ActivationCode, ActivationCodeError};
use super::{
    document::{self, AccountKeySet, Content, Document, DocumentError, Expectation, key_set},
    form,
    json::{self, JsonError},
    jws::{self, JwsError, KeySet, PublicKey, SigningKey, Typ},
};
use crate::domain::{
    documents::{DocumentName, ReferenceKey},
    ids::{AccountId, ProviderId, SiteId, TerminalId},
    record::Enrolment,
};

/// Longest body of these calls.
pub const MAX_LEN: usize = 256 * 1024;
/// Longest certificate or request, DER.
const MAX_DER_LEN: usize = 8 * 1024;
/// Most certificates in a chain.
const MAX_CHAIN: usize = 5;

/// Bytes of DER in standard base64 with padding, as `x5c` has them (RFC 7515, 4.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Der(pub Vec<u8>);

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() <= MAX_DER_LEN);
        bytes.map(Self).ok_or_else(|| json::wrong("DER in base64"))
    }
}

/// `POST /v1/enrolments`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentRequest {
    /// The activation code's secret, base32.
    pub secret: String,
    /// Certificate request (PKCS #10) for a P-256 key.
    pub csr: Der,
    /// What asks.
    pub device: Device,
}

impl std::fmt::Debug for EnrolmentRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnrolmentRequest({:?})", self.device)
    }
}

/// What asks for enrolment; tells nothing about people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Program name.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Operating system.
    pub os: String,
    /// No real card need stand behind what it reads (virtual reader, simulated part, workshop profiles): production accounts
    /// refuse.
    pub simulated: bool,
}

/// `201`: admitted. The documents are verified by [`Admitted::verify`] under the root of the activation code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// The account.
    #[serde(with = "form")]
    pub account: AccountId,
    /// This terminal's name in it.
    #[serde(with = "form")]
    pub terminal: TerminalId,
    /// Its provider.
    #[serde(with = "form")]
    pub provider: ProviderId,
    /// Its site.
    #[serde(with = "form")]
    pub site: SiteId,
    /// The site, for people.
    pub site_name: String,
    /// Certificates, DER, leaf first, without the root.
    pub chain: Vec<Der>,
    /// JWS `teilhabe-keys`, signed by the root.
    pub keys: String,
    /// JWS `teilhabe-descriptor`.
    pub descriptor: String,
}

/// `202`: approval pending. Both screens show [`fingerprint`] of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// To ask again with.
    pub enrolment_id: String,
    /// How long to wait before.
    pub poll_after_ms: u32,
}

impl Pending {
    /// The id may stand in a path: it has 1 to 64 letters, digits and hyphens.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=64).contains(&self.enrolment_id.len()) && self.enrolment_id.bytes().all(legal)
    }
}

impl Admitted {
    /// Who the terminal now is.
    #[must_use]
    pub fn enrolment(&self) -> Enrolment {
        Enrolment {
            account: self.account.clone(),
            terminal: self.terminal.clone(),
            provider: self.provider.clone(),
            site: self.site.clone(),
        }
    }

    /// Verifies the two documents that come along: `keys` by the root, the descriptor by those keys.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn verify(
        &self,
        root: &PublicKey,
        now: Timestamp,
    ) -> Result<(Document, AccountKeySet, Document), DocumentError> {
        if self.chain.is_empty() || self.chain.len() > MAX_CHAIN {
            return Err(DocumentError::Content("a certificate chain has 1 to 5 certificates"));
        }
        let me = self.enrolment();
        let read = |name, jws: &String, keys: &KeySet| {
            let expected = Expectation { enrolment: &me, keys, now, held: None, lapsed: false };
            document::read(name, std::slice::from_ref(jws), &expected)
        };
        let keys = read(DocumentName::Keys, &self.keys, &key_set(root, None, None, None))?;
        let Content::Keys(account_keys) = &keys.content else { return Err(DocumentError::Name) };
        let account_keys = account_keys.clone();
        let descriptor =
            read(DocumentName::Descriptor, &self.descriptor, &key_set(root, Some(&account_keys), None, None))?;
        Ok((keys, account_keys, descriptor))
    }
}

/// Eight characters by which people compare a key on two screens: the first five bytes of its thumbprint, base32.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    BASE32_NOPAD.encode(&key.kid().0[..5])
}

/// `POST /v1/enrolments/{id}`: `{"poll": jws}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRequest {
    /// JWS `teilhabe-poll` by the key of the certificate request.
    pub poll: String,
}

/// The question for the decision on an enrolment.
#[derive(Serialize, Deserialize)]
struct PollForm {
    /// Which one.
    enrolment_id: String,
    #[serde(with = "form")]
    iat: Timestamp,
}

/// Why a poll is not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PollError {
    /// The signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The content.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// For another enrolment.
    #[error("a poll for another enrolment")]
    Foreign,
}

/// Signs the question for the decision on an enrolment.
#[must_use]
pub fn sign_poll(key: &SigningKey, enrolment_id: &str, iat: Timestamp) -> PollRequest {
    let form = PollForm { enrolment_id: enrolment_id.to_owned(), iat };
    PollRequest { poll: jws::sign(key, Typ::Poll, &json::to_vec(&form)) }
}

/// Verifies the question by the key of the certificate request.
///
/// # Errors
/// [`PollError`].
pub fn verify_poll(request: &PollRequest, key: &PublicKey, enrolment_id: &str) -> Result<Timestamp, PollError> {
    let find = |kid| if kid == key.kid() { Ok(key.clone()) } else { Err(JwsError::Key) };
    let verified = jws::verify_by(&request.poll, Typ::Poll, MAX_LEN, find)?;
    let form: PollForm = json::from_slice(&verified.payload, MAX_LEN)?;
    if form.enrolment_id == enrolment_id { Ok(form.iat) } else { Err(PollError::Foreign) }
}

/// `POST /v1/certificates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalRequest {
    /// Certificate request (PKCS #10).
    pub csr: Der,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalAnswer {
    /// Certificates, DER, leaf first, without the root.
    pub chain: Vec<Der>,
}

/// Answer to `GET /v1/reference-key`. Secret: travels under mutual TLS alone and is kept wrapped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceKeyAnswer {
    /// Name of the key, as card lists call it.
    pub ref_kid: String,
    #[serde(with = "form")]
    key: [u8; 32],
}

impl From<&ReferenceKey> for ReferenceKeyAnswer {
    fn from(key: &ReferenceKey) -> Self {
        Self { ref_kid: key.ref_kid.clone(), key: key.key }
    }
}

impl From<ReferenceKeyAnswer> for ReferenceKey {
    fn from(answer: ReferenceKeyAnswer) -> Self {
        Self { ref_kid: answer.ref_kid, key: answer.key }
    }
}
