//! From the decision to green: on disk first, then the account's word where the offer waits for it.

use std::time::Duration;

use super::{
    Recent, Step, Terminal,
    effect::{Chime, Effect},
    phase::{Claim, Outcome, Owed, Phase, Wake},
    reversal::{AsideOf, LastGrant, Reversible},
    screen::{AccountState, BlockedBy, Place, ResultClass, TapResult},
    span,
    tap::Refused,
};
use crate::domain::{
    claim::Refusal,
    delivery,
    documents::Environment,
    ids::{AccountId, RecordId},
    offer::OfflineRule,
    record::{Draft, Fact, Record, ReversalReason},
};

impl Terminal {
    pub(super) fn commit(&mut self, step: &mut Step, owed: Owed) {
        let Draft { record, account, tapped_at, monotonic_ms, clock, operator, catalogue_seq, .. } = owed.draft.clone();
        step.push(Effect::Commit(Box::new(Record {
            id: record,
            account,
            fact: Fact::Redemption(Box::new(owed.draft.clone()), owed.claim.evidence.clone()),
            made_at: tapped_at,
            monotonic_ms,
            clock,
            operator,
            catalogue_seq,
        })));
        self.enter(Phase::Committing { owed: Box::new(owed), uncertain: None });
    }

    pub(super) fn committed(&mut self, step: &mut Step, record: RecordId) {
        let meant = |phase: &Phase| matches!(phase, Phase::Committing { owed, .. } if owed.draft.record == record);
        let Some(Phase::Committing { owed, .. }) = self.leave_if(meant) else {
            return self.aside_committed(step, record);
        };
        let offer = self.offer_of(&owed.draft.account, &owed.draft.offer);
        let wait = Duration::from_millis(u64::from(offer.map_or(0, |offer| offer.online_wait_ms)));
        if wait.is_zero() {
            step.push(Effect::WakeForwarder { awaited: None });
            return self.grant_owed(step, *owed, false);
        }
        step.push(Effect::WakeForwarder { awaited: Some((record, wait)) });
        self.enter(Phase::Confirming(owed));
        self.wake(step, Wake::Answer, wait);
    }

    pub(super) fn commit_failed(&mut self, step: &mut Step, record: RecordId, blocked: Option<BlockedBy>) {
        match (&mut self.phase, blocked) {
            (Phase::Committing { owed, uncertain }, _) if owed.draft.record == record => match blocked {
                None => {
                    let by = Refused { end: None, ..Refused::of(&owed.claim) };
                    self.refuse(step, Refusal::NotRecorded, by);
                }
                // It may be there nevertheless: only the reopened journal knows.
                Some(why) => match *uncertain {
                    None => {
                        *uncertain = Some(why);
                        step.push(Effect::LookUp(record));
                    }
                    Some(first) => self.close(step, first),
                },
            },
            _ => self.aside_failed(step, record, blocked),
        }
    }

    pub(super) fn judged(&mut self, step: &mut Step, record: RecordId, outcome: delivery::Outcome) {
        if outcome == delivery::Outcome::Conflict {
            return self.close(step, BlockedBy::Fork);
        }
        if let Phase::Confirming(owed) = &self.phase
            && owed.draft.record == record
        {
            return self.answered(step, outcome);
        }
        // The picture that stands, and the one the same card would bring back.
        for phase in std::iter::once(&mut self.phase).chain(self.recent.iter_mut().map(|recent| &mut recent.phase)) {
            if let Phase::Granted(shown) = phase
                && shown.result.record == Some(record)
            {
                shown.unanswered &= outcome == delivery::Outcome::Deferred;
            }
        }
    }

    fn answered(&mut self, step: &mut Step, outcome: delivery::Outcome) {
        match outcome {
            delivery::Outcome::Deferred => self.answer_missing(step),
            delivery::Outcome::Rejected { reason } => {
                let Some(Phase::Confirming(owed)) = self.leave_if(|p| matches!(p, Phase::Confirming(_))) else {
                    return;
                };
                self.refuse_after_commit(step, &owed, Refusal::ByAccount { reason });
            }
            // What is with the office was served in good faith all the same. A conflict has closed the terminal before.
            delivery::Outcome::Booked { .. } | delivery::Outcome::Disputed { .. } | delivery::Outcome::Conflict => {
                let Some(Phase::Confirming(owed)) = self.leave_if(|p| matches!(p, Phase::Confirming(_))) else {
                    return;
                };
                self.grant_owed(step, *owed, true);
            }
        }
    }

    /// The wait is over without an answer: unknown, and the offer says what that means for the child.
    pub(super) fn answer_missing(&mut self, step: &mut Step) {
        let Some(Phase::Confirming(owed)) = self.leave_if(|p| matches!(p, Phase::Confirming(_))) else { return };
        let offer = self.offer_of(&owed.draft.account, &owed.draft.offer);
        let enough = offer.is_some_and(|offer| offer.is_enough_unanswered(owed.draft.route, owed.draft.level));
        let accept = enough
            && match offer.map_or(OfflineRule::Refuse, |offer| offer.offline) {
                OfflineRule::Accept => true,
                OfflineRule::AcceptBelow(cap) => owed.draft.amount <= cap,
                OfflineRule::Refuse => false,
            };
        if accept {
            let of = owed.draft.record;
            self.append(step, owed.draft.account.clone(), Fact::Served { of }, AsideOf::Served);
            let mut owed = *owed;
            owed.claim.nothing_older = false;
            return self.grant_owed(step, owed, false);
        }
        self.take_back(step, Reversible::of(&owed.draft), ReversalReason::NoConnection, false);
        self.refuse_after_commit(step, &owed, Refusal::NoConnection);
    }

    /// The record is on disk and its sad end was told: nobody need be asked about it at the next start.
    fn refuse_after_commit(&mut self, step: &mut Step, owed: &Owed, refusal: Refusal) {
        let record = Some(owed.draft.record);
        self.unshown.insert(owed.draft.record);
        let by = Refused { end: None, record, offer: Some(owed.draft.offer.clone()), ..Refused::of(&owed.claim) };
        self.refuse(step, refusal, Refused { tag: owed.draft.tag.clone(), ..by });
    }

    fn grant_owed(&mut self, step: &mut Step, owed: Owed, answered: bool) {
        let Owed { claim, draft, booked: _ } = owed;
        let result = TapResult {
            tap: Some(claim.tap),
            record: Some(draft.record),
            offer: Some(draft.offer.clone()),
            amount: Some(draft.amount),
            tag: draft.tag.clone(),
            ..TapResult::default()
        };
        self.unshown.insert(draft.record);
        self.show_grant(step, claim, Some(draft), result, answered);
    }

    /// Any pupil's card: the same light, and nothing is owed.
    pub(super) fn grant_neutral(&mut self, step: &mut Step, claim: Claim, result: TapResult) {
        self.show_grant(step, claim, None, result, true);
    }

    /// `answered`: the account has spoken, or nothing is owed to it.
    fn show_grant(
        &mut self,
        step: &mut Step,
        claim: Claim,
        draft: Option<Draft>,
        mut result: TapResult,
        answered: bool,
    ) {
        let class = self.class_now(&claim, &result, answered);
        result.class = Some(class);
        step.push(Effect::Chime(Chime::Yes));
        let of = draft.as_ref().map(Reversible::of);
        self.last_grant = Some(LastGrant { of, until: step.now() + span::UNDO, result: result.clone() });
        let display = if self.setup.place == Place::Lane { span::BOOKED } else { span::BOOKED_AT_DESK };
        let outcome = Outcome { result, claim: None, unanswered: !answered };
        if claim.by_card() {
            let phase = Phase::Granted(Box::new(outcome.clone()));
            let until = step.now() + span::SAME_CARD;
            let signed = draft.filter(|draft| draft.must_authenticate).map(Box::new);
            self.recent.push(Recent { identified: claim.identified, until, phase, signed });
        }
        self.present(step, Phase::Granted, outcome, Some(display));
        if class == ResultClass::R1 && !answered {
            self.wake(step, Wake::Receipt, span::RECEIPT);
        }
    }

    /// Booked, or booked and to be sent: the first only where the account is known to listen and nothing older waits.
    /// In practice nothing is ever "booked".
    fn class_now(&self, claim: &Claim, result: &TapResult, answered: bool) -> ResultClass {
        let view = self.accounts.get(&claim.account);
        let training = view.is_some_and(|view| view.descriptor.environment == Environment::Training);
        let listens = self.connection_to(&claim.account) == AccountState::Connected;
        let judged = answered && result.record.is_some();
        if !training && (judged || listens && claim.nothing_older) { ResultClass::R1 } else { ResultClass::R2 }
    }

    pub(super) fn connection_to(&self, account: &AccountId) -> AccountState {
        self.health.get(account).map_or(AccountState::Starting, |health| health.state)
    }

    /// No receipt within a second.
    pub(super) fn receipt_missing(&mut self) {
        let Phase::Granted(outcome) = &mut self.phase else { return };
        if !outcome.unanswered {
            return;
        }
        outcome.result.class = Some(ResultClass::R2);
        let tap = outcome.result.tap;
        for recent in &mut self.recent {
            if let Phase::Granted(copy) = &mut recent.phase
                && copy.result.tap == tap
            {
                copy.result.class = Some(ResultClass::R2);
            }
        }
    }

    /// The picture of a result was drawn; a held card need not wait any longer.
    pub(super) fn shown(&mut self, step: &mut Step, record: RecordId) {
        if self.unshown.remove(&record) {
            step.push(Effect::MarkShown(record));
        }
        self.resume(step);
    }
}
