//! Light and sound of the reader itself: sent between card transactions, never within one, never before a card that
//! waits, and given up for good at a reader that does not take them.

use std::{collections::VecDeque, time::Duration};

use tracing::{debug, info};

use super::{Slot, Turn, Worker};
use crate::{
    app::limits,
    ports::{CardReader, EscapeWay, SlotName},
    profile::{Escape, Moment, ReaderProfile, System},
};

/// The signal that runs: at which reader, and what is still to be sent when.
#[derive(Default)]
pub(super) struct Running {
    slot: Option<SlotName>,
    steps: VecDeque<(Duration, Vec<u8>)>,
}

impl Running {
    /// When the next step is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.steps.front().map(|(due, _)| *due)
    }
}

impl Worker {
    /// Sends what the machine wants shown, and the steps of it that have come due.
    pub(super) fn signal(&mut self, reader: &mut dyn CardReader) {
        let wanted = self.common.board().signal.take();
        if let Some(moment) = wanted
            && !self.slots.values().any(|slot| matches!(slot.card, Some(ref card) if matches!(card.turn, Turn::Waits)))
            && let Some(name) = self.served.clone()
        {
            self.begin(reader, name, moment);
        }
        self.send_due(reader);
    }

    /// A reader has appeared: what its profile wants set at the start is sent at once, or with the first card.
    pub(super) fn greet(&mut self, reader: &mut dyn CardReader, name: &SlotName) {
        let at_once = self.slots.get(name).is_some_and(|slot| {
            slot.greeting_owed && slot.usable.as_ref().is_some_and(|(profile, _)| profile.escape.works_without_card)
        });
        if at_once {
            self.begin(reader, name.clone(), Moment::Start);
            self.send_due(reader);
        }
    }

    fn begin(&mut self, reader: &mut dyn CardReader, name: SlotName, moment: Moment) {
        // The last step of a signal puts the lights out: it is not skipped.
        if let Some((_, last)) = self.running.steps.pop_back() {
            self.running.steps.clear();
            self.send(reader, &last);
        }
        let now = self.common.clock.monotonic();
        let Some(slot) = self.slots.get_mut(&name) else { return };
        let Some((profile, _)) = &slot.usable else { return };
        let greeting = if std::mem::take(&mut slot.greeting_owed) { profile.signal(Moment::Start) } else { Vec::new() };
        let steps = if moment == Moment::Start { Vec::new() } else { profile.signal(moment) };
        let steps = greeting.into_iter().chain(steps).map(|step| (now + step.after, step.command)).collect();
        self.running = Running { slot: Some(name), steps };
    }

    fn send_due(&mut self, reader: &mut dyn CardReader) {
        let now = self.common.clock.monotonic();
        while self.alive()
            && let Some((_, command)) = self.running.steps.pop_front_if(|(due, _)| *due <= now)
        {
            if !self.send(reader, &command) {
                self.running.steps.clear();
            }
        }
    }

    /// False if the reader did not take it.
    fn send(&self, reader: &mut dyn CardReader, command: &[u8]) -> bool {
        let Some(name) = &self.running.slot else { return false };
        let Some((slot, profile)) = self.slots.get(name).and_then(|slot| Some((slot, &slot.usable.as_ref()?.0))) else {
            return false;
        };
        let Some(way) = way(slot, profile) else { return false };
        // Noted before, and struck out after: if the call never comes back, the thread that follows does not try again.
        if !self.common.board().silent.insert(name.clone()) {
            return false;
        }
        let answer = self.call_within(limits::SIGNAL_STUCK, || reader.escape(name, way, command));
        let taken = match (&answer, way) {
            (Some(answer), _) => obeyed(answer),
            // The card may just have left: that says nothing about the reader.
            (None, EscapeWay::Transmit) => true,
            (None, EscapeWay::Control(_)) => false,
        };
        if taken {
            self.common.board().silent.remove(name);
        } else {
            info!(reader = profile.id.as_str(), "the reader takes no signals; it stays silent");
        }
        debug!(taken, "signal");
        taken && answer.is_some()
    }
}

/// How a command gets to the reader just now.
fn way(slot: &Slot, profile: &ReaderProfile) -> Option<EscapeWay> {
    let Escape { control_code, works_without_card, via_transmit_with_card, .. } = &profile.escape;
    let card = slot.card.as_ref().is_some_and(|card| !card.mute);
    if card && *via_transmit_with_card {
        return Some(EscapeWay::Transmit);
    }
    let code = control_code.get(&System::HERE)?;
    (card || *works_without_card).then_some(EscapeWay::Control(*code))
}

/// An answer ends with 90xx (class FF; xx is the state of the lights) or is an `E1` object (class E0).
fn obeyed(answer: &[u8]) -> bool {
    matches!(answer, [.., 0x90, _] | [0xE1, ..])
}
