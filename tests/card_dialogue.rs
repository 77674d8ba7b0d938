//! Replays the dialogues of `tests/transcripts` against `card::{identify, authenticate}`: every row of the card
//! application's table of status words, the faults 2 to 6, 10, 11, 13 to 15 and 19, and a card torn away at each step.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot be set up has to fail")]

mod support;

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use support::{
    bik1::{Example, booking},
    transcript::Transcript,
};
use teilhabe_terminal::{
    card::{self, CardError, Reading, Session, Trust, bik1, key::sha256},
    domain::{
        documents::{DenyList, TrustList},
        reading::{Evidence, Level, ReadFailure, Route},
    },
    ports::{CardChannel, ChannelError, Disposition},
};

/// What the scene of a transcript sets.
struct Scene {
    trust: Trust,
    now: Timestamp,
    max_le: u16,
}

impl Scene {
    fn of(transcript: &Transcript, example: &Example) -> Self {
        let list = example.trust_list();
        let trust = match transcript.scene("trust").unwrap_or("listed") {
            "listed" => example.trust(),
            "unlisted" => example.trust_without_issuers(),
            "denied" => {
                let cti: [u8; 16] = std::array::from_fn(|n| (n as u8) * 0x11);
                let prefix = *sha256(&cti).0.first_chunk().unwrap();
                let deny = DenyList { seq: 1, exp: list.exp, prefixes: vec![prefix] };
                example.trust_with(Some(&list), Some(&deny))
            }
            "revoked" => {
                let revoked_kids = vec![example.key("key_issuer").id()];
                example.trust_with(Some(&TrustList { revoked_kids, ..list }), None)
            }
            "revoked-certificate" => {
                let revoked_certificates = vec![sha256(&example.bytes(&["issuer_cert", "cose"]))];
                example.trust_with(Some(&TrustList { revoked_certificates, issuers: Vec::new(), ..list }), None)
            }
            "newer" => {
                let seq = 1_767_225_600_000;
                example.trust_with(Some(&TrustList { seq, issuers: Vec::new(), ..list }), None)
            }
            other => panic!("what is trust {other}?"),
        };
        let now = transcript.scene("now").map_or(booking().unix_time, |text| text.parse().unwrap());
        let max_le = transcript.scene("max-le").map_or(256, |text| text.parse().unwrap());
        Self { trust, now: Timestamp::from_second(now).unwrap(), max_le }
    }

    fn identify(&self, channel: &mut dyn CardChannel) -> Result<Reading, CardError> {
        bik1::identify(channel, self.max_le, &self.trust, self.now)
    }
}

fn word(result: &Result<Reading, CardError>) -> &str {
    match result {
        Ok(reading) if reading.identified.chain_only => "identified_by_chain",
        Ok(_) => "identified",
        Err(error) => error.code(),
    }
}

#[test]
fn every_transcript_comes_to_what_it_says() {
    let example = Example::load();
    let transcripts = Transcript::all("bik1");
    assert!(transcripts.len() >= 60, "the transcripts are there");
    for transcript in transcripts {
        let scene = Scene::of(&transcript, &example);
        let mut channel = transcript.play();
        let identified = scene.identify(&mut channel);
        let mut outcomes = vec![word(&identified).to_owned()];
        if let (Ok(reading), true) = (&identified, transcript.outcomes.len() > 1) {
            assert!(reading.identified.must_authenticate, "{}: a chip is never believed without", transcript.name);
            let authenticated = card::authenticate(&mut channel, &reading.session, &booking());
            outcomes.push(match &authenticated {
                Ok(Evidence::Bik1(_)) => "authenticated".to_owned(),
                Ok(other) => panic!("{}: {other:?}", transcript.name),
                Err(error) => error.code().to_owned(),
            });
        }
        assert_eq!(outcomes, transcript.outcomes, "{}", transcript.name);
        assert!(channel.is_finished(), "{}: only {} commands were sent", transcript.name, channel.played());
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

/// Fault 14: as a loop over the steps. The next tap starts clean.
#[test]
fn a_card_torn_at_any_step_proves_nothing() {
    let example = Example::load();
    for name in ["good", "chain", "small-card", "get-response", "auth-card-fault"] {
        let transcript = Transcript::load("bik1", name);
        let scene = Scene::of(&transcript, &example);
        for index in 0..transcript.len() {
            let mut torn = transcript.play_torn_at(index);
            let result = scene
                .identify(&mut torn)
                .and_then(|reading| card::authenticate(&mut torn, &reading.session, &booking()).map(|_| reading));
            let error = result.expect_err("a torn card proves nothing");
            assert_eq!(error, CardError::Channel(ChannelError::Removed), "{name} at {index}");
            assert_eq!(error.failure(), ReadFailure::Removed);
            let mut whole = transcript.play();
            assert!(scene.identify(&mut whole).is_ok(), "{name} after a tear at {index}");
        }
    }
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
