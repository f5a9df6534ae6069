#![allow(clippy::disallowed_methods, reason = "a test may take the time where it finds it")]

use std::sync::Arc;
use std::time::Duration;

use record::Compression;
use runtime::clock::{self, Instant};
use tokio::sync::Semaphore;

use super::super::delivery::RecordMetadata;
use super::{Accumulator, Batch};
use crate::producer::NewRecord;
use crate::topic_partition::TopicPartition;

const LINGER: Duration = Duration::from_millis(100);
const BATCH_BYTES: usize = 400;

/// An accumulator under test, at times that the test chooses.
struct Fixture {
    accumulator: Accumulator,
    room: Arc<Semaphore>,
    begun: Instant,
}

impl Fixture {
    fn new() -> Self {
        Fixture {
            accumulator: Accumulator::new(LINGER, BATCH_BYTES, Compression::None),
            room: Arc::new(Semaphore::new(10_000)),
            begun: clock::now(),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.begun + Duration::from_millis(ms)
    }

    /// Adds a record of `bytes`, and returns whether the sender has to look.
    fn append(&mut self, partition: i32, bytes: usize, ms: u64) -> bool {
        let value = vec![b'x'; bytes];
        let record =
            NewRecord { topic: "t", partition: Some(partition), value: Some(&value), ..NewRecord::default() };
        let wanted = u32::try_from(bytes).expect("a small record");
        let room = Arc::clone(&self.room).try_acquire_many_owned(wanted).expect("there is room");
        let now = self.at(ms);
        self.accumulator.append(&record, bytes, 4, room, now).is_due
    }

    /// The partitions and record counts of the batches that are due.
    fn due(&mut self, ms: u64) -> Vec<(TopicPartition, Batch)> {
        let now = self.at(ms);
        let mut due = self.accumulator.take_due(now);
        due.sort_by_key(|(at, _)| at.partition);
        due
    }
}

fn counts(due: &[(TopicPartition, Batch)]) -> Vec<(i32, i32)> {
    due.iter().map(|(at, batch)| (at.partition, batch.records)).collect()
}

fn acknowledged(at: &TopicPartition) -> RecordMetadata {
    RecordMetadata { at: at.clone(), offset: Some(0), log_append_time_ms: None }
}

#[test]
fn a_batch_is_due_after_it_lingered() {
    let mut fixture = Fixture::new();
    assert!(fixture.append(0, 10, 0), "the sender has to know of a first deadline");
    assert!(!fixture.append(0, 10, 50), "the deadline stays");
    assert_eq!(fixture.accumulator.next_due(), Some(fixture.at(100)));
    assert!(fixture.due(99).is_empty());
    assert_eq!(counts(&fixture.due(100)), [(0, 2)]);
    assert_eq!(fixture.accumulator.next_due(), None);
}

#[test]
fn a_full_batch_is_due_at_once() {
    let mut fixture = Fixture::new();
    fixture.append(0, 150, 0);
    assert!(!fixture.append(0, 100, 0));
    assert!(fixture.append(0, 300, 0), "this one does not fit any more");
    assert_eq!(counts(&fixture.due(0)), [(0, 2)]);
}

#[test]
fn a_record_larger_than_a_batch_has_one_of_its_own() {
    let mut fixture = Fixture::new();
    fixture.append(0, 10, 0);
    fixture.append(0, 1000, 0);
    fixture.append(0, 10, 0);
    let due = fixture.due(0);
    assert_eq!(counts(&due), [(0, 1)]);
    for (at, batch) in due {
        fixture.accumulator.settle(&at, batch, Ok(acknowledged(&at)), None);
    }
    assert_eq!(counts(&fixture.due(0)), [(0, 1)]);
}

#[test]
fn one_batch_of_a_partition_is_under_way_at_a_time() {
    let mut fixture = Fixture::new();
    for partition in [0, 0, 1] {
        fixture.append(partition, 300, 0);
    }
    let mut due = fixture.due(1000);
    assert_eq!(counts(&due), [(0, 1), (1, 1)]);
    assert!(fixture.due(1000).is_empty(), "partition 0 has another, which may not overtake");
    let (at, batch) = due.remove(0);
    fixture.accumulator.settle(&at, batch, Ok(acknowledged(&at)), None);
    assert_eq!(counts(&fixture.due(1000)), [(0, 1)]);
}

#[test]
fn a_batch_that_is_sent_again_goes_first_and_not_too_soon() {
    let mut fixture = Fixture::new();
    fixture.append(0, 330, 0);
    fixture.append(0, 10, 0);
    fixture.append(0, 10, 0);
    let (at, batch) = fixture.due(0).remove(0);
    assert_eq!(batch.records, 1);
    let not_before = fixture.at(500);
    fixture.accumulator.put_back(&at, batch, not_before);
    assert!(fixture.due(499).is_empty(), "nothing else of the partition may go before");
    assert_eq!(fixture.accumulator.next_due(), Some(not_before));
    assert_eq!(counts(&fixture.due(500)), [(0, 1)]);
}

#[tokio::test]
async fn settling_frees_the_room_and_tells_each_record_its_offset() {
    let mut fixture = Fixture::new();
    let value = [b'x'; 50];
    let record = NewRecord { topic: "t", partition: Some(2), value: Some(&value), ..NewRecord::default() };
    let mut deliveries = Vec::new();
    for _ in 0..3 {
        let room = Arc::clone(&fixture.room).try_acquire_many_owned(50).expect("there is room");
        let now = fixture.at(0);
        deliveries.push(fixture.accumulator.append(&record, 50, 4, room, now).delivery);
    }
    assert_eq!(fixture.room.available_permits(), 9_850);
    let unsettled = fixture.accumulator.close_batches();
    assert_eq!(unsettled.len(), 1, "one of the batch");
    let (at, batch) = fixture.due(0).remove(0);
    assert!(!deliveries[0].is_settled());
    let outcome = RecordMetadata { at: at.clone(), offset: Some(40), log_append_time_ms: None };
    fixture.accumulator.settle(&at, batch, Ok(outcome), None);
    assert_eq!(fixture.room.available_permits(), 10_000);
    let mut offsets = Vec::new();
    for delivery in deliveries {
        assert!(delivery.is_settled());
        offsets.push(delivery.settled().await.expect("it was delivered").offset);
    }
    assert_eq!(offsets, [Some(40), Some(41), Some(42)]);
}

#[test]
fn records_without_a_key_stay_together_until_a_batch_is_full() {
    let mut fixture = Fixture::new();
    let value = [b'x'; 100];
    let record = NewRecord { topic: "t", value: Some(&value), ..NewRecord::default() };
    for _ in 0..3 {
        let room = Arc::clone(&fixture.room).try_acquire_many_owned(100).expect("there is room");
        let now = fixture.at(0);
        fixture.accumulator.append(&record, 100, 1000, room, now);
    }
    assert_eq!(fixture.due(100).iter().map(|(_, batch)| batch.records).collect::<Vec<_>>(), [3]);
}
