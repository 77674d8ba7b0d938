//! The account's secrets: made once, at first start, and kept in files only their owner can read.
//!
//! A real card root lies in a safe and signs a trust list once in a while; the reference account holds one so that a
//! pilot and the tests have cards at all.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use data_encoding::BASE64;
use thiserror::Error;
use zeroize::Zeroizing;

use super::sun::SunKeys;
use crate::{
    domain::{documents::DocumentName, ids::DistrictId},
    protocol::{
        jws::{SigningKey, Typ},
        seal::OpeningKey,
    },
};

/// Types the account itself signs with a key of their own. The keys document is signed by the TLS root, the trust list by
/// the card root, the deny list by the district.
pub const OWN_TYPES: [Typ; 8] = [
    Typ::Receipt,
    Typ::Control,
    Typ::Outcomes,
    Typ::Statement,
    Typ::Document(DocumentName::Descriptor),
    Typ::Document(DocumentName::Catalogue),
    Typ::Document(DocumentName::CardList),
    Typ::Document(DocumentName::Profiles),
];

/// Why secrets could not be had.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// A file or folder.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that others can read: its secret counts as known.
    #[error("{0} can be read by others; its secret must be replaced")]
    Exposed(PathBuf),
    /// A file that holds no key of its kind.
    #[error("{0} holds no key of its kind")]
    Malformed(PathBuf),
}

/// All secrets of one account.
#[derive(Debug)]
pub struct Secrets {
    /// Signs intermediates and the keys document.
    pub root: SigningKey,
    /// Signs server certificates.
    pub server_ca: SigningKey,
    /// Signs terminal certificates.
    pub terminal_ca: SigningKey,
    /// One signing key per type.
    pub signing: BTreeMap<Typ, SigningKey>,
    /// Opens sealed parts.
    pub opening: OpeningKey,
    /// Signs issuer certificates and the trust list.
    pub card_root: SigningKey,
    /// Signs credentials and the deny list, per district.
    pub issuers: BTreeMap<DistrictId, SigningKey>,
    /// Makes pseudonyms of children.
    pub pseudonym: Zeroizing<[u8; 32]>,
    /// Checks the messages of NTAG 424 chips, per district.
    pub sun: BTreeMap<DistrictId, SunKeys>,
}

impl Secrets {
    /// Reads every secret from `folder/keys`, and makes those that are missing.
    ///
    /// # Errors
    /// [`KeyFileError`]; a damaged file is never replaced, because whatever was signed or sealed would be lost with it.
    pub fn load_or_make(folder: &Path, districts: &[DistrictId]) -> Result<Self, KeyFileError> {
        let folder = KeyFolder::open(folder)?;
        let signing = OWN_TYPES.into_iter().map(|typ| Ok((typ, folder.signing_key(typ.word())?)));
        let issuers = districts.iter().map(|district| {
            let name = format!("issuer-{}", district.as_str().replace(':', "-"));
            Ok((district.clone(), folder.signing_key(&name)?))
        });
        let sun = districts.iter().map(|district| Ok((district.clone(), folder.sun_keys(district)?)));
        Ok(Self {
            sun: sun.collect::<Result<_, KeyFileError>>()?,
            root: folder.signing_key("root")?,
            server_ca: folder.signing_key("server-ca")?,
            terminal_ca: folder.signing_key("terminal-ca")?,
            signing: signing.collect::<Result<_, KeyFileError>>()?,
            opening: folder.opening_key("sealing")?,
            card_root: folder.signing_key("card-root")?,
            issuers: issuers.collect::<Result<_, KeyFileError>>()?,
            pseudonym: folder.secret("pseudonym", || Zeroizing::new(random()))?,
        })
    }

    /// The key that signs a type, if it is one of the account's own.
    ///
    /// # Panics
    /// Never for [`OWN_TYPES`].
    #[must_use]
    pub fn signing(&self, typ: Typ) -> &SigningKey {
        self.signing.get(&typ).expect("a key was made for every own type")
    }
}

/// Unpredictable bytes.
///
/// # Panics
/// If the system gives no randomness, without which nothing here is safe.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system gives randomness");
    bytes
}

/// PKCS #8 as PEM (RFC 7468).
#[must_use]
pub fn pem(key: &SigningKey) -> Zeroizing<String> {
    let text = Zeroizing::new(BASE64.encode(&key.to_pkcs8()));
    let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

fn from_pem(text: &str) -> Option<SigningKey> {
    let body = text.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?.strip_suffix("-----END PRIVATE KEY-----")?;
    let packed: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    let der = Zeroizing::new(BASE64.decode(packed.as_bytes()).ok()?);
    SigningKey::from_pkcs8(&der).ok()
}

/// `keys/` within the account's folder.
struct KeyFolder(PathBuf);

impl KeyFolder {
    fn open(account: &Path) -> Result<Self, KeyFileError> {
        let path = account.join("keys");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| KeyFileError::File { path: path.clone(), source })?;
        Ok(Self(path))
    }

    fn signing_key(&self, name: &str) -> Result<SigningKey, KeyFileError> {
        let path = self.0.join(format!("{name}.pem"));
        let text = read_or_make(&path, || Zeroizing::new(pem(&SigningKey::generate()).as_bytes().to_vec()))?;
        let key = std::str::from_utf8(&text).ok().and_then(from_pem);
        key.ok_or(KeyFileError::Malformed(path))
    }

    fn opening_key(&self, name: &str) -> Result<OpeningKey, KeyFileError> {
        let scalar = self.secret(name, || OpeningKey::generate().to_bytes())?;
        OpeningKey::from_bytes(&scalar).map_err(|_| KeyFileError::Malformed(self.0.join(format!("{name}.key"))))
    }

    fn sun_keys(&self, district: &DistrictId) -> Result<SunKeys, KeyFileError> {
        let both = self.secret(&format!("sun-{}", district.as_str().replace(':', "-")), || Zeroizing::new(random()))?;
        let half = |at: usize| Zeroizing::new(std::array::from_fn(|n| both[at + n]));
        Ok(SunKeys { meta: half(0), master: half(16) })
    }

    /// 32 raw bytes.
    fn secret(
        &self,
        name: &str,
        make: impl FnOnce() -> Zeroizing<[u8; 32]>,
    ) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
        let path = self.0.join(format!("{name}.key"));
        let bytes = read_or_make(&path, || Zeroizing::new(make().to_vec()))?;
        let secret = <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new);
        secret.map_err(|_| KeyFileError::Malformed(path))
    }
}

fn read_or_make(path: &Path, make: impl FnOnce() -> Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let failed = |source| KeyFileError::File { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => return Err(KeyFileError::Exposed(path.to_owned())),
        Ok(_) => return fs::read(path).map(Zeroizing::new).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // Written whole under another name first, then linked: a power cut never leaves half a key, and of two programs
    // that start at once the second takes the key of the first.
    let draft = path.with_extension(format!("new-{}", u64::from_ne_bytes(random())));
    let secret = make();
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    io::Write::write_all(&mut file, &secret).and_then(|()| file.sync_all()).map_err(failed)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Ok(()) => {
            let folder = path.parent().map_or_else(|| fs::File::open("."), fs::File::open);
            folder.and_then(|folder| folder.sync_all()).map_err(failed)?;
            Ok(secret)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::read(path).map(Zeroizing::new).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_only_their_owner_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let district = DistrictId::new("de:00000001").unwrap();
        let made = Secrets::load_or_make(folder.path(), std::slice::from_ref(&district)).unwrap();
        let again = Secrets::load_or_make(folder.path(), std::slice::from_ref(&district)).unwrap();
        assert_eq!(made.root.kid(), again.root.kid());
        assert_eq!(made.opening.sealing_key(), again.opening.sealing_key());
        assert_eq!(made.issuers[&district].kid(), again.issuers[&district].kid());
        let mut count = 0;
        for entry in fs::read_dir(folder.path().join("keys")).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
            count += 1;
        }
        assert_eq!(count, 16);
    }

    #[test]
    fn an_exposed_or_damaged_secret_is_neither_used_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        Secrets::load_or_make(folder.path(), &[]).unwrap();
        let root = folder.path().join("keys/root.pem");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Secrets::load_or_make(folder.path(), &[]), Err(KeyFileError::Exposed(_))));
        fs::set_permissions(&root, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&root, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(matches!(Secrets::load_or_make(folder.path(), &[]), Err(KeyFileError::Malformed(_))));
    }
}
