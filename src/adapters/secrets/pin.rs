//! PINs as they may be kept: Argon2id with a pepper from the secret file, so that the database alone is of no use for
//! guessing six digits.

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::ports::{Entropy, PinHash};

/// 19 MiB, two passes, one lane: the smallest memory of the usual recommendations (RFC 9106 wants more, the terminal's
/// memory budget less).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT: usize = 16;
const HASH: usize = 32;

/// Hashes PINs with the terminal's pepper.
pub struct ArgonPins {
    pepper: Zeroizing<[u8; 32]>,
    entropy: Box<dyn Entropy>,
}

impl ArgonPins {
    /// With the pepper kept under [`super::PIN_PEPPER`].
    #[must_use]
    pub fn new(pepper: Zeroizing<[u8; 32]>, entropy: Box<dyn Entropy>) -> Self {
        Self { pepper, entropy }
    }

    fn derive(&self, pin: &str, salt: &[u8], cost: (u32, u32, u32)) -> Result<[u8; HASH], argon2::Error> {
        let params = Params::new(cost.0, cost.1, cost.2, Some(HASH))?;
        let argon = Argon2::new_with_secret(self.pepper.as_slice(), Algorithm::Argon2id, Version::V0x13, params)?;
        let mut hash = [0; HASH];
        argon.hash_password_into(pin.as_bytes(), salt, &mut hash)?;
        Ok(hash)
    }
}

impl PinHash for ArgonPins {
    fn hash(&self, pin: &str) -> Result<String, String> {
        let mut salt = [0; SALT];
        self.entropy.fill(&mut salt);
        let hash = self.derive(pin, &salt, (MEMORY_KIB, PASSES, LANES)).map_err(|error| error.to_string())?;
        let (salt, hash) = (BASE64URL_NOPAD.encode(&salt), BASE64URL_NOPAD.encode(&hash));
        Ok(format!("argon2id${MEMORY_KIB}${PASSES}${LANES}${salt}${hash}"))
    }

    fn verify(&self, pin: &str, hash: &str) -> bool {
        let Some((cost, salt, expected)) = parse(hash) else { return false };
        self.derive(pin, &salt, cost)
            .is_ok_and(|hash| aws_lc_rs::constant_time::verify_slices_are_equal(&hash, &expected).is_ok())
    }
}

/// Cost, salt and hash; `None` for anything this program would not have written, such as a ruinous cost.
fn parse(text: &str) -> Option<((u32, u32, u32), Vec<u8>, Vec<u8>)> {
    let mut fields = text.strip_prefix("argon2id$")?.split('$');
    let mut number = |most: u32| fields.next()?.parse::<u32>().ok().filter(|n| (1..=most).contains(n));
    let cost = (number(MEMORY_KIB)?, number(8)?, number(LANES)?);
    let mut bytes =
        |length: usize| BASE64URL_NOPAD.decode(fields.next()?.as_bytes()).ok().filter(|b| b.len() == length);
    let (salt, hash) = (bytes(SALT)?, bytes(HASH)?);
    fields.next().is_none().then_some((cost, salt, hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::system::SystemEntropy;

    fn pins(pepper: u8) -> ArgonPins {
        ArgonPins::new(Zeroizing::new([pepper; 32]), Box::new(SystemEntropy::default()))
    }

    #[test]
    fn a_pin_fits_its_own_hash_under_its_own_pepper_only() {
        let pins_here = pins(1);
        let hash = pins_here.hash("123456").unwrap();
        assert!(pins_here.verify("123456", &hash));
        assert!(!pins_here.verify("123457", &hash));
        assert!(!pins(2).verify("123456", &hash));
        assert_ne!(pins_here.hash("123456").unwrap(), hash, "salted");
        assert!(!hash.contains("123456"));
    }

    #[test]
    fn foreign_hashes_never_fit_and_cost_nothing() {
        let hash = pins(1).hash("123456").unwrap();
        let ruinous = hash.replace(&MEMORY_KIB.to_string(), "4000000000");
        for text in ["", "argon2id$", "argon2id$1$1$1$$", &hash[1..], &ruinous, &format!("{hash}$x")] {
            assert!(!pins(1).verify("123456", text), "{text}");
        }
    }
}
