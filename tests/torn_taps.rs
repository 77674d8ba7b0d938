//! A card that leaves at every command of every method, through the reader's thread and the machine: it ends in a defined
//! picture, books nothing, and on its return the same draft is finished once. Faults 14 and 22.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    sync::{Arc, RwLock, atomic::AtomicU64},
    time::Duration,
};

use jiff::Timestamp;
use support::{
    bik1::{Example, booking},
    issuer::Signer,
    machine::Machine,
    methods::CATALOG,
    played::Played,
    practice::Counting,
    transcript::Transcript,
};
use teilhabe_terminal::{
    app::reader_thread::{ReaderDesk, ReaderParts},
    domain::{
        ids::RecordId,
        offer::{RouteRule, UnknownCard},
        reading::{Level, Route},
    },
    profile::ProfileCatalog,
    sim::{Fault, ManualClock, VirtualCard, VirtualReaders},
    terminal::{
        effect::Effect,
        input::Input,
        screen::{Page, Place, ReaderState, ResultClass},
    },
};
use tokio::{sync::mpsc, task::LocalSet, time::timeout};

const SLOT: &str = "Virtual PCD 00 00";
const BOUND: Duration = Duration::from_secs(10);

/// A method, one good dialogue of it, the profiles it is found by, and the ATR of its card.
struct Method {
    transcript: &'static str,
    atr: &'static str,
    /// A district's own profiles, of which the shipped ones know nothing.
    own: bool,
}

impl Method {
    /// The whole dialogue, with the answer to the challenge where the transcript ends before it.
    fn dialogue(&self) -> Transcript {
        let (folder, file) = self.transcript.split_once('/').unwrap();
        let transcript = Transcript::load(folder, file);
        if self.transcript != "bik1-phone/good" {
            return transcript;
        }
        let challenge = booking().challenge();
        let device = Signer::new(&Example::load(), "key_device");
        let asked = [&[0x00, 0x88, 0x00, 0x01, 0x20][..], &challenge, &[0x00]].concat();
        transcript.then(asked, [device.answer(1, &challenge), vec![0x90, 0x00]].concat())
    }
}

const METHODS: [Method; 12] = [
    Method { transcript: "bik1/good", atr: "3B84800142494B3150", own: false },
    Method { transcript: "bik1-phone/good", atr: "3B80800101", own: false },
    Method { transcript: "classic-uid/good", atr: "3B8F8001804F0CA000000306030001000000006A", own: false },
    Method { transcript: "ultralight-uid/good", atr: "3B8F8001804F0CA0000003060300030000000068", own: false },
    Method { transcript: "icode-uid/good", atr: "3B8F8001804F0CA0000003060B00140000000077", own: false },
    Method { transcript: "desfire-uid/good", atr: "3B8180018080", own: false },
    Method { transcript: "ntag424-sun/good", atr: "3B8180018080", own: false },
    Method { transcript: "methods/uid-good", atr: "3B8F8001804F0CA000000306030001000000006A", own: true },
    Method { transcript: "methods/storage-good", atr: "3B8F8001804F0CA0000003060300030000000068", own: true },
    Method { transcript: "methods/file-good", atr: "3B8180018080", own: true },
    Method { transcript: "methods/desfire-good", atr: "3B8180018080", own: true },
    Method { transcript: "methods/ndef-good", atr: "3B8180018080", own: true },
];

/// The reader's thread and a lane, joined as the driver joins them.
struct Lane {
    readers: VirtualReaders,
    clock: Arc<ManualClock>,
    desk: ReaderDesk,
    heard: mpsc::UnboundedReceiver<Input>,
    machine: Machine,
    committed: Vec<RecordId>,
    /// What a card was last asked to sign.
    asked: Option<RecordId>,
}

impl Lane {
    async fn new(profiles: ProfileCatalog) -> Self {
        let readers = VirtualReaders::new();
        readers.plug(SLOT, None);
        let (posts, heard) = mpsc::unbounded_channel();
        let now = Timestamp::from_second(booking().unix_time).unwrap();
        let clock = Arc::new(ManualClock::new(now));
        let desk = ReaderDesk::start(ReaderParts {
            factory: Arc::new(readers.clone()),
            profiles,
            trust: Arc::new(RwLock::new(Arc::new(Example::load().trust()))),
            clock: Arc::clone(&clock) as Arc<_>,
            entropy: Arc::new(Counting::default()),
            floor_s: Arc::new(AtomicU64::new(0)),
            practice: Arc::default(),
            posts,
        });
        let mut lane = Self { readers, clock, desk, heard, machine: ready(), committed: Vec::new(), asked: None };
        while lane.hear().await != ReaderState::Ready {}
        lane.desk.arm(true);
        lane
    }

    async fn next(&mut self) -> Input {
        let heard = timeout(BOUND, self.heard.recv()).await;
        heard.unwrap_or_else(|_| panic!("nothing was said; the picture is {:?}", self.machine.screen().page)).unwrap()
    }

    async fn hear(&mut self) -> ReaderState {
        match self.next().await {
            Input::Reader { state, .. } => state,
            other => panic!("{other:?}"),
        }
    }

    /// Lays a card there and lets things take their course until its result stands.
    async fn tap(&mut self, card: VirtualCard) -> ResultClass {
        self.readers.insert(SLOT, card);
        loop {
            let input = self.next().await;
            if let Input::CardRemoved { .. } = input {
                continue;
            }
            self.put(input);
            if let Page::Result(result) = self.machine.screen().page {
                return result.class.unwrap();
            }
        }
    }

    /// Takes the card away, and lets so much time pass that the next one is not taken for a card that flaps.
    async fn takes_it_away(&mut self) {
        self.readers.remove(SLOT);
        while !matches!(self.next().await, Input::CardRemoved { .. }) {}
        self.clock.advance(Duration::from_secs(2));
    }

    fn put(&mut self, input: Input) {
        for effect in self.machine.put(input) {
            match effect {
                Effect::LoadStanding { .. } => {
                    let standing = self.machine.listed();
                    self.put(standing);
                }
                Effect::Authenticate { tap, draft } => {
                    self.asked = Some(draft.record);
                    self.desk.authenticate(tap, booking());
                }
                Effect::EndCard { tap } => self.desk.end(tap),
                Effect::Commit(record) => {
                    self.committed.push(record.id);
                    self.put(Input::Committed { record: record.id, seq: 1 });
                }
                _ => {}
            }
        }
    }
}

/// A lane whose lunch takes every method.
fn ready() -> Machine {
    let mut machine = Machine::new(Place::Lane, false);
    let descriptor = &mut machine.account.descriptor;
    descriptor.districts = vec![Example::district()];
    let lunch = &mut machine.account.catalogue.as_mut().unwrap().offers[0];
    let rule = |level| RouteRule { min_level: level, cap: None, fault_cap: None };
    let routes = [(Route::Chip, Level::SIGNED), (Route::Phone, Level::SIGNED), (Route::Uid, Level::SEEN)];
    lunch.routes = routes.map(|(route, level)| (route, rule(level))).into();
    lunch.unknown_card = UnknownCard::Refuse;
    machine.ready();
    machine
}

#[test]
fn a_card_torn_at_every_command_of_every_method_books_once_on_its_return() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (mut tears, mut finished) = (0, 0);
        for own in [false, true] {
            let profiles = if own { CATALOG.clone() } else { ProfileCatalog::shipped() };
            let mut lane = Lane::new(profiles).await;
            for method in METHODS.iter().filter(|method| method.own == own) {
                let Method { transcript: name, atr, .. } = method;
                let transcript = method.dialogue();
                let card = || {
                    let played = Played::among_others(&transcript);
                    VirtualCard::running(Box::new(played), &support::bik1::hex(atr), Arc::new(Counting::default()))
                };
                for index in 0_u32.. {
                    (lane.machine, lane.committed, lane.asked) = (ready(), Vec::new(), None);
                    let torn = lane.tap(card().with_fault(Fault::TearAt(index))).await;
                    if matches!(torn, ResultClass::R1 | ResultClass::R2) {
                        assert!(index as usize >= transcript.len(), "{name}: booked without command {index}");
                        lane.takes_it_away().await;
                        break;
                    }
                    assert_eq!(torn, ResultClass::R5, "{name} torn at {index}");
                    assert_eq!(lane.committed, [], "{name} torn at {index}");
                    lane.readers.remove(SLOT);
                    let drafted = lane.asked;
                    let returned = lane.tap(card()).await;
                    assert!(
                        matches!(returned, ResultClass::R1 | ResultClass::R2),
                        "{name} after {index}: {returned:?}"
                    );
                    assert_eq!(lane.committed.len(), 1, "{name} after {index}");
                    // What it was asked to sign before it left is what is booked: the same draft, under the same id.
                    if let Some(draft) = drafted {
                        assert_eq!(lane.committed, [draft], "{name} after {index}");
                        finished += 1;
                    }
                    lane.takes_it_away().await;
                    // Once more at once: the same result is shown again, nothing is booked twice.
                    lane.tap(card()).await;
                    assert_eq!(lane.committed.len(), 1, "{name} shown again after {index}");
                    lane.takes_it_away().await;
                    tears += 1;
                }
            }
            lane.desk.stop();
        }
        // Chip and phone sign; the others have said all there is once they are identified.
        assert!(tears > 50 && finished == 2, "{tears} tears, {finished} drafts finished");
    });
}
