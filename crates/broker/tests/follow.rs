//! A broker that follows the metadata.
#![allow(clippy::disallowed_methods, reason = "a test speaks to the broker over sockets of its own")]

#[path = "home/broker.rs"]
mod home;

use std::net::SocketAddr;
use std::time::Instant;

use home::{Home, LIMIT, ask, create_topics, produce};
use protocol::ErrorCode;
use protocol::messages::DescribeQuorumRequest;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use storage::fs::Operation;

/// The offset after the last metadata record that is applied.
fn high_watermark(address: SocketAddr) -> i64 {
    let partitions = vec![PartitionData { partition_index: 0 }];
    let topics = vec![TopicData { topic_name: "__cluster_metadata".into(), partitions }];
    let response = ask(address, &DescribeQuorumRequest { topics }, 2);
    response.topics[0].partitions[0].high_watermark
}

/// The metadata goes on while a log is being opened, and a topic's creation is answered once the topic can be
/// used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_takes_long_to_open_holds_up_no_decision_and_an_answer_waits_for_it() {
    let home = Home::new("slow-log", &["only"]);
    let running = home.start().await;
    let address = running.local_addresses()[0];
    let home = tokio::task::spawn_blocking(move || {
        home.faults.hold(Operation::Open, "slow-0/00000000000000000000.log");
        let slow = std::thread::spawn(move || create_topics(address, &["slow"], 1));
        home.faults.await_held();
        let before = high_watermark(address);
        let after = std::thread::spawn(move || create_topics(address, &["after"], 1));
        let deadline = Instant::now() + LIMIT / 2;
        while high_watermark(address) == before && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let decided = high_watermark(address) > before;
        let answered = slow.is_finished() || after.is_finished();
        home.faults.release();
        slow.join().expect("it is created");
        after.join().expect("it is created");
        assert!(decided, "the second topic is decided on while the first is being opened");
        assert!(!answered, "neither could be used");
        for topic in ["slow", "after"] {
            assert_eq!(produce(address, topic, 0), (ErrorCode::NONE, 0), "{topic} can be used at once");
        }
        home
    });
    let _home = home.await.unwrap();
    running.shutdown().await;
}
