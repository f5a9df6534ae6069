//! Invalid batches, in cases that need a process or a connection.

use protocol::ErrorCode;
use record::{BatchBuilder, Compression};

use crate::harness::broker::Broker;
use crate::harness::clients::{create_topic, try_create_topic, watermarks};
use crate::harness::raw::{Raw, batch, batch_with, produce_request};

/// A small batch that becomes a large one when it is opened is refused before it has.
#[test]
fn compressed_bombs() {
    // Kafka 4.3 opens them to the end.
    let Some(mut broker) = Broker::own(&[]) else { return };
    let mut raw = Raw::open(broker.bootstrap());
    let topic = create_topic(broker.bootstrap(), "bomb", 1, &[]);
    let before = broker.resident_bytes().expect("it runs");
    let zeros = vec![0; 200 << 20];
    for codec in [Compression::Gzip, Compression::Zstd] {
        let bomb = batch_with(BatchBuilder::new(codec), &[&zeros]);
        assert!(bomb.len() < 900_000, "{} bytes", bomb.len());
        let answer = raw.produce(&topic, bomb);
        assert_eq!(answer.error_code, ErrorCode::MESSAGE_TOO_LARGE, "{codec:?}");
    }
    // Many records that are small each are counted as they pass.
    let piece = vec![0; 1 << 20];
    let bomb = batch_with(BatchBuilder::new(Compression::Zstd), &[&piece[..]; 120]);
    assert_eq!(raw.produce(&topic, bomb).error_code, ErrorCode::MESSAGE_TOO_LARGE);
    let after = broker.resident_bytes().expect("it runs");
    assert!(after < before + (32 << 20), "memory grew from {before} to {after}");
    assert_eq!(raw.append(&topic, batch(&[b"good"])), 0);
    // What is within the limit takes no memory either.
    let large = batch_with(BatchBuilder::new(Compression::Gzip), &[&zeros[..90 << 20]]);
    assert_eq!(raw.append(&topic, large), 1);
    let after = broker.resident_bytes().expect("it runs");
    assert!(after < before + (32 << 20), "memory grew from {before} to {after}");
    broker.assert_healthy();
}

/// With acks=0 there is no answer; what is wrong with such a request shows as a closed connection.
#[test]
fn without_acknowledgement_an_error_closes_the_connection() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "acks0", 1, &[]);
    let mut raw = Raw::open(broker.bootstrap());
    raw.send(&produce_request(&topic, batch(&[b"good"]), 0), 9);
    // The next answer is that of the next request.
    assert_eq!(raw.topic(&topic).error_code, ErrorCode::NONE);
    let mut wrong = batch(&[b"bad"]);
    *wrong.last_mut().expect("not empty") ^= 1;
    raw.send(&produce_request(&topic, wrong, 0), 9);
    assert!(raw.is_closed());
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 1));
    assert!(try_create_topic(broker.bootstrap(), &topic, 1, &[]).is_err());
}
