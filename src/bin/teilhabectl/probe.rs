//! `probe`: records how a card answers, without what names it, so that the dialogue can be told again as a test.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use teilhabe_terminal::{
    adapters::pcsc::PcscReaders,
    card::{
        self, Trust,
        recording::{Recorder, Recording},
    },
    ports::{CardReader, CardReaderFactory as _, Disposition, ReaderEvent, ReaderIdentity, SlotName},
    profile::{Atr, Interface, ProfileCatalog, ReaderProfile, Sighting, UsbId, Verdict},
};

use crate::{
    say,
    words::{self, Language},
};

/// A card and where it lies.
struct Lying {
    slot: SlotName,
    atr: Vec<u8>,
}

/// Waits for a card, talks to it as a terminal would that knows no account, and writes the dialogue down.
pub fn probe(language: Language, catalog: &ProfileCatalog, out: Option<&Path>, wait: Duration) -> anyhow::Result<bool> {
    // Before anybody holds a card there: a recording that cannot be kept is a walk to the card's owner for nothing.
    if let Some(file) = out {
        let shown = file.display().to_string();
        ensure!(!file.exists(), words::PROBE_EXISTS.with(language, &[&shown]));
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        ensure!(folder.is_none_or(Path::is_dir), words::PROBE_NO_FOLDER.with(language, &[&shown]));
    }
    let mut reader = PcscReaders.open().context(words::PROBE_NO_READER.text(language))?;
    let Lying { slot, atr: raw } = card_within(language, &mut *reader, wait)?;
    let ReaderIdentity { usb, bcd_device, firmware_text } = reader.identity(&slot);
    let usb = usb.map(|(vendor, product)| UsbId { vendor, product });
    let seen = Sighting { usb, bcd_device, firmware_text: firmware_text.as_deref(), ..Sighting::named(&slot.0) };
    let profile = catalog.find_reader(&seen)?.clone();
    let interface = profile.slot_role(&slot.0).interface();
    let Some(interface) = interface else { bail!(words::PROBE_SLOT.with(language, &[&slot.0])) };
    let atr = Atr::new(&raw);
    let mut recording = Recording::default();
    if let Verdict::Probe(candidates) = catalog.candidates(&atr, interface) {
        let mut channel = reader.connect(&slot).context(words::PROBE_UNREACHABLE.text(language))?;
        let now = Timestamp::UNIX_EPOCH;
        // What it comes to is found out from what is written, below.
        let _ = card::identify(
            &mut Recorder::new(&mut *channel, &mut recording),
            &profile,
            &atr,
            &candidates,
            &Trust::default(),
            now,
        );
        channel.end(Disposition::Unpower);
    }
    let (text, outcome) = written(language, catalog, &profile, interface, &raw, &recording.masked())?;
    if outcome == NOT_OURS && interface == Interface::Contactless && !profile.capability.uid {
        writeln!(io::stderr(), "{}", words::PROBE_NO_UID.with(language, &[profile.id.as_str()]))?;
    }
    match out {
        Some(file) => {
            let mut kept = File::create_new(file).with_context(|| file.display().to_string())?;
            kept.write_all(text.as_bytes()).with_context(|| file.display().to_string())?;
            say(words::PROBE_WRITTEN.with(language, &[&file.display().to_string()]))?;
        }
        None => say(text.trim_end())?,
    }
    Ok(true)
}

fn card_within(language: Language, reader: &mut dyn CardReader, wait: Duration) -> anyhow::Result<Lying> {
    #[expect(clippy::disallowed_methods, reason = "a person lays the card on, by the real clock")]
    let end = Instant::now() + wait;
    let mut mute = false;
    loop {
        for event in reader.wait(Duration::from_millis(500))? {
            match event {
                ReaderEvent::Slots(slots) => ensure!(!slots.is_empty(), words::PROBE_NOTHING.text(language)),
                ReaderEvent::CardPresented { slot, atr, .. } => return Ok(Lying { slot, atr }),
                ReaderEvent::CardMute { .. } => mute = true,
                ReaderEvent::CardRemoved { .. } => mute = false,
            }
        }
        #[expect(clippy::disallowed_methods, reason = "as above")]
        let over = Instant::now() > end;
        ensure!(!over || !mute, words::PROBE_MUTE.text(language));
        ensure!(!over, words::PROBE_NO_CARD.with(language, &[&wait.as_secs().to_string()]));
    }
}

/// Code of a card that no profile claims.
const NOT_OURS: &str = "not_ours";

/// The masked dialogue, and what it comes to when it is told again.
fn written(
    language: Language,
    catalog: &ProfileCatalog,
    profile: &ReaderProfile,
    interface: Interface,
    atr: &[u8],
    recording: &Recording,
) -> anyhow::Result<(String, String)> {
    let parsed = Atr::new(atr);
    let outcome = match catalog.candidates(&parsed, interface) {
        Verdict::Reject(card) => format!("rejected {}", card.id),
        Verdict::Probe(candidates) => {
            let mut player = recording.play();
            let now = Timestamp::UNIX_EPOCH;
            let told = card::identify(&mut player, profile, &parsed, &candidates, &Trust::default(), now);
            ensure!(player.is_faithful(), words::PROBE_UNFAITHFUL.text(language));
            match told {
                Ok(reading) => format!("identified level {}", reading.identified.level.get()),
                Err(error) => error.code().to_owned(),
            }
        }
    };
    let mut text = String::new();
    writeln!(
        text,
        "# Recorded by teilhabectl {} without any account; identities are masked.",
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(text, "@ reader {}", profile.id)?;
    writeln!(text, "@ interface {}", if interface == Interface::Contact { "contact" } else { "contactless" })?;
    writeln!(text, "@ atr {}", data_encoding::HEXUPPER.encode(atr))?;
    writeln!(text, "{recording}= {outcome}")?;
    Ok((text, outcome))
}
