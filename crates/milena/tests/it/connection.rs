//! The end of a connection: earlier requests are answered, and a client that reads no answers is
//! disconnected.

use std::time::Duration;

use protocol::messages::CreateTopicsRequest;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::fetch_request::FetchRequest;
use protocol::{Request, Str, Writer};

use crate::harness::broker::Broker;
use crate::harness::clients::create_topic;
use crate::harness::raw::{batch, fetch_request, produce_request};
use crate::harness::wait_until;
use crate::harness::wire::{API_VERSIONS, Wire, assert_serves, frame};

const LIMIT: Duration = Duration::from_secs(20);
const FETCH_VERSION: i16 = 11;

/// A fetch that finds nothing and waits for it, as bytes.
fn waiting_fetch(topic: &str, correlation_id: i32) -> Vec<u8> {
    let request = FetchRequest { max_wait_ms: 300, min_bytes: 1, ..fetch_request(topic, 0, 0) };
    bytes_of(&request, FETCH_VERSION, correlation_id)
}

fn bytes_of<R: Request>(request: &R, version: i16, correlation_id: i32) -> Vec<u8> {
    let frame = protocol::frame::encode_request(correlation_id, None, request, version, Writer::new());
    frame.expect("a request that its version can carry").into_bytes().to_vec()
}

/// Sends two requests, the second of which waits, and then `last`; both are answered before the connection ends.
fn answers_what_came_before(what: &str, last: &[u8]) {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "before", 1, &[]);
    let mut wire = Wire::open(broker.bootstrap());
    let bytes = [frame(API_VERSIONS, 0, 1, &[]), waiting_fetch(&topic, 2), last.to_vec()].concat();
    wire.send(&bytes);
    if last.is_empty() {
        wire.finish_sending();
    }
    for correlation_id in [1_i32, 2] {
        let response = wire.receive().unwrap_or_else(|error| panic!("{what}: {correlation_id}: {error}"));
        assert_eq!(response[..4], correlation_id.to_be_bytes(), "{what}");
    }
    wire.assert_closed(what);
    assert_serves(broker.bootstrap());
}

#[test]
fn requests_before_one_that_cannot_be_are_answered() {
    answers_what_came_before("an unknown API", &frame(99, 0, 3, &[]));
    answers_what_came_before("a length that no frame has", &(-1_i32).to_be_bytes());
    answers_what_came_before("a request that does not decode", &frame(3, 1, 3, &[0, 0, 0, 9]));
}

#[test]
fn a_client_that_has_said_all_it_has_to_say_is_answered() {
    answers_what_came_before("a half-closed socket", &[]);
}

/// If one connection is allowed, another is let in only when the first has ended.
#[test]
fn a_client_that_takes_no_answers_is_let_go() {
    let settings = [("connections.max.idle.ms", "700"), ("max.connections.per.ip", "1")];
    let Some(broker) = Broker::own(&settings) else { return };
    let mut stuck = None;
    // Whoever looked for the start of the broker may still be there.
    wait_until("there is room", LIMIT, || {
        stuck = admitted(&broker);
        stuck.is_some()
    });
    let mut stuck = stuck.expect("just seen");
    let topic = CreatableTopic {
        name: Str::from("large"),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let create = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    stuck.send(&bytes_of(&create, 4, 2));
    stuck.receive().expect("it is made");
    stuck.send(&bytes_of(&produce_request("large", batch(&[&vec![7; 900_000]]), -1), 9, 3));
    stuck.receive().expect("it is stored");
    assert!(admitted(&broker).is_none(), "one connection is all there may be");
    for correlation_id in 4..44 {
        stuck.send(&bytes_of(&fetch_request("large", 0, 0), FETCH_VERSION, correlation_id));
    }
    wait_until("another is let in", LIMIT, || admitted(&broker).is_some());
    drop(stuck);
}

/// A connection that the broker serves, or `None` if it does not let it in.
fn admitted(broker: &Broker) -> Option<Wire> {
    let mut wire = Wire::open(broker.bootstrap());
    wire.send(&frame(API_VERSIONS, 0, 1, &[]));
    wire.receive().is_ok().then_some(wire)
}
