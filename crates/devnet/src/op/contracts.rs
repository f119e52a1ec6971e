//! The code of the predeploys, put together from instructions.

use alloy_primitives::{Address, Bytes, address};

/// Where the information about L1 stands.
pub(super) const L1_BLOCK: Address = address!("0x4200000000000000000000000000000000000015");
/// Where messages to L1 are marked.
pub(super) const MESSAGE_PASSER: Address = address!("0x4200000000000000000000000000000000000016");
/// Who may write what is known of L1.
const DEPOSITOR: Address = address!("0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001");

const OR: u8 = 0x17;
const EQ: u8 = 0x14;
const SHL: u8 = 0x1b;
const SHR: u8 = 0x1c;
const KECCAK256: u8 = 0x20;
const CALLER: u8 = 0x33;
const CALLDATALOAD: u8 = 0x35;
const CALLDATASIZE: u8 = 0x36;
const CALLDATACOPY: u8 = 0x37;
const SSTORE: u8 = 0x55;
const JUMPI: u8 = 0x57;
const JUMPDEST: u8 = 0x5b;
const PUSH1: u8 = 0x60;
const PUSH20: u8 = 0x73;
const REVERT: u8 = 0xfd;
const STOP: u8 = 0x00;

/// Bytes of the call with the information about L1 until Ecotone: a selector and eight words.
const BEDROCK_CALL_BYTES: u16 = 4 + 8 * 32;

/// The word of the call at `at`, moved right by `bits`.
fn load(at: u8, bits: u8) -> Vec<u8> {
    if bits == 0 { vec![PUSH1, at, CALLDATALOAD] } else { vec![PUSH1, at, CALLDATALOAD, PUSH1, bits, SHR] }
}

/// Put what is on the stack into a slot.
const fn store(slot: u8) -> [u8; 3] {
    [PUSH1, slot, SSTORE]
}

/// `L1Block` without its getters: takes the call of every fork and keeps the numbers in the slots of the real contract, from
/// which the rules read the fees. Whatever a shorter call lacks is zero.
pub(super) fn l1_block() -> Bytes {
    let packed = [
        load(4, 128).as_slice(),
        &store(3),
        &load(20, 128),
        &store(0),
        &load(36, 0),
        &store(1),
        &load(68, 0),
        &store(7),
        &load(100, 0),
        &store(2),
        &load(132, 0),
        &store(4),
        // The footprint's scalar above the operator's scalar and constant.
        &load(176, 240),
        &[PUSH1, 96, SHL],
        &load(164, 160),
        &[OR],
        &store(8),
        &[STOP],
    ]
    .concat();
    let words = [
        load(36, 0).as_slice(),
        &[PUSH1, 64, SHL],
        &load(4, 0),
        &[OR],
        &store(0),
        &load(68, 0),
        &store(1),
        &load(100, 0),
        &store(2),
        &load(132, 0),
        &store(3),
        &load(164, 0),
        &store(4),
        &load(196, 0),
        &store(5),
        &load(228, 0),
        &store(6),
        &[STOP],
    ]
    .concat();
    let mut code = vec![CALLER, PUSH20];
    code.extend(DEPOSITOR);
    code.push(EQ);
    // Over the two ways in: `PUSH1 at JUMPI`, then what refuses.
    let sent = code.len() as u8 + 3 + 5;
    code.extend([PUSH1, sent, JUMPI, PUSH1, 0, PUSH1, 0, REVERT, JUMPDEST]);
    let [high, low] = BEDROCK_CALL_BYTES.to_be_bytes();
    code.extend([CALLDATASIZE, PUSH1 + 1, high, low, EQ]);
    let bedrock = (code.len() + 3 + packed.len()) as u8;
    code.extend([PUSH1, bedrock, JUMPI]);
    code.extend(packed);
    code.push(JUMPDEST);
    code.extend(words);
    code.into()
}

/// A message passer that marks the hash of what it is called with: a slot for each message, as the real one has.
pub(super) fn message_passer() -> Bytes {
    let copy = [CALLDATASIZE, PUSH1, 0, PUSH1, 0, CALLDATACOPY];
    let mark = [PUSH1, 1, CALLDATASIZE, PUSH1, 0, KECCAK256, SSTORE, STOP];
    [copy.as_slice(), &mark].concat().into()
}
