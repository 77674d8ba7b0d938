//! Pieces the integration tests share. Each test program uses some of them.
#![allow(dead_code, reason = "every test program compiles all of it and uses a part")]

pub mod bik1;
pub mod issuer;
pub mod journal;
pub mod transcript;
