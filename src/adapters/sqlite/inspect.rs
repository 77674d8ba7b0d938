//! Is what lies on the disk what was committed? Quickly at each start, slice by slice in the background, and wholly for
//! the service tool.

use rusqlite::{Connection, params};

use super::{
    Journal,
    error::JournalError,
    meta,
    rows::{self, column, count, digest_column, id_column, signing_digest, small},
    schema,
    witness::Testimony,
};
use crate::domain::ids::{AccountId, Digest, RecordId};

/// Records at the end of each chain that are checked at every start.
const NEWEST: u64 = 1000;
/// Rows looked at by one slice of the scrub: some milliseconds.
const SLICE: i64 = 200;

/// How far a scrub has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubPosition {
    /// Newest record that was checked.
    record: i64,
}

/// What a complete check found to be in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Schema of the file.
    pub schema: u32,
    /// Records whose digest and place in the chain were checked.
    pub records: u64,
    /// Of these, records whose sealed part was deleted by rule.
    pub unsealed: u64,
    /// Records that wait for an answer.
    pub waiting: u32,
}

/// A stored record with its place, for export and for re-filing after a fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record.
    pub record: RecordId,
    /// The account it is owed to.
    pub account: AccountId,
    /// Its sequence.
    pub seq: u64,
    /// Digest of its predecessor, or of the first certificate.
    pub prev: Digest,
    /// Its digest.
    pub digest: Digest,
    /// The word of its type on the wire.
    pub kind: String,
    /// The signed part.
    pub jws: String,
    /// The sealed part, of a refiled record that of its original; `None` once it was deleted by rule, or if it never had one.
    pub sealed: Option<Vec<u8>>,
    /// Of a refiled record, the JWS it had under the ended identity.
    pub original_jws: Option<String>,
    /// It still waits for an answer, or stands apart without one.
    pub owed: bool,
}

impl Journal {
    /// Checks one slice of all that is stored; `None` when the end is reached. Every page that holds a record, its sealed
    /// part, its delivery or its place in an index is read, and with that its authenticity is checked by the cipher.
    ///
    /// # Errors
    /// [`JournalError::Damaged`]: no verb works any more; the next start sets the files aside.
    pub fn scrub(&mut self, from: ScrubPosition) -> Result<Option<ScrubPosition>, JournalError> {
        let result = self.read(|connection| {
            let last = check_slice(connection, from.record, SLICE)?;
            if last.is_none() {
                check_sums(connection)?;
            }
            Ok(last.map(|record| ScrubPosition { record }))
        });
        if let Err(JournalError::Damaged { what, .. }) = &result {
            self.condemn(what);
        }
        result
    }

    /// Checks everything: each page's authenticity, the structure of the database, each digest, each chain, each sum, and the
    /// witness. Takes seconds on a large journal.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] names the first thing that is wrong.
    pub fn verify(&mut self) -> Result<Verdict, JournalError> {
        let testimony = self.witness.testimony.clone();
        self.read(|connection| {
            complaints(connection, "PRAGMA cipher_integrity_check", "")?;
            complaints(connection, "PRAGMA integrity_check", "ok")?;
            complaints(connection, "PRAGMA foreign_key_check", "")?;
            against_witness(connection, &testimony)?;
            let mut record = 0;
            while let Some(last) = check_slice(connection, record, SLICE)? {
                record = last;
            }
            check_sums(connection)?;
            let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
            Ok(Verdict {
                schema: schema::version(connection)?,
                records: count(one("SELECT count(*) FROM record")?)?,
                unsealed: count(one("SELECT count(*) FROM record WHERE no NOT IN (SELECT record FROM sealed)")?)?,
                waiting: small(one("SELECT count(*) FROM outbox WHERE state < 2")?),
            })
        })
    }

    /// Hands every stored record to `each`, in the order of commits; only what is owed if `owed_only`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn export(&mut self, owed_only: bool, each: &mut dyn FnMut(StoredRecord)) -> Result<(), JournalError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT r.id, e.account, r.seq, r.prev, r.digest, r.type, r.jws, s.bytes, o.state, p.jws
                 FROM record r JOIN enrolment e ON e.no = r.enrolment JOIN outbox o ON o.record = r.no
                 LEFT JOIN refiled f ON f.record = r.no LEFT JOIN record p ON p.no = f.original
                 LEFT JOIN sealed s ON s.record = coalesce(f.original, r.no)
                 WHERE ?1 = 0 OR o.state IN (0, 1, 5) ORDER BY r.no",
            )?;
            let mut found = statement.query([owed_only])?;
            while let Some(row) = found.next()? {
                each(StoredRecord {
                    record: id_column(row, 0)?,
                    account: AccountId::new(row.get::<_, String>(1)?).map_err(|_| rows::foreign("account"))?,
                    seq: count(row.get(2)?)?,
                    prev: digest_column(row, 3)?,
                    digest: digest_column(row, 4)?,
                    kind: row.get(5)?,
                    jws: row.get(6)?,
                    sealed: row.get(7)?,
                    original_jws: row.get(9)?,
                    owed: matches!(
                        row.get(8)?,
                        rows::state::QUEUED | rows::state::IN_FLIGHT | rows::state::QUARANTINED
                    ),
                });
            }
            Ok(())
        })
    }

    /// Leaves word for the next start, which moves the files. Failing to do so loses nothing: the damage is found again.
    fn condemn(&self, what: &str) {
        let _ = std::fs::write(self.folder.verdict(), what);
    }
}

/// The journal must have got at least as far as the witness saw it get.
pub(super) fn against_witness(connection: &Connection, testimony: &Testimony) -> Result<(), JournalError> {
    let generation = count(meta(connection, "generation")?)?;
    if generation < testimony.generation {
        let what = format!("the journal ends at generation {generation}, its witness saw {}", testimony.generation);
        return Err(JournalError::damaged(what));
    }
    for (enrolment, (seq, digest)) in &testimony.heads {
        let sql = if *seq == 0 {
            "SELECT first_certificate FROM enrolment WHERE no = ?1 AND ?2 = 0"
        } else {
            "SELECT digest FROM record WHERE enrolment = ?1 AND seq = ?2"
        };
        let mut statement = connection.prepare(sql)?;
        let mut found = statement.query(params![enrolment, column(*seq)])?;
        let kept = found.next()?.map(|row| row.get::<_, [u8; 32]>(0)).transpose()?;
        if kept != Some(digest.0) {
            return Err(JournalError::damaged(format!(
                "record {seq} of chain {enrolment} is not what its witness saw"
            )));
        }
    }
    Ok(())
}

/// The end of each chain: what the next record is linked to must be beyond doubt.
pub(super) fn newest_records(connection: &Connection) -> Result<(), JournalError> {
    let mut statement = connection.prepare("SELECT enrolment, seq, digest FROM head")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (enrolment, seq, digest): (i64, i64, [u8; 32]) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let seq = count(seq)?;
        let end = check_chain(connection, enrolment, seq.saturating_sub(NEWEST))?;
        if end != (seq, Digest(digest)) {
            return Err(JournalError::damaged(format!("chain {enrolment} does not end at record {seq}")));
        }
    }
    Ok(())
}

/// Follows one chain from after `from` to its end; returns the last sequence and digest.
fn check_chain(connection: &Connection, enrolment: i64, from: u64) -> Result<(u64, Digest), JournalError> {
    let mut last = (from, predecessor(connection, enrolment, from)?);
    let mut statement = connection
        .prepare("SELECT seq, prev, digest, jws FROM record WHERE enrolment = ?1 AND seq > ?2 ORDER BY seq")?;
    let mut found = statement.query(params![enrolment, column(from)])?;
    while let Some(row) = found.next()? {
        let (seq, prev, digest) = (count(row.get(0)?)?, digest_column(row, 1)?, digest_column(row, 2)?);
        let jws = row.get_ref(3)?.as_str().map_err(|_| rows::foreign("jws"))?;
        if seq != last.0 + 1 || prev != last.1 || signing_digest(jws) != Some(digest) {
            return Err(JournalError::damaged(format!("record {seq} of chain {enrolment} does not fit its chain")));
        }
        last = (seq, digest);
    }
    Ok(last)
}

/// Digest that the record after `seq` must name.
fn predecessor(connection: &Connection, enrolment: i64, seq: u64) -> Result<Digest, JournalError> {
    let sql = if seq == 0 {
        "SELECT first_certificate FROM enrolment WHERE no = ?1 AND ?2 = 0"
    } else {
        "SELECT digest FROM record WHERE enrolment = ?1 AND seq = ?2"
    };
    let digest = connection.prepare_cached(sql)?.query_row(params![enrolment, column(seq)], |row| row.get(0))?;
    Ok(Digest(digest))
}

/// Checks the records after `from`, at most `slice` of them, each with everything that hangs on it. Returns the last one, or
/// `None` at the end.
fn check_slice(connection: &Connection, from: i64, slice: i64) -> Result<Option<i64>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT r.no, r.enrolment, r.seq, r.prev, r.digest, r.jws, o.seq = r.seq AND o.enrolment = r.enrolment,
                (r.type = 'redemption') = (d.record IS NOT NULL), (r.type = 'reversal') = (v.record IS NOT NULL),
                s.bytes IS NULL OR length(s.bytes) > 0,
                (SELECT i.no FROM record i WHERE i.id = r.id) = r.no, (r.type = 'refiled') = (f.record IS NOT NULL)
         FROM record r LEFT JOIN outbox o ON o.record = r.no LEFT JOIN sealed s ON s.record = r.no
              LEFT JOIN redemption d ON d.record = r.no LEFT JOIN reversal v ON v.record = r.no
              LEFT JOIN refiled f ON f.record = r.no
         WHERE r.no > ?1 ORDER BY r.no LIMIT ?2",
    )?;
    let mut found = statement.query([from, slice])?;
    let mut last = None;
    while let Some(row) = found.next()? {
        let (no, enrolment, seq): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (seq, prev, digest) = (count(seq)?, digest_column(row, 3)?, digest_column(row, 4)?);
        let jws = row.get_ref(5)?.as_str().map_err(|_| rows::foreign("jws"))?;
        let linked = seq > 0 && predecessor(connection, enrolment, seq - 1)? == prev;
        let complete = (6..=11)
            .try_fold(true, |sum, i| Ok::<_, rusqlite::Error>(sum && row.get::<_, Option<bool>>(i)? == Some(true)))?;
        if !linked || !complete || signing_digest(jws) != Some(digest) {
            return Err(JournalError::damaged(format!("record {seq} of chain {enrolment} is not whole")));
        }
        last = Some(no);
    }
    Ok(last)
}

/// Sums that are kept with each change against what they sum up. Each query yields the rows that are wrong.
fn check_sums(connection: &Connection) -> Result<(), JournalError> {
    let checks = [
        (
            "the count of waiting records",
            "SELECT 1 FROM head h WHERE h.waiting <>
                 (SELECT count(*) FROM outbox o INDEXED BY outbox_waiting WHERE o.enrolment = h.enrolment AND o.state < 2)",
        ),
        (
            "the sum of unsettled cents",
            "SELECT 1 FROM unsettled u LEFT JOIN (
                 SELECT o.enrolment, d.offer, sum(d.amount) AS cents FROM (
                     SELECT record, enrolment FROM outbox INDEXED BY outbox_waiting WHERE state < 2
                     UNION ALL SELECT record, enrolment FROM outbox INDEXED BY outbox_quarantined WHERE state = 5
                 ) o JOIN redemption d ON d.record = o.record WHERE d.net = 1 GROUP BY o.enrolment, d.offer
             ) t ON t.enrolment = u.enrolment AND t.offer = u.offer WHERE u.cents <> coalesce(t.cents, 0)",
        ),
        (
            "the end of a chain",
            "SELECT 1 FROM head h
             WHERE h.seq <> (SELECT coalesce(max(r.seq), 0) FROM record r WHERE r.enrolment = h.enrolment)",
        ),
    ];
    for (what, sql) in checks {
        if connection.prepare_cached(sql)?.exists([])? {
            return Err(JournalError::damaged(format!("{what} is wrong")));
        }
    }
    Ok(())
}

/// A check that complains in rows; the first column of the first row that is not `fine` is the damage.
fn complaints(connection: &Connection, sql: &str, fine: &str) -> Result<(), JournalError> {
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let text: String = row.get(0)?;
        if text != fine {
            return Err(JournalError::damaged(text));
        }
    }
    Ok(())
}
