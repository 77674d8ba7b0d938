//! Columns ↔ domain values. What was written must read back as itself; anything else is damage.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{Timestamp, civil::Date};
use rusqlite::Row;
use uuid::Uuid;

use super::error::JournalError;
use crate::domain::{
    amount::{Cents, Minutes, Month, Percent, Quantity},
    documents::TerminalStanding,
    ids::{ChildId, Digest, OfferId, RecordId, Tag},
    reading::Route,
    record::{ReversalReason, ServicePhase},
    standing::CardState,
};

/// State of an outbox entry as a column; see the migration.
pub(super) mod state {
    pub const QUEUED: u8 = 0;
    pub const IN_FLIGHT: u8 = 1;
    pub const ACKNOWLEDGED: u8 = 2;
    pub const DISPUTED: u8 = 3;
    pub const REJECTED: u8 = 4;
    pub const QUARANTINED: u8 = 5;
    pub const REFILED: u8 = 6;
}

/// A column that holds something we never write.
pub(super) fn foreign(column: &str) -> JournalError {
    JournalError::damaged(format!("column {column} holds a foreign value"))
}

/// SHA-256 over a JWS's signing input, everything before the second dot (protocol, 1).
pub(super) fn signing_digest(jws: &str) -> Option<Digest> {
    let (input, _signature) = jws.rsplit_once('.')?;
    digest(&SHA256, input.as_bytes()).as_ref().try_into().ok().map(Digest)
}

pub(super) fn digest_column(row: &Row<'_>, index: usize) -> Result<Digest, JournalError> {
    Ok(Digest(row.get(index)?))
}

pub(super) fn id_column(row: &Row<'_>, index: usize) -> Result<RecordId, JournalError> {
    Ok(RecordId(Uuid::from_bytes(row.get(index)?)))
}

/// Sequence and counts are never negative.
pub(super) fn count(value: i64) -> Result<u64, JournalError> {
    u64::try_from(value).map_err(|_| foreign("count"))
}

/// Counts for screens; four thousand million is out of reach.
pub(super) fn small(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// A sequence as SQLite stores it. Document sequences are milliseconds of the present century, own ones count from 1.
pub(super) fn column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) fn instant(ms: i64) -> Result<Timestamp, JournalError> {
    Timestamp::from_millisecond(ms).map_err(|_| foreign("instant"))
}

pub(super) fn date(text: &str) -> Result<Date, JournalError> {
    text.parse().map_err(|_| foreign("date"))
}

pub(super) fn cents(value: i64) -> Result<Cents, JournalError> {
    Cents::new(value).map_err(|_| foreign("amount"))
}

pub(super) fn offer(text: String) -> Result<OfferId, JournalError> {
    OfferId::new(text).map_err(|_| foreign("offer"))
}

pub(super) fn child(text: String) -> Result<ChildId, JournalError> {
    ChildId::new(text).map_err(|_| foreign("child"))
}

pub(super) fn tag(text: &str) -> Result<Option<Tag>, JournalError> {
    if text.is_empty() { Ok(None) } else { Tag::new(text).map(Some).ok_or_else(|| foreign("tag")) }
}

/// The empty column stands for nothing.
pub(super) fn filled(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}

macro_rules! from_word {
    ($name:ident, $type:ty) => {
        pub(super) fn $name(word: &str) -> Result<$type, JournalError> {
            <$type>::ALL.into_iter().find(|v| v.word() == word).ok_or_else(|| foreign(stringify!($name)))
        }
    };
}
from_word!(route, Route);
from_word!(phase, ServicePhase);
from_word!(reason, ReversalReason);
from_word!(standing, TerminalStanding);

pub(super) const fn card_state_word(state: CardState) -> &'static str {
    match state {
        CardState::Active => "active",
        CardState::Locked => "locked",
        CardState::Replaced => "replaced",
        CardState::Neutral => "neutral",
    }
}

pub(super) fn card_state(word: &str) -> Result<CardState, JournalError> {
    [CardState::Active, CardState::Locked, CardState::Replaced, CardState::Neutral]
        .into_iter()
        .find(|state| card_state_word(*state) == word)
        .ok_or_else(|| foreign("card state"))
}

/// A quantity in one column: `meal`, `minutes:90`, `minutes:90:<start record>`, `months:2026-09,2026-10`,
/// `amount:<event>`, `share:2026-11:75`. The first word is the unit's.
pub(super) fn quantity_text(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Minutes { minutes, started: Some(start) } => format!("minutes:{}:{start}", minutes.get()),
        Quantity::Amount { event } => format!("amount:{event}"),
        other => other.context_text(),
    }
}

pub(super) fn quantity(text: &str) -> Result<Quantity, JournalError> {
    parse_quantity(text).ok_or_else(|| foreign("quantity"))
}

fn parse_quantity(text: &str) -> Option<Quantity> {
    let (unit, rest) = text.split_once(':').unwrap_or((text, ""));
    match unit {
        "meal" => rest.is_empty().then_some(Quantity::Meal),
        "minutes" => {
            let (minutes, start) = rest.split_once(':').unwrap_or((rest, ""));
            let started = if start.is_empty() { None } else { Some(RecordId(Uuid::try_parse(start).ok()?)) };
            Some(Quantity::Minutes { minutes: Minutes::new(minutes.parse().ok()?).ok()?, started })
        }
        "months" => rest.split(',').map(|m| Month::parse(m).ok()).collect::<Option<_>>().map(Quantity::Months),
        "amount" => Some(Quantity::Amount { event: rest.to_owned() }),
        "share" => {
            let (month, percent) = rest.split_once(':')?;
            let percent = Percent::new(percent.parse().ok()?).ok()?;
            Some(Quantity::Share { month: Month::parse(month).ok()?, percent })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::BasisKind;

    #[test]
    fn quantities_read_back_as_themselves() {
        let month = |m| Month::new(2026, m).unwrap();
        let start = RecordId(Uuid::from_u128(7));
        let cases = [
            Quantity::Meal,
            Quantity::Minutes { minutes: Minutes::new(0).unwrap(), started: None },
            Quantity::Minutes { minutes: Minutes::new(90).unwrap(), started: Some(start) },
            Quantity::Months([month(9), month(12)].into()),
            Quantity::Amount { event: "Zoo: Tag, Übernachtung".into() },
            Quantity::Amount { event: String::new() },
            Quantity::Share { month: month(11), percent: Percent::new(75).unwrap() },
        ];
        for case in cases {
            assert_eq!(quantity(&quantity_text(&case)), Ok(case));
        }
        for bad in ["", "meal:1", "minutes:", "minutes:1441", "minutes:90:x", "months:", "share:2026-11", "bread"] {
            assert!(quantity(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_partial_index_names_the_unconfirmed_grounds() {
        let sql = include_str!("migrations/0001_initial.sql");
        let words = [BasisKind::Fault, BasisKind::Paper].map(BasisKind::word);
        assert!(sql.contains(&format!("basis IN ('{}', '{}')", words[0], words[1])));
    }
}
