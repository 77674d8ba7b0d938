//! Bodies of the calls that carry signed things: records, documents, outcomes, statements (protocol, 3 and 4).

use serde::{Deserialize, Serialize};

use super::{
    form::{B64, TextForm},
    json::{self, JsonError},
    record::{MAX_JWS_LEN, MAX_SEALED_LEN},
};
use crate::domain::delivery::Payload;

/// Longest answer of the API in bytes (protocol, 1).
pub const MAX_ANSWER_LEN: usize = 8 * 1024 * 1024;
/// Longest request: a full batch.
pub const MAX_REQUEST_LEN: usize = 12 * 1024 * 1024;
/// Most records in one request.
pub const MAX_RECORDS: usize = 500;

/// Milliseconds somebody stands waiting; such a record travels alone.
pub const WAIT_HEADER: &str = "teilhabe-wait";
/// The account's time, unix milliseconds; in every answer.
pub const TIME_HEADER: &str = "teilhabe-time";
/// Pace the account asks for: `batch=500, after_ms=0`.
pub const PACE_HEADER: &str = "teilhabe-pace";

/// `POST /v1/records`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsRequest {
    /// 1 to 500, in order of their sequence.
    pub records: Vec<RecordEntry>,
}

/// One record as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordEntry {
    /// The signed part.
    pub jws: String,
    /// The sealed part in base64url; left out for types that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// Of a refiled record, the JWS it had under its old identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_jws: Option<String>,
}

impl From<&Payload> for RecordEntry {
    fn from(payload: &Payload) -> Self {
        let sealed = (!payload.sealed.is_empty()).then(|| B64.encode(&payload.sealed));
        Self { jws: payload.jws.clone(), sealed, original_jws: payload.original_jws.clone() }
    }
}

impl RecordEntry {
    /// The sealed part's bytes; empty if there is none. `None` if it is not base64url or too long.
    #[must_use]
    pub fn sealed_bytes(&self) -> Option<Vec<u8>> {
        let text = self.sealed.as_deref().unwrap_or_default();
        let original = self.original_jws.as_ref().map_or(0, String::len);
        if text.len() > MAX_SEALED_LEN.div_ceil(3) * 4 || self.jws.len().max(original) > MAX_JWS_LEN {
            return None;
        }
        TextForm::read(text)
    }
}

impl RecordsRequest {
    /// The body for these payloads.
    #[must_use]
    pub fn body(payloads: &[Payload]) -> Vec<u8> {
        json::to_vec(&Self { records: payloads.iter().map(RecordEntry::from).collect() })
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`JsonError`]; [`JsonError::Shape`] also for none. More than [`MAX_RECORDS`] are the account's to refuse: they are
    /// too many, not malformed.
    pub fn read(body: &[u8]) -> Result<Self, JsonError> {
        let request: Self = json::from_slice(body, MAX_REQUEST_LEN)?;
        if request.records.is_empty() { Err(JsonError::Shape("no records".to_owned())) } else { Ok(request) }
    }
}

/// Answer to records and to the question for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptAnswer {
    /// JWS `teilhabe-receipt`.
    pub receipt: String,
}

/// Answer to `GET /v1/documents/{name}?part=i`: one part; its envelope says how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentAnswer {
    /// JWS of the document's type.
    pub document: String,
}

/// Answer to `GET /v1/outcomes?after=cursor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomesAnswer {
    /// JWS `teilhabe-outcomes`.
    pub outcomes: String,
}

/// Answer to `GET /v1/statements/{month}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementAnswer {
    /// JWS `teilhabe-statement`.
    pub statement: String,
}

/// Base64url as the sealed part travels in, for exports.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    B64.encode(bytes)
}
