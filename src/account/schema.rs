//! The account's tables. One plain SQLite file, `account.sqlite`: who runs an account keeps its disk encrypted.

use rusqlite::Connection;

use super::store::StoreError;

/// Version this program writes; a newer file is refused, an older one is brought forward.
const VERSION: i32 = 1;

/// Opens, sets and reads back what durability rests on, and creates the tables once.
pub(super) fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    // WAL with FULL: a receipt is a promise to pay, so it must not leave before the commit is on disk.
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    connection.execute_batch("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;")?;
    let synchronous: i32 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") || synchronous != 2 {
        return Err(StoreError::Durability);
    }
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        VERSION => Ok(()),
        0 => {
            // Two programs may start on an empty folder at once; the second finds the work done.
            let transaction =
                rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
            let found: i32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if found == 0 {
                transaction.execute_batch(include_str!("schema.sql"))?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            transaction.commit()?;
            Ok(())
        }
        other => Err(StoreError::Version(other)),
    }
}
