//! Level 3: the reference central account, `teilhabe-konto`: what a municipality runs for a pilot, and what tests its own
//! account against the same protocol.

pub mod ledger;
mod schema;
pub mod store;
