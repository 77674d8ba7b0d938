//! Records out, receipts in.

use std::{rc::Rc, time::Duration};

use jiff::Timestamp;
use tracing::warn;

use super::{Pump, flow::Fate};
use crate::{
    adapters::sqlite::JournalError,
    app::{journal_thread::JournalGone, limits, link::Link, shared::Shared},
    domain::{
        delivery::{Outcome, Payload, Receipt, Unsettled, back_off},
        documents::{DocumentName, TerminalStanding},
        ids::RecordId,
    },
    ports::{CentralAccount, Heard},
    terminal::input::Input,
};

/// What came of looking for something to send.
pub(super) enum Sent {
    /// Something was due, and is settled or put off.
    Something,
    /// Nothing is due before then.
    Nothing(Option<Timestamp>),
}

fn ids(payloads: &[Payload]) -> Vec<RecordId> {
    payloads.iter().map(|payload| payload.record).collect()
}

/// A batch with what the account answered, about to be entered.
struct Answered {
    batch: Vec<Payload>,
    receipts: Vec<Receipt>,
}

impl Pump {
    /// Sends batches one after the other, for as long as nothing else is to be done. While one is on its way, what was
    /// answered to the one before is entered.
    pub(super) async fn send_batches(&mut self) -> Result<Sent, JournalGone> {
        let mut answered = None;
        loop {
            let (batch, next) = match self.take_batch().await? {
                Ok(taken) => taken,
                Err(error) => {
                    warn!(%error, "the outbox could not be read");
                    self.disk_until = self.now() + limits::DISK_RETRY;
                    self.enter(answered).await?;
                    return Ok(Sent::Something);
                }
            };
            if batch.is_empty() {
                let entered = answered.is_some();
                self.enter(answered).await?;
                return Ok(if entered { Sent::Something } else { Sent::Nothing(next) });
            }
            let central = self.link.central.borrow().clone();
            let (heard, entered) = tokio::join!(exchange(&*central, &batch, None), self.enter(answered));
            entered?;
            let receipts = match heard {
                Ok(heard) => self.heard(heard),
                Err(why) => {
                    self.unsettled(&batch, &why).await?;
                    return Ok(Sent::Something);
                }
            };
            self.flow.settled(self.now(), &batch);
            self.last_error = None;
            if self.link.documents.borrow().seq(DocumentName::CardList).is_none() {
                // The first card list comes only after the notice; the record that just went may have been it.
                self.hello_at = self.now();
            }
            // A short queue is entered at once: somebody may be looking at it. And if a copy of this terminal exists, not one
            // more record leaves before that is known.
            let drain = receipts.len() > limits::SETTLE_SLICE;
            let forked = receipts.iter().any(|receipt| receipt.outcome == Outcome::Conflict);
            answered = Some(Answered { batch, receipts });
            if !drain || forked || !self.may_send() {
                self.enter(answered).await?;
                self.publish();
                return Ok(Sent::Something);
            }
            self.publish();
        }
    }

    /// Nothing else is to be done before the next batch.
    fn may_send(&self) -> bool {
        let now = self.now();
        now < self.hello_at && self.flow.rests(now).is_none() && !self.link.hurry.get() && self.may_deliver()
    }

    /// What goes next, and if nothing does, when something will. The journal is asked in slices, between which taps go on.
    async fn take_batch(&self) -> Result<Result<(Vec<Payload>, Option<Timestamp>), JournalError>, JournalGone> {
        let mut due = self.due_behind(self.flow.after()).await?;
        if due.as_ref().is_ok_and(Vec::is_empty) && self.flow.after() > 0 {
            due = self.due_behind(0).await?;
        }
        let chosen = match due {
            Ok(due) => self.flow.choose(due),
            Err(error) => return Ok(Err(error)),
        };
        // The attempt is on disk before the first byte leaves.
        let mut batch: Vec<Payload> = Vec::with_capacity(chosen.len());
        for slice in chosen.chunks(limits::MARK_SLICE) {
            let asked = ids(slice);
            match self.shared.journal.run(move |journal| journal.begin_attempt(&asked)).await? {
                Ok(begun) => batch.extend(slice.iter().filter(|payload| begun.contains(&payload.record)).cloned()),
                Err(error) => {
                    self.link.stranded.borrow_mut().extend(ids(&batch));
                    return Ok(Err(error));
                }
            }
        }
        if !batch.is_empty() {
            return Ok(Ok((batch, None)));
        }
        let account = self.link.account();
        let next = self.shared.journal.run(move |journal| journal.next_due(&account)).await?;
        Ok(next.map(|next| (batch, next)))
    }

    /// What is due behind a sequence, as much as the flow wants to see.
    async fn due_behind(&self, after: u64) -> Result<Result<Vec<Payload>, JournalError>, JournalGone> {
        let now = self.shared.clock.wall();
        let mut due: Vec<Payload> = Vec::new();
        loop {
            let most = self.flow.window().saturating_sub(due.len()).min(limits::SETTLE_SLICE);
            let (account, after) = (self.link.account(), due.last().map_or(after, |payload| payload.seq));
            let slice =
                match self.shared.journal.run(move |journal| journal.due_after(&account, now, most, after)).await? {
                    Ok(slice) => slice,
                    Err(error) => return Ok(Err(error)),
                };
            let end = slice.len() < most || most == 0;
            due.extend(slice);
            if end {
                return Ok(Ok(due));
            }
        }
    }

    async fn enter(&self, answered: Option<Answered>) -> Result<(), JournalGone> {
        match answered {
            Some(Answered { batch, receipts }) => settle(&self.shared, &self.link, &batch, receipts).await,
            None => Ok(()),
        }
    }

    /// The batch settled nothing. Whether it or the connection is at fault, the next `hello` tells.
    async fn unsettled(&mut self, batch: &[Payload], why: &Unsettled) -> Result<(), JournalGone> {
        let (now, jitter) = (self.now(), self.shared.jitter());
        let fate = match why {
            Unsettled::BatchRefused | Unsettled::TooLarge => self.flow.refused(now, batch, jitter),
            Unsettled::Throttled { retry_after, pace } => {
                if let Some(pace) = pace {
                    self.flow.keep_pace(*pace);
                }
                self.flow.failed(now, batch, jitter, *retry_after)
            }
            Unsettled::Unknown { .. }
            | Unsettled::NotAuthorised
            | Unsettled::WrongPlace { .. }
            | Unsettled::InProgress => self.flow.failed(now, batch, jitter, None),
        };
        let code = why.code();
        match (fate, why) {
            (Fate::Smaller, _) => put_off(&self.shared, &self.link, batch, self.shared.clock.wall(), code).await?,
            (Fate::Aside, Unsettled::BatchRefused) => self.quarantine(&batch[0]).await?,
            (Fate::Aside, _) => self.step_aside(&batch[0], code).await?,
        }
        if matches!(why, Unsettled::BatchRefused | Unsettled::TooLarge) {
            return Ok(());
        }
        if self.last_error != Some(code) {
            warn!(account = %self.link.account(), code, records = batch.len(), "a delivery settled nothing");
        }
        self.last_error = Some(code);
        // Soon, so that the face tells what is so; and no oftener than deliveries, which have their own back-off.
        self.hello_at = self.hello_at.min(now + back_off(1, jitter));
        Ok(())
    }

    async fn quarantine(&self, payload: &Payload) -> Result<(), JournalGone> {
        let record = payload.record;
        warn!(%record, "the account does not take this record as a request; it is set apart");
        let kept = self.shared.journal.run(move |journal| journal.quarantine(record, "refused_as_request")).await?;
        if let Err(error) = kept {
            warn!(%error, %record, "the record could not be set apart; it goes again");
            self.link.stranded.borrow_mut().push(record);
        }
        self.shared.publish_outbox().await
    }

    /// The record waits by its own count, so that the others go first.
    async fn step_aside(&self, payload: &Payload, code: &'static str) -> Result<(), JournalGone> {
        let (record, now, jitter) = (payload.record, self.shared.clock.wall(), self.shared.jitter());
        let planned = move |attempts| now + back_off(attempts, jitter);
        let kept = self.shared.journal.run(move |journal| journal.step_aside(record, code, planned)).await?;
        if let Err(error) = kept {
            warn!(%error, %record, "the record could not be put off; it is brought back once the disk takes it");
            self.link.stranded.borrow_mut().push(record);
        }
        self.shared.publish_outbox().await
    }

    /// Queues again what only the journal believes to be on its way. Nothing else is sent before the disk takes that.
    pub(super) async fn bring_back_stranded(&mut self) -> Result<(), JournalGone> {
        let stranded = self.link.stranded.take();
        if stranded.is_empty() {
            return Ok(());
        }
        let (again, now) = (stranded.clone(), self.shared.clock.wall());
        if let Err(error) = self.shared.journal.run(move |journal| journal.postpone(&again, now, "not_kept")).await? {
            warn!(%error, records = stranded.len(), "records could not be queued again");
            self.link.stranded.borrow_mut().extend(stranded);
            self.disk_until = self.now() + limits::DISK_RETRY;
            return Ok(());
        }
        self.shared.publish_outbox().await
    }
}

/// Delivers, and asks for the answer where the account has the record in hand already (409). Never a new id, and nothing
/// is settled but by a receipt.
async fn exchange(
    central: &dyn CentralAccount,
    batch: &[Payload],
    wait: Option<Duration>,
) -> Result<Heard<Vec<Receipt>>, Unsettled> {
    match (central.records(batch, wait).await, batch) {
        (Err(Unsettled::InProgress), [one]) => {
            let heard = central.record(one).await?;
            // Not answered yet: the same bytes again later.
            if heard.value.is_empty() { Err(Unsettled::InProgress) } else { Ok(heard) }
        }
        (answer, _) => answer,
    }
}

/// Queues records again, not before an instant.
async fn put_off(
    shared: &Shared,
    link: &Link,
    batch: &[Payload],
    not_before: Timestamp,
    code: &'static str,
) -> Result<(), JournalGone> {
    let records = ids(batch);
    if let Err(error) = shared.journal.run(move |journal| journal.postpone(&records, not_before, code)).await? {
        warn!(%error, "records could not be put off; they are brought back once the disk takes it");
        link.stranded.borrow_mut().extend(ids(batch));
    }
    shared.publish_outbox().await
}

/// Settles what the receipts name, in slices, so that a tap never waits long for the writer. What they do not name was
/// not answered and goes again.
async fn settle(shared: &Rc<Shared>, link: &Link, sent: &[Payload], receipts: Vec<Receipt>) -> Result<(), JournalGone> {
    let account = link.account();
    let now = shared.clock.wall();
    let mut unanswered: Vec<Payload> = sent
        .iter()
        .filter(|p| !receipts.iter().any(|r| r.record == p.record && r.digest == p.digest))
        .cloned()
        .collect();
    let later = now + limits::DEFERRED;
    for slice in receipts.chunks(limits::SETTLE_SLICE) {
        let (account, entered) = (account.clone(), slice.to_vec());
        if let Err(error) = shared.journal.run(move |journal| journal.settle(&account, &entered, now, later)).await? {
            warn!(%error, "receipts could not be settled; the records go again and the account answers the same");
            let of_slice = |payload: &&Payload| slice.iter().any(|receipt| receipt.record == payload.record);
            unanswered.extend(sent.iter().filter(of_slice).cloned());
        }
    }
    for receipt in &receipts {
        if receipt.outcome == Outcome::Conflict {
            shared.fork(link).await?;
        }
        // A long drain is of no interest to the machine; what somebody may be looking at is.
        if receipts.len() <= limits::SETTLE_SLICE {
            shared.post(Input::Judged { record: receipt.record, outcome: receipt.outcome.clone() });
        }
    }
    if !unanswered.is_empty() {
        put_off(shared, link, &unanswered, later, "not_in_receipt").await?;
    }
    shared.publish_outbox().await
}

/// Sends one record alone and at once, because somebody waits for the answer; the queue goes on beside it. Not before the
/// first `hello`, which is what notices a copied terminal: then it goes with the queue.
pub async fn send_awaited(link: Rc<Link>, shared: Rc<Shared>, record: RecordId, wait: Duration) {
    let work = async {
        if !link.greeted.get() || shared.stopped() || link.standing.get() == TerminalStanding::Revoked {
            return Ok(());
        }
        let (now, account) = (shared.clock.wall(), link.account());
        let payload = shared.journal.run(move |journal| {
            let payload = journal.due(&account, now, 1, Some(record))?.pop();
            if payload.is_some() {
                journal.begin_attempt(&[record])?;
            }
            Ok::<_, JournalError>(payload)
        });
        let Ok(Some(payload)) = payload.await? else { return Ok(()) };
        let batch = [payload];
        let central = link.central.borrow().clone();
        match exchange(&*central, &batch, Some(wait)).await {
            Ok(heard) => {
                if let Some(time) = heard.server_time {
                    shared.heard_time(time);
                }
                settle(&shared, &link, &batch, heard.value).await
            }
            Err(why) => put_off(&shared, &link, &batch, shared.clock.wall(), why.code()).await,
        }
    };
    if work.await.is_ok() {
        link.wake.notify_one();
    }
}
