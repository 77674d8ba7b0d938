//! A scanner as a device of Linux's input layer: taken away from the desktop (`EVIOCGRAB`), so that nothing it types can
//! reach a window, an amount or a password. The user must be allowed to read the device (group `input`, or a udev rule).

use std::{io, path::PathBuf};

use evdev::{EventSummary, SynchronizationCode, raw_stream::RawDevice};

use crate::ports::{KeyEvent, ScannerDevice, ScannerError, ScannerFactory};

/// Which device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one at this path; `/dev/input/by-id/…` stays the same when it is plugged in elsewhere.
    Path(PathBuf),
    /// The first that calls itself so.
    Name(String),
}

/// The scanner of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputScanner(pub Which);

struct Grabbed(RawDevice);

impl ScannerFactory for InputScanner {
    fn open(&self) -> Result<Box<dyn ScannerDevice>, ScannerError> {
        let mut device = match &self.0 {
            Which::Path(path) => RawDevice::open(path).map_err(|error| meaning(&error))?,
            Which::Name(name) => named(name)?,
        };
        device.grab().map_err(|error| meaning(&error))?;
        Ok(Box::new(Grabbed(device)))
    }
}

/// Opens one device after the other. A device that may not be opened may be the one.
fn named(name: &str) -> Result<RawDevice, ScannerError> {
    let mut denied = false;
    let entries = std::fs::read_dir("/dev/input").map_err(|error| meaning(&error))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with("event")));
    paths.sort();
    for path in paths {
        match RawDevice::open(path) {
            Ok(device) if device.name() == Some(name) => return Ok(device),
            Ok(_) => {}
            Err(error) => denied |= error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
    Err(if denied { ScannerError::Denied } else { ScannerError::Missing })
}

impl ScannerDevice for Grabbed {
    fn keys(&mut self) -> Result<Vec<KeyEvent>, ScannerError> {
        let mut keys = Vec::new();
        for event in self.0.fetch_events().map_err(|error| meaning(&error))? {
            match event.destructure() {
                EventSummary::Key(_, key, value) => keys.push(KeyEvent { code: key.code(), value }),
                // The kernel's queue ran over: a key may be down for ever, and a code has a gap.
                EventSummary::Synchronization(_, SynchronizationCode::SYN_DROPPED, _) => {
                    return Err(ScannerError::Failed("keys were lost".to_owned()));
                }
                _ => {}
            }
        }
        Ok(keys)
    }
}

fn meaning(error: &io::Error) -> ScannerError {
    match error.kind() {
        io::ErrorKind::NotFound => ScannerError::Missing,
        io::ErrorKind::PermissionDenied => ScannerError::Denied,
        // ENODEV is what a device that was unplugged says.
        _ if error.raw_os_error() == Some(19) => ScannerError::Missing,
        _ => ScannerError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault 23: a device that is not there, or is none.
    #[test]
    fn what_is_no_scanner_is_refused_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (absent, file) = (folder.path().join("absent"), folder.path().join("file"));
        std::fs::write(&file, "BIKN1").unwrap();
        let open = |path| InputScanner(Which::Path(path)).open().err();
        assert_eq!(open(absent), Some(ScannerError::Missing));
        assert!(matches!(open(file), Some(ScannerError::Failed(_))));
        let nobody = InputScanner(Which::Name("no scanner is called so".to_owned())).open().err();
        assert!(matches!(nobody, Some(ScannerError::Missing | ScannerError::Denied)), "{nobody:?}");
        let gone = meaning(&io::Error::from_raw_os_error(19));
        assert_eq!(gone, ScannerError::Missing, "unplugged while it was read");
    }
}
