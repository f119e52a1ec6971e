//! A role's secrets and its lock, on a real file system.

use super::super::*;
use hum_types::B256;
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hum-directory-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn directory(&self) -> RoleDirectory {
        RoleDirectory::new(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn secret() -> B256 {
    B256::left_padding_from(&[7; 31])
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

#[test]
fn every_kind_of_secret_can_be_encrypted() {
    let scratch = Scratch::new("kinds");
    let directory = scratch.directory();
    assert!(!directory.needs_password().unwrap());
    for name in KeyName::ALL {
        directory.write_keystore(name, secret(), &password("x"), KdfCost::Light).unwrap();
        assert_eq!(directory.form_of(name).unwrap(), Some(KeyForm::Encrypted));
        let mode = fs::metadata(directory.key_path(name, KeyForm::Encrypted)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(directory.read_key(name), Err(DirectoryError::Locked { .. })));
        let open = directory.clone().unlock(password("x"));
        assert_eq!(open.read_key(name).unwrap(), secret());
        let public = directory.public_of(name).unwrap().unwrap_or_default().to_lowercase();
        let expected = name.public_of(secret()).unwrap().to_lowercase();
        assert_eq!(public.trim_start_matches("0x"), expected.trim_start_matches("0x"));
    }
    assert!(directory.needs_password().unwrap());
    assert!(directory.clone().unlock(password("x")).network_key().is_ok());
}

#[test]
fn a_wrong_password_names_the_file() {
    let scratch = Scratch::new("password");
    let directory = scratch.directory();
    directory.write_keystore(KeyName::Bls, secret(), &password("right"), KdfCost::Light).unwrap();
    let error = directory.unlock(password("wrong")).read_key(KeyName::Bls).unwrap_err().to_string();
    assert!(error.contains("bls.json") && error.contains("wrong password"), "{error}");
}

#[test]
fn a_keystore_under_anothers_name_is_refused() {
    let scratch = Scratch::new("swapped");
    let directory = scratch.directory().unlock(password("x"));
    directory.write_keystore(KeyName::Network, secret(), &password("x"), KdfCost::Light).unwrap();
    fs::rename(
        directory.key_path(KeyName::Network, KeyForm::Encrypted),
        directory.key_path(KeyName::Bls, KeyForm::Encrypted),
    )
    .unwrap();
    assert!(matches!(
        directory.read_key(KeyName::Bls),
        Err(DirectoryError::Keystore { source: KeystoreError::Public { .. }, .. })
    ));
}

#[test]
fn what_others_can_read_is_refused_with_the_command_that_mends_it() {
    let scratch = Scratch::new("modes");
    let directory = scratch.directory();
    directory.write_key(KeyName::Bls, secret()).unwrap();
    let path = directory.key_path(KeyName::Bls, KeyForm::Plain);
    for mode in [0o640, 0o604, 0o644, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = directory.read_key(KeyName::Bls).unwrap_err().to_string();
        assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(directory.read_key(KeyName::Bls).unwrap(), secret());

    let file = scratch.0.join("password");
    fs::write(&file, "correct horse\nnot this\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(read_password(&file), Err(DirectoryError::Exposed { mode: 0o644, .. })));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read_password(&file).unwrap(), password("correct horse"));
}

#[test]
fn a_secret_that_is_there_twice_is_refused() {
    let scratch = Scratch::new("twice");
    let directory = scratch.directory();
    directory.write_key(KeyName::Bls, secret()).unwrap();
    let again = directory.write_keystore(KeyName::Bls, secret(), &password("x"), KdfCost::Light);
    assert!(matches!(again, Err(DirectoryError::Io { .. })), "a key is never overwritten");
    let path = directory.key_path(KeyName::Bls, KeyForm::Encrypted);
    fs::write(&path, "{}").unwrap();
    assert!(matches!(directory.read_key(KeyName::Bls), Err(DirectoryError::Twice { .. })));
}

#[test]
fn what_is_no_secret_is_refused() {
    let scratch = Scratch::new("no-secret");
    let directory = scratch.directory();
    assert!(matches!(directory.read_key(KeyName::Bls), Err(DirectoryError::Io { .. })));
    directory.write_key(KeyName::Bls, secret()).unwrap();
    fs::write(directory.key_path(KeyName::Bls, KeyForm::Plain), "0x12").unwrap();
    assert!(matches!(directory.read_key(KeyName::Bls), Err(DirectoryError::Secret { .. })));
    let zero = directory.write_keystore(KeyName::Account, B256::ZERO, &password("x"), KdfCost::Light);
    assert!(matches!(zero, Err(DirectoryError::Secret { .. })), "zero is no secp256k1 key");
}

#[test]
fn one_process_holds_a_directory() {
    let scratch = Scratch::new("lock");
    let directory = scratch.directory();
    let held = directory.lock().unwrap();
    let error = directory.lock().unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    drop(held);
    directory.lock().unwrap();
}
