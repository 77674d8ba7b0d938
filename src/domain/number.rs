//! Card numbers as a person types them: 12 to 16 digits and two check digits (ISO 7064, MOD 97-10; card-application, 2.3).

use thiserror::Error;

use super::{
    documents::AccountDescriptor,
    ids::{CardNumber, DistrictId, Tag},
};

/// Why typed digits are no card number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NumberError {
    /// Something other than digits and blanks, or not 14 to 18 digits.
    #[error("a card number has 14 to 18 digits")]
    Form,
    /// The check digits do not fit: a typing error.
    #[error("the check digits do not fit")]
    CheckDigits,
}

/// Reads digits with their check digits; blanks and hyphens between groups are allowed.
///
/// # Errors
/// [`NumberError`].
pub fn read(typed: &str) -> Result<CardNumber, NumberError> {
    let digits: String = typed.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}' | '\u{202f}')).collect();
    if !(14..=18).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::Form);
    }
    if remainder(&digits) != 1 {
        return Err(NumberError::CheckDigits);
    }
    CardNumber::new(&digits[..digits.len() - 2]).ok_or(NumberError::Form)
}

/// The two check digits of a number, such that the whole leaves 1 modulo 97.
#[must_use]
pub fn check_digits(number: &CardNumber) -> String {
    format!("{:02}", 98 - remainder(number.reveal()) * 100 % 97)
}

/// The last digit is the check digit of the others (ISO/IEC 7812-1, annex B): from the right every second digit counts
/// double.
#[must_use]
pub fn luhn(digits: &str) -> bool {
    let sum = digits.bytes().rev().enumerate().try_fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        let counted = if place % 2 == 1 { digit * 2 } else { digit };
        Some(sum + counted / 10 + counted % 10)
    });
    digits.len() > 1 && sum.is_some_and(|sum| sum % 10 == 0)
}

impl CardNumber {
    /// The last four printed digits, which the operator may see: two of the number and its check digits.
    #[must_use]
    pub fn tag(&self) -> Tag {
        let digits = self.reveal();
        let printed = format!("{}{}", &digits[digits.len() - 2..], check_digits(self));
        Tag::new(&printed).expect("check digits are two digits")
    }
}

fn remainder(digits: &str) -> u32 {
    digits.bytes().fold(0, |sum, digit| (sum * 10 + u32::from(digit - b'0')) % 97)
}

/// The districts of an account whose numbers look like this one.
#[must_use]
pub fn districts(number: &CardNumber, descriptor: &AccountDescriptor) -> Vec<DistrictId> {
    let digits = number.reveal();
    let fits = descriptor
        .number_prefixes
        .iter()
        .filter(|rule| digits.len() == usize::from(rule.length) && digits.starts_with(rule.prefix.as_str()))
        .map(|rule| rule.district.clone());
    let mut districts: Vec<DistrictId> = fits.collect();
    districts.sort();
    districts.dedup();
    districts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn luhn_catches_a_wrong_digit() {
        // The example of ISO/IEC 7812-1 and one digit off.
        assert!(luhn("79927398713"));
        for wrong in ["79927398710", "79927398731", "7992739871", "", "0", "7992739871x"] {
            assert!(!luhn(wrong), "{wrong}");
        }
    }

    #[test]
    fn check_digits_catch_what_fingers_do() {
        let number = CardNumber::new("123456789012").unwrap();
        let whole = format!("{}{}", number.reveal(), check_digits(&number));
        assert_eq!(read(&whole), Ok(number.clone()));
        let grouped = format!("{} {} {} {}", &whole[..4], &whole[4..8], &whole[8..12], &whole[12..]);
        assert_eq!(read(&grouped), Ok(number));
        for at in 0..whole.len() - 1 {
            let mut swapped: Vec<char> = whole.chars().collect();
            swapped.swap(at, at + 1);
            let swapped: String = swapped.into_iter().collect();
            if swapped != whole {
                assert_eq!(read(&swapped), Err(NumberError::CheckDigits), "{swapped}");
            }
        }
        for bad in ["", "1234", "12345678901234567890", "١٢٣٤٥٦٧٨٩٠١٢٣٤", "1234567890123x"] {
            assert_eq!(read(bad), Err(NumberError::Form), "{bad}");
        }
    }

    /// Staff compare it with the card.
    #[test]
    fn the_tag_is_what_is_printed_last() {
        for (printed, tag) in [("99000017001770", "1770"), ("12345678901244", "1244")] {
            assert_eq!(read(printed).unwrap().tag(), Tag::new(tag).unwrap());
        }
    }

    proptest! {
        #[test]
        fn every_number_reads_back(digits in "[0-9]{12,16}") {
            let number = CardNumber::new(&digits).unwrap();
            let whole = format!("{digits}{}", check_digits(&number));
            prop_assert_eq!(read(&whole), Ok(number));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            let _ = read(&text);
        }
    }
}
