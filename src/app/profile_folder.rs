//! Reads a folder of profiles. Whatever cannot be read becomes a fault of that one file; the scan itself never fails,
//! never follows a symbolic link, and ends whatever the folder holds.

use std::{
    fs::{self, DirEntry, File},
    io::{self, Read},
    path::Path,
};

use crate::profile::{Detail, Fault, MAX_TEXT_LEN, MAX_TEXTS, Part, ProfileText, Rule, claimed_id};

/// Folders within folders.
const MAX_DEPTH: usize = 3;
/// Names looked at in all. More than twice what a catalogue takes is not a folder of profiles.
const MAX_ENTRIES: usize = 2 * MAX_TEXTS;

/// Why a file is left out without being a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// Its name does not end in `.toml`.
    Name,
    /// Its name begins with `example.`.
    Template,
    /// Its name does not end in `.toml`, and it is a profile as far as can be seen; the name that it should have.
    Misnamed(String),
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileFolder {
    /// The `.toml` files of the folder and of the folders in it, in the order of their names.
    pub texts: Vec<ProfileText>,
    /// Files that are left out, by their names below the folder, and why.
    pub ignored: Vec<(String, Ignored)>,
    /// Why the folder itself cannot be read; stands among the texts as well.
    pub unreadable: Option<Fault>,
}

/// The profiles of a folder.
#[must_use]
pub fn read(folder: &Path) -> Vec<ProfileText> {
    look(folder).texts
}

/// The profiles of a folder, and what else lies there.
#[must_use]
pub fn look(folder: &Path) -> ProfileFolder {
    let mut scan = Scan { left: MAX_ENTRIES, found: ProfileFolder::default() };
    scan.folder(folder, "", MAX_DEPTH);
    let ProfileFolder { texts, ignored, .. } = &mut scan.found;
    for (_, why) in ignored {
        // A copy that an editor left beside the file itself is no profile that somebody misses.
        let is_there = |right: &str| texts.iter().any(|text| text.file().rsplit('/').next() == Some(right));
        if matches!(why, Ignored::Misnamed(right) if is_there(right)) {
            *why = Ignored::Name;
        }
    }
    scan.found
}

struct Scan {
    /// Names that may still be looked at.
    left: usize,
    found: ProfileFolder,
}

impl Scan {
    /// `below` is the folder's name below the first one, with a stroke at its end.
    fn folder(&mut self, folder: &Path, below: &str, depth: usize) {
        let shown = if below.is_empty() { folder.to_string_lossy().into_owned() } else { below.to_owned() };
        let listed =
            fs::read_dir(folder).and_then(|entries| entries.take(self.left + 1).collect::<io::Result<Vec<_>>>());
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                let why = because(&error, [Rule::FolderMissing, Rule::FolderDenied, Rule::FolderFailed]);
                if below.is_empty() {
                    self.found.unreadable = Some(why.clone());
                }
                return self.refuse(shown, why);
            }
        };
        if entries.len() > self.left {
            entries.truncate(self.left);
            self.refuse(shown, Rule::FolderCrowded);
        }
        self.left -= entries.len();
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            self.entry(&entry, below, depth);
        }
    }

    fn entry(&mut self, entry: &DirEntry, below: &str, depth: usize) {
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let name = format!("{below}{file_name}");
        let ends = |end| Path::new(&file_name).extension().is_some_and(|extension| extension == end);
        // A file may vanish between two calls; that too is a fault of this file alone.
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => return self.refuse(name, because(&error, FILE)),
        };
        if kind.is_dir() {
            return match depth {
                _ if ends("toml") => self.refuse(name, Rule::FileIsFolder),
                0 => self.refuse(name, Rule::FolderDeep),
                _ => self.folder(&entry.path(), &format!("{name}/"), depth - 1),
            };
        }
        if !ends("toml") {
            let why = if kind.is_file() { misnamed(&entry.path(), &file_name) } else { None };
            return self.found.ignored.push((name, why.map_or(Ignored::Name, Ignored::Misnamed)));
        }
        if file_name.starts_with("example.") {
            return self.found.ignored.push((name, Ignored::Template));
        }
        if kind.is_symlink() {
            return self.refuse(name, Rule::FileIsLink);
        }
        // A pipe or device would block the reader.
        if !kind.is_file() {
            return self.refuse(name, Rule::FileIrregular);
        }
        match read_bounded(&entry.path()) {
            Ok(bytes) => self.found.texts.push(ProfileText::from_file(name, bytes)),
            Err(error) => self.refuse(name, because(&error, FILE)),
        }
    }

    fn refuse(&mut self, name: String, why: impl Into<Fault>) {
        self.found.texts.push(ProfileText::unreadable(name, why.into()));
    }
}

/// What is said of a file.
const FILE: [Rule; 3] = [Rule::FileGone, Rule::FileDenied, Rule::FileFailed];

/// The system's reason in our words: it is not there, it is forbidden, or the system's number.
fn because(error: &io::Error, [missing, denied, failed]: [Rule; 3]) -> Fault {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::NotFound, _) => missing.into(),
        (io::ErrorKind::PermissionDenied, _) => denied.into(),
        (_, Some(number)) => failed.with([Part::SystemError.of(number)]),
        (_, None) => failed.with([Detail::Foreign(error.to_string().into())]),
    }
}

/// The name that a file should have which is a profile by what it holds, or would be one but for what follows `.toml`.
fn misnamed(path: &Path, name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let by_name = || lower.split_once(".toml").filter(|(_, rest)| matches!(*rest, "" | ".txt")).map(|(stem, _)| stem);
    let id = read_bounded(path).ok().and_then(|bytes| claimed_id(&bytes));
    let stem = id.map(|id| id.to_string()).or_else(|| by_name().map(str::to_owned));
    stem.filter(|stem| !stem.is_empty()).map(|stem| format!("{stem}.toml"))
}

/// At most one byte more than a profile may have, so that a large one shows as too large and costs no memory.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
