//! `doctor`: looks at what a terminal stands on, and says in plain words what to do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use teilhabe_terminal::{
    adapters::system::{SystemClock, SystemEntropy},
    app::{
        config::Config,
        inquiry::Question,
        profile_folder::{self, Ignored, ProfileFolder},
    },
    installation::Installation,
    ports::{Clock, ReaderIdentity},
    profile::{Family, Layer, ProfileCatalog, Quirk, ReaderProfile, Sighting, Topic, UsbId},
};

use crate::{
    ask, profiles, say,
    words::{self, Language, Word},
};

/// Something to say: a text, and what stands in it.
struct Said {
    word: Word,
    values: Vec<String>,
}

impl Said {
    fn new(word: Word, values: &[&str]) -> Self {
        Self { word, values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    fn plain(word: Word) -> Self {
        Self::new(word, &[])
    }

    /// Names, versions, paths: the same in every language.
    fn found(what: &str) -> Self {
        Self::new(words::FOUND, &[what])
    }

    fn text(&self, language: Language) -> String {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        self.word.with(language, &values)
    }
}

/// One finding: what was looked at, what was found, and what to do if it is not in order.
struct Finding {
    what: Word,
    found: Said,
    advice: Option<Said>,
}

impl Finding {
    fn good(what: Word, found: Said) -> Self {
        Self { what, found, advice: None }
    }

    fn bad(what: Word, found: Said, advice: Said) -> Self {
        Self { what, found, advice: Some(advice) }
    }

    fn of(what: Word, good: bool, found: Said, advice: Said) -> Self {
        Self { what, found, advice: (!good).then_some(advice) }
    }
}

/// A machine's files; elsewhere than at `/` when they are tried.
pub struct Machine(pub PathBuf);

impl Machine {
    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    /// The value that follows a key of a property list.
    fn property(&self, path: &str, key: &str) -> Option<String> {
        let text = self.text(path)?;
        let rest = text.split_once(&format!("<key>{key}</key>"))?.1;
        Some(rest.split_once("<string>")?.1.split_once("</string>")?.0.to_owned())
    }

    /// Id and firmware number of everything on its USB.
    fn usb_devices(&self) -> Vec<(UsbId, Option<u16>)> {
        let Ok(devices) = fs::read_dir(self.path("/sys/bus/usb/devices")) else { return Vec::new() };
        let number = |device: &Path, file: &str| {
            let text = fs::read_to_string(device.join(file)).ok()?;
            u16::from_str_radix(text.trim(), 16).ok()
        };
        let mut found: Vec<_> = devices
            .flatten()
            .filter_map(|device| {
                let device = device.path();
                let usb = UsbId { vendor: number(&device, "idVendor")?, product: number(&device, "idProduct")? };
                Some((usb, number(&device, "bcdDevice")))
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Looks at everything; `false` if something is not in order.
pub fn doctor(
    as_json: bool,
    language: Language,
    config: &Config,
    catalog: &ProfileCatalog,
    machine: &Machine,
) -> anyhow::Result<bool> {
    let (mut findings, profiles) = readers(language, catalog);
    findings.extend(hidden_readers(language, catalog, machine, &profiles));
    findings.extend(local_profiles(language, config, catalog));
    findings.push(driver(machine, &profiles));
    findings.extend(signals(machine, &profiles));
    findings.push(policy(machine));
    findings.push(modules(machine, &profiles));
    findings.extend(scanner(config));
    findings.push(clock());
    findings.extend(data(config));
    for Finding { what, found, advice } in &findings {
        let good = advice.is_none();
        let (said, to_do) = (found.text(language), advice.as_ref().map(|advice| advice.text(language)));
        if as_json {
            let code = advice.as_ref().map(|advice| advice.word.code);
            say(json!({
                "what": what.code,
                "good": good,
                "found": said,
                "code": code,
                "advice": to_do.unwrap_or_default(),
            }))?;
        } else {
            say(format_args!("{} {}: {said}", if good { "ok " } else { "!! " }, what.text(language)))?;
            if let Some(to_do) = to_do {
                say(format_args!("     → {to_do}"))?;
            }
        }
    }
    Ok(findings.iter().all(|finding| finding.advice.is_none()))
}

/// What the profile says about this, else what is said of any reader.
fn advised(profile: &ReaderProfile, topic: Topic, language: Language, otherwise: Word) -> Said {
    match profile.messages.in_language(topic, language.code()) {
        Some(text) => Said::new(words::PROFILE_SAYS, &[text]),
        None => Said::plain(otherwise),
    }
}

/// Each slot with the profile it goes by.
#[cfg(feature = "pcsc")]
fn readers(language: Language, catalog: &ProfileCatalog) -> (Vec<Finding>, Vec<ReaderProfile>) {
    use std::time::Duration;

    use teilhabe_terminal::{
        adapters::pcsc::PcscReaders,
        ports::{CardReaderFactory as _, ReaderError, ReaderEvent},
    };

    let only = |found, advice| (vec![Finding::bad(words::READER, found, Said::plain(advice))], Vec::new());
    let mut reader = match PcscReaders.open() {
        Ok(reader) => reader,
        Err(ReaderError::Denied) => return only(Said::plain(words::READER_DENIED), words::READER_DENIED_DO),
        Err(error) => {
            return only(Said::new(words::SERVICE_MISSING, &[&error.to_string()]), words::SERVICE_MISSING_DO);
        }
    };
    let events = reader.wait(Duration::from_millis(500)).unwrap_or_default();
    let told = events.into_iter().rev().find_map(|event| match event {
        ReaderEvent::Slots(slots) => Some(slots),
        _ => None,
    });
    let slots = told.unwrap_or_default();
    if slots.is_empty() {
        return only(Said::plain(words::READER_NONE), words::READER_NONE_DO);
    }
    let (mut findings, mut profiles) = (Vec::new(), Vec::new());
    for slot in slots {
        let identity = reader.identity(&slot);
        findings.extend(slot_findings(language, catalog, &slot.0, &identity, &mut profiles));
    }
    (findings, profiles)
}

#[cfg(not(feature = "pcsc"))]
fn readers(_: Language, _: &ProfileCatalog) -> (Vec<Finding>, Vec<ReaderProfile>) {
    (vec![Finding::good(words::READER, Said::plain(words::NO_PCSC))], Vec::new())
}

#[cfg_attr(not(feature = "pcsc"), expect(dead_code, reason = "without PC/SC there is no slot to look at"))]
fn slot_findings(
    language: Language,
    catalog: &ProfileCatalog,
    name: &str,
    identity: &ReaderIdentity,
    profiles: &mut Vec<ReaderProfile>,
) -> Vec<Finding> {
    let usb = identity.usb.map(|(vendor, product)| UsbId { vendor, product });
    let firmware_text = identity.firmware_text.as_deref();
    let seen = Sighting { usb, bcd_device: identity.bcd_device, firmware_text, ..Sighting::named(name) };
    let profile = match catalog.find_reader(&seen) {
        Ok(profile) => profile,
        Err(ambiguous) => {
            let found = Said::found(&ambiguous.to_string());
            return vec![Finding::bad(words::READER, found, Said::plain(words::READER_AMBIGUOUS_DO))];
        }
    };
    let title = Said::found(&format!("{name} ({}, {})", profile.title, profile.slot_role(name)));
    let unusable = advised(profile, Topic::Unsupported, language, words::READER_UNUSABLE_DO);
    let mut findings = vec![Finding::of(words::READER, profile.capability.pcsc, title, unusable)];
    if let Some(bcd) = identity.bcd_device {
        let found = Said::new(words::FIRMWARE_IS, &[&version(bcd), &profile.title]);
        // A profile that knows bad firmware says what to do: it is not loaded otherwise.
        let advice = advised(profile, Topic::Firmware, language, words::READER_UNUSABLE_DO);
        findings.push(Finding::of(words::FIRMWARE, !profile.firmware_is_bad(bcd), found, advice));
    }
    if !profiles.iter().any(|known| known.id == profile.id) {
        profiles.push(profile.clone());
    }
    findings
}

/// `bcdDevice` as people write it.
fn version(bcd: u16) -> String {
    format!("{:X}.{:02X}", bcd >> 8, bcd & 0xFF)
}

/// Readers of known models that are plugged in by USB and that the smart-card service does not list: their profile tells
/// why.
fn hidden_readers(
    language: Language,
    catalog: &ProfileCatalog,
    machine: &Machine,
    listed: &[ReaderProfile],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (usb, bcd_device) in machine.usb_devices() {
        let named = catalog.readers().any(|profile| profile.matching.usb.contains(&usb));
        // Listed under any profile that knows this id: it is there.
        if !named || listed.iter().any(|profile| profile.matching.usb.contains(&usb)) {
            continue;
        }
        let seen = Sighting { usb: Some(usb), bcd_device, ..Sighting::named("") };
        let Ok(profile) = catalog.find_reader(&seen) else { continue };
        let topic = if !profile.capability.pcsc {
            Topic::Unsupported
        } else if profile.has(Quirk::WedgeModeHidesCcid) {
            Topic::WedgeMode
        } else if profile.messages.in_language(Topic::DriverMissing, language.code()).is_some() {
            Topic::DriverMissing
        } else {
            Topic::Replug
        };
        let id = format!("{:04X}:{:04X}", usb.vendor, usb.product);
        let found = Said::new(words::READER_HIDDEN, &[&profile.title, &id]);
        findings.push(Finding::bad(words::READER, found, advised(profile, topic, language, words::READER_HIDDEN_DO)));
    }
    findings
}

const CCID_BUNDLE: &str = "/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist";
const ACSCCID_BUNDLE: &str = "/usr/lib/pcsc/drivers/ifd-acsccid.bundle/Contents/Info.plist";
const CCID_SETTINGS: &str = "/etc/libccid_Info.plist";

/// The class driver, and whether it is new enough for what is plugged in.
fn driver(machine: &Machine, profiles: &[ReaderProfile]) -> Finding {
    let version = |bundle| machine.property(bundle, "CFBundleShortVersionString");
    let (ccid, acs) = (version(CCID_BUNDLE), version(ACSCCID_BUNDLE));
    let names = [("libccid", &ccid), ("acsccid", &acs)];
    let there: Vec<String> =
        names.iter().filter_map(|(name, version)| Some(format!("{name} {}", version.as_ref()?))).collect();
    let found = if there.is_empty() { Said::plain(words::NONE_FOUND) } else { Said::found(&there.join(", ")) };
    for profile in profiles {
        let linux = &profile.host.linux;
        let Some(least) = &linux.min_libccid else { continue };
        let enough = ccid.as_ref().is_some_and(|version| numbers(version) >= numbers(least));
        if !enough && acs.is_none() {
            let wanted = [Some(format!("libccid {least}")), linux.alt_driver.clone()];
            let wanted: Vec<String> = wanted.into_iter().flatten().collect();
            let advice = Said::new(words::DRIVER_OLD_DO, &[&profile.title, &wanted.join(" / ")]);
            return Finding::bad(words::DRIVER, found, advice);
        }
    }
    let good = !there.is_empty() || !cfg!(target_os = "linux");
    Finding::of(words::DRIVER, good, found, Said::plain(words::DRIVER_NONE_DO))
}

/// `1.10.2` → 1, 10, 2.
fn numbers(version: &str) -> Vec<u32> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Whether light and sound can get through. Not having them is no fault.
fn signals(machine: &Machine, profiles: &[ReaderProfile]) -> Option<Finding> {
    let profile = profiles.iter().find(|profile| profile.escape.family != Family::None)?;
    let escape = &profile.escape;
    let options = machine.property(CCID_SETTINGS, "ifdDriverOptions")?;
    let open = u32::from_str_radix(options.trim_start_matches("0x"), 16).is_ok_and(|bits| bits & 1 == 1);
    let title: &str = &profile.title;
    let found = match (open || !escape.needs_driver_option, escape.via_transmit_with_card) {
        (true, _) => Said::new(words::SIGNALS_OPEN, &[title]),
        (false, true) => Said::new(words::SIGNALS_WITH_CARD, &[title]),
        (false, false) => Said::new(words::SIGNALS_CLOSED, &[title, CCID_SETTINGS]),
    };
    Some(Finding::good(words::SIGNALS, found))
}

/// Where polkit is asked, it lets in who sits at the machine; a service user wants a rule.
fn policy(machine: &Machine) -> Finding {
    const POLICY: &str = "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy";
    const ACTION: &str = "org.debian.pcsc-lite.access_pcsc";
    if !machine.path(POLICY).exists() {
        return Finding::good(words::POLKIT, Said::plain(words::POLKIT_UNASKED));
    }
    let folders = ["/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"];
    let rules = folders.iter().filter_map(|folder| fs::read_dir(machine.path(folder)).ok()).flatten().flatten();
    let ruled = rules.filter_map(|rule| fs::read_to_string(rule.path()).ok()).any(|text| text.contains(ACTION));
    let found = Said::plain(if ruled { words::POLKIT_RULE } else { words::POLKIT_NO_RULE });
    Finding::of(words::POLKIT, ruled, found, Said::plain(words::POLKIT_NO_RULE_DO))
}

/// Kernel modules that take a reader away from PC/SC: the usual ones, and those the profiles of what is plugged in name.
fn modules(machine: &Machine, profiles: &[ReaderProfile]) -> Finding {
    let loaded = machine.text("/proc/modules").unwrap_or_default();
    let named = profiles.iter().flat_map(|profile| &profile.host.linux.blacklist_modules).map(String::as_str);
    let mut taken: Vec<&str> = ["pn533_usb", "pn533", "nfc"]
        .into_iter()
        .chain(named)
        .filter(|module| loaded.lines().any(|line| line.split(' ').next() == Some(module)))
        .collect();
    taken.sort_unstable();
    taken.dedup();
    if taken.is_empty() {
        return Finding::good(words::KERNEL_MODULES, Said::plain(words::MODULES_NONE));
    }
    let lines: Vec<String> = taken.iter().map(|module| format!("blacklist {module}")).collect();
    let advice = Said::new(words::MODULES_DO, &[&lines.join("\", \"")]);
    Finding::bad(words::KERNEL_MODULES, Said::found(&taken.join(", ")), advice)
}

/// The workshop's folder: each file in it that is disabled, and whether there is anything at all.
fn local_profiles(language: Language, config: &Config, catalog: &ProfileCatalog) -> Vec<Finding> {
    let Some(folder) = &config.workshop_profiles else { return Vec::new() };
    let local = catalog.listed().filter(|profile| profile.layer == Layer::Local).count();
    let ProfileFolder { ignored, unreadable, .. } = profile_folder::look(folder);
    let disabled = catalog.errors().iter().map(|error| {
        let (place, fault) = (error.place(), words::fault(language, &error.fault));
        let found = Said::new(words::PROFILE_WRONG, &[&place, &fault, error.fault.code()]);
        let folder = unreadable.as_ref() == Some(&error.fault);
        let advice = if folder { words::PROFILES_FOLDER_DO } else { words::PROFILE_WRONG_DO };
        Finding::bad(words::PROFILES, found, Said::plain(advice))
    });
    let misnamed = ignored.iter().filter(|(_, why)| matches!(why, Ignored::Misnamed(_))).map(|(file, why)| {
        let found = Said::new(words::PROFILE_MISNAMED, &[file, &profiles::why(why, language)]);
        Finding::bad(words::PROFILES, found, Said::plain(words::PROFILE_MISNAMED_DO))
    });
    let mut findings: Vec<Finding> = disabled.chain(misnamed).collect();
    let found = Said::new(words::PROFILES_LOCAL, &[&local.to_string(), &folder.display().to_string()]);
    if local > 0 {
        findings.push(Finding::good(words::PROFILES, found));
    } else if findings.is_empty() {
        findings.push(Finding::bad(words::PROFILES, found, Said::plain(words::PROFILES_NONE_DO)));
    }
    findings
}

/// The scanner that is configured as a device of its own.
fn scanner(config: &Config) -> Option<Finding> {
    let device = config.scanner.device.as_deref()?;
    let found = device.display().to_string();
    Some(match fs::File::open(device) {
        Ok(_) => Finding::good(words::SCANNER, Said::found(&found)),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Finding::bad(words::SCANNER, Said::found(&found), Said::plain(words::SCANNER_DENIED_DO))
        }
        Err(error) => {
            let found = Said::found(&format!("{found}: {error}"));
            Finding::bad(words::SCANNER, found, Said::plain(words::SCANNER_MISSING_DO))
        }
    })
}

fn clock() -> Finding {
    let clock = SystemClock::new(&SystemEntropy::default());
    let good = clock.synchronised();
    let word = if good { words::CLOCK_GOOD } else { words::CLOCK_BAD };
    Finding::of(words::CLOCK, good, Said::new(word, &[&clock.wall().to_string()]), Said::plain(words::CLOCK_DO))
}

/// The directory, whom it belongs to, and what waits in it.
fn data(config: &Config) -> Vec<Finding> {
    let path = config.data.display().to_string();
    if !Installation::is_in(&config.data) {
        return vec![Finding::bad(words::DATA, Said::new(words::DATA_NONE, &[&path]), Said::plain(words::DATA_DO))];
    }
    let mut findings = vec![Finding::good(words::DATA, Said::found(&path))];
    // What cannot be asked is said once, of the records.
    if let Some(accounts) =
        ask(config, Question::Accounts).ok().and_then(|answer| answer["accounts"].as_array().cloned())
    {
        findings.push(activation(&accounts));
        findings.extend(preset(config, &accounts));
    }
    let advice = Said::plain(words::RECORDS_DO);
    findings.push(match ask(config, Question::Outbox) {
        Ok(answer) => {
            let (waiting, oldest) = (answer["waiting"].as_u64().unwrap_or(0), answer["oldest"].as_str().unwrap_or("-"));
            let found = Said::new(words::RECORDS_WAIT, &[&waiting.to_string(), oldest]);
            Finding::of(words::RECORDS, answer.get("error").is_none(), found, advice)
        }
        Err(error) => Finding::bad(words::RECORDS, Said::found(&format!("{error:#}")), advice),
    });
    findings
}

/// The accounts it is activated for, each with its site.
fn activation(accounts: &[Value]) -> Finding {
    let text = |account: &Value, key: &str| account[key].as_str().unwrap_or_default().to_owned();
    let of = |account: &Value| format!("{} ({})", text(account, "site"), text(account, "account"));
    let named: Vec<String> = accounts.iter().map(of).collect();
    if named.is_empty() {
        return Finding::bad(
            words::ACTIVATION,
            Said::plain(words::NOT_ACTIVATED),
            Said::plain(words::NOT_ACTIVATED_DO),
        );
    }
    Finding::good(words::ACTIVATION, Said::found(&named.join(", ")))
}

/// The offer that is preset, where there is a catalogue to look it up in.
fn preset(config: &Config, accounts: &[Value]) -> Option<Finding> {
    let preset = config.offer.as_ref()?.as_str();
    let offers = accounts.iter().filter_map(|account| account["offers"].as_array()).flatten();
    let known: Vec<&str> = offers.filter_map(Value::as_str).collect();
    let unknown = Said::new(words::OFFER_UNKNOWN, &[preset, &known.join(", ")]);
    match known.as_slice() {
        [] => None,
        known if known.contains(&preset) => Some(Finding::good(words::OFFER, Said::found(preset))),
        _ => Some(Finding::bad(words::OFFER, unknown, Said::plain(words::OFFER_UNKNOWN_DO))),
    }
}
