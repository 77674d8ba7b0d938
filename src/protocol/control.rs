//! `hello` and heartbeats: how the account regards a terminal, and what the terminal says of itself (protocol, 2 and 4).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    document::Audience,
    form,
    json::{self, JsonError},
    jws::{self, JwsError, KeySet, SigningKey, Typ},
};
use crate::domain::{
    documents::{Control, DocumentName, TerminalStanding},
    ids::{AccountId, Digest, TerminalId},
    record::Enrolment,
};

/// Longest control message or heartbeat.
pub const MAX_LEN: usize = 16 * 1024;

/// Why a control message changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ControlError {
    /// The signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The content.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// From another account.
    #[error("a control message of another account")]
    Issuer,
    /// For another terminal.
    #[error("a control message for another terminal")]
    Audience,
    /// Older than one that was heard already.
    #[error("an older control message")]
    Stale,
}

impl ControlError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jws(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Issuer => "control_issuer",
            Self::Audience => "control_audience",
            Self::Stale => "control_stale",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct ControlForm {
    #[serde(with = "form")]
    iss: AccountId,
    #[serde(with = "form")]
    aud: Audience,
    #[serde(with = "form")]
    iat: Timestamp,
    #[serde(with = "form")]
    standing: TerminalStanding,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    documents: Vec<Version>,
    #[serde(with = "form")]
    beacon: [u8; 16],
    minimum_version: String,
    grace_days: u16,
    #[serde(with = "form::list", default, skip_serializing_if = "Vec::is_empty")]
    refresh: Vec<DocumentName>,
}

/// End of a terminal's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Highest sequence.
    pub seq: u64,
    /// Digest of that record.
    #[serde(with = "form")]
    pub digest: Digest,
}

/// A document's name and sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Which.
    #[serde(with = "form")]
    pub name: DocumentName,
    /// Its sequence.
    pub seq: u64,
}

/// Answer to `hello` and to a heartbeat: `{"control": jws}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlAnswer {
    /// JWS `teilhabe-control`.
    pub control: String,
}

/// Signs a control message for one terminal.
#[must_use]
pub fn sign(key: &SigningKey, account: &AccountId, terminal: &TerminalId, control: &Control) -> String {
    let form = ControlForm {
        iss: account.clone(),
        aud: Audience::Terminal(terminal.clone()),
        iat: control.issued_at,
        standing: control.standing,
        head: control.head.map(|(seq, digest)| Head { seq, digest }),
        documents: control.documents.iter().map(|(name, seq)| Version { name: *name, seq: *seq }).collect(),
        beacon: control.beacon,
        minimum_version: control.minimum_version.clone(),
        grace_days: control.grace_days,
        refresh: control.refresh.clone(),
    };
    jws::sign(key, Typ::Control, &json::to_vec(&form))
}

/// Verifies a control message. `newest` is the issue time of the newest one heard: an older one is a replay, by which a
/// front end without keys could bring back a standing or a beacon that is over.
///
/// # Errors
/// [`ControlError`].
pub fn verify(
    jws: &str,
    keys: &KeySet,
    now: Timestamp,
    me: &Enrolment,
    newest: Option<Timestamp>,
) -> Result<Control, ControlError> {
    let verified = jws::verify(jws, Typ::Control, keys, now, MAX_LEN)?;
    let form: ControlForm = json::from_slice(&verified.payload, MAX_LEN)?;
    if form.iss != me.account {
        return Err(ControlError::Issuer);
    }
    if form.aud != Audience::Terminal(me.terminal.clone()) {
        return Err(ControlError::Audience);
    }
    if newest.is_some_and(|newest| form.iat < newest) {
        return Err(ControlError::Stale);
    }
    Ok(Control {
        standing: form.standing,
        head: form.head.map(|head| (head.seq, head.digest)),
        documents: form.documents.iter().map(|version| (version.name, version.seq)).collect(),
        beacon: form.beacon,
        issued_at: form.iat,
        minimum_version: form.minimum_version,
        grace_days: form.grace_days,
        refresh: form.refresh,
    })
}

/// True if a program of this version is older than the oldest the account takes. Versions are numbers with dots between
/// (Semantic Versioning, 2); what follows a hyphen or plus is not looked at. A minimum that is no version asks for nothing.
#[must_use]
pub fn is_older(version: &str, minimum: &str) -> bool {
    let numbers = |text: &str| -> Option<[u64; 3]> {
        let mut numbers = text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok());
        let three = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(three)
    };
    numbers(version).zip(numbers(minimum)).is_some_and(|(version, minimum)| version < minimum)
}

/// State of the reader as a heartbeat tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReaderState {
    /// A reader is there and works.
    Ready,
    /// None is attached.
    Missing,
    /// The reader or its service fails.
    Failing,
}

/// `POST /v1/heartbeats`: enums and numbers only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// End of the terminal's chain, as a witness against clones and restored backups; absent before the first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Program version.
    pub version: String,
    /// Records that wait.
    pub waiting: u32,
    /// Age of the oldest waiting record, seconds.
    pub oldest_s: u32,
    /// Records set aside.
    pub quarantined: u32,
    /// The reader.
    pub reader: ReaderState,
    /// The clock is believed.
    pub clock_trusted: bool,
    /// Wall clock minus the account's time, ms.
    pub clock_offset_ms: i64,
    /// Documents in force.
    pub documents: Vec<Version>,
}

#[cfg(test)]
mod tests {
    use super::is_older;

    #[test]
    fn versions_are_compared_number_by_number() {
        let cases = [
            ("0.1.0", "0.1.0", false),
            ("0.1.0", "0.1.1", true),
            ("0.9.0", "0.10.0", true),
            ("1.0.0", "0.10.0", false),
            ("1.0.0-rc.1", "1.0.0", false),
            ("0.1.0", "", false),
            ("0.1.0", "next year", false),
            ("0.1.0", "1.0.0.0", false),
            ("0.1.0", "99999999999999999999.0.0", false),
        ];
        for (version, minimum, expected) in cases {
            assert_eq!(is_older(version, minimum), expected, "{version} {minimum}");
        }
    }
}
