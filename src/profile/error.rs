//! What is wrong with one profile file: file, line, key, and what was expected there.

use std::fmt;

use thiserror::Error;

use super::{
    Layer,
    part::{self, Part},
    rule::Rule,
    text::harmless,
};

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

/// What is put into a text: a piece of the file, a part of a sentence, or what another library said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// The same in every language; one line of bounded length.
    Word(Box<str>),
    /// Words of ours, with what is put into them.
    Part(Part, Vec<Detail>),
    /// English words of a library.
    Foreign(Box<str>),
}

impl From<&str> for Detail {
    fn from(word: &str) -> Self {
        Self::Word(harmless(word).into())
    }
}

impl From<String> for Detail {
    fn from(word: String) -> Self {
        Self::from(word.as_str())
    }
}

impl From<Part> for Detail {
    fn from(part: Part) -> Self {
        Self::Part(part, Vec::new())
    }
}

impl Part {
    /// The part with these details in their places.
    pub(crate) fn with<const N: usize>(self, details: [Detail; N]) -> Detail {
        Detail::Part(self, details.into())
    }

    /// The part with a piece of the file in each of its places.
    pub(crate) fn of(self, word: impl fmt::Display) -> Detail {
        let places = self.english().matches("{}").count();
        Detail::Part(self, vec![Detail::from(word.to_string()); places])
    }
}

impl Detail {
    /// In German.
    #[must_use]
    pub fn german(&self) -> String {
        match self {
            Self::Word(word) => word.to_string(),
            Self::Part(part, details) => filled(part.german(), details.iter().map(Self::german)),
            Self::Foreign(said) => part::in_german(said),
        }
    }
}

/// In English.
impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) | Self::Foreign(word) => f.write_str(word),
            Self::Part(part, details) => f.write_str(&filled(part.english(), details.iter().map(Self::to_string))),
        }
    }
}

/// A value is never taken for a place to fill.
fn filled(template: &str, values: impl Iterator<Item = String>) -> String {
    let mut parts = template.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (value, part) in values.zip(parts) {
        text.push_str(&value);
        text.push_str(part);
    }
    text
}

/// What is wrong with a profile: the rule it breaks, and what was found. The text says what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule.
    pub rule: Rule,
    details: Vec<Detail>,
}

impl From<Rule> for Fault {
    fn from(rule: Rule) -> Self {
        Self { rule, details: Vec::new() }
    }
}

impl std::error::Error for Fault {}

/// In English.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&filled(self.rule.english(), self.details.iter().map(Detail::to_string)))
    }
}

impl Rule {
    /// A fault against this rule, with what was found in the places of its text.
    #[must_use]
    pub fn with<const N: usize>(self, details: [Detail; N]) -> Fault {
        debug_assert_eq!(self.english().matches("{}").count(), N, "{self:?}");
        Fault { rule: self, details: details.into() }
    }

    /// The same with pieces of the file.
    pub(super) fn of<const N: usize>(self, words: [&str; N]) -> Fault {
        self.with(words.map(Detail::from))
    }
}

impl Fault {
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
        self.rule.code()
    }

    /// In German.
    #[must_use]
    pub fn german(&self) -> String {
        filled(self.rule.german(), self.details.iter().map(Detail::german))
    }

    /// The fault whose English text this is: serde carries a fault of one value as its text.
    pub(super) fn read(message: &str) -> Option<Self> {
        /// Rules that are looked at while a value is read.
        const OF_VALUES: [Rule; 19] = [
            Rule::HexForm,
            Rule::AidForm,
            Rule::StatusWordForm,
            Rule::UsbForm,
            Rule::BcdForm,
            Rule::BcdRangeForm,
            Rule::ScopeForm,
            Rule::AtrLength,
            Rule::AtrOutsideMask,
            Rule::TransformForm,
            Rule::TitleForm,
            Rule::Id,
            Rule::SchemaForm,
            Rule::Verb,
            Rule::PatternLength,
            Rule::PatternControl,
            Rule::PatternTooLarge,
            Rule::PatternBracket,
            Rule::PatternSyntax,
        ];
        let found = |rule: Rule| {
            let mut pieces = rule.english().split("{}");
            let mut rest = message.strip_prefix(pieces.next()?)?;
            let mut details = Vec::new();
            for piece in pieces {
                let end = if piece.is_empty() { rest.len() } else { rest.find(piece)? };
                // Only what an expression's reader says is not a piece of the file.
                let said = matches!(rule, Rule::PatternBracket | Rule::PatternSyntax) && details.is_empty();
                let text = rest[..end].into();
                details.push(if said { Detail::Foreign(text) } else { Detail::Word(text) });
                rest = &rest[end + piece.len()..];
            }
            rest.is_empty().then_some(Self { rule, details })
        };
        OF_VALUES.into_iter().find_map(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        let used: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        assert_eq!(used, Fault::CODES.into_iter().collect());
    }

    #[test]
    fn a_fault_is_read_from_its_text() {
        let faults = [
            Rule::HexForm.into(),
            Rule::Verb.of(["flash"]),
            Rule::PatternSyntax.with([Detail::Foreign("unclosed group".into())]),
            Rule::PatternBracket.with([Detail::Foreign("unclosed group".into()), "(".into(), "(".into(), "(".into()]),
            Rule::PatternLength.into(),
        ];
        for fault in faults {
            assert_eq!(Fault::read(&fault.to_string()), Some(fault.clone()), "{fault}");
        }
        assert_eq!(Fault::read("a value was too large"), None);
    }

    #[test]
    fn a_value_is_no_place_to_fill() {
        let fault = Rule::FileName.of(["{}", "x"]);
        assert_eq!(fault.to_string(), "the file of profile `{}` is called `x.toml`");
        assert_eq!(fault.german(), "die Datei des Profils `{}` heißt `x.toml`");
    }
}
