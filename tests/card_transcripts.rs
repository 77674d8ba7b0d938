//! The transcripts as cards in a reader, in memory and in the reader of a private `pcscd` with the real `vpcd` driver: what
//! a card says passes both unchanged, short, endless, forged, bombs and all, and comes to the same. Faults 1 to 11, 13, 14, 20
//! and 21 as far as a card can play them; what another program or the reader does is played elsewhere.
#![cfg(feature = "sim")]
#![allow(clippy::disallowed_methods, reason = "waits for a real service are bounded by real time")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use support::{
    bik1::{Example, booking, credential_file},
    forgery::{Bench, NOW, second},
    played::{Issued, Played},
    practice::Counting,
    scene::Scene,
    transcript::Transcript,
};
use teilhabe_terminal::{
    card::{self, CardError, bik1},
    domain::reading::Evidence,
    ports::{CardReader, CardReaderFactory, Disposition, ReaderEvent, SlotName},
    sim::{ATR_ISO_DEP, Fault, VirtualCard, VirtualReaders},
};

const SLOT: &str = "Virtual PCD 00 00";
/// Every wait ends here at the latest. The real service looks at its slot every 400 ms.
const BOUND: Duration = Duration::from_secs(10);

/// One dialogue of each method.
const METHODS: [&str; 8] = [
    "bik1/good",
    "bik1-phone/good",
    "methods/uid-good",
    "methods/storage-good",
    "methods/file-good",
    "methods/desfire-good",
    "methods/ndef-good",
    "ntag424-sun/good",
];

/// A reader with one slot.
trait Seat {
    fn readers(&self) -> Box<dyn CardReaderFactory>;
    fn insert(&mut self, card: VirtualCard);
    fn remove(&mut self);
}

impl Seat for VirtualReaders {
    fn readers(&self) -> Box<dyn CardReaderFactory> {
        Box::new(self.clone())
    }

    fn insert(&mut self, card: VirtualCard) {
        Self::insert(self, SLOT, card);
    }

    fn remove(&mut self) {
        Self::remove(self, SLOT);
    }
}

#[cfg(feature = "pcsc")]
mod real {
    use std::{
        io,
        thread::{Builder, JoinHandle},
    };

    use teilhabe_terminal::{
        adapters::pcsc::PcscReaders,
        sim::{Departure, Ejector, VpcdSlot},
    };

    use super::*;
    use crate::support::pcscd::{PrivatePcscd, with_private_pcscd};

    struct Real {
        service: PrivatePcscd,
        card: Option<(Ejector, JoinHandle<io::Result<Departure>>)>,
    }

    impl Seat for Real {
        fn readers(&self) -> Box<dyn CardReaderFactory> {
            Box::new(PcscReaders)
        }

        fn insert(&mut self, mut card: VirtualCard) {
            let slot = VpcdSlot::connect(("127.0.0.1", self.service.port())).unwrap();
            let ejector = slot.ejector();
            self.card = Some((ejector, Builder::new().spawn(move || slot.present(&mut card, None)).unwrap()));
        }

        fn remove(&mut self) {
            if let Some((ejector, playing)) = self.card.take() {
                ejector.eject();
                playing.join().unwrap().unwrap();
            }
        }
    }

    #[test]
    fn transcripts_hold_in_the_real_service() {
        with_private_pcscd("real::transcripts_hold_in_the_real_service", |service| {
            every_transcript_comes_to_what_it_says(&mut Real { service, card: None });
        });
    }

    #[test]
    fn forgeries_hold_in_the_real_service() {
        with_private_pcscd("real::forgeries_hold_in_the_real_service", |service| {
            no_forgery_is_believed(&mut Real { service, card: None });
        });
    }

    #[test]
    fn tears_hold_in_the_real_service() {
        with_private_pcscd("real::tears_hold_in_the_real_service", |service| {
            torn_at_every_command_of_every_method(&mut Real { service, card: None });
        });
    }
}

fn in_memory() -> VirtualReaders {
    let readers = VirtualReaders::new();
    readers.plug(SLOT, None);
    readers
}

#[test]
fn transcripts_hold_in_memory() {
    every_transcript_comes_to_what_it_says(&mut in_memory());
}

#[test]
fn forgeries_hold_in_memory() {
    no_forgery_is_believed(&mut in_memory());
}

#[test]
fn tears_hold_in_memory() {
    torn_at_every_command_of_every_method(&mut in_memory());
}

/// One chip that lies there and is another card each time it is powered anew.
fn every_transcript_comes_to_what_it_says(seat: &mut dyn Seat) {
    let example = Example::load();
    let mut reader = seat.readers().open().unwrap();
    let played = Played::default();
    seat.insert(chip(&played));
    presented(&mut *reader);
    let mut count = 0;
    for transcript in Transcript::everywhere().iter().filter(|transcript| transcript.is_the_cards()) {
        eprintln!("{}", transcript.name);
        played.put(transcript);
        let mut channel = reader.connect(&slot()).unwrap();
        let outcomes = Scene::of(transcript, &example).outcomes(&mut *channel, transcript.outcomes.len());
        let heard = played.heard();
        channel.end(Disposition::Unpower);
        assert_eq!(outcomes, transcript.outcomes, "{}", transcript.name);
        assert_eq!(heard, transcript.len(), "{}", transcript.name);
        count += 1;
    }
    assert!(count > 80, "{count} transcripts were played");
    seat.remove();
}

/// Faults 7, 8 and 9: what the verification refuses as bytes (`tests/card_verification.rs`) comes from a card in the reader, and
/// is refused with the same code.
fn no_forgery_is_believed(seat: &mut dyn Seat) {
    let bench = Bench::new();
    let (trust, now) = (bench.example.trust(), second(NOW));
    let credential = bench.credential(&bench.claims().encode());
    let answer = bench.card.answer(1, &booking().challenge());
    let issued = Issued::default();
    let mut reader = seat.readers().open().unwrap();
    seat.insert(VirtualCard::running(Box::new(issued.clone()), &ATR_ISO_DEP, Arc::new(Counting::default())));
    presented(&mut *reader);
    let mut come_to = |credential: &[u8], answer: &[u8]| {
        issued.put(credential_file(credential), answer.to_vec());
        let mut channel = reader.connect(&slot()).unwrap();
        let outcome = bik1::identify(&mut *channel, 256, &trust, now)
            .and_then(|reading| card::authenticate(&mut *channel, &reading.session, &booking()));
        channel.end(Disposition::Unpower);
        match outcome {
            Ok(Evidence::Bik1(_)) => "ok",
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.code(),
        }
    };
    let credentials = [bench.headers(), bench.forms(), bench.cbor(), bench.claim_sets()].concat();
    let mut count = 0;
    for (expected, forged) in credentials {
        assert_eq!(come_to(&forged, &answer), expected, "{forged:02X?}");
        count += 1;
    }
    for (expected, forged) in bench.answers() {
        assert_eq!(come_to(&credential, &forged), expected, "{forged:02X?}");
        count += 1;
    }
    assert!(count > 110, "{count} forgeries were played");
    seat.remove();
}

/// Fault 14 for every method: the card leaves instead of each answer in turn, and the next is read as if nothing had been.
fn torn_at_every_command_of_every_method(seat: &mut dyn Seat) {
    let example = Example::load();
    let mut reader = seat.readers().open().unwrap();
    for name in METHODS {
        let (folder, file) = name.split_once('/').unwrap();
        let transcript = Transcript::load(folder, file);
        let scene = Scene::of(&transcript, &example);
        for torn in (0..transcript.len()).map(Some).chain([None]) {
            let mut card = chip(&Played::of(&transcript));
            if let Some(index) = torn {
                card = card.with_fault(Fault::TearAt(u32::try_from(index).unwrap()));
            }
            seat.insert(card);
            presented(&mut *reader);
            let outcomes = match reader.connect(&slot()) {
                Ok(mut channel) => {
                    let outcomes = scene.outcomes(&mut *channel, transcript.outcomes.len());
                    channel.end(Disposition::Unpower);
                    outcomes
                }
                Err(error) => vec![CardError::Channel(error).code().to_owned()],
            };
            if torn.is_some() {
                assert_eq!(outcomes.last().unwrap(), "channel_removed", "{name} torn at {torn:?}");
            } else {
                assert_eq!(outcomes, transcript.outcomes, "{name} after all tears");
            }
            seat.remove();
            removed(&mut *reader);
        }
    }
}

fn chip(played: &Played) -> VirtualCard {
    VirtualCard::running(Box::new(played.clone()), &ATR_ISO_DEP, Arc::new(Counting::default()))
}

fn slot() -> SlotName {
    SlotName(SLOT.to_owned())
}

fn presented(reader: &mut dyn CardReader) {
    until(reader, |event| matches!(event, ReaderEvent::CardPresented { .. }));
}

fn removed(reader: &mut dyn CardReader) {
    until(reader, |event| *event == ReaderEvent::CardRemoved { slot: slot() });
}

/// Waits for an event, within [`BOUND`].
fn until(reader: &mut dyn CardReader, wanted: impl Fn(&ReaderEvent) -> bool) {
    let deadline = Instant::now() + BOUND;
    let mut seen = Vec::new();
    loop {
        for event in reader.wait(Duration::from_secs(1)).unwrap() {
            if wanted(&event) {
                return;
            }
            seen.push(event);
        }
        assert!(Instant::now() < deadline, "not within {BOUND:?}; seen: {seen:?}");
    }
}
