//! Messages as gateways log them, and logs that no gateway of ours writes.

use super::{made::osaka, world::*};
use crate::*;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address};
use alloy_sol_types::SolValue;
use hum_types::{ChainId, GAS_LIMIT_DEFAULT, InteropAddress, InteropAddressError, PAYLOAD_BYTES_MAX};

const SENDER: Address = address!("1111111111111111111111111111111111111111");
const RECIPIENT: Address = address!("2222222222222222222222222222222222222222");

/// The data of a `MessageSent` log, field by field.
#[derive(Clone)]
struct Fields {
    sender: Vec<u8>,
    recipient: Vec<u8>,
    payload: Vec<u8>,
    value: U256,
    attributes: Vec<Bytes>,
}

fn min_gas_limit(value: U256) -> Bytes {
    [&MIN_GAS_LIMIT[..], &value.to_be_bytes::<32>()].concat().into()
}

impl Default for Fields {
    fn default() -> Self {
        let account = |chain, address| InteropAddress { chain_id: ChainId(chain), address }.encode();
        Self {
            sender: account(4_242, SENDER),
            recipient: account(77, RECIPIENT),
            payload: b"hello".to_vec(),
            value: U256::ZERO,
            attributes: vec![],
        }
    }
}

impl Fields {
    fn abi(&self) -> Vec<u8> {
        (
            Bytes::from(self.sender.clone()),
            Bytes::from(self.recipient.clone()),
            Bytes::from(self.payload.clone()),
            self.value,
            self.attributes.clone(),
        )
            .abi_encode_params()
    }
}

fn id(n: u8) -> B256 {
    B256::repeat_byte(n)
}

/// Log each piece of data from the gateway, and judge the block.
fn logged(data: &[Vec<u8>]) -> Summary {
    let mut world = World::new(osaka(), 4);
    let transactions = (1..)
        .zip(data)
        .map(|(n, data)| {
            let input = [id(n).as_slice(), data].concat();
            world.transaction(0, TxKind::Call(GATEWAY), 0, input.into())
        })
        .collect();
    let made = world.make(transactions, vec![]);
    match made.judge(&world.verifier()) {
        Verdict::Valid(summary) => *summary,
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn messages_come_in_log_order_with_their_fields() {
    let with_limit = Fields { attributes: vec![min_gas_limit(U256::from(90_000))], ..Default::default() };
    let longest = Fields { payload: vec![3; PAYLOAD_BYTES_MAX], ..Default::default() };
    let summary = logged(&[Fields::default().abi(), with_limit.abi(), longest.abi()]);
    assert!(summary.malformed_gateway_logs.is_empty(), "{:?}", summary.malformed_gateway_logs);
    let [first, second, third] = &summary.messages[..] else { panic!("{:?}", summary.messages) };
    assert_eq!((first.send_id, second.send_id, third.send_id), (id(1), id(2), id(3)));
    assert_eq!((first.sent.lane.facade, first.sent.lane.destination), (GATEWAY, ChainId(77)));
    let message = &first.sent.message;
    assert_eq!((message.sender, message.recipient, &message.payload[..]), (SENDER, RECIPIENT, &b"hello"[..]));
    assert_eq!((message.min_gas_limit, second.sent.message.min_gas_limit), (GAS_LIMIT_DEFAULT, 90_000));
    assert_eq!(third.sent.message.payload.len(), PAYLOAD_BYTES_MAX);
}

#[test]
fn logs_of_strangers_are_not_messages() {
    let mut world = World::new(osaka(), 4);
    let input = [id(1).as_slice(), &Fields::default().abi()].concat();
    let transaction = world.transaction(0, TxKind::Call(GATEWAY), 0, input.into());
    let made = world.make(vec![transaction], vec![]);
    let verifier = Verifier::new(world.spec, vec![TOKEN], Limits::default());
    let Verdict::Valid(summary) = made.judge(&verifier) else { panic!() };
    assert!(summary.messages.is_empty() && summary.malformed_gateway_logs.is_empty());
}

fn refusal(data: Vec<u8>) -> GatewayLogError {
    let summary = logged(&[Fields::default().abi(), data]);
    assert_eq!(summary.messages.len(), 1);
    let [log] = &summary.malformed_gateway_logs[..] else { panic!("taken") };
    assert_eq!((log.facade, log.transaction), (GATEWAY, 1));
    log.error.clone()
}

#[test]
fn each_wrong_field_is_named() {
    let changed = |change: &dyn Fn(&mut Fields)| {
        let mut fields = Fields::default();
        change(&mut fields);
        refusal(fields.abi())
    };
    assert_eq!(
        changed(&|fields| fields.sender.push(0)),
        GatewayLogError::Address {
            field: "sender",
            error: InteropAddressError::Length { found: 29, expected: 28 }
        }
    );
    assert!(matches!(
        changed(&|fields| fields.recipient[1] = 2),
        GatewayLogError::Address { field: "recipient", error: InteropAddressError::Prefix { .. } }
    ));
    assert_eq!(
        changed(&|fields| fields.sender[6] = 0x93),
        GatewayLogError::SenderChain { declared: ChainId(4_243), expected: ChainId(4_242) }
    );
    assert_eq!(
        changed(&|fields| fields.payload = vec![0; PAYLOAD_BYTES_MAX + 1]),
        GatewayLogError::Payload { declared: PAYLOAD_BYTES_MAX + 1, most: PAYLOAD_BYTES_MAX }
    );
    assert_eq!(changed(&|fields| fields.value = U256::ONE), GatewayLogError::Value);
    let limit = min_gas_limit(U256::from(1));
    let attributes: [&[Bytes]; 4] = [
        &[Bytes::from_static(b"\x00\x01\x02\x03")],
        &[min_gas_limit(U256::from(u64::from(u32::MAX) + 1))],
        &[limit.slice(..35)],
        &[[&limit[..], &[0]].concat().into()],
    ];
    for attributes in attributes {
        assert_eq!(changed(&|fields| fields.attributes = attributes.to_vec()), GatewayLogError::Attribute(0));
    }
    let twice = changed(&|fields| fields.attributes = vec![limit.clone(), limit.clone()]);
    assert_eq!(twice, GatewayLogError::Attribute(1));
    let many = changed(&|fields| fields.attributes = vec![limit.clone(); 17]);
    assert_eq!(many, GatewayLogError::Encoding("attributes"));
}

/// Every word of the data that is an offset or a length, changed alone, is refused.
#[test]
fn only_soliditys_own_encoding_is_read() {
    let fields = Fields { attributes: vec![min_gas_limit(U256::from(1))], ..Default::default() };
    let data = fields.abi();
    let changed = |word: usize, value: u64| {
        let mut data = data.clone();
        data[word * 32..][..32].copy_from_slice(&U256::from(value).to_be_bytes::<32>());
        refusal(data)
    };
    // Heads of sender, recipient, payload, attributes; then their lengths, and those of the one attribute.
    let words = [
        (0, "sender"),
        (1, "recipient"),
        (2, "payload"),
        (4, "attributes"),
        (5, "sender"),
        (7, "recipient"),
        (9, "payload"),
        (11, "attributes"),
        (12, "attributes"),
        (13, "attributes"),
    ];
    for (word, field) in words {
        assert_eq!(changed(word, u64::MAX), GatewayLogError::Encoding(field), "word {word}");
    }
    // Two heads for one tail, as a lazy encoder might share it.
    assert_eq!(changed(1, 0xa0), GatewayLogError::Encoding("recipient"));
    let mut longer = data.clone();
    longer.extend([0; 32]);
    assert_eq!(refusal(longer), GatewayLogError::Encoding("end"));
    assert!(matches!(refusal(data[..data.len() - 1].to_vec()), GatewayLogError::Encoding("attributes")));
    assert!(matches!(refusal(vec![]), GatewayLogError::Encoding("sender")));
}
