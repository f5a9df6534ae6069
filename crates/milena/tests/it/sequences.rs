//! The state of idempotent producers that outlives a restart: their ids, their epochs and their sequence
//! numbers.

use protocol::ErrorCode;
use protocol::messages::InitProducerIdRequest;
use record::{BatchBuilder, Compression};

use crate::harness::broker::Broker;
use crate::harness::clients::create_topic;
use crate::harness::raw::{Raw, batch_with};

/// A producer id of its own, epoch 0.
fn producer_id(raw: &mut Raw) -> i64 {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let answer = raw.ask(&request, 4);
    assert_eq!((answer.error_code, answer.producer_epoch), (ErrorCode::NONE, 0));
    answer.producer_id
}

/// A batch of `count` records from that producer.
fn sequenced(id: i64, epoch: i16, sequence: i32, count: usize) -> Vec<u8> {
    let values: Vec<&[u8]> = vec![b"value"; count];
    batch_with(BatchBuilder::new(Compression::None).producer(id, epoch, sequence), &values)
}

/// (error, base offset) of one produce.
fn send(raw: &mut Raw, topic: &str, batch: Vec<u8>) -> (ErrorCode, i64) {
    let answer = raw.produce(topic, batch);
    (answer.error_code, answer.base_offset)
}

#[test]
fn producer_ids_are_not_handed_out_again_after_a_crash() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let before: Vec<_> = (0..5).map(|_| producer_id(&mut Raw::open(broker.bootstrap()))).collect();
    broker.kill();
    broker.restart();
    let after = producer_id(&mut Raw::open(broker.bootstrap()));
    assert!(!before.contains(&after), "{after} is in {before:?}");
}

/// The log tells what each producer sent last, so a restart forgets nothing, however it came about.
#[test]
fn sequences_outlive_restarts() {
    for crash in [true, false] {
        let Some(mut broker) = Broker::own(&[]) else { return };
        let topic = create_topic(broker.bootstrap(), "outlive", 1, &[("segment.bytes", "1048576")]);
        let mut raw = Raw::open(broker.bootstrap());
        let id = producer_id(&mut raw);
        for nth in 0..5 {
            assert_eq!(send(&mut raw, &topic, sequenced(id, 0, nth, 1)).0, ErrorCode::NONE);
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
        assert_eq!(send(&mut raw, &topic, sequenced(id, 0, 4, 1)), (ErrorCode::NONE, offset), "a duplicate");
        let code = send(&mut raw, &topic, sequenced(id, 0, 9, 1)).0;
        assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(send(&mut raw, &topic, sequenced(id, 0, 5, 1)), (ErrorCode::NONE, 9));
        let code = send(&mut raw, &topic, sequenced(id, 1, 3, 1)).0;
        assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, "the epoch is known too");
    }
}
