//! A card that leaves at every command of every method, through the reader's thread and the machine: it ends in a defined
//! picture, books nothing, and on its return the same draft is finished once. So it is where the card is taken up again
//! to sign, after a person has chosen what for. Faults 14 and 22.
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
    claims::offer_id,
    desk::run,
    issuer::Signer,
    machine::Machine,
    methods::CATALOG,
    played::Played,
    practice::Counting,
    stand::{InMemory, SLOT, Stand},
    transcript::Transcript,
};
use teilhabe_terminal::{
    app::reader_thread::{ReaderDesk, ReaderParts},
    domain::{
        ids::RecordId,
        offer::{Offer, RouteRule, UnknownCard},
        reading::{Level, Route},
    },
    profile::ProfileCatalog,
    sim::{Fault, ManualClock, VirtualCard},
    terminal::{
        command::OperatorCommand,
        effect::Effect,
        input::Input,
        screen::{Page, Place, ReaderState, ResultClass},
    },
};
use tokio::{sync::mpsc, time::timeout};

const BOUND: Duration = Duration::from_secs(10);

/// A method, one good dialogue of it, the profiles it is found by, and the ATR of its card.
struct Method {
    transcript: &'static str,
    atr: &'static str,
    /// A district's own profiles, of which the shipped ones know nothing.
    own: bool,
    /// Where its card proves itself for a booking: the commands this takes at the end of the dialogue.
    proof: Option<usize>,
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
    Method { transcript: "bik1/good", atr: "3B84800142494B3150", own: false, proof: Some(1) },
    Method { transcript: "bik1-phone/good", atr: "3B80800101", own: false, proof: Some(1) },
    Method { transcript: "classic-uid/good", atr: "3B8F8001804F0CA000000306030001000000006A", own: false, proof: None },
    Method {
        transcript: "ultralight-uid/good",
        atr: "3B8F8001804F0CA0000003060300030000000068",
        own: false,
        proof: None,
    },
    Method { transcript: "icode-uid/good", atr: "3B8F8001804F0CA0000003060B00140000000077", own: false, proof: None },
    Method { transcript: "desfire-uid/good", atr: "3B8180018080", own: false, proof: None },
    Method { transcript: "ntag424-sun/good", atr: "3B8180018080", own: false, proof: Some(0) },
    Method { transcript: "methods/uid-good", atr: "3B8F8001804F0CA000000306030001000000006A", own: true, proof: None },
    Method {
        transcript: "methods/storage-good",
        atr: "3B8F8001804F0CA0000003060300030000000068",
        own: true,
        proof: None,
    },
    Method { transcript: "methods/file-good", atr: "3B8180018080", own: true, proof: None },
    Method { transcript: "methods/desfire-good", atr: "3B8180018080", own: true, proof: None },
    Method { transcript: "methods/ndef-good", atr: "3B8180018080", own: true, proof: None },
];

/// The reader's thread and a lane, joined as the driver joins them.
struct Lane<'a> {
    stand: &'a mut dyn Stand,
    clock: Arc<ManualClock>,
    desk: ReaderDesk,
    heard: mpsc::UnboundedReceiver<Input>,
    machine: Machine,
    /// What is served is chosen by hand once the card is known, so that its transaction has ended when it shall sign.
    choosing: bool,
    committed: Vec<RecordId>,
    /// What a card was last asked to sign.
    asked: Option<RecordId>,
    /// The card of the last tap was told to have left.
    left: bool,
}

impl<'a> Lane<'a> {
    async fn new(stand: &'a mut dyn Stand, profiles: ProfileCatalog, choosing: bool) -> Self {
        let (posts, heard) = mpsc::unbounded_channel();
        let now = Timestamp::from_second(booking().unix_time).unwrap();
        let clock = Arc::new(ManualClock::new(now));
        let desk = ReaderDesk::start(ReaderParts {
            factory: stand.readers(),
            profiles,
            trust: Arc::new(RwLock::new(Arc::new(Example::load().trust()))),
            clock: Arc::clone(&clock) as Arc<_>,
            entropy: Arc::new(Counting::default()),
            floor_s: Arc::new(AtomicU64::new(0)),
            practice: Arc::default(),
            posts,
        });
        let machine = ready(choosing);
        let (committed, asked, left) = (Vec::new(), None, true);
        let mut lane = Self { stand, clock, desk, heard, machine, choosing, committed, asked, left };
        while lane.hear().await != ReaderState::Ready {}
        lane.desk.arm(true);
        lane
    }

    async fn next(&mut self) -> Input {
        let heard = timeout(BOUND, self.heard.recv()).await;
        let said = heard.unwrap_or_else(|_| panic!("nothing was said; shown is {:?}", self.machine.screen().page));
        self.left |= matches!(said, Some(Input::CardRemoved { .. }));
        said.unwrap()
    }

    async fn hear(&mut self) -> ReaderState {
        match self.next().await {
            Input::Reader { state, .. } => state,
            other => panic!("{other:?}"),
        }
    }

    /// Lays a card there and lets things take their course until its result stands.
    async fn tap(&mut self, card: VirtualCard) -> ResultClass {
        self.left = false;
        self.stand.insert(SLOT, card);
        loop {
            let input = self.next().await;
            if let Input::CardRemoved { .. } = input {
                continue;
            }
            self.put(input);
            if let Page::Choose { offers, .. } = self.machine.screen().page {
                assert!(self.choosing, "{offers:?} are to choose from");
                self.put(Input::Command(OperatorCommand::ChooseOffer(offer_id(OFFERS[1]))));
            }
            if let Page::Result(result) = self.machine.screen().page {
                return result.class.unwrap();
            }
        }
    }

    /// The card is taken away, if it has not left by itself.
    async fn goes(&mut self) {
        self.stand.remove(SLOT);
        while !self.left {
            self.next().await;
        }
    }

    /// As [`Lane::goes`], and so much time passes that the next one is not taken for a card that flaps.
    async fn stays_away(&mut self) {
        self.goes().await;
        self.clock.advance(Duration::from_secs(2));
    }

    fn put(&mut self, input: Input) {
        for effect in self.machine.put(input) {
            match effect {
                Effect::LoadStanding { .. } => {
                    let standing = self.machine.standing_is(if self.choosing { "both" } else { "entitled" });
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

/// What a lane without a preset has to choose from.
const OFFERS: [&str; 2] = ["supper", "noon"];

/// A lane whose meals take every method: lunch, or one that somebody has to choose.
fn ready(choosing: bool) -> Machine {
    let mut machine = if choosing { Machine::without_preset(Place::Lane) } else { Machine::new(Place::Lane, false) };
    machine.account.descriptor.districts = vec![Example::district()];
    let offers = &mut machine.account.catalogue.as_mut().unwrap().offers;
    let rule = |level| RouteRule { min_level: level, cap: None, fault_cap: None };
    let routes = [(Route::Chip, Level::SIGNED), (Route::Phone, Level::SIGNED), (Route::Uid, Level::SEEN)];
    offers[0].routes = routes.map(|(route, level)| (route, rule(level))).into();
    offers[0].unknown_card = UnknownCard::Refuse;
    if choosing {
        *offers = OFFERS.map(|id| Offer { id: offer_id(id), ..offers[0].clone() }).into();
    }
    machine.ready();
    machine
}

/// What a campaign of tears came to.
#[derive(Debug, Default)]
struct Tally {
    tears: u32,
    /// Drafts that a card was to sign when it left, and that its return finished.
    finished: u32,
}

impl Lane<'_> {
    /// The card of this method leaves at each of its commands in turn, and comes back.
    async fn tear(&mut self, method: &Method, tally: &mut Tally) {
        let Method { transcript: name, atr, .. } = method;
        let transcript = method.dialogue();
        let card = || {
            let played = Played::among_others(&transcript);
            VirtualCard::running(Box::new(played), &support::bik1::hex(atr), Arc::new(Counting::default()))
        };
        // Taken up again to prove itself, it is selected and read once more.
        let read_again = method.proof.filter(|_| self.choosing).map_or(0, |proof| transcript.len() - proof);
        for index in 0_u32.. {
            (self.machine, self.committed, self.asked) = (ready(self.choosing), Vec::new(), None);
            let torn = self.tap(card().with_fault(Fault::TearAt(index))).await;
            if matches!(torn, ResultClass::R1 | ResultClass::R2) {
                assert!(index as usize >= transcript.len() + read_again, "{name}: booked without command {index}");
                return self.stays_away().await;
            }
            assert_eq!(torn, ResultClass::R5, "{name} torn at {index}");
            assert_eq!(self.committed, [], "{name} torn at {index}");
            self.goes().await;
            let drafted = self.asked;
            let returned = self.tap(card()).await;
            assert!(matches!(returned, ResultClass::R1 | ResultClass::R2), "{name} after {index}: {returned:?}");
            assert_eq!(self.committed.len(), 1, "{name} after {index}");
            // What it was asked to sign before it left is what is booked: the same draft, under the same id.
            if let Some(draft) = drafted {
                assert_eq!(self.committed, [draft], "{name} after {index}");
                tally.finished += 1;
            }
            self.stays_away().await;
            // Once more at once: the same result is shown again, nothing is booked twice.
            self.tap(card()).await;
            assert_eq!(self.committed.len(), 1, "{name} shown again after {index}");
            self.stays_away().await;
            tally.tears += 1;
        }
    }
}

/// All tears of these methods.
fn campaign<'m>(stand: &mut dyn Stand, choosing: bool, methods: impl IntoIterator<Item = &'m Method> + Clone) -> Tally {
    let mut tally = Tally::default();
    run(async {
        for own in [false, true] {
            let profiles = if own { CATALOG.clone() } else { ProfileCatalog::shipped() };
            let mut lane = Lane::new(&mut *stand, profiles, choosing).await;
            for method in methods.clone().into_iter().filter(|method| method.own == own) {
                lane.tear(method, &mut tally).await;
            }
            lane.desk.stop();
        }
    });
    tally
}

#[test]
fn a_card_torn_at_every_command_of_every_method_books_once_on_its_return() {
    let tally = campaign(&mut InMemory::new(), false, &METHODS);
    // Chip and phone answer a challenge; the others have said all there is once they are identified.
    assert!(tally.tears > 50 && tally.finished == 2, "{tally:?}");
}

#[test]
fn a_card_torn_while_it_is_taken_up_again_to_sign_books_once_on_its_return() {
    let tally = campaign(&mut InMemory::new(), true, &METHODS);
    assert!(tally.tears > 60 && tally.finished as usize == commands_of_proving(&METHODS), "{tally:?}");
}

/// From the choice on the whole dialogue is there once more to leave at.
fn commands_of_proving<'m>(methods: impl IntoIterator<Item = &'m Method>) -> usize {
    methods.into_iter().filter(|method| method.proof.is_some()).map(|method| method.dialogue().len()).sum()
}

#[cfg(feature = "pcsc")]
mod real {
    use super::*;
    use crate::support::{pcscd::with_private_pcscd, stand::Real};

    /// The same at the real service, for chip and phone; it looks at its slot every 400 ms.
    #[test]
    fn a_card_torn_while_it_is_taken_up_again_to_sign_books_once_on_its_return() {
        let name = "real::a_card_torn_while_it_is_taken_up_again_to_sign_books_once_on_its_return";
        with_private_pcscd(name, |service| {
            let signing = METHODS.iter().filter(|method| method.proof == Some(1));
            let tally = campaign(&mut Real::new(service), true, signing.clone());
            assert_eq!(tally.finished as usize, commands_of_proving(signing), "{tally:?}");
        });
    }
}

/// The last of the methods, `reject`: there is no command to leave at, whoever leaves and comes back, and nothing to book.
#[test]
fn a_card_of_others_is_sent_nothing_however_often_it_comes_and_goes() {
    run(async {
        let mut stand = InMemory::new();
        let mut lane = Lane::new(&mut stand, ProfileCatalog::shipped(), false).await;
        let rejected = Transcript::everywhere().into_iter().filter(|transcript| transcript.name.starts_with("reject-"));
        let mut kinds = 0;
        for transcript in rejected {
            let name = &transcript.name;
            let atr = transcript.scene.iter().find_map(|(key, value)| (key == "atr").then_some(value)).unwrap();
            for fault in [Some(Fault::TearAt(0)), None] {
                (lane.machine, lane.committed) = (ready(false), Vec::new());
                let played = Played::among_others(&transcript);
                let chip = Box::new(played.clone());
                let mut card = VirtualCard::running(chip, &support::bik1::hex(atr), Arc::new(Counting::default()));
                if let Some(fault) = fault {
                    card = card.with_fault(fault);
                }
                assert_eq!(lane.tap(card).await, ResultClass::R4, "{name}");
                assert_eq!((played.heard(), lane.committed.len()), (0, 0), "{name}");
                lane.stays_away().await;
            }
            kinds += 1;
        }
        assert!(kinds >= 12, "{kinds} kinds of cards");
        lane.desk.stop();
    });
}
