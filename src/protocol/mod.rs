//! Level 1: the contract between terminal and account as types and functions; both sides use it.
//!
//! Order inside: `json`, `form`, `key` → `jws`, `seal`, `reference`, `problem` → the messages.

pub mod document;
mod form;
pub mod json;
pub mod jws;
mod key;
pub mod problem;
pub mod receipt;
pub mod record;
pub mod reference;
pub mod seal;
mod sealed_part;
mod signed_part;
