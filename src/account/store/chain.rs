//! Records as they were received and answered, what they redeemed, and what is remembered to judge the next.

use jiff::{Timestamp, civil::Date};
use rusqlite::{OptionalExtension, Row};
use uuid::Uuid;

use super::{StoreError, Tx, column, exact, instant, ms, read};
use crate::domain::{
    amount::{Cents, Quantity},
    ids::{BookingNumber, Digest, OfferId, ProviderId, RecordId, TerminalId},
    reading::{Level, Route},
    record::{BasisKind, Frozen},
};

/// The answer to a record, as it was given first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// `booked`, `rejected` or `disputed`.
    pub outcome: String,
    /// Empty if booked.
    pub reason: String,
    /// Number of the booking, if one was made.
    pub booking: Option<BookingNumber>,
}

/// A record that is known.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its id.
    pub id: RecordId,
    /// The terminal that made it.
    pub terminal: TerminalId,
    /// Its sequence.
    pub seq: u64,
    /// SHA-256 of its signing input.
    pub digest: Digest,
    /// What it named as the digest before it.
    pub prev: Digest,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What was answered.
    pub answer: StoredAnswer,
}

/// A record about to be kept.
#[derive(Debug)]
pub struct NewRecord<'a> {
    /// Its id.
    pub id: RecordId,
    /// The terminal that signed it.
    pub terminal: &'a TerminalId,
    /// Its provider.
    pub provider: &'a ProviderId,
    /// Its sequence.
    pub seq: u64,
    /// What it names as the digest before it.
    pub prev: Digest,
    /// Word of its type.
    pub kind: &'a str,
    /// The bytes.
    pub frozen: &'a Frozen,
    /// What is answered.
    pub answer: &'a StoredAnswer,
}

/// What became of a redemption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedemptionState {
    /// Promised to the provider.
    Booked,
    /// For the office.
    Disputed,
    /// Nothing.
    Rejected,
    /// Taken back.
    Reversed,
}

impl RedemptionState {
    /// The word in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Disputed => "disputed",
            Self::Rejected => "rejected",
            Self::Reversed => "reversed",
        }
    }
}

/// A redemption about to be kept.
#[derive(Debug, Clone)]
pub struct NewRedemption {
    /// Its record.
    pub record: RecordId,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its provider.
    pub provider: ProviderId,
    /// The card the evidence leads to.
    pub card: Option<i64>,
    /// The child.
    pub child: Option<i64>,
    /// What was claimed.
    pub offer: OfferId,
    /// For which day.
    pub service_date: Date,
    /// When, by the terminal.
    pub tapped_at: Timestamp,
    /// How the identity came.
    pub route: Route,
    /// On what ground the terminal decided.
    pub basis: BasisKind,
    /// As the evidence proves it.
    pub level: Level,
    /// As the catalogue gives it.
    pub amount: Cents,
    /// How much.
    pub quantity: Quantity,
    /// What became of it.
    pub state: RedemptionState,
    /// Why, if not booked.
    pub reason: String,
    /// What was posted.
    pub posting: Option<i64>,
}

/// A redemption that is known.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// Its record.
    pub record: RecordId,
    /// The terminal.
    pub terminal: TerminalId,
    /// The child.
    pub child: Option<i64>,
    /// What was claimed.
    pub offer: OfferId,
    /// For which day.
    pub service_date: Date,
    /// How the identity came.
    pub route: Route,
    /// As the evidence proved it.
    pub level: Level,
    /// Cents.
    pub amount: Cents,
    /// How much, in the words a card signs.
    pub quantity: String,
    /// What became of it.
    pub state: RedemptionState,
    /// Why, if not booked.
    pub reason: String,
    /// What was posted.
    pub posting: Option<i64>,
    /// When its record arrived.
    pub received_at: Timestamp,
}

/// A row of `bookings list`.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The record.
    pub record: RecordId,
    /// Sequence within the terminal's chain.
    pub seq: u64,
    /// The terminal.
    pub terminal: TerminalId,
    /// The office's name of the child, if the evidence led to one.
    pub child: Option<String>,
    /// What was claimed.
    pub offer: OfferId,
    /// For which day.
    pub service_date: Date,
    /// Cents.
    pub amount: Cents,
    /// `booked`, `disputed`, `rejected` or `reversed`.
    pub state: String,
    /// Why, if not booked.
    pub reason: String,
    /// Number of the booking.
    pub booking: String,
    /// Level of the evidence.
    pub level: u8,
    /// How the identity came.
    pub route: String,
}

const RECORD: &str = "SELECT id, terminal, seq, digest, prev, received_at, outcome, reason, booking FROM record";
const REDEMPTION: &str = "SELECT d.record, d.terminal, d.child, d.offer, d.service_date, d.route, d.level, d.amount,
    d.state, d.reason, d.posting, r.received_at, d.quantity FROM redemption d JOIN record r ON r.id = d.record";

impl Tx<'_> {
    /// The record of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record(&self, id: RecordId) -> Result<Option<Known>, StoreError> {
        let sql = format!("{RECORD} WHERE id = ?");
        self.sql.prepare_cached(&sql)?.query_row([id.0.as_bytes()], |row| Ok(known(row))).optional()?.transpose()
    }

    /// The record at that place of a chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record_at(&self, terminal: &TerminalId, seq: u64) -> Result<Option<Known>, StoreError> {
        let sql = format!("{RECORD} WHERE terminal = ? AND seq = ?");
        let key = (terminal.as_str(), column(seq));
        self.sql.prepare_cached(&sql)?.query_row(key, |row| Ok(known(row))).optional()?.transpose()
    }

    /// The newest record of a chain: sequence and digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn head(&self, terminal: &TerminalId) -> Result<Option<(u64, Digest)>, StoreError> {
        let sql = format!("{RECORD} WHERE terminal = ? ORDER BY seq DESC LIMIT 1");
        let head = self
            .sql
            .prepare_cached(&sql)?
            .query_row([terminal.as_str()], |row| Ok(known(row)))
            .optional()?
            .transpose()?;
        Ok(head.map(|known| (known.seq, known.digest)))
    }

    /// The sequence up to which nothing is missing, 0 before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contiguous_through(&self, terminal: &TerminalId) -> Result<u64, StoreError> {
        // The first record whose successor is missing ends the run, if the run begins at 1.
        let sql = "SELECT COALESCE((SELECT MIN(r.seq) FROM record r WHERE r.terminal = ?1
                     AND NOT EXISTS (SELECT 1 FROM record n WHERE n.terminal = ?1 AND n.seq = r.seq + 1)), 0)
                   WHERE EXISTS (SELECT 1 FROM record WHERE terminal = ?1 AND seq = 1)";
        let through: Option<i64> =
            self.sql.prepare_cached(sql)?.query_row([terminal.as_str()], |row| row.get(0)).optional()?;
        u64::try_from(through.unwrap_or(0)).map_err(|_| StoreError::Damaged("sequence"))
    }

    /// Keeps a record with its sealed part and answer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_record(&self, record: &NewRecord<'_>, now: Timestamp) -> Result<(), StoreError> {
        let booking = record.answer.booking.as_ref().map_or("", BookingNumber::as_str);
        let sql = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.sql.prepare_cached(sql)?.execute(rusqlite::params![
            record.id.0.as_bytes(),
            record.terminal.as_str(),
            record.provider.as_str(),
            column(record.seq),
            record.frozen.digest.0,
            record.prev.0,
            record.kind,
            ms(now),
            record.frozen.jws,
            record.answer.outcome,
            record.answer.reason,
            booking,
        ])?;
        self.sql
            .prepare_cached("INSERT INTO sealed VALUES (?, ?)")?
            .execute((record.id.0.as_bytes(), &record.frozen.sealed))?;
        Ok(())
    }

    /// Keeps the bytes of a fork for the office.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_fork(&self, terminal: &TerminalId, seq: u64, frozen: &Frozen, now: Timestamp) -> Result<(), StoreError> {
        let row = (frozen.digest.0, terminal.as_str(), column(seq), &frozen.jws, &frozen.sealed, ms(now));
        self.sql.prepare_cached("INSERT OR IGNORE INTO fork VALUES (?, ?, ?, ?, ?, ?)")?.execute(row)?;
        Ok(())
    }

    /// Keeps the original of a refiled record; false if it was brought before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_refiled(&self, original: Digest, record: RecordId, jws: &str) -> Result<bool, StoreError> {
        let row = (original.0, record.0.as_bytes(), jws);
        Ok(self.sql.prepare_cached("INSERT OR IGNORE INTO refiled VALUES (?, ?, ?)")?.execute(row)? == 1)
    }

    /// A record of that digest was brought again under another identity.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_refiled(&self, original: Digest) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM refiled WHERE original = ?)";
        Ok(self.sql.prepare_cached(sql)?.query_row([original.0], |row| row.get(0))?)
    }

    /// The terminal's chain has forked before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_forked(&self, terminal: &TerminalId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM fork WHERE terminal = ?)";
        Ok(self.sql.prepare_cached(sql)?.query_row([terminal.as_str()], |row| row.get(0))?)
    }

    /// Keeps what a record redeemed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_redemption(&self, redemption: &NewRedemption) -> Result<(), StoreError> {
        let sql = "INSERT INTO redemption VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.sql.prepare_cached(sql)?.execute(rusqlite::params![
            redemption.record.0.as_bytes(),
            redemption.terminal.as_str(),
            redemption.provider.as_str(),
            redemption.card,
            redemption.child,
            redemption.offer.as_str(),
            redemption.service_date.to_string(),
            ms(redemption.tapped_at),
            redemption.route.word(),
            redemption.basis.word(),
            redemption.level.get(),
            redemption.amount.get(),
            redemption.quantity.context_text(),
            redemption.state.word(),
            redemption.reason,
            redemption.posting,
        ])?;
        Ok(())
    }

    /// The redemption of a record of that provider.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn redemption(&self, provider: &ProviderId, record: RecordId) -> Result<Option<Redemption>, StoreError> {
        let sql = format!("{REDEMPTION} WHERE d.record = ? AND d.provider = ?");
        let key = (record.0.as_bytes(), provider.as_str());
        self.sql.prepare_cached(&sql)?.query_row(key, |row| Ok(redemption(row))).optional()?.transpose()
    }

    /// Booked redemptions of a child and offer with a service date in a range, ends included, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn booked(&self, child: i64, offer: &OfferId, from: Date, to: Date) -> Result<Vec<Redemption>, StoreError> {
        let sql = format!(
            "{REDEMPTION} WHERE d.child = ? AND d.offer = ? AND d.service_date BETWEEN ? AND ? AND d.state = 'booked'
             ORDER BY d.tapped_at"
        );
        let key = (child, offer.as_str(), from.to_string(), to.to_string());
        let mut statement = self.sql.prepare_cached(&sql)?;
        let rows = statement.query_map(key, |row| Ok(redemption(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Redemptions at a fault or from paper of an offer, route and day at a terminal that were not taken back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn fault_count(
        &self,
        terminal: &TerminalId,
        offer: &OfferId,
        route: Route,
        date: Date,
    ) -> Result<u32, StoreError> {
        let sql = "SELECT COUNT(*) FROM redemption WHERE terminal = ? AND offer = ? AND route = ? AND service_date = ?
                   AND basis IN ('fault', 'paper') AND state IN ('booked', 'disputed')";
        let key = (terminal.as_str(), offer.as_str(), route.word(), date.to_string());
        Ok(self.sql.prepare_cached(sql)?.query_row(key, |row| row.get(0))?)
    }

    /// Changes what became of a redemption; `reason` is empty for booked ones.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_redemption(&self, record: RecordId, state: RedemptionState, reason: &str) -> Result<(), StoreError> {
        let sql = "UPDATE redemption SET state = ?, reason = ? WHERE record = ?";
        self.sql.prepare_cached(sql)?.execute((state.word(), reason, record.0.as_bytes()))?;
        Ok(())
    }

    /// Uses a signature counter up; false if it was used before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn use_counter(
        &self,
        credential: &Digest,
        counter: u32,
        record: RecordId,
        tapped_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = (credential.0, counter, record.0.as_bytes(), ms(tapped_at));
        Ok(self.sql.prepare_cached("INSERT OR IGNORE INTO counter VALUES (?, ?, ?, ?)")?.execute(row)? == 1)
    }

    /// When the first of the higher counters of this credential was used, if one was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn overtaken(&self, credential: &Digest, counter: u32) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT MIN(tapped_at) FROM counter WHERE credential = ? AND counter > ?";
        let first: Option<i64> = self.sql.prepare_cached(sql)?.query_row((credential.0, counter), |row| row.get(0))?;
        first.map(instant).transpose()
    }

    /// The credential signed a lower counter later than `tapped_at`, or a higher one earlier, by more than `slack_ms`:
    /// some clock lies, or signatures were harvested.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn counter_inverted(
        &self,
        credential: &Digest,
        counter: u32,
        tapped_at: Timestamp,
        slack_ms: i64,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM counter WHERE credential = ?1
                     AND ((counter < ?2 AND tapped_at > ?3 + ?4) OR (counter > ?2 AND tapped_at < ?3 - ?4)))";
        Ok(self
            .sql
            .prepare_cached(sql)?
            .query_row((credential.0, counter, ms(tapped_at), slack_ms), |row| row.get(0))?)
    }

    /// Remembers a reversal or served mark whose target is not there yet; false if `most` of the provider wait already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_early(
        &self,
        provider: &ProviderId,
        kind: &str,
        target: RecordId,
        record: RecordId,
        most: u32,
    ) -> Result<bool, StoreError> {
        let count = "SELECT COUNT(*) FROM early WHERE provider = ?";
        let waiting: u32 = self.sql.prepare_cached(count)?.query_row([provider.as_str()], |row| row.get(0))?;
        if waiting >= most {
            return Ok(false);
        }
        let row = (provider.as_str(), kind, target.0.as_bytes(), record.0.as_bytes());
        self.sql.prepare_cached("INSERT OR IGNORE INTO early VALUES (?, ?, ?, ?)")?.execute(row)?;
        Ok(true)
    }

    /// Takes what waited for this record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn take_early(&self, provider: &ProviderId, kind: &str, target: RecordId) -> Result<bool, StoreError> {
        let sql = "DELETE FROM early WHERE provider = ? AND kind = ? AND target = ?";
        Ok(self.sql.prepare_cached(sql)?.execute((provider.as_str(), kind, target.0.as_bytes()))? == 1)
    }

    /// Redemptions for the office, in the order they came; all terminals or children where none is named.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn bookings(&self, terminal: Option<&TerminalId>, child: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        let sql = "SELECT d.record, r.seq, d.terminal, c.name, d.offer, d.service_date, d.amount, d.state, d.reason,
                          r.booking, d.level, d.route
                   FROM redemption d JOIN record r ON r.id = d.record LEFT JOIN child c ON c.id = d.child
                   WHERE (?1 IS NULL OR d.terminal = ?1) AND (?2 IS NULL OR c.name = ?2) ORDER BY r.rowid";
        let mut statement = self.sql.prepare_cached(sql)?;
        let rows = statement.query_map((terminal.map(TerminalId::as_str), child), |row| Ok(listed(row)))?;
        rows.map(|row| row?).collect()
    }
}

pub(super) fn record_id(row: &Row<'_>, column: usize) -> rusqlite::Result<RecordId> {
    Ok(RecordId(Uuid::from_bytes(exact(row, column)?)))
}

fn seq(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| StoreError::Damaged("sequence"))
}

fn known(row: &Row<'_>) -> Result<Known, StoreError> {
    let booking: String = row.get(8)?;
    Ok(Known {
        id: record_id(row, 0)?,
        terminal: read("terminal", TerminalId::new(row.get::<_, String>(1)?))?,
        seq: seq(row, 2)?,
        digest: Digest(exact(row, 3)?),
        prev: Digest(exact(row, 4)?),
        received_at: instant(row.get(5)?)?,
        answer: StoredAnswer {
            outcome: row.get(6)?,
            reason: row.get(7)?,
            booking: if booking.is_empty() { None } else { Some(read("booking", BookingNumber::new(booking))?) },
        },
    })
}

fn redemption(row: &Row<'_>) -> Result<Redemption, StoreError> {
    let (route, state): (String, String) = (row.get(5)?, row.get(8)?);
    let states =
        [RedemptionState::Booked, RedemptionState::Disputed, RedemptionState::Rejected, RedemptionState::Reversed];
    Ok(Redemption {
        record: record_id(row, 0)?,
        terminal: read("terminal", TerminalId::new(row.get::<_, String>(1)?))?,
        child: row.get(2)?,
        offer: read("offer", OfferId::new(row.get::<_, String>(3)?))?,
        service_date: read("date", row.get::<_, String>(4)?.parse())?,
        route: Route::ALL.into_iter().find(|r| r.word() == route).ok_or(StoreError::Damaged("route"))?,
        level: Level::new(row.get(6)?).ok_or(StoreError::Damaged("level"))?,
        amount: read("amount", Cents::new(row.get(7)?))?,
        state: states.into_iter().find(|s| s.word() == state).ok_or(StoreError::Damaged("state"))?,
        reason: row.get(9)?,
        posting: row.get(10)?,
        received_at: instant(row.get(11)?)?,
        quantity: row.get(12)?,
    })
}

fn listed(row: &Row<'_>) -> Result<Listed, StoreError> {
    Ok(Listed {
        record: record_id(row, 0)?,
        seq: seq(row, 1)?,
        terminal: read("terminal", TerminalId::new(row.get::<_, String>(2)?))?,
        child: row.get(3)?,
        offer: read("offer", OfferId::new(row.get::<_, String>(4)?))?,
        service_date: read("date", row.get::<_, String>(5)?.parse())?,
        amount: read("amount", Cents::new(row.get(6)?))?,
        state: row.get(7)?,
        reason: row.get(8)?,
        booking: row.get(9)?,
        level: row.get(10)?,
        route: row.get(11)?,
    })
}
