//! What a terminal knows of a card outside the moment of reading (card-application, "Identity").

use aws_lc_rs::hmac;

use crate::domain::{
    documents::ReferenceKey,
    ids::{CardRef, Identity},
};

/// HMAC-SHA256 under the reference key over `kind ‖ 00 ‖ district ‖ 00 ‖ identity`, cut to 16 bytes.
#[must_use]
pub fn card_ref(key: &ReferenceKey, identity: &Identity) -> CardRef {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.key);
    let mut mac = hmac::Context::with_key(&key);
    for part in [identity.kind.word().as_bytes(), &[0], identity.district.as_str().as_bytes(), &[0], &identity.bytes] {
        mac.update(part);
    }
    let tag = mac.sign();
    CardRef(*tag.as_ref().first_chunk().expect("SHA-256 has more than 16 bytes"))
}
