//! What was measured, as a table for people and as JSON for programs.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::state::Scale;

/// One line of the table.
pub struct Figure {
    /// Which row of the specification.
    pub key: &'static str,
    /// What was measured, in words.
    pub what: &'static str,
    /// The measured value.
    pub value: f64,
    /// Its unit, and the unit of target and floor.
    pub unit: &'static str,
    /// What is asked for, in words.
    pub target: String,
    /// What the bare thing took in the same run.
    pub floor: Option<f64>,
    /// Whether the target is met.
    pub met: bool,
    /// Everything else that was seen.
    pub more: Value,
}

/// Why a figure was not taken.
pub type Taken<T> = Result<T, String>;

/// All figures of a run.
pub struct Report {
    wanted: Vec<String>,
    scale: Scale,
    taken: BTreeMap<&'static str, Taken<Figure>>,
    /// Why what others stand on could not be prepared.
    unprepared: Vec<String>,
}

/// The tables P and R of the specification, and two campaigns of the accepted issues.
const ROWS: [&str; 20] = [
    "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "R1", "R2", "R3", "R4", "R5", "R6", "R7",
    "lane", "soak",
];

impl Report {
    /// None yet; `wanted` empty means all.
    pub fn new(wanted: Vec<String>, scale: Scale) -> Self {
        Self { wanted, scale, taken: BTreeMap::new(), unprepared: Vec::new() }
    }

    /// True if one of these is asked for.
    pub fn wants(&self, keys: &[&str]) -> bool {
        self.wanted.is_empty() || keys.iter().any(|key| self.wanted.iter().any(|wanted| wanted == key))
    }

    /// Takes one figure.
    pub fn take(&mut self, key: &'static str, measure: impl FnOnce() -> Taken<Figure>) {
        self.take_all(&[key], || measure().map(|figure| vec![figure]));
    }

    /// Takes several at once. One that is not among them was not taken.
    pub fn take_all(&mut self, keys: &[&'static str], measure: impl FnOnce() -> Taken<Vec<Figure>>) {
        if !self.wants(keys) {
            return;
        }
        let begin = Instant::now();
        let measured = guarded(measure).and_then(|measured| measured);
        eprintln!("bench: {} after {:.1} s", keys.join(", "), begin.elapsed().as_secs_f64());
        let failed = match measured {
            Ok(figures) => {
                self.taken.extend(figures.into_iter().map(|figure| (figure.key, Ok(figure))));
                "was not among what was measured".to_owned()
            }
            Err(why) => why,
        };
        for key in keys {
            self.taken.entry(key).or_insert_with(|| Err(failed.clone()));
        }
    }

    /// Does something that figures stand on; on failure says so and gives nothing.
    pub fn prepare<T>(&mut self, what: &str, work: impl FnOnce() -> T) -> Option<T> {
        let begin = Instant::now();
        let done = guarded(work);
        eprintln!("bench: {what} prepared in {:.1} s", begin.elapsed().as_secs_f64());
        done.map_err(|why| self.unprepared.push(format!("{what}: {why}"))).ok()
    }

    /// Nothing more comes: what is asked for and was not taken says why.
    pub fn close(&mut self) {
        for key in ROWS {
            if self.wants(&[key]) && !self.taken.contains_key(key) {
                self.taken.insert(key, Err(self.unprepared.join("; ")));
            }
        }
    }

    /// `target/bench.json`.
    pub fn json(&self) -> String {
        let mut all = serde_json::Map::new();
        for (key, taken) in self.rows() {
            let row = match taken {
                Ok(figure) => json!({
                    "what": figure.what, "value": figure.value, "unit": figure.unit, "target": figure.target,
                    "floor": figure.floor, "met": figure.met, "more": figure.more, "state": self.scale.words(),
                }),
                Err(why) => json!({ "value": null, "unit": null, "target": null, "met": null, "why": why }),
            };
            all.insert(key.to_owned(), row);
        }
        serde_json::to_string_pretty(&all).unwrap()
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut text = format!("{}\n", self.scale.words());
        for (key, taken) in self.rows() {
            let line = match taken {
                Ok(figure) => {
                    let floor = figure.floor.map_or_else(String::new, |floor| format!("  floor {floor:.2}"));
                    let met = if figure.met { "met" } else { "NOT MET" };
                    let Figure { what, value, unit, target, more, .. } = figure;
                    format!("{key:<4} {value:>9.2} {unit:<10}{floor}  [{target}: {met}]  {what}  {more}")
                }
                Err(why) => format!("{key:<4}         - not taken: {}", why.lines().next().unwrap_or_default()),
            };
            writeln!(text, "{line}").unwrap();
        }
        text
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, &Taken<Figure>)> {
        ROWS.into_iter().filter_map(|key| self.taken.get(key).map(|taken| (key, taken)))
    }
}

/// A component that does not do as it should ends its own figures only.
fn guarded<T>(work: impl FnOnce() -> T) -> Taken<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// The value at a rank, 0 to 1, of what was measured; in milliseconds.
pub fn rank_ms(times: &[Duration], rank: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the slice")]
    let at = ((sorted.len() as f64 * rank).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[at].as_secs_f64() * 1000.0
}
