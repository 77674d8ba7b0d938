//! Answer to reset (ISO 7816-3, 8) and the storage-card form of it (PC/SC part 3, 3.1.3.2.3).
//!
//! An ATR is a hint for the order of probing, never a proof. A malformed one is kept as bytes, so that a card with a
//! careless ATR is still probed.

use std::fmt;

use data_encoding::HEXUPPER;
use serde::Deserialize;
use thiserror::Error;

use super::{error::Fault, hex::Hex, part::Part, place::from_table, rule::Rule};

from_table!(AtrPattern, AtrPatternText);

/// Longest ATR that PC/SC shows, TS included.
pub const MAX_ATR_LEN: usize = 33;

/// Why an ATR breaks ISO 7816-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AtrError {
    /// Fewer than two bytes.
    #[error("the ATR is shorter than TS and T0")]
    TooShort,
    /// More than [`MAX_ATR_LEN`] bytes.
    #[error("the ATR is longer than 33 bytes")]
    TooLong,
    /// The first byte is neither 3B nor 3F.
    #[error("TS is neither 3B nor 3F")]
    InitialCharacter,
    /// Ends within the announced TA, TB, TC or TD.
    #[error("an announced interface byte is missing")]
    InterfaceBytes,
    /// Ends within the announced historical bytes.
    #[error("an announced historical byte is missing")]
    HistoricalBytes,
    /// A protocol other than T=0 is announced but no check byte follows.
    #[error("the check byte TCK is missing")]
    CheckByteMissing,
    /// The check byte does not make the XOR of T0 to TCK zero.
    #[error("the check byte TCK is wrong")]
    CheckByteWrong,
    /// Bytes after the end.
    #[error("bytes follow the end")]
    Trailing,
}

impl AtrError {
    /// What is said of it.
    pub(super) const fn part(self) -> Part {
        match self {
            Self::TooShort => Part::AtrTooShort,
            Self::TooLong => Part::AtrTooLong,
            Self::InitialCharacter => Part::AtrInitial,
            Self::InterfaceBytes => Part::AtrInterface,
            Self::HistoricalBytes => Part::AtrHistorical,
            Self::CheckByteMissing => Part::AtrCheckMissing,
            Self::CheckByteWrong => Part::AtrCheckWrong,
            Self::Trailing => Part::AtrTrailing,
        }
    }
}

/// The parts of a well-formed ATR that decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Protocols announced by TD1, TD2, … in order; T=0 alone if no TD is present.
    pub protocols: Vec<u8>,
    /// Historical bytes, at most 15.
    pub historical: Vec<u8>,
}

/// A card's answer to reset as PC/SC gave it, well-formed or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Atr {
    bytes: Vec<u8>,
    structure: Result<Structure, AtrError>,
}

impl Atr {
    /// Takes any bytes; looks at no more than [`MAX_ATR_LEN`] of them.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { structure: parse(bytes), bytes: bytes[..bytes.len().min(MAX_ATR_LEN + 1)].to_vec() }
    }

    /// The bytes; those of an overlong ATR are cut after the 34th, which shows that it was overlong.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its parts.
    ///
    /// # Errors
    /// [`AtrError`] if it breaks ISO 7816-3.
    pub fn structure(&self) -> Result<&Structure, AtrError> {
        self.structure.as_ref().map_err(|error| *error)
    }

    /// Historical bytes; none if malformed.
    #[must_use]
    pub fn historical(&self) -> &[u8] {
        self.structure.as_ref().map_or(&[], |structure| &structure.historical)
    }

    /// What the reader says about a contactless storage card; `None` for every other card.
    #[must_use]
    pub fn storage_card(&self) -> Option<StorageCard> {
        StorageCard::from_historical(self.historical())
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

/// Upper-case hexadecimal. An ATR names a kind of card, not a card; phones are the exception, so it is logged by class.
impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXUPPER.encode(&self.bytes))
    }
}

fn parse(bytes: &[u8]) -> Result<Structure, AtrError> {
    let [ts, rest @ ..] = bytes else { return Err(AtrError::TooShort) };
    let [t0, tail @ ..] = rest else { return Err(AtrError::TooShort) };
    if bytes.len() > MAX_ATR_LEN {
        return Err(AtrError::TooLong);
    }
    if !matches!(ts, 0x3B | 0x3F) {
        return Err(AtrError::InitialCharacter);
    }
    let (mut announced, mut left, mut protocols) = (t0 >> 4, tail, Vec::new());
    loop {
        // Bits 1 to 4 of the nibble announce TA, TB, TC and TD; only TD means anything here.
        let before_td = (announced & 0b0111).count_ones() as usize;
        left = left.get(before_td..).ok_or(AtrError::InterfaceBytes)?;
        if announced & 0b1000 == 0 {
            break;
        }
        let (td, after) = left.split_first().ok_or(AtrError::InterfaceBytes)?;
        protocols.push(td & 0x0F);
        (announced, left) = (td >> 4, after);
    }
    let (historical, end) = left.split_at_checked(usize::from(t0 & 0x0F)).ok_or(AtrError::HistoricalBytes)?;
    let checked = protocols.iter().any(|protocol| *protocol != 0);
    match (checked, end) {
        (true, []) => return Err(AtrError::CheckByteMissing),
        (true, [_]) if rest.iter().fold(0, |sum, byte| sum ^ byte) != 0 => return Err(AtrError::CheckByteWrong),
        (false, []) | (true, [_]) => {}
        _ => return Err(AtrError::Trailing),
    }
    if protocols.is_empty() {
        protocols.push(0);
    }
    Ok(Structure { protocols, historical: historical.to_vec() })
}

/// What PC/SC part 3 writes into the historical bytes for a card without layer 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageCard {
    /// SS: 03 = ISO 14443-A part 3, 0B = ISO 15693 part 3, 11 = `FeliCa`.
    pub standard: u8,
    /// NN NN: 0001 = MIFARE Classic 1K, 0003 = Ultralight and NTAG 21x; `FFxx` = unknown to the reader, xx its SAK.
    pub name: u16,
}

impl StorageCard {
    /// Category 80, tag 4F, length 0C, PC/SC Workgroup's RID.
    const HEAD: [u8; 8] = [0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06];

    /// `None` unless the bytes have the storage-card form.
    #[must_use]
    pub fn from_historical(historical: &[u8]) -> Option<Self> {
        let [standard, high, low, ..] = historical.strip_prefix(&Self::HEAD)? else { return None };
        Some(Self { standard: *standard, name: u16::from_be_bytes([*high, *low]) })
    }

    /// The card has layer 4 but the reader stopped at layer 3: SAK bit 6 (ISO 14443-3) in a name `FFxx`.
    #[must_use]
    pub const fn hides_layer_4(self) -> bool {
        self.name >= 0xFF00 && self.name & 0x20 != 0
    }
}

/// A set of ATRs of one length: those that agree with `value` where `mask` has a one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtrPattern {
    value: Vec<u8>,
    mask: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtrPatternText {
    value: Hex,
    mask: Option<Hex>,
}

impl TryFrom<AtrPatternText> for AtrPattern {
    type Error = Fault;

    fn try_from(text: AtrPatternText) -> Result<Self, Fault> {
        let mask = text.mask.map_or_else(|| vec![0xFF; text.value.0.len()], |mask| mask.0);
        Self::new(text.value.0, mask)
    }
}

impl AtrPattern {
    /// A pattern from its two halves.
    ///
    /// # Errors
    /// If they differ in length, or are not 2 to [`MAX_ATR_LEN`] bytes, or the value has a one where the mask has none.
    pub fn new(value: Vec<u8>, mask: Vec<u8>) -> Result<Self, Fault> {
        if value.len() != mask.len() || !(2..=MAX_ATR_LEN).contains(&value.len()) {
            return Err(Rule::AtrLength.into());
        }
        if value.iter().zip(&mask).any(|(value, mask)| value & !mask != 0) {
            return Err(Rule::AtrOutsideMask.into());
        }
        Ok(Self { value, mask })
    }

    /// The ATR belongs to the set.
    #[must_use]
    pub fn matches(&self, atr: &[u8]) -> bool {
        atr.len() == self.value.len()
            && atr.iter().zip(&self.value).zip(&self.mask).all(|((atr, value), mask)| atr & mask == *value)
    }

    /// Some ATR belongs to both sets.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|pattern| pattern.value.iter().zip(&pattern.mask));
        self.value.len() == other.value.len() && ours.zip(theirs).all(|((v, m), (w, n))| (v ^ w) & m & n == 0)
    }

    /// Number of bits the pattern fixes: the more, the more specific.
    #[must_use]
    pub fn specificity(&self) -> u32 {
        self.mask.iter().map(|byte| byte.count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        HEXUPPER.decode(hex.as_bytes()).unwrap()
    }

    #[test]
    fn an_atr_is_read_as_iso_7816_3_says() {
        let too_long = format!("3B{}", "FF".repeat(33));
        let nothing_but_ones = "FF".repeat(33);
        let cases: [(&str, Result<(&[u8], &str), AtrError>); 15] = [
            ("3B8180018080", Ok((&[0, 1], "80"))),
            ("3B8180018081", Err(AtrError::CheckByteWrong)),
            ("3B81800180", Err(AtrError::CheckByteMissing)),
            ("3B021450", Ok((&[0], "1450"))),
            ("3BD096FF81B1FE451F032E", Ok((&[1, 1, 15], ""))),
            ("3B80800101", Ok((&[0, 1], ""))),
            ("3B8080", Err(AtrError::InterfaceBytes)),
            ("3BFF", Err(AtrError::InterfaceBytes)),
            ("3B8080010100", Err(AtrError::Trailing)),
            ("3B0214", Err(AtrError::HistoricalBytes)),
            (&too_long, Err(AtrError::TooLong)),
            (&nothing_but_ones, Err(AtrError::InitialCharacter)),
            ("", Err(AtrError::TooShort)),
            ("3F", Err(AtrError::TooShort)),
            ("00", Err(AtrError::TooShort)),
        ];
        for (hex, expected) in cases {
            let atr = Atr::new(&bytes(hex));
            let seen = atr.structure().map(|s| (s.protocols.clone(), s.historical.clone()));
            assert_eq!(seen, expected.map(|(protocols, historical)| (protocols.to_vec(), bytes(historical))), "{hex}");
            assert_eq!(atr.bytes(), bytes(hex), "the bytes are kept");
        }
    }

    #[test]
    fn a_storage_card_is_told_by_standard_and_name() {
        let cases = [
            ("3B8F8001804F0CA000000306030001000000006A", Some((0x03, 0x0001))),
            ("3B8F8001804F0CA0000003060300020000000069", Some((0x03, 0x0002))),
            ("3B8F8001804F0CA0000003060300030000000068", Some((0x03, 0x0003))),
            ("3B8F8001804F0CA000000306030026000000004D", Some((0x03, 0x0026))),
            ("3B8F8001804F0CA000000306030036000000005D", Some((0x03, 0x0036))),
            ("3B8F8001804F0CA000000306030037000000005C", Some((0x03, 0x0037))),
            ("3B8F8001804F0CA00000030603003A0000000051", Some((0x03, 0x003A))),
            ("3B8F8001804F0CA00000030603003D0000000056", Some((0x03, 0x003D))),
            ("3B8F8001804F0CA0000003060B00140000000077", Some((0x0B, 0x0014))),
            ("3B8F8001804F0CA00000030611003B0000000042", Some((0x11, 0x003B))),
            ("3B8F8001804F0CA00000030603FF2000000000B4", Some((0x03, 0xFF20))),
            ("3B8F8001804F0CA00000030603FF08000000009C", Some((0x03, 0xFF08))),
            ("3B8F8001804F0CA00000030603FF2800000000BC", Some((0x03, 0xFF28))),
            ("3B8180018080", None),
            ("3B858001300101303034", None),
            ("3B8F8001804F0CA000000306030001000000006B", None),
        ];
        for (hex, expected) in cases {
            let card = Atr::new(&bytes(hex)).storage_card();
            assert_eq!(card.map(|card| (card.standard, card.name)), expected, "{hex}");
        }
        let hides = |hex| Atr::new(&bytes(hex)).storage_card().unwrap().hides_layer_4();
        assert!(hides("3B8F8001804F0CA00000030603FF2000000000B4"));
        assert!(!hides("3B8F8001804F0CA00000030603FF08000000009C"));
        assert!(!hides("3B8F8001804F0CA000000306030036000000005D"));
    }

    #[test]
    fn a_pattern_matches_where_its_mask_has_ones() {
        let pattern = AtrPattern::new(bytes("3B80800100"), bytes("FFF0FFFF00")).unwrap();
        assert!(pattern.matches(&bytes("3B80800101")) && pattern.matches(&bytes("3B8F8001AA")));
        assert!(!pattern.matches(&bytes("3B90800101")) && !pattern.matches(&bytes("3B808001")));
        let exact = AtrPattern::new(bytes("3B80800101"), vec![0xFF; 5]).unwrap();
        assert!(pattern.overlaps(&exact) && exact.overlaps(&pattern) && exact.specificity() > pattern.specificity());
        let other = AtrPattern::new(bytes("3F80800101"), vec![0xFF; 5]).unwrap();
        assert!(!pattern.overlaps(&other));
        assert_eq!(AtrPattern::new(vec![1, 2], vec![1]), Err(Rule::AtrLength.into()));
        assert_eq!(AtrPattern::new(vec![0; 34], vec![0; 34]), Err(Rule::AtrLength.into()));
        assert_eq!(AtrPattern::new(vec![0x3B, 0x0F], vec![0xFF, 0xF0]), Err(Rule::AtrOutsideMask.into()));
    }

    proptest! {
        /// Fault 1.
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let atr = Atr::new(&bytes);
            prop_assert!(atr.historical().len() <= 15);
            let _ = (atr.storage_card(), atr.to_string());
        }

        /// Random bytes rarely get past TS; these reach every branch.
        #[test]
        fn any_bytes_after_a_right_ts_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..33)) {
            let atr = Atr::new(&[&[0x3B], bytes.as_slice()].concat());
            if let Ok(structure) = atr.structure() {
                prop_assert!(!structure.protocols.is_empty());
                prop_assert!(structure.historical.len() + structure.protocols.len() < MAX_ATR_LEN);
            }
        }
    }
}
