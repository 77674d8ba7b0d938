//! The rules of a claim: a table of what an offer, a card and the own records make of it, and what never happens.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod support;

use std::{collections::BTreeMap, time::Duration};

use jiff::{Span, civil::Date};
use proptest::prelude::*;
use support::claims::{self, cents, date, listed, offer_id, own};
use teilhabe_terminal::domain::{
    amount::{Minutes, Month, Percent, Quantity, Unit},
    decision::{Decision, Question, Refusal, Selection, decide},
    documents::TerminalStanding,
    ids::{DistrictId, OperatorId, TapId},
    offer::{Catalogue, Limits, Offer, OfflineRule, OnFault, RouteRule, SuspectClock, UnknownCard},
    policy,
    reading::{Identified, Level, Route},
    record::{BasisKind, Draft, ServicePhase},
    standing::{CardState, Entitlement, OwnRecord, Standing},
    time::At,
};

/// A claim that is granted; each test changes what it is about.
#[derive(Debug, Clone)]
struct Case {
    regard: TerminalStanding,
    catalogue: Option<Catalogue>,
    selection: Selection,
    identified: Identified,
    standing: Standing,
    at: At,
}

fn case() -> Case {
    Case {
        regard: TerminalStanding::Active,
        catalogue: Some(claims::catalogue(vec![claims::lunch()])),
        selection: Selection { offer: Some(offer_id("lunch")), ..Selection::default() },
        identified: claims::chip(1),
        standing: listed(1),
        at: claims::at(Duration::ZERO),
    }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn lunch(&mut self) -> &mut Offer {
        &mut self.catalogue.as_mut().unwrap().offers[0]
    }

    fn limits(&mut self) -> &mut Limits {
        &mut self.catalogue.as_mut().unwrap().limits
    }

    fn state(&mut self, state: CardState) {
        self.standing.entry.as_mut().unwrap().state = state;
    }

    fn entitlement(&mut self) -> &mut Entitlement {
        self.standing.entry.as_mut().unwrap().entitlements.get_mut(&offer_id("lunch")).unwrap()
    }

    fn decide(&self) -> Decision {
        let (account, operator) = (claims::account_id("musterstadt"), OperatorId::unattended());
        decide(&Question {
            tap: TapId(claims::record_id(1).0),
            account: &account,
            regard: self.regard,
            catalogue: self.catalogue.as_ref(),
            selection: &self.selection,
            identified: &self.identified,
            standing: &self.standing,
            operator: &operator,
            second_factor: None,
            at: &self.at,
        })
    }

    /// The decision in a word.
    fn word(&self) -> String {
        match self.decide() {
            Decision::Grant(draft) => format!("grant {}", draft.basis.kind.word()),
            Decision::Neutral { .. } => "neutral".to_owned(),
            Decision::Refuse(refusal) => refusal.code().to_owned(),
            Decision::Choose(offers) => format!("choose {}", offers.len()),
        }
    }

    fn draft(&self) -> Draft {
        match self.decide() {
            Decision::Grant(draft) => *draft,
            other => panic!("not granted: {other:?}"),
        }
    }
}

fn check(cases: Vec<(&str, &str, Case)>) {
    for (what, expected, case) in cases {
        assert_eq!(case.word(), expected, "{what}");
    }
}

#[test]
fn a_lunch_is_granted_as_it_is_owed() {
    let draft = case().draft();
    assert_eq!(draft.record, claims::record_id(1));
    assert_eq!((draft.quantity, draft.amount), (Quantity::Meal, cents(430)));
    assert_eq!((draft.catalogue_seq, draft.basis.card_list_seq, draft.basis.trust_list_seq), (7, 5, 3));
    assert_eq!(draft.service_date, date(claims::TODAY));
    assert_eq!(draft.card, claims::card_ref(1));
    assert!(draft.must_authenticate);
}

#[test]
fn the_offer_comes_before_the_card() {
    let today = || date(claims::TODAY);
    check(vec![
        ("all is well", "grant card_list", case()),
        ("suspended", "provider_not_approved", case().with(|c| c.regard = TerminalStanding::Suspended)),
        ("no catalogue", "documents_lapsed", case().with(|c| c.catalogue = None)),
        ("catalogue lapsed", "documents_lapsed", case().with(|c| c.at.floor = claims::instant("2026-03-10T01:00:00Z"))),
        ("its grace", "grant card_list", case().with(|c| c.at.floor = claims::instant("2026-03-10T00:59:59Z"))),
        ("no reference key yet", "documents_lapsed", case().with(|c| c.standing.refs.clear())),
        ("another preset", "no_offer", case().with(|c| c.selection.offer = Some(offer_id("supper")))),
        ("not released", "offer_not_released", case().with(|c| c.lunch().released = false)),
        ("not yet", "not_yet_valid", case().with(|c| c.lunch().valid_from = date("2026-03-05"))),
        ("over", "period_over", case().with(|c| c.lunch().valid_to = date("2026-03-03"))),
        ("tomorrow", "wrong_date", case().with(|c| c.selection.service_date = Some(today().tomorrow().unwrap()))),
        ("closed day", "wrong_date", case().with(|c| c.selection.service_date = Some(date("2026-03-03")))),
        ("last back date", "grant card_list", case().with(|c| c.selection.service_date = Some(date("2026-03-01")))),
        ("too far back", "wrong_date", case().with(|c| c.selection.service_date = Some(date("2026-02-28")))),
        ("suspect clock is flagged", "grant card_list", case().with(|c| c.at.clock.trusted = false)),
        (
            "suspect clock is refused",
            "clock_suspect",
            case().with(|c| {
                c.at.clock.trusted = false;
                c.lunch().suspect_clock = SuspectClock::Refuse;
            }),
        ),
        ("route", "route_not_allowed", case().with(|c| c.identified.route = Route::List)),
        ("level", "level_too_low", case().with(|c| c.identified.level = Level::SIGNED)),
        ("as many wait as may", "limit_reached", case().with(|c| c.standing.waiting = 100)),
        ("the oldest waits too long", "limit_reached", case().with(|c| c.standing.oldest_waiting_s = 259_200)),
        (
            "an offer of nobody",
            "no_offer",
            case().with(|c| {
                c.selection.offer = None;
                c.catalogue.as_mut().unwrap().offers.clear();
            }),
        ),
    ]);
}

/// Fault 21.
#[test]
fn the_card_has_its_say() {
    check(vec![
        ("several children", "ambiguous", case().with(|c| c.standing.ambiguous = true)),
        ("locked", "card_locked", case().with(|c| c.state(CardState::Locked))),
        ("replaced", "card_replaced", case().with(|c| c.state(CardState::Replaced))),
        ("neutral", "neutral", case().with(|c| c.state(CardState::Neutral))),
        (
            "neutral, suspended",
            "provider_not_approved",
            case().with(|c| {
                c.state(CardState::Neutral);
                c.regard = TerminalStanding::Suspended;
            }),
        ),
        ("no claim", "not_entitled", case().with(|c| c.standing.entry.as_mut().unwrap().entitlements.clear())),
        ("claim over", "period_over", case().with(|c| c.entitlement().until = date("2026-03-03"))),
        ("last day of the claim", "grant card_list", case().with(|c| c.entitlement().until = date("2026-03-04"))),
        ("nothing left", "used_up", case().with(|c| c.entitlement().available = Some(0))),
        ("not limited here", "grant card_list", case().with(|c| c.entitlement().available = None)),
        ("unknown", "card_unknown", case().with(|c| c.standing.entry = None)),
        (
            "unknown, accepted",
            "grant policy",
            case().with(|c| {
                c.standing.entry = None;
                c.lunch().unknown_card = UnknownCard::AcceptBelow(cents(430));
            }),
        ),
        (
            "unknown, too dear",
            "card_unknown",
            case().with(|c| {
                c.standing.entry = None;
                c.lunch().unknown_card = UnknownCard::AcceptBelow(cents(429));
            }),
        ),
        (
            "chain only",
            "grant card_list",
            case().with(|c| {
                c.identified.chain_only = true;
                c.lunch().chain_only_cap = Some(cents(430));
            }),
        ),
        (
            "chain only, too dear",
            "limit_reached",
            case().with(|c| {
                c.identified.chain_only = true;
                c.lunch().chain_only_cap = Some(cents(429));
            }),
        ),
        (
            "cap of the route",
            "limit_reached",
            case().with(|c| {
                c.lunch().routes.get_mut(&Route::Chip).unwrap().cap = Some(cents(429));
            }),
        ),
    ]);
}

#[test]
fn once_a_day_by_child_and_never_starved_by_weaker_evidence() {
    let noon = "2026-03-04T11:00:00Z";
    let with = |records: Vec<OwnRecord>| case().with(|c| c.standing.own = records);
    let yesterday = OwnRecord { service_date: date("2026-03-02"), ..own(9, Level::PROVEN, noon) };
    check(vec![
        ("yesterday's", "grant card_list", with(vec![yesterday.clone()])),
        ("today's", "already_today", with(vec![own(9, Level::PROVEN, noon)])),
        ("a number at noon", "grant card_list", with(vec![own(9, Level::TYPED, noon)])),
        (
            "two numbers and nothing left",
            "grant card_list",
            with(vec![own(8, Level::TYPED, noon), own(9, Level::TYPED, noon)]),
        ),
        (
            "a number after the card",
            "already_today",
            with(vec![own(9, Level::PROVEN, noon)]).with(|c| {
                c.identified = claims::by(Route::Number, Level::TYPED, 1);
            }),
        ),
        (
            "a second helping",
            "grant card_list",
            with(vec![own(9, Level::PROVEN, noon)]).with(|c| {
                c.selection.again = true;
            }),
        ),
        (
            "a third",
            "already_today",
            with(vec![own(8, Level::PROVEN, noon), own(9, Level::PROVEN, noon)]).with(|c| {
                c.selection.again = true;
            }),
        ),
        (
            "no second helpings here",
            "already_today",
            with(vec![own(9, Level::PROVEN, noon)]).with(|c| {
                c.selection.again = true;
                c.lunch().second_helping = false;
            }),
        ),
        (
            "two a day",
            "grant card_list",
            with(vec![own(9, Level::PROVEN, noon)]).with(|c| {
                c.lunch().max_per_day = Some(2);
            }),
        ),
        (
            "often enough this month",
            "limit_reached",
            with(vec![yesterday]).with(|c| {
                c.lunch().max_per_month = Some(1);
            }),
        ),
        (
            "another offer's",
            "grant card_list",
            with(vec![OwnRecord { offer: offer_id("supper"), ..own(9, Level::PROVEN, noon) }]),
        ),
    ]);
    let Decision::Refuse(refusal) = with(vec![own(9, Level::PROVEN, "2026-03-04T10:34:00Z")]).decide() else {
        panic!("the second lunch is not granted")
    };
    assert_eq!(
        refusal,
        Refusal::AlreadyToday {
            at: claims::instant("2026-03-04T10:34:00Z"),
            record: claims::record_id(9),
            second_helping: true,
        }
    );
}

#[test]
fn what_the_account_does_not_know_yet_counts() {
    let yesterday = OwnRecord { service_date: date("2026-03-02"), ..own(9, Level::PROVEN, claims::NOON) };
    let with = |records: Vec<OwnRecord>| case().with(|c| c.standing.own = records);
    check(vec![
        (
            "the last one was not booked yet",
            "used_up",
            with(vec![yesterday.clone()]).with(|c| {
                c.entitlement().available = Some(1);
            }),
        ),
        (
            "it was booked already",
            "grant card_list",
            with(vec![OwnRecord { seq: 10, ..yesterday.clone() }]).with(|c| {
                c.entitlement().available = Some(1);
            }),
        ),
        (
            "too much unsettled of this card",
            "limit_reached",
            with(vec![yesterday.clone()]).with(|c| {
                c.limits().per_card_offline = cents(859);
            }),
        ),
        (
            "settled does not count",
            "grant card_list",
            with(vec![OwnRecord { settled: true, ..yesterday }]).with(|c| {
                c.limits().per_card_offline = cents(859);
            }),
        ),
        (
            "too much unsettled of this offer",
            "limit_reached",
            case().with(|c| {
                c.standing.offer_unsettled = cents(99_571);
            }),
        ),
    ]);
}

#[test]
fn a_fault_waives_the_level_of_a_number_and_of_nothing_else() {
    let strict = |route: Route, level: Level, fault: bool| {
        case().with(|c| {
            c.selection.fault = fault;
            c.identified = Identified { must_authenticate: route == Route::Chip, ..claims::by(route, level, 1) };
            for rule in c.lunch().routes.values_mut() {
                *rule = RouteRule { min_level: Level::PROVEN, cap: None, fault_cap: Some(2) };
            }
        })
    };
    check(vec![
        ("a number without a fault", "level_too_low", strict(Route::Number, Level::TYPED, false)),
        ("a number", "grant fault", strict(Route::Number, Level::TYPED, true)),
        ("a code", "grant fault", strict(Route::Code, Level::SIGNED, true)),
        ("a chip below its level", "level_too_low", strict(Route::Chip, Level::SIGNED, true)),
        ("a UID", "level_too_low", strict(Route::Uid, Level::SEEN, true)),
        (
            "enough for today",
            "limit_reached",
            strict(Route::Number, Level::TYPED, true).with(|c| {
                c.standing.fault_today = 2;
            }),
        ),
        (
            "the offer refuses",
            "level_too_low",
            strict(Route::Number, Level::TYPED, true).with(|c| {
                c.lunch().on_fault = OnFault::Refuse;
            }),
        ),
        (
            "an unlisted number",
            "grant fault",
            strict(Route::Number, Level::TYPED, true).with(|c| {
                c.standing.entry = None;
            }),
        ),
        (
            "a locked card",
            "not_entitled",
            strict(Route::Number, Level::TYPED, true).with(|c| {
                c.state(CardState::Locked);
            }),
        ),
    ]);
}

#[test]
fn a_number_tells_nothing_about_its_card() {
    let number =
        |change: fn(&mut Case)| case().with(|c| c.identified = claims::by(Route::Number, Level::TYPED, 1)).with(change);
    for (what, case) in [
        ("locked", number(|c| c.state(CardState::Locked))),
        ("replaced", number(|c| c.state(CardState::Replaced))),
        ("no claim", number(|c| c.standing.entry.as_mut().unwrap().entitlements.clear())),
        ("over", number(|c| c.entitlement().until = date("2026-03-03"))),
        ("nothing left", number(|c| c.entitlement().available = Some(0))),
        ("unknown", number(|c| c.standing.entry = None)),
    ] {
        assert_eq!(case.decide(), Decision::Refuse(Refusal::NotEntitled), "{what}");
    }
}

/// Level 3: like 4 where the account's answer is waited for, else like 2 (card-application, 3). The number beside the
/// message is nobody's proof, so it tells as little about its card as a typed one.
#[test]
fn a_message_for_the_account_counts_as_level_two_until_it_answers() {
    let sun = |least: Level, wait: u32| {
        case().with(move |c| {
            c.identified = Identified { level: Level::SYMMETRIC, ..claims::chip(1) };
            c.lunch().online_wait_ms = wait;
            c.lunch().routes.get_mut(&Route::Chip).unwrap().min_level = least;
        })
    };
    let noon = claims::NOON;
    let beside = |own: OwnRecord, wait| sun(Level::SIGNED, wait).with(move |c| c.standing.own = vec![own]);
    let answered = |level| OwnRecord { settled: true, ..own(9, level, noon) };
    check(vec![
        ("level 4 is asked, nobody waits", "level_too_low", sun(Level::PROVEN, 0)),
        ("level 4 is asked", "level_too_low", sun(Level::PROVEN, 800)),
        ("level 3 is asked, nobody waits", "level_too_low", sun(Level::SYMMETRIC, 0)),
        ("level 3 is asked", "grant card_list", sun(Level::SYMMETRIC, 800)),
        ("level 2 is asked, nobody waits", "grant card_list", sun(Level::SIGNED, 0)),
        ("a printed code before it, nobody waits", "already_today", beside(own(9, Level::SIGNED, noon), 0)),
        ("a printed code before it", "grant card_list", beside(own(9, Level::SIGNED, noon), 800)),
        ("an unanswered message before it", "already_today", beside(own(9, Level::SYMMETRIC, noon), 0)),
        ("an unanswered message before one that waits", "grant card_list", beside(own(9, Level::SYMMETRIC, noon), 800)),
        ("an answered message before it", "already_today", beside(answered(Level::SYMMETRIC), 800)),
    ]);
    for change in [
        (|c: &mut Case| c.state(CardState::Locked)) as fn(&mut Case),
        |c| c.entitlement().available = Some(0),
        |c| c.standing.entry = None,
    ] {
        assert_eq!(sun(Level::SIGNED, 0).with(change).decide(), Decision::Refuse(Refusal::NotEntitled));
    }
}

#[test]
fn a_number_of_two_districts_is_the_card_the_list_knows() {
    let both = case().with(|c| {
        c.identified = claims::by(Route::Number, Level::TYPED, 1);
        let mut other = c.identified.identities[0].clone();
        other.district = DistrictId::new("de:05112000").unwrap();
        c.identified.identities.insert(0, other);
        c.standing.refs = vec![claims::card_ref(9), claims::card_ref(1)];
    });
    let draft = both.draft();
    assert_eq!(draft.identity.district.as_str(), claims::DISTRICT);
    assert_eq!(draft.card, claims::card_ref(1));
    let unlisted = both.with(|c| {
        c.standing.entry = None;
        c.lunch().unknown_card = UnknownCard::AcceptBelow(cents(1000));
    });
    assert_eq!(unlisted.word(), "ambiguous");
}

#[test]
fn without_a_preset_the_card_finds_its_meal() {
    let two = || {
        case().with(|c| {
            c.selection.offer = None;
            let supper = Offer { id: offer_id("supper"), ..claims::lunch() };
            let hours = Offer { id: offer_id("hours"), unit: Unit::Minutes, ..claims::lunch() };
            c.catalogue = Some(claims::catalogue(vec![claims::lunch(), supper, hours]));
        })
    };
    check(vec![
        ("only lunch is its", "grant card_list", two()),
        (
            "both are",
            "choose 2",
            two().with(|c| {
                let same = c.entitlement().clone();
                c.standing.entry.as_mut().unwrap().entitlements.insert(offer_id("supper"), same);
            }),
        ),
        ("neither is", "not_entitled", two().with(|c| c.standing.entry.as_mut().unwrap().entitlements.clear())),
        ("unknown", "choose 2", two().with(|c| c.standing.entry = None)),
        ("neutral", "neutral", two().with(|c| c.state(CardState::Neutral))),
        (
            "lunch alone is open",
            "grant card_list",
            two().with(|c| {
                c.catalogue.as_mut().unwrap().offers[1].released = false;
            }),
        ),
    ]);
}

#[test]
fn every_unit_has_its_price() {
    let month = |m| Month::new(2026, m).unwrap();
    let of = |unit: Unit, change: &dyn Fn(&mut Case)| {
        case().with(|c| {
            c.lunch().unit = unit;
            c.lunch().max_per_day = None;
            c.entitlement().available = Some(2000);
            change(c);
        })
    };
    let amounts = [
        (
            of(Unit::Minutes, &|c| {
                c.lunch().price = cents(50);
                c.selection.minutes = Some(Minutes::new(30).unwrap());
            }),
            1500,
            ServicePhase::Single,
        ),
        (of(Unit::Minutes, &|c| c.selection.phase = Some(ServicePhase::Start)), 0, ServicePhase::Start),
        (of(Unit::Months, &|c| c.selection.months = [month(3), month(4), month(5)].into()), 1290, ServicePhase::Single),
        (
            of(Unit::Amount, &|c| {
                c.selection.event = Some("Zoo".to_owned());
                c.selection.amount = Some(cents(430));
            }),
            430,
            ServicePhase::Single,
        ),
        (
            of(Unit::Share, &|c| {
                c.selection.months = [month(3)].into();
                c.entitlement().percent = Some(Percent::new(75).unwrap());
            }),
            323,
            ServicePhase::Single,
        ),
    ];
    for (case, amount, phase) in amounts {
        let draft = case.draft();
        assert_eq!((draft.amount, draft.phase), (cents(amount), phase), "{:?}", draft.quantity);
    }
    check(vec![
        ("no minutes", "no_quantity", of(Unit::Minutes, &|_| {})),
        ("an end without a start", "no_start", of(Unit::Minutes, &|c| c.selection.phase = Some(ServicePhase::End))),
        ("no months", "no_quantity", of(Unit::Months, &|_| {})),
        (
            "a month twice",
            "month_taken",
            of(Unit::Months, &|c| {
                c.selection.months = [month(3), month(4)].into();
                let quantity = Quantity::Months([month(4)].into());
                c.standing.own = vec![OwnRecord { quantity, ..own(9, Level::PROVEN, claims::NOON) }];
            }),
        ),
        ("no event", "no_quantity", of(Unit::Amount, &|c| c.selection.amount = Some(cents(1)))),
        (
            "above the cap",
            "limit_reached",
            of(Unit::Amount, &|c| {
                c.selection.event = Some("Zoo".to_owned());
                c.selection.amount = Some(cents(431));
            }),
        ),
        ("a share of nothing", "not_entitled", of(Unit::Share, &|c| c.selection.months = [month(3)].into())),
    ]);
}

#[test]
fn the_end_of_a_lesson_names_its_start() {
    let lesson = case().with(|c| {
        c.lunch().unit = Unit::Minutes;
        c.lunch().price = cents(10);
        c.entitlement().available = Some(600);
        c.selection.phase = Some(ServicePhase::End);
        let start = Quantity::Minutes { minutes: Minutes::new(0).unwrap(), started: None };
        let start = OwnRecord { quantity: start, amount: cents(0), ..own(9, Level::PROVEN, "2026-03-04T10:14:30Z") };
        c.standing.own = vec![start];
    });
    let draft = lesson.draft();
    let expected = Quantity::Minutes { minutes: Minutes::new(45).unwrap(), started: Some(claims::record_id(9)) };
    assert_eq!((draft.quantity, draft.amount), (expected.clone(), cents(450)));
    let ended = lesson.with(|c| {
        c.lunch().max_per_day = None;
        c.standing.own.push(OwnRecord { quantity: expected, ..own(10, Level::PROVEN, claims::NOON) });
    });
    assert_eq!(ended.word(), "no_start", "a lesson ends once");
}

fn any_own() -> impl Strategy<Value = OwnRecord> {
    (0u8..5, 0i64..4, 0u64..20, any::<bool>(), 0i64..2000).prop_map(|(level, days, seq, settled, amount)| OwnRecord {
        service_date: date(claims::TODAY).checked_sub(Span::new().days(days)).unwrap(),
        seq,
        settled,
        amount: cents(amount),
        ..own(u128::from(seq) + 100, Level::new(level).unwrap(), claims::NOON)
    })
}

prop_compose! {
    fn any_case()(
        own in prop::collection::vec(any_own(), 0..6),
        available in prop::option::of(0u32..6),
        max_per_day in prop::option::of(0u32..3),
        max_per_month in prop::option::of(0u32..5),
        route in prop::sample::select(Route::ALL.to_vec()),
        level in 0u8..5,
        min_level in 0u8..5,
        (cap, chain_cap) in (prop::option::of(0i64..600), prop::option::of(0i64..600)),
        (listed, chain_only, fault, again, second_helping) in any::<(bool, bool, bool, bool, bool)>(),
        (released, trusted, preset) in (prop::bool::weighted(0.9), any::<bool>(), prop::bool::weighted(0.9)),
        (card_cap, offer_cap, unsettled) in (0i64..4000, 0i64..4000, 0i64..3000),
        (waiting, fault_today) in (0u32..120, 0u32..4),
        (price, unknown_cap) in (0i64..99_999_999, prop::option::of(0i64..1000)),
        (cheap, days_back) in (prop::bool::weighted(0.9), -1i64..6),
        unit in prop::sample::select(vec![Unit::Meal, Unit::Meal, Unit::Meal, Unit::Minutes, Unit::Amount]),
    ) -> Case {
        case().with(|c| {
            let lunch = c.lunch();
            lunch.unit = unit;
            lunch.price = cents(if cheap { price % 500 } else { price });
            (lunch.max_per_day, lunch.max_per_month) = (max_per_day, max_per_month);
            (lunch.second_helping, lunch.released) = (second_helping, released);
            lunch.chain_only_cap = chain_cap.map(cents);
            lunch.offline = OfflineRule::Refuse;
            lunch.unknown_card = unknown_cap.map_or(UnknownCard::Refuse, |cap| UnknownCard::AcceptBelow(cents(cap)));
            let rule = RouteRule { min_level: Level::new(min_level).unwrap(), cap: cap.map(cents), fault_cap: Some(2) };
            lunch.routes = BTreeMap::from([(route, rule)]);
            c.limits().per_card_offline = cents(card_cap);
            c.limits().per_offer_offline = cents(offer_cap);
            c.entitlement().available = available;
            if !listed {
                c.standing.entry = None;
            }
            c.identified = Identified {
                chain_only,
                ..claims::by(route, Level::new(level).unwrap(), 1)
            };
            c.standing.own = own;
            c.standing.offer_unsettled = cents(unsettled);
            (c.standing.waiting, c.standing.fault_today) = (waiting, fault_today);
            c.at.clock.trusted = trusted;
            (c.selection.fault, c.selection.again) = (fault, again);
            c.selection.minutes = Some(Minutes::new(u32::try_from(price % 1400).unwrap()).unwrap());
            c.selection.event = Some("Zoo".to_owned());
            c.selection.amount = Some(cents(price % 700));
            c.selection.service_date = date(claims::TODAY).checked_sub(Span::new().days(days_back)).ok();
            if !preset {
                c.selection.offer = None;
            }
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is granted lies within every rule, counted here a second time and in another way.
    #[test]
    fn nothing_is_granted_above_entitlement_or_policy(mut case in any_case()) {
        let Decision::Grant(draft) = case.decide() else { return Ok(()) };
        let offer = case.lunch().clone();
        let limits = case.limits().clone();
        let rule = &offer.routes[&draft.route];
        // Nobody waits for an answer in any of these offers.
        let level = case.identified.level.unanswered();
        let strong: Vec<&OwnRecord> = case.standing.own.iter().filter(|r| r.weight() >= level).collect();
        prop_assert!(offer.released && case.standing.waiting < limits.waiting_hard);
        prop_assert!(draft.service_date <= case.at.today && draft.service_date >= date("2026-03-01"));
        prop_assert_ne!(draft.service_date, date("2026-03-03"));
        let named = matches!(draft.route, Route::Number | Route::Code | Route::List);
        prop_assert!(level >= rule.min_level || draft.basis.kind == BasisKind::Fault && named && case.selection.fault);
        if draft.basis.kind == BasisKind::Fault {
            prop_assert!(named && case.standing.fault_today < 2);
        }
        if let Some(entry) = &case.standing.entry {
            let entitlement = &entry.entitlements[&draft.offer];
            prop_assert!(entitlement.until >= draft.service_date);
            if let Some(available) = entitlement.available {
                let open = strong.iter().filter(|r| r.seq > case.standing.booked_through).count();
                prop_assert!(open as u64 + u64::from(policy::units(&draft.quantity, draft.amount)) <= u64::from(available));
            }
        } else {
            prop_assert!(offer.unknown_card != UnknownCard::Refuse || draft.basis.kind == BasisKind::Fault);
            if let UnknownCard::AcceptBelow(cap) = offer.unknown_card {
                prop_assert!(draft.amount <= cap);
            }
        }
        let that_day = strong.iter().filter(|r| r.service_date == draft.service_date).count();
        let extra = usize::from(case.selection.again && offer.second_helping);
        prop_assert!(offer.max_per_day.is_none_or(|most| that_day < most as usize + extra));
        let month = |day: Date| (day.year(), day.month());
        let that_month = strong.iter().filter(|r| month(r.service_date) == month(draft.service_date)).count();
        prop_assert!(offer.max_per_month.is_none_or(|most| that_month < most as usize));
        prop_assert!(rule.cap.is_none_or(|cap| draft.amount <= cap));
        prop_assert!(!case.identified.chain_only || offer.chain_only_cap.is_none_or(|cap| draft.amount <= cap));
        if draft.amount.get() > 0 {
            let unsettled: i64 = strong.iter().filter(|r| !r.settled).map(|r| r.amount.get()).sum();
            prop_assert!(unsettled + draft.amount.get() <= limits.per_card_offline.get());
            prop_assert!(case.standing.offer_unsettled.get() + draft.amount.get() <= limits.per_offer_offline.get());
        }
        prop_assert_eq!(offer.price_of(&draft.quantity, case.selection.amount), Some(draft.amount));
    }

    /// Proving more, or having booked weaker evidence, never turns a grant into a refusal.
    #[test]
    fn stronger_evidence_is_never_refused_because_of_weaker(case in any_case(), weaker in any_own()) {
        let granted = matches!(case.decide(), Decision::Grant(_));
        let after = case.clone().with(|c| c.standing.own.push(weaker.clone()));
        if granted && weaker.weight() < case.identified.level.unanswered() {
            prop_assert!(matches!(after.decide(), Decision::Grant(_)));
        }
    }

    /// More records never turn a refusal into a grant: an order of taps cannot be gamed.
    #[test]
    fn another_record_never_opens_a_door(case in any_case(), more in any_own()) {
        // Minutes between start and end are the one thing that needs an earlier record.
        let refused = matches!(case.decide(), Decision::Refuse(_));
        let mut after = case.clone();
        after.standing.own.push(more);
        // A second helping needs a first.
        if refused && !case.selection.again {
            prop_assert!(!matches!(after.decide(), Decision::Grant(_)));
        }
    }

    /// The same question has the same answer.
    #[test]
    fn a_decision_depends_on_its_question_alone(case in any_case()) {
        prop_assert_eq!(case.decide(), case.decide());
    }
}

/// The properties above say something only if a fair share of the random cases is granted.
#[test]
fn random_cases_are_granted_often_enough_to_mean_something() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut words: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..2000 {
        *words.entry(any_case().new_tree(&mut runner).unwrap().current().word()).or_default() += 1;
    }
    for word in ["grant card_list", "grant policy", "grant fault", "already_today", "used_up", "limit_reached"] {
        assert!(words.get(word).is_some_and(|count| *count >= 5), "{word} is too rare: {words:?}");
    }
}
