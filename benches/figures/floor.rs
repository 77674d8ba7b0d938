//! What P1 stands against: nothing but sealing, signing, inserting, committing and a second synced file.

use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};
use teilhabe_terminal::{
    domain::{ids::Digest, record::Record},
    protocol::record::freeze,
};

use crate::state::{Keys, Site};

/// Keys, and a record of the size of a tap's.
pub struct Material {
    keys: Keys,
    record: Record,
}

impl Material {
    /// Of this site.
    pub fn of(site: &Site) -> Self {
        let keys = site.keys();
        let record = keys.record([5; 16], 1, 1);
        Self { keys, record }
    }
}

/// Times of `count` loops on the disk of `data`, with the journal's pragmas and its encryption.
pub fn loops(material: &Material, data: &Path, count: u32) -> Vec<Duration> {
    let folder = tempfile::tempdir_in(data.parent().unwrap()).unwrap();
    let connection = Connection::open(folder.path().join("floor.sqlite")).unwrap();
    let mut key = String::new();
    (0..32).for_each(|byte| write!(key, "{byte:02x}").unwrap());
    connection
        .execute_batch(&format!(
            "PRAGMA key = \"x'{key}'\";
             PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA foreign_keys = ON;
             PRAGMA secure_delete = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -4096;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE record (seq INTEGER PRIMARY KEY, digest BLOB, jws TEXT, sealed BLOB) STRICT;"
        ))
        .unwrap();
    let mut witness =
        OpenOptions::new().write(true).create(true).truncate(true).open(folder.path().join("witness")).unwrap();
    witness.write_all(&[0; 8192]).unwrap();
    witness.sync_all().unwrap();
    let Material { keys, record } = material;
    let mut prev = Digest([0; 32]);
    let mut times = Vec::new();
    for seq in 1..=u64::from(count) {
        let begin = Instant::now();
        let frozen = freeze(record, &keys.enrolled.enrolment, seq, prev, &keys.signing, &keys.sealing)
            .expect("it can be frozen");
        connection
            .prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3, ?4)")
            .unwrap()
            .execute(params![seq.cast_signed(), frozen.digest.0, frozen.jws, frozen.sealed])
            .unwrap();
        witness.seek(SeekFrom::Start(4096 * (seq % 2))).unwrap();
        witness.write_all(&[7; 64]).unwrap();
        witness.sync_data().unwrap();
        times.push(begin.elapsed());
        prev = frozen.digest;
    }
    times
}
