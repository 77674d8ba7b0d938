//! What is wrong with one profile file: file, line, key, and what was expected there.

use std::fmt;

use thiserror::Error;

use super::{pattern::ProfileIdError, reader_match::SlotRole};
use crate::domain::reading::Level;

/// One file that is disabled, and why. The other files stay in force.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ProfileError {
    /// File name as it was handed in; never a path.
    pub file: String,
    /// Line, counted from 1, where it can be told.
    pub line: Option<usize>,
    /// Dotted key, such as `signals.accept`, where it can be told.
    pub key: Option<String>,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = self.key.as_deref().filter(|key| !key.is_empty()) {
            write!(f, ": {key}")?;
        }
        Ok(())
    }
}

/// What can be wrong with a profile. The text says what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The folder scan could not read the file; the system's words.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// More than [`super::MAX_TEXT_LEN`] bytes.
    #[error("the file is larger than 64 KiB")]
    TooLarge,
    /// Not UTF-8.
    #[error("the file is not UTF-8 text; the first wrong byte is number {0}")]
    NotUtf8(usize),
    /// Not TOML.
    #[error("this is not TOML: {0}")]
    Syntax(String),
    /// A key nobody reads: rather an error than a silent misunderstanding.
    #[error("{0}")]
    UnknownKey(String),
    /// A word outside a closed list: quirk, verb, method, role, technology …
    #[error("{0}")]
    UnknownWord(String),
    /// A key that must be there is not.
    #[error("{0}")]
    Missing(String),
    /// A value of the wrong type or out of its range.
    #[error("{0}")]
    Value(String),
    /// Another format of the file.
    #[error("`schema` is {0}; this program reads schema 1")]
    Schema(String),
    /// Neither reader nor card.
    #[error("`kind` is \"reader\" or \"card\"")]
    Kind,
    /// The id is no plain name.
    #[error(transparent)]
    Id(#[from] ProfileIdError),
    /// The file is not called like its profile.
    #[error("the file of profile `{id}` is called `{id}.toml`")]
    FileName {
        /// The id inside.
        id: String,
    },
    /// More files than [`super::MAX_TEXTS`] in one layer.
    #[error("more than 256 profiles; this one is left out")]
    TooMany,
    /// Two files of one layer have the same id.
    #[error("another file has the same id; both are disabled")]
    DuplicateId,
    /// Key material of a card has no place in a profile.
    #[error("key material; keys live in a SAM or at the account, never in a profile")]
    KeyMaterial,
    /// Raw bytes where only named verbs are allowed.
    #[error("raw bytes; signals are named verbs such as \"led_green:300\" or \"beep:100x3\"")]
    RawBytes,
    /// A regular expression that is wrong, too long, or compiles to too much.
    #[error("{0}")]
    Pattern(String),
    /// A regular expression that matches no sample of its own.
    #[error("the pattern `{0}` matches none of the profile's own samples under [tests]")]
    PatternWithoutSample(String),
    /// A sample name gets another slot role than the file says.
    #[error("the sample name `{name}` gets {found}; [tests] expects {expected}")]
    SampleRole {
        /// The sample.
        name: String,
        /// The role [tests] expects.
        expected: SlotRole,
        /// What matching gives.
        found: String,
    },
    /// A sample ATR that matches although it must not, or the other way round.
    #[error("the sample ATR {atr} {}", if *.expected { "does not match" } else { "matches, but must not" })]
    SampleAtr {
        /// The sample.
        atr: String,
        /// What [tests] expects.
        expected: bool,
    },
    /// No condition at all, which only the two fallback profiles may have.
    #[error("[match] holds no condition; only `generic-ccid` and `fallback-unknown` match everything")]
    MatchesEverything,
    /// A level above what the method can prove.
    #[error("level {wanted} is above the method's ceiling, level {ceiling}")]
    LevelTooHigh {
        /// What the profile claims.
        wanted: u8,
        /// What the method can prove at most.
        ceiling: u8,
    },
    /// The method cannot work with what the profile says.
    #[error("{0}")]
    Method(&'static str),
    /// A step reads what the profile itself forbids.
    #[error("a step reads `{0}`, which [privacy] never_read forbids")]
    NeverRead(String),
    /// Two profiles of the same rank match the same reader or card.
    #[error(
        "`{other}` matches the same and has the same rank; both are refused. Raise one priority or narrow one pattern"
    )]
    Ambiguous {
        /// The other profile's id.
        other: String,
    },
}

impl Fault {
    pub(super) fn level(wanted: Level, ceiling: Level) -> Self {
        Self::LevelTooHigh { wanted: wanted.get(), ceiling: ceiling.get() }
    }

    /// All codes, for the run book's completeness.
    pub const CODES: [&'static str; 24] = [
        "profile_unreadable",
        "profile_too_large",
        "profile_not_utf8",
        "profile_syntax",
        "profile_unknown_key",
        "profile_unknown_word",
        "profile_missing_key",
        "profile_value",
        "profile_schema",
        "profile_kind",
        "profile_id",
        "profile_file_name",
        "profile_too_many",
        "profile_duplicate_id",
        "profile_key_material",
        "profile_raw_bytes",
        "profile_pattern",
        "profile_pattern_without_sample",
        "profile_sample",
        "profile_matches_everything",
        "profile_level",
        "profile_method",
        "profile_never_read",
        "profile_ambiguous",
    ];

    /// Stable code for the service page and the run book.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "profile_unreadable",
            Self::TooLarge => "profile_too_large",
            Self::NotUtf8(_) => "profile_not_utf8",
            Self::Syntax(_) => "profile_syntax",
            Self::UnknownKey(_) => "profile_unknown_key",
            Self::UnknownWord(_) => "profile_unknown_word",
            Self::Missing(_) => "profile_missing_key",
            Self::Value(_) => "profile_value",
            Self::Schema(_) => "profile_schema",
            Self::Kind => "profile_kind",
            Self::Id(_) => "profile_id",
            Self::FileName { .. } => "profile_file_name",
            Self::TooMany => "profile_too_many",
            Self::DuplicateId => "profile_duplicate_id",
            Self::KeyMaterial => "profile_key_material",
            Self::RawBytes => "profile_raw_bytes",
            Self::Pattern(_) => "profile_pattern",
            Self::PatternWithoutSample(_) => "profile_pattern_without_sample",
            Self::SampleRole { .. } | Self::SampleAtr { .. } => "profile_sample",
            Self::MatchesEverything => "profile_matches_everything",
            Self::LevelTooHigh { .. } => "profile_level",
            Self::Method(_) => "profile_method",
            Self::NeverRead(_) => "profile_never_read",
            Self::Ambiguous { .. } => "profile_ambiguous",
        }
    }
}
