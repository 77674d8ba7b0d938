//! What driver and forwarders hold in common, on the one thread both run on.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::{
    journal_thread::{JournalDesk, JournalGone},
    limits,
    link::Link,
    moment::Moments,
    profiles::Profiles,
};
use crate::{
    adapters::sqlite::WaitingRecords,
    card::trust::Trust,
    domain::{
        booking::{BookingFilter, BookingRow},
        documents::{AccountDescriptor, ReferenceKey, TerminalStanding},
        ids::RecordId,
    },
    ports::{CentralAccounts, Clock, Entropy, PinHash, SecretStore},
    terminal::{
        input::Input,
        screen::{Row, Waiting},
    },
};

/// The common ground of the application's thread.
pub struct Shared {
    /// Inputs that must not be lost: results of effects and news of the accounts. As many as effects are open.
    pub results: mpsc::UnboundedSender<Input>,
    /// The journal.
    pub journal: JournalDesk,
    /// Clocks.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Time stamps and the floor.
    pub moments: RefCell<Moments>,
    /// The floor as others see it: unix seconds.
    pub floor_s: Arc<AtomicU64>,
    /// The accounts.
    pub links: RefCell<Vec<Rc<Link>>>,
    /// What the reader's thread verifies with; replaced whole.
    pub trust: Arc<std::sync::RwLock<Arc<Trust>>>,
    /// Which profiles are in force.
    pub profiles: Rc<Profiles>,
    /// Small secrets.
    pub secrets: RefCell<Box<dyn SecretStore>>,
    /// PINs.
    pub pins: Arc<dyn PinHash>,
    /// Ways to accounts.
    pub central: Box<dyn CentralAccounts>,
    /// No real card need stand behind what this terminal reads: a virtual reader was seen, a simulated part is built in, or
    /// workshop profiles are in use. No production account takes such a terminal.
    pub practice: Arc<AtomicBool>,
}

impl Shared {
    /// Puts an input at the end of the line.
    pub fn post(&self, input: Input) {
        // The receiver lives as long as the driver; afterwards nobody wants to know.
        let _ = self.results.send(input);
    }

    /// Nothing may be sent any more: a copy of this terminal exists.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.links.borrow().iter().any(|link| link.forked.get())
    }

    /// The account knows other records under our numbers. The terminal stops, and stays stopped through restarts.
    ///
    /// # Errors
    /// [`JournalGone`].
    pub async fn fork(&self, link: &Link) -> Result<(), JournalGone> {
        if link.forked.replace(true) {
            return Ok(());
        }
        self.publish_view(link);
        let account = link.account();
        if let Err(error) = self.journal.run(move |journal| journal.mark_forked(&account)).await? {
            error!(%error, "the fork could not be written down; the account tells it again after a restart");
        }
        Ok(())
    }

    /// Keeps how the account regards this terminal, so that a start without network knows it.
    ///
    /// # Errors
    /// [`JournalGone`].
    pub async fn regarded(&self, link: &Link, standing: TerminalStanding) -> Result<(), JournalGone> {
        if link.standing.replace(standing) == standing {
            return Ok(());
        }
        self.publish_view(link);
        let account = link.account();
        if let Err(error) = self.journal.run(move |journal| journal.remember_standing(&account, standing)).await? {
            warn!(%error, "the standing could not be written down; the account tells it again after a restart");
        }
        Ok(())
    }

    /// A district of this descriptor is served by another account of this terminal: cards would have two homes.
    #[must_use]
    pub fn is_claimed_elsewhere(&self, descriptor: &AccountDescriptor) -> bool {
        self.links.borrow().iter().filter(|link| link.account() != descriptor.account).any(|link| {
            let documents = link.documents.borrow();
            let theirs = documents.descriptor.iter().flat_map(|theirs| &theirs.districts);
            theirs.into_iter().any(|district| descriptor.districts.contains(district))
        })
    }

    /// A random fraction for back-off.
    #[must_use]
    pub fn jitter(&self) -> u16 {
        let mut bytes = [0; 2];
        self.entropy.fill(&mut bytes);
        u16::from_be_bytes(bytes)
    }

    /// An account told its time.
    pub fn heard_time(self: &Rc<Self>, server: Timestamp) {
        let risen = self.moments.borrow_mut().heard(&*self.clock, server);
        self.floor_s.store(
            u64::try_from(server.as_second()).unwrap_or(0).max(self.floor_s.load(Ordering::Relaxed)),
            Ordering::Relaxed,
        );
        if let Some(floor) = risen {
            let shared = Rc::clone(self);
            tokio::task::spawn_local(async move {
                if let Ok(Err(error)) = shared.journal.run(move |journal| journal.raise_time_floor(floor)).await {
                    warn!(%error, "the time floor could not be kept");
                }
            });
        }
    }

    /// Tells machine and reader what an account's documents say now.
    pub fn publish_view(&self, link: &Link) {
        let accounts: Vec<_> = self.links.borrow().iter().filter_map(|link| link.trusted()).collect();
        *self.trust.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(Trust::new(accounts));
        self.renew_profiles();
        if let Some(view) = link.view() {
            self.post(Input::Account(Box::new(view)));
        }
    }

    /// Documents came or expired.
    pub fn renew_profiles(&self) {
        let floor = self.moments.borrow().floor();
        self.profiles.renew(&self.links.borrow(), floor);
    }

    /// Counts and last rows after the outbox changed.
    ///
    /// # Errors
    /// [`JournalGone`].
    pub async fn publish_outbox(&self) -> Result<(), JournalGone> {
        let today = self.moments.borrow_mut().at(&*self.clock).today;
        let overview = self.journal.run(move |journal| journal.summary(today, limits::RECENT_ROWS)).await?;
        match overview {
            Ok(overview) => self.post(Input::OutboxChanged {
                waiting: self.waiting(&overview.waiting),
                rows: self.rows(overview.last),
                today: overview.today,
                later_refusals: overview.later_refusals,
            }),
            Err(error) => warn!(%error, "the outbox could not be counted"),
        }
        Ok(())
    }

    /// What waits, with its age.
    #[must_use]
    pub fn waiting(&self, waiting: &WaitingRecords) -> Waiting {
        let age = |made: Timestamp| (self.clock.wall().as_second() - made.as_second()).max(0);
        Waiting {
            records: waiting.records,
            oldest_s: waiting.oldest.map(|made| u32::try_from(age(made)).unwrap_or(u32::MAX)),
        }
    }

    /// Rows for an open list.
    pub async fn publish_rows(&self, filter: BookingFilter) -> Result<(), JournalGone> {
        match self.journal.run(move |journal| journal.rows(filter, limits::ROWS)).await? {
            Ok(rows) => self.post(Input::RowsLoaded { filter, rows: self.rows(rows) }),
            Err(error) => warn!(%error, "the list could not be read"),
        }
        Ok(())
    }

    /// Rows as the face shows them.
    #[must_use]
    pub fn rows(&self, rows: Vec<BookingRow>) -> Vec<Row> {
        let (moments, now) = (self.moments.borrow(), self.clock.wall());
        let seconds_until =
            |at: Timestamp| u32::try_from((at.as_second() - now.as_second()).max(0)).unwrap_or(u32::MAX);
        rows.into_iter()
            .map(|row| Row {
                record: row.record,
                account: row.account,
                tapped_at: moments.local(row.tapped_at),
                service_date: row.service_date,
                offer: row.offer,
                quantity: row.quantity,
                amount: row.amount,
                tag: row.tag,
                route: row.route,
                state: row.state,
                reason: row.reason,
                reversal: row.reversal,
                attempts: row.attempts,
                next_try_s: row.next_try.map(seconds_until),
                last_error: row.last_error,
            })
            .collect()
    }

    /// The account of a record that waits.
    #[must_use]
    pub fn link(&self, account: &crate::domain::ids::AccountId) -> Option<Rc<Link>> {
        self.links.borrow().iter().find(|link| link.enrolled.borrow().enrolment.account == *account).cloned()
    }

    /// Keeps an account's newest reference key; the one before it stays for lists that were made with it.
    pub fn keep_reference_key(&self, link: &Link, key: ReferenceKey) {
        let mut keys = link.reference_keys.borrow_mut();
        keys.retain(|k| k.ref_kid != key.ref_kid);
        keys.insert(0, key);
        keys.truncate(2);
        let mut secret = Vec::new();
        for key in keys.iter() {
            secret.extend_from_slice(&key.key);
            secret.extend_from_slice(key.ref_kid.as_bytes());
            secret.push(b'\n');
        }
        let name = reference_key_name(link.enrolled.borrow().enrolment.account.as_str());
        if let Err(error) = self.secrets.borrow_mut().put(&name, &secret) {
            error!(error, "the reference key could not be kept; it is asked for again after a restart");
        }
    }

    /// Takes a renewed certificate chain in use and keeps it.
    ///
    /// # Errors
    /// [`JournalGone`].
    pub async fn take_chain(&self, link: &Link, chain: Vec<Vec<u8>>) -> Result<(), JournalGone> {
        let mut enrolled = link.enrolled.borrow().clone();
        enrolled.chain = chain;
        let kept = enrolled.clone();
        match self
            .journal
            .run(move |journal| journal.renew_chain(&kept.enrolment.account, &kept.chain, &kept.key_name))
            .await?
        {
            Ok(()) => {
                let key = self.secrets.borrow().get(&enrolled.key_name);
                let central = key
                    .ok_or("key_missing")
                    .and_then(|key| self.central.connect(&enrolled, &key, &link.documents.borrow().kept));
                match central {
                    Ok((central, _)) => {
                        *link.central.borrow_mut() = central;
                        *link.enrolled.borrow_mut() = enrolled;
                    }
                    Err(code) => error!(code, "the renewed certificate cannot be used; the old one stays in use"),
                }
            }
            Err(error) => error!(%error, "the renewed certificate could not be kept; the old one stays in use"),
        }
        Ok(())
    }

    /// A fresh id for a record or tap that begins now.
    #[must_use]
    pub fn mint(&self) -> RecordId {
        RecordId(self.entropy.uuid_v7(self.clock.wall()))
    }
}

/// Name of the secret that holds an account's reference keys.
#[must_use]
pub fn reference_key_name(account: &str) -> String {
    format!("reference/{account}")
}

/// Reads what [`Shared::keep_reference_key`] wrote.
#[must_use]
pub fn parse_reference_keys(secret: &[u8]) -> Vec<ReferenceKey> {
    let mut keys = Vec::new();
    let mut rest = secret;
    while let Some((key, after)) = rest.split_first_chunk::<32>() {
        let Some(end) = after.iter().position(|b| *b == b'\n') else { break };
        keys.push(ReferenceKey { ref_kid: String::from_utf8_lossy(&after[..end]).into_owned(), key: *key });
        rest = &after[end + 1..];
    }
    keys
}
