//! Carries what the journal owes to one account, and brings back what the account says: receipts, standing, beacon,
//! documents, later outcomes. One batch in flight; an awaited record travels alone and passes the queue.
//!
//! Nothing here decides what an answer means: that is the table of `adapters/https`. Nothing here loses a record: every
//! way out of an attempt is a settled receipt or the same bytes again.
//!
//! Two things can fail and have a back-off each. The connection: `hello` finds out, and nothing is sent while it does not
//! go well. A delivery while the connection is good: then the cause is looked for in the batch, by [`flow`].
//!
//! Order inside: `flow` → this file → `delivery`, `greeting`, `afterwards`.

mod afterwards;
mod delivery;
mod flow;
mod greeting;

use std::{rc::Rc, time::Duration};

use jiff::Timestamp;
use tracing::warn;

pub use self::delivery::send_awaited;
use self::{delivery::Sent, flow::Flow};
use super::{journal_thread::JournalGone, limits, link::Link, shared::Shared};
use crate::{
    domain::documents::TerminalStanding,
    ports::Heard,
    terminal::{
        input::{AccountHealth, Input},
        screen::AccountState,
    },
};

/// What the pump remembers between two rounds.
struct Pump {
    link: Rc<Link>,
    shared: Rc<Shared>,
    /// Failures of `hello` in a row.
    failures: u32,
    /// `hello` is due, monotonic.
    hello_at: Duration,
    /// The disk did not take something: nothing is done before, monotonic.
    disk_until: Duration,
    /// How much is sent, how fast.
    flow: Flow,
    /// How the account regarded the terminal when it was last asked.
    state: AccountState,
    last_success: Option<Timestamp>,
    /// Why the newest exchange came to nothing.
    last_error: Option<&'static str>,
}

/// Runs until the terminal stops. Begins with `hello`, so that a copied terminal is noticed before anything is sent.
pub async fn pump(link: Rc<Link>, shared: Rc<Shared>) {
    let now = shared.clock.monotonic();
    let mut pump = Pump {
        link,
        shared,
        failures: 0,
        hello_at: now,
        disk_until: now,
        flow: Flow::default(),
        state: AccountState::Starting,
        last_success: None,
        last_error: None,
    };
    while pump.round().await.is_ok() {}
}

impl Pump {
    async fn round(&mut self) -> Result<(), JournalGone> {
        if self.link.hurry.take() {
            self.flow.hurry();
            self.hello_at = self.hello_at.min(self.now());
            self.release_waiting().await?;
        }
        if self.now() >= self.disk_until {
            self.bring_back_stranded().await?;
        }
        if self.now() >= self.hello_at {
            self.hello().await?;
        }
        let mut next = self.hello_at;
        if !self.may_deliver() {
            // Nobody takes the records now; they stay. `hello` goes on asking.
        } else if self.now() < self.disk_until {
            next = next.min(self.disk_until);
        } else if let Some(until) = self.flow.rests(self.now()) {
            next = next.min(until);
        } else if self.failures == 0 {
            match self.send_batches().await? {
                Sent::Something => return Ok(()),
                // Planned under a wall clock that was ahead: no answer asks for so long a wait.
                Sent::Nothing(Some(due)) if self.until(due) > limits::LONGEST_WAIT => {
                    self.release_waiting().await?;
                    next = next.min(self.now() + Duration::from_secs(1));
                }
                Sent::Nothing(Some(due)) => next = next.min(self.now() + self.until(due)),
                Sent::Nothing(None) => {}
            }
        }
        let wait = next.saturating_sub(self.now()).max(Duration::from_millis(1));
        tokio::select! {
            () = self.link.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
        Ok(())
    }

    /// Somebody takes what is owed.
    fn may_deliver(&self) -> bool {
        self.link.standing.get() != TerminalStanding::Revoked && !self.shared.stopped()
    }

    fn now(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    fn until(&self, due: Timestamp) -> Duration {
        let ms = due.as_millisecond().saturating_sub(self.shared.clock.wall().as_millisecond());
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    /// Tells the face how the account is to be had.
    fn publish(&self) {
        let now = self.now();
        let next = if self.failures > 0 { Some(self.hello_at) } else { self.flow.rests(now) };
        let next_try = next.map(|at| self.shared.clock.wall() + at.saturating_sub(now));
        self.shared.post(Input::AccountHealth(AccountHealth {
            account: self.link.account(),
            state: self.state,
            last_success: self.last_success,
            last_error: self.last_error.map(str::to_owned),
            next_try: next_try.filter(|_| self.last_error.is_some()),
        }));
    }

    /// An answer came and was believed: takes note of what stands beside it.
    fn heard<T>(&mut self, heard: Heard<T>) -> T {
        self.last_success = Some(self.shared.clock.wall());
        if let Some(pace) = heard.pace {
            self.flow.keep_pace(pace);
        }
        if let Some(time) = heard.server_time {
            self.shared.heard_time(time);
        }
        heard.value
    }

    async fn release_waiting(&self) -> Result<(), JournalGone> {
        if let Err(error) = self.shared.journal.run(|journal| journal.hurry()).await? {
            warn!(%error, "waiting records could not be released");
        }
        Ok(())
    }
}
