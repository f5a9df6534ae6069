//! Idempotent producers by hand: sequence numbers, epochs, duplicates.

use protocol::ErrorCode;

use super::harness::Node;
use super::harness::raw::sequenced;

#[test]
fn producer_ids_are_handed_out_once() {
    let broker = Node::start();
    let mut raw = broker.open();
    let ids: std::collections::BTreeSet<_> = (0..50).map(|_| raw.producer_id()).collect();
    assert_eq!(ids.len(), 50);
}

#[test]
fn a_batch_that_is_there_is_acknowledged_again_and_not_appended() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("sequences", 1, &[]);
    let id = raw.producer_id();
    for nth in 0..6 {
        let expected = (ErrorCode::NONE, i64::from(nth) * 2);
        assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, nth * 2, 2)), expected);
    }
    // The last five batches are known, with the offsets that they got.
    for nth in 1..6 {
        let expected = (ErrorCode::NONE, i64::from(nth) * 2);
        assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, nth * 2, 2)), expected);
    }
    // An older batch, or one with other bounds, is out of order.
    for (sequence, count) in [(0, 2), (1, 2), (2, 1)] {
        let code = raw.produce_outcome(&topic, sequenced(id, 0, sequence, count)).0;
        assert!(
            matches!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::DUPLICATE_SEQUENCE_NUMBER),
            "{sequence}: {}",
            code.name()
        );
    }
    assert_eq!(broker.watermarks(&topic, 0), (0, 12));
}

#[test]
fn a_gap_is_out_of_order() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("gap", 1, &[]);
    let id = raw.producer_id();
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, 0, 3)).0, ErrorCode::NONE);
    let code = raw.produce_outcome(&topic, sequenced(id, 0, 4, 1)).0;
    assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, 3, 1)), (ErrorCode::NONE, 3));
}

#[test]
fn epochs_fence() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("epochs", 1, &[]);
    let id = raw.producer_id();
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, 0, 3)).0, ErrorCode::NONE);
    // A new epoch starts at 0.
    let code = raw.produce_outcome(&topic, sequenced(id, 1, 3, 1)).0;
    assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 1, 0, 1)), (ErrorCode::NONE, 3));
    let code = raw.produce_outcome(&topic, sequenced(id, 0, 3, 1)).0;
    assert_eq!(code, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 1, 1, 1)), (ErrorCode::NONE, 4));
}

/// The largest sequence number is followed by 0.
#[test]
fn sequences_wrap() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("wrap", 1, &[]);
    let id = raw.producer_id();
    // A producer that the partition does not know may start at any number.
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, i32::MAX - 1, 1)), (ErrorCode::NONE, 0));
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, i32::MAX, 2)), (ErrorCode::NONE, 1));
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, 1, 1)), (ErrorCode::NONE, 3));
    assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, i32::MAX, 2)), (ErrorCode::NONE, 1), "known");
}
