//! Forgetting by rule: personal data go when they are no longer needed, and the chain still verifies.

use jiff::{Timestamp, ToSpan};
use rusqlite::{Transaction, params};

use super::{
    Journal,
    commit::{BLANK_CARD, forget_own},
    documents::drop_card_list,
    error::JournalError,
    outbox::{WaitingRecords, waiting},
};

/// Records purged in one transaction, so that a tap never waits long.
const SLICE: u32 = 100;
/// Days that refusals and alarms are remembered.
const NOTE_DAYS: i64 = 90;
/// Days past its end that a superseded catalogue is kept: no service date reaches further back.
const CATALOGUE_DAYS: i64 = 400;

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Records whose sealed part and local index went.
    pub records: u32,
    /// Card lists that had lapsed.
    pub card_lists: u32,
    /// Used codes, notes and superseded catalogues.
    pub small: u32,
    /// There is more to do: call again when idle.
    pub more: bool,
}

impl Journal {
    /// Deletes what the rules no longer allow to be kept at `now`, the time floor: sealed parts and local index rows of
    /// records answered longer ago than the catalogue's days, card lists past their end, used codes, old notes. Records,
    /// digests, amounts, dates and outcomes stay. Ends with an empty write-ahead log, which would still hold old pages.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn purge(&mut self, now: Timestamp) -> Result<Purged, JournalError> {
        let purged = self.write(|tx, _| {
            let records = purge_records(tx, now)?;
            let card_lists = purge_card_lists(tx, now)?;
            let small = purge_small(tx, now)?;
            Ok::<_, JournalError>(Purged { records, card_lists, small, more: records == SLICE })
        })?;
        if purged.records + purged.card_lists + purged.small > 0 {
            self.checkpoint()?;
        }
        Ok(purged)
    }

    /// Deletes all card lists at once, for a wipe: what waits for the account stays.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn wipe_lists(&mut self) -> Result<(), JournalError> {
        self.write(|tx, _| {
            for enrolment in column_of(tx, "SELECT enrolment FROM card_list", None)? {
                forget_card_list(tx, enrolment)?;
            }
            Ok::<_, JournalError>(())
        })?;
        self.checkpoint()
    }
}

impl Journal {
    /// Ends every enrolment and forgets whatever a person could be recognised by, and who served: lists, documents, sealed
    /// parts, local index, operators. Records, digests and chains stay. Refused, and nothing is changed, while records are
    /// owed: then the answer is how many.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn wipe(&mut self) -> Result<Result<(), WaitingRecords>, JournalError> {
        let owed = self.write(|tx, _| {
            let owed = waiting(tx)?;
            if owed.records + owed.quarantined > 0 {
                return Ok(Some(owed));
            }
            for enrolment in column_of(tx, "SELECT enrolment FROM card_list", None)? {
                forget_card_list(tx, enrolment)?;
            }
            tx.execute_batch(
                "DELETE FROM document;
                 DELETE FROM sealed;
                 DELETE FROM own_record;
                 UPDATE outbox SET purged = 1;
                 UPDATE redemption SET card = zeroblob(16), child = '', tag = '';
                 DELETE FROM operator;
                 DELETE FROM notice_ack;
                 DELETE FROM used_code;
                 DELETE FROM note;
                 UPDATE enrolment SET ended = 1;",
            )?;
            Ok::<_, JournalError>(None)
        })?;
        if let Some(owed) = owed {
            return Ok(Err(owed));
        }
        self.load_enrolments()?;
        self.checkpoint()?;
        Ok(Ok(()))
    }
}

fn days_before(now: Timestamp, days: i64) -> i64 {
    now.checked_sub((24 * days).hours()).unwrap_or(Timestamp::MIN).as_millisecond()
}

fn purge_records(tx: &Transaction<'_>, now: Timestamp) -> Result<u32, JournalError> {
    let mut purged = 0;
    let mut enrolments = tx.prepare_cached("SELECT no, retention_days FROM enrolment")?;
    let mut found = enrolments.query([])?;
    while let Some(row) = found.next()? {
        let (enrolment, days): (i64, i64) = (row.get(0)?, row.get(1)?);
        purged += purge_records_of(tx, enrolment, days_before(now, days), SLICE - purged)?;
    }
    Ok(purged)
}

fn purge_records_of(tx: &Transaction<'_>, enrolment: i64, before: i64, most: u32) -> Result<u32, JournalError> {
    // A refusal is kept until staff have seen it.
    let mut statement = tx.prepare_cached(
        "SELECT o.record, d.child, d.card
         FROM outbox o INDEXED BY outbox_kept LEFT JOIN redemption d ON d.record = o.record
         WHERE o.enrolment = ?1 AND o.settled_at < ?2 AND o.state BETWEEN 2 AND 4 AND o.purged = 0
           AND (o.state <> 4 OR o.seen = 1) LIMIT ?3",
    )?;
    let due = statement
        .query_map(params![enrolment, before, most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(i64, Option<String>, Option<[u8; 16]>)>, _>>()?;
    for (no, child, card) in &due {
        tx.prepare_cached("DELETE FROM sealed WHERE record = ?1")?.execute([no])?;
        tx.prepare_cached("UPDATE outbox SET purged = 1 WHERE record = ?1")?.execute([no])?;
        if let (Some(child), Some(card)) = (child, card) {
            forget_own(tx, enrolment, *no, child, card)?;
            tx.prepare_cached("UPDATE redemption SET card = ?2, child = '', tag = '' WHERE record = ?1")?
                .execute(params![no, BLANK_CARD])?;
        }
    }
    Ok(u32::try_from(due.len()).unwrap_or(u32::MAX))
}

fn purge_card_lists(tx: &Transaction<'_>, now: Timestamp) -> Result<u32, JournalError> {
    let lapsed = column_of(tx, "SELECT enrolment FROM card_list WHERE exp <= ?1", Some(now.as_millisecond()))?;
    for enrolment in &lapsed {
        forget_card_list(tx, *enrolment)?;
    }
    Ok(u32::try_from(lapsed.len()).unwrap_or(u32::MAX))
}

/// The rows laid out and the signed text itself; the document's row stays and remembers the sequence, so that an older list
/// is not taken for a new one.
pub(super) fn forget_card_list(tx: &Transaction<'_>, enrolment: i64) -> Result<(), JournalError> {
    drop_card_list(tx, enrolment)?;
    tx.execute("DELETE FROM document_part WHERE enrolment = ?1 AND name = 'card-list'", [enrolment])?;
    Ok(())
}

fn purge_small(tx: &Transaction<'_>, now: Timestamp) -> Result<u32, JournalError> {
    let codes = tx.execute("DELETE FROM used_code WHERE expires <= ?1", [now.as_millisecond()])?;
    let notes = tx.execute("DELETE FROM note WHERE at < ?1", [days_before(now, NOTE_DAYS)])?;
    let catalogues = tx.execute(
        "DELETE FROM document WHERE name = 'catalogue' AND exp < ?1 AND seq <
             (SELECT max(n.seq) FROM document n WHERE n.enrolment = document.enrolment AND n.name = 'catalogue')",
        [days_before(now, CATALOGUE_DAYS)],
    )?;
    Ok(u32::try_from(codes + notes + catalogues).unwrap_or(u32::MAX))
}

fn column_of(tx: &Transaction<'_>, sql: &str, parameter: Option<i64>) -> Result<Vec<i64>, JournalError> {
    let mut statement = tx.prepare_cached(sql)?;
    let found = statement.query_map(rusqlite::params_from_iter(parameter), |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}
