//! BER-TLV as the card application allows it (card-application, 1.2): definite lengths in their shortest form, at most
//! two length bytes, three levels, no tag twice among siblings, no filler, 1,024 bytes in all.
//!
//! The whole tree is checked once, by indexes into the given bytes, before anybody looks inside; nothing is allocated.

use thiserror::Error;

/// Most bytes of one object with its header.
pub const MAX_TOTAL: usize = 1024;
/// Deepest nesting; the outermost object is level 1.
pub const MAX_DEPTH: u8 = 3;

/// Why bytes are not one allowed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlvError {
    /// Larger than [`MAX_TOTAL`].
    #[error("more than 1,024 bytes")]
    TooLarge,
    /// The bytes end before the object does.
    #[error("cut short")]
    Truncated,
    /// Something after the end.
    #[error("bytes after the end")]
    Trailing,
    /// 00 or FF where a tag should be.
    #[error("filler between objects")]
    Filler,
    /// A tag of more than three bytes or not in its shortest form.
    #[error("malformed tag")]
    Tag,
    /// Indefinite, longer than two bytes, or not in its shortest form.
    #[error("malformed length")]
    Length,
    /// Deeper than [`MAX_DEPTH`].
    #[error("nested too deeply")]
    Depth,
    /// The same tag twice among siblings.
    #[error("a tag twice")]
    Duplicate,
}

/// One object whose whole content has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    tag: u32,
    constructed: bool,
    value: &'a [u8],
}

/// Tag and length of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    tag: u32,
    constructed: bool,
    head_len: usize,
    value_len: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, TlvError> {
        let mut rest = bytes.iter().copied();
        let mut next = || rest.next().ok_or(TlvError::Truncated);
        let first = next()?;
        if first == 0x00 || first == 0xFF {
            return Err(TlvError::Filler);
        }
        let mut tag = u32::from(first);
        let mut head_len = 1;
        if first & 0x1F == 0x1F {
            // Up to two more bytes; a first one of 80 would be a leading zero, one below 1F would have fitted before.
            let second = next()?;
            if second == 0x80 || second < 0x1F {
                return Err(TlvError::Tag);
            }
            tag = tag << 8 | u32::from(second);
            head_len += 1;
            if second & 0x80 != 0 {
                let third = next()?;
                if third & 0x80 != 0 {
                    return Err(TlvError::Tag);
                }
                tag = tag << 8 | u32::from(third);
                head_len += 1;
            }
        }
        let first_length = next()?;
        let (value_len, length_bytes) = match first_length {
            0x00..=0x7F => (usize::from(first_length), 1),
            0x81 => (usize::from(next()?), 2),
            0x82 => (usize::from(next()?) << 8 | usize::from(next()?), 3),
            _ => return Err(TlvError::Length),
        };
        let shortest = match value_len {
            0..=0x7F => 1,
            0x80..=0xFF => 2,
            _ => 3,
        };
        if length_bytes != shortest {
            return Err(TlvError::Length);
        }
        head_len += length_bytes;
        if head_len + value_len > MAX_TOTAL {
            return Err(TlvError::TooLarge);
        }
        Ok(Self { tag, constructed: first & 0x20 != 0, head_len, value_len })
    }
}

/// Length of the whole object that begins with these bytes, header included, as its header announces it.
///
/// # Errors
/// [`TlvError`] if the header is not allowed or incomplete.
pub fn announced_len(head: &[u8]) -> Result<usize, TlvError> {
    Header::read(head).map(|header| header.head_len + header.value_len)
}

impl<'a> Tlv<'a> {
    /// Reads exactly one object and checks everything inside it.
    ///
    /// # Errors
    /// [`TlvError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TlvError> {
        if bytes.len() > MAX_TOTAL {
            return Err(TlvError::TooLarge);
        }
        let (object, rest) = Self::split(bytes)?;
        if !rest.is_empty() {
            return Err(TlvError::Trailing);
        }
        object.check(1)?;
        Ok(object)
    }

    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), TlvError> {
        let header = Header::read(bytes)?;
        let (value, rest) = bytes[header.head_len..].split_at_checked(header.value_len).ok_or(TlvError::Truncated)?;
        Ok((Self { tag: header.tag, constructed: header.constructed, value }, rest))
    }

    /// Recursion ends at [`MAX_DEPTH`]; comparing siblings pairwise is cheap within [`MAX_TOTAL`].
    fn check(&self, depth: u8) -> Result<(), TlvError> {
        if !self.constructed {
            return Ok(());
        }
        let mut rest = self.value;
        while !rest.is_empty() {
            if depth == MAX_DEPTH {
                return Err(TlvError::Depth);
            }
            let before = &self.value[..self.value.len() - rest.len()];
            let (child, after) = Self::split(rest)?;
            if (Children { rest: before }).any(|sibling| sibling.tag == child.tag) {
                return Err(TlvError::Duplicate);
            }
            child.check(depth + 1)?;
            rest = after;
        }
        Ok(())
    }

    /// The tag, first byte most significant: `0x84`, `0xDF20`.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.tag
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The objects inside; none in a primitive one.
    pub fn children(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        Children { rest: if self.constructed { self.value } else { &[] } }
    }

    /// The object inside with this tag.
    #[must_use]
    pub fn child(&self, tag: u32) -> Option<Tlv<'a>> {
        self.children().find(|child| child.tag == tag)
    }
}

/// Walks objects that were checked before.
struct Children<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Children<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        let (object, rest) = Tlv::split(self.rest).ok()?;
        self.rest = rest;
        Some(object)
    }
}

/// Appends one object; for cards and for tests.
///
/// # Panics
/// If the value is longer than a reader here would accept.
pub fn append(to: &mut Vec<u8>, tag: u32, value: &[u8]) {
    assert!(value.len() <= MAX_TOTAL, "an object has at most 1,024 bytes");
    to.extend(tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
    let [high, low] = u16::try_from(value.len()).expect("checked above").to_be_bytes();
    match value.len() {
        0..=0x7F => to.push(low),
        0x80..=0xFF => to.extend([0x81, low]),
        _ => to.extend([0x82, high, low]),
    }
    to.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXUPPER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn objects_are_found_by_their_tag() {
        let bytes = hex("700BDF300101DF31020A0B9000");
        let root = Tlv::parse(&bytes).unwrap();
        assert_eq!(root.tag(), 0x70);
        assert_eq!(root.children().map(|c| c.tag()).collect::<Vec<_>>(), [0xDF30, 0xDF31, 0x90]);
        assert_eq!(root.child(0xDF31).unwrap().value(), [0x0A, 0x0B]);
        assert_eq!(root.child(0xDF32), None);
    }

    /// Fault 6.
    #[test]
    fn bombs_and_forbidden_forms_are_refused() {
        let nested: Vec<u8> = [0x70, 0x82, 0xFF, 0xFF].repeat(15_000);
        let empty_children = [hex("7082EA60"), [0x81, 0x00].repeat(30_000)].concat();
        let siblings = |count: u8| {
            let inner: Vec<u8> = (0..count).flat_map(|n| [0xDF, 0x20 + n, 0x00]).collect();
            let mut bytes = Vec::new();
            append(&mut bytes, 0x70, &inner);
            bytes
        };
        let cases = [
            (nested, TlvError::TooLarge),
            (empty_children, TlvError::TooLarge),
            (hex("7082FFFF"), TlvError::TooLarge),
            (hex("7084FFFFFFFF"), TlvError::Length),
            (hex("70830000010000"), TlvError::Length),
            (hex("70808100"), TlvError::Length),           // indefinite
            (hex("708105DF31020A0B"), TlvError::Length),   // not the shortest
            (hex("70820005DF31020A0B"), TlvError::Length), // not the shortest
            (hex("7006DF31020A0B"), TlvError::Truncated),  // one short
            (hex("7005DF31030A0B"), TlvError::Truncated),  // child one short
            (hex("7005DF31020A0B00"), TlvError::Trailing),
            (hex("7006DF3100DF3100"), TlvError::Duplicate),
            (hex("7004810000FF"), TlvError::Filler),
            (hex("7003810000"), TlvError::Filler),
            (hex("7003FF8100"), TlvError::Filler),
            (hex("DF8181810100"), TlvError::Tag), // five bytes
            (hex("DF800100"), TlvError::Tag),     // leading zero
            (hex("DF1E00"), TlvError::Tag),       // would fit one byte
            (hex("7006700470026100"), TlvError::Depth),
            (hex("7006700470028100"), TlvError::Depth),
            (Vec::new(), TlvError::Truncated),
            (hex("70"), TlvError::Truncated),
            (hex("DF"), TlvError::Truncated),
            (hex("7082"), TlvError::Truncated),
        ];
        for (bytes, error) in cases {
            let shown = &bytes[..bytes.len().min(16)];
            assert_eq!(Tlv::parse(&bytes), Err(error), "{shown:02X?}");
        }
        assert!(Tlv::parse(&hex("700470027000")).is_ok(), "three levels, the third empty");
        assert!(Tlv::parse(&siblings(60)).is_ok());
    }

    #[test]
    fn the_announced_length_needs_only_the_head() {
        assert_eq!(announced_len(&hex("7081C9DF300101DF")), Ok(204));
        assert_eq!(announced_len(&hex("7005")), Ok(7));
        assert_eq!(announced_len(&hex("700581")), Ok(7));
        assert_eq!(announced_len(&hex("70820400")), Err(TlvError::TooLarge));
        assert_eq!(announced_len(&hex("708203FC")), Ok(1024));
    }

    proptest! {
        /// Fault 6.
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = announced_len(&bytes);
            if let Ok(object) = Tlv::parse(&bytes) {
                let mut again = Vec::new();
                append(&mut again, object.tag(), object.value());
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn never_panics_close_to_the_truth(index in 0_usize..20, byte: u8) {
            let mut bytes = hex("6F128405F042494B41A509DF20020100DF220101");
            bytes[index] = byte;
            let _ = Tlv::parse(&bytes);
        }
    }
}
