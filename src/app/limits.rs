//! Every capacity, time-out and retry bound of the running terminal, each with its reason.

use std::time::Duration;

/// Commands and reader posts that may wait for the machine. Buttons beyond it are dropped and counted: nobody means a
/// thousandth touch.
pub const INBOX: usize = 256;

/// Pictures that may wait for whoever reads the headless face: minutes of a busy lane. Beyond it they are left out, so
/// that a reader that sleeps never stops the terminal.
pub const PICTURES: usize = 4096;

/// Commands that may wait for the journal. The machine has at most a handful open; the forwarder waits its turn.
pub const JOURNAL_QUEUE: usize = 64;

/// Most records in one request (protocol, 4).
pub const BATCH: usize = 500;

/// Most records settled in one transaction, or read in one go, so that a tap never waits long for the journal
/// (architecture, 6).
pub const SETTLE_SLICE: usize = crate::adapters::sqlite::SETTLE_SLICE;

/// Most records marked as on their way in one transaction: a fifth of the work of settling them.
pub const MARK_SLICE: usize = 125;

/// One exchange with an account, connection included. Longer than any honest answer, short enough that a half-open
/// connection does not hold the queue for minutes.
pub const EXCHANGE: Duration = Duration::from_secs(30);

/// Opening a connection.
pub const CONNECT: Duration = Duration::from_secs(5);

/// Largest answer of the interface after decompression (protocol, 1).
pub const ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Between two calls of `hello` while all is well: brings the beacon, the standing and document versions.
pub const HELLO_EVERY: Duration = Duration::from_secs(120);

/// The first retry of `hello` after a failure; grows like any back-off, but never past this cap, so that a terminal is
/// back soon after its account is.
pub const HELLO_RETRY_CAP: Duration = Duration::from_secs(5);

/// How long an orderly stop waits for the exchange in flight. Afterwards the outbox makes an abrupt end harmless.
pub const STOP: Duration = Duration::from_secs(3);

/// Longest wait that is ever planned for a record: an hour of `Retry-After` and its back-off. What is due later was
/// planned under a clock that was wrong.
pub const LONGEST_WAIT: Duration = Duration::from_secs(2 * 3600);

/// Rows of the list of last bookings.
pub const ROWS: u32 = 200;

/// Between two purges.
pub const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// Largest configuration file.
pub const CONFIG_BYTES: u64 = 64 * 1024;

/// Rows that are kept at hand for the face: five are shown, the rest fills up when one is taken back.
pub const RECENT_ROWS: u32 = 8;

/// One wait for readers and cards; bounded so that hot-plug works where PC/SC does not tell of it, and so that a lost
/// cancel costs no more (architecture, 9).
pub const READER_WAIT: Duration = Duration::from_millis(500);

/// Between two attempts to reach the smart-card service; back well within five seconds of its return.
pub const READER_RETRY: Duration = Duration::from_secs(1);

/// A call into PC/SC that takes longer has hung: the thread is given up (faults, 15).
pub const READER_STUCK: Duration = Duration::from_secs(8);

/// A command to the reader itself that takes longer has hung. Light and sound are worth less waiting than a card; the
/// longest signal an ACR122U answers only at its end takes two seconds.
pub const SIGNAL_STUCK: Duration = Duration::from_millis(2500);

/// Most threads of the reader at a time, abandoned ones included: a driver that hangs for good costs no more.
pub const READER_THREADS: usize = 4;

/// Most threads for work that blocks: looking names up, PINs, catalogues of profiles, and ending the wait of a reader's
/// thread, which a service that hangs keeps. There are as many as were needed at once, and they end when nothing is to do.
pub const BLOCKING_THREADS: usize = 16;

/// What such a thread is called.
pub const BLOCKING_NAME: &str = "blocking";

/// How long an orderly stop waits for the reader's thread to leave its card.
pub const READER_STOP: Duration = Duration::from_secs(1);

/// A card that has signed and is back within this time was never away: phones flap in the field, six times in two seconds
/// (faults, 22). No hand takes one card away and lays another on in this time.
pub const READER_FLAP: Duration = Duration::from_millis(400);

/// A card that is read in silence, because it may be one that flaps, is told of after this time: another child's card that
/// is slow or says nothing must not be.
pub const READER_QUIET: Duration = Duration::from_millis(250);

/// How long a phone is waited for whose holder has yet to choose a child (card-application, 1.5).
pub const CHOOSE: Duration = Duration::from_secs(20);

/// Between two questions to such a phone.
pub const CHOOSE_AGAIN: Duration = Duration::from_secs(1);

/// How often the watchdog looks.
pub const READER_WATCH: Duration = Duration::from_millis(500);

/// How long a card's transaction is held for the machine's verdict, which takes one read of the journal.
pub const VERDICT: Duration = Duration::from_secs(5);

/// An operator who does nothing is signed off, where operators sign on (user-interface, A2).
pub const LOCK_AFTER: Duration = Duration::from_secs(600);

/// After the disk did not take what became of a delivery: nothing more is sent before it does.
pub const DISK_RETRY: Duration = Duration::from_secs(5);

/// Pages of later outcomes that are read in a row, 500 lines each; the rest behind the next `hello`.
pub const OUTCOME_PAGES: usize = 20;

/// A record the account could not decide, or did not name in its receipt, goes again after this time.
pub const DEFERRED: Duration = Duration::from_secs(60);

/// Deliveries of a scanner's keys that may wait: far more than a code has. Beyond it the scanner's thread waits.
pub const SCANNER_QUEUE: usize = 256;

/// Between two looks for a scanner that is not there.
pub const SCANNER_RETRY: Duration = Duration::from_secs(1);

/// Between two slices of the purge: taps go on in between.
pub const PURGE_PAUSE: Duration = Duration::from_millis(500);

/// Between two slices of the check that runs in the background, two hundred records each: a tap never queues behind many of
/// them, and a terminal at rest stays at rest. A slice of a large journal takes some ten milliseconds, most of it for pages
/// that no tap needs, so this is 0.1 % of a core; 72,000 records, more than a busy lane makes in a year, are through in an hour.
pub const SCRUB_EVERY: Duration = Duration::from_secs(10);

/// How often an enrolment whose answer was lost is asked for again, and after how long. The account answers the same.
pub const ENROL_TRIES: u32 = 3;
/// See [`ENROL_TRIES`].
pub const ENROL_AGAIN: Duration = Duration::from_secs(2);
