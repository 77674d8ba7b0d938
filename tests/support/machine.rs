//! A terminal told by words: one line is one input, answered by its effects and the picture. Time is the story's own.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use teilhabe_terminal::{
    domain::{
        delivery::Outcome,
        ids::{OperatorId, RecordId, TapId},
        reading::{Evidence, Identified, Level, ReadFailure, Route},
        record::{Fact, ReversalReason},
        standing::{CardState, Standing},
        time::At,
    },
    terminal::{
        Setup, Terminal,
        command::{OpenScreen, OperatorCommand},
        effect::{Chime, Effect, RowFilter, TimerToken},
        input::{AccountHealth, AccountView, Input, StartState},
        screen::{AccountState, BlockedBy, Page, Place, ReaderState, Row, RowState, Screen, Waiting},
    },
};

use super::claims;

/// The terminal, and what a driver would remember.
#[derive(Clone)]
pub struct Machine {
    pub terminal: Terminal,
    pub now: Duration,
    pub trusted: bool,
    /// Seconds the wall clock jumped.
    pub jumped_s: i64,
    pub timers: BTreeMap<TimerToken, Duration>,
    /// Tokens that ran out or were issued long ago.
    pub spent: Vec<TimerToken>,
    /// The newest presence of each card.
    pub taps: BTreeMap<u8, TapId>,
    /// Who asked for a standing last, and which card it was.
    pub asked: Option<(TapId, Identified)>,
    /// The tap of the last code.
    pub code: Option<TapId>,
    /// The last record that was handed to the journal, and the last redemption among them.
    pub committing: Option<RecordId>,
    pub redemption: Option<RecordId>,
    minted: u128,
    /// Short names of ids in the order they were seen.
    names: Vec<RecordId>,
    pub account: AccountView,
}

impl Machine {
    pub fn new(place: Place, sign_on: bool) -> Self {
        let setup = Setup {
            place,
            preset: Some(claims::offer_id("lunch")),
            sign_on,
            language: "de".to_owned(),
            lock_after: Some(Duration::from_mins(10)),
        };
        Self {
            terminal: Terminal::new(setup),
            now: Duration::ZERO,
            trusted: true,
            jumped_s: 0,
            timers: BTreeMap::new(),
            spent: Vec::new(),
            taps: BTreeMap::new(),
            asked: None,
            code: None,
            committing: None,
            redemption: None,
            minted: 0,
            names: Vec::new(),
            account: claims::account("musterstadt", claims::DISTRICT, "1234", vec![claims::lunch()]),
        }
    }

    /// As [`Machine::new`], but no offer is chosen from the start.
    pub fn without_preset(place: Place) -> Self {
        let setup = Setup { place, preset: None, sign_on: false, language: "de".to_owned(), lock_after: None };
        Self { terminal: Terminal::new(setup), ..Self::new(place, false) }
    }

    pub fn at(&self) -> At {
        let mut at = claims::at(self.now);
        at.clock.trusted = self.trusted;
        at.wall += jiff::SignedDuration::from_secs(self.jumped_s);
        at
    }

    pub fn mint(&mut self) -> RecordId {
        self.minted += 1;
        claims::record_id(self.minted)
    }

    pub fn screen(&self) -> Screen {
        self.terminal.screen(&self.at())
    }

    /// One input; what the driver would remember is remembered.
    pub fn put(&mut self, input: Input) -> Vec<Effect> {
        let (at, fresh) = (self.at(), self.mint());
        let effects = self.terminal.handle(&at, fresh, input);
        for effect in &effects {
            match effect {
                Effect::After { token, delay } => {
                    self.timers.insert(*token, self.now + *delay);
                }
                Effect::LoadStanding { tap, identified, .. } => self.asked = Some((*tap, (**identified).clone())),
                Effect::DecodeCode { tap, .. } => self.code = Some(*tap),
                Effect::Commit(record) => {
                    self.committing = Some(record.id);
                    if let Fact::Redemption(..) = record.fact {
                        self.redemption = Some(record.id);
                    }
                }
                _ => {}
            }
        }
        effects
    }

    /// Lets time pass; every timer runs out in its turn.
    pub fn pass(&mut self, time: Duration) -> Vec<Effect> {
        let end = self.now + time;
        let mut effects = Vec::new();
        while let Some((token, due)) = self.timers.iter().map(|(t, d)| (*t, *d)).min_by_key(|(t, d)| (*d, *t)) {
            if due > end {
                break;
            }
            self.timers.remove(&token);
            self.spent.push(token);
            self.now = due;
            effects.extend(self.put(Input::Elapsed { token }));
        }
        self.now = end;
        effects
    }

    /// Up to the ready screen, account connected, notice confirmed.
    pub fn ready(&mut self) {
        for line in ["account", "connected", "started", "accept-notice", "committed"] {
            self.tell(line);
        }
        self.names.clear();
    }

    fn name(&mut self, id: RecordId) -> String {
        let at = self.names.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.names.push(id);
            self.names.len() - 1
        });
        format!("#{}", at + 1)
    }

    pub fn tap_of(&self, card: &str) -> TapId {
        self.taps[&card.parse().unwrap()]
    }

    /// The answer to the last question for a standing, in a story's word for it.
    pub fn standing_is(&self, what: &str) -> Input {
        let (tap, _) = self.asked.as_ref().unwrap();
        Input::StandingLoaded { tap: *tap, standing: Box::new(self.standing(what)) }
    }

    fn standing(&self, what: &str) -> Standing {
        let Some((_, identified)) = &self.asked else { panic!("nobody asked for a standing") };
        let card = identified.identities[0].bytes[0];
        let listed = claims::listed(card);
        let entry = |state, left| Some(claims::entry(card, state, left));
        match what {
            "entitled" => listed,
            "older-waits" => Standing { waiting: 1, ..listed },
            "unknown" => Standing { entry: None, ..listed },
            "both" => {
                let mut both = listed;
                if let Some(entry) = &mut both.entry {
                    let entitlement = entry.entitlements[&claims::offer_id("lunch")].clone();
                    entry.entitlements =
                        ["supper", "noon"].map(|id| (claims::offer_id(id), entitlement.clone())).into();
                }
                both
            }
            "neutral" => Standing { entry: entry(CardState::Neutral, None), ..listed },
            "locked" => Standing { entry: entry(CardState::Locked, None), ..listed },
            "used-up" => Standing { entry: entry(CardState::Active, Some(0)), ..listed },
            "already" => Standing { own: vec![claims::own(9, Level::PROVEN, "2026-03-04T10:34:00Z")], ..listed },
            "limit" => Standing { waiting: 100, ..listed },
            "ambiguous" => Standing { ambiguous: true, ..listed },
            other => panic!("no standing {other}"),
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table of the words a story may use")]
    fn input(&mut self, words: &[&str]) -> Input {
        let command = Input::Command;
        match *words {
            ["account"] => Input::Account(Box::new(self.account.clone())),
            ["connected"] => Input::AccountHealth(AccountHealth {
                account: self.account.enrolment.account.clone(),
                state: AccountState::Connected,
                last_success: None,
                last_error: None,
                next_try: None,
            }),
            ["unreachable"] => Input::AccountHealth(AccountHealth {
                account: self.account.enrolment.account.clone(),
                state: AccountState::Unreachable,
                last_success: None,
                last_error: Some("connect".to_owned()),
                next_try: None,
            }),
            ["started"] => Input::Started(Box::default()),
            ["started", "unclear"] => Input::Started(Box::new(StartState {
                never_shown: vec![row(77, RowState::Unclear)],
                rows: vec![row(77, RowState::Waiting), row(78, RowState::Booked)],
                ..StartState::default()
            })),
            ["blocked", why] => Input::Blocked(BlockedBy::ALL.into_iter().find(|b| b.code() == why).unwrap()),
            ["reader", "missing"] => reader(ReaderState::Missing),
            ["reader", "ready"] => reader(ReaderState::Ready),
            ["card", card] => {
                let tap = TapId(self.mint().0);
                self.taps.insert(card.parse().unwrap(), tap);
                Input::CardPresented { tap }
            }
            ["identified", card] => Input::CardIdentified {
                tap: self.tap_of(card),
                identified: Box::new(claims::chip(card.parse().unwrap())),
            },
            ["identified-uid", card] => Input::CardIdentified {
                tap: self.tap_of(card),
                identified: Box::new(claims::by(Route::Uid, Level::SEEN, card.parse().unwrap())),
            },
            // An NTAG 424: its message is for the account to check.
            ["identified-sun", card] => Input::CardIdentified {
                tap: self.tap_of(card),
                identified: Box::new(Identified { level: Level::SYMMETRIC, ..claims::chip(card.parse().unwrap()) }),
            },
            ["failed", card, code] => Input::CardFailed { tap: self.tap_of(card), failure: failure(code) },
            ["removed", card] => Input::CardRemoved { tap: self.tap_of(card) },
            ["standing", what] => self.standing_is(what),
            ["signed", card] => Input::Authenticated { tap: self.tap_of(card), evidence: Box::new(Evidence::None) },
            ["unsigned", card, code] => Input::AuthenticationFailed { tap: self.tap_of(card), failure: failure(code) },
            ["code-is", card] => Input::CodeIdentified {
                tap: self.code.unwrap(),
                identified: Box::new(claims::by(Route::Code, Level::SIGNED, card.parse().unwrap())),
                evidence: Box::new(Evidence::Bik1Static { credential: vec![1] }),
            },
            ["scanned-number", card] => Input::CodeIdentified {
                tap: self.code.unwrap(),
                identified: Box::new(claims::by(Route::Number, Level::SEEN, card.parse().unwrap())),
                evidence: Box::new(Evidence::None),
            },
            ["code-failed", code] => Input::CodeFailed { tap: self.code.unwrap(), failure: failure(code) },
            ["committed"] => Input::Committed { record: self.committing.unwrap(), seq: 1 },
            ["commit-failed"] => Input::CommitFailed { record: self.committing.unwrap(), blocked: None },
            ["commit-failed", why] => Input::CommitFailed {
                record: self.committing.unwrap(),
                blocked: BlockedBy::ALL.into_iter().find(|b| b.code() == why),
            },
            ["judged", what] => Input::Judged { record: self.redemption.unwrap(), outcome: outcome(what) },
            ["shown"] => Input::Shown { record: self.redemption.unwrap() },
            ["rows", what] => Input::RowsLoaded {
                filter: RowFilter::LaterRefusals,
                rows: vec![row(80, if what == "rejected" { RowState::Rejected } else { RowState::Booked })],
            },
            ["outbox"] => Input::OutboxChanged {
                waiting: Waiting { records: 1, oldest_s: Some(3) },
                rows: vec![row(78, RowState::Booked), row(79, RowState::Reversed), row(80, RowState::Rejected)],
                today: BTreeMap::from([(claims::offer_id("lunch"), 2)]),
                later_refusals: 1,
            },
            ["offered"] => Input::ActivationOffered { host: "konto.example:443".into(), municipality: "Stadt".into() },
            ["pending"] => Input::ActivationPending { fingerprint: "ABCD1234".into() },
            ["activation-failed"] => Input::ActivationFailed { code: "code_expired".into() },
            ["signed-in"] => Input::SignedIn { operator: OperatorId::new("op-1").unwrap() },
            ["sign-in-failed"] => Input::SignInFailed { tries_left: 2, locked_s: Some(30) },
            ["tick"] => Input::Tick,

            ["offer", id] => command(OperatorCommand::ChooseOffer(claims::offer_id(id))),
            ["scan"] => command(OperatorCommand::Scan { code: "BIKS1XYZ".into() }),
            ["number", number] => {
                command(OperatorCommand::TypeNumber { number: number.into(), second_factor: None, account: None })
            }
            ["open", "number"] => command(OperatorCommand::Open(OpenScreen::Number)),
            ["open", "last"] => command(OperatorCommand::Open(OpenScreen::LastBookings)),
            ["open", "refusals"] => command(OperatorCommand::Open(OpenScreen::LaterRefusals)),
            ["open", "queue"] => command(OperatorCommand::Open(OpenScreen::Queue)),
            ["open", "activation"] => command(OperatorCommand::Open(OpenScreen::Activation)),
            ["open", "ready"] => command(OperatorCommand::Open(OpenScreen::Ready)),
            ["detail", number] => command(OperatorCommand::Detail(claims::record_id(number.parse().unwrap()))),
            ["again"] => command(OperatorCommand::Again),
            ["date", date] => command(OperatorCommand::ServiceDate(claims::date(date))),
            ["minutes"] => {
                command(OperatorCommand::Minutes(teilhabe_terminal::domain::amount::Minutes::new(45).unwrap()))
            }
            ["challenge"] => command(OperatorCommand::ShowChallenge),
            ["confirm"] => command(OperatorCommand::Confirm),
            ["cancel"] => command(OperatorCommand::Cancel),
            ["undo"] => command(OperatorCommand::Undo),
            ["reverse", "it", reason] => {
                let record = self.redemption.unwrap();
                command(OperatorCommand::Reverse { record, reason: reversal(reason) })
            }
            ["reverse", number, reason] => {
                let record = claims::record_id(number.parse().unwrap());
                command(OperatorCommand::Reverse { record, reason: reversal(reason) })
            }
            ["acknowledge", number] => {
                command(OperatorCommand::Acknowledge(claims::record_id(number.parse().unwrap())))
            }
            ["sign-in"] => command(OperatorCommand::SignIn { operator: "anna".into(), pin: "123456".into() }),
            ["sign-out"] => command(OperatorCommand::SignOut),
            ["accept-notice"] => command(OperatorCommand::AcceptNotice),
            ["send-now"] => command(OperatorCommand::SendNow),
            ["close-day"] => command(OperatorCommand::CloseDay),
            ["language", language] => command(OperatorCommand::Language(language.into())),
            ["activate"] => command(OperatorCommand::Activate { code: "TEILHABE1 …".into(), admin_pin: None }),
            ["stop"] => command(OperatorCommand::Stop),
            _ => panic!("no such line: {}", words.join(" ")),
        }
    }

    /// One line that is an input: its effects.
    pub fn say(&mut self, line: &str) -> Vec<Effect> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let input = self.input(&words);
        self.put(input)
    }

    /// One line of a story: what comes in, and in words what goes out.
    pub fn tell(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let effects = match *words {
            ["wait", time] => {
                let millis: u64 = time.strip_suffix("ms").unwrap().parse().unwrap();
                self.pass(Duration::from_millis(millis))
            }
            // Every token that was ever issued and is not due: all of them are stale by now or must not count yet.
            ["stale"] => {
                let spent = self.spent.clone();
                spent.into_iter().flat_map(|token| self.put(Input::Elapsed { token })).collect()
            }
            _ => self.say(line),
        };
        let mut told = String::new();
        for effect in effects {
            if let Some(word) = self.effect(&effect) {
                write!(told, "{word} ").unwrap();
            }
        }
        told + "| " + &picture(&self.screen())
    }

    fn effect(&mut self, effect: &Effect) -> Option<String> {
        Some(match effect {
            Effect::After { .. } => return None,
            Effect::ArmReader(true) => "arm".to_owned(),
            Effect::ArmReader(false) => "disarm".to_owned(),
            Effect::LoadStanding { .. } => "standing?".to_owned(),
            Effect::Authenticate { draft, .. } => format!("sign?{}", self.name(draft.record)),
            Effect::EndCard { .. } => "end-card".to_owned(),
            Effect::DecodeCode { .. } => "decode".to_owned(),
            Effect::Commit(record) => {
                let reason = match &record.fact {
                    Fact::Reversal { reason, .. } => format!(":{}", reason.word()),
                    Fact::Redemption(draft, _) => format!(":{}", draft.basis.kind.word()),
                    _ => String::new(),
                };
                format!("commit:{}{reason}{}", record.fact.word(), self.name(record.id))
            }
            Effect::LookUp(record) => format!("look-up{}", self.name(*record)),
            Effect::MarkShown(record) => format!("mark{}", self.name(*record)),
            Effect::Note { refusal, .. } => format!("note:{}", refusal.code()),
            Effect::Chime(chime) => match chime {
                Chime::Tick => "tick",
                Chime::Yes => "YES",
                Chime::Already => "ALREADY",
                Chime::No => "NO",
                Chime::Again => "AGAIN",
            }
            .to_owned(),
            Effect::WakeForwarder { awaited: None } => "send".to_owned(),
            Effect::WakeForwarder { awaited: Some((_, wait)) } => format!("send-and-wait:{}", wait.as_millis()),
            Effect::SendNow => "send-now".to_owned(),
            Effect::LoadRows(_) => "rows?".to_owned(),
            Effect::Acknowledge(_) => "acknowledge".to_owned(),
            Effect::BeginActivation { .. } => "ask-server".to_owned(),
            Effect::ConfirmActivation => "enrol".to_owned(),
            Effect::AbandonActivation => "abandon".to_owned(),
            Effect::CheckPin { .. } => "pin?".to_owned(),
            Effect::Alarm(why) => format!("ALARM:{}", why.code()),
            Effect::Stop => "stop".to_owned(),
        })
    }
}

/// The picture in words.
pub fn picture(screen: &Screen) -> String {
    let mut words = screen.page.name().to_owned();
    match &screen.page {
        Page::Result(result) => {
            let class = result.class.map_or("-", |class| class.word());
            write!(words, " {class}").unwrap();
            if let Some(reason) = &result.reason {
                write!(words, " {reason}").unwrap();
            }
            for (word, on) in [
                ("no-record", result.class.is_some_and(|c| c.word() < "R3") && result.record.is_none()),
                ("undo", result.can_undo),
                ("second-helping", result.second_helping),
                ("paper", result.serve_on_paper),
            ] {
                if on {
                    write!(words, " +{word}").unwrap();
                }
            }
            if let Some(minute) = result.earlier_minute {
                write!(words, " at {:02}:{:02}", minute / 60, minute % 60).unwrap();
            }
        }
        Page::Ready { choose_child: true } => words.push_str(" choose_child"),
        Page::Reading { slow: true } => words.push_str(" slow"),
        Page::Number { problem, accounts } => {
            if let Some(problem) = problem {
                write!(words, " {problem}").unwrap();
            }
            for account in accounts {
                write!(words, " {}? {:?}", account.id, account.municipality).unwrap();
            }
        }
        Page::Choose { offers } => {
            for offer in offers {
                write!(words, " {offer}").unwrap();
            }
        }
        Page::Activation(step) => {
            use teilhabe_terminal::terminal::screen::ActivationStep;
            words.push_str(match step {
                ActivationStep::Code { problem: None } => " code",
                ActivationStep::Code { problem: Some(_) } => " code again",
                ActivationStep::Checking => " checking",
                ActivationStep::Confirm { .. } => " confirm",
                ActivationStep::Pending { .. } => " pending",
            });
        }
        Page::SignOn { locked_s: Some(s), .. } => write!(words, " locked {s}").unwrap(),
        Page::OutOfService(why) => write!(words, " {}", why.code()).unwrap(),
        Page::LastBookings(rows) | Page::LaterRefusals(rows) | Page::Queue { rows, .. } => {
            write!(words, " {}", rows.len()).unwrap();
        }
        _ => {}
    }
    if !screen.status.unclear.is_empty() {
        write!(words, " (unclear {})", screen.status.unclear.len()).unwrap();
    }
    if let Some(code) = &screen.refused_command {
        write!(words, " !{code}").unwrap();
    }
    words
}

pub fn row(number: u128, state: RowState) -> Row {
    use teilhabe_terminal::domain::amount::Quantity;
    Row {
        record: claims::record_id(number),
        account: claims::account_id("musterstadt"),
        tapped_at: claims::date(claims::TODAY).at(12, 0, 0, 0),
        service_date: claims::date(claims::TODAY),
        offer: claims::offer_id("lunch"),
        quantity: Quantity::Meal,
        amount: claims::cents(430),
        tag: None,
        route: Route::Chip,
        state,
        reason: None,
        reversal: None,
        attempts: 0,
        next_try_s: None,
        last_error: None,
    }
}

fn failure(code: &str) -> ReadFailure {
    ReadFailure::ALL.into_iter().find(|failure| failure.code() == code).unwrap()
}

fn reversal(word: &str) -> ReversalReason {
    ReversalReason::ALL.into_iter().find(|reason| reason.word() == word).unwrap()
}

fn outcome(word: &str) -> Outcome {
    match word {
        "booked" => Outcome::Booked { booking: None },
        "rejected" => Outcome::Rejected { reason: "used_up".to_owned() },
        "disputed" => Outcome::Disputed { reason: "two_lanes".to_owned() },
        "deferred" => Outcome::Deferred,
        "conflict" => Outcome::Conflict,
        other => panic!("no outcome {other}"),
    }
}

fn reader(state: ReaderState) -> Input {
    Input::Reader { state, name: None, simulated: false, advice: BTreeMap::new() }
}
