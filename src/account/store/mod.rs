//! The account's memory. The rest of the account knows it by the verbs of [`Tx`] alone: one writer, one transaction per
//! request, so that what a request did is there as a whole or not at all.

mod applications;
mod cards;
mod chain;
mod documents;
mod ledger;
mod notes;
mod registry;

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path};

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, types::Type};
use thiserror::Error;

pub use self::{
    applications::{Application, Decision},
    cards::{Card, CardForList, NewCard, Purse},
    chain::{Known, Listed, NewRecord, NewRedemption, Redemption, RedemptionState, StoredAnswer},
    documents::{Beacon, Issue, StoredDocument},
    notes::Noted,
    registry::{Activation, CertifiedKey, Founded, ProviderStanding, Terminal},
};
use super::{ledger::LedgerError, schema};

/// File name of the database within the account's folder.
pub const FILE: &str = "account.sqlite";

/// Why the store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database itself.
    #[error("the account's database")]
    Sqlite(#[from] rusqlite::Error),
    /// Its file.
    #[error("the account's database file cannot be opened")]
    File(#[from] io::Error),
    /// Written by another version of this program.
    #[error("the account's database has schema version {0}, which this program does not know")]
    Version(i32),
    /// Write-ahead log or full synchronisation could not be had; promises would not survive a power cut.
    #[error("the file system does not give the durability that receipts promise")]
    Durability,
    /// A row that this program could not have written.
    #[error("the account's database holds a {0} that was not written by this program")]
    Damaged(&'static str),
    /// The ledger refused.
    #[error("the ledger refused a posting")]
    Ledger(#[from] LedgerError),
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

/// More than there are different statements.
const STATEMENTS: usize = 256;

impl Store {
    /// Opens or creates the database in the folder.
    ///
    /// # Errors
    /// [`StoreError`].
    #[expect(clippy::disallowed_methods, reason = "the store owns the account's connection")]
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        // It holds reference keys; SQLite gives its own companions the same rights.
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        let connection = Connection::open(path)?;
        schema::prepare(&connection)?;
        // A record takes some forty different statements; parsing them again for each costs more than running them.
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { connection })
    }

    /// Does `work` as a whole or not at all.
    ///
    /// # Errors
    /// Whatever `work` says; nothing is kept then.
    pub fn write<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        // Immediate: the lock is taken before anything is read, so what was read is still true when it is written.
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        // A redemption is judged, and its evidence noted, before its record is kept: references are checked at the end.
        transaction.execute_batch("PRAGMA defer_foreign_keys=ON").map_err(StoreError::from)?;
        let tx = Tx { sql: transaction };
        let done = work(&tx)?;
        tx.sql.commit().map_err(StoreError::from)?;
        Ok(done)
    }
}

/// One transaction; all verbs of the store.
#[derive(Debug)]
pub struct Tx<'a> {
    sql: rusqlite::Transaction<'a>,
}

/// Unix milliseconds, as every instant is stored.
fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Sequences stay below 2^53 and so fit their column; a larger one is nobody's.
fn column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A stored instant.
fn instant(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| StoreError::Damaged("instant"))
}

/// A stored word that was checked when it was written.
fn read<T, E>(what: &'static str, parsed: Result<T, E>) -> Result<T, StoreError> {
    parsed.map_err(|_| StoreError::Damaged(what))
}

/// A column of fixed length.
fn exact<const N: usize>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<[u8; N]> {
    let bytes: Vec<u8> = row.get(column)?;
    let len = bytes.len();
    bytes.try_into().map_err(|_| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, format!("{len} bytes instead of {N}").into())
    })
}
