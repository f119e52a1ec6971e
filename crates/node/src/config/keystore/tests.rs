//! The standard's own vectors, and each field of a keystore that can be wrong, wrong on its own.

use super::*;
use serde_json::{Value, json};

/// The secret of both test vectors in the Web3 Secret Storage definition; their password is `testpassword`.
const SECRET: &str = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

fn pbkdf2_vector() -> Value {
    json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 262_144,
                "dklen": 32,
                "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
            },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    })
}

fn scrypt_vector() -> Value {
    json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "83dbcc02d8ccb40e466191a123791e0e" },
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32,
                "n": 262_144,
                "p": 8,
                "r": 1,
                "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
            },
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    })
}

fn password() -> Password {
    Password::new("testpassword".to_owned())
}

fn open(json: &Value) -> Result<B256, KeystoreError> {
    Keystore::parse(json.to_string().as_bytes())?.decrypt(&password())
}

#[test]
fn the_standards_vectors_open() {
    let secret: B256 = SECRET.parse().unwrap();
    assert_eq!(open(&pbkdf2_vector()).unwrap(), secret);
    assert_eq!(open(&scrypt_vector()).unwrap(), secret);
    // What some tools write: a capital, a prefix, and no version.
    let mut variant = scrypt_vector();
    let mut crypto = variant["crypto"].take();
    crypto["mac"] = format!("0x{}", crypto["mac"].as_str().unwrap()).into();
    let variant = json!({ "Crypto": crypto, "pubKey": "E([1,2])" });
    assert_eq!(open(&variant).unwrap(), secret);
}

#[test]
fn what_is_written_is_read_back_and_says_what_the_standard_says() {
    let secret = B256::repeat_byte(7);
    let keystore = Keystore::encrypt(secret, &password(), KdfCost::Light).unwrap();
    let json = serde_json::to_value(&keystore).unwrap();
    assert_eq!(json["version"], 3);
    assert_eq!(json["crypto"]["cipher"], "aes-128-ctr");
    assert_eq!(json["crypto"]["kdf"], "scrypt");
    assert_eq!(json["crypto"]["kdfparams"]["n"], 4096);
    assert_eq!(json["crypto"]["mac"].as_str().unwrap().len(), 64);
    let id = json["id"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"));
    assert!(!json.to_string().contains(&hex::encode(secret)));
    assert_eq!(open(&json).unwrap(), secret);
    let again = Keystore::encrypt(secret, &password(), KdfCost::Light).unwrap();
    assert_ne!(again, keystore, "salt and iv are new each time");
}

#[test]
fn a_wrong_password_is_told() {
    let keystore = Keystore::encrypt(B256::repeat_byte(7), &password(), KdfCost::Light).unwrap();
    let error = keystore.decrypt(&Password::new("testpassworD".to_owned())).unwrap_err();
    assert_eq!(error.to_string(), "wrong password, or a damaged keystore");
    assert_eq!(format!("{:?}", password()), "Password(..)");
}

#[test]
fn each_wrong_field_is_refused() {
    let change = |path: &str, value: Value| {
        let keystore = Keystore::encrypt(B256::repeat_byte(7), &password(), KdfCost::Light).unwrap();
        let mut json = serde_json::to_value(&keystore).unwrap();
        *json.pointer_mut(path).unwrap() = value;
        open(&json).unwrap_err()
    };
    let parameter = |path: &str, value: Value, name: &str| match change(path, value) {
        KeystoreError::Parameter { field, .. } => assert_eq!(field, name),
        other => panic!("{path}: {other}"),
    };
    assert!(matches!(change("/version", json!(4)), KeystoreError::Version { found: 4 }));
    assert!(matches!(change("/crypto/cipher", json!("aes-256-ctr")), KeystoreError::Algorithm { .. }));
    assert!(matches!(change("/crypto/kdf", json!("argon2")), KeystoreError::Json(_)));
    assert!(matches!(change("/crypto/mac", json!("xy")), KeystoreError::Json(_)));
    assert!(matches!(change("/crypto/mac", json!("00".repeat(32))), KeystoreError::Password));
    assert!(matches!(change("/crypto/ciphertext", json!("00".repeat(32))), KeystoreError::Password));
    parameter("/crypto/cipherparams/iv", json!("00"), "iv length");
    parameter("/crypto/ciphertext", json!("00".repeat(31)), "secret's length");
    for n in [0_u64, 1, 3, 1 << 40, u64::MAX] {
        parameter("/crypto/kdfparams/n", json!(n), "n");
    }
    parameter("/crypto/kdfparams/r", json!(u32::MAX), "n");
    parameter("/crypto/kdfparams/r", json!(0), "r");
    parameter("/crypto/kdfparams/p", json!(0), "p");
    parameter("/crypto/kdfparams/p", json!(65), "p");
    parameter("/crypto/kdfparams/dklen", json!(16), "dklen");

    let mut rounds = pbkdf2_vector();
    rounds["crypto"]["kdfparams"]["c"] = json!(u32::MAX);
    assert!(matches!(open(&rounds), Err(KeystoreError::Parameter { field: "c", .. })));
    let mut prf = pbkdf2_vector();
    prf["crypto"]["kdfparams"]["prf"] = json!("hmac-sha512");
    assert!(matches!(open(&prf), Err(KeystoreError::Algorithm { .. })));
}
