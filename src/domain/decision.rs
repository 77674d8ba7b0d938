//! The one question of the trade: may this card claim this, here, now?

pub use super::claim::{Refusal, Selection};
use super::{
    amount::{Cents, Unit},
    documents::TerminalStanding,
    ids::{AccountId, CardRef, Identity, OfferId, OperatorId, RecordId, Tag, TapId},
    offer::{Catalogue, Offer, OnFault, RouteRule, SuspectClock, UnknownCard},
    policy::{self, Claimed},
    reading::{Identified, Level, Route},
    record::{Basis, BasisKind, Draft},
    standing::{CardEntry, CardState, OwnRecord, Standing},
    time::At,
};

/// What the terminal decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Serve, and owe this to the account.
    Grant(Box<Draft>),
    /// Any pupil's card: the same light, no record.
    Neutral {
        /// What it would have been, so that the picture is the same.
        offer: OfferId,
        /// Cents likewise.
        amount: Cents,
        /// Last four.
        tag: Option<Tag>,
    },
    /// Do not serve.
    Refuse(Refusal),
    /// Several offers fit and none is preset.
    Choose(Vec<OfferId>),
}

/// Everything a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The presence; its id becomes the record's.
    pub tap: TapId,
    /// The account whose card it is.
    pub account: &'a AccountId,
    /// How that account regards this terminal.
    pub regard: TerminalStanding,
    /// Its catalogue, if there is one.
    pub catalogue: Option<&'a Catalogue>,
    /// What was chosen before the tap.
    pub selection: &'a Selection,
    /// Who was read; only identities of districts this account serves.
    pub identified: &'a Identified,
    /// What is known beyond the card.
    pub standing: &'a Standing,
    /// Who serves.
    pub operator: &'a OperatorId,
    /// Second factor or reservation code as typed.
    pub second_factor: Option<&'a str>,
    /// Now.
    pub at: &'a At,
}

/// May it be served? Total and pure: the same question always has the same answer, and every question has one.
#[must_use]
pub fn decide(question: &Question<'_>) -> Decision {
    question.decide().unwrap_or_else(Decision::Refuse)
}

impl Question<'_> {
    fn decide(&self) -> Result<Decision, Refusal> {
        if self.regard != TerminalStanding::Active {
            return Err(Refusal::ProviderNotApproved);
        }
        let catalogue = self.catalogue.filter(|c| c.in_force(self.at.floor)).ok_or(Refusal::DocumentsLapsed)?;
        if let Some(id) = &self.selection.offer {
            return self.judge(catalogue, catalogue.offer(id).ok_or(Refusal::NoOffer)?);
        }
        // Nothing is preset: meals alone need no quantity, so only they can be found by the card.
        let meals: Vec<&Offer> = catalogue.offers.iter().filter(|o| o.unit == Unit::Meal).collect();
        let open: Vec<&Offer> = meals.iter().copied().filter(|o| self.may_open(catalogue, o).is_ok()).collect();
        let claimable = |o: &&Offer| self.entry().is_none_or(|entry| entry.entitlements.contains_key(&o.id));
        let fitting: Vec<&Offer> = open.iter().copied().filter(claimable).collect();
        match (fitting.as_slice(), open.as_slice(), meals.as_slice()) {
            (_, [first, ..], _) if self.is_neutral() => self.judge(catalogue, first),
            ([one], _, _) | ([], [one], _) | ([], [], [one]) => self.judge(catalogue, one),
            ([], [], _) => Err(Refusal::NoOffer),
            // The list knows the child, and none of the open meals is its.
            ([], _, _) => Err(Refusal::NotEntitled),
            (several, _, _) => Ok(Decision::Choose(several.iter().map(|o| o.id.clone()).collect())),
        }
    }

    /// Rules that do not depend on whose card it is: they come first, so that no card tells anything by them.
    fn may_open<'c>(&self, catalogue: &'c Catalogue, offer: &'c Offer) -> Result<&'c RouteRule, Refusal> {
        if !offer.released {
            return Err(Refusal::OfferNotReleased);
        }
        catalogue.takes_date(offer, self.service_date(), self.at.today)?;
        if !self.at.clock.trusted && offer.suspect_clock == SuspectClock::Refuse {
            return Err(Refusal::ClockSuspect);
        }
        let rule = offer.routes.get(&self.identified.route).ok_or(Refusal::RouteNotAllowed)?;
        if self.level(offer) < rule.min_level && !self.serves_at_fault(offer) {
            return Err(Refusal::LevelTooLow);
        }
        Ok(rule)
    }

    /// What the reading is worth to this offer: where nobody waits for the account's answer, what only the account can
    /// check counts as unanswered.
    fn level(&self, offer: &Offer) -> Level {
        let level = self.identified.level;
        if offer.online_wait_ms > 0 { level } else { level.unanswered() }
    }

    fn judge(&self, catalogue: &Catalogue, offer: &Offer) -> Result<Decision, Refusal> {
        let rule = self.may_open(catalogue, offer)?;
        if catalogue.limits.reached(self.standing.waiting, self.standing.oldest_waiting_s) {
            return Err(Refusal::LimitReached);
        }
        if self.standing.ambiguous {
            return Err(Refusal::Ambiguous);
        }
        let claimed = offer.claimed(self.selection, self.standing, self.service_date(), self.at.wall);
        if self.is_neutral() && claimed != Err(Refusal::NoQuantity) {
            let amount = claimed.map_or(offer.price, |claimed| claimed.amount);
            return Ok(Decision::Neutral { offer: offer.id.clone(), amount, tag: self.tag() });
        }
        let (identity, card) = self.whose()?;
        let basis = self.basis(offer, rule).map_err(|refusal| self.uniform(refusal))?;
        let claimed = claimed?;
        self.within_frequency(offer, &claimed)?;
        self.within_entitlement(offer, &claimed).map_err(|refusal| self.uniform(refusal))?;
        self.within_caps(catalogue, offer, rule, basis, claimed.amount)?;
        Ok(Decision::Grant(Box::new(Draft {
            record: RecordId::from(self.tap),
            account: self.account.clone(),
            offer: offer.id.clone(),
            catalogue_seq: catalogue.seq,
            service_date: self.service_date(),
            phase: claimed.phase,
            quantity: claimed.quantity,
            amount: claimed.amount,
            route: self.identified.route,
            level: self.identified.level,
            tapped_at: self.at.wall,
            monotonic_ms: u64::try_from(self.at.monotonic.as_millis()).unwrap_or(u64::MAX),
            clock: self.at.clock.clone(),
            basis: Basis {
                kind: basis,
                card_list_seq: self.standing.card_list_seq,
                trust_list_seq: self.identified.trust_list_seq,
            },
            operator: self.operator.clone(),
            profile: self.identified.profile,
            identity: identity.clone(),
            second_factor: self.second_factor.map(ToOwned::to_owned),
            child: self.entry().map(|entry| entry.child.clone()),
            card,
            tag: self.tag(),
            must_authenticate: self.identified.must_authenticate,
        })))
    }

    /// Last four characters for the operator, from the reading or the card list.
    fn tag(&self) -> Option<Tag> {
        self.identified.tag.clone().or_else(|| self.entry().map(|entry| entry.tag.clone()))
    }

    /// The identity in question: the one the card list knows, else the only one.
    fn whose(&self) -> Result<(&Identity, CardRef), Refusal> {
        let pairs = || self.identified.identities.iter().zip(self.standing.refs.iter().copied());
        if pairs().next().is_none() {
            return Err(Refusal::DocumentsLapsed);
        }
        let listed = self.entry().and_then(|entry| pairs().find(|(_, card)| entry.refs.contains(card)));
        let only = || if self.identified.identities.len() == 1 { pairs().next() } else { None };
        listed.or_else(only).ok_or(Refusal::Ambiguous)
    }

    /// On what ground it may be served, as far as card and offer say.
    fn basis(&self, offer: &Offer, rule: &RouteRule) -> Result<BasisKind, Refusal> {
        let fault = self.serves_at_fault(offer);
        let ground = match self.entry() {
            None => match offer.unknown_card {
                UnknownCard::AcceptBelow(_) => BasisKind::Policy,
                UnknownCard::Refuse if fault => BasisKind::Fault,
                UnknownCard::Refuse => return Err(Refusal::CardUnknown),
            },
            Some(entry) => {
                match entry.state {
                    CardState::Locked => return Err(Refusal::CardLocked),
                    CardState::Replaced => return Err(Refusal::CardReplaced),
                    CardState::Active | CardState::Neutral => {}
                }
                let entitlement = entry.entitlements.get(&offer.id).ok_or(Refusal::NotEntitled)?;
                if entitlement.until < self.service_date() {
                    return Err(Refusal::PeriodOver);
                }
                BasisKind::CardList
            }
        };
        // Only a waived level passes `may_open` below the minimum.
        Ok(if self.level(offer) < rule.min_level { BasisKind::Fault } else { ground })
    }

    /// Once a day, so often a month, each month of a fee once; by child, across replaced cards.
    fn within_frequency(&self, offer: &Offer, claimed: &Claimed) -> Result<(), Refusal> {
        if policy::is_start(&claimed.quantity) {
            return Ok(());
        }
        let date = self.service_date();
        let taken = self.own(offer).find_map(|r| policy::month_in_both(&r.quantity, &claimed.quantity));
        if let Some(month) = taken {
            return Err(Refusal::MonthTaken(month));
        }
        if let Some(most) = offer.max_per_day {
            let today = || self.own(offer).filter(|r| r.service_date == date);
            let served = count(today());
            let again = self.selection.again && offer.second_helping && served == most;
            if served >= most && !again {
                let last = today().max_by_key(|r| r.tapped_at).ok_or(Refusal::LimitReached)?;
                let second_helping = offer.second_helping && served == most;
                return Err(Refusal::AlreadyToday { at: last.tapped_at, record: last.record, second_helping });
            }
        }
        let month = self.own(offer).filter(|r| r.service_date.first_of_month() == date.first_of_month());
        match offer.max_per_month {
            Some(most) if count(month) >= most => Err(Refusal::LimitReached),
            _ => Ok(()),
        }
    }

    /// What the account said is left, minus what it cannot know yet.
    fn within_entitlement(&self, offer: &Offer, claimed: &Claimed) -> Result<(), Refusal> {
        let Some(available) = self.entry().and_then(|e| e.entitlements.get(&offer.id)).and_then(|e| e.available) else {
            return Ok(());
        };
        let unbooked = self.own(offer).filter(|r| r.seq > self.standing.booked_through);
        let used = unbooked.fold(0u32, |sum, r| sum.saturating_add(policy::units(&r.quantity, r.amount)));
        let wanted = policy::units(&claimed.quantity, claimed.amount);
        if used.saturating_add(wanted) > available { Err(Refusal::UsedUp) } else { Ok(()) }
    }

    /// Caps of route, chain and unknown card, and what may stay unsettled.
    fn within_caps(
        &self,
        catalogue: &Catalogue,
        offer: &Offer,
        rule: &RouteRule,
        basis: BasisKind,
        amount: Cents,
    ) -> Result<(), Refusal> {
        let chain_cap = if self.identified.chain_only { offer.chain_only_cap } else { None };
        let unknown_cap = match (self.entry(), offer.unknown_card) {
            (None, UnknownCard::AcceptBelow(cap)) => Some(cap),
            _ => None,
        };
        if [rule.cap, chain_cap].into_iter().flatten().any(|cap| amount > cap) {
            return Err(Refusal::LimitReached);
        }
        if unknown_cap.is_some_and(|cap| amount > cap) {
            return Err(self.uniform(Refusal::CardUnknown));
        }
        if basis == BasisKind::Fault && rule.fault_cap.is_some_and(|cap| self.standing.fault_today >= cap) {
            return Err(Refusal::LimitReached);
        }
        let unsettled = policy::weighing(&self.standing.own, self.level(offer)).filter(|r| !r.settled);
        let with = |open: Cents| open.checked_add(amount);
        let below = |open: Cents, cap: Cents| with(open).is_some_and(|sum| sum <= cap);
        let card = policy::sum(unsettled.map(|r| &r.amount));
        if amount > Cents::ZERO
            && !(below(card, catalogue.limits.per_card_offline)
                && below(self.standing.offer_unsettled, catalogue.limits.per_offer_offline))
        {
            return Err(Refusal::LimitReached);
        }
        Ok(())
    }

    /// A technical fault stands, the offer serves at faults, and somebody is named by other means than the chip that
    /// failed (protocol, 4).
    fn serves_at_fault(&self, offer: &Offer) -> bool {
        let named = matches!(self.identified.route, Route::Number | Route::Code | Route::List);
        self.selection.fault && named && offer.on_fault == OnFault::Serve
    }

    /// On routes that anybody can guess along, everything about a card has one answer (product, 4.8).
    fn uniform(&self, refusal: Refusal) -> Refusal {
        let about_the_card = matches!(
            refusal,
            Refusal::CardUnknown
                | Refusal::CardLocked
                | Refusal::CardReplaced
                | Refusal::PeriodOver
                | Refusal::UsedUp
                | Refusal::NotEntitled
        );
        if self.identified.is_guessable() && about_the_card { Refusal::NotEntitled } else { refusal }
    }

    fn own<'s>(&'s self, offer: &'s Offer) -> impl Iterator<Item = &'s OwnRecord> {
        policy::weighing(&self.standing.own, self.level(offer)).filter(move |r| r.offer == offer.id)
    }

    fn entry(&self) -> Option<&CardEntry> {
        self.standing.entry.as_ref()
    }

    fn is_neutral(&self) -> bool {
        !self.standing.ambiguous && self.entry().is_some_and(|entry| entry.state == CardState::Neutral)
    }

    fn service_date(&self) -> jiff::civil::Date {
        self.selection.service_date.unwrap_or(self.at.today)
    }
}

fn count<'r>(records: impl Iterator<Item = &'r OwnRecord>) -> u32 {
    u32::try_from(records.count()).unwrap_or(u32::MAX)
}
