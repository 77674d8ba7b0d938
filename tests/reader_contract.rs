//! What the terminal assumes of PC/SC, as one list of cases, run against the reader in memory and against a real
//! `pcscd` with the real `vpcd` driver. What holds for both may be relied on in every other test with the first alone.
#![cfg(feature = "sim")]
#![allow(clippy::disallowed_methods, reason = "waits for a real service are bounded by real time")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    collections::BTreeSet,
    sync::mpsc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use support::{
    practice::{NOW, Practice, booking},
    stand::{InMemory, OTHER_SLOT, SLOT, Stand},
};
use teilhabe_terminal::{
    card::{self, CardError, bik1},
    domain::reading::{Evidence, Level, ReadFailure, Route},
    ports::{
        CardChannel, CardReader, ChannelError, Disposition, EscapeWay, ReaderError, ReaderEvent, ReaderIdentity,
        SlotName,
    },
    sim::Fault,
};

/// Every wait ends here at the latest. The real service looks at its slot every 400 ms.
const BOUND: Duration = Duration::from_secs(10);
const SELECT: &[u8] = b"\x00\xA4\x04\x00\x09\xF0BIKARTE\x01\x00";
/// `beep` of the family acs-e0.
const BEEP: &[u8] = b"\xE0\x00\x00\x28\x01\x0A";
const READ_HEAD: &[u8] = b"\x00\xB0\x82\x00\x08";

#[cfg(feature = "pcsc")]
mod real {
    #[test]
    fn holds_for_the_real_service() {
        crate::support::pcscd::with_private_pcscd("real::holds_for_the_real_service", |service| {
            super::run_all(&mut crate::support::stand::Real::new(service));
        });
    }
}

#[test]
fn holds_in_memory() {
    run_all(&mut InMemory::new());
}

type Case = fn(&mut dyn Stand, &Practice);

const CASES: &[(&str, Case)] = &[
    ("slots are listed first", slots_are_listed_first),
    ("a card comes and goes", a_card_comes_and_goes),
    ("a card that lies there already is reported", a_card_that_lies_there_already_is_reported),
    ("a quick swap shows in the event counter", a_quick_swap_shows_in_the_event_counter),
    ("bytes pass unchanged", bytes_pass_unchanged),
    ("malformed ATRs reach the caller and hide no card", malformed_atrs_hide_no_card),
    ("removal during a command", removal_during_a_command),
    ("no card, no such slot", no_card_no_such_slot),
    ("unpowering forgets, leaving does not", unpowering_forgets),
    ("a wait can be cancelled", a_wait_can_be_cancelled),
    ("a reader without commands of its own takes none", a_reader_without_commands_takes_none),
    ("two presents in a row", two_presents_in_a_row),
    ("a tap proves the card", a_tap_proves_the_card),
    ("torn at every command", torn_at_every_command),
    ("every fault has its failure", every_fault_has_its_failure),
    ("the service goes and comes back", the_service_goes_and_comes_back),
    ("the service dies during a command", the_service_dies_during_a_command),
];

fn run_all(stand: &mut dyn Stand) {
    let practice = Practice::new();
    for (name, case) in CASES {
        let start = Instant::now();
        eprintln!("case: {name}");
        case(stand, &practice);
        stand.remove(SLOT);
        settle(stand);
        eprintln!("  {} ms", start.elapsed().as_millis());
    }
}

/// Waits until the service sees the slot empty, so that cases do not meet each other's cards.
fn settle(stand: &dyn Stand) {
    let mut reader = stand.readers().open().unwrap();
    let mut present = false;
    let deadline = Instant::now() + BOUND;
    loop {
        for event in reader.wait(Duration::ZERO).unwrap() {
            present = match event {
                ReaderEvent::CardPresented { .. } | ReaderEvent::CardMute { .. } => true,
                ReaderEvent::CardRemoved { .. } => false,
                ReaderEvent::Slots(_) => present,
            };
        }
        if !present {
            return;
        }
        assert!(Instant::now() < deadline, "the last case's card never left");
        let _ = until(&mut *reader, |event| matches!(event, ReaderEvent::CardRemoved { .. }));
        present = false;
    }
}

/// Waits for an event, within [`BOUND`].
fn until(reader: &mut dyn CardReader, wanted: impl Fn(&ReaderEvent) -> bool) -> ReaderEvent {
    let deadline = Instant::now() + BOUND;
    let mut seen = Vec::new();
    loop {
        for event in reader.wait(Duration::from_secs(1)).unwrap() {
            if wanted(&event) {
                return event;
            }
            seen.push(event);
        }
        assert!(Instant::now() < deadline, "not within {BOUND:?}; seen: {seen:?}");
    }
}

fn presented(reader: &mut dyn CardReader) -> (Vec<u8>, u16) {
    match until(reader, |event| matches!(event, ReaderEvent::CardPresented { .. })) {
        ReaderEvent::CardPresented { slot, atr, event_counter } => {
            assert_eq!(slot, slot_name());
            (atr, event_counter)
        }
        other => panic!("{other:?}"),
    }
}

fn removed(reader: &mut dyn CardReader) {
    until(reader, |event| *event == ReaderEvent::CardRemoved { slot: slot_name() });
}

fn slot_name() -> SlotName {
    SlotName(SLOT.to_owned())
}

fn slots_are_listed_first(stand: &mut dyn Stand, _: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    let events = reader.wait(BOUND).unwrap();
    let [ReaderEvent::Slots(slots)] = &events[..] else { panic!("{events:?}") };
    let names: BTreeSet<_> = slots.iter().map(|slot| slot.0.as_str()).collect();
    assert_eq!(names, BTreeSet::from([SLOT, OTHER_SLOT]));
    assert_eq!(reader.wait(Duration::ZERO).unwrap(), []);
    assert_eq!(reader.identity(&slot_name()), ReaderIdentity::default(), "neither tells what it is");
}

fn a_card_comes_and_goes(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    let card = practice.card("chip", None);
    let atr = card.atr().to_vec();
    stand.insert(SLOT, card);
    assert_eq!(presented(&mut *reader).0, atr);
    stand.remove(SLOT);
    removed(&mut *reader);
    assert_eq!(reader.wait(Duration::ZERO).unwrap(), []);
}

fn a_card_that_lies_there_already_is_reported(stand: &mut dyn Stand, practice: &Practice) {
    let mut first = stand.readers().open().unwrap();
    stand.insert(SLOT, practice.card("chip", None));
    presented(&mut *first);
    let mut second = stand.readers().open().unwrap();
    let events = second.wait(BOUND).unwrap();
    assert!(matches!(events[..], [ReaderEvent::Slots(_), ReaderEvent::CardPresented { .. }]), "{events:?}");
}

fn a_quick_swap_shows_in_the_event_counter(stand: &mut dyn Stand, practice: &Practice) {
    let mut slow = stand.readers().open().unwrap();
    let mut observer = stand.readers().open().unwrap();
    stand.insert(SLOT, practice.card("chip", None));
    let (_, before) = presented(&mut *slow);
    presented(&mut *observer);
    stand.remove(SLOT);
    stand.insert(SLOT, practice.card("other", None));
    // While the slow one looks away, the other sees both; then both changes are one.
    let (_, swapped) = presented(&mut *observer);
    let events = slow.wait(BOUND).unwrap();
    let [ReaderEvent::CardRemoved { .. }, ReaderEvent::CardPresented { event_counter, .. }] = events[..] else {
        panic!("{events:?}")
    };
    assert_ne!(event_counter, before);
    assert_eq!(event_counter, swapped);
}

fn bytes_pass_unchanged(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    stand.insert(SLOT, practice.card("chip", None));
    presented(&mut *reader);
    let mut channel = reader.connect(&slot_name()).unwrap();
    let cases: &[(&[u8], &[u8])] = &[
        (SELECT, b"\x6F\x20\x84\x09\xF0BIKARTE\x01\xA5\x13\xDF\x20\x02\x01\x00\xDF\x21\x02\x00\x01\xDF\x22\x01\x01\xDF\x23\x02\x00\xE0\x90\x00"),
        (b"\x00\xA4\x04\x00\x07\xA0\x00\x00\x03\x08\x00\x00\x00", b"\x6A\x82"),
        (b"\x00\xCB\x3F\xFF\x00", b"\x6D\x00"),
        (b"\x80\xCA\x00\x00\x00", b"\x6E\x00"),
    ];
    for (command, answer) in cases {
        assert_eq!(channel.transmit(command).as_deref(), Ok(*answer), "{command:02X?}");
    }
    // The longest answer of a short APDU: 256 bytes asked, the file's 2xx come with status.
    channel.transmit(SELECT).unwrap();
    let whole = channel.transmit(b"\x00\xB0\x82\x00\x00").unwrap();
    assert!(whole.len() > 200 && whole.ends_with(&[0x90, 0x00]), "{}", whole.len());
    channel.end(Disposition::Leave);
}

/// Fault 1.
fn malformed_atrs_hide_no_card(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    // Rows of cards-and-readers 2.3 that a driver can deliver. pcsc-lite itself refuses a card whose ATR does not even
    // begin like one; such a card is mute to everybody.
    let cases: [(&[u8], bool); 8] = [
        (b"\x3B\x81\x80\x01\x80\x81", true),
        (b"\x3B\x81\x80\x01\x80", true),
        (b"\x3B\x80\x80", true),
        (b"\x3B\xFF", true),
        (b"\x3B\x80\x80\x01\x01\x00", true),
        (b"\x3F", false),
        (b"\x00", false),
        (&[0xFF; 33], false),
    ];
    for (atr, begins_well) in cases {
        stand.insert(SLOT, practice.card("chip", None).with_atr(atr));
        assert_eq!(presented(&mut *reader).0, atr);
        match tap(&mut *reader, practice).map(|tap| tap.evidence) {
            Ok(Evidence::Bik1(_)) => {}
            Err(ReadFailure::Mute) if !begins_well => {}
            other => panic!("{atr:02X?}: {other:?}"),
        }
        stand.remove(SLOT);
        removed(&mut *reader);
    }
}

/// Fault 14.
fn removal_during_a_command(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    let (arrived, arrival) = mpsc::channel();
    let card = practice.card("chip", Some(Fault::Mute)).witnessed(move |_| arrived.send(()).unwrap());
    stand.insert(SLOT, card);
    presented(&mut *reader);
    let remove = stand.remover(SLOT);
    let hand = std::thread::Builder::new()
        .spawn(move || {
            arrival.recv_timeout(BOUND).unwrap();
            remove();
        })
        .unwrap();
    let mut channel = reader.connect(&slot_name()).unwrap();
    assert_eq!(channel.transmit(SELECT), Err(ChannelError::Removed));
    channel.end(Disposition::Unpower);
    hand.join().unwrap();
    removed(&mut *reader);
}

fn no_card_no_such_slot(stand: &mut dyn Stand, _: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    reader.wait(BOUND).unwrap();
    assert_eq!(reader.connect(&slot_name()).err(), Some(ChannelError::Removed));
    let elsewhere = SlotName("No such reader 00 00".to_owned());
    assert_eq!(reader.connect(&elsewhere).err(), Some(ChannelError::ReaderGone));
    assert_eq!(reader.identity(&elsewhere), ReaderIdentity::default());
    assert_eq!(reader.escape(&elsewhere, EscapeWay::Control(1), BEEP), None);
}

fn unpowering_forgets(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    stand.insert(SLOT, practice.card("chip", None));
    presented(&mut *reader);
    // A file can be read while its application is selected.
    for (disposition, status) in [(Disposition::Leave, [0x90, 0x00]), (Disposition::Unpower, [0x69, 0x86])] {
        let mut channel = reader.connect(&slot_name()).unwrap();
        channel.transmit(SELECT).unwrap();
        channel.end(disposition);
        let mut channel = reader.connect(&slot_name()).unwrap();
        let answer = channel.transmit(READ_HEAD).unwrap();
        assert!(answer.ends_with(&status), "{disposition:?}: {answer:02X?}");
        channel.end(Disposition::Leave);
    }
    // None of that looked like another card.
    assert_eq!(reader.wait(Duration::ZERO).unwrap(), []);
}

fn a_wait_can_be_cancelled(stand: &mut dyn Stand, _: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    while !reader.wait(Duration::ZERO).unwrap().is_empty() {}
    let canceller = reader.canceller();
    canceller.cancel();
    assert_eq!(reader.wait(BOUND), Err(ReaderError::Cancelled), "a cancel before the wait is not lost");
    assert_eq!(reader.wait(Duration::ZERO), Ok(Vec::new()), "and ends one wait only");
}

/// Nothing comes of it, with a card and without, and the card that lies there is as before.
fn a_reader_without_commands_takes_none(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    assert_eq!(reader.escape(&slot_name(), EscapeWay::Control(1), BEEP), None);
    assert_eq!(reader.escape(&slot_name(), EscapeWay::Transmit, BEEP), None, "there is no card");
    stand.insert(SLOT, practice.card("chip", None));
    presented(&mut *reader);
    let mut channel = reader.connect(&slot_name()).unwrap();
    channel.transmit(SELECT).unwrap();
    channel.end(Disposition::Leave);
    assert_eq!(reader.escape(&slot_name(), EscapeWay::Control(1), BEEP), None);
    let mut channel = reader.connect(&slot_name()).unwrap();
    assert!(channel.transmit(READ_HEAD).unwrap().ends_with(&[0x90, 0x00]), "its application is still selected");
    channel.end(Disposition::Leave);
    assert_eq!(reader.wait(Duration::ZERO), Ok(Vec::new()));
}

fn two_presents_in_a_row(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    let mut counters = Vec::new();
    for _ in 0..2 {
        stand.insert(SLOT, practice.card("chip", None));
        presented(&mut *reader);
        let Ok(Tap { evidence: Evidence::Bik1(evidence), .. }) = tap(&mut *reader, practice) else { panic!() };
        counters.push(evidence.counter);
        stand.remove(SLOT);
        removed(&mut *reader);
    }
    assert_eq!(counters[1], counters[0] + 1, "key and counter survive");
}

fn a_tap_proves_the_card(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    for (name, route) in [("chip", Route::Chip), ("phone", Route::Phone)] {
        stand.insert(SLOT, practice.card(name, None));
        presented(&mut *reader);
        let tap = tap(&mut *reader, practice).unwrap();
        assert_eq!((tap.route, tap.level), (route, Level::PROVEN));
        let Evidence::Bik1(evidence) = tap.evidence else { panic!("{:?}", tap.evidence) };
        assert!(evidence.chain.is_none(), "the issuer is in the trust list");
        stand.remove(SLOT);
        removed(&mut *reader);
    }
}

/// SELECT, two READs, INTERNAL AUTHENTICATE; whichever the card does not answer, nothing is proven, and the next tap
/// starts clean. Fault 14.
fn torn_at_every_command(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    let (told, commands) = mpsc::channel();
    let card = practice.card("chip", None).witnessed(move |_| told.send(()).unwrap());
    let before = card.counter();
    stand.insert(SLOT, card);
    presented(&mut *reader);
    tap(&mut *reader, practice).unwrap();
    stand.remove(SLOT);
    removed(&mut *reader);
    let length = u32::try_from(commands.try_iter().count()).unwrap();
    assert_eq!(length, 4);
    for at in 0..length {
        stand.insert(SLOT, practice.card("chip", Some(Fault::TearAt(at))));
        presented(&mut *reader);
        let failure = tap(&mut *reader, practice).map(|tap| tap.evidence).unwrap_err();
        assert_eq!(failure, ReadFailure::Removed, "command {at}");
        stand.remove(SLOT);
        removed(&mut *reader);
    }
    let card = practice.card("chip", None);
    assert_eq!(card.counter(), before + 1, "a torn card signed nothing");
    stand.insert(SLOT, card);
    presented(&mut *reader);
    tap(&mut *reader, practice).unwrap();
}

fn every_fault_has_its_failure(stand: &mut dyn Stand, practice: &Practice) {
    let slow = Fault::Slow(Duration::from_millis(60));
    let status = |sw, from| Fault::WrongStatus { sw, from };
    let cases = [
        (Fault::ShortAnswer, Err(ReadFailure::Garbled)),
        (Fault::Endless61, Err(ReadFailure::Garbled)),
        (Fault::WrongSignature, Err(ReadFailure::Forged)),
        (Fault::OldCertificate, Err(ReadFailure::Expired)),
        (Fault::Replay, Err(ReadFailure::Forged)),
        (Fault::GarbageAtr, Ok(())),
        (slow, Ok(())),
        (Fault::RandomUid, Err(ReadFailure::Foreign)),
        (Fault::TwoCards, Err(ReadFailure::TwoCards)),
        (Fault::Copied, Err(ReadFailure::AuthenticationRefused)),
        (Fault::Expired, Err(ReadFailure::Expired)),
        (Fault::UnknownIssuer, Err(ReadFailure::UnknownIssuer)),
        (status(0x6283, 0), Err(ReadFailure::Locked)),
        (status(0x6985, 0), Err(ReadFailure::ChooseChild)),
        (status(0x6A82, 0), Err(ReadFailure::Foreign)),
        (status(0x6A82, 1), Err(ReadFailure::NotPersonalised)),
        (status(0x6985, 3), Err(ReadFailure::AuthenticationRefused)),
    ];
    let mut reader = stand.readers().open().unwrap();
    for (fault, expected) in cases {
        stand.insert(SLOT, practice.card("chip", Some(fault)));
        presented(&mut *reader);
        let outcome = tap(&mut *reader, practice).map(|_| ());
        assert_eq!(outcome, expected, "{fault:?}");
        stand.remove(SLOT);
        removed(&mut *reader);
    }
}

/// Fault 17.
fn the_service_goes_and_comes_back(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    reader.wait(BOUND).unwrap();
    stand.stop_service();
    let deadline = Instant::now() + BOUND;
    let error = loop {
        if let Err(error) = reader.wait(Duration::from_secs(1)) {
            break error;
        }
        assert!(Instant::now() < deadline);
    };
    assert!(matches!(error, ReaderError::ServiceGone(_)), "{error:?}");
    let error = stand.readers().open().err();
    assert!(matches!(error, Some(ReaderError::ServiceGone(_))), "absent at start: {error:?}");
    stand.start_service();
    assert!(matches!(reader.wait(Duration::ZERO), Err(ReaderError::ServiceGone(_))), "an old context stays dead");
    let mut reader = stand.readers().open().unwrap();
    stand.insert(SLOT, practice.card("chip", None));
    presented(&mut *reader);
    tap(&mut *reader, practice).unwrap();
}

/// Fault 17.
fn the_service_dies_during_a_command(stand: &mut dyn Stand, practice: &Practice) {
    let mut reader = stand.readers().open().unwrap();
    let (arrived, arrival) = mpsc::channel();
    let card = practice.card("chip", Some(Fault::Mute)).witnessed(move |_| arrived.send(()).unwrap());
    stand.insert(SLOT, card);
    presented(&mut *reader);
    let (answered, answer) = mpsc::channel();
    let readers = stand.readers();
    let asking = std::thread::Builder::new()
        .spawn(move || {
            let mut reader = readers.open().unwrap();
            let mut channel = reader.connect(&slot_name()).unwrap();
            answered.send(channel.transmit(SELECT)).unwrap();
            channel.end(Disposition::Unpower);
        })
        .unwrap();
    arrival.recv_timeout(BOUND).unwrap();
    stand.stop_service();
    assert_eq!(answer.recv_timeout(BOUND).unwrap(), Err(ChannelError::ReaderGone));
    asking.join().unwrap();
    stand.start_service();
}

#[derive(Debug)]
struct Tap {
    route: Route,
    level: Level,
    evidence: Evidence,
}

/// The whole dialogue with the card that lies there: identify, then authenticate.
fn tap(reader: &mut dyn CardReader, practice: &Practice) -> Result<Tap, ReadFailure> {
    let mut channel = reader.connect(&slot_name()).map_err(|error| CardError::Channel(error).failure())?;
    let outcome = dialogue(&mut *channel, practice);
    channel.end(if outcome.is_ok() { Disposition::Leave } else { Disposition::Unpower });
    outcome.map_err(|error| error.failure())
}

fn dialogue(channel: &mut dyn CardChannel, practice: &Practice) -> Result<Tap, CardError> {
    let now = Timestamp::from_second(NOW).unwrap();
    let reading = bik1::identify(channel, 0xE0, &practice.trust, now)?;
    let evidence = card::authenticate(channel, &reading.session, &booking())?;
    Ok(Tap { route: reading.identified.route, level: reading.identified.level, evidence })
}
