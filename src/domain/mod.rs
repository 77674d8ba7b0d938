//! Level 0: nouns and rules of the trade. Pure: no clock, no chance, no file, no log; all of that arrives as arguments.
//!
//! Order inside: `ids`, `time`, `amount` → `reading`, `offer`, `record` → `booking`, `standing`, `documents`, `delivery`, `outcomes`
//! → `claim`, `number` → `policy` → `decision`; `activation` stands alone.

pub mod activation;
pub mod amount;
pub mod booking;
pub mod claim;
pub mod decision;
pub mod delivery;
pub mod documents;
pub mod ids;
pub mod number;
pub mod offer;
pub mod outcomes;
pub mod policy;
pub mod reading;
pub mod record;
pub mod standing;
pub mod time;
