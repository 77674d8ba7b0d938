//! A dialogue with a card, written down so that it can be told again without the card: for technicians who show how a card
//! answers, and for the tests that keep the answer working. What names a card or a person is masked before anybody sees
//! it; the masked dialogue is what counts, so that its outcome can be repeated.
//!
//! One line each: `@ name value` the scene, `> command`, `< answer`, `! what the reader said instead`, `= outcome`.

use std::{collections::VecDeque, fmt};

use crate::{
    cbor::Value,
    ports::{CardChannel, ChannelError, Disposition},
};

/// Longest recording, in commands; a card needs a few dozen.
const MAX_EXCHANGES: usize = 512;
/// So many digits or hexadecimal digits in a row may name somebody.
const RUN: usize = 4;
/// What stands for the identity of a chip: a `cti`.
const CTI: [u8; 16] = [0xC7, 0x10, 0xC7, 0x11, 0xC7, 0x12, 0xC7, 0x13, 0xC7, 0x14, 0xC7, 0x15, 0xC7, 0x16, 0xC7, 0x17];
/// What stands for a chip's public key: the x coordinate of P-256's base point (SEC 2, 2.4.2), so that it is a point.
const KEY: [u8; 32] = [
    0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40, 0xF2, 0x77, 0x03, 0x7D,
    0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96,
];

type Answer = Result<Vec<u8>, ChannelError>;

/// Commands and what came of them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Recording {
    exchanges: Vec<(Vec<u8>, Answer)>,
}

impl fmt::Debug for Recording {
    /// It may hold an identity until it was masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({} commands)", self.exchanges.len())
    }
}

/// Passes everything on and writes it down.
pub struct Recorder<'a> {
    channel: &'a mut dyn CardChannel,
    recording: &'a mut Recording,
}

impl<'a> Recorder<'a> {
    /// Writes into `recording` what passes through `channel`.
    #[must_use]
    pub fn new(channel: &'a mut dyn CardChannel, recording: &'a mut Recording) -> Self {
        Self { channel, recording }
    }
}

impl CardChannel for Recorder<'_> {
    fn transmit(&mut self, command: &[u8]) -> Answer {
        let answer = self.channel.transmit(command);
        if self.recording.exchanges.len() < MAX_EXCHANGES {
            self.recording.exchanges.push((command.to_vec(), answer.clone()));
        }
        answer
    }

    /// The channel belongs to whoever lent it.
    fn end(self: Box<Self>, _: Disposition) {}
}

/// Plays a recording: the same answers to the same commands.
pub struct Player {
    left: VecDeque<(Vec<u8>, Answer)>,
    strayed: bool,
}

impl Player {
    /// Every command was one of the recording, and all were sent.
    #[must_use]
    pub fn is_faithful(&self) -> bool {
        !self.strayed && self.left.is_empty()
    }
}

impl CardChannel for Player {
    fn transmit(&mut self, command: &[u8]) -> Answer {
        match self.left.pop_front() {
            Some((recorded, answer)) if recorded == command => answer,
            _ => {
                self.strayed = true;
                Err(ChannelError::Unresponsive)
            }
        }
    }

    fn end(self: Box<Self>, _: Disposition) {}
}

impl Recording {
    /// A card that answers as this one did.
    #[must_use]
    pub fn play(&self) -> Player {
        Player { left: self.exchanges.clone().into(), strayed: false }
    }

    /// Without what names the card or its holder: UID, `cti`, public key, signatures, and everything that looks like a
    /// number. Lengths and structure stay.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        masked.mask_uids();
        masked.mask_files();
        masked.mask_numbers();
        masked
    }

    /// `FF CA` (PC/SC part 3, 3.2.2.1.3), and the third part of a DESFire's GET VERSION.
    fn mask_uids(&mut self) {
        let mut uids: Vec<Vec<u8>> = Vec::new();
        for (command, answer) in &mut self.exchanges {
            let Ok(answer) = answer else { continue };
            let Some(length) = answer.len().checked_sub(2) else { continue };
            match (&command[..], length) {
                ([0xFF, 0xCA, 0x00, ..], 1..) => {
                    uids.push(answer[..length].to_vec());
                    mask_uid(&mut answer[..length]);
                }
                // UID, batch and week of production.
                ([0x90, 0xAF, ..], 14) => {
                    uids.push(answer[..7].to_vec());
                    mask_uid(&mut answer[..7]);
                    answer[7..14].fill(0);
                }
                _ => {}
            }
        }
        for uid in uids.iter().filter(|uid| uid.len() >= RUN) {
            let reversed: Vec<u8> = uid.iter().rev().copied().collect();
            for (_, answer) in &mut self.exchanges {
                let Ok(answer) = answer else { continue };
                replace(answer, uid, &[0]);
                replace(answer, &reversed, &[0]);
            }
        }
    }

    /// READ BINARY: each file is put together, masked as a whole, and taken apart again, because an identity may lie
    /// across two answers.
    fn mask_files(&mut self) {
        let mut file: Vec<(usize, usize)> = Vec::new();
        let mut files = Vec::new();
        for (index, (command, answer)) in self.exchanges.iter().enumerate() {
            let reads = matches!(command[..], [class, 0xB0, _, _, ..] if class != 0xFF);
            let goes_on = matches!(command[..], [_, 0xC0, ..]) && !file.is_empty();
            let begins = matches!(command[..], [class, 0xB0, high, low, ..]
                if class != 0xFF && (high & 0x80 != 0 || [high, low] == [0, 0]));
            if begins || !(reads || goes_on) {
                files.push(std::mem::take(&mut file));
            }
            if let (true, Ok(answer)) = (reads || goes_on, answer) {
                file.extend((0..answer.len().saturating_sub(2)).map(|at| (index, at)));
            }
        }
        files.push(file);
        for places in files.into_iter().filter(|places| !places.is_empty()) {
            let mut bytes: Vec<u8> = places.iter().map(|(index, at)| self.byte(*index, *at)).collect();
            mask_objects(&mut bytes);
            for ((index, at), byte) in places.into_iter().zip(bytes) {
                if let Ok(answer) = &mut self.exchanges[index].1 {
                    answer[at] = byte;
                }
            }
        }
    }

    fn byte(&self, index: usize, at: usize) -> u8 {
        self.exchanges[index].1.as_ref().map_or(0, |answer| answer[at])
    }

    /// Numbers as text, and bytes that are read without any structure: nobody knows what they mean.
    fn mask_numbers(&mut self) {
        for (command, answer) in &mut self.exchanges {
            let Ok(answer) = answer else { continue };
            let length = answer.len().saturating_sub(2);
            let data = &mut answer[..length];
            match command[..] {
                // Blocks of a storage card, files of a DESFire, data objects.
                [0xFF, 0xB0, ..] | [0x90, 0xBD | 0xAD, ..] | [_, 0xCB, ..] => {
                    for byte in data.iter_mut() {
                        *byte = if byte.is_ascii_digit() {
                            b'0'
                        } else if byte.is_ascii_graphic() {
                            b'x'
                        } else {
                            0
                        };
                    }
                }
                [_, 0xB0 | 0xC0, ..] => mask_runs(data),
                _ => {}
            }
        }
    }
}

/// Keeps what tells the kind of UID: whether it is random, and who made the chip (ISO 7816-6).
fn mask_uid(uid: &mut [u8]) {
    let kept = usize::from(uid.len() > 4 || uid.first() == Some(&0x08));
    for (at, byte) in uid.iter_mut().enumerate().skip(kept) {
        *byte = 0x11_u8.wrapping_mul(u8::try_from(at % 14 + 1).unwrap_or(1));
    }
}

/// Overwrites each place where `secret` stands with `pattern`, repeated as often as it takes.
fn replace(bytes: &mut [u8], secret: &[u8], pattern: &[u8]) {
    if secret.is_empty() {
        return;
    }
    let mut at = 0;
    while at + secret.len() <= bytes.len() {
        if bytes[at..].starts_with(secret) {
            let fill = pattern.iter().cycle();
            bytes[at..at + secret.len()].iter_mut().zip(fill).for_each(|(byte, fill)| *byte = *fill);
            at += secret.len();
        } else {
            at += 1;
        }
    }
}

/// Every `COSE_Sign1` that lies in these bytes: its signature, `cti` and key.
fn mask_objects(bytes: &mut [u8]) {
    for start in 0..bytes.len() {
        // Tag 18, an array of four (RFC 9052, 4.2).
        if !bytes[start..].starts_with(&[0xD2, 0x84]) {
            continue;
        }
        // The object ends with the file or with zeros after it; the length before it says where.
        let ends = [length_before(bytes, start), Some(bytes.len())];
        let object = ends.into_iter().flatten().find_map(|end| Value::decode(bytes.get(start..end)?).ok());
        let Some(Value::Tag(18, parts)) = object else { continue };
        let Some([_, _, Value::Bytes(payload), Value::Bytes(signature)]) = parts.as_array() else { continue };
        replace(bytes, signature, &[0x01]);
        let Ok(claims) = Value::decode(payload) else { continue };
        if let Some(Value::Bytes(cti)) = claims.get(7) {
            replace(bytes, cti, &CTI);
        }
        // cnf (8) → COSE_Key (1) → x (-2).
        let key = claims.get(8).and_then(|cnf| cnf.get(1)).and_then(|key| key.get(-2));
        if let Some(Value::Bytes(x)) = key.filter(|_| claims.get(7).is_some()) {
            replace(bytes, x, &KEY);
        }
    }
}

/// The end of a TLV object whose value begins here, by the length that stands before it.
fn length_before(bytes: &[u8], start: usize) -> Option<usize> {
    let length = match *bytes.get(..start)? {
        [.., 0x82, high, low] => usize::from(high) << 8 | usize::from(low),
        [.., 0x81, length] | [.., length] => usize::from(length),
        [] => return None,
    };
    Some(start + length).filter(|end| *end <= bytes.len())
}

/// Hexadecimal digits in a row become zeros.
fn mask_runs(data: &mut [u8]) {
    let mut at = 0;
    while at < data.len() {
        let run = data[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if run >= RUN {
            data[at..at + run].fill(b'0');
        }
        at += run.max(1);
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| data_encoding::HEXUPPER.encode(bytes);
        for (command, answer) in &self.exchanges {
            writeln!(f, "> {}", hex(command))?;
            match answer {
                Ok(answer) => writeln!(f, "< {}", hex(answer))?,
                Err(ChannelError::Short(_)) => writeln!(f, "<")?,
                Err(error) => writeln!(f, "! {}", word(error))?,
            }
        }
        Ok(())
    }
}

const fn word(error: &ChannelError) -> &'static str {
    match error {
        ChannelError::Removed => "removed",
        ChannelError::Reset => "reset",
        ChannelError::Unresponsive | ChannelError::Short(_) => "unresponsive",
        ChannelError::Shared => "shared",
        ChannelError::ReaderGone => "reader-gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(exchanges: &[(&[u8], &[u8])]) -> Recording {
        let exchanges = exchanges.iter().map(|(command, answer)| (command.to_vec(), Ok(answer.to_vec()))).collect();
        Recording { exchanges }
    }

    #[test]
    fn what_names_a_card_is_masked_and_its_kind_is_not() {
        let cases: &[(&[u8], &[u8], &[u8])] = &[
            // UIDs: fixed, of a maker, random.
            (b"\xFF\xCA\0\0\0", b"\xDE\xAD\xBE\xEF\x90\0", b"\x11\x22\x33\x44\x90\0"),
            (b"\xFF\xCA\0\0\0", b"\x04\xAD\xBE\xEF\x01\x02\x03\x90\0", b"\x04\x22\x33\x44\x55\x66\x77\x90\0"),
            (b"\xFF\xCA\0\0\0", b"\x08\xAD\xBE\xEF\x90\0", b"\x08\x22\x33\x44\x90\0"),
            (b"\xFF\xCA\0\0\0", b"\x6A\x81", b"\x6A\x81"),
            // A block with a number, a file with a name.
            (b"\xFF\xB0\0\x04\x10", b"1234-Ab\0\x90\0", b"0000xxx\0\x90\0"),
            (b"\x90\xBD\0\0\x07", b"\x12\xF4\x91\0", b"\0\0\x91\0"),
            // A link with a number in it.
            (b"\0\xB0\0\0\x20", b"\xD1\x01\x0FU\x04a.de/?n=12345\x90\0", b"\xD1\x01\x0FU\x04a.de/?n=00000\x90\0"),
            // What SELECT answers names the application, not the card.
            (b"\0\xA4\x04\0\x01\xF0\0", b"\x6F\x041234\x90\0", b"\x6F\x041234\x90\0"),
        ];
        for (command, answer, expected) in cases {
            let masked = recording(&[(command, answer)]).masked();
            assert_eq!(masked.exchanges[0].1.as_deref(), Ok(*expected), "{command:02X?}");
        }
        // A UID that comes again elsewhere, as it is and reversed.
        let uid = b"\x04\xAD\xBE\xEF\x01\x02\x03\x90\0";
        let again = recording(&[(b"\xFF\xCA\0\0\0", uid), (b"\0\xB0\0\0\0", b"\x03\x02\x01\xEF\xBE\xAD\x04\x90\0")]);
        assert_eq!(again.masked().exchanges[1].1.as_deref(), Ok(&b"\0\0\0\0\0\0\0\x90\0"[..]));
    }

    #[test]
    fn a_recording_plays_its_answers_to_its_commands_only() {
        let two = recording(&[(b"\0\xA4", b"\x90\0"), (b"\0\xB0", b"\x6A\x82")]);
        let mut player = two.play();
        assert_eq!(player.transmit(b"\0\xA4").as_deref(), Ok(&[0x90, 0x00][..]));
        assert!(!player.is_faithful(), "not all was sent");
        assert_eq!(player.transmit(b"\0\xB0").as_deref(), Ok(&[0x6A, 0x82][..]));
        assert!(player.is_faithful());
        assert_eq!(player.transmit(b"\0\xB0"), Err(ChannelError::Unresponsive));
        assert!(!player.is_faithful());
    }

    proptest::proptest! {
        #[test]
        fn masking_never_panics_and_keeps_lengths(
            exchanges in proptest::collection::vec(
                (proptest::collection::vec(proptest::prelude::any::<u8>(), 0..8), proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)),
                0..12,
            )
        ) {
            let exchanges: Vec<_> = exchanges.into_iter().map(|(command, answer)| (command, Ok(answer))).collect();
            let masked = Recording { exchanges: exchanges.clone() }.masked();
            for ((command, answer), (same, masked)) in exchanges.iter().zip(&masked.exchanges) {
                proptest::prop_assert_eq!(command, same);
                proptest::prop_assert_eq!(answer.as_ref().map(Vec::len), masked.as_ref().map(Vec::len));
            }
        }
    }
}
