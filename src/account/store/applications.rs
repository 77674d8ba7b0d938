//! Terminals that wait for the office's approval.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::{StoreError, Tx, exact, ms, read};
use crate::{domain::ids::Digest, protocol::jws::PublicKey};

/// What the office said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Open,
    /// Yes.
    Approved,
    /// No.
    Refused,
}

impl Decision {
    const ALL: [Self; 3] = [Self::Open, Self::Approved, Self::Refused];

    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }
}

/// A terminal that used a code which needs approval.
#[derive(Debug, Clone)]
pub struct Application {
    /// By which it asks.
    pub id: String,
    /// SHA-256 of the code's secret.
    pub secret: Digest,
    /// The key it wants certified.
    pub key: PublicKey,
    /// What the office said.
    pub decision: Decision,
}

const APPLICATION: &str = "SELECT id, secret, point, decision FROM application";

type Columns = (String, [u8; 32], [u8; 65], String);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, exact(row, 1)?, exact(row, 2)?, row.get(3)?))
}

fn application((id, secret, point, word): Columns) -> Result<Application, StoreError> {
    let decision = Decision::ALL.into_iter().find(|decision| decision.word() == word);
    Ok(Application {
        id,
        secret: Digest(secret),
        key: read("application", PublicKey::from_sec1(&point))?,
        decision: decision.ok_or(StoreError::Damaged("decision"))?,
    })
}

impl Tx<'_> {
    /// Keeps an application.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_application(&self, application: &Application, now: Timestamp) -> Result<(), StoreError> {
        let Application { id, secret, key, decision } = application;
        let row = (id, secret.0, key.as_sec1(), decision.word(), ms(now));
        self.sql.prepare_cached("INSERT INTO application VALUES (?, ?, ?, ?, ?)")?.execute(row)?;
        Ok(())
    }

    /// The application of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn application(&self, id: &str) -> Result<Option<Application>, StoreError> {
        let sql = format!("{APPLICATION} WHERE id = ?");
        self.sql.prepare_cached(&sql)?.query_row([id], columns).optional()?.map(application).transpose()
    }

    /// The application that used a code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn application_of(&self, secret: &Digest) -> Result<Option<Application>, StoreError> {
        let sql = format!("{APPLICATION} WHERE secret = ?");
        self.sql.prepare_cached(&sql)?.query_row([secret.0], columns).optional()?.map(application).transpose()
    }

    /// All applications, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn applications(&self) -> Result<Vec<Application>, StoreError> {
        let mut statement = self.sql.prepare_cached(&format!("{APPLICATION} ORDER BY asked_at, id"))?;
        let rows = statement.query_map([], columns)?;
        rows.map(|row| application(row?)).collect()
    }

    /// Notes what the office says; false if there is no such application, or it was decided before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn decide(&self, id: &str, decision: Decision) -> Result<bool, StoreError> {
        let sql = "UPDATE application SET decision = ? WHERE id = ? AND decision = 'open'";
        Ok(self.sql.prepare_cached(sql)?.execute((decision.word(), id))? == 1)
    }
}
