//! Status words of ISO 7816-4, section 5.6, with everything unknown kept as it came.

use std::fmt;

/// The two bytes that end every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusWord {
    /// 9000.
    Ok,
    /// 61xx: `n` more bytes wait for GET RESPONSE, 1 to 256.
    MoreBytes(u16),
    /// 6282: the file ended before the bytes that were asked for.
    EndOfFile,
    /// 6283: the selected application is locked.
    Deactivated,
    /// 6581: memory fault.
    MemoryFault,
    /// 6700: wrong length.
    WrongLength,
    /// 6982: security status not satisfied.
    SecurityStatus,
    /// 6983: authentication method blocked.
    Blocked,
    /// 6985: conditions of use not satisfied.
    ConditionsOfUse,
    /// 6986: no file is current.
    NoCurrentFile,
    /// 6A82: file or application not found.
    NotFound,
    /// 6A86: wrong P1 or P2.
    WrongParameters,
    /// 6A88: referenced key not found.
    ReferenceNotFound,
    /// 6B00: offset outside the file.
    WrongOffset,
    /// 6Cxx: wrong Le; exactly `n` bytes are there. 6C00 names no length and is [`StatusWord::Other`].
    ExactLength(u8),
    /// 6D00: unknown instruction.
    UnknownInstruction,
    /// 6E00: unknown class.
    UnknownClass,
    /// 6F00: no diagnosis.
    NoDiagnosis,
    /// 91xx: status of a `DESFire` answer in ISO wrapping.
    Wrapped(u8),
    /// Any other.
    Other(u16),
}

impl From<u16> for StatusWord {
    fn from(raw: u16) -> Self {
        match raw {
            0x9000 => Self::Ok,
            0x6100 => Self::MoreBytes(256),
            0x6101..=0x61FF => Self::MoreBytes(raw & 0xFF),
            0x6282 => Self::EndOfFile,
            0x6283 => Self::Deactivated,
            0x6581 => Self::MemoryFault,
            0x6700 => Self::WrongLength,
            0x6982 => Self::SecurityStatus,
            0x6983 => Self::Blocked,
            0x6985 => Self::ConditionsOfUse,
            0x6986 => Self::NoCurrentFile,
            0x6A82 => Self::NotFound,
            0x6A86 => Self::WrongParameters,
            0x6A88 => Self::ReferenceNotFound,
            0x6B00 => Self::WrongOffset,
            0x6C01..=0x6CFF => Self::ExactLength(raw.to_be_bytes()[1]),
            0x6D00 => Self::UnknownInstruction,
            0x6E00 => Self::UnknownClass,
            0x6F00 => Self::NoDiagnosis,
            0x9100..=0x91FF => Self::Wrapped(raw.to_be_bytes()[1]),
            _ => Self::Other(raw),
        }
    }
}

impl From<StatusWord> for u16 {
    fn from(status: StatusWord) -> Self {
        match status {
            StatusWord::Ok => 0x9000,
            StatusWord::MoreBytes(n) => 0x6100 | (n & 0xFF),
            StatusWord::EndOfFile => 0x6282,
            StatusWord::Deactivated => 0x6283,
            StatusWord::MemoryFault => 0x6581,
            StatusWord::WrongLength => 0x6700,
            StatusWord::SecurityStatus => 0x6982,
            StatusWord::Blocked => 0x6983,
            StatusWord::ConditionsOfUse => 0x6985,
            StatusWord::NoCurrentFile => 0x6986,
            StatusWord::NotFound => 0x6A82,
            StatusWord::WrongParameters => 0x6A86,
            StatusWord::ReferenceNotFound => 0x6A88,
            StatusWord::WrongOffset => 0x6B00,
            StatusWord::ExactLength(n) => 0x6C00 | u16::from(n),
            StatusWord::UnknownInstruction => 0x6D00,
            StatusWord::UnknownClass => 0x6E00,
            StatusWord::NoDiagnosis => 0x6F00,
            StatusWord::Wrapped(n) => 0x9100 | u16::from(n),
            StatusWord::Other(raw) => raw,
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", u16::from(*self))
    }
}

impl StatusWord {
    /// The card itself failed; one repeat after SELECT may help (card-application, 1.5).
    #[must_use]
    pub const fn is_card_fault(self) -> bool {
        matches!(self, Self::NoDiagnosis | Self::MemoryFault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_word_comes_back_as_it_was() {
        for raw in 0..=u16::MAX {
            assert_eq!(u16::from(StatusWord::from(raw)), raw);
        }
    }

    #[test]
    fn ranges_carry_their_number() {
        assert_eq!(StatusWord::from(0x6100), StatusWord::MoreBytes(256));
        assert_eq!(StatusWord::from(0x61FF), StatusWord::MoreBytes(255));
        assert_eq!(StatusWord::from(0x6C0A), StatusWord::ExactLength(10));
        assert_eq!(StatusWord::from(0x6C00), StatusWord::Other(0x6C00));
        assert_eq!(StatusWord::from(0x63C3), StatusWord::Other(0x63C3));
        assert_eq!(StatusWord::from(0x91AF), StatusWord::Wrapped(0xAF));
    }
}
