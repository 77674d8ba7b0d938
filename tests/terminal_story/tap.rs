//! A card that is read, decided upon, proven and booked.

use super::*;

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

/// The first green picture counts its record already.
#[test]
fn green_never_says_that_nothing_waits() {
    let mut machine = lane();
    for line in ["card 1", "identified 1", "standing entitled", "signed 1"] {
        machine.tell(line);
    }
    machine.put(Input::OutboxChanged {
        waiting: Waiting::default(),
        rows: Vec::new(),
        today: BTreeMap::new(),
        later_refusals: 0,
    });
    assert_eq!(machine.tell("committed"), "send YES | result R1 +undo");
    assert_eq!(machine.screen().status.waiting, Waiting { records: 1, oldest_s: Some(0) });
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
        identified 1      => sign?#1 | reading
        signed 1          => | result R2 +undo
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
        identified 1      => sign?#1 | reading
        signed 1          => | result R1 +undo
        wait 2900ms       => | result R2 +undo
        card 1            => tick | reading
        identified 1      => sign?#1 | reading
        signed 1          => | result R2 +undo
        wait 100ms        => | result R2 +undo
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing already  => end-card ALREADY note:already_today | result R3 already_today +second-helping at 11:34
        card 1            => tick | reading
        identified 1      => end-card | result R3 already_today +second-helping at 11:34
    ",
    );
}

#[test]
fn a_receipt_that_comes_while_the_card_bounces_is_not_missed() {
    check(
        lane(),
        "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
        card 1            => tick | reading
        judged booked     => | reading
        identified 1      => sign?#1 | reading
        signed 1          => | result R1 +undo
        wait 2900ms       => | result R1 +undo
    ",
    );
}

/// Fault 10: no light is green for a credential alone, not even right behind the card it was copied from.
#[test]
fn a_copy_right_behind_its_card_sees_no_green() {
    let booked = "
        card 1            => tick | reading
        identified 1      => standing? | reading
        standing entitled => sign?#1 | reading
        signed 1          => commit:redemption:card_list#1 | reading
        committed         => send YES | result R1 +undo
        removed 1         => | result R1 +undo
        card 1            => tick | reading
        identified 1      => sign?#1 | reading
    ";
    for refused in [
        "unsigned 1 card_forged            => NO note:card_forged | result R4 card_forged",
        "unsigned 1 authentication_refused => AGAIN note:authentication_refused | result R5 authentication_refused +paper",
        "unsigned 1 card_removed           => AGAIN note:card_removed | result R5 card_removed",
    ] {
        check(lane(), &format!("{booked}{refused}"));
    }
}

/// What was said about a copy is not said to the card it was copied from.
#[test]
fn a_card_right_behind_its_copy_is_asked_itself() {
    check(
        lane(),
        "
        card 1                 => tick | reading
        identified 1           => standing? | reading
        standing entitled      => sign?#1 | reading
        unsigned 1 card_forged => NO note:card_forged | result R4 card_forged
        removed 1              => | result R4 card_forged
        card 1                 => tick | reading
        identified 1           => standing? | reading
        standing entitled      => sign?#2 | reading
    ",
    );
}

/// Fault 21 among others: a UID that two children share is refused with the reason that makes staff ask.
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
    identified.identities[0].district = DistrictId::new("de:05112000").unwrap();
    machine.tell("card 1");
    let effects = machine.put(Input::CardIdentified { tap: machine.tap_of("1"), identified: Box::new(identified) });
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::LoadStanding { account, offer, .. } => Some((account.to_string(), offer.clone())),
        _ => None,
    });
    assert_eq!(asked, Some(("nachbarstadt".to_owned(), Some(claims::offer_id("mittag")))));
    assert_eq!(picture(&machine.screen()), "reading");
}
