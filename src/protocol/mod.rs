//! Level 1: the contract between terminal and account as types and functions; both sides use it. For people it is told
//! in `docs/central-account.md`; `tests/vectors` holds examples that an independent implementer can check against.
//!
//! Wire types live here and nowhere else. What comes from outside is read in one order: size, signature, strict JSON,
//! shape, rules of the contract; only then is it a domain value.
//!
//! Order inside: `json`, `form`, `key` → `jws`, `seal`, `reference`, `problem` → `signed_part`, `sealed_part` →
//! `record`, `receipt`, `document`, `control`, `outcomes` → `enrolment`, `exchange`, `published`.

mod activation;
pub mod control;
pub mod document;
pub mod enrolment;
pub mod exchange;
mod form;
pub mod json;
pub mod jws;
mod key;
pub mod outcomes;
pub mod problem;
pub mod published;
pub mod receipt;
pub mod record;
pub mod reference;
pub mod seal;
mod sealed_part;
mod signed_part;
