//! Stories of the machine: at least one per row of the transition table at the head of `terminal/phase.rs`. A line reads
//! "what comes in => what goes out | the picture"; `#1`, `#2` name record ids in the order they appear.

mod support;

use support::{
    claims,
    machine::{Machine, picture},
};
use teilhabe_terminal::{
    domain::{
        documents::{Environment, TerminalStanding},
        offer::{OfflineRule, RouteRule},
        reading::{Level, Route},
    },
    terminal::{effect::Effect, input::Input, screen::Place},
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
        told += &format!("{input} => {happened}{expected}\n");
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
fn lane_with(change: impl FnOnce(&mut teilhabe_terminal::domain::offer::Offer)) -> Machine {
    let mut machine = Machine::new(Place::Lane, false);
    change(&mut machine.account.catalogue.as_mut().unwrap().offers[0]);
    machine.ready();
    machine
}

#[test]
fn one_tap_is_one_meal_and_green_comes_after_disk() {
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
        shown             => mark#1 | result R1 +undo
        shown             => | result R1 +undo
        judged booked     => | result R1 +undo
        wait 1500ms       => | result R1 +undo
        wait 2500ms       => | ready
        stale             => | ready
    ",
    );
}

#[test]
fn without_a_receipt_within_a_second_it_will_be_sent() {
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
        judged deferred   => | result R1 +undo
        wait 1000ms       => | result R2 +undo
        card 1            => tick | reading
        identified 1      => end-card | result R2 +undo
    ",
    );
}

#[test]
fn where_older_records_wait_or_nobody_listens_it_is_sent_later() {
    check(
        lane(),
        "
        card 1               => tick | reading
        identified 1         => standing? | reading
        standing older-waits => sign?#1 | reading
        signed 1             => commit:redemption:card_list#1 | reading
        committed            => send YES | result R2 +undo
        unreachable          => | result R2 +undo
        card 2               => tick | reading
        identified 2         => standing? | reading
        standing entitled    => sign?#2 | reading
        signed 2             => commit:redemption:card_list#2 | reading
        committed            => send YES | result R2 +undo
    ",
    );
}

#[test]
fn practice_never_shows_the_picture_of_a_booking() {
    let mut machine = Machine::new(Place::Lane, false);
    machine.account.descriptor.environment = Environment::Training;
    machine.ready();
    assert!(machine.screen().status.practice);
    check(
        machine,
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R2 +undo
    ",
    );
}

#[test]
fn the_next_child_never_waits_for_a_picture() {
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        card 2            => | reading
        identified 2      => | reading
        committed         => send YES | result R1 +undo
        shown             => mark#1 tick standing? | reading
        standing locked   => end-card NO note:card_locked | result R4 card_locked
        card 3            => tick | reading
        identified 3      => standing? | reading
    ",
    );
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        card 2            => | reading
        removed 2         => | reading
        committed         => send YES | result R1 +undo
        wait 300ms        => | result R1 +undo
    ",
    );
}

#[test]
fn a_neutral_card_gets_the_same_light_and_leaves_no_record() {
    check(
        lane(),
        "
        card 1           => tick | reading
        identified 1     => standing? | reading
        standing neutral => end-card YES | result R1 +no-record +undo
        wait 3000ms      => | result R1 +no-record +undo
        undo             => | result - reversed
        wait 4000ms      => | ready
    ",
    );
    check(
        lane(),
        "
        unreachable      => | ready
        card 1           => tick | reading
        identified 1     => standing? | reading
        standing neutral => end-card YES | result R2 +no-record +undo
    ",
    );
}

#[test]
fn the_same_card_within_three_seconds_shows_its_own_result_again() {
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
        removed 1         => | result R1 +undo
        card 1            => tick | reading
        identified 1      => end-card | result R1 +undo
        wait 2900ms       => | result R1 +undo
        card 1            => tick | reading
        identified 1      => end-card | result R1 +undo
        wait 100ms        => | result R1 +undo
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing already  => end-card ALREADY note:already_today | result R3 already_today +second-helping at 11:34
        card 1            => tick | reading
        identified 1      => end-card | result R3 already_today +second-helping at 11:34
    ",
    );
}

#[test]
fn a_card_pulled_before_it_signed_finishes_the_same_draft() {
    check(
        lane(),
        "
        card 1                  => tick | reading
        identified 1            => standing? | reading
        standing entitled       => sign?#1 | reading
        unsigned 1 card_removed => AGAIN note:card_removed | result R5 card_removed
        wait 5000ms             => | result R5 card_removed
        card 1                  => tick | reading
        failed 1 card_removed   => AGAIN note:card_removed | result R5 card_removed
        card 1                  => tick | reading
        identified 1            => sign?#1 | reading
        signed 1                => commit:redemption:card_list#1 | reading
        committed               => send YES | result R1 +undo
    ",
    );
    // Another card drops it.
    check(
        lane(),
        "
        card 1                  => tick | reading
        identified 1            => standing? | reading
        standing entitled       => sign?#1 | reading
        unsigned 1 card_removed => AGAIN note:card_removed | result R5 card_removed
        card 2                  => tick | reading
        identified 2            => standing? | reading
        standing locked         => end-card NO note:card_locked | result R4 card_locked
        card 1                  => tick | reading
        identified 1            => standing? | reading
    ",
    );
    // Half a minute drops it.
    check(
        lane(),
        "
        card 1                            => tick | reading
        identified 1                      => standing? | reading
        standing entitled                 => sign?#1 | reading
        unsigned 1 authentication_refused => AGAIN note:authentication_refused | result R5 authentication_refused +paper
        wait 30000ms                      => | ready
        card 1                            => tick | reading
        identified 1                      => standing? | reading
    ",
    );
}

#[test]
fn a_kept_draft_has_the_time_of_its_second_tap() {
    let mut machine = lane();
    for line in ["card 1", "identified 1", "standing entitled", "unsigned 1 card_removed", "wait 9000ms", "card 1"] {
        machine.tell(line);
    }
    let identified = Box::new(claims::chip(1));
    let effects = machine.put(Input::CardIdentified { tap: machine.tap_of("1"), identified });
    let [Effect::Authenticate { tap, draft }, Effect::After { .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*tap, machine.tap_of("1"));
    assert_ne!(draft.record, (*tap).into(), "the record keeps its first tap's id");
    assert_eq!(draft.tapped_at, machine.at().wall);
}

#[test]
fn readings_fail_in_three_ways() {
    check(
        lane(),
        "
        card 1                       => tick | reading
        failed 1 card_mute           => AGAIN note:card_mute | result R5 card_mute +paper
        wait 60000ms                 => | result R5 card_mute +paper
        card 2                       => tick | reading
        failed 2 two_cards           => AGAIN note:two_cards | result R6 two_cards
        removed 2                    => | ready
        card 3                       => tick | reading
        failed 3 foreign_health_card => NO note:foreign_health_card | result R4 foreign_health_card
        wait 15000ms                 => | ready
        card 4                       => tick | reading
        removed 4                    => AGAIN note:card_removed | result R5 card_removed
        failed 4 card_removed        => | result R5 card_removed
        cancel                       => | ready
    ",
    );
}

#[test]
fn a_card_that_says_nothing_is_given_up_after_eight_seconds() {
    check(
        lane(),
        "
        card 1       => tick | reading
        wait 1500ms  => | reading slow
        wait 6500ms  => end-card AGAIN note:card_mute | result R5 card_mute +paper
        identified 1 => end-card | result R5 card_mute +paper
        stale        => | result R5 card_mute +paper
    ",
    );
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        wait 1500ms       => | reading slow
        wait 6500ms       => end-card AGAIN note:card_mute | result R5 card_mute +paper
        signed 1          => | result R5 card_mute +paper
        card 1            => tick | reading
        identified 1      => sign?#1 | reading
    ",
    );
}

#[test]
fn a_forged_signature_is_refused_and_keeps_nothing() {
    check(
        lane(),
        "
        card 1                 => tick | reading
        identified 1           => standing? | reading
        standing entitled      => sign?#1 | reading
        unsigned 1 card_forged => NO note:card_forged | result R4 card_forged
        wait 4000ms            => | result R4 card_forged
        card 1                 => tick | reading
        identified 1           => standing? | reading
    ",
    );
}

#[test]
fn a_phone_without_a_chosen_child_is_waited_for() {
    check(
        lane(),
        "
        card 1                => tick | reading
        failed 1 choose_child => | ready choose_child
        card 2                => tick | reading
        failed 2 choose_child => | ready choose_child
        wait 20000ms          => | ready
    ",
    );
}

#[test]
fn refusals_have_a_reason_and_a_helping_hand() {
    check(
        lane(),
        "
        card 1             => tick | reading
        identified 1       => standing? | reading
        standing used-up   => end-card NO note:used_up | result R4 used_up
        card 2             => tick | reading
        identified 2       => standing? | reading
        standing limit     => end-card NO note:limit_reached | result R4 limit_reached
        card 3             => tick | reading
        identified 3       => standing? | reading
        standing ambiguous => end-card NO note:ambiguous | result R4 ambiguous
        card 4             => tick | reading
        identified 4       => standing? | reading
        standing unknown   => end-card NO note:card_unknown | result R4 card_unknown
    ",
    );
}

#[test]
fn a_second_helping_is_the_operators_word() {
    check(
        lane(),
        "
        again             => | ready !not_now
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing already  => end-card ALREADY note:already_today | result R3 already_today +second-helping at 11:34
        again             => standing? | reading
        standing already  => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
    ",
    );
    check(lane(), "
        card 1                  => tick | reading
        identified 1            => standing? | reading
        standing already        => end-card ALREADY note:already_today | result R3 already_today +second-helping at 11:34
        again                   => standing? | reading
        standing already        => sign?#1 | reading
        unsigned 1 card_removed => AGAIN note:card_removed | result R5 card_removed
        card 1                  => tick | reading
        identified 1            => sign?#1 | reading
    ");
    check(
        lane_with(|lunch| lunch.second_helping = false),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing already  => end-card ALREADY note:already_today | result R3 already_today at 11:34
        again             => | result R3 already_today at 11:34 !not_now
        wait 6000ms       => | ready
    ",
    );
}

#[test]
fn a_typed_number_is_booked_at_once_on_a_lane_and_asked_about_elsewhere() {
    check(
        lane(),
        "
        number 12345678901244 => standing? disarm | reading
        standing entitled     => commit:redemption:card_list#1 arm | reading
        committed             => send YES | result R1 +undo
    ",
    );
    check(
        counter(),
        "
        number 12345678901244 => standing? disarm | reading
        standing entitled     => | confirm
        send-now              => send-now | confirm
        number 12345678901244 => | confirm !not_now
        confirm               => commit:redemption:card_list#1 arm | reading
        committed             => send YES | result R1 +undo
        wait 8000ms           => | ready
        number 12345678901244 => standing? disarm | reading
        standing entitled     => | confirm
        cancel                => arm | ready
        number 12345678901244 => standing? disarm | reading
        standing entitled     => | confirm
        wait 90000ms          => arm | ready
        confirm               => | ready !not_now
    ",
    );
}

#[test]
fn a_wrong_number_is_said_at_the_pad() {
    check(
        lane(),
        "
        number 12345678901245 => | number check_digits
        number 123            => | number not_our_code
        number 99995678901275 => | number not_our_code
        cancel                => | ready
    ",
    );
}

#[test]
fn every_answer_about_a_typed_card_is_the_same_and_guessing_ends() {
    let refused = "NO note:not_entitled arm | result R4 not_entitled";
    let mut story = String::new();
    for standing in ["unknown", "locked", "used-up"].into_iter().cycle().take(20) {
        story += &format!("number 12345678901244 => standing? disarm | reading\nstanding {standing} => {refused}\n");
    }
    story += "number 12345678901244 => NO note:too_many_attempts | result R4 too_many_attempts\n";
    story += "wait 600000ms => | ready\n";
    story += "number 12345678901244 => standing? disarm | reading\n";
    check(lane(), &story);
}

#[test]
fn a_number_of_two_accounts_is_the_operators_choice() {
    let mut machine = lane();
    let other = claims::account("nachbarstadt", "de:05112000", "1234", vec![claims::lunch()]);
    let _ = machine.put(Input::Account(Box::new(other)));
    for line in ["accept-notice", "committed"] {
        machine.tell(line);
    }
    check(machine, "number 12345678901244 => | number musterstadt? nachbarstadt?");
}

#[test]
fn a_code_is_decoded_outside_and_booked_like_a_card() {
    check(
        lane(),
        "
        scan                     => decode disarm | reading
        code-is 1                => standing? | reading
        standing entitled        => commit:redemption:card_list#1 arm | reading
        committed                => send YES | result R1 +undo
        scan                     => decode disarm | reading
        code-failed code_expired => NO note:code_expired arm | result R4 code_expired
        scan                     => decode disarm | reading
        scan                     => | reading !not_now
        card 2                   => | reading
        code-failed not_our_code => NO note:not_our_code arm | result R4 not_our_code
        wait 300ms               => tick | reading
    ",
    );
}

#[test]
fn after_a_fault_a_number_is_served_unconfirmed() {
    let chip_only = |lunch: &mut teilhabe_terminal::domain::offer::Offer| {
        let rule = RouteRule { min_level: Level::SIGNED, cap: None, fault_cap: Some(5) };
        lunch.routes.insert(Route::Number, rule);
    };
    check(
        lane_with(chip_only),
        "
        number 12345678901244 => standing? disarm | reading
        standing entitled     => NO note:level_too_low arm | result R4 level_too_low
        card 1                => tick | reading
        failed 1 card_garbled => AGAIN note:card_garbled | result R5 card_garbled +paper
        number 12345678901244 => standing? disarm | reading
        standing entitled     => commit:redemption:fault#1 arm | reading
        committed             => send YES | result R1 +undo
        wait 120000ms         => | ready
        number 12345678901244 => standing? disarm | reading
        standing entitled     => NO note:level_too_low arm | result R4 level_too_low
        reader missing        => | result R4 level_too_low
        number 12345678901244 => standing? disarm | reading
        standing entitled     => commit:redemption:fault#2 arm | reading
    ",
    );
}

#[test]
fn an_unsigned_chip_is_booked_without_a_challenge() {
    check(
        lane(),
        "
        card 1            => tick | reading
        identified-uid 1  => standing? | reading
        standing entitled => end-card commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
    ",
    );
}

#[test]
fn several_meals_without_a_preset_are_chosen_by_hand() {
    let machine = || {
        let mut machine = lane_with(|_| {});
        let mut supper = claims::lunch();
        supper.id = claims::offer_id("supper");
        machine.account.catalogue.as_mut().unwrap().offers = vec![supper.clone(), claims::lunch()];
        // A preset that no catalogue holds any more and that means nothing here.
        machine.account.catalogue.as_mut().unwrap().offers[1].id = claims::offer_id("noon");
        machine.tell("account");
        machine
    };
    let mut two = machine();
    // The preset is gone: it is refused rather than guessed.
    assert_eq!(two.tell("card 1"), "tick | reading");
    two.tell("identified 1");
    assert_eq!(two.tell("standing entitled"), "end-card NO note:no_offer | result R4 no_offer");

    let mut unset = Machine::without_preset(Place::Lane);
    unset.account = machine().account;
    unset.ready();
    check(
        unset,
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing both     => end-card disarm | choose supper noon
        offer lunch       => | choose supper noon !unknown_offer
        card 2            => | choose supper noon
        offer noon        => standing? arm | reading
        standing both     => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
        shown             => mark#1 tick | reading
        identified 2      => standing? | reading
        standing both     => end-card disarm | choose supper noon
        wait 20000ms      => arm | ready
    ",
    );
}

#[test]
fn an_offer_that_waits_for_the_account_shows_its_word() {
    let waits = || lane_with(|lunch| lunch.online_wait_ms = 800);
    let tap = "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send-and-wait:800 disarm | waiting
    ";
    for (answer, result) in [
        ("judged booked", "YES arm | result R1 +undo"),
        ("judged disputed", "YES arm | result R1 +undo"),
        ("judged rejected", "NO note:by_account arm | result R4 used_up"),
        ("judged deferred", "commit:served#2 YES arm | result R2 +undo"),
        ("wait 800ms", "commit:served#2 YES arm | result R2 +undo"),
        ("judged conflict", "ALARM:fork | out_of_service fork"),
    ] {
        check(waits(), &format!("{tap}\n{answer} => {result}"));
    }
    // A refusal on disk was told: it is no unclear grant at the next start.
    check(
        waits(),
        &format!(
            "{tap}
        judged rejected => NO note:by_account arm | result R4 used_up
        shown           => mark#1 | result R4 used_up
    "
        ),
    );
}

#[test]
fn an_offer_that_refuses_offline_takes_back_what_may_have_arrived() {
    let strict = lane_with(|lunch| {
        lunch.online_wait_ms = 800;
        lunch.offline = OfflineRule::Refuse;
    });
    check(
        strict,
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send-and-wait:800 disarm | waiting
        wait 800ms        => commit:reversal:no_connection#2 NO note:no_connection arm | result R4 no_connection
        committed         => send | result R4 no_connection
        judged booked     => | result R4 no_connection
        reverse it other  => | result R4 no_connection !already_reversed
    ",
    );
    let capped = lane_with(|lunch| {
        lunch.online_wait_ms = 800;
        lunch.offline = OfflineRule::AcceptBelow(claims::cents(429));
    });
    check(
        capped,
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send-and-wait:800 disarm | waiting
        wait 800ms        => commit:reversal:no_connection#2 NO note:no_connection arm | result R4 no_connection
    ",
    );
}

#[test]
fn an_uncertain_commit_is_looked_up_before_anything_is_said() {
    let tap = "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
    ";
    check(
        lane(),
        &format!(
            "{tap}
        commit-failed disk_full       => look-up#1 | reading
        committed                     => send YES | result R1 +undo
    "
        ),
    );
    check(
        lane(),
        &format!(
            "{tap}
        commit-failed disk_full       => look-up#1 | reading
        commit-failed journal_damaged => ALARM:disk_full disarm | out_of_service disk_full
        committed                     => | out_of_service disk_full
        card 2                        => end-card | out_of_service disk_full
        number 12345678901244         => | out_of_service disk_full !not_now
        undo                          => | out_of_service disk_full !not_now
        stop                          => stop | out_of_service disk_full
    "
        ),
    );
    check(
        lane(),
        &format!(
            "{tap}
        commit-failed                 => NO note:not_recorded | result R4 not_recorded +paper
    "
        ),
    );
}

#[test]
fn one_touch_takes_a_booking_back_for_fifteen_seconds() {
    let tap = "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
        judged booked     => | result R1 +undo
    ";
    check(
        lane(),
        &format!(
            "undo => | ready !too_late {tap}
        undo              => commit:reversal:undo#2 | result R1
        undo              => | result R1 !too_late
        committed         => send | result - reversed
        reverse it other  => | result - reversed !already_reversed
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#3 | reading
    "
        ),
    );
    check(
        lane(),
        &format!(
            "{tap}
        wait 4000ms       => | ready
        card 2            => tick | reading
        undo              => commit:reversal:undo#2 | reading
        committed         => send | reading
    "
        ),
    );
    check(
        lane(),
        &format!(
            "{tap}
        wait 15000ms      => | ready
        undo              => | ready !too_late
        reverse it undo   => | ready !wrong_reason
        reverse it other  => commit:reversal:other#2 | ready
        commit-failed     => NO note:not_recorded | result R4 not_recorded +paper
        reverse it other  => commit:reversal:other#3 | result R4 not_recorded +paper
        committed         => send | result - reversed
    "
        ),
    );
}

#[test]
fn the_list_takes_back_what_can_be_taken_back() {
    check(
        lane(),
        "
        open last                => rows? | last_bookings 0
        outbox                   => rows? | last_bookings 0
        reverse 78 wrong_card    => commit:reversal:wrong_card#1 | last_bookings 0
        reverse 78 wrong_card    => | last_bookings 0 !already_reversed
        reverse 79 wrong_card    => | last_bookings 0 !already_reversed
        reverse 80 wrong_card    => | last_bookings 0 !not_reversible
        reverse 81 wrong_card    => | last_bookings 0 !unknown_record
        reverse 78 no_connection => | last_bookings 0 !wrong_reason
        reverse 79 never_shown   => | last_bookings 0 !wrong_reason
        committed                => send | result - reversed
        detail 79                => | detail
        detail 12                => | detail !unknown_record
        cancel                   => | ready
        cancel                   => | ready !not_now
    ",
    );
}

#[test]
fn later_refusals_stand_until_somebody_saw_them() {
    check(
        lane(),
        "
        open refusals   => rows? | later_refusals 0
        rows rejected   => | later_refusals 1
        acknowledge 80  => acknowledge | later_refusals 1
        acknowledge 81  => | later_refusals 1 !unknown_record
        card 1          => tick | reading
        rows rejected   => | reading
    ",
    );
}

#[test]
fn a_grant_never_shown_is_put_before_staff_without_blocking_the_lane() {
    let mut machine = Machine::new(Place::Lane, false);
    for line in ["account", "connected"] {
        machine.tell(line);
    }
    check(
        machine,
        "
        started unclear        => send | notice (unclear 1)
        accept-notice          => commit:notice_ack#1 | notice (unclear 1)
        committed              => send remember-notice arm | ready (unclear 1)
        open last              => rows? | last_bookings 2 (unclear 1)
        reverse 78 never_shown => | last_bookings 2 (unclear 1) !wrong_reason
        reverse 77 never_shown => commit:reversal:never_shown#2 | last_bookings 2 (unclear 1)
        acknowledge 77         => | last_bookings 2 (unclear 1) !already_reversed
        committed              => send | result - reversed
        acknowledge 77         => | result - reversed !unknown_record
    ",
    );
    let mut machine = Machine::new(Place::Lane, false);
    for line in ["account", "started unclear", "accept-notice", "committed"] {
        machine.tell(line);
    }
    check(
        machine,
        "
        acknowledge 77         => acknowledge | ready
        acknowledge 77         => | ready !unknown_record
    ",
    );
}

#[test]
fn a_new_terminal_asks_for_its_code_and_for_a_yes() {
    check(
        Machine::new(Place::Lane, false),
        "
        started           => send | activation code
        card 1            => end-card | activation code
        confirm           => | activation code !not_now
        activate          => ask-server | activation checking
        activation-failed => | activation code again
        activate          => ask-server | activation checking
        offered           => | activation confirm
        cancel            => abandon | activation code
        activate          => ask-server | activation checking
        offered           => | activation confirm
        confirm           => enrol | activation checking
        pending           => | activation pending
        account           => | notice
        accept-notice     => commit:notice_ack#1 | notice
        accept-notice     => | notice !not_now
        commit-failed     => | notice
        accept-notice     => commit:notice_ack#2 | notice
        committed         => send remember-notice arm | ready
    ",
    );
}

#[test]
fn a_new_terminal_waits_for_its_lists_once_and_not_for_ever() {
    let before_the_list = || {
        let mut machine = Machine::new(Place::Lane, false);
        machine.account.card_list = false;
        for line in ["started", "account", "accept-notice"] {
            machine.tell(line);
        }
        machine
    };
    check(
        before_the_list(),
        "
        committed    => send remember-notice | starting
        card 1       => end-card | starting
        wait 14000ms => | starting
        account      => | starting
        wait 1000ms  => arm | ready
        account      => | ready
    ",
    );
    let mut machine = before_the_list();
    machine.tell("committed");
    machine.account.card_list = true;
    assert_eq!(machine.tell("account"), "arm | ready");
    machine.account.card_list = false;
    check(
        machine,
        "
        account    => | ready
        open queue => rows? | queue 0
        cancel     => | ready
    ",
    );
}

#[test]
fn a_place_with_sign_on_asks_who_serves() {
    let mut machine = Machine::new(Place::Counter, true);
    machine.tell("account");
    check(
        machine,
        "
        started        => send | sign_on
        number 123     => | sign_on !not_now
        sign-in        => pin? | sign_on
        sign-in        => | sign_on !not_now
        sign-in-failed => | sign_on locked 30
        sign-in        => | sign_on locked 30 !locked
        wait 30000ms   => | sign_on !locked
        sign-in        => pin? | sign_on
        signed-in      => | notice
        accept-notice  => commit:notice_ack#1 | notice
        committed      => send remember-notice arm | ready
        sign-out       => disarm | sign_on
        sign-in        => pin? | sign_on
        signed-in      => arm | ready
        wait 599000ms  => | ready
        tick           => | ready
        wait 1000ms    => | ready
        tick           => disarm | sign_on
        signed-in      => | sign_on
    ",
    );
}

#[test]
fn an_account_that_revokes_or_suspends_is_obeyed() {
    let mut machine = lane();
    machine.account.standing = TerminalStanding::Suspended;
    check(
        machine,
        "
        account           => | ready
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing neutral  => end-card NO note:provider_not_approved | result R4 provider_not_approved
    ",
    );
    let mut machine = lane();
    machine.account.standing = TerminalStanding::Revoked;
    check(
        machine,
        "
        card 1            => tick | reading
        account           => end-card ALARM:revoked disarm | out_of_service revoked
        identified 1      => end-card | out_of_service revoked
    ",
    );
}

#[test]
fn whatever_blocks_the_terminal_stops_it_for_good() {
    check(
        Machine::new(Place::Lane, false),
        "
        blocked wrong_key => ALARM:wrong_key | out_of_service wrong_key
        started           => | out_of_service wrong_key
        account           => | out_of_service wrong_key
        blocked disk_full => | out_of_service wrong_key
        language en       => | out_of_service wrong_key
    ",
    );
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        blocked fork      => end-card ALARM:fork disarm | out_of_service fork
        signed 1          => | out_of_service fork
    ",
    );
}

#[test]
fn commands_that_make_no_sense_are_refused_visibly() {
    check(
        lane(),
        "
        offer supper    => | ready !unknown_offer
        minutes         => | ready !wrong_unit
        date 2026-03-05 => | ready !wrong_date
        date 2026-03-02 => | ready
        close-day       => | ready !not_available
        confirm         => | ready !not_now
        language x1     => | ready !unknown_language
        language en     => | ready
        sign-out        => | ready !not_now
        accept-notice   => | ready !not_now
        card 1          => tick | reading
        offer lunch     => | reading !not_now
        open queue      => | reading !not_now
        cancel          => | reading !not_now
        tick            => | reading
    ",
    );
    check(lane_with(|lunch| lunch.released = false), "offer lunch => | ready !offer_not_released");
}

#[test]
fn six_digits_for_the_app_stand_until_they_were_used() {
    let mut machine = lane();
    machine.tell("challenge");
    let shown = machine.screen().challenge.expect("six digits");
    assert!(shown.len() == 6 && shown.bytes().all(|b| b.is_ascii_digit()), "{shown}");
    let command = teilhabe_terminal::terminal::command::OperatorCommand::Scan { code: "BIKD1".to_owned() };
    let effects = machine.put(Input::Command(command));
    let bound =
        effects.iter().any(|e| matches!(e, Effect::DecodeCode { challenge, .. } if challenge.as_ref() == Some(&shown)));
    assert!(bound, "{effects:?}");
    machine.tell("code-is 1");
    assert_eq!(machine.screen().challenge, None);
}

#[test]
fn a_lane_of_two_municipalities_presets_lunch_and_not_one_municipalitys_lunch() {
    let mut machine = lane();
    let mut theirs = claims::lunch();
    theirs.id = claims::offer_id("mittag");
    let other = claims::account("nachbarstadt", "de:05112000", "9999", vec![theirs]);
    let _ = machine.put(Input::Account(Box::new(other)));
    for line in ["accept-notice", "committed"] {
        machine.tell(line);
    }
    let mut identified = claims::chip(1);
    identified.identities[0].district = teilhabe_terminal::domain::ids::DistrictId::new("de:05112000").unwrap();
    machine.tell("card 1");
    let effects = machine.put(Input::CardIdentified { tap: machine.tap_of("1"), identified: Box::new(identified) });
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::LoadStanding { account, offer, .. } => Some((account.to_string(), offer.clone())),
        _ => None,
    });
    assert_eq!(asked, Some(("nachbarstadt".to_owned(), Some(claims::offer_id("mittag")))));
    assert_eq!(picture(&machine.screen()), "reading");
}
