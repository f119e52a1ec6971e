//! The code of the predeploys, put together from instructions.

use super::l1::DEPOSITED;
use alloy_primitives::{Address, Bytes, address};

/// Where the information about L1 stands.
pub(super) const L1_BLOCK: Address = address!("0x4200000000000000000000000000000000000015");
/// Where messages to L1 are marked.
pub(super) const MESSAGE_PASSER: Address = address!("0x4200000000000000000000000000000000000016");
/// Who may write what is known of L1.
const DEPOSITOR: Address = address!("0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001");

/// What the OP Stack adds to the address of a contract that deposits.
const ALIAS: Address = address!("0x1111000000000000000000000000000000001111");
/// Gas of the rollup that ether which is just sent to the portal brings along.
const RECEIVE_GAS: u64 = 100_000;

const ADD: u8 = 0x01;
const MUL: u8 = 0x02;
const ISZERO: u8 = 0x15;
const AND: u8 = 0x16;
const OR: u8 = 0x17;
const EQ: u8 = 0x14;
const SHL: u8 = 0x1b;
const SHR: u8 = 0x1c;
const KECCAK256: u8 = 0x20;
const ORIGIN: u8 = 0x32;
const CALLER: u8 = 0x33;
const CALLVALUE: u8 = 0x34;
const CALLDATALOAD: u8 = 0x35;
const CALLDATASIZE: u8 = 0x36;
const CALLDATACOPY: u8 = 0x37;
const MSTORE: u8 = 0x52;
const SSTORE: u8 = 0x55;
const JUMPI: u8 = 0x57;
const JUMPDEST: u8 = 0x5b;
const PUSH1: u8 = 0x60;
const PUSH8: u8 = 0x67;
const PUSH20: u8 = 0x73;
const PUSH32: u8 = 0x7f;
const LOG4: u8 = 0xa4;
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

/// A portal on L1 that takes ether for its sender's address in the rollup, and announces it as the OP Stack's does:
/// `TransactionDeposited(from, to, 0, mint ‖ value ‖ gas limit ‖ no creation ‖ no input)`.
pub(super) fn portal() -> Bytes {
    // Behind the offset and the length of the bytes: two words, eight bytes, one byte, and what fills the last word.
    const LENGTH: u8 = 32 + 32 + 8 + 1;
    const END: u8 = 160;
    let mut code = vec![PUSH1, 32, PUSH1, 0, MSTORE, PUSH1, LENGTH, PUSH1, 32, MSTORE];
    code.extend([CALLVALUE, PUSH1, 64, MSTORE, CALLVALUE, PUSH1, 96, MSTORE, PUSH8]);
    code.extend(RECEIVE_GAS.to_be_bytes());
    code.extend([PUSH1, 192, SHL, PUSH1, 128, MSTORE]);
    // Topics, the last one first.
    code.extend([PUSH1, 0, CALLER, PUSH20]);
    code.extend(ALIAS);
    code.extend([ORIGIN, CALLER, EQ, ISZERO, MUL, CALLER, ADD, PUSH20]);
    code.extend([0xff; 20]);
    code.extend([AND, PUSH32]);
    code.extend(DEPOSITED);
    code.extend([PUSH1, END, PUSH1, 0, LOG4, STOP]);
    code.into()
}
