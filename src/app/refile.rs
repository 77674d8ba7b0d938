//! What an ended identity still owed is brought again under the one in force (protocol, 4, `conflict`; fault 33). One
//! commit at a time, so that no tap waits; a start that finds the work half done goes on with it.

use std::rc::Rc;

use tracing::{error, info};

use super::{journal_thread::JournalGone, link::Link, seal::Sealer, shared::Shared};
use crate::domain::record::{Fact, Record};

/// Brings all of it again.
///
/// # Errors
/// [`JournalGone`].
pub async fn all(shared: &Rc<Shared>, link: &Link) -> Result<(), JournalGone> {
    // A forked chain grows no further: its records wait for yet another identity.
    if link.forked.get() {
        return Ok(());
    }
    let account = link.account();
    let mut brought = 0_u32;
    loop {
        let asked = account.clone();
        let left = match shared.journal.run(move |journal| journal.left_behind(&asked)).await? {
            Ok(Some(left)) => left,
            Ok(None) => break,
            Err(error) => {
                error!(%account, %error, "what an ended identity owes could not be read");
                break;
            }
        };
        let Some(sealer) = Sealer::of(link) else { break };
        let at = shared.moments.borrow_mut().at(&*shared.clock);
        let record = Record {
            id: shared.mint(),
            account: account.clone(),
            fact: Fact::Refiled { original: left.record, frozen: Box::new(left.frozen) },
            made_at: at.wall,
            monotonic_ms: u64::try_from(at.monotonic.as_millis()).unwrap_or(u64::MAX),
            clock: at.clock,
            operator: left.operator,
            catalogue_seq: link.documents.borrow().catalogue.as_ref().map_or(0, |catalogue| catalogue.seq),
        };
        let committed = shared
            .journal
            .run(move |journal| journal.commit(&record, &mut |seq, prev| sealer.freeze(&record, seq, prev)));
        if let Err(error) = committed.await? {
            error!(%account, original = %left.record, %error, "a record of an ended identity could not be brought again");
            break;
        }
        brought += 1;
    }
    if brought > 0 {
        info!(%account, brought, "records of an ended identity were brought again");
        shared.publish_outbox().await?;
        link.wake.notify_one();
    }
    Ok(())
}
