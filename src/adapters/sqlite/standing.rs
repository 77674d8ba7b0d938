//! The one question before a decision: what is known beyond the card?

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::Date};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Journal,
    error::JournalError,
    outbox::oldest_waiting,
    rows::{self, column, count, foreign, id_column, instant, small, state},
};
use crate::domain::{
    amount::Percent,
    ids::{AccountId, CardRef, OfferId},
    reading::{Level, Route},
    standing::{CardEntry, Entitlement, OwnRecord, Standing},
    time::At,
};

/// How far back own records bear on any decision, in days; older ones do so only by month, or while unsettled.
const RECENT_DAYS: i32 = 35;

/// What a decision asks.
#[derive(Debug, Clone)]
pub struct StandingQuery<'a> {
    /// The account asked.
    pub account: &'a AccountId,
    /// References of every identity the reading may stand for, under every reference key in force.
    pub refs: &'a [CardRef],
    /// The offer in question, if one is chosen.
    pub offer: Option<&'a OfferId>,
    /// The way it was read.
    pub route: Route,
    /// The day in question.
    pub service_date: Date,
    /// Now: lists lapse by `at.floor`, ages are counted by `at.wall`.
    pub at: &'a At,
}

impl Journal {
    /// What is known beyond the card. A lapsed card list counts as none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn standing(&mut self, query: &StandingQuery<'_>) -> Result<Standing, JournalError> {
        let enrolment = self.enrolment(query.account)?;
        self.read(|connection| {
            // One snapshot for all parts.
            let snapshot = connection.unchecked_transaction()?;
            standing(&snapshot, enrolment, query)
        })
    }
}

fn standing(connection: &Connection, enrolment: i64, query: &StandingQuery<'_>) -> Result<Standing, JournalError> {
    let mut standing = Standing { refs: query.refs.to_vec(), ..Standing::default() };
    let list: Option<(i64, i64)> = connection
        .prepare_cached("SELECT seq, booked_through FROM card_list WHERE enrolment = ?1 AND exp > ?2")?
        .query_row(params![enrolment, query.at.floor.as_millisecond()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((seq, booked_through)) = list {
        standing.card_list_seq = count(seq)?;
        standing.booked_through = count(booked_through)?;
        let mut entries = entries(connection, enrolment, query.refs)?;
        standing.ambiguous = entries.len() > 1;
        standing.entry = if standing.ambiguous { None } else { entries.pop() };
    }
    standing.own = own_records(connection, enrolment, &standing, query)?;
    if let Some(offer) = query.offer {
        let unsettled = connection
            .prepare_cached("SELECT cents FROM unsettled WHERE enrolment = ?1 AND offer = ?2")?
            .query_row(params![enrolment, offer.as_str()], |row| row.get(0))
            .optional()?;
        // Above a million euro the exact sum no longer matters: every limit lies below.
        standing.offer_unsettled = unsettled.map_or(crate::domain::amount::Cents::ZERO, |cents: i64| {
            rows::cents(cents).unwrap_or(crate::domain::amount::Cents::MAX)
        });
        let unconfirmed: i64 = connection
            .prepare_cached(
                "SELECT count(*) FROM redemption
                 WHERE service_date = ?1 AND offer = ?2 AND route = ?3 AND net = 1 AND basis IN ('fault', 'paper')",
            )?
            .query_row(params![query.service_date.to_string(), offer.as_str(), query.route.word()], |row| row.get(0))?;
        standing.fault_today = small(unconfirmed);
    }
    let waiting: i64 = connection
        .prepare_cached("SELECT waiting FROM head WHERE enrolment = ?1")?
        .query_row([enrolment], |row| row.get(0))?;
    standing.waiting = small(waiting);
    if let Some(oldest) = oldest_waiting(connection, enrolment)? {
        standing.oldest_waiting_s = small((query.at.wall.as_millisecond() - oldest.as_millisecond()) / 1000);
    }
    Ok(standing)
}

/// Entries of the card list that have one of the references.
fn entries(connection: &Connection, enrolment: i64, refs: &[CardRef]) -> Result<Vec<CardEntry>, JournalError> {
    let mut numbers = Vec::new();
    let mut by_ref = connection.prepare_cached("SELECT entry FROM card_ref WHERE enrolment = ?1 AND ref = ?2")?;
    for reference in refs {
        for number in by_ref.query_map(params![enrolment, reference.0], |row| row.get::<_, i64>(0))? {
            numbers.push(number?);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(|number| entry(connection, enrolment, number, refs)).collect()
}

fn entry(connection: &Connection, enrolment: i64, number: i64, refs: &[CardRef]) -> Result<CardEntry, JournalError> {
    let (tag, child, state): (String, String, String) = connection
        .prepare_cached("SELECT tag, child, state FROM card_entry WHERE no = ?1 AND enrolment = ?2")?
        .query_row([number, enrolment], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut entitlements = BTreeMap::new();
    let mut claims =
        connection.prepare_cached("SELECT offer, until, available, percent FROM card_claim WHERE entry = ?1")?;
    let mut found = claims.query([number])?;
    while let Some(row) = found.next()? {
        let percent: i64 = row.get(3)?;
        let percent =
            u8::try_from(percent).ok().map(|p| Percent::new(p).map_err(|_| foreign("percent"))).transpose()?;
        let until = rows::date(row.get_ref(1)?.as_str().map_err(|_| foreign("until"))?)?;
        let available = u32::try_from(row.get::<_, i64>(2)?).ok();
        entitlements.insert(rows::offer(row.get(0)?)?, Entitlement { until, available, percent });
    }
    Ok(CardEntry {
        // The references that were asked for: nothing else of the card is needed or told.
        refs: refs.to_vec(),
        tag: rows::tag(&tag)?.ok_or_else(|| foreign("tag"))?,
        child: rows::child(child)?,
        state: rows::card_state(&state)?,
        entitlements,
    })
}

/// Own net redemptions of the entry's child, and of the card itself: recent, of the month, for months, or not yet in what
/// the list says is available.
fn own_records(
    connection: &Connection,
    enrolment: i64,
    standing: &Standing,
    query: &StandingQuery<'_>,
) -> Result<Vec<OwnRecord>, JournalError> {
    let mut subjects: Vec<Vec<u8>> = query.refs.iter().map(|r| [b"r".as_slice(), &r.0].concat()).collect();
    if let Some(entry) = &standing.entry {
        subjects.push([b"c", entry.child.as_str().as_bytes()].concat());
    }
    let earliest = query.at.today.min(query.service_date);
    let recent = earliest.saturating_sub(RECENT_DAYS.days()).to_string();
    let month = query.service_date.strftime("%Y-%m-").to_string();
    let mut own = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT w.id, w.offer, w.service_date, w.tapped_at, w.level, w.quantity, w.amount, o.state, w.record,
                CASE WHEN w.enrolment = ?6 THEN w.seq
                     ELSE coalesce((SELECT max(n.seq) FROM refiled f JOIN outbox n ON n.record = f.record
                                    WHERE f.original = w.record AND n.enrolment = ?6), 0) END
         FROM own_record w CROSS JOIN outbox o ON o.record = w.record
         WHERE w.enrolment = ?1 AND w.subject = ?2
           AND (w.service_date >= ?3 OR substr(w.service_date, 1, 8) = ?4 OR w.seq > ?5
                OR w.quantity LIKE 'months:%' OR w.quantity LIKE 'share:%')",
    )?;
    let through = column(standing.booked_through);
    let identities = identities(connection, enrolment)?;
    let asked = subjects.iter().flat_map(|subject| identities.iter().map(move |identity| (identity, subject)));
    for (identity, subject) in asked {
        let mut found = statement.query(params![identity, subject, recent, month, through, enrolment])?;
        while let Some(row) = found.next()? {
            let seq = count(row.get(9)?)?;
            let date: String = row.get(2)?;
            let quantity: String = row.get(5)?;
            let answered: u8 = row.get(7)?;
            own.insert(
                row.get::<_, i64>(8)?,
                OwnRecord {
                    record: id_column(row, 0)?,
                    offer: rows::offer(row.get(1)?)?,
                    service_date: rows::date(&date)?,
                    tapped_at: instant(row.get(3)?)?,
                    level: Level::new(row.get(4)?).ok_or_else(|| foreign("level"))?,
                    quantity: rows::quantity(&quantity)?,
                    amount: rows::cents(row.get(6)?)?,
                    seq,
                    settled: matches!(answered, state::ACKNOWLEDGED | state::DISPUTED),
                },
            );
        }
    }
    Ok(own.into_values().collect())
}

/// Numbers of the identity in force and of those before it with the same account: a child that ate before a terminal was
/// activated anew has eaten. What an earlier one still owed counts from where it was brought again.
fn identities(connection: &Connection, enrolment: i64) -> Result<Vec<i64>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT e.no FROM enrolment e JOIN enrolment m ON m.account = e.account WHERE m.no = ?1 ORDER BY e.no",
    )?;
    let numbers = statement.query_map([enrolment], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(numbers)
}
