//! Bytes as a profile writes them: hexadecimal, either case, no separators.

use data_encoding::HEXUPPER_PERMISSIVE;
use serde::Deserialize;
use thiserror::Error;

/// Bytes written as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hex(pub Vec<u8>);

/// Not an even number of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("bytes are written as an even number of hexadecimal digits without separators")]
pub struct HexError;

impl TryFrom<String> for Hex {
    type Error = HexError;

    fn try_from(text: String) -> Result<Self, HexError> {
        HEXUPPER_PERMISSIVE.decode(text.as_bytes()).map(Self).map_err(|_| HexError)
    }
}
