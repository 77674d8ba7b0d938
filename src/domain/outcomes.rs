//! What became of records after their receipts (protocol, 4). None of it tells a cause in a family's life.

use super::{
    amount::{Cents, Month},
    ids::{Digest, RecordId},
};

/// What the office made of a record that had its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaterOutcome {
    /// The amount was corrected.
    Corrected,
    /// It was refused.
    Rejected,
    /// It was taken back.
    ReversedByOffice,
    /// The card must be replaced before it serves again.
    NeedsNewCard,
    /// The provider is asked to confirm the service.
    PleaseConfirm,
    /// It stands in the statement of a month.
    Settled,
}

impl LaterOutcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Corrected,
        Self::Rejected,
        Self::ReversedByOffice,
        Self::NeedsNewCard,
        Self::PleaseConfirm,
        Self::Settled,
    ];

    /// The word on the wire, on disk and, as a reason, in lists.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Rejected => "rejected",
            Self::ReversedByOffice => "reversed_by_office",
            Self::NeedsNewCard => "needs_new_card",
            Self::PleaseConfirm => "please_confirm",
            Self::Settled => "settled",
        }
    }

    /// The record counts no longer.
    #[must_use]
    pub const fn takes_back(self) -> bool {
        matches!(self, Self::Rejected | Self::ReversedByOffice)
    }
}

/// One line of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// The record.
    pub record: RecordId,
    /// What became of it.
    pub outcome: LaterOutcome,
    /// The amount that counts now, where it was corrected.
    pub amount: Option<Cents>,
    /// The month of the statement in which it stands.
    pub month: Option<Month>,
}

/// How far pages have been read: each names the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The account's cursor; 0 before the first page.
    pub cursor: u64,
    /// Digest of the page that ended there; none before the first.
    pub page: Option<Digest>,
}

/// A verified page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomesPage {
    /// Where it ends; where it began if there is nothing new.
    pub place: Place,
    /// What happened, in order.
    pub lines: Vec<Later>,
}
