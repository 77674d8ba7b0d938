//! The promise to deliver a record, and what the account made of it.

use std::time::Duration;

use jiff::Timestamp;

use super::ids::{BookingNumber, Digest, RecordId};

/// What travels: the frozen bytes and how to recognise the answer to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The record.
    pub record: RecordId,
    /// Its sequence.
    pub seq: u64,
    /// Digest an answer must name.
    pub digest: Digest,
    /// JWS compact.
    pub jws: String,
    /// Sealed part.
    pub sealed: Vec<u8>,
    /// Of a refiled record, the JWS it had under the ended identity; its sealed part is the unchanged old one.
    pub original_jws: Option<String>,
}

/// What the account made of one record (protocol, 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Promise to pay.
    Booked {
        /// Under this number, if one was given.
        booking: Option<BookingNumber>,
    },
    /// Nothing booked; final.
    Rejected {
        /// Why.
        reason: String,
    },
    /// Kept for the office with its evidence.
    Disputed {
        /// Why.
        reason: String,
    },
    /// The chain forked: stop.
    Conflict,
    /// Not decided; again later, same bytes.
    Deferred,
}

/// One line of a verified receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record.
    pub record: RecordId,
    /// Digest of the bytes that were judged.
    pub digest: Digest,
    /// Sequence.
    pub seq: u64,
    /// The judgement.
    pub outcome: Outcome,
    /// The account had it already.
    pub replayed: bool,
}

/// State of one entry in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Waits.
    Queued {
        /// Not before this instant of the monotonic clock's wall equivalent.
        not_before: Timestamp,
    },
    /// On its way, or unknown since.
    InFlight {
        /// Attempts so far, this one included.
        attempt: u32,
    },
    /// Its identity ended before it was answered: the record that brings it again is waited for.
    Refiled,
    /// Final: booked.
    Acknowledged {
        /// Under this number.
        booking: Option<BookingNumber>,
    },
    /// Final: kept for the office.
    Disputed {
        /// Why.
        reason: String,
    },
    /// Final: nothing booked; shown until acknowledged.
    Rejected {
        /// Why.
        reason: String,
        /// Staff have seen it.
        seen: bool,
    },
    /// Same id or place with other bytes: alarm.
    Quarantined,
}

/// Why an exchange with the account settled nothing (protocol, 4, the HTTP table).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsettled {
    /// 5xx, time-out, reset, cut answer: unknown.
    Unknown {
        /// For the log and the queue page; a stable code.
        code: &'static str,
    },
    /// 401, 403: credentials.
    NotAuthorised,
    /// 404, 410, 3xx, TLS or name fault, 200 without a receipt: wrong place.
    WrongPlace {
        /// A stable code.
        code: &'static str,
    },
    /// 400, 422: one of the records is not accepted as a request.
    BatchRefused,
    /// 413.
    TooLarge,
    /// 409: being worked on.
    InProgress,
    /// 429, 503.
    Throttled {
        /// What the account asks for, if it says.
        retry_after: Option<Duration>,
        /// The pace it asks for, if it says.
        pace: Option<Pace>,
    },
}

impl Unsettled {
    /// The stable code: for the log, the list of what waits, and the service page.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { code } | Self::WrongPlace { code } => code,
            Self::NotAuthorised => "not_authorised",
            Self::BatchRefused => "refused",
            Self::TooLarge => "too_large",
            Self::InProgress => "in_progress",
            Self::Throttled { .. } => "throttled",
        }
    }
}

/// Pace an account asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Most records per request, 1 to 500.
    pub batch: u16,
    /// Milliseconds between requests.
    pub after_ms: u32,
}

/// Longest wait between two attempts.
pub const BACK_OFF_CAP: Duration = Duration::from_mins(5);

/// Full-jitter exponential back-off: uniformly between 0 and `min(cap, 1 s · 2^(attempt-1))`.
///
/// `jitter` is a random fraction from 0 to 65,535; `attempt` counts from 1.
#[must_use]
pub fn back_off(attempt: u32, jitter: u16) -> Duration {
    let exponent = attempt.saturating_sub(1).min(16);
    let ceiling = Duration::from_secs(1 << exponent).min(BACK_OFF_CAP);
    ceiling.mul_f64(f64::from(jitter) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_to_its_cap_and_never_beyond() {
        let ceiling = |attempt| back_off(attempt, u16::MAX);
        assert_eq!(ceiling(1), Duration::from_secs(1));
        assert_eq!(ceiling(4), Duration::from_secs(8));
        assert_eq!(ceiling(10), BACK_OFF_CAP);
        assert_eq!(ceiling(u32::MAX), BACK_OFF_CAP);
        assert_eq!(back_off(u32::MAX, 0), Duration::ZERO);
        for attempt in 1..40 {
            assert!(ceiling(attempt) <= ceiling(attempt + 1));
        }
    }
}
