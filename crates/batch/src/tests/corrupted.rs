//! One field corrupted each.

use super::{
    made::{Made, chain, list},
    *,
};
use hum_types::DecodeError;

/// Three blocks with something in every part, and their payload.
fn three() -> (Vec<Vec<u8>>, Vec<u8>) {
    let made = |salt: u8| Made {
        transactions: vec![(true, vec![2, salt, 7, 7, 7]), (false, vec![salt & 0x7f; 9])],
        ommers: vec![list(&[vec![salt & 0x7f]])],
        withdrawals: Some(vec![list(&[vec![1], vec![salt & 0x7f]])]),
        more: vec![vec![0; 32]],
        salt,
        ..Made::default()
    };
    let (_, rlps) = chain(B256::repeat_byte(0xaa), 5, &[made(1), made(2), made(3)]);
    let bytes = payload(&pack(B256::repeat_byte(0xaa), &rlps).unwrap());
    (rlps, bytes)
}

/// A block's header items, and the parts of its body.
type Pieces = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// The payload of blocks from their parts, header items first.
fn payload_of(blocks: &[Pieces]) -> Vec<u8> {
    let mut bytes = vec![0xaa; 32];
    bytes.extend_from_slice(&(blocks.len() as u32).to_be_bytes());
    for (header, body) in blocks {
        bytes.extend(list(&[vec![list(header)], body.clone()].concat()));
    }
    bytes
}

/// A packed block's parts.
fn parts(made: &Made) -> Pieces {
    let (mut header, body) = made.parts(B256::ZERO);
    header[0] = vec![0x80];
    header[4] = vec![0x80];
    (header, body)
}

fn full() -> Made {
    Made {
        number: 9,
        transactions: vec![(true, vec![2, 1, 2, 3])],
        withdrawals: Some(vec![list(&[vec![1]])]),
        ..Made::default()
    }
}

fn block_error(payload: &[u8]) -> BlockError {
    match Batch::decode(&posted(payload)) {
        Err(BatchError::Block { index: 0, source }) => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_corrupted_is_accepted() {
    let (_, bytes) = three();
    assert_eq!(Batch::decode(&posted(&bytes)).unwrap().blocks.len(), 3);
    Batch::decode(&posted(&payload_of(&[parts(&full())]))).unwrap();
}

#[test]
fn the_bytes_before_the_payload() {
    let (_, bytes) = three();
    let data = posted(&bytes);
    for (at, field) in [(0, "batch version"), (1, "batch compression")] {
        let mut other = data.clone();
        other[at] = 2;
        assert_eq!(Batch::decode(&other), Err(DecodeError::Value { field, value: 2 }.into()));
        let cut = Batch::decode(&data[..at]);
        assert_eq!(cut, Err(DecodeError::Truncated { field, needed: 1, left: 0 }.into()));
    }
}

#[test]
fn the_stream() {
    let (_, bytes) = three();
    let mut data = posted(&bytes);
    let cut = Batch::decode(&data[..data.len() - 1]);
    assert!(matches!(cut, Err(BatchError::Inflate(InflateError::Truncated { .. }))), "{cut:?}");
    assert!(matches!(Batch::decode(&data[..2]), Err(BatchError::Inflate(InflateError::Truncated { .. }))));
    data.push(0);
    assert_eq!(Batch::decode(&data), Err(InflateError::Trailing { left: 1 }.into()));
    // Block type 3 is none.
    let bad = Batch::decode(&[VERSION, COMPRESSION_DEFLATE, 0x07]);
    assert!(matches!(bad, Err(BatchError::Inflate(InflateError::Malformed(_)))), "{bad:?}");
}

#[test]
fn a_bomb_is_not_inflated_beyond_the_bound() {
    let bomb = posted(&vec![0; PAYLOAD_BYTES_MAX + 1]);
    assert!(bomb.len() < DATA_BYTES_MAX, "{} bytes", bomb.len());
    assert_eq!(Batch::decode(&bomb), Err(InflateError::TooLong { bound: PAYLOAD_BYTES_MAX }.into()));
    let inflated = deflate::inflate(&posted(&vec![0; 100_000])[2..], 100_000).unwrap();
    assert_eq!((inflated.len(), inflated.capacity()), (100_000, 100_000));
    let most = posted(&vec![0; PAYLOAD_BYTES_MAX]);
    assert_eq!(deflate::inflate(&most[2..], PAYLOAD_BYTES_MAX).unwrap().capacity(), PAYLOAD_BYTES_MAX);
}

#[test]
fn the_count() {
    let (_, bytes) = three();
    let counted = |count: u32| {
        let mut other = bytes.clone();
        other[32..36].copy_from_slice(&count.to_be_bytes());
        Batch::decode(&posted(&other))
    };
    assert_eq!(counted(0), Err(DecodeError::Value { field: "blocks", value: 0 }.into()));
    let declared = BLOCKS_MAX + 1;
    assert_eq!(
        counted(declared as u32),
        Err(DecodeError::TooLong { field: "blocks", declared, bound: BLOCKS_MAX }.into())
    );
    assert!(matches!(counted(4), Err(BatchError::Block { index: 3, source: BlockError::Part { .. } })));
    assert!(matches!(counted(2), Err(BatchError::Field(DecodeError::Trailing { .. }))));
    let cut = Batch::decode(&posted(&bytes[..35]));
    assert_eq!(cut, Err(DecodeError::Truncated { field: "blocks", needed: 4, left: 3 }.into()));
    let cut = Batch::decode(&posted(&bytes[..31]));
    assert_eq!(cut, Err(DecodeError::Truncated { field: "parent hash", needed: 32, left: 31 }.into()));
}

#[test]
fn numbers() {
    let next = |number| Made { number, ..full() };
    let of = |number| Batch::decode(&posted(&payload_of(&[parts(&full()), parts(&next(number))])));
    assert!(of(10).is_ok());
    for declared in [8, 9, 11] {
        assert_eq!(of(declared), Err(BatchError::Number { index: 1, declared, before: 9 }));
    }
    let last = Made { number: u64::MAX, ..full() };
    let over = Batch::decode(&posted(&payload_of(&[parts(&last), parts(&next(0))])));
    assert_eq!(over, Err(BatchError::Number { index: 1, declared: 0, before: u64::MAX }));
    let mut zero_led = parts(&full());
    zero_led.0[8] = vec![0x82, 0, 9];
    assert!(matches!(block_error(&payload_of(&[zero_led])), BlockError::Part { part: "number", .. }));
}

#[test]
fn what_is_left_out_is_not_there() {
    for (at, field) in [(0, "parent hash"), (4, "transactions root")] {
        let mut there = parts(&full());
        there.0[at] = full().parts(B256::ZERO).0[at].clone();
        assert_eq!(block_error(&payload_of(&[there])), BlockError::NotLeftOut { field, length: 32 });
    }
}

#[test]
fn bodies_of_another_header() {
    let root = |payload: &[u8]| match block_error(payload) {
        BlockError::Root { field, declared, computed } if declared != computed => field,
        other => panic!("{other}"),
    };
    let mut ommers = parts(&full());
    ommers.1[1] = list(&[vec![1]]);
    assert_eq!(root(&payload_of(&[ommers])), "ommers hash");
    let mut withdrawals = parts(&full());
    withdrawals.1[2] = list(&[list(&[vec![2]])]);
    assert_eq!(root(&payload_of(&[withdrawals])), "withdrawals root");
    let mut none = parts(&full());
    none.1.pop();
    assert_eq!(block_error(&payload_of(&[none])), BlockError::Withdrawals { header_items: 17, parts: 3 });
    let mut unexpected = parts(&Made { withdrawals: None, ..full() });
    unexpected.1.push(list(&[]));
    assert_eq!(
        block_error(&payload_of(&[unexpected])),
        BlockError::Withdrawals { header_items: 15, parts: 4 }
    );
}

#[test]
fn shapes() {
    let with = |change: fn(&mut Pieces)| {
        let mut parts = parts(&full());
        change(&mut parts);
        block_error(&payload_of(&[parts]))
    };
    let short = with(|parts| parts.0.truncate(14));
    assert_eq!(short, BlockError::HeaderItems { found: 14, least: 15, most: 64 });
    let long = with(|parts| parts.0.resize(65, vec![0x80]));
    assert_eq!(long, BlockError::HeaderItems { found: 65, least: 15, most: 64 });
    let part = |error| match error {
        BlockError::Part { part, .. } => part,
        other => panic!("{other}"),
    };
    assert_eq!(part(with(|parts| parts.0[12] = vec![0xc0])), "header item");
    // One byte below 0x80 stands for itself.
    assert_eq!(part(with(|parts| parts.0[12] = vec![0x81, 0x05])), "header item");
    assert_eq!(part(with(|parts| parts.1[0] = vec![0x80])), "transactions");
    assert_eq!(part(with(|parts| parts.1[0] = list(&[vec![0x80]]))), "transactions");
    assert_eq!(part(with(|parts| parts.1[1] = vec![0x80])), "ommers");
    assert_eq!(part(with(|parts| parts.1[2] = vec![0x80])), "withdrawals");
    assert_eq!(with(|parts| parts.1.push(vec![0xc0])), BlockError::Trailing { left: 1 });
}

#[test]
fn work_is_bounded() {
    let tiny = Made { transactions: vec![(true, vec![2]); ITEMS_MAX + 1], ..Made::default() };
    assert_eq!(block_error(&payload_of(&[parts(&tiny)])), BlockError::TooManyItems { left: ITEMS_MAX });
    let some = Made { transactions: vec![(true, vec![2]); ITEMS_MAX / 2 + 1], ..Made::default() };
    let (_, rlps) = chain(B256::ZERO, 1, &[some.clone(), some]);
    assert!(matches!(pack(B256::ZERO, &rlps), Err(PackError::Block { index: 1, .. })));
    assert_eq!(pack_fitting(B256::ZERO, &rlps, usize::MAX).unwrap().blocks(), 1);
}

#[test]
fn what_is_not_packed() {
    let (rlps, _) = three();
    let parent = B256::repeat_byte(0xaa);
    assert_eq!(pack::<Vec<u8>>(parent, &[]), Err(PackError::Empty));
    let many = vec![Vec::new(); BLOCKS_MAX + 1];
    assert_eq!(
        pack(parent, &many),
        Err(PackError::TooManyBlocks { found: BLOCKS_MAX + 1, bound: BLOCKS_MAX })
    );
    let stranger = pack(B256::ZERO, &rlps);
    assert_eq!(stranger, Err(PackError::ParentHash { number: 5, declared: parent, computed: B256::ZERO }));
    let gap = pack(parent, &[rlps[0].clone(), rlps[2].clone()]);
    assert!(matches!(gap, Err(PackError::ParentHash { number: 7, .. })), "{gap:?}");
    let (first, rlp) = full().block(parent);
    let (_, twelve) = Made { number: 12, ..full() }.block(first.hash);
    assert_eq!(pack(parent, &[rlp.clone(), twelve]), Err(PackError::Number { declared: 12, before: 9 }));
    let trailing = pack(parent, &[[rlp, vec![0]].concat()]);
    assert_eq!(trailing, Err(PackError::Block { index: 0, source: BlockError::Trailing { left: 1 } }));
    let (mut header, body) = full().parts(parent);
    header[4][5] ^= 1;
    let root = pack(parent, &[list(&[vec![list(&header)], body].concat())]);
    assert!(
        matches!(
            root,
            Err(PackError::Block { index: 0, source: BlockError::Root { field: "transactions root", .. } })
        ),
        "{root:?}"
    );
    let heavy = Made { transactions: vec![(true, vec![7; PAYLOAD_BYTES_MAX])], ..Made::default() };
    let (_, rlps) = chain(B256::ZERO, 1, &[full(), heavy]);
    assert!(matches!(pack(B256::ZERO, &rlps), Err(PackError::PayloadTooLong { .. })));
    assert_eq!(pack_fitting(B256::ZERO, &rlps, usize::MAX).unwrap().blocks(), 1);
}

#[test]
fn withdrawals_are_not_left_out_of_a_block_that_has_some() {
    let (header, mut body) = parts(&full());
    body[2] = list(&[]);
    let error = block_error(&payload_of(&[(header, body)]));
    assert!(matches!(error, BlockError::Root { field: "withdrawals root", .. }), "{error}");
}

#[test]
fn a_legacy_transaction_wrapped_in_a_string_is_refused() {
    let made = Made { transactions: vec![(true, list(&[vec![1]]))], ..full() };
    let error = block_error(&payload_of(&[parts(&made)]));
    assert!(matches!(error, BlockError::Part { part: "transactions", .. }), "{error}");
}
