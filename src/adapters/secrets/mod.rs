//! Secrets at rest: one wrapping key from a secret store, everything else wrapped by it in one file.
//!
//! Nothing is ever made anew in place of something that cannot be read: a lost key is an error that an administrator has to
//! answer, since behind it lie records that are still owed.

mod file;
mod pin;
mod wrapping;

use std::path::PathBuf;

use thiserror::Error;

pub use self::{
    file::{DATABASE_KEY, PIN_PEPPER, SecretFile},
    pin::ArgonPins,
    wrapping::{KeyOrigin, WrappingKey},
};

/// Why the secrets are not there.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// The secret store has no wrapping key although secrets are wrapped. Bring the store back, or set the file aside.
    #[error("the wrapping key is missing ({0})")]
    KeyMissing(PathBuf),
    /// The wrapping key has the wrong form.
    #[error("the wrapping key in {0} is malformed")]
    KeyMalformed(PathBuf),
    /// Others can read the wrapping key: it must be the service user's alone.
    #[error("the wrapping key in {0} can be read by others")]
    KeyExposed(PathBuf),
    /// The file cannot be opened with this key: another key, or damage.
    #[error("the secrets in {0} cannot be opened with this key")]
    Unreadable(PathBuf),
    /// The disk.
    #[error("secrets could not be read or written: {path}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
