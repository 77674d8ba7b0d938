//! The account's tables. One plain SQLite file, `account.sqlite`: who runs an account keeps its disk encrypted.

use rusqlite::Connection;

use super::store::StoreError;

/// What each version adds to the one before, the first beginning with nothing. A file of a newer version is refused, one
/// of an older version is brought forward.
const STEPS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

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
    if version(connection)? == STEPS.len() {
        return Ok(());
    }
    // Two programs may start on one folder at once; the second finds the work done.
    let transaction = rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    for step in &STEPS[version(&transaction)?..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", newest())?;
    Ok(transaction.commit()?)
}

/// The version this program writes.
fn newest() -> i32 {
    i32::try_from(STEPS.len()).expect("a handful of steps")
}

/// How many steps the file has taken.
fn version(connection: &Connection) -> Result<usize, StoreError> {
    let found: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(found).ok().filter(|taken| *taken <= STEPS.len()).ok_or(StoreError::Version(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_older_file_is_brought_forward_and_a_newer_one_is_refused() {
        for taken in 0..=STEPS.len() {
            let folder = tempfile::tempdir().unwrap();
            let connection = Connection::open(folder.path().join("account.sqlite")).unwrap();
            for step in &STEPS[..taken] {
                connection.execute_batch(step).unwrap();
            }
            connection.pragma_update(None, "user_version", i32::try_from(taken).unwrap()).unwrap();
            if taken > 0 {
                let old = "INSERT INTO provider VALUES ('caterer', '', 'applied', 0);
                    INSERT INTO site (id, provider, place) VALUES ('canteen', 'caterer', 'lane')";
                connection.execute_batch(old).unwrap();
            }
            prepare(&connection).unwrap();
            assert_eq!(version(&connection).unwrap(), STEPS.len());
            connection.prepare("SELECT uid FROM chip WHERE card = 1").unwrap();
            if (1..3).contains(&taken) {
                let name: String = connection.query_row("SELECT name FROM site", [], |row| row.get(0)).unwrap();
                assert_eq!(name, "canteen", "an old site is called by its id");
            }
            connection.pragma_update(None, "user_version", newest() + 1).unwrap();
            assert!(matches!(prepare(&connection), Err(StoreError::Version(_))), "{taken}");
        }
    }
}
