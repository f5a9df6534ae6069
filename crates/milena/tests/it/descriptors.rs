//! A process that has no descriptor left: no connection takes a file's, and no log directory fails.

use std::net::TcpStream;
use std::time::Duration;

use protocol::ErrorCode;

use crate::harness::broker::{Broker, Descriptors};
use crate::harness::clients::{create_topic, watermarks};
use crate::harness::raw::{Raw, batch, fetch_request};
use crate::harness::wait_until;
use crate::harness::wire::{API_VERSIONS, Wire, frame};

const LIMIT: Duration = Duration::from_secs(30);
const DESCRIPTORS: Descriptors = Descriptors { max: 160, inherited: 0 };
/// Of a segment that every batch of the tests fills.
const SEGMENT_BYTES: &str = "20000";

fn full_batch() -> Vec<u8> {
    batch(&[&[b'x'; 15_000]])
}

/// Whether the broker takes a connection and answers on it.
fn is_served(bootstrap: &str) -> bool {
    let mut wire = Wire::open(bootstrap);
    wire.send(&frame(API_VERSIONS, 0, 1, &[]));
    wire.receive().is_ok()
}

#[test]
fn idle_connections_leave_what_files_need() {
    idle_connections_leave_what_files_need_of(DESCRIPTORS);
}

/// As a supervisor may leave them to what it starts.
#[test]
fn inherited_descriptors_are_not_for_connections() {
    idle_connections_leave_what_files_need_of(Descriptors { inherited: 40, ..DESCRIPTORS });
}

fn idle_connections_leave_what_files_need_of(descriptors: Descriptors) {
    let Some(mut broker) = Broker::with_descriptors(descriptors) else { return };
    let topic = create_topic(broker.bootstrap(), "rolls", 1, &[("internal.segment.bytes", SEGMENT_BYTES)]);
    let mut raw = Raw::open(broker.bootstrap());
    let idle: Vec<TcpStream> =
        (0..220).map(|_| TcpStream::connect(broker.bootstrap()).expect("the system takes it")).collect();
    for offset in 0..150 {
        assert_eq!(raw.append(&topic, full_batch()), offset, "a segment for each");
    }
    // Who is connected has all the broker does.
    for offset in [0, 75, 149] {
        assert_eq!(raw.fetch_one(&fetch_request(&topic, 0, offset)).error_code, ErrorCode::NONE, "{offset}");
    }
    let log = broker.log();
    assert!(log.contains("ulimit -n"), "it says what to do:\n{log}");
    assert!(!log.contains("offline"), "{log}");
    let told = log.lines().filter(|line| line.contains("connection closed")).count();
    assert!(told < 20, "{told} lines for 220 connections");
    drop(idle);
    wait_until("others are let in again", LIMIT, || is_served(broker.bootstrap()));
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 150));
    broker.assert_healthy();
}

/// The limit is lowered below what is open: nothing at all can be opened until it is raised.
#[test]
fn what_cannot_be_opened_is_refused_and_passes() {
    let Some(mut broker) = Broker::with_descriptors(DESCRIPTORS) else { return };
    let topic = create_topic(broker.bootstrap(), "rolls", 1, &[("internal.segment.bytes", SEGMENT_BYTES)]);
    let mut raw = Raw::open(broker.bootstrap());
    assert_eq!(raw.append(&topic, full_batch()), 0);
    broker.limit_descriptors(8);
    for _ in 0..3 {
        let answer = raw.produce(&topic, full_batch());
        assert_eq!(answer.error_code, ErrorCode::KAFKA_STORAGE_ERROR);
        assert!(answer.error_code.is_retriable());
    }
    // Accepted by the system, it waits for the broker to have a descriptor for it.
    let mut waiting = Wire::open(broker.bootstrap());
    waiting.send(&frame(API_VERSIONS, 0, 1, &[]));
    broker.limit_descriptors(DESCRIPTORS.max);
    assert_eq!(raw.append(&topic, full_batch()), 1);
    assert!(waiting.receive().is_ok());
    for offset in 2..20 {
        assert_eq!(raw.append(&topic, full_batch()), offset);
    }
    let log = broker.log();
    assert!(log.contains("no file descriptor is left") && log.contains("LimitNOFILE"), "{log}");
    assert!(!log.contains("offline"), "{log}");
    broker.assert_healthy();
    broker.kill();
    broker.restart();
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 20));
}
