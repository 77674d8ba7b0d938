//! The real application on a site's data, in this process, with a reader in memory: between reader and application sits a
//! stop-watch, so that the time of the card can be told from the terminal's.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use teilhabe_terminal::{
    adapters::{
        https::{Bounds, HttpsCentralAccounts},
        system::{SystemClock, SystemEntropy},
    },
    app::{
        self, FaceSender, Parts, Running,
        driver::{Face, FaceInput},
        limits,
    },
    installation::Installation,
    ports::{
        CancelWait, CardChannel, CardReader, CardReaderFactory, ChannelError, Disposition, EscapeWay, ReaderError,
        ReaderEvent, ReaderIdentity, SlotName,
    },
    sim::{VirtualCard, VirtualReaders},
    terminal::{
        command::OperatorCommand,
        screen::{Page, ReaderState, ResultClass, Screen},
    },
};

use crate::{
    pace::Pace,
    state::{Office, Site},
};

/// The name the virtual reader has with the real service; its profile is known.
const SLOT: &str = "Virtual PCD 00 00";
/// Longest wait for a picture.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the stop-watch has seen since the last card was laid on.
#[derive(Debug, Clone, Copy, Default)]
struct Watch {
    /// The reader's thread heard of the card.
    heard: Option<Instant>,
    /// Time inside calls to card and reader.
    card: Duration,
}

/// A picture, with the stop-watch as it stood then.
struct Picture {
    made: Instant,
    watch: Watch,
    screen: Screen,
}

/// One finished tap.
pub struct Tap {
    /// From laying the card on to the picture `reading`.
    pub to_reading: Duration,
    /// From laying the card on to the picture `result`, without the time of the card.
    pub whole: Duration,
    /// From hearing of the card to the picture `result`, without the time of the card.
    pub share: Duration,
    /// Time of the card.
    pub card: Duration,
    /// Class of the result.
    pub class: Option<ResultClass>,
    /// Why, where it is a refusal.
    pub reason: Option<String>,
    /// Records that waited when the result was shown.
    pub waiting: u32,
}

/// The application at work.
pub struct Desk {
    readers: VirtualReaders,
    watch: Arc<Mutex<Watch>>,
    pace: Arc<Mutex<Pace>>,
    pictures: Receiver<Picture>,
    sender: FaceSender,
    running: Option<Running>,
}

impl Desk {
    /// Starts it and waits until a card may be laid on.
    pub fn open(site: &Site) -> Self {
        let config = site.config();
        let Installation { journal, reopen, secrets, pins, .. } = site.open();
        let readers = VirtualReaders::new();
        readers.plug(SLOT, None);
        let (watch, pace) = (Arc::<Mutex<Watch>>::default(), Arc::<Mutex<Pace>>::default());
        let timed = TimedReaders { readers: readers.clone(), watch: Arc::clone(&watch), pace: Arc::clone(&pace) };
        let entropy = Arc::new(SystemEntropy::default());
        let clock = Arc::new(SystemClock::new(&*entropy));
        let bounds = Bounds { connect: limits::CONNECT, whole: limits::EXCHANGE, answer: limits::ANSWER_BYTES };
        let central_clock = Arc::clone(&clock);
        let (out, pictures) = channel();
        let seen = Arc::clone(&watch);
        let running = app::start(Parts {
            config,
            journal,
            reopen,
            secrets,
            pins,
            readers: Arc::new(timed),
            scanner: None,
            local_profiles: Vec::new(),
            central: Box::new(move |floor_s| Box::new(HttpsCentralAccounts::new(central_clock, floor_s, bounds))),
            clock,
            entropy,
            face: Face {
                show: Box::new(move |_, screen| {
                    let made = Instant::now();
                    let watch = *seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let _ = out.send(Picture { made, watch, screen });
                }),
                chime: Box::new(|_| {}),
            },
        })
        .unwrap();
        let desk = Self { readers, watch, pace, pictures, sender: running.sender(), running: Some(running) };
        desk.picture("ready", |screen| {
            matches!(screen.page, Page::Ready { .. }) && screen.armed && screen.status.reader == ReaderState::Ready
        });
        desk
    }

    fn picture(&self, what: &str, fits: impl Fn(&Screen) -> bool) -> Picture {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let picture = self.pictures.recv_timeout(left).unwrap_or_else(|_| panic!("no picture {what}"));
            if fits(&picture.screen) {
                return picture;
            }
        }
    }

    /// Cards take this long from now on.
    pub fn pace(&self, pace: Pace) {
        *self.pace.lock().unwrap() = pace;
    }

    /// Lays a card on, waits for its result, takes it away.
    pub fn tap(&self, card: VirtualCard) -> Tap {
        while self.pictures.try_recv().is_ok() {}
        *self.watch.lock().unwrap() = Watch::default();
        let laid = Instant::now();
        self.readers.insert(SLOT, card);
        let reading = self.picture("reading", |screen| matches!(screen.page, Page::Reading { .. }));
        let shown = self.picture("result", |screen| matches!(screen.page, Page::Result(_)));
        let waiting = shown.screen.status.waiting.records;
        let Page::Result(result) = shown.screen.page else { unreachable!("waited for a result") };
        if let Some(record) = result.record {
            // As a face does once it has drawn the picture.
            let _ = self.sender.send(FaceInput::Shown(record));
        }
        let heard = shown.watch.heard.expect("a result without a card");
        self.readers.remove(SLOT);
        Tap {
            to_reading: reading.made - laid,
            whole: (shown.made - laid).saturating_sub(shown.watch.card),
            share: (shown.made - heard).saturating_sub(shown.watch.card),
            card: shown.watch.card,
            class: result.class,
            reason: result.reason,
            waiting,
        }
    }

    /// Taps until one is R1: by then the account was greeted, and catalogue, trust and card list are there.
    pub fn warm_up(&self, office: &mut Office) {
        let end = Instant::now() + PATIENCE;
        loop {
            let tap = self.tap(office.card());
            if tap.class == Some(ResultClass::R1) {
                return;
            }
            assert!(Instant::now() < end, "never R1: {:?} {:?}", tap.class, tap.reason);
            thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Desk {
    /// Stops it in order, so that the next one may open the journal.
    fn drop(&mut self) {
        let _ = self.sender.send(FaceInput::Command(OperatorCommand::Stop));
        let in_order = self.running.take().is_none_or(Running::join);
        if !in_order {
            eprintln!("bench: the application did not end in order");
        }
    }
}

/// The readers in memory, with a stop-watch in front.
struct TimedReaders {
    readers: VirtualReaders,
    watch: Arc<Mutex<Watch>>,
    pace: Arc<Mutex<Pace>>,
}

impl CardReaderFactory for TimedReaders {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        let inner = self.readers.open()?;
        Ok(Box::new(TimedReader { inner, watch: Arc::clone(&self.watch), pace: Arc::clone(&self.pace) }))
    }

    fn simulated(&self) -> bool {
        true
    }
}

struct TimedReader {
    inner: Box<dyn CardReader>,
    watch: Arc<Mutex<Watch>>,
    pace: Arc<Mutex<Pace>>,
}

fn timed<T>(watch: &Mutex<Watch>, pause: Duration, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    if !pause.is_zero() {
        thread::sleep(pause);
    }
    watch.lock().unwrap().card += begin.elapsed();
    done
}

impl CardReader for TimedReader {
    fn wait(&mut self, limit: Duration) -> Result<Vec<ReaderEvent>, ReaderError> {
        let events = self.inner.wait(limit)?;
        if events.iter().any(|event| matches!(event, ReaderEvent::CardPresented { .. })) {
            self.watch.lock().unwrap().heard = Some(Instant::now());
        }
        Ok(events)
    }

    fn connect(&mut self, slot: &SlotName) -> Result<Box<dyn CardChannel + '_>, ChannelError> {
        let Self { inner, watch, pace } = self;
        let pace = *pace.lock().unwrap();
        let inner = timed(watch, pace.power, || inner.connect(slot))?;
        Ok(Box::new(TimedChannel { inner, watch, pace }))
    }

    fn identity(&mut self, slot: &SlotName) -> ReaderIdentity {
        self.inner.identity(slot)
    }

    fn escape(&mut self, slot: &SlotName, way: EscapeWay, command: &[u8]) -> Option<Vec<u8>> {
        self.inner.escape(slot, way, command)
    }

    fn canceller(&self) -> Box<dyn CancelWait> {
        self.inner.canceller()
    }
}

struct TimedChannel<'a> {
    inner: Box<dyn CardChannel + 'a>,
    watch: &'a Mutex<Watch>,
    pace: Pace,
}

impl CardChannel for TimedChannel<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        timed(self.watch, self.pace.of(command), || self.inner.transmit(command))
    }

    fn end(self: Box<Self>, disposition: Disposition) {
        let Self { inner, watch, .. } = *self;
        timed(watch, Duration::ZERO, || inner.end(disposition));
    }
}
