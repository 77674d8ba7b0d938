//! The thread that may block on a card: watches slots, reads what is laid there, lets it sign, posts what happened.
//!
//! PC/SC calls can hang without limit. A watchdog on the application's side notices a call that takes too long, gives the
//! thread up and starts another one with a context of its own; whatever the abandoned one still says is ignored by its
//! generation.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::Builder,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use super::limits;
use crate::{
    card::{self, BookingContext, CardError, Reading, Trust},
    domain::{ids::TapId, reading::ReadFailure},
    ports::{
        CardReader, CardReaderFactory, ChannelError, Clock, Disposition, Entropy, ReaderError, ReaderEvent, SlotName,
    },
    profile::{Action, Atr, CardProfile, Interface, ProfileCatalog, ReaderProfile, Sighting, SlotRole, UsbId, Verdict},
    terminal::{input::Input, screen::ReaderState},
};

/// No reader at all: a build without PC/SC. Numbers and codes still work.
pub struct NoReaders;

impl CardReaderFactory for NoReaders {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        Err(ReaderError::ServiceGone("this build has no PC/SC".to_owned()))
    }

    fn simulated(&self) -> bool {
        false
    }
}

/// What the machine wants of the card that lies there.
enum Order {
    /// Let it sign this booking.
    Authenticate(TapId, Box<BookingContext>),
    /// Nothing more.
    End(TapId),
}

/// What both sides see.
#[derive(Default)]
struct Board {
    armed: bool,
    stop: bool,
    orders: Vec<Order>,
    /// A call into PC/SC runs since then, monotonic.
    busy_since: Option<Duration>,
}

struct Common {
    board: Mutex<Board>,
    changed: Condvar,
    generation: AtomicU64,
    factory: Arc<dyn CardReaderFactory>,
    profiles: ProfileCatalog,
    trust: Arc<RwLock<Arc<Trust>>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    floor_s: Arc<AtomicU64>,
    posts: mpsc::UnboundedSender<Input>,
}

impl Common {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let floor = i64::try_from(self.floor_s.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        self.clock.wall().max(Timestamp::from_second(floor).unwrap_or(Timestamp::MAX))
    }

    fn mint(&self) -> TapId {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        let ms = u64::try_from(self.clock.wall().as_millisecond()).unwrap_or(0);
        TapId(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
    }
}

/// The application's side of the reader.
pub struct ReaderDesk {
    common: Arc<Common>,
    watchdog: tokio::task::JoinHandle<()>,
}

/// What the reader's thread shares with the rest of the application.
pub struct ReaderParts {
    /// Makes readers.
    pub factory: Arc<dyn CardReaderFactory>,
    /// Profiles of readers and cards.
    pub profiles: ProfileCatalog,
    /// What cards are verified with; replaced whole.
    pub trust: Arc<RwLock<Arc<Trust>>>,
    /// Clocks.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The time floor, unix seconds.
    pub floor_s: Arc<AtomicU64>,
    /// Where inputs go.
    pub posts: mpsc::UnboundedSender<Input>,
}

impl ReaderDesk {
    /// Starts the thread and its watchdog.
    #[must_use]
    pub fn start(parts: ReaderParts) -> Self {
        let ReaderParts { factory, profiles, trust, clock, entropy, floor_s, posts } = parts;
        let common = Arc::new(Common {
            board: Mutex::default(),
            changed: Condvar::new(),
            generation: AtomicU64::new(0),
            factory,
            profiles,
            trust,
            clock,
            entropy,
            floor_s,
            posts,
        });
        spawn(&common);
        let watchdog = tokio::task::spawn_local(watch(Arc::clone(&common)));
        Self { common, watchdog }
    }

    /// Cards may be read, or not. One that already lies there is kept until it may.
    pub fn arm(&self, armed: bool) {
        self.common.board().armed = armed;
        self.common.changed.notify_all();
    }

    /// Lets the card of this presence sign.
    pub fn authenticate(&self, tap: TapId, context: BookingContext) {
        self.common.board().orders.push(Order::Authenticate(tap, Box::new(context)));
        self.common.changed.notify_all();
    }

    /// Nothing more is wanted of the card of this presence.
    pub fn end(&self, tap: TapId) {
        self.common.board().orders.push(Order::End(tap));
        self.common.changed.notify_all();
    }

    /// Ends the thread; one that hangs in a call is left to the end of the process.
    pub fn stop(self) {
        self.watchdog.abort();
        self.common.board().stop = true;
        self.common.generation.fetch_add(1, Ordering::Relaxed);
        self.common.changed.notify_all();
    }
}

fn spawn(common: &Arc<Common>) {
    let generation = common.generation.load(Ordering::Relaxed);
    let mine = Arc::clone(common);
    let thread = Builder::new().name("reader".to_owned()).spawn(move || {
        let mut worker = Worker { common: mine, generation, slots: BTreeMap::new(), told: None };
        while worker.alive() {
            // A panic in a library must not take the terminal with it; the reader starts over.
            let run = std::panic::AssertUnwindSafe(|| worker.run());
            if std::panic::catch_unwind(run).is_err() {
                error!("the reader's thread panicked; it starts over");
                worker.pause(limits::READER_RETRY);
            }
        }
    });
    if let Err(error) = thread {
        error!(%error, "no thread for the reader");
    }
}

/// Gives a thread up that hangs in a call, and starts another.
async fn watch(common: Arc<Common>) {
    let mut tick = tokio::time::interval(limits::READER_WATCH);
    loop {
        tick.tick().await;
        let stuck = common
            .board()
            .busy_since
            .is_some_and(|since| common.clock.monotonic().saturating_sub(since) > limits::READER_STUCK);
        if stuck {
            warn!("a call to the reader hangs; it is given up and the reader opened anew");
            common.generation.fetch_add(1, Ordering::Relaxed);
            common.board().busy_since = None;
            let _ = common.posts.send(Input::Reader {
                state: ReaderState::Stuck,
                name: None,
                simulated: common.factory.simulated(),
            });
            spawn(&common);
        }
    }
}

/// A slot that is listed.
struct Slot {
    /// Who it is; `None` if it is not to be used or two profiles fit alike.
    profile: Option<ReaderProfile>,
    interface: Interface,
    card: Option<Lying>,
}

/// A card that lies in a slot.
struct Lying {
    atr: Vec<u8>,
    event_counter: u16,
    mute: bool,
    /// Its presence, once it was read.
    tap: Option<TapId>,
    /// What was read of it, for a signature that comes later.
    reading: Option<Reading>,
}

struct Worker {
    common: Arc<Common>,
    generation: u64,
    slots: BTreeMap<SlotName, Slot>,
    told: Option<(ReaderState, Option<String>)>,
}

impl Worker {
    fn alive(&self) -> bool {
        self.common.generation.load(Ordering::Relaxed) == self.generation
    }

    fn post(&self, input: Input) {
        if self.alive() {
            let _ = self.common.posts.send(input);
        }
    }

    fn tell(&mut self, state: ReaderState, name: Option<String>) {
        if self.told.as_ref() != Some(&(state, name.clone())) {
            info!(state = state.word(), name, "reader");
            self.told = Some((state, name.clone()));
            self.post(Input::Reader { state, name, simulated: self.common.factory.simulated() });
        }
    }

    /// Marks a call into PC/SC, so that the watchdog sees one that hangs.
    fn call<T>(&self, work: impl FnOnce() -> T) -> T {
        self.common.board().busy_since = Some(self.common.clock.monotonic());
        let done = work();
        if self.alive() {
            self.common.board().busy_since = None;
        }
        done
    }

    /// Waits, but not past a stop.
    fn pause(&self, limit: Duration) {
        let board = self.common.board();
        let _ = self.common.changed.wait_timeout_while(board, limit, |board| !board.stop && self.alive());
    }

    /// One context: from opening to losing it.
    fn run(&mut self) {
        self.slots.clear();
        let mut reader = match self.call(|| self.common.factory.open()) {
            Ok(reader) => reader,
            Err(lost) => return self.lost(&lost),
        };
        self.show();
        while self.alive() {
            let events = match self.call(|| reader.wait(limits::READER_WAIT)) {
                Ok(events) => events,
                Err(ReaderError::ReaderGone | ReaderError::Cancelled) => continue,
                Err(lost) => return self.lost(&lost),
            };
            for event in events {
                self.note(event, &mut *reader);
            }
            self.obey_late_orders(&mut *reader);
            self.read_what_lies_there(&mut *reader);
        }
    }

    fn lost(&mut self, why: &ReaderError) {
        for slot in std::mem::take(&mut self.slots).into_values() {
            self.removed(slot.card);
        }
        debug!(%why, "no context");
        let denied = matches!(why, ReaderError::Denied);
        self.tell(if denied { ReaderState::Denied } else { ReaderState::ServiceMissing }, None);
        self.pause(limits::READER_RETRY);
    }

    fn removed(&self, card: Option<Lying>) {
        if let Some(tap) = card.and_then(|card| card.tap) {
            self.post(Input::CardRemoved { tap });
        }
    }

    fn note(&mut self, event: ReaderEvent, reader: &mut dyn CardReader) {
        match event {
            ReaderEvent::Slots(names) => {
                let mut before = std::mem::take(&mut self.slots);
                for name in names {
                    let slot = before.remove(&name).unwrap_or_else(|| self.meet(&name, reader));
                    self.slots.insert(name, slot);
                }
                before.into_values().for_each(|slot| self.removed(slot.card));
                self.show();
            }
            ReaderEvent::CardPresented { slot, atr, event_counter } => {
                self.put(&slot, Some(Lying { atr, event_counter, mute: false, tap: None, reading: None }));
            }
            ReaderEvent::CardMute { slot } => {
                self.put(
                    &slot,
                    Some(Lying { atr: Vec::new(), event_counter: 0, mute: true, tap: None, reading: None }),
                );
            }
            ReaderEvent::CardRemoved { slot } => self.put(&slot, None),
        }
    }

    fn put(&mut self, name: &SlotName, card: Option<Lying>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        // The same presence told twice is no new card.
        if let (Some(old), Some(new)) = (&slot.card, &card)
            && old.event_counter == new.event_counter
            && old.atr == new.atr
            && old.mute == new.mute
        {
            return;
        }
        let before = std::mem::replace(&mut slot.card, card);
        self.removed(before);
    }

    /// Finds the profile of a slot that has appeared.
    fn meet(&self, name: &SlotName, reader: &mut dyn CardReader) -> Slot {
        let usb = self.call(|| reader.usb_ids(name));
        let usb = usb.map(|(vendor, product)| UsbId { vendor, product });
        let sighting = Sighting { usb, ..Sighting::named(&name.0) };
        match self.common.profiles.find_reader(&sighting) {
            Ok(profile) => {
                let role = profile.slot_role(&name.0);
                let usable = profile.capability.pcsc && !matches!(role, SlotRole::Sam | SlotRole::Ignore);
                let interface = if role == SlotRole::Contact { Interface::Contact } else { Interface::Contactless };
                Slot { profile: usable.then(|| profile.clone()), interface, card: None }
            }
            Err(ambiguous) => {
                warn!(?ambiguous, "two profiles fit this reader alike; it is not used");
                Slot { profile: None, interface: Interface::Contactless, card: None }
            }
        }
    }

    fn show(&mut self) {
        let usable = self.slots.values().find_map(|slot| slot.profile.as_ref());
        match (usable, self.slots.is_empty()) {
            (Some(profile), _) => {
                let title = profile.title.clone();
                self.tell(ReaderState::Ready, Some(title));
            }
            (None, true) => self.tell(ReaderState::Missing, None),
            (None, false) => {
                let name = self.slots.keys().next().map(|name| name.0.clone());
                self.tell(ReaderState::Unsupported, name);
            }
        }
    }

    fn read_what_lies_there(&mut self, reader: &mut dyn CardReader) {
        if !self.common.board().armed {
            return;
        }
        let unread = |slot: &Slot| slot.profile.is_some() && slot.card.as_ref().is_some_and(|card| card.tap.is_none());
        let Some(name) = self.slots.iter().find(|(_, slot)| unread(slot)).map(|(name, _)| name.clone()) else { return };
        let tap = self.common.mint();
        self.post(Input::CardPresented { tap });
        let Some(slot) = self.slots.get_mut(&name) else { return };
        let Some(card) = slot.card.as_mut() else { return };
        card.tap = Some(tap);
        if card.mute {
            return self.post(Input::CardFailed { tap, failure: ReadFailure::Mute });
        }
        let Some(profile) = slot.profile.clone() else { return };
        let (atr, interface) = (Atr::new(&card.atr), slot.interface);
        // A card that is never read is not even connected to.
        if let Verdict::Reject(rejected) = self.common.profiles.candidates(&atr, interface) {
            return self.post(Input::CardFailed { tap, failure: rejection(rejected) });
        }
        self.converse(reader, &name, tap, &profile, &atr, interface);
    }

    /// One card transaction: identify, wait for the verdict, perhaps authenticate.
    fn converse(
        &mut self,
        reader: &mut dyn CardReader,
        slot: &SlotName,
        tap: TapId,
        profile: &ReaderProfile,
        atr: &Atr,
        interface: Interface,
    ) {
        let mut channel = match self.connect(reader, slot, profile) {
            Ok(channel) => channel,
            Err(error) => return self.post(Input::CardFailed { tap, failure: unreachable_card(&error) }),
        };
        let reading = match self.identify(&mut *channel, profile, atr, interface) {
            Ok(reading) => reading,
            Err(error) => {
                debug!(code = error.code(), "card not read");
                self.call(|| channel.end(Disposition::Leave));
                return self.post(Input::CardFailed { tap, failure: error.failure() });
            }
        };
        self.post(Input::CardIdentified { tap, identified: Box::new(reading.identified.clone()) });
        // The machine answers in microseconds; the bound only covers one that does not want this card any more.
        if let Some(Order::Authenticate(_, context)) = self.next_order(tap) {
            self.sign(&mut *channel, tap, &reading, &context);
        }
        self.call(|| channel.end(Disposition::Leave));
        if let Some(card) = self.slots.get_mut(slot).and_then(|slot| slot.card.as_mut()) {
            card.reading = Some(reading);
        }
    }

    /// Reads the card by the first of the profiles that fits it.
    fn identify(
        &self,
        channel: &mut dyn crate::ports::CardChannel,
        profile: &ReaderProfile,
        atr: &Atr,
        interface: Interface,
    ) -> Result<Reading, CardError> {
        let candidates = match self.common.profiles.candidates(atr, interface) {
            Verdict::Reject(rejected) => vec![rejected],
            Verdict::Probe(cards) => cards,
        };
        let trust = self.common.trust.read().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.common.now();
        self.call(|| card::identify(channel, profile, atr, &candidates, &trust, now))
    }

    fn sign(
        &self,
        channel: &mut dyn crate::ports::CardChannel,
        tap: TapId,
        reading: &Reading,
        context: &BookingContext,
    ) {
        match self.call(|| card::authenticate(channel, &reading.session, context)) {
            Ok(evidence) => self.post(Input::Authenticated { tap, evidence: Box::new(evidence) }),
            Err(error) => {
                debug!(code = error.code(), "card did not authenticate");
                self.post(Input::AuthenticationFailed { tap, failure: error.failure() });
            }
        }
    }

    fn connect<'r>(
        &self,
        reader: &'r mut dyn CardReader,
        slot: &SlotName,
        profile: &ReaderProfile,
    ) -> Result<Box<dyn crate::ports::CardChannel + 'r>, ChannelError> {
        let settle = profile.timing.settle_after_insert();
        if !settle.is_zero() {
            self.pause(settle);
        }
        self.call(move || reader.connect(slot))
    }

    /// The next order for this presence; orders for older ones are answered and dropped.
    fn next_order(&self, tap: TapId) -> Option<Order> {
        let board = self.common.board();
        let waits = |board: &mut Board| !board.stop && self.alive() && !board.orders.iter().any(|o| o.tap() == tap);
        let (mut board, _) = self
            .common
            .changed
            .wait_timeout_while(board, limits::VERDICT, waits)
            .unwrap_or_else(PoisonError::into_inner);
        let orders = std::mem::take(&mut board.orders);
        drop(board);
        let mut mine = None;
        for order in orders {
            if order.tap() == tap && mine.is_none() {
                mine = Some(order);
            } else if let Order::Authenticate(stale, _) = order {
                self.post(Input::AuthenticationFailed { tap: stale, failure: ReadFailure::Removed });
            }
        }
        mine
    }

    /// A signature that is wanted after the transaction has ended: the card is taken up again if it still lies there.
    fn obey_late_orders(&mut self, reader: &mut dyn CardReader) {
        let orders = std::mem::take(&mut self.common.board().orders);
        for order in orders {
            let Order::Authenticate(tap, context) = order else { continue };
            let lying =
                self.slots.iter().find(|(_, slot)| slot.card.as_ref().is_some_and(|card| card.tap == Some(tap)));
            let known = lying.and_then(|(name, slot)| {
                let card = slot.card.as_ref()?;
                let atr = Atr::new(&card.atr);
                Some((name.clone(), slot.profile.clone()?, atr, slot.interface, card.reading.clone()?))
            });
            let Some((name, profile, atr, interface, reading)) = known else {
                self.post(Input::AuthenticationFailed { tap, failure: ReadFailure::Removed });
                continue;
            };
            match self.connect(reader, &name, &profile) {
                Err(error) => self.post(Input::AuthenticationFailed { tap, failure: unreachable_card(&error) }),
                Ok(mut channel) => {
                    // Its application must be selected again, and it must still be the same card.
                    match self.identify(&mut *channel, &profile, &atr, interface) {
                        Ok(again) if again.identified.identities == reading.identified.identities => {
                            self.sign(&mut *channel, tap, &again, &context);
                        }
                        Ok(_) => self.post(Input::AuthenticationFailed { tap, failure: ReadFailure::TwoCards }),
                        Err(error) => self.post(Input::AuthenticationFailed { tap, failure: error.failure() }),
                    }
                    self.call(|| channel.end(Disposition::Leave));
                }
            }
        }
    }
}

impl Order {
    const fn tap(&self) -> TapId {
        match self {
            Self::Authenticate(tap, _) | Self::End(tap) => *tap,
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

/// A card that could not be connected to.
const fn unreachable_card(error: &ChannelError) -> ReadFailure {
    match error {
        ChannelError::Removed | ChannelError::ReaderGone => ReadFailure::Removed,
        ChannelError::Unresponsive => ReadFailure::Mute,
        ChannelError::Shared => ReadFailure::ReaderBusy,
        ChannelError::Reset | ChannelError::Short(_) => ReadFailure::Garbled,
    }
}
