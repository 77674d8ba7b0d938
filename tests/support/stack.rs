//! The whole of it as its users run it: the account, a real pcscd with a virtual reader, the terminal without a window,
//! cards. Each part is the real program in a process of its own, and ends with the test.
#![allow(clippy::disallowed_methods, reason = "real programs are waited for by the real clock, with a bound")]
#![allow(clippy::needless_pass_by_value, reason = "commands are written as literals")]

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Longest wait for anything; generous, because the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(45);

/// A child process whose lines are read by a thread, and which does not outlive the test.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    name: &'static str,
}

impl Process {
    fn start(name: &'static str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        let (out, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| out.send(line).is_ok()));
        Self { stdin: child.stdin.take(), child, lines, name }
    }

    fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).unwrap_or_else(|e| panic!("{} is gone: {e}", self.name));
    }

    /// The first line that `wanted` makes something of.
    fn line<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        self.line_within(PATIENCE, what, &mut wanted).unwrap_or_else(|seen| {
            panic!("{}: waited in vain for {what}; the last lines were\n{}", self.name, seen.join("\n"))
        })
    }

    fn line_within<T>(
        &mut self,
        limit: Duration,
        _what: &str,
        wanted: &mut impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Vec<String>> {
        let end = Instant::now() + limit;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                    seen.push(line);
                    if seen.len() > 12 {
                        seen.remove(0);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(seen),
            }
        }
    }

    /// All lines until it ends.
    fn rest(&mut self) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.name),
            }
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn konto() -> Command {
    Command::new(env!("CARGO_BIN_EXE_teilhabe-konto"))
}

/// The reference account with its demonstration municipality.
pub struct Account {
    dir: PathBuf,
    listen: String,
    process: Process,
}

impl Account {
    /// Starts it on a free port.
    pub fn start(dir: &Path) -> Self {
        let dir = dir.join("konto");
        std::fs::create_dir_all(&dir).unwrap();
        let (process, listen) = Self::run(&dir, "127.0.0.1:0");
        Self { dir, listen, process }
    }

    fn run(dir: &Path, listen: &str) -> (Process, String) {
        let mut command = konto();
        command.arg("demo").arg("--data").arg(dir).args(["--listen", listen]);
        let mut process = Process::start("teilhabe-konto", &mut command);
        let listen = process
            .line("the line that it listens", |line| line.strip_prefix("listening on https://").map(ToOwned::to_owned));
        (process, listen)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.kill();
        (self.process, _) = Self::run(&self.dir, &self.listen);
    }

    /// Starts it again at another port, so that something may stand at the old one, where terminals look for it. Gives
    /// both addresses.
    pub fn move_away(&mut self) -> (String, String) {
        self.kill();
        let (process, listen) = Self::run(&self.dir, "127.0.0.1:0");
        self.process = process;
        (std::mem::replace(&mut self.listen, listen.clone()), listen)
    }

    /// `demo.json`.
    pub fn demo_file(&self) -> PathBuf {
        self.dir.join("demo.json")
    }

    /// What stands in `demo.json`.
    pub fn demo(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.demo_file()).unwrap()).unwrap()
    }

    /// The n-th unused activation code for a place.
    pub fn activation(&self, place: &str, n: usize) -> String {
        let demo = self.demo();
        let mut codes = demo["activations"].as_array().unwrap().iter().filter(|a| a["place"] == place);
        codes.nth(n).unwrap_or_else(|| panic!("no activation {n} for {place}"))["code"].as_str().unwrap().to_owned()
    }

    /// `admin … --json`.
    pub fn admin(&self, verbs: &[&str]) -> Value {
        let output = konto().arg("admin").args(verbs).arg("--data").arg(&self.dir).arg("--json").output().unwrap();
        assert!(output.status.success(), "admin {verbs:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Why the office's command is refused.
    pub fn refuses(&self, verbs: &[&str]) -> String {
        let output = konto().arg("admin").args(verbs).arg("--data").arg(&self.dir).output().unwrap();
        assert!(!output.status.success(), "admin {verbs:?} was accepted");
        String::from_utf8(output.stderr).unwrap()
    }

    /// All bookings, oldest first.
    pub fn bookings(&self) -> Vec<Value> {
        let listed = self.admin(&["bookings", "list"]);
        listed.as_array().cloned().unwrap_or_else(|| listed["bookings"].as_array().cloned().unwrap())
    }
}

/// A code of the demonstration, as its text.
pub fn code(account: &Account, child: &str, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_teilhabe-karte"))
        .args(["code", "--child", child, "--demo"])
        .arg(account.demo_file())
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "code of {child}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A private pcscd with virtual readers.
pub struct Pcscd {
    process: Process,
    pub socket: String,
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Pcscd {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("script/private-pcscd");
        let mut process = Process::start("private-pcscd", Command::new(script).arg(dir.path()));
        let socket = process.line("its socket", |l| l.strip_prefix("PCSCLITE_CSOCK_NAME=").map(ToOwned::to_owned));
        let port = process.line("its port", |l| l.strip_prefix("VPCD_PORT=")?.parse().ok());
        process.line("ready", |l| (l == "ready").then_some(()));
        Self { process, socket, port, _dir: dir }
    }

    /// Kills the service; its socket stays dead until [`Pcscd::resume`].
    pub fn stop(&mut self) {
        self.process.say("stop");
        self.process.line("stopped", |l| (l == "stopped").then_some(()));
    }

    /// Starts the service again with readers of this name in the place of the ones before.
    pub fn swap(&mut self, name: &str) {
        self.process.say(&format!("swap {name}"));
        self.process.line("ready", |l| (l == "ready").then_some(()));
    }

    pub fn resume(&mut self) {
        self.process.say("start");
        self.process.line("ready", |l| (l == "ready").then_some(()));
    }
}

/// A terminal, without a window or with one.
pub struct Terminal {
    data: PathBuf,
    socket: String,
    /// Where its window stands.
    display: Option<String>,
    process: Process,
    /// The newest picture.
    pub now: Value,
}

impl Terminal {
    /// Starts one on a data directory; the reader is that of `pcscd`.
    pub fn start(data: &Path, pcscd: &Pcscd) -> Self {
        Self::start_with(data, &pcscd.socket, None)
    }

    /// Starts one whose configuration has these lines besides its data directory.
    pub fn configured(data: &Path, pcscd: &Pcscd, lines: &str) -> Self {
        let config = data.with_extension("toml");
        std::fs::write(&config, format!("data = {:?}\n{lines}", data.display().to_string())).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_teilhabe-terminal"));
        command.env("PCSCLITE_CSOCK_NAME", &pcscd.socket).arg("--headless").arg("--config").arg(config);
        let process = Process::start("teilhabe-terminal", &mut command);
        Self { data: data.to_owned(), socket: pcscd.socket.clone(), display: None, process, now: Value::Null }
    }

    /// Starts one with a window of 1280 × 800 and an offer that is chosen. It says what it shows, and takes no commands
    /// but by hand.
    pub fn start_window(data: &Path, pcscd: &Pcscd, display: &str) -> Self {
        Self::start_with(data, &pcscd.socket, Some(display.to_owned()))
    }

    /// Starts one whose smart-card service is not there: numbers and codes alone.
    pub fn without_reader(data: &Path) -> Self {
        Self::start_with(data, "/nonexistent/pcscd.comm", None)
    }

    /// From nothing, or from out of service, to ready for numbers: code, confirmation, notice.
    pub fn activate(&mut self, code: &str) {
        self.command(json!({"command": "activate", "code": code, "admin_pin": "246810"}));
        self.wait("host and municipality", |line| line["activation"]["municipality"].is_string());
        self.command(json!({"command": "confirm"}));
        self.screen("notice");
        self.command(json!({"command": "accept_notice"}));
        self.screen("ready");
    }

    fn start_with(data: &Path, socket: &str, display: Option<String>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_teilhabe-terminal"));
        command.env("PCSCLITE_CSOCK_NAME", socket);
        if let Some(display) = &display {
            let config = data.with_extension("toml");
            std::fs::write(&config, format!("data = {:?}\noffer = \"lunch\"\n", data.display().to_string())).unwrap();
            command.args(["--lines", "--size", "1280x800", "--config"]).arg(config);
            command.env("DISPLAY", display).env_remove("WAYLAND_DISPLAY");
        } else {
            command.arg("--headless").arg("--data").arg(data);
        }
        let process = Process::start("teilhabe-terminal", &mut command);
        Self { data: data.to_owned(), socket: socket.to_owned(), display, process, now: Value::Null }
    }

    /// Sends a command.
    pub fn command(&mut self, command: Value) {
        self.process.say(&command.to_string());
    }

    /// Waits for a line that fits; keeps the newest picture.
    pub fn wait(&mut self, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let mut newest = Value::Null;
        let found = self.process.line(what, |line| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}"));
            newest = value.clone();
            fits(&value).then_some(value)
        });
        self.now = found.clone();
        found
    }

    /// Waits for a line that fits, if the newest that was waited for does not.
    pub fn wait_or_now(&mut self, what: &str, fits: impl Fn(&Value) -> bool) {
        if !fits(&self.now) {
            self.wait(what, fits);
        }
    }

    /// Waits for a page.
    pub fn screen(&mut self, name: &str) -> Value {
        self.wait(name, |line| line["screen"] == name)
    }

    /// Waits for a result of a class.
    pub fn result(&mut self, class: &str) -> Value {
        self.wait(class, |line| line["screen"] == "result" && line["class"] == class)
    }

    /// Waits for whatever result comes next.
    pub fn any_result(&mut self) -> Value {
        self.wait("a result", |line| line["screen"] == "result")
    }

    /// From nothing to ready: code, confirmation, notice; waits until documents and reader are there.
    pub fn enrol(&mut self, code: &str) {
        self.screen("activation");
        self.command(json!({"command": "activate", "code": code, "admin_pin": "246810"}));
        self.wait("host and municipality", |line| line["activation"]["municipality"].is_string());
        self.command(json!({"command": "confirm"}));
        self.screen("notice");
        self.command(json!({"command": "accept_notice"}));
        self.ready();
    }

    /// Waits until a card may be laid on.
    pub fn ready(&mut self) {
        self.wait("ready with a reader", |line| line["screen"] == "ready" && line["reader"]["state"] == "ready");
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// The next line, if one comes in time.
    pub fn next(&mut self, limit: Duration) -> Option<Value> {
        let line = self.process.lines.recv_timeout(limit).ok()?;
        self.now = serde_json::from_str(&line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}"));
        Some(self.now.clone())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on its data.
    pub fn restart(&mut self) {
        self.kill();
        *self = Self::start_with(&self.data.clone(), &self.socket.clone(), self.display.clone());
    }

    /// Starts it again on another display.
    pub fn move_to(&mut self, display: &str) {
        self.display = Some(display.to_owned());
        self.restart();
    }

    /// Its exit code, once it has ended by itself; the pictures it told until then.
    pub fn ended(&mut self) -> (i32, Vec<Value>) {
        let told = self.process.rest();
        let code = self.process.child.wait().unwrap().code().unwrap_or(-1);
        (code, told.iter().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Stops it in order and gives its exit code.
    pub fn stop(mut self) -> i32 {
        self.command(json!({"command": "stop"}));
        self.process.child.wait().unwrap().code().unwrap_or(-1)
    }
}

/// A card that is laid on the reader; ends when it has been taken away, or with the test.
pub struct Card(Child);

impl Card {
    /// Lays a card of the demonstration on.
    pub fn present(account: &Account, pcscd: &Pcscd, card: &str, more: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_teilhabe-karte"))
            .args(["present", "--card", card, "--demo"])
            .arg(account.demo_file())
            .args(["--connect", &format!("127.0.0.1:{}", pcscd.port)])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Waits until it is taken away.
    pub fn gone(mut self) {
        let _ = self.0.wait();
    }

    /// Takes it away.
    pub fn taken(self) {}
}

impl Drop for Card {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the answer is yes, with a bound; for facts that no line announces, such as those of the account.
pub fn eventually(what: &str, mut fact: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !fact() {
        assert!(Instant::now() < end, "never came true: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}
