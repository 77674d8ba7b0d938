//! The kept inputs of `fuzz/corpus` and near misses of them, through the entry points that `script/fuzz` hammers for as long as
//! it is told: nothing from outside panics. Faults 1 to 9, 23, 25, 37, 38 and 41.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

#[path = "support/entry.rs"]
mod entry;

use std::path::{Path, PathBuf};

use entry::TARGETS;
use proptest::{prelude::*, test_runner::TestRunner};

/// The kept inputs of a target, by name of their file.
fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut kept: Vec<_> =
        files.map(|file| file.unwrap().path()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    kept.sort();
    kept
}

#[test]
fn every_kept_input_is_survived() {
    for (target, enter) in TARGETS {
        let inputs = kept(target);
        assert!(inputs.len() >= 4, "{target}: {} inputs are kept", inputs.len());
        for (path, input) in inputs {
            eprintln!("{}", path.display());
            enter(&input);
        }
    }
}

/// One change to an input.
#[derive(Debug, Clone)]
enum Change {
    Byte(prop::sample::Index, u8),
    Bit(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index),
}

impl Change {
    fn of(&self, input: &mut Vec<u8>) {
        let whole = input.len();
        match self {
            Self::Byte(at, byte) if whole > 0 => input[at.index(whole)] = *byte,
            Self::Bit(at, bit) if whole > 0 => input[at.index(whole)] ^= 1 << (bit % 8),
            Self::Byte(..) | Self::Bit(..) => {}
            Self::Cut(at) => input.truncate(at.index(whole + 1)),
            Self::Insert(at, bytes) => {
                let at = at.index(whole + 1);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Repeat(from, to) => {
                let (one, other) = (from.index(whole + 1), to.index(whole + 1));
                let part = input[one.min(other)..one.max(other)].to_vec();
                input.extend(part);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    let telling = prop::sample::select(vec![0x00, 0x7F, 0x80, 0x81, 0x82, 0x84, 0x9F, 0xFF, b'"', b'{', b'.', b'\n']);
    prop_oneof![
        (index(), prop_oneof![any::<u8>(), telling]).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (index(), any::<u8>()).prop_map(|(at, bit)| Change::Bit(at, bit)),
        index().prop_map(Change::Cut),
        (index(), prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (index(), index()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

#[test]
fn near_misses_of_kept_inputs_are_survived() {
    for (target, enter) in TARGETS {
        // A profile is compiled with all its expressions, which takes a while.
        let cases = if target == "profile" { 20 } else { 300 };
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let inputs: Vec<Vec<u8>> = kept(target).into_iter().map(|(_, input)| input).collect();
        let strategy = (prop::sample::select(inputs), prop::collection::vec(change(), 1..6));
        TestRunner::new(config)
            .run(&strategy, |(mut input, changes)| {
                changes.iter().for_each(|change| change.of(&mut input));
                enter(&input);
                Ok(())
            })
            .unwrap_or_else(|failure| panic!("{target}: {failure}"));
    }
}
