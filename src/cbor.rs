//! Level 0: deterministic CBOR (RFC 8949, 4.2.1): the one encoding that cards and sealed parts share.
//!
//! Strictness comes from one rule: what was decoded is encoded again and must give the same bytes. Hence shortest
//! forms, sorted and unique keys, definite lengths and nothing after the end, without a check for each. Depth and
//! number of items are bounded before anything is allocated.

use minicbor::{Decoder, Encoder, data::Type};
use thiserror::Error;

/// Deepest nesting that is read.
pub const MAX_DEPTH: u8 = 8;
/// Most items in one encoding, keys and values counted alike.
pub const MAX_ITEMS: usize = 1024;

/// Why bytes are not one deterministic item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CborError {
    /// The bytes end too early, or an item is malformed.
    #[error("malformed CBOR")]
    Malformed,
    /// Indefinite length, float, simple value or another form the profile does not know.
    #[error("a CBOR form that is not allowed here")]
    Forbidden,
    /// Nested too deeply or too many items.
    #[error("CBOR beyond its limits")]
    Limit,
    /// Well-formed, but not the deterministic encoding: long forms, wrong order, double keys, bytes after the end.
    #[error("CBOR that is not deterministic")]
    NotDeterministic,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// 0 to 2^64-1.
    Unsigned(u64),
    /// The number `-1 - n`.
    Negative(u64),
    /// Byte string.
    Bytes(Vec<u8>),
    /// Text string.
    Text(String),
    /// Array.
    Array(Vec<Value>),
    /// Map; encoding sorts it, decoding gives it sorted.
    Map(Vec<(Value, Value)>),
    /// Tagged item.
    Tag(u64, Box<Value>),
    /// Truth value.
    Bool(bool),
    /// Nothing.
    Null,
}

impl Value {
    /// An integer of either sign.
    #[must_use]
    pub fn int(number: i64) -> Self {
        match u64::try_from(number) {
            Ok(n) => Self::Unsigned(n),
            Err(_) => Self::Negative(number.unsigned_abs() - 1),
        }
    }

    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A byte string.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// The integer, if this is one that fits.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Unsigned(n) => i64::try_from(*n).ok(),
            Self::Negative(n) => i64::try_from(*n).ok().map(|n| -1 - n),
            _ => None,
        }
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if this is a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The items, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The entries, if this is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Value, Value)]> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// The entry under an integer key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: i64) -> Option<&Value> {
        let key = Self::int(key);
        self.as_map()?.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// The entry under a text key, if this is a map that has it.
    #[must_use]
    pub fn get_text(&self, key: &str) -> Option<&Value> {
        self.as_map()?.iter().find(|(k, _)| k.as_text() == Some(key)).map(|(_, v)| v)
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        self.write(&mut encoder).expect("a vector takes every byte");
        encoder.into_writer()
    }

    fn write(&self, to: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        match self {
            Self::Unsigned(n) => drop(to.u64(*n)?),
            Self::Negative(n) => {
                let number = minicbor::data::Int::try_from(-1 - i128::from(*n)).expect("-1-n is in CBOR's range");
                to.int(number)?;
            }
            Self::Bytes(bytes) => drop(to.bytes(bytes)?),
            Self::Text(text) => drop(to.str(text)?),
            Self::Array(items) => {
                to.array(items.len() as u64)?;
                items.iter().try_for_each(|item| item.write(to))?;
            }
            Self::Map(entries) => {
                // RFC 8949, 4.2.1: keys in the bytewise order of their own encodings.
                let mut encoded: Vec<_> = entries.iter().map(|(key, value)| (key.encode(), value)).collect();
                encoded.sort_by(|a, b| a.0.cmp(&b.0));
                to.map(encoded.len() as u64)?;
                for (key, value) in encoded {
                    to.writer_mut().extend_from_slice(&key);
                    value.write(to)?;
                }
            }
            Self::Tag(tag, item) => {
                to.tag(minicbor::data::Tag::new(*tag))?;
                item.write(to)?;
            }
            Self::Bool(truth) => drop(to.bool(*truth)?),
            Self::Null => drop(to.null()?),
        }
        Ok(())
    }

    /// Reads exactly one deterministic item.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut decoder = Decoder::new(bytes);
        let mut items_left = MAX_ITEMS;
        let value = read(&mut decoder, MAX_DEPTH, &mut items_left)?;
        if value.encode() != bytes || has_double_key(&value) {
            return Err(CborError::NotDeterministic);
        }
        Ok(value)
    }
}

fn read(from: &mut Decoder<'_>, depth: u8, items_left: &mut usize) -> Result<Value, CborError> {
    let malformed = |_| CborError::Malformed;
    *items_left = items_left.checked_sub(1).ok_or(CborError::Limit)?;
    let depth = depth.checked_sub(1).ok_or(CborError::Limit)?;
    Ok(match from.datatype().map_err(malformed)? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Value::Unsigned(from.u64().map_err(malformed)?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            // -1-n covers the whole negative range; the library gives it as a sum.
            let number = i128::from(from.int().map_err(malformed)?);
            Value::Negative(u64::try_from(-1 - number).map_err(|_| CborError::Malformed)?)
        }
        Type::Bytes => Value::Bytes(from.bytes().map_err(malformed)?.to_vec()),
        Type::String => Value::Text(from.str().map_err(malformed)?.to_owned()),
        Type::Array => {
            let count = from.array().map_err(malformed)?.ok_or(CborError::Forbidden)?;
            // No capacity from the count: it is a claim, and the items must come first.
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(read(from, depth, items_left)?);
            }
            Value::Array(items)
        }
        Type::Map => {
            let count = from.map().map_err(malformed)?.ok_or(CborError::Forbidden)?;
            let mut entries = Vec::new();
            for _ in 0..count {
                entries.push((read(from, depth, items_left)?, read(from, depth, items_left)?));
            }
            Value::Map(entries)
        }
        Type::Tag => {
            let tag = from.tag().map_err(malformed)?;
            Value::Tag(tag.as_u64(), Box::new(read(from, depth, items_left)?))
        }
        Type::Bool => Value::Bool(from.bool().map_err(malformed)?),
        Type::Null => {
            from.null().map_err(malformed)?;
            Value::Null
        }
        _ => return Err(CborError::Forbidden),
    })
}

/// Sorting hides a key that comes twice, so it is looked for.
fn has_double_key(value: &Value) -> bool {
    match value {
        Value::Map(entries) => {
            entries.windows(2).any(|pair| pair[0].0 == pair[1].0)
                || entries.iter().any(|(key, value)| has_double_key(key) || has_double_key(value))
        }
        Value::Array(items) => items.iter().any(has_double_key),
        Value::Tag(_, item) => has_double_key(item),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn deterministic_items_come_back_byte_for_byte() {
        // RFC 8949, appendix A, and the edge of the negative range.
        for text in [
            "00",
            "17",
            "1818",
            "1903e8",
            "1bffffffffffffffff",
            "20",
            "3863",
            "3bffffffffffffffff",
            "40",
            "4401020304",
            "60",
            "6161",
            "80",
            "83010203",
            "a0",
            "a201020304",
            "a26161016162820203",
            "c074323031332d30332d32315432303a30343a30305a",
            "f4",
            "f5",
            "f6",
        ] {
            let bytes = hex(text);
            assert_eq!(Value::decode(&bytes).unwrap().encode(), bytes, "{text}");
        }
    }

    /// Fault 7.
    #[test]
    fn everything_else_is_refused() {
        let cases = [
            ("", CborError::Malformed),
            ("1817", CborError::NotDeterministic),         // 23 in two bytes
            ("190001", CborError::NotDeterministic),       // 1 in three bytes
            ("0000", CborError::NotDeterministic),         // something after the end
            ("a203040102", CborError::NotDeterministic),   // keys out of order
            ("a201020103", CborError::NotDeterministic),   // a key twice
            ("81a201020103", CborError::NotDeterministic), // a key twice, inside
            ("5f42010243030405ff", CborError::Forbidden),  // indefinite bytes
            ("9fff", CborError::Forbidden),                // indefinite array
            ("bfff", CborError::Forbidden),                // indefinite map
            ("fb3ff199999999999a", CborError::Forbidden),  // float
            ("f97e00", CborError::Forbidden),              // not a number
            ("f7", CborError::Forbidden),                  // undefined
            ("9affffffff", CborError::Malformed),          // 2^32 items announced, none there
            ("5affffffff00", CborError::Malformed),        // 4 GiB announced
            ("818181818181818101", CborError::Limit),      // nine deep
            ("62c328", CborError::Malformed),              // not UTF-8
        ];
        for (text, error) in cases {
            assert_eq!(Value::decode(&hex(text)), Err(error), "{text}");
        }
        assert_eq!(Value::decode(&vec![0x81; 1000]), Err(CborError::Limit));
        let mut many = vec![0x99, 0x07, 0xd0];
        many.extend(vec![0; 2000]);
        assert_eq!(Value::decode(&many), Err(CborError::Limit));
    }

    proptest::proptest! {
        /// Fault 7.
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            if let Ok(value) = Value::decode(&bytes) {
                proptest::prop_assert_eq!(value.encode(), bytes);
            }
        }
    }
}
