//! Level 0: what a scanner types. A scanner is a keyboard to the machine: it sends keys, not characters, as fast as it
//! can, and mostly Enter at the end.
//!
//! `keyboard` folds the keys of one device into characters; `line` gathers them into codes where the device belongs to
//! the terminal alone; `burst` tells a scanner from fingers where it types into the window like everybody else. What a
//! code means is `card::code`'s business, which also takes away what scanners put around it.

mod burst;
mod keyboard;
mod line;

pub use self::{
    burst::{Burst, Verdict},
    keyboard::{Keyboard, Layout, Stroke},
    line::Line,
};

/// Longest text that is gathered, in characters: more than any code has, so that a longer one is known to be too long.
pub const MAX_TEXT: usize = 4096;

/// What a key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// A character.
    Character(char),
    /// Enter or Tab: what scanners end a code with.
    End,
}
