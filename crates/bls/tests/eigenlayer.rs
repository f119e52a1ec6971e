//! Our conventions against EigenLayer's own bytecode (`eigenlayer/README.md`): hash to curve, signatures, key registration,
//! over random inputs and the edges.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use ark_bn254::{Fq, Fr, G1Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _};
use ark_ff::{BigInteger as _, PrimeField as _};
use hum_bls::{G1, SecretKey, hash_to_g1, possession_subject};
use hum_types::{Domain, Encode as _, Epoch, Height, Kind, SignedSubject};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext, MainnetEvm,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    primitives::hardfork::SpecId,
    state::{AccountInfo, Bytecode},
};

sol! {
    struct G1Point { uint256 x; uint256 y; }
    struct G2Point { uint256[2] x; uint256[2] y; }
    struct PubkeyRegistrationParams { G1Point signature; G1Point keyG1; G2Point keyG2; }
    function trySignatureAndApkVerification(bytes32 msgHash, G1Point apk, G2Point apkG2, G1Point sigma)
        external view returns (bool pairing, bool valid);
    function registerBLSPublicKey(address operator, PubkeyRegistrationParams params, G1Point message)
        external returns (bytes32 id);
}

/// Signatures that EigenLayer's checker must take, and keys that its registry must.
const SIGNATURES: u64 = 2_000;
const REGISTRATIONS: u64 = 1_000;
/// One in so many is spoilt, and must be refused.
const SPOILT: u64 = 50;

const CHECKER: Address = Address::repeat_byte(0xcc);
const REGISTRY: Address = Address::repeat_byte(0xee);
/// The registry's coordinator is an immutable, and zero in code that no constructor ran for.
const COORDINATOR: Address = Address::ZERO;

struct EigenLayer(MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>);

impl EigenLayer {
    fn new() -> Self {
        let json: serde_json::Value =
            serde_json::from_str(include_str!("eigenlayer/middleware.json")).expect("the bytecode file");
        let mut database = CacheDB::new(EmptyDB::default());
        for (name, address) in [("MockAvsServiceManager", CHECKER), ("BLSApkRegistry", REGISTRY)] {
            let code = hex::decode(json[name].as_str().expect(name)).expect("hex");
            let code = Bytecode::new_raw(code.into());
            let info =
                AccountInfo { code_hash: code.hash_slow(), code: Some(code), ..AccountInfo::default() };
            database.insert_account_info(address, info);
        }
        let context = Context::mainnet().with_db(database).modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::PRAGUE);
            cfg.disable_nonce_check = true;
        });
        Self(context.build_mainnet())
    }

    fn call(&mut self, to: Address, data: Vec<u8>) -> Option<Bytes> {
        let tx = TxEnv::builder()
            .caller(COORDINATOR)
            .kind(TxKind::Call(to))
            .data(data.into())
            .gas_limit(1 << 23)
            .gas_price(0)
            .build()
            .expect("a transaction");
        match self.0.transact(tx).expect("a valid transaction").result {
            ExecutionResult::Success { output, .. } => Some(output.into_data()),
            _ => None,
        }
    }

    fn signed(&mut self, digest: B256, key: &Key, signature: &[u8]) -> bool {
        let call = trySignatureAndApkVerificationCall {
            msgHash: digest,
            apk: g1(&key.g1),
            apkG2: g2(&key.g2),
            sigma: g1(signature),
        };
        let Some(output) = self.call(CHECKER, call.abi_encode()) else { return false };
        let answer = trySignatureAndApkVerificationCall::abi_decode_returns(&output).expect("two booleans");
        answer.pairing && answer.valid
    }

    fn registers(&mut self, operator: Address, key: &Key, signature: &[u8], message: &[u8]) -> Option<B256> {
        let params =
            PubkeyRegistrationParams { signature: g1(signature), keyG1: g1(&key.g1), keyG2: g2(&key.g2) };
        let call = registerBLSPublicKeyCall { operator, params, message: g1(message) };
        self.call(REGISTRY, call.abi_encode()).map(|id| B256::from_slice(&id))
    }
}

fn word(bytes: &[u8], index: usize) -> U256 {
    U256::from_be_slice(&bytes[index * 32..(index + 1) * 32])
}

fn g1(bytes: &[u8]) -> G1Point {
    G1Point { x: word(bytes, 0), y: word(bytes, 1) }
}

fn g2(bytes: &[u8]) -> G2Point {
    G2Point { x: [word(bytes, 0), word(bytes, 1)], y: [word(bytes, 2), word(bytes, 3)] }
}

/// A key in our bytes.
struct Key {
    secret: SecretKey,
    scalar: Fr,
    g1: Vec<u8>,
    g2: Vec<u8>,
}

fn key(secret: B256) -> Key {
    let secret = SecretKey::from_secret(secret).expect("a secret in range");
    let public = secret.public_key();
    let scalar = Fr::from_be_bytes_mod_order(secret.expose_secret().as_slice());
    Key { scalar, g1: public.g1().encode(), g2: public.g2().encode(), secret }
}

fn point(bytes: &[u8]) -> G1Affine {
    G1Affine::new(Fq::from_be_bytes_mod_order(&bytes[..32]), Fq::from_be_bytes_mod_order(&bytes[32..]))
}

/// Our hash to curve of a bare digest, times the key.
fn sign(key: &Key, digest: B256) -> Vec<u8> {
    let hashed: G1 = hash_to_g1(digest);
    let signature = (point(&hashed.encode()) * key.scalar).into_affine();
    let (x, y) = signature.xy().expect("not the identity");
    [x.into_bigint().to_bytes_be(), y.into_bigint().to_bytes_be()].concat()
}

fn random(what: &str, index: u64) -> B256 {
    keccak256((what, index).abi_encode())
}

fn random_key(index: u64) -> Key {
    let mut secret = random("secret", index);
    secret.0[0] = 0;
    key(secret)
}

const P: U256 =
    U256::from_limbs([0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029]);
const R: U256 =
    U256::from_limbs([0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029]);

#[test]
fn signatures_on_random_digests() {
    let mut eigenlayer = EigenLayer::new();
    for index in 0..SIGNATURES {
        let key = random_key(index % 16);
        let digest = random("digest", index);
        let signature = sign(&key, digest);
        assert!(eigenlayer.signed(digest, &key, &signature), "digest {digest}");
        if index % SPOILT == 0 {
            // Not one of the lowest bits: neighbouring digests may share the next point of the curve.
            let bit = U256::from(1) << (32 + index % 200);
            let other = B256::from(U256::from_be_bytes(digest.0) ^ bit);
            assert!(!eigenlayer.signed(other, &key, &signature), "digest {other} was not signed");
            assert!(!eigenlayer.signed(digest, &random_key(index % 16 + 1), &signature), "another's key");
        }
    }
}

#[test]
fn signatures_on_the_edges() {
    let mut eigenlayer = EigenLayer::new();
    let one = U256::from(1);
    let digests =
        [U256::ZERO, one, P - one, P, P + one, R - one, R, R + one, U256::MAX, U256::MAX - one, one << 255];
    for secret in [one, U256::from(2), R - one] {
        let key = key(B256::from(secret));
        for digest in digests.map(B256::from) {
            assert!(eigenlayer.signed(digest, &key, &sign(&key, digest)), "secret {secret}, digest {digest}");
        }
    }
}

#[test]
fn statements_are_signed_as_bare_digests() {
    let mut eigenlayer = EigenLayer::new();
    for index in 0..16 {
        let key = random_key(index);
        let statement = SignedSubject {
            domain: Domain(random("domain", index)),
            kind: Kind::Attestation,
            epoch: Epoch(index),
            height: Height(index * 7),
            subject: random("subject", index),
        };
        let signature = key.secret.sign(&statement).encode();
        assert_eq!(signature, sign(&key, statement.digest()));
        assert!(eigenlayer.signed(statement.digest(), &key, &signature));
    }
}

#[test]
fn keys_register_with_our_possession() {
    let mut eigenlayer = EigenLayer::new();
    for index in 0..REGISTRATIONS {
        let key = random_key(index);
        let domain = Domain(random("domain", index));
        let operator = Address::from_word(random("operator", index));
        let possession = key.secret.prove_possession(domain, operator).encode();
        let statement = SignedSubject {
            domain,
            kind: Kind::Possession,
            epoch: Epoch(0),
            height: Height(0),
            subject: possession_subject(key.secret.public_key().g1(), operator),
        };
        let message = hash_to_g1(statement.digest()).encode();
        let id = eigenlayer.registers(operator, &key, &possession, &message);
        assert_eq!(id, Some(keccak256(&key.g1)), "our operator id is EigenLayer's");
        if index % SPOILT == 0 {
            let other = random_key(index + 1);
            let stolen = Key { g1: other.g1.clone(), g2: other.g2.clone(), ..random_key(index) };
            assert_eq!(eigenlayer.registers(operator, &stolen, &possession, &message), None, "another's key");
            let halves = Key { g2: other.g2, ..random_key(index) };
            assert_eq!(eigenlayer.registers(operator, &halves, &possession, &message), None, "halves differ");
            let elsewhere = hash_to_g1(random("elsewhere", index)).encode();
            assert_eq!(
                eigenlayer.registers(operator, &key, &possession, &elsewhere),
                None,
                "another message"
            );
        }
    }
}
