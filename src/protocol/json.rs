//! Strict I-JSON (RFC 7493): the only way JSON from outside becomes a value.
//!
//! Two passes over the same bytes. The first walks the text without building anything and refuses what serde would
//! let through: names that come twice, deep nesting, numbers that lose digits, noncharacters, and critical members (a
//! name that begins with `!` must be understood, and none is). The second is serde's, into a wire type.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt};

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use thiserror::Error;

/// Deepest nesting that is read (protocol, 1).
pub const MAX_DEPTH: u8 = 16;
/// Largest integer that every reader of JSON keeps exactly (RFC 7493, 2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a text is not the JSON that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Longer than the caller allows.
    #[error("JSON longer than {0} bytes")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("JSON that is not UTF-8")]
    NotUtf8,
    /// Not JSON, cut, or followed by something.
    #[error("malformed JSON")]
    Malformed,
    /// A name comes twice in one object.
    #[error("a name comes twice in one object")]
    DuplicateName,
    /// More than [`MAX_DEPTH`] levels.
    #[error("JSON nested too deeply")]
    TooDeep,
    /// A member whose name begins with `!` is not understood.
    #[error("a critical member is not understood")]
    Critical,
    /// An integer beyond [`MAX_INTEGER`].
    #[error("an integer that not every reader keeps")]
    Integer,
    /// A string holds a Unicode noncharacter.
    #[error("a string holds a noncharacter")]
    Noncharacter,
    /// Good JSON of another shape: a known member is missing or mistyped.
    #[error("JSON of another shape: {0}")]
    Shape(String),
}

impl JsonError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "json_too_large",
            Self::NotUtf8 => "json_not_utf8",
            Self::Malformed => "json_malformed",
            Self::DuplicateName => "json_duplicate_name",
            Self::TooDeep => "json_too_deep",
            Self::Critical => "json_critical",
            Self::Integer => "json_integer",
            Self::Noncharacter => "json_noncharacter",
            Self::Shape(_) => "json_shape",
        }
    }
}

/// Reads one value of a wire type from at most `max_len` bytes.
///
/// # Errors
/// [`JsonError`].
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], max_len: usize) -> Result<T, JsonError> {
    if bytes.len() > max_len {
        return Err(JsonError::TooLarge(max_len));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    walk(text)?;
    serde_json::from_str(text).map_err(|error| JsonError::Shape(error.to_string()))
}

/// Writes a wire type without white space, members in the order of its fields.
///
/// # Panics
/// Never: wire types have string keys and no failing parts.
#[must_use]
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("wire types always serialise")
}

/// The text with names sorted and no white space, as RFC 8785 asks: what digests of contents are taken over. Wire
/// types hold no floats and only ASCII names, so sorting by bytes is RFC 8785's order.
#[must_use]
pub fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    let tree = serde_json::to_value(value).expect("wire types always serialise");
    serde_json::to_vec(&tree).expect("a tree of values always serialises")
}

fn walk(text: &str) -> Result<(), JsonError> {
    let found = Cell::new(None);
    let mut from = serde_json::Deserializer::from_str(text);
    let outcome = Walk { depth_left: MAX_DEPTH, found: &found }.deserialize(&mut from).and_then(|()| from.end());
    match (outcome, found.take()) {
        (_, Some(error)) => Err(error),
        (Err(_), None) => Err(JsonError::Malformed),
        (Ok(()), None) => Ok(()),
    }
}

/// One step of the walk. serde's errors are texts, so the reason is left in `found`.
#[derive(Clone, Copy)]
struct Walk<'c> {
    depth_left: u8,
    found: &'c Cell<Option<JsonError>>,
}

impl Walk<'_> {
    fn refuse<E: serde::de::Error>(self, error: JsonError) -> E {
        self.found.set(Some(error));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.refuse(JsonError::TooDeep)),
        }
    }

    fn string<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        // Noncharacters end in FFFE or FFFF in every plane, or lie in FDD0 to FDEF (Unicode, 23.7).
        let odd = |c: char| (c as u32) & 0xFFFE == 0xFFFE || ('\u{FDD0}'..='\u{FDEF}').contains(&c);
        // Nearly all of what comes is ASCII, which is found out far faster.
        if !text.is_ascii() && text.chars().any(odd) { Err(self.refuse(JsonError::Noncharacter)) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("I-JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.visit_u64(number.unsigned_abs())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        if number > MAX_INTEGER { Err(self.refuse(JsonError::Integer)) } else { Ok(()) }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.string(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = HashSet::new();
        while let Some(Name(name)) = members.next_key::<Name<'de>>()? {
            if name.starts_with('!') {
                return Err(self.refuse(JsonError::Critical));
            }
            self.string::<A::Error>(&name)?;
            if !names.insert(name) {
                return Err(self.refuse(JsonError::DuplicateName));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A member's name, borrowed where it holds no escape.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

/// The error serde gives for a text that does not have the form of its domain type.
pub(super) fn wrong<E: serde::de::Error>(what: &str) -> E {
    E::custom(format_args!("not {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn check(text: &str) -> Result<(), JsonError> {
        from_slice::<Value>(text.as_bytes(), 1 << 16).map(drop)
    }

    #[test]
    fn ordinary_json_is_read() {
        let deep = format!("{}{}", "[".repeat(16), "]".repeat(16));
        for text in ["{}", " [1, -2, null, true, 1.5, \"ä\\u00e4\\ud83d\\ude00\"] ", "9007199254740991", &deep] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn everything_serde_would_let_through_is_refused() {
        let too_deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
        let bomb = "[".repeat(60_000);
        let cases = [
            (r#"{"a":1,"a":1}"#, JsonError::DuplicateName),
            (r#"{"a":1,"\u0061":2}"#, JsonError::DuplicateName),
            (r#"[{"x":{"b":1,"b":2}}]"#, JsonError::DuplicateName),
            (r#"{"!new":1}"#, JsonError::Critical),
            (r#"{"a":{"\u0021new":1}}"#, JsonError::Critical),
            (&too_deep, JsonError::TooDeep),
            (&bomb, JsonError::TooDeep),
            ("9007199254740992", JsonError::Integer),
            ("-9007199254740992", JsonError::Integer),
            ("\"\u{FFFE}\"", JsonError::Noncharacter),
            ("\"\u{FDD0}\"", JsonError::Noncharacter),
            (r#""\ud800""#, JsonError::Malformed),
            ("{} {}", JsonError::Malformed),
            ("{\"a\":", JsonError::Malformed),
            ("", JsonError::Malformed),
            ("{'a':1}", JsonError::Malformed),
            ("[1,]", JsonError::Malformed),
            ("1e999", JsonError::Malformed),
            ("NaN", JsonError::Malformed),
            ("\u{FEFF}{}", JsonError::Malformed),
        ];
        for (text, error) in cases {
            assert_eq!(check(text), Err(error), "{}", &text[..text.len().min(40)]);
        }
        assert_eq!(from_slice::<Value>(b"\"\xff\"", 10), Err(JsonError::NotUtf8));
        assert_eq!(from_slice::<Value>(b"[1,2,3]", 6), Err(JsonError::TooLarge(6)));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "[\\[\\]{}\",:!a0\\\\u. -]{0,40}") {
            let _ = from_slice::<Value>(&bytes, 1 << 16);
            let _ = from_slice::<Value>(text.as_bytes(), 1 << 16);
        }
    }
}
