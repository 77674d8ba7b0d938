//! Faults 12, 14 to 20, 22 and 43 as the reader's thread meets them (docs/faults.md): one list of stories, told with readers
//! in memory and with the real `pcscd`. Each story names its number.
#![cfg(feature = "sim")]
#![allow(clippy::disallowed_methods, reason = "how soon a real service is back is real time")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use support::{
    desk::{Listening, QUIET, run},
    practice::{NOW, booking},
    stand::{InMemory, OTHER_SLOT, SLOT, Stand},
};
use teilhabe_terminal::{
    domain::reading::{Evidence, ReadFailure, Route},
    sim::{Fault, Hold},
    terminal::{input::Input, screen::ReaderState},
};

/// A thread at a stand.
struct Scene<'a> {
    stand: &'a mut dyn Stand,
    desk: Listening,
}

impl Scene<'_> {
    fn lay(&mut self, slot: &str, name: &str, fault: Option<Fault>) {
        let card = self.desk.practice.card(name, fault);
        self.stand.insert(slot, card);
    }

    /// The card is taken out and its leaving told.
    async fn take(&mut self) {
        self.stand.remove(SLOT);
        self.desk.left().await;
    }

    /// The next card is read, signs and leaves: nothing of what was before is left over.
    async fn next_is_clean(&mut self) {
        self.lay(SLOT, "other", None);
        let tap = self.desk.identified().await;
        assert!(matches!(self.desk.signs(tap).await, Evidence::Bik1(_)));
        self.take().await;
    }
}

type Story = for<'a> fn(&'a mut Scene<'_>) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), |scene| Box::pin($name(scene)))),*]
    };
}

/// What a card does.
const CARDS: &[(&str, Story)] = stories![
    fault_12_a_wall_clock_that_jumps_makes_no_card_valid_again,
    fault_14_a_card_removed_at_any_command_leaves_nothing,
    fault_14_a_card_removed_before_it_is_asked_to_sign_signs_nothing,
    fault_19_a_card_that_turns_into_another_is_not_believed,
    fault_19_cards_on_two_readers_are_two_taps,
    fault_20_cards_of_others_have_their_words_and_hear_nothing,
    fault_22_a_phone_that_flaps_is_one_tap,
    fault_43_a_phone_that_never_chooses_lets_the_next_card_go_first,
];

/// What a reader, the service and other programs do.
const READERS: &[(&str, Story)] = stories![
    fault_15_a_mute_card_is_given_up_and_the_next_one_read,
    fault_16_a_moved_reader_reads_on,
    fault_16_another_model_in_its_place_is_met_anew,
    fault_16_no_reader_at_all_and_back_again,
    fault_16_the_same_model_at_another_port_is_another_slot,
    fault_17_the_service_is_absent_killed_and_found_again,
    fault_18_a_card_held_for_itself_by_another_program_is_named,
    fault_18_an_endless_transaction_is_given_up_and_its_end_noticed,
];

fn tell(stories: &[(&str, Story)], stand: &mut dyn Stand) {
    for (name, story) in stories {
        let begin = Instant::now();
        eprintln!("story: {name}");
        run(async {
            let mut desk = Listening::to(stand.readers());
            desk.ready().await;
            desk.desk.arm(true);
            let mut scene = Scene { stand: &mut *stand, desk };
            story(&mut scene).await;
            scene.desk.desk.stop();
        });
        stand.remove(SLOT);
        stand.remove(OTHER_SLOT);
        run(emptied(stand));
        eprintln!("  {} ms", begin.elapsed().as_millis());
    }
}

/// The service has noticed that both slots are empty, so that stories do not meet each other's cards.
async fn emptied(stand: &dyn Stand) {
    let mut desk = Listening::to(stand.readers());
    desk.ready().await;
    // A card that still seems to lie there is presented as soon as it may be read; the real service looks every 400 ms.
    desk.silence().await;
    desk.desk.stop();
}

#[test]
fn stories_of_cards_hold_in_memory() {
    tell(CARDS, &mut InMemory::new());
}

#[test]
fn stories_of_readers_hold_in_memory() {
    tell(READERS, &mut InMemory::new());
}

#[cfg(feature = "pcsc")]
mod real {
    use super::*;
    use crate::support::{
        pcscd::with_private_pcscd,
        stand::{Real, Resetting},
    };

    /// Cards laid on while others reset them.
    const TAPS: u32 = 8;
    /// With so many at it, about every sixth tap used to end in blaming the card.
    const PROGRAMS: usize = 4;

    #[test]
    fn stories_of_cards_hold_for_the_real_service() {
        with_private_pcscd("real::stories_of_cards_hold_for_the_real_service", |service| {
            tell(CARDS, &mut Real::new(service));
        });
    }

    #[test]
    fn stories_of_readers_hold_for_the_real_service() {
        with_private_pcscd("real::stories_of_readers_hold_for_the_real_service", |service| {
            tell(READERS, &mut Real::new(service));
        });
    }

    /// Fault 18: other programs reset the card again and again, also in the moment between connecting and the
    /// transaction, from where a reset of theirs reaches into it. Whatever the service then says, the card signs or the
    /// reader is told to be in use. Only where nobody tells of a reset between reading and signing does the card seem to
    /// refuse, as a copy would: that one is held again, as any that refuses.
    #[test]
    fn fault_18_programs_that_reset_the_card_are_survived() {
        with_private_pcscd("real::fault_18_programs_that_reset_the_card_are_survived", |service| {
            let mut stand = Real::new(service);
            run(async {
                let mut desk = Listening::to(stand.readers());
                desk.ready().await;
                let mut signed = 0;
                for _ in 0..TAPS {
                    // Long enough for the same card to be another tap.
                    desk.clock.advance(Duration::from_secs(2));
                    desk.desk.arm(false);
                    stand.insert(SLOT, desk.practice.card("chip", None));
                    desk.silence().await;
                    let resetting = [(); PROGRAMS].map(|()| stand.resetting(SLOT));
                    resetting.iter().for_each(Resetting::begun);
                    desk.desk.arm(true);
                    // Whether the reader was in use at the tap before decides what is said of it at this one.
                    let mut told = Vec::new();
                    signed += u32::from(loop {
                        match desk.hear().await {
                            Input::CardIdentified { tap, .. } => desk.desk.authenticate(tap, booking()),
                            Input::Authenticated { .. } => break true,
                            Input::CardFailed { failure: ReadFailure::ReaderBusy, .. }
                            | Input::AuthenticationFailed {
                                failure: ReadFailure::ReaderBusy | ReadFailure::AuthenticationRefused,
                                ..
                            } => break false,
                            input @ (Input::CardPresented { .. }
                            | Input::Reader { state: ReaderState::Busy | ReaderState::Ready, .. }) => told.push(input),
                            other => panic!("{other:?} after {told:?}"),
                        }
                    });
                    drop(resetting);
                    stand.remove(SLOT);
                    while !matches!(desk.hear().await, Input::CardRemoved { .. }) {}
                }
                eprintln!("{signed} of {TAPS} taps signed while other programs reset the card");
                // Without them all is as before.
                stand.insert(SLOT, desk.practice.card("other", None));
                while !matches!(desk.hear().await, Input::CardIdentified { .. }) {}
                desk.desk.stop();
            });
        });
    }
}

/// Fault 12: the tablet wakes up in 1970, is set back by an hour, or is sent to 2099. Behind the newest trusted instant that
/// one counts: a card stays what it was, and one that is over does not come to life. What is waited for is no wall time.
async fn fault_12_a_wall_clock_that_jumps_makes_no_card_valid_again(scene: &mut Scene<'_>) {
    scene.desk.floor_s.store(NOW.unsigned_abs(), Ordering::Relaxed);
    let walls = [0, NOW - 3_600, NOW].map(|unix| Timestamp::from_second(unix).unwrap());
    for wall in walls {
        scene.desk.clock.set_wall(wall);
        scene.lay(SLOT, "chip", None);
        let tap = scene.desk.identified().await;
        assert!(matches!(scene.desk.signs(tap).await, Evidence::Bik1(_)), "{wall}");
        scene.take().await;
        scene.lay(SLOT, "other", Some(Fault::Expired));
        assert_eq!(scene.desk.failed().await, ReadFailure::Expired, "{wall}");
        scene.take().await;
        // Long enough for the same card to be another tap.
        scene.desk.clock.advance(Duration::from_secs(2));
    }
    scene.desk.clock.set_wall("2099-01-01T00:00:00Z".parse().unwrap());
    scene.lay(SLOT, "chip", None);
    assert_eq!(scene.desk.failed().await, ReadFailure::Expired);
    scene.take().await;
    scene.desk.clock.set_wall(walls[2]);
    // A call runs while the clock is set by years, forward and back: it is given up by the time that passed.
    let (arrived, mut arrival) = tokio::sync::mpsc::unbounded_channel();
    let mute = scene.desk.practice.card("chip", Some(Fault::Mute)).witnessed(move |_| {
        let _ = arrived.send(());
    });
    scene.stand.insert(SLOT, mute);
    scene.desk.presented().await;
    arrival.recv().await.unwrap();
    for wall in ["2099-01-01T00:00:00Z".parse().unwrap(), walls[0], walls[2]] {
        scene.desk.clock.set_wall(wall);
        scene.desk.silence().await;
    }
    scene.stand.remove(SLOT);
    loop {
        match scene.desk.hear().await {
            Input::CardFailed { failure: ReadFailure::Removed | ReadFailure::Mute | ReadFailure::Garbled, .. } => {}
            Input::CardRemoved { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    scene.next_is_clean().await;
}

/// Fault 14. SELECT, two READs and, once it is asked to sign, INTERNAL AUTHENTICATE: the card leaves at each of them.
async fn fault_14_a_card_removed_at_any_command_leaves_nothing(scene: &mut Scene<'_>) {
    for command in 0..3 {
        scene.lay(SLOT, "chip", Some(Fault::TearAt(command)));
        assert_eq!(scene.desk.failed().await, ReadFailure::Removed, "command {command}");
        scene.take().await;
    }
    scene.lay(SLOT, "chip", Some(Fault::TearAt(3)));
    let tap = scene.desk.identified().await;
    scene.desk.desk.authenticate(tap, booking());
    let failed = Input::AuthenticationFailed { tap, failure: ReadFailure::Removed };
    assert_eq!(scene.desk.hear().await, failed);
    scene.take().await;
    scene.next_is_clean().await;
}

/// Fault 14: read and gone before the machine has decided. Nobody else's card signs in its place.
async fn fault_14_a_card_removed_before_it_is_asked_to_sign_signs_nothing(scene: &mut Scene<'_>) {
    scene.lay(SLOT, "chip", None);
    let tap = scene.desk.identified().await;
    scene.desk.desk.end(tap);
    scene.take().await;
    scene.lay(SLOT, "other", None);
    let other = scene.desk.identified().await;
    scene.desk.desk.end(other);
    scene.desk.desk.authenticate(tap, booking());
    let failed = Input::AuthenticationFailed { tap, failure: ReadFailure::Removed };
    assert_eq!(scene.desk.hear().await, failed);
    scene.take().await;
    scene.next_is_clean().await;
}

/// Fault 15. The clock is set past the bound instead of waiting for it; the hint after 1.5 s is the machine's
/// (`tests/terminal_story/reading.rs`).
async fn fault_15_a_mute_card_is_given_up_and_the_next_one_read(scene: &mut Scene<'_>) {
    let (arrived, mut arrival) = tokio::sync::mpsc::unbounded_channel();
    let mute = scene.desk.practice.card("chip", Some(Fault::Mute)).witnessed(move |_| {
        let _ = arrived.send(());
    });
    scene.stand.insert(SLOT, mute);
    scene.desk.presented().await;
    arrival.recv().await.unwrap();
    scene.desk.clock.advance(Duration::from_secs(9));
    assert_eq!(scene.desk.state().await, ReaderState::Stuck);
    scene.desk.ready().await;
    // The new thread meets the same card, which hangs it the same way until somebody takes it out.
    scene.desk.presented().await;
    scene.stand.remove(SLOT);
    loop {
        match scene.desk.hear().await {
            Input::CardFailed { failure: ReadFailure::Removed | ReadFailure::Mute | ReadFailure::Garbled, .. } => {}
            Input::CardRemoved { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    scene.desk.silence().await;
    scene.next_is_clean().await;
}

/// Fault 16. What the old reader's slots were is not believed of the new one's; within two seconds of its being there,
/// the new one is known by its own profile.
async fn fault_16_another_model_in_its_place_is_met_anew(scene: &mut Scene<'_>) {
    scene.lay(SLOT, "chip", None);
    let tap = scene.desk.identified().await;
    scene.desk.desk.end(tap);
    for (name, title) in [
        ("HID Global OMNIKEY 5022 Smart Card Reader", "HID OMNIKEY 5022"),
        ("ACS ACR122U PICC Interface", "ACS ACR122U"),
        ("Virtual PCD", "Virtual PCD (vpcd)"),
    ] {
        scene.stand.swap(&[name]);
        let back = Instant::now();
        loop {
            match scene.desk.hear().await {
                Input::Reader { state: ReaderState::Ready, name, .. } if name.as_deref() == Some(title) => break,
                Input::Reader { .. } | Input::CardRemoved { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        let took = back.elapsed();
        eprintln!("  {title}: known after {} ms", took.as_millis());
        assert!(took <= Duration::from_secs(2), "{title}: {took:?}");
    }
    scene.next_is_clean().await;
}

/// Fault 16: unplugged for good, and plugged in again.
async fn fault_16_no_reader_at_all_and_back_again(scene: &mut Scene<'_>) {
    for _ in 0..2 {
        scene.stand.swap(&[]);
        while scene.desk.state().await != ReaderState::Missing {}
        scene.stand.swap(&["Virtual PCD"]);
        scene.desk.ready().await;
    }
    scene.next_is_clean().await;
}

/// Fault 16: the same model, which the service gives another number this time, beside a model that cannot be used. Its slot
/// is another one: the card in the old one has left, and back at its place it is read as before.
async fn fault_16_the_same_model_at_another_port_is_another_slot(scene: &mut Scene<'_>) {
    scene.lay(SLOT, "chip", None);
    let tap = scene.desk.identified().await;
    scene.desk.desk.end(tap);
    scene.stand.swap(&["SCM Micro SCL3711 Contactless Reader & NFC", "Virtual PCD"]);
    let begin = Instant::now();
    let said = scene.desk.all().await;
    // It fell silent that long ago; the list has followed by then.
    let took = begin.elapsed().saturating_sub(QUIET);
    assert!(took <= Duration::from_secs(2), "{took:?}");
    assert!(said.contains(&Input::CardRemoved { tap }), "{said:?}");
    scene.stand.swap(&["Virtual PCD"]);
    scene.desk.all().await;
    scene.next_is_clean().await;
}

/// Fault 16: in its new slot the moved reader is known by the same profile, and its cards are read.
async fn fault_16_a_moved_reader_reads_on(scene: &mut Scene<'_>) {
    const MOVED: &str = "Virtual PCD 01 00";
    let moves: [(&[&str], &str); 2] =
        [(&["SCM Micro SCL3711 Contactless Reader & NFC", "Virtual PCD"], MOVED), (&["Virtual PCD"], SLOT)];
    let mut before = SLOT;
    for (names, slot) in moves {
        scene.lay(before, "chip", None);
        let tap = scene.desk.identified().await;
        scene.desk.desk.end(tap);
        scene.stand.swap(names);
        let begin = Instant::now();
        let said = scene.desk.all().await;
        // It fell silent that long ago; the list has followed by then.
        let took = begin.elapsed().saturating_sub(QUIET);
        assert!(took <= Duration::from_secs(2), "{slot}: {took:?}");
        assert!(said.contains(&Input::CardRemoved { tap }), "{slot}: {said:?}");
        scene.lay(slot, "other", None);
        let tap = scene.desk.identified().await;
        assert!(matches!(scene.desk.signs(tap).await, Evidence::Bik1(_)), "{slot}");
        scene.stand.remove(slot);
        scene.desk.left().await;
        scene.desk.clock.advance(Duration::from_secs(2));
        before = slot;
    }
}

/// Fault 17: killed while idle and while a card is being read; absent at the start of a thread; back within five
/// seconds each time.
async fn fault_17_the_service_is_absent_killed_and_found_again(scene: &mut Scene<'_>) {
    scene.stand.stop_service();
    assert_eq!(scene.desk.state().await, ReaderState::ServiceMissing);
    let mut late = Listening::to(scene.stand.readers());
    assert_eq!(late.state().await, ReaderState::ServiceMissing, "absent at the start");
    scene.stand.start_service();
    let back = Instant::now();
    scene.desk.ready().await;
    late.ready().await;
    assert!(back.elapsed() <= Duration::from_secs(5), "{:?}", back.elapsed());
    late.desk.stop();
    let (arrived, mut arrival) = tokio::sync::mpsc::unbounded_channel();
    let mute = scene.desk.practice.card("chip", Some(Fault::Mute)).witnessed(move |_| {
        let _ = arrived.send(());
    });
    scene.stand.insert(SLOT, mute);
    scene.desk.presented().await;
    arrival.recv().await.unwrap();
    scene.stand.stop_service();
    scene.stand.remove(SLOT);
    loop {
        match scene.desk.hear().await {
            Input::Reader { state: ReaderState::ServiceMissing, .. } => break,
            Input::CardFailed { .. } | Input::CardRemoved { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    scene.stand.start_service();
    let back = Instant::now();
    scene.desk.ready().await;
    assert!(back.elapsed() <= Duration::from_secs(5), "{:?}", back.elapsed());
    scene.next_is_clean().await;
}

/// Fault 18: connected for itself alone.
async fn fault_18_a_card_held_for_itself_by_another_program_is_named(scene: &mut Scene<'_>) {
    scene.desk.desk.arm(false);
    scene.lay(SLOT, "chip", None);
    scene.desk.silence().await;
    let held = scene.stand.hold(SLOT, Hold::Exclusive);
    scene.desk.desk.arm(true);
    let tap = scene.desk.presented().await;
    assert_eq!(scene.desk.state().await, ReaderState::Busy);
    assert_eq!(scene.desk.hear().await, Input::CardFailed { tap, failure: ReadFailure::ReaderBusy });
    drop(held);
    scene.take().await;
    // It goes on by itself, and says so.
    scene.lay(SLOT, "other", None);
    let tap = scene.desk.presented().await;
    assert_eq!(scene.desk.state().await, ReaderState::Ready);
    assert!(matches!(scene.desk.hear().await, Input::CardIdentified { tap: of, .. } if of == tap));
    scene.desk.desk.end(tap);
    scene.take().await;
}

/// Fault 18: a transaction that does not end blocks without limit; the watchdog gives the call up, and when the other
/// program lets go the card is read.
async fn fault_18_an_endless_transaction_is_given_up_and_its_end_noticed(scene: &mut Scene<'_>) {
    scene.desk.desk.arm(false);
    scene.lay(SLOT, "chip", None);
    scene.desk.silence().await;
    let held = scene.stand.hold(SLOT, Hold::Transaction);
    scene.desk.desk.arm(true);
    scene.desk.presented().await;
    // The call has surely begun: nothing comes of it.
    scene.desk.silence().await;
    scene.desk.clock.advance(Duration::from_secs(9));
    assert_eq!(scene.desk.state().await, ReaderState::Stuck);
    scene.desk.ready().await;
    scene.desk.presented().await;
    drop(held);
    match scene.desk.hear().await {
        Input::CardIdentified { tap, .. } => scene.desk.desk.end(tap),
        other => panic!("{other:?}"),
    }
    scene.take().await;
    scene.next_is_clean().await;
}

/// Fault 19: another card answers within one dialogue.
async fn fault_19_a_card_that_turns_into_another_is_not_believed(scene: &mut Scene<'_>) {
    scene.lay(SLOT, "chip", Some(Fault::TwoCards));
    let tap = scene.desk.identified().await;
    scene.desk.desk.authenticate(tap, booking());
    assert_eq!(scene.desk.hear().await, Input::AuthenticationFailed { tap, failure: ReadFailure::TwoCards });
    scene.take().await;
    scene.next_is_clean().await;
}

/// Fault 19: each reader's card is a tap of its own; the second waits until the first was served.
async fn fault_19_cards_on_two_readers_are_two_taps(scene: &mut Scene<'_>) {
    scene.desk.desk.arm(false);
    scene.lay(SLOT, "chip", None);
    scene.lay(OTHER_SLOT, "other", None);
    scene.desk.silence().await;
    scene.desk.desk.arm(true);
    let one = scene.desk.identified().await;
    scene.desk.signs(one).await;
    let two = scene.desk.identified().await;
    scene.desk.signs(two).await;
    assert_ne!(one, two);
    scene.take().await;
}

/// Fault 20: health, identity, bank and transit cards by their ATR, and a phone without the app, which is nothing but
/// a random UID.
async fn fault_20_cards_of_others_have_their_words_and_hear_nothing(scene: &mut Scene<'_>) {
    let cases: [(&[u8], ReadFailure); 6] = [
        (b"\x3B\x85\x80\x01\x30\x01\x01\x30\x30\x34", ReadFailure::ForeignHealth),
        (b"\x3B\x8A\x80\x01\x80\x31\xB8\x73\x84\x01\xE0\x82\x90\x00\x06", ReadFailure::ForeignIdentity),
        (b"\x3B\x87\x80\x01\x80\x31\xC0\x73\xD6\x31\xC0\x23", ReadFailure::ForeignBank),
        (b"\x3B\x85\x80\x01\x5A\x43\x56\x44\x56\x59", ReadFailure::ForeignTransit),
        (b"\x3B\x89\x80\x01\x4D\x54\x43\x4F\x53\x73\x02\x02\x04\x39", ReadFailure::ForeignTransit),
        (b"\x3B\x8F\x80\x01\x80\x4F\x0C\xA0\x00\x00\x03\x06\x11\x00\x3B\x00\x00\x00\x00\x42", ReadFailure::Foreign),
    ];
    for (atr, expected) in cases {
        let asked = Arc::new(AtomicUsize::new(0));
        let witness = Arc::clone(&asked);
        let card = scene.desk.practice.card("chip", None).with_atr(atr).witnessed(move |_| {
            witness.fetch_add(1, Ordering::Relaxed);
        });
        scene.stand.insert(SLOT, card);
        assert_eq!(scene.desk.failed().await, expected, "{atr:02X?}");
        assert_eq!(asked.load(Ordering::Relaxed), 0, "{atr:02X?}");
        scene.take().await;
    }
    // No payment application is asked for, whatever the phone would answer.
    let selected = Arc::new(AtomicBool::new(false));
    let witness = Arc::clone(&selected);
    let phone = scene.desk.practice.card("phone", Some(Fault::RandomUid)).witnessed(move |command| {
        let payment = command.windows(5).any(|bytes| bytes == b"2PAY." || bytes == b"1PAY.");
        witness.fetch_or(payment, Ordering::Relaxed);
    });
    scene.stand.insert(SLOT, phone);
    assert!(matches!(scene.desk.failed().await, ReadFailure::RandomUid | ReadFailure::Foreign));
    assert!(!selected.load(Ordering::Relaxed));
    scene.take().await;
    scene.next_is_clean().await;
}

/// Fault 22: present and absent six times within the time of one tap, with the same child chosen.
async fn fault_22_a_phone_that_flaps_is_one_tap(scene: &mut Scene<'_>) {
    scene.lay(SLOT, "phone", None);
    let tap = scene.desk.identified().await;
    scene.desk.signs(tap).await;
    scene.stand.remove(SLOT);
    scene.desk.removed(tap).await;
    for _ in 0..5 {
        scene.lay(SLOT, "phone", None);
        scene.desk.clock.advance(Duration::from_millis(200));
        scene.desk.silence().await;
        scene.stand.remove(SLOT);
        scene.desk.silence().await;
    }
    // Another child's card in the same moment is another tap, and so is the phone after a while.
    scene.lay(SLOT, "other", None);
    let other = scene.desk.identified().await;
    scene.desk.signs(other).await;
    scene.stand.remove(SLOT);
    scene.desk.removed(other).await;
    scene.desk.clock.advance(Duration::from_secs(2));
    scene.lay(SLOT, "phone", None);
    assert_ne!(scene.desk.identified().await, tap);
}

/// Fault 43: 6985 for ever. It is asked again in silence for twenty seconds and then let be; a card at the other reader
/// goes first, and one that follows it at the same reader is read at once.
async fn fault_43_a_phone_that_never_chooses_lets_the_next_card_go_first(scene: &mut Scene<'_>) {
    let chosen = Arc::new(AtomicBool::new(false));
    let phone = scene.desk.practice.card("phone", None).undecided(Arc::clone(&chosen));
    scene.stand.insert(SLOT, phone);
    assert_eq!(scene.desk.failed().await, ReadFailure::ChooseChild);
    for _ in 0..2 {
        scene.desk.clock.advance(Duration::from_secs(1));
        scene.desk.silence().await;
    }
    scene.lay(OTHER_SLOT, "other", None);
    let other = scene.desk.identified().await;
    assert!(matches!(scene.desk.signs(other).await, Evidence::Bik1(_)));
    scene.stand.remove(OTHER_SLOT);
    scene.desk.removed(other).await;
    // Chosen at last: the phone is read without being held again.
    chosen.store(true, Ordering::Relaxed);
    scene.desk.clock.advance(Duration::from_secs(1));
    let presented = scene.desk.presented().await;
    match scene.desk.hear().await {
        Input::CardIdentified { tap, identified } => {
            assert_eq!((tap, identified.route), (presented, Route::Phone));
            scene.desk.desk.end(tap);
        }
        other => panic!("{other:?}"),
    }
    scene.take().await;
    // One that is never chosen on is not asked for ever.
    let asked = Arc::new(AtomicUsize::new(0));
    let witness = Arc::clone(&asked);
    let phone = scene.desk.practice.card("phone", None).undecided(Arc::default()).witnessed(move |_| {
        witness.fetch_add(1, Ordering::Relaxed);
    });
    scene.stand.insert(SLOT, phone);
    assert_eq!(scene.desk.failed().await, ReadFailure::ChooseChild);
    for _ in 0..3 {
        scene.desk.clock.advance(Duration::from_secs(7));
        scene.desk.silence().await;
    }
    let before = asked.load(Ordering::Relaxed);
    scene.desk.clock.advance(Duration::from_secs(5));
    scene.desk.silence().await;
    assert_eq!(asked.load(Ordering::Relaxed), before, "it is let be");
    scene.take().await;
    scene.next_is_clean().await;
}
