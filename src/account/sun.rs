//! The keys of NTAG 424 chips, and what their messages prove (cards-and-readers, 4.5 and 4.6).

use zeroize::Zeroizing;

use crate::{
    card::sun::{PiccData, SunFault, SunKey, diversify},
    domain::ids::DistrictId,
};

/// What checks the messages of a district's chips: the key that all of them encrypt their PICC data with, and the one
/// their own keys are made from. Neither is ever on a terminal.
#[derive(Clone)]
pub struct SunKeys {
    /// `SDMMetaReadKey`, the same on every chip: who decrypts does not know yet whose message it is.
    pub meta: Zeroizing<SunKey>,
    /// Each chip's `SDMFileReadKey` is made from it.
    pub master: Zeroizing<SunKey>,
}

impl std::fmt::Debug for SunKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SunKeys(****)")
    }
}

impl SunKeys {
    /// The `SDMFileReadKey` of one chip: AN10922 over UID and district, so that the keys of one chip open no other and
    /// equal masters of two districts would do no harm.
    #[must_use]
    pub fn of_chip(&self, district: &DistrictId, uid: &[u8; 7]) -> SunKey {
        diversify(&self.master, &[uid, district.as_str().as_bytes()].concat())
    }

    /// Which chip made this message, and its counter. Whether the counter is fresh is for the caller to remember. The
    /// chips sign no text: both offsets of the CMAC's input are the same.
    ///
    /// # Errors
    /// [`SunFault`].
    pub fn verify(
        &self,
        district: &DistrictId,
        encrypted: &[u8; 16],
        truncated: &[u8; 8],
    ) -> Result<PiccData, SunFault> {
        let picc = PiccData::decrypt(&self.meta, encrypted)?;
        picc.verify(&self.of_chip(district, &picc.uid), b"", truncated)?;
        Ok(picc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two keys are used where AN12196 wants them, and a chip's own key opens no other chip and no other district.
    #[test]
    fn a_chip_speaks_for_itself_alone() {
        let district = DistrictId::new("de:00000001").unwrap();
        let keys = SunKeys { meta: Zeroizing::new([0; 16]), master: Zeroizing::new([7; 16]) };
        let uid = [0x04, 0xDE, 0x5F, 0x1E, 0xAC, 0xC0, 0x40];
        let mut input = uid.to_vec();
        input.extend(b"de:00000001");
        assert_eq!(keys.of_chip(&district, &uid), diversify(&[7; 16], &input));
        let other = DistrictId::new("de:00000002").unwrap();
        assert_ne!(keys.of_chip(&district, &uid), keys.of_chip(&other, &uid));
        assert_ne!(keys.of_chip(&district, &uid), keys.of_chip(&district, &[4; 7]));
        // The message of AN12196 decrypts under the zero key, but was signed with another than this chip's.
        let message = [0xEF, 0x96, 0x3F, 0xF7, 0x82, 0x86, 0x58, 0xA5, 0x99, 0xF3, 0x04, 0x15, 0x10, 0x67, 0x1E, 0x88];
        let cmac = [0x94, 0xEE, 0xD9, 0xEE, 0x65, 0x33, 0x70, 0x86];
        assert_eq!(keys.verify(&district, &message, &cmac), Err(SunFault::Cmac));
        assert_eq!(keys.verify(&district, &[1; 16], &cmac), Err(SunFault::Layout));
        assert_eq!(format!("{keys:?}"), "SunKeys(****)");
    }
}
