//! One run of the reader's thread: from opening a context to losing it, and over again.

mod signals;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use tracing::{debug, error, info, warn};

use super::{Common, Order};
use crate::{
    app::limits,
    card::{self, BookingContext, CardError, Reading},
    domain::{
        ids::{Identity, TapId},
        reading::ReadFailure,
    },
    ports::{CardChannel, CardReader, ChannelError, Disposition, ReaderError, ReaderEvent, ReaderIdentity, SlotName},
    profile::{
        Action, Atr, CardProfile, Interface, ProfileCatalog, Quirk, ReaderProfile, Sighting, Topic, UsbId, Verdict,
    },
    terminal::{input::Input, screen::ReaderState},
};

/// A slot that is listed.
struct Slot {
    /// Who it is, and by which interface its cards come; `None` if it is not to be used or two profiles fit alike.
    usable: Option<(Arc<ReaderProfile>, Interface)>,
    /// Its profile, usable or not; `None` if two fit alike.
    known: Option<Arc<ReaderProfile>>,
    /// Its firmware is known to fail.
    bad_firmware: bool,
    card: Option<Lying>,
    /// The card that signed here and was just taken away.
    signed: Option<Signed>,
    /// What the profile wants set when the reader appears was not sent yet.
    greeting_owed: bool,
}

/// A card that lies in a slot.
struct Lying {
    atr: Vec<u8>,
    mute: bool,
    turn: Turn,
}

/// How far a card has come.
enum Turn {
    /// Nothing was asked of it yet.
    Waits,
    /// A phone whose holder has not chosen a child. Asked again at that time, until that other time.
    Chooses { tap: TapId, again: Duration, until: Duration },
    /// It was read, for better or worse; without a tap it is one that was never away.
    Over { tap: Option<TapId>, reading: Option<Box<Reading>>, signed: bool },
}

/// Who signed in a slot last, and when the card left.
struct Signed {
    identities: Vec<Identity>,
    left: Duration,
}

pub(super) struct Worker {
    common: Arc<Common>,
    generation: u64,
    slots: BTreeMap<SlotName, Slot>,
    /// Those the slots were met with.
    profiles: Arc<ProfileCatalog>,
    told: RefCell<Option<Told>>,
    /// Where the last card was read.
    served: Option<SlotName>,
    running: signals::Running,
    /// The last attempt to reach the service was refused.
    refused: bool,
}

/// What was last said of the reader: its state, its name, and what its profile says to do about it, by language.
type Told = (ReaderState, Option<String>, BTreeMap<String, String>);

/// What a dialogue came to.
enum Talk {
    /// Who it is; `true` if it signed.
    Read(Box<Reading>, bool),
    /// The card that has just signed here, back again; nobody was told.
    SameAgain,
    /// Nothing of use; nobody was told yet.
    Failed(CardError),
}

impl Worker {
    pub(super) fn new(common: Arc<Common>, generation: u64) -> Self {
        let profiles = common.profiles();
        Self {
            common,
            generation,
            slots: BTreeMap::new(),
            profiles,
            told: RefCell::default(),
            served: None,
            running: signals::Running::default(),
            refused: false,
        }
    }

    /// Until another generation takes over.
    pub(super) fn run(mut self) {
        while self.alive() {
            // A panic in a library must not take the terminal with it; the reader starts over.
            let lost = catch_unwind(AssertUnwindSafe(|| self.context())).unwrap_or_else(|_| {
                error!("the reader's thread panicked; it starts over");
                ReaderError::Other("panic".to_owned())
            });
            if self.alive() {
                self.lost(&lost);
            }
        }
    }

    fn alive(&self) -> bool {
        self.common.generation.load(Ordering::Relaxed) == self.generation
    }

    fn post(&self, input: Input) {
        if self.alive() {
            // Nobody listens any more only when the terminal ends.
            let _ = self.common.posts.send(input);
        }
    }

    /// A state that no profile has anything to say about.
    fn show(&self, state: ReaderState) {
        self.tell((state, None, BTreeMap::new()));
    }

    fn tell(&self, told: Told) {
        if self.told.replace(Some(told.clone())).as_ref() != Some(&told) {
            let (state, name, advice) = told;
            info!(state = state.word(), name, "reader");
            self.post(Input::Reader { state, name, simulated: self.common.factory.simulated(), advice });
        }
    }

    /// The reader was another program's, and is not any more.
    fn no_longer_busy(&self) {
        if matches!(*self.told.borrow(), Some((ReaderState::Busy, ..))) {
            self.show_slots();
        }
    }

    /// Marks a call into PC/SC, so that the watchdog sees one that hangs.
    fn call<T>(&self, work: impl FnOnce() -> T) -> T {
        self.call_within(limits::READER_STUCK, work)
    }

    /// Marks a call that hangs if it takes longer than this.
    fn call_within<T>(&self, limit: Duration, work: impl FnOnce() -> T) -> T {
        if self.alive() {
            self.common.board().busy_until = Some(self.common.clock.monotonic() + limit);
        }
        let done = work();
        if self.alive() {
            self.common.board().busy_until = None;
        }
        done
    }

    /// Waits, but not past an end.
    fn pause(&self, limit: Duration) {
        let board = self.common.board();
        let _ = self.common.changed.wait_timeout_while(board, limit, |board| !board.stop && self.alive());
    }

    /// One context: from opening to losing it.
    fn context(&mut self) -> ReaderError {
        let mut reader = match self.call(|| self.common.factory.open()) {
            Ok(reader) => reader,
            Err(lost) => return lost,
        };
        while self.alive() {
            self.common.board().waiting = Some(reader.canceller());
            let due = self.running.next().map(|due| due.saturating_sub(self.common.clock.monotonic()));
            let limit = due.map_or(limits::READER_WAIT, |due| due.min(limits::READER_WAIT));
            let events = self.call(|| reader.wait(limit));
            self.common.board().waiting = None;
            match events {
                Ok(events) => events.into_iter().for_each(|event| self.note(event, &mut *reader)),
                // Somebody wants something: see below what.
                Err(ReaderError::Cancelled) => {}
                Err(lost) => return lost,
            }
            self.obey_late_orders(&mut *reader);
            self.serve(&mut *reader);
            self.signal(&mut *reader);
        }
        ReaderError::Cancelled
    }

    fn lost(&mut self, why: &ReaderError) {
        let mut board = self.common.board();
        (board.busy_until, board.waiting) = (None, None);
        board.identities.clear();
        board.silent.clear();
        drop(board);
        for slot in std::mem::take(&mut self.slots).into_values() {
            self.gone(slot.card.as_ref());
        }
        debug!(%why, "no context");
        // pcsc-lite says "denied" of every connection that closes before it is greeted, and a service that is just being
        // killed closes it too. Whoever is really not let in hears it again.
        let refused = matches!(why, ReaderError::Denied);
        let denied = std::mem::replace(&mut self.refused, refused) && refused;
        self.show(if denied { ReaderState::Denied } else { ReaderState::ServiceMissing });
        self.pause(limits::READER_RETRY);
    }

    fn gone(&self, card: Option<&Lying>) {
        let turn = card.map(|card| &card.turn);
        if let Some(Turn::Chooses { tap, .. } | Turn::Over { tap: Some(tap), .. }) = turn {
            self.post(Input::CardRemoved { tap: *tap });
        }
    }

    fn note(&mut self, event: ReaderEvent, reader: &mut dyn CardReader) {
        let lying = |atr, mute| Some(Lying { atr, mute, turn: Turn::Waits });
        match event {
            ReaderEvent::Slots(names) => {
                let mut before = std::mem::take(&mut self.slots);
                for name in &names {
                    let slot = before.remove(name).unwrap_or_else(|| self.meet(name, reader));
                    self.slots.insert(name.clone(), slot);
                }
                for (name, slot) in before {
                    self.gone(slot.card.as_ref());
                    // Whatever is plugged in next may be another reader, or open to signals.
                    let mut board = self.common.board();
                    board.silent.remove(&name);
                    board.identities.remove(&name);
                }
                self.show_slots();
                for name in &names {
                    self.greet(reader, name);
                }
            }
            // A swap was told as a removal before: each presence comes here once.
            ReaderEvent::CardPresented { slot, atr, .. } => self.put(&slot, lying(atr, false)),
            ReaderEvent::CardMute { slot } => self.put(&slot, lying(Vec::new(), true)),
            ReaderEvent::CardRemoved { slot } => self.put(&slot, None),
        }
    }

    fn put(&mut self, name: &SlotName, card: Option<Lying>) {
        let left = self.common.clock.monotonic();
        let Some(slot) = self.slots.get_mut(name) else { return };
        let before = std::mem::replace(&mut slot.card, card);
        match before.as_ref().map(|card| &card.turn) {
            Some(Turn::Over { reading: Some(reading), signed: true, .. }) => {
                slot.signed = Some(Signed { identities: reading.identified.identities.clone(), left });
            }
            // Back and away again: the moment counts anew.
            Some(Turn::Over { tap: None, .. }) => slot.signed.iter_mut().for_each(|signed| signed.left = left),
            _ => {}
        }
        self.gone(before.as_ref());
    }

    /// Finds the profile of a slot that has appeared.
    fn meet(&self, name: &SlotName, reader: &mut dyn CardReader) -> Slot {
        let known = self.common.board().identities.get(name).cloned();
        // A thread that follows one which hangs does not ask again: the question would hang as well.
        let identity = known.unwrap_or_else(|| {
            let asked = self.call(|| reader.identity(name));
            self.common.board().identities.insert(name.clone(), asked.clone());
            asked
        });
        let ReaderIdentity { usb, bcd_device, firmware_text } = identity;
        let usb = usb.map(|(vendor, product)| UsbId { vendor, product });
        let seen = Sighting { usb, bcd_device, firmware_text: firmware_text.as_deref(), ..Sighting::named(&name.0) };
        let known = match self.profiles.find_reader(&seen) {
            Ok(profile) => Some(Arc::new(profile.clone())),
            Err(ambiguous) => {
                warn!(%ambiguous, "the reader is not used");
                None
            }
        };
        let usable =
            known.as_ref().and_then(|profile| Some((Arc::clone(profile), profile.slot_role(&name.0).interface()?)));
        let bad_firmware = known.as_ref().zip(bcd_device).is_some_and(|(profile, bcd)| profile.firmware_is_bad(bcd));
        Slot { usable, known, bad_firmware, card: None, signed: None, greeting_owed: true }
    }

    /// Between two cards newer profiles count: a reader may have become usable by them, or unusable.
    fn take_profiles(&mut self, reader: &mut dyn CardReader) {
        let newest = self.common.profiles();
        if Arc::ptr_eq(&newest, &self.profiles) {
            return;
        }
        self.profiles = newest;
        let names: Vec<SlotName> = self.slots.keys().cloned().collect();
        for name in names {
            let Slot { usable, known, bad_firmware, .. } = self.meet(&name, reader);
            self.slots
                .entry(name)
                .and_modify(|slot| (slot.usable, slot.known, slot.bad_firmware) = (usable, known, bad_firmware));
        }
        self.show_slots();
    }

    fn show_slots(&self) {
        let mut profiles = self.slots.values().filter_map(|slot| slot.usable.as_ref());
        if profiles.any(|(profile, _)| profile.capability.simulated) {
            self.common.practice.store(true, Ordering::Relaxed);
        }
        let usable = self.slots.values().find_map(|slot| Some((&slot.usable.as_ref()?.0, slot.bad_firmware)));
        let replug = usable.map(|(profile, _)| profile.messages.about(Topic::Replug));
        self.common.board().if_stuck = replug.unwrap_or_default();
        self.tell(match (usable, self.slots.iter().next()) {
            (Some((profile, bad_firmware)), _) => {
                let advice = if bad_firmware { profile.messages.about(Topic::Firmware) } else { BTreeMap::new() };
                (ReaderState::Ready, Some(profile.title.clone()), advice)
            }
            (None, Some((name, slot))) => {
                let title = slot.known.as_ref().map_or_else(|| name.0.clone(), |profile| profile.title.clone());
                let advice = slot.known.as_ref().map(|profile| profile.messages.about(Topic::Unsupported));
                (ReaderState::Unsupported, Some(title), advice.unwrap_or_default())
            }
            (None, None) => (ReaderState::Missing, None, BTreeMap::new()),
        });
    }

    /// Serves one card: the first that nobody has looked at, else a phone whose holder may have chosen by now.
    fn serve(&mut self, reader: &mut dyn CardReader) {
        if !self.alive() || !self.common.board().armed {
            return;
        }
        self.take_profiles(reader);
        let now = self.common.clock.monotonic();
        let turn = |slot: &Slot| {
            slot.usable.as_ref().and(slot.card.as_ref()).map(|card| match card.turn {
                Turn::Waits => 0,
                Turn::Chooses { again, until, .. } if (again..until).contains(&now) => 1,
                Turn::Chooses { .. } | Turn::Over { .. } => 2,
            })
        };
        let next =
            self.slots.iter().filter_map(|(name, slot)| Some((turn(slot).filter(|turn| *turn < 2)?, name))).min();
        if let Some((_, name)) = next {
            let name = name.clone();
            self.read(reader, &name);
        }
    }

    /// Reads the card in the slot, tells the machine, and lets the card sign if the machine wants.
    fn read(&mut self, reader: &mut dyn CardReader, name: &SlotName) {
        let now = self.common.clock.monotonic();
        let Some(slot) = self.slots.get(name) else { return };
        let (Some((profile, interface)), Some(card)) = (slot.usable.clone(), &slot.card) else { return };
        let just_signed = slot.signed.as_ref().filter(|signed| now.saturating_sub(signed.left) < limits::READER_FLAP);
        // Asked in silence: a phone that still waits, or a card that flaps in the field after it has signed.
        let chooses = if let Turn::Chooses { tap, until, .. } = card.turn { Some((tap, until)) } else { None };
        let silent = chooses.is_some() || just_signed.is_some();
        self.served = Some(name.clone());
        let tap = self.common.mint();
        if silent {
            self.common.board().quiet = Some((tap, now));
        } else {
            self.post(Input::CardPresented { tap });
        }
        let atr = Atr::new(&card.atr);
        let profiles = Arc::clone(&self.profiles);
        let talk = match profiles.candidates(&atr, interface) {
            _ if card.mute => Talk::Failed(ChannelError::Unresponsive.into()),
            Verdict::Reject(rejected) => Talk::Failed(CardError::Rejected(rejection(rejected))),
            Verdict::Probe(candidates) => {
                let known = just_signed.map(|signed| signed.identities.as_slice());
                let identify = |channel: &mut dyn CardChannel| self.identify(channel, &profile, &atr, &candidates);
                self.talk(reader, name, &profile, |channel| match identify(channel) {
                    Err(error) => Talk::Failed(error),
                    Ok(reading) if known == Some(&reading.identified.identities) && self.nobody_knows(tap) => {
                        Talk::SameAgain
                    }
                    Ok(reading) => {
                        if self.nobody_knows(tap) {
                            self.post(Input::CardPresented { tap });
                        }
                        self.post(Input::CardIdentified { tap, identified: Box::new(reading.identified.clone()) });
                        // The machine answers within one read of the journal; the bound only covers one that does not
                        // want this card any more.
                        let signed = match self.next_order(tap) {
                            Some(Order::Authenticate(_, context)) => self.sign(channel, tap, &reading, &context),
                            Some(Order::End(_)) | None => false,
                        };
                        Talk::Read(Box::new(reading), signed)
                    }
                })
            }
        };
        let turn = match talk {
            Talk::Read(reading, signed) => Turn::Over { tap: Some(tap), reading: Some(reading), signed },
            Talk::SameAgain => {
                debug!("the card that has just signed was never really away");
                Turn::Over { tap: None, reading: None, signed: false }
            }
            Talk::Failed(error) => {
                let silent = self.nobody_knows(tap);
                self.failed(tap, &error, chooses.filter(|_| silent), silent)
            }
        };
        if let Some(slot) = self.slots.get_mut(name) {
            if matches!(turn, Turn::Over { tap: Some(_), .. }) {
                slot.signed = None;
            }
            if let Some(card) = &mut slot.card {
                card.turn = turn;
            }
        }
    }

    /// True if this card was read in silence until now; from here on it is this thread that tells of it, or nobody.
    fn nobody_knows(&self, tap: TapId) -> bool {
        self.common.board().quiet.take_if(|(quiet, _)| *quiet == tap).is_some()
    }

    /// Tells of a card that said nothing of use. A phone without a choice is asked again for a while, in silence.
    fn failed(&self, tap: TapId, error: &CardError, chooses: Option<(TapId, Duration)>, silent: bool) -> Turn {
        let failure = error.failure();
        let now = self.common.clock.monotonic();
        debug!(code = error.code(), "card not read");
        if let (ReadFailure::ChooseChild, Some((first, until))) = (failure, chooses) {
            return Turn::Chooses { tap: first, again: now + limits::CHOOSE_AGAIN, until };
        }
        if failure == ReadFailure::ReaderBusy {
            self.show(ReaderState::Busy);
        }
        if silent {
            self.post(Input::CardPresented { tap });
        }
        self.post(Input::CardFailed { tap, failure });
        if failure == ReadFailure::ChooseChild {
            return Turn::Chooses { tap, again: now + limits::CHOOSE_AGAIN, until: now + limits::CHOOSE };
        }
        Turn::Over { tap: Some(tap), reading: None, signed: false }
    }

    fn identify(
        &self,
        channel: &mut dyn CardChannel,
        profile: &ReaderProfile,
        atr: &Atr,
        candidates: &[&CardProfile],
    ) -> Result<Reading, CardError> {
        let (trust, now) = (self.common.trust(), self.common.now());
        self.call(|| card::identify(channel, profile, atr, candidates, &trust, now))
    }

    /// One card transaction. Connecting is tried again as often as the reader's profile says, a dialogue once after an
    /// answer too short to be one (faults, 2).
    fn talk(
        &self,
        reader: &mut dyn CardReader,
        slot: &SlotName,
        profile: &ReaderProfile,
        mut dialogue: impl FnMut(&mut dyn CardChannel) -> Talk,
    ) -> Talk {
        let timing = &profile.timing;
        if !timing.settle_after_insert().is_zero() {
            self.pause(timing.settle_after_insert());
        }
        let mut connects = timing.connect_retries.max(if profile.has(Quirk::RetryPowerUp) { 2 } else { 0 });
        let mut shorts = 1;
        loop {
            let talk = match self.call(|| reader.connect(slot)) {
                Ok(mut channel) => {
                    self.no_longer_busy();
                    let talk = dialogue(&mut *channel);
                    // Whatever went wrong, the next dialogue starts with a card fresh from power-on.
                    let clean = !matches!(&talk, Talk::Failed(error) if *error != CardError::ChooseChild);
                    self.call(|| channel.end(if clean { Disposition::Leave } else { Disposition::Unpower }));
                    talk
                }
                Err(ChannelError::Unresponsive | ChannelError::Shared) if connects > 0 && self.alive() => {
                    connects -= 1;
                    self.pause(timing.connect_retry_delay());
                    continue;
                }
                Err(error) => return Talk::Failed(error.into()),
            };
            match talk {
                Talk::Failed(CardError::Channel(ChannelError::Short(_))) if shorts > 0 => shorts -= 1,
                talk => return talk,
            }
        }
    }

    /// True if the card signed.
    fn sign(&self, channel: &mut dyn CardChannel, tap: TapId, reading: &Reading, context: &BookingContext) -> bool {
        match self.call(|| card::authenticate(channel, &reading.session, context)) {
            Ok(evidence) => {
                self.post(Input::Authenticated { tap, evidence: Box::new(evidence) });
                true
            }
            Err(error) => {
                debug!(code = error.code(), "card did not authenticate");
                self.post(Input::AuthenticationFailed { tap, failure: error.failure() });
                false
            }
        }
    }

    /// The next order for this presence; orders for older ones are answered and dropped.
    fn next_order(&self, tap: TapId) -> Option<Order> {
        let board = self.common.board();
        let common = &self.common;
        let (mut board, _) = common
            .changed
            .wait_timeout_while(board, limits::VERDICT, |board| {
                !board.stop && self.alive() && !board.orders.iter().any(|order| order.tap() == tap)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if !self.alive() {
            return None;
        }
        // What comes after it for this presence is for later.
        let mine = board.orders.iter().position(|order| order.tap() == tap);
        let mut orders: Vec<_> = board.orders.drain(..mine.map_or(0, |at| at + 1)).collect();
        drop(board);
        let mine = orders.pop();
        for order in orders {
            if let Order::Authenticate(stale, _) = order {
                self.post(Input::AuthenticationFailed { tap: stale, failure: ReadFailure::Removed });
            }
        }
        mine
    }

    /// A signature that is wanted after the transaction has ended: the card is taken up again if it still lies there.
    fn obey_late_orders(&mut self, reader: &mut dyn CardReader) {
        if !self.alive() {
            return;
        }
        let orders = std::mem::take(&mut self.common.board().orders);
        for order in orders {
            if let Order::Authenticate(tap, context) = order
                && let Err(failure) = self.sign_late(reader, tap, &context)
            {
                self.post(Input::AuthenticationFailed { tap, failure });
            }
        }
    }

    fn sign_late(
        &mut self,
        reader: &mut dyn CardReader,
        tap: TapId,
        context: &BookingContext,
    ) -> Result<(), ReadFailure> {
        let lies = |slot: &Slot| {
            let card = slot.card.as_ref()?;
            let Turn::Over { tap: Some(of), reading: Some(reading), .. } = &card.turn else { return None };
            let (profile, interface) = slot.usable.clone()?;
            (*of == tap).then(|| (profile, interface, Atr::new(&card.atr), reading.identified.identities.clone()))
        };
        let found = self.slots.iter().find_map(|(name, slot)| Some((name.clone(), lies(slot)?)));
        let (name, (profile, interface, atr, identities)) = found.ok_or(ReadFailure::Removed)?;
        let profiles = Arc::clone(&self.profiles);
        let Verdict::Probe(candidates) = profiles.candidates(&atr, interface) else {
            return Err(ReadFailure::Foreign);
        };
        // Its application must be selected again, and it must still be the same card.
        let talk =
            self.talk(reader, &name, &profile, |channel| match self.identify(channel, &profile, &atr, &candidates) {
                Err(error) => Talk::Failed(error),
                Ok(again) if again.identified.identities != identities => Talk::Failed(CardError::CardChanged),
                Ok(again) => {
                    let signed = self.sign(channel, tap, &again, context);
                    Talk::Read(Box::new(again), signed)
                }
            });
        match talk {
            Talk::Failed(error) => Err(error.failure()),
            Talk::SameAgain => Ok(()),
            Talk::Read(reading, signed) => {
                if let Some(card) = self.slots.get_mut(&name).and_then(|slot| slot.card.as_mut()) {
                    card.turn = Turn::Over { tap: Some(tap), reading: Some(reading), signed };
                }
                Ok(())
            }
        }
    }
}

/// What the holder of a card that is not read is told.
const fn rejection(profile: &CardProfile) -> ReadFailure {
    match profile.action {
        Action::Reject { class } => class.failure(),
        Action::Identify {} => ReadFailure::Foreign,
    }
}
