//! Bytes as a profile writes them: hexadecimal, either case, no separators.

use super::{error::Fault, place::from_text, rule::Rule};
use data_encoding::HEXUPPER_PERMISSIVE;

from_text!(Hex);

/// Bytes written as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        HEXUPPER_PERMISSIVE.decode(text.as_bytes()).map(Self).map_err(|_| Rule::HexForm.into())
    }
}
