//! Laws of the machine under random input: whatever happens, in whatever order, these hold.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use support::machine::Machine;
use teilhabe_terminal::{
    domain::{ids::RecordId, record::Fact},
    terminal::{
        effect::{Chime, Effect, TimerToken},
        input::Input,
        screen::{BlockedBy, Page, Place, ResultClass, Screen},
    },
};

/// What happens, weighted towards what makes a tap go on.
const LINES: &[(u32, &str)] = &[
    (6, "card"),
    (6, "identified"),
    (1, "identified-uid"),
    (1, "failed card_removed"),
    (1, "failed two_cards"),
    (1, "failed choose_child"),
    (2, "removed"),
    (6, "standing entitled"),
    (1, "standing older-waits"),
    (1, "standing unknown"),
    (1, "standing neutral"),
    (1, "standing already"),
    (1, "standing limit"),
    (5, "signed"),
    (1, "unsigned card_removed"),
    (1, "unsigned card_forged"),
    (6, "committed"),
    (1, "commit-failed"),
    (1, "commit-failed disk_full"),
    (2, "judged booked"),
    (1, "judged rejected"),
    (1, "judged disputed"),
    (1, "judged deferred"),
    (3, "shown"),
    (2, "number 12345678901244"),
    (1, "number 99"),
    (2, "scan"),
    (2, "code-is"),
    (1, "code-failed code_expired"),
    (1, "offer lunch"),
    (1, "offer nothing"),
    (1, "again"),
    (2, "confirm"),
    (1, "cancel"),
    (2, "undo"),
    (2, "reverse it wrong_card"),
    (1, "reverse 77 never_shown"),
    (1, "reverse 78 other"),
    (1, "acknowledge 77"),
    (1, "open last"),
    (1, "open refusals"),
    (1, "outbox"),
    (1, "sign-in"),
    (1, "signed-in"),
    (1, "sign-in-failed"),
    (1, "sign-out"),
    (1, "accept-notice"),
    (1, "activate"),
    (1, "offered"),
    (1, "started unclear"),
    (1, "account"),
    (1, "unreachable"),
    (1, "connected"),
    (1, "reader missing"),
    (1, "reader ready"),
    (1, "language en"),
    (1, "minutes"),
    (1, "challenge"),
    (1, "tick"),
    (1, "stale"),
    (2, "wait 300ms"),
    (2, "wait 3100ms"),
    (1, "wait 16000ms"),
    (1, "wait 91000ms"),
];

/// What ends it; rare, so that most runs are long.
const ENDS: &[&str] = &["judged conflict", "blocked disk_full", "blocked fork"];

fn line() -> impl Strategy<Value = (String, u8)> {
    let usual: Vec<_> = LINES.iter().map(|(weight, line)| (*weight, Just(*line).boxed())).collect();
    let usual = proptest::strategy::Union::new_weighted(usual);
    let end = proptest::sample::select(ENDS);
    (prop_oneof![200 => usual, 1 => end], 1u8..4).prop_map(|(line, card)| (line.to_owned(), card))
}

/// One card's line gets its card; a line that cannot be said yet is left out.
fn spoken(machine: &Machine, line: &str, card: u8) -> Option<String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let known = machine.taps.contains_key(&card);
    Some(match verb {
        "card" => format!("card {card}"),
        "identified" | "identified-uid" | "failed" | "removed" | "signed" | "unsigned" if known => {
            format!("{verb} {card} {rest}")
        }
        "identified" | "identified-uid" | "failed" | "removed" | "signed" | "unsigned" => return None,
        "standing" if machine.asked.is_none() => return None,
        "committed" | "commit-failed" if machine.committing.is_none() => return None,
        "judged" | "shown" if machine.redemption.is_none() => return None,
        "reverse" if rest.starts_with("it") && machine.redemption.is_none() => return None,
        "code-is" if machine.code.is_some() => format!("code-is {card}"),
        "code-is" | "code-failed" if machine.code.is_none() => return None,
        _ => line.to_owned(),
    })
}

/// What a law keeps in mind.
#[derive(Default)]
struct Court {
    redemptions: BTreeSet<RecordId>,
    on_disk: BTreeSet<RecordId>,
    /// Redemptions with a reversal that was not refused by the journal, with its id.
    reversals: Vec<(RecordId, RecordId)>,
    asides: BTreeSet<RecordId>,
    neutral: bool,
    armed: bool,
    /// The line that was told last.
    told: String,
    closed: Option<BlockedBy>,
}

impl Court {
    /// Before the input: what the driver tells.
    fn hear(&mut self, machine: &Machine, line: &str) {
        line.clone_into(&mut self.told);
        let failed_for_good = line == "commit-failed";
        if line == "committed" || failed_for_good {
            let record = machine.committing.unwrap();
            if failed_for_good {
                self.reversals.retain(|(_, reversal)| *reversal != record);
            } else {
                self.on_disk.insert(record);
            }
        }
        if line.starts_with("standing") {
            self.neutral = line.ends_with("neutral");
        }
    }

    /// After the input: what the machine wants, and what it shows.
    fn judge(&mut self, effects: &[Effect], before: &Screen, after: &Screen) -> Result<(), TestCaseError> {
        for effect in effects {
            match effect {
                Effect::ArmReader(armed) => {
                    prop_assert_ne!(*armed, self.armed, "the reader is told changes only");
                    self.armed = *armed;
                }
                Effect::Commit(record) => {
                    prop_assert!(self.asides.insert(record.id), "an id stands for one record");
                    match &record.fact {
                        Fact::Redemption(draft, _) => {
                            prop_assert_eq!(draft.record, record.id);
                            prop_assert!(self.redemptions.insert(record.id), "one tap, one redemption");
                        }
                        Fact::Reversal { reverses, .. } => {
                            let twice = self.reversals.iter().any(|(of, _)| of == reverses);
                            prop_assert!(!twice, "one redemption, one reversal");
                            self.reversals.push((*reverses, record.id));
                        }
                        Fact::Served { of } => prop_assert!(self.on_disk.contains(of)),
                        Fact::NoticeAck { .. } | Fact::Refiled { .. } => {}
                    }
                }
                _ => {}
            }
        }
        let yes = effects.contains(&Effect::Chime(Chime::Yes));
        if yes {
            let Page::Result(result) = &after.page else {
                return Err(TestCaseError::fail("a booking has its picture"));
            };
            prop_assert!(matches!(result.class, Some(ResultClass::R1 | ResultClass::R2)));
            match result.record {
                Some(record) => prop_assert!(self.on_disk.contains(&record), "green after disk"),
                None => prop_assert!(self.neutral, "only a neutral card owes nothing"),
            }
        }
        if let Page::Result(result) = &after.page
            && let (Some(ResultClass::R1 | ResultClass::R2), Some(record)) = (result.class, result.record)
        {
            prop_assert!(self.on_disk.contains(&record), "green after disk");
        }
        // Another identity is the cure of some; the line of an account may bring one.
        let cure = |why: BlockedBy| why.ends_with_activation() && ["activate", "account"].contains(&self.told.as_str());
        if self.closed.is_some_and(|why| !cure(why)) {
            prop_assert_eq!(&before.page, &after.page, "out of service is for good");
            // What is on disk is still sent, and what was seen is still remembered.
            let harmless = |effect: &Effect| {
                matches!(
                    effect,
                    Effect::EndCard { .. }
                        | Effect::MarkShown(_)
                        | Effect::WakeForwarder { awaited: None }
                        | Effect::Stop
                )
            };
            prop_assert!(effects.iter().all(harmless), "{:?}", effects);
        }
        self.closed = if let Page::OutOfService(why) = after.page { Some(why) } else { None };
        prop_assert!(!(self.closed.is_some() && after.armed));
        if after.refused_command.is_some() {
            prop_assert!(effects.is_empty(), "a refused command wants nothing: {:?}", effects);
            let quiet = |screen: &Screen| Screen { refused_command: None, ..screen.clone() };
            prop_assert_eq!(quiet(before), quiet(after), "a refused command changes nothing");
        }
        Ok(())
    }
}

fn run(mut machine: Machine, lines: Vec<(String, u8)>) -> Result<(), TestCaseError> {
    let mut court = Court { armed: machine.screen().armed, ..Court::default() };
    for (line, card) in lines {
        let Some(line) = spoken(&machine, &line, card) else { continue };
        match line.split_once(' ') {
            // Time passes timer by timer, so that each is judged by itself.
            Some(("wait", time)) => {
                let end = machine.now + Duration::from_millis(time.trim_end_matches("ms").parse().unwrap());
                while let Some((token, due)) =
                    machine.timers.iter().map(|(t, d)| (*t, *d)).min_by_key(|(t, d)| (*d, *t))
                {
                    if due > end {
                        break;
                    }
                    machine.timers.remove(&token);
                    machine.spent.push(token);
                    machine.now = due;
                    let before = machine.screen();
                    let effects = machine.put(Input::Elapsed { token });
                    court.judge(&effects, &before, &machine.screen())?;
                }
                machine.now = end;
            }
            _ if line == "stale" => {
                let spent: Vec<_> = machine.spent.iter().rev().take(4).copied().collect();
                for token in spent.into_iter().chain([TimerToken(u64::MAX)]) {
                    let before = machine.screen();
                    let effects = machine.put(Input::Elapsed { token });
                    prop_assert!(effects.is_empty(), "a stale token wakes nobody: {:?}", effects);
                    let quiet = Screen { refused_command: None, ..before };
                    prop_assert_eq!(quiet, machine.screen());
                }
            }
            _ => {
                court.hear(&machine, &line);
                let before = machine.screen();
                let effects = machine.say(&line);
                court.judge(&effects, &before, &machine.screen())?;
            }
        }
    }
    Ok(())
}

fn ready(place: Place, wait_ms: u32) -> Machine {
    let mut machine = Machine::new(place, false);
    machine.account.catalogue.as_mut().unwrap().offers[0].online_wait_ms = wait_ms;
    machine.ready();
    machine
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lane_keeps_the_laws(lines in prop::collection::vec(line(), 1..150)) {
        run(ready(Place::Lane, 0), lines)?;
    }

    #[test]
    fn a_counter_that_waits_for_answers_keeps_the_laws(lines in prop::collection::vec(line(), 1..150)) {
        run(ready(Place::Counter, 800), lines)?;
    }

    #[test]
    fn a_terminal_from_its_first_start_keeps_the_laws(lines in prop::collection::vec(line(), 1..150)) {
        run(Machine::new(Place::Tablet, true), lines)?;
    }
}
