//! Teilhabe-Terminal: point of sale for German benefits for education and participation.
//!
//! The map is `docs/ARCHITECTURE.md`. Layers, lowest first: [`domain`], [`cbor`], [`tlv`] → [`ports`], [`protocol`] →
//! [`profile`], [`card`], [`terminal`] → [`adapters`], `account`, `sim` → [`app`] → [`headless`], `ui` → the programs.
// Slint's generated code allows itself `unsafe`, and nothing can be excepted from `forbid`: with the window it is denied
// everywhere but in `ui::window`, which holds that code alone; without the window it is forbidden.
#![cfg_attr(not(feature = "gui"), forbid(unsafe_code))]
#![cfg_attr(feature = "gui", deny(unsafe_code))]

#[cfg(feature = "account")]
pub mod account;
pub mod adapters;
pub mod app;
pub mod card;
pub mod cbor;
pub mod domain;
pub mod headless;
pub mod installation;
pub mod ports;
pub mod profile;
pub mod protocol;
pub mod scanner;
#[cfg(feature = "sim")]
pub mod sim;
pub mod terminal;
pub mod tlv;
#[cfg(feature = "gui")]
pub mod ui;
