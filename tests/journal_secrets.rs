//! Secrets at rest: whole or not at all, never made anew in place of something that cannot be read.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::{fs, path::Path};

use teilhabe_terminal::{
    adapters::{
        secrets::{DATABASE_KEY, KeyOrigin, SecretFile, SecretsError, WrappingKey},
        system::SystemEntropy,
    },
    ports::SecretStore,
};

fn open(folder: &Path, key: &WrappingKey) -> Result<SecretFile, SecretsError> {
    SecretFile::open(&folder.join("secrets"), key, Box::new(SystemEntropy::default()))
}

#[test]
fn secrets_are_there_after_reopening_and_removed_ones_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let key = WrappingKey::make_file(&folder.path().join("key"), &SystemEntropy::default()).unwrap();
    let mut secrets = open(folder.path(), &key).unwrap();
    let database = secrets.get_or_make(DATABASE_KEY).unwrap();
    secrets.put("signing/musterstadt", b"pkcs8").unwrap();
    secrets.put("reference/musterstadt", &[]).unwrap();
    drop(secrets);

    let key = WrappingKey::from_file(&folder.path().join("key")).unwrap();
    assert_eq!(key.origin(), KeyOrigin::File);
    let mut secrets = open(folder.path(), &key).unwrap();
    assert_eq!(*secrets.get_or_make(DATABASE_KEY).unwrap(), *database);
    assert_eq!(secrets.get("signing/musterstadt").unwrap(), b"pkcs8");
    assert_eq!(secrets.get("reference/musterstadt").unwrap(), b"");
    secrets.remove("signing/musterstadt").unwrap();
    assert_eq!(open(folder.path(), &key).unwrap().get("signing/musterstadt"), None);
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let key = WrappingKey::make_file(&folder.path().join("key"), &SystemEntropy::default()).unwrap();
    open(folder.path(), &key).unwrap().put("a", b"planted-secret").unwrap();
    let path = folder.path().join("secrets");
    let whole = fs::read(&path).unwrap();
    assert!(!whole.windows(14).any(|w| w == b"planted-secret"));
    let flipped = (0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    for bytes in flipped.chain(cut) {
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(open(folder.path(), &key), Err(SecretsError::Unreadable(_))));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    let aside = SecretFile::set_aside(&path).unwrap();
    assert!(aside.to_string_lossy().ends_with("secrets.unreadable-1") && aside.exists() && !path.exists());
}

#[test]
fn another_key_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let key = WrappingKey::make_file(&folder.path().join("key"), &SystemEntropy::default()).unwrap();
    open(folder.path(), &key).unwrap().put("a", b"b").unwrap();
    let other = WrappingKey::make_file(&folder.path().join("other"), &SystemEntropy::default()).unwrap();
    assert!(matches!(open(folder.path(), &other), Err(SecretsError::Unreadable(_))));
}

#[test]
fn wrapping_keys_are_read_as_they_may_lie_there() {
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("teilhabe-wrapping-key");
    let read = || WrappingKey::from_credentials(folder.path());
    assert!(matches!(read(), Err(SecretsError::KeyMissing(_))));
    let cases: [(&[u8], bool); 5] = [
        (&[7; 32], true),
        (&[b'a'; 64], true),
        (b"ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789\n", true),
        (&[7; 31], false),
        (&[b'g'; 64], false),
    ];
    for (bytes, fits) in cases {
        fs::write(&credential, bytes).unwrap();
        assert_eq!(read().is_ok(), fits, "{bytes:?}");
    }

    let file = folder.path().join("key");
    assert!(matches!(WrappingKey::from_file(&file), Err(SecretsError::KeyMissing(_))));
    WrappingKey::make_file(&file, &SystemEntropy::default()).unwrap();
    assert!(WrappingKey::make_file(&file, &SystemEntropy::default()).is_err(), "never over an old one");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# Wrapping key"), "the file says what it is");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(WrappingKey::from_file(&file), Err(SecretsError::KeyExposed(_))));
    }
}
