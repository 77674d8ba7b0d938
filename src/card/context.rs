//! What a card signs: one booking (card-application, 1.4).

use jiff::civil::Date;

use super::key::sha256;
use crate::{
    cbor::Value,
    domain::{
        amount::{Cents, Quantity},
        ids::{AccountId, OfferId, ProviderId, RecordId, TerminalId},
        record::{Draft, Enrolment, ServicePhase},
    },
};

/// Name of the array.
const NAME: &str = "BIK1-CTX";
/// Its version.
const VERSION: u64 = 2;

/// One booking, as terminal and account both can write it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingContext {
    /// The account it goes to.
    pub account: AccountId,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its provider.
    pub provider: ProviderId,
    /// What is claimed.
    pub offer: OfferId,
    /// Day of the service.
    pub service_date: Date,
    /// Part of the service.
    pub phase: ServicePhase,
    /// Id of the record to come.
    pub record: RecordId,
    /// How much.
    pub quantity: Quantity,
    /// For how much money.
    pub amount: Cents,
    /// 32 random bytes of the terminal.
    pub nonce: [u8; 32],
    /// `tapped_at` of the record, cut to seconds since 1970.
    pub unix_time: i64,
    /// The account's newest beacon; zeros if none was ever received.
    pub beacon: [u8; 16],
}

impl BookingContext {
    /// The context of a draft.
    #[must_use]
    pub fn of(draft: &Draft, enrolment: &Enrolment, nonce: [u8; 32], beacon: [u8; 16]) -> Self {
        Self {
            account: draft.account.clone(),
            terminal: enrolment.terminal.clone(),
            provider: enrolment.provider.clone(),
            offer: draft.offer.clone(),
            service_date: draft.service_date,
            phase: draft.phase,
            record: draft.record,
            quantity: draft.quantity.clone(),
            amount: draft.amount,
            nonce,
            unix_time: draft.tapped_at.as_second(),
            beacon,
        }
    }

    /// The deterministic CBOR array.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Value::Array(vec![
            Value::text(NAME),
            Value::Unsigned(VERSION),
            Value::text(self.account.as_str()),
            Value::text(self.terminal.as_str()),
            Value::text(self.provider.as_str()),
            Value::text(self.offer.as_str()),
            Value::text(self.service_date.to_string()),
            Value::text(self.phase.word()),
            Value::bytes(*self.record.0.as_bytes()),
            Value::text(self.quantity.context_text()),
            Value::int(self.amount.get()),
            Value::bytes(self.nonce),
            Value::int(self.unix_time),
            Value::bytes(self.beacon),
        ])
        .encode()
    }

    /// SHA-256 of the array: the challenge the card signs.
    #[must_use]
    pub fn challenge(&self) -> [u8; 32] {
        sha256(&self.encode()).0
    }
}
