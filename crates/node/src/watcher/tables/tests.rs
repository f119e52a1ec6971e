//! Closing headers against what L1 had.

use super::*;
use crate::watcher::tests::fixture::header;

const PRESENT: B256 = B256::repeat_byte(1);
const NEXT: B256 = B256::repeat_byte(2);

fn announcing(table: B256) -> Check {
    Check { header: Header { next_table_hash: table, ..header(0, 7, 1) }, present: PRESENT }
}

#[test]
fn a_header_announces_the_newest_snapshot_or_nothing_when_that_is_the_present_one() {
    let due = |hash| DueTable { index: 4, hash };
    assert_eq!(judge(&announcing(NEXT), due(NEXT)), Judged::Good);
    assert_eq!(judge(&announcing(B256::ZERO), due(PRESENT)), Judged::Good);
    assert_eq!(judge(&announcing(B256::ZERO), DueTable::NONE), Judged::Good);
    assert_eq!(judge(&announcing(NEXT), due(PRESENT)), Judged::False { due: due(PRESENT) });
    assert_eq!(judge(&announcing(NEXT), DueTable::NONE), Judged::False { due: DueTable::NONE });
    assert_eq!(judge(&announcing(B256::ZERO), due(NEXT)), Judged::Omitted { due: due(NEXT) });
}

#[test]
fn closing_headers_wait_their_turn_and_come_again_later() {
    let mut book = TableBook::default();
    for height in 1..6 {
        book.finalised(header(0, height, 1), height % 2 == 1, PRESENT);
    }
    assert_eq!(book.replayed(), Height(5));
    let first = book.next(TimeMs(10)).unwrap();
    assert_eq!(first.header.height, Height(1));
    assert_eq!(book.next(TimeMs(10)), None, "one at a time");
    book.again(Height(1), TimeMs(10));
    assert_eq!(book.next(TimeMs(10)).unwrap().header.height, Height(3), "the others need not wait for it");
    book.done(Height(3));
    assert_eq!(book.next(TimeMs(10)).unwrap().header.height, Height(5));
    book.done(Height(5));
    assert_eq!(book.next(TimeMs(10)), None);
    assert_eq!(book.next(TimeMs(10 + AGAIN_MS)).unwrap().header.height, Height(1));
}
