//! How domain values are written in JSON. Each has exactly one text; anything else is a mistyped member.
//!
//! Domain types derive no serialisation. A wire type says `#[serde(with = "form")]` (or `form::option`, `form::list`)
//! beside a field of a domain type, and this module knows its text.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::json::wrong;
use crate::domain::{
    amount::{Month, Unit},
    documents::{DocumentName, Environment, TerminalStanding},
    ids::{
        AccountId, BookingNumber, CardRef, ChildId, Digest, DistrictId, OfferId, OperatorId, ProviderId, RecordId,
        SiteId, Tag, TerminalId,
    },
    outcomes::LaterOutcome,
    reading::Route,
    record::{BasisKind, ReversalReason, ServicePhase},
    standing::CardState,
};

/// base64url without padding, the only base64 of signed things (RFC 7515, 2).
pub(super) use data_encoding::BASE64URL_NOPAD as B64;

/// A value with one text form.
pub(super) trait TextForm: Sized {
    /// What it is called in an error.
    const WHAT: &'static str;
    /// The text.
    fn write(&self) -> String;
    /// The value, if the text is exactly its form.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! ids {
    ($($id:ident)*) => {$(
        impl TextForm for $id {
            const WHAT: &'static str = stringify!($id);
            fn write(&self) -> String { self.as_str().to_owned() }
            fn read(text: &str) -> Option<Self> { Self::new(text).ok() }
        }
    )*};
}
ids!(AccountId TerminalId ProviderId SiteId OfferId DistrictId ChildId OperatorId BookingNumber);

macro_rules! words {
    ($($enum:ident [$($variant:ident)*];)*) => {$(
        impl TextForm for $enum {
            const WHAT: &'static str = stringify!($enum);
            fn write(&self) -> String { self.word().to_owned() }
            fn read(text: &str) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|value| value.word() == text)
            }
        }
    )*};
}
words! {
    Unit [Meal Minutes Months Amount Share];
    Route [Chip Phone Code Number Uid List];
    ServicePhase [Single Start End];
    BasisKind [CardList Policy Fault Paper];
    ReversalReason [Undo WrongCard WrongOffer NotGiven Other NoConnection NeverShown];
    LaterOutcome [Corrected Rejected ReversedByOffice NeedsNewCard PleaseConfirm Settled];
    DocumentName [Keys Descriptor Catalogue TrustList DenyList CardList Profiles];
}

macro_rules! named {
    ($($enum:ident { $($variant:ident = $word:literal),* })*) => {$(
        impl TextForm for $enum {
            const WHAT: &'static str = stringify!($enum);
            fn write(&self) -> String { match self { $(Self::$variant => $word),* }.to_owned() }
            fn read(text: &str) -> Option<Self> { match text { $($word => Some(Self::$variant),)* _ => None } }
        }
    )*};
}
named! {
    Environment { Production = "production", Training = "training", Demo = "demo" }
    TerminalStanding { Active = "active", Suspended = "suspended", Revoked = "revoked" }
    CardState { Active = "active", Locked = "locked", Replaced = "replaced", Neutral = "neutral" }
}

macro_rules! base64url_bytes {
    ($($what:literal $bytes:ident => $type:ty, $make:expr, $get:expr;)*) => {$(
        impl TextForm for $type {
            const WHAT: &'static str = $what;
            fn write(&self) -> String { let get: fn(&$type) -> &[u8] = $get; B64.encode(get(self)) }
            fn read(text: &str) -> Option<Self> {
                let $bytes = B64.decode(text.as_bytes()).ok()?;
                let $bytes = $bytes.try_into().ok()?;
                Some($make)
            }
        }
    )*};
}
base64url_bytes! {
    "a SHA-256 in base64url" bytes => Digest, Digest(bytes), |d| &d.0;
    "16 bytes in base64url" bytes => CardRef, CardRef(bytes), |r| &r.0;
    "8 bytes in base64url" bytes => [u8; 8], bytes, |b| b;
    "16 bytes in base64url" bytes => [u8; 16], bytes, |b| b;
    "32 bytes in base64url" bytes => [u8; 32], bytes, |b| b;
    "a compressed point in base64url" bytes => [u8; 33], bytes, |b| b;
    "base64url" bytes => Vec<u8>, bytes, |b| b;
}

/// `018f0000-0000-7000-8000-000000000000`: lower case, hyphens, version 7 (RFC 9562).
impl TextForm for RecordId {
    const WHAT: &'static str = "a UUIDv7";
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        let id = Self(Uuid::try_parse(text).ok()?);
        (id.0.get_version_num() == 7 && id.to_string() == text).then_some(id)
    }
}

/// `2026-11-22T12:00:00.000Z`: RFC 3339, UTC, exactly milliseconds.
impl TextForm for Timestamp {
    const WHAT: &'static str = "an instant of the form 2026-11-22T12:00:00.000Z";
    fn write(&self) -> String {
        format!("{self:.3}")
    }
    fn read(text: &str) -> Option<Self> {
        let instant: Self = text.parse().ok()?;
        (instant.write() == text).then_some(instant)
    }
}

/// `2026-11-22`.
impl TextForm for Date {
    const WHAT: &'static str = "a date of the form 2026-11-22";
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        let date: Self = text.parse().ok()?;
        (date.write() == text).then_some(date)
    }
}

impl TextForm for Month {
    const WHAT: &'static str = "a month of the form 2026-11";
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl TextForm for Tag {
    const WHAT: &'static str = "four printed characters";
    fn write(&self) -> String {
        self.as_str().to_owned()
    }
    fn read(text: &str) -> Option<Self> {
        Self::new(text)
    }
}

pub(super) fn serialize<T: TextForm, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&value.write())
}

pub(super) fn deserialize<'de, T: TextForm, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
    T::read(&text).ok_or_else(|| wrong(T::WHAT))
}

/// A value by itself, for lists and map keys.
pub(super) struct Form<T>(pub T);

impl<T: TextForm> Serialize for Form<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, to)
    }
}

impl<'de, T: TextForm> Deserialize<'de> for Form<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize(from).map(Self)
    }
}

/// A member that may be left out. `null` reads as left out.
pub(super) mod option {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Form, TextForm};

    #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
    pub(in crate::protocol) fn serialize<T: TextForm, S: Serializer>(v: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match v {
            Some(value) => super::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    pub(in crate::protocol) fn deserialize<'de, T: TextForm, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<Form<T>>::deserialize(from)?.map(|form| form.0))
    }
}

/// An array of such texts, for any collection.
pub(super) mod list {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Form, TextForm};

    pub(in crate::protocol) fn serialize<'a, T, C, S>(values: &'a C, to: S) -> Result<S::Ok, S::Error>
    where
        T: TextForm + 'a,
        &'a C: IntoIterator<Item = &'a T>,
        S: Serializer,
    {
        to.collect_seq(values.into_iter().map(TextForm::write))
    }

    pub(in crate::protocol) fn deserialize<'de, T, C, D>(from: D) -> Result<C, D::Error>
    where
        T: TextForm,
        C: FromIterator<T>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<Form<T>>::deserialize(from)?.into_iter().map(|form| form.0).collect())
    }
}

/// A text for people without what could make a screen lie: control characters other than line breaks, and marks that
/// turn the direction of writing (fault 38).
pub(super) fn harmless(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| *c == '\n' || !(c.is_control() || turns(*c))).collect()
}

/// Numbers that must lie in the range of their domain type.
pub(super) mod number {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::wrong;
    use crate::domain::{
        amount::{Cents, Minutes, Percent},
        reading::Level,
    };

    pub(in crate::protocol) trait NumberForm: Sized {
        fn write(&self) -> i64;
        fn read(number: i64) -> Option<Self>;
    }

    macro_rules! numbers {
        ($($type:ident $read:expr;)*) => {$(
            impl NumberForm for $type {
                fn write(&self) -> i64 { self.get().into() }
                fn read(number: i64) -> Option<Self> { let read: fn(i64) -> Option<Self> = $read; read(number) }
            }
        )*};
    }
    numbers! {
        Cents |n| Self::new(n).ok();
        Minutes |n| Self::new(u32::try_from(n).ok()?).ok();
        Percent |n| Self::new(u8::try_from(n).ok()?).ok();
        Level |n| Self::new(u8::try_from(n).ok()?);
    }

    pub(in crate::protocol) fn serialize<T: NumberForm, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(value.write())
    }

    pub(in crate::protocol) fn deserialize<'de, T: NumberForm, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        T::read(i64::deserialize(from)?).ok_or_else(|| wrong("in range"))
    }

    /// A number that may be left out.
    pub(in crate::protocol) mod option {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use super::{NumberForm, wrong};

        #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
        pub(in crate::protocol) fn serialize<T: NumberForm, S: Serializer>(
            value: &Option<T>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            value.as_ref().map(NumberForm::write).serialize(to)
        }

        pub(in crate::protocol) fn deserialize<'de, T: NumberForm, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<T>, D::Error> {
            let read = |number| T::read(number).ok_or_else(|| wrong("in range"));
            Option::<i64>::deserialize(from)?.map(read).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_only<T: TextForm>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(T::read(text).map(|value| value.write()).as_deref(), Some(*text));
        }
        for text in bad {
            assert!(T::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn each_value_has_one_text() {
        reads_only::<Timestamp>(
            &["2026-11-22T12:00:00.000Z", "1970-01-01T00:00:00.001Z"],
            &[
                "2026-11-22T12:00:00Z",
                "2026-11-22T12:00:00.0000Z",
                "2026-11-22T13:00:00.000+01:00",
                "2026-11-22 12:00:00.000Z",
                "2026-11-22t12:00:00.000z",
                "2026-12-31T23:59:60.000Z",
                "2026-13-01T00:00:00.000Z",
                "",
            ],
        );
        reads_only::<Date>(&["2026-02-28"], &["2026-02-29", "20260228", "2026-2-28", "2026-02-28T00:00"]);
        reads_only::<RecordId>(
            &["019a0000-0000-7000-8000-000000000001"],
            &[
                "019A0000-0000-7000-8000-000000000001",
                "019a000000007000800000000000000a",
                "019a0000-0000-4000-8000-000000000001",
                "{019a0000-0000-7000-8000-000000000001}",
            ],
        );
        reads_only::<[u8; 8]>(&["AAAAAAAAAAA"], &["AAAAAAAAAAE=", "AAAAAAAAAAB", "AAAA", "AAAAAAAA+AA", "AAAAAAAAAA "]);
        reads_only::<Route>(&["chip", "list"], &["Chip", "", "card"]);
    }
}
