//! The journal: the only owner of the database, and the memory of everything the terminal owes.
//!
//! [`Journal`] is synchronous and has one owner; a thread runs it. Whatever a verb has returned is on disk, synced and
//! witnessed. Nothing here knows how a record is sealed or signed: [`Journal::commit`] calls back for that inside its
//! transaction, when sequence and predecessor are known.
//!
//! Order inside: `error`, `witness`, `schema`, `folder`, `rows` → this file → one file per group of verbs: `commit`,
//! `standing`, `later`, `outbox`, `refiling`, `bookings`, `enrolments`, `documents`, `operators`, `inspect`, `purge`.

mod bookings;
mod commit;
mod documents;
mod enrolments;
mod error;
mod folder;
mod inspect;
mod later;
mod operators;
mod outbox;
mod purge;
mod refiling;
mod rows;
mod schema;
mod standing;
mod witness;

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

pub use self::{
    bookings::Summary,
    commit::Committed,
    documents::{Stored, StoredDocument},
    enrolments::Regard,
    error::{CommitError, CommitRefusal, JournalError},
    inspect::{ScrubPosition, StoredRecord, Verdict},
    operators::{OperatorEntry, PinTry, Role},
    outbox::{SETTLE_SLICE, Settlement, WaitingRecords},
    purge::Purged,
    refiling::LeftBehind,
    standing::StandingQuery,
};
use self::{
    folder::Folder,
    witness::{Heads, Testimony, Witness, key_check},
};
use crate::domain::ids::AccountId;

/// Size of the write-ahead log, in bytes, from which a verb that nobody waits for moves it into the database: a thousand
/// pages, which a tap that comes just then has to wait for.
const LOG_SOFT: u64 = 4 << 20;
/// Size from which even a commit does so, because no other verb came by.
const LOG_HARD: u64 = 64 << 20;

/// The open journal of one terminal.
pub struct Journal {
    // Fields are dropped in order: the connection before the lock of the directory.
    connection: Connection,
    witness: Witness,
    /// Numbers of the enrolments in force.
    enrolments: BTreeMap<AccountId, i64>,
    /// Set once it is not known, or known to be wrong, what lies on the disk: no verb works until it is opened again.
    broken: Option<JournalError>,
    created: bool,
    folder: Folder,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal(generation {})", self.witness.testimony.generation)
    }
}

/// A directory that nobody else uses while this lives.
pub struct HeldDirectory(Folder);

impl std::fmt::Debug for HeldDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldDirectory")
    }
}

/// What a failed verb means for the journal as a whole.
trait Fault: From<JournalError> {
    fn journal(&self) -> Option<&JournalError>;
}

impl Fault for JournalError {
    fn journal(&self) -> Option<&JournalError> {
        Some(self)
    }
}

impl Journal {
    /// Opens the journal in its directory, or makes a new one where there never was one.
    ///
    /// Entries that were on their way are queued again, grants whose green was never shown become unclear (R7).
    ///
    /// # Errors
    /// [`JournalError`]. A damaged journal is moved aside as it is, and no new one is made until [`Journal::begin_anew`].
    /// A wrong key or a newer schema touches nothing.
    pub fn open(directory: &Path, key: &[u8; 32]) -> Result<Self, JournalError> {
        Self::open_held(Self::hold(directory)?, key)
    }

    /// Whether opening would find something in the directory rather than make it.
    #[must_use]
    pub fn is_in(directory: &Path) -> bool {
        Folder::is_in(directory)
    }

    /// Takes the directory, so that nobody else writes anything to it: before the first start has made the journal's key.
    ///
    /// # Errors
    /// [`JournalError::OtherInstance`] while somebody else has it; disk errors.
    pub fn hold(directory: &Path) -> Result<HeldDirectory, JournalError> {
        Folder::hold(directory).map(HeldDirectory)
    }

    /// As [`Journal::open`], in a directory that is held already.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_held(held: HeldDirectory, key: &[u8; 32]) -> Result<Self, JournalError> {
        let HeldDirectory(folder) = held;
        folder.refuse_if_set_aside()?;
        let opened = match Self::open_files(&folder, key) {
            Ok(opened) => opened,
            Err(JournalError::Damaged { what, set_aside: None }) => {
                let set_aside = Some(folder.set_aside(&what)?);
                return Err(JournalError::Damaged { what, set_aside });
            }
            Err(error) => return Err(error),
        };
        let (connection, witness, created) = opened;
        let mut journal = Self { connection, witness, enrolments: BTreeMap::new(), broken: None, created, folder };
        if let Err(error) = journal.prepare() {
            let Self { connection, witness, folder, .. } = journal;
            drop((connection, witness));
            let JournalError::Damaged { what, .. } = error else { return Err(error) };
            let set_aside = Some(folder.set_aside(&what)?);
            return Err(JournalError::Damaged { what, set_aside });
        }
        Ok(journal)
    }

    fn open_files(folder: &Folder, key: &[u8; 32]) -> Result<(Connection, Witness, bool), JournalError> {
        if let Some(what) = folder.condemned() {
            return Err(JournalError::damaged(what));
        }
        let check = key_check(key);
        let (database, witness) = (folder.database(), folder.witness());
        let unborn = if witness.exists() {
            let read = Witness::open(&witness)?;
            if read.testimony.key_check != check {
                return Err(JournalError::WrongKey);
            }
            if read.testimony.live {
                if !database.exists() {
                    return Err(JournalError::damaged("the journal is gone"));
                }
                let mut connection = schema::connect(&database, key, false)?;
                schema::version(&connection)?;
                schema::configure(&connection)?;
                inspect::against_witness(&connection, &read.testimony)?;
                schema::migrate(&mut connection)?;
                return Ok((connection, read, false));
            }
            read
        } else if database.exists() || folder.write_ahead_log().exists() {
            return Err(JournalError::damaged("the witness is gone"));
        } else {
            Witness::create(&witness, check)?
        };
        // There never was a journal, or a crash interrupted its making before anything could be committed to it.
        folder.clear_unborn()?;
        let mut connection = schema::connect(&database, key, true)?;
        schema::configure(&connection)?;
        schema::migrate(&mut connection)?;
        checkpoint(&connection)?;
        folder.sync()?;
        let mut born = unborn;
        let testimony = Testimony { live: true, generation: 0, ..born.testimony.clone() };
        born.write(testimony.clone())?;
        born.write(testimony)?; // both slots: a later torn write must never fall back to "not live"
        Ok((connection, born, true))
    }

    /// Checks the newest records and brings what was interrupted into order.
    fn prepare(&mut self) -> Result<(), JournalError> {
        inspect::newest_records(&self.connection)?;
        self.load_enrolments()?;
        self.write(|tx, _| {
            outbox::requeue_interrupted(tx)?;
            bookings::mark_unseen_as_unclear(tx)
        })
    }

    /// True if this start made the journal.
    #[must_use]
    pub const fn created(&self) -> bool {
        self.created
    }

    /// One of the witness's two slots could not be read: a write torn by a power cut, or a failing disk. For the log.
    #[must_use]
    pub const fn witness_slot_was_bad(&self) -> bool {
        self.witness.one_slot_bad
    }

    /// Sets the most bytes the database may take, rounded down to pages, so that it never takes the last room on a disk
    /// that others need too. Beyond it commits fail with [`JournalError::Full`].
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn limit_size(&mut self, bytes: u64) -> Result<(), JournalError> {
        self.sound()?;
        let pages = bytes / schema::PAGE;
        self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(())
    }

    /// Moves the write-ahead log into the database and empties it. To be called when idle.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn checkpoint(&mut self) -> Result<(), JournalError> {
        self.sound()?;
        self.keep(checkpoint(&self.connection))
    }

    /// Closes in order: afterwards the write-ahead log is empty.
    ///
    /// # Errors
    /// [`JournalError`]; everything committed stays committed.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.checkpoint()
    }

    /// Sets the whole journal in `directory` aside, whatever its state, for instance because its key is lost for good. An
    /// administrator's decision; the files are moved, not changed. Returns where they lie.
    ///
    /// # Errors
    /// [`JournalError::OtherInstance`] while a terminal runs; disk errors.
    pub fn set_aside(directory: &Path, reason: &str) -> Result<std::path::PathBuf, JournalError> {
        Folder::hold(directory)?.set_aside(reason)
    }

    /// Allows a new journal after one was set aside. An administrator's decision.
    ///
    /// # Errors
    /// [`JournalError::OtherInstance`] while a terminal runs; disk errors.
    pub fn begin_anew(directory: &Path) -> Result<(), JournalError> {
        Folder::hold(directory)?.begin_anew()
    }

    /// Fails if an earlier failure left it open what lies on the disk.
    fn sound(&self) -> Result<(), JournalError> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Remembers a failure after which nothing may be believed any more.
    fn keep<T, E: Fault>(&mut self, result: Result<T, E>) -> Result<T, E> {
        if let Some(error) = result.as_ref().err().and_then(Fault::journal).filter(|e| e.poisons()) {
            self.broken = Some(error.clone());
        }
        result
    }

    /// Runs one write transaction: all of it happens, synced and witnessed, or nothing.
    fn write<T, E: Fault + From<rusqlite::Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &mut Heads) -> Result<T, E>,
    ) -> Result<T, E> {
        self.sound()?;
        let result = self.write_witnessed(work);
        self.keep(result)
    }

    fn write_witnessed<T, E: Fault + From<rusqlite::Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &mut Heads) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut testimony = self.witness.testimony.clone();
        testimony.generation += 1;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction, &mut testimony.heads)?;
        transaction
            .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'generation' AND value < ?1")?
            .execute([rows::column(testimony.generation)])?;
        transaction.commit()?;
        self.witness.write(testimony)?;
        Ok(value)
    }

    /// Runs one read in a snapshot of its own; damage met on the way stops the journal.
    fn read<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.sound()?;
        let result = work(&self.connection);
        self.keep(result)
    }

    /// Keeps the write-ahead log from growing without end. Failing here loses nothing and is met again by the next write.
    fn relieve_log(&self, limit: u64) {
        let long = std::fs::metadata(self.folder.write_ahead_log()).is_ok_and(|file| file.len() > limit);
        if long {
            let _ = checkpoint(&self.connection);
        }
    }

    fn enrolment(&self, account: &AccountId) -> Result<i64, JournalError> {
        self.enrolments.get(account).copied().ok_or(JournalError::NotEnrolled)
    }
}

/// Copies the log into the database, syncs that, and cuts the log to nothing.
fn checkpoint(connection: &Connection) -> Result<(), JournalError> {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(JournalError::Busy) }
}

/// A number of the table `meta`.
fn meta(connection: &Connection, name: &str) -> Result<i64, JournalError> {
    let value = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    value.ok_or_else(|| JournalError::damaged(format!("meta has no {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    /// Fault 26, inside the making of a journal: whatever lies there was never committed to.
    #[test]
    fn an_interrupted_making_is_made_again() {
        for remains in [None, Some(&b""[..]), Some(&[0x5a; 9000][..])] {
            let directory = tempfile::tempdir().unwrap();
            let folder = Folder::hold(directory.path()).unwrap();
            Witness::create(&folder.witness(), key_check(&KEY)).unwrap();
            if let Some(bytes) = remains {
                std::fs::write(folder.database(), bytes).unwrap();
                std::fs::write(folder.write_ahead_log(), bytes).unwrap();
            }
            drop(folder);
            assert!(Journal::open(directory.path(), &KEY).unwrap().created());
            assert!(!Journal::open(directory.path(), &KEY).unwrap().created());
        }
    }

    /// Fault 26, inside a migration: the schema is a whole old or a whole new one.
    #[test]
    fn a_migration_that_was_not_committed_leaves_no_trace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let mut connection = schema::connect(&path, &KEY, true).unwrap();
        schema::configure(&connection).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE; CREATE TABLE half (a); PRAGMA user_version = 1;").unwrap();
        drop(connection);
        connection = schema::connect(&path, &KEY, false).unwrap();
        assert_eq!(schema::version(&connection), Ok(0));
        schema::migrate(&mut connection).unwrap();
        assert_eq!(schema::version(&connection), Ok(schema::VERSION));
        schema::migrate(&mut connection).unwrap();
    }

    #[test]
    fn a_newer_schema_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(directory.path(), &KEY).unwrap();
        journal.connection.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
        journal.checkpoint().unwrap();
        drop(journal);
        let newer = JournalError::Schema { found: schema::VERSION + 1, known: schema::VERSION };
        for _ in 0..2 {
            assert_eq!(Journal::open(directory.path(), &KEY).unwrap_err(), newer);
        }
    }
}
