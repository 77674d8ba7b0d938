//! Taking back, and what staff must look at.

use teilhabe_terminal::terminal::screen::{Page, Row, RowState};

use super::*;

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
        committed              => send arm | ready (unclear 1)
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

/// What is offered is taken and what is not is refused, whatever comes between; the card it is of is named.
#[test]
fn undo_is_offered_for_as_long_as_it_is_taken() {
    let booked = ["card 1", "identified 1", "standing entitled", "signed 1", "committed"];
    let offered = |machine: &Machine| machine.screen().undo.is_some();
    let mut machine = lane();
    assert!(!offered(&machine));
    booked.iter().for_each(|line| drop(machine.tell(line)));
    let undo = machine.screen().undo.expect("it can be undone");
    assert!(undo.record.is_some() && undo.tag.is_some());
    for line in ["wait 4000ms", "open queue", "open ready", "card 2", "wait 8000ms", "wait 2900ms"] {
        machine.tell(line);
        assert!(offered(&machine), "after {line}");
    }
    machine.tell("wait 100ms");
    assert!(!offered(&machine), "fifteen seconds are over");

    let mut machine = lane();
    booked.iter().for_each(|line| drop(machine.tell(line)));
    machine.tell("undo");
    assert!(!offered(&machine), "once");
}

/// The account's answer to a booking nobody saw green: the question stays, what was planned for it does not.
#[test]
fn an_unclear_booking_that_is_answered_stays_unclear_and_waits_for_no_try() {
    let mut machine = Machine::new(Place::Lane, false);
    for line in ["account", "started unclear", "accept-notice", "committed", "open last"] {
        machine.tell(line);
    }
    let unclear = machine.screen().status.unclear[0];
    let rows = |machine: &Machine| match machine.screen().page {
        Page::LastBookings(rows) => rows,
        other => panic!("{other:?}"),
    };
    let waiting = rows(&machine).into_iter().find(|row| row.record == unclear).expect("it is listed");
    for (state, next_try_s) in [(RowState::Waiting, Some(0)), (RowState::Booked, None)] {
        let row = Row { state, next_try_s, ..waiting.clone() };
        let (waiting, today) = (Waiting::default(), BTreeMap::new());
        machine.put(Input::OutboxChanged { waiting, rows: vec![row], today, later_refusals: 0 });
        let listed = rows(&machine);
        let shown: Vec<_> =
            listed.iter().filter(|row| row.record == unclear).map(|row| (row.state, row.next_try_s)).collect();
        assert_eq!(shown, [(RowState::Unclear, next_try_s)], "once");
        machine.put(Input::Command(OperatorCommand::Detail(unclear)));
        let Page::Detail(detail) = machine.screen().page else { panic!("the row opens") };
        assert_eq!((detail.state, detail.next_try_s), (RowState::Unclear, next_try_s));
        machine.tell("open last");
    }
}
