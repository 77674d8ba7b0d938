//! Level 2: the machine of the terminal, sans-I/O. One input, a list of effects and a picture.
//!
//! Order inside: `command`, `screen` → `input`, `effect` → `phase`.

pub mod command;
pub mod effect;
pub mod input;
pub mod screen;
