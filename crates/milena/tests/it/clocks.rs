//! A wall clock that is set while the broker runs.

use std::time::Duration;

use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use protocol::messages::{OffsetCommitRequest, OffsetFetchRequest};
use protocol::{ErrorCode, Str};

use crate::harness::broker::Broker;
use crate::harness::clients::create_topic;
use crate::harness::clock::Clock;
use crate::harness::raw::{Raw, batch};
use crate::harness::{unique, wait_until};

const TEN_DAYS_S: i64 = 10 * 24 * 3600;
const LIMIT: Duration = Duration::from_secs(20);

/// Commits offset 7 of partition 0 without being a member.
fn commit(raw: &mut Raw, group: &str, topic: &str) {
    let partition = OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: Str::from(topic),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: Str::from(group),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let answer = raw.ask(&request, 8).topics.remove(0).partitions.remove(0);
    assert_eq!(answer.error_code, ErrorCode::NONE);
}

fn committed(raw: &mut Raw, group: &str, topic: &str) -> i64 {
    let topic = OffsetFetchRequestTopic { name: Str::from(topic), partition_indexes: vec![0] };
    let request =
        OffsetFetchRequest { group_id: Str::from(group), topics: Some(vec![topic]), ..Default::default() };
    raw.ask(&request, 7).topics[0].partitions[0].committed_offset
}

/// A machine that resumes from a snapshot, or whose first NTP answer comes late.
#[test]
fn a_clock_that_was_behind_at_the_start_does_not_age_commits() {
    let clock = Clock::new();
    clock.set(-TEN_DAYS_S);
    let settings = [("offsets.retention.check.interval.ms", "50")];
    let Some(mut broker) = Broker::under(&clock, &settings) else { return };
    let topic = create_topic(broker.bootstrap(), "behind", 1, &[]);
    let (early, late) = (unique("early"), unique("late"));
    let mut raw = Raw::open(broker.bootstrap());
    raw.await_coordinator(&early);
    raw.await_coordinator(&late);
    commit(&mut raw, &early, &topic);
    // Kafka's default is a retention of seven days: what was stamped ten days ago has had its time.
    clock.set(0);
    commit(&mut raw, &late, &topic);
    wait_until("what was stamped too early has expired", LIMIT, || committed(&mut raw, &early, &topic) == -1);
    assert_eq!(committed(&mut raw, &late, &topic), 7);
    broker.stop();
    broker.restart();
    let mut raw = Raw::open(broker.bootstrap());
    raw.await_coordinator(&early);
    raw.await_coordinator(&late);
    commit(&mut raw, &early, &topic);
    clock.set(8 * 24 * 3600);
    wait_until("both have expired", LIMIT, || {
        committed(&mut raw, &early, &topic) == -1 && committed(&mut raw, &late, &topic) == -1
    });
}

/// The shim does what it claims: else the test above shows nothing.
#[test]
fn the_time_of_an_append_is_that_of_the_clock() {
    let clock = Clock::new();
    let Some(broker) = Broker::under(&clock, &[]) else { return };
    let settings = [("message.timestamp.type", "LogAppendTime")];
    let topic = create_topic(broker.bootstrap(), "append-time", 1, &settings);
    let mut raw = Raw::open(broker.bootstrap());
    let right = raw.produce(&topic, batch(&[b"value"])).log_append_time_ms;
    clock.set(-TEN_DAYS_S);
    let behind = raw.produce(&topic, batch(&[b"value"])).log_append_time_ms;
    assert!((behind - right + TEN_DAYS_S * 1000).abs() < 3_600_000, "{right} {behind}");
}
