//! The figures of speed and size, table P of the specification's quality page: `script/bench` runs this and keeps
//! `target/bench.json`. Everything that is measured is the real component; what it is compared with is measured in the
//! same run. A figure never fails on its value; one that cannot be taken says why.
//!
//! Arguments: names of figures (`P1 R1 lane`) to take only these; `--all` for campaigns, drain and ledger of full length;
//! `--try` for a fiftieth of everything.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that meets the unexpected ends with its words"
)]
#![allow(clippy::disallowed_methods, reason = "measuring is about the real clock, and about pauses between taps")]
#![allow(clippy::cast_precision_loss, reason = "figures are printed with three digits")]

#[path = "../../tests/support/deck.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod deck;
mod desk;
#[path = "../../tests/support/dice.rs"]
mod dice;
mod drain;
mod floor;
#[path = "../../tests/support/kill.rs"]
mod kill;
mod lane;
mod ledger;
#[path = "../../tests/support/line.rs"]
#[allow(dead_code, reason = "the campaign needs more of it")]
mod line;
mod pace;
mod program;
mod proof;
mod reader;
mod report;
#[path = "../../tests/support/soak.rs"]
mod soak;
#[path = "../../tests/support/stack.rs"]
#[allow(dead_code, clippy::needless_pass_by_value, reason = "the tests need more of it, and say it so")]
mod stack;
mod state;
mod tap;

use std::{env, fs, path::Path};

use report::Report;
use state::{Office, Scale, Site};

fn main() {
    let mut arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == reader::INSIDE) {
        return reader::inside(&arguments[1..]);
    }
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    let scale = match (given("--all"), given("--try")) {
        (_, true) => Scale::TRY,
        (true, _) => Scale::ALL,
        _ => Scale::QUICK,
    };
    arguments.retain(|argument| !argument.starts_with("--"));
    let mut report = Report::new(arguments, scale);
    run(&mut report, scale);
    report.close();
    print!("{}", report.table());
    let file = Path::new(env!("CARGO_BIN_EXE_teilhabe-terminal")).parent().and_then(Path::parent).unwrap();
    let file = file.join("bench.json");
    fs::write(&file, report.json()).unwrap();
    println!("\n{}", file.display());
}

fn run(report: &mut Report, scale: Scale) {
    report.take("P11", || Ok(program::size()));
    report.take("R5", proof::faults);
    report.take("R7", proof::own_code);
    report.take("R4", || proof::fuzz(scale));
    report.take("R2", || proof::simulation(scale));
    report.take("R1", || proof::kills(scale));
    report.take("soak", || proof::soak(scale));
    report.take("R3", || Err("a test judges it: tests/journal_durability.rs, tests/journal_secrets.rs".into()));
    report.take("R6", || Err("no reconnect storm of a thousand terminals yet".into()));
    if report.wants(&["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "lane"]) {
        on_an_account(report, scale);
    }
}

/// What needs an account with thousands of cards.
fn on_an_account(report: &mut Report, scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut office) = report.prepare("account", || Office::open(folder.path(), scale)) else { return };
    let pcscd = report.prepare("pcscd", stack::Pcscd::start);

    if let Some(pcscd) = &pcscd {
        report.take("P5", || drain::drain(pcscd, scale));
        report.take("P10", || ledger::bookings(pcscd, scale));
    }
    let small = folder.path().join("small");
    if report.wants(&["P2", "P3", "P4", "lane"])
        && let Some(pcscd) = &pcscd
        && let Some(site) = report.prepare("terminal", || Site::enrol(&small, &office, pcscd, 0))
        && report.prepare("documents", || site.settle_in(&mut office)).is_some()
    {
        report.take("P2", || reader::read(&site, &mut office, pcscd));
        report.take_all(&["P3", "P4"], || tap::online(&site, &mut office, scale));
        report.take("lane", || lane::lane(&site, &mut office, pcscd, scale.lane));
    }
    let large = folder.path().join("large");
    if report.wants(&["P1", "P6", "P7", "P8", "P9"])
        && let Some(mut pcscd) = pcscd
        && report.prepare("account again", || office.account.restart()).is_some()
        && let Some(site) = report.prepare("terminal", || Site::enrol(&large, &office, &pcscd, 1))
        && report.prepare("journal", || site.fill(&mut office, scale)).is_some()
    {
        report.take_all(&["P1"], || tap::share(&site, &mut office, scale));
        report.take("P6", || program::cold_start(&site, &pcscd));
        report.take_all(&["P7", "P8"], || program::at_rest(&site, &pcscd));
        report.take("P9", || program::service_returns(&site, &mut pcscd));
    }
}
