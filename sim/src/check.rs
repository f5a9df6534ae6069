//! What must be true of what is left.

use std::collections::BTreeMap;
use std::time::Duration;

use client::admin::OffsetSpec;
use client::consumer::{ConsumerOptions, Position};
use client::{Admin, Consumer, TopicPartition};
use runtime::clock;

use crate::history::{Commits, Fate, History, Sent};
use crate::run;
use crate::swarm::Swarm;
use crate::workload::{GROUP, TOPIC};

/// The longest that reading everything may take.
const DRAIN_MAX: Duration = Duration::from_secs(120);

/// Everything that the broker has at the end.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    /// Values by partition, in the order of offsets.
    logs: BTreeMap<i32, Vec<(i64, Vec<u8>)>>,
    committed: BTreeMap<i32, i64>,
}

/// Reads all partitions from begin to end, and what the group has committed.
pub(crate) async fn drain(swarm: Swarm) -> Result<Drained, String> {
    let cluster = run::connect().await?;
    let admin = Admin::new(cluster.clone());
    let partitions: Vec<_> = (0..swarm.partitions).map(|index| TopicPartition::new(TOPIC, index)).collect();
    let ends = partitions.iter().map(|at| (at.clone(), OffsetSpec::Latest)).collect();
    let ends = admin.list_offsets(&ends).await.map_err(|error| format!("no ends: {error}"))?;
    let mut consumer = Consumer::new(cluster, ConsumerOptions::default());
    consumer.assign(partitions.iter().map(|at| (at.clone(), Position::Offset(0))));
    let mut drained = Drained::default();
    let deadline = clock::now() + DRAIN_MAX;
    let is_behind = |consumer: &Consumer, at: &TopicPartition| {
        let end = ends.get(at).cloned().flatten().map_or(0, |end| end.offset);
        consumer.position(at).unwrap_or(0) < end
    };
    while partitions.iter().any(|at| is_behind(&consumer, at)) {
        if clock::now() > deadline {
            return Err("the logs cannot be read to their ends in two minutes".to_owned());
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

/// Compares what is left with what was seen.
pub(crate) fn all(history: &History, drained: &Drained) -> Result<(), String> {
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

/// Where each value is; no value is twice, and no offset is missing.
fn places(drained: &Drained) -> Result<BTreeMap<&[u8], (i32, i64)>, String> {
    let mut places = BTreeMap::new();
    for (partition, log) in &drained.logs {
        for (expected, (offset, value)) in (0..).zip(log) {
            if *offset != expected {
                return Err(format!("partition {partition} has offset {offset} where {expected} should be"));
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
    record: &Sent,
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
        (Fate::Refused, Some(place)) => Err(format!("{} was refused, and is at {place:?}", name(value))),
        _ => Ok(()),
    }
}

/// The log has what was sent and nothing else, and each producer's records in the order of sending.
fn known_and_in_order(sent: &BTreeMap<Vec<u8>, Sent>, drained: &Drained) -> Result<(), String> {
    for (partition, log) in &drained.logs {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (offset, value) in log {
            let Some(record) = sent.get(value) else {
                return Err(format!("offset {offset} of {partition} has what nobody sent: {}", name(value)));
            };
            if let Some(before) = last.insert(record.producer, record.number)
                && before > record.number
            {
                let Sent { producer, number, .. } = record;
                return Err(format!("producer {producer}: {number} is behind {before} in {partition}"));
            }
        }
    }
    Ok(())
}

/// What was committed last, and acknowledged, is there, unless a commit that nobody answered came after it.
fn commits_stay(commits: &BTreeMap<i32, Commits>, drained: &Drained) -> Result<(), String> {
    for (partition, commits) in commits {
        let left = drained.committed.get(partition).copied();
        if left != commits.acknowledged && !left.is_some_and(|left| commits.attempted.contains(&left)) {
            return Err(format!("{commits:?} of partition {partition}, and {left:?} is left"));
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
