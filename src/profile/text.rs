//! From the bytes of one file to a checked profile, or to the one thing that is wrong with it and the line it stands in.

use std::ops::Range;

use aws_lc_rs::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Layer, Origin,
    card::CardProfile,
    error::{Fault, ProfileError},
    forbidden,
    pattern::ProfileId,
    plain,
    preamble::steers_the_screen,
    reader::ReaderProfile,
    rule::Rule,
};
use crate::domain::ids::Digest;

/// Largest profile, in bytes.
pub const MAX_TEXT_LEN: usize = 64 * 1024;
/// Most of a message about a file that is shown, in characters.
const MAX_MESSAGE_LEN: usize = 400;

/// One profile as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileText {
    file: String,
    must_be_named_like_its_id: bool,
    bytes: Result<Vec<u8>, Fault>,
}

impl ProfileText {
    /// A file with its name below the folder that was read, such as `readers/acme-100.toml`.
    #[must_use]
    pub fn from_file(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { file: harmless(&name.into()), must_be_named_like_its_id: true, bytes: Ok(bytes) }
    }

    /// A file or folder that could not be read, and why.
    #[must_use]
    pub fn unreadable(name: impl Into<String>, why: Fault) -> Self {
        Self { file: harmless(&name.into()), must_be_named_like_its_id: true, bytes: Err(why) }
    }

    /// A text out of an account's document, counted from 1.
    #[must_use]
    pub fn from_document(number: usize, text: &str) -> Self {
        let file = format!("account document, profile {number}");
        Self { file, must_be_named_like_its_id: false, bytes: Ok(text.as_bytes().to_vec()) }
    }

    /// What the file is called in messages.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// Either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// A model of reader.
    Reader(Box<ReaderProfile>),
    /// A kind of card.
    Card(Box<CardProfile>),
}

impl Profile {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ProfileId {
        match self {
            Self::Reader(reader) => &reader.id,
            Self::Card(card) => &card.id,
        }
    }
}

/// Reads and checks one text by itself.
///
/// # Errors
/// [`ProfileError`] with the first thing that is wrong.
pub fn load(source: &ProfileText, layer: Layer) -> Result<Profile, ProfileError> {
    let place = Place { source, layer, text: "", table: None };
    let bytes = source.bytes.as_ref().map_err(|why| place.fault(None, why.clone()))?;
    if bytes.len() > MAX_TEXT_LEN {
        return Err(place.fault(None, Rule::TooLarge));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let right = error.valid_up_to();
        let line = bytes[..right].split(|byte| *byte == b'\n').count();
        ProfileError { line: Some(line), ..place.fault(None, Rule::NotUtf8.of([&(right + 1).to_string()])) }
    })?;
    let place = Place { text, ..place };
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let before = text.get(..span.start).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
        let there = text.get(span).unwrap_or_default();
        let [message, before, there] = [error.message(), before, there].map(harmless);
        place.at(error.span(), None, plain::syntax(&message, &before, &there))
    })?;
    if table.get_ref().is_empty() {
        return Err(place.fault(None, Rule::Empty));
    }
    let place = Place { table: Some(table.get_ref()), ..place };
    if let Some((key, span, fault)) = forbidden::find(text, table.get_ref()) {
        return Err(place.at(Some(span), Some(key).filter(|key| !key.is_empty()), fault));
    }
    place.head(source)?;
    let origin = Origin { layer, digest: Some(sha256(bytes)), file: source.file.clone() };
    match table.get_ref().get("kind").and_then(|kind| kind.get_ref().as_str()) {
        Some("reader") => {
            let mut profile: ReaderProfile = place.typed()?;
            profile.origin = origin;
            profile.check().map_err(|(key, fault)| place.fault(Some(&key), fault))?;
            Ok(Profile::Reader(Box::new(profile)))
        }
        Some("card") => {
            let mut profile: CardProfile = place.typed()?;
            profile.origin = origin;
            profile.check().map_err(|(key, fault)| place.fault(Some(&key), fault))?;
            Ok(Profile::Card(Box::new(profile)))
        }
        _ => Err(place.fault(Some("kind"), Rule::Kind)),
    }
}

/// What the profile in a file would be called, if one is in it: for files whose name keeps them from being read.
#[must_use]
pub fn claimed_id(bytes: &[u8]) -> Option<ProfileId> {
    let table = DeTable::parse(str::from_utf8(bytes).ok()?).ok()?;
    let text = |key: &str| table.get_ref().get(key).and_then(|value| value.get_ref().as_str());
    matches!(text("kind"), Some("reader" | "card")).then(|| ProfileId::new(text("id")?)).flatten()
}

/// The line of a key in a text that is right by itself and wrong beside others.
pub(super) fn line_of(source: &ProfileText, key: &str) -> Option<usize> {
    let text = str::from_utf8(source.bytes.as_ref().ok()?).ok()?;
    let table = DeTable::parse(text).ok()?;
    span_of(table.get_ref(), key).and_then(|span| line_at(text, &span))
}

fn line_at(text: &str, span: &Range<usize>) -> Option<usize> {
    text.get(..span.start).map(|before| before.bytes().filter(|byte| *byte == b'\n').count() + 1)
}

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    Digest(digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// Where in a file something stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    source: &'a ProfileText,
    layer: Layer,
    text: &'a str,
    table: Option<&'a DeTable<'a>>,
}

impl Place<'_> {
    /// What must be right before anything else can be understood: format and id.
    fn head(&self, source: &ProfileText) -> Result<(), ProfileError> {
        let table = self.table.expect("the text was parsed");
        match table.get("schema").map(Spanned::get_ref) {
            Some(DeValue::Integer(schema)) if schema.as_str() == "1" && schema.radix() == 10 => {}
            Some(DeValue::Integer(schema)) => {
                return Err(self.fault(Some("schema"), Rule::SchemaOther.of([&harmless(schema.as_str())])));
            }
            Some(_) => return Err(self.fault(Some("schema"), Rule::SchemaForm)),
            None => return Err(self.fault(Some("schema"), Rule::SchemaMissing)),
        }
        let id = table.get("id").ok_or_else(|| self.fault(Some("id"), Rule::Missing.of(["id"])))?;
        let id = id.get_ref().as_str().and_then(ProfileId::new).ok_or_else(|| self.fault(Some("id"), Rule::Id))?;
        let name = source.file.rsplit('/').next().unwrap_or_default();
        if source.must_be_named_like_its_id && name.strip_suffix(".toml") != Some(id.as_str()) {
            return Err(self.fault(Some("id"), Rule::FileName.of([id.as_str(); 2])));
        }
        Ok(())
    }

    fn typed<T: DeserializeOwned>(&self) -> Result<T, ProfileError> {
        toml::from_str(self.text).map_err(|error| {
            let message = harmless(error.message());
            let span = error.span();
            let known = span.as_ref().zip(self.table);
            let key = known.and_then(|(span, table)| key_at(table, span.start));
            let (fault, missing) = plain::typing(&message, key.as_deref());
            let Some(missing) = missing else {
                // A key that only another key beside it forbids: the fault is about the table, and the key is in it.
                let inside = plain::unknown_key(&message).zip(key.as_ref()).map(|(name, key)| format!("{key}.{name}"));
                return match inside.filter(|key| self.table.is_some_and(|table| has(table, key))) {
                    Some(key) => self.fault(Some(&key), fault),
                    None => self.at(span.clone(), key, fault),
                };
            };
            // What is missing has no place of its own: that of the table it belongs into, which the whole file has not.
            match known.and_then(|(span, table)| table_at(table, span)) {
                Some(table) => self.at(span.clone(), Some(format!("{table}.{missing}")), fault),
                None => self.at(None, Some(missing.to_owned()), fault),
            }
        })
    }

    /// A fault under a dotted key; the line is that of the deepest part of the key that the file has.
    fn fault(&self, key: Option<&str>, fault: impl Into<Fault>) -> ProfileError {
        let span = key.zip(self.table).and_then(|(key, table)| span_of(table, key));
        self.at(span, key.map(str::to_owned), fault.into())
    }

    fn at(&self, span: Option<Range<usize>>, key: Option<String>, fault: Fault) -> ProfileError {
        let line = span.and_then(|span| line_at(self.text, &span));
        ProfileError {
            layer: self.layer,
            file: self.source.file.clone(),
            line,
            key: key.map(|key| harmless(&key)),
            fault,
        }
    }
}

/// Visits every key with its dotted name, in which members of lists are counted from 1, its own span and its value.
pub(super) fn visit<'a, T>(
    table: &'a DeTable<'a>,
    path: &str,
    see: &mut impl FnMut(&str, Range<usize>, &'a Spanned<DeValue<'a>>) -> Option<T>,
) -> Option<T> {
    for (key, value) in table {
        let name = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
        if let Some(found) = see(&name, key.span(), value).or_else(|| visit_value(value, &name, see)) {
            return Some(found);
        }
    }
    None
}

fn visit_value<'a, T>(
    value: &'a Spanned<DeValue<'a>>,
    name: &str,
    see: &mut impl FnMut(&str, Range<usize>, &'a Spanned<DeValue<'a>>) -> Option<T>,
) -> Option<T> {
    match value.get_ref() {
        DeValue::Table(table) => visit(table, name, see),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, value)| {
            let name = format!("{name}.{}", index + 1);
            see(&name, value.span(), value).or_else(|| visit_value(value, &name, see))
        }),
        _ => None,
    }
}

/// Span of the deepest part of a dotted key that is there.
fn span_of(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let mut best: Option<(usize, Range<usize>)> = None;
    visit::<()>(table, "", &mut |name, span, _| {
        let leads = key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        if leads && best.as_ref().is_none_or(|(len, _)| name.len() > *len) {
            best = Some((name.len(), span));
        }
        None
    });
    best.map(|(_, span)| span)
}

/// The dotted key is in the file.
fn has(table: &DeTable<'_>, key: &str) -> bool {
    visit(table, "", &mut |name, _, _| (name == key).then_some(())).is_some()
}

/// Name of the innermost table that holds the whole span; none if that is the file itself.
fn table_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    visit::<()>(table, "", &mut |name, key_span, value| {
        for around in [key_span, value.span()] {
            let holds = around.start <= span.start && span.end <= around.end;
            if value.get_ref().is_table() && holds && best.as_ref().is_none_or(|(len, _)| around.len() <= *len) {
                best = Some((around.len(), name.to_owned()));
            }
        }
        None
    });
    best.map(|(_, name)| name)
}

/// Name of the innermost key whose own text or value holds the byte.
pub(super) fn key_at(table: &DeTable<'_>, byte: usize) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    visit::<()>(table, "", &mut |name, key_span, value| {
        for span in [key_span, value.span()] {
            if span.contains(&byte) && best.as_ref().is_none_or(|(len, _)| span.len() <= *len) {
                best = Some((span.len(), name.to_owned()));
            }
        }
        None
    });
    best.map(|(_, name)| name)
}

/// A text out of a foreign file as one line of bounded length that cannot turn a screen round.
pub(super) fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => ';',
        c if steers_the_screen(c) => '\u{FFFD}',
        c => c,
    };
    text.chars().take(MAX_MESSAGE_LEN).map(shown).collect()
}
