//! Replays the dialogues of `tests/transcripts` against `card::{identify, authenticate}`: every row of the card
//! application's table of status words, the faults 2 to 6, 10, 11, 13 to 15 and 19, and a card torn away at each step.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot be set up has to fail")]

mod support;

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use support::{
    bik1::{Example, booking},
    scene::Scene,
    transcript::Transcript,
};
use teilhabe_terminal::{
    card::{self, CardError, Session, bik1},
    domain::reading::{Evidence, Level, ReadFailure, Route},
    ports::{CardChannel, ChannelError, Disposition},
    profile::ProfileCatalog,
};

/// Fault 18.
#[test]
fn every_transcript_comes_to_what_it_says() {
    let example = Example::load();
    assert!(Transcript::all("bik1").len() >= 60, "the transcripts are there");
    for transcript in Transcript::everywhere() {
        let mut channel = transcript.play();
        let outcomes = Scene::of(&transcript, &example).outcomes(&mut channel, transcript.outcomes.len());
        assert_eq!(outcomes, transcript.outcomes, "{}", transcript.name);
        assert!(channel.is_finished(), "{}: only {} commands were sent", transcript.name, channel.played());
    }
}

/// At least three each for whatever is read – good, refused, torn – and one for whatever is sent nothing.
#[test]
fn every_profile_and_every_method_has_its_transcripts() {
    for card in ProfileCatalog::shipped().cards() {
        let transcripts = Transcript::all(card.id.as_str());
        let least = if card.method().is_some() { 3 } else { 1 };
        assert!(transcripts.len() >= least, "{}: {}", card.id, transcripts.len());
        if card.method().is_some() {
            let ends = |outcome: &str| transcripts.iter().any(|t| t.outcomes.iter().any(|o| o == outcome));
            assert!(ends("identified") && ends("channel_removed"), "{}", card.id);
        }
    }
    let methods = Transcript::all("methods");
    for word in ["uid", "storage", "file", "desfire", "ndef"] {
        let of_method = methods.iter().filter(|t| t.name.starts_with(&format!("methods/{word}-")));
        assert!(of_method.count() >= 3, "{word}");
    }
}

#[test]
fn a_good_card_needs_four_commands() {
    let example = Example::load();
    let transcript = Transcript::load("bik1", "good");
    let scene = Scene::of(&transcript, &example);
    let mut channel = transcript.play();
    let reading = scene.identify(&mut channel).unwrap();
    assert_eq!(channel.played(), 3);
    let identified = &reading.identified;
    assert_eq!((identified.route, identified.level), (Route::Chip, Level::PROVEN));
    assert_eq!(identified.district(), &Example::district());
    assert_eq!(identified.trust_list_seq, example.trust_list().seq);
    let Evidence::Bik1(evidence) = card::authenticate(&mut channel, &reading.session, &booking()).unwrap() else {
        panic!("another evidence")
    };
    assert_eq!(channel.played(), 4);
    assert_eq!(evidence.credential, example.bytes(&["card_cred", "cose"]));
    assert_eq!((evidence.chain, evidence.counter), (None, 5));
    assert_eq!((evidence.nonce, evidence.beacon), (booking().nonce, booking().beacon));
    assert_eq!(evidence.signature, example.bytes(&["dyn", "sig_der"]));
}

/// Fault 14: as a loop over the steps of every method. The next tap starts clean.
#[test]
fn a_card_torn_at_any_step_proves_nothing() {
    let example = Example::load();
    let mut torn_at = 0;
    for transcript in Transcript::everywhere().iter().filter(|transcript| transcript.is_good()) {
        let scene = Scene::of(transcript, &example);
        for index in 0..transcript.len() {
            let outcomes = scene.outcomes(&mut transcript.play_torn_at(index), transcript.outcomes.len());
            assert_eq!(outcomes.last().unwrap(), "channel_removed", "{} at {index}", transcript.name);
            let again = scene.outcomes(&mut transcript.play(), transcript.outcomes.len());
            assert_eq!(again, transcript.outcomes, "{} after a tear at {index}", transcript.name);
            torn_at += 1;
        }
    }
    assert!(torn_at > 140, "{torn_at} tears");
    assert_eq!(CardError::Channel(ChannelError::Removed).failure(), ReadFailure::Removed);
}

/// Fault 10: yesterday's answer, correctly signed, over another booking; and one by another card's key.
#[test]
fn a_replayed_answer_is_refused() {
    let example = Example::load();
    let transcript = Transcript::parse(
        "replayed",
        &std::fs::read_to_string(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/bik1/good.apdu"),
        )
        .unwrap()
        .replace(example.text(&["dyn", "capdu"]), "00880001 20 .. 00"),
    );
    let scene = Scene::of(&transcript, &example);
    let mut channel = transcript.play();
    let reading = scene.identify(&mut channel).unwrap();
    let today = card::BookingContext { nonce: [7; 32], ..booking() };
    let error = card::authenticate(&mut channel, &reading.session, &today).unwrap_err();
    assert_eq!(error.code(), "proof_signature");
    assert_eq!(error.failure(), ReadFailure::Forged);
}

/// A card that says anything at all: whatever it is, the dialogue ends and nothing is proven.
struct Babbler {
    answers: Vec<Vec<u8>>,
    asked: usize,
}

impl CardChannel for Babbler {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.answers[self.asked % self.answers.len()].clone();
        self.asked += 1;
        Ok(answer)
    }

    fn end(self: Box<Self>, _: Disposition) {}
}

fn babble() -> impl Strategy<Value = Vec<u8>> {
    let example = Example::load();
    let select = example.bytes(&["fci"]);
    let mut head = example.file("ef_cred")[..8].to_vec();
    head.extend([0x90, 0x00]);
    let mut rest = example.file("ef_cred")[8..].to_vec();
    rest.extend([0x90, 0x00]);
    let truthful = prop::sample::select(vec![select, head, rest]);
    let spoiled = (truthful.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut answer, at, byte)| {
        let at = at.index(answer.len());
        answer[at] = byte;
        answer
    });
    let noise = prop::collection::vec(any::<u8>(), 0..64);
    let status = prop::sample::select(vec![0x9000_u16, 0x6100, 0x6110, 0x6C10, 0x6F00, 0x6282, 0x6A82]);
    let bare = status.prop_map(|status| status.to_be_bytes().to_vec());
    prop_oneof![4 => truthful, 2 => spoiled, 1 => noise, 1 => bare]
}

proptest! {
    #[test]
    fn a_babbling_card_ends_soon_and_never_panics(answers in prop::collection::vec(babble(), 1..8)) {
        let example = Example::load();
        let now = Timestamp::from_second(booking().unix_time).unwrap();
        let mut card = Babbler { answers, asked: 0 };
        let result = bik1::identify(&mut card, 256, &example.trust(), now);
        prop_assert!(card.asked <= 5 * 17 * 512, "{} commands", card.asked);
        if let Ok(reading) = result {
            let Session::Bik1(_) = reading.session else { panic!("another session") };
            let proof = card::authenticate(&mut card, &reading.session, &booking());
            prop_assert!(proof.is_err());
        }
    }
}

#[test]
fn every_status_word_ends_every_step() {
    let example = Example::load();
    let good = Transcript::load("bik1", "good");
    let scene = Scene::of(&good, &example);
    let mut failures = BTreeSet::new();
    for status in (0x6000..=0x6FFF_u16).chain(0x9001..=0x91FF) {
        let mut card = Babbler { answers: vec![status.to_be_bytes().to_vec()], asked: 0 };
        let error = scene.identify(&mut card).expect_err("a bare status word identifies nobody");
        assert!(card.asked <= 18, "{status:04X}: {} commands", card.asked);
        failures.insert(error.failure());
    }
    let expected = [ReadFailure::Garbled, ReadFailure::Foreign, ReadFailure::Locked, ReadFailure::ChooseChild].into();
    assert_eq!(failures, expected);
}
