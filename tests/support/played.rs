//! Transcripts as cards in a reader, in memory or of the real service; and an education card with anything on it.

use std::sync::{Arc, Mutex};

use teilhabe_terminal::sim::Applet;

use super::{
    bik1::hex,
    transcript::{Exchange, Transcript},
};

/// A chip that plays a transcript from its beginning whenever it is powered; another one can be put in its place while it
/// lies there.
#[derive(Clone, Default)]
pub struct Played(Arc<Mutex<Playing>>);

#[derive(Default)]
struct Playing {
    exchanges: Vec<Exchange>,
    next: usize,
    /// Whatever is not in the transcript is answered by this; without it the card leaves.
    otherwise: Option<[u8; 2]>,
    /// What the reader sent that is not in the transcript.
    astray: Option<Vec<u8>>,
}

impl Played {
    pub fn of(transcript: &Transcript) -> Self {
        let played = Self::default();
        played.put(transcript);
        played
    }

    /// The same among profiles that ask for other things too: those are not found, and whoever asks from the beginning is
    /// answered from the beginning.
    pub fn among_others(transcript: &Transcript) -> Self {
        let played = Self::of(transcript);
        played.0.lock().unwrap().otherwise = Some([0x6A, 0x82]);
        played
    }

    /// From now on it is that card.
    pub fn put(&self, transcript: &Transcript) {
        let exchanges = transcript.exchanges.clone();
        *self.0.lock().unwrap() = Playing { exchanges, next: 0, otherwise: None, astray: None };
    }

    /// How many commands came, all of them the transcript's.
    pub fn heard(&self) -> usize {
        let playing = self.0.lock().unwrap();
        assert_eq!(playing.astray, None, "after {} commands", playing.next);
        playing.next
    }
}

impl Applet for Played {
    fn reset(&mut self) {
        self.0.lock().unwrap().next = 0;
    }

    fn answer(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let mut playing = self.0.lock().unwrap();
        if playing.otherwise.is_some() && playing.exchanges.first().is_some_and(|(first, _)| first.matches(command)) {
            playing.next = 0;
        }
        let known = playing.exchanges.get(playing.next).filter(|(expected, _)| expected.matches(command));
        let Some((_, answer)) = known.cloned() else {
            playing.astray = Some(command.to_vec());
            return playing.otherwise.map(|status| status.to_vec());
        };
        playing.next += 1;
        answer.ok()
    }
}

/// An education card that holds any bytes as its credential's file and gives any answer to a challenge.
#[derive(Clone, Default)]
pub struct Issued(Arc<Mutex<(Vec<u8>, Vec<u8>)>>);

impl Issued {
    /// From now on it holds this file and answers so.
    pub fn put(&self, file: Vec<u8>, answer: Vec<u8>) {
        *self.0.lock().unwrap() = (file, answer);
    }
}

impl Applet for Issued {
    fn reset(&mut self) {}

    fn answer(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let (file, answer) = &*self.0.lock().unwrap();
        let [_, instruction, p1, p2, rest @ ..] = command else { return Some(hex("6700")) };
        let mut said = match instruction {
            0xA4 => hex("6F208409F042494B4152544501A513DF20020100DF21020001DF220101DF230200E0"),
            0xB0 => {
                // With bit 8 of P1 the offset is P2 alone (ISO 7816-4, 11.3.3).
                let offset =
                    if p1 & 0x80 == 0 { usize::from(u16::from_be_bytes([*p1, *p2])) } else { usize::from(*p2) };
                let Some(left) = file.get(offset..).filter(|left| !left.is_empty()) else { return Some(hex("6B00")) };
                let wanted = rest.first().map_or(0, |le| usize::from(*le));
                left[..left.len().min(if wanted == 0 { 256 } else { wanted })].to_vec()
            }
            0x88 => answer.clone(),
            _ => return Some(hex("6D00")),
        };
        said.extend([0x90, 0x00]);
        Some(said)
    }
}
