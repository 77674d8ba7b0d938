//! Signed documents (protocol, 3): issued by the account, verified, assembled and accepted by the terminal.
//!
//! Each part of a document is a JWS of its own with the same envelope; parts `i of n` of one `seq` together say what the
//! document says. Nothing is taken over unless every part verifies, all envelopes agree, the document is for this
//! terminal, newer than what it has, not from the future and not over.

mod catalogue;
mod delta;
mod envelope;
mod keys;
mod lists;

use jiff::Timestamp;
use serde_json::value::RawValue;
use thiserror::Error;

use self::{
    catalogue::CatalogueForm,
    envelope::{Body, Delta, Envelope},
    keys::KeysForm,
    lists::{CardListForm, DenyListForm, DescriptorForm, ProfilesForm, TrustListForm},
};
pub use self::{
    envelope::{Audience, Header},
    keys::{AccountKeySet, KeyGrant, key_set},
};
use super::{
    json::{self, JsonError},
    jws::{self, JwsError, KeySet, SigningKey, Typ},
};
use crate::domain::{
    documents::{
        AccountDescriptor, AccountKeys, CardList, DenyList, DocumentContent, DocumentName, ProfileBundle,
        SignedDocument, TrustList,
    },
    offer::Catalogue,
    record::Enrolment,
};

/// Longest JWS of one part.
pub const MAX_PART_LEN: usize = 1024 * 1024;
/// Most parts of one document: 64 MiB, more than any list here needs.
pub const MAX_PARTS: u16 = 64;
/// Bytes of content per part when issuing: base64url and envelope keep it under [`MAX_PART_LEN`].
const PART_BUDGET: usize = 700 * 1024;
/// How far a `seq` may lie ahead of the time floor, ms: one day.
const MAX_AHEAD_MS: i64 = 86_400_000;
/// Longest life of a card list, ms: seven days.
const MAX_CARD_LIST_MS: i64 = 7 * 86_400_000;

/// Why a document is not taken over; what the terminal has stays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// A signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The JSON of a part.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Another document than was asked for.
    #[error("another document")]
    Name,
    /// Of another account.
    #[error("a document of another account")]
    Issuer,
    /// For another terminal, site or provider.
    #[error("a document for somebody else")]
    Audience,
    /// Parts are missing, double, too many, or do not belong together.
    #[error("the parts do not make one document")]
    Parts,
    /// A delta on another version than the one before it, or of a document that has none.
    #[error("a delta on another version")]
    Base,
    /// The changed content is not the one the account meant.
    #[error("the delta does not give what it promises")]
    Result,
    /// Not newer than what is held.
    #[error("an older document")]
    Rollback,
    /// More than a day ahead of the time floor.
    #[error("a document from the future")]
    Ahead,
    /// Past its end.
    #[error("the document has expired")]
    Expired,
    /// The content contradicts itself or the contract.
    #[error("the content is not acceptable: {0}")]
    Content(&'static str),
}

impl DocumentError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jws(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Name => "document_name",
            Self::Issuer => "document_issuer",
            Self::Audience => "document_audience",
            Self::Parts => "document_parts",
            Self::Base => "document_base",
            Self::Result => "document_result",
            Self::Rollback => "document_rollback",
            Self::Ahead => "document_ahead",
            Self::Expired => "document_expired",
            Self::Content(_) => "document_content",
        }
    }
}

/// What a document says. `seq` and `exp` inside are those of its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Who may sign what.
    Keys(AccountKeySet),
    /// Who the account is.
    Descriptor(AccountDescriptor),
    /// What may be claimed.
    Catalogue(Catalogue),
    /// Whose cards are genuine.
    TrustList(TrustList),
    /// Whose are denied.
    DenyList(DenyList),
    /// Whose are known.
    CardList(CardList),
    /// How to talk to them.
    Profiles(ProfileBundle),
}

impl Content {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> DocumentName {
        match self {
            Self::Keys(_) => DocumentName::Keys,
            Self::Descriptor(_) => DocumentName::Descriptor,
            Self::Catalogue(_) => DocumentName::Catalogue,
            Self::TrustList(_) => DocumentName::TrustList,
            Self::DenyList(_) => DocumentName::DenyList,
            Self::CardList(_) => DocumentName::CardList,
            Self::Profiles(_) => DocumentName::Profiles,
        }
    }
}

/// A verified, accepted document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Who, for whom, when.
    pub header: Header,
    /// What it says.
    pub content: Content,
    /// Its parts, in order.
    pub parts: Vec<String>,
}

impl Document {
    /// As the rest of the program knows it.
    #[must_use]
    pub fn into_signed(self) -> SignedDocument {
        let Header { name, seq, exp, .. } = self.header;
        let content = match self.content {
            Content::Keys(keys) => {
                let sealing_key = *keys.sealing.public().as_sec1();
                DocumentContent::Keys(AccountKeys { seq, exp, sealing_key })
            }
            Content::Descriptor(descriptor) => DocumentContent::Descriptor(descriptor),
            Content::Catalogue(catalogue) => DocumentContent::Catalogue(catalogue),
            Content::TrustList(list) => DocumentContent::TrustList(list),
            Content::DenyList(list) => DocumentContent::DenyList(list),
            Content::CardList(list) => DocumentContent::CardList(list),
            Content::Profiles(bundle) => DocumentContent::Profiles(bundle),
        };
        SignedDocument { name, seq, exp, parts: self.parts, content }
    }
}

/// What a terminal expects of a document.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    /// Who we are.
    pub enrolment: &'a Enrolment,
    /// Who may sign, from [`key_set`].
    pub keys: &'a KeySet,
    /// The time floor.
    pub now: Timestamp,
    /// Sequence of the version at hand; a new one must be higher.
    pub held: Option<u64>,
    /// A document past its end is read all the same: one that was kept and is verified again after a restart. What it
    /// still allows is said by the catalogue.
    pub lapsed: bool,
}

/// Issues a document: as many signed parts as its size needs.
///
/// `seq` and `exp` inside the content are ignored; the header's count.
///
/// # Errors
/// [`DocumentError::Content`] if a key in it is none, [`DocumentError::Parts`] if it is too large,
/// [`DocumentError::Name`] if the header names another document.
pub fn issue(header: &Header, content: &Content, key: &SigningKey) -> Result<Vec<String>, DocumentError> {
    if header.name != content.name() {
        return Err(DocumentError::Name);
    }
    let contents = write_parts(content, header)?;
    let parts = u16::try_from(contents.len()).ok().filter(|parts| *parts <= MAX_PARTS).ok_or(DocumentError::Parts)?;
    let sign = |(part, content)| {
        let envelope = Envelope { header: header.clone(), part, parts, body: Body::Whole(content) };
        jws::sign(key, Typ::Document(header.name), &json::to_vec(&envelope))
    };
    Ok((1..=parts).zip(contents).map(sign).collect())
}

/// Issues the change from one version of a card list or deny list to another, as one part that goes after the parts of
/// the base.
///
/// # Errors
/// [`DocumentError::Base`] for other documents or an older result, [`DocumentError::Parts`] if the change is so large
/// that the whole version is the better answer.
pub fn issue_delta(
    header: &Header,
    content: &Content,
    base: &Header,
    base_content: &Content,
    key: &SigningKey,
) -> Result<String, DocumentError> {
    if header.name != base.name || header.seq <= base.seq {
        return Err(DocumentError::Base);
    }
    let (change, result) = delta::difference(content, &header.aud, base_content, &base.aud)?;
    if change.get().len() > PART_BUDGET {
        return Err(DocumentError::Parts);
    }
    let body = Body::Delta(Delta { base: base.seq, result, change });
    let envelope = Envelope { header: header.clone(), part: 1, parts: 1, body };
    Ok(jws::sign(key, Typ::Document(header.name), &json::to_vec(&envelope)))
}

/// Verifies and assembles a document and decides whether it may be taken over: the parts of a whole version, and after
/// them any number of deltas, each on the version before it.
///
/// # Errors
/// [`DocumentError`]: signatures first, then the envelope's rules, then the content.
pub fn read(name: DocumentName, parts: &[String], expected: &Expectation<'_>) -> Result<Document, DocumentError> {
    if parts.is_empty() || parts.len() > usize::from(MAX_PARTS) {
        return Err(DocumentError::Parts);
    }
    let envelopes: Vec<Envelope> = parts
        .iter()
        .map(|jws| {
            let verified = jws::verify(jws, Typ::Document(name), expected.keys, expected.now, MAX_PART_LEN)?;
            Ok(json::from_slice(&verified.payload, MAX_PART_LEN)?)
        })
        .collect::<Result<_, DocumentError>>()?;
    let (whole, deltas) = versions(envelopes)?;
    let header = deltas.last().map_or(&whole.header, |(header, _)| header).clone();
    accept(&header, name, expected)?;
    // The versions a delta builds on are history: they must be ours, and need not be in force.
    let history = Expectation { held: None, lapsed: true, ..*expected };
    let older = std::iter::once(&whole.header).chain(deltas.iter().map(|(header, _)| header));
    older.into_iter().try_for_each(|header| accept(header, name, &history))?;
    let content = read_content(&header, &whole, &deltas, expected.enrolment)?;
    Ok(Document { header, content, parts: parts.to_vec() })
}

/// A catalogue out of the journal, for whoever only looks at it: it was verified before it was kept. `None` if it cannot be
/// read.
#[must_use]
pub fn kept_catalogue(parts: &[String]) -> Option<Catalogue> {
    let envelope = |jws: &String| json::from_slice(&jws::kept_payload(jws)?, MAX_PART_LEN).ok();
    let (whole, _) = versions(parts.iter().map(envelope).collect::<Option<_>>()?).ok()?;
    form::<CatalogueForm>(&whole.contents).ok()?.read(&whole.header).ok()
}

/// A whole version, put together.
struct Whole {
    header: Header,
    contents: Vec<Box<RawValue>>,
}

/// Sorts the parts into one whole version and the deltas that follow it.
fn versions(envelopes: Vec<Envelope>) -> Result<(Whole, Vec<(Header, Delta)>), DocumentError> {
    let mut envelopes = envelopes.into_iter().peekable();
    let first = envelopes.peek().ok_or(DocumentError::Parts)?;
    let (header, count) = (first.header.clone(), first.parts);
    let mut contents = Vec::new();
    for part in 1..=count {
        let envelope = envelopes.next().ok_or(DocumentError::Parts)?;
        let fits = envelope.header == header && envelope.part == part && envelope.parts == count;
        match envelope.body {
            Body::Whole(content) if fits => contents.push(content),
            Body::Delta(_) if part == 1 => return Err(DocumentError::Base),
            _ => return Err(DocumentError::Parts),
        }
    }
    let mut deltas: Vec<(Header, Delta)> = Vec::new();
    for envelope in envelopes {
        let Body::Delta(delta) = envelope.body else { return Err(DocumentError::Parts) };
        let before = deltas.last().map_or(header.seq, |(header, _)| header.seq);
        if (envelope.part, envelope.parts) != (1, 1) {
            return Err(DocumentError::Parts);
        }
        if delta.base != before || envelope.header.seq <= before {
            return Err(DocumentError::Base);
        }
        deltas.push((envelope.header, delta));
    }
    Ok((Whole { header, contents }, deltas))
}

/// Header, number and count of one part, its signature verified: how a terminal learns what else to fetch. A delta is
/// part 1 of 1.
///
/// # Errors
/// [`DocumentError`].
pub fn part_of(name: DocumentName, jws: &str, expected: &Expectation<'_>) -> Result<(Header, u16, u16), DocumentError> {
    let verified = jws::verify(jws, Typ::Document(name), expected.keys, expected.now, MAX_PART_LEN)?;
    let envelope: Envelope = json::from_slice(&verified.payload, MAX_PART_LEN)?;
    accept(&envelope.header, name, expected)?;
    if envelope.part == 0 || envelope.part > envelope.parts || envelope.parts > MAX_PARTS {
        return Err(DocumentError::Parts);
    }
    Ok((envelope.header, envelope.part, envelope.parts))
}

/// The rules of the envelope (protocol, 3; fault 32), apart from everything a signature says.
///
/// # Errors
/// [`DocumentError`] names the first rule that is broken.
pub fn accept(header: &Header, name: DocumentName, expected: &Expectation<'_>) -> Result<(), DocumentError> {
    if header.name != name {
        return Err(DocumentError::Name);
    }
    // Trust and deny lists are signed by card root and district, whose keys were looked up by name already.
    let foreign_signer = matches!(name, DocumentName::TrustList | DocumentName::DenyList);
    if !foreign_signer && header.iss != expected.enrolment.account.as_str() {
        return Err(DocumentError::Issuer);
    }
    if !header.aud.is_for(name, expected.enrolment) {
        return Err(DocumentError::Audience);
    }
    if expected.held.is_some_and(|held| header.seq <= held) {
        return Err(DocumentError::Rollback);
    }
    let latest = expected.now.as_millisecond().saturating_add(MAX_AHEAD_MS);
    if i64::try_from(header.seq).map_or(true, |seq| seq > latest) {
        return Err(DocumentError::Ahead);
    }
    if header.exp <= expected.now && !expected.lapsed {
        return Err(DocumentError::Expired);
    }
    let life = header.exp.as_millisecond().saturating_sub(header.iat.as_millisecond());
    if life <= 0 {
        return Err(DocumentError::Content("ends before it begins"));
    }
    if name == DocumentName::CardList && life > MAX_CARD_LIST_MS {
        return Err(DocumentError::Content("a card list lives at most seven days"));
    }
    Ok(())
}

/// The JSON form of one document's content.
trait Form: serde::Serialize + serde::de::DeserializeOwned {
    /// Cuts a list into parts of about `budget` bytes; a form without lists stays whole.
    fn split(self, budget: usize) -> Vec<Self> {
        let _ = budget;
        vec![self]
    }

    /// Takes the next part's lists over; false if the parts do not belong together.
    fn append(&mut self, next: Self) -> bool {
        drop(next);
        false
    }
}

/// Items in runs whose JSON is about `budget` bytes; at least one run.
fn chunks<T: serde::Serialize>(items: Vec<T>, budget: usize) -> Vec<Vec<T>> {
    let mut runs = vec![Vec::new()];
    let mut used = 0;
    for item in items {
        let len = json::to_vec(&item).len() + 1;
        if used + len > budget && used > 0 {
            runs.push(Vec::new());
            used = 0;
        }
        used += len;
        runs.last_mut().expect("there is at least one run").push(item);
    }
    runs
}

fn write_parts(content: &Content, header: &Header) -> Result<Vec<Box<RawValue>>, DocumentError> {
    fn raw<F: Form>(form: F) -> Vec<Box<RawValue>> {
        let write = |part| serde_json::value::to_raw_value(&part).expect("forms always serialise");
        form.split(PART_BUDGET).into_iter().map(write).collect()
    }
    let wrong = DocumentError::Content;
    Ok(match content {
        Content::Keys(keys) => raw(KeysForm::from(keys)),
        Content::Descriptor(descriptor) => raw(DescriptorForm::try_from(descriptor).map_err(wrong)?),
        Content::Catalogue(catalogue) => raw(CatalogueForm::from(catalogue)),
        Content::TrustList(list) => raw(TrustListForm::try_from(list).map_err(wrong)?),
        Content::DenyList(list) => raw(DenyListForm::from(list)),
        Content::CardList(list) => raw(CardListForm::of(list, &header.aud)),
        Content::Profiles(bundle) => raw(ProfilesForm::from(bundle)),
    })
}

fn form<F: Form>(parts: &[Box<RawValue>]) -> Result<F, DocumentError> {
    let (first, rest) = parts.split_first().ok_or(DocumentError::Parts)?;
    let mut whole: F = parse(first)?;
    for part in rest {
        if !whole.append(parse(part)?) {
            return Err(DocumentError::Parts);
        }
    }
    Ok(whole)
}

/// The shape of JSON that was walked strictly as part of its envelope.
fn parse<T: serde::de::DeserializeOwned>(raw: &RawValue) -> Result<T, DocumentError> {
    serde_json::from_str(raw.get()).map_err(|error| DocumentError::Json(JsonError::Shape(error.to_string())))
}

/// The form of the last version: the whole one, changed by one delta after the other.
fn changed<F: delta::Changing>(whole: &Whole, deltas: &[(Header, Delta)]) -> Result<F, DocumentError> {
    let mut form: F = form(&whole.contents)?;
    for (_, delta) in deltas {
        form.apply(parse(&delta.change)?);
        if delta::digest(&form) != delta.result {
            return Err(DocumentError::Result);
        }
    }
    Ok(form)
}

fn read_content(
    header: &Header,
    whole: &Whole,
    deltas: &[(Header, Delta)],
    me: &Enrolment,
) -> Result<Content, DocumentError> {
    let (wrong, parts) = (DocumentError::Content, &whole.contents);
    let changes = matches!(header.name, DocumentName::CardList | DocumentName::DenyList);
    if !changes && !deltas.is_empty() {
        return Err(DocumentError::Base);
    }
    Ok(match header.name {
        DocumentName::Keys => Content::Keys(form::<KeysForm>(parts)?.read().map_err(wrong)?),
        DocumentName::Descriptor => {
            Content::Descriptor(form::<DescriptorForm>(parts)?.read(header.seq, me).map_err(wrong)?)
        }
        DocumentName::Catalogue => Content::Catalogue(form::<CatalogueForm>(parts)?.read(header).map_err(wrong)?),
        DocumentName::TrustList => Content::TrustList(form::<TrustListForm>(parts)?.read(header)),
        DocumentName::DenyList => {
            Content::DenyList(changed::<DenyListForm>(whole, deltas)?.read(header).map_err(wrong)?)
        }
        DocumentName::CardList => {
            Content::CardList(changed::<CardListForm>(whole, deltas)?.read(header, me).map_err(wrong)?)
        }
        DocumentName::Profiles => Content::Profiles(form::<ProfilesForm>(parts)?.read(header)),
    })
}
