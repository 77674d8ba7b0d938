//! P6 to P9, P11: the program as it is installed.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    report::{Figure, Taken, rank_ms},
    stack::Pcscd,
    state::Site,
};

const TERMINAL: &str = env!("CARGO_BIN_EXE_teilhabe-terminal");
const PATIENCE: Duration = Duration::from_secs(45);
const TARGET_SIZE_MB: f64 = 30.0;

/// P11.
pub fn size() -> Figure {
    let megabytes = fs::metadata(TERMINAL).unwrap().len() as f64 / 1e6;
    Figure {
        key: "P11",
        what: "teilhabe-terminal, stripped by the release profile",
        value: megabytes,
        unit: "MB",
        target: format!("<= {TARGET_SIZE_MB} MB"),
        floor: None,
        met: megabytes <= TARGET_SIZE_MB,
        more: json!({ "features": "gui, pcsc, demo; a build for a site has no demo" }),
    }
}

/// The terminal in a process of its own, with the instant at which each line arrived.
pub struct Program {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<(Instant, Value)>,
    log: Option<Receiver<String>>,
    /// Just before the process was made.
    pub started: Instant,
}

impl Program {
    /// Starts it; without a display it has no window.
    pub fn start(site: &Site, pcscd: &Pcscd, display: Option<&str>) -> Self {
        Self::launch(site, pcscd, display, false)
    }

    /// The same, with its log; its level is the configuration's.
    pub fn logged(site: &Site, pcscd: &Pcscd, display: Option<&str>) -> Self {
        Self::launch(site, pcscd, display, true)
    }

    fn launch(site: &Site, pcscd: &Pcscd, display: Option<&str>, logged: bool) -> Self {
        let mut command = Command::new(TERMINAL);
        command.arg("--data").arg(&site.data).arg("--config").arg(&site.config_file);
        command.env("PCSCLITE_CSOCK_NAME", &pcscd.socket).env_remove("WAYLAND_DISPLAY");
        match display {
            Some(display) => command.arg("--lines").env("DISPLAY", display).env("SLINT_BACKEND", "winit-software"),
            None => command.arg("--headless"),
        };
        let started = Instant::now();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(if logged { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().expect("it starts");
        let log = child.stderr.take().map(|stderr| {
            let (out, log) = channel();
            let lines = BufReader::new(stderr).lines();
            thread::spawn(move || lines.map_while(Result::ok).all(|line| out.send(line).is_ok()));
            log
        });
        let (out, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let at = Instant::now();
                let Ok(line) = serde_json::from_str(&line) else { continue };
                if out.send((at, line)).is_err() {
                    return;
                }
            }
        });
        Self { stdin: child.stdin.take().unwrap(), child, lines, log, started }
    }

    /// The next picture, if one comes in time, and when.
    pub fn next(&self, limit: Duration) -> Option<(Instant, Value)> {
        self.lines.recv_timeout(limit).ok()
    }

    /// The log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.iter().flat_map(Receiver::try_iter).collect()
    }

    /// Waits for a picture; gives when it came.
    pub fn wait(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Taken<(Instant, Value)> {
        let end = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, line) = self
                .lines
                .recv_timeout(left)
                .map_err(|_| format!("the terminal never came to: {what}; its last picture: {last}"))?;
            if fits(&line) {
                return Ok((at, line));
            }
            last = line;
        }
    }

    /// Waits until a card may be laid on.
    pub fn ready(&self) -> Taken<Instant> {
        self.wait("ready with a reader", |line| line["screen"] == "ready" && line["reader"]["state"] == "ready")
            .map(|(at, _)| at)
    }

    /// Stops it in order.
    pub fn stop(mut self) {
        let _ = writeln!(self.stdin, "{}", json!({ "command": "stop" }));
        let _ = self.stdin.flush();
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Resident memory now, megabytes.
    pub fn resident_mb(&self) -> f64 {
        self.memory_mb("VmRSS:")
    }

    /// Most resident memory so far, megabytes.
    pub fn peak_mb(&self) -> f64 {
        self.memory_mb("VmHWM:")
    }

    fn memory_mb(&self, which: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    /// Processor time so far, in clock ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name in parentheses may hold spaces; user and system time are the 14th and 15th fields.
        let after = stat.rsplit_once(')').unwrap().1;
        after.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// P6.
pub fn cold_start(site: &Site, pcscd: &Pcscd) -> Taken<Figure> {
    let (mut ready, mut reader) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let program = Program::start(site, pcscd, None);
        let (at, line) = program.wait("ready", |line| line["screen"] == "ready")?;
        ready.push(at - program.started);
        let with_reader = if line["reader"]["state"] == "ready" { at } else { program.ready()? };
        reader.push(with_reader - program.started);
        program.stop();
    }
    let value = rank_ms(&ready, 0.5);
    Ok(Figure {
        key: "P6",
        what: "start of the process to `ready`, without a window, median of 9",
        value,
        unit: "ms",
        target: "<= 400 ms".to_owned(),
        floor: None,
        met: value <= 400.0,
        more: json!({ "max": rank_ms(&ready, 1.0), "with_reader": rank_ms(&reader, 0.5),
                      "files": "in the system's cache" }),
    })
}

/// P7 and P8: with a window where a virtual display can be had, and without.
pub fn at_rest(site: &Site, pcscd: &Pcscd) -> Taken<Vec<Figure>> {
    let headless = resting(site, pcscd, None)?;
    let display = Display::start();
    let window = display.as_ref().map(|display| resting(site, pcscd, Some(&display.name)));
    let (window, why) = match window {
        Some(Ok(rest)) => (Some(rest), Value::Null),
        Some(Err(why)) => (None, json!(why)),
        None => (None, json!("Xvfb does not start")),
    };
    let counted = window.unwrap_or(headless);
    let kind = if window.is_some() { "window open under Xvfb" } else { "without a window" };
    Ok(vec![
        Figure {
            key: "P7",
            what: "resident memory at rest",
            value: counted.memory,
            unit: "MB",
            target: "<= 60 MB with a window".to_owned(),
            floor: None,
            met: window.is_some() && counted.memory <= 60.0,
            more: json!({ "measured": kind, "headless": headless.memory, "no_window": why,
                          "see": "P5 peak_mb while draining, soak for growth over taps",
                          "not_measured": "draining 100,000; growth over 100,000 taps" }),
        },
        Figure {
            key: "P8",
            what: "processor time at rest over 30 s, of one core",
            value: counted.processor,
            unit: "%",
            target: "<= 0.5 % with a window".to_owned(),
            floor: None,
            met: window.is_some() && counted.processor <= 0.5,
            more: json!({ "measured": kind, "headless": headless.processor, "account": "away, retried as planned" }),
        },
    ])
}

#[derive(Clone, Copy)]
struct Rest {
    memory: f64,
    processor: f64,
}

fn resting(site: &Site, pcscd: &Pcscd, display: Option<&str>) -> Taken<Rest> {
    let program = Program::start(site, pcscd, display);
    program.ready()?;
    // What a start leaves to be done (purging, the first greeting) is over by then.
    thread::sleep(Duration::from_secs(5));
    let (begin, ticks) = (Instant::now(), program.ticks());
    thread::sleep(Duration::from_secs(30));
    let used = (program.ticks() - ticks) as f64 / 100.0;
    let rest = Rest { memory: program.resident_mb(), processor: 100.0 * used / begin.elapsed().as_secs_f64() };
    if display.is_none() {
        program.stop();
    }
    Ok(rest)
}

/// A virtual display.
pub struct Display {
    child: Child,
    /// Its name.
    pub name: String,
}

impl Display {
    /// Starts one, if there is an `Xvfb`.
    pub fn start() -> Option<Self> {
        let mut child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut number = String::new();
        let mut out = child.stdout.take()?;
        let mut byte = [0];
        while out.read(&mut byte).ok()? == 1 && byte[0] != b'\n' {
            number.push(char::from(byte[0]));
        }
        Some(Self { child, name: format!(":{number}") })
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// P9.
pub fn service_returns(site: &Site, pcscd: &mut Pcscd) -> Taken<Figure> {
    let program = Program::start(site, pcscd, None);
    program.ready()?;
    let mut times = Vec::new();
    for _ in 0..7 {
        pcscd.stop();
        program.wait("the reader is gone", |line| line["reader"]["state"] != "ready")?;
        pcscd.resume();
        let back = Instant::now();
        times.push(program.ready()?.saturating_duration_since(back));
    }
    program.stop();
    let value = rank_ms(&times, 1.0);
    Ok(Figure {
        key: "P9",
        what: "pcscd back with its readers to `ready`, worst of 7",
        value,
        unit: "ms",
        target: "<= 1500 ms".to_owned(),
        floor: None,
        met: value <= 1500.0,
        more: json!({ "median": rank_ms(&times, 0.5) }),
    })
}
