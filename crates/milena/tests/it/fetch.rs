//! Fetches and produces on one connection beside another, and one after another.

use std::time::{Duration, Instant};

use protocol::messages::FetchRequest;

use crate::harness::broker::Broker;
use crate::harness::clients::create_topic;
use crate::harness::raw::{Raw, batch, fetch_request, only_partition, produce_request};

/// A topic with `count` batches of one record, each of `size` bytes of value, in partition 0.
fn filled(raw: &mut Raw, bootstrap: &str, count: usize, size: usize) -> String {
    let topic = create_topic(bootstrap, "fetch", 3, &[]);
    for _ in 0..count {
        raw.append(&topic, batch(&[&vec![b'x'; size]]));
    }
    topic
}

/// A waiting fetch holds up nobody: not the other connections, and not the pipeline before it.
#[test]
fn many_fetches_wait_at_once() {
    let broker = Broker::start();
    let mut raw = Raw::open(broker.bootstrap());
    let topic = filled(&mut raw, broker.bootstrap(), 0, 0);
    let mut waiting: Vec<_> = (0..100).map(|_| Raw::open(broker.bootstrap())).collect();
    let mut request = fetch_request(&topic, 0, 0);
    (request.min_bytes, request.max_wait_ms) = (1, 20_000);
    waiting.iter_mut().for_each(|one| one.send(&request, 12));
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    assert_eq!(raw.append(&topic, batch(&[b"wake"])), 0);
    for one in &mut waiting {
        assert!(!only_partition(one.receive::<FetchRequest>(12).1).records.is_empty());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Requests of one connection are answered in order, even if a later one has nothing to wait for.
#[test]
fn answers_come_in_the_order_of_the_requests() {
    let broker = Broker::start();
    let mut raw = Raw::open(broker.bootstrap());
    let topic = filled(&mut raw, broker.bootstrap(), 1, 10);
    let mut waits = fetch_request(&topic, 0, 1);
    (waits.min_bytes, waits.max_wait_ms) = (1, 400);
    raw.send(&waits, 12);
    raw.send(&fetch_request(&topic, 0, 0), 12);
    let (first, empty) = raw.receive::<FetchRequest>(12);
    let (second, full) = raw.receive::<FetchRequest>(12);
    assert_eq!(second, first + 1);
    assert!(only_partition(empty).records.is_empty());
    assert!(!only_partition(full).records.is_empty());
}

/// Produce requests of one connection append in their order, whoever waits for what.
#[test]
fn pipelined_produces_append_in_order() {
    let broker = Broker::start();
    let mut raw = Raw::open(broker.bootstrap());
    let topic = filled(&mut raw, broker.bootstrap(), 0, 0);
    for at in 0..200 {
        let value = format!("{at}");
        let acks = if at % 3 == 0 { 1 } else { -1 };
        raw.send(&produce_request(&topic, batch(&[value.as_bytes()]), acks), 9);
    }
    for at in 0..200 {
        let answer = raw.receive::<protocol::messages::ProduceRequest>(9).1;
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, at);
    }
    let answer = raw.fetch_one(&fetch_request(&topic, 0, 0));
    let bytes = answer.records.as_bytes().expect("records").clone();
    for (at, read) in record::batches(&bytes).enumerate() {
        let read = read.expect("whole");
        let one = read.records().next().expect("a record").expect("whole");
        assert_eq!(one.value, Some(at.to_string().as_bytes()));
    }
}
