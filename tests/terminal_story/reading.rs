//! Cards that are pulled, torn, silent or forged.

use super::*;

/// Fault 14.
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

/// Fault 15.
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

/// Fault 14.
#[test]
fn a_card_removed_at_any_step_leaves_no_half_booking() {
    let steps = ["card 1", "identified 1", "standing entitled", "signed 1"];
    for count in 1..=steps.len() {
        let mut machine = lane();
        for step in &steps[..count] {
            machine.tell(step);
        }
        machine.tell("removed 1");
        machine.tell("unsigned 1 card_removed");
        if count == steps.len() {
            // It signed before it went: the booking is on its way to the disk.
            assert_eq!(machine.tell("committed"), "send YES | result R1 +undo");
        } else {
            assert_eq!(machine.redemption, None, "after {count} steps");
        }
        machine.now += Duration::from_secs(4);
        for step in ["card 2", "identified 2", "standing entitled", "signed 2"] {
            machine.tell(step);
        }
        assert_eq!(machine.tell("committed"), "send YES | result R1 +undo", "after {count} steps");
    }
}

/// Fault 22.
#[test]
fn a_phone_that_flaps_is_booked_once() {
    check(
        lane(),
        "
        card 1                  => tick | reading
        removed 1               => AGAIN note:card_removed | result R5 card_removed
        card 1                  => tick | reading
        identified 1            => standing? | reading
        removed 1               => | reading
        standing entitled       => sign?#1 | reading
        unsigned 1 card_removed => AGAIN note:card_removed | result R5 card_removed
        card 1                  => tick | reading
        identified 1            => sign?#1 | reading
        signed 1                => commit:redemption:card_list#1 | reading
        card 1                  => | reading
        identified 1            => | reading
        committed               => send YES | result R1 +undo
        shown                   => mark#1 tick sign?#1 | reading
        removed 1               => | reading
        unsigned 1 card_removed => AGAIN note:card_removed | result R5 card_removed
        card 1                  => tick | reading
        identified 1            => sign?#1 | reading
        signed 1                => | result R1 +undo
    ",
    );
}

/// Fault 12.
#[test]
fn nothing_waits_by_the_wall_clock() {
    for jump in [-3600, 3600, -3_155_760_000] {
        let mut machine = lane();
        for line in ["card 1", "identified 1", "standing entitled"] {
            machine.tell(line);
        }
        machine.trusted = false;
        machine.jumped_s = jump;
        for line in ["signed 1", "committed"] {
            machine.tell(line);
        }
        assert!(machine.screen().status.clock_suspect);
        assert_eq!(machine.tell("wait 3900ms"), "| result R2 +undo", "{jump}");
        assert_eq!(machine.tell("wait 100ms"), "| ready", "{jump}");
        assert_eq!(machine.tell("wait 10900ms"), "| ready", "{jump}");
        assert_eq!(machine.tell("undo"), "commit:reversal:undo#2 | ready", "{jump}");
    }
}
