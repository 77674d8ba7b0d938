//! `doctor`: looks at what a terminal stands on, and says in plain words what to do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use teilhabe_terminal::{
    adapters::system::{SystemClock, SystemEntropy},
    app::{config::Config, inquiry::Question},
    ports::{Clock, ReaderIdentity},
    profile::{Family, FirmwareStatus, ProfileCatalog, ReaderProfile, Sighting, UsbId},
};

use crate::{ask, say};

/// One finding: what was looked at, whether it is in order, what to do if not.
struct Finding {
    what: &'static str,
    good: bool,
    found: String,
    advice: String,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, good: true, found: found.into(), advice: String::new() }
    }

    fn bad(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, good: false, found: found.into(), advice: advice.into() }
    }

    fn of(what: &'static str, good: bool, found: impl Into<String>, advice: &str) -> Self {
        if good { Self::good(what, found) } else { Self::bad(what, found, advice) }
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
}

/// Looks at everything; `false` if something is not in order.
pub fn doctor(as_json: bool, config: &Config, catalog: &ProfileCatalog, machine: &Machine) -> anyhow::Result<bool> {
    let (mut findings, profiles) = readers(catalog);
    findings.push(driver(machine, &profiles));
    findings.extend(signals(machine, &profiles));
    findings.push(policy(machine));
    findings.push(modules(machine, &profiles));
    findings.extend(scanner(config));
    findings.push(clock());
    findings.extend(data(config));
    for Finding { what, good, found, advice } in &findings {
        if as_json {
            say(json!({"what": what, "good": good, "found": found, "advice": advice}))?;
        } else {
            say(format_args!("{} {what}: {found}", if *good { "ok " } else { "!! " }))?;
            if !good {
                say(format_args!("     → {advice}"))?;
            }
        }
    }
    Ok(findings.iter().all(|finding| finding.good))
}

/// Each slot with the profile it goes by.
#[cfg(feature = "pcsc")]
fn readers(catalog: &ProfileCatalog) -> (Vec<Finding>, Vec<ReaderProfile>) {
    use std::time::Duration;

    use teilhabe_terminal::{
        adapters::pcsc::PcscReaders,
        ports::{CardReaderFactory as _, ReaderError, ReaderEvent},
    };

    let only = |finding| (vec![finding], Vec::new());
    let mut reader = match PcscReaders.open() {
        Ok(reader) => reader,
        Err(ReaderError::Denied) => {
            let advice = "let this user use smart cards: install the polkit rule of the package, or sign in at the machine itself";
            return only(Finding::bad("reader", "access denied", advice));
        }
        Err(error) => {
            let advice = "install and start pcscd (Debian: apt-get install pcscd); numbers and codes work without it";
            return only(Finding::bad("reader", error.to_string(), advice));
        }
    };
    let events = reader.wait(Duration::from_millis(500)).unwrap_or_default();
    let told = events.into_iter().rev().find_map(|event| match event {
        ReaderEvent::Slots(slots) => Some(slots),
        _ => None,
    });
    let slots = told.unwrap_or_default();
    if slots.is_empty() {
        let advice = "plug the reader in; if it is, try another port, and look below whether its driver knows it";
        return only(Finding::bad("reader", "none is plugged in", advice));
    }
    let (mut findings, mut profiles) = (Vec::new(), Vec::new());
    for slot in slots {
        let identity = reader.identity(&slot);
        findings.extend(slot_findings(catalog, &slot.0, &identity, &mut profiles));
    }
    (findings, profiles)
}

#[cfg(not(feature = "pcsc"))]
fn readers(_: &ProfileCatalog) -> (Vec<Finding>, Vec<ReaderProfile>) {
    (vec![Finding::good("reader", "this build has no PC/SC")], Vec::new())
}

fn slot_findings(
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
            let advice = "give one of them a higher `priority` or a longer expression: teilhabectl profiles check";
            return vec![Finding::bad("reader", ambiguous.to_string(), advice)];
        }
    };
    let mut findings = Vec::new();
    let title = format!("{name} ({}, {})", profile.title, profile.slot_role(name));
    if profile.capability.pcsc {
        findings.push(Finding::good("reader", title));
    } else {
        findings.push(Finding::bad(
            "reader",
            title,
            "this model cannot be used; take one of firmware-profiles/README.md",
        ));
    }
    if let Some(bcd) = identity.bcd_device {
        let known =
            profile.known_firmware.iter().find(|firmware| firmware.bcd.0 == bcd).map(|firmware| firmware.status);
        let found = format!("{:X}.{:02X} of {}", bcd >> 8, bcd & 0xFF, profile.title);
        let good = known != Some(FirmwareStatus::Bad);
        findings.push(Finding::of(
            "firmware",
            good,
            found,
            "known to fail: have the maker's update installed, or take another",
        ));
    }
    if !profiles.iter().any(|known| known.id == profile.id) {
        profiles.push(profile.clone());
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
    let found = if there.is_empty() { "none found".to_owned() } else { there.join(", ") };
    for profile in profiles {
        let linux = &profile.host.linux;
        let Some(least) = &linux.min_libccid else { continue };
        let enough = ccid.as_ref().is_some_and(|version| numbers(version) >= numbers(least));
        if !enough && acs.is_none() {
            let instead = linux.alt_driver.as_ref().map(|driver| format!(", or {driver}")).unwrap_or_default();
            let advice = format!(
                "{} wants libccid {least} or newer{instead}; until then it may not start when it is plugged in: unplug it \
                 and plug it in again",
                profile.title
            );
            return Finding::bad("driver", found, advice);
        }
    }
    let advice = "install the class driver (Debian: apt-get install libccid)";
    Finding::of("driver", !there.is_empty() || !cfg!(target_os = "linux"), found, advice)
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
    let found = match (open || !escape.needs_driver_option, escape.via_transmit_with_card) {
        (true, _) => format!("{}: the driver lets light and sound through", profile.title),
        (false, true) => format!("{}: light and sound while a card lies there", profile.title),
        (false, false) => format!(
            "{}: none; the driver keeps the way closed (bit 0 of ifdDriverOptions in {CCID_SETTINGS} opens it, for all readers)",
            profile.title
        ),
    };
    Some(Finding::good("light and sound", found))
}

/// Where polkit is asked, it lets in who sits at the machine; a service user wants a rule.
fn policy(machine: &Machine) -> Finding {
    const POLICY: &str = "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy";
    const ACTION: &str = "org.debian.pcsc-lite.access_pcsc";
    if !machine.path(POLICY).exists() {
        return Finding::good("polkit", "the smart-card service does not ask it");
    }
    let folders = ["/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"];
    let rules = folders.iter().filter_map(|folder| fs::read_dir(machine.path(folder)).ok()).flatten().flatten();
    let ruled = rules.filter_map(|rule| fs::read_to_string(rule.path()).ok()).any(|text| text.contains(ACTION));
    let found = if ruled { "there is a rule for smart cards" } else { "there is no rule for smart cards" };
    let advice = "a terminal that starts by itself sits at no seat: add a rule that grants \
                  org.debian.pcsc-lite.access_pcsc and access_card to its user, in /etc/polkit-1/rules.d";
    Finding::of("polkit", ruled, found, advice)
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
        return Finding::good("kernel modules", "none in the way");
    }
    let lines: Vec<String> = taken.iter().map(|module| format!("blacklist {module}")).collect();
    let advice = format!(
        "they claim NFC readers before pcscd can: write \"{}\" into /etc/modprobe.d/teilhabe-terminal.conf, a line each, and \
         start the machine anew",
        lines.join("\", \"")
    );
    Finding::bad("kernel modules", taken.join(", "), advice)
}

/// The scanner that is configured as a device of its own.
fn scanner(config: &Config) -> Option<Finding> {
    let device = config.scanner.device.as_deref()?;
    let found = device.display().to_string();
    Some(match fs::File::open(device) {
        Ok(_) => Finding::good("scanner", found),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let advice =
                "let this user read it: add the user to the group `input`, or write a udev rule for the device";
            Finding::bad("scanner", found, advice)
        }
        Err(error) => {
            let advice =
                "plug it in; if it is, look in /dev/input/by-id what it is called and correct [scanner] device";
            Finding::bad("scanner", format!("{found}: {error}"), advice)
        }
    })
}

fn clock() -> Finding {
    let clock = SystemClock::new(&SystemEntropy::default());
    let good = clock.synchronised();
    let found = format!("{} {}", clock.wall(), if good { "synchronised" } else { "not synchronised" });
    Finding::of("clock", good, found, "switch time synchronisation on: timedatectl set-ntp true")
}

fn data(config: &Config) -> Vec<Finding> {
    let path: &Path = &config.data;
    let advice = "start the terminal once, or name its directory with --data";
    let mut findings = vec![Finding::of("data directory", path.exists(), path.display().to_string(), advice)];
    if !path.exists() {
        return findings;
    }
    let advice = "see the run book, \"When the terminal is blocked\"";
    findings.push(match ask(config, Question::Outbox) {
        Ok(answer) => {
            let (waiting, oldest) = (answer["waiting"].as_u64().unwrap_or(0), answer["oldest"].as_str().unwrap_or("-"));
            let found = format!("{waiting} waiting, oldest {oldest}");
            Finding::of("records", answer.get("error").is_none(), found, advice)
        }
        Err(error) => Finding::bad("records", format!("{error:#}"), advice),
    });
    findings
}
