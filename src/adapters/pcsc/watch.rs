//! The loop state over `SCardGetStatusChange`: which readers there are, which card lies in which, and what changed since
//! it was last told.
//!
//! Readers are listed anew each round. pcsc-lite before 2.3 notices only a changed *number* of readers, and only while a
//! call waits; macOS has no pseudo reader for them at all. Hence the wait is bounded to a second, and a name is never
//! an index.

use std::{
    ffi::{CStr, CString},
    time::Duration,
};

use pcsc::{Context, Error, PNP_NOTIFICATION, ReaderState, State};

use super::{
    canceller::Doorbell,
    error::{call, is_reader_gone, reader_error},
};
use crate::ports::{ReaderError, ReaderEvent, SlotName};

/// Longest single wait; a reader that appears unnoticed is found after it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Readers may appear between asking for the length of the list and for the list.
const LIST_TRIES: u32 = 3;
/// Readers that vanish between list and wait are pruned and the rest is asked again, this often.
const PRUNE_TRIES: u32 = 4;
/// So often in a row may the pseudo reader report a change where there is none before it is taken for broken.
const FALSE_ALARMS: u32 = 8;

/// What is known of the readers.
pub(super) struct Watch {
    slots: Vec<Slot>,
    listed: bool,
    /// The pseudo reader that changes when readers come and go, where it exists.
    plug: Option<ReaderState>,
    false_alarms: u32,
}

/// One reader's slot.
struct Slot {
    state: ReaderState,
    seen: Seen,
}

/// What the caller was told about a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Empty,
    /// A card, by PC/SC's event counter: the same state with another counter is another card.
    Card(u16),
    Mute(u16),
}

impl Seen {
    fn of(state: &ReaderState) -> Self {
        let counter = u16::try_from(state.event_count()).unwrap_or(u16::MAX);
        let flags = state.event_state();
        if !flags.contains(State::PRESENT) {
            Self::Empty
        } else if flags.contains(State::MUTE) {
            Self::Mute(counter)
        } else {
            Self::Card(counter)
        }
    }
}

impl Watch {
    pub(super) fn new() -> Self {
        let plug = ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE);
        Self { slots: Vec::new(), listed: false, plug: Some(plug), false_alarms: 0 }
    }

    /// Waits at most `limit` and at most a second for something to tell.
    pub(super) fn wait(
        &mut self,
        context: &Context,
        doorbell: &Doorbell,
        limit: Duration,
    ) -> Result<Vec<ReaderEvent>, ReaderError> {
        let mut events = Vec::new();
        for _ in 0..PRUNE_TRIES {
            let moved = self.follow(&list(context)?, &mut events);
            // What is already known is told without waiting for more.
            let limit = if events.is_empty() { limit.min(LONGEST_WAIT) } else { Duration::ZERO };
            match self.status_change(context, doorbell, limit) {
                Err(error) if is_reader_gone(error) => continue,
                Err(Error::Timeout) => {}
                Err(error) => return Err(reader_error(error)),
                Ok(()) => self.judge_plug(moved),
            }
            self.slots.iter_mut().for_each(|slot| slot.tell(&mut events));
            return Ok(events);
        }
        Ok(events)
    }

    /// Takes over the list of readers. True if it differs from the last one.
    fn follow(&mut self, names: &[CString], events: &mut Vec<ReaderEvent>) -> bool {
        let same =
            self.listed && self.slots.iter().map(|slot| slot.state.name()).eq(names.iter().map(CString::as_c_str));
        if same {
            return false;
        }
        let mut before = std::mem::take(&mut self.slots);
        for name in names {
            let known = before.iter().position(|slot| slot.state.name() == name.as_c_str());
            self.slots.push(match known {
                Some(index) => before.swap_remove(index),
                None => Slot { state: ReaderState::new(name.clone(), State::UNAWARE), seen: Seen::Empty },
            });
        }
        for gone in before.iter().filter(|slot| slot.seen != Seen::Empty) {
            events.push(ReaderEvent::CardRemoved { slot: gone.name() });
        }
        events.push(ReaderEvent::Slots(self.slots.iter().map(Slot::name).collect()));
        self.listed = true;
        true
    }

    fn status_change(&mut self, context: &Context, doorbell: &Doorbell, limit: Duration) -> Result<(), Error> {
        // The states are moved into one array for the call and back: PC/SC wants them in a row, pseudo reader included.
        let mut states: Vec<ReaderState> = self.plug.take().into_iter().collect();
        let plugged = states.len();
        let seen: Vec<Seen> = self.slots.iter().map(|slot| slot.seen).collect();
        states.extend(std::mem::take(&mut self.slots).into_iter().map(|slot| slot.state));
        let outcome = if states.is_empty() {
            // No reader and no pseudo reader: PC/SC would return at once.
            doorbell.wait(limit)
        } else {
            call(|| context.get_status_change(limit, &mut states))
        };
        let rest = states.split_off(plugged);
        self.plug = states.pop();
        self.slots = rest.into_iter().zip(seen).map(|(state, seen)| Slot { state, seen }).collect();
        if outcome.is_ok() {
            for slot in &mut self.slots {
                slot.state.sync_current_state();
            }
        }
        outcome
    }

    /// Gives the pseudo reader up where it is unknown, or cries wolf so often that waiting would become spinning.
    fn judge_plug(&mut self, moved: bool) {
        let Some(plug) = &mut self.plug else { return };
        let flags = plug.event_state();
        plug.sync_current_state();
        let alarm = flags.contains(State::CHANGED) && !moved;
        self.false_alarms = if alarm { self.false_alarms + 1 } else { 0 };
        if flags.contains(State::UNKNOWN) || self.false_alarms > FALSE_ALARMS {
            self.plug = None;
        }
    }
}

impl Slot {
    fn name(&self) -> SlotName {
        slot_name(self.state.name())
    }

    /// Reports what changed since the last report.
    fn tell(&mut self, events: &mut Vec<ReaderEvent>) {
        let now = Seen::of(&self.state);
        if now == self.seen {
            return;
        }
        let replaced = !matches!((self.seen, now), (Seen::Mute(before), Seen::Card(after)) if before == after);
        if self.seen != Seen::Empty && replaced {
            events.push(ReaderEvent::CardRemoved { slot: self.name() });
        }
        match now {
            Seen::Empty => {}
            Seen::Mute(_) => events.push(ReaderEvent::CardMute { slot: self.name() }),
            Seen::Card(event_counter) => {
                let atr = self.state.atr().to_vec();
                events.push(ReaderEvent::CardPresented { slot: self.name(), atr, event_counter });
            }
        }
        self.seen = now;
    }
}

/// A reader's name as PC/SC lists it; bytes that are no UTF-8 are replaced, hence names lead back by [`find`] alone.
pub(super) fn slot_name(name: &CStr) -> SlotName {
    SlotName(name.to_string_lossy().into_owned())
}

/// The reader that is listed under this name now.
pub(super) fn find(context: &Context, slot: &SlotName) -> Option<CString> {
    list(context).ok()?.into_iter().find(|name| slot_name(name) == *slot)
}

/// The readers there are.
fn list(context: &Context) -> Result<Vec<CString>, ReaderError> {
    for _ in 0..LIST_TRIES {
        match call(|| context.list_readers_owned()) {
            Ok(names) => return Ok(names.into_iter().filter(|name| !name.is_empty()).collect()),
            Err(Error::InsufficientBuffer) => {}
            Err(Error::NoReadersAvailable) => return Ok(Vec::new()),
            Err(error) => return Err(reader_error(error)),
        }
    }
    // It grows each time one asks: the next round has it.
    Ok(Vec::new())
}
