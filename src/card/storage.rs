//! Pseudo-APDUs of PC/SC part 3, which the reader answers itself: UID and blocks of storage cards. None that loads keys,
//! authenticates with them or writes.

use super::{
    apdu::CommandApdu,
    error::{CardError, Place, Step},
    exchange::exchange,
    status::StatusWord,
};
use crate::ports::CardChannel;

/// GET DATA for the UID; `None` if the reader has none to tell.
///
/// # Errors
/// [`CardError::Channel`], [`CardError::Exchange`].
pub fn uid(channel: &mut dyn CardChannel) -> Result<Option<Vec<u8>>, CardError> {
    let answer = exchange(channel, &CommandApdu::new(0xFF, 0xCA, 0x00, 0x00).le(256))?;
    // 6282: the reader wanted to give more bytes than a UID has, and gave the UID.
    let told = matches!(answer.status, StatusWord::Ok | StatusWord::EndOfFile) && !answer.data.is_empty();
    Ok(told.then_some(answer.data))
}

/// The UID is drawn anew each time (ISO 14443-3, 6.5.4: four bytes, the first 08), or there is none behind it.
#[must_use]
pub fn is_random(uid: &[u8]) -> bool {
    matches!(uid, [0x08, _, _, _]) || uid.iter().all(|byte| *byte == 0)
}

/// READ BINARY of one block or page.
///
/// # Errors
/// [`CardError::Length`] if another number of bytes comes back, [`CardError::Refused`].
pub fn read_block(channel: &mut dyn CardChannel, block: u16, len: u16) -> Result<Vec<u8>, CardError> {
    let [high, low] = block.to_be_bytes();
    let answer = exchange(channel, &CommandApdu::new(0xFF, 0xB0, high, low).le(u32::from(len)))?;
    match answer.status {
        StatusWord::Ok if answer.data.len() == usize::from(len) => Ok(answer.data),
        StatusWord::Ok => Err(CardError::Length(Place::OtherData)),
        status => Err(CardError::Refused { step: Step::Read, status }),
    }
}
