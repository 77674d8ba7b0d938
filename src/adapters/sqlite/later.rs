//! What the office made of records after their receipts: read page by page, each line entered once.
//!
//! | line | entry in the outbox |
//! |---|---|
//! | rejected, reversed by the office | acknowledged, disputed → rejected, unseen; the booking no longer counts |
//! | corrected, needs a new card, please confirm | acknowledged, disputed: keeps its state and bears the word as its reason |
//! | settled | unchanged |
//!
//! A line for a record that still waits for its receipt closes nothing, because only a receipt does; it is kept and counts
//! as soon as the receipt is there.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    Journal,
    commit::{restore, take_back},
    error::JournalError,
    rows::{column, count, digest_column, foreign, state},
};
use crate::domain::{
    amount::{Cents, Month},
    ids::{AccountId, RecordId},
    outcomes::{Later, LaterOutcome, OutcomesPage, Place},
};

impl Journal {
    /// How far the account's pages were read.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn outcomes_place(&mut self, account: &AccountId) -> Result<Place, JournalError> {
        let enrolment = self.enrolment(account)?;
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT cursor, digest FROM outcome_page WHERE enrolment = ?1")?;
            let mut found = statement.query([enrolment])?;
            let Some(row) = found.next()? else { return Ok(Place::default()) };
            Ok(Place { cursor: count(row.get(0)?)?, page: Some(digest_column(row, 1)?) })
        })
    }

    /// Enters a verified page that follows `from`, with where it ends; returns how many of its lines were of records of
    /// ours. A page that does not follow what was read last changes nothing.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing of the page was entered.
    pub fn enter_outcomes(
        &mut self,
        account: &AccountId,
        from: Place,
        page: &OutcomesPage,
        now: Timestamp,
    ) -> Result<u32, JournalError> {
        let enrolment = self.enrolment(account)?;
        if page.lines.is_empty() || self.outcomes_place(account)? != from {
            return Ok(0);
        }
        let Some(digest) = page.place.page else { return Ok(0) };
        self.write(|tx, _| {
            let mut entered = 0;
            for line in &page.lines {
                entered += u32::from(enter(tx, enrolment, line, now)?);
            }
            tx.prepare_cached(
                "INSERT INTO outcome_page (enrolment, cursor, digest) VALUES (?1, ?2, ?3)
                 ON CONFLICT (enrolment) DO UPDATE SET cursor = excluded.cursor, digest = excluded.digest",
            )?
            .execute(params![enrolment, column(page.place.cursor), digest.0])?;
            Ok::<_, JournalError>(entered)
        })
    }

    /// What became of one record, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn outcomes_of(&mut self, record: RecordId) -> Result<Vec<Later>, JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT outcome, amount, month FROM later_outcome
                 WHERE record = (SELECT no FROM record WHERE id = ?1) ORDER BY no",
            )?;
            let mut found = statement.query([record.0.as_bytes()])?;
            let mut lines = Vec::new();
            while let Some(row) = found.next()? {
                let (amount, month): (i64, String) = (row.get(1)?, row.get(2)?);
                lines.push(Later {
                    record,
                    outcome: of_word(&row.get::<_, String>(0)?)?,
                    amount: if amount < 0 { None } else { Some(Cents::new(amount).map_err(|_| foreign("amount"))?) },
                    month: if month.is_empty() {
                        None
                    } else {
                        Some(Month::parse(&month).map_err(|_| foreign("month"))?)
                    },
                });
            }
            Ok(lines)
        })
    }

    /// Since when the account asks for a newer program; remembers `now` the first time, and forgets when it no longer
    /// does.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn outdated_since(
        &mut self,
        account: &AccountId,
        outdated: bool,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, JournalError> {
        let enrolment = self.enrolment(account)?;
        let since = self.read(|connection| {
            let sql = "SELECT since FROM outdated WHERE enrolment = ?1";
            let since: Option<i64> =
                connection.prepare_cached(sql)?.query_row([enrolment], |row| row.get(0)).optional()?;
            since.map(super::rows::instant).transpose()
        })?;
        match (outdated, since) {
            (true, Some(_)) | (false, None) => Ok(since),
            (true, None) => self.write(|tx, _| {
                tx.execute(
                    "INSERT INTO outdated (enrolment, since) VALUES (?1, ?2)",
                    [enrolment, now.as_millisecond()],
                )?;
                Ok::<_, JournalError>(Some(now))
            }),
            (false, Some(_)) => self.write(|tx, _| {
                tx.execute("DELETE FROM outdated WHERE enrolment = ?1", [enrolment])?;
                Ok::<_, JournalError>(None)
            }),
        }
    }
}

fn of_word(word: &str) -> Result<LaterOutcome, JournalError> {
    LaterOutcome::ALL.into_iter().find(|outcome| outcome.word() == word).ok_or_else(|| foreign("outcome"))
}

/// `false` for a record that is not of this identity: the account names what we do not know, and that is its business.
fn enter(tx: &Transaction<'_>, enrolment: i64, line: &Later, now: Timestamp) -> Result<bool, JournalError> {
    let found: Option<i64> = tx
        .prepare_cached("SELECT no FROM record WHERE id = ?1 AND enrolment = ?2")?
        .query_row(params![line.record.0.as_bytes(), enrolment], |row| row.get(0))
        .optional()?;
    let Some(no) = found else { return Ok(false) };
    let month = line.month.map_or_else(String::new, |month| month.to_string());
    tx.prepare_cached("INSERT INTO later_outcome (record, outcome, amount, month, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![no, line.outcome.word(), line.amount.map_or(-1, Cents::get), month, now.as_millisecond()])?;
    apply(tx, enrolment, no, line.record, line.outcome, now)?;
    Ok(true)
}

/// A receipt has come: what was said of the record before counts now.
pub(super) fn catch_up(
    tx: &Transaction<'_>,
    enrolment: i64,
    no: i64,
    record: RecordId,
    now: Timestamp,
) -> Result<(), JournalError> {
    let mut statement = tx.prepare_cached("SELECT outcome FROM later_outcome WHERE record = ?1 ORDER BY no")?;
    let words = statement.query_map([no], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    words.iter().try_for_each(|word| apply(tx, enrolment, no, record, of_word(word)?, now))
}

fn apply(
    tx: &Transaction<'_>,
    enrolment: i64,
    no: i64,
    record: RecordId,
    outcome: LaterOutcome,
    now: Timestamp,
) -> Result<(), JournalError> {
    let now_in: u8 =
        tx.prepare_cached("SELECT state FROM outbox WHERE record = ?1")?.query_row([no], |row| row.get(0))?;
    if !matches!(now_in, state::ACKNOWLEDGED | state::DISPUTED) || outcome == LaterOutcome::Settled {
        return Ok(());
    }
    if outcome.takes_back() {
        take_back(tx, enrolment, record)?;
        restore(tx, no)?;
        // As new: staff see it, and it is kept until they have.
        tx.prepare_cached("UPDATE outbox SET state = ?2, reason = ?3, seen = 0, settled_at = ?4 WHERE record = ?1")?
            .execute(params![no, state::REJECTED, outcome.word(), now.as_millisecond()])?;
    } else {
        tx.prepare_cached("UPDATE outbox SET reason = ?2 WHERE record = ?1")?.execute(params![no, outcome.word()])?;
    }
    Ok(())
}
