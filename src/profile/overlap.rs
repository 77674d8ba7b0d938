//! Which profiles can fit the same reader or card. Sets of ids, ranges of firmware and masks of ATRs are compared as what
//! they are. Expressions are not: whether two of them fit a common name is tried on the sample names of both files.

use std::collections::BTreeMap;

use super::{
    Note,
    atr::Atr,
    card::CardProfile,
    error::Detail,
    part::Part,
    pattern::ProfileId,
    reader::ReaderProfile,
    reader_match::{Sighting, System},
};

/// Two profiles that fit the same, by which key of each, and in words what they both fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlap {
    pub ids: [ProfileId; 2],
    pub keys: [String; 2],
    pub what: Detail,
}

/// Pairs of readers' profiles of one layer with the same rank: nothing says which of them is meant.
pub(super) fn alike_readers(readers: &BTreeMap<ProfileId, ReaderProfile>) -> Vec<Overlap> {
    let same_rank = |one: &ReaderProfile, two: &ReaderProfile, seen: &Sighting<'_>| {
        one.priority == two.priority && one.matching.closeness(seen) == two.matching.closeness(seen)
    };
    pairs(readers.values().filter(|reader| reader.id.as_str() != super::GENERIC_READER))
        .filter_map(|(one, two)| common_reader(one, two, same_rank))
        .collect()
}

/// Pairs of cards' profiles of one layer and priority that some card fits alike.
pub(super) fn alike_cards(cards: &BTreeMap<ProfileId, CardProfile>) -> Vec<Overlap> {
    let samples = samples(cards.values());
    pairs(cards.values().filter(|card| !card.matching.is_empty()))
        .filter(|(one, two)| one.priority == two.priority)
        .filter_map(|(one, two)| common_card(one, two, &samples, true))
        .collect()
}

/// Profiles of a layer that take readers from profiles of another id in the layers below.
pub(super) fn covered_readers(
    upper: &BTreeMap<ProfileId, ReaderProfile>,
    lower: &BTreeMap<ProfileId, ReaderProfile>,
) -> Vec<Note> {
    let note = |(one, two): (&ReaderProfile, &ReaderProfile)| {
        let Overlap { ids: [ours, theirs], what, .. } = common_reader(one, two, |_, _, _| true)?;
        Some(Note { upper: (one.origin.layer, ours), lower: (two.origin.layer, theirs), what })
    };
    across(upper, lower, super::GENERIC_READER).filter_map(note).collect()
}

/// The same for cards.
pub(super) fn covered_cards(
    upper: &BTreeMap<ProfileId, CardProfile>,
    lower: &BTreeMap<ProfileId, CardProfile>,
) -> Vec<Note> {
    let samples = samples(upper.values().chain(lower.values()));
    let note = |(one, two): (&CardProfile, &CardProfile)| {
        let Overlap { ids: [ours, theirs], what, .. } = common_card(one, two, &samples, false)?;
        // A card that could prove more is believed less: whoever writes the file should know.
        let what = match (one.max_level(), two.max_level()) {
            (ours, theirs) if one.method().is_some() && ours < theirs => {
                let levels = [ours, theirs].map(|level| Detail::from(level.get().to_string()));
                let [ours, theirs] = levels;
                Part::LevelLost.with([what, ours, theirs])
            }
            _ => what,
        };
        Some(Note { upper: (one.origin.layer, ours), lower: (two.origin.layer, theirs), what })
    };
    across(upper, lower, super::UNKNOWN_CARD).filter_map(note).collect()
}

fn pairs<'a, P: 'a>(profiles: impl Iterator<Item = &'a P>) -> impl Iterator<Item = (&'a P, &'a P)> {
    let all: Vec<&P> = profiles.collect();
    (0..all.len()).flat_map(move |at| {
        let (one, rest) = (all[at], all[at + 1..].to_vec());
        rest.into_iter().map(move |two| (one, two))
    })
}

fn across<'a, P>(
    upper: &'a BTreeMap<ProfileId, P>,
    lower: &'a BTreeMap<ProfileId, P>,
    fallback: &'static str,
) -> impl Iterator<Item = (&'a P, &'a P)> + 'a {
    let others = move |id: &'a ProfileId| {
        lower
            .iter()
            .filter(move |(theirs, _)| *theirs != id && theirs.as_str() != fallback && !upper.contains_key(*theirs))
    };
    let ours = upper.iter().filter(move |(id, _)| id.as_str() != fallback);
    ours.flat_map(move |(id, one)| others(id).map(move |(_, two)| (one, two)))
}

/// A reader that both fit such that `also` holds.
///
/// What a system may tell of it is enumerated: a USB id of both, or none where systems do not tell it; a firmware in both
/// ranges; the names and firmware texts of both files' samples, and a name that is in no file if one of the two asks for
/// none. libccid tells the USB id of each reader that has one, so on Linux a name alone decides nothing between two
/// profiles that both state theirs.
fn common_reader(
    one: &ReaderProfile,
    two: &ReaderProfile,
    also: impl Fn(&ReaderProfile, &ReaderProfile, &Sighting<'_>) -> bool,
) -> Option<Overlap> {
    let both = [one, two];
    let matching = both.map(|reader| &reader.matching);
    let both_state_usb = matching.iter().all(|matching| !matching.usb.is_empty());
    // Whichever of the common ones it is, it counts the same.
    let usb = matching[0].usb.iter().find(|id| matching[1].usb.contains(id)).copied();
    let any_name = matching.iter().any(|matching| matching.names.is_empty());
    let any_text = matching.iter().all(|matching| matching.firmware_text.is_none());
    let names = both.iter().flat_map(|reader| &reader.tests.names).map(|sample| (sample.os, sample.name.as_str()));
    let texts = both.iter().flat_map(|reader| &reader.tests.firmware_texts).map(|text| Some(text.as_str()));
    let texts: Vec<_> = texts.filter(|_| !any_text).chain([None]).collect();
    let firmwares: Vec<_> = matching
        .iter()
        .filter_map(|matching| matching.bcd_device)
        .map(|range| Some(range.first()))
        .chain([None])
        .collect();
    for (system, name) in names.chain(any_name.then_some((System::Linux, ""))) {
        let by_name = (system != System::Linux || !both_state_usb).then_some(None);
        for usb in usb.map(Some).into_iter().chain(by_name) {
            for &bcd_device in &firmwares {
                for &firmware_text in &texts {
                    let seen = Sighting { name, usb, bcd_device, firmware_text, system };
                    let fit = matching.iter().all(|matching| matching.closeness(&seen).is_some());
                    if fit && also(one, two, &seen) {
                        return Some(told(both, &seen));
                    }
                }
            }
        }
    }
    None
}

fn told(both: [&ReaderProfile; 2], seen: &Sighting<'_>) -> Overlap {
    let matching = both.map(|reader| &reader.matching);
    let firmware = seen.bcd_device.filter(|_| matching.iter().all(|matching| matching.bcd_device.is_some()));
    let (alone, with_firmware, seen_as) = match seen.usb {
        Some(id) => (Part::UsbId, Part::UsbIdWithFirmware, Detail::from(id.to_string())),
        None => (Part::Name, Part::NameWithFirmware, Detail::from(seen.name)),
    };
    let mut what = match firmware {
        Some(bcd) => with_firmware.with([seen_as, format!("{bcd:04X}").into()]),
        None => alone.with([seen_as]),
    };
    if seen.usb.is_none() && matching.iter().all(|matching| !matching.usb.is_empty()) {
        what = Part::OnlyTheName.with([what]);
    }
    let key = |reader: &ReaderProfile| match (firmware, seen.usb) {
        (Some(_), _) => "match.bcd_device".to_owned(),
        (None, Some(_)) => "match.usb".to_owned(),
        (None, None) => reader.matching.name_key(seen),
    };
    Overlap { ids: both.map(|reader| reader.id.clone()), keys: both.map(key), what }
}

fn samples<'a>(cards: impl Iterator<Item = &'a CardProfile>) -> Vec<Atr> {
    cards.flat_map(|card| &card.tests.atrs).map(|sample| Atr::new(&sample.atr.0)).collect()
}

fn common_card(one: &CardProfile, two: &CardProfile, samples: &[Atr], alike: bool) -> Option<Overlap> {
    let (keys, what) = one.matching.common(&two.matching, samples, alike)?;
    Some(Overlap { ids: [one.id.clone(), two.id.clone()], keys, what })
}
