//! What an ended identity still owes, brought again under the one that followed it (protocol, 4, `conflict`; fault 33).
//!
//! The old chain stays as it is and still verifies. Each record of it that has no answer gets a successor in the new chain,
//! committed like any other; the account's answer to the successor is the answer to both. A successor whose own identity
//! ended before it was answered gets a further one, which names the same original.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    Journal,
    commit::{restore, take_back},
    error::{CommitRefusal, JournalError},
    outbox::{Entry, close},
    rows::{digest_column, id_column, instant, state},
};
use crate::domain::{
    ids::{AccountId, OperatorId, RecordId},
    record::Frozen,
};

/// A record that is still owed under an ended identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// The record as it was first made.
    pub record: RecordId,
    /// When.
    pub made_at: Timestamp,
    /// Who made it.
    pub operator: OperatorId,
    /// Its bytes.
    pub frozen: Frozen,
}

impl Journal {
    /// The oldest record that ended identities with this account still owe; `None` once all were brought again.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn left_behind(&mut self, account: &AccountId) -> Result<Option<LeftBehind>, JournalError> {
        self.read(|connection| {
            let mut ended = connection.prepare_cached("SELECT no FROM enrolment WHERE account = ?1 AND ended = 1")?;
            let mut found = ended.query([account.as_str()])?;
            let mut oldest: Option<i64> = None;
            while let Some(row) = found.next()? {
                let first = first_owed(connection, row.get(0)?)?;
                oldest = [oldest, first].into_iter().flatten().min();
            }
            oldest.map(|no| read(connection, no)).transpose()
        })
    }
}

/// Number of the first record of an enrolment that has no answer; of its original, if it is a successor itself.
fn first_owed(connection: &Connection, enrolment: i64) -> Result<Option<i64>, JournalError> {
    let queued: Option<i64> = connection
        .prepare_cached(
            "SELECT record FROM outbox INDEXED BY outbox_waiting WHERE enrolment = ?1 AND state < 2 ORDER BY seq LIMIT 1",
        )?
        .query_row([enrolment], |row| row.get(0))
        .optional()?;
    let apart: Option<i64> = connection
        .prepare_cached(
            "SELECT min(record) FROM outbox INDEXED BY outbox_quarantined WHERE state = 5 AND enrolment = ?1",
        )?
        .query_row([enrolment], |row| row.get(0))?;
    let Some(first) = [queued, apart].into_iter().flatten().min() else { return Ok(None) };
    let original: Option<i64> = connection
        .prepare_cached("SELECT original FROM refiled WHERE record = ?1")?
        .query_row([first], |row| row.get(0))
        .optional()?;
    Ok(Some(original.unwrap_or(first)))
}

fn read(connection: &Connection, no: i64) -> Result<LeftBehind, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT r.id, r.made_at, r.operator, r.jws, coalesce(s.bytes, x''), r.digest
         FROM record r LEFT JOIN sealed s ON s.record = r.no WHERE r.no = ?1",
    )?;
    let mut found = statement.query([no])?;
    let row = found.next()?.ok_or_else(|| super::rows::foreign("refiled"))?;
    Ok(LeftBehind {
        record: id_column(row, 0)?,
        made_at: instant(row.get(1)?)?,
        operator: OperatorId::new(row.get::<_, String>(2)?).map_err(|_| super::rows::foreign("operator"))?,
        frozen: Frozen { jws: row.get(3)?, sealed: row.get(4)?, digest: digest_column(row, 5)? },
    })
}

/// Why this original is not brought again under `enrolment`.
pub(super) fn refuse(
    tx: &Transaction<'_>,
    enrolment: i64,
    original: RecordId,
    frozen: &Frozen,
) -> Result<Option<CommitRefusal>, JournalError> {
    let found: Option<(i64, [u8; 32])> = tx
        .prepare_cached(
            "SELECT r.no, r.digest FROM record r JOIN enrolment e ON e.no = r.enrolment
             JOIN enrolment m ON m.account = e.account
             WHERE r.id = ?1 AND e.ended = 1 AND m.no = ?2 AND r.type <> 'refiled'",
        )?
        .query_row(params![original.0.as_bytes(), enrolment], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((no, digest)) = found else { return Ok(Some(CommitRefusal::NotOwed)) };
    let owed = open_entries(tx, no, None)?.iter().any(|entry| entry.ended);
    Ok((!owed || digest != frozen.digest.0).then_some(CommitRefusal::NotOwed))
}

/// The successor `no` takes the place of its original and of every successor before it.
pub(super) fn replace(tx: &Transaction<'_>, no: i64, original: RecordId) -> Result<(), JournalError> {
    let original: i64 = tx
        .prepare_cached("SELECT no FROM record WHERE id = ?1")?
        .query_row([original.0.as_bytes()], |row| row.get(0))?;
    tx.prepare_cached("INSERT INTO refiled (record, original) VALUES (?1, ?2)")?.execute([no, original])?;
    for owed in open_entries(tx, original, Some(no))? {
        close(tx, &owed.entry, state::REFILED, "", "", 0)?;
    }
    Ok(())
}

struct Owed {
    entry: Entry,
    /// Its identity has ended.
    ended: bool,
}

/// Deliveries of an original and its successors that have no answer; `but` is left out.
fn open_entries(tx: &Transaction<'_>, original: i64, but: Option<i64>) -> Result<Vec<Owed>, JournalError> {
    let mut statement = tx.prepare_cached(
        "SELECT o.record, o.enrolment, r.digest, o.state, e.ended
         FROM outbox o JOIN record r ON r.no = o.record JOIN enrolment e ON e.no = o.enrolment
         WHERE (o.record = ?1 OR o.record IN (SELECT record FROM refiled WHERE original = ?1))
           AND o.state IN (0, 1, 5) AND o.record IS NOT ?2",
    )?;
    let mut found = statement.query(params![original, but])?;
    let mut owed = Vec::new();
    while let Some(row) = found.next()? {
        let entry =
            Entry { no: row.get(0)?, enrolment: row.get(1)?, digest: digest_column(row, 2)?, state: row.get(3)? };
        owed.push(Owed { entry, ended: row.get(4)? });
    }
    Ok(owed)
}

/// A successor was answered: so are its original and the successors before it. The successor of a refused redemption is
/// nothing that staff could acknowledge; the redemption is. Does nothing for any other record.
pub(super) fn settle_with(tx: &Transaction<'_>, enrolment: i64, successor: i64) -> Result<(), JournalError> {
    let original: Option<(i64, [u8; 16])> = tx
        .prepare_cached(
            "SELECT f.original, r.id FROM refiled f JOIN record r ON r.no = f.original WHERE f.record = ?1",
        )?
        .query_row([successor], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((original, id)) = original else { return Ok(()) };
    let answered: u8 = tx.query_row("SELECT state FROM outbox WHERE record = ?1", [successor], |row| row.get(0))?;
    if answered == state::REJECTED {
        take_back(tx, enrolment, RecordId(uuid::Uuid::from_bytes(id)))?;
        restore(tx, original)?;
    }
    tx.prepare_cached(
        "UPDATE outbox SET (state, booking, reason, settled_at) =
             (SELECT n.state, n.booking, n.reason, n.settled_at FROM outbox n WHERE n.record = ?1)
         WHERE state = 6 AND (record = ?2 OR record IN (SELECT record FROM refiled WHERE original = ?2))",
    )?
    .execute([successor, original])?;
    tx.prepare_cached(
        "UPDATE outbox SET seen = 1 WHERE state = 4 AND record IN (SELECT record FROM refiled WHERE original = ?1)",
    )?
    .execute([original])?;
    Ok(())
}
