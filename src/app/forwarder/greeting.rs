//! What the account says of itself and of us: `hello`, documents, reference key, certificate.

use jiff::SignedDuration;
use tracing::{info, warn};

use super::Pump;
use crate::{
    adapters::sqlite::Stored,
    app::{journal_thread::JournalGone, limits},
    domain::{
        delivery::{Unsettled, back_off},
        documents::{Control, DocumentContent, DocumentName, TerminalStanding},
    },
    protocol::control::is_older,
    terminal::screen::AccountState,
};

impl Pump {
    pub(super) async fn hello(&mut self) -> Result<(), JournalGone> {
        let central = self.link.central.borrow().clone();
        match central.hello().await {
            Ok(heard) => {
                let control = self.heard(heard);
                self.hello_at = self.now() + limits::HELLO_EVERY;
                if std::mem::take(&mut self.failures) > 0 {
                    info!(account = %self.link.account(), "the account answers again");
                    self.flow.reconnected();
                    self.release_waiting().await?;
                }
                if !self.flow.falters() {
                    self.last_error = None;
                }
                self.regard(&control).await?;
                self.documents(&control).await?;
                self.renew().await?;
                self.outcomes().await?;
            }
            Err(why) => {
                self.unreachable(&why);
                // An expired certificate may still renew itself (protocol, 2); nothing else brings the account back.
                if why == Unsettled::NotAuthorised {
                    self.renew().await?;
                }
            }
        }
        Ok(())
    }

    /// `hello` failed: count, plan the next try, tell the face.
    fn unreachable(&mut self, why: &Unsettled) {
        self.failures = self.failures.saturating_add(1);
        self.state = match why {
            Unsettled::NotAuthorised => AccountState::Credentials,
            Unsettled::WrongPlace { .. } => AccountState::WrongPlace,
            Unsettled::Unknown { .. }
            | Unsettled::Throttled { .. }
            | Unsettled::BatchRefused
            | Unsettled::TooLarge
            | Unsettled::InProgress => AccountState::Unreachable,
        };
        let code = why.code();
        if self.last_error != Some(code) {
            warn!(account = %self.link.account(), code, "no exchange with the account");
        }
        self.last_error = Some(code);
        // Cheap, and soon enough that nobody needs to press a key when the account is back; later only if it says so.
        let asked = if let Unsettled::Throttled { retry_after, .. } = why { *retry_after } else { None };
        let wait = back_off(self.failures, self.shared.jitter()).min(limits::HELLO_RETRY_CAP);
        self.hello_at = self.now() + asked.unwrap_or_default() + wait;
        self.publish();
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
                    self.disk_until = self.now() + limits::DISK_RETRY;
                    self.hello_at = self.disk_until;
                    return Ok(());
                }
            };
            if own != Some(digest) {
                warn!(%account, seq, "the account knows another record under our number: this terminal was copied");
                return self.shared.fork(&self.link).await;
            }
        }
        self.link.greeted.set(true);
        self.link.beacon.set(control.beacon);
        let (beacon, issued_at) = (control.beacon, control.issued_at);
        let _ = self.shared.journal.run(move |journal| journal.remember_beacon(&account, beacon, issued_at)).await?;
        let standing = self.standing(control).await?;
        self.shared.regarded(&self.link, standing).await?;
        self.state = match standing {
            TerminalStanding::Active => AccountState::Connected,
            TerminalStanding::Suspended => AccountState::Suspended,
            TerminalStanding::Revoked => AccountState::Revoked,
        };
        self.publish();
        // What it means for the terminal as a whole is the machine's to say: other accounts may go on.
        Ok(())
    }

    /// How the account regards us. With too old a program it serves us for its days of grace, which are counted from when
    /// it first said so; then it is as if it had suspended us: what is owed still goes, and nothing more is granted.
    async fn standing(&mut self, control: &Control) -> Result<TerminalStanding, JournalGone> {
        let outdated = is_older(env!("CARGO_PKG_VERSION"), &control.minimum_version);
        // By trusted time: a clock that jumps ahead for a minute ends no grace.
        let now = {
            let mut moments = self.shared.moments.borrow_mut();
            let at = moments.at(&*self.shared.clock);
            if at.clock.trusted { at.floor } else { moments.floor() }
        };
        let account = self.link.account();
        let since =
            match self.shared.journal.run(move |journal| journal.outdated_since(&account, outdated, now)).await? {
                Ok(since) => since,
                Err(error) => {
                    warn!(%error, "it is not known since when this program is too old; its grace begins now");
                    outdated.then_some(now)
                }
            };
        let Some(since) = since else { return Ok(control.standing) };
        if self.last_error.is_none() {
            self.last_error = Some("version_outdated");
        }
        let grace = SignedDuration::from_hours(24 * i64::from(control.grace_days));
        let left = grace - now.duration_since(since);
        warn!(
            account = %self.link.account(), minimum = control.minimum_version, hours_left = left.as_hours().max(0),
            "the account asks for a newer program"
        );
        let over = left <= SignedDuration::ZERO && control.standing == TerminalStanding::Active;
        Ok(if over { TerminalStanding::Suspended } else { control.standing })
    }

    /// Fetches what is newer than ours, or what the account wants fetched. A document that cannot be had now keeps its
    /// old version.
    async fn documents(&mut self, control: &Control) -> Result<(), JournalGone> {
        if self.link.reference_keys.borrow().is_empty() {
            self.reference_key().await;
        }
        let central = self.link.central.borrow().clone();
        let mut changed = false;
        for name in DocumentName::ALL {
            let have = self.link.documents.borrow().seq(name);
            let newest = control.documents.iter().find(|(n, _)| *n == name).map(|(_, seq)| *seq);
            let newer = newest.is_some_and(|newest| have.is_none_or(|have| newest > have));
            if !newer && !control.refresh.contains(&name) {
                continue;
            }
            let document = match central.document(name, have).await {
                Ok(heard) => self.heard(heard),
                Err(why) => {
                    warn!(document = name.word(), ?why, "a document could not be fetched; the old one stays");
                    match why {
                        // This one is not believed; the next may be.
                        Unsettled::WrongPlace { .. } => continue,
                        // Records must not wait until each of the documents has timed out.
                        Unsettled::Unknown { .. }
                        | Unsettled::NotAuthorised
                        | Unsettled::BatchRefused
                        | Unsettled::TooLarge
                        | Unsettled::InProgress
                        | Unsettled::Throttled { .. } => break,
                    }
                }
            };
            let Some(document) = document else { continue };
            if let DocumentContent::Descriptor(descriptor) = &document.content
                && self.shared.is_claimed_elsewhere(descriptor)
            {
                warn!(account = %self.link.account(), "a descriptor claims a district of another account; refused");
                continue;
            }
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
}
