//! What every profile says of itself, whatever it describes: its format, on what it rests, texts for people.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{error::Fault, rule::Rule};

/// The one format of profile files this program reads.
pub const SCHEMA: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Schema;

impl TryFrom<u32> for Schema {
    type Error = Fault;

    fn try_from(schema: u32) -> Result<Self, Fault> {
        if schema == SCHEMA { Ok(Self) } else { Err(Rule::SchemaForm.into()) }
    }
}

/// Longest name for people, in characters.
const MAX_TITLE: usize = 60;

/// Names for people reach a screen too.
pub(super) fn check_title(key: &str, text: &str) -> Result<(), (String, Fault)> {
    let fits = (1..=MAX_TITLE).contains(&text.trim().chars().count()) && !text.chars().any(steers_the_screen);
    let fault = || Rule::TitleForm.of([key, &MAX_TITLE.to_string()]);
    if fits { Ok(()) } else { Err((key.to_owned(), fault())) }
}

/// Control characters, invisible ones, and those that turn the direction of writing.
pub(super) fn steers_the_screen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// On what a profile rests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Whether it was tried.
    pub status: EvidenceStatus,
    /// Where the facts come from: documents, source files, logs. At least one.
    pub sources: Vec<String>,
    /// Transcripts under `tests/transcripts/`.
    #[serde(default)]
    pub transcripts: Vec<String>,
}

impl Evidence {
    /// What a file can tell of it. Whether the transcripts are there, the tests of the shipped set look: elsewhere there is
    /// no folder of them.
    pub(super) fn check(&self) -> Result<(), (String, Fault)> {
        let wrong = |key: &str, rule: Rule| Err((format!("evidence.{key}"), rule.into()));
        if self.sources.iter().all(|source| source.trim().is_empty()) {
            return wrong("sources", Rule::SourcesMissing);
        }
        if self.status == EvidenceStatus::Tested && self.transcripts.is_empty() {
            return wrong("status", Rule::TestedWithoutRecording);
        }
        let outside =
            |name: &String| name.contains("..") || name.starts_with('/') || name.strip_suffix(".apdu").is_none();
        if self.transcripts.iter().any(outside) {
            return wrong("transcripts", Rule::TranscriptName);
        }
        Ok(())
    }
}

/// Whether a profile was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceStatus {
    /// With the real thing, or, for a virtual reader, with the real driver.
    Tested,
    /// From documents alone.
    Untested,
}

/// Texts for people by language (`de`, `en`, …).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Messages(BTreeMap<String, Texts>);

/// The texts of one language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Texts {
    /// The reader or card cannot be used here.
    pub unsupported: Option<String>,
    /// Unplug the reader and plug it in again.
    pub replug: Option<String>,
    /// The reader acts as a keyboard.
    pub wedge_mode: Option<String>,
    /// The driver is missing.
    pub driver_missing: Option<String>,
    /// Its firmware is one that is known to fail.
    pub firmware: Option<String>,
}

/// What a profile has something to say about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The reader cannot be used here.
    Unsupported,
    /// Unplugging helps.
    Replug,
    /// It acts as a keyboard.
    WedgeMode,
    /// The driver is missing.
    DriverMissing,
    /// Its firmware is known to fail.
    Firmware,
}

impl Texts {
    /// What it says about this.
    #[must_use]
    pub fn about(&self, topic: Topic) -> Option<&str> {
        let text = match topic {
            Topic::Unsupported => &self.unsupported,
            Topic::Replug => &self.replug,
            Topic::WedgeMode => &self.wedge_mode,
            Topic::DriverMissing => &self.driver_missing,
            Topic::Firmware => &self.firmware,
        };
        text.as_deref()
    }
}

impl Messages {
    /// What it says about this in that language, else in German.
    #[must_use]
    pub fn in_language(&self, topic: Topic, language: &str) -> Option<&str> {
        let said = |language| self.0.get(language).and_then(|texts| texts.about(topic));
        said(language).or_else(|| said("de"))
    }

    /// What it says about this, by language.
    #[must_use]
    pub fn about(&self, topic: Topic) -> BTreeMap<String, String> {
        let said =
            self.0.iter().filter_map(|(language, texts)| Some((language.clone(), texts.about(topic)?.to_owned())));
        said.collect()
    }

    /// Nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Texts reach a screen: no control characters, bounded length; German as the language to fall back to.
    pub(super) fn check(&self) -> Result<(), (String, Fault)> {
        let wrong = |key: String, rule: Rule| Err((key, rule.into()));
        if !self.is_empty() && !self.0.contains_key("de") {
            return wrong("messages".to_owned(), Rule::MessagesGerman);
        }
        for (language, texts) in &self.0 {
            if !(2..=3).contains(&language.len()) || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
                return wrong(format!("messages.{language}"), Rule::MessagesLanguage);
            }
            let all = [&texts.unsupported, &texts.replug, &texts.wedge_mode, &texts.driver_missing, &texts.firmware];
            if all.into_iter().flatten().any(|text| text.len() > 300 || text.chars().any(steers_the_screen)) {
                return wrong(format!("messages.{language}"), Rule::MessageForm);
            }
        }
        Ok(())
    }
}
