//! What the terminal knows of a card beyond the card itself, and how old that is.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::{
    amount::{Cents, Percent, Quantity},
    ids::{CardRef, ChildId, OfferId, RecordId, Tag},
    reading::Level,
};

/// State of a card in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardState {
    /// In use.
    Active,
    /// Locked by the office.
    Locked,
    /// Superseded by a new card.
    Replaced,
    /// Any pupil's card: same light, no record.
    Neutral,
}

/// What one card may still claim of one offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// Last service date.
    pub until: Date,
    /// Units or cents left as of `booked_through`, capped at what one decision needs; `None` = not limited here.
    pub available: Option<u32>,
    /// Percentage for shares.
    pub percent: Option<Percent>,
}

/// One entry of the card list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEntry {
    /// One reference per identity of the card.
    pub refs: Vec<CardRef>,
    /// Last four printed characters.
    pub tag: Tag,
    /// The child, by pseudonym.
    pub child: ChildId,
    /// State of the card.
    pub state: CardState,
    /// Claims per offer.
    pub entitlements: BTreeMap<OfferId, Entitlement>,
}

/// An own redemption, net of reversals, that bears on the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRecord {
    /// The record.
    pub record: RecordId,
    /// Its offer.
    pub offer: OfferId,
    /// Service date.
    pub service_date: Date,
    /// When it was tapped.
    pub tapped_at: Timestamp,
    /// Its level, to tell weaker evidence from stronger.
    pub level: Level,
    /// How much.
    pub quantity: Quantity,
    /// Cents.
    pub amount: Cents,
    /// Sequence within the account; those above `booked_through` are not yet in `available`.
    pub seq: u64,
    /// The account has answered.
    pub settled: bool,
}

impl OwnRecord {
    /// How strong its evidence is, as far as anybody has checked it.
    #[must_use]
    pub const fn weight(&self) -> Level {
        if self.settled { self.level } else { self.level.unanswered() }
    }
}

/// What is known beyond the card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// References of the reading's identities under this account's reference key, in the reading's order; empty as long
    /// as no reference key has arrived.
    pub refs: Vec<CardRef>,
    /// Its entry in the card list, if it has one and the list has not lapsed.
    pub entry: Option<CardEntry>,
    /// More than one entry fits the reading (same UID twice, a number of two districts): staff must tell.
    pub ambiguous: bool,
    /// Sequence of the card list, 0 if there is none.
    pub card_list_seq: u64,
    /// Own records up to this sequence are already in `available`.
    pub booked_through: u64,
    /// Own net records of this card's child (or of this card, if unlisted) that are recent or unsettled.
    pub own: Vec<OwnRecord>,
    /// Unsettled cents of the chosen offer over all cards.
    pub offer_unsettled: Cents,
    /// Records of the account that wait.
    pub waiting: u32,
    /// Age of the oldest waiting record in seconds.
    pub oldest_waiting_s: u32,
    /// Fault and paper redemptions of this offer and route today.
    pub fault_today: u32,
}
