//! Remembers verdicts: every operator judges the same blocks, and equal tasks get equal verdicts.

use alloy_primitives::{B256, keccak256};
use hum_node::{
    config::Network,
    operator::{Judge, Reexecution, Task},
};
use hum_types::Encode as _;
use hum_verify::Verdict;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The operators' own judge behind a memory that is asked by all of a task's bytes.
#[derive(Debug)]
pub(super) struct RememberingJudge {
    judge: Reexecution,
    verdicts: Mutex<BTreeMap<B256, Verdict>>,
}

impl RememberingJudge {
    pub(super) fn new(network: &Network) -> Self {
        Self { judge: Reexecution::new(network), verdicts: Mutex::default() }
    }
}

impl Judge for RememberingJudge {
    fn judge(&self, task: &Task) -> Verdict {
        let mut bytes = task.chain_id.encode();
        task.claimed.encode_to(&mut bytes);
        for part in [task.parent.hash(), keccak256(&task.block), keccak256(&task.witness)] {
            bytes.extend_from_slice(part.as_slice());
        }
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.entry(keccak256(bytes)).or_insert_with(|| self.judge.judge(task)).clone()
    }
}
