//! What the office made of records later: read page by page behind every good `hello`.

use tracing::{info, warn};

use super::Pump;
use crate::app::{journal_thread::JournalGone, limits};

impl Pump {
    /// Reads what is new. A page that is not believed changes nothing, and neither does one that cannot be kept: both are
    /// asked for again.
    pub(super) async fn outcomes(&mut self) -> Result<(), JournalGone> {
        let mut entered = 0;
        for _ in 0..limits::OUTCOME_PAGES {
            let account = self.link.account();
            let place = match self.shared.journal.run(move |journal| journal.outcomes_place(&account)).await? {
                Ok(place) => place,
                Err(error) => {
                    warn!(%error, "it is not known how far outcomes were read");
                    break;
                }
            };
            let central = self.link.central.borrow().clone();
            let page = match central.outcomes(place).await {
                Ok(heard) => self.heard(heard),
                Err(why) => {
                    warn!(account = %self.link.account(), code = why.code(), "later outcomes could not be read");
                    break;
                }
            };
            if page.lines.is_empty() {
                break;
            }
            let (account, now) = (self.link.account(), self.shared.clock.wall());
            let kept =
                self.shared.journal.run(move |journal| journal.enter_outcomes(&account, place, &page, now)).await?;
            match kept {
                Ok(lines) => entered += lines,
                Err(error) => {
                    warn!(%error, "later outcomes could not be kept; they are asked for again");
                    break;
                }
            }
        }
        if entered > 0 {
            info!(account = %self.link.account(), lines = entered, "later outcomes entered");
            self.shared.publish_outbox().await?;
        }
        Ok(())
    }
}
