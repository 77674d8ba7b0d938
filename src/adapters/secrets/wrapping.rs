//! The wrapping key and where it comes from.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use super::SecretsError;
use crate::ports::Entropy;

/// Name of the credential (`LoadCredentialEncrypted=teilhabe-wrapping-key:…`).
const CREDENTIAL: &str = "teilhabe-wrapping-key";
/// First line of a key file.
const PREAMBLE: &str = "# Wrapping key of a Teilhabe-Terminal. Whoever reads this file can open its secrets.";

/// Where the wrapping key came from; the service page says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// A credential that systemd decrypted for this service: bound to the machine or its TPM.
    Credential,
    /// A file readable by the service user alone: the fallback.
    File,
}

impl KeyOrigin {
    /// The stable word for the service page.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::File => "file",
        }
    }
}

/// The one key from outside.
pub struct WrappingKey {
    pub(super) key: Zeroizing<[u8; 32]>,
    origin: KeyOrigin,
}

impl std::fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WrappingKey({})", self.origin.word())
    }
}

impl WrappingKey {
    /// Where it came from.
    #[must_use]
    pub const fn origin(&self) -> KeyOrigin {
        self.origin
    }

    /// Reads the credential in systemd's directory (`$CREDENTIALS_DIRECTORY`, systemd.exec(5)): 32 raw bytes, or 64
    /// hexadecimal digits.
    ///
    /// # Errors
    /// [`SecretsError::KeyMissing`] if the service was started without it, [`SecretsError::KeyMalformed`].
    pub fn from_credentials(directory: &Path) -> Result<Self, SecretsError> {
        let path = directory.join(CREDENTIAL);
        let bytes = read(&path)?.ok_or_else(|| SecretsError::KeyMissing(path.clone()))?;
        let key =
            if let Ok(raw) = <[u8; 32]>::try_from(bytes.as_slice()) { Some(Zeroizing::new(raw)) } else { hex(&bytes) };
        let key = key.ok_or(SecretsError::KeyMalformed(path))?;
        Ok(Self { key, origin: KeyOrigin::Credential })
    }

    /// Reads the key file.
    ///
    /// # Errors
    /// [`SecretsError::KeyMissing`], [`SecretsError::KeyExposed`] if others may read it, [`SecretsError::KeyMalformed`].
    pub fn from_file(path: &Path) -> Result<Self, SecretsError> {
        let bytes = read(path)?.ok_or_else(|| SecretsError::KeyMissing(path.to_owned()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path).map_err(|source| disk(path, source))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(SecretsError::KeyExposed(path.to_owned()));
            }
        }
        let malformed = || SecretsError::KeyMalformed(path.to_owned());
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
        let line = text.lines().find(|line| !line.starts_with('#')).ok_or_else(malformed)?;
        let key = hex(line.as_bytes()).ok_or_else(malformed)?;
        Ok(Self { key, origin: KeyOrigin::File })
    }

    /// Makes the key file where there is none. Only for a terminal that has no secrets yet.
    ///
    /// # Errors
    /// [`SecretsError::Disk`], also if the file exists.
    pub fn make_file(path: &Path, entropy: &dyn Entropy) -> Result<Self, SecretsError> {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut_slice());
        let digits = Zeroizing::new(HEXLOWER_PERMISSIVE.encode(key.as_slice()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let write = || -> io::Result<()> {
            let mut file = options.open(path)?;
            file.write_all(format!("{PREAMBLE}\n").as_bytes())?;
            file.write_all(digits.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            sync_parent(path)
        };
        write().map_err(|source| disk(path, source))?;
        Ok(Self { key, origin: KeyOrigin::File })
    }
}

fn hex(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(digits.trim_ascii()).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

pub(super) fn disk(path: &Path, source: io::Error) -> SecretsError {
    SecretsError::Disk { path: path.to_owned(), source }
}

/// The file's bytes; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, SecretsError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk(path, error)),
    }
}

/// A file that was made or renamed is only there for good once its directory is synced.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}
