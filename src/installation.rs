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
        system::{SystemEntropy, own_files_only},
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

impl InstallationError {
    /// What is wrong with the installation in `data` and what to do about it, for whoever starts the program: German for
    /// `de`, English otherwise.
    #[must_use]
    pub fn advice(&self, data: &Path, language: &str) -> String {
        let place = data.display();
        let (german, english) = match self {
            Self::Journal(JournalError::OtherInstance) => (
                format!(
                    "Mit den Daten in {place} läuft schon ein Terminal. Sein Fenster benutzen oder es erst beenden."
                ),
                format!("A terminal runs on the data in {place} already. Use its window, or end it first."),
            ),
            Self::Journal(JournalError::Denied) => denied(data),
            Self::Directory { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => denied(data),
            Self::Directory { source, .. } => (
                format!("Das Datenverzeichnis {place} ist nicht benutzbar: {source}. Den Pfad unter „data“ prüfen."),
                format!("The data directory {place} cannot be used: {source}. Check the path under `data`."),
            ),
            Self::Journal(JournalError::Full) => (
                format!("Die Platte mit {place} ist voll. Platz schaffen, dann neu starten."),
                format!("The disk with {place} is full. Make room, then start again."),
            ),
            Self::Journal(JournalError::ReadOnly) => (
                format!("Die Platte mit {place} nimmt nichts an. Dateisystem prüfen, dann neu starten."),
                format!("The disk with {place} takes no writes. Check the file system, then start again."),
            ),
            Self::Secrets(SecretsError::KeyMissing(path)) => (
                format!(
                    "Der Schlüssel zu den Daten in {place} fehlt ({}). Wird er von systemd übergeben, heißt er in der Unit \
                     LoadCredentialEncrypted=teilhabe-wrapping-key. Nichts löschen; siehe docs/runbook.md, key_missing.",
                    path.display()
                ),
                format!(
                    "The key to the data in {place} is missing ({}). If systemd hands it over, the unit says \
                     LoadCredentialEncrypted=teilhabe-wrapping-key. Delete nothing; see docs/runbook.md, key_missing.",
                    path.display()
                ),
            ),
            other => (
                format!("Die Daten in {place} sind nicht benutzbar: {other}. Nichts löschen; siehe docs/runbook.md."),
                format!("The data in {place} cannot be used: {other}. Delete nothing; see docs/runbook.md."),
            ),
        };
        if language == "de" { german } else { english }
    }
}

fn denied(data: &Path) -> (String, String) {
    let place = data.display();
    (
        format!("{place} gehört einem anderen Benutzer. Als Verwalter: chown -R BENUTZER {place}"),
        format!("{place} belongs to another user. As administrator: chown -R USER {place}"),
    )
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
    /// It was made just now: there was none in the directory.
    pub is_new: bool,
}

impl Installation {
    /// Whether opening would find one in the directory rather than make one.
    #[must_use]
    pub fn is_in(data: &Path) -> bool {
        Journal::is_in(data) || data.join(SECRETS).try_exists().unwrap_or(true)
    }

    /// What whoever starts the program has to know of a new installation: a path with a slip makes one.
    #[must_use]
    pub fn news(data: &Path, language: &str) -> String {
        let place = data.display();
        if language == "de" {
            format!(
                "Neue Installation in {place} angelegt, noch nicht aktiviert. War dieses Terminal schon aktiviert, stimmt der \
                 Pfad nicht: --data oder „data“ in der Konfiguration."
            )
        } else {
            format!(
                "A new installation was made in {place}; it is not activated yet. If this terminal was activated before, the \
                 path is wrong: --data, or `data` in the configuration."
            )
        }
    }

    /// Opens, or makes where there never was one.
    ///
    /// # Errors
    /// [`InstallationError`]; nothing is recreated over something that was there.
    pub fn open(config: &Config) -> Result<Self, InstallationError> {
        let data = &config.data;
        let is_new = !Self::is_in(data);
        own_files_only();
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
        Ok(Self { journal, reopen, secrets: Box::new(secrets), pins, key_origin, is_new })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever starts the program reads which data are meant and what to do, in the language of the installation.
    #[test]
    fn every_failure_names_the_data_and_a_way_out() {
        let data = Path::new("/srv/terminal");
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let cases = [
            (InstallationError::Journal(JournalError::OtherInstance), "beenden", "end it"),
            (InstallationError::Journal(JournalError::Denied), "chown", "chown"),
            (InstallationError::Directory { path: data.to_owned(), source: denied }, "chown", "chown"),
            (InstallationError::Journal(JournalError::Full), "Platz schaffen", "Make room"),
            (InstallationError::Journal(JournalError::ReadOnly), "Dateisystem prüfen", "file system"),
            (
                InstallationError::Secrets(SecretsError::KeyMissing("/run/key".into())),
                "LoadCredentialEncrypted=teilhabe-wrapping-key",
                "LoadCredentialEncrypted=teilhabe-wrapping-key",
            ),
            (InstallationError::Journal(JournalError::WrongKey), "Nichts löschen", "Delete nothing"),
        ];
        for (error, german, english) in cases {
            for (language, way_out) in [("de", german), ("en", english)] {
                let advice = error.advice(data, language);
                assert!(advice.contains("/srv/terminal") && advice.contains(way_out), "{advice}");
            }
        }
    }
}
