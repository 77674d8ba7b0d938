//! What stands around every document: who says it, to whom, as which version, until when, as which part.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    domain::{
        documents::DocumentName,
        ids::{AccountId, Digest, ProviderId, SiteId, TerminalId},
        record::Enrolment,
    },
    protocol::form::{self, TextForm},
};

/// For whom a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// `*`: anybody. Only lists that card roots and districts sign, which serve many accounts.
    Everybody,
    /// `account:…`: every terminal of the account.
    Account(AccountId),
    /// `provider:…`: every terminal of the provider.
    Provider(ProviderId),
    /// `site:…`: every terminal of the site.
    Site(SiteId),
    /// `terminal:…`: one terminal.
    Terminal(TerminalId),
}

impl Audience {
    /// This terminal is meant, and the document may be addressed so widely: a card list is for one terminal.
    #[must_use]
    pub fn is_for(&self, name: DocumentName, me: &Enrolment) -> bool {
        let widely = name != DocumentName::CardList;
        match self {
            Self::Everybody => matches!(name, DocumentName::TrustList | DocumentName::DenyList),
            Self::Account(account) => widely && *account == me.account,
            Self::Provider(provider) => widely && *provider == me.provider,
            Self::Site(site) => widely && *site == me.site,
            Self::Terminal(terminal) => *terminal == me.terminal,
        }
    }
}

impl TextForm for Audience {
    const WHAT: &'static str = "an audience";

    fn write(&self) -> String {
        match self {
            Self::Everybody => "*".to_owned(),
            Self::Account(id) => format!("account:{id}"),
            Self::Provider(id) => format!("provider:{id}"),
            Self::Site(id) => format!("site:{id}"),
            Self::Terminal(id) => format!("terminal:{id}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everybody);
        }
        let (of, id) = text.split_once(':')?;
        match of {
            "account" => AccountId::new(id).ok().map(Self::Account),
            "provider" => ProviderId::new(id).ok().map(Self::Provider),
            "site" => SiteId::new(id).ok().map(Self::Site),
            "terminal" => TerminalId::new(id).ok().map(Self::Terminal),
            _ => None,
        }
    }
}

/// The same in every part of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Who says it: the account; of a trust list the card root's name, of a deny list the district.
    pub iss: String,
    /// For whom.
    #[serde(with = "form")]
    pub aud: Audience,
    /// Which document.
    #[serde(with = "form")]
    pub name: DocumentName,
    /// Its version: issue time in ms; only rises.
    pub seq: u64,
    /// When it was issued.
    #[serde(with = "form")]
    pub iat: Timestamp,
    /// When it lapses.
    #[serde(with = "form")]
    pub exp: Timestamp,
}

/// One part as it is signed: of a whole version, or the change that makes one out of an older one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Flat", into = "Flat")]
pub(super) struct Envelope {
    pub header: Header,
    pub part: u16,
    pub parts: u16,
    pub body: Body,
}

/// What an envelope carries.
#[derive(Clone)]
pub(super) enum Body {
    /// The content of this part.
    Whole(Box<RawValue>),
    /// A change.
    Delta(Delta),
}

/// A change to an older version.
#[derive(Clone)]
pub(super) struct Delta {
    /// Sequence of the version it changes.
    pub base: u64,
    /// SHA-256 over the canonical JSON of the resulting content.
    pub result: Digest,
    /// What changes.
    pub change: Box<RawValue>,
}

/// The wire form. Header members are written out rather than flattened, because flattening reads through a buffer that
/// cannot keep raw JSON.
#[derive(Serialize, Deserialize)]
struct Flat {
    iss: String,
    #[serde(with = "form")]
    aud: Audience,
    #[serde(with = "form")]
    name: DocumentName,
    seq: u64,
    #[serde(with = "form")]
    iat: Timestamp,
    #[serde(with = "form")]
    exp: Timestamp,
    /// Which part this is, from 1.
    part: u16,
    /// How many there are.
    parts: u16,
    /// What this part of a whole version says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<u64>,
    #[serde(with = "form::option", default, skip_serializing_if = "Option::is_none")]
    result: Option<Digest>,
    /// What changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delta: Option<Box<RawValue>>,
}

impl TryFrom<Flat> for Envelope {
    type Error = &'static str;

    fn try_from(flat: Flat) -> Result<Self, &'static str> {
        let Flat { iss, aud, name, seq, iat, exp, part, parts, content, base, result, delta } = flat;
        let body = match (content, base, result, delta) {
            (Some(content), None, None, None) => Body::Whole(content),
            (None, Some(base), Some(result), Some(change)) => Body::Delta(Delta { base, result, change }),
            _ => return Err("either content, or base, result and delta"),
        };
        Ok(Self { header: Header { iss, aud, name, seq, iat, exp }, part, parts, body })
    }
}

impl From<Envelope> for Flat {
    fn from(envelope: Envelope) -> Self {
        let Envelope { header: Header { iss, aud, name, seq, iat, exp }, part, parts, body } = envelope;
        let (content, base, result, delta) = match body {
            Body::Whole(content) => (Some(content), None, None, None),
            Body::Delta(delta) => (None, Some(delta.base), Some(delta.result), Some(delta.change)),
        };
        Self { iss, aud, name, seq, iat, exp, part, parts, content, base, result, delta }
    }
}
