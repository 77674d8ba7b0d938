//! The witness: a second small file that remembers how far the journal got.
//!
//! SQLite takes the first bad frame of its write-ahead log for the end of it, so one flipped bit could drop committed
//! records without a word. The witness names the generation of the last committed transaction and the end of each
//! chain, and is synced before a commit counts: a journal that is behind its witness is damaged.
//!
//! Two slots are written in turn, each with its checksum, so that a torn write leaves the older one whole. The journal
//! may be ahead of the witness (power lost between the two), never behind.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};

use super::error::JournalError;
use crate::domain::ids::Digest;

const MAGIC: &[u8; 8] = b"TTWITN01";
const SLOT: usize = 4096;
const HEADER: usize = 8 + 16 + 8 + 8 + 8;
const HEAD: usize = 8 + 8 + 32;
const CHECKSUM: usize = 32;
/// Most chains one slot can name: enrolments past and present.
pub(super) const MAX_HEADS: usize = (SLOT - HEADER - CHECKSUM) / HEAD;

/// Ends of the chains by enrolment row: sequence and digest of the newest record.
pub(super) type Heads = BTreeMap<i64, (u64, Digest)>;

/// What one slot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Testimony {
    /// Recognises the journal's key without telling anything about it.
    pub key_check: [u8; 16],
    /// False until the database was made: whatever lies there holds nothing yet.
    pub live: bool,
    /// Write transactions committed so far.
    pub generation: u64,
    /// Ends of the chains.
    pub heads: Heads,
}

/// HMAC-SHA256 of a fixed text under the database key, cut to 16 bytes.
pub(super) fn key_check(key: &[u8; 32]) -> [u8; 16] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"teilhabe-journal-key-check-1");
    *tag.as_ref().first_chunk().expect("an HMAC-SHA256 has 32 bytes")
}

impl Testimony {
    fn encode(&self) -> Vec<u8> {
        assert!(self.heads.len() <= MAX_HEADS, "the enrolment verb keeps the number of chains below the slot's size");
        let mut bytes = Vec::with_capacity(SLOT);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.key_check);
        bytes.extend_from_slice(&u64::from(self.live).to_be_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&(self.heads.len() as u64).to_be_bytes());
        for (enrolment, (seq, digest)) in &self.heads {
            bytes.extend_from_slice(&enrolment.to_be_bytes());
            bytes.extend_from_slice(&seq.to_be_bytes());
            bytes.extend_from_slice(&digest.0);
        }
        let checksum = digest(&SHA256, &bytes);
        bytes.extend_from_slice(checksum.as_ref());
        bytes
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let (magic, rest) = slot.split_first_chunk::<8>()?;
        let (key_check, rest) = rest.split_first_chunk::<16>()?;
        let (live, rest) = rest.split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (count, mut rest) = rest.split_first_chunk::<8>()?;
        let count = usize::try_from(u64::from_be_bytes(*count)).ok().filter(|n| *n <= MAX_HEADS)?;
        let (body, tail) = slot.split_at_checked(HEADER + count * HEAD)?;
        if magic != MAGIC || digest(&SHA256, body).as_ref() != tail.get(..CHECKSUM)? {
            return None;
        }
        let mut heads = Heads::new();
        for _ in 0..count {
            let (enrolment, after) = rest.split_first_chunk::<8>()?;
            let (seq, after) = after.split_first_chunk::<8>()?;
            let (digest, after) = after.split_first_chunk::<32>()?;
            heads.insert(i64::from_be_bytes(*enrolment), (u64::from_be_bytes(*seq), Digest(*digest)));
            rest = after;
        }
        let live = u64::from_be_bytes(*live) == 1;
        Some(Self { key_check: *key_check, live, generation: u64::from_be_bytes(*generation), heads })
    }
}

/// The open witness file.
pub(super) struct Witness {
    file: File,
    /// The slot that holds `testimony`; the next write goes to the other one.
    slot: usize,
    pub testimony: Testimony,
    /// One slot was torn or damaged when it was read; the other one held.
    pub one_slot_bad: bool,
}

impl Witness {
    /// Makes a new file with both slots saying that nothing is there yet.
    pub fn create(path: &Path, key_check: [u8; 16]) -> Result<Self, JournalError> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let testimony = Testimony { key_check, live: false, generation: 0, heads: Heads::new() };
        let mut both = vec![0; 2 * SLOT];
        let bytes = testimony.encode();
        both[..bytes.len()].copy_from_slice(&bytes);
        both[SLOT..SLOT + bytes.len()].copy_from_slice(&bytes);
        file.write_all(&both)?;
        file.sync_all()?;
        Ok(Self { file, slot: 0, testimony, one_slot_bad: false })
    }

    /// Reads the newer of the two slots that is whole.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(2 * SLOT as u64).read_to_end(&mut bytes)?;
        let (first, second) = bytes.split_at(SLOT.min(bytes.len()));
        let (testimony, slot, one_slot_bad) = match (Testimony::decode(first), Testimony::decode(second)) {
            (Some(a), Some(b)) if b.generation > a.generation => (b, 1, false),
            (Some(a), b) => (a, 0, b.is_none()),
            (None, Some(b)) => (b, 1, true),
            (None, None) => return Err(JournalError::damaged("the witness cannot be read")),
        };
        Ok(Self { file, slot, testimony, one_slot_bad })
    }

    /// Writes the other slot and syncs it. On failure the present slot stays the valid one.
    pub fn write(&mut self, testimony: Testimony) -> Result<(), JournalError> {
        let next = 1 - self.slot;
        self.file.seek(SeekFrom::Start((next * SLOT) as u64))?;
        self.file.write_all(&testimony.encode())?;
        self.file.sync_data()?;
        self.slot = next;
        self.testimony = testimony;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn testimony(generation: u64) -> Testimony {
        let heads = [(1, (generation, Digest([7; 32]))), (2, (9, Digest([8; 32])))].into();
        Testimony { key_check: [3; 16], live: true, generation, heads }
    }

    #[test]
    fn each_flipped_byte_of_a_slot_is_noticed_and_the_other_slot_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let mut witness = Witness::create(&path, [3; 16]).unwrap();
        witness.write(testimony(1)).unwrap();
        witness.write(testimony(2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..testimony(2).encode().len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1; // the second write went to the first slot
            std::fs::write(&path, &bytes).unwrap();
            let read = Witness::open(&path).unwrap();
            assert!(read.one_slot_bad, "byte {at}");
            assert_eq!(read.testimony, testimony(1), "byte {at}");
        }
    }

    #[test]
    fn a_cut_file_keeps_what_is_whole_and_a_lost_one_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let mut witness = Witness::create(&path, [3; 16]).unwrap();
        witness.write(testimony(1)).unwrap();
        witness.write(testimony(2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for (length, expected) in [(2 * SLOT, Some(2)), (SLOT + 5, Some(2)), (SLOT, Some(2)), (100, None), (0, None)] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(Witness::open(&path).ok().map(|w| w.testimony.generation), expected, "{length} bytes");
        }
    }
}
