//! A terminal's application in this process, without window and reader: real journal, real TLS, real threads. Chance is
//! taken out, so that no back-off waits and a test ends as soon as its facts are there.
#![allow(clippy::disallowed_methods, reason = "waits for real threads by the real clock, with a bound")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use teilhabe_terminal::{
    adapters::{
        https::{Bounds, HttpsCentralAccounts},
        sqlite::Journal,
    },
    app::{self, Parts, Running, config::Config, driver::Face, driver::FaceInput, limits},
    domain::{
        documents::{DocumentName, SignedDocument},
        ids::RecordId,
        record::{Enrolled, Record},
    },
    ports::{
        CardReader, CardReaderFactory, CentralAccounts, Clock, Entropy, KeptDocument, PinHash, ReaderError, SecretStore,
    },
    protocol::{
        document::{self, Content, Expectation, key_set},
        record,
    },
    terminal::{
        command::OperatorCommand,
        screen::{Page, Screen},
    },
};

use crate::{
    front::{Authority, PATIENCE},
    support::wire::{account_keys, descriptor, enrolment, header, key, now, opening_key},
};

pub const JOURNAL_KEY: [u8; 32] = [0x42; 32];

/// Begins at the moment of the examples and goes on from there.
pub struct Hands(Instant);

impl Hands {
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        now() + self.0.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn boot(&self) -> String {
        "b1".to_owned()
    }

    fn synchronised(&self) -> bool {
        true
    }
}

/// Jitter, the only two bytes anybody draws, is nothing; all else differs at every draw.
#[derive(Default)]
struct NoJitter(AtomicU64);

impl Entropy for NoJitter {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
        if buffer.len() > 2 {
            let drawn = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            buffer.iter_mut().zip(drawn.iter().rev()).for_each(|(byte, drawn)| *byte = *drawn);
        }
    }
}

/// Secrets in memory.
struct Pocket(BTreeMap<String, Vec<u8>>);

impl SecretStore for Pocket {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).cloned()
    }

    fn put(&mut self, name: &str, secret: &[u8]) -> Result<(), String> {
        self.0.insert(name.to_owned(), secret.to_vec());
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn remove(&mut self, name: &str) -> Result<(), String> {
        self.0.remove(name);
        Ok(())
    }
}

/// Nobody signs on here.
struct NoPins;

impl PinHash for NoPins {
    fn hash(&self, _: &str) -> Result<String, String> {
        Err("no PINs here".to_owned())
    }

    fn verify(&self, _: &str, _: &str) -> bool {
        false
    }
}

/// Nothing is read here.
struct NoReader;

impl CardReaderFactory for NoReader {
    fn open(&self) -> Result<Box<dyn CardReader>, ReaderError> {
        Err(ReaderError::ServiceGone("none".to_owned()))
    }

    fn simulated(&self) -> bool {
        true
    }
}

/// The terminal of the examples, admitted by this authority and reaching its account at this address.
pub fn enrolled(authority: &Authority, host: &str) -> Enrolled {
    let chain = authority.terminal();
    Enrolled {
        enrolment: enrolment(),
        site_name: "Mensa".to_owned(),
        host: host.to_owned(),
        root: authority.root.clone(),
        first_certificate: record::chain_start(&chain[0]),
        chain,
        key_name: "signing".to_owned(),
    }
}

/// Keys and descriptor as they came with the enrolment.
pub fn first_documents() -> Vec<SignedDocument> {
    let me = enrolment();
    let set = key_set(key("root").public(), Some(&account_keys()), Some(&descriptor()), None);
    let contents = [
        (DocumentName::Keys, Content::Keys(account_keys()), "root"),
        (DocumentName::Descriptor, Content::Descriptor(descriptor()), "account"),
    ];
    contents
        .into_iter()
        .map(|(name, content, signer)| {
            let parts = document::issue(&header(name), &content, &key(signer)).unwrap();
            let expected = Expectation { enrolment: &me, keys: &set, now: now(), held: None, lapsed: false };
            document::read(name, &parts, &expected).unwrap().into_signed()
        })
        .collect()
}

pub fn kept_documents() -> Vec<KeptDocument> {
    first_documents().into_iter().map(|d| KeptDocument { name: d.name, parts: d.parts }).collect()
}

pub fn bounds(whole: Duration) -> Bounds {
    Bounds { connect: Duration::from_secs(20), whole, answer: limits::ANSWER_BYTES }
}

/// Commits records to the journal of the directory, as taps would have.
pub fn fill(directory: &Path, enrolled: &Enrolled, records: &[Record]) -> Vec<RecordId> {
    let mut journal = Journal::open(directory, &JOURNAL_KEY).unwrap();
    journal.enrol(enrolled).unwrap();
    let account = &enrolled.enrolment.account;
    for document in first_documents() {
        journal.store_document(account, &document).unwrap();
    }
    let (signing, sealing) = (key("terminal"), opening_key().sealing_key());
    for record in records {
        let freeze = |seq, prev| record::freeze(record, &enrolled.enrolment, seq, prev, &signing, &sealing);
        journal.commit(record, &mut { freeze }).unwrap();
        journal.mark_shown(record.id).unwrap();
    }
    journal.close().unwrap();
    records.iter().map(|record| record.id).collect()
}

/// The running application.
pub struct Station {
    running: Option<Running>,
    screens: Receiver<Screen>,
    /// The newest picture.
    pub now: Option<Screen>,
}

impl Station {
    /// Starts on a directory that [`fill`] has made. `whole` bounds one exchange.
    pub fn start(directory: &Path, whole: Duration) -> Self {
        let (send, screens) = channel();
        let send = Mutex::new(send);
        let clock: Arc<dyn Clock> = Arc::new(Hands::new());
        let at_hand = Arc::clone(&clock);
        let home = directory.to_owned();
        let parts = Parts {
            config: Config { data: directory.to_owned(), ..Config::default() },
            journal: Journal::open(directory, &JOURNAL_KEY).unwrap(),
            reopen: Box::new(move || Journal::open(&home, &JOURNAL_KEY)),
            secrets: Box::new(Pocket([("signing".to_owned(), key("terminal").to_pkcs8().to_vec())].into())),
            pins: Arc::new(NoPins),
            readers: Arc::new(NoReader),
            scanner: None,
            local_profiles: Vec::new(),
            central: Box::new(move |floor| -> Box<dyn CentralAccounts> {
                Box::new(HttpsCentralAccounts::new(at_hand, floor, bounds(whole)))
            }),
            clock,
            entropy: Arc::new(NoJitter::default()),
            face: Face {
                show: Box::new(move |_, screen| drop(send.lock().unwrap().send(screen))),
                chime: Box::new(drop),
            },
        };
        Self { running: Some(app::start(parts).unwrap()), screens, now: None }
    }

    /// Waits for a picture of which this is true.
    pub fn until(&mut self, what: &str, fact: impl Fn(&Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !self.now.as_ref().is_some_and(&fact) {
            let left = end.saturating_duration_since(Instant::now());
            self.now = Some(self.screens.recv_timeout(left).unwrap_or_else(|_| {
                panic!("never shown: {what}; the last picture was {:?}", self.now.as_ref().map(|screen| &screen.status))
            }));
        }
    }

    /// Waits until so many records wait.
    pub fn waits(&mut self, records: u32) {
        self.until(&format!("{records} waiting"), |screen| screen.status.waiting.records == records);
    }

    /// The newest picture there is.
    pub fn newest(&mut self) -> &Screen {
        while let Ok(screen) = self.screens.try_recv() {
            self.now = Some(screen);
        }
        self.now.as_ref().unwrap()
    }

    /// Waits until the terminal serves, which it puts off as long as its documents may still come.
    pub fn serves(&mut self) {
        self.until("in service", |screen| matches!(screen.page, Page::Ready { .. }));
    }

    pub fn command(&self, command: OperatorCommand) {
        assert!(self.running.as_ref().unwrap().sender().send(FaceInput::Command(command)));
    }

    /// Stops in order.
    pub fn stop(mut self) {
        self.command(OperatorCommand::Stop);
        assert!(self.running.take().unwrap().join());
    }
}
