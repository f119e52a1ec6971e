//! How much a relayer may send, spend and remember.

/// Gas that each part of a transaction can cost at most, before the recipient's own.
///
/// These only bound the gas limit; what a transaction really uses is what its receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GasCosts {
    /// A transaction with nothing in it, and the gateway's entry.
    pub transaction: u64,
    /// Checking a certificate in the worst case, its calldata included.
    pub certificate: u64,
    /// What a certificate that ends an epoch costs above another one.
    pub closing: u64,
    /// Installing a committee's table, without its operators.
    pub table: u64,
    /// Installing one operator of a table, calldata included.
    pub table_operator: u64,
    /// Proving one lane's record, its calldata included.
    pub lane: u64,
    /// A run's siblings, hashing and calldata.
    pub run: u64,
    /// A message's bookkeeping and event, without payload and recipient.
    pub message: u64,
    /// One byte of payload: calldata, copies and hashing.
    pub payload_byte: u64,
}

impl Default for GasCosts {
    fn default() -> Self {
        Self {
            transaction: 50_000,
            certificate: 320_000,
            closing: 100_000,
            table: 300_000,
            table_operator: 20_000,
            lane: 200_000,
            run: 60_000,
            message: 40_000,
            payload_byte: 48,
        }
    }
}

/// The limits of one relayer, the same for each destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The largest gas limit of a transaction (EIP-7825 allows 16,777,216).
    pub transaction_gas_max: u64,
    /// The most calldata of a transaction, in bytes; transaction pools take 128 KiB with everything around it.
    pub transaction_bytes_max: usize,
    /// Transactions to one destination that may wait for a block at once.
    pub in_flight_max: usize,
    /// Messages of one lane that are watched at once.
    pub window: usize,
    /// Messages of one lane whose status one observation asks for.
    pub statuses_max: usize,
    /// Blocks of the destination after which a delivery is forgotten; it is looked at twice more until then.
    pub settle_blocks: u64,
    /// How often a message that its recipient refuses is tried again before it is left to others.
    pub retries_max: u32,
    /// The first wait after a failure, in ms; each further one doubles it.
    pub backoff_first_ms: u64,
    /// The longest wait after a failure, in ms.
    pub backoff_max_ms: u64,
    /// How often a destination is looked at while something is open there, in ms.
    pub observe_busy_ms: u64,
    /// How often a destination is looked at while nothing is, in ms.
    pub observe_idle_ms: u64,
    /// How old a checkpoint may be at the moment of a delivery from `Latest` or `Safe`, in ms.
    pub freshness_ms: u64,
    /// How much of [`Self::freshness_ms`] must be left when we send, in ms.
    pub freshness_margin_ms: u64,
    /// How long this relayer lets those before it go first with each message, in ms.
    pub turn_ms: u64,
    /// The most that is spent at one destination in one period, in wei.
    pub spend_cap_wei: u128,
    /// The period of the cap, in ms.
    pub spend_period_ms: u64,
    /// The balance below which an alarm is raised, in wei.
    pub low_balance_wei: u128,
    /// Bounds on gas.
    pub gas: GasCosts,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            transaction_gas_max: 16_000_000,
            transaction_bytes_max: 100_000,
            in_flight_max: 8,
            window: 4_096,
            statuses_max: 1_024,
            settle_blocks: 8,
            retries_max: 6,
            backoff_first_ms: 1_000,
            backoff_max_ms: 300_000,
            observe_busy_ms: 1_000,
            observe_idle_ms: 10_000,
            freshness_ms: 60_000,
            freshness_margin_ms: 20_000,
            turn_ms: 0,
            spend_cap_wei: 10_u128.pow(18),
            spend_period_ms: 3_600_000,
            low_balance_wei: 10_u128.pow(17),
            gas: GasCosts::default(),
        }
    }
}

impl Policy {
    /// The wait before try `tries + 1`, in ms.
    #[must_use]
    pub fn backoff_ms(&self, tries: u32) -> u64 {
        let doublings = tries.saturating_sub(1).min(40);
        self.backoff_first_ms.saturating_mul(1 << doublings).min(self.backoff_max_ms)
    }

    /// Gas that one message can take of a transaction's limit.
    #[must_use]
    pub fn message_gas(&self, min_gas_limit: u32, payload_bytes: usize) -> u64 {
        // A call keeps back one 64th of the gas: the gateway asks for 64/63 of the limit to be there.
        let recipient = u64::from(min_gas_limit) * 64 / 63 + 1;
        self.gas.message + self.gas.payload_byte * payload_bytes as u64 + recipient
    }
}
