//! What the committing transaction calls to seal and sign a record, with everything it needs at hand.

use std::sync::Arc;

use super::link::Link;
use crate::{
    domain::{
        ids::Digest,
        record::{Enrolment, Frozen, Record},
    },
    protocol::{
        jws::SigningKey,
        record::{self, FreezeError},
        seal::SealingKey,
    },
};

/// Seals and signs for one account.
pub struct Sealer {
    enrolment: Enrolment,
    signing: Arc<SigningKey>,
    sealing: Arc<SealingKey>,
}

impl Sealer {
    /// `None` as long as the account's sealing key is not known.
    #[must_use]
    pub fn of(link: &Link) -> Option<Self> {
        let enrolled = link.enrolled.borrow();
        Some(Self {
            enrolment: enrolled.enrolment.clone(),
            signing: Arc::clone(&link.signing),
            sealing: Arc::clone(link.documents.borrow().sealing.as_ref()?),
        })
    }

    /// Makes the bytes that will be resent for ever.
    ///
    /// # Errors
    /// [`FreezeError`] if the record cannot be expressed; nothing is committed then.
    pub fn freeze(&self, record: &Record, seq: u64, prev: Digest) -> Result<Frozen, FreezeError> {
        record::freeze(record, &self.enrolment, seq, prev, &self.signing, &self.sealing)
    }
}
