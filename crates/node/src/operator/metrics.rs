//! The operator's Prometheus metrics, in the runtime's registry.

use commonware_runtime::{
    Metrics as Registry,
    telemetry::metrics::{Counter, Gauge, Histogram, raw},
};

/// Seconds that a judgement may take, as histogram bounds.
const JUDGING: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 4.0];

/// Everything that is counted.
pub(crate) struct Metrics {
    pub(crate) finalised: Gauge,
    pub(crate) certified: Gauge,
    pub(crate) attested: Gauge,
    pub(crate) held_bytes: Gauge,
    pub(crate) held_blocks: Gauge,
    pub(crate) claims: Counter,
    pub(crate) refused: Counter,
    pub(crate) strangers: Counter,
    pub(crate) valid: Counter,
    pub(crate) invalid: Counter,
    pub(crate) undecided: Counter,
    pub(crate) judging: Histogram,
    pub(crate) proposals: Counter,
    pub(crate) heartbeats: Counter,
    pub(crate) rejections: Counter,
    pub(crate) stalls: Counter,
    pub(crate) bad_attestations: Counter,
    pub(crate) contradictions: Counter,
    pub(crate) malformed: Counter,
    pub(crate) busy: Counter,
    pub(crate) alarms: Counter,
    pub(crate) l1_errors: Counter,
    pub(crate) epoch: Gauge,
    pub(crate) seated: Gauge,
}

impl Metrics {
    pub(crate) fn new(registry: &impl Registry) -> Self {
        let gauge = |name: &str, help: &str| registry.register(name, help, raw::Gauge::default());
        let counter = |name: &str, help: &str| registry.register(name, help, raw::Counter::default());
        Self {
            finalised: gauge("finalised_height", "newest finalised height"),
            certified: gauge("certified_height", "newest certified height"),
            attested: gauge("attested_height", "newest height that this operator attested"),
            held_bytes: gauge("held_bytes", "bytes of blocks that wait for a checkpoint"),
            held_blocks: gauge("held_blocks", "blocks that wait for a checkpoint"),
            claims: counter("claims", "claims taken"),
            refused: counter("refused", "submissions and retractions not taken"),
            strangers: counter("strangers", "submissions of peers that publish nothing"),
            valid: counter("blocks_valid", "blocks found valid"),
            invalid: counter("blocks_invalid", "blocks found invalid"),
            undecided: counter("blocks_undecided", "judgements that lacked something"),
            judging: registry.register(
                "judging_seconds",
                "time to judge a block",
                raw::Histogram::new(JUDGING),
            ),
            proposals: counter("proposals", "checkpoints proposed that say something"),
            heartbeats: counter("heartbeats", "empty checkpoints proposed"),
            rejections: counter("rejections", "proposals voted down"),
            stalls: counter("stalls", "proposals whose data kept us from voting for a while"),
            bad_attestations: counter("attestations_bad", "attestations whose signature does not hold"),
            contradictions: counter(
                "attestations_contradicting",
                "attestations of a header that was not finalised, by their signers",
            ),
            malformed: counter("messages_malformed", "messages that do not decode"),
            busy: counter("questions_refused", "questions that came too fast"),
            alarms: counter("alarms", "alarms raised"),
            l1_errors: counter("l1_errors", "questions to the own L1 node that failed"),
            epoch: gauge("epoch", "epoch of the next height"),
            seated: gauge("seated", "1 when this operator has a seat for the next height"),
        }
    }

    /// Set a gauge to a count.
    pub(crate) fn set(gauge: &Gauge, value: u64) {
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}
