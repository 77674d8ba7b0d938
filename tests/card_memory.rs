//! Fault 7, measured: whatever a card or a code says, refusing it takes less than 64 KiB of memory. A program of its own,
//! because everything it allocates is counted.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

#[path = "support/entry.rs"]
mod entry;

use peak_alloc::PeakAlloc;
use teilhabe_terminal::{
    card::{
        bik1::ControlInformation,
        cose::{ObjectType, Sign1},
    },
    cbor::Value,
    tlv::{self, Tlv},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const LIMIT: usize = 64 * 1024;

/// Most bytes that were held at once while `work` ran, beyond those held before.
fn taken(work: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}

/// Fault 6.
#[test]
fn attacks_take_less_than_64_kib() {
    let nested = |head: &[u8], times: usize| head.repeat(times);
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("2^32 items", vec![0x9A, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("2^64 pairs", vec![0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("a text of 2^63 bytes", vec![0x7B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("depth 1000", nested(&[0x81], 1000)),
        ("depth 60,000", nested(&[0xA1, 0x01], 30_000)),
        ("indefinite", nested(&[0x9F], 60_000)),
        ("30,000 empty items", [&[0x99, 0x75, 0x30][..], &vec![0x80; 30_000]].concat()),
        ("60 kB of nested templates", nested(&[0x70, 0x82, 0xFF, 0xFF], 15_000)),
        ("30,000 empty objects", [&[0x70, 0x82, 0xEA, 0x60][..], &[0x81, 0x00].repeat(30_000)].concat()),
        ("a length of 2^32", vec![0x70, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("a tag of five bytes", vec![0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0x00]),
        ("an indefinite length", vec![0x70, 0x80, 0x00, 0x00]),
    ];
    for (what, bytes) in &attacks {
        let took = taken(|| {
            assert!(Value::decode(bytes).is_err(), "{what}");
            assert!(Sign1::parse(bytes, ObjectType::Credential).is_err(), "{what}");
            assert!(Tlv::parse(bytes).is_err(), "{what}");
            assert!(ControlInformation::parse(bytes).is_err(), "{what}");
            let _ = tlv::announced_len(bytes);
        });
        println!("{what}: {took} bytes");
        assert!(took < LIMIT, "{what}: {took} bytes");
    }
    // Signed by a good key in the form of a credential, and of the length a file may have.
    let largest = entry_peak("dialogue");
    println!("dialogues: {largest} bytes");
    assert!(largest < LIMIT, "dialogues: {largest} bytes");
    // The measurement can fail.
    assert!(taken(|| drop(vec![0_u8; LIMIT])) >= LIMIT);
}

/// The most that one of the kept inputs of a target took, the second time: the first one compiles profiles and keys.
fn entry_peak(target: &str) -> usize {
    let (_, enter) = entry::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs: Vec<Vec<u8>> =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!inputs.is_empty());
    inputs.iter().for_each(|input| enter(input));
    inputs.iter().map(|input| taken(|| enter(input))).max().unwrap_or_default()
}
