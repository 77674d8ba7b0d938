//! What can go wrong with the journal, by what must be done about it.

use std::{io, path::PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::domain::ids::RecordId;

/// Why the journal cannot be trusted or used. Nearly always the terminal must stop taking cards.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JournalError {
    /// Somebody else holds the database. Never expected, since one owner holds the folder: end the program.
    #[error("the journal is locked by another program")]
    Busy,
    /// No room on the disk. Nothing was committed; make room, then go on.
    #[error("the disk is full")]
    Full,
    /// The disk takes no writes. Nothing was committed; the file system must be repaired.
    #[error("the disk is read-only")]
    ReadOnly,
    /// This user may not use the files: they were made by another one. Nothing was committed.
    #[error("the files belong to another user")]
    Denied,
    /// The device failed while writing: whether the last commit is on disk is not known. Open again and look it up.
    #[error("the disk failed ({code})")]
    Disk {
        /// SQLite's extended result code or the system's error.
        code: String,
    },
    /// The journal does not hold what was committed to it. Its files are set aside; an administrator begins anew.
    #[error("the journal is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
        /// Where the files lie now; `None` while they still stand in place.
        set_aside: Option<PathBuf>,
    },
    /// The key is not the one this journal was made with. Nothing was touched; bring the right key.
    #[error("the key does not fit the journal")]
    WrongKey,
    /// Written by a newer program. Nothing was touched; install that program again.
    #[error("the journal has schema {found}, this program knows {known}")]
    Schema {
        /// Version found in the file.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// Another instance of the program holds the folder.
    #[error("another instance uses this data directory")]
    OtherInstance,
    /// An account that is not enrolled here.
    #[error("no enrolment for this account")]
    NotEnrolled,
}

impl JournalError {
    /// Damage that was noticed while the files are still in place.
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), set_aside: None }
    }

    /// After this, what is on disk is not known until the journal was opened again.
    pub(super) const fn poisons(&self) -> bool {
        matches!(self, Self::Disk { .. } | Self::Damaged { .. })
    }

    /// The stable code for log, screen and run book.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "journal_busy",
            Self::Full | Self::ReadOnly | Self::Denied => "disk_full",
            Self::Disk { .. } => "disk_failed",
            Self::Damaged { .. } => "journal_damaged",
            Self::WrongKey => "wrong_key",
            Self::Schema { .. } => "schema_too_new",
            Self::OtherInstance => "other_instance",
            Self::NotEnrolled => "not_enrolled",
        }
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(failure) = error.sqlite_error() else {
            // No row, a wrong column type, a blob of the wrong length: the file does not hold what we wrote.
            return Self::damaged(error.to_string());
        };
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly => Self::ReadOnly,
            // SQLite does not open what the system denies, and says no more than that.
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Self::Denied,
            ErrorCode::SystemIoFailure => Self::Disk { code: format!("sqlite {}", failure.extended_code) },
            _ => Self::damaged(error.to_string()),
        }
    }
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Disk { code: error.to_string() },
        }
    }
}

/// Why a record was not committed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommitError<E> {
    /// The journal itself failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal goes on, but does not take this record.
    #[error("the record was not taken: {0}")]
    Refused(CommitRefusal),
    /// Sealing or signing failed; nothing was written.
    #[error("the record could not be frozen")]
    Seal(E),
}

impl<E> From<rusqlite::Error> for CommitError<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Journal(error.into())
    }
}

/// Why one record is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommitRefusal {
    /// What it takes back was taken back before, by this record.
    #[error("already taken back")]
    AlreadyReversed {
        /// The earlier reversal.
        by: RecordId,
    },
    /// It takes back a record that is no redemption.
    #[error("only a redemption can be taken back")]
    NotRedemption,
    /// Its id belongs to a record of another type.
    #[error("the id is taken")]
    IdTaken,
    /// It brings a record again that no ended identity owes, or other bytes than its own.
    #[error("only what an ended identity still owes is brought again")]
    NotOwed,
    /// The frozen bytes do not have the digest they claim: the sealing code is wrong.
    #[error("the frozen bytes do not have their digest")]
    BadDigest,
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_sqlite_says_becomes_what_must_be_done() {
        let disk = |code: i32| JournalError::Disk { code: format!("sqlite {code}") };
        let cases = [
            (ffi::SQLITE_FULL, JournalError::Full),
            (ffi::SQLITE_READONLY, JournalError::ReadOnly),
            (ffi::SQLITE_CANTOPEN, JournalError::Denied),
            (ffi::SQLITE_BUSY, JournalError::Busy),
            (ffi::SQLITE_IOERR_FSYNC, disk(ffi::SQLITE_IOERR_FSYNC)),
            (ffi::SQLITE_IOERR_WRITE, disk(ffi::SQLITE_IOERR_WRITE)),
        ];
        for (code, expected) in cases {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(JournalError::from(error), expected);
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CONSTRAINT_CHECK] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert!(matches!(JournalError::from(error), JournalError::Damaged { .. }), "{code}");
        }
        assert!(matches!(JournalError::from(rusqlite::Error::QueryReturnedNoRows), JournalError::Damaged { .. }));
        assert_eq!(JournalError::from(io::Error::from(io::ErrorKind::StorageFull)), JournalError::Full);
        assert_eq!(JournalError::from(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)), JournalError::ReadOnly);
        assert_eq!(JournalError::from(io::Error::from(io::ErrorKind::PermissionDenied)), JournalError::Denied);
    }
}
