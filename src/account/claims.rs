//! Claims: from evidence to a posting, or to the reason why not.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    inspection::{Examined, Original, Shown},
    intake::{Intake, Verdict, berlin},
    judge::{self, Proven, Terms},
    ledger::Posting,
    store::{Card, NewRedemption, ProviderStanding, Redemption, RedemptionState, StoreError},
};
use crate::{
    domain::{
        amount::Quantity,
        documents::{DocumentName, TerminalStanding},
        ids::{BookingNumber, Digest, RecordId},
        offer::{Offer, UnknownCard},
        reading::{Level, Route},
        record::{BasisKind, ServicePhase},
        standing::CardState,
    },
    protocol::{
        problem::Reason,
        record::{Claim, SignedPart},
    },
};

/// Clocks of terminals may disagree by this much before counter and time are said to run against each other.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);
/// A terminal has taken a fetched catalogue over by then.
const TAKE_OVER: SignedDuration = SignedDuration::from_mins(10);
/// Time in which failed tries by number or UID are counted.
const ATTEMPT_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// Failed or taken-back tries by number or UID in that time after which a terminal's are not looked at any more.
pub const MAX_ATTEMPTS_OF_TERMINAL: u32 = 30;
/// The same for all terminals of a provider.
pub const MAX_ATTEMPTS_OF_PROVIDER: u32 = 100;

/// How a claim ends without being booked.
enum Stop {
    /// Rejected, for a reason that does not depend on whose card it is.
    Rejected(Reason),
    /// Rejected for the child's or card's sake.
    OfChild(Reason),
    /// For the office.
    Disputed(Reason),
    /// The store failed.
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// What was found out about a claim on the way, for the row that is kept of it.
#[derive(Default)]
struct Findings {
    card: Option<Card>,
    level: Option<Level>,
    posting: Option<i64>,
    reversed: bool,
}

struct Case<'a> {
    intake: &'a Intake<'a>,
    part: &'a SignedPart,
    claim: &'a Claim,
    examined: &'a Examined,
    no_show: bool,
}

/// Judges a claim, books it if it is worth that, and keeps what was found out.
pub(super) fn judge(
    intake: &Intake<'_>,
    part: &SignedPart,
    claim: &Claim,
    examined: &Examined,
    no_show: bool,
) -> Result<Verdict, StoreError> {
    let case = Case { intake, part, claim, examined, no_show };
    let mut found = Findings::default();
    let verdict = case.verdict(&mut found)?;
    let (state, reason) = match &verdict {
        Verdict::Booked(_) => (RedemptionState::Booked, ""),
        Verdict::Disputed(reason) => (RedemptionState::Disputed, reason.code()),
        Verdict::Rejected(reason) if found.reversed => (RedemptionState::Reversed, reason.code()),
        Verdict::Rejected(reason) => (RedemptionState::Rejected, reason.code()),
    };
    intake.tx.add_redemption(&case.row(part.id, &found, state, reason))?;
    if state == RedemptionState::Disputed {
        intake.tx.note_for_office(part.id, reason, intake.now)?;
    }
    Ok(verdict)
}

/// Keeps a refiled redemption for the office, under the record that brought it: whose it is and what its evidence proves,
/// by the ids it was made under. Its signature counter is used up. Gives the office's note.
pub(super) fn keep(
    intake: &Intake<'_>,
    record: RecordId,
    original: &Original,
    claim: &Claim,
    examined: &Examined,
    no_show: bool,
) -> Result<String, StoreError> {
    let case = Case { intake, part: &original.part, claim, examined, no_show };
    let mut found = Findings::default();
    let weighed = case.examine(&mut found).and_then(|(proven, _)| case.use_once(record, &proven));
    let note = match weighed {
        Ok(()) => "refiled".to_owned(),
        Err(Stop::Failed(error)) => return Err(error),
        Err(Stop::Rejected(reason) | Stop::OfChild(reason) | Stop::Disputed(reason)) => {
            format!("refiled, {}", reason.code())
        }
    };
    let (state, reason) = (RedemptionState::Disputed, Reason::Forked.code());
    intake.tx.add_redemption(&case.row(record, &found, state, reason))?;
    Ok(note)
}

/// A refusal with this code was for the child's sake: if the child was served meanwhile, the office decides. What a
/// forged record was refused for stays refused.
pub(super) fn may_be_served(reason: &str) -> bool {
    [
        Reason::NotEntitled,
        Reason::PeriodOver,
        Reason::NotYetValid,
        Reason::UsedUp,
        Reason::AlreadyToday,
        Reason::MonthTaken,
        Reason::CardLocked,
        Reason::CardReplaced,
        Reason::CardUnknown,
    ]
    .iter()
    .any(|known| known.code() == reason)
}

impl Case<'_> {
    fn verdict(&self, found: &mut Findings) -> Result<Verdict, StoreError> {
        let (tx, provider) = (self.intake.tx, &self.intake.terminal.provider);
        let reversed = tx.take_early(provider, "reversal", self.part.id)?;
        let served = tx.take_early(provider, "served", self.part.id)?;
        let guessable = matches!(self.claim.route, Route::Number | Route::Uid);
        let ended = self.weigh(reversed, found);
        Ok(match ended {
            Ok(booking) => Verdict::Booked(booking),
            Err(Stop::Failed(error)) => return Err(error),
            // Whoever holds a number must not learn where else, and for what, it was used.
            Err(Stop::Disputed(Reason::AlreadyToday | Reason::UsedMeanwhile)) if guessable => {
                Verdict::Disputed(Reason::Unconfirmed)
            }
            Err(Stop::Disputed(reason)) => Verdict::Disputed(reason),
            Err(Stop::Rejected(Reason::Reversed)) => {
                found.reversed = true;
                if guessable {
                    tx.add_attempt(&self.intake.terminal.id, provider, self.intake.now)?;
                }
                Verdict::Rejected(Reason::Reversed)
            }
            Err(Stop::Rejected(reason)) => Verdict::Rejected(reason),
            Err(Stop::OfChild(reason)) => {
                // One face for everything that could be found out by guessing, and every try counts.
                if guessable {
                    tx.add_attempt(&self.intake.terminal.id, provider, self.intake.now)?;
                }
                let reason = if guessable { Reason::CardUnknown } else { reason };
                if served { Verdict::Disputed(reason) } else { Verdict::Rejected(reason) }
            }
        })
    }

    /// From the cheapest and least personal question to the last one; the first that fails ends it.
    fn weigh(&self, reversed: bool, found: &mut Findings) -> Result<Option<BookingNumber>, Stop> {
        let (proven, at) = self.examine(found)?;
        self.use_once(self.part.id, &proven)?;
        if reversed {
            return Err(Stop::Rejected(Reason::Reversed));
        }
        self.in_standing(at)?;
        let catalogue = self.in_force(at)?;
        let today = berlin(self.part.tapped_at);
        let terms = judge::terms(&catalogue, self.claim, &proven, today, self.no_show).map_err(Stop::Rejected)?;
        self.within_attempts()?;
        self.fresh(&proven, &terms)?;
        self.unforked()?;
        self.at_fault(&terms)?;
        let (card, child) = self.child(found.card.clone(), terms.offer)?;
        let payer = self.payer(child, terms.offer)?;
        if self.claim.phase == ServicePhase::Start {
            return Ok(None);
        }
        self.started(child)?;
        let weaker = self.within_frequency(child, &card, terms.offer, proven.level)?;
        self.book(child, &card, &terms, &payer, weaker, found)
    }

    /// What the evidence proves, from when on, and whose it is.
    fn examine(&self, found: &mut Findings) -> Result<(Proven, Timestamp), Stop> {
        let Shown { proven, at } = self.examined.clone().map_err(Stop::Rejected)?;
        found.level = Some(proven.level);
        found.card = self.intake.tx.card_of_identity(&proven.identity)?;
        self.on_its_card(&proven, found.card.as_ref())?;
        Ok((proven, at))
    }

    /// What is kept of it.
    fn row(&self, record: RecordId, found: &Findings, state: RedemptionState, reason: &str) -> NewRedemption {
        let (intake, claim) = (self.intake, self.claim);
        NewRedemption {
            record,
            terminal: intake.terminal.id.clone(),
            provider: intake.terminal.provider.clone(),
            card: found.card.as_ref().map(|card| card.id),
            child: found.card.as_ref().and_then(|card| card.child),
            offer: claim.offer.clone(),
            service_date: claim.service_date,
            tapped_at: self.part.tapped_at,
            route: claim.route,
            basis: claim.basis.kind,
            level: found.level.unwrap_or(Level::TYPED),
            amount: claim.amount,
            quantity: claim.quantity.clone(),
            state,
            reason: reason.to_owned(),
            posting: found.posting,
        }
    }

    /// The number beside a chip's message is not signed: a chip speaks for the card it is on and for no other. The
    /// same answer as for a wrong message, so that numbers cannot be looked up with a chip of one's own.
    fn on_its_card(&self, proven: &Proven, card: Option<&Card>) -> Result<(), Stop> {
        let Some(chip) = proven.chip else { return Ok(()) };
        let on_card = card.map(|card| self.intake.tx.chip_on(card.id)).transpose()?.flatten();
        if on_card == Some(chip) { Ok(()) } else { Err(Stop::Rejected(Reason::EvidenceInvalid)) }
    }

    /// Moved, copied and repeated evidence ends here.
    fn use_once(&self, record: RecordId, proven: &Proven) -> Result<(), Stop> {
        let Some((credential, counter)) = proven.once else { return Ok(()) };
        let (tx, at) = (self.intake.tx, self.part.tapped_at);
        if !tx.use_counter(&credential, counter, record, at)? {
            let code = self.claim.route == Route::Code;
            return Err(Stop::Rejected(if code { Reason::CodeReplayed } else { Reason::EvidenceReused }));
        }
        // No booking and no beacon is in a chip's message, so a kept one would be as good as new: its counter must
        // rise. One that was overtaken by a later tap may come from a terminal without network; one that was tapped
        // after its successor was kept.
        let overtaken = if proven.chip.is_some() { tx.overtaken(&credential, counter)? } else { None };
        match overtaken {
            Some(successor) if successor < at => Err(Stop::Rejected(Reason::EvidenceReused)),
            Some(_) => Err(Stop::Disputed(Reason::CounterInversion)),
            None => Ok(()),
        }
    }

    fn in_standing(&self, at: Timestamp) -> Result<(), Stop> {
        let terminal = self.intake.terminal;
        match terminal.provider_standing {
            ProviderStanding::Applied => return Err(Stop::Rejected(Reason::ProviderNotApproved)),
            ProviderStanding::Suspended(since) if at >= since => {
                return Err(Stop::Rejected(Reason::ProviderNotApproved));
            }
            ProviderStanding::Suspended(_) | ProviderStanding::Admitted => {}
        }
        match terminal.standing {
            TerminalStanding::Active => Ok(()),
            TerminalStanding::Suspended | TerminalStanding::Revoked => Err(Stop::Rejected(Reason::TerminalSuspended)),
        }
    }

    /// The catalogue the record names, if the terminal could still decide by it: issued for its site, not over, and not
    /// superseded by one that it had already fetched.
    fn in_force(&self, at: Timestamp) -> Result<std::rc::Rc<crate::domain::offer::Catalogue>, Stop> {
        let named = self.part.catalogue_seq;
        let catalogue = self.intake.catalogue(named)?.ok_or(Stop::Rejected(Reason::CatalogueNotInForce))?;
        let before = at.checked_sub(TAKE_OVER).unwrap_or(Timestamp::MIN);
        let held = self.intake.tx.held(&self.intake.terminal.id, DocumentName::Catalogue, before)?;
        if held > named || !catalogue.in_force(at) {
            return Err(Stop::Rejected(Reason::CatalogueNotInForce));
        }
        Ok(catalogue)
    }

    fn within_attempts(&self) -> Result<(), Stop> {
        if !matches!(self.claim.route, Route::Number | Route::Uid) {
            return Ok(());
        }
        let terminal = self.intake.terminal;
        let since = self.intake.now.checked_sub(ATTEMPT_WINDOW).unwrap_or(Timestamp::MIN);
        let (own, all) = self.intake.tx.attempts(&terminal.id, &terminal.provider, since)?;
        if own >= MAX_ATTEMPTS_OF_TERMINAL || all >= MAX_ATTEMPTS_OF_PROVIDER {
            return Err(Stop::Rejected(Reason::TooManyAttempts));
        }
        Ok(())
    }

    /// Signatures cannot be harvested ahead: the beacon in them bounds their age, the counter their order.
    fn fresh(&self, proven: &Proven, terms: &Terms<'_>) -> Result<(), Stop> {
        let Some(beacon) = proven.beacon else { return Ok(()) };
        let oldest = SignedDuration::from_secs(i64::from(terms.offer.beacon_max_age_s));
        match self.intake.tx.beacon(&beacon)? {
            Some(known) if known.terminal != self.intake.terminal.id => {
                return Err(Stop::Rejected(Reason::EvidenceInvalid));
            }
            Some(known) if known.issued_at.duration_until(self.intake.now) <= oldest => {}
            // Also zeros, which an honest terminal signs only before its first `hello`, and beacons forgotten since.
            _ => return Err(Stop::Disputed(Reason::BeaconOld)),
        }
        let (credential, counter): (Digest, u32) = proven.once.unwrap_or((Digest([0; 32]), 0));
        let slack = CLOCK_SLACK.as_millis().try_into().unwrap_or(i64::MAX);
        if self.intake.tx.counter_inverted(&credential, counter, self.part.tapped_at, slack)? {
            return Err(Stop::Disputed(Reason::CounterInversion));
        }
        Ok(())
    }

    fn unforked(&self) -> Result<(), Stop> {
        if self.intake.tx.has_forked(&self.intake.terminal.id)? {
            return Err(Stop::Disputed(Reason::Forked));
        }
        Ok(())
    }

    /// Served at a technical fault: the same answer whether the number is known or not.
    fn at_fault(&self, terms: &Terms<'_>) -> Result<(), Stop> {
        if let Some(cap) = terms.fault_cap {
            let (terminal, claim) = (&self.intake.terminal.id, self.claim);
            let count = self.intake.tx.fault_count(terminal, &claim.offer, claim.route, claim.service_date)?;
            if count >= cap {
                return Err(Stop::Rejected(Reason::LimitReached));
            }
        }
        if terms.waived { Err(Stop::Disputed(Reason::Unconfirmed)) } else { Ok(()) }
    }

    /// The child whose card it is.
    fn child(&self, card: Option<Card>, offer: &Offer) -> Result<(Card, i64), Stop> {
        let Some(card) = card else {
            return Err(match offer.unknown_card {
                // Within the rules, but nobody is there to charge.
                UnknownCard::AcceptBelow(cap) if self.claim.amount <= cap && self.claim.route != Route::Number => {
                    Stop::Disputed(Reason::CardUnknown)
                }
                UnknownCard::AcceptBelow(_) | UnknownCard::Refuse => Stop::OfChild(Reason::CardUnknown),
            });
        };
        match card.state {
            CardState::Locked => Err(Stop::OfChild(Reason::CardLocked)),
            CardState::Replaced => Err(Stop::OfChild(Reason::CardReplaced)),
            // A neutral card owes nothing: no honest terminal makes a record of it.
            CardState::Neutral => Err(Stop::OfChild(Reason::CardUnknown)),
            CardState::Active => {
                let child = card.child.ok_or(Stop::OfChild(Reason::CardUnknown))?;
                Ok((card, child))
            }
        }
    }

    /// Who pays for the service date, if the child has a purse for it. Stays inside the account.
    fn payer(&self, child: i64, offer: &Offer) -> Result<String, Stop> {
        let purse = self.intake.tx.purse(child, &offer.purse)?.ok_or(Stop::OfChild(Reason::NotEntitled))?;
        if self.claim.service_date < purse.valid_from {
            return Err(Stop::OfChild(Reason::NotYetValid));
        }
        if self.claim.service_date > purse.valid_to {
            return Err(Stop::OfChild(Reason::PeriodOver));
        }
        let basis = self.intake.tx.legal_basis(child, self.claim.service_date)?;
        basis.ok_or(Stop::OfChild(Reason::NotEntitled))
    }

    /// The end of a lesson needs its start, of the same child and offer.
    fn started(&self, child: i64) -> Result<(), Stop> {
        let Quantity::Minutes { started: Some(start), .. } = &self.claim.quantity else {
            let missing = self.claim.phase == ServicePhase::End;
            return if missing { Err(Stop::Disputed(Reason::StartUnknown)) } else { Ok(()) };
        };
        match self.intake.tx.redemption(&self.intake.terminal.provider, *start)? {
            Some(known) if known.child == Some(child) && known.offer == self.claim.offer => Ok(()),
            _ => Err(Stop::Disputed(Reason::StartUnknown)),
        }
    }

    /// Once a day by child, not by card. Gives the booking of weaker evidence that has to step aside.
    fn within_frequency(
        &self,
        child: i64,
        card: &Card,
        offer: &Offer,
        level: Level,
    ) -> Result<Option<Redemption>, Stop> {
        let (tx, date) = (self.intake.tx, self.claim.service_date);
        if let Quantity::Months(_) = &self.claim.quantity {
            let mine = self.claim.quantity.context_text();
            let months = |text: &str| -> Vec<String> {
                text.trim_start_matches("months:").split(',').map(str::to_owned).collect()
            };
            let (from, to) = (Date::MIN, Date::MAX);
            let taken = tx.booked(child, &offer.id, from, to)?;
            let mine = months(&mine);
            if taken.iter().any(|known| months(&known.quantity).iter().any(|month| mine.contains(month))) {
                return Err(Stop::OfChild(Reason::MonthTaken));
            }
        }
        if let Some(most) = offer.max_per_month {
            let to = date.last_of_month();
            let month = tx.booked(child, &offer.id, date.first_of_month(), to)?;
            if month.len() >= most as usize {
                return Err(Stop::OfChild(Reason::LimitReached));
            }
        }
        let Some(most) = offer.max_per_day else { return Ok(None) };
        let today: Vec<Redemption> =
            tx.booked(child, &offer.id, date, date)?.into_iter().filter(|r| r.amount.get() > 0).collect();
        if today.len() < most as usize {
            return Ok(None);
        }
        if let Some(weaker) = today.iter().filter(|r| r.level < level).min_by_key(|r| r.level) {
            return Ok(Some(weaker.clone()));
        }
        let again = usize::from(offer.second_helping);
        if today.len() < most as usize + again {
            return Ok(None);
        }
        // A terminal knows its own bookings, but not what another lane booked a moment ago.
        let elsewhere = today.iter().all(|r| r.terminal != self.intake.terminal.id);
        if elsewhere && self.in_good_faith(card)? {
            return Err(Stop::Disputed(Reason::AlreadyToday));
        }
        Err(Stop::OfChild(Reason::AlreadyToday))
    }

    /// The terminal decided by a list of ours that held this card: then it knew already what an answer could tell.
    fn in_good_faith(&self, card: &Card) -> Result<bool, StoreError> {
        let basis = &self.claim.basis;
        let listed = self.intake.tx.was_listed(&self.intake.terminal.id, basis.card_list_seq, card.id)?;
        Ok(basis.kind == BasisKind::CardList && listed)
    }

    fn book(
        &self,
        child: i64,
        card: &Card,
        terms: &Terms<'_>,
        payer: &str,
        weaker: Option<Redemption>,
        found: &mut Findings,
    ) -> Result<Option<BookingNumber>, Stop> {
        let (tx, now) = (self.intake.tx, self.intake.now);
        let room = weaker.as_ref().map_or(0, |weaker| weaker.amount.get());
        let purse = super::ledger::Side::Purse { child, purse: terms.offer.purse.clone() };
        if tx.balance(&purse)? + room < terms.amount.get() {
            // Served by a list of ours, and used up elsewhere since: never the family's fault, nor the provider's.
            return Err(if self.in_good_faith(card)? {
                Stop::Disputed(Reason::UsedMeanwhile)
            } else {
                Stop::OfChild(Reason::UsedUp)
            });
        }
        if let Some(weaker) = weaker {
            if let Some(posting) = weaker.posting {
                tx.take_back(posting, now)?;
            }
            let reason = Reason::WeakerEvidence.code();
            tx.set_redemption(weaker.record, RedemptionState::Disputed, reason)?;
            tx.add_outcome(&weaker.terminal, weaker.record, "corrected", reason, now)?;
            tx.note_for_office(weaker.record, reason, now)?;
        }
        if terms.amount.get() == 0 {
            return Ok(None);
        }
        let provider = &self.intake.terminal.provider;
        let posting = Posting::booking(child, &terms.offer.purse, provider, payer, terms.amount);
        let number = tx.post(&posting, now)?;
        found.posting = Some(number);
        Ok(Some(BookingNumber::new(format!("B-{number:08}")).expect("letters, digits and a hyphen")))
    }
}

/// Days a beacon is kept: no offer accepts an older one.
pub const BEACON_DAYS: i64 = 30;
