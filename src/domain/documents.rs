//! Documents the account signs for a terminal, as the trade reads them. Their wire form is `protocol`'s.

use jiff::Timestamp;

use super::{
    ids::{AccountId, Digest, DistrictId},
    offer::Catalogue,
    reading::IssuerKey,
    standing::CardEntry,
};

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentName {
    /// Keys that may sign, sealing key, revoked terminals.
    Keys,
    /// Districts, prefixes, card roots.
    Descriptor,
    /// Offers, rules, texts.
    Catalogue,
    /// Issuer keys and revoked issuers.
    TrustList,
    /// Denied `cti`s.
    DenyList,
    /// Cards used or released here.
    CardList,
    /// Reader and card profiles.
    Profiles,
}

impl DocumentName {
    /// All, in the order a terminal fetches them.
    pub const ALL: [Self; 7] = [
        Self::Keys,
        Self::Descriptor,
        Self::Catalogue,
        Self::TrustList,
        Self::DenyList,
        Self::CardList,
        Self::Profiles,
    ];

    /// The name in the path `/v1/documents/{name}` and in the document.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Descriptor => "descriptor",
            Self::Catalogue => "catalogue",
            Self::TrustList => "trust-list",
            Self::DenyList => "deny-list",
            Self::CardList => "card-list",
            Self::Profiles => "profiles",
        }
    }
}

/// A card root an account allows for districts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardRoot {
    /// Its name, claim `iss` of issuer certificates.
    pub name: String,
    /// First 8 bytes of SHA-256 over the compressed key.
    pub kid: [u8; 8],
    /// Compressed SEC1 point.
    pub key: [u8; 33],
    /// Districts it may certify issuers for.
    pub districts: Vec<DistrictId>,
}

/// For what an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Environment {
    /// Real money.
    Production,
    /// Practice.
    Training,
    /// Tests.
    Demo,
}

/// Digits a district's numbers begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberPrefix {
    /// The district.
    pub district: DistrictId,
    /// Leading digits.
    pub prefix: String,
    /// Digits of a whole number, check digits not counted, 12 to 16.
    pub length: u8,
}

/// What an account is and serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDescriptor {
    /// Document sequence.
    pub seq: u64,
    /// The account.
    pub account: AccountId,
    /// The municipality, for people.
    pub municipality: String,
    /// For what it is.
    pub environment: Environment,
    /// Districts it serves.
    pub districts: Vec<DistrictId>,
    /// How its numbers begin.
    pub number_prefixes: Vec<NumberPrefix>,
    /// Roots of its cards.
    pub card_roots: Vec<CardRoot>,
}

/// Issuers whose cards are genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustList {
    /// Document sequence (issue time in ms).
    pub seq: u64,
    /// When it lapses.
    pub exp: Timestamp,
    /// Keys with their windows.
    pub issuers: Vec<IssuerKey>,
    /// SHA-256 of revoked issuer certificates; checked before any chain.
    pub revoked_certificates: Vec<Digest>,
    /// Kids of revoked issuer keys.
    pub revoked_kids: Vec<[u8; 8]>,
}

/// Denied cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyList {
    /// Document sequence.
    pub seq: u64,
    /// When it lapses.
    pub exp: Timestamp,
    /// First 8 bytes of SHA-256(`cti`), ascending.
    pub prefixes: Vec<[u8; 8]>,
}

impl DenyList {
    /// The `cti` of this SHA-256 is denied.
    #[must_use]
    pub fn denies(&self, sha256_of_cti: &Digest) -> bool {
        let (head, _) = sha256_of_cti.0.split_first_chunk::<8>().expect("a digest has 32 bytes");
        self.prefixes.binary_search(head).is_ok()
    }
}

/// Cards this terminal may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardList {
    /// Document sequence.
    pub seq: u64,
    /// When it lapses and is purged.
    pub exp: Timestamp,
    /// Reference key it was made with.
    pub ref_kid: String,
    /// Own sequence up to which records are in `available`.
    pub booked_through: u64,
    /// The cards.
    pub entries: Vec<CardEntry>,
}

/// Reader and card profiles as TOML texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileBundle {
    /// Document sequence.
    pub seq: u64,
    /// When it lapses.
    pub exp: Timestamp,
    /// The texts.
    pub texts: Vec<String>,
}

/// What the application needs of the root-signed keys document; who may sign what stays with whoever verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKeys {
    /// Document sequence.
    pub seq: u64,
    /// When it lapses.
    pub exp: Timestamp,
    /// The account's sealing key: uncompressed SEC1 point of P-256.
    pub sealing_key: [u8; 65],
}

/// What one verified document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentContent {
    /// Who may sign what, and what records are sealed to.
    Keys(AccountKeys),
    /// Who the account is.
    Descriptor(AccountDescriptor),
    /// What may be claimed.
    Catalogue(Catalogue),
    /// Whose cards are genuine.
    TrustList(TrustList),
    /// Whose are denied.
    DenyList(DenyList),
    /// Whose are known.
    CardList(CardList),
    /// How to talk to them.
    Profiles(ProfileBundle),
}

/// A document as it was verified, with the bytes to verify it again after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDocument {
    /// Which.
    pub name: DocumentName,
    /// Its sequence.
    pub seq: u64,
    /// When it lapses.
    pub exp: Timestamp,
    /// The JWS compact texts of all parts in order.
    pub parts: Vec<String>,
    /// What they say.
    pub content: DocumentContent,
}

/// How the account regards this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TerminalStanding {
    /// In use.
    Active,
    /// No redemption is taken for now.
    Suspended,
    /// For good.
    Revoked,
}

impl TerminalStanding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Revoked];

    /// The word in messages and files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// What the account tells a terminal at `hello` and heartbeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// How it regards the terminal.
    pub standing: TerminalStanding,
    /// Its newest record of this terminal: sequence and digest; `None` before the first.
    pub head: Option<(u64, Digest)>,
    /// Newest sequence of each document.
    pub documents: Vec<(DocumentName, u64)>,
    /// Sixteen fresh random bytes that go into every signed context.
    pub beacon: [u8; 16],
    /// The account's time.
    pub issued_at: Timestamp,
    /// Oldest program version it still takes.
    pub minimum_version: String,
    /// Days for which an older version is still served.
    pub grace_days: u16,
    /// Documents to fetch at once, whatever their sequence.
    pub refresh: Vec<DocumentName>,
}

/// The key under which cards become references.
#[derive(Clone, PartialEq, Eq)]
pub struct ReferenceKey {
    /// Its name.
    pub ref_kid: String,
    /// 32 secret bytes.
    pub key: [u8; 32],
}

impl std::fmt::Debug for ReferenceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReferenceKey({})", self.ref_kid)
    }
}
