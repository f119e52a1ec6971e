//! Hyperlane's mailbox behind its proxy, a merkle tree hook, and a set of validators that signs each message's id.

use super::{
    Delivered, PeerError, PeerFigures, Setting,
    packages::Package,
    signers::{Signers, personal},
};
use crate::gas::evm::Evm;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall as _, SolConstructor as _, SolValue as _, sol};
use std::path::Path;

sol! {
    function initialize(address owner, address defaultIsm, address defaultHook, address requiredHook) external;
    function dispatch(uint32 destination, bytes32 recipient, bytes body) external payable returns (bytes32);
    function process(bytes metadata, bytes message) external payable;
    function deploy(address[] values, uint8 threshold) external returns (address);
}

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod artifact {
    alloy_sol_types::sol!(HyperlaneRecipient, "../../contracts/artifacts/HyperlaneRecipient.json");
}
use artifact::HyperlaneRecipient;

/// Version of messages.
const VERSION: u8 = 3;
const ORIGIN: u32 = 70_001;
/// Sets measured: validators, and how many sign.
const SETS: [(usize, usize); 3] = [(3, 2), (6, 4), (9, 6)];
/// Messages before those that count, and those: what the tree costs differs from one to the next.
const WARM_UP: u64 = 64;
const COUNTED: u64 = 32;

struct Site {
    evm: Evm,
    mailbox: Address,
    recipient: Address,
    signers: Signers,
    signing: usize,
    delivered: u64,
}

pub(super) fn run(packages: &Path) -> Result<PeerFigures, PeerError> {
    let package = Package::open(packages, "hyperlane", "@hyperlane-xyz/core", "12.1.0")?;
    let mut settings = Vec::new();
    let mut send = 0;
    for (place, (count, signing)) in SETS.into_iter().enumerate() {
        let mut site = Site::new(&package, count, signing)?;
        if place == 0 {
            send = site.send_mean()?;
        }
        for _ in 0..3 {
            site.deliver()?;
        }
        let delivered = vec![Delivered::new(1, site.deliver()?)];
        settings.push(Setting { configuration: format!("message id, {signing} of {count}"), delivered });
    }
    Ok(PeerFigures { peer: "Hyperlane", package: package.version, send, settings })
}

fn word(address: Address) -> B256 {
    address.into_word()
}

impl Site {
    fn new(package: &Package, count: usize, signing: usize) -> Result<Self, PeerError> {
        let path = |name: &str| format!("dist/typechain/factories/{name}__factory.js");
        let mut evm = Evm::new(super::HERE);
        let owner = evm.account();
        let domain = u32::try_from(super::HERE.0).unwrap_or_default();
        let code = package.factory(&path("contracts/Mailbox"))?;
        let logic = evm.create(&code, &U256::from(domain).abi_encode())?;
        let proxy = "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol/TransparentUpgradeableProxy";
        let code = package.factory(&path(proxy))?;
        let admin = Address::repeat_byte(0xad);
        let mailbox = evm.create(&code, &(logic, admin, Bytes::new()).abi_encode_params())?;
        let code = package.factory(&path("contracts/hooks/MerkleTreeHook"))?;
        let tree = evm.create(&code, &mailbox.abi_encode())?;
        let code = package.factory(&path("contracts/hooks/ProtocolFee"))?;
        let fee = evm.create(&code, &(U256::from(1), U256::ZERO, owner, owner).abi_encode_params())?;
        let factory = "contracts/isms/multisig/StaticMultisigIsm.sol/StaticMessageIdMultisigIsmFactory";
        let factory = evm.create(&package.factory(&path(factory))?, &[])?;
        let signers = Signers::new(count);
        let threshold = u8::try_from(signing).unwrap_or(u8::MAX);
        let made = evm.call(factory, deployCall { values: signers.addresses(), threshold }.abi_encode())?;
        let ism = Address::abi_decode(&made.output).map_err(|error| PeerError::Answer(error.to_string()))?;
        let call = initializeCall { owner, defaultIsm: ism, defaultHook: tree, requiredHook: fee };
        evm.call(mailbox, call.abi_encode())?;
        let arguments = HyperlaneRecipient::constructorCall { mailbox }.abi_encode();
        let recipient = evm.create(&HyperlaneRecipient::BYTECODE, &arguments)?;
        Ok(Self { evm, mailbox, recipient, signers, signing, delivered: 0 })
    }

    fn send_mean(&mut self) -> Result<u64, PeerError> {
        let mut total = 0;
        for number in 0..WARM_UP + COUNTED {
            let call = dispatchCall {
                destination: ORIGIN,
                recipient: word(self.recipient),
                body: super::payload(number),
            };
            let gas = self.evm.call(self.mailbox, call.abi_encode())?.gas;
            if number >= WARM_UP {
                total += gas;
            }
        }
        Ok(total.div_ceil(COUNTED))
    }

    fn deliver(&mut self) -> Result<u64, PeerError> {
        let number = u32::try_from(self.delivered).unwrap_or(u32::MAX);
        let here = u32::try_from(super::HERE.0).unwrap_or_default();
        let mut message = vec![VERSION];
        message.extend(number.to_be_bytes());
        message.extend(ORIGIN.to_be_bytes());
        message.extend(word(Address::repeat_byte(0x5e)));
        message.extend(here.to_be_bytes());
        message.extend(word(self.recipient));
        message.extend(super::payload(self.delivered));

        let (hook, root) = (word(Address::repeat_byte(0x40)), keccak256(number.to_be_bytes()));
        let domain = keccak256([&ORIGIN.to_be_bytes()[..], hook.as_slice(), b"HYPERLANE"].concat());
        let index = number.to_be_bytes();
        let signed = [domain.as_slice(), root.as_slice(), &index, keccak256(&message).as_slice()].concat();
        let mut metadata = [hook.as_slice(), root.as_slice(), &index].concat();
        for signature in self.signers.sign(self.signing, personal(keccak256(signed).as_slice())) {
            metadata.extend(signature);
        }
        let call = processCall { metadata: metadata.into(), message: message.into() };
        let gas = self.evm.call(self.mailbox, call.abi_encode())?.gas;
        self.delivered += 1;
        let counted = self.evm.call(self.recipient, HyperlaneRecipient::countCall {}.abi_encode())?.output;
        super::all_counted(&counted, self.delivered)?;
        Ok(gas)
    }
}
