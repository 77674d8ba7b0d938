//! JWS compact (RFC 7515), ES256 only, with every choice an attacker could make taken away (RFC 8725): the header is
//! exactly `{alg, typ, kid}`, the key is looked up among those allowed for the type, sizes are capped before anything
//! is decoded, and nothing of the payload is parsed before the signature holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

pub use super::key::{KeyError, Kid, PublicKey, SigningKey, sha256};
use super::{form::B64, json};
use crate::domain::{documents::DocumentName, ids::Digest};

/// Longest header before decoding: three members and a thumbprint need 120 characters.
const MAX_HEADER_LEN: usize = 400;
/// ES256 has 64 bytes, 86 characters.
const SIGNATURE_LEN: usize = 86;

/// What a signature is for. A key is allowed for types, never in general.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Typ {
    /// Signed part of a record; by a terminal.
    Record,
    /// Question for the decision on an enrolment; by the key of the certificate request.
    Poll,
    /// Outcome of records.
    Receipt,
    /// Standing, head, beacon.
    Control,
    /// Page of later outcomes.
    Outcomes,
    /// Monthly statement.
    Statement,
    /// A document of this name.
    Document(DocumentName),
}

impl Typ {
    /// All types.
    pub const ALL: [Self; 13] = [
        Self::Record,
        Self::Poll,
        Self::Receipt,
        Self::Control,
        Self::Outcomes,
        Self::Statement,
        Self::Document(DocumentName::Keys),
        Self::Document(DocumentName::Descriptor),
        Self::Document(DocumentName::Catalogue),
        Self::Document(DocumentName::TrustList),
        Self::Document(DocumentName::DenyList),
        Self::Document(DocumentName::CardList),
        Self::Document(DocumentName::Profiles),
    ];

    /// The header's `typ`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Record => "teilhabe-record",
            Self::Poll => "teilhabe-poll",
            Self::Receipt => "teilhabe-receipt",
            Self::Control => "teilhabe-control",
            Self::Outcomes => "teilhabe-outcomes",
            Self::Statement => "teilhabe-statement",
            Self::Document(DocumentName::Keys) => "teilhabe-keys",
            Self::Document(DocumentName::Descriptor) => "teilhabe-descriptor",
            Self::Document(DocumentName::Catalogue) => "teilhabe-catalogue",
            Self::Document(DocumentName::TrustList) => "teilhabe-trust-list",
            Self::Document(DocumentName::DenyList) => "teilhabe-deny-list",
            Self::Document(DocumentName::CardList) => "teilhabe-card-list",
            Self::Document(DocumentName::Profiles) => "teilhabe-profiles",
        }
    }
}

/// Why a JWS is not believed. Checked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum JwsError {
    /// Longer than the caller allows.
    #[error("the JWS is too large")]
    TooLarge,
    /// Not three parts of strict base64url with a signature of 64 bytes.
    #[error("not a compact JWS")]
    Malformed,
    /// The header is not exactly `{alg, typ, kid}`.
    #[error("the JWS header is not exactly alg, typ and kid")]
    Header,
    /// `alg` is not ES256.
    #[error("the JWS is not ES256")]
    Algorithm,
    /// `typ` is not what was asked for.
    #[error("the JWS is of another type")]
    Typ,
    /// No key of that name may sign this type.
    #[error("the key may not sign this type")]
    Key,
    /// The key's window does not hold now.
    #[error("the key is not valid now")]
    KeyWindow,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
}

impl JwsError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "jws_too_large",
            Self::Malformed => "jws_malformed",
            Self::Header => "jws_header",
            Self::Algorithm => "jws_algorithm",
            Self::Typ => "jws_typ",
            Self::Key => "jws_key",
            Self::KeyWindow => "jws_key_window",
            Self::Signature => "jws_signature",
        }
    }
}

/// A key with the time it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowed {
    key: PublicKey,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Which key may sign what, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet(BTreeMap<(Typ, Kid), Allowed>);

impl KeySet {
    /// No key, hence nothing verifies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a key for a type at any time.
    #[must_use]
    pub fn with(mut self, typ: Typ, key: PublicKey) -> Self {
        self.allow(typ, key, Timestamp::MIN, Timestamp::MAX);
        self
    }

    /// Allows a key for a type from `not_before` until just before `not_after`.
    pub fn allow(&mut self, typ: Typ, key: PublicKey, not_before: Timestamp, not_after: Timestamp) {
        self.0.insert((typ, key.kid()), Allowed { key, not_before, not_after });
    }

    /// Forbids all keys of a type.
    pub fn forbid(&mut self, typ: Typ) {
        self.0.retain(|(of, _), _| *of != typ);
    }

    /// The keys of a type, whatever their window.
    pub fn keys(&self, typ: Typ) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |((of, _), _)| *of == typ).map(|(_, allowed)| &allowed.key)
    }

    fn find(&self, typ: Typ, kid: Kid, now: Timestamp) -> Result<&PublicKey, JwsError> {
        let allowed = self.0.get(&(typ, kid)).ok_or(JwsError::Key)?;
        let holds = (allowed.not_before..allowed.not_after).contains(&now);
        if holds { Ok(&allowed.key) } else { Err(JwsError::KeyWindow) }
    }
}

/// A payload whose signature held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The payload's bytes, not yet parsed.
    pub payload: Vec<u8>,
    /// SHA-256 over the signing input `header.payload`; does not change with the signature's randomness.
    pub digest: Digest,
    /// Who signed.
    pub kid: Kid,
}

/// Digest of a signing input, which is what records chain by.
#[must_use]
pub fn digest_of(signing_input: &str) -> Digest {
    sha256(signing_input.as_bytes())
}

/// `header.payload` as it is signed.
#[must_use]
pub fn signing_input(kid: Kid, typ: Typ, payload: &[u8]) -> String {
    let header = format!(r#"{{"alg":"ES256","typ":"{}","kid":"{kid}"}}"#, typ.word());
    format!("{}.{}", B64.encode(header.as_bytes()), B64.encode(payload))
}

/// Signs a payload.
#[must_use]
pub fn sign(key: &SigningKey, typ: Typ, payload: &[u8]) -> String {
    sign_with_digest(key, typ, payload).0
}

/// Signs a payload and tells the digest by which the JWS will be known.
#[must_use]
pub fn sign_with_digest(key: &SigningKey, typ: Typ, payload: &[u8]) -> (String, Digest) {
    let mut jws = signing_input(key.kid(), typ, payload);
    let digest = digest_of(&jws);
    let signature = key.sign(jws.as_bytes());
    jws.push('.');
    B64.encode_append(&signature, &mut jws);
    (jws, digest)
}

/// Verifies a JWS by the keys allowed for its type at `now` (the time floor).
///
/// # Errors
/// [`JwsError`], the first that is found in its order.
pub fn verify(jws: &str, typ: Typ, keys: &KeySet, now: Timestamp, max_len: usize) -> Result<Verified, JwsError> {
    verify_by(jws, typ, max_len, |kid| keys.find(typ, kid, now).cloned())
}

/// What a JWS says that was verified before it was kept. Nothing is verified here, so nothing may be decided by it.
#[must_use]
pub fn kept_payload(jws: &str) -> Option<Vec<u8>> {
    B64.decode(jws.split('.').nth(1)?.as_bytes()).ok()
}

/// Verifies a JWS by a key that `find` looks up by the name in the header, which is a claim until then.
///
/// # Errors
/// [`JwsError`], also the one `find` gives.
pub fn verify_by(
    jws: &str,
    typ: Typ,
    max_len: usize,
    find: impl FnOnce(Kid) -> Result<PublicKey, JwsError>,
) -> Result<Verified, JwsError> {
    if jws.len() > max_len {
        return Err(JwsError::TooLarge);
    }
    let (input, signature) = jws.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, payload) = input.split_once('.').ok_or(JwsError::Malformed)?;
    if header.len() > MAX_HEADER_LEN || signature.len() != SIGNATURE_LEN {
        return Err(JwsError::Malformed);
    }
    let decode = |part: &str| B64.decode(part.as_bytes()).map_err(|_| JwsError::Malformed);
    let signature = decode(signature)?.try_into().map_err(|_| JwsError::Malformed)?;
    let kid = check_header(&decode(header)?, typ)?;
    let key = find(kid)?;
    if !key.verifies(input.as_bytes(), &signature) {
        return Err(JwsError::Signature);
    }
    Ok(Verified { payload: decode(payload)?, digest: digest_of(input), kid })
}

/// The three members, and no fourth.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

fn check_header(bytes: &[u8], typ: Typ) -> Result<Kid, JwsError> {
    let header: Header = json::from_slice(bytes, MAX_HEADER_LEN).map_err(|_| JwsError::Header)?;
    if header.alg != "ES256" {
        return Err(JwsError::Algorithm);
    }
    if header.typ != typ.word() {
        return Err(JwsError::Typ);
    }
    Kid::parse(&header.kid).ok_or(JwsError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn with_header(key: &SigningKey, header: &str, payload: &[u8]) -> String {
        let input = format!("{}.{}", B64.encode(header.as_bytes()), B64.encode(payload));
        let signature = B64.encode(&key.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    #[test]
    fn what_was_signed_verifies_and_has_its_digest() {
        let key = SigningKey::generate();
        let keys = KeySet::new().with(Typ::Receipt, key.public().clone());
        let (jws, digest) = sign_with_digest(&key, Typ::Receipt, b"payload");
        let verified = verify(&jws, Typ::Receipt, &keys, NOW, 1000).unwrap();
        assert_eq!((verified.payload.as_slice(), verified.digest, verified.kid), (&b"payload"[..], digest, key.kid()));
        assert_eq!(verify(&jws, Typ::Receipt, &keys, NOW, jws.len() - 1), Err(JwsError::TooLarge));
    }

    #[test]
    fn header_games_are_refused() {
        let (key, kid) = {
            let key = SigningKey::generate();
            let kid = key.kid().to_string();
            (key, kid)
        };
        let keys = KeySet::new().with(Typ::Receipt, key.public().clone());
        let ok = format!(r#"{{"kid":"{kid}","typ":"teilhabe-receipt", "alg":"ES256"}}"#);
        assert!(verify(&with_header(&key, &ok, b"{}"), Typ::Receipt, &keys, NOW, 1000).is_ok());
        let member = |extra: &str| format!(r#"{{"alg":"ES256","typ":"teilhabe-receipt","kid":"{kid}",{extra}}}"#);
        let cases = [
            (format!(r#"{{"alg":"none","typ":"teilhabe-receipt","kid":"{kid}"}}"#), JwsError::Algorithm),
            (format!(r#"{{"alg":"HS256","typ":"teilhabe-receipt","kid":"{kid}"}}"#), JwsError::Algorithm),
            (format!(r#"{{"alg":"ES384","typ":"teilhabe-receipt","kid":"{kid}"}}"#), JwsError::Algorithm),
            (format!(r#"{{"alg":"ES256","typ":"teilhabe-record","kid":"{kid}"}}"#), JwsError::Typ),
            (format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{kid}"}}"#), JwsError::Typ),
            (r#"{"alg":"ES256","typ":"teilhabe-receipt","kid":"../../keys/1"}"#.into(), JwsError::Key),
            (format!(r#"{{"alg":"ES256","typ":"teilhabe-receipt","kid":"{}"}}"#, Kid([7; 32])), JwsError::Key),
            (r#"{"alg":"ES256","typ":"teilhabe-receipt"}"#.into(), JwsError::Header),
            (member(r#""crit":["exp"]"#), JwsError::Header),
            (member(r#""b64":false"#), JwsError::Header),
            (member(r#""zip":"DEF""#), JwsError::Header),
            (member(r#""jku":"https://x""#), JwsError::Header),
            (member(r#""x5u":"https://x""#), JwsError::Header),
            (member(r#""jwk":{}"#), JwsError::Header),
            (member(r#""x5c":[]"#), JwsError::Header),
            (member(r#""alg":"none""#), JwsError::Header),
            ("[]".into(), JwsError::Header),
        ];
        for (header, error) in cases {
            let jws = with_header(&key, &header, b"{}");
            assert_eq!(verify(&jws, Typ::Receipt, &keys, NOW, 2000), Err(error), "{header}");
        }
    }

    #[test]
    fn a_changed_or_foreign_jws_is_refused() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let keys = KeySet::new().with(Typ::Receipt, key.public().clone()).with(Typ::Control, other.public().clone());
        let jws = sign(&key, Typ::Receipt, br#"{"a":1}"#);
        let check = |jws: &str| verify(jws, Typ::Receipt, &keys, NOW, 1000).map(drop);
        assert_eq!(check(&jws), Ok(()));
        assert_eq!(check(&sign(&other, Typ::Receipt, b"{}")), Err(JwsError::Key), "a key of another type");
        let parts: Vec<&str> = jws.split('.').collect();
        let [header, payload, signature] = parts[..] else { unreachable!("a JWS has three parts") };
        let flipped = format!("{}{}", &signature[43..], &signature[..43]);
        let cases = [
            (format!("{header}.{}.{signature}", B64.encode(br#"{"a":2}"#)), JwsError::Signature),
            (format!("{header}.{payload}.{flipped}"), JwsError::Malformed),
            (format!("{header}.{payload}.{}", "A".repeat(86)), JwsError::Signature),
            (format!("{header}.{payload}."), JwsError::Malformed),
            (format!("{header}.{payload}"), JwsError::Malformed),
            (format!("{jws}.{signature}"), JwsError::Signature),
            (format!("{header}=.{payload}.{signature}"), JwsError::Malformed),
            (format!(" {jws}"), JwsError::Malformed),
            (format!("{jws}\n"), JwsError::Malformed),
            ("..".into(), JwsError::Malformed),
            (String::new(), JwsError::Malformed),
        ];
        for (text, error) in cases {
            let found = check(&text).unwrap_err();
            // A rotated half may by chance still be base64url with clean trailing bits: then the signature is wrong.
            assert!(found == error || found == JwsError::Signature, "{text}: {found}");
        }
    }

    #[test]
    fn a_key_counts_only_within_its_window() {
        let key = SigningKey::generate();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut keys = KeySet::new();
        keys.allow(Typ::Control, key.public().clone(), at(100), at(200));
        let jws = sign(&key, Typ::Control, b"{}");
        for (second, ok) in [(99, false), (100, true), (199, true), (200, false)] {
            let outcome = verify(&jws, Typ::Control, &keys, at(second), 1000).map(drop);
            assert_eq!(outcome, if ok { Ok(()) } else { Err(JwsError::KeyWindow) }, "{second}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}", parts in "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{86}") {
            let keys = KeySet::new();
            proptest::prop_assert!(verify(&text, Typ::Record, &keys, NOW, 1000).is_err());
            proptest::prop_assert!(verify(&parts, Typ::Record, &keys, NOW, 1000).is_err());
        }
    }
}
