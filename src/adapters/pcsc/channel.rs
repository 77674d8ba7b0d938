//! One transaction with one card.

use std::{ffi::CStr, time::Duration};

use pcsc::{Context, Error, Protocols, ReaderState, ShareMode, State, Transaction};

use super::error::{call, call_or, channel_error};
use crate::ports::{CardChannel, ChannelError, Disposition};

/// Largest extended answer with its status word and room for what drivers put around it (pcsc-lite's
/// `MAX_BUFFER_SIZE_EXTENDED`). With a smaller buffer the command would be executed and only its answer lost.
pub(super) const ANSWER_BUFFER: usize = 4 + 3 + (1 << 16) + 3 + 2;
/// The reader's own look at its card takes up to 400 ms (cards-and-readers, 3.3).
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Another program may reset the card between connecting and beginning the transaction; so often is that taken up.
const RESETS: u32 = 3;

pub(super) struct PcscChannel<'a> {
    transaction: Transaction<'a>,
    context: &'a Context,
    reader: &'a CStr,
    answer: &'a mut [u8],
}

impl<'a> PcscChannel<'a> {
    pub(super) fn begin(
        card: &'a mut pcsc::Card,
        context: &'a Context,
        reader: &'a CStr,
        answer: &'a mut [u8],
    ) -> Result<Self, ChannelError> {
        let mut card = card;
        for _ in 0..RESETS {
            // Not within `call`: the transaction borrows the card, which a caught panic would lose. The reader thread
            // catches what is left.
            match card.transaction2() {
                Ok(transaction) => return Ok(Self { transaction, context, reader, answer }),
                Err((returned, Error::ResetCard)) => {
                    card = returned;
                    taken_up(call(|| card.reconnect(ShareMode::Shared, Protocols::ANY, pcsc::Disposition::LeaveCard)))?;
                }
                Err((_, error)) => return Err(channel_error(error)),
            }
        }
        Err(ChannelError::Shared)
    }

    /// Tells a card that is gone from one that answers nothing sensible. A driver that loses the card in the middle of a
    /// command says only that the exchange failed, or brings an empty answer, and notices the absence at its next look.
    fn gone_or(&self, otherwise: ChannelError) -> ChannelError {
        let mut state = [ReaderState::new(self.reader, State::UNAWARE)];
        let mut look = |limit| {
            let outcome = call(|| self.context.get_status_change(limit, &mut state));
            let seen = (state[0].event_state().contains(State::PRESENT), state[0].event_count());
            state[0].sync_current_state();
            match outcome {
                Ok(()) | Err(Error::Timeout) => Ok(seen),
                Err(error) => Err(channel_error(error)),
            }
        };
        let now = match look(Duration::ZERO) {
            Ok((false, _)) => return ChannelError::Removed,
            Ok(present) => present,
            Err(error) => return error,
        };
        match look(LOOK_AGAIN) {
            Ok(later) if later == now => otherwise,
            Ok(_) => ChannelError::Removed,
            Err(error) => error,
        }
    }
}

/// What comes of taking a handle up again after the card was reset. Where the other program is still at it there is no
/// protocol yet; the next call then meets the reset once more.
fn taken_up(outcome: Result<(), Error>) -> Result<(), ChannelError> {
    match outcome {
        Ok(()) | Err(Error::ProtoMismatch) => Ok(()),
        Err(error) => Err(channel_error(error)),
    }
}

impl CardChannel for PcscChannel<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        // The crate panics over a handle without a protocol: it was connected in the moment of another program's reset.
        match call_or(Error::ProtoMismatch, || self.transaction.transmit(command, self.answer)) {
            Ok(answer) if answer.len() < 2 => {
                let length = answer.len();
                Err(self.gone_or(ChannelError::Short(length)))
            }
            Ok(answer) => Ok(answer.to_vec()),
            // pcscd lets a reset that another program asked for before this transaction began happen within it, and may tell
            // of it only by the protocol, which has to be agreed on anew.
            Err(Error::ResetCard | Error::ProtoMismatch) => {
                // The card is as after power-on: the handle is taken up again, the dialogue starts from SELECT.
                let again =
                    || self.transaction.reconnect(ShareMode::Shared, Protocols::ANY, pcsc::Disposition::LeaveCard);
                taken_up(call(again))?;
                Err(ChannelError::Reset)
            }
            Err(Error::NotTransacted | Error::UnresponsiveCard | Error::UnknownError) => {
                Err(self.gone_or(ChannelError::Unresponsive))
            }
            Err(error) => Err(channel_error(error)),
        }
    }

    fn end(self: Box<Self>, disposition: Disposition) {
        // Failing means that the card or its reader is gone; the crate then ends the transaction once more, in vain.
        let _ = self.transaction.end(pcsc_disposition(disposition));
    }
}

pub(super) const fn pcsc_disposition(disposition: Disposition) -> pcsc::Disposition {
    match disposition {
        Disposition::Leave => pcsc::Disposition::LeaveCard,
        Disposition::Unpower => pcsc::Disposition::UnpowerCard,
    }
}
