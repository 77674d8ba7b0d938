//! Bytes as a profile writes them: hexadecimal, either case, no separators.

use data_encoding::HEXUPPER_PERMISSIVE;
use serde::Deserialize;

use super::{error::Fault, rule::Rule};

/// Bytes written as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hex(pub Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        HEXUPPER_PERMISSIVE.decode(text.as_bytes()).map(Self).map_err(|_| Rule::HexForm.into())
    }
}
