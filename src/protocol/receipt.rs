//! Receipts: the only thing that settles a record (protocol, 4).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    document::Audience,
    form,
    json::{self, JsonError},
    jws::{self, JwsError, KeySet, SigningKey, Typ},
};
use crate::domain::{
    delivery::{Outcome, Payload, Receipt},
    ids::{AccountId, BookingNumber, Digest, RecordId, TerminalId},
    record::Enrolment,
};

/// Longest receipt: 500 entries of about 250 bytes.
pub const MAX_LEN: usize = 512 * 1024;
/// Longest reason code.
pub const MAX_REASON_LEN: usize = 64;

/// Why an answer settles nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// The signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The content.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// From another account.
    #[error("a receipt of another account")]
    Issuer,
    /// For another terminal.
    #[error("a receipt for another terminal")]
    Audience,
    /// Names none of the records that were sent.
    #[error("a receipt for other records")]
    Foreign,
}

impl ReceiptError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jws(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Issuer => "receipt_issuer",
            Self::Audience => "receipt_audience",
            Self::Foreign => "receipt_foreign",
        }
    }
}

/// What became of records, for the terminal that sent them.
#[derive(Serialize, Deserialize)]
struct ReceiptForm {
    #[serde(with = "form")]
    iss: AccountId,
    #[serde(with = "form")]
    aud: Audience,
    #[serde(with = "form")]
    iat: Timestamp,
    /// One for each record.
    entries: Vec<EntryForm>,
}

#[derive(Serialize, Deserialize)]
struct EntryForm {
    #[serde(with = "form")]
    id: RecordId,
    #[serde(with = "form")]
    digest: Digest,
    seq: u64,
    outcome: OutcomeForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    booking: Option<BookingNumber>,
    replayed: bool,
}

/// The judgement's word.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OutcomeForm {
    Booked,
    Rejected,
    Disputed,
    Conflict,
    Deferred,
}

impl From<&Receipt> for EntryForm {
    fn from(receipt: &Receipt) -> Self {
        let (outcome, reason, booking) = match &receipt.outcome {
            Outcome::Booked { booking } => (OutcomeForm::Booked, None, booking.clone()),
            Outcome::Rejected { reason } => (OutcomeForm::Rejected, Some(reason.clone()), None),
            Outcome::Disputed { reason } => (OutcomeForm::Disputed, Some(reason.clone()), None),
            Outcome::Conflict => (OutcomeForm::Conflict, None, None),
            Outcome::Deferred => (OutcomeForm::Deferred, None, None),
        };
        let Receipt { record: id, digest, seq, replayed, .. } = *receipt;
        Self { id, digest, seq, outcome, reason, booking, replayed }
    }
}

impl TryFrom<EntryForm> for Receipt {
    type Error = JsonError;

    fn try_from(entry: EntryForm) -> Result<Self, JsonError> {
        let reason = || {
            let is_code = |text: &String| {
                let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                (1..=MAX_REASON_LEN).contains(&text.len()) && text.bytes().all(legal)
            };
            let missing = || JsonError::Shape("a refusing entry needs a reason code".to_owned());
            entry.reason.clone().filter(is_code).ok_or_else(missing)
        };
        let outcome = match entry.outcome {
            OutcomeForm::Booked => Outcome::Booked { booking: entry.booking },
            OutcomeForm::Rejected => Outcome::Rejected { reason: reason()? },
            OutcomeForm::Disputed => Outcome::Disputed { reason: reason()? },
            OutcomeForm::Conflict => Outcome::Conflict,
            OutcomeForm::Deferred => Outcome::Deferred,
        };
        let EntryForm { id: record, digest, seq, replayed, .. } = entry;
        Ok(Self { record, digest, seq, outcome, replayed })
    }
}

/// Signs a receipt for one terminal.
#[must_use]
pub fn sign(
    key: &SigningKey,
    account: &AccountId,
    terminal: &TerminalId,
    iat: Timestamp,
    entries: &[Receipt],
) -> String {
    let entries = entries.iter().map(EntryForm::from).collect();
    let form = ReceiptForm { iss: account.clone(), aud: Audience::Terminal(terminal.clone()), iat, entries };
    jws::sign(key, Typ::Receipt, &json::to_vec(&form))
}

/// Verifies a receipt and gives the entries that name one of the records sent: same id, same digest, same seq.
/// Entries for anything else are dropped; what was sent and is not answered stays unknown.
///
/// # Errors
/// [`ReceiptError`]; then nothing at all is settled.
pub fn verify(
    jws: &str,
    keys: &KeySet,
    now: Timestamp,
    enrolment: &Enrolment,
    sent: &[Payload],
) -> Result<Vec<Receipt>, ReceiptError> {
    let verified = jws::verify(jws, Typ::Receipt, keys, now, MAX_LEN)?;
    let form: ReceiptForm = json::from_slice(&verified.payload, MAX_LEN)?;
    if form.iss != enrolment.account {
        return Err(ReceiptError::Issuer);
    }
    if form.aud != Audience::Terminal(enrolment.terminal.clone()) {
        return Err(ReceiptError::Audience);
    }
    let mut open: BTreeMap<_, _> = sent.iter().map(|payload| (payload.record, payload)).collect();
    let mut settled = Vec::new();
    for entry in form.entries {
        let Some(payload) = open.get(&entry.id) else { continue };
        if payload.digest == entry.digest && payload.seq == entry.seq {
            // The first entry for a record counts; a second one contradicting it does not.
            open.remove(&entry.id);
            settled.push(entry.try_into()?);
        }
    }
    if settled.is_empty() { Err(ReceiptError::Foreign) } else { Ok(settled) }
}
