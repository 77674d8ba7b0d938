//! Records beside the tap: taking a booking back, saying that it was served, acknowledging a notice. Each is committed
//! like any other; the tap in hand never waits for them.

use std::time::Duration;

use super::{
    Step, Terminal,
    command::CommandRefusal,
    effect::Effect,
    phase::{Outcome, Phase, View},
    screen::{BlockedBy, Row, RowState, TapResult},
    span,
    tap::Refused,
};
use crate::domain::{
    amount::Cents,
    claim::Refusal,
    ids::{AccountId, OfferId, OperatorId, RecordId, Tag},
    record::{Draft, Fact, Record, ReversalReason},
};

/// A redemption as far as its reversal and the picture of it need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reversible {
    record: RecordId,
    account: AccountId,
    offer: OfferId,
    service_date: jiff::civil::Date,
    amount: Cents,
    tag: Option<Tag>,
}

impl Reversible {
    pub(super) fn of(draft: &Draft) -> Self {
        Self {
            record: draft.record,
            account: draft.account.clone(),
            offer: draft.offer.clone(),
            service_date: draft.service_date,
            amount: draft.amount,
            tag: draft.tag.clone(),
        }
    }

    fn of_row(row: &Row) -> Self {
        Self {
            record: row.record,
            account: row.account.clone(),
            offer: row.offer.clone(),
            service_date: row.service_date,
            amount: row.amount,
            tag: row.tag.clone(),
        }
    }
}

/// The last grant, while one touch takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastGrant {
    /// `None` for a neutral card: nothing is owed, and the touch looks the same.
    pub of: Option<Reversible>,
    pub until: Duration,
    /// The picture of it.
    pub result: TapResult,
}

impl LastGrant {
    pub(super) fn record(&self) -> Option<RecordId> {
        self.of.as_ref().map(|of| of.record)
    }
}

/// A record beside the tap that is on its way to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aside {
    what: AsideOf,
    /// The commit failed once, for this reason; the record is being looked up.
    uncertain: Option<BlockedBy>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AsideOf {
    Served,
    Reversal {
        of: Reversible,
        /// Somebody asked for it and wants to see it done.
        by_hand: bool,
    },
    Notice {
        account: AccountId,
        operator: OperatorId,
        version: u32,
    },
}

impl Terminal {
    /// Commits a record whose id is this input's.
    pub(super) fn append(&mut self, step: &mut Step, account: AccountId, fact: Fact, what: AsideOf) {
        let catalogue = self.accounts.get(&account).and_then(|view| view.catalogue.as_ref());
        let record = Record {
            id: step.fresh,
            catalogue_seq: catalogue.map_or(0, |catalogue| catalogue.seq),
            account,
            fact,
            made_at: step.at.wall,
            monotonic_ms: u64::try_from(step.now().as_millis()).unwrap_or(u64::MAX),
            clock: step.at.clock.clone(),
            operator: self.operator(),
        };
        step.push(Effect::Commit(Box::new(record)));
        self.aside.insert(step.fresh, Aside { what, uncertain: None });
    }

    pub(super) fn take_back(&mut self, step: &mut Step, of: Reversible, reason: ReversalReason, by_hand: bool) {
        self.reversed.insert(of.record);
        let fact =
            Fact::Reversal { reverses: of.record, offer: of.offer.clone(), service_date: of.service_date, reason };
        self.append(step, of.account.clone(), fact, AsideOf::Reversal { of, by_hand });
    }

    /// The last grant, as long as one touch takes it back.
    fn fresh_grant(&self, now: Duration) -> Option<&LastGrant> {
        self.last_grant.as_ref().filter(|last| last.until > now)
    }

    /// What `undo` would take back now.
    pub(super) fn undoable(&self, now: Duration) -> Option<&LastGrant> {
        let taken_back = |last: &LastGrant| last.record().is_some_and(|record| self.reversed.contains(&record));
        self.fresh_grant(now).filter(|last| self.phase.in_service() && !taken_back(last))
    }

    pub(super) fn undo(&mut self, step: &mut Step) -> Result<(), CommandRefusal> {
        if !self.phase.in_service() {
            return Err(CommandRefusal::NotNow);
        }
        let last = self.fresh_grant(step.now()).ok_or(CommandRefusal::TooLate)?;
        match last.of.clone() {
            Some(of) if self.reversed.contains(&of.record) => return Err(CommandRefusal::AlreadyReversed),
            Some(of) => self.take_back(step, of, ReversalReason::Undo, true),
            None => {
                let TapResult { offer, amount, tag, .. } = last.result.clone();
                self.recent.clear();
                self.show_reversed(step, TapResult { offer, amount, tag, ..TapResult::default() });
            }
        }
        self.last_grant = None;
        Ok(())
    }

    pub(super) fn reverse(
        &mut self,
        step: &mut Step,
        record: RecordId,
        reason: ReversalReason,
    ) -> Result<(), CommandRefusal> {
        if !self.phase.in_service() {
            return Err(CommandRefusal::NotNow);
        }
        let unclear = self.unclear.iter().any(|row| row.record == record);
        match reason {
            ReversalReason::Undo | ReversalReason::NoConnection => return Err(CommandRefusal::WrongReason),
            ReversalReason::NeverShown if !unclear => return Err(CommandRefusal::WrongReason),
            _ => {}
        }
        let of = self.reversible(record)?;
        self.take_back(step, of, reason, true);
        Ok(())
    }

    fn reversible(&self, record: RecordId) -> Result<Reversible, CommandRefusal> {
        if self.reversed.contains(&record) {
            return Err(CommandRefusal::AlreadyReversed);
        }
        if let Some(row) = self.row(record) {
            return match row.state {
                RowState::Waiting | RowState::Booked | RowState::Disputed | RowState::Unclear => {
                    Ok(Reversible::of_row(row))
                }
                RowState::ReversalWaiting | RowState::Reversed => Err(CommandRefusal::AlreadyReversed),
                RowState::Rejected | RowState::Quarantined => Err(CommandRefusal::NotReversible),
            };
        }
        let last = self.last_grant.as_ref().and_then(|last| last.of.clone());
        last.filter(|of| of.record == record).ok_or(CommandRefusal::UnknownRecord)
    }

    /// A booking this terminal shows somewhere.
    pub(super) fn row(&self, record: RecordId) -> Option<&Row> {
        let open: &[Row] = match &self.phase {
            Phase::Ready(View::List { rows, .. }) => rows,
            Phase::Ready(View::Detail(row)) => std::slice::from_ref(row),
            _ => &[],
        };
        self.unclear.iter().chain(&self.books.rows).chain(open).find(|row| row.record == record)
    }

    pub(super) fn aside_committed(&mut self, step: &mut Step, record: RecordId) {
        let Some(aside) = self.aside.remove(&record) else { return };
        step.push(Effect::WakeForwarder { awaited: None });
        match aside.what {
            AsideOf::Served => {}
            AsideOf::Reversal { of, by_hand } => {
                self.unclear.retain(|row| row.record != of.record);
                self.recent.retain(|recent| !recent.phase.shows(of.record));
                if by_hand {
                    self.show_reversed(
                        step,
                        TapResult {
                            record: Some(of.record),
                            offer: Some(of.offer),
                            amount: Some(of.amount),
                            tag: of.tag,
                            ..TapResult::default()
                        },
                    );
                }
            }
            AsideOf::Notice { account, operator, version } => {
                self.notices.insert((account, operator), version);
                if let Phase::Notice { .. } = self.phase {
                    self.go_home(step);
                }
            }
        }
    }

    pub(super) fn aside_failed(&mut self, step: &mut Step, record: RecordId, blocked: Option<BlockedBy>) {
        if let Phase::OutOfService(_) = self.phase {
            return;
        }
        let Some(aside) = self.aside.get_mut(&record) else { return };
        match (blocked, aside.uncertain) {
            (Some(why), None) => {
                aside.uncertain = Some(why);
                step.push(Effect::LookUp(record));
            }
            (Some(_), Some(first)) => self.close(step, first),
            (None, _) => {
                let what = aside.what.clone();
                self.aside.remove(&record);
                self.aside_refused(step, what);
            }
        }
    }

    /// The journal did not take this record and goes on: what it stood for did not happen, and staff must know.
    fn aside_refused(&mut self, step: &mut Step, what: AsideOf) {
        match what {
            AsideOf::Reversal { of, by_hand } => {
                self.reversed.remove(&of.record);
                if by_hand && self.phase.is_calm() {
                    let by = Refused { record: Some(of.record), offer: Some(of.offer), ..Refused::default() };
                    self.refuse(step, Refusal::NotRecorded, by);
                } else if self.unclear.iter().all(|row| row.record != of.record) {
                    self.unclear.extend(self.row(of.record).cloned());
                }
            }
            AsideOf::Notice { .. } => {
                if let Phase::Notice { pending, .. } = &mut self.phase {
                    *pending = None;
                }
            }
            AsideOf::Served => {}
        }
    }

    /// Shown without class and without a sound of its own, where nothing else runs.
    fn show_reversed(&mut self, step: &mut Step, result: TapResult) {
        if !self.phase.is_calm() {
            return;
        }
        let result = TapResult { reason: Some("reversed".to_owned()), ..result };
        let outcome = Outcome { result, claim: None, unanswered: false };
        self.present(step, Phase::Reversed, outcome, Some(span::BOOKED));
    }
}

impl Phase {
    pub(super) fn shows(&self, record: RecordId) -> bool {
        match self {
            Self::Granted(outcome) | Self::Refused(outcome) => outcome.result.record == Some(record),
            _ => false,
        }
    }
}
