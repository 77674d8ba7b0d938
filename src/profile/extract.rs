//! Where a number stands in what the steps brought, how it becomes text, what becomes of a UID.

use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

use super::{error::Fault, hex::Hex, pattern::Pattern, place::from_text, rule::Rule, step::Step};
use crate::{
    domain::{
        ids::CardNumber,
        number::{self, NumberError},
    },
    tlv::{self, Tlv, TlvError},
};

from_text!(UidTransform);

/// Longest identity that is taken from a card, in characters.
pub const MAX_IDENTITY: usize = 64;

/// Where the identity stands in what a step brought.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// Which step, counted from 1.
    pub step: u8,
    /// By tags from the outside in, as `["70", "DF31"]`.
    pub tlv: Option<Vec<Hex>>,
    /// By offset and length.
    pub slice: Option<(u16, u16)>,
    /// By the first group of an expression, over the bytes as ASCII.
    pub regex: Option<Pattern>,
    /// How the bytes become text.
    pub decode: Decode,
}

/// Why the identity is not in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ExtractError {
    /// It is not there, or has another form.
    #[error("nothing of that form is there")]
    Layout,
    /// The bytes are no objects.
    #[error("the bytes are no TLV objects: {0}")]
    Tlv(#[from] TlvError),
}

impl Extract {
    /// The identity in what the step brought, 1 to [`MAX_IDENTITY`] characters.
    ///
    /// # Errors
    /// [`ExtractError`].
    pub fn find(&self, bytes: &[u8]) -> Result<String, ExtractError> {
        let text = if let Some(path) = &self.tlv {
            self.decode.text(at_path(bytes, path.iter().map(|tag| tag.0.as_slice()))?)
        } else if let Some((offset, len)) = self.slice {
            let range = usize::from(offset)..usize::from(offset) + usize::from(len);
            self.decode.text(bytes.get(range).ok_or(ExtractError::Layout)?)
        } else {
            let padding = bytes.iter().rev().take_while(|byte| matches!(byte, 0x00 | 0xFF)).count();
            let text = self.decode.text(&bytes[..bytes.len() - padding]);
            let captured = |text: String| Some(self.regex.as_ref()?.first_group(&text)?.to_owned());
            text.and_then(captured)
        };
        text.filter(|text| (1..=MAX_IDENTITY).contains(&text.len())).ok_or(ExtractError::Layout)
    }

    /// The step it looks at, and its place among the steps.
    pub(super) fn step<'a>(&self, steps: &'a [Step]) -> Option<&'a Step> {
        usize::from(self.step).checked_sub(1).and_then(|index| steps.get(index))
    }

    /// Whether it can work at all on what a step brings, at most `max_answer` bytes; else the key that is wrong, and why.
    pub(super) fn check(&self, steps: &[Step], max_answer: u32) -> Result<(), (&'static str, Fault)> {
        let most = self.step(steps).and_then(Step::most).map(|most| most.min(max_answer));
        let Some(most) = most else { return Err(("step", Rule::ExtractStep.into())) };
        let ways = [self.tlv.is_some(), self.slice.is_some(), self.regex.is_some()];
        if ways.into_iter().filter(|given| *given).count() != 1 {
            return Err(("", Rule::ExtractOneWay.into()));
        }
        let tag_lengths = self.tlv.iter().flatten().map(|tag| tag.0.len());
        if self.tlv.as_ref().is_some_and(|tags| !(1..=3).contains(&tags.len()))
            || tag_lengths.into_iter().any(|len| !(1..=3).contains(&len))
        {
            return Err(("tlv", Rule::ExtractTags.into()));
        }
        if let Some((offset, len)) = self.slice {
            let longest = self.decode.longest();
            if !(1..=longest).contains(&usize::from(len)) {
                return Err(("slice", Rule::ExtractSliceLength.of([&longest.to_string()])));
            }
            let end = u32::from(offset) + u32::from(len);
            if end > most {
                let numbers = [end, self.step.into(), most].map(|number| number.to_string().into());
                return Err(("slice", Rule::ExtractSliceEnd.with(numbers)));
            }
        }
        if self.regex.is_some() && self.decode != Decode::Ascii {
            return Err(("decode", Rule::ExtractAscii.into()));
        }
        self.regex.as_ref().map_or(Ok(()), Pattern::captures_something).map_err(|fault| ("regex", fault))
    }
}

fn at_path<'a, 'p>(bytes: &'a [u8], mut path: impl Iterator<Item = &'p [u8]>) -> Result<&'a [u8], ExtractError> {
    let number = |tag: &[u8]| tag.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    let len = tlv::announced_len(bytes)?;
    let mut object = Tlv::parse(bytes.get(..len).ok_or(ExtractError::Layout)?)?;
    if path.next().map(number) != Some(object.tag()) {
        return Err(ExtractError::Layout);
    }
    for tag in path {
        object = object.child(number(tag)).ok_or(ExtractError::Layout)?;
    }
    Ok(object.value())
}

/// What a step brought, and the identity in it, tried whenever the profile is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRead {
    /// What the step brought that `extract` looks at.
    pub bytes: Hex,
    /// What must be found; absent if nothing may be.
    pub number: Option<String>,
}

/// How bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// Upper-case hexadecimal.
    Hex,
    /// Printable ASCII.
    Ascii,
    /// Two digits per byte; F fills.
    Bcd,
    /// Unsigned, most significant byte first, at most 16 bytes.
    UintBe,
    /// Unsigned, least significant byte first, at most 16 bytes.
    UintLe,
}

impl Decode {
    /// Most bytes that can become an identity.
    const fn longest(self) -> usize {
        match self {
            Self::Hex => MAX_IDENTITY / 2,
            Self::Ascii | Self::Bcd => MAX_IDENTITY,
            Self::UintBe | Self::UintLe => 16,
        }
    }

    /// `None` if the bytes have another form.
    #[must_use]
    pub fn text(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Hex => Some(data_encoding::HEXUPPER.encode(bytes)),
            Self::Ascii => {
                let printable = bytes.iter().all(|byte| (0x20..0x7F).contains(byte));
                printable.then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
            }
            Self::Bcd => {
                let nibbles = data_encoding::HEXUPPER.encode(bytes);
                let digits = nibbles.trim_end_matches('F');
                (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.to_owned())
            }
            Self::UintBe => unsigned(bytes.iter()),
            Self::UintLe => unsigned(bytes.iter().rev()),
        }
    }
}

fn unsigned<'a>(bytes: impl ExactSizeIterator<Item = &'a u8>) -> Option<String> {
    let fits = (1..=16).contains(&bytes.len());
    fits.then(|| bytes.fold(0_u128, |number, byte| number << 8 | u128::from(*byte)).to_string())
}

/// One thing that is done to a UID so that it reads as the number printed on the card or kept by the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UidTransform {
    /// The other byte order.
    Reverse,
    /// As a decimal number.
    Dec,
    /// Zeros in front, to so many characters, 1 to 40.
    Pad(usize),
    /// Text in front, 1 to 16 letters and digits.
    Prefix(String),
}

impl TryFrom<String> for UidTransform {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        Self::parse(&text).ok_or_else(|| Rule::TransformForm.into())
    }
}

impl UidTransform {
    fn parse(text: &str) -> Option<Self> {
        let plain =
            |prefix: &&str| (1..=16).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match text.split_once(':') {
            None if text == "reverse" => Some(Self::Reverse),
            None if text == "dec" => Some(Self::Dec),
            Some(("pad", width)) => usize::from_str(width).ok().filter(|width| (1..=40).contains(width)).map(Self::Pad),
            Some(("prefix", prefix)) => Some(prefix).filter(plain).map(|prefix| Self::Prefix(prefix.to_owned())),
            _ => None,
        }
    }
}

impl UidTransform {
    /// The word in a profile, without what follows a colon.
    const fn word(&self) -> &'static str {
        match self {
            Self::Reverse => "reverse",
            Self::Dec => "dec",
            Self::Pad(_) => "pad",
            Self::Prefix(_) => "prefix",
        }
    }

    /// `reverse` and `dec` need the bytes, which are gone once they are text; nothing is done twice. The place of the first
    /// that is wrong, counted from 0, and why.
    pub(super) fn check(transforms: &[Self]) -> Result<(), (usize, Fault)> {
        for (at, transform) in transforms.iter().enumerate() {
            let before = &transforms[..at];
            let bytes_are_gone = before.iter().any(|earlier| *earlier != Self::Reverse);
            let word = transform.word();
            if matches!(transform, Self::Reverse | Self::Dec) && bytes_are_gone {
                return Err((at, Rule::TransformOrder.of([word])));
            }
            if before.iter().any(|earlier| earlier.word() == word) {
                return Err((at, Rule::TransformTwice.of([word])));
            }
        }
        Ok(())
    }
}

/// The UID as the text that is the card's identity: upper-case hexadecimal unless `dec` makes it a number, with the
/// transforms in their order, which is one that [`UidTransform::check`] allows.
#[must_use]
pub fn uid_text(transforms: &[UidTransform], uid: &[u8]) -> String {
    let mut bytes = uid.to_vec();
    let mut text = None;
    for transform in transforms {
        let hex = || data_encoding::HEXUPPER.encode(&bytes);
        match transform {
            UidTransform::Reverse => bytes.reverse(),
            // Sixteen bytes hold every UID there is; anything longer stays hexadecimal.
            UidTransform::Dec => text = Decode::UintBe.text(&bytes),
            UidTransform::Pad(width) => text = Some(format!("{:0>width$}", text.unwrap_or_else(hex))),
            UidTransform::Prefix(prefix) => text = Some(format!("{prefix}{}", text.unwrap_or_else(hex))),
        }
    }
    text.unwrap_or_else(|| data_encoding::HEXUPPER.encode(&bytes))
}

/// What a number must fulfil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberCheck {
    /// Nothing.
    #[default]
    None,
    /// ISO/IEC 7812-1 annex B.
    Luhn,
    /// ISO 7064 MOD 97-10.
    Mod97,
    /// Whatever the district's descriptor says.
    District,
}

impl NumberCheck {
    /// The card number in a text, without its check digits; for checks that make a number of a text.
    ///
    /// # Errors
    /// [`NumberError`] if it has another form, or its check digits do not fit.
    pub fn number(self, text: &str) -> Result<CardNumber, NumberError> {
        match self {
            Self::Mod97 => number::read(text),
            Self::Luhn if !number::luhn(text) => Err(NumberError::CheckDigits),
            Self::None | Self::Luhn | Self::District => CardNumber::new(text).ok_or(NumberError::Form),
        }
    }

    /// Whether a number that a sample has passes the check.
    pub(super) fn check(self, text: &str) -> Result<(), Fault> {
        let (word, digits) = match self {
            Self::None => return Ok(()),
            Self::Luhn => ("luhn", "12-16"),
            Self::Mod97 => ("mod97", "14-18"),
            Self::District => ("district", "12-16"),
        };
        self.number(text).map(drop).map_err(|error| match error {
            NumberError::CheckDigits if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Rule::NumberCheckDigits.of([text, word])
            }
            NumberError::Form | NumberError::CheckDigits => Rule::NumberForm.of([text, word, digits]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_becomes_the_number_on_the_card() {
        let uid = [0x04, 0x78, 0x2E, 0x21, 0x80, 0x1D, 0x80];
        let cases: [(&[&str], &str); 7] = [
            (&[], "04782E21801D80"),
            (&["reverse"], "801D80212E7804"),
            (&["dec"], "1258039432715648"),
            (&["reverse", "dec"], "36061233168676868"),
            (&["dec", "pad:20"], "00001258039432715648"),
            (&["pad:16", "prefix:49"], "490004782E21801D80"),
            (&["prefix:49", "pad:18"], "004904782E21801D80"),
        ];
        for (words, text) in cases {
            let transforms: Vec<_> =
                words.iter().map(|word| UidTransform::try_from((*word).to_owned()).unwrap()).collect();
            assert_eq!(UidTransform::check(&transforms), Ok(()), "{words:?}");
            assert_eq!(uid_text(&transforms, &uid), text, "{words:?}");
        }
        let wrong: [(&[&str], usize); 6] = [
            (&["dec", "reverse"], 1),
            (&["prefix:49", "reverse"], 1),
            (&["pad:16", "dec"], 1),
            (&["reverse", "dec", "dec"], 2),
            (&["reverse", "reverse"], 1),
            (&["pad:4", "prefix:49", "pad:8"], 2),
        ];
        for (words, at) in wrong {
            let transforms: Vec<_> =
                words.iter().map(|word| UidTransform::try_from((*word).to_owned()).unwrap()).collect();
            assert_eq!(UidTransform::check(&transforms).unwrap_err().0, at, "{words:?}");
        }
        for illegal in ["", "invert", "pad:0", "pad:41", "pad:x", "prefix:", "prefix:a b", "dec:1"] {
            assert!(UidTransform::try_from(illegal.to_owned()).is_err(), "{illegal}");
        }
    }

    #[test]
    fn bytes_become_text_or_nothing() {
        let cases: [(Decode, &[u8], Option<&str>); 9] = [
            (Decode::Hex, &[0xAB, 0x01], Some("AB01")),
            (Decode::Ascii, b"4917", Some("4917")),
            (Decode::Ascii, b"49\x00", None),
            (Decode::Bcd, &[0x12, 0x3F], Some("123")),
            (Decode::Bcd, &[0x1A], None),
            (Decode::Bcd, &[0xFF], None),
            (Decode::UintBe, &[1, 0], Some("256")),
            (Decode::UintLe, &[1, 0], Some("1")),
            (Decode::UintBe, &[0; 17], None),
        ];
        for (decode, bytes, text) in cases {
            assert_eq!(decode.text(bytes).as_deref(), text, "{decode:?} {bytes:?}");
        }
    }
}
