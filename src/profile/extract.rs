//! The reading that data can describe: steps, the place of a number in what they brought, what becomes of a UID.

use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

use super::{card::Method, card_match::Aid, error::Fault, hex::Hex, pattern::Pattern, rule::Rule};
use crate::tlv::{self, Tlv, TlvError};

/// Longest identity that is taken from a card, in characters.
pub const MAX_IDENTITY: usize = 64;

/// One command to a card. There are none that write, load keys or authenticate with them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// SELECT by DF name.
    Select {
        /// The application.
        aid: Aid,
    },
    /// SELECT of an elementary file by its two-byte identifier under the current DF.
    SelectFile {
        /// Its identifier.
        fid: Hex,
    },
    /// READ BINARY (ISO 7816-4, 11.3.3).
    ReadBinary {
        /// Short file identifier, 1 to 30; absent for the current file.
        sfi: Option<u8>,
        /// Most bytes, 1 to 4096.
        max: u16,
        /// Class byte: 00; some readers want FF for type 4 tags.
        #[serde(default)]
        class: u8,
    },
    /// READ BINARY of PC/SC part 3, class FF.
    ReadBlock {
        /// Block or page.
        block: u16,
        /// Bytes: 4 or 16.
        len: u8,
    },
    /// GET DATA (ISO 7816-4, 11.4.3) by BER tag.
    GetData {
        /// The tag, 1 to 3 bytes.
        tag: Hex,
    },
    /// SELECT APPLICATION of DESFire.
    SelectApplication {
        /// Application, 3 bytes, as written on the wire.
        application: Hex,
    },
    /// READ DATA of a DESFire standard file without authentication.
    ReadFile {
        /// File, 0 to 31.
        file: u8,
        /// First byte.
        #[serde(default)]
        offset: u16,
        /// Bytes, 1 to 4096.
        len: u16,
    },
}

impl Step {
    /// The application the step selects, and the name of the key that has it.
    pub(super) fn aid(&self) -> Option<(&'static str, &[u8])> {
        match self {
            Self::Select { aid } => Some(("aid", aid.bytes())),
            Self::SelectApplication { application } => Some(("application", &application.0)),
            _ => None,
        }
    }

    /// Most bytes the step brings to extract from; `None` if it brings none.
    fn most(&self) -> Option<u32> {
        match self {
            Self::ReadBinary { max, .. } => Some((*max).into()),
            Self::ReadBlock { len, .. } => Some((*len).into()),
            Self::ReadFile { len, .. } => Some((*len).into()),
            // The card decides.
            Self::GetData { .. } => Some(u32::MAX),
            Self::Select { .. } | Self::SelectFile { .. } | Self::SelectApplication { .. } => None,
        }
    }

    /// So many bytes are more than the step can bring.
    pub(super) fn exceeded_by(&self, bytes: usize) -> bool {
        self.most().is_none_or(|most| u32::try_from(bytes).is_ok_and(|bytes| bytes > most))
    }

    /// The word in a profile.
    const fn word(&self) -> &'static str {
        match self {
            Self::Select { .. } => "select",
            Self::SelectFile { .. } => "select_file",
            Self::ReadBinary { .. } => "read_binary",
            Self::ReadBlock { .. } => "read_block",
            Self::GetData { .. } => "get_data",
            Self::SelectApplication { .. } => "select_application",
            Self::ReadFile { .. } => "read_file",
        }
    }

    /// The method the step belongs to.
    const fn method(&self) -> Method {
        match self {
            Self::Select { .. } | Self::SelectFile { .. } | Self::ReadBinary { .. } | Self::GetData { .. } => {
                Method::FileRead
            }
            Self::ReadBlock { .. } => Method::StorageRead,
            Self::SelectApplication { .. } | Self::ReadFile { .. } => Method::DesfireRead,
        }
    }

    /// The key within the step that is wrong, and why.
    pub(super) fn check(&self, method: Method) -> Result<(), (&'static str, Fault)> {
        if self.method() != method {
            return Err(("op", Rule::StepElsewhere.of([self.word(), method.word()])));
        }
        let bytes = 1..=4096_u16;
        let broken = match self {
            Self::SelectFile { fid } if fid.0.len() != 2 => ("fid", Rule::StepFid),
            Self::ReadBinary { sfi: Some(sfi), .. } if !(1..=30).contains(sfi) => ("sfi", Rule::StepSfi),
            Self::ReadBinary { max, .. } if !bytes.contains(max) => ("max", Rule::StepMax),
            Self::ReadBinary { class, .. } if !matches!(class, 0x00 | 0xFF) => ("class", Rule::StepClass),
            Self::GetData { tag } if !(1..=3).contains(&tag.0.len()) => ("tag", Rule::StepTag),
            Self::ReadBlock { len, .. } if !matches!(len, 4 | 16) => ("len", Rule::StepBlockLength),
            Self::SelectApplication { application } if application.0.len() != 3 => {
                ("application", Rule::StepApplication)
            }
            Self::ReadFile { file: 32.., .. } => ("file", Rule::StepFile),
            Self::ReadFile { len, .. } if !bytes.contains(len) => ("len", Rule::StepMax),
            _ => return Ok(()),
        };
        Err((broken.0, broken.1.into()))
    }
}

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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
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

/// The UID as the text that is the card's identity: upper-case hexadecimal, then the transforms in order. `reverse` and
/// `dec` work on the bytes and count wherever they stand.
#[must_use]
pub fn uid_text(transforms: &[UidTransform], uid: &[u8]) -> String {
    let decode = match (transforms.contains(&UidTransform::Reverse), transforms.contains(&UidTransform::Dec)) {
        (false, true) => Decode::UintBe,
        (true, true) => Decode::UintLe,
        _ => Decode::Hex,
    };
    let mut bytes = uid.to_vec();
    if decode == Decode::Hex && transforms.contains(&UidTransform::Reverse) {
        bytes.reverse();
    }
    // Sixteen bytes hold every UID there is; anything longer stays hexadecimal.
    let text = decode.text(&bytes).unwrap_or_else(|| data_encoding::HEXUPPER.encode(&bytes));
    transforms.iter().fold(text, |text, transform| match transform {
        UidTransform::Pad(width) => format!("{text:0>width$}"),
        UidTransform::Prefix(prefix) => format!("{prefix}{text}"),
        UidTransform::Reverse | UidTransform::Dec => text,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_becomes_the_number_on_the_card() {
        let uid = [0x04, 0x78, 0x2E, 0x21, 0x80, 0x1D, 0x80];
        let cases: [(&[&str], &str); 6] = [
            (&[], "04782E21801D80"),
            (&["reverse"], "801D80212E7804"),
            (&["dec"], "1258039432715648"),
            (&["reverse", "dec"], "36061233168676868"),
            (&["dec", "pad:20"], "00001258039432715648"),
            (&["pad:16", "prefix:49"], "490004782E21801D80"),
        ];
        for (words, text) in cases {
            let transforms: Vec<_> =
                words.iter().map(|word| UidTransform::try_from((*word).to_owned()).unwrap()).collect();
            assert_eq!(uid_text(&transforms, &uid), text, "{words:?}");
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
