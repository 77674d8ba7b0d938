//! P2: a card read by the terminal's own code through the real service, against a bare loop that sends the same commands.
//!
//! The PC/SC library reads the name of its socket from the environment of its process, so this runs in a process of its
//! own: the same program, called with [`INSIDE`].

use std::{
    ffi::CString,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pcsc::{Context, Disposition as Leaving, Protocols, Scope, ShareMode};
use serde_json::{Value, json};
use teilhabe_terminal::{
    adapters::{pcsc::PcscReaders, system::SystemEntropy},
    card::{self, BookingContext},
    domain::record::Fact,
    ports::{CardChannel, CardReaderFactory, ChannelError, Disposition, ReaderEvent},
    profile::{Atr, ProfileCatalog, Sighting, Verdict},
    sim::{Demo, VpcdSlot, Wallet},
};

use crate::{
    deck::{now, shown},
    report::{Figure, Taken, rank_ms},
    stack::Pcscd,
    state::{Office, Site},
};

/// First argument of the inner call.
pub const INSIDE: &str = "--read-a-card";
const ROUNDS: usize = 60;
/// Most bytes the virtual card gives at once; it says so when it is selected.
const CHUNK: usize = 0xE0;
/// Bytes of the first read, which tells the length of the file.
const HEAD: usize = 8;

/// P2.
pub fn read(site: &Site, office: &mut Office, pcscd: &Pcscd) -> Taken<Figure> {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(INSIDE)
        .args([site.data.as_os_str(), office.file.as_os_str()])
        .args([office.cti(), pcscd.port.to_string()])
        .env("PCSCLITE_CSOCK_NAME", &pcscd.socket)
        .output()
        .unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "))?;
    let number = |key: &str| seen[key].as_f64().unwrap_or(f64::NAN);
    let ratio = number("calls_ms") / number("bare_ms");
    Ok(Figure {
        key: "P2",
        what: "level-4 read through pcscd: time in calls against a bare loop, medians",
        value: ratio,
        unit: "x",
        target: "<= 1.05 x the bare loop, no APDU more than needed".to_owned(),
        floor: Some(1.0),
        met: ratio <= 1.05 && number("apdus") <= number("needed"),
        more: seen,
    })
}

/// Counts and times what passes.
struct Recorder<'a> {
    inner: Box<dyn CardChannel + 'a>,
    sent: Vec<Vec<u8>>,
    read: usize,
    calls: Duration,
}

impl CardChannel for Recorder<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.sent.push(command.to_vec());
        let begin = Instant::now();
        let answer = self.inner.transmit(command);
        self.calls += begin.elapsed();
        if command.get(1) == Some(&0xB0) {
            self.read += answer.as_ref().map_or(0, |answer| answer.len() - 2);
        }
        answer
    }

    fn end(self: Box<Self>, disposition: Disposition) {
        self.inner.end(disposition);
    }
}

/// The inner call: data directory, `demo.json`, the card's number, the port of the slot.
pub fn inside(arguments: &[String]) {
    let [data, demo, cti, port] = arguments else { panic!("four arguments") };
    let site = Site { data: data.into(), config_file: data.into() };
    let keys = site.keys();
    let cti: [u8; 16] = data_encoding::HEXLOWER.decode(cti.as_bytes()).unwrap().try_into().unwrap();
    let wallet = Wallet::beside(demo.as_ref(), Arc::new(SystemEntropy::default()));
    let mut card = wallet.card(&Demo::read(demo.as_ref()).unwrap(), &shown(cti), None, now().as_second()).unwrap();
    let slot = VpcdSlot::connect(("127.0.0.1", port.parse::<u16>().unwrap())).unwrap();
    let ejector = slot.ejector();
    let playing = thread::spawn(move || slot.present(&mut card, None));

    let mut reader = PcscReaders.open().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let (name, atr) = loop {
        let events = reader.wait(Duration::from_secs(1)).unwrap();
        let presented = events.into_iter().find_map(|event| match event {
            ReaderEvent::CardPresented { slot, atr, .. } => Some((slot, atr)),
            _ => None,
        });
        if let Some(presented) = presented {
            break presented;
        }
        assert!(Instant::now() < end, "no card came");
    };
    let catalog = ProfileCatalog::shipped();
    let profile = catalog.find_reader(&Sighting::named(&name.0)).unwrap();
    let interface = profile.slot_role(&name.0).interface().unwrap();
    let atr = Atr::new(&atr);
    let Verdict::Probe(candidates) = catalog.candidates(&atr, interface) else { panic!("the card is rejected") };
    let Fact::Redemption(draft, _) = keys.record(cti, 1, 1).fact else { unreachable!("a redemption was made") };
    let booking = BookingContext::of(&draft, &keys.enrolled.enrolment, [9; 32], [0; 16]);

    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let (mut sent, mut bytes) = (Vec::new(), 0);
    let context = Context::establish(Scope::User).unwrap();
    for _ in 0..ROUNDS {
        let inner = reader.connect(&name).unwrap();
        let mut recorder = Recorder { inner, sent: Vec::new(), read: 0, calls: Duration::ZERO };
        let reading =
            card::identify(&mut recorder, profile, &atr, &candidates, &keys.trust, now()).expect("the card is genuine");
        assert_eq!(reading.identified.level.get(), 4);
        card::authenticate(&mut recorder, &reading.session, &booking).expect("the card signs");
        ours.push(recorder.calls);
        (sent, bytes) = (recorder.sent.clone(), recorder.read);
        Box::new(recorder).end(Disposition::Leave);
        bare.push(bare_loop(&context, &name.0, &sent));
    }
    ejector.eject();
    let _ = playing.join();
    // SELECT, the head of the file, the rest of it, INTERNAL AUTHENTICATE (card-application, 1.3).
    let needed = 3 + (bytes - HEAD).div_ceil(CHUNK);
    let headers: Vec<_> = sent.iter().map(|c| data_encoding::HEXUPPER.encode(&c[..c.len().min(5)])).collect();
    let seen = json!({ "sent": headers, "file_bytes": bytes, "apdus": sent.len(), "needed": needed, "calls_ms": rank_ms(&ours, 0.5),
                       "bare_ms": rank_ms(&bare, 0.5), "rounds": ROUNDS });
    println!("{seen}");
}

fn bare_loop(context: &Context, slot: &str, commands: &[Vec<u8>]) -> Duration {
    let slot = CString::new(slot).unwrap();
    let mut card = context.connect(&slot, ShareMode::Shared, Protocols::ANY).unwrap();
    let transaction = card.transaction().unwrap();
    let mut calls = Duration::ZERO;
    let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
    for command in commands {
        let begin = Instant::now();
        let answer = transaction.transmit(command, &mut buffer).unwrap();
        calls += begin.elapsed();
        assert!(answer.ends_with(&[0x90, 0x00]));
    }
    transaction.end(Leaving::LeaveCard).map_err(|(_, error)| error).unwrap();
    calls
}
