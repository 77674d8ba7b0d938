//! The claims of the four signed objects (card-application, 1.3), as values and as CBOR.

use jiff::Timestamp;

use super::{
    error::{CardError, Place},
    key::PublicKey,
};
use crate::{
    cbor::Value,
    domain::ids::{DistrictId, Identity, IdentityKind},
};

/// CWT claim labels (RFC 8392, 3.1 and RFC 8747, 3.1), and ours from the private range.
mod label {
    pub const ISSUER: i64 = 1;
    pub const SUBJECT: i64 = 2;
    pub const AUDIENCE: i64 = 3;
    pub const EXPIRES: i64 = 4;
    pub const ISSUED: i64 = 6;
    pub const TOKEN_ID: i64 = 7;
    pub const CONFIRMATION: i64 = 8;
    pub const PRIVATE: i64 = -65537;
}

/// The one version of the private claims.
const PRIVATE_VERSION: i64 = 1;

/// What kind of bearer a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A chip card.
    Card,
    /// A phone.
    Phone,
    /// A printed code.
    Printed,
}

impl Kind {
    /// Its bit in a certificate's mask, and its number in a credential.
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::Card => 1,
            Self::Phone => 2,
            Self::Printed => 4,
        }
    }

    const fn from_bit(bit: i64) -> Option<Self> {
        match bit {
            1 => Some(Self::Card),
            2 => Some(Self::Phone),
            4 => Some(Self::Printed),
            _ => None,
        }
    }
}

/// Claims of `bik-iss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerClaims {
    /// Name of the root.
    pub root: String,
    /// The district that may issue.
    pub district: DistrictId,
    /// When the certificate was made.
    pub issued: Timestamp,
    /// First instant at which it is invalid.
    pub expires: Timestamp,
    /// The issuing key.
    pub key: PublicKey,
    /// Bits of [`Kind`]s it may issue.
    pub kinds: u8,
}

/// Claims of `bik-crd`, and of `bik-sta`, which has no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialClaims {
    /// The district.
    pub district: DistrictId,
    /// When it was issued.
    pub issued: Timestamp,
    /// First instant at which it is invalid.
    pub expires: Timestamp,
    /// The card's identity.
    pub cti: [u8; 16],
    /// The bearer's key.
    pub key: Option<PublicKey>,
    /// For which bearer.
    pub kind: Kind,
}

/// Claims of `bik-pop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofClaims {
    /// Terminal and challenge, `T-1/493027`, if it is bound to one.
    pub audience: Option<String>,
    /// When it was made.
    pub issued: Timestamp,
    /// First instant at which it is invalid.
    pub expires: Timestamp,
    /// Makes it unique.
    pub token: [u8; 8],
}

/// A map whose every key must be known.
struct Claims<'a> {
    map: &'a Value,
    place: Place,
}

impl<'a> Claims<'a> {
    fn new(map: &'a Value, place: Place, known: &[i64]) -> Result<Self, CardError> {
        let entries = map.as_map().ok_or(CardError::Layout(place))?;
        let is_known = |key: &Value| key.as_int().is_some_and(|key| known.contains(&key));
        if entries.iter().all(|(key, _)| is_known(key)) {
            Ok(Self { map, place })
        } else {
            Err(CardError::Layout(place))
        }
    }

    fn need<T>(&self, key: i64, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<T, CardError> {
        self.map.get(key).and_then(read).ok_or(CardError::Layout(self.place))
    }

    fn district(&self, key: i64) -> Result<DistrictId, CardError> {
        self.need(key, |value| district(value.as_text()?))
    }

    /// Issue and end; an end that does not come after the issue is no window.
    fn window(&self) -> Result<(Timestamp, Timestamp), CardError> {
        let instant = |value: &Value| Timestamp::from_second(value.as_int().filter(|s| *s >= 0)?).ok();
        let issued = self.need(label::ISSUED, instant)?;
        let expires = self.need(label::EXPIRES, instant)?;
        if issued < expires { Ok((issued, expires)) } else { Err(CardError::Layout(self.place)) }
    }

    /// `cnf {1: COSE_Key}` in its compressed form (RFC 9053, 7.1.1).
    fn confirmation(&self) -> Result<PublicKey, CardError> {
        let holder = self.need(label::CONFIRMATION, Some)?;
        let key = Claims::new(holder, self.place, &[1])?.need(1, Some)?;
        let key = Claims::new(key, self.place, &[1, -1, -2, -3])?;
        let int = |value: &Value| value.as_int();
        if key.need(1, int)? != 2 || key.need(-1, int)? != 1 {
            return Err(CardError::Layout(self.place));
        }
        let x: [u8; 32] = key.need(-2, |value| value.as_bytes()?.try_into().ok())?;
        let odd = key.need(-3, |value| if let Value::Bool(odd) = value { Some(*odd) } else { None })?;
        let mut compressed = [0; 33];
        compressed[0] = 2 + u8::from(odd);
        compressed[1..].copy_from_slice(&x);
        PublicKey::from_compressed(&compressed).ok_or(CardError::NotAPoint)
    }

    /// The private map `{1: 1, 2: number}`: unknown odd keys may be ignored, even ones are critical.
    fn private(&self) -> Result<i64, CardError> {
        let private = self.need(label::PRIVATE, Some)?;
        for (key, _) in private.as_map().ok_or(CardError::Layout(self.place))? {
            match key.as_int() {
                Some(1 | 2) => {}
                Some(key) if key % 2 == 0 => return Err(CardError::CriticalClaim),
                Some(_) => {}
                None => return Err(CardError::Layout(self.place)),
            }
        }
        let int = |key| private.get(key).and_then(Value::as_int).ok_or(CardError::Layout(self.place));
        if int(1)? != PRIVATE_VERSION {
            return Err(CardError::CriticalClaim);
        }
        int(2)
    }
}

/// `de:` and the eight digits of the municipality key.
fn district(text: &str) -> Option<DistrictId> {
    let key = text.strip_prefix("de:")?;
    let fits = key.len() == 8 && key.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| DistrictId::new(text).ok())?
}

fn instant(at: Timestamp) -> Value {
    Value::int(at.as_second())
}

fn confirmation(key: &PublicKey) -> Value {
    let [sign, x @ ..] = key.compressed();
    let key = Value::Map(vec![
        (Value::int(1), Value::int(2)),
        (Value::int(-1), Value::int(1)),
        (Value::int(-2), Value::bytes(*x)),
        (Value::int(-3), Value::Bool(*sign == 3)),
    ]);
    Value::Map(vec![(Value::int(1), key)])
}

fn private(number: u8) -> Value {
    Value::Map(vec![(Value::int(1), Value::int(PRIVATE_VERSION)), (Value::int(2), Value::int(number.into()))])
}

impl IssuerClaims {
    const KNOWN: [i64; 6] =
        [label::ISSUER, label::SUBJECT, label::EXPIRES, label::ISSUED, label::CONFIRMATION, label::PRIVATE];

    /// # Errors
    /// [`CardError::Layout`], [`CardError::NotAPoint`], [`CardError::CriticalClaim`].
    pub fn read(claims: &Value) -> Result<Self, CardError> {
        let place = Place::CertificateClaims;
        let claims = Claims::new(claims, place, &Self::KNOWN)?;
        let (issued, expires) = claims.window()?;
        Ok(Self {
            root: claims.need(label::ISSUER, Value::as_text)?.to_owned(),
            district: claims.district(label::SUBJECT)?,
            issued,
            expires,
            key: claims.confirmation()?,
            kinds: u8::try_from(claims.private()?).map_err(|_| CardError::Layout(place))?,
        })
    }

    /// The payload of a `bik-iss`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Value::Map(vec![
            (Value::int(label::ISSUER), Value::text(&self.root)),
            (Value::int(label::SUBJECT), Value::text(self.district.as_str())),
            (Value::int(label::EXPIRES), instant(self.expires)),
            (Value::int(label::ISSUED), instant(self.issued)),
            (Value::int(label::CONFIRMATION), confirmation(&self.key)),
            (Value::int(label::PRIVATE), private(self.kinds)),
        ])
        .encode()
    }
}

impl CredentialClaims {
    const KNOWN: [i64; 6] =
        [label::ISSUER, label::EXPIRES, label::ISSUED, label::TOKEN_ID, label::CONFIRMATION, label::PRIVATE];
    const KNOWN_WITHOUT_KEY: [i64; 5] = [label::ISSUER, label::EXPIRES, label::ISSUED, label::TOKEN_ID, label::PRIVATE];

    /// Claims of a `bik-crd`, which has a key.
    ///
    /// # Errors
    /// [`CardError::Layout`], [`CardError::NotAPoint`], [`CardError::CriticalClaim`].
    pub fn read(claims: &Value) -> Result<Self, CardError> {
        let claims = Claims::new(claims, Place::CredentialClaims, &Self::KNOWN)?;
        let key = claims.confirmation()?;
        Self::read_common(&claims, Some(key))
    }

    /// Claims of a `bik-sta`, which has none.
    ///
    /// # Errors
    /// [`CardError::Layout`], [`CardError::CriticalClaim`].
    pub fn read_static(claims: &Value) -> Result<Self, CardError> {
        let claims = Claims::new(claims, Place::CredentialClaims, &Self::KNOWN_WITHOUT_KEY)?;
        Self::read_common(&claims, None)
    }

    fn read_common(claims: &Claims<'_>, key: Option<PublicKey>) -> Result<Self, CardError> {
        let (issued, expires) = claims.window()?;
        Ok(Self {
            district: claims.district(label::ISSUER)?,
            issued,
            expires,
            cti: claims.need(label::TOKEN_ID, |value| value.as_bytes()?.try_into().ok())?,
            key,
            kind: Kind::from_bit(claims.private()?).ok_or(CardError::Layout(claims.place))?,
        })
    }

    /// The payload of a `bik-crd` or `bik-sta`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut claims = vec![
            (Value::int(label::ISSUER), Value::text(self.district.as_str())),
            (Value::int(label::EXPIRES), instant(self.expires)),
            (Value::int(label::ISSUED), instant(self.issued)),
            (Value::int(label::TOKEN_ID), Value::bytes(self.cti)),
            (Value::int(label::PRIVATE), private(self.kind.bit())),
        ];
        claims.extend(self.key.as_ref().map(|key| (Value::int(label::CONFIRMATION), confirmation(key))));
        Value::Map(claims).encode()
    }

    /// Who the card says it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { district: self.district.clone(), kind: IdentityKind::Cti, bytes: self.cti.to_vec() }
    }
}

impl ProofClaims {
    const KNOWN: [i64; 4] = [label::AUDIENCE, label::EXPIRES, label::ISSUED, label::TOKEN_ID];

    /// # Errors
    /// [`CardError::Layout`].
    pub fn read(claims: &Value) -> Result<Self, CardError> {
        let claims = Claims::new(claims, Place::ProofClaims, &Self::KNOWN)?;
        let (issued, expires) = claims.window()?;
        let audience = match claims.map.get(label::AUDIENCE) {
            Some(value) => Some(value.as_text().ok_or(CardError::Layout(Place::ProofClaims))?.to_owned()),
            None => None,
        };
        let token = claims.need(label::TOKEN_ID, |value| value.as_bytes()?.try_into().ok())?;
        Ok(Self { audience, issued, expires, token })
    }

    /// The payload of a `bik-pop`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut claims = vec![
            (Value::int(label::EXPIRES), instant(self.expires)),
            (Value::int(label::ISSUED), instant(self.issued)),
            (Value::int(label::TOKEN_ID), Value::bytes(self.token)),
        ];
        claims.extend(self.audience.as_ref().map(|text| (Value::int(label::AUDIENCE), Value::text(text))));
        Value::Map(claims).encode()
    }
}
