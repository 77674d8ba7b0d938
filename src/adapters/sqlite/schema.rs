//! The connection with its pragmas, and the way from one schema to the next.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};
use zeroize::Zeroizing;

use super::error::JournalError;

/// One entry per schema version, in order; forward only, never edited after release.
const MIGRATIONS: [&str; VERSION as usize] =
    [include_str!("migrations/0001_initial.sql"), include_str!("migrations/0002_outcomes.sql")];

/// The newest schema this program knows.
pub(super) const VERSION: u32 = 2;

/// Bytes of a page: SQLCipher 4's own choice, which the pragma `page_size` does not tell.
pub(super) const PAGE: u64 = 4096;

/// Statements kept prepared: more than the journal has.
const STATEMENTS: usize = 160;

/// Attempts to set up the cipher. `SQLCipher` now and then refuses a good key where several connections of one process open
/// and close at once; the next attempt is taken.
const CIPHER_TRIES: usize = 5;

/// Opens the file under its key. Writes nothing to it.
pub(super) fn connect(path: &Path, key: &[u8; 32], create: bool) -> Result<Connection, JournalError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut pragma = Zeroizing::new(String::from("PRAGMA key = \"x'"));
    for byte in key {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("a nibble is below 16");
        pragma.push(digit(byte >> 4));
        pragma.push(digit(byte & 15));
    }
    pragma.push_str("'\"");
    for _ in 0..CIPHER_TRIES {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Closing must not write: a file found damaged stays as it was found. An orderly stop checkpoints by itself.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // SQLCipher would tell standard error about each bad page; the error itself tells enough.
        connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
        if connection.execute_batch(&pragma).is_ok() {
            return Ok(connection);
        }
    }
    // Not a byte of the file was read: whatever this is, the file is not damaged. The error itself would hold the key.
    Err(JournalError::Disk { code: "the cipher could not be set up".to_owned() })
}

/// Sets and reads back what durability and privacy rest on.
pub(super) fn configure(connection: &Connection) -> Result<(), JournalError> {
    connection.execute_batch(
        // One owner: the lock is never given back, and the index of the log lives in memory instead of a third file.
        "PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -4096;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    let secure: i64 = connection.query_row("PRAGMA secure_delete", [], |row| row.get(0))?;
    let foreign: i64 = connection.query_row("PRAGMA foreign_keys", [], |row| row.get(0))?;
    if (mode.as_str(), synchronous, secure, foreign) != ("wal", 2, 1, 1) {
        let code = format!("pragmas read back as {mode} {synchronous} {secure} {foreign}");
        return Err(JournalError::Disk { code });
    }
    Ok(())
}

/// The schema of the file; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<u32, JournalError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION { Err(JournalError::Schema { found, known: VERSION }) } else { Ok(found) }
}

/// Applies what is missing, each version in one transaction with its number: a crash leaves a whole old or new schema.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), JournalError> {
    let found = version(connection)?;
    for (number, sql) in (1..=VERSION).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}
