//! What became of records later, and the monthly statement (protocol, 4). Neither tells a cause in a family's life.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    document::Audience,
    form, json,
    json::JsonError,
    jws::{self, JwsError, KeySet, SigningKey, Typ},
    signed_part::Total,
};
pub use crate::domain::outcomes::LaterOutcome;
use crate::domain::{
    amount::{Cents, Month},
    documents::DocumentName,
    ids::{AccountId, Digest, RecordId},
    outcomes::{Later, OutcomesPage, Place},
    record::Enrolment,
};

/// Longest page or statement.
pub const MAX_LEN: usize = 512 * 1024;
/// Most entries of a page.
pub const MAX_ENTRIES: usize = 500;

/// Why a page or statement is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutcomesError {
    /// The signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The content.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// From another account.
    #[error("of another account")]
    Issuer,
    /// For somebody else.
    #[error("for somebody else")]
    Audience,
    /// Does not follow the page before.
    #[error("not the next page")]
    Order,
    /// Past its end: yesterday's page.
    #[error("the page has expired")]
    Expired,
    /// The lines do not add up, or it is another month's.
    #[error("the statement contradicts itself")]
    Sum,
}

impl OutcomesError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jws(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Issuer => "outcomes_issuer",
            Self::Audience => "outcomes_audience",
            Self::Order => "outcomes_order",
            Self::Expired => "outcomes_expired",
            Self::Sum => "statement_sum",
        }
    }
}

/// One entry of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterEntry {
    /// The record.
    #[serde(with = "form")]
    pub id: RecordId,
    /// What became of it.
    #[serde(with = "form")]
    pub outcome: LaterOutcome,
    /// The amount that now counts, for `corrected`.
    #[serde(with = "form::number::option", default, skip_serializing_if = "Option::is_none")]
    pub amount_cents: Option<Cents>,
    /// The statement's month, for `settled`.
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
}

/// A page of outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The account.
    #[serde(with = "form")]
    pub iss: AccountId,
    /// The terminal.
    #[serde(with = "form")]
    pub aud: Audience,
    /// When it was made.
    #[serde(with = "form")]
    pub iat: Timestamp,
    /// When it lapses: a page is made for one request.
    #[serde(with = "form")]
    pub exp: Timestamp,
    /// The cursor that was asked for.
    pub after: u64,
    /// The cursor to ask for next; equal to `after` if there is nothing new.
    pub cursor: u64,
    /// Digest of the page that ended at `after`; absent for the first.
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Digest>,
    /// What happened, in order.
    pub entries: Vec<LaterEntry>,
}

impl Page {
    /// What the page says, and where it ends: an empty one leads nowhere.
    #[must_use]
    pub fn follow(self, from: Place, digest: Digest) -> OutcomesPage {
        let place = if self.entries.is_empty() { from } else { Place { cursor: self.cursor, page: Some(digest) } };
        let lines = self.entries.into_iter().map(|entry| {
            let LaterEntry { id: record, outcome, amount_cents: amount, month } = entry;
            Later { record, outcome, amount, month }
        });
        OutcomesPage { place, lines: lines.collect() }
    }
}

/// Signs a page; its digest is the next page's `prev`.
#[must_use]
pub fn sign_page(key: &SigningKey, page: &Page) -> (String, Digest) {
    jws::sign_with_digest(key, Typ::Outcomes, &json::to_vec(page))
}

/// Verifies the page that follows `after`, whose digest was `prev`.
///
/// # Errors
/// [`OutcomesError`].
pub fn verify_page(
    jws: &str,
    keys: &KeySet,
    now: Timestamp,
    me: &Enrolment,
    after: u64,
    prev: Option<Digest>,
) -> Result<(Page, Digest), OutcomesError> {
    let verified = jws::verify(jws, Typ::Outcomes, keys, now, MAX_LEN)?;
    let page: Page = json::from_slice(&verified.payload, MAX_LEN)?;
    if page.iss != me.account {
        return Err(OutcomesError::Issuer);
    }
    if page.aud != Audience::Terminal(me.terminal.clone()) {
        return Err(OutcomesError::Audience);
    }
    if page.exp <= now {
        return Err(OutcomesError::Expired);
    }
    let empty = page.entries.is_empty();
    let follows = page.after == after && page.prev == prev && page.entries.len() <= MAX_ENTRIES;
    let moves = if empty { page.cursor == after } else { page.cursor > after };
    if follows && moves { Ok((page, verified.digest)) } else { Err(OutcomesError::Order) }
}

/// A provider's statement of one month: one amount, whoever pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The account.
    #[serde(with = "form")]
    pub iss: AccountId,
    /// The provider.
    #[serde(with = "form")]
    pub aud: Audience,
    /// When it was made.
    #[serde(with = "form")]
    pub iat: Timestamp,
    /// The month.
    #[serde(with = "form")]
    pub month: Month,
    /// Count and cents per offer, net of reversals.
    pub lines: Vec<Total>,
    /// Their sum in cents.
    pub total_cents: u64,
}

/// Signs a statement.
#[must_use]
pub fn sign_statement(key: &SigningKey, statement: &Statement) -> String {
    jws::sign(key, Typ::Statement, &json::to_vec(statement))
}

/// Verifies a month's statement and that its lines add up.
///
/// # Errors
/// [`OutcomesError`].
pub fn verify_statement(
    jws: &str,
    keys: &KeySet,
    now: Timestamp,
    me: &Enrolment,
    month: Month,
) -> Result<Statement, OutcomesError> {
    let verified = jws::verify(jws, Typ::Statement, keys, now, MAX_LEN)?;
    let statement: Statement = json::from_slice(&verified.payload, MAX_LEN)?;
    if statement.iss != me.account {
        return Err(OutcomesError::Issuer);
    }
    // A statement is the provider's, so a terminal or site of it may be addressed too, as with a catalogue.
    if !statement.aud.is_for(DocumentName::Catalogue, me) {
        return Err(OutcomesError::Audience);
    }
    let sum: u64 = statement.lines.iter().map(|line| line.amount_cents.get().unsigned_abs()).sum();
    if statement.month == month && sum == statement.total_cents { Ok(statement) } else { Err(OutcomesError::Sum) }
}
