//! Level 1: the three things that cannot run on a laptop, as traits: a card in a reader, the central account, time and
//! chance. Ports speak domain words and raw bytes.

use std::{future::Future, pin::Pin, rc::Rc, time::Duration};

use jiff::Timestamp;
use thiserror::Error;
use uuid::{Builder, Uuid};

pub use crate::domain::record::Enrolled;
use crate::domain::{
    delivery::{Pace, Payload, Receipt, Unsettled},
    documents::{Control, DocumentName, ReferenceKey, SignedDocument},
    outcomes::{OutcomesPage, Place},
};

/// Name of a slot as PC/SC lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotName(pub String);

/// Something the reader noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderEvent {
    /// The list of slots changed; all of them, in PC/SC's order.
    Slots(Vec<SlotName>),
    /// A card lies in the slot.
    CardPresented {
        /// Where.
        slot: SlotName,
        /// Its ATR as PC/SC gave it, at most 33 bytes, not yet believed.
        atr: Vec<u8>,
        /// PC/SC's event counter of the slot: tells a quick swap from one presence.
        event_counter: u16,
    },
    /// The slot is empty.
    CardRemoved {
        /// Where.
        slot: SlotName,
    },
    /// A card that says nothing lies in the slot.
    CardMute {
        /// Where.
        slot: SlotName,
    },
}

/// What to do with a card when leaving it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Leave it powered.
    Leave,
    /// Power it down: the next user starts clean.
    Unpower,
}

/// What the reader needs to recover.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReaderError {
    /// The PC/SC service is missing, restarting or gone: a new context is needed; wait and establish again.
    #[error("the smart-card service is not available ({0})")]
    ServiceGone(String),
    /// The slot is gone; list again.
    #[error("the reader is gone")]
    ReaderGone,
    /// Access is denied by policy: somebody must change the installation.
    #[error("access to the smart-card service is denied")]
    Denied,
    /// The wait was cancelled.
    #[error("the wait was cancelled")]
    Cancelled,
    /// Anything PC/SC says that has no meaning here.
    #[error("the reader failed ({0})")]
    Other(String),
}

/// Why bytes could not be exchanged with a card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChannelError {
    /// The card is gone.
    #[error("the card was removed")]
    Removed,
    /// Another program reset the card: start again from SELECT.
    #[error("the card was reset by another program")]
    Reset,
    /// The card does not answer, or its answer makes no sense to the reader.
    #[error("the card does not respond")]
    Unresponsive,
    /// Another program holds the card.
    #[error("another program uses the reader")]
    Shared,
    /// Reader or service is gone.
    #[error("the reader is gone")]
    ReaderGone,
    /// An answer of fewer than two bytes: a fault of the reader.
    #[error("the reader gave an answer of {0} bytes")]
    Short(usize),
}

/// A byte pipe to one card, inside one card transaction.
///
/// Forwards commands unchanged and returns the answer with its status word. A bad status word is no error; 61xx and
/// 6Cxx are the caller's business.
pub trait CardChannel {
    /// Sends one command APDU; blocks.
    ///
    /// # Errors
    /// [`ChannelError`]; the channel is dead afterwards, except after [`ChannelError::Reset`].
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError>;

    /// Ends the transaction and leaves the card as told. Errors are of no use to anybody and are swallowed.
    fn end(self: Box<Self>, disposition: Disposition);
}

/// What a reader says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReaderIdentity {
    /// USB vendor and product.
    pub usb: Option<(u16, u16)>,
    /// bcdDevice of USB: the firmware's number, binary coded decimal.
    pub bcd_device: Option<u16>,
    /// What the firmware calls itself.
    pub firmware_text: Option<String>,
}

/// How a command reaches the reader itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EscapeWay {
    /// `SCardControl` with this function code, before the system's own macro (`SCARD_CTL_CODE`).
    Control(u32),
    /// `SCardTransmit` while a card lies there; the reader takes what is its own out of the way to the card.
    Transmit,
}

/// Ends a blocked [`CardReader::wait`] from another thread.
pub trait CancelWait: Send + Sync {
    /// May be lost if no wait is running; a wait is bounded anyway.
    fn cancel(&self);
}

/// Readers and their cards. Lives on one thread, which it may block.
pub trait CardReader {
    /// Waits for events, at most `limit`. An empty answer means nothing happened.
    ///
    /// # Errors
    /// [`ReaderError`] says what recovers.
    fn wait(&mut self, limit: Duration) -> Result<Vec<ReaderEvent>, ReaderError>;

    /// Connects to the card in the slot and begins a transaction; blocks.
    ///
    /// # Errors
    /// [`ChannelError`].
    fn connect(&mut self, slot: &SlotName) -> Result<Box<dyn CardChannel + '_>, ChannelError>;

    /// What the slot's reader says of itself, as far as its driver tells.
    fn identity(&mut self, slot: &SlotName) -> ReaderIdentity;

    /// Sends a command to the reader itself, outside any card transaction; blocks. `None` if it could not be brought to
    /// the reader: drivers keep this way closed unless told otherwise, and light and sound are worth no error.
    fn escape(&mut self, slot: &SlotName, way: EscapeWay, command: &[u8]) -> Option<Vec<u8>>;

    /// A handle that ends a wait.
    fn canceller(&self) -> Box<dyn CancelWait>;
}

/// Makes a reader on the thread that will use it; called again after a stuck or lost one.
pub trait CardReaderFactory: Send + Sync {
    /// Establishes a fresh context.
    ///
    /// # Errors
    /// [`ReaderError::ServiceGone`] and the like; the caller waits and tries again.
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError>;

    /// True if no real card can come from it; shown on every screen, refused by production accounts.
    fn simulated(&self) -> bool;
}

/// A key of a scanner, as the system tells it (Linux, `input-event-codes.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEvent {
    /// Which key, by its place.
    pub code: u16,
    /// 0 released, 1 pressed, 2 repeated because it is held.
    pub value: i32,
}

/// Why there is no scanner.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScannerError {
    /// It is not plugged in, or was just pulled out.
    #[error("the scanner is not there")]
    Missing,
    /// The system denies access: somebody must change the installation.
    #[error("access to the scanner is denied")]
    Denied,
    /// Anything else.
    #[error("the scanner failed ({0})")]
    Failed(String),
}

/// A scanner that types for the terminal alone. Lives on one thread, which it may block.
pub trait ScannerDevice {
    /// Waits for keys, without limit.
    ///
    /// # Errors
    /// [`ScannerError`]; the device is of no use afterwards.
    fn keys(&mut self) -> Result<Vec<KeyEvent>, ScannerError>;
}

/// Opens the scanner on the thread that will use it; called again after it was lost.
pub trait ScannerFactory: Send + Sync {
    /// Takes the device for the terminal alone.
    ///
    /// # Errors
    /// [`ScannerError`].
    fn open(&self) -> Result<Box<dyn ScannerDevice>, ScannerError>;
}

/// A verified answer with what came beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard<T> {
    /// The answer.
    pub value: T,
    /// The account's time.
    pub server_time: Option<Timestamp>,
    /// The pace it asks for.
    pub pace: Option<Pace>,
}

/// An answer on its way.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<Heard<T>, Unsettled>> + 'a>>;

/// One central account, as seen by one enrolled terminal. Every answer it hands out has been verified.
pub trait CentralAccount {
    /// How the account regards us, its head of our chain, document versions, a fresh beacon.
    fn hello(&self) -> Answering<'_, Control>;

    /// Delivers frozen bytes. `wait` says that somebody stands waiting for this answer.
    fn records<'a>(&'a self, batch: &'a [Payload], wait: Option<Duration>) -> Answering<'a, Vec<Receipt>>;

    /// What became of one record; the receipt holds one entry, or none if the account does not know it.
    fn record<'a>(&'a self, payload: &'a Payload) -> Answering<'a, Vec<Receipt>>;

    /// A newer version of a document than `have`; `None` if the account has none.
    fn document(&self, name: DocumentName, have: Option<u64>) -> Answering<'_, Option<SignedDocument>>;

    /// The page of later outcomes that follows a place.
    fn outcomes(&self, after: Place) -> Answering<'_, OutcomesPage>;

    /// The key for card references.
    fn reference_key(&self) -> Answering<'_, ReferenceKey>;

    /// Asks for a new certificate for the same key. Answers with the new chain, DER, leaf first.
    fn renew(&self) -> Answering<'_, Vec<Vec<u8>>>;

    /// First and last instant at which our certificate is valid.
    fn certificate_window(&self) -> (Timestamp, Timestamp);
}

/// Why an enrolment did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolFailure {
    /// The account or the code said no: a stable code of the protocol.
    Refused(String),
    /// Nothing answered, or not in a way that can be believed.
    NoAnswer(&'static str),
}

/// A step of an enrolment on its way.
pub type Enrolling<'a, T> = Pin<Box<dyn Future<Output = Result<T, EnrolFailure>> + 'a>>;

/// What the server behind an activation code shows before the secret is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentOffer {
    /// Host and port.
    pub host: String,
    /// `O` of the root certificate: the municipality.
    pub municipality: String,
    /// The root certificate, DER.
    pub root: Vec<u8>,
    /// When the code was minted: a trusted instant.
    pub minted_at: Timestamp,
}

/// What a confirmed enrolment brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolmentAnswer {
    /// Admitted, with the first verified documents: keys and descriptor.
    Enrolled(Box<Enrolled>, Vec<SignedDocument>),
    /// Approval pending; both sides show this fingerprint. Ask again after the wait.
    Pending {
        /// Eight characters.
        fingerprint: String,
        /// How long to wait.
        poll_after: Duration,
    },
}

/// One enrolment under way: begins with the code, sends the secret only when told.
pub trait EnrolmentDialogue {
    /// What the server shows.
    fn offer(&self) -> &EnrolmentOffer;

    /// Sends the secret and the certificate request, or asks again after [`EnrolmentAnswer::Pending`].
    fn confirm(&mut self) -> Enrolling<'_, EnrolmentAnswer>;
}

/// A document as it was kept: the signed texts of its parts in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDocument {
    /// Which.
    pub name: DocumentName,
    /// JWS compact texts.
    pub parts: Vec<String>,
}

/// A connection with the documents that verified.
pub type Connected = (Rc<dyn CentralAccount>, Vec<SignedDocument>);

/// Ways to central accounts.
pub trait CentralAccounts {
    /// Connects to an account this terminal is enrolled with; `key` is PKCS #8. `kept` are the documents of an earlier
    /// run, as signed; those that still verify come back read, however old they are.
    ///
    /// # Errors
    /// A stable code if root, chain or key are unusable.
    fn connect(&self, enrolled: &Enrolled, key: &[u8], kept: &[KeptDocument]) -> Result<Connected, &'static str>;

    /// Looks at the server behind an activation code. `key` is a signing key, PKCS #8, kept under `key_name`. `practice`
    /// tells the account that no real card need stand behind what this terminal reads.
    fn begin<'a>(
        &'a self,
        code: &'a str,
        key: &'a [u8],
        key_name: &'a str,
        practice: bool,
    ) -> Enrolling<'a, Box<dyn EnrolmentDialogue>>;
}

/// Turns PINs into something that may be kept (product, 5: Argon2id, at most 19 MiB, with a pepper).
pub trait PinHash: Send + Sync {
    /// Slow on purpose: tens of milliseconds.
    ///
    /// # Errors
    /// A text for the log if it cannot be computed.
    fn hash(&self, pin: &str) -> Result<String, String>;

    /// Slow on purpose.
    fn verify(&self, pin: &str, hash: &str) -> bool;
}

/// Small secrets by name, wrapped at rest.
pub trait SecretStore: Send {
    /// The secret of that name.
    fn get(&self, name: &str) -> Option<Vec<u8>>;

    /// Keeps a secret; on disk when this returns.
    ///
    /// # Errors
    /// A text for the log if it could not be made durable.
    fn put(&mut self, name: &str, secret: &[u8]) -> Result<(), String>;

    /// Names of all secrets.
    fn names(&self) -> Vec<String>;

    /// Forgets a secret.
    ///
    /// # Errors
    /// A text for the log if that could not be made durable.
    fn remove(&mut self, name: &str) -> Result<(), String>;
}

/// Clocks.
pub trait Clock: Send + Sync {
    /// Wall clock, UTC.
    fn wall(&self) -> Timestamp;
    /// Time since the machine started; never goes back.
    fn monotonic(&self) -> Duration;
    /// Id of this run of the machine.
    fn boot(&self) -> String;
    /// The system says its clock is synchronised.
    fn synchronised(&self) -> bool;
}

/// Chance.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A UUID of version 7 (RFC 9562, 5.7): milliseconds of the wall clock, then 74 random bits.
    fn uuid_v7(&self, wall: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(wall.as_millisecond()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
