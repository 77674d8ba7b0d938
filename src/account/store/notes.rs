//! What is noted beside the chain: for the office, for terminals to hear later, and tries that could be questions.

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use uuid::Uuid;

use super::{StoreError, Tx, chain::record_id, column, exact, instant, ms, read};
use crate::domain::ids::{Digest, ProviderId, RecordId, TerminalId};

/// What was put before the office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The record it speaks of.
    pub record: Option<RecordId>,
    /// The terminal it speaks of.
    pub terminal: Option<TerminalId>,
    /// What; English, for the office's own program to put into words.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

impl Tx<'_> {
    /// Puts a record before the office.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn note_for_office(&self, record: RecordId, what: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO office (record, what, noted_at) VALUES (?, ?, ?)";
        self.sql.prepare_cached(sql)?.execute((record.0.as_bytes(), what, ms(now)))?;
        Ok(())
    }

    /// Puts a terminal before the office.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn note_terminal_for_office(&self, id: &TerminalId, what: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO office (terminal, what, noted_at) VALUES (?, ?, ?)";
        self.sql.prepare_cached(sql)?.execute((id.as_str(), what, ms(now)))?;
        Ok(())
    }

    /// Everything that was put before the office, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn office(&self) -> Result<Vec<Noted>, StoreError> {
        let mut statement =
            self.sql.prepare_cached("SELECT record, terminal, what, noted_at FROM office ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            let record: Option<[u8; 16]> = row.get(0)?;
            Ok((record, row.get::<_, Option<String>>(1)?, row.get(2)?, row.get(3)?))
        })?;
        rows.map(|row| {
            let (record, terminal, what, at) = row?;
            let record = record.map(|bytes| RecordId(Uuid::from_bytes(bytes)));
            let terminal = terminal.map(|id| read("terminal", TerminalId::new(id))).transpose()?;
            Ok(Noted { record, terminal, what, at: instant(at)? })
        })
        .collect()
    }

    /// Tells a terminal later what changed after the receipt.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_outcome(
        &self,
        terminal: &TerminalId,
        record: RecordId,
        kind: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO outcome (terminal, record, kind, reason, noted_at) VALUES (?, ?, ?, ?, ?)";
        self.sql.prepare_cached(sql)?.execute((terminal.as_str(), record.0.as_bytes(), kind, reason, ms(now)))?;
        Ok(())
    }

    /// Later outcomes of a terminal after a cursor, oldest first: cursor, record, kind, reason, when.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn outcomes(
        &self,
        terminal: &TerminalId,
        after: u64,
        most: u32,
    ) -> Result<Vec<(u64, RecordId, String, String, Timestamp)>, StoreError> {
        let sql =
            "SELECT id, record, kind, reason, noted_at FROM outcome WHERE terminal = ? AND id > ? ORDER BY id LIMIT ?";
        let mut statement = self.sql.prepare_cached(sql)?;
        let rows = statement.query_map((terminal.as_str(), column(after), most), |row| {
            Ok((row.get::<_, i64>(0)?, record_id(row, 1)?, row.get(2)?, row.get(3)?, row.get::<_, i64>(4)?))
        })?;
        rows.map(|row| {
            let (cursor, record, kind, reason, at) = row?;
            let cursor = u64::try_from(cursor).map_err(|_| StoreError::Damaged("cursor"))?;
            Ok((cursor, record, kind, reason, instant(at)?))
        })
        .collect()
    }

    /// Remembers the digest of the page of outcomes that ended at a cursor.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_page(&self, terminal: &TerminalId, cursor: u64, digest: &Digest) -> Result<(), StoreError> {
        let row = (terminal.as_str(), column(cursor), digest.0);
        self.sql.prepare_cached("INSERT OR REPLACE INTO page VALUES (?, ?, ?)")?.execute(row)?;
        Ok(())
    }

    /// The digest of the page of outcomes that ended at a cursor.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn page(&self, terminal: &TerminalId, cursor: u64) -> Result<Option<Digest>, StoreError> {
        let sql = "SELECT digest FROM page WHERE terminal = ? AND cursor = ?";
        let key = (terminal.as_str(), column(cursor));
        Ok(self.sql.prepare_cached(sql)?.query_row(key, |row| exact(row, 0)).optional()?.map(Digest))
    }

    /// Counts a try that could have been a question about a child.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_attempt(&self, terminal: &TerminalId, provider: &ProviderId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO attempt (terminal, provider, tried_at) VALUES (?, ?, ?)";
        self.sql.prepare_cached(sql)?.execute((terminal.as_str(), provider.as_str(), ms(now)))?;
        Ok(())
    }

    /// Such tries since an instant: of the terminal, of its provider.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn attempts(
        &self,
        terminal: &TerminalId,
        provider: &ProviderId,
        since: Timestamp,
    ) -> Result<(u32, u32), StoreError> {
        let sql =
            "SELECT COUNT(*) FILTER (WHERE terminal = ?), COUNT(*) FROM attempt WHERE provider = ? AND tried_at >= ?";
        let key = (terminal.as_str(), provider.as_str(), ms(since));
        Ok(self.sql.prepare_cached(sql)?.query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))?)
    }
}
