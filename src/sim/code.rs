//! What a phone shows and a card office prints: codes of card-application 2.3, and their picture.

use data_encoding::{BASE32HEX_NOPAD, Encoding};
use p256::SecretKey;

use super::issue::{self, Lifetime};
use crate::cbor::Value;

/// Upper-case base32hex without padding (card-application, 2.2).
const ALPHABET: &Encoding = &BASE32HEX_NOPAD;
/// White modules around a code, ISO/IEC 18004.
const QUIET_ZONE: usize = 4;
/// Picture dots per module: large enough for a webcam, small enough for a message.
const SCALE: usize = 6;

/// `BIKN1`: a card number with its two check digits.
#[must_use]
pub fn number(digits: &str) -> String {
    format!("BIKN1{digits}{}", check_digits(digits))
}

/// ISO 7064 MOD 97-10: the number with both check digits leaves 1 when divided by 97.
fn check_digits(digits: &str) -> String {
    let remainder = digits.bytes().fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("{:02}", 98 - remainder * 100 % 97)
}

/// `BIKS1`: a signed static print.
#[must_use]
pub fn printed(credential: &[u8]) -> String {
    format!("BIKS1{}", ALPHABET.encode(credential))
}

/// `BIKD1`: a phone's credential with a fresh proof. `audience` is `terminal id/six digits` if a terminal shows them.
#[must_use]
pub fn one_time(holder: &SecretKey, credential: &[u8], audience: Option<&str>, jti: [u8; 8], life: Lifetime) -> String {
    let proof = issue::proof(holder, credential, audience, jti, life);
    let token = Value::Array(vec![Value::int(1), Value::bytes(credential), Value::bytes(proof)]);
    format!("BIKD1{}", ALPHABET.encode(&token.encode()))
}

/// The code as a QR picture, PNG, one grey channel.
///
/// # Errors
/// A sentence if the text is too long for a QR code.
pub fn picture(text: &str) -> Result<Vec<u8>, String> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M)
        .or_else(|_| qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L))
        .map_err(|error| error.to_string())?;
    let modules = code.width();
    let side = (modules + 2 * QUIET_ZONE) * SCALE;
    let mut dots = vec![0xFF_u8; side * side];
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == qrcode::Color::Dark {
            let (left, top) = ((index % modules + QUIET_ZONE) * SCALE, (index / modules + QUIET_ZONE) * SCALE);
            for row in dots.chunks_exact_mut(side).skip(top).take(SCALE) {
                row[left..left + SCALE].fill(0);
            }
        }
    }
    let mut file = Vec::new();
    let side = u32::try_from(side).map_err(|error| error.to_string())?;
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer.write_image_data(&dots).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::issue::tests::{DISTRICT, ISSUER, key};

    /// Key of the phone in the worked example, card-application 1.8.
    const DEVICE: &str = "CA06C5C6CA77AEAE55DD2C073B9AF41923060FA64BD779C115C2E8D1683D1209";

    #[test]
    fn the_examples_of_the_specification_come_out() {
        let cti = *b"\x0F\x1E\x2D\x3C\x4B\x5A\x69\x78\x87\x96\xA5\xB4\xC3\xD2\xE1\xF0";
        let device = key(DEVICE);
        let life = Lifetime { issued: 0x6955_B900, expires: 0x6983_DD80 };
        let credential =
            issue::credential(&key(ISSUER), DISTRICT, cti, issue::KIND_PHONE, Some(&device.public_key()), life);
        let life = Lifetime { issued: 1_767_229_200, expires: 1_767_229_260 };
        let jti = [0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7];
        let text = one_time(&device, &credential, None, jti, life);
        assert_eq!(text.len(), 509);
        assert!(text.starts_with("BIKD1GC0LHGEIGHBA60960H4ECNSM7SVBLPPT21JM4QBB5LHN4P50B1HQC0BBCHIJKC1G60O30C1G6021KQC3RM00C6J9AMSG01QG1SF2QF2BB9KNH1SMKMQC7KN1U04A"));
        assert!(text.ends_with("07930C3GM3OJ2SDHQO82H3EISUVNA9O72REHD5ANMVVR1EMSBI6PEG6AAMQEIQO4SSE09HRIIKQCHHQN9QJL53UJ9OSO5O59G4HUT3277O27JBC6TRGHB0FHD7"));
    }

    #[test]
    fn check_digits_leave_one() {
        for digits in ["123456789012", "0000000000000", "9999999999999999"] {
            let text = number(digits);
            let whole: u128 = text[5..].parse().unwrap();
            assert_eq!(whole % 97, 1, "{text}");
        }
        // ISO 7064 gives 794 → 44 as its example of MOD 97-10.
        assert_eq!(check_digits("794"), "44");
    }

    #[test]
    fn a_picture_has_a_quiet_zone_and_dark_finders() {
        let file = picture("BIKN179400").unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut dots = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut dots).unwrap();
        let at = |x: usize, y: usize| dots[y * frame.width as usize + x];
        assert_eq!(at(0, 0), 0xFF);
        assert_eq!(at(QUIET_ZONE * SCALE, QUIET_ZONE * SCALE), 0);
        assert!(picture(&"A".repeat(5000)).is_err());
    }
}
