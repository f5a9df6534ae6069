//! The checks at the end of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use client::admin::OffsetSpec;
use client::consumer::{ConsumerOptions, Position};
use client::{Admin, Consumer, TopicPartition};
use runtime::clock;

use crate::history::{Commits, Fate, History, SentRecord};
use crate::run;
use crate::swarm::Swarm;
use crate::workload::{GROUP, TOPIC};

/// The time that reading everything may take.
const DRAIN_MAX: Duration = Duration::from_secs(120);

/// The contents of the broker at the end.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Values by partition, in the order of offsets.
    logs: BTreeMap<i32, Vec<(i64, Vec<u8>)>>,
    committed: BTreeMap<i32, i64>,
}

/// Reads all partitions from start to end, and the committed offsets of the group.
pub(crate) async fn drain(swarm: Swarm) -> Result<Contents, String> {
    let cluster = run::connect().await?;
    let admin = Admin::new(cluster.clone());
    let partitions: Vec<_> = (0..swarm.partitions).map(|index| TopicPartition::new(TOPIC, index)).collect();
    let ends = partitions.iter().map(|at| (at.clone(), OffsetSpec::Latest)).collect();
    let ends = admin.list_offsets(&ends).await.map_err(|error| format!("no ends: {error}"))?;
    let mut consumer = Consumer::new(cluster, ConsumerOptions::default());
    consumer.assign(partitions.iter().map(|at| (at.clone(), Position::Offset(0))));
    let mut drained = Contents::default();
    let deadline = clock::now() + DRAIN_MAX;
    let is_behind = |consumer: &Consumer, at: &TopicPartition| {
        let end = ends.get(at).cloned().flatten().map_or(0, |end| end.offset);
        consumer.position(at).unwrap_or(0) < end
    };
    while partitions.iter().any(|at| is_behind(&consumer, at)) {
        if clock::now() > deadline {
            return Err("the logs cannot be read to their ends within two minutes".to_owned());
        }
        let records = consumer.poll(Duration::from_secs(1)).await;
        for record in records.map_err(|error| format!("the last consumer fails: {error}"))? {
            let value = record.value.map(|value| value.to_vec()).unwrap_or_default();
            drained.logs.entry(record.partition).or_default().push((record.offset, value));
        }
    }
    let committed = admin.committed(GROUP).await.map_err(|error| format!("no committed offsets: {error}"))?;
    drained.committed =
        committed.into_iter().map(|(at, committed)| (at.partition, committed.offset)).collect();
    Ok(drained)
}

/// Compares the contents with the history.
pub(crate) fn all(history: &History, drained: &Contents) -> Result<(), String> {
    history.look(|sent, commits, wrong| {
        if let Some(wrong) = wrong.first() {
            return Err(wrong.clone());
        }
        let places = places(drained)?;
        for (value, record) in sent {
            acknowledged_is_there(value, record, &places)?;
        }
        known_and_in_order(sent, drained)?;
        commits_stay(commits, drained)
    })
}

/// The place of each value; fails if a value is there twice or an offset is missing.
fn places(drained: &Contents) -> Result<BTreeMap<&[u8], (i32, i64)>, String> {
    let mut places = BTreeMap::new();
    for (partition, log) in &drained.logs {
        for (expected, (offset, value)) in (0..).zip(log) {
            if *offset != expected {
                return Err(format!(
                    "partition {partition} has offset {offset}, but {expected} was expected"
                ));
            }
            if let Some(before) = places.insert(value.as_slice(), (*partition, *offset)) {
                let name = name(value);
                return Err(format!(
                    "{name} is in the log twice: at {before:?} and at {offset} of {partition}"
                ));
            }
        }
    }
    Ok(places)
}

fn acknowledged_is_there(
    value: &[u8],
    record: &SentRecord,
    places: &BTreeMap<&[u8], (i32, i64)>,
) -> Result<(), String> {
    let place = places.get(value);
    match (record.fate, place) {
        (Fate::Acknowledged(offset), None) => {
            Err(format!("{}, acknowledged at {offset:?} of {}, is lost", name(value), record.partition))
        }
        (Fate::Acknowledged(Some(offset)), Some(place)) if *place != (record.partition, offset) => {
            Err(format!("{}, acknowledged at {offset} of {}, is at {place:?}", name(value), record.partition))
        }
        (Fate::Refused, Some(place)) => Err(format!("{} was rejected, but is at {place:?}", name(value))),
        _ => Ok(()),
    }
}

/// The log has only records that were sent, and each producer's records in the order of sending.
fn known_and_in_order(sent: &BTreeMap<Vec<u8>, SentRecord>, drained: &Contents) -> Result<(), String> {
    for (partition, log) in &drained.logs {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (offset, value) in log {
            let Some(record) = sent.get(value) else {
                return Err(format!(
                    "offset {offset} of {partition} has a record that nobody sent: {}",
                    name(value)
                ));
            };
            if let Some(before) = last.insert(record.producer, record.number)
                && before > record.number
            {
                let SentRecord { producer, number, .. } = record;
                return Err(format!("producer {producer}: {number} is after {before} in {partition}"));
            }
        }
    }
    Ok(())
}

/// The last acknowledged commit is there, unless an unanswered one came after it.
fn commits_stay(commits: &BTreeMap<i32, Commits>, drained: &Contents) -> Result<(), String> {
    for (partition, commits) in commits {
        let left = drained.committed.get(partition).copied();
        if left != commits.acknowledged && !left.is_some_and(|left| commits.attempted.contains(&left)) {
            return Err(format!(
                "the commits of partition {partition} were {commits:?}, but it has {left:?}"
            ));
        }
    }
    Ok(())
}

/// A value without its filler.
fn name(value: &[u8]) -> String {
    let end =
        value.iter().enumerate().filter(|(_, byte)| **byte == b':').nth(2).map_or(value.len(), |(at, _)| at);
    format!("record {}", String::from_utf8_lossy(&value[..end]))
}
