//! One logical command: 61xx collected, 6Cxx repeated once, everything bounded (cards-and-readers, 2.4).

use super::{
    apdu::{CommandApdu, MAX_LE, ResponseApdu},
    error::{CardError, ExchangeFault},
    status::StatusWord,
};
use crate::ports::{CardChannel, ChannelError};

/// Most GET RESPONSE commands for one answer.
pub const MAX_ROUNDS: usize = 16;
/// Most bytes of one answer that are collected.
pub const MAX_COLLECTED: usize = 4096;

/// How often a reading starts again from SELECT when another program reset the card.
const MAX_RESETS: u8 = 3;
/// How often the education card's dialogue starts again when the card reports a fault of its own.
pub const MAX_CARD_FAULTS: u8 = 1;

/// Sends a command and brings the whole answer. A bad status word is no error here.
///
/// # Errors
/// [`CardError::Channel`] if the pipe fails, [`CardError::Exchange`] if the answer has no end or no sense.
pub fn exchange(channel: &mut dyn CardChannel, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
    let mut answer = exact(channel, command)?;
    let mut rounds = 0;
    while let StatusWord::MoreBytes(more) = answer.status {
        rounds += 1;
        if rounds > MAX_ROUNDS {
            return Err(ExchangeFault::Endless.into());
        }
        let get_response = CommandApdu::new(command.cla, 0xC0, 0, 0).le(u32::from(more));
        let part = exact(channel, &get_response)?;
        // A round that brings nothing will bring nothing the next time either.
        let stuck = part.data.is_empty() && matches!(part.status, StatusWord::MoreBytes(_));
        if stuck || answer.data.len() + part.data.len() > MAX_COLLECTED {
            return Err(ExchangeFault::Endless.into());
        }
        answer.data.extend_from_slice(&part.data);
        answer.status = part.status;
    }
    Ok(answer)
}

/// Sends a command; if the card names the exact length, once more with that.
fn exact(channel: &mut dyn CardChannel, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
    let answer = transmit(channel, command)?;
    let StatusWord::ExactLength(le) = answer.status else {
        return Ok(answer);
    };
    let answer = transmit(channel, &command.clone().le(u32::from(le)))?;
    match answer.status {
        StatusWord::ExactLength(_) => Err(ExchangeFault::LengthRefused.into()),
        _ => Ok(answer),
    }
}

fn transmit(channel: &mut dyn CardChannel, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
    let bytes = channel.transmit(&command.encode())?;
    let length = bytes.len();
    if length > MAX_LE as usize + 2 {
        return Err(ExchangeFault::Endless.into());
    }
    ResponseApdu::parse(bytes).map_err(|_| ChannelError::Short(length).into())
}

/// Runs a dialogue from its SELECT on, and again from there where that may help: up to three times when another program
/// reset the card, `max_card_faults` times when the card reports a fault of its own. Every dialogue here only reads or signs
/// afresh, so a repeat changes nothing on the card but its counter.
///
/// # Errors
/// The last error of the dialogue.
pub fn with_restarts<T>(
    max_card_faults: u8,
    mut dialogue: impl FnMut() -> Result<T, CardError>,
) -> Result<T, CardError> {
    let (mut resets, mut faults) = (0, 0);
    loop {
        match dialogue() {
            Err(error) if error.is_reset() && resets < MAX_RESETS => resets += 1,
            Err(error) if error.is_card_fault() && faults < max_card_faults => faults += 1,
            result => return result,
        }
    }
}
