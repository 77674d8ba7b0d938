//! Carries what the journal owes to one account, and brings back what the account says: receipts, standing, beacon,
//! documents. One batch in flight; an awaited record travels alone and passes the queue.
//!
//! Nothing here decides what an answer means: that is the table of `adapters/https`. Nothing here loses a record: every
//! way out of an attempt is a settled receipt or the same bytes again.

use std::{rc::Rc, time::Duration};

use jiff::Timestamp;
use tracing::{info, warn};

use super::{journal_thread::JournalGone, limits, link::Link, shared::Shared};
use crate::{
    adapters::sqlite::Stored,
    domain::{
        delivery::{Outcome, Payload, Receipt, Unsettled, back_off},
        documents::{Control, DocumentName, TerminalStanding},
        ids::RecordId,
    },
    ports::Heard,
    terminal::{
        input::{AccountHealth, Input},
        screen::{AccountState, BlockedBy},
    },
};

/// What the pump remembers between two rounds.
struct Pump {
    link: Rc<Link>,
    shared: Rc<Shared>,
    /// Failures of the whole connection in a row.
    failures: u32,
    /// Nothing is sent before, monotonic.
    paused_until: Duration,
    /// `hello` is due, monotonic.
    hello_at: Duration,
    /// Records per request, halved around a record that is not accepted.
    batch: usize,
    /// Records per request the account asks for, and the pause between two.
    pace: (usize, Duration),
    last_success: Option<Timestamp>,
    last_error: Option<String>,
}

/// Runs until the terminal stops. Begins with `hello`, so that a copied terminal is noticed before anything is sent.
pub async fn pump(link: Rc<Link>, shared: Rc<Shared>) {
    let now = shared.clock.monotonic();
    let mut pump = Pump {
        link,
        shared,
        failures: 0,
        paused_until: now,
        hello_at: now,
        batch: limits::BATCH,
        pace: (limits::BATCH, Duration::ZERO),
        last_success: None,
        last_error: None,
    };
    while pump.round().await.is_ok() {}
}

impl Pump {
    async fn round(&mut self) -> Result<(), JournalGone> {
        if self.link.hurry.take() {
            self.paused_until = Duration::ZERO;
            self.hello_at = self.hello_at.min(self.now());
            self.release_waiting().await?;
        }
        if self.now() >= self.hello_at {
            self.hello().await?;
        }
        let mut next = self.hello_at;
        if self.link.standing.get() == TerminalStanding::Revoked || self.shared.stopped.get() {
            // Nobody takes the records now; they stay. `hello` goes on asking.
        } else if self.now() < self.paused_until {
            next = next.min(self.paused_until);
        } else if self.failures == 0 {
            match self.send_batch().await? {
                Sent::More => return Ok(()),
                // Planned under a wall clock that was ahead: no answer asks for so long a wait.
                Sent::Nothing(Some(due)) if self.until(due) > limits::LONGEST_WAIT => {
                    self.release_waiting().await?;
                    next = next.min(self.now() + Duration::from_secs(1));
                }
                Sent::Nothing(Some(due)) => next = next.min(self.now() + self.until(due)),
                Sent::Nothing(None) => {}
                Sent::Paused => next = next.min(self.paused_until),
            }
        }
        let wait = next.saturating_sub(self.now()).max(Duration::from_millis(1));
        tokio::select! {
            () = self.link.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    fn until(&self, due: Timestamp) -> Duration {
        let ms = due.as_millisecond().saturating_sub(self.shared.clock.wall().as_millisecond());
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// Tells the face how the connection stands.
    fn publish(&self, state: AccountState) {
        let wait = self.paused_until.saturating_sub(self.now());
        let next_try = (!wait.is_zero()).then(|| self.shared.clock.wall() + wait);
        self.shared.post(Input::AccountHealth(AccountHealth {
            account: self.link.account(),
            state,
            last_success: self.last_success,
            last_error: self.last_error.clone(),
            next_try,
        }));
    }

    fn heard<T>(&mut self, heard: Heard<T>) -> T {
        self.failures = 0;
        self.paused_until = Duration::ZERO;
        self.last_error = None;
        self.last_success = Some(self.shared.clock.wall());
        if let Some(pace) = heard.pace {
            self.pace = (usize::from(pace.batch), Duration::from_millis(u64::from(pace.after_ms)));
        }
        if let Some(time) = heard.server_time {
            self.shared.heard_time(time);
        }
        heard.value
    }

    /// The connection failed: count, plan the next try, tell the face.
    fn failed(&mut self, why: &Unsettled) {
        self.failures = self.failures.saturating_add(1);
        let jitter = self.shared.jitter();
        let mut wait = back_off(self.failures, jitter);
        let (state, code) = match why {
            Unsettled::NotAuthorised => (AccountState::Credentials, "not_authorised"),
            Unsettled::WrongPlace { code } => (AccountState::WrongPlace, *code),
            Unsettled::Throttled { retry_after } => {
                wait += retry_after.unwrap_or_default();
                (AccountState::Unreachable, "throttled")
            }
            Unsettled::Unknown { code } => (AccountState::Unreachable, *code),
            Unsettled::BatchRefused => (AccountState::Unreachable, "refused"),
            Unsettled::TooLarge => (AccountState::Unreachable, "too_large"),
            Unsettled::InProgress => (AccountState::Unreachable, "in_progress"),
        };
        if self.last_error.as_deref() != Some(code) {
            warn!(account = %self.link.account(), code, "no exchange with the account");
        }
        self.last_error = Some(code.to_owned());
        self.paused_until = self.now() + wait;
        // `hello` is the probe: cheap, and soon enough that nobody needs to press a key when the account is back.
        let asked = if let Unsettled::Throttled { retry_after } = why { *retry_after } else { None };
        self.hello_at = self.now() + asked.unwrap_or_default() + wait.min(limits::HELLO_RETRY_CAP);
        self.publish(state);
    }

    async fn hello(&mut self) -> Result<(), JournalGone> {
        let central = self.link.central.borrow().clone();
        match central.hello().await {
            Ok(heard) => {
                let back = self.last_error.is_some();
                let control = self.heard(heard);
                self.hello_at = self.now() + limits::HELLO_EVERY;
                if back {
                    info!(account = %self.link.account(), "the account answers again");
                    // What was put off because of the connection alone is due now.
                    self.release_waiting().await?;
                }
                self.regard(&control).await?;
                self.documents(&control).await?;
                self.renew().await?;
            }
            Err(why) => {
                self.failed(&why);
                // An expired certificate may still renew itself (protocol, 2); nothing else brings the account back.
                if why == Unsettled::NotAuthorised {
                    self.renew().await?;
                }
            }
        }
        Ok(())
    }

    /// Standing, fork, beacon.
    async fn regard(&mut self, control: &Control) -> Result<(), JournalGone> {
        let account = self.link.account();
        if let Some((seq, digest)) = control.head {
            let asked = account.clone();
            let own = self.shared.journal.run(move |journal| journal.digest_at(&asked, seq)).await?;
            let own = match own {
                Ok(own) => own,
                // Not knowing is no proof of a copy; whoever needs the journal next says what is wrong with it.
                Err(error) => {
                    warn!(%account, %error, "the account's head could not be compared with ours");
                    self.paused_until = self.now() + limits::HELLO_RETRY_CAP;
                    self.hello_at = self.paused_until;
                    return Ok(());
                }
            };
            if own != Some(digest) {
                warn!(%account, seq, "the account knows another record under our number: this terminal was copied");
                self.shared.post(Input::Blocked(BlockedBy::Fork));
                self.shared.stopped.set(true);
                return Ok(());
            }
        }
        self.link.beacon.set(control.beacon);
        let (beacon, issued_at) = (control.beacon, control.issued_at);
        let kept = account.clone();
        let _ = self.shared.journal.run(move |journal| journal.remember_beacon(&kept, beacon, issued_at)).await?;
        if self.link.standing.replace(control.standing) != control.standing {
            self.shared.publish_view(&self.link);
        }
        self.publish(match control.standing {
            TerminalStanding::Active => AccountState::Connected,
            TerminalStanding::Suspended => AccountState::Suspended,
            TerminalStanding::Revoked => AccountState::Revoked,
        });
        // What it means for the terminal as a whole is the machine's to say: other accounts may go on.
        Ok(())
    }

    /// Fetches what is newer than ours. A document that cannot be had now keeps its old version.
    async fn documents(&mut self, control: &Control) -> Result<(), JournalGone> {
        if self.link.reference_keys.borrow().is_empty() {
            self.reference_key().await;
        }
        let central = self.link.central.borrow().clone();
        let mut changed = false;
        for name in DocumentName::ALL {
            let have = self.link.documents.borrow().seq(name);
            let newest = control.documents.iter().find(|(n, _)| *n == name).map(|(_, seq)| *seq);
            if newest.is_none_or(|newest| have.is_some_and(|have| newest <= have)) {
                continue;
            }
            let document = match central.document(name, have).await {
                Ok(heard) => self.heard(heard),
                Err(why) => {
                    warn!(document = name.word(), ?why, "a document could not be fetched; the old one stays");
                    continue;
                }
            };
            let account = self.link.account();
            let kept = document.clone();
            match self.shared.journal.run(move |journal| journal.store_document(&account, &kept)).await? {
                Ok(Stored::NotNewer { have }) => {
                    warn!(document = name.word(), seq = document.seq, have, "an older document was refused");
                }
                Ok(Stored::Replaced) => {
                    info!(document = name.word(), seq = document.seq, "document taken");
                    self.link.documents.borrow_mut().take(document);
                    changed = true;
                }
                Err(error) => warn!(document = name.word(), %error, "a document could not be kept"),
            }
        }
        if changed {
            self.shared.publish_view(&self.link);
        }
        // A list under another key tells that the reference key was rotated.
        let account = self.link.account();
        let under = self.shared.journal.run(move |journal| journal.card_list_key(&account)).await?;
        if let Ok(Some(name)) = under {
            let known = self.link.reference_keys.borrow().iter().any(|key| key.ref_kid == name);
            if !known {
                self.reference_key().await;
            }
        }
        Ok(())
    }

    async fn reference_key(&mut self) {
        let central = self.link.central.borrow().clone();
        match central.reference_key().await {
            Ok(heard) => {
                let key = self.heard(heard);
                self.shared.keep_reference_key(&self.link, key);
            }
            Err(why) => warn!(?why, "no reference key yet; cards are unknown until it comes"),
        }
    }

    /// From two thirds of the certificate's life.
    async fn renew(&mut self) -> Result<(), JournalGone> {
        let central = self.link.central.borrow().clone();
        let (from, until) = central.certificate_window();
        let life = until.as_second() - from.as_second();
        if self.shared.clock.wall().as_second() < from.as_second() + life / 3 * 2 {
            return Ok(());
        }
        match central.renew().await {
            Ok(heard) => {
                // Not `heard`: only the next greeting shows that the account takes the new certificate.
                self.shared.take_chain(&self.link, heard.value).await?;
            }
            Err(why) => warn!(?why, "the certificate could not be renewed; tried again at the next hello"),
        }
        Ok(())
    }

    async fn release_waiting(&self) -> Result<(), JournalGone> {
        if let Err(error) = self.shared.journal.run(|journal| journal.hurry()).await? {
            warn!(%error, "waiting records could not be released");
        }
        Ok(())
    }

    async fn send_batch(&mut self) -> Result<Sent, JournalGone> {
        let account = self.link.account();
        let (now, most) = (self.shared.clock.wall(), u32::try_from(self.batch.min(self.pace.0)).unwrap_or(1));
        let taken = self.shared.journal.run(move |journal| {
            let due = journal.due(&account, now, most, None)?;
            let ids: Vec<RecordId> = due.iter().map(|payload| payload.record).collect();
            // The attempt is on disk before the first byte leaves.
            journal.begin_attempt(&ids)?;
            let next = if due.is_empty() { journal.next_due(&account)? } else { None };
            Ok::<_, crate::adapters::sqlite::JournalError>((due, next))
        });
        let (due, next) = match taken.await? {
            Ok(taken) => taken,
            Err(error) => {
                warn!(%error, "the outbox could not be read");
                self.paused_until = self.now() + Duration::from_secs(5);
                return Ok(Sent::Paused);
            }
        };
        if due.is_empty() {
            return Ok(Sent::Nothing(next));
        }
        let central = self.link.central.borrow().clone();
        match central.records(&due, None).await {
            Ok(heard) => {
                let receipts = self.heard(heard);
                let waiting_for_notice = self.link.documents.borrow().seq(DocumentName::CardList).is_none();
                settle(&self.shared, &self.link, &due, receipts).await?;
                self.publish(AccountState::Connected);
                self.batch = (self.batch * 2).min(limits::BATCH);
                if waiting_for_notice {
                    // The first card list comes only after the notice; the record that just went may have been it.
                    self.hello_at = self.now();
                }
                self.paused_until = self.now() + self.pace.1;
                Ok(if self.pace.1.is_zero() { Sent::More } else { Sent::Paused })
            }
            Err(Unsettled::BatchRefused) if due.len() == 1 => {
                let id = due[0].record;
                warn!(record = %id, "the account does not take this record as a request; it steps aside");
                let set_aside = self.shared.journal.run(move |journal| journal.quarantine(id, "refused_as_request"));
                if let Err(error) = set_aside.await? {
                    warn!(%error, "the record could not be set aside");
                    self.failed(&Unsettled::BatchRefused);
                }
                self.shared.publish_outbox().await?;
                self.batch = limits::BATCH;
                Ok(Sent::More)
            }
            Err(why @ (Unsettled::BatchRefused | Unsettled::TooLarge)) if due.len() > 1 => {
                self.batch = due.len() / 2;
                self.put_off(&due, self.shared.clock.wall(), &why).await?;
                Ok(Sent::More)
            }
            Err(why) => {
                self.failed(&why);
                let not_before = self.shared.clock.wall() + self.paused_until.saturating_sub(self.now());
                self.put_off(&due, not_before, &why).await?;
                Ok(Sent::Paused)
            }
        }
    }

    async fn put_off(&self, due: &[Payload], not_before: Timestamp, why: &Unsettled) -> Result<(), JournalGone> {
        put_off(&self.shared, due, not_before, why).await
    }
}

enum Sent {
    /// Look again at once.
    More,
    /// Nothing is due before then.
    Nothing(Option<Timestamp>),
    /// The connection rests.
    Paused,
}

fn code(why: &Unsettled) -> &'static str {
    match why {
        Unsettled::Unknown { code } | Unsettled::WrongPlace { code } => code,
        Unsettled::NotAuthorised => "not_authorised",
        Unsettled::BatchRefused => "refused",
        Unsettled::TooLarge => "too_large",
        Unsettled::InProgress => "in_progress",
        Unsettled::Throttled { .. } => "throttled",
    }
}

async fn put_off(shared: &Shared, due: &[Payload], not_before: Timestamp, why: &Unsettled) -> Result<(), JournalGone> {
    let ids: Vec<RecordId> = due.iter().map(|payload| payload.record).collect();
    let code = code(why);
    if let Err(error) = shared.journal.run(move |journal| journal.postpone(&ids, not_before, code)).await? {
        warn!(%error, "records could not be put off; they are due again at the next start");
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
            shared.post(Input::Blocked(BlockedBy::Fork));
            shared.stopped.set(true);
        }
        // A long drain is of no interest to the machine; what somebody may be looking at is.
        if receipts.len() <= limits::SETTLE_SLICE {
            shared.post(Input::Judged { record: receipt.record, outcome: receipt.outcome.clone() });
        }
    }
    if !unanswered.is_empty() {
        put_off(shared, &unanswered, later, &Unsettled::Unknown { code: "not_in_receipt" }).await?;
    }
    shared.publish_outbox().await
}

/// Sends one record alone and at once, because somebody waits for the answer; the queue goes on beside it.
pub async fn send_awaited(link: Rc<Link>, shared: Rc<Shared>, record: RecordId, wait: Duration) {
    let work = async {
        let (now, account) = (shared.clock.wall(), link.account());
        let payload = shared.journal.run(move |journal| {
            let payload = journal.due(&account, now, 1, Some(record))?.pop();
            if payload.is_some() {
                journal.begin_attempt(&[record])?;
            }
            Ok::<_, crate::adapters::sqlite::JournalError>(payload)
        });
        let Ok(Some(payload)) = payload.await? else { return Ok(()) };
        let batch = [payload];
        let central = link.central.borrow().clone();
        match central.records(&batch, Some(wait)).await {
            Ok(heard) => {
                if let Some(time) = heard.server_time {
                    shared.heard_time(time);
                }
                settle(&shared, &link, &batch, heard.value).await
            }
            Err(why) => put_off(&shared, &batch, shared.clock.wall(), &why).await,
        }
    };
    if work.await.is_ok() {
        link.wake.notify_one();
    }
}
