//! Bookings as lists show them, counts of the day, and the two marks people set: seen, and acknowledged.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, Transaction, named_params};

use super::{
    Journal, LOG_SOFT,
    error::JournalError,
    outbox::{self, WaitingRecords},
    rows::{self, filled, foreign, id_column, instant, small, state},
};
use crate::domain::{
    booking::{BookingFilter, BookingRow, BookingState},
    ids::{AccountId, OfferId, RecordId},
};

/// What lists and pills show after a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// What waits.
    pub waiting: WaitingRecords,
    /// Last bookings, newest first.
    pub last: Vec<BookingRow>,
    /// Redemptions of the day per offer, net of reversals and refusals; start taps are no redemption of their own.
    pub today: BTreeMap<OfferId, u32>,
    /// Refused later and not acknowledged.
    pub later_refusals: u32,
}

impl Journal {
    /// The picture of this grant was seen.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn mark_shown(&mut self, record: RecordId) -> Result<(), JournalError> {
        self.write(|tx, _| {
            tx.prepare_cached(
                "UPDATE redemption SET shown = 1 WHERE record = (SELECT no FROM record WHERE id = ?1) AND shown = 0",
            )?
            .execute([record.0.as_bytes()])?;
            Ok::<_, JournalError>(())
        })?;
        self.relieve_log(LOG_SOFT);
        Ok(())
    }

    /// Grants whose green was never shown before the last end of the program and which nobody confirmed or took back
    /// since, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn never_shown(&mut self) -> Result<Vec<RecordId>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT r.id FROM redemption d JOIN record r ON r.no = d.record
                 WHERE d.shown <> 1 AND d.shown = 2 AND d.net = 1 ORDER BY r.no",
            )?;
            let mut found = statement.query([])?;
            let mut records = Vec::new();
            while let Some(row) = found.next()? {
                records.push(id_column(row, 0)?);
            }
            Ok(records)
        })
    }

    /// Staff have seen a later refusal, or confirmed that an unclear grant was served.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn acknowledge(&mut self, record: RecordId) -> Result<(), JournalError> {
        self.write(|tx, _| {
            tx.prepare_cached(
                "UPDATE outbox SET seen = 1 WHERE record = (SELECT no FROM record WHERE id = ?1) AND state = 4",
            )?
            .execute([record.0.as_bytes()])?;
            tx.prepare_cached(
                "UPDATE redemption SET shown = 1 WHERE record = (SELECT no FROM record WHERE id = ?1) AND shown = 2",
            )?
            .execute([record.0.as_bytes()])?;
            Ok::<_, JournalError>(())
        })
    }

    /// Bookings of a list, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn rows(&mut self, filter: BookingFilter, limit: u32) -> Result<Vec<BookingRow>, JournalError> {
        self.read(|connection| rows_of(connection, filter, limit))
    }

    /// One booking; `None` if there is no redemption of this id.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn row(&mut self, record: RecordId) -> Result<Option<BookingRow>, JournalError> {
        self.read(|connection| {
            let sql = format!("{COLUMNS} FROM redemption d {JOINS} WHERE r.id = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found = statement.query([record.0.as_bytes()])?;
            found.next()?.map(|row| booking(row, false)).transpose()
        })
    }

    /// Everything lists and pills show.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn summary(&mut self, today: Date, limit: u32) -> Result<Summary, JournalError> {
        self.read(|connection| {
            Ok(Summary {
                waiting: outbox::waiting(connection)?,
                last: rows_of(connection, BookingFilter::Last, limit)?,
                today: counts_of(connection, today)?,
                later_refusals: later_refusals(connection)?,
            })
        })
    }
}

/// A grant that was committed but whose green nobody saw before the program ended.
pub(super) fn mark_unseen_as_unclear(tx: &Transaction<'_>) -> Result<(), JournalError> {
    tx.execute("UPDATE redemption SET shown = 2 WHERE shown <> 1 AND shown = 0", [])?;
    Ok(())
}

fn counts_of(connection: &Connection, day: Date) -> Result<BTreeMap<OfferId, u32>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT offer, count(*) FROM redemption
         WHERE service_date = ?1 AND net = 1 AND phase <> 'start' GROUP BY offer",
    )?;
    let mut found = statement.query([day.to_string()])?;
    let mut counts = BTreeMap::new();
    while let Some(row) = found.next()? {
        counts.insert(rows::offer(row.get(0)?)?, small(row.get(1)?));
    }
    Ok(counts)
}

/// Refused redemptions and reversals nobody acknowledged. Other kinds have no row to acknowledge.
fn later_refusals(connection: &Connection) -> Result<u32, JournalError> {
    let refused: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM outbox o INDEXED BY outbox_refused JOIN record r ON r.no = o.record
             WHERE o.state = 4 AND o.seen = 0 AND (r.type = 'redemption'
                  OR EXISTS (SELECT 1 FROM reversal v JOIN record q ON q.id = v.reverses WHERE v.record = o.record))",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(small(refused))
}

/// `d` is the redemption, `r` and `o` its record and delivery, `v`, `vr` and `vo` those of its reversal if there is one.
const COLUMNS: &str = "SELECT r.id, e.account, r.made_at, d.service_date, d.offer, d.phase, d.quantity, d.amount, d.tag, \
     d.route, d.shown, o.state, o.reason, o.attempts, o.not_before, o.last_error, v.reason, vo.state, vr.id, vo.reason";
const JOINS: &str = "JOIN record r ON r.no = d.record JOIN enrolment e ON e.no = r.enrolment \
     JOIN outbox o ON o.record = d.record LEFT JOIN reversal v ON v.reverses = r.id \
     LEFT JOIN record vr ON vr.no = v.record LEFT JOIN outbox vo ON vo.record = v.record";

fn rows_of(connection: &Connection, filter: BookingFilter, limit: u32) -> Result<Vec<BookingRow>, JournalError> {
    let sql = match filter {
        BookingFilter::Last => {
            format!("{COLUMNS} FROM redemption d {JOINS} ORDER BY d.record DESC LIMIT :limit")
        }
        // A booking waits while it or its reversal does; where both do, it stands at its own place alone.
        BookingFilter::Waiting => format!(
            "{COLUMNS} FROM (
                 SELECT coalesce(f.original, x.record) AS no, x.enrolment, x.seq
                 FROM outbox x INDEXED BY outbox_waiting LEFT JOIN refiled f ON f.record = x.record WHERE x.state < 2
             ) AS w CROSS JOIN redemption d ON d.record = coalesce(
                 (SELECT q.no FROM reversal v JOIN record q ON q.id = v.reverses WHERE v.record = w.no), w.no
             ) {JOINS} WHERE w.no = d.record OR o.state NOT IN (0, 1, 6)
             ORDER BY w.enrolment, w.seq LIMIT :limit"
        ),
        BookingFilter::LaterRefusals => format!(
            "{COLUMNS} FROM (
                 SELECT coalesce(
                     (SELECT q.no FROM reversal w JOIN record q ON q.id = w.reverses WHERE w.record = x.record), x.record
                 ) AS no, x.record AS refused
                 FROM outbox x INDEXED BY outbox_refused WHERE x.state = 4 AND x.seen = 0
             ) AS later CROSS JOIN redemption d ON d.record = later.no {JOINS} ORDER BY later.refused LIMIT :limit"
        ),
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(named_params! { ":limit": limit })?;
    let mut list = Vec::new();
    while let Some(row) = found.next()? {
        list.push(booking(row, filter == BookingFilter::LaterRefusals)?);
    }
    Ok(list)
}

fn booking(row: &rusqlite::Row<'_>, refused: bool) -> Result<BookingRow, JournalError> {
    let text = |index: usize| -> Result<String, JournalError> { Ok(row.get(index)?) };
    let (shown, delivery): (u8, u8) = (row.get(10)?, row.get(11)?);
    let reversal = row.get::<_, Option<String>>(16)?.map(|word| rows::reason(&word)).transpose()?;
    let reversal_delivery: Option<u8> = row.get(17)?;
    let not_before: i64 = row.get(14)?;
    // In the list of later refusals the row stands for whichever of the two was refused.
    let reversal_refused = refused && delivery != state::REJECTED && reversal_delivery == Some(state::REJECTED);
    // A reversal that was refused took nothing back.
    let taken_back = reversal_delivery.filter(|delivery| *delivery != state::REJECTED);
    let state = match (delivery, taken_back) {
        _ if reversal_refused => BookingState::Rejected,
        (state::REJECTED, _) => BookingState::Rejected,
        (state::QUARANTINED, _) | (_, Some(state::QUARANTINED)) => BookingState::Quarantined,
        (_, Some(state::QUEUED | state::IN_FLIGHT | state::REFILED)) => BookingState::ReversalWaiting,
        (_, Some(_)) => BookingState::Reversed,
        _ if shown == 2 => BookingState::Unclear,
        (state::QUEUED | state::IN_FLIGHT | state::REFILED, None) => BookingState::Waiting,
        (state::ACKNOWLEDGED, None) => BookingState::Booked,
        (state::DISPUTED, None) => BookingState::Disputed,
        _ => return Err(foreign("state")),
    };
    Ok(BookingRow {
        record: id_column(row, if reversal_refused { 18 } else { 0 })?,
        account: AccountId::new(text(1)?).map_err(|_| foreign("account"))?,
        tapped_at: instant(row.get(2)?)?,
        service_date: rows::date(&text(3)?)?,
        offer: rows::offer(text(4)?)?,
        phase: rows::phase(&text(5)?)?,
        quantity: rows::quantity(&text(6)?)?,
        amount: rows::cents(row.get(7)?)?,
        tag: rows::tag(&text(8)?)?,
        route: rows::route(&text(9)?)?,
        state,
        reason: filled(text(if reversal_refused { 19 } else { 12 })?),
        reversal,
        attempts: row.get(13)?,
        next_try: if delivery == state::QUEUED { Some(instant(not_before)?) } else { None },
        last_error: filled(text(15)?),
    })
}
