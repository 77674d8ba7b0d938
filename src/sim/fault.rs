//! The ways in which a virtual card can be wrong, by the names that `teilhabe-karte present` takes.

use std::{str::FromStr, time::Duration};

use thiserror::Error;

/// One way of being wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Takes commands and never answers.
    Mute,
    /// Leaves the field on receiving the command of this number, 0 being the first after power-on.
    TearAt(u32),
    /// Answers with this status word and nothing else, from the command of this number on.
    WrongStatus {
        /// The status word.
        sw: u16,
        /// Number of the first command answered so.
        from: u32,
    },
    /// Every answer is one byte long.
    ShortAnswer,
    /// Announces more data for ever.
    Endless61,
    /// One bit of the signature is flipped; its form stays canonical.
    WrongSignature,
    /// The issuer's certificate in EF.CHAIN has expired, the credential under it has not.
    OldCertificate,
    /// Answers an authentication with the answer to an earlier challenge.
    Replay,
    /// The ATR breaks ISO 7816-3; the card behind it works.
    GarbageAtr,
    /// Every answer takes that long.
    Slow(Duration),
    /// No application, and a UID that is another at every power-on.
    RandomUid,
    /// Another card answers from the second SELECT on, and the first one's authentication breaks off.
    TwoCards,
    /// The files of a real card without its key.
    Copied,
    /// The credential is past its end.
    Expired,
    /// The credential is signed by a key nobody vouches for.
    UnknownIssuer,
}

/// A fault name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown fault {0:?}; known: {known}", known = Fault::NAMES.join(", "))]
pub struct UnknownFault(String);

impl Fault {
    /// All names, in the notation [`Fault::from_str`] reads.
    pub const NAMES: [&'static str; 15] = [
        "mute",
        "tear-at=N",
        "wrong-status=SW[@N]",
        "short-answer",
        "endless-61",
        "wrong-signature",
        "old-certificate",
        "replay",
        "garbage-atr",
        "slow=MS",
        "random-uid",
        "two-cards",
        "copied",
        "expired",
        "unknown-issuer",
    ];
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault(text.to_owned());
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let number = |digits: &str| digits.parse::<u32>().map_err(|_| unknown());
        Ok(match (name, value) {
            ("mute", None) => Self::Mute,
            ("tear-at", Some(n)) => Self::TearAt(number(n)?),
            ("wrong-status", Some(value)) => {
                let (sw, from) = value.split_once('@').unwrap_or((value, "0"));
                let sw = u16::from_str_radix(sw, 16).map_err(|_| unknown())?;
                Self::WrongStatus { sw, from: number(from)? }
            }
            ("short-answer", None) => Self::ShortAnswer,
            ("endless-61", None) => Self::Endless61,
            ("wrong-signature", None) => Self::WrongSignature,
            ("old-certificate", None) => Self::OldCertificate,
            ("replay", None) => Self::Replay,
            ("garbage-atr", None) => Self::GarbageAtr,
            ("slow", Some(ms)) => Self::Slow(Duration::from_millis(number(ms)?.into())),
            ("random-uid", None) => Self::RandomUid,
            ("two-cards", None) => Self::TwoCards,
            ("copied", None) => Self::Copied,
            ("expired", None) => Self::Expired,
            ("unknown-issuer", None) => Self::UnknownIssuer,
            _ => return Err(unknown()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_nothing_else() {
        for name in Fault::NAMES {
            let example = name.replace("SW[@N]", "6f00@2").replace("=N", "=3").replace("=MS", "=250");
            assert!(example.parse::<Fault>().is_ok(), "{example}");
        }
        assert_eq!("wrong-status=6283".parse(), Ok(Fault::WrongStatus { sw: 0x6283, from: 0 }));
        assert_eq!("tear-at=4".parse(), Ok(Fault::TearAt(4)));
        for wrong in ["", "tear-at", "tear-at=x", "mute=1", "wrong-status=12345", "slow=-1", "Mute"] {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
    }
}
