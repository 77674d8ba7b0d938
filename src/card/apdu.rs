//! Command and response APDUs of ISO 7816-3, section 12.1: bytes to values and back. They do not transmit themselves.

use thiserror::Error;

use super::status::StatusWord;

/// Longest answer that can be asked for.
pub const MAX_LE: u32 = 65_536;
/// Most bytes a command can carry.
pub const MAX_DATA: usize = 65_535;

/// Why bytes are no APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ApduError {
    /// Fewer than four bytes of command, or fewer than two of answer.
    #[error("too short for an APDU")]
    Short,
    /// Lc and Le do not add up to the bytes that are there.
    #[error("lengths do not fit")]
    Length,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandApdu {
    /// Class.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data, at most [`MAX_DATA`] bytes.
    pub data: Vec<u8>,
    /// Bytes asked for, 1 to [`MAX_LE`]; 256 asks a short command for all there is.
    pub le: Option<u32>,
}

impl CommandApdu {
    /// A command without data that asks for nothing.
    #[must_use]
    pub const fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla, ins, p1, p2, data: Vec::new(), le: None }
    }

    /// With command data.
    #[must_use]
    pub fn data(mut self, data: &[u8]) -> Self {
        assert!(data.len() <= MAX_DATA, "a command carries at most 65,535 bytes");
        self.data = data.to_vec();
        self
    }

    /// Asking for `le` bytes.
    #[must_use]
    pub fn le(mut self, le: u32) -> Self {
        assert!((1..=MAX_LE).contains(&le), "Le is 1 to 65,536");
        self.le = Some(le);
        self
    }

    /// The bytes: short form where it fits, extended form else.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.cla, self.ins, self.p1, self.p2];
        if self.data.len() <= 255 && self.le.unwrap_or(0) <= 256 {
            if !self.data.is_empty() {
                bytes.push(u8::try_from(self.data.len()).expect("checked above"));
                bytes.extend_from_slice(&self.data);
            }
            // 256 is written 00.
            bytes.extend(self.le.map(|le| le.to_be_bytes()[3]));
        } else {
            bytes.push(0);
            if !self.data.is_empty() {
                let length = u16::try_from(self.data.len()).expect("a command carries at most 65,535 bytes");
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(&self.data);
            }
            // 65,536 is written 0000.
            bytes.extend(self.le.iter().flat_map(|le| le.to_be_bytes().into_iter().skip(2)));
        }
        bytes
    }

    /// Reads a command as a card does; cases 1, 2S to 4S and 2E to 4E.
    ///
    /// # Errors
    /// [`ApduError`] if the lengths do not fit the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        let (&[cla, ins, p1, p2], body) = bytes.split_first_chunk::<4>().ok_or(ApduError::Short)?;
        let short_le = |b: u8| if b == 0 { 256 } else { u32::from(b) };
        let extended_le = |b: [u8; 2]| match u16::from_be_bytes(b) {
            0 => MAX_LE,
            n => u32::from(n),
        };
        let (data, le): (&[u8], _) = match body {
            [] => (&[], None),
            [le] => (&[], Some(short_le(*le))),
            [0, hi, lo] => (&[], Some(extended_le([*hi, *lo]))),
            [0, hi, lo, rest @ ..] => {
                let lc = usize::from(u16::from_be_bytes([*hi, *lo]));
                match rest.split_at_checked(lc).ok_or(ApduError::Length)? {
                    (data, []) if lc > 0 => (data, None),
                    (data, [hi, lo]) if lc > 0 => (data, Some(extended_le([*hi, *lo]))),
                    _ => return Err(ApduError::Length),
                }
            }
            [lc, rest @ ..] => match rest.split_at_checked(usize::from(*lc)).ok_or(ApduError::Length)? {
                (data, []) if *lc > 0 => (data, None),
                (data, [le]) if *lc > 0 => (data, Some(short_le(*le))),
                _ => return Err(ApduError::Length),
            },
        };
        Ok(Self { cla, ins, p1, p2, data: data.to_vec(), le })
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseApdu {
    /// Answer data, may be empty.
    pub data: Vec<u8>,
    /// How it went.
    pub status: StatusWord,
}

impl ResponseApdu {
    /// Splits the status word off.
    ///
    /// # Errors
    /// [`ApduError::Short`] for fewer than two bytes.
    pub fn parse(mut bytes: Vec<u8>) -> Result<Self, ApduError> {
        let (_, &status) = bytes.split_last_chunk::<2>().ok_or(ApduError::Short)?;
        bytes.truncate(bytes.len() - 2);
        Ok(Self { data: bytes, status: u16::from_be_bytes(status).into() })
    }

    /// The bytes as a card sends them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.data.clone();
        bytes.extend_from_slice(&u16::from(self.status).to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_have_the_seven_forms_of_the_standard() {
        let base = CommandApdu::new(0x00, 0xB0, 0x82, 0x00);
        let long = vec![0xAB; 256];
        let mut extended = vec![0, 0xB0, 0x82, 0, 0, 1, 0];
        extended.extend_from_slice(&long);
        let mut extended_le = extended.clone();
        extended_le.extend([0, 8]);
        let cases = [
            (base.clone(), vec![0, 0xB0, 0x82, 0]),
            (base.clone().le(8), vec![0, 0xB0, 0x82, 0, 8]),
            (base.clone().le(256), vec![0, 0xB0, 0x82, 0, 0]),
            (base.clone().data(&[1, 2]), vec![0, 0xB0, 0x82, 0, 2, 1, 2]),
            (base.clone().data(&[1, 2]).le(256), vec![0, 0xB0, 0x82, 0, 2, 1, 2, 0]),
            (base.clone().le(257), vec![0, 0xB0, 0x82, 0, 0, 1, 1]),
            (base.clone().le(65_536), vec![0, 0xB0, 0x82, 0, 0, 0, 0]),
            (base.clone().data(&long), extended),
            (base.data(&long).le(8), extended_le),
        ];
        for (command, bytes) in cases {
            assert_eq!(command.encode(), bytes);
            assert_eq!(CommandApdu::parse(&bytes), Ok(command));
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for bytes in [&[][..], &[0, 1, 2], &[0, 1, 2, 3, 5, 1], &[0, 1, 2, 3, 1, 1, 1, 1], &[0, 1, 2, 3, 0, 0, 0, 7]] {
            assert!(CommandApdu::parse(bytes).is_err(), "{bytes:02X?}");
        }
        assert_eq!(ResponseApdu::parse(vec![]), Err(ApduError::Short));
        assert_eq!(ResponseApdu::parse(vec![0x90]), Err(ApduError::Short));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_encoding_inverts_it(bytes: Vec<u8>) {
            if let Ok(command) = CommandApdu::parse(&bytes) {
                prop_assert_eq!(CommandApdu::parse(&command.encode()), Ok(command));
            }
            if let Ok(response) = ResponseApdu::parse(bytes.clone()) {
                prop_assert_eq!(response.encode(), bytes);
            }
        }
    }
}
