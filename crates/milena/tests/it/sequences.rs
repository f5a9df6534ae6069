//! The state of idempotent producers that outlives a restart: their ids, their epochs and their sequence
//! numbers.

use protocol::ErrorCode;

use crate::harness::broker::Broker;
use crate::harness::clients::create_topic;
use crate::harness::raw::{Raw, sequenced};

#[test]
fn producer_ids_are_not_handed_out_again_after_a_crash() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let before: Vec<_> = (0..5).map(|_| Raw::open(broker.bootstrap()).producer_id()).collect();
    broker.kill();
    broker.restart();
    let after = Raw::open(broker.bootstrap()).producer_id();
    assert!(!before.contains(&after), "{after} is in {before:?}");
}

/// The log tells what each producer sent last, so a restart forgets nothing, however it came about.
#[test]
fn sequences_outlive_restarts() {
    for crash in [true, false] {
        let Some(mut broker) = Broker::own(&[]) else { return };
        let topic = create_topic(broker.bootstrap(), "outlive", 1, &[("segment.bytes", "1048576")]);
        let mut raw = Raw::open(broker.bootstrap());
        let id = raw.producer_id();
        for nth in 0..5 {
            assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, nth, 1)).0, ErrorCode::NONE);
        }
        // Into another segment, so that only a snapshot of the producers' state tells.
        let filler = crate::harness::raw::batch(&[&[b'x'; 500_000]]);
        for _ in 0..4 {
            raw.append(&topic, filler.clone());
        }
        broker.end(crash);
        broker.restart();
        let mut raw = Raw::open(broker.bootstrap());
        let offset = i64::from(4);
        assert_eq!(
            raw.produce_outcome(&topic, sequenced(id, 0, 4, 1)),
            (ErrorCode::NONE, offset),
            "a duplicate"
        );
        let code = raw.produce_outcome(&topic, sequenced(id, 0, 9, 1)).0;
        assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(raw.produce_outcome(&topic, sequenced(id, 0, 5, 1)), (ErrorCode::NONE, 9));
        let code = raw.produce_outcome(&topic, sequenced(id, 1, 3, 1)).0;
        assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, "the epoch is known too");
    }
}
