//! Issued documents, whom they went to, and beacons.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::{StoreError, Tx, column, exact, instant, ms};
use crate::domain::{
    documents::DocumentName,
    ids::{Digest, TerminalId},
};

/// One issue of a document about to be kept.
#[derive(Debug, Clone)]
pub struct Issue<'a> {
    /// Which.
    pub name: DocumentName,
    /// Terminal or site, empty for everybody.
    pub audience: &'a str,
    /// Its sequence.
    pub seq: u64,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Digest of what it says, without sequence and instants.
    pub content: Digest,
    /// JWS compact texts in order.
    pub parts: &'a [String],
}

/// A document as it was issued.
#[derive(Debug, Clone)]
pub struct StoredDocument {
    /// Its sequence.
    pub seq: u64,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Digest of what it says.
    pub content: Digest,
    /// JWS compact texts in order.
    pub parts: Vec<String>,
}

/// A beacon that was given out.
#[derive(Debug, Clone)]
pub struct Beacon {
    /// To whom.
    pub terminal: TerminalId,
    /// When.
    pub issued_at: Timestamp,
}

impl Tx<'_> {
    /// Puts a profile into the document for terminals, in the place of the one of that id; without a text takes it out.
    /// False if there was none to take out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_profile(&self, id: &str, text: Option<&str>) -> Result<bool, StoreError> {
        let changed = match text {
            Some(text) => {
                self.sql.prepare_cached("INSERT OR REPLACE INTO profile VALUES (?, ?)")?.execute((id, text))?
            }
            None => self.sql.prepare_cached("DELETE FROM profile WHERE id = ?")?.execute([id])?,
        };
        Ok(changed == 1)
    }

    /// The profiles for terminals, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn profiles(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.sql.prepare_cached("SELECT text FROM profile ORDER BY id")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A sequence above every earlier one: the time, unless the clock went back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_seq(&self, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "UPDATE account SET last_seq = MAX(last_seq + 1, ?) RETURNING last_seq";
        let seq: i64 = self.sql.prepare_cached(sql)?.query_row([ms(now)], |row| row.get(0))?;
        u64::try_from(seq).map_err(|_| StoreError::Damaged("sequence"))
    }

    /// Keeps an issue.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn issue(&self, issue: &Issue<'_>) -> Result<(), StoreError> {
        let parts = serde_json::to_string(issue.parts).map_err(|_| StoreError::Damaged("document"))?;
        let row = (
            issue.name.word(),
            issue.audience,
            column(issue.seq),
            ms(issue.issued_at),
            ms(issue.expires_at),
            issue.content.0,
            parts,
        );
        self.sql.prepare_cached("INSERT INTO document VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(row)?;
        Ok(())
    }

    /// The newest issue.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn newest(&self, name: DocumentName, audience: &str) -> Result<Option<StoredDocument>, StoreError> {
        let sql = "SELECT seq, issued_at, expires_at, content, parts FROM document
                   WHERE name = ? AND audience = ? ORDER BY seq DESC LIMIT 1";
        self.sql
            .prepare_cached(sql)?
            .query_row((name.word(), audience), |row| Ok(document(row)))
            .optional()?
            .transpose()
    }

    /// The issue of that sequence.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn issued(&self, name: DocumentName, audience: &str, seq: u64) -> Result<Option<StoredDocument>, StoreError> {
        let sql = "SELECT seq, issued_at, expires_at, content, parts FROM document
                   WHERE name = ? AND audience = ? AND seq = ?";
        let key = (name.word(), audience, column(seq));
        self.sql.prepare_cached(sql)?.query_row(key, |row| Ok(document(row))).optional()?.transpose()
    }

    /// Forgets issues that lapsed before an instant and are not the newest; catalogues are kept for late service dates.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn purge_documents(&self, before: Timestamp) -> Result<usize, StoreError> {
        let sql = "DELETE FROM document WHERE expires_at < ? AND name <> 'catalogue' AND seq < (SELECT MAX(newer.seq)
                   FROM document newer WHERE newer.name = document.name AND newer.audience = document.audience)";
        Ok(self.sql.prepare_cached(sql)?.execute([ms(before)])?)
    }

    /// Notes that a document went to a terminal; the first time counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delivered(
        &self,
        terminal: &TerminalId,
        name: DocumentName,
        seq: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = (terminal.as_str(), name.word(), column(seq), ms(now));
        self.sql.prepare_cached("INSERT OR IGNORE INTO delivery VALUES (?, ?, ?, ?)")?.execute(row)?;
        Ok(())
    }

    /// The newest issue of a document a terminal had before an instant, 0 if none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn held(&self, terminal: &TerminalId, name: DocumentName, before: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COALESCE(MAX(seq), 0) FROM delivery WHERE terminal = ? AND name = ? AND delivered_at < ?";
        let seq: i64 =
            self.sql.prepare_cached(sql)?.query_row((terminal.as_str(), name.word(), ms(before)), |row| row.get(0))?;
        u64::try_from(seq).map_err(|_| StoreError::Damaged("sequence"))
    }

    /// Notes which cards a list holds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn list_cards(&self, terminal: &TerminalId, seq: u64, cards: &[i64]) -> Result<(), StoreError> {
        let mut statement = self.sql.prepare_cached("INSERT INTO listed VALUES (?, ?, ?)")?;
        for card in cards {
            statement.execute((terminal.as_str(), column(seq), card))?;
        }
        Ok(())
    }

    /// That list of that terminal held the card.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn was_listed(&self, terminal: &TerminalId, seq: u64, card: i64) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM listed WHERE terminal = ? AND seq = ? AND card = ?)";
        Ok(self.sql.prepare_cached(sql)?.query_row((terminal.as_str(), column(seq), card), |row| row.get(0))?)
    }

    /// Keeps a fresh beacon, and forgets those that no offer can still accept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_beacon(
        &self,
        beacon: &[u8; 16],
        terminal: &TerminalId,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.sql.prepare_cached("DELETE FROM beacon WHERE issued_at < ?")?.execute([ms(forget_before)])?;
        self.sql.prepare_cached("INSERT INTO beacon VALUES (?, ?, ?)")?.execute((
            beacon,
            terminal.as_str(),
            ms(now),
        ))?;
        Ok(())
    }

    /// A beacon that was given out and not yet forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn beacon(&self, beacon: &[u8; 16]) -> Result<Option<Beacon>, StoreError> {
        let sql = "SELECT terminal, issued_at FROM beacon WHERE beacon = ?";
        let row: Option<(String, i64)> =
            self.sql.prepare_cached(sql)?.query_row([beacon], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        row.map(|(terminal, at)| {
            Ok(Beacon { terminal: super::read("terminal", TerminalId::new(terminal))?, issued_at: instant(at)? })
        })
        .transpose()
    }
}

fn document(row: &Row<'_>) -> Result<StoredDocument, StoreError> {
    let damaged = |_| StoreError::Damaged("document");
    Ok(StoredDocument {
        seq: u64::try_from(row.get::<_, i64>(0)?).map_err(|_| StoreError::Damaged("sequence"))?,
        issued_at: instant(row.get(1)?)?,
        expires_at: instant(row.get(2)?)?,
        content: Digest(exact(row, 3)?),
        parts: serde_json::from_str(&row.get::<_, String>(4)?).map_err(damaged)?,
    })
}
