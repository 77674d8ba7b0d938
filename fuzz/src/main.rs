//! Runs one of the entry points under libFuzzer: `TEILHABE_FUZZ_TARGET=tlv teilhabe-fuzz CORPUS…`.
//!
//! The pure layers are compiled into this program, not linked: so they alone are instrumented, and nothing else of the
//! terminal is needed.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the layers are the terminal's, of which this program uses a part")]

#[path = "../../src/card/mod.rs"]
pub mod card;
#[path = "../../src/cbor.rs"]
pub mod cbor;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/headless/mod.rs"]
pub mod headless;
#[path = "../../src/ports.rs"]
pub mod ports;
#[path = "../../src/profile/mod.rs"]
pub mod profile;
#[path = "../../src/protocol/mod.rs"]
pub mod protocol;
#[path = "../../src/terminal/mod.rs"]
pub mod terminal;
#[path = "../../src/tlv.rs"]
pub mod tlv;

/// The entry points call the terminal by its name.
extern crate self as teilhabe_terminal;

#[path = "../../tests/support/entry.rs"]
mod entry;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("TEILHABE_FUZZ_TARGET").unwrap_or_default();
    let found = entry::TARGETS.iter().find(|(target, _)| *target == name);
    found.unwrap_or_else(|| panic!("TEILHABE_FUZZ_TARGET is none of the targets: {name:?}")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
