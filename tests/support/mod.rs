//! Pieces the integration tests share. Each test program uses some of them.
#![allow(dead_code, unused_imports, reason = "every test program compiles all of it and uses a part")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot be set up has to fail")]

pub mod bik1;
pub mod claims;
#[cfg(feature = "demo")]
pub mod deck;
#[cfg(feature = "sim")]
pub mod desk;
pub mod dice;
pub mod forgery;
pub mod issuer;
pub mod journal;
#[cfg(feature = "demo")]
pub mod kill;
pub mod line;
pub mod machine;
pub mod methods;
#[cfg(feature = "pcsc")]
pub mod pcscd;
#[cfg(feature = "sim")]
pub mod played;
#[cfg(feature = "sim")]
pub mod practice;
pub mod scene;
#[cfg(feature = "demo")]
pub mod soak;
#[cfg(feature = "sim")]
pub mod stand;
pub mod transcript;
pub mod vectors;
pub mod wire;

pub mod stack;
