//! Reads a folder of profiles. Whatever cannot be read becomes a fault of that one file; the scan itself never fails,
//! never follows a symbolic link, and ends whatever the folder holds.

use std::{
    fs::{self, DirEntry, File},
    io::{self, Read},
    path::Path,
};

use crate::profile::{MAX_TEXT_LEN, MAX_TEXTS, ProfileText};

/// Folders within folders.
const MAX_DEPTH: usize = 3;
/// Names looked at in all. More than twice what a catalogue takes is not a folder of profiles.
const MAX_ENTRIES: usize = 2 * MAX_TEXTS;

/// The `.toml` files of a folder and of the folders in it, in the order of their names. Files whose name begins with
/// `example.` are templates and left out, as is everything that is no `.toml` file.
#[must_use]
pub fn read(folder: &Path) -> Vec<ProfileText> {
    let mut texts = Vec::new();
    let mut left = MAX_ENTRIES;
    scan(folder, MAX_DEPTH, &mut left, &mut texts);
    texts
}

fn scan(folder: &Path, depth: usize, left: &mut usize, texts: &mut Vec<ProfileText>) {
    let shown = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
    let mut entries =
        match fs::read_dir(folder).and_then(|entries| entries.take(*left + 1).collect::<io::Result<Vec<_>>>()) {
            Ok(entries) => entries,
            Err(error) => return texts.push(ProfileText::unreadable(shown, error.to_string())),
        };
    if entries.len() > *left {
        entries.truncate(*left);
        texts.push(ProfileText::unreadable(shown, "too many files"));
    }
    *left -= entries.len();
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_profile = Path::new(&name).extension().is_some_and(|extension| extension == "toml");
        // A file may vanish between two calls; that too is a fault of this file alone.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => scan(&entry.path(), depth - 1, left, texts),
            Ok(kind) if kind.is_dir() => texts.push(ProfileText::unreadable(name, "folders are nested too deeply")),
            Ok(_) if !is_profile || name.starts_with("example.") => {}
            Ok(kind) if kind.is_symlink() => {
                texts.push(ProfileText::unreadable(name, "a symbolic link is not followed"));
            }
            // A pipe or device would block the reader.
            Ok(kind) if !kind.is_file() => texts.push(ProfileText::unreadable(name, "not a regular file")),
            Ok(_) => texts.push(match read_bounded(&entry.path()) {
                Ok(bytes) => ProfileText::from_file(name, bytes),
                Err(error) => ProfileText::unreadable(name, error.to_string()),
            }),
            Err(error) => texts.push(ProfileText::unreadable(name, error.to_string())),
        }
    }
}

/// At most one byte more than a profile may have, so that a large one shows as too large and costs no memory.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
