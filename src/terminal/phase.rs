//! Where the terminal stands. One phase at a time: "what may happen now?" has one answer.
//!
//! # Phase × input
//!
//! | Phase | Input | Next phase | Effects |
//! |---|---|---|---|
//! | `Starting` | `Started` | *home*: `Activating` if no account is known, else `SigningOn` if the place asks, else `Notice` if one is unconfirmed, else `Preparing` as long as catalogue or card list of an account are on their way, else `Ready` | `WakeForwarder`; grants never shown become rows |
//! | any | `Blocked`, conflict, forked, all accounts revoked | `OutOfService` | `EndCard`, `Alarm` |
//! | `OutOfService` where a new identity is the cure, `Ready` | `activate`, `open activation` | `Activating`; `cancel` leads back | `BeginActivation` |
//! | `OutOfService`, `Activating` | account under a new identity, and nothing else against it | *home* | – |
//! | `Activating` | `activate` → offered → `confirm` → account | its steps, then *home* | `BeginActivation`, `ConfirmActivation` |
//! | `SigningOn` | `sign_in` → signed in | *home* | `CheckPin` |
//! | `Notice` | `accept_notice` → committed | *home* | `Commit(notice_ack)` |
//! | `Preparing` | catalogue and card list are there; 15 s | *home*, which does not wait again | `After(15 s)` |
//! | `Ready`, `Granted`, `Refused`, `Reversed` | card presented | `Reading` | `Chime(Tick)`, `After(1.5 s)`, `After(8 s)` |
//! | `Ready`, `Granted`, `Refused`, `Reversed` | `scan` | `Reading` | `DecodeCode` |
//! | `Ready`, `Granted`, `Refused`, `Reversed` | `type_number` | `Deciding`, or the pad with what is wrong | `LoadStanding` |
//! | `Reading` | identified | `Deciding` | `LoadStanding` |
//! | `Reading` | identified, its draft was kept | `Authenticating` (same id and booking, fresh time) | `Authenticate` |
//! | `Reading` | identified, its result is younger than 3 s | that result again, if the card signed for it only after it signed again (`Authenticating`) | `EndCard`, or `Authenticate` |
//! | `Reading` | failed; 8 s | `Refused` (R5, R6 or R4) | `Chime`, `Note` |
//! | `Reading` | phone: child not chosen | `Ready`, asking to choose, 20 s | – |
//! | `Deciding` | grant, must authenticate | `Authenticating` | `Authenticate` |
//! | `Deciding` | grant by number, code or list; lane | `Committing` | `Commit` |
//! | `Deciding` | … counter, tablet | `Asking` | `After(90 s)` |
//! | `Deciding` | several offers fit | `Choosing` | `EndCard`, `After(20 s)` |
//! | `Deciding` | neutral card | `Granted`, no record | `EndCard`, `Chime(Yes)` |
//! | `Deciding` | refusal | `Refused` | `EndCard`, `Chime`, `Note` |
//! | `Asking` | `confirm` / `cancel`, 90 s | `Committing` / *home* | `Commit` / – |
//! | `Choosing` | `choose_offer` / `cancel`, 20 s | `Deciding` / *home* | `LoadStanding` / – |
//! | `Authenticating` | evidence | `Committing` | `Commit` |
//! | `Authenticating` | gone, refused, 8 s | `Refused` R5 with the draft kept 30 s | `Chime(Again)`, `Note` |
//! | `Authenticating` | wrong signature | `Refused` | `Chime(No)`, `Note` |
//! | `Committing` | committed, nobody waits | `Granted` (R1 or R2) | `Chime(Yes)`, `WakeForwarder`, `After(1 s)` |
//! | `Committing` | committed, the offer waits | `Confirming` | `WakeForwarder(awaited)`, `After(wait)` |
//! | `Committing` | failed once / again / this record only | stays / `OutOfService` / `Refused` | `LookUp` / `Alarm` / `Chime(No)`, `Note` |
//! | `Confirming` | booked, disputed / rejected | `Granted` / `Refused` | `Chime` |
//! | `Confirming` | wait over or deferred | `Granted` R2 / `Refused`, as the offer's `offline` rules | `Commit(served)` / `Commit(reversal)`, `Chime` |
//! | `Refused` (already today) | `again` | `Deciding` | `LoadStanding` |
//! | `Granted`, `Refused`, `Reversed` | display over, `cancel` | *home* | – |
//! | in service | `undo`, `reverse` → committed | `Reversed` if nothing else runs | `Commit(reversal)` |
//!
//! A card that appears where none can be taken waits (`Held`) and is read as soon as the picture of the result before it
//! was shown. `ArmReader` follows from the phase alone. Timers belong to the phase that set them: leaving it makes their
//! tokens stale.
//!
//! # Phase → picture
//!
//! | Phase | Page | Class |
//! |---|---|---|
//! | `Starting`, `Preparing` | `starting` | – |
//! | `Activating` | `activation` | – |
//! | `SigningOn` | `sign_on` | – |
//! | `Notice` | `notice` | – |
//! | `Ready` | `ready`, or the open list or pad | – |
//! | `Reading`, `Deciding`, `Authenticating`, `Committing` | `reading` | – |
//! | `Choosing` | `choose` | – |
//! | `Asking` | `confirm` | – |
//! | `Confirming` | `waiting` | – |
//! | `Granted` | `result` | R1, R2 |
//! | `Refused` | `result` | R3 to R6 |
//! | `Reversed` | `result`, reason `reversed` | none |
//! | `OutOfService` | `out_of_service` | R8 |

use std::time::Duration;

use super::{
    effect::RowFilter,
    screen::{ActivationStep, BlockedBy, Row, TapResult},
};
use crate::domain::{
    claim::Selection,
    ids::{AccountId, OfferId, RecordId, TapId},
    reading::{Evidence, Identified, ReadFailure, Route},
    record::Draft,
};

/// Where the terminal stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Activating(ActivationStep),
    SigningOn(SignOn),
    Notice {
        account: AccountId,
        version: u32,
        /// The record of the acknowledgement that is being committed.
        pending: Option<RecordId>,
    },
    /// Right after an enrolment: no child shall be turned away because a list is still on its way.
    Preparing,
    Ready(View),
    Reading {
        tap: TapId,
        /// A code is being decoded; the reader is not involved.
        by_code: bool,
    },
    Deciding(Box<Claim>),
    Choosing {
        claim: Box<Claim>,
        offers: Vec<OfferId>,
    },
    Asking(Box<Owed>),
    Authenticating(Box<Owed>),
    Committing {
        owed: Box<Owed>,
        /// The commit failed once, for this reason; the record is being looked up.
        uncertain: Option<BlockedBy>,
    },
    Confirming(Box<Owed>),
    Granted(Box<Outcome>),
    Refused(Box<Outcome>),
    Reversed(Box<Outcome>),
    OutOfService(BlockedBy),
}

/// Sign-on as far as it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SignOn {
    /// A PIN is being checked.
    pub checking: bool,
    /// Attempts left after a wrong one.
    pub tries_left: Option<u8>,
    /// Monotonic time before which none is taken.
    pub locked_until: Option<Duration>,
}

/// What is open while the terminal is ready for the next card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    /// Nothing but the invitation.
    Card {
        /// A phone waits for its holder.
        choose_child: bool,
    },
    Number {
        problem: Option<String>,
        accounts: Vec<AccountId>,
    },
    List {
        filter: RowFilter,
        rows: Vec<Row>,
    },
    Detail(Box<Row>),
    Look,
    Service,
    About,
}

impl View {
    pub(super) const CARD: Self = Self::Card { choose_child: false };
}

/// What one presence claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub tap: TapId,
    pub account: AccountId,
    /// Only identities of that account's districts.
    pub identified: Identified,
    /// Proof that came with the reading: that of a code.
    pub evidence: Evidence,
    pub selection: Selection,
    pub second_factor: Option<String>,
    /// Nothing of that account waited when it was decided.
    pub nothing_older: bool,
}

impl Claim {
    /// It came from the reader, which waits for what to do with the card.
    pub(super) fn by_card(&self) -> bool {
        matches!(self.identified.route, Route::Chip | Route::Phone | Route::Uid)
    }
}

/// A claim that was granted, with its booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owed {
    pub claim: Claim,
    pub draft: Draft,
    /// It is on disk already: the card that came back only has to sign again, to see its result again.
    pub booked: bool,
}

/// A result that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub result: TapResult,
    /// For a second helping.
    pub claim: Option<Claim>,
    /// No receipt has come yet that the class could rely on.
    pub unanswered: bool,
}

/// A card that came while none could be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub tap: TapId,
    /// What its reading brought in the meantime.
    pub said: Option<Result<Box<Identified>, ReadFailure>>,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// A reading takes long.
    Hint,
    /// A card says nothing any more.
    Fail,
    /// A picture has stood long enough.
    Display,
    /// Nobody chose.
    Choice,
    /// Nobody answered the question.
    Question,
    /// The account did not answer in time.
    Answer,
    /// No receipt yet: R1 becomes R2.
    Receipt,
    /// A held card has waited for the picture before it long enough.
    Resume,
    /// The holder of a phone did not choose a child.
    ChooseChild,
    /// Catalogue or card list did not come in time.
    Prepared,
}

impl Phase {
    /// A reading runs or its booking is being made: the picture is `reading`.
    pub(super) const fn is_reading(&self) -> bool {
        matches!(self, Self::Reading { .. } | Self::Deciding(_) | Self::Authenticating(_) | Self::Committing { .. })
    }

    /// Nothing runs: a command may open, choose or start something.
    pub(super) const fn is_calm(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Granted(_) | Self::Refused(_) | Self::Reversed(_))
    }

    /// Past start, enrolment, sign-on and notice, and not closed.
    pub(super) const fn in_service(&self) -> bool {
        !matches!(
            self,
            Self::Starting
                | Self::Preparing
                | Self::Activating(_)
                | Self::SigningOn(_)
                | Self::Notice { .. }
                | Self::OutOfService(_)
        )
    }

    /// The card of this presence is signing.
    pub(super) fn authenticates(&self, tap: TapId) -> bool {
        matches!(self, Self::Authenticating(owed) if owed.claim.tap == tap)
    }

    /// The reader may read. While a record is on its way to the disk it may begin with the next card, which is held; where
    /// a person or the account is waited for, a card would lie in its transaction for too long.
    pub(super) fn arms_reader(&self) -> bool {
        self.takes_cards() || matches!(self, Self::Committing { .. })
    }

    /// A card that appears now is dealt with now.
    pub(super) fn takes_cards(&self) -> bool {
        match self {
            Self::Reading { by_code, .. } => !by_code,
            Self::Deciding(claim) => claim.by_card(),
            Self::Authenticating(_) => true,
            calm => calm.is_calm(),
        }
    }
}
