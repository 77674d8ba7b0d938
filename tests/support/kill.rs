//! The kill campaign: the real terminal, killed at named points of a tap and at random moments, started again; the real
//! account too. At the end what the account has booked is held against what was shown green.
//!
//! A point is named by what can be seen from outside, and followed by a pause of random length. So no point needs a hook in
//! the program, and the stretch between two of them, in which sealing, signing and both syncs happen, is hit everywhere.
#![allow(clippy::disallowed_methods, reason = "real programs are killed by the real clock")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    deck::{Deck, Laid},
    dice::Dice,
    line::{Line, Shape, Way},
    stack::{Account, Pcscd, Terminal},
};

/// Longest life of a terminal that does not come to its point; it is killed there and counted as such.
const LIFE: Duration = Duration::from_secs(15);
/// Longest wait for the queue to empty at the end.
const DRAIN: Duration = Duration::from_secs(120);
/// A request with a record is longer than this, one that only greets is shorter.
const REQUEST: usize = 400;
/// One line of three is a tap's worth of waiting if nothing was seen yet.
const FIRST_GUESS: Duration = Duration::from_millis(60);

/// Where the terminal is killed, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Between the start of the process and the first `ready`.
    Starting,
    /// The card was selected.
    Selected,
    /// Its file is being read.
    Read,
    /// It was asked to sign: the pause covers signing, decision, sealing, commit, witness and picture.
    Signing,
    /// Committed, and not shown: the program ends itself there (`--die-after-commit`).
    Committed,
    /// Green was shown.
    Green,
    /// The record is on its way or with the account, whose answer is kept back.
    Sent,
    /// The account's answer is arriving.
    Answered,
    /// A pause after the start that covers the whole life.
    Random,
}

const POINTS: [Point; 15] = [
    Point::Starting,
    Point::Selected,
    Point::Read,
    Point::Signing,
    Point::Signing,
    Point::Signing,
    Point::Signing,
    Point::Committed,
    Point::Green,
    Point::Green,
    Point::Sent,
    Point::Sent,
    Point::Answered,
    Point::Answered,
    Point::Random,
];

/// What came of a campaign.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often the terminal was killed, by point.
    pub kills: BTreeMap<Point, u32>,
    /// Killed elsewhere, because its life did not come to its point: mostly a child that had eaten already.
    pub elsewhere: u32,
    /// Results that were not green, by class and reason.
    pub not_green: BTreeMap<String, u32>,
    /// How often the account was killed.
    pub account_kills: u32,
    /// Records that were shown green.
    pub green: usize,
    /// Records the account has booked.
    pub booked: usize,
    /// Booked, and never shown green before the kill.
    pub unseen: usize,
    /// Of those: never put before staff (R7) after a restart.
    pub unseen_and_untold: Vec<String>,
    /// Green, and not booked.
    pub lost: Vec<String>,
    /// Booked twice: records, or children with more than one lunch.
    pub doubled: Vec<String>,
    /// What the account's own check of its ledger says.
    pub ledger: Vec<String>,
    /// Answers that are neither booked nor repeated.
    pub refused: Vec<String>,
}

impl Tally {
    /// True if nothing was lost, doubled or kept from staff.
    pub fn clean(&self) -> bool {
        let Self { lost, doubled, ledger, refused, unseen_and_untold, .. } = self;
        [lost, doubled, ledger, refused, unseen_and_untold].iter().all(|list| list.is_empty())
    }

    /// All kills of the terminal.
    pub fn total(&self) -> u32 {
        self.kills.values().sum::<u32>() + self.elsewhere
    }

    /// For a report.
    pub fn json(&self) -> Value {
        let kills: BTreeMap<String, u32> = self.kills.iter().map(|(p, n)| (format!("{p:?}"), *n)).collect();
        json!({ "kills": kills, "elsewhere": self.elsewhere,
                "not_green": self.not_green, "account_kills": self.account_kills, "green": self.green,
                "booked": self.booked, "unseen": self.unseen, "unseen_and_untold": self.unseen_and_untold,
                "lost": self.lost, "doubled": self.doubled, "refused": self.refused, "ledger": self.ledger })
    }
}

/// What the campaign hears, with the number of the life it belongs to.
enum Heard {
    Line(u32, Value),
    Ended(u32),
    Command(u32, u8),
    Passed(Way, usize),
}

/// Kills a terminal that often, with an account and cards of its own, in `folder`.
pub fn campaign(folder: &Path, seed: u64, kills: u32) -> Tally {
    let (mut account, deck) = Deck::open(folder, kills + 16);
    let pcscd = Pcscd::start();
    let data = folder.join("terminal");
    let mut terminal = Terminal::start(&data, &pcscd);
    terminal.enrol(&account.activation("lane", 0));
    assert_eq!(terminal.stop(), 0);
    let config = folder.join("terminal.toml");
    fs::write(&config, "offer = \"lunch\"\n\n[log]\nlevel = \"warn\"\n").unwrap();

    let (told, heard) = channel();
    let (was, is) = account.move_away();
    let passing = told.clone();
    let line = Line::between(&was, &is, Shape::default(), move |way, bytes| {
        let _ = passing.send(Heard::Passed(way, bytes));
    });
    let mut campaign = Campaign {
        dice: Dice::new(seed),
        deck,
        pcscd,
        line,
        data,
        config,
        told,
        heard,
        life: 0,
        tally: Tally::default(),
        green: BTreeSet::new(),
        unclear: BTreeSet::new(),
        to_ready: FIRST_GUESS,
        to_green: FIRST_GUESS,
    };
    let mut card = campaign.deck.draw();
    for _ in 0..kills {
        let served = campaign.live_and_die(card, &mut account);
        // Of the children that saw no green, every other one tries again and the others give way to the next.
        if served || campaign.dice.one_in(2) {
            card = campaign.deck.draw();
        }
    }
    campaign.drain();
    campaign.count(&account)
}

/// A process that does not outlive the campaign.
struct Life(Child);

impl Drop for Life {
    /// SIGKILL.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Campaign {
    dice: Dice,
    deck: Deck,
    pcscd: Pcscd,
    line: Line,
    data: PathBuf,
    config: PathBuf,
    told: Sender<Heard>,
    heard: Receiver<Heard>,
    life: u32,
    tally: Tally,
    /// The log of green results.
    green: BTreeSet<String>,
    /// Records that were put before staff.
    unclear: BTreeSet<String>,
    /// From the start to `ready`, and from the challenge to green, when last seen.
    to_ready: Duration,
    to_green: Duration,
}

impl Campaign {
    fn start(&mut self, die_after_commit: bool) -> Life {
        self.life += 1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_teilhabe-terminal"));
        command.arg("--headless").arg("--data").arg(&self.data).arg("--config").arg(&self.config);
        if die_after_commit {
            command.arg("--die-after-commit");
        }
        command.env("PCSCLITE_CSOCK_NAME", &self.pcscd.socket);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (told, life) = (self.told.clone(), self.life);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            // The last line may have been cut by the kill: what was not said whole was not said.
            for line in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()) {
                let _ = told.send(Heard::Line(life, line));
            }
            let _ = told.send(Heard::Ended(life));
        });
        Life(child)
    }

    fn lay(&self, cti: [u8; 16]) -> Laid {
        let (told, life) = (self.told.clone(), self.life);
        let card = self.deck.card(cti, None).witnessed(move |command| {
            let _ = told.send(Heard::Command(life, command.get(1).copied().unwrap_or_default()));
        });
        Laid::on(&self.pcscd, 0, card)
    }

    /// Keeps what a picture promises.
    fn note(&mut self, line: &Value) {
        if let Some(record) = green(line) {
            self.green.insert(record.to_owned());
        }
        let unclear = line["unclear"].as_array().into_iter().flatten().filter_map(Value::as_str);
        self.unclear.extend(unclear.map(ToOwned::to_owned));
    }

    /// One life of the terminal; true if it showed green.
    fn live_and_die(&mut self, cti: [u8; 16], account: &mut Account) -> bool {
        let point = *self.dice.pick(&POINTS);
        let begin = Instant::now();
        let mut end = begin + LIFE;
        let mut account_end = self.dice.one_in(5).then(|| begin + self.dice.pause(4 * self.to_ready));
        match point {
            Point::Starting => end = begin + self.dice.pause(self.to_ready * 2),
            Point::Random => {
                end = begin + self.dice.pause((self.to_ready + self.to_green) * 3 + Duration::from_millis(800))
            }
            _ => {}
        }
        let terminal = self.start(point == Point::Committed);
        // Half the children are there before the terminal is.
        let mut laid = self.dice.one_in(2).then(|| self.lay(cti));
        let (mut asked, mut seen_green, mut reached) = (None, false, false);
        let life = self.life;
        loop {
            let next = account_end.map_or(end, |account| account.min(end));
            let heard = self.heard.recv_timeout(next.saturating_duration_since(Instant::now()));
            let now = Instant::now();
            let at = |reached: &mut bool, end: &mut Instant, pause: Duration| {
                if !*reached {
                    (*reached, *end) = (true, now + pause);
                }
            };
            match heard {
                Err(RecvTimeoutError::Timeout) if account_end.is_some_and(|end| end <= now) => {
                    account_end = None;
                    account.restart();
                    self.tally.account_kills += 1;
                }
                Err(_) => break,
                Ok(Heard::Line(from, line)) if from == life => {
                    self.note(&line);
                    if line["screen"] == "ready" && line["reader"]["state"] == "ready" && laid.is_none() {
                        self.to_ready = begin.elapsed();
                        laid = Some(self.lay(cti));
                    }
                    if green(&line).is_some() && !seen_green {
                        seen_green = true;
                        self.to_green = asked.map_or(self.to_green, |asked| now - asked);
                        match point {
                            Point::Green => at(&mut reached, &mut end, self.dice.pause(Duration::from_millis(10))),
                            Point::Committed => panic!("the program lived on after its first commit"),
                            _ => {}
                        }
                    }
                    if line["screen"] == "result" && green(&line).is_none() {
                        *self.tally.not_green.entry(format!("{} {}", line["class"], line["reason"])).or_default() += 1;
                    }
                    if line["class"] == "R3" {
                        // This child has eaten: no tap comes of it any more. The life ends here.
                        end = end.min(now + self.dice.pause(Duration::from_millis(50)));
                    }
                }
                Ok(Heard::Command(from, instruction)) if from == life => match (instruction, point) {
                    (0xA4, Point::Selected) | (0xB0, Point::Read) => {
                        at(&mut reached, &mut end, self.dice.pause(Duration::from_millis(5)));
                    }
                    (0x88, _) => {
                        asked = Some(now);
                        match point {
                            Point::Signing => at(&mut reached, &mut end, self.dice.pause(self.to_green * 2)),
                            Point::Sent => self.line.hold(true),
                            _ => {}
                        }
                    }
                    _ => {}
                },
                Ok(Heard::Passed(way, bytes)) => match (way, point) {
                    (Way::Up, Point::Sent) if asked.is_some() && bytes > REQUEST => {
                        at(&mut reached, &mut end, self.dice.pause(Duration::from_millis(60)));
                    }
                    (Way::Down, Point::Answered) if seen_green => {
                        at(&mut reached, &mut end, self.dice.pause(Duration::from_millis(15)));
                    }
                    _ => {}
                },
                Ok(Heard::Ended(from)) if from == life => {
                    assert_eq!(point, Point::Committed, "the program ended by itself");
                    reached = true;
                    break;
                }
                Ok(_) => {}
            }
        }
        // What it had said before it was killed still counts.
        drop(terminal);
        self.line.hold(false);
        drop(laid);
        self.hear_out();
        if reached || matches!(point, Point::Starting | Point::Random) {
            *self.tally.kills.entry(point).or_default() += 1;
        } else {
            self.tally.elsewhere += 1;
        }
        seen_green
    }

    /// Takes everything a dead terminal has said.
    fn hear_out(&mut self) {
        let life = self.life;
        loop {
            match self.heard.recv_timeout(Duration::from_millis(300)) {
                Ok(Heard::Line(_, line)) => self.note(&line),
                Ok(Heard::Ended(from)) if from == life => return,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    /// A last life, until nothing waits any more.
    fn drain(&mut self) {
        let Life(terminal) = &mut self.start(false);
        let end = Instant::now() + DRAIN;
        let mut last = Value::Null;
        loop {
            match self.heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Heard::Line(_, line)) => {
                    self.note(&line);
                    let rests = line["screen"] == "ready" || line["class"] == "R5";
                    if rests && line["waiting"]["records"] == 0 && line["account"]["state"] == "connected" {
                        break;
                    }
                    last = line;
                }
                Ok(_) => {}
                Err(_) => panic!("never drained: {last}"),
            }
        }
        writeln!(terminal.stdin.as_mut().unwrap(), "{}", json!({ "command": "stop" })).unwrap();
        assert!(terminal.wait().unwrap().success(), "it stops in order");
        self.hear_out();
    }

    /// The account's ledger against the log of green results.
    fn count(mut self, account: &Account) -> Tally {
        let (mut records, mut children) = (BTreeMap::<String, u32>::new(), BTreeMap::<String, u32>::new());
        for booking in account.bookings() {
            let text = |key: &str| booking[key].as_str().unwrap_or_default().to_owned();
            if booking["outcome"] != "booked" {
                self.tally.refused.push(booking.to_string());
                continue;
            }
            *records.entry(text("record")).or_default() += 1;
            *children.entry(text("child")).or_default() += 1;
        }
        let twice = records.iter().chain(&children).filter(|(_, times)| **times != 1).map(|(whose, _)| whose.clone());
        self.tally.doubled = twice.collect();
        self.tally.lost = self.green.iter().filter(|record| !records.contains_key(*record)).cloned().collect();
        let unseen: Vec<&String> = records.keys().filter(|record| !self.green.contains(*record)).collect();
        self.tally.unseen = unseen.len();
        self.tally.unseen_and_untold =
            unseen.into_iter().filter(|record| !self.unclear.contains(*record)).cloned().collect();
        (self.tally.green, self.tally.booked) = (self.green.len(), records.len());
        let ledger = account.admin(&["ledger", "check"]);
        let breaches = ledger["breaches"].as_array().into_iter().flatten();
        self.tally.ledger = breaches.map(ToString::to_string).collect();
        self.tally
    }
}

/// The record of a green picture.
fn green(line: &Value) -> Option<&str> {
    let class = line["class"].as_str();
    (line["screen"] == "result" && matches!(class, Some("R1" | "R2"))).then(|| line["record"].as_str()).flatten()
}
