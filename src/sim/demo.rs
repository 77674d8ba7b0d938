//! The cards of the demonstration account: `demo.json` as `teilhabe-konto demo` writes it, and beside
//! it the wallet with the keys and counters these cards have got since.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use p256::SecretKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    applet::SunCard,
    card::VirtualCard,
    fault::Fault,
    issue::{self, Lifetime},
};
use crate::ports::Entropy;

const DAY: i64 = 24 * 60 * 60;
/// A chip card's credential lives four years.
const CARD_LIFE: i64 = 4 * 365 * DAY;
/// A phone's at most 35 days; the app renews it when it is online (card-application, 2.3).
const PHONE_LIFE: i64 = 30 * DAY;
/// Lifetime of a one-time code in the app.
const CODE_LIFE: i64 = 60;

/// What `teilhabe-karte` knows of the demonstration account.
#[derive(Debug, Clone, Deserialize)]
pub struct Demo {
    /// The root of all card issuers.
    pub card_root: CardRoot,
    /// The districts' issuers.
    pub issuers: Vec<DemoIssuer>,
    /// The cards.
    pub cards: Vec<DemoCard>,
    /// Those with an NTAG 424.
    #[serde(default)]
    pub sun_cards: Vec<DemoCard>,
}

/// The root that vouches for issuers.
#[derive(Debug, Clone, Deserialize)]
pub struct CardRoot {
    /// Its name in certificates.
    pub name: String,
    /// PKCS#8 or SEC1.
    pub private_key_pem: String,
}

/// One district's signing key.
#[derive(Debug, Clone, Deserialize)]
pub struct DemoIssuer {
    /// `de:` and eight digits.
    pub district: String,
    /// PKCS#8 or SEC1.
    pub private_key_pem: String,
}

/// One card.
#[derive(Debug, Clone, Deserialize)]
pub struct DemoCard {
    /// Name for `--card`.
    pub name: String,
    /// Who issued it.
    pub district: String,
    /// What it is.
    pub kind: CardKind,
    /// 16 bytes in hexadecimal: chip, phone, printed.
    #[serde(default)]
    pub cti: Option<String>,
    /// Digits without check digits: number.
    #[serde(default)]
    pub number: Option<String>,
    /// Hexadecimal: uid, sun.
    #[serde(default)]
    pub uid: Option<String>,
    /// Keys: sun.
    #[serde(default)]
    pub sun: Option<DemoSun>,
    /// Name of the child for `--child`.
    pub child: String,
    /// What the account thinks of it.
    pub state: String,
    /// What may be claimed with it.
    #[serde(default)]
    pub offers: Vec<String>,
}

/// Keys of an NTAG 424, hexadecimal.
#[derive(Debug, Clone, Deserialize)]
pub struct DemoSun {
    /// `SDMMetaReadKey`.
    pub meta_key: String,
    /// `SDMFileReadKey`.
    pub file_key: String,
}

/// Kinds of cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CardKind {
    /// BIK1 on a chip card.
    Chip,
    /// BIK1 on a phone, and one-time codes.
    Phone,
    /// A signed code on paper.
    Printed,
    /// A number on paper.
    Number,
    /// A chip with a UID alone.
    Uid,
    /// An NTAG 424 whose messages the account checks.
    Sun,
}

impl CardKind {
    /// The word in `demo.json`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Phone => "phone",
            Self::Printed => "printed",
            Self::Number => "number",
            Self::Uid => "uid",
            Self::Sun => "sun",
        }
    }
}

/// Why a card cannot be played.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: {source}")]
    Json {
        /// Which.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// No such card.
    #[error("no card is called {0:?}; `teilhabe-karte list` names them")]
    NoCard(String),
    /// The child has no card of the wanted kind.
    #[error("{child} has no card of kind {kind}")]
    NoKind {
        /// The child.
        child: String,
        /// The kind.
        kind: &'static str,
    },
    /// A field is missing or senseless.
    #[error("card {card}: {what}")]
    Card {
        /// Which card.
        card: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A private key cannot be read.
    #[error("the private key of {0} is not a P-256 key in PEM")]
    Key(String),
}

impl Demo {
    /// Reads `demo.json`.
    ///
    /// # Errors
    /// The file is missing or does not hold what is expected of it.
    pub fn read(path: &Path) -> Result<Self, DemoError> {
        read_json(path)
    }

    /// All cards.
    pub fn all(&self) -> impl Iterator<Item = &DemoCard> {
        self.cards.iter().chain(&self.sun_cards)
    }

    /// The card of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn card(&self, name: &str) -> Result<&DemoCard, DemoError> {
        self.all().find(|card| card.name == name).ok_or_else(|| DemoError::NoCard(name.to_owned()))
    }

    /// The child's first card of that kind.
    ///
    /// # Errors
    /// There is none.
    pub fn card_of_child(&self, child: &str, kind: CardKind) -> Result<&DemoCard, DemoError> {
        let fits = |card: &&DemoCard| card.child == child && card.kind == kind;
        let missing = || DemoError::NoKind { child: child.to_owned(), kind: kind.word() };
        self.cards.iter().find(fits).ok_or_else(missing)
    }

    fn issuer(&self, district: &str) -> Result<SecretKey, DemoError> {
        let issuer = self.issuers.iter().find(|issuer| issuer.district == district);
        let pem = issuer.map(|issuer| issuer.private_key_pem.as_str());
        private_key(pem.unwrap_or_default(), district)
    }

    fn root(&self) -> Result<SecretKey, DemoError> {
        private_key(&self.card_root.private_key_pem, &self.card_root.name)
    }
}

/// What an NTAG 424 remembers on disk beside what was written onto it.
#[derive(Debug, Serialize, Deserialize)]
struct StoredSun {
    kind: CardKind,
    counter: u32,
}

/// A personalised card on disk: all a chip holds.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    kind: CardKind,
    /// Hexadecimal scalar.
    key: String,
    counter: u32,
    /// Seconds since 1970.
    issued: i64,
    /// Hexadecimal `COSE_Sign1`.
    credential: String,
    #[serde(default)]
    chain: Option<String>,
}

/// The keys and counters of virtual cards, one file a card, in the folder of `demo.json`.
#[derive(Clone)]
pub struct Wallet {
    folder: PathBuf,
    entropy: Arc<dyn Entropy>,
}

impl Wallet {
    /// The wallet beside this `demo.json`.
    #[must_use]
    pub fn beside(demo: &Path, entropy: Arc<dyn Entropy>) -> Self {
        let folder = demo.parent().unwrap_or(Path::new(".")).join("cards");
        Self { folder, entropy }
    }

    /// The card, personalised at first use: its key is born here, its district's issuer signs the credential. `now` is
    /// seconds since 1970.
    ///
    /// # Errors
    /// The card has no chip, or `demo.json` or the wallet do not hold what they should.
    pub fn card(&self, demo: &Demo, card: &DemoCard, fault: Option<Fault>, now: i64) -> Result<VirtualCard, DemoError> {
        let played = match card.kind {
            CardKind::Chip | CardKind::Phone => self.bik1(demo, card, fault, now)?,
            CardKind::Uid => VirtualCard::storage(&hex(card, card.uid.as_deref())?, Arc::clone(&self.entropy)),
            CardKind::Sun => self.sun(card, fault)?,
            CardKind::Printed | CardKind::Number => {
                return Err(wrong(card, "has no chip; `teilhabe-karte code` shows what is printed on it"));
            }
        };
        Ok(match fault {
            Some(fault) => played.with_fault(fault),
            None => played,
        })
    }

    /// A card from a file of an earlier wallet, without its account.
    ///
    /// # Errors
    /// The file does not hold a personalised card.
    pub fn card_in(&self, path: &Path, fault: Option<Fault>) -> Result<VirtualCard, DemoError> {
        let stored: Stored = read_json(path)?;
        let nonsense = |_| DemoError::Key(path.display().to_string());
        let credential = HEXLOWER.decode(stored.credential.as_bytes()).map_err(nonsense)?;
        let chain = stored.chain.as_ref().map(|hex| HEXLOWER.decode(hex.as_bytes())).transpose().map_err(nonsense)?;
        let card = self.play(path, stored, &credential, chain.as_deref())?;
        Ok(match fault {
            Some(fault) => card.with_fault(fault),
            None => card,
        })
    }

    /// The code a phone shows, a card bears or a letter names, as text.
    ///
    /// # Errors
    /// As [`Wallet::card`].
    pub fn code(&self, demo: &Demo, card: &DemoCard, expired: bool, now: i64) -> Result<String, DemoError> {
        let issuer = || demo.issuer(&card.district);
        let life = |length: i64| if expired { past(now) } else { Lifetime { issued: now, expires: now + length } };
        match card.kind {
            CardKind::Number => {
                Ok(super::code::number(card.number.as_deref().ok_or_else(|| wrong(card, "has no number"))?))
            }
            CardKind::Printed => {
                let cti = cti(card)?;
                let kind = issue::KIND_PRINTED;
                let credential = issue::credential(&issuer()?, &card.district, cti, kind, None, life(CARD_LIFE));
                Ok(super::code::printed(&credential))
            }
            CardKind::Phone => {
                let (_, stored) = self.stored(card, now)?;
                let key = stored_key(&stored, &card.name)?;
                let valid = Lifetime { issued: now, expires: now + PHONE_LIFE };
                let holder = key.public_key();
                let kind = issue::KIND_PHONE;
                let credential = issue::credential(&issuer()?, &card.district, cti(card)?, kind, Some(&holder), valid);
                let mut jti = [0; 8];
                self.entropy.fill(&mut jti);
                // Past the 90 s a terminal grants to clocks that differ.
                let shown = if expired { now - CODE_LIFE - 120 } else { now };
                let life = Lifetime { issued: shown, expires: shown + CODE_LIFE };
                Ok(super::code::one_time(&key, &credential, None, jti, life))
            }
            CardKind::Chip | CardKind::Uid | CardKind::Sun => Err(wrong(card, "has a chip and no code; present it")),
        }
    }

    fn sun(&self, card: &DemoCard, fault: Option<Fault>) -> Result<VirtualCard, DemoError> {
        let uid = card.uid.as_deref();
        let keys = card.sun.as_ref().ok_or_else(|| wrong(card, "its keys are missing"))?;
        let key = |text: &str| hex(card, Some(text))?.try_into().map_err(|_| wrong(card, "its key is not 16 bytes"));
        let number = card.number.as_deref().ok_or_else(|| wrong(card, "has no number"))?;
        let written = SunCard {
            uid: hex(card, uid)?.try_into().map_err(|_| wrong(card, "its UID is not 7 bytes"))?,
            meta_key: key(&keys.meta_key)?,
            file_key: key(&keys.file_key)?,
            address: format!("karte.example.org/?n={number}"),
        };
        let path = self.folder.join(format!("sun-{}.json", uid.unwrap_or_default()));
        let stored = match read_json::<StoredSun>(&path) {
            Err(DemoError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => 0,
            read => read?.counter,
        };
        let remember =
            move |counter| write_json(&path, &StoredSun { kind: CardKind::Sun, counter }).map_err(io::Error::other);
        Ok(VirtualCard::sun(written, stored, fault, Arc::clone(&self.entropy), remember))
    }

    fn bik1(&self, demo: &Demo, card: &DemoCard, fault: Option<Fault>, now: i64) -> Result<VirtualCard, DemoError> {
        let (path, mut stored) = self.stored(card, now)?;
        let holder = stored_key(&stored, &card.name)?.public_key();
        let phone = card.kind == CardKind::Phone;
        let (kind, length) = if phone { (issue::KIND_PHONE, PHONE_LIFE) } else { (issue::KIND_CARD, CARD_LIFE) };
        if phone {
            stored.issued = now;
        }
        let life = match fault {
            Some(Fault::Expired) => past(now),
            _ => Lifetime { issued: stored.issued, expires: stored.issued + length },
        };
        let stranger = matches!(fault, Some(Fault::UnknownIssuer | Fault::OldCertificate));
        let issuer = if stranger { issue::random_key(self.entropy.as_ref()) } else { demo.issuer(&card.district)? };
        let life = if fault == Some(Fault::OldCertificate) { Lifetime { issued: now - 2, ..life } } else { life };
        let chain = if fault == Some(Fault::OldCertificate) {
            // Younger than any trust list, so that its end is what counts; it ended a second ago.
            let life = Lifetime { issued: now - 3, expires: now - 1 };
            let kinds = issue::KIND_CARD | issue::KIND_PHONE | issue::KIND_PRINTED;
            let root = demo.root()?;
            let name = &demo.card_root.name;
            Some(issue::certificate(&root, name, &card.district, &issuer.public_key(), kinds, life))
        } else {
            None
        };
        let sign = |cti, holder| issue::credential(&issuer, &card.district, cti, kind, Some(holder), life);
        let credential = sign(cti(card)?, &holder);
        if fault.is_none() {
            stored.credential = HEXLOWER.encode(&credential);
            write_json(&path, &stored)?;
        }
        let played = self.play(&path, stored, &credential, chain.as_deref())?;
        if fault != Some(Fault::TwoCards) {
            return Ok(played);
        }
        let other = issue::random_key(self.entropy.as_ref());
        let mut other_cti = [0; 16];
        self.entropy.fill(&mut other_cti);
        let credential = sign(other_cti, &other.public_key());
        Ok(played.above(VirtualCard::bik1(&credential, None, other, 0, phone, Arc::clone(&self.entropy))))
    }

    fn play(
        &self,
        path: &Path,
        mut stored: Stored,
        credential: &[u8],
        chain: Option<&[u8]>,
    ) -> Result<VirtualCard, DemoError> {
        let key = stored_key(&stored, &path.display().to_string())?;
        let phone = stored.kind == CardKind::Phone;
        let path = path.to_owned();
        let card = VirtualCard::bik1(credential, chain, key, stored.counter, phone, Arc::clone(&self.entropy));
        Ok(card.remembering(move |counter| {
            stored.counter = counter;
            write_json(&path, &stored).map_err(io::Error::other)
        }))
    }

    /// The card's file; a new key and counter 0 if it has none yet.
    fn stored(&self, card: &DemoCard, now: i64) -> Result<(PathBuf, Stored), DemoError> {
        let path = self.folder.join(format!("{}.json", HEXLOWER.encode(&cti(card)?)));
        match read_json(&path) {
            Err(DemoError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let key = HEXLOWER.encode(&issue::random_key(self.entropy.as_ref()).to_bytes());
                let kind = card.kind;
                let stored = Stored { kind, key, counter: 0, issued: now, credential: String::new(), chain: None };
                write_json(&path, &stored)?;
                Ok((path, stored))
            }
            read => read.map(|stored| (path, stored)),
        }
    }
}

/// A life that is over, and began after whatever the account published more than two seconds ago.
fn past(now: i64) -> Lifetime {
    Lifetime { issued: now - 2, expires: now - 1 }
}

fn stored_key(stored: &Stored, whose: &str) -> Result<SecretKey, DemoError> {
    let scalar = HEXLOWER.decode(stored.key.as_bytes()).unwrap_or_default();
    SecretKey::from_slice(&scalar).map_err(|_| DemoError::Key(whose.to_owned()))
}

fn private_key(pem: &str, whose: &str) -> Result<SecretKey, DemoError> {
    SecretKey::from_pem(pem).map_err(|_| DemoError::Key(whose.to_owned()))
}

fn wrong(card: &DemoCard, what: &'static str) -> DemoError {
    DemoError::Card { card: card.name.clone(), what }
}

fn hex(card: &DemoCard, field: Option<&str>) -> Result<Vec<u8>, DemoError> {
    let text = field.ok_or_else(|| wrong(card, "its identity is missing"))?;
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .map_err(|_| wrong(card, "its identity is not hexadecimal"))
}

fn cti(card: &DemoCard) -> Result<[u8; 16], DemoError> {
    hex(card, card.cti.as_deref())?.try_into().map_err(|_| wrong(card, "its cti is not 16 bytes"))
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, DemoError> {
    let bytes = fs::read(path).map_err(|source| DemoError::File { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| DemoError::Json { path: path.to_owned(), source })
}

/// Whole or not at all, so that a killed program leaves the old counter or the new one.
fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), DemoError> {
    let failed = |source| DemoError::File { path: path.to_owned(), source };
    let bytes = serde_json::to_vec(value).map_err(|source| DemoError::Json { path: path.to_owned(), source })?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).map_err(failed)
}
