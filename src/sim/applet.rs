//! What a virtual card runs besides BIK1: a tag with messages that change, or whatever a test makes up.

use std::sync::Arc;

use aws_lc_rs::{
    cipher::{AES_128, EncryptingKey, UnboundCipherKey},
    cmac,
};
use data_encoding::HEXUPPER;

use super::card::Remember;
use crate::ports::Entropy;

/// A program on a chip: every command comes to it as it left the reader.
pub trait Applet: Send {
    /// Power-on or reset: everything volatile is gone.
    fn reset(&mut self);
    /// The answer, status word included, which reaches the reader as it is; `None` if the card is gone by then.
    fn answer(&mut self, command: &[u8]) -> Option<Vec<u8>>;
    /// How often it has proven itself, if it counts.
    fn counter(&self) -> u32 {
        0
    }
}

/// An ISO-DEP chip without historical bytes but 80, as DESFire and NTAG 424 DNA answer (cards-and-readers, 2.2).
pub const ATR_ISO_DEP: [u8; 6] = [0x3B, 0x81, 0x80, 0x01, 0x80, 0x80];

/// Name of the type 4 tag application.
const AID: [u8; 7] = [0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01];
/// Length, mapping version 2.0, `MLe` 256, `MLc` 255, the NDEF file E104 of 256 bytes: free to read, never to be written.
const CAPABILITY_CONTAINER: [u8; 15] = *b"\x00\x0F\x20\x01\x00\x00\xFF\x04\x06\xE1\x04\x01\x00\x00\xFF";
/// The counter has 24 bits.
const MAX_COUNTER: u32 = 0x00FF_FFFF;

/// What is written onto an NTAG 424 DNA.
#[derive(Clone)]
pub struct SunCard {
    /// Of the chip.
    pub uid: [u8; 7],
    /// `SDMMetaReadKey`.
    pub meta_key: [u8; 16],
    /// `SDMFileReadKey`.
    pub file_key: [u8; 16],
    /// What the URL says in front of the parameters that change, without its scheme.
    pub address: String,
}

impl SunCard {
    /// What a chip shows at this counter (AN12196, 3.4): encrypted PICC data of `C7 ‖ UID ‖ counter ‖ chance`, and the
    /// truncated CMAC over nothing.
    #[must_use]
    pub fn message(&self, counter: u32, chance: [u8; 5]) -> ([u8; 16], [u8; 8]) {
        let [low, middle, high, _] = counter.to_le_bytes();
        let mut picc = [0; 16];
        picc[0] = 0xC7;
        picc[1..8].copy_from_slice(&self.uid);
        picc[8..11].copy_from_slice(&[low, middle, high]);
        picc[11..].copy_from_slice(&chance);
        let mut vector = [0x3C, 0xC3, 0x00, 0x01, 0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, low, middle, high];
        vector[6..13].copy_from_slice(&self.uid);
        let session = aes_cmac(&self.file_key, &vector);
        let whole = aes_cmac(&session, b"");
        let cipher = UnboundCipherKey::new(&AES_128, &self.meta_key).and_then(EncryptingKey::ecb);
        // One block under a zero initialisation vector.
        cipher.and_then(|cipher| cipher.encrypt(&mut picc)).expect("one block under an AES-128 key");
        (picc, std::array::from_fn(|n| whole[2 * n + 1]))
    }

    fn address_at(&self, counter: u32, chance: [u8; 5]) -> String {
        let (picc, cmac) = self.message(counter, chance);
        format!("{}&picc_data={}&cmac={}", self.address, HEXUPPER.encode(&picc), HEXUPPER.encode(&cmac))
    }
}

fn aes_cmac(key: &[u8; 16], input: &[u8]) -> [u8; 16] {
    let key = cmac::Key::new(cmac::AES_128, key).expect("an AES-128 key has 16 bytes");
    let tag = cmac::sign(&key, input).expect("CMAC takes any input");
    tag.as_ref().try_into().expect("a CMAC of AES has 16 bytes")
}

/// How a tag is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SunFault {
    /// A message that was read so many taps ago, 0 for the last one: a copy on another tag.
    Kept(u32),
    /// A message of this chip with one bit of the CMAC flipped.
    WrongCmac,
}

/// An NTAG 424 DNA with its type 4 tag application.
pub(super) struct Ntag424 {
    card: SunCard,
    counter: u32,
    fault: Option<SunFault>,
    entropy: Arc<dyn Entropy>,
    remember: Remember,
    selected: bool,
    file: Vec<u8>,
    /// The message of this reading: the counter rises with the first read of the file.
    message: Option<Vec<u8>>,
}

impl Ntag424 {
    pub(super) fn new(
        card: SunCard,
        counter: u32,
        fault: Option<SunFault>,
        entropy: Arc<dyn Entropy>,
        remember: Remember,
    ) -> Self {
        Self { card, counter, fault, entropy, remember, selected: false, file: Vec::new(), message: None }
    }

    fn message(&mut self) -> Result<Vec<u8>, u16> {
        if let Some(message) = &self.message {
            return Ok(message.clone());
        }
        let shown = if let Some(SunFault::Kept(back)) = self.fault {
            self.counter.saturating_sub(back)
        } else {
            let counter = self.counter.checked_add(1).filter(|next| *next <= MAX_COUNTER).ok_or(0x6983_u16)?;
            (self.remember)(counter).map_err(|_| 0x6581_u16)?;
            self.counter = counter;
            counter
        };
        let mut chance = [0; 5];
        self.entropy.fill(&mut chance);
        let mut address = self.card.address_at(shown, chance);
        if self.fault == Some(SunFault::WrongCmac) {
            let last = address.pop().and_then(|digit| digit.to_digit(16)).unwrap_or_default();
            address.push(char::from_digit(last ^ 1, 16).unwrap_or('0'));
        }
        // One short record, well-known type U, prefix 4: https.
        let payload = u8::try_from(address.len() + 1).map_err(|_| 0x6700_u16)?;
        let record = [&[0xD1, 0x01, payload, b'U', 0x04][..], address.as_bytes()].concat();
        let length = u16::try_from(record.len()).map_err(|_| 0x6700_u16)?;
        Ok(self.message.insert([&length.to_be_bytes()[..], &record].concat()).clone())
    }

    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>, u16> {
        match command {
            [0x00, 0xA4, 0x04, 0x00, 7, name @ ..] if name.starts_with(&AID) => {
                self.selected = true;
                self.file.clear();
                Ok(Vec::new())
            }
            [0x00, 0xA4, 0x04, ..] => {
                self.selected = false;
                Err(0x6A82)
            }
            [0x00, 0xA4, 0x00, 0x0C, 2, file @ ..] if self.selected && matches!(file, [0xE1, 0x03 | 0x04]) => {
                self.file = file.to_vec();
                Ok(Vec::new())
            }
            [0x00, 0xA4, ..] => Err(0x6A82),
            [0x00, 0xB0, high, low, le] if high & 0x80 == 0 => {
                let content = match self.file.as_slice() {
                    [0xE1, 0x03] => CAPABILITY_CONTAINER.to_vec(),
                    [0xE1, 0x04] => self.message()?,
                    _ => return Err(0x6986),
                };
                let offset = usize::from(*high) << 8 | usize::from(*low);
                let rest = content.get(offset..).filter(|rest| !rest.is_empty()).ok_or(0x6B00_u16)?;
                let wanted = if *le == 0 { 256 } else { usize::from(*le) };
                Ok(rest[..rest.len().min(wanted)].to_vec())
            }
            [0xFF, 0xCA, 0x00, 0x00, ..] => Ok(self.card.uid.to_vec()),
            [0x00, ..] => Err(0x6D00),
            _ => Err(0x6E00),
        }
    }
}

impl Applet for Ntag424 {
    fn reset(&mut self) {
        self.selected = false;
        self.file.clear();
        self.message = None;
    }

    fn answer(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        Some(match self.execute(command) {
            Ok(mut data) => {
                data.extend([0x90, 0x00]);
                data
            }
            Err(status) => status.to_be_bytes().to_vec(),
        })
    }

    fn counter(&self) -> u32 {
        self.counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AN12196's own chip at its own counter: the chance bytes are those of the sample.
    #[test]
    fn the_message_of_an12196_is_made_again() {
        let card = SunCard {
            uid: [0x04, 0xDE, 0x5F, 0x1E, 0xAC, 0xC0, 0x40],
            meta_key: [0; 16],
            file_key: [0; 16],
            address: "x?n=1".to_owned(),
        };
        let made = card.address_at(61, [0xDA, 0x5C, 0xF6, 0x09, 0x41]);
        assert_eq!(made, "x?n=1&picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086");
    }
}
