use super::*;
use crate::builder::BatchBuilder;

fn header() -> BatchHeader {
    let mut builder = BatchBuilder::new(Compression::None).producer(7, 0, 0);
    builder.push(0, None, None, &[]);
    BatchHeader::parse(&builder.build()).unwrap()
}

#[test]
fn after_the_greatest_sequence_number_comes_0() {
    let last = |base_sequence, last_offset_delta| {
        BatchHeader { base_sequence, last_offset_delta, ..header() }.last_sequence()
    };
    assert_eq!(last(5, 3), 8);
    assert_eq!(last(i32::MAX, 0), i32::MAX);
    assert_eq!(last(i32::MAX, 1), 0);
    assert_eq!(last(i32::MAX - 1, 4), 2);
    assert_eq!(last(i32::MAX, i32::MAX), i32::MAX - 1);
    assert_eq!(last(NO_SEQUENCE, 3), NO_SEQUENCE);
}

#[test]
fn no_offset_is_beyond_the_greatest() {
    let header = BatchHeader { base_offset: i64::MAX - 1, last_offset_delta: 5, ..header() };
    assert_eq!((header.last_offset(), header.next_offset()), (i64::MAX, i64::MAX));
}
