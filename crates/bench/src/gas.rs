//! Gas of whole transactions: calldata, the 21,000 of every transaction, refunds and the calldata floor included.
//!
//! A hundred operators, 32 members each with a lane to every other, 64-byte payloads, EIP-7825's cap. Steady state: places,
//! counters and status words that a long-lived contract has written before are written before measuring.
//!
//! ```text
//! Network: members and lanes, checkpoints, certificates     Evm: one chain under Osaka rules
//!          └──────────── calldata ──────────────────────────▶ gas used
//! ```

pub(crate) mod evm;
mod network;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolConstructor};
use evm::Evm;
pub use evm::EvmError;
use hum_ledger::{ArchiveError, Refusal};
use hum_relay::CalldataError;
use hum_types::{ChainId, Epoch, Header, InteropAddress};
use network::Network;
use serde::Serialize;

#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
mod artifacts {
    alloy_sol_types::sol!(LightClient, "../../contracts/artifacts/LightClient.json");
    alloy_sol_types::sol!(Gateway, "../../contracts/artifacts/Gateway.json");
    alloy_sol_types::sol!(BenchRecipient, "../../contracts/artifacts/BenchRecipient.json");
}
use artifacts::{BenchRecipient, Gateway, LightClient};

const OPERATORS: u16 = 100;
const ABSENT: u16 = 33;
const EPOCH: Epoch = Epoch(1);
/// Checkpoints that a light client holds.
const PLACES: u64 = 64;
/// Messages in the lane whose figures have no size in their name.
const LANE_SIZE: u64 = 1024;
/// Sizes measured for the price of a doubling, one lane each.
const LANE_SIZES: [u64; 3] = [LANE_SIZE, 2 * LANE_SIZE, 4 * LANE_SIZE];
/// Messages whose status shares one storage word.
const BUCKET: u64 = 128;
const BATCH: u64 = 100;
/// Consecutive batches of which the worst counts: they meet status words in every alignment that matters.
const BATCHES: u64 = 5;
const DESTINATION: ChainId = ChainId(70_002);

/// Gas of Hum's transactions. Each figure is one whole transaction, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GasReport {
    /// `sendMessage` from an account, the lane used before.
    pub send: u64,
    /// Delivery of one message of a lane of `lane_size` whose root is recorded.
    pub deliver_one_known: u64,
    /// The same when the message is the first of 128 that share a status word.
    pub deliver_one_known_first_of_128: u64,
    /// Messages in the lane.
    pub lane_size: u64,
    /// The most that `deliver_one_known` rises when the lane doubles.
    pub deliver_one_known_per_doubling: u64,
    /// Certificate, lane proof and 100 messages to one recipient in one transaction: a hundredth of it, rounded up; the worst
    /// of consecutive batches.
    pub deliver_100_each: u64,
    /// `LightClient.submit` when all sign, worst of `digests`.
    pub certificate: u64,
    /// `LightClient.submit` without a third of the operators, another third each time; worst of `digests`.
    pub certificate_33_absent: u64,
    /// `LightClient.installTable` of the committee's table.
    pub install_table: u64,
    /// Certificates measured for each of the two.
    pub digests: u64,
    /// Operators in the committee, all with the same stake.
    pub operators: u16,
    /// Members of the network.
    pub rollups: u64,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// Rules of the EVM.
    pub hardfork: &'static str,
}

/// Why a figure could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum GasError {
    /// A transaction did not do what it should.
    #[error(transparent)]
    Evm(#[from] EvmError),
    /// The network refused its own checkpoint.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such proof.
    #[error(transparent)]
    Proof(#[from] ArchiveError),
    /// The proof cannot be written as calldata.
    #[error(transparent)]
    Calldata(#[from] CalldataError),
    /// A certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] hum_bls::CertificateError),
    /// A certificate cannot be submitted.
    #[error(transparent)]
    Submission(#[from] hum_bls::SubmissionError),
    /// The batch was delivered in part.
    #[error("{delivered} of {expected} messages were accepted")]
    Partial {
        /// Accepted messages.
        delivered: U256,
        /// Messages in the batch.
        expected: u64,
    },
}

/// Take all figures. `digests`: certificates to take the worst of (the issue asks for 1,000).
pub fn run(digests: u64) -> Result<GasReport, GasError> {
    let mut network = Network::new(&LANE_SIZES);
    network.advance()?;
    let mut destination = Site::new(DESTINATION, &network)?;
    let source = network.sources()[0].chain_id;

    // Before anything is measured every place for checkpoints has been written once.
    for _ in 0..PLACES {
        let header = network.heartbeat()?;
        destination.submit(&header, network.certificate(&header, 0)?)?;
    }
    let (certificate, certificate_33_absent) = certificates(&mut network, &mut destination, digests)?;

    let header = network.heartbeat()?;
    destination.submit(&header, network.certificate(&header, 0)?)?;
    let mut known = Vec::new();
    for (position, size) in LANE_SIZES.iter().enumerate() {
        let source = network.sources()[position].chain_id;
        destination.record(network.lane(&header, source)?)?;
        destination.deliver(network.run(source, *size, 0, 3)?)?;
        known.push(destination.deliver(network.run(source, *size, 3, 1)?)?);
    }
    let first_of_bucket = destination.deliver(network.run(source, LANE_SIZE, BUCKET, 1)?)?;
    let mut each = 0;
    for batch in 0..BATCHES {
        let header = network.heartbeat()?;
        let (certificate, lane) = (network.certificate(&header, 0)?, network.lane(&header, source)?);
        let messages = network.run(source, LANE_SIZE, 2 * BUCKET + batch * BATCH, BATCH)?;
        let gas = destination.relay(&header, certificate, lane, messages)?;
        each = each.max(gas.div_ceil(BATCH));
    }

    Ok(GasReport {
        send: send(&network, source)?,
        deliver_one_known: known[0],
        deliver_one_known_first_of_128: first_of_bucket,
        lane_size: LANE_SIZE,
        deliver_one_known_per_doubling: known
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .max()
            .unwrap_or_default(),
        deliver_100_each: each,
        certificate,
        certificate_33_absent,
        install_table: destination.install_table,
        digests,
        operators: OPERATORS,
        rollups: network.rollups(),
        payload_bytes: network::PAYLOAD_BYTES,
        hardfork: "Osaka",
    })
}

/// The worst certificate that all sign, and the worst without a third.
fn certificates(network: &mut Network, site: &mut Site, digests: u64) -> Result<(u64, u64), GasError> {
    let (mut all, mut some) = (0, 0);
    for _ in 0..digests {
        let header = network.heartbeat()?;
        all = all.max(site.submit(&header, network.certificate(&header, 0)?)?);
        let header = network.heartbeat()?;
        some = some.max(site.submit(&header, network.certificate(&header, ABSENT)?)?);
    }
    Ok((all, some))
}

/// The fourth message of a lane.
fn send(network: &Network, source: ChainId) -> Result<u64, GasError> {
    let mut site = Site::new(source, network)?;
    let mut gas = 0;
    for index in 0..4 {
        let call = send_call(network, index);
        gas = site.evm.call(site.gateway, call.abi_encode())?.gas;
    }
    Ok(gas)
}

fn send_call(network: &Network, index: u64) -> Gateway::sendMessageCall {
    Gateway::sendMessageCall {
        recipient: InteropAddress { chain_id: DESTINATION, address: network.recipient() }.encode().into(),
        payload: network::payload(index),
        attributes: Vec::new(),
    }
}

/// One chain with our contracts, which stand at the same addresses on every chain.
#[derive(Debug)]
struct Site {
    evm: Evm,
    light_client: Address,
    gateway: Address,
    /// Gas of installing the committee's table.
    install_table: u64,
}

impl Site {
    fn new(chain_id: ChainId, network: &Network) -> Result<Self, GasError> {
        let mut evm = Evm::new(chain_id);
        let table = network.table();
        let arguments = LightClient::constructorCall {
            domain: network.domain().0,
            genesisEpoch: EPOCH.0,
            genesisTableHash: keccak256(&table),
            owner: evm.account(),
            reanchorDelayS: 0,
        };
        let light_client = evm.create(&LightClient::BYTECODE, &arguments.abi_encode())?;
        let arguments =
            Gateway::constructorCall { lightClient: light_client, confidence: 0, owner: evm.account() };
        let gateway = evm.create(&Gateway::BYTECODE, &arguments.abi_encode())?;
        let recipient =
            evm.create(&BenchRecipient::BYTECODE, &BenchRecipient::constructorCall { gateway }.abi_encode())?;
        assert_eq!(
            (gateway, recipient),
            (network.gateway(), network.recipient()),
            "lanes name these addresses"
        );
        let install_table =
            evm.call(light_client, LightClient::installTableCall { epoch: EPOCH.0, table }.abi_encode())?.gas;
        for source in network.sources().iter().filter(|source| source.chain_id != chain_id) {
            let call = Gateway::allowCall { chainId: source.chain_id.0, registration: source.registration.0 };
            evm.call(gateway, call.abi_encode())?;
        }
        Ok(Self { evm, light_client, gateway, install_table })
    }

    fn submit(&mut self, header: &Header, certificate: Vec<u8>) -> Result<u64, GasError> {
        self.evm.set_time(header.time_ms);
        let call = LightClient::submitCall { certificate: certificate.into() };
        Ok(self.evm.call(self.light_client, call.abi_encode())?.gas)
    }

    fn record(&mut self, lane: Vec<u8>) -> Result<u64, GasError> {
        Ok(self.evm.call(self.gateway, Gateway::recordLaneCall::new((lane.into(),)).abi_encode())?.gas)
    }

    fn deliver(&mut self, run: Run) -> Result<u64, GasError> {
        let done = self.evm.call(self.gateway, Gateway::deliverCall { run: run.bytes }.abi_encode())?;
        accepted_all::<Gateway::deliverCall>(&done.output, run.length, |answer| answer.delivered)?;
        Ok(done.gas)
    }

    fn relay(
        &mut self,
        header: &Header,
        certificate: Vec<u8>,
        lane: Vec<u8>,
        run: Run,
    ) -> Result<u64, GasError> {
        self.evm.set_time(header.time_ms);
        let call = Gateway::relayCall::new((certificate.into(), lane.into(), run.bytes));
        let done = self.evm.call(self.gateway, call.abi_encode())?;
        accepted_all::<Gateway::relayCall>(&done.output, run.length, |answer| answer.delivered)?;
        Ok(done.gas)
    }
}

/// A run of messages as calldata, and how many they are.
#[derive(Debug)]
struct Run {
    bytes: Bytes,
    length: u64,
}

fn accepted_all<C: SolCall>(
    output: &[u8],
    expected: u64,
    delivered: impl FnOnce(C::Return) -> U256,
) -> Result<(), GasError> {
    let delivered = C::abi_decode_returns(output).map(delivered).unwrap_or_default();
    if delivered == U256::from(expected) { Ok(()) } else { Err(GasError::Partial { delivered, expected }) }
}

/// Bytes that look like hashes do: few zeros.
fn noise(label: &str, number: u64) -> B256 {
    keccak256([label.as_bytes(), &number.to_be_bytes()].concat())
}

#[cfg(test)]
mod tests;
