//! The data directory: who holds it, which files lie in it, and what happens to damaged ones.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::error::JournalError;

const LOCK: &str = "lock";
const DATABASE: &str = "journal.sqlite";
const WITNESS: &str = "witness";
/// Says that a journal was set aside, where it lies and why. While it stands no new journal is made.
const MARKER: &str = "SET-ASIDE.txt";
/// Left by a scrub that found damage: the next start moves the files before it opens them.
const VERDICT: &str = "condemned";

/// A data directory that nobody else uses while this value lives.
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Whether a journal lies in the directory, or one was set aside there, or nobody may look.
    pub fn is_in(path: &Path) -> bool {
        [DATABASE, WITNESS, MARKER].iter().any(|name| path.join(name).try_exists().unwrap_or(true))
    }

    /// Makes the directory, readable by its owner alone, and takes the lock.
    pub fn hold(path: &Path) -> Result<Self, JournalError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(JournalError::OtherInstance),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub fn write_ahead_log(&self) -> PathBuf {
        self.path.join(format!("{DATABASE}-wal"))
    }

    pub fn witness(&self) -> PathBuf {
        self.path.join(WITNESS)
    }

    pub fn verdict(&self) -> PathBuf {
        self.path.join(VERDICT)
    }

    /// What a scrub found, if it found damage.
    pub fn condemned(&self) -> Option<String> {
        fs::read_to_string(self.verdict()).ok()
    }

    /// A file that was made or renamed is only there for good once its directory is synced.
    pub fn sync(&self) -> io::Result<()> {
        #[cfg(unix)]
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }

    /// Fails while a journal that was set aside waits for an administrator.
    pub fn refuse_if_set_aside(&self) -> Result<(), JournalError> {
        let Ok(text) = fs::read_to_string(self.path.join(MARKER)) else { return Ok(()) };
        let (folder, what) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), "set aside earlier"));
        Err(JournalError::Damaged { what: what.to_owned(), set_aside: Some(self.path.join(folder)) })
    }

    /// Removes the remains of a journal whose making was interrupted: nothing was ever committed to it.
    pub fn clear_unborn(&self) -> io::Result<()> {
        for path in [self.database(), self.write_ahead_log()] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves all files of the journal, unchanged, into a folder `damaged-<n>` and leaves the marker.
    pub fn set_aside(&self, what: &str) -> Result<PathBuf, JournalError> {
        let name = (1..=u32::MAX).map(|n| format!("damaged-{n}")).find(|name| !self.path.join(name).exists());
        let name = name.expect("some number is free");
        let aside = self.path.join(&name);
        fs::create_dir(&aside)?;
        // The marker first: whatever happens next, no start takes the emptied directory for a new one.
        let mut marker = File::create(self.path.join(MARKER))?;
        marker.write_all(format!("{name}\n{}\n", what.replace('\n', " ")).as_bytes())?;
        marker.sync_all()?;
        self.sync()?;
        for file in [self.database(), self.write_ahead_log(), self.witness(), self.verdict()] {
            let target = aside.join(file.file_name().expect("each has a name"));
            match fs::rename(&file, target) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        self.sync()?;
        Ok(aside)
    }

    /// An administrator's decision: what was set aside stays where it is, and the next start makes a new journal.
    pub fn begin_anew(&self) -> Result<(), JournalError> {
        fs::remove_file(self.path.join(MARKER))?;
        self.sync()?;
        Ok(())
    }
}

impl Drop for Folder {
    /// Closing alone would leave the lock to a process that was forked a moment ago and has not yet become its program.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}
