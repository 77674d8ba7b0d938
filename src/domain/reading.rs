//! What one reading of a card, phone, code or number brought: who it says it is, how far that is proven, or why it
//! said nothing.

use jiff::Timestamp;

use super::ids::{Digest, DistrictId, Identity, Tag};

/// How far a reading proves its identity, 0 to 4 (card-application, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// A typed number.
    pub const TYPED: Self = Self(0);
    /// A number or UID that was seen but is unsigned.
    pub const SEEN: Self = Self(1);
    /// Signed by the issuer, copyable.
    pub const SIGNED: Self = Self(2);
    /// This chip, by a symmetric key the account checks.
    pub const SYMMETRIC: Self = Self(3);
    /// This chip or phone, now, for this booking.
    pub const PROVEN: Self = Self(4);

    /// `None` above 4.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 4 { Some(Self(level)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// What it is worth until the account has answered: a chip that only the account can check proves no more than
    /// something the issuer signed and anybody may have copied (card-application, 3).
    #[must_use]
    pub const fn unanswered(self) -> Self {
        if self.0 == Self::SYMMETRIC.0 { Self::SIGNED } else { self }
    }
}

/// By which way the identity reached the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// A smart card that proves itself: `bik1`, `ntag424-sun`.
    Chip,
    /// A phone as card.
    Phone,
    /// A printed or app code.
    Code,
    /// A typed number.
    Number,
    /// Any unsigned chip read, level 1.
    Uid,
    /// Picked from a released group list.
    List,
}

impl Route {
    /// All routes.
    pub const ALL: [Self; 6] = [Self::Chip, Self::Phone, Self::Code, Self::Number, Self::Uid, Self::List];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Phone => "phone",
            Self::Code => "code",
            Self::Number => "number",
            Self::Uid => "uid",
            Self::List => "list",
        }
    }
}

/// A card that said who it is. Whether it is *here* is proven only by authenticating over a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// Every district and identity the reading may stand for; one for a chip, several where a typed number fits several
    /// descriptors. Never empty.
    pub identities: Vec<Identity>,
    /// How it came.
    pub route: Route,
    /// The level this reading has, or reaches once authenticated.
    pub level: Level,
    /// A challenge over the booking must be answered before anything is committed.
    pub must_authenticate: bool,
    /// The issuer was found in a chain of the card, not in the trust list: the catalogue's cap for such cards holds.
    pub chain_only: bool,
    /// Last four printed characters, if the reading itself tells them.
    pub tag: Option<Tag>,
    /// Digest of the reader profile and card profile that were used.
    pub profile: Option<Digest>,
    /// Sequence of the trust list it was verified with, 0 if none was needed.
    pub trust_list_seq: u64,
}

impl Identified {
    /// The district of the first identity.
    #[must_use]
    pub fn district(&self) -> &DistrictId {
        &self.identities[0].district
    }

    /// Anybody can make up such a reading to look cards up: numbers, typed, scanned or in an unsigned code, and UIDs, also
    /// beside a message that only the account can check.
    #[must_use]
    pub fn is_guessable(&self) -> bool {
        let unsigned_code = self.route == Route::Code && self.level < Level::SIGNED;
        matches!(self.route, Route::Number | Route::Uid) || unsigned_code || self.level == Level::SYMMETRIC
    }
}

/// The proof that travels sealed to the account, by scheme (protocol, 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing but the identity: number, UID, list.
    None,
    /// A BIK1 card or phone signed a challenge over this booking.
    Bik1(Box<Bik1Evidence>),
    /// A one-time code of the app.
    Bik1Code {
        /// The credential, COSE_Sign1.
        credential: Vec<u8>,
        /// The proof, COSE_Sign1.
        proof: Vec<u8>,
        /// The six digits the terminal showed, if the proof is bound to them.
        challenge: Option<String>,
    },
    /// A printed, issuer-signed code.
    Bik1Static {
        /// The `bik-sta` COSE_Sign1.
        credential: Vec<u8>,
    },
    /// A message of an NTAG 424 DNA, checked by the account.
    Sun {
        /// Encrypted PICC data, 16 bytes.
        picc_data: Vec<u8>,
        /// Truncated CMAC, 8 bytes.
        cmac: Vec<u8>,
    },
}

/// What a BIK1 card answered, and what is needed to check it again (card-application, 1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bik1Evidence {
    /// The credential as read, COSE_Sign1.
    pub credential: Vec<u8>,
    /// The issuer certificate from EF.CHAIN, if it was needed.
    pub chain: Option<Vec<u8>>,
    /// The terminal's nonce in the context.
    pub nonce: [u8; 32],
    /// The account's beacon in the context; zeros if none was ever received.
    pub beacon: [u8; 16],
    /// The card's nonce.
    pub card_nonce: [u8; 8],
    /// The card's signature counter.
    pub counter: u32,
    /// ECDSA P-256 signature, DER as the card gave it.
    pub signature: Vec<u8>,
}

/// Why a card or code gave no identity, in words of the trade; each has a stable code for screen, wire and run book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadFailure {
    /// Taken away too early, or torn.
    Removed,
    /// Said nothing in time.
    Mute,
    /// Cut, repeated or senseless answers: a fault of card or reader.
    Garbled,
    /// Two cards, or the card changed during the reading.
    TwoCards,
    /// Another program holds the reader.
    ReaderBusy,
    /// Not an education card: unknown application.
    Foreign,
    /// An electronic health card; not read.
    ForeignHealth,
    /// An identity card; not read.
    ForeignIdentity,
    /// A bank card; not read.
    ForeignBank,
    /// A transit card; not read.
    ForeignTransit,
    /// A chip with a random identity, such as a phone without the app.
    RandomUid,
    /// The application is there but no credential.
    NotPersonalised,
    /// Data on the card that break the specification.
    Malformed,
    /// A signature is wrong, or signed by the wrong key: not genuine.
    Forged,
    /// The issuer is in no trust list and no allowed chain.
    UnknownIssuer,
    /// The issuer was revoked.
    RevokedIssuer,
    /// Past its end.
    Expired,
    /// Before its beginning.
    NotYetValid,
    /// The issuer locked it, or it is on the deny list.
    Locked,
    /// The credential does not fit the way it came (a printed code in a chip).
    WrongKind,
    /// The phone waits for its holder to choose a child.
    ChooseChild,
    /// The card wants a newer terminal.
    Unsupported,
    /// Authentication is switched off or the card is used up.
    AuthenticationRefused,
    /// A code that is not an education card's.
    NotOurCode,
    /// Wrong check digits.
    CheckDigits,
    /// An app code past its lifetime.
    CodeExpired,
    /// An app code that was used already.
    CodeReplayed,
}

/// What the scanner's self-test code came out as (card-application, 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScannerTest {
    /// As it is printed.
    Good,
    /// Y and Z have changed places: scanner and terminal believe in different layouts, American and German.
    SwappedYz,
    /// Otherwise than it is printed: another layout, lost or added characters.
    Garbled,
}

impl ScannerTest {
    /// All, for tables and tests.
    pub const ALL: [Self; 3] = [Self::Good, Self::SwappedYz, Self::Garbled];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Good => "scanner_good",
            Self::SwappedYz => "scanner_swapped_yz",
            Self::Garbled => "scanner_garbled",
        }
    }
}

impl ReadFailure {
    /// All failures, for tables and tests.
    pub const ALL: [Self; 27] = [
        Self::Removed,
        Self::Mute,
        Self::Garbled,
        Self::TwoCards,
        Self::ReaderBusy,
        Self::Foreign,
        Self::ForeignHealth,
        Self::ForeignIdentity,
        Self::ForeignBank,
        Self::ForeignTransit,
        Self::RandomUid,
        Self::NotPersonalised,
        Self::Malformed,
        Self::Forged,
        Self::UnknownIssuer,
        Self::RevokedIssuer,
        Self::Expired,
        Self::NotYetValid,
        Self::Locked,
        Self::WrongKind,
        Self::ChooseChild,
        Self::Unsupported,
        Self::AuthenticationRefused,
        Self::NotOurCode,
        Self::CheckDigits,
        Self::CodeExpired,
        Self::CodeReplayed,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Removed => "card_removed",
            Self::Mute => "card_mute",
            Self::Garbled => "card_garbled",
            Self::TwoCards => "two_cards",
            Self::ReaderBusy => "reader_busy",
            Self::Foreign => "foreign_card",
            Self::ForeignHealth => "foreign_health_card",
            Self::ForeignIdentity => "foreign_identity_card",
            Self::ForeignBank => "foreign_bank_card",
            Self::ForeignTransit => "foreign_transit_card",
            Self::RandomUid => "random_uid",
            Self::NotPersonalised => "not_personalised",
            Self::Malformed => "card_malformed",
            Self::Forged => "card_forged",
            Self::UnknownIssuer => "unknown_issuer",
            Self::RevokedIssuer => "revoked_issuer",
            Self::Expired => "card_expired",
            Self::NotYetValid => "card_not_yet_valid",
            Self::Locked => "card_locked",
            Self::WrongKind => "wrong_kind",
            Self::ChooseChild => "choose_child",
            Self::Unsupported => "card_unsupported",
            Self::AuthenticationRefused => "authentication_refused",
            Self::NotOurCode => "not_our_code",
            Self::CheckDigits => "check_digits",
            Self::CodeExpired => "code_expired",
            Self::CodeReplayed => "code_replayed",
        }
    }

    /// Something is out of order, rather than something being wrong with the claim: an offer with `on_fault: serve`
    /// lets the child eat.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(
            self,
            Self::Mute
                | Self::Garbled
                | Self::ReaderBusy
                | Self::Malformed
                | Self::Unsupported
                | Self::AuthenticationRefused
        )
    }

    /// Holding the same card again may help: result class R5 instead of R4.
    #[must_use]
    pub const fn try_again(self) -> bool {
        matches!(self, Self::Removed | Self::Mute | Self::Garbled | Self::ReaderBusy)
    }
}

/// Key and window of one issuer, as a trust list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    /// District the key issues for.
    pub district: DistrictId,
    /// First 8 bytes of SHA-256 over the compressed key.
    pub kid: [u8; 8],
    /// Compressed SEC1 point.
    pub key: [u8; 33],
    /// Bit mask of credential kinds: 1 card, 2 phone, 4 printed.
    pub kinds: u8,
    /// First instant at which a credential may have been issued.
    pub not_before: Timestamp,
    /// First instant at which nothing by this key is valid any more.
    pub not_after: Timestamp,
}
