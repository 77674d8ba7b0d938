//! NDEF on a type 4 tag (cards-and-readers, 4.3): one short message with one URI, read and taken apart, never opened.

use super::{
    apdu::CommandApdu,
    error::{CardError, Place, Step},
    exchange::exchange,
    files,
    status::StatusWord,
};
use crate::ports::CardChannel;

/// The type 4 tag application.
pub const AID: [u8; 7] = [0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01];
/// The capability container.
const CAPABILITY_CONTAINER: [u8; 2] = [0xE1, 0x03];
/// Bytes of it that matter: length, version, `MLe`, `MLc`, one file control TLV.
const CAPABILITY_LEN: u8 = 15;
/// Smallest `MLe` a tag may announce.
const MIN_MLE: u16 = 0x0F;
/// Longest message that is read.
const MAX_MESSAGE: u16 = 1024;

const LAYOUT: CardError = CardError::Layout(Place::OtherData);

/// Reads the message of a type 4 tag whose application is selected already. `max_le` as the reader allows.
///
/// # Errors
/// [`CardError::Layout`] if the tag breaks its specification, [`CardError::Size`] beyond 1,024 bytes,
/// [`CardError::Refused`].
pub fn read_message(channel: &mut dyn CardChannel, max_le: u16) -> Result<Vec<u8>, CardError> {
    select_file(channel, CAPABILITY_CONTAINER)?;
    let container = files::read_exactly(channel, 0, u16::from(CAPABILITY_LEN), u16::from(CAPABILITY_LEN), max_le)?;
    let (file, file_len, max_answer) = parse_capability_container(&container)?;
    select_file(channel, file)?;
    let chunk = max_answer.min(max_le);
    let length = files::read_exactly(channel, 0, 2, chunk, max_le)?;
    let length = length.try_into().map(u16::from_be_bytes).map_err(|_| LAYOUT)?;
    if length > MAX_MESSAGE {
        return Err(CardError::Size(Place::OtherData));
    }
    if length == 0 || length > file_len.saturating_sub(2) {
        return Err(LAYOUT);
    }
    files::read_exactly(channel, 2, length, chunk, max_le)
}

fn select_file(channel: &mut dyn CardChannel, file: [u8; 2]) -> Result<(), CardError> {
    let answer = exchange(channel, &CommandApdu::new(0x00, 0xA4, 0x00, 0x0C).data(&file))?;
    match answer.status {
        StatusWord::Ok => Ok(()),
        StatusWord::NotFound => Err(CardError::NotPersonalised),
        status => Err(CardError::Refused { step: Step::Select, status }),
    }
}

/// File identifier, file size, `MLe`.
fn parse_capability_container(bytes: &[u8]) -> Result<([u8; 2], u16, u16), CardError> {
    let [_, _, version, le_high, le_low, _, _, 0x04, 0x06, file_high, file_low, size_high, size_low, read, _] = *bytes
    else {
        return Err(LAYOUT);
    };
    let max_answer = u16::from_be_bytes([le_high, le_low]);
    let major = version >> 4;
    if !(1..=3).contains(&major) || max_answer < MIN_MLE {
        return Err(LAYOUT);
    }
    if read != 0x00 {
        return Err(CardError::Refused { step: Step::Read, status: StatusWord::SecurityStatus });
    }
    Ok(([file_high, file_low], u16::from_be_bytes([size_high, size_low]), max_answer))
}

/// The text of a message that is exactly one URI record (NFC Forum RTD URI 1.0), with its prefix spelt out.
///
/// # Errors
/// [`CardError::Layout`].
pub fn uri(message: &[u8]) -> Result<String, CardError> {
    // MB and ME set, CF and IL not, well-known type; SR tells the width of the length.
    let (payload_len, rest) = match message {
        [0xD1, 0x01, length, b'U', rest @ ..] => (usize::from(*length), rest),
        [0xC1, 0x01, a, b, c, d, b'U', rest @ ..] => {
            (usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).map_err(|_| LAYOUT)?, rest)
        }
        _ => return Err(LAYOUT),
    };
    let [abbreviation, text @ ..] = rest else { return Err(LAYOUT) };
    if payload_len != rest.len() {
        return Err(LAYOUT);
    }
    let prefix = match abbreviation {
        0x00 => "",
        0x01 => "http://www.",
        0x02 => "https://www.",
        0x03 => "http://",
        0x04 => "https://",
        _ => return Err(LAYOUT),
    };
    let text = std::str::from_utf8(text).map_err(|_| LAYOUT)?;
    Ok(format!("{prefix}{text}"))
}

/// The value of a query parameter that stands there exactly once.
#[must_use]
pub fn query_parameter<'a>(uri: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = uri.split_once('?')?;
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(abbreviation: u8, text: &str) -> Vec<u8> {
        let mut message = vec![0xD1, 0x01, u8::try_from(text.len() + 1).unwrap(), b'U', abbreviation];
        message.extend_from_slice(text.as_bytes());
        message
    }

    #[test]
    fn one_uri_record_is_read() {
        let good = record(0x04, "example.org/?picc_data=EF96&cmac=94EE#x");
        let text = uri(&good).unwrap();
        assert_eq!(text, "https://example.org/?picc_data=EF96&cmac=94EE#x");
        assert_eq!(query_parameter(&text, "picc_data"), Some("EF96"));
        assert_eq!(query_parameter(&text, "cmac"), Some("94EE"));
        assert_eq!(query_parameter(&text, "uid"), None);
        assert_eq!(query_parameter("a?b=1&b=2", "b"), None, "twice is never");
        let mut long = vec![0xC1, 0x01, 0, 0, 0, 2, b'U', 0x00, b'a'];
        assert_eq!(uri(&long).as_deref(), Ok("a"));
        long.push(b'b');
        assert_eq!(uri(&long), Err(LAYOUT));
        for index in 0..good.len() {
            assert_eq!(uri(&good[..index]), Err(LAYOUT), "{index}");
        }
        for (index, byte) in [(0, 0x91), (0, 0x51), (0, 0xD2), (1, 0x02), (3, b'T'), (4, 0x24)] {
            let mut other = good.clone();
            other[index] = byte;
            assert_eq!(uri(&other), Err(LAYOUT), "{index}");
        }
    }

    #[test]
    fn the_capability_container_is_believed_within_limits() {
        let good = [0x00, 0x17, 0x20, 0x01, 0x00, 0x00, 0xFF, 0x04, 0x06, 0xE1, 0x04, 0x01, 0x00, 0x00, 0x00];
        assert_eq!(parse_capability_container(&good), Ok(([0xE1, 0x04], 256, 256)));
        for (index, byte) in [(2, 0x40), (2, 0x00), (7, 0x05), (8, 0x08), (13, 0xFF)] {
            let mut other = good;
            other[index] = byte;
            assert!(parse_capability_container(&other).is_err(), "{index}");
        }
        let small = [0x00, 0x17, 0x20, 0x00, 0x0E, 0x00, 0xFF, 0x04, 0x06, 0xE1, 0x04, 0x01, 0x00, 0x00, 0x00];
        assert_eq!(parse_capability_container(&small), Err(LAYOUT));
        assert_eq!(parse_capability_container(&good[..14]), Err(LAYOUT));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse_capability_container(&bytes);
            if let Ok(text) = uri(&bytes) {
                let _ = query_parameter(&text, "a");
            }
        }
    }
}
