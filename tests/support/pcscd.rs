//! A private PC/SC service: the real `pcscd` with the real `vpcd` driver, started by `script/private-pcscd` in a mount
//! namespace of its own and ended with the test.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Lines, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/script/private-pcscd");
/// Tells a child process of a test where its service is to live.
const FOLDER: &str = "TEILHABE_TEST_PCSCD_FOLDER";
/// Longest run of one test that talks to the service: the longest takes seventy seconds, most of them in waits for what must
/// not come.
const BOUND: Duration = Duration::from_mins(4);

/// The service.
pub struct PrivatePcscd {
    script: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    port: u16,
    socket: String,
}

impl PrivatePcscd {
    /// Starts it in this folder, which must be there and be its own.
    ///
    /// # Panics
    /// If it does not start. A machine without the packages fails with the command that installs them; it never skips.
    pub fn start(folder: &Path) -> Self {
        let mut script = Command::new(SCRIPT)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{SCRIPT}: {error}"));
        let orders = script.stdin.take();
        let answers = BufReader::new(script.stdout.take().unwrap()).lines();
        let mut service = Self { script, orders, answers, port: 0, socket: String::new() };
        service.expect("ready");
        service
    }

    /// Where its first slot takes a virtual card; each other slot is one further.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Value of `PCSCLITE_CSOCK_NAME` for its clients.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Kills the service.
    pub fn kill(&mut self) {
        self.order("stop");
        self.expect("stopped");
    }

    /// Starts it again after [`PrivatePcscd::kill`].
    pub fn restart(&mut self) {
        self.order("start");
        self.expect("ready");
    }

    /// Kills it and starts it with readers of these names in the place of the ones before, numbered in this order; with no
    /// reader at all if there is none.
    pub fn swap(&mut self, names: &[&str]) {
        self.order(&format!("swap {}", names.join(";")));
        self.expect("ready");
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
    }

    fn expect(&mut self, word: &str) {
        loop {
            let Some(Ok(line)) = self.answers.next() else {
                panic!("the private pcscd ended; what it said stands above. Are its packages there? script/setup")
            };
            match line.split_once('=') {
                Some(("VPCD_PORT", port)) => self.port = port.parse().unwrap(),
                Some(("PCSCLITE_CSOCK_NAME", socket)) => socket.clone_into(&mut self.socket),
                _ if line == word => return,
                _ => panic!("unexpected: {line}"),
            }
        }
    }
}

impl Drop for PrivatePcscd {
    fn drop(&mut self) {
        // The end of its input ends it, with the service.
        self.orders = None;
        let _ = self.script.wait();
    }
}

/// Runs `body` with a private service that this process's own PC/SC library talks to.
///
/// The library reads its socket's name from the environment, which a running program must not change. So the test
/// `name` calls itself in a child process; there `body` runs.
pub fn with_private_pcscd(name: &str, body: impl FnOnce(PrivatePcscd)) {
    if let Some(folder) = env::var_os(FOLDER) {
        return body(PrivatePcscd::start(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run/pcscd.comm");
    let output = bounded(
        Command::new(env::current_exe().unwrap())
            .args([OsStr::new("--exact"), OsStr::new(name), OsStr::new("--nocapture")])
            .env(FOLDER, folder.path())
            .env("PCSCLITE_CSOCK_NAME", socket),
    );
    assert!(output.is_ok(), "{}", output.unwrap_err());
}

/// Runs a command to its end within [`BOUND`]; what it printed is the error if it failed.
#[allow(clippy::disallowed_methods, reason = "a child process is bounded by real time")]
fn bounded(command: &mut Command) -> Result<(), String> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sources: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    let (printed, lines) = mpsc::channel();
    for source in sources {
        let printed = printed.clone();
        let forward =
            move || BufReader::new(source).lines().map_while(Result::ok).all(|line| printed.send(line).is_ok());
        thread::Builder::new().spawn(forward).unwrap();
    }
    drop(printed);
    let deadline = Instant::now() + BOUND;
    let mut said = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => said.extend([line.as_str(), "\n"]),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                said.push_str("not finished in time");
                break;
            }
        }
    }
    if child.wait().is_ok_and(|status| status.success()) { Ok(()) } else { Err(said) }
}
