//! One delivery of records that passed their inspection, inside one transaction: judge one after the other and answer each.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{
    Account, claims,
    inspection::{Examined, Inspected, Original},
    store::{Known, NewRecord, RedemptionState, StoreError, StoredAnswer, Terminal, Tx},
};
use crate::{
    domain::{
        delivery::{Outcome, Receipt},
        documents::DocumentName,
        ids::{BookingNumber, Digest, OfferId, RecordId},
        offer::Catalogue,
        reading::Route,
        record::ReversalReason,
    },
    protocol::{
        problem::Reason,
        record::{SignedFact, SignedPart},
    },
};

/// Reversals and served marks of one provider that may wait for what they speak of.
const MAX_EARLY: u32 = 10_000;

/// What a record is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Booked, under a number if money moved.
    Booked(Option<BookingNumber>),
    /// Nothing is booked.
    Rejected(Reason),
    /// For the office.
    Disputed(Reason),
}

impl Verdict {
    fn answer(&self) -> StoredAnswer {
        let (outcome, reason, booking) = match self {
            Self::Booked(booking) => ("booked", "", booking.clone()),
            Self::Rejected(reason) => ("rejected", reason.code(), None),
            Self::Disputed(reason) => ("disputed", reason.code(), None),
        };
        StoredAnswer { outcome: outcome.to_owned(), reason: reason.to_owned(), booking }
    }
}

/// The answer to a known record, as a receipt says it.
#[must_use]
pub fn receipt(known: &Known, replayed: bool) -> Receipt {
    let StoredAnswer { outcome, reason, booking } = known.answer.clone();
    let outcome = match outcome.as_str() {
        "booked" => Outcome::Booked { booking },
        "rejected" => Outcome::Rejected { reason },
        _ => Outcome::Disputed { reason },
    };
    Receipt { record: known.id, digest: known.digest, seq: known.seq, outcome, replayed }
}

/// Everything a delivery is judged by.
pub struct Intake<'a> {
    pub(super) account: &'a Account,
    pub(super) tx: &'a Tx<'a>,
    pub(super) terminal: &'a Terminal,
    pub(super) now: Timestamp,
    catalogues: RefCell<BTreeMap<u64, Option<Rc<Catalogue>>>>,
}

impl<'a> Intake<'a> {
    /// Prepares a delivery by one terminal.
    #[must_use]
    pub fn new(account: &'a Account, tx: &'a Tx<'a>, terminal: &'a Terminal) -> Self {
        Self { account, tx, terminal, now: account.now(), catalogues: RefCell::default() }
    }

    /// Judges a batch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn take(&self, inspected: &[Inspected]) -> Result<Vec<Receipt>, StoreError> {
        inspected.iter().map(|inspected| self.receive(inspected)).collect()
    }

    fn receive(&self, inspected: &Inspected) -> Result<Receipt, StoreError> {
        let Inspected { part, frozen, original, examined } = inspected;
        let answered =
            |outcome, replayed| Receipt { record: part.id, digest: frozen.digest, seq: part.seq, outcome, replayed };
        if let Some(known) = self.tx.record(part.id)?
            && known.digest == frozen.digest
        {
            return Ok(receipt(&known, true));
        }
        if self.forks(part, frozen.digest)? {
            self.tx.add_fork(&self.terminal.id, part.seq, frozen, self.now)?;
            return Ok(answered(Outcome::Conflict, false));
        }
        let verdict = match original {
            Some(original) => self.refile(part, original, examined)?,
            None => self.judge(inspected)?,
        };
        let answer = verdict.answer();
        let new = NewRecord {
            id: part.id,
            terminal: &self.terminal.id,
            provider: &self.terminal.provider,
            seq: part.seq,
            prev: part.prev,
            kind: part.fact.word(),
            frozen,
            answer: &answer,
        };
        self.tx.add_record(&new, self.now)?;
        let outcome = match verdict {
            Verdict::Booked(booking) => Outcome::Booked { booking },
            Verdict::Rejected(reason) => Outcome::Rejected { reason: reason.code().to_owned() },
            Verdict::Disputed(reason) => Outcome::Disputed { reason: reason.code().to_owned() },
        };
        Ok(answered(outcome, false))
    }

    /// Keeps a record of an ended identity for the office, which alone decides what it is worth: nothing is booked, and its
    /// evidence is used up, so that it cannot be brought a second time as something else. An original that was judged
    /// after all keeps its own row and its money.
    fn refile(&self, part: &SignedPart, original: &Original, examined: &Examined) -> Result<Verdict, StoreError> {
        let judged = self.tx.record(original.part.id)?.filter(|known| known.digest == original.digest);
        let first = self.tx.add_refiled(original.digest, part.id, &original.jws)?;
        let found = match (&original.part.fact, &judged) {
            (_, Some(known)) => format!("refiled, judged before as {}", known.answer.outcome),
            _ if !first => "refiled again".to_owned(),
            (SignedFact::Redemption(claim), None) => claims::keep(self, part.id, original, claim, examined, false)?,
            (SignedFact::NoShow(claim), None) => claims::keep(self, part.id, original, claim, examined, true)?,
            (fact, None) => format!("refiled {}", fact.word()),
        };
        self.tx.note_for_office(part.id, &found, self.now)?;
        Ok(Verdict::Disputed(Reason::Forked))
    }

    /// Same id or place with other bytes, or a link that does not fit its known neighbour. Gaps are no fork.
    fn forks(&self, part: &SignedPart, digest: Digest) -> Result<bool, StoreError> {
        let at = |seq: u64| self.tx.record_at(&self.terminal.id, seq);
        if self.tx.record(part.id)?.is_some() || at(part.seq)?.is_some() {
            return Ok(true);
        }
        let before = match part.seq.checked_sub(1) {
            None | Some(0) => Some(self.terminal.first_certificate),
            Some(seq) => at(seq)?.map(|known| known.digest),
        };
        let after = match part.seq.checked_add(1) {
            Some(seq) => at(seq)?.map(|known| known.prev),
            None => None,
        };
        Ok(before.is_some_and(|before| before != part.prev) || after.is_some_and(|prev| prev != digest))
    }

    fn judge(&self, inspected: &Inspected) -> Result<Verdict, StoreError> {
        let Inspected { part, frozen, examined, .. } = inspected;
        let ours = part.account == self.account.id
            && part.provider == self.terminal.provider
            && part.site == self.terminal.site;
        if !ours {
            return Ok(Verdict::Rejected(Reason::RecordInvalid));
        }
        if self.tx.is_refiled(frozen.digest)? {
            // The copy brings what this terminal has brought already under its new identity.
            self.tx.note_for_office(part.id, "came after it was refiled", self.now)?;
            return Ok(Verdict::Disputed(Reason::Forked));
        }
        match &part.fact {
            SignedFact::Redemption(claim) => claims::judge(self, part, claim, examined, false),
            SignedFact::NoShow(claim) => claims::judge(self, part, claim, examined, true),
            SignedFact::Reversal { reverses, offer, service_date, reason } => {
                self.reverse(part, *reverses, offer, *service_date, *reason)
            }
            SignedFact::Served { of } => self.served(part, *of),
            SignedFact::NoticeAck { version } => {
                self.tx.confirm_notice(&self.terminal.id, *version)?;
                Ok(Verdict::Booked(None))
            }
            SignedFact::Closing { .. } => Ok(Verdict::Booked(None)),
            // Verified with its original, or not at all.
            SignedFact::Refiled { .. } => Ok(Verdict::Rejected(Reason::RecordInvalid)),
        }
    }

    /// Takes a redemption of the same provider back, in whatever order the two arrive. Whether the target is unknown or
    /// another provider's makes no difference, so nothing can be learned about others.
    fn reverse(
        &self,
        part: &SignedPart,
        target: RecordId,
        offer: &OfferId,
        service_date: Date,
        why: ReversalReason,
    ) -> Result<Verdict, StoreError> {
        let provider = &self.terminal.provider;
        let Some(original) = self.tx.redemption(provider, target)? else {
            let kept = self.tx.add_early(provider, "reversal", target, part.id, MAX_EARLY)?;
            return Ok(if kept { Verdict::Booked(None) } else { Verdict::Rejected(Reason::LimitReached) });
        };
        if original.offer != *offer || original.service_date != service_date {
            return Ok(Verdict::Rejected(Reason::NotReversible));
        }
        let days = self.reversal_days(part.catalogue_seq, offer)?;
        // What a terminal itself takes back was never promised to anybody; people have until the cut-off.
        let itself = matches!(why, ReversalReason::NoConnection | ReversalReason::NeverShown);
        let since = berlin(original.received_at).max(original.service_date);
        if !itself && days_between(since, berlin(self.now)) > i64::from(days) {
            self.tx.note_for_office(part.id, "reversal asked after the cut-off", self.now)?;
            return Ok(Verdict::Rejected(Reason::CutOffPassed));
        }
        if matches!(original.route, Route::Number | Route::Uid) {
            // Redeeming and taking back is a question about a child like any other.
            self.tx.add_attempt(&self.terminal.id, provider, self.now)?;
        }
        match original.state {
            RedemptionState::Reversed => {}
            RedemptionState::Booked => {
                if let Some(posting) = original.posting {
                    self.tx.take_back(posting, self.now)?;
                }
                self.tx.set_redemption(target, RedemptionState::Reversed, "")?;
            }
            RedemptionState::Disputed | RedemptionState::Rejected => {
                self.tx.set_redemption(target, RedemptionState::Reversed, &original.reason)?;
            }
        }
        Ok(Verdict::Booked(None))
    }

    /// Somebody was served after a wait without an answer: a refusal for the child's sake becomes the office's business.
    fn served(&self, part: &SignedPart, of: RecordId) -> Result<Verdict, StoreError> {
        let provider = &self.terminal.provider;
        match self.tx.redemption(provider, of)? {
            None if !self.tx.add_early(provider, "served", of, part.id, MAX_EARLY)? => {
                return Ok(Verdict::Rejected(Reason::LimitReached));
            }
            Some(known) if known.state == RedemptionState::Rejected && claims::may_be_served(&known.reason) => {
                self.tx.set_redemption(of, RedemptionState::Disputed, &known.reason)?;
                self.tx.add_outcome(&known.terminal, of, "please_confirm", &known.reason, self.now)?;
                self.tx.note_for_office(of, "served before the refusal was known", self.now)?;
            }
            None | Some(_) => {}
        }
        Ok(Verdict::Booked(None))
    }

    fn reversal_days(&self, catalogue_seq: u64, offer: &OfferId) -> Result<u16, StoreError> {
        let catalogue = self.catalogue(catalogue_seq)?;
        Ok(catalogue.and_then(|c| c.offer(offer).map(|o| o.reversal_days)).unwrap_or(0))
    }

    /// The catalogue this account once issued for the terminal's site under that sequence.
    pub(super) fn catalogue(&self, seq: u64) -> Result<Option<Rc<Catalogue>>, StoreError> {
        if let Some(found) = self.catalogues.borrow().get(&seq) {
            return Ok(found.clone());
        }
        let stored = self.tx.issued(DocumentName::Catalogue, self.terminal.site.as_str(), seq)?;
        let read = stored.map(|stored| self.account.read_catalogue(self.terminal, &stored, self.now)).transpose()?;
        let found = read.map(Rc::new);
        self.catalogues.borrow_mut().insert(seq, found.clone());
        Ok(found)
    }
}

/// The calendar day in Europe/Berlin.
pub(super) fn berlin(at: Timestamp) -> Date {
    let zone = TimeZone::get("Europe/Berlin").expect("the time zones are compiled in");
    at.to_zoned(zone).date()
}

fn days_between(from: Date, to: Date) -> i64 {
    let span = to.duration_since(from);
    span.as_secs() / SignedDuration::from_hours(24).as_secs()
}
