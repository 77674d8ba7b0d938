//! The immutable facts owed to the central account.

use jiff::{Timestamp, civil::Date};

use super::{
    amount::{Cents, Quantity},
    ids::{
        AccountId, CardRef, ChildId, Digest, Identity, OfferId, OperatorId, ProviderId, RecordId, SiteId, Tag,
        TerminalId,
    },
    reading::{Evidence, Level, Route},
    time::ClockState,
};

/// Which part of a lesson a tap stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServicePhase {
    /// The whole of it.
    Single,
    /// The start; books nothing.
    Start,
    /// The end; names its start.
    End,
}

impl ServicePhase {
    /// All phases.
    pub const ALL: [Self; 3] = [Self::Single, Self::Start, Self::End];

    /// The word on the wire and in the context.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Start => "start",
            Self::End => "end",
        }
    }
}

/// On what ground the terminal decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BasisKind {
    /// An entry of the card list.
    CardList,
    /// The offer's rule for unknown cards.
    Policy,
    /// A technical fault; unconfirmed.
    Fault,
    /// Noted on paper and entered afterwards.
    Paper,
}

impl BasisKind {
    /// All grounds.
    pub const ALL: [Self; 4] = [Self::CardList, Self::Policy, Self::Fault, Self::Paper];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CardList => "card_list",
            Self::Policy => "policy",
            Self::Fault => "fault",
            Self::Paper => "paper",
        }
    }
}

/// Ground of the decision with the documents it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The ground.
    pub kind: BasisKind,
    /// Sequence of the card list, 0 if none.
    pub card_list_seq: u64,
    /// Sequence of the trust list, 0 if none.
    pub trust_list_seq: u64,
}

/// Why a redemption is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReversalReason {
    /// One touch within 15 seconds.
    Undo,
    /// Wrong card or child.
    WrongCard,
    /// Wrong offer or quantity.
    WrongOffer,
    /// The service was not given.
    NotGiven,
    /// Anything else.
    Other,
    /// The terminal itself: the account did not answer and the offer refuses offline.
    NoConnection,
    /// The terminal itself: staff say a grant that was never shown was not served.
    NeverShown,
}

impl ReversalReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Undo,
        Self::WrongCard,
        Self::WrongOffer,
        Self::NotGiven,
        Self::Other,
        Self::NoConnection,
        Self::NeverShown,
    ];

    /// The word on the wire and in commands.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::WrongCard => "wrong_card",
            Self::WrongOffer => "wrong_offer",
            Self::NotGiven => "not_given",
            Self::Other => "other",
            Self::NoConnection => "no_connection",
            Self::NeverShown => "never_shown",
        }
    }
}

/// A booking that was decided but not yet proven or committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Id of the record to come: that of its tap.
    pub record: RecordId,
    /// The account it goes to.
    pub account: AccountId,
    /// What is claimed.
    pub offer: OfferId,
    /// Catalogue under which it was decided.
    pub catalogue_seq: u64,
    /// Day of the service.
    pub service_date: Date,
    /// Part of the service.
    pub phase: ServicePhase,
    /// How much.
    pub quantity: Quantity,
    /// Cents.
    pub amount: Cents,
    /// How the identity came.
    pub route: Route,
    /// Level of the reading, reached only when the evidence is there.
    pub level: Level,
    /// Wall clock of the tap; fresh at each attempt of a kept draft.
    pub tapped_at: Timestamp,
    /// Milliseconds of the monotonic clock at the tap.
    pub monotonic_ms: u64,
    /// The clock at the tap.
    pub clock: ClockState,
    /// Ground of the decision.
    pub basis: Basis,
    /// Who served.
    pub operator: OperatorId,
    /// Digest of reader and card profile.
    pub profile: Option<Digest>,
    /// Whose it is; leaves only sealed.
    pub identity: Identity,
    /// Second factor or reservation code as typed.
    pub second_factor: Option<String>,
    /// The child by the card list, for the local index.
    pub child: Option<ChildId>,
    /// Local reference of the card, for the local index.
    pub card: CardRef,
    /// Last four characters for the operator.
    pub tag: Option<Tag>,
    /// A challenge must be answered before it may be committed.
    pub must_authenticate: bool,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A benefit was claimed.
    Redemption(Box<Draft>, Evidence),
    /// An own redemption is taken back.
    Reversal {
        /// The redemption.
        reverses: RecordId,
        /// Its offer.
        offer: OfferId,
        /// Its service date.
        service_date: Date,
        /// Why.
        reason: ReversalReason,
    },
    /// A wait ended in a grant without an answer: the child was served.
    Served {
        /// The redemption that was awaited.
        of: RecordId,
    },
    /// An operator confirmed the secrecy notice.
    NoticeAck {
        /// Version of the notice.
        version: u32,
    },
    /// A record that an ended identity of this terminal still owed, brought again under the one that followed it.
    Refiled {
        /// The record as it was first made.
        original: RecordId,
        /// Its bytes, unchanged.
        frozen: Box<Frozen>,
    },
}

impl Fact {
    /// The word of the record's `type` on the wire.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Redemption(..) => "redemption",
            Self::Reversal { .. } => "reversal",
            Self::Served { .. } => "served",
            Self::NoticeAck { .. } => "notice_ack",
            Self::Refiled { .. } => "refiled",
        }
    }
}

/// A record before it has a place in the chain. Sequence, seal and signature are made inside the committing transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id, made before anything else.
    pub id: RecordId,
    /// The account it is owed to.
    pub account: AccountId,
    /// What it says.
    pub fact: Fact,
    /// Wall clock when it was made; of a redemption, that of its tap.
    pub made_at: Timestamp,
    /// Milliseconds of the monotonic clock.
    pub monotonic_ms: u64,
    /// The clock then.
    pub clock: ClockState,
    /// Who did it.
    pub operator: OperatorId,
    /// Catalogue in force, 0 if none.
    pub catalogue_seq: u64,
}

/// Who this terminal is towards one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The account.
    pub account: AccountId,
    /// This terminal in it.
    pub terminal: TerminalId,
    /// Its provider.
    pub provider: ProviderId,
    /// Its site.
    pub site: SiteId,
}

/// What a terminal keeps of its enrolment besides its secrets: enough to connect again after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Who we are there.
    pub enrolment: Enrolment,
    /// Name of the site for people.
    pub site_name: String,
    /// Host and port.
    pub host: String,
    /// The one root that is trusted for this account, DER.
    pub root: Vec<u8>,
    /// The terminal's certificate chain, DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// SHA-256 of the first certificate's DER: `prev` of the first record, whatever certificate follows.
    pub first_certificate: Digest,
    /// Name in the secret store of the key that signs records and proves the terminal in TLS (PKCS #8).
    pub key_name: String,
}

/// A record with its place in the chain, as it will be resent byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The signed part: JWS compact, ASCII.
    pub jws: String,
    /// The sealed part: `enc ‖ ciphertext`.
    pub sealed: Vec<u8>,
    /// SHA-256 over the JWS signing input; the next record's `prev`.
    pub digest: Digest,
}
