//! Start, enrolment, sign-on, and commands at the wrong time.

use super::*;

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
        committed         => send arm | ready
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
        committed    => send | starting
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
        committed      => send arm | ready
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
fn every_code_of_a_refused_command_is_on_the_page_for_tills() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/headless.md")).unwrap();
    for refusal in CommandRefusal::ALL {
        assert!(page.contains(&format!("`{}`", refusal.code())), "docs/headless.md says nothing of {refusal:?}");
    }
}

/// A new PIN is what the pad can type; and what can be nobody costs no try.
#[test]
fn pins_and_names_have_their_form() {
    let refused = |machine: &mut Machine, command: OperatorCommand| {
        let effects = machine.put(Input::Command(command));
        let refused = machine.screen().refused_command;
        assert!(refused.is_none() || effects.is_empty(), "what is refused does nothing");
        refused
    };
    let activate =
        |pin: Option<&str>| OperatorCommand::Activate { code: "TEILHABE1 …".into(), admin_pin: pin.map(Into::into) };
    for pin in ["", "12", "12345", "1234567", "12345a", "١٢٣٤٥٦"] {
        let mut machine = Machine::new(Place::Lane, false);
        machine.tell("started");
        assert_eq!(refused(&mut machine, activate(Some(pin))).as_deref(), Some("bad_value"), "{pin}");
        assert_eq!(refused(&mut machine, activate(Some("123456"))), None);
    }
    let mut machine = Machine::new(Place::Lane, false);
    machine.tell("started");
    assert_eq!(refused(&mut machine, activate(None)), None);
    // One that is set up has its PIN, of whatever form.
    assert_eq!(refused(&mut lane(), activate(Some("12"))), None);

    let mut machine = Machine::new(Place::Counter, true);
    machine.tell("account");
    machine.tell("started");
    let sign_in = |operator: &str, pin: &str| OperatorCommand::SignIn { operator: operator.into(), pin: pin.into() };
    for (operator, pin) in [("", "123456"), ("admin", ""), ("no name", "123456")] {
        assert_eq!(refused(&mut machine, sign_in(operator, pin)).as_deref(), Some("bad_value"), "{operator}");
    }
    assert_eq!(refused(&mut machine, sign_in("admin", "123456")), None);
}
