//! Axelar's Amplifier gateway behind its proxy: signatures of a weighted set, then one execution a message.

use super::{
    Delivered, PeerError, PeerFigures, Setting,
    packages::Package,
    signers::{Signers, personal},
};
use crate::gas::evm::Evm;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::{SolCall as _, SolConstructor as _, SolValue as _, sol};
use std::path::Path;

sol! {
    struct WeightedSigner { address signer; uint128 weight; }
    struct WeightedSigners { WeightedSigner[] signers; uint128 threshold; bytes32 nonce; }
    struct Proof { WeightedSigners signers; bytes[] signatures; }
    struct Message { string sourceChain; string messageId; string sourceAddress; address contractAddress; bytes32 payloadHash; }
    function callContract(string destinationChain, string destinationContractAddress, bytes payload) external;
    function approveMessages(Message[] messages, Proof proof) external;
    function execute(bytes32 commandId, string sourceChain, string sourceAddress, bytes payload) external;
}

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod artifact {
    alloy_sol_types::sol!(AxelarRecipient, "../../contracts/artifacts/AxelarRecipient.json");
}
use artifact::AxelarRecipient;

const DOMAIN: B256 = B256::repeat_byte(0xd0);
const THERE: &str = "avalanche";
/// Sets measured: signers, and how many sign.
const SETS: [(usize, usize); 2] = [(20, 14), (75, 50)];

struct Site {
    evm: Evm,
    gateway: Address,
    recipient: Address,
    signers: Signers,
    set: WeightedSigners,
    signing: usize,
    sent: u64,
}

pub(super) fn run(packages: &Path) -> Result<PeerFigures, PeerError> {
    let package = Package::open(packages, "axelar", "@axelar-network/axelar-gmp-sdk-solidity", "6.2.0")?;
    let mut settings = Vec::new();
    let mut send = 0;
    for (count, signing) in SETS {
        let mut site = Site::new(&package, count, signing)?;
        for _ in 0..4 {
            send = site.send()?;
        }
        // What a long-lived contract has written before is written before.
        site.deliver(3)?;
        let mut delivered = Vec::new();
        for messages in super::BATCHES {
            delivered.push(Delivered::new(messages, site.deliver(messages)?));
        }
        settings.push(Setting { configuration: format!("{count} signers, {signing} sign"), delivered });
    }
    Ok(PeerFigures { peer: "Axelar Amplifier", package: package.version, send, settings })
}

impl Site {
    fn new(package: &Package, count: usize, signing: usize) -> Result<Self, PeerError> {
        let path = |name: &str| format!("artifacts/contracts/gateway/{name}.sol/{name}.json");
        let mut evm = Evm::new(super::HERE);
        let owner = evm.account();
        let code = package.artifact(&path("AxelarAmplifierGateway"))?;
        let (kept, delay_s) = (15_u64, 0_u64);
        let gateway = evm.create(
            &code,
            &(alloy_primitives::U256::from(kept), DOMAIN, alloy_primitives::U256::from(delay_s))
                .abi_encode_params(),
        )?;
        let signers = Signers::new(count);
        let weighted = |signer| WeightedSigner { signer, weight: 1 };
        let set = WeightedSigners {
            signers: signers.addresses().into_iter().map(weighted).collect(),
            threshold: signing as u128,
            nonce: B256::ZERO,
        };
        let set_up = (owner, vec![set.clone()]).abi_encode_params();
        let code = package.artifact(&path("AxelarAmplifierGatewayProxy"))?;
        let gateway = evm.create(&code, &(gateway, owner, Bytes::from(set_up)).abi_encode_params())?;
        let arguments = AxelarRecipient::constructorCall { gateway }.abi_encode();
        let recipient = evm.create(&AxelarRecipient::BYTECODE, &arguments)?;
        Ok(Self { evm, gateway, recipient, signers, set, signing, sent: 0 })
    }

    fn send(&mut self) -> Result<u64, PeerError> {
        let call = callContractCall {
            destinationChain: THERE.to_owned(),
            destinationContractAddress: self.recipient.to_string(),
            payload: super::payload(self.sent),
        };
        Ok(self.evm.call(self.gateway, call.abi_encode())?.gas)
    }

    /// Approve `count` messages in one transaction and execute each in its own; all gas.
    fn deliver(&mut self, count: u64) -> Result<u64, PeerError> {
        let source = Address::repeat_byte(0x5e).to_string();
        let first = self.sent;
        self.sent += count;
        let message = |number: u64| Message {
            sourceChain: THERE.to_owned(),
            messageId: format!("{}-{number}", keccak256(number.to_be_bytes())),
            sourceAddress: source.clone(),
            contractAddress: self.recipient,
            payloadHash: keccak256(super::payload(number)),
        };
        let messages: Vec<Message> = (first..self.sent).map(message).collect();
        let ids: Vec<String> = messages.iter().map(|message| message.messageId.clone()).collect();
        // Of the command "approve messages", which is 0.
        let data_hash = keccak256((alloy_primitives::U256::ZERO, messages.clone()).abi_encode_params());
        let set_hash = keccak256(self.set.abi_encode());
        let digest = personal(&[DOMAIN, set_hash, data_hash].concat());
        let signatures = self.signers.sign(self.signing, digest);
        let signatures = signatures.into_iter().map(|signature| signature.to_vec().into()).collect();
        let proof = Proof { signers: self.set.clone(), signatures };
        let mut gas = self.evm.call(self.gateway, approveMessagesCall { messages, proof }.abi_encode())?.gas;
        for (number, id) in (first..).zip(ids) {
            let call = executeCall {
                commandId: keccak256(format!("{THERE}_{id}")),
                sourceChain: THERE.to_owned(),
                sourceAddress: source.clone(),
                payload: super::payload(number),
            };
            gas += self.evm.call(self.recipient, call.abi_encode())?.gas;
        }
        let counted = self.evm.call(self.recipient, AxelarRecipient::countCall {}.abi_encode())?.output;
        super::all_counted(&counted, self.sent)?;
        Ok(gas)
    }
}
