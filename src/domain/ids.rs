//! Names and numbers by which everything else is known. Each is a type of its own, so that a terminal can never be
//! taken for a provider, and whatever could lead to a child hides itself when printed.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

/// Why a text is not a valid id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// Empty, or longer than 64 bytes.
    #[error("an id has 1 to 64 characters")]
    Length,
    /// A character outside letters, digits and `. _ : -`.
    #[error("an id has only ASCII letters, digits and . _ : -")]
    Character,
}

/// Longest text id in bytes.
pub const MAX_ID_LEN: usize = 64;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks length and alphabet.
            ///
            /// # Errors
            /// [`IdError`] if the text is empty, too long, or holds a foreign character.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if text.is_empty() || text.len() > MAX_ID_LEN {
                    return Err(IdError::Length);
                }
                let legal = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
                if !text.bytes().all(legal) {
                    return Err(IdError::Character);
                }
                Ok(Self(text))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A municipality's central account.
    AccountId
);
text_id!(
    /// One enrolled point of sale within one account.
    TerminalId
);
text_id!(
    /// A provider of services (*Leistungsanbieter*).
    ProviderId
);
text_id!(
    /// A place where a provider gives its services.
    SiteId
);
text_id!(
    /// One offer of the catalogue.
    OfferId
);
text_id!(
    /// A municipality as issuer of cards: `de:` and its eight-digit key (card-application, 1.3).
    DistrictId
);
text_id!(
    /// Pseudonym of a child per provider and school year, made by the account.
    ChildId
);
text_id!(
    /// Pseudonym of an operator per site; `unattended` where nobody signs on.
    OperatorId
);
text_id!(
    /// Number under which the account booked a record.
    BookingNumber
);

impl OperatorId {
    /// The operator of a place without sign-on.
    #[must_use]
    pub fn unattended() -> Self {
        Self("unattended".to_owned())
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One presence of one card, code or number: `UUIDv7`, minted when it appears.
    TapId
);
uuid_id!(
    /// One record owed to the account: `UUIDv7`. A redemption's id is that of its tap.
    RecordId
);

impl From<TapId> for RecordId {
    fn from(tap: TapId) -> Self {
        Self(tap.0)
    }
}

/// SHA-256 of something said where it is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Lower-case hexadecimal, for screens and logs; the wire has base64url of its own.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Which kind of identity a card shows (card-application, "Identity").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// 16 random bytes in a signed credential.
    Cti,
    /// A printed number, digits only, check digits removed.
    Number,
    /// A chip's UID after the profile's transform.
    Uid,
}

impl IdentityKind {
    /// The word that enters the reference computation: `cti`, `number`, `uid`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cti => "cti",
            Self::Number => "number",
            Self::Uid => "uid",
        }
    }
}

/// Who a card says it is. Leaves the terminal only sealed; prints masked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The issuing municipality.
    pub district: DistrictId,
    /// Which kind of identity `bytes` are.
    pub kind: IdentityKind,
    /// Raw `cti` (16 bytes), ASCII digits of a number, or the ASCII transformed UID.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} {} ****)", self.district, self.kind.word())
    }
}

/// A card number of 12 to 16 digits without its check digits. No `Display`; `Debug` is masked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CardNumber(String);

impl CardNumber {
    /// Accepts 12 to 16 ASCII digits (card-application, 2.3).
    #[must_use]
    pub fn new(digits: &str) -> Option<Self> {
        let fits = (12..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| Self(digits.to_owned()))
    }

    /// The digits. Only for sealing, reference and routing by prefix.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardNumber(****)")
    }
}

/// The last four printed characters of a card: all an operator ever sees of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(String);

impl Tag {
    /// Exactly four ASCII letters or digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(text.to_owned()))
    }

    /// The four characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a terminal knows of a card outside the moment of reading: HMAC-SHA256 under the terminal's reference key, cut to
/// 16 bytes (card-application, "Identity").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardRef(pub [u8; 16]);

impl fmt::Debug for CardRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two bytes tell log lines apart and lead to nobody.
        write!(f, "CardRef({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}
