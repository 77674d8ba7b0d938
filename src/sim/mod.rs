//! Level 3, feature `sim`: the world in a box. Cards that follow card-application to the byte or break it on purpose, a
//! reader that exists only in memory, the same cards in the reader of `vpcd` behind a real PC/SC service, and a clock
//! that is set by hand.
//!
//! Signing and parsing are written again here, with another curve library than the terminal's, so that an error of
//! understanding in the `card` module does not cancel itself out.

mod applet;
mod card;
mod clock;
pub mod code;
mod demo;
mod fault;
pub mod issue;
mod reader;
mod vpcd;

pub use applet::{ATR_ISO_DEP, Applet, SunCard};
pub use card::{Reply, VirtualCard};
pub use clock::ManualClock;
pub use demo::{CardKind, Demo, DemoCard, DemoError, Wallet};
pub use fault::{Fault, UnknownFault};
pub use reader::{Hold, VirtualReaders};
pub use vpcd::{Departure, Ejector, VpcdSlot};
