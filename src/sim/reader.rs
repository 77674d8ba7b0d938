//! Readers that exist only in memory, behind the same port as the real ones. `tests/reader_contract.rs` runs one list of
//! cases against both. Taps, hot-plug and the loss of the service are scripted through [`VirtualReaders`].

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::card::{Reply, VirtualCard};
use crate::ports::{
    CancelWait, CardChannel, CardReader, CardReaderFactory, ChannelError, Disposition, EscapeWay, ReaderError,
    ReaderEvent, ReaderIdentity, SlotName,
};

/// The desk with its readers and the service that serves them. Clones are the same desk.
#[derive(Clone)]
pub struct VirtualReaders(Arc<Desk>);

struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Counts restarts of the service: contexts of an earlier run are dead for ever, as in PC/SC.
    run: u64,
    up: bool,
    slots: Vec<Slot>,
    cancelled: bool,
}

struct Slot {
    name: SlotName,
    identity: ReaderIdentity,
    /// Ways to the reader itself that its driver leaves open, and what came by them.
    open_ways: Vec<EscapeWay>,
    obeyed: Vec<(EscapeWay, Vec<u8>)>,
    /// PC/SC's event counter: one more at each insertion and removal.
    counter: u16,
    card: Option<VirtualCard>,
    powered: bool,
    /// Another program holds the card.
    held: Option<Hold>,
}

/// How another program holds a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Connected for itself alone: nobody else gets in.
    Exclusive,
    /// Within a transaction that it does not end: whoever asks waits, without limit.
    Transaction,
}

impl State {
    fn slot(&mut self, name: &SlotName) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.name == *name)
    }

    /// The slot's card, if it is still the one that was put in as event `counter` during service run `run`.
    fn present(&mut self, run: u64, name: &SlotName, counter: u16) -> Result<&mut Slot, ChannelError> {
        if !self.up || self.run != run {
            return Err(ChannelError::ReaderGone);
        }
        let slot = self.slot(name).ok_or(ChannelError::ReaderGone)?;
        if slot.card.is_none() || slot.counter != counter {
            return Err(ChannelError::Removed);
        }
        Ok(slot)
    }
}

impl Slot {
    fn take(&mut self) -> Option<VirtualCard> {
        let card = self.card.take();
        if card.is_some() {
            self.counter = self.counter.wrapping_add(1);
            self.powered = false;
        }
        card
    }
}

impl Default for VirtualReaders {
    fn default() -> Self {
        Self::new()
    }
}

impl VirtualReaders {
    /// A running service without any reader.
    #[must_use]
    pub fn new() -> Self {
        let state = State { run: 0, up: true, slots: Vec::new(), cancelled: false };
        Self(Arc::new(Desk { state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// Plugs a reader in, with USB ids if the system is to know them.
    pub fn plug(&self, name: &str, usb: Option<(u16, u16)>) {
        self.plug_model(name, ReaderIdentity { usb, ..ReaderIdentity::default() }, &[]);
    }

    /// Plugs a reader in that says this of itself, and takes commands to itself by these ways.
    pub fn plug_model(&self, name: &str, identity: ReaderIdentity, open_ways: &[EscapeWay]) {
        self.change(|state| {
            state.slots.push(Slot {
                name: SlotName(name.to_owned()),
                identity,
                open_ways: open_ways.to_vec(),
                obeyed: Vec::new(),
                counter: 0,
                card: None,
                powered: false,
                held: None,
            });
        });
    }

    /// The names of the slots there are.
    #[must_use]
    pub fn slots(&self) -> Vec<String> {
        self.0.lock().slots.iter().map(|slot| slot.name.0.clone()).collect()
    }

    /// Takes the commands that the reader itself has got since the last call.
    #[must_use]
    pub fn obeyed(&self, name: &str) -> Vec<(EscapeWay, Vec<u8>)> {
        self.change(|state| {
            let slot = state.slot(&SlotName(name.to_owned()));
            slot.map(|slot| std::mem::take(&mut slot.obeyed)).unwrap_or_default()
        })
    }

    /// Pulls a reader out, with the card in it.
    pub fn unplug(&self, name: &str) {
        self.change(|state| state.slots.retain(|slot| slot.name.0 != name));
    }

    /// Lays a card into a slot; one that lies there already leaves first. A slot that is not there loses the card.
    pub fn insert(&self, name: &str, card: VirtualCard) {
        self.change(|state| {
            if let Some(slot) = state.slot(&SlotName(name.to_owned())) {
                slot.take();
                slot.card = Some(card);
                slot.counter = slot.counter.wrapping_add(1);
            }
        });
    }

    /// Takes the card out.
    #[expect(clippy::must_use_candidate, reason = "most callers let the card go")]
    pub fn remove(&self, name: &str) -> Option<VirtualCard> {
        self.change(|state| state.slot(&SlotName(name.to_owned())).and_then(Slot::take))
    }

    /// Another program takes hold of the slot's card, or lets it go.
    pub fn hold_elsewhere(&self, name: &str, held: Option<Hold>) {
        self.change(|state| {
            if let Some(slot) = state.slot(&SlotName(name.to_owned())) {
                slot.held = held;
            }
        });
    }

    /// The service ends; every context is dead.
    pub fn stop_service(&self) {
        self.change(|state| {
            state.up = false;
            state.run += 1;
        });
    }

    /// The service runs again; contexts have to be opened anew.
    pub fn start_service(&self) {
        self.change(|state| state.up = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.0.lock());
        self.0.changed.notify_all();
        result
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CardReaderFactory for VirtualReaders {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        let state = self.0.lock();
        if !state.up {
            return Err(gone());
        }
        Ok(Box::new(VirtualReader { desk: Arc::clone(&self.0), run: state.run, listed: false, seen: Vec::new() }))
    }

    fn simulated(&self) -> bool {
        true
    }
}

/// One context.
struct VirtualReader {
    desk: Arc<Desk>,
    run: u64,
    /// The list of slots was reported once, be it empty.
    listed: bool,
    /// What was last reported: slots, and the event counter of the card in them.
    seen: Vec<(SlotName, Option<u16>)>,
}

impl VirtualReader {
    fn news(&mut self, state: &State) -> Vec<ReaderEvent> {
        let mut events = Vec::new();
        let slots: Vec<_> = state.slots.iter().map(|slot| slot.name.clone()).collect();
        if !std::mem::replace(&mut self.listed, true) || !self.seen.iter().map(|(name, _)| name).eq(&slots) {
            for (slot, card) in &self.seen {
                if card.is_some() && !slots.contains(slot) {
                    events.push(ReaderEvent::CardRemoved { slot: slot.clone() });
                }
            }
            events.push(ReaderEvent::Slots(slots));
        }
        let mut seen = Vec::with_capacity(state.slots.len());
        for slot in &state.slots {
            let before = self.seen.iter().find(|(name, _)| *name == slot.name).and_then(|(_, card)| *card);
            let after = slot.card.as_ref().map(|_| slot.counter);
            if before != after {
                if before.is_some() {
                    events.push(ReaderEvent::CardRemoved { slot: slot.name.clone() });
                }
                if let Some(card) = &slot.card {
                    events.push(appearance(slot, card));
                }
            }
            seen.push((slot.name.clone(), after));
        }
        self.seen = seen;
        events
    }
}

fn appearance(slot: &Slot, card: &VirtualCard) -> ReaderEvent {
    let name = slot.name.clone();
    match card.atr() {
        [] => ReaderEvent::CardMute { slot: name },
        // The real service keeps no more than 33 bytes.
        atr => ReaderEvent::CardPresented {
            slot: name,
            atr: atr[..atr.len().min(33)].to_vec(),
            event_counter: slot.counter,
        },
    }
}

impl CardReader for VirtualReader {
    fn wait(&mut self, limit: Duration) -> Result<Vec<ReaderEvent>, ReaderError> {
        let desk = Arc::clone(&self.desk);
        let mut events = Vec::new();
        let quiet = |state: &mut State| {
            if !state.up || state.run != self.run || state.cancelled {
                return false;
            }
            events = self.news(state);
            events.is_empty()
        };
        let (mut state, _) =
            desk.changed.wait_timeout_while(desk.lock(), limit, quiet).unwrap_or_else(PoisonError::into_inner);
        if !state.up || state.run != self.run {
            return Err(gone());
        }
        if std::mem::take(&mut state.cancelled) {
            return Err(ReaderError::Cancelled);
        }
        Ok(events)
    }

    fn connect(&mut self, slot: &SlotName) -> Result<Box<dyn CardChannel + '_>, ChannelError> {
        let state = self.desk.lock();
        let in_transaction =
            |state: &mut State| state.slot(slot).is_some_and(|slot| slot.held == Some(Hold::Transaction));
        let blocked = |state: &mut State| state.up && state.run == self.run && in_transaction(state);
        let mut state = self.desk.changed.wait_while(state, blocked).unwrap_or_else(PoisonError::into_inner);
        if !state.up || state.run != self.run {
            return Err(ChannelError::ReaderGone);
        }
        let counter = state.slot(slot).ok_or(ChannelError::ReaderGone)?.counter;
        let found = state.present(self.run, slot, counter)?;
        if found.held.is_some() {
            return Err(ChannelError::Shared);
        }
        if !std::mem::replace(&mut found.powered, true)
            && let Some(card) = &mut found.card
        {
            card.power_on();
        }
        Ok(Box::new(VirtualChannel { desk: &self.desk, run: self.run, slot: slot.clone(), counter }))
    }

    fn identity(&mut self, slot: &SlotName) -> ReaderIdentity {
        self.desk.lock().slot(slot).map(|slot| slot.identity.clone()).unwrap_or_default()
    }

    fn escape(&mut self, slot: &SlotName, way: EscapeWay, command: &[u8]) -> Option<Vec<u8>> {
        let mut state = self.desk.lock();
        let slot = state.slot(slot).filter(|slot| slot.held.is_none() && slot.open_ways.contains(&way))?;
        if way == EscapeWay::Transmit && slot.card.is_none() {
            return None;
        }
        slot.obeyed.push((way, command.to_vec()));
        self.desk.changed.notify_all();
        Some(vec![0x90, 0x00])
    }

    fn canceller(&self) -> Box<dyn CancelWait> {
        Box::new(VirtualCanceller(Arc::clone(&self.desk)))
    }
}

struct VirtualCanceller(Arc<Desk>);

impl CancelWait for VirtualCanceller {
    fn cancel(&self) {
        self.0.lock().cancelled = true;
        self.0.changed.notify_all();
    }
}

/// One transaction with one card.
struct VirtualChannel<'a> {
    desk: &'a Desk,
    run: u64,
    slot: SlotName,
    counter: u16,
}

impl CardChannel for VirtualChannel<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let mut state = self.desk.lock();
        let slot = state.present(self.run, &self.slot, self.counter)?;
        let reply = slot.card.as_mut().map_or(Reply::Torn, |card| card.command(command));
        let lies = |state: &mut State| state.present(self.run, &self.slot, self.counter).is_ok();
        match reply {
            Reply::Torn => {
                slot.take();
                self.desk.changed.notify_all();
                Err(ChannelError::Removed)
            }
            Reply::Silence => {
                // As a real driver: no answer, no time-out, until the card is gone.
                let mut state = self.desk.changed.wait_while(state, lies).unwrap_or_else(PoisonError::into_inner);
                state.present(self.run, &self.slot, self.counter).and(Err(ChannelError::Unresponsive))
            }
            Reply::Answer(answer, delay) => {
                if !delay.is_zero() {
                    let (mut state, _) = self
                        .desk
                        .changed
                        .wait_timeout_while(state, delay, lies)
                        .unwrap_or_else(PoisonError::into_inner);
                    state.present(self.run, &self.slot, self.counter)?;
                }
                if answer.len() < 2 { Err(ChannelError::Short(answer.len())) } else { Ok(answer) }
            }
        }
    }

    fn end(self: Box<Self>, disposition: Disposition) {
        let mut state = self.desk.lock();
        if let Ok(slot) = state.present(self.run, &self.slot, self.counter) {
            slot.powered = disposition == Disposition::Leave;
        }
    }
}

fn gone() -> ReaderError {
    ReaderError::ServiceGone("the simulated service does not run".to_owned())
}
