//! The promise to deliver: what is due, what was tried, what the account answered. No path here deletes anything.
//!
//! | from | verb | to |
//! |---|---|---|
//! | – | `commit` | queued, due at once |
//! | queued | `begin_attempt` (counted before the first byte leaves) | in flight |
//! | queued, in flight | `settle`: booked, disputed, rejected, conflict | acknowledged, disputed, rejected, quarantined |
//! | queued, in flight | `settle`: deferred; `postpone`, `step_aside` | queued, later |
//! | queued, in flight | `quarantine` | quarantined |
//! | quarantined | `release`; `settle` by a receipt | queued; as above |
//! | in flight | `open` | queued, due at once |
//! | queued, in flight, quarantined; its identity ended | `commit` of a record that brings it again | refiled |
//! | refiled | `settle` of that record | as that record |
//! | acknowledged, disputed, rejected | anything here | unchanged: a receipt is final, but for what `later` tells |

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    Journal, LOG_SOFT,
    commit::{lower_unsettled, restore, take_back},
    error::JournalError,
    later::catch_up,
    refiling::settle_with,
    rows::{self, count, digest_column, id_column, small, state},
};
use crate::domain::{
    delivery::{Delivery, Outcome, Payload, Receipt},
    ids::{AccountId, BookingNumber, Digest, RecordId},
};

/// Receipts to hand to [`Journal::settle`] at once, so that a tap never waits for more than one slice.
pub const SETTLE_SLICE: usize = 50;

/// What waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaitingRecords {
    /// Records queued or in flight, over all accounts.
    pub records: u32,
    /// When the oldest of them was made.
    pub oldest: Option<Timestamp>,
    /// Records that stand apart after a conflict or a refusal of their form: owed, but not sent.
    pub quarantined: u32,
}

/// What a slice of receipts did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settlement {
    /// Records whose state changed, with the judgement.
    pub judged: Vec<(RecordId, Outcome)>,
    /// Receipts that named no record of ours, or other bytes than ours: they settle nothing.
    pub foreign: Vec<RecordId>,
}

impl Journal {
    /// What is due to be sent, in order of sequence, at most `max`. With `awaited`, that record alone, due or not and also
    /// while it is on its way in a batch: the account answers the same bytes the same, and somebody stands waiting.
    ///
    /// Ask for slices of about a hundred where taps go on meanwhile.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn due(
        &mut self,
        account: &AccountId,
        now: Timestamp,
        max: usize,
        awaited: Option<RecordId>,
    ) -> Result<Vec<Payload>, JournalError> {
        let Some(id) = awaited else { return self.due_after(account, now, max, 0) };
        let enrolment = self.enrolment(account)?;
        self.read(|connection| {
            let sql = format!("{PAYLOAD} outbox o {FROZEN} WHERE r.id = ?1 AND o.enrolment = ?2 AND o.state < 2");
            payloads(connection, &sql, params![id.0.as_bytes(), enrolment])
        })
    }

    /// What is due to be sent behind a sequence, in order of sequence, at most `max`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn due_after(
        &mut self,
        account: &AccountId,
        now: Timestamp,
        max: usize,
        after: u64,
    ) -> Result<Vec<Payload>, JournalError> {
        let enrolment = self.enrolment(account)?;
        self.read(|connection| {
            let sql = format!(
                "{PAYLOAD} outbox o INDEXED BY outbox_waiting {FROZEN}
                 WHERE o.enrolment = ?1 AND o.seq > ?2 AND o.state < 2 AND o.state = 0 AND o.not_before <= ?3
                 ORDER BY o.seq LIMIT ?4"
            );
            let max = i64::try_from(max).unwrap_or(i64::MAX);
            payloads(connection, &sql, params![enrolment, rows::column(after), now.as_millisecond(), max])
        })
    }

    /// The earliest instant at which something of this account is due; `None` if nothing is queued. What is on its way
    /// is not due: whoever waits for the answer knows.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn next_due(&mut self, account: &AccountId) -> Result<Option<Timestamp>, JournalError> {
        let enrolment = self.enrolment(account)?;
        self.read(|connection| {
            let earliest: Option<i64> = connection
                .prepare_cached(
                    "SELECT min(not_before) FROM outbox INDEXED BY outbox_waiting
                     WHERE enrolment = ?1 AND state < 2 AND state = 0",
                )?
                .query_row([enrolment], |row| row.get(0))?;
            earliest.map(rows::instant).transpose()
        })
    }

    /// Counts an attempt and marks the records as on their way, before the first byte leaves. Returns those that were
    /// queued; records in any other state stay as they are and must not be sent with them.
    ///
    /// # Errors
    /// [`JournalError`]; then none was marked.
    pub fn begin_attempt(&mut self, records: &[RecordId]) -> Result<Vec<RecordId>, JournalError> {
        let begun = self.write(|tx, _| {
            let mut update = tx.prepare_cached(
                "UPDATE outbox SET state = 1, attempts = attempts + 1
                 WHERE record = (SELECT no FROM record WHERE id = ?1) AND state = 0",
            )?;
            let mut begun = Vec::with_capacity(records.len());
            for id in records {
                if update.execute([id.0.as_bytes()])? > 0 {
                    begun.push(*id);
                }
            }
            Ok::<_, JournalError>(begun)
        })?;
        self.relieve_log(LOG_SOFT);
        Ok(begun)
    }

    /// The exchange settled nothing: the records are queued again, not before `not_before`, under a stable error code.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn postpone(&mut self, records: &[RecordId], not_before: Timestamp, code: &str) -> Result<(), JournalError> {
        self.write(|tx, _| {
            for id in records {
                queue_again(tx, *id, not_before, code)?;
            }
            Ok::<_, JournalError>(())
        })
    }

    /// This record fails where others do not: it is queued again, not before what `planned` makes of its own number of
    /// attempts.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn step_aside(
        &mut self,
        record: RecordId,
        code: &str,
        planned: impl FnOnce(u32) -> Timestamp,
    ) -> Result<(), JournalError> {
        self.write(|tx, _| {
            let attempts: Option<u32> = tx
                .prepare_cached("SELECT attempts FROM outbox WHERE record = (SELECT no FROM record WHERE id = ?1)")?
                .query_row([record.0.as_bytes()], |row| row.get(0))
                .optional()?;
            if let Some(attempts) = attempts {
                queue_again(tx, record, planned(attempts), code)?;
            }
            Ok::<_, JournalError>(())
        })
    }

    /// The operator wants it sent now: everything queued is due.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn hurry(&mut self) -> Result<(), JournalError> {
        self.write(|tx, _| {
            tx.execute("UPDATE outbox SET not_before = 0 WHERE state = 0 AND not_before > 0", [])?;
            Ok::<_, JournalError>(())
        })
    }

    /// Enters verified receipts, at most [`SETTLE_SLICE`] at a time. Only a receipt that names id **and** digest settles.
    /// `deferred_until` is when deferred records are tried again.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing of this slice was entered.
    pub fn settle(
        &mut self,
        account: &AccountId,
        receipts: &[Receipt],
        now: Timestamp,
        deferred_until: Timestamp,
    ) -> Result<Settlement, JournalError> {
        let enrolment = self.enrolment(account)?;
        let settlement = self.write(|tx, _| {
            let mut settlement = Settlement::default();
            for receipt in receipts {
                match enter(tx, enrolment, receipt, now, deferred_until)? {
                    Entered::Changed => settlement.judged.push((receipt.record, receipt.outcome.clone())),
                    Entered::Unchanged => {}
                    Entered::Foreign => settlement.foreign.push(receipt.record),
                }
            }
            Ok::<_, JournalError>(settlement)
        })?;
        self.relieve_log(LOG_SOFT);
        Ok(settlement)
    }

    /// Sets a record apart that the account does not accept as a request, so that the rest flows. It stays owed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn quarantine(&mut self, record: RecordId, code: &str) -> Result<(), JournalError> {
        self.write(|tx, _| {
            let Some(entry) = entry(tx, record)? else { return Ok(()) };
            if entry.state <= state::IN_FLIGHT {
                close(tx, &entry, state::QUARANTINED, "", code, 0)?;
            }
            Ok::<_, JournalError>(())
        })
    }

    /// Queues a quarantined record again: a person has looked at it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn release(&mut self, record: RecordId) -> Result<(), JournalError> {
        self.write(|tx, _| {
            let Some(entry) = entry(tx, record)? else { return Ok(()) };
            if entry.state == state::QUARANTINED {
                tx.prepare_cached("UPDATE outbox SET state = 0, not_before = 0 WHERE record = ?1")?
                    .execute([entry.no])?;
                tx.prepare_cached("UPDATE head SET waiting = waiting + 1 WHERE enrolment = ?1")?
                    .execute([entry.enrolment])?;
            }
            Ok::<_, JournalError>(())
        })
    }

    /// What waits, over all accounts.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn waiting(&mut self) -> Result<WaitingRecords, JournalError> {
        self.read(waiting)
    }

    /// Where the delivery of one record stands; `None` for a record that is not here.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn delivery(&mut self, record: RecordId) -> Result<Option<Delivery>, JournalError> {
        self.read(|connection| {
            type Columns = (u8, u32, i64, String, String, bool);
            let found: Option<Columns> = connection
                .prepare_cached(
                    "SELECT state, attempts, not_before, booking, reason, seen FROM outbox
                     WHERE record = (SELECT no FROM record WHERE id = ?1)",
                )?
                .query_row([record.0.as_bytes()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
                })
                .optional()?;
            let Some((state, attempt, not_before, booking, reason, seen)) = found else { return Ok(None) };
            Ok(Some(match state {
                state::QUEUED => Delivery::Queued { not_before: rows::instant(not_before)? },
                state::IN_FLIGHT => Delivery::InFlight { attempt },
                state::ACKNOWLEDGED => Delivery::Acknowledged { booking: BookingNumber::new(booking).ok() },
                state::DISPUTED => Delivery::Disputed { reason },
                state::REJECTED => Delivery::Rejected { reason, seen },
                state::REFILED => Delivery::Refiled,
                _ => Delivery::Quarantined,
            }))
        })
    }
}

const PAYLOAD: &str = "SELECT r.id, r.seq, r.digest, r.jws, coalesce(s.bytes, x''), p.jws FROM";
/// A refiled record travels with its original and that one's sealed part.
const FROZEN: &str = "JOIN record r ON r.no = o.record LEFT JOIN refiled f ON f.record = o.record \
     LEFT JOIN record p ON p.no = f.original LEFT JOIN sealed s ON s.record = coalesce(f.original, o.record)";

fn payloads(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Payload>, JournalError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(parameters)?;
    let mut payloads = Vec::new();
    while let Some(row) = found.next()? {
        payloads.push(Payload {
            record: id_column(row, 0)?,
            seq: count(row.get(1)?)?,
            digest: digest_column(row, 2)?,
            jws: row.get(3)?,
            sealed: row.get(4)?,
            original_jws: row.get(5)?,
        });
    }
    Ok(payloads)
}

pub(super) fn waiting(connection: &Connection) -> Result<WaitingRecords, JournalError> {
    let mut waiting = WaitingRecords::default();
    let mut heads = connection.prepare_cached("SELECT enrolment, waiting FROM head WHERE waiting > 0")?;
    let mut found = heads.query([])?;
    while let Some(row) = found.next()? {
        waiting.records = waiting.records.saturating_add(small(row.get(1)?));
        let oldest = oldest_waiting(connection, row.get(0)?)?;
        waiting.oldest = [waiting.oldest, oldest].into_iter().flatten().min();
    }
    let quarantined = connection
        .prepare_cached("SELECT count(*) FROM outbox INDEXED BY outbox_quarantined WHERE state = 5")?
        .query_row([], |row| row.get(0))?;
    waiting.quarantined = small(quarantined);
    Ok(waiting)
}

/// When the record that waits with the lowest sequence was made.
pub(super) fn oldest_waiting(connection: &Connection, enrolment: i64) -> Result<Option<Timestamp>, JournalError> {
    let made_at: Option<i64> = connection
        .prepare_cached(
            "SELECT r.made_at FROM outbox o INDEXED BY outbox_waiting JOIN record r ON r.no = o.record
             WHERE o.enrolment = ?1 AND o.state < 2 ORDER BY o.seq LIMIT 1",
        )?
        .query_row([enrolment], |row| row.get(0))
        .optional()?;
    made_at.map(rows::instant).transpose()
}

/// What was on its way when the program ended is unknown: the same bytes again, at once.
pub(super) fn requeue_interrupted(tx: &Transaction<'_>) -> Result<(), JournalError> {
    tx.execute("UPDATE outbox SET state = 0, not_before = 0 WHERE state < 2 AND state = 1", [])?;
    Ok(())
}

pub(super) struct Entry {
    pub no: i64,
    pub enrolment: i64,
    pub digest: Digest,
    pub state: u8,
}

fn entry(tx: &Transaction<'_>, id: RecordId) -> Result<Option<Entry>, JournalError> {
    let found = tx
        .prepare_cached(
            "SELECT o.record, o.enrolment, r.digest, o.state FROM record r JOIN outbox o ON o.record = r.no WHERE r.id = ?1",
        )?
        .query_row([id.0.as_bytes()], |row| {
            Ok(Entry { no: row.get(0)?, enrolment: row.get(1)?, digest: Digest(row.get(2)?), state: row.get(3)? })
        })
        .optional()?;
    Ok(found)
}

fn queue_again(tx: &Transaction<'_>, id: RecordId, not_before: Timestamp, code: &str) -> Result<bool, JournalError> {
    let changed = tx
        .prepare_cached(
            "UPDATE outbox SET state = 0, not_before = ?2, last_error = ?3
             WHERE record = (SELECT no FROM record WHERE id = ?1) AND state < 2",
        )?
        .execute(params![id.0.as_bytes(), not_before.as_millisecond(), code])?;
    Ok(changed > 0)
}

enum Entered {
    Changed,
    Unchanged,
    Foreign,
}

fn enter(
    tx: &Transaction<'_>,
    enrolment: i64,
    receipt: &Receipt,
    now: Timestamp,
    deferred_until: Timestamp,
) -> Result<Entered, JournalError> {
    let found = entry(tx, receipt.record)?.filter(|e| e.enrolment == enrolment && e.digest == receipt.digest);
    let Some(entry) = found else { return Ok(Entered::Foreign) };
    let open = entry.state <= state::IN_FLIGHT;
    // A final answer stands; a quarantined record may still get one.
    if !open && entry.state != state::QUARANTINED {
        return Ok(Entered::Unchanged);
    }
    let at = now;
    let now = now.as_millisecond();
    match &receipt.outcome {
        Outcome::Booked { booking } => {
            let number = booking.as_ref().map_or("", BookingNumber::as_str);
            close(tx, &entry, state::ACKNOWLEDGED, number, "", now)?;
            catch_up(tx, enrolment, entry.no, receipt.record, at)?;
        }
        Outcome::Disputed { reason } => {
            close(tx, &entry, state::DISPUTED, "", reason, now)?;
            catch_up(tx, enrolment, entry.no, receipt.record, at)?;
        }
        Outcome::Rejected { reason } => {
            take_back(tx, enrolment, receipt.record)?;
            restore(tx, entry.no)?;
            close(tx, &entry, state::REJECTED, "", reason, now)?;
        }
        Outcome::Conflict if open => close(tx, &entry, state::QUARANTINED, "", "conflict", 0)?,
        Outcome::Deferred if open => {
            queue_again(tx, receipt.record, deferred_until, "deferred")?;
        }
        Outcome::Conflict | Outcome::Deferred => return Ok(Entered::Unchanged),
    }
    if !matches!(receipt.outcome, Outcome::Conflict | Outcome::Deferred) {
        settle_with(tx, enrolment, entry.no)?;
    }
    Ok(Entered::Changed)
}

/// Takes an entry out of the queue. Its cents stop counting as unsettled with an answer, not with a quarantine.
pub(super) fn close(
    tx: &Transaction<'_>,
    entry: &Entry,
    to: u8,
    booking: &str,
    reason: &str,
    settled_at: i64,
) -> Result<(), JournalError> {
    tx.prepare_cached(
        "UPDATE outbox SET state = ?2, booking = ?3, reason = ?4, settled_at = ?5, last_error = '' WHERE record = ?1",
    )?
    .execute(params![entry.no, to, booking, reason, settled_at])?;
    if entry.state <= state::IN_FLIGHT {
        tx.prepare_cached("UPDATE head SET waiting = waiting - 1 WHERE enrolment = ?1")?.execute([entry.enrolment])?;
    }
    if to != state::QUARANTINED {
        let counted: Option<(String, i64)> = tx
            .prepare_cached("SELECT offer, amount FROM redemption WHERE record = ?1 AND net = 1")?
            .query_row([entry.no], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((offer, amount)) = counted {
            lower_unsettled(tx, entry.enrolment, &offer, amount)?;
        }
    }
    Ok(())
}
