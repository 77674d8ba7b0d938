//! Stories of the machine: at least one per row of the transition table at the head of `terminal/phase.rs`. A line reads
//! "what comes in => what goes out | the picture"; `#1`, `#2` name record ids in the order they appear.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod account;
mod around;
mod list;
mod reading;
mod substitute;
#[path = "../support/mod.rs"]
mod support;
mod tap;

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use support::{
    claims,
    machine::{Machine, picture},
};
use teilhabe_terminal::{
    domain::{
        documents::{Environment, TerminalStanding},
        ids::{AccountId, DistrictId, TerminalId},
        offer::{Offer, OfflineRule, RouteRule},
        reading::{Level, Route},
    },
    terminal::{
        command::{CommandRefusal, OperatorCommand},
        effect::Effect,
        input::Input,
        screen::{Place, Waiting},
    },
};

/// Tells the story and compares it line by line; a difference prints what really happened.
fn check(mut machine: Machine, story: &str) {
    let mut told = String::new();
    let mut differs = false;
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (input, wanted) = line.split_once("=>").expect("a line has an arrow");
        let input = input.trim();
        let happened = machine.tell(input);
        let same = happened == wanted.trim();
        differs |= !same;
        let expected = if same { String::new() } else { format!("   (expected: {})", wanted.trim()) };
        writeln!(told, "{input} => {happened}{expected}").unwrap();
    }
    assert!(!differs, "what happened:\n{told}");
}

fn lane() -> Machine {
    let mut machine = Machine::new(Place::Lane, false);
    machine.ready();
    machine
}

fn counter() -> Machine {
    let mut machine = Machine::new(Place::Counter, false);
    machine.ready();
    machine
}

/// A lane whose lunch was changed.
fn lane_with(change: impl FnOnce(&mut Offer)) -> Machine {
    let mut machine = Machine::new(Place::Lane, false);
    change(&mut machine.account.catalogue.as_mut().unwrap().offers[0]);
    machine.ready();
    machine
}
