//! Transactions as the gateway takes them; the layouts are drawn in `contracts/src/interfaces/IGateway.sol`.

use crate::{CertifiedChain, Job, Step, Transaction};
use alloy_sol_types::{SolCall, sol};
use hum_bls::SubmissionError;
use hum_ledger::{ArchiveError, HeadProof, LaneProof, RunProof};
use hum_types::{
    Address, B256, Bytes, ChainId, Encode, Epoch, Header, Height, LaneIndex, Message, PAYLOAD_BYTES_MAX,
    RegistrationId,
};

sol! {
    function deliver(bytes run) external returns (uint256 delivered, uint256 failed);
    function retry(bytes run) external;
    function submit(bytes certificate) external returns (bool accepted);
    function installTable(uint64 epoch, bytes table) external;
    function relay(bytes certificate, bytes lane, bytes run) external returns (uint256 delivered, uint256 failed);
}

/// Why a transaction cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalldataError {
    /// The archive has no such proof.
    #[error(transparent)]
    Proof(#[from] ArchiveError),
    /// The certificate cannot be submitted.
    #[error(transparent)]
    Certificate(#[from] SubmissionError),
    /// The certificate held is of another height.
    #[error("the certificate held is for height {held:?}, the transaction is for {expected}")]
    Height {
        /// What is held.
        held: Option<Height>,
        /// What was planned.
        expected: Height,
    },
    /// A field does not fit its bytes.
    #[error("{field} is {found}, at most {most} fit")]
    Width {
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The largest that fits.
        most: u64,
    },
    /// The epoch has not begun, or has not ended.
    #[error("epoch {0} has no such step yet")]
    Epoch(Epoch),
    /// No such member.
    #[error("chain {0} is no member")]
    Unknown(ChainId),
}

/// What to call, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calldata {
    /// The façade at the destination.
    pub to: Address,
    /// ABI-encoded call.
    pub data: Bytes,
}

/// Write `transaction` with proofs from `chain`.
pub fn calldata(transaction: &Transaction, chain: &CertifiedChain) -> Result<Calldata, CalldataError> {
    let key = transaction.key;
    let archive = chain.archive();
    let certificate =
        if transaction.certificate { certificate(chain, transaction.checkpoint)? } else { Vec::new() };
    let lane = if transaction.prove {
        let header = archive.state_at(transaction.checkpoint)?.header();
        lane_proof(header, &archive.prove_lane(transaction.checkpoint, key.source, key.lane)?)?
    } else {
        Vec::new()
    };
    let registration =
        archive.newest().rollup(key.source).ok_or(CalldataError::Unknown(key.source))?.params().registration;
    let prove = |start: LaneIndex, length: u64| {
        let proof = archive.prove_run_in(key.source, key.lane, transaction.count, start, length)?;
        run(registration, key.source, &proof)
    };
    let data = match transaction.job {
        Job::Retry(index) => retryCall { run: prove(index, 1)?.into() }.abi_encode(),
        Job::Record => {
            relayCall { certificate: certificate.into(), lane: lane.into(), run: Bytes::new() }.abi_encode()
        }
        Job::Deliver(messages) => {
            let run = Bytes::from(prove(messages.start, messages.length)?);
            if transaction.prove {
                relayCall { certificate: certificate.into(), lane: lane.into(), run }.abi_encode()
            } else {
                deliverCall { run }.abi_encode()
            }
        }
    };
    Ok(Calldata { to: key.lane.facade, data: data.into() })
}

/// Write a step for a light client: what to call it with.
pub fn lead_data(step: Step, chain: &CertifiedChain) -> Result<Bytes, CalldataError> {
    let unknown = CalldataError::Epoch(step.epoch());
    Ok(match step {
        Step::Close(epoch) => {
            let closing = chain.closing(epoch).ok_or(unknown)?;
            submitCall { certificate: closing.certificate.submission(&closing.header)?.into() }.abi_encode()
        }
        Step::Install(epoch) => {
            let table = chain.table(epoch).ok_or(unknown)?.encode().into();
            installTableCall { epoch: epoch.0, table }.abi_encode()
        }
    }
    .into())
}

/// The certificate of the newest certified height, as `LightClient.submit` and `Gateway.relay` take it.
pub fn certificate(chain: &CertifiedChain, height: Height) -> Result<Vec<u8>, CalldataError> {
    let held = chain.certificate().map(|held| held.certificate().height);
    let newest = chain.certificate().filter(|_| held == Some(height));
    let newest = newest.ok_or(CalldataError::Height { held, expected: height })?;
    Ok(newest.submission(chain.header())?)
}

/// Proof of a rollup's leaf under `header`, as `recordRollup` takes it.
pub fn rollup_proof(header: &Header, proof: &HeadProof) -> Result<Vec<u8>, CalldataError> {
    let mut out = Vec::with_capacity(1024);
    header.height.encode_to(&mut out);
    header.time_ms.encode_to(&mut out);
    out.extend_from_slice(header.rollups_root.as_slice());
    out.extend_from_slice(&proof.leaf.preimage());
    put_siblings(&mut out, proof.index, &proof.siblings)?;
    Ok(out)
}

/// Proof of a lane's leaf under `header`, as `recordLane` and `relay` take it.
pub fn lane_proof(header: &Header, proof: &LaneProof) -> Result<Vec<u8>, CalldataError> {
    let mut out = rollup_proof(header, &proof.head)?;
    proof.head.leaf.head(proof.confidence).encode_to(&mut out);
    proof.leaf.encode_to(&mut out);
    put_siblings(&mut out, proof.index, &proof.siblings)?;
    Ok(out)
}

fn put_siblings(out: &mut Vec<u8>, index: u64, siblings: &[B256]) -> Result<(), CalldataError> {
    let narrow = u32::try_from(index).map_err(|_| CalldataError::Width {
        field: "leaf index",
        found: index,
        most: u32::MAX.into(),
    })?;
    let depth = u8::try_from(siblings.len()).map_err(|_| CalldataError::Width {
        field: "siblings",
        found: siblings.len() as u64,
        most: u8::MAX.into(),
    })?;
    out.extend_from_slice(&narrow.to_be_bytes());
    out.push(depth);
    for sibling in siblings {
        out.extend_from_slice(sibling.as_slice());
    }
    Ok(())
}

/// A run of messages, as `deliver`, `retry` and `relay` take it.
pub fn run(
    registration: RegistrationId,
    source: ChainId,
    proof: &RunProof,
) -> Result<Vec<u8>, CalldataError> {
    let length = u16::try_from(proof.messages.len()).map_err(|_| CalldataError::Width {
        field: "messages in a run",
        found: proof.messages.len() as u64,
        most: u16::MAX.into(),
    })?;
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(registration.0.as_slice());
    source.encode_to(&mut out);
    out.extend_from_slice(&proof.count.to_be_bytes());
    proof.start.encode_to(&mut out);
    out.extend_from_slice(&length.to_be_bytes());
    let mut route_before = None;
    for (generation, message) in &proof.messages {
        let Message { sender, recipient, min_gas_limit, payload } = message;
        let route = (*generation, *sender, *recipient, *min_gas_limit);
        if route_before == Some(route) {
            out.push(1);
        } else {
            out.push(0);
            generation.encode_to(&mut out);
            out.extend_from_slice(sender.as_slice());
            out.extend_from_slice(recipient.as_slice());
            out.extend_from_slice(&min_gas_limit.to_be_bytes());
            route_before = Some(route);
        }
        let narrow =
            u16::try_from(payload.len()).ok().filter(|length| usize::from(*length) <= PAYLOAD_BYTES_MAX);
        let bytes = narrow.ok_or(CalldataError::Width {
            field: "payload",
            found: payload.len() as u64,
            most: PAYLOAD_BYTES_MAX as u64,
        })?;
        out.extend_from_slice(&bytes.to_be_bytes());
        out.extend_from_slice(payload);
    }
    for sibling in &proof.siblings {
        out.extend_from_slice(sibling.as_slice());
    }
    Ok(out)
}
