//! Table R: what shows that nothing is lost. Campaigns run here; what another command of the repository proves is asked of
//! it, and what nothing proves yet is said so.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    kill,
    report::{Figure, Taken},
    soak,
    state::Scale,
};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
/// One seed, so that a run can be told again; another one is another campaign.
const SEED: u64 = 0x7E17;

/// R1.
pub fn kills(scale: Scale) -> Taken<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let tally = kill::campaign(folder.path(), SEED, scale.kills);
    Ok(Figure {
        key: "R1",
        what: "kills of the terminal (and of the account beside it): green taps lost + booked twice",
        value: (tally.lost.len() + tally.doubled.len()) as f64,
        unit: "records",
        target: "0 lost, 0 doubled in 1,000 kills".to_owned(),
        floor: None,
        met: tally.clean() && tally.total() >= scale.kills,
        more: tally.json(),
    })
}

/// A thousand taps of random cards and faults.
pub fn soak(scale: Scale) -> Taken<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let tally = soak::campaign(folder.path(), SEED, scale.soak);
    let (kilobytes, threads, handles) = tally.growth();
    Ok(Figure {
        key: "soak",
        what: "taps of random cards and faults through pcscd in a row: growth of resident memory",
        value: kilobytes as f64,
        unit: "kB",
        target: "< 1,000 kB, no thread, no handle, no restart in 1,000 taps".to_owned(),
        floor: None,
        met: tally.wrong.is_empty() && kilobytes < 1000 && threads <= 0 && handles <= 0,
        more: tally.json(),
    })
}

/// R2: the service tool's own simulation, where there is one.
pub fn simulation(scale: Scale) -> Taken<Figure> {
    let tool = env!("CARGO_BIN_EXE_teilhabectl");
    let known = Command::new(tool).args(["simulate", "--help"]).output().is_ok_and(|help| help.status.success());
    if !known {
        return Err("`teilhabectl simulate` does not exist yet".into());
    }
    let begin = std::time::Instant::now();
    let output = Command::new(tool)
        .args(["simulate", "--seeds", &scale.seeds.to_string(), "--faults", "all", "--json"])
        .output()
        .map_err(|error| error.to_string())?;
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    let said = String::from_utf8_lossy(&output.stdout);
    let days = f64::from(scale.seeds) / minutes;
    Ok(Figure {
        key: "R2",
        what: "simulated days of 100 taps a minute, the conservation law checked after each",
        value: days,
        unit: "days/min",
        target: ">= 300 a minute, 10,000 seeds without a breach".to_owned(),
        floor: None,
        met: output.status.success() && days >= 300.0,
        more: json!({ "seeds": scale.seeds, "held": output.status.success(), "said": said.lines().last() }),
    })
}

/// R4: `script/fuzz SECONDS`, which leaves `target/fuzz.json`: `{target: {runs, seconds, panics}}`.
pub fn fuzz(scale: Scale) -> Taken<Figure> {
    let script = Path::new(REPOSITORY).join("script/fuzz");
    if !script.is_file() {
        return Err("script/fuzz does not exist yet".into());
    }
    let target = Path::new(env!("CARGO_BIN_EXE_teilhabe-terminal")).parent().and_then(Path::parent).unwrap();
    let done = Command::new(&script).arg(scale.fuzz_s.to_string()).current_dir(REPOSITORY).status();
    let text = fs::read(target.join("fuzz.json")).or_else(|_| fs::read(Path::new(REPOSITORY).join("target/fuzz.json")));
    let seen: Value = text
        .map_err(|error| format!("target/fuzz.json: {error}"))
        .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()))?;
    let targets = seen.as_object().ok_or("target/fuzz.json is not an object")?;
    let sum = |key: &str| targets.values().filter_map(|target| target[key].as_u64()).sum::<u64>();
    let panics = sum("panics");
    Ok(Figure {
        key: "R4",
        what: "panics of the fuzz targets",
        value: panics as f64,
        unit: "panics",
        target: "0, a minute a target".to_owned(),
        floor: None,
        met: panics == 0 && !targets.is_empty() && done.is_ok_and(|status| status.success()),
        more: json!({ "targets": targets.len(), "runs": sum("runs"), "seconds_each": scale.fuzz_s }),
    })
}

/// R5: what `docs/faults.md` says of itself; `tests/pages.rs` holds the names of its tests true.
pub fn faults() -> Taken<Figure> {
    let page = fs::read_to_string(Path::new(REPOSITORY).join("docs/faults.md")).map_err(|error| error.to_string())?;
    let rows = page.lines().filter_map(|line| {
        let number: u32 = line.strip_prefix("| ")?.split_once(' ')?.0.parse().ok()?;
        Some((number, line))
    });
    let (mut all, mut untested, mut open) = (0_u32, Vec::new(), Vec::new());
    for (number, line) in rows {
        all += 1;
        if line.contains("no test yet") {
            untested.push(number);
        } else if line.contains("*Open:*") {
            open.push(number);
        }
    }
    let value = f64::from(all) - untested.len() as f64;
    Ok(Figure {
        key: "R5",
        what: "faults with a test that names their number, by docs/faults.md",
        value,
        unit: "faults",
        target: format!("all {all}"),
        floor: None,
        met: untested.is_empty() && open.is_empty() && all > 0,
        more: json!({ "without_a_test": untested, "partly_open": open }),
    })
}

/// R7: the half that can be counted; the mutation score is a command of its own.
pub fn own_code() -> Taken<Figure> {
    fn sources(folder: &Path, found: &mut Vec<String>) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                sources(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    sources(&Path::new(REPOSITORY).join("src"), &mut found).map_err(|error| error.to_string())?;
    let code =
        |text: &&String| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("unsafe "));
    let unsafe_files = found.iter().filter(code).count();
    Ok(Figure {
        key: "R7",
        what: "files of our own with unsafe code",
        value: unsafe_files as f64,
        unit: "files",
        target: "0, and a mutation score of 90 %".to_owned(),
        floor: None,
        met: false,
        more: json!({ "files": found.len(), "not_measured": "mutation score" }),
    })
}
