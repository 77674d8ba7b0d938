//! What is wrong with one profile file: file, line, key, and what was expected there.

use std::fmt;

use thiserror::Error;

use super::{Layer, pattern::ProfileIdError, reader_match::SlotRole};
use crate::domain::reading::Level;

/// One file that is disabled, and why. The other files stay in force.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ProfileError {
    /// Whose file it is.
    pub layer: Layer,
    /// File name as it was handed in: below its folder, never a path of the machine.
    pub file: String,
    /// Line, counted from 1, where it can be told.
    pub line: Option<usize>,
    /// Dotted key, such as `signals.accept`, where it can be told.
    pub key: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// Place, reason and code in one line: `readers/acme.toml:7: vendor: … [profile_value]`.
impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.place(), self.fault, self.fault.code())
    }
}

impl ProfileError {
    /// File, line and key: `readers/acme.toml:7: vendor`.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.file, self.line, self.key.as_deref().unwrap_or_default())
    }
}

/// File, line and key as far as they are known.
pub(super) fn place(file: &str, line: Option<usize>, key: &str) -> String {
    let line = line.map(|line| format!(":{line}")).unwrap_or_default();
    let key = if key.is_empty() { String::new() } else { format!(": {key}") };
    format!("{file}{line}{key}")
}

/// What can be wrong with a profile. The text says what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The folder scan could not read the file or folder; why, in the system's words.
    #[error("{0}")]
    Unreadable(String),
    /// Nothing is in the file, or nothing but comments.
    #[error("the file is empty")]
    Empty,
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
    #[error("key material; delete this line: keys live in a SAM or at the account, never in a profile")]
    KeyMaterial,
    /// Raw bytes where only named verbs are allowed.
    #[error("raw bytes; signals are named verbs such as \"led_green:300\" or \"beep:100x3\"")]
    RawBytes,
    /// A regular expression that is wrong, too long, or compiles to too much.
    #[error("{0}")]
    Pattern(String),
    /// A regular expression that matches no sample of its own.
    #[error(
        "the expression `{regex}` matches none of the profile's own samples under [tests] for the same system{hint}"
    )]
    PatternWithoutSample {
        /// The expression.
        regex: Box<str>,
        /// What may be wrong with it; begins with a semicolon, or is empty.
        hint: Box<str>,
    },
    /// A sample name gets another slot role than the file says.
    #[error("the sample name `{name}` gets {found}; [tests] expects {expected}")]
    SampleRole {
        /// The sample.
        name: String,
        /// The role [tests] expects.
        expected: SlotRole,
        /// What matching gives.
        found: SlotRole,
    },
    /// A sample ATR that matches although it must not, or the other way round.
    #[error("the sample ATR {atr} {}", if *.expected { "does not match" } else { "matches, but must not" })]
    SampleAtr {
        /// The sample.
        atr: String,
        /// What [tests] expects.
        expected: bool,
    },
    /// No condition that tells one from another, which only the two fallback profiles may have; what to add.
    #[error("{0}")]
    MatchesEverything(&'static str),
    /// A level above what the method can prove.
    #[error("level {wanted} is above the method's ceiling, level {ceiling}; write {ceiling} or leave it out")]
    LevelTooHigh {
        /// What the profile claims.
        wanted: u8,
        /// What the method can prove at most.
        ceiling: u8,
    },
    /// The method cannot work with what the profile says.
    #[error("{0}")]
    Method(String),
    /// An application of a payment scheme: nothing is ever sent to a bank card.
    #[error(
        "`{aid}` is a payment application ({scheme}); delete it: bank cards are known by their ATR and sent nothing"
    )]
    Payment {
        /// The application.
        aid: String,
        /// Whose it is.
        scheme: &'static str,
    },
    /// A step reads what the profile itself forbids.
    #[error("a step reads `{0}`, which [privacy] never_read forbids")]
    NeverRead(String),
    /// Two profiles of the same rank match the same reader or card.
    #[error(
        "{other} fits the same and has the same rank: both fit {what}. Both are refused; raise one `priority` or narrow one \
         condition"
    )]
    Ambiguous {
        /// The other profile's id, and in brackets its file with line and key of its condition.
        other: Box<str>,
        /// What both fit.
        what: Box<str>,
    },
}

impl Fault {
    pub(super) fn level(wanted: Level, ceiling: Level) -> Self {
        Self::LevelTooHigh { wanted: wanted.get(), ceiling: ceiling.get() }
    }

    /// All codes, for the run book's completeness.
    pub const CODES: [&'static str; 26] = [
        "profile_unreadable",
        "profile_empty",
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
        "profile_payment",
        "profile_never_read",
        "profile_ambiguous",
    ];

    /// Stable code for the service page and the run book.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "profile_unreadable",
            Self::Empty => "profile_empty",
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
            Self::PatternWithoutSample { .. } => "profile_pattern_without_sample",
            Self::SampleRole { .. } | Self::SampleAtr { .. } => "profile_sample",
            Self::MatchesEverything(_) => "profile_matches_everything",
            Self::LevelTooHigh { .. } => "profile_level",
            Self::Method(_) => "profile_method",
            Self::Payment { .. } => "profile_payment",
            Self::NeverRead(_) => "profile_never_read",
            Self::Ambiguous { .. } => "profile_ambiguous",
        }
    }
}
