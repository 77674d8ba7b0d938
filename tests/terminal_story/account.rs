//! What journal and account make of a booking, and what stops the terminal.

use super::*;
use teilhabe_terminal::terminal::screen::AccountState;

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

/// Level 3 is level 2 until the account answers: an offer that asks for 3 is served on its word alone, whatever it allows
/// without network; one that asks for 2 goes by its own rule.
#[test]
fn a_message_for_the_account_is_served_on_its_word() {
    let asking = |least: Level| {
        lane_with(move |lunch| {
            lunch.online_wait_ms = 800;
            lunch.routes.get_mut(&Route::Chip).unwrap().min_level = least;
        })
    };
    let tap = "
        card 1             => tick | reading
        identified-sun 1   => standing? | reading
        standing entitled  => sign?#1 | reading
        signed 1           => commit:redemption:card_list#1 | reading
        committed          => send-and-wait:800 disarm | waiting
    ";
    let refused = "commit:reversal:no_connection#2 NO note:no_connection arm | result R4 no_connection";
    let served = "commit:served#2 YES arm | result R2 +undo";
    for (least, answer, result) in [
        (Level::SYMMETRIC, "judged booked", "YES arm | result R1 +undo"),
        (Level::SYMMETRIC, "judged rejected", "NO note:by_account arm | result R4 used_up"),
        (Level::SYMMETRIC, "judged deferred", refused),
        (Level::SYMMETRIC, "wait 800ms", refused),
        (Level::SIGNED, "judged booked", "YES arm | result R1 +undo"),
        (Level::SIGNED, "judged deferred", served),
        (Level::SIGNED, "wait 800ms", served),
    ] {
        check(asking(least), &format!("{tap}\n{answer} => {result}"));
    }
    // Nobody waits: what was asked for beyond level 2 is not there.
    check(
        lane_with(|lunch| lunch.routes.get_mut(&Route::Chip).unwrap().min_level = Level::SYMMETRIC),
        "
        card 1            => tick | reading
        identified-sun 1  => standing? | reading
        standing entitled => end-card NO note:level_too_low | result R4 level_too_low
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

/// The account lets it in as somebody new: notice first, then its list.
fn takes_a_new_identity(machine: &mut Machine) {
    machine.account.enrolment.terminal = TerminalId::new("T-NEW").unwrap();
    machine.account.card_list = false;
    assert_eq!(machine.tell("account"), "| notice");
    machine.tell("accept-notice");
    assert_eq!(machine.tell("committed"), "send | starting");
    machine.account.card_list = true;
    assert_eq!(machine.tell("account"), "arm | ready");
}

/// Fault 33: a copied terminal says so until an administrator activates it anew; then its notice and lists are asked for
/// like those of any new terminal.
#[test]
fn another_identity_leads_out_of_a_fork() {
    let mut machine = lane();
    machine.account.forked = true;
    assert_eq!(machine.tell("account"), "ALARM:fork disarm | out_of_service fork");
    check(
        machine.clone(),
        "
        account           => | out_of_service fork
        card 1            => end-card | out_of_service fork
        open queue        => | out_of_service fork !not_now
        open activation   => | activation code
        cancel            => | out_of_service fork
        activate          => ask-server | activation checking
        account           => | activation checking
        activation-failed => | activation code again
        cancel            => | out_of_service fork
    ",
    );
    for line in ["activate", "offered", "confirm"] {
        machine.tell(line);
    }
    machine.account.forked = false;
    takes_a_new_identity(&mut machine);
}

/// Whoever is activated anew while all is well waits for the new identity's list as well: no child is refused because it is
/// still on its way.
#[test]
fn a_new_identity_waits_for_its_list() {
    let mut machine = lane();
    for line in ["activate", "offered", "confirm"] {
        machine.tell(line);
    }
    takes_a_new_identity(&mut machine);
}

/// One account's new identity does not lift what another one says.
#[test]
fn a_fork_with_one_account_is_not_cured_by_another() {
    let mut machine = lane();
    machine.account.forked = true;
    machine.tell("account");
    machine.tell("activate");
    machine.account.forked = false;
    machine.account.enrolment.account = AccountId::new("elsewhere").unwrap();
    assert_eq!(machine.tell("account"), "| out_of_service fork");
}

/// An account that cannot be connected is no new terminal; nothing but a new activation helps, and the program says what to
/// do. A damaged journal is not cured so.
#[test]
fn a_terminal_whose_account_is_unusable_does_not_look_new() {
    for why in ["key_missing", "account_unusable", "revoked"] {
        check(
            Machine::new(Place::Lane, false),
            &format!(
                "
        blocked {why}   => ALARM:{why} | out_of_service {why}
        started         => | out_of_service {why}
        activate        => ask-server | activation checking
        offered         => | activation confirm
        confirm         => enrol | activation checking
        account         => | notice
    "
            ),
        );
    }
    // Its status bar does not call it new either, and the administrator it has is asked for the PIN they have.
    for why in ["key_missing", "account_unusable"] {
        let mut machine = Machine::new(Place::Lane, false);
        for line in [&format!("blocked {why}"), "started", "open activation"] {
            machine.tell(line);
            assert_eq!(machine.screen().status.account, AccountState::Unreachable, "{why}: {line}");
        }
    }
    check(
        Machine::new(Place::Lane, false),
        "
        blocked journal_damaged => ALARM:journal_damaged | out_of_service journal_damaged
        started                 => | out_of_service journal_damaged
        activate                => | out_of_service journal_damaged !not_now
        open activation         => | out_of_service journal_damaged !not_now
    ",
    );
}
