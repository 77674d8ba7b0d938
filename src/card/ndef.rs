//! NDEF on a type 4 tag (cards-and-readers, 4.3): one short message, read and taken apart, its links never opened.

use super::{
    apdu::CommandApdu,
    error::{CardError, Place, Step},
    exchange::exchange,
    files,
    status::StatusWord,
};
use crate::{ports::CardChannel, profile::NdefRecord};

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

/// Most records of one message.
const MAX_RECORDS: usize = 16;
/// The type name format of the NFC Forum's own types.
const WELL_KNOWN: u8 = 0x01;
/// What the first byte of a URI stands for (RTD URI 1.0, 3.2.2), as far as the web goes.
const ABBREVIATIONS: [&str; 5] = ["", "http://www.", "https://www.", "http://", "https://"];

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

/// One record of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record<'m> {
    /// Type name format: 1 for the types of the NFC Forum.
    format: u8,
    kind: &'m [u8],
    payload: &'m [u8],
}

/// Takes a message apart (NFC Forum NDEF 1.0, 3.2): the first record begins it, the last ends it, none is in chunks, nothing
/// follows.
fn records(message: &[u8]) -> Result<Vec<Record<'_>>, CardError> {
    let mut records = Vec::new();
    let mut rest = message;
    loop {
        let (header, after) = rest.split_first().ok_or(LAYOUT)?;
        let [begins, ends, chunked, short, named] = [0x80, 0x40, 0x20, 0x10, 0x08].map(|bit| header & bit != 0);
        if begins != records.is_empty() || chunked || records.len() == MAX_RECORDS {
            return Err(LAYOUT);
        }
        rest = after;
        let kind_len = take(&mut rest, 1)?[0];
        let payload_len = take(&mut rest, if short { 1 } else { 4 })?;
        let payload_len = payload_len.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let name_len = if named { take(&mut rest, 1)?[0] } else { 0 };
        let kind = take(&mut rest, kind_len.into())?;
        take(&mut rest, name_len.into())?;
        let payload = take(&mut rest, payload_len)?;
        records.push(Record { format: header & 0x07, kind, payload });
        if ends {
            return if rest.is_empty() { Ok(records) } else { Err(LAYOUT) };
        }
    }
}

fn take<'m>(rest: &mut &'m [u8], len: usize) -> Result<&'m [u8], CardError> {
    let (head, tail) = rest.split_at_checked(len).ok_or(LAYOUT)?;
    *rest = tail;
    Ok(head)
}

/// The text of the only record of this kind in a message; others, such as the name of an app, may stand beside it.
///
/// # Errors
/// [`CardError::Layout`], also for a text in UTF-16 and for abbreviations other than those of the web.
pub fn text(message: &[u8], wanted: NdefRecord) -> Result<String, CardError> {
    let kind: &[u8] = match wanted {
        NdefRecord::Uri => b"U",
        NdefRecord::Text => b"T",
    };
    let records = records(message)?;
    let mut fitting = records.iter().filter(|record| record.format == WELL_KNOWN && record.kind == kind);
    let (Some(record), None) = (fitting.next(), fitting.next()) else { return Err(LAYOUT) };
    let (first, rest) = record.payload.split_first().ok_or(LAYOUT)?;
    let (prefix, text) = match wanted {
        NdefRecord::Uri => (ABBREVIATIONS.get(usize::from(*first)).ok_or(LAYOUT)?, rest),
        // The first byte holds the length of the language, and in its highest bit UTF-16 (RTD Text 1.0, 3.2).
        NdefRecord::Text if first & 0xC0 != 0 => return Err(LAYOUT),
        NdefRecord::Text => (&"", rest.get(usize::from(*first)..).ok_or(LAYOUT)?),
    };
    let text = std::str::from_utf8(text).map_err(|_| LAYOUT)?;
    Ok(format!("{prefix}{text}"))
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

    fn uri(message: &[u8]) -> Result<String, CardError> {
        text(message, NdefRecord::Uri)
    }

    #[test]
    fn one_uri_record_is_read() {
        let good = record(0x04, "example.org/?picc_data=EF96&cmac=94EE#x");
        assert_eq!(uri(&good).unwrap(), "https://example.org/?picc_data=EF96&cmac=94EE#x");
        let mut long = vec![0xC1, 0x01, 0, 0, 0, 2, b'U', 0x00, b'a'];
        assert_eq!(uri(&long).as_deref(), Ok("a"));
        long.push(b'b');
        assert_eq!(uri(&long), Err(LAYOUT), "something follows");
        for index in 0..good.len() {
            assert_eq!(uri(&good[..index]), Err(LAYOUT), "{index}");
        }
        // Not the end, not the beginning, a chunk, another format, type length, type, abbreviation.
        for (index, byte) in [(0, 0x91), (0, 0x51), (0, 0xF1), (0, 0xD2), (1, 0x02), (3, b'T'), (4, 0x05)] {
            let mut other = good.clone();
            other[index] = byte;
            assert_eq!(uri(&other), Err(LAYOUT), "{index} {byte:02X}");
        }
        assert_eq!(uri(&[0xD1, 0x01, 0x00, b'U']), Err(LAYOUT));
        assert_eq!(uri(&[0xC1, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, b'U', 0x00]), Err(LAYOUT));
    }

    #[test]
    fn one_record_of_a_kind_among_others_is_read() {
        let text_record = |header: u8, payload: &[u8]| {
            [&[header, 0x01, u8::try_from(payload.len()).unwrap(), b'T'][..], payload].concat()
        };
        let app = b"\x54\x0F\x05android.com:pkga.b.c";
        let both = [&text_record(0x91, b"\x02de4917")[..], app].concat();
        assert_eq!(text(&both, NdefRecord::Text).as_deref(), Ok("4917"));
        assert_eq!(uri(&both), Err(LAYOUT));
        // An id is skipped.
        let named = b"\xD9\x01\x05\x02TxyZde12".map(|byte| if byte == b'Z' { 2 } else { byte });
        assert_eq!(text(&named, NdefRecord::Text).as_deref(), Ok("12"));
        let twice = [text_record(0x91, b"\x02de1"), text_record(0x51, b"\x02de2")].concat();
        assert_eq!(text(&twice, NdefRecord::Text), Err(LAYOUT), "nobody can tell which");
        for wrong in [&b"\x82de49"[..], b"\x42de49", b"\x05de", b"", b"\x00\xFF"] {
            assert_eq!(text(&text_record(0xD1, wrong), NdefRecord::Text), Err(LAYOUT), "{wrong:?}");
        }
        let many = [vec![0x90, 0, 0], [0x10, 0, 0].repeat(15), vec![0x50, 0, 0]].concat();
        assert_eq!(records(&many), Err(LAYOUT), "a bomb of empty records");
        assert_eq!(records(&many[3..]), Err(LAYOUT), "no beginning");
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
            let _ = uri(&bytes);
            let _ = text(&bytes, NdefRecord::Text);
        }
    }
}
