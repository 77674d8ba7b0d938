//! Numbers and codes in the card's stead.

use super::*;

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
        writeln!(story, "number 12345678901244 => standing? disarm | reading\nstanding {standing} => {refused}")
            .unwrap();
    }
    story += "number 12345678901244 => NO note:too_many_attempts | result R4 too_many_attempts\n";
    story += "wait 600000ms => | ready\n";
    story += "number 12345678901244 => standing? disarm | reading\n";
    check(lane(), &story);
}

/// Fault 44: a number from a scanner is a typed one. It has the same answer, and is one guess like any other.
#[test]
fn a_scanned_number_is_a_typed_one() {
    let refused = "NO note:not_entitled arm | result R4 not_entitled";
    let mut story = String::new();
    for standing in ["unknown", "locked"].into_iter().cycle().take(20) {
        writeln!(story, "scan => decode disarm | reading\nscanned-number 7 => standing? | reading").unwrap();
        writeln!(story, "standing {standing} => {refused}").unwrap();
    }
    story += "scan => decode disarm | reading\n";
    story += "scanned-number 7 => NO note:too_many_attempts arm | result R4 too_many_attempts\n";
    story += "number 12345678901244 => NO note:too_many_attempts | result R4 too_many_attempts\n";
    story += "wait 600000ms => | ready\n";
    story += "scan => decode disarm | reading\nscanned-number 7 => standing? | reading\n";
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
    check(
        machine,
        r#"number 12345678901244 => | number musterstadt? "Stadt musterstadt" nachbarstadt? "Stadt nachbarstadt""#,
    );
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
    let chip_only = |lunch: &mut Offer| {
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
fn six_digits_for_the_app_stand_until_they_were_used() {
    let mut machine = lane();
    machine.tell("challenge");
    let shown = machine.screen().challenge.expect("six digits");
    assert!(shown.len() == 6 && shown.bytes().all(|b| b.is_ascii_digit()), "{shown}");
    let command = OperatorCommand::Scan { code: "BIKD1".to_owned() };
    let effects = machine.put(Input::Command(command));
    let bound =
        effects.iter().any(|e| matches!(e, Effect::DecodeCode { challenge, .. } if challenge.as_ref() == Some(&shown)));
    assert!(bound, "{effects:?}");
    machine.tell("code-is 1");
    assert_eq!(machine.screen().challenge, None);
}

/// Fault 23.
#[test]
fn a_scan_while_the_pad_is_open_is_a_scan() {
    check(
        lane(),
        "
        open number              => | number
        scan                     => decode disarm | reading
        code-failed not_our_code => NO note:not_our_code arm | result R4 not_our_code
        open number              => | number
        card 1                   => tick | reading
    ",
    );
}
