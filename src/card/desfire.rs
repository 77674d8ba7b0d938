//! Native `DESFire` commands in ISO wrapping (cards-and-readers, 4.4), those that read without a key.

use super::{
    apdu::CommandApdu,
    error::{CardError, ExchangeFault, Place, Step},
    exchange::exchange,
    status::StatusWord,
};
use crate::ports::CardChannel;

/// Operation complete.
const DONE: StatusWord = StatusWord::Wrapped(0x00);
/// Another frame follows.
const MORE: StatusWord = StatusWord::Wrapped(0xAF);
/// The application is not on the card.
const NO_APPLICATION: StatusWord = StatusWord::Wrapped(0xA0);
/// The file is not in the application.
const NO_FILE: StatusWord = StatusWord::Wrapped(0xF0);
/// Most frames of one answer: 4 KiB in frames of 59 bytes, and some to spare.
const MAX_FRAMES: usize = 80;

/// GET VERSION, all frames in a row.
///
/// # Errors
/// [`CardError::NotOurs`] if the card does not know the command.
pub fn version(channel: &mut dyn CardChannel) -> Result<Vec<u8>, CardError> {
    match wrapped(channel, 0x60, &[], 64)? {
        (bytes, DONE) => Ok(bytes),
        (_, status) => Err(CardError::NotOurs(status)),
    }
}

/// SELECT APPLICATION.
///
/// # Errors
/// [`CardError::NotOurs`] if it is not on the card, [`CardError::Refused`].
pub fn select_application(channel: &mut dyn CardChannel, application: &[u8]) -> Result<(), CardError> {
    match wrapped(channel, 0x5A, application, 0)? {
        (_, DONE) => Ok(()),
        (_, status @ (NO_APPLICATION | StatusWord::UnknownInstruction | StatusWord::UnknownClass)) => {
            Err(CardError::NotOurs(status))
        }
        (_, status) => Err(CardError::Refused { step: Step::Select, status }),
    }
}

/// READ DATA of a standard file.
///
/// # Errors
/// [`CardError::NotPersonalised`] if the file is missing, [`CardError::Length`] if another number of bytes comes back,
/// [`CardError::Refused`] if it is not free to read.
pub fn read_data(channel: &mut dyn CardChannel, file: u8, offset: u16, len: u16) -> Result<Vec<u8>, CardError> {
    let [offset_low, offset_high] = offset.to_le_bytes();
    let [len_low, len_high] = len.to_le_bytes();
    let parameters = [file, offset_low, offset_high, 0, len_low, len_high, 0];
    match wrapped(channel, 0xBD, &parameters, usize::from(len))? {
        (bytes, DONE) if bytes.len() == usize::from(len) => Ok(bytes),
        (_, DONE) => Err(CardError::Length(Place::OtherData)),
        (_, NO_FILE) => Err(CardError::NotPersonalised),
        (_, status) => Err(CardError::Refused { step: Step::Read, status }),
    }
}

/// One command with all its frames; at most `max` bytes are collected.
fn wrapped(
    channel: &mut dyn CardChannel,
    ins: u8,
    parameters: &[u8],
    max: usize,
) -> Result<(Vec<u8>, StatusWord), CardError> {
    let mut answer = exchange(channel, &CommandApdu::new(0x90, ins, 0, 0).data(parameters).le(256))?;
    let mut bytes = answer.data;
    for _ in 0..MAX_FRAMES {
        if answer.status != MORE {
            return Ok((bytes, answer.status));
        }
        answer = exchange(channel, &CommandApdu::new(0x90, 0xAF, 0, 0).le(256))?;
        if answer.data.is_empty() && answer.status == MORE || bytes.len() + answer.data.len() > max {
            break;
        }
        bytes.extend_from_slice(&answer.data);
    }
    Err(ExchangeFault::Endless.into())
}
