//! The configuration file: text → [`RawConfig`] → [`Config`]. The rest of the program holds only valid values.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::limits;
use crate::{domain::ids::OfferId, scanner::Layout, terminal::screen::Place};

/// What is wrong with a configuration, and where.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too large to be one.
    #[error("{file} is larger than {} KiB; is it the right file?", limits::CONFIG_BYTES / 1024)]
    TooLarge {
        /// Which file.
        file: PathBuf,
    },
    /// Not TOML, or a key or type that is not known. The text names line and expectation.
    #[error("{file}: {message}")]
    Form {
        /// Which file.
        file: PathBuf,
        /// Line, key and expectation, as the parser tells them.
        message: String,
    },
    /// A value outside its range.
    #[error("{file}: key `{key}`: expected {expected}")]
    Value {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: &'static str,
        /// What would be right.
        expected: &'static str,
    },
}

/// Where the wrapping key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// Credentials of systemd if there are any, else the file.
    Auto,
    /// Credentials of systemd; without them the program does not start.
    Systemd,
    /// A file only the service user may read. The service page says that it is one.
    File,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawPlace {
    Lane,
    Counter,
    Tablet,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    data: Option<PathBuf>,
    place: Option<RawPlace>,
    sign_on: Option<bool>,
    offer: Option<String>,
    language: Option<String>,
    window: RawWindow,
    reader: RawReader,
    scanner: RawScanner,
    secrets: RawSecrets,
    log: RawLog,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawWindow {
    full_screen: Option<bool>,
    child_side: Option<bool>,
    pixels_per_mm: Option<f32>,
    sound: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawReader {
    workshop_profiles: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawScanner {
    device: Option<PathBuf>,
    name: Option<String>,
    layout: Option<RawLayout>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawLayout {
    Us,
    De,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSecrets {
    source: Option<SecretSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    level: Option<String>,
}

/// A scanner that types for the terminal alone; Linux only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScannerConfig {
    /// Its device.
    pub device: Option<PathBuf>,
    /// What it calls itself, if no device is given.
    pub name: Option<String>,
    /// The layout it was set to.
    pub layout: Layout,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Directory of journal and secrets.
    pub data: PathBuf,
    /// Where the terminal stands.
    pub place: Place,
    /// Operators sign on before anything is redeemed. Off at a lane, on elsewhere.
    pub sign_on: bool,
    /// Preset offer.
    pub offer: Option<OfferId>,
    /// Language of the interface at start.
    pub language: String,
    /// The window covers the screen.
    pub full_screen: bool,
    /// A second window for the child's side.
    pub child_side: bool,
    /// Size of things: pixels per millimetre; `None` = as the screen says.
    pub pixels_per_mm: Option<f32>,
    /// Sounds are played.
    pub sound: bool,
    /// The scanner.
    pub scanner: ScannerConfig,
    /// Directory of local profiles; only in the workshop, refused by a production account.
    pub workshop_profiles: Option<PathBuf>,
    /// Where the wrapping key comes from.
    pub secrets: SecretSource,
    /// Filter of the log.
    pub log_level: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("/var/lib/teilhabe-terminal"),
            place: Place::Lane,
            sign_on: false,
            offer: None,
            language: "de".to_owned(),
            full_screen: false,
            child_side: false,
            pixels_per_mm: None,
            sound: true,
            scanner: ScannerConfig::default(),
            workshop_profiles: None,
            secrets: SecretSource::Auto,
            log_level: "info".to_owned(),
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] with file, key or line, and what was expected.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { file: file.to_owned(), source };
        if std::fs::metadata(file).map_err(read)?.len() > limits::CONFIG_BYTES {
            return Err(ConfigError::TooLarge { file: file.to_owned() });
        }
        Self::parse(file, &std::fs::read_to_string(file).map_err(read)?)
    }

    /// Parses a text; `file` is only for messages.
    ///
    /// # Errors
    /// [`ConfigError::Form`] and [`ConfigError::Value`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: RawConfig = toml::from_str(text)
            .map_err(|e| ConfigError::Form { file: file.to_owned(), message: e.to_string().trim_end().to_owned() })?;
        let value = |key, expected| ConfigError::Value { file: file.to_owned(), key, expected };
        let base = Self::default();
        let place = raw.place.map_or(base.place, |place| match place {
            RawPlace::Lane => Place::Lane,
            RawPlace::Counter => Place::Counter,
            RawPlace::Tablet => Place::Tablet,
        });
        let offer = raw.offer.map(OfferId::new).transpose();
        let language = raw.language.unwrap_or(base.language);
        if !["de", "en"].contains(&language.as_str()) {
            return Err(value("language", "\"de\" or \"en\""));
        }
        if raw.window.pixels_per_mm.is_some_and(|mm| !(1.0..=20.0).contains(&mm)) {
            return Err(value("window.pixels_per_mm", "a number from 1.0 to 20.0"));
        }
        if raw.scanner.device.is_some() && raw.scanner.name.is_some() {
            return Err(value("scanner.name", "either a device or a name, not both"));
        }
        let layout = raw.scanner.layout.map_or(Layout::default(), |layout| match layout {
            RawLayout::Us => Layout::Us,
            RawLayout::De => Layout::De,
        });
        let level = raw.log.level.unwrap_or(base.log_level);
        if !["error", "warn", "info", "debug"].contains(&level.as_str()) {
            return Err(value("log.level", "\"error\", \"warn\", \"info\" or \"debug\""));
        }
        Ok(Self {
            data: raw.data.unwrap_or(base.data),
            place,
            sign_on: raw.sign_on.unwrap_or(place != Place::Lane),
            offer: offer.map_err(|_| value("offer", "the id of an offer of the catalogue"))?,
            language,
            full_screen: raw.window.full_screen.unwrap_or(base.full_screen),
            child_side: raw.window.child_side.unwrap_or(base.child_side),
            pixels_per_mm: raw.window.pixels_per_mm,
            sound: raw.window.sound.unwrap_or(base.sound),
            scanner: ScannerConfig { device: raw.scanner.device, name: raw.scanner.name, layout },
            workshop_profiles: raw.reader.workshop_profiles,
            secrets: raw.secrets.source.unwrap_or(base.secrets),
            log_level: level,
        })
    }
}

impl Config {
    /// The configuration as its file would say it: read again, it is the same. What is not set stands in a comment.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // JSON's escapes are TOML's as well (TOML 1.0, "Basic strings").
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let path = |path: &Path| text(&path.to_string_lossy());
        let place = match self.place {
            Place::Lane => "lane",
            Place::Counter => "counter",
            Place::Tablet => "tablet",
        };
        let layout = match self.scanner.layout {
            Layout::Us => "us",
            Layout::De => "de",
        };
        let source = match self.secrets {
            SecretSource::Auto => "auto",
            SecretSource::Systemd => "systemd",
            SecretSource::File => "file",
        };
        let ScannerConfig { device, name, .. } = &self.scanner;
        let tables: [(&str, &[(&str, Option<String>)]); 6] = [
            (
                "",
                &[
                    ("data", Some(path(&self.data))),
                    ("place", Some(text(place))),
                    ("sign_on", Some(self.sign_on.to_string())),
                    ("offer", self.offer.as_ref().map(|offer| text(offer.as_str()))),
                    ("language", Some(text(&self.language))),
                ],
            ),
            (
                "window",
                &[
                    ("full_screen", Some(self.full_screen.to_string())),
                    ("child_side", Some(self.child_side.to_string())),
                    ("pixels_per_mm", self.pixels_per_mm.map(|mm| format!("{mm:?}"))),
                    ("sound", Some(self.sound.to_string())),
                ],
            ),
            ("reader", &[("workshop_profiles", self.workshop_profiles.as_deref().map(path))]),
            (
                "scanner",
                &[
                    ("device", device.as_deref().map(path)),
                    ("name", name.as_deref().map(text)),
                    ("layout", Some(text(layout))),
                ],
            ),
            ("secrets", &[("source", Some(text(source)))]),
            ("log", &[("level", Some(text(&self.log_level)))]),
        ];
        let mut lines = String::new();
        for (table, keys) in tables {
            if !table.is_empty() {
                lines.extend(["\n[", table, "]\n"]);
            }
            for (key, value) in keys {
                match value {
                    Some(value) => lines.extend([key, " = ", value.as_str(), "\n"]),
                    None => lines.extend(["# ", key, " =\n"]),
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("terminal.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn the_sample_names_every_key_with_its_default() {
        let sample = include_str!("../../docs/terminal.sample.toml");
        assert_eq!(parse(sample).unwrap(), Config::default());
        // With each commented setting switched on it still parses: no key is misspelt.
        let on: String =
            sample.lines().map(|l| l.strip_prefix("#: ").unwrap_or(l)).fold(String::new(), |t, l| t + l + "\n");
        assert_ne!(parse(&on).unwrap(), Config::default());
    }

    #[test]
    fn what_is_told_of_a_configuration_is_one_that_reads_the_same() {
        let sample = include_str!("../../docs/terminal.sample.toml");
        let on: String =
            sample.lines().map(|l| l.strip_prefix("#: ").unwrap_or(l)).fold(String::new(), |t, l| t + l + "\n");
        let odd =
            "data = \"/srv/a \\\"b\\\" \\\\ ü\"\nplace = \"tablet\"\nsign_on = false\n[scanner]\nname = \"x\\ty\"\n";
        for text in ["", on.as_str(), odd] {
            let config = parse(text).unwrap();
            assert_eq!(parse(&config.to_toml()).unwrap(), config, "{}", config.to_toml());
        }
        let told = Config::default().to_toml();
        assert!(told.starts_with("data = \"/var/lib/teilhabe-terminal\"\nplace = \"lane\"\n"), "{told}");
        // Every key of the sample is there, set or not.
        let keys = |text: &str| {
            let key =
                |line: &str| line.trim_start_matches(['#', ':', ' ']).split_once(" =").map(|(key, _)| key.to_owned());
            let mut keys: Vec<String> = text.lines().filter_map(key).filter(|key| !key.contains(' ')).collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&told), keys(sample));
    }

    #[test]
    fn an_operator_is_asked_for_where_nobody_queues() {
        assert!(!parse("place = \"lane\"").unwrap().sign_on);
        assert!(parse("place = \"counter\"").unwrap().sign_on);
        assert!(!parse("place = \"counter\"\nsign_on = false").unwrap().sign_on);
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let cases = [
            ("plaice = \"lane\"", "plaice"),
            ("\nplace = \"moon\"", "line 2"),
            ("[window]\nsize = 3", "size"),
            ("language = \"xx\"", "`language`: expected \"de\" or \"en\""),
            ("offer = \"a b\"", "`offer`"),
            ("[window]\npixels_per_mm = 0.0", "window.pixels_per_mm"),
            ("[log]\nlevel = \"all\"", "log.level"),
            ("[scanner]\nlayout = \"fr\"", "layout"),
            ("[scanner]\ndevice = \"/dev/x\"\nname = \"y\"", "scanner.name"),
        ];
        for (text, part) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part) && error.contains("terminal.toml"), "{text}: {error}");
        }
    }
}
