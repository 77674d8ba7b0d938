//! Putting a record on disk: the one verb behind every green light.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    Fault, Journal, LOG_HARD,
    error::{CommitError, CommitRefusal, JournalError},
    rows::{self, column, count, digest_column, quantity_text, signing_digest, state},
    witness::Heads,
};
use crate::domain::{
    ids::{ChildId, Digest, RecordId, Tag},
    record::{Draft, Fact, Frozen, Record},
};

/// Where a record stands in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Its sequence within the account.
    pub seq: u64,
    /// Its digest.
    pub digest: Digest,
    /// False if it was on disk before: the same id was committed again.
    pub fresh: bool,
}

impl<E> Fault for CommitError<E> {
    fn journal(&self) -> Option<&JournalError> {
        match self {
            Self::Journal(error) => Some(error),
            Self::Refused(_) | Self::Seal(_) => None,
        }
    }
}

impl Journal {
    /// Commits a record: allocates its place, lets `seal` freeze it there, and writes record, sealed part, index rows and
    /// outbox entry in one transaction. When it returns, the transaction and the witness are synced.
    ///
    /// The same id again gives the place it has; a second line never comes to be. `seal` gets the sequence and the digest of
    /// the predecessor (for sequence 1, of the first certificate).
    ///
    /// # Errors
    /// [`CommitError::Journal`]: not, or not surely, on disk; after [`JournalError::Disk`] open again and look it up.
    /// [`CommitError::Refused`] and [`CommitError::Seal`]: nothing was written and the journal goes on.
    pub fn commit<E>(
        &mut self,
        record: &Record,
        seal: &mut dyn FnMut(u64, Digest) -> Result<Frozen, E>,
    ) -> Result<Committed, CommitError<E>> {
        let enrolment = self.enrolment(&record.account)?;
        let committed = self.write(|tx, heads| insert(tx, heads, enrolment, record, seal))?;
        self.relieve_log(LOG_HARD);
        Ok(committed)
    }

    /// Whether a record is on disk, and where: after an uncertain commit, once the journal was opened again.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn look_up(&mut self, id: RecordId) -> Result<Option<Committed>, JournalError> {
        self.read(|connection| Ok(find(connection, id)?.map(|found| found.place)))
    }

    /// The newest trusted instant ever persisted; `None` before the first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn time_floor(&mut self) -> Result<Option<Timestamp>, JournalError> {
        self.read(|connection| match super::meta(connection, "time_floor")? {
            0 => Ok(None),
            ms => rows::instant(ms).map(Some),
        })
    }

    /// Remembers a trusted instant (mint time of a code, the account's time); the floor only rises.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn raise_time_floor(&mut self, trusted: Timestamp) -> Result<(), JournalError> {
        self.write(|tx, _| raise_floor(tx, trusted).map_err(JournalError::from))
    }
}

struct Found {
    kind: String,
    place: Committed,
}

fn find(connection: &Connection, id: RecordId) -> Result<Option<Found>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT type, seq, digest FROM record WHERE id = ?1")?;
    let mut found = statement.query([id.0.as_bytes()])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let place = Committed { seq: count(row.get(1)?)?, digest: digest_column(row, 2)?, fresh: false };
    Ok(Some(Found { kind: row.get(0)?, place }))
}

fn insert<E>(
    tx: &Transaction<'_>,
    heads: &mut Heads,
    enrolment: i64,
    record: &Record,
    seal: &mut dyn FnMut(u64, Digest) -> Result<Frozen, E>,
) -> Result<Committed, CommitError<E>> {
    if let Some(found) = find(tx, record.id)? {
        return if found.kind == record.fact.word() {
            Ok(found.place)
        } else {
            Err(CommitError::Refused(CommitRefusal::IdTaken))
        };
    }
    let refusal = match &record.fact {
        Fact::Reversal { reverses, .. } => refuse_reversal(tx, *reverses)?,
        Fact::Refiled { original, frozen } => super::refiling::refuse(tx, enrolment, *original, frozen)?,
        _ => None,
    };
    refusal.map_or(Ok(()), |refusal| Err(CommitError::Refused(refusal)))?;

    let (last, prev): (i64, [u8; 32]) = tx
        .prepare_cached("SELECT seq, digest FROM head WHERE enrolment = ?1")?
        .query_row([enrolment], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let seq = count(last)? + 1;
    let prev = Digest(prev);
    let frozen = seal(seq, prev).map_err(CommitError::Seal)?;
    if signing_digest(&frozen.jws) != Some(frozen.digest) {
        return Err(CommitError::Refused(CommitRefusal::BadDigest));
    }

    tx.prepare_cached(
        "INSERT INTO record (id, enrolment, seq, prev, digest, type, made_at, trusted, operator, jws)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        record.id.0.as_bytes(),
        enrolment,
        column(seq),
        prev.0,
        frozen.digest.0,
        record.fact.word(),
        record.made_at.as_millisecond(),
        record.clock.trusted,
        record.operator.as_str(),
        frozen.jws,
    ])?;
    let no = tx.last_insert_rowid();
    // A refiled record's sealed part lies with its original.
    if !frozen.sealed.is_empty() && !matches!(record.fact, Fact::Refiled { .. }) {
        tx.prepare_cached("INSERT INTO sealed (record, bytes) VALUES (?1, ?2)")?.execute(params![no, frozen.sealed])?;
    }
    tx.prepare_cached("INSERT INTO outbox (record, enrolment, seq) VALUES (?1, ?2, ?3)")?.execute(params![
        no,
        enrolment,
        column(seq)
    ])?;
    tx.prepare_cached("UPDATE head SET seq = ?2, digest = ?3, waiting = waiting + 1 WHERE enrolment = ?1")?
        .execute(params![enrolment, column(seq), frozen.digest.0])?;
    match &record.fact {
        Fact::Redemption(draft, _) => insert_redemption(tx, no, enrolment, seq, record, draft)?,
        Fact::Reversal { reverses, reason, .. } => {
            tx.prepare_cached("INSERT INTO reversal (record, reverses, reason) VALUES (?1, ?2, ?3)")?
                .execute(params![no, reverses.0.as_bytes(), reason.word()])?;
            take_back(tx, enrolment, *reverses)?;
        }
        Fact::NoticeAck { version } => {
            super::operators::insert_notice(tx, enrolment, record.operator.as_str(), *version, record.made_at)?;
        }
        Fact::Refiled { original, .. } => super::refiling::replace(tx, no, *original)?,
        Fact::Served { .. } => {}
    }
    if record.clock.trusted {
        raise_floor(tx, record.made_at)?;
    }
    heads.insert(enrolment, (seq, frozen.digest));
    Ok(Committed { seq, digest: frozen.digest, fresh: true })
}

/// Why this record cannot be taken back here. One that is not ours may: another terminal of the provider made it.
fn refuse_reversal(tx: &Transaction<'_>, reverses: RecordId) -> Result<Option<CommitRefusal>, JournalError> {
    let earlier: Option<[u8; 16]> = tx
        .prepare_cached("SELECT r.id FROM reversal v JOIN record r ON r.no = v.record WHERE v.reverses = ?1")?
        .query_row([reverses.0.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(by) = earlier {
        let by = RecordId(uuid::Uuid::from_bytes(by));
        return Ok(Some(CommitRefusal::AlreadyReversed { by }));
    }
    let other = find(tx, reverses)?.is_some_and(|found| found.kind != "redemption");
    Ok(other.then_some(CommitRefusal::NotRedemption))
}

fn insert_redemption(
    tx: &Transaction<'_>,
    no: i64,
    enrolment: i64,
    seq: u64,
    record: &Record,
    draft: &Draft,
) -> Result<(), rusqlite::Error> {
    let quantity = quantity_text(&draft.quantity);
    let date = draft.service_date.to_string();
    let child = draft.child.as_ref().map_or("", ChildId::as_str);
    tx.prepare_cached(
        "INSERT INTO redemption
             (record, offer, service_date, phase, quantity, amount, route, level, basis, card, child, tag)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        no,
        draft.offer.as_str(),
        date,
        draft.phase.word(),
        quantity,
        draft.amount.get(),
        draft.route.word(),
        draft.level.get(),
        draft.basis.kind.word(),
        draft.card.0,
        child,
        draft.tag.as_ref().map_or("", Tag::as_str),
    ])?;
    let mut own = tx.prepare_cached(
        "INSERT INTO own_record
             (enrolment, subject, record, id, seq, offer, service_date, tapped_at, level, quantity, amount)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for subject in subjects(child, &draft.card.0) {
        own.execute(params![
            enrolment,
            subject,
            no,
            record.id.0.as_bytes(),
            column(seq),
            draft.offer.as_str(),
            date,
            draft.tapped_at.as_millisecond(),
            draft.level.get(),
            quantity,
            draft.amount.get(),
        ])?;
    }
    tx.prepare_cached(
        "INSERT INTO unsettled (enrolment, offer, cents) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET cents = cents + excluded.cents",
    )?
    .execute(params![enrolment, draft.offer.as_str(), draft.amount.get()])?;
    Ok(())
}

/// Under which subjects a redemption lies in `own_record`: its card always, its child if the card list named one.
pub(super) fn subjects(child: &str, card: &[u8; 16]) -> impl Iterator<Item = Vec<u8>> {
    let child = (!child.is_empty()).then(|| [b"c", child.as_bytes()].concat());
    child.into_iter().chain([[b"r".as_slice(), card].concat()])
}

/// A redemption no longer counts: it was reversed or refused. Does nothing if it did not count before, or is not ours: made
/// here for the same account, under the identity in force or one before it.
pub(super) fn take_back(tx: &Transaction<'_>, enrolment: i64, id: RecordId) -> Result<(), rusqlite::Error> {
    let found: Option<(i64, i64, String, i64, u8, String, [u8; 16])> = tx
        .prepare_cached(
            "SELECT d.record, r.enrolment, d.offer, d.amount, o.state, d.child, d.card
             FROM record r JOIN redemption d ON d.record = r.no JOIN outbox o ON o.record = r.no
             WHERE r.id = ?1 AND d.net = 1 AND r.enrolment IN
                 (SELECT e.no FROM enrolment e JOIN enrolment m ON m.account = e.account WHERE m.no = ?2)",
        )?
        .query_row(params![id.0.as_bytes(), enrolment], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
        })
        .optional()?;
    let Some((no, enrolment, offer, amount, state, child, card)) = found else { return Ok(()) };
    tx.prepare_cached("UPDATE redemption SET net = 0 WHERE record = ?1")?.execute([no])?;
    forget_own(tx, enrolment, no, &child, &card)?;
    if matches!(state, state::QUEUED | state::IN_FLIGHT | state::QUARANTINED) {
        lower_unsettled(tx, enrolment, &offer, amount)?;
    }
    Ok(())
}

/// A reversal was refused: the redemption it named counts again. Does nothing for any other record.
pub(super) fn restore(tx: &Transaction<'_>, reversal: i64) -> Result<(), rusqlite::Error> {
    let found: Option<(i64, i64, String, i64, u8)> = tx
        .prepare_cached(
            "SELECT d.record, r.enrolment, d.offer, d.amount, o.state
             FROM reversal v JOIN record r ON r.id = v.reverses JOIN redemption d ON d.record = r.no
             JOIN outbox o ON o.record = r.no WHERE v.record = ?1 AND d.net = 0 AND o.state <> 4",
        )?
        .query_row([reversal], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .optional()?;
    let Some((no, enrolment, offer, amount, state)) = found else { return Ok(()) };
    tx.prepare_cached("UPDATE redemption SET net = 1 WHERE record = ?1")?.execute([no])?;
    if !matches!(state, state::ACKNOWLEDGED | state::DISPUTED | state::REFILED) {
        lower_unsettled(tx, enrolment, &offer, -amount)?;
    }
    let (child, card): (String, [u8; 16]) = tx
        .prepare_cached("SELECT child, card FROM redemption WHERE record = ?1")?
        .query_row([no], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if card == BLANK_CARD {
        return Ok(());
    }
    for subject in subjects(&child, &card) {
        tx.prepare_cached(
            "INSERT INTO own_record
                 (enrolment, subject, record, id, seq, offer, service_date, tapped_at, level, quantity, amount)
             SELECT r.enrolment, ?2, r.no, r.id, r.seq, d.offer, d.service_date, r.made_at, d.level, d.quantity, d.amount
             FROM redemption d JOIN record r ON r.no = d.record WHERE d.record = ?1",
        )?
        .execute(params![no, subject])?;
    }
    Ok(())
}

/// What stands in place of a card's reference once it was purged.
pub(super) const BLANK_CARD: [u8; 16] = [0; 16];

/// Deletes the rows by which own decisions find a redemption.
pub(super) fn forget_own(
    tx: &Transaction<'_>,
    enrolment: i64,
    no: i64,
    child: &str,
    card: &[u8; 16],
) -> Result<(), rusqlite::Error> {
    let mut delete =
        tx.prepare_cached("DELETE FROM own_record WHERE enrolment = ?1 AND subject = ?2 AND record = ?3")?;
    for subject in subjects(child, card) {
        delete.execute(params![enrolment, subject, no])?;
    }
    Ok(())
}

/// An amount that counted as unsettled no longer does.
pub(super) fn lower_unsettled(
    tx: &Transaction<'_>,
    enrolment: i64,
    offer: &str,
    cents: i64,
) -> Result<(), rusqlite::Error> {
    tx.prepare_cached("UPDATE unsettled SET cents = cents - ?3 WHERE enrolment = ?1 AND offer = ?2")?
        .execute(params![enrolment, offer, cents])?;
    Ok(())
}

fn raise_floor(tx: &Transaction<'_>, trusted: Timestamp) -> Result<(), rusqlite::Error> {
    tx.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'time_floor' AND value < ?1")?
        .execute([trusted.as_millisecond()])?;
    Ok(())
}
