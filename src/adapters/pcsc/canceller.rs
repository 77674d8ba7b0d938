//! Ends a wait from another thread.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use pcsc::{Context, Error};

use super::error::call;
use crate::ports::CancelWait;

/// Rings where there is no reader that PC/SC could wait for.
#[derive(Default)]
pub(super) struct Doorbell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Doorbell {
    /// Waits until it rings, in the words of `SCardGetStatusChange`.
    pub(super) fn wait(&self, limit: Duration) -> Result<(), Error> {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.changed.wait_timeout_while(rung, limit, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *rung) { Err(Error::Cancelled) } else { Err(Error::Timeout) }
    }

    /// True once after it rang while nobody waited.
    pub(super) fn answer(&self) -> bool {
        std::mem::take(&mut *self.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

pub(super) struct PcscCanceller {
    pub(super) context: Context,
    pub(super) doorbell: Arc<Doorbell>,
}

impl CancelWait for PcscCanceller {
    fn cancel(&self) {
        self.doorbell.ring();
        // A dead context waits no more; there is nothing to report.
        let _ = call(|| self.context.cancel());
    }
}
