//! SELECT and READ BINARY as functions (ISO 7816-4, 11.2.2 and 11.3.3).

use super::{
    apdu::CommandApdu,
    error::{CardError, Place, Step},
    exchange::exchange,
    status::StatusWord,
};
use crate::{ports::CardChannel, tlv};

/// Bytes of a file's first read: enough for tag, length and the version object of a BIK1 file.
const HEAD: u8 = 8;

/// SELECT by DF name, first or only occurrence, control information wanted.
///
/// # Errors
/// [`CardError::Channel`], [`CardError::Exchange`].
pub fn select(channel: &mut dyn CardChannel, aid: &[u8]) -> Result<(Vec<u8>, StatusWord), CardError> {
    let answer = exchange(channel, &CommandApdu::new(0x00, 0xA4, 0x04, 0x00).data(aid).le(256))?;
    Ok((answer.data, answer.status))
}

/// Reads a transparent file that holds one TLV object, by short file identifier: eight bytes first, which tell the
/// total, then the rest in chunks of `chunk` bytes. What comes beyond the object must be zero padding.
///
/// # Errors
/// [`CardError::NotPersonalised`] if the file is missing, [`CardError::WantsPace`] if it is guarded,
/// [`CardError::Size`] beyond `max` bytes, [`CardError::Length`] if it is shorter than its object or padded with
/// anything but zeros.
pub fn read_object(
    channel: &mut dyn CardChannel,
    sfi: u8,
    chunk: u8,
    max: usize,
    place: Place,
) -> Result<Vec<u8>, CardError> {
    let mut file = read(channel, 0x80 | sfi, 0, HEAD.min(chunk), place)?;
    let mut total = None;
    loop {
        let wanted = match total {
            Some(total) => total,
            // With a chunk below eight bytes the head may take more than one read.
            None => match tlv::announced_len(&file) {
                Ok(length) if length > max => return Err(CardError::Size(place)),
                Ok(length) => *total.insert(length),
                Err(tlv::TlvError::Truncated) if file.len() < usize::from(HEAD) => usize::from(HEAD),
                Err(error) => return Err(CardError::Tlv(place, error)),
            },
        };
        let Some(missing) = wanted.checked_sub(file.len()).filter(|n| *n > 0) else {
            break;
        };
        let [high, low] = u16::try_from(file.len()).expect("at most `max` bytes are read").to_be_bytes();
        let le = u8::try_from(missing).unwrap_or(u8::MAX).min(chunk);
        let part = read(channel, high, low, le, place)?;
        if part.is_empty() {
            return Err(CardError::Length(place));
        }
        file.extend_from_slice(&part);
    }
    let surplus = file.split_off(total.unwrap_or(file.len()));
    if surplus.iter().any(|byte| *byte != 0) {
        return Err(CardError::Length(place));
    }
    Ok(file)
}

fn read(channel: &mut dyn CardChannel, p1: u8, p2: u8, le: u8, place: Place) -> Result<Vec<u8>, CardError> {
    let answer = exchange(channel, &CommandApdu::new(0x00, 0xB0, p1, p2).le(u32::from(le)))?;
    match answer.status {
        StatusWord::Ok => Ok(answer.data),
        StatusWord::NotFound => Err(CardError::NotPersonalised),
        StatusWord::SecurityStatus => Err(CardError::WantsPace),
        StatusWord::WrongOffset | StatusWord::EndOfFile => Err(CardError::Length(place)),
        status => Err(CardError::Refused { step: Step::Read, status }),
    }
}

/// Reads `length` bytes of the current file from `offset` on, in chunks of what card and reader take.
///
/// # Errors
/// [`CardError::Length`] if the file ends before, [`CardError::Refused`] and the like.
pub fn read_exactly(
    channel: &mut dyn CardChannel,
    offset: u16,
    length: u16,
    chunk: u16,
    max_le: u16,
) -> Result<Vec<u8>, CardError> {
    let place = Place::OtherData;
    let chunk = u8::try_from(chunk.min(max_le).max(1)).unwrap_or(u8::MAX);
    let mut bytes = Vec::new();
    while bytes.len() < usize::from(length) {
        let missing = usize::from(length) - bytes.len();
        let at = usize::from(offset) + bytes.len();
        // Bit 15 of P1-P2 would make it a short file identifier.
        let [high, low] = u16::try_from(at).ok().filter(|at| *at < 0x8000).ok_or(CardError::Size(place))?.to_be_bytes();
        let part = read(channel, high, low, u8::try_from(missing).unwrap_or(u8::MAX).min(chunk), place)?;
        if part.is_empty() || part.len() > missing {
            return Err(CardError::Length(place));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
