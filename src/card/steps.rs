//! The reading that a card profile describes: its steps one after the other, and the place of the identity in what they
//! brought. Nothing here writes or uses a key, because no step exists that does.

use super::{
    apdu::CommandApdu,
    desfire,
    error::{self, CardError, Place},
    exchange::exchange,
    files,
    status::StatusWord,
    storage,
};
use crate::{
    ports::CardChannel,
    profile::{Extract, ExtractError, Step},
    tlv,
};

const LAYOUT: CardError = CardError::Layout(Place::OtherData);

/// What bounds a reading.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest Le the reader takes.
    pub max_le: u16,
    /// Most bytes of one step.
    pub max_answer: usize,
}

/// Runs the steps; one entry for each, empty where a step brings nothing. `selected` is the application that was
/// selected while the card was recognised: it is not selected again.
///
/// # Errors
/// [`CardError`].
pub fn run(
    channel: &mut dyn CardChannel,
    steps: &[Step],
    bounds: Bounds,
    selected: Option<&[u8]>,
) -> Result<Vec<Vec<u8>>, CardError> {
    let mut brought = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let bytes = match step {
            Step::Select { aid } if index == 0 && selected == Some(aid.bytes()) => Vec::new(),
            _ => one(channel, step, bounds)?,
        };
        if bytes.len() > bounds.max_answer {
            return Err(CardError::Size(Place::OtherData));
        }
        brought.push(bytes);
    }
    Ok(brought)
}

fn one(channel: &mut dyn CardChannel, step: &Step, bounds: Bounds) -> Result<Vec<u8>, CardError> {
    let nothing = |()| Vec::new();
    match step {
        Step::Select { aid } => match files::select(channel, aid.bytes())? {
            (_, StatusWord::Ok) => Ok(Vec::new()),
            (_, status) => Err(CardError::NotOurs(status)),
        },
        Step::SelectFile { fid } => {
            let answer = exchange(channel, &CommandApdu::new(0x00, 0xA4, 0x00, 0x0C).data(&fid.0))?;
            accepted(answer.status, error::Step::Select).map(nothing)
        }
        Step::ReadBinary { sfi, max, class } => read_binary(channel, *sfi, *max, *class, bounds.max_le),
        Step::ReadBlock { block, len } => storage::read_block(channel, *block, *len),
        Step::GetData { tag } => {
            // One or two bytes are P1-P2 themselves; three go into a tag list (ISO 7816-4, 11.4.3).
            let command = match tag.0.as_slice() {
                [low] => CommandApdu::new(0x00, 0xCA, 0x00, *low),
                [high, low] => CommandApdu::new(0x00, 0xCA, *high, *low),
                longer => {
                    let mut list = Vec::new();
                    tlv::append(&mut list, 0x5C, longer);
                    CommandApdu::new(0x00, 0xCB, 0x3F, 0xFF).data(&list)
                }
            };
            let answer = exchange(channel, &command.le(256))?;
            accepted(answer.status, error::Step::Read)?;
            Ok(answer.data)
        }
        Step::SelectApplication { application } => desfire::select_application(channel, &application.0).map(nothing),
        Step::ReadFile { file, offset, len } => desfire::read_data(channel, *file, *offset, *len),
    }
}

fn accepted(status: StatusWord, step: error::Step) -> Result<(), CardError> {
    match status {
        StatusWord::Ok => Ok(()),
        StatusWord::NotFound | StatusWord::ReferenceNotFound => Err(CardError::NotPersonalised),
        status => Err(CardError::Refused { step, status }),
    }
}

/// Reads up to `max` bytes, or until the file ends.
fn read_binary(
    channel: &mut dyn CardChannel,
    sfi: Option<u8>,
    max: u16,
    class: u8,
    max_le: u16,
) -> Result<Vec<u8>, CardError> {
    let mut bytes = Vec::new();
    while bytes.len() < usize::from(max) {
        let offset = u16::try_from(bytes.len()).expect("at most `max` bytes are read").to_be_bytes();
        let [p1, p2] = match sfi {
            Some(sfi) if bytes.is_empty() => [0x80 | sfi, 0x00],
            _ => offset,
        };
        let missing = usize::from(max) - bytes.len();
        let le = missing.min(usize::from(max_le.clamp(1, 256)));
        let le_field = u32::try_from(le).expect("at most 256");
        let answer = exchange(channel, &CommandApdu::new(class, 0xB0, p1, p2).le(le_field))?;
        if answer.data.len() > le {
            return Err(CardError::Length(Place::OtherData));
        }
        bytes.extend_from_slice(&answer.data);
        match answer.status {
            StatusWord::Ok if answer.data.len() == le => {}
            StatusWord::Ok | StatusWord::EndOfFile => break,
            // Asked beyond the end of a file whose length is a multiple of the chunk.
            StatusWord::WrongOffset if !bytes.is_empty() => break,
            status => accepted(status, error::Step::Read)?,
        }
    }
    Ok(bytes)
}

/// The identity in what the steps brought.
///
/// # Errors
/// [`CardError::Layout`] if it is not there or has another form, [`CardError::Tlv`].
pub fn extract(brought: &[Vec<u8>], extract: &Extract) -> Result<String, CardError> {
    let step = usize::from(extract.step).checked_sub(1).and_then(|index| brought.get(index));
    extract.find(step.ok_or(LAYOUT)?).map_err(|error| match error {
        ExtractError::Layout => LAYOUT,
        ExtractError::Tlv(error) => CardError::Tlv(Place::OtherData, error),
    })
}
