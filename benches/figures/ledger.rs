//! P10: what a booking costs the account, with an empty ledger and with one that has seen years.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use teilhabe_terminal::{
    account::{
        Account, AccountError,
        inspection::{Posted, inspect},
        intake::Intake,
        ledger::Posting,
        store::StoreError,
    },
    domain::{amount::Cents, delivery::Outcome},
    protocol::exchange::MAX_RECORDS,
};

use crate::{
    deck::now,
    drain::queue,
    report::{Figure, Taken},
    stack::Pcscd,
    state::{Office, Scale, Site, copy},
};

/// Most that a booking may cost more in the largest ledger than in the empty one.
const DEARER: f64 = 1.3;
const RATE: f64 = 3000.0;

/// P10: the same real bookings, in batches, on copies of one account that differ in the length of their ledgers.
pub fn bookings(pcscd: &Pcscd, scale: Scale) -> Taken<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let taps = scale.drained.min(2000);
    let mut office = Office::open(folder.path(), Scale { cards: taps + 100, ..scale });
    let site = Site::enrol(&folder.path().join("terminal"), &office, pcscd, 0);
    site.settle_in(&mut office);
    office.account.kill();
    queue(&site, &mut office, taps)?;
    let posted = payloads(&site);
    let mut rates = Vec::new();
    for entries in scale.ledgers {
        let there = folder.path().join(format!("ledger-{entries}"));
        copy(&folder.path().join("konto"), &there);
        rates.push((*entries, rate(&there, *entries, &posted)?));
        fs::remove_dir_all(&there).unwrap();
    }
    let (first, last) = (rates[0].1.per_s, rates[rates.len() - 1].1.per_s);
    let dearer = first / last;
    let told = |(entries, rate): &(u32, Rate)| {
        json!({ "ledger": entries, "bookings_per_s": rate.per_s,
                "inspecting_us": rate.inspecting_us, "judging_us": rate.judging_us })
    };
    let rates: Vec<_> = rates.iter().map(told).collect();
    Ok(Figure {
        key: "P10",
        what: "bookings of the account in batches, without the network, ledger empty",
        value: first,
        unit: "records/s",
        target: format!(">= {RATE} records/s; at most {DEARER} x dearer in the largest ledger"),
        floor: None,
        met: first >= RATE && dearer <= DEARER && scale.ledgers.len() > 1,
        more: json!({ "rates": rates, "dearer": dearer, "records": posted.len(), "ledger_grown_by": "grants" }),
    })
}

/// Everything that waits in a site's journal, as it would be sent.
fn payloads(site: &Site) -> Vec<Posted> {
    let mut journal = site.open().journal;
    let account = journal.enrolments().unwrap().remove(0).enrolment.account;
    let due = journal.due(&account, now(), usize::MAX, None).unwrap();
    due.into_iter().map(|payload| Posted { jws: payload.jws, sealed: payload.sealed, original_jws: None }).collect()
}

/// How fast, and on what a record's time goes.
struct Rate {
    per_s: f64,
    inspecting_us: f64,
    judging_us: f64,
}

fn rate(folder: &Path, entries: u32, posted: &[Posted]) -> Taken<Rate> {
    let account = Account::open(folder, Arc::new(now)).map_err(|error| error.to_string())?;
    let cent = Cents::new(1).unwrap();
    let grown: Result<(), StoreError> = account.write(|tx| {
        (0..entries).try_for_each(|n| tx.post(&Posting::grant(1 + i64::from(n % 40), "lunch", cent), now()).map(drop))
    });
    grown.map_err(|error| error.to_string())?;
    let begin = Instant::now();
    let (mut booked, mut inspecting) = (0, Duration::ZERO);
    for batch in posted.chunks(MAX_RECORDS) {
        let mut judged = || {
            let terminals = account.write(|tx| tx.terminals())?;
            let terminal = terminals.into_iter().next_back().ok_or(StoreError::Damaged("terminal"))?;
            let at = Instant::now();
            let inspected = inspect(&account, &terminal, batch)?;
            inspecting += at.elapsed();
            Ok(account.write(|tx| Intake::new(&account, tx, &terminal).take(&inspected))?)
        };
        let receipts = judged().map_err(|error: AccountError| format!("{error:?}"))?;
        booked += receipts.iter().filter(|receipt| matches!(receipt.outcome, Outcome::Booked { .. })).count();
    }
    let (took, records) = (begin.elapsed(), posted.len() as f64);
    let rate = Rate {
        per_s: records / took.as_secs_f64(),
        inspecting_us: inspecting.as_secs_f64() * 1e6 / records,
        judging_us: (took - inspecting).as_secs_f64() * 1e6 / records,
    };
    if booked == posted.len() { Ok(rate) } else { Err(format!("{booked} of {} were booked", posted.len())) }
}
