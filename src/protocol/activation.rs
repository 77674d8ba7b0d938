//! The activation code that a person carries from the office to the terminal (protocol, 2).

use std::fmt;

use data_encoding::BASE32_NOPAD as BASE32;
use jiff::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use super::jws::sha256;
use crate::domain::activation::{MAGIC, SECRET_CHARS, is_host_and_port};

/// Longest text that is looked at.
const MAX_LEN: usize = 600;

/// Why a text is no activation code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ActivationCodeError {
    /// Does not begin with `TEILHABE1`.
    #[error("not an activation code")]
    Foreign,
    /// Host and port are malformed.
    #[error("the code's host and port are malformed")]
    Host,
    /// Root, time or secret are malformed: mistyped or cut.
    #[error("the activation code is mistyped or cut")]
    Mistyped,
}

impl ActivationCodeError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Foreign => "activation_foreign",
            Self::Host => "activation_host",
            Self::Mistyped => "activation_mistyped",
        }
    }
}

/// `TEILHABE1 <host:port> <root> <mint time> <secret>`. Prints without its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationCode {
    /// Where to connect: name or address, lower case, and port.
    pub host: String,
    /// First 16 bytes of SHA-256 over the root certificate's DER.
    pub root: [u8; 16],
    /// When it was minted, whole seconds; seeds the time floor.
    pub minted_at: Timestamp,
    secret: Zeroizing<[u8; 16]>,
}

impl fmt::Debug for ActivationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActivationCode({}, {})", self.host, self.minted_at)
    }
}

impl ActivationCode {
    /// A fresh code for this root (DER).
    #[must_use]
    pub fn new(host: &str, root_der: &[u8], minted_at: Timestamp, secret: [u8; 16]) -> Self {
        let root = *sha256(root_der).0.first_chunk().expect("a digest has 32 bytes");
        let whole = Timestamp::from_second(minted_at.as_second()).expect("a second of an instant is an instant");
        Self { host: host.to_ascii_lowercase(), root, minted_at: whole, secret: Zeroizing::new(secret) }
    }

    /// This DER is the root the code names.
    #[must_use]
    pub fn names_root(&self, root_der: &[u8]) -> bool {
        sha256(root_der).0.starts_with(&self.root)
    }

    /// The secret as a request carries it, base32.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32.encode(self.secret.as_slice()))
    }

    /// The whole code, for QR code and paper.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let (root, time) = (BASE32.encode(&self.root), self.minted_at.as_second());
        Zeroizing::new(format!("{MAGIC} {} {root} {time} {}", self.host, self.secret().as_str()))
    }

    /// Reads a code that was scanned or typed: letters of either case, any white space between and inside its groups
    /// after the host.
    ///
    /// # Errors
    /// [`ActivationCodeError`].
    pub fn parse(text: &str) -> Result<Self, ActivationCodeError> {
        use ActivationCodeError::{Foreign, Host, Mistyped};
        if text.len() > MAX_LEN {
            return Err(Foreign);
        }
        let mut words = text.split_whitespace();
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case(MAGIC)) {
            return Err(Foreign);
        }
        let host = words.next().ok_or(Mistyped)?.to_ascii_lowercase();
        if !is_host_and_port(&host) {
            return Err(Host);
        }
        // Root and secret have fixed lengths, so spaces that people put into long groups do not matter.
        let rest = words.collect::<String>().to_ascii_uppercase();
        if !rest.is_ascii() || rest.len() <= 2 * SECRET_CHARS {
            return Err(Mistyped);
        }
        let (root, rest) = rest.split_at(SECRET_CHARS);
        let (time, secret) = rest.split_at(rest.len() - SECRET_CHARS);
        let bytes = |part: &str| -> Result<[u8; 16], _> {
            BASE32.decode(part.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Mistyped)
        };
        let digits = time.len() <= 11 && time.bytes().all(|b| b.is_ascii_digit());
        let second = time.parse().ok().filter(|_| digits).ok_or(Mistyped)?;
        let minted_at = Timestamp::from_second(second).map_err(|_| Mistyped)?;
        Ok(Self { host, root: bytes(root)?, minted_at, secret: Zeroizing::new(bytes(secret)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> ActivationCode {
        let minted = Timestamp::from_second(1_790_000_000).unwrap();
        ActivationCode::new("konto.example:8443", b"root", minted, [0xA5; 16])
    }

    #[test]
    fn codes_survive_case_space_and_grouping() {
        let text = code().to_text();
        assert_eq!(ActivationCode::parse(&text), Ok(code()));
        assert_eq!(ActivationCode::parse(&text.to_lowercase()), Ok(code()));
        let grouped = text.replacen(' ', "\t ", 3) + "\r\n";
        assert_eq!(ActivationCode::parse(&grouped), Ok(code()));
        let (head, secret) = text.split_at(text.len() - 10);
        assert_eq!(ActivationCode::parse(&format!(" {head} {secret}")), Ok(code()));
        assert!(code().names_root(b"root") && !code().names_root(b"other"));
        assert!(!format!("{:?}", code()).contains(code().secret().as_str()));
    }

    #[test]
    fn other_texts_are_told_apart() {
        let good = code().to_text();
        let with_host = |host: &str| good.replace("konto.example:8443", host);
        let cases = [
            (String::new(), ActivationCodeError::Foreign),
            ("BIKN1123456789012".into(), ActivationCodeError::Foreign),
            ("https://example.org".into(), ActivationCodeError::Foreign),
            ("TEILHABE1".into(), ActivationCodeError::Mistyped),
            (good[..good.len() - 1].to_owned(), ActivationCodeError::Mistyped),
            (format!("{}B", &good[..good.len() - 1]), ActivationCodeError::Mistyped),
            (good.replace("1790000000", "17900x0000"), ActivationCodeError::Mistyped),
            (good.replace("1790000000", ""), ActivationCodeError::Mistyped),
            (with_host("konto.example"), ActivationCodeError::Host),
            (with_host("konto.example:0"), ActivationCodeError::Host),
            (with_host("konto.example:+1"), ActivationCodeError::Host),
            (with_host("konto/x:8443"), ActivationCodeError::Host),
            (with_host("a@b:8443"), ActivationCodeError::Host),
            (with_host(":8443"), ActivationCodeError::Host),
        ];
        for (text, error) in cases {
            assert_eq!(ActivationCode::parse(&text), Err(error), "{text}");
        }
        for host in ["192.0.2.1:1", "[2001:db8::1]:8443", "localhost:65535"] {
            assert!(ActivationCode::parse(&with_host(host)).is_ok(), "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,120}", tail in "\\PC{0,120}") {
            let _ = ActivationCode::parse(&text);
            let _ = ActivationCode::parse(&format!("TEILHABE1 a:1 {tail}"));
        }
    }
}
