//! The one file in which everything secret lies wrapped.
//!
//! Layout: magic (8 bytes) ‖ nonce (12) ‖ AES-256-GCM over the entries, with the magic as additional data. An entry is the
//! length of its name (2 bytes), the name, the length of the secret (4 bytes), the secret; big-endian. The nonce is random
//! and new with each write; 2³² writes would be needed before that became a concern (NIST SP 800-38D, 8.3).

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{
    SecretsError, WrappingKey,
    wrapping::{disk, read, sync_parent},
};
use crate::ports::{Entropy, SecretStore};

/// Name of the journal's key.
pub const DATABASE_KEY: &str = "database";
/// Name of the pepper of PIN hashes.
pub const PIN_PEPPER: &str = "pin-pepper";

const MAGIC: &[u8; 8] = b"TTSECR01";

/// The open file of secrets.
pub struct SecretFile {
    path: PathBuf,
    key: LessSafeKey,
    entropy: Box<dyn Entropy>,
    entries: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretFile({} entries)", self.entries.len())
    }
}

impl SecretFile {
    /// Opens the file, or begins an empty one where there is none; it appears on disk with the first secret.
    ///
    /// # Errors
    /// [`SecretsError::Unreadable`] if the key does not fit or a byte was changed: nothing is touched.
    pub fn open(path: &Path, key: &WrappingKey, entropy: Box<dyn Entropy>) -> Result<Self, SecretsError> {
        let unbound = UnboundKey::new(&AES_256_GCM, key.key.as_slice()).expect("the key has 32 bytes");
        let key = LessSafeKey::new(unbound);
        let entries = match read(path)? {
            None => BTreeMap::new(),
            Some(bytes) => unwrap(&key, &bytes).ok_or_else(|| SecretsError::Unreadable(path.to_owned()))?,
        };
        Ok(Self { path: path.to_owned(), key, entropy, entries })
    }

    /// The secret of that name, born now if there is none.
    ///
    /// # Errors
    /// [`SecretsError::Disk`] if a new one could not be made durable.
    pub fn get_or_make(&mut self, name: &str) -> Result<Zeroizing<[u8; 32]>, SecretsError> {
        if let Some(kept) = self.entries.get(name) {
            let kept = kept.as_slice().try_into().map_err(|_| SecretsError::Unreadable(self.path.clone()))?;
            return Ok(Zeroizing::new(kept));
        }
        let mut secret = Zeroizing::new([0; 32]);
        self.entropy.fill(secret.as_mut_slice());
        self.replace(name, Some(secret.to_vec()))?;
        Ok(secret)
    }

    /// Moves a file that cannot be opened out of the way, unchanged, to `<name>.unreadable-<n>`. An administrator's
    /// decision. Returns where it lies.
    ///
    /// # Errors
    /// [`SecretsError::Disk`].
    pub fn set_aside(path: &Path) -> Result<PathBuf, SecretsError> {
        let named = |n: u32| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".unreadable-{n}"));
            PathBuf::from(name)
        };
        let aside = (1..=u32::MAX).map(named).find(|aside| !aside.exists()).expect("some number is free");
        fs::rename(path, &aside).and_then(|()| sync_parent(path)).map_err(|source| disk(path, source))?;
        Ok(aside)
    }

    /// Puts or removes one entry: on disk first, in memory only then.
    fn replace(&mut self, name: &str, secret: Option<Vec<u8>>) -> Result<(), SecretsError> {
        let mut entries = self.entries.clone();
        match secret {
            Some(secret) => entries.insert(name.to_owned(), Zeroizing::new(secret)),
            None => entries.remove(name),
        };
        self.write(&entries).map_err(|source| disk(&self.path, source))?;
        self.entries = entries;
        Ok(())
    }

    /// Writes beside the old file, syncs, renames, syncs the directory: at every moment one whole file is there.
    fn write(&self, entries: &BTreeMap<String, Zeroizing<Vec<u8>>>) -> io::Result<()> {
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let mut sealed = encode(entries)?;
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(MAGIC), &mut *sealed)
            .map_err(|_| io::Error::other("sealing failed"))?;
        let mut beside = self.path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(&[MAGIC.as_slice(), &nonce, sealed.as_slice()].concat())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, &self.path)?;
        sync_parent(&self.path)
    }
}

impl SecretStore for SecretFile {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.entries.get(name).map(|secret| secret.to_vec())
    }

    fn put(&mut self, name: &str, secret: &[u8]) -> Result<(), String> {
        self.replace(name, Some(secret.to_vec())).map_err(|error| error.to_string())
    }

    fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    fn remove(&mut self, name: &str) -> Result<(), String> {
        if self.entries.contains_key(name) {
            self.replace(name, None).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn encode(entries: &BTreeMap<String, Zeroizing<Vec<u8>>>) -> io::Result<Zeroizing<Vec<u8>>> {
    let size: usize = entries.iter().map(|(name, secret)| 6 + name.len() + secret.len()).sum();
    // Room for the tag as well: growing would leave a copy of the plain text behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(size + AES_256_GCM.tag_len()));
    for (name, secret) in entries {
        let too_long = |_| io::Error::other("a name or secret is too long");
        plain.extend_from_slice(&u16::try_from(name.len()).map_err(too_long)?.to_be_bytes());
        plain.extend_from_slice(name.as_bytes());
        plain.extend_from_slice(&u32::try_from(secret.len()).map_err(too_long)?.to_be_bytes());
        plain.extend_from_slice(secret);
    }
    Ok(plain)
}

fn unwrap(key: &LessSafeKey, bytes: &[u8]) -> Option<BTreeMap<String, Zeroizing<Vec<u8>>>> {
    let (nonce, sealed) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let plain = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(MAGIC), &mut sealed).ok()?;
    let mut rest: &[u8] = plain;
    let mut entries = BTreeMap::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (secret, after) = after.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)?;
        entries.insert(String::from_utf8(name.to_vec()).ok()?, Zeroizing::new(secret.to_vec()));
        rest = after;
    }
    Some(entries)
}
