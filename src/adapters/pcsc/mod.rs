//! The real reader: PC/SC through pcsc-lite, Windows or macOS. Watches, connects, forwards bytes; knows nothing of cards.
//!
//! Cards and transactions are always left with a disposition said aloud. The crate's own `Drop` would reset a card,
//! which sends a phone's user back to the start.

mod canceller;
mod channel;
mod error;
mod features;
mod watch;

use std::{ffi::CString, sync::Arc, time::Duration};

use pcsc::{Context, Protocols, Scope, ShareMode};

use self::{
    canceller::{Doorbell, PcscCanceller},
    channel::{ANSWER_BUFFER, PcscChannel},
    error::{call, channel_error, reader_error},
    watch::Watch,
};
use crate::ports::{
    CancelWait, CardChannel, CardReader, CardReaderFactory, ChannelError, Disposition, EscapeWay, ReaderError,
    ReaderEvent, ReaderIdentity, SlotName,
};

/// Answers to a reader's own commands are a few dozen bytes at most.
const ESCAPE_ANSWER: usize = 264;

/// The machine's readers.
#[derive(Debug, Clone, Copy, Default)]
pub struct PcscReaders;

impl CardReaderFactory for PcscReaders {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        Ok(Box::new(PcscReader::establish()?))
    }

    fn simulated(&self) -> bool {
        false
    }
}

/// One context; lives on one thread.
struct PcscReader {
    context: Context,
    watch: Watch,
    doorbell: Arc<Doorbell>,
    connected: Option<Connected>,
    answer: Box<[u8]>,
}

/// The card of the last transaction. Its transaction borrows it, so it is left at the next call.
struct Connected {
    card: pcsc::Card,
    reader: CString,
}

impl PcscReader {
    #[expect(clippy::disallowed_methods, reason = "the one context of a reader thread is made here")]
    fn establish() -> Result<Self, ReaderError> {
        let context = call(|| Context::establish(Scope::User)).map_err(reader_error)?;
        Ok(Self {
            context,
            watch: Watch::new(),
            doorbell: Arc::default(),
            connected: None,
            answer: vec![0; ANSWER_BUFFER].into_boxed_slice(),
        })
    }

    /// Talks to the reader itself: connected directly, no card need lie there, and one that does is left as it is.
    fn directly<T>(&mut self, slot: &SlotName, talk: impl FnOnce(&pcsc::Card) -> Option<T>) -> Option<T> {
        self.leave();
        let reader = watch::find(&self.context, slot)?;
        let reader = call(|| self.context.connect(&reader, ShareMode::Direct, Protocols::UNDEFINED)).ok()?;
        let said = talk(&reader);
        leave(reader);
        said
    }

    /// Leaves the card of the last transaction as that transaction's end left it.
    fn leave(&mut self) {
        if let Some(Connected { card, .. }) = self.connected.take() {
            leave(card);
        }
    }
}

fn leave(card: pcsc::Card) {
    if let Err((card, _)) = card.disconnect(pcsc::Disposition::LeaveCard) {
        // Card, reader or service is gone; the crate's own attempt to reset the card fails in the same way.
        drop(card);
    }
}

impl Drop for PcscReader {
    fn drop(&mut self) {
        self.leave();
    }
}

impl CardReader for PcscReader {
    fn wait(&mut self, limit: Duration) -> Result<Vec<ReaderEvent>, ReaderError> {
        self.leave();
        // PC/SC loses a cancel that comes between two waits.
        if self.doorbell.answer() {
            return Err(ReaderError::Cancelled);
        }
        let outcome = self.watch.wait(&self.context, &self.doorbell, limit);
        if outcome == Err(ReaderError::Cancelled) {
            self.doorbell.answer();
        }
        outcome
    }

    fn connect(&mut self, slot: &SlotName) -> Result<Box<dyn CardChannel + '_>, ChannelError> {
        self.leave();
        let reader = watch::find(&self.context, slot).ok_or(ChannelError::ReaderGone)?;
        let card = call(|| self.context.connect(&reader, ShareMode::Shared, Protocols::ANY)).map_err(channel_error)?;
        let Connected { card, reader } = self.connected.insert(Connected { card, reader });
        Ok(Box::new(PcscChannel::begin(card, &self.context, reader, &mut self.answer)?))
    }

    fn identity(&mut self, slot: &SlotName) -> ReaderIdentity {
        self.directly(slot, |reader| Some(features::identity(reader))).unwrap_or_default()
    }

    fn escape(&mut self, slot: &SlotName, way: EscapeWay, command: &[u8]) -> Option<Vec<u8>> {
        match way {
            EscapeWay::Control(function) => self.directly(slot, |reader| {
                let mut answer = [0; ESCAPE_ANSWER];
                let code = pcsc::ctl_code(function.into());
                call(|| reader.control(code, command, &mut answer)).ok().map(<[u8]>::to_vec)
            }),
            EscapeWay::Transmit => {
                let mut channel = self.connect(slot).ok()?;
                let answer = channel.transmit(command).ok();
                channel.end(Disposition::Leave);
                answer
            }
        }
    }

    fn canceller(&self) -> Box<dyn CancelWait> {
        Box::new(PcscCanceller { context: self.context.clone(), doorbell: Arc::clone(&self.doorbell) })
    }
}
