//! The terminal's side of a transcript: trust, clock, reader and profiles as its `@` lines set them.

use jiff::Timestamp;
use teilhabe_terminal::{
    card::{self, CardError, Reading, Trust, bik1, key::sha256},
    domain::{
        documents::{DenyList, TrustList},
        reading::Evidence,
    },
    ports::CardChannel,
    profile::{Action, Atr, CardProfile, Interface, ReaderProfile, Sighting, System, Verdict},
};

use super::{
    bik1::{Example, booking, hex},
    methods::CATALOG,
    transcript::Transcript,
};

/// What the scene of a transcript sets.
pub struct Scene {
    pub trust: Trust,
    pub now: Timestamp,
    pub max_le: u16,
    /// With it the profiles are asked who the card is, without it the education card's dialogue alone is played.
    atr: Option<Atr>,
    /// The one profile that is asked; else all that the ATR admits.
    profile: Option<String>,
}

impl Scene {
    pub fn of(transcript: &Transcript, example: &Example) -> Self {
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
        Self {
            trust,
            now: Timestamp::from_second(now).unwrap(),
            max_le: transcript.scene("max-le").map_or(256, |text| text.parse().unwrap()),
            atr: transcript.scene("atr").map(|text| Atr::new(&hex(text))),
            profile: transcript.scene("profile").map(str::to_owned),
        }
    }

    pub fn identify(&self, channel: &mut dyn CardChannel) -> Result<Reading, CardError> {
        let Some(atr) = &self.atr else {
            return bik1::identify(channel, self.max_le, &self.trust, self.now);
        };
        let candidates: Vec<&CardProfile> = match &self.profile {
            Some(id) => CATALOG.cards().filter(|card| card.id.as_str() == id).collect(),
            // A district's own profiles are asked where a transcript names them.
            None => match SHIPPED.candidates(atr, Interface::Contactless) {
                Verdict::Probe(cards) => cards,
                Verdict::Reject(card) => match &card.action {
                    Action::Reject { class } => return Err(CardError::Rejected(class.failure())),
                    Action::Identify {} => panic!("a verdict that rejects"),
                },
            },
        };
        card::identify(channel, reader(), atr, &candidates, &self.trust, self.now)
    }

    /// Plays as far as `count` outcomes go: identification, then authentication.
    pub fn outcomes(&self, channel: &mut dyn CardChannel, count: usize) -> Vec<String> {
        let identified = self.identify(channel);
        let mut outcomes = vec![match &identified {
            Ok(reading) if reading.identified.chain_only => "identified_by_chain".to_owned(),
            Ok(_) => "identified".to_owned(),
            Err(error) => error.code().to_owned(),
        }];
        if let (Ok(reading), true) = (&identified, count > 1) {
            let authenticated = card::authenticate(channel, &reading.session, &booking());
            let proves = !matches!(authenticated, Ok(Evidence::None));
            assert_eq!(reading.identified.must_authenticate, proves, "what can prove itself is never believed without");
            outcomes.push(match &authenticated {
                Ok(Evidence::Bik1(_)) => "authenticated".to_owned(),
                Ok(Evidence::Sun { .. }) => "message".to_owned(),
                Ok(Evidence::None) => "unsigned".to_owned(),
                Ok(other) => panic!("{other:?}"),
                Err(error) => error.code().to_owned(),
            });
        }
        outcomes
    }
}

static SHIPPED: std::sync::LazyLock<teilhabe_terminal::profile::ProfileCatalog> =
    std::sync::LazyLock::new(teilhabe_terminal::profile::ProfileCatalog::shipped);

/// The virtual reader, which is what all dialogues are played on.
pub fn reader() -> &'static ReaderProfile {
    CATALOG.find_reader(&Sighting { system: System::Linux, ..Sighting::named("Virtual PCD 00 00") }).unwrap()
}
