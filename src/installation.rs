//! Level 6: what one data directory holds, opened the same way by the terminal and by the service tool: wrapping key,
//! secrets, journal.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use crate::{
    adapters::{
        secrets::{ArgonPins, DATABASE_KEY, KeyOrigin, PIN_PEPPER, SecretFile, SecretsError, WrappingKey},
        sqlite::{Journal, JournalError},
        system::SystemEntropy,
    },
    app::config::{Config, SecretSource},
    ports::SecretStore,
};

/// Secrets, wrapped; names and keys inside.
const SECRETS: &str = "secrets.wrapped";
/// The wrapping key, where no better store has it.
const KEY_FILE: &str = "wrapping.key";

/// Why an installation cannot be opened.
#[derive(Debug, Error)]
pub enum InstallationError {
    /// The data directory.
    #[error("the data directory {path} cannot be used")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Keys.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Records.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// An opened installation.
pub struct Installation {
    /// Records.
    pub journal: Journal,
    /// Opens it again from the same directory.
    pub reopen: Box<dyn FnMut() -> Result<Journal, JournalError> + Send>,
    /// Small secrets.
    pub secrets: Box<dyn SecretStore>,
    /// PIN hashes.
    pub pins: Arc<ArgonPins>,
    /// Where the wrapping key came from.
    pub key_origin: KeyOrigin,
}

impl Installation {
    /// Opens, or makes where there never was one.
    ///
    /// # Errors
    /// [`InstallationError`]; nothing is recreated over something that was there.
    pub fn open(config: &Config) -> Result<Self, InstallationError> {
        let data = &config.data;
        make_private(data).map_err(|source| InstallationError::Directory { path: data.clone(), source })?;
        // Before anything is made: of two that start for the first time, one makes the keys and the other ends.
        let held = Journal::hold(data)?;
        let key = wrapping_key(data, config.secrets)?;
        let key_origin = key.origin();
        let mut secrets = SecretFile::open(&data.join(SECRETS), &key, Box::new(SystemEntropy::default()))?;
        let database = secrets.get_or_make(DATABASE_KEY)?;
        let pepper = secrets.get_or_make(PIN_PEPPER)?;
        let journal = Journal::open_held(held, &database)?;
        let directory = data.clone();
        let reopen = Box::new(move || Journal::open(&directory, &database));
        let pins = Arc::new(ArgonPins::new(pepper, Box::new(SystemEntropy::default())));
        Ok(Self { journal, reopen, secrets: Box::new(secrets), pins, key_origin })
    }
}

/// Only the service user looks inside.
fn make_private(data: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)
}

fn wrapping_key(data: &Path, source: SecretSource) -> Result<WrappingKey, SecretsError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    match (source, credentials) {
        (SecretSource::Systemd, None) => Err(SecretsError::KeyMissing(PathBuf::from("$CREDENTIALS_DIRECTORY"))),
        (SecretSource::Systemd | SecretSource::Auto, Some(directory)) => WrappingKey::from_credentials(&directory),
        (SecretSource::File, _) | (SecretSource::Auto, None) => {
            let file = data.join(KEY_FILE);
            // A key is born only where nothing was ever wrapped: a lost key is told, never replaced.
            if file.exists() || data.join(SECRETS).exists() {
                WrappingKey::from_file(&file)
            } else {
                WrappingKey::make_file(&file, &SystemEntropy::default())
            }
        }
    }
}
