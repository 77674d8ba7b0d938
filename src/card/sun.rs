//! Messages of an NTAG 424 DNA (secure unique NFC, AN12196): 16 encrypted bytes and a truncated CMAC that change at each
//! tap. Only who holds the keys can check them: that is the account, and this is its code.

use aws_lc_rs::{
    cipher::{AES_128, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey},
    cmac,
    constant_time::verify_slices_are_equal,
};
use thiserror::Error;

/// An AES-128 key. Never printed.
pub type SunKey = [u8; 16];

/// Tag byte of PICC data that hold a UID of seven bytes and the read counter.
const UID_AND_COUNTER: u8 = 0xC7;

/// Why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SunFault {
    /// Decrypted to anything but a UID and a counter: another key, or no message at all.
    #[error("no UID and counter inside")]
    Layout,
    /// The CMAC is wrong.
    #[error("the CMAC is wrong")]
    Cmac,
}

/// UID and read counter, as a chip mirrors them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PiccData {
    /// The chip.
    pub uid: [u8; 7],
    /// Rises with each tap, 24 bits. The same or a lower one than before is a replay.
    pub counter: u32,
}

impl std::fmt::Debug for PiccData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PiccData(**** counter {})", self.counter)
    }
}

impl PiccData {
    /// Decrypts the PICC data of a message (AN12196, 3.4.2).
    ///
    /// # Errors
    /// [`SunFault::Layout`].
    pub fn decrypt(key: &SunKey, encrypted: &[u8; 16]) -> Result<Self, SunFault> {
        let mut block = *encrypted;
        // One block under a zero initialisation vector: CBC and ECB are the same.
        let cipher = UnboundCipherKey::new(&AES_128, key).and_then(DecryptingKey::ecb);
        let plain = cipher.and_then(|cipher| cipher.decrypt(&mut block, DecryptionContext::None).map(|plain| &*plain));
        match plain {
            Ok([UID_AND_COUNTER, rest @ ..]) => {
                let (uid, rest) = rest.split_first_chunk::<7>().ok_or(SunFault::Layout)?;
                let [low, middle, high, ..] = *rest else { return Err(SunFault::Layout) };
                Ok(Self { uid: *uid, counter: u32::from_le_bytes([low, middle, high, 0]) })
            }
            _ => Err(SunFault::Layout),
        }
    }

    /// Checks the truncated CMAC over `input`, the mirrored text between the two offsets the chip was set up with; empty
    /// where they are the same (AN12196, 3.4.4).
    ///
    /// # Errors
    /// [`SunFault::Cmac`].
    pub fn verify(&self, file_key: &SunKey, input: &[u8], truncated: &[u8; 8]) -> Result<(), SunFault> {
        let session = aes_cmac(file_key, &self.session_vector());
        let whole = aes_cmac(&session, input);
        // Every second byte, beginning with the second.
        let expected: [u8; 8] = std::array::from_fn(|n| whole[2 * n + 1]);
        verify_slices_are_equal(&expected, truncated).map_err(|_| SunFault::Cmac)
    }

    /// SV2 of AN12196, 3.3: what the session key for the CMAC is derived from.
    fn session_vector(&self) -> [u8; 16] {
        let [low, middle, high, _] = self.counter.to_le_bytes();
        let mut vector = [0x3C, 0xC3, 0x00, 0x01, 0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, low, middle, high];
        vector[6..13].copy_from_slice(&self.uid);
        vector
    }
}

fn aes_cmac(key: &SunKey, input: &[u8]) -> [u8; 16] {
    let key = cmac::Key::new(cmac::AES_128, key).expect("an AES-128 key has 16 bytes");
    let tag = cmac::sign(&key, input).expect("CMAC takes any input");
    tag.as_ref().try_into().expect("a CMAC of AES has 16 bytes")
}

/// A chip's own key out of a master key (AN10922, AES-128). `input` is the UID and whatever else tells the chip apart, 1
/// to 31 bytes.
///
/// Always pads to 32 bytes: for inputs below 16 bytes this is *not* CMAC over `01 ‖ input`.
///
/// # Panics
/// If the input is longer than 31 bytes.
#[must_use]
pub fn diversify(master: &SunKey, input: &[u8]) -> SunKey {
    assert!(input.len() <= 31, "AN10922 takes at most 31 bytes");
    let mut padded = [0; 32];
    padded[0] = 0x01;
    padded[1..=input.len()].copy_from_slice(input);
    let first_subkey = doubled(encrypted(master, [0; 16]));
    let subkey = if input.len() == 31 {
        first_subkey
    } else {
        padded[input.len() + 1] = 0x80;
        doubled(first_subkey)
    };
    let (head, tail) = padded.split_at(16);
    let chained = encrypted(master, head.try_into().expect("half of 32 bytes"));
    encrypted(master, std::array::from_fn(|n| chained[n] ^ tail[n] ^ subkey[n]))
}

fn encrypted(key: &SunKey, mut block: [u8; 16]) -> [u8; 16] {
    let cipher = UnboundCipherKey::new(&AES_128, key).and_then(EncryptingKey::ecb);
    cipher.and_then(|cipher| cipher.encrypt(&mut block)).expect("one block under an AES-128 key");
    block
}

/// Multiplication by x in GF(2^128) (NIST SP 800-38B, 6.1).
fn doubled(block: [u8; 16]) -> [u8; 16] {
    let number = u128::from_be_bytes(block);
    let reduction = if number >> 127 == 1 { 0x87 } else { 0 };
    ((number << 1) ^ reduction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        data_encoding::HEXUPPER.decode(text.as_bytes()).unwrap().try_into().unwrap()
    }

    const ZERO: SunKey = [0; 16];

    /// AN12196: encrypted PICC data, no file data.
    #[test]
    fn a_message_of_an12196_is_accepted() {
        let message = PiccData::decrypt(&ZERO, &hex("EF963FF7828658A599F3041510671E88")).unwrap();
        assert_eq!(message, PiccData { uid: hex("04DE5F1EACC040"), counter: 61 });
        assert_eq!(message.session_vector(), hex("3CC30001008004DE5F1EACC0403D0000"));
        let session = aes_cmac(&ZERO, &message.session_vector());
        assert_eq!(session, hex("3FB5F6E3A807A03D5E3570ACE393776F"));
        assert_eq!(aes_cmac(&session, b""), hex("E194C7EE12D9F7EE8A65C8331B704386"));
        assert_eq!(message.verify(&ZERO, b"", &hex("94EED9EE65337086")), Ok(()));
        for index in 0..8 {
            let mut wrong = hex("94EED9EE65337086");
            wrong[index] ^= 1;
            assert_eq!(message.verify(&ZERO, b"", &wrong), Err(SunFault::Cmac), "{index}");
        }
        let replayed = PiccData { counter: 62, ..message };
        assert_eq!(replayed.verify(&ZERO, b"", &hex("94EED9EE65337086")), Err(SunFault::Cmac));
        assert_eq!(message.verify(&[1; 16], b"", &hex("94EED9EE65337086")), Err(SunFault::Cmac));
    }

    /// With encrypted file data: the input is the text as mirrored, up to and with the name of the CMAC.
    #[test]
    fn the_input_is_the_mirrored_text() {
        let message = PiccData::decrypt(&ZERO, &hex("FD91EC264309878BE6345CBE53BADF40")).unwrap();
        assert_eq!(message, PiccData { uid: hex("04958CAA5C5E80"), counter: 8 });
        let cmac = hex("ECC1E7F6C6C73BF6");
        assert_eq!(message.verify(&ZERO, b"CEE9A53E3E463EF1F459635736738962&cmac=", &cmac), Ok(()));
        let short = message.verify(&ZERO, b"CEE9A53E3E463EF1F459635736738962", &cmac);
        assert_eq!(short, Err(SunFault::Cmac));
    }

    /// A plain mirror prints the counter most significant byte first; the session vector takes it the other way round.
    #[test]
    fn a_plain_mirror_is_accepted() {
        let message = PiccData { uid: hex("041E3C8A2D6B80"), counter: 6 };
        assert_eq!(message.verify(&ZERO, b"", &hex("4B00064004B0B3D3")), Ok(()));
        let as_printed = PiccData { counter: 0x06_0000, ..message };
        assert_eq!(as_printed.verify(&ZERO, b"", &hex("1E1D59AE6118031D")), Ok(()));
    }

    #[test]
    fn session_keys_agree_with_the_application_note() {
        let key = hex("5ACE7E50AB65D5D51FD5BF5A16B8205B");
        let vectors = [
            ("C33C0001008004C767F2066180010000", "66DA61797E23DECA5D8ECA13BBADF7A9"),
            ("3CC30001008004C767F2066180010000", "3A3E8110E05311F7A3FCF0D969BF2B48"),
        ];
        for (vector, session) in vectors {
            assert_eq!(aes_cmac(&key, &hex::<16>(vector)), hex(session));
        }
    }

    #[test]
    fn what_does_not_decrypt_to_a_uid_is_refused() {
        let other_key = PiccData::decrypt(&[1; 16], &hex("EF963FF7828658A599F3041510671E88"));
        assert_eq!(other_key, Err(SunFault::Layout));
        assert_eq!(PiccData::decrypt(&ZERO, &[0; 16]), Err(SunFault::Layout));
    }

    /// AN10922 and, with a short input, AN10957: a plain CMAC over `01 ‖ input` fails the second.
    #[test]
    fn keys_diversify_as_in_the_application_notes() {
        let input: [u8; 17] = hex("04782E21801D803042F54E585020416275");
        let key = diversify(&hex("00112233445566778899AABBCCDDEEFF"), &input);
        assert_eq!(key, hex("A8DD63A3B89D54B37CA802473FDA9175"));
        let master = hex("F3F9377698707B688EAF84ABE39E3791");
        let input: [u8; 7] = hex("04DEADBEEFFEED");
        assert_eq!(diversify(&master, &input), hex("0BB408BAFF98B6EE9F2E1585777F6A51"));
        let plain: Vec<u8> = [&[0x01][..], &input].concat();
        assert_eq!(aes_cmac(&master, &plain), hex("721E2C01E81AF85D815633969CEA2607"));
        // A full input of 31 bytes needs no padding and is an ordinary CMAC.
        let full: Vec<u8> = [&[0x01][..], &[7; 31]].concat();
        assert_eq!(diversify(&master, &[7; 31]), aes_cmac(&master, &full));
    }
}
