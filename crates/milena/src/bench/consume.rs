//! Reading, alone or beside a producer.

use std::time::Duration;

use client::admin::OffsetSpec;
use client::consumer::{ConsumerOptions, Position};
use client::{Consumer, TopicPartition};
use runtime::clock::{self, Instant};
use runtime::random;

use super::pace::{Pace, Values};
use super::produce::RecordSender;
use super::summary::{Latencies, Summary, rates};
use super::{Load, consume_failure};
use crate::failure::Failure;
use crate::output::Progress;

/// The longest pause after which a topic counts as read to its end, or a record as lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the run's number. A value of an end-to-end load begins with it and the time at which the record
/// was due.
const RUN_BYTES: usize = 8;
const DUE_BYTES: usize = 8;

fn consumer(load: &Load, from: OffsetSpec) -> Consumer {
    let mut consumer = Consumer::new(load.cluster.clone(), ConsumerOptions::default());
    let at = |partition: &i32| TopicPartition { topic: load.topic.clone(), partition: *partition };
    consumer.assign(load.partitions.iter().map(|partition| (at(partition), Position::Spec(from))));
    consumer
}

/// Reads as many records as the load asks for, or all that there are.
pub(super) async fn run(load: &Load) -> Result<Summary, Failure> {
    let mut consumer = consumer(load, OffsetSpec::Earliest);
    let mut progress = Progress::new(false);
    let (begun, mut ended) = (clock::now(), clock::now());
    let (mut records, mut bytes) = (0, 0);
    while records < load.records {
        let polled = consumer.poll(PATIENCE).await.map_err(|error| consume_failure(&error))?;
        if polled.is_empty() {
            break;
        }
        for record in &polled {
            bytes += record.value.as_ref().map_or(0, |value| value.len() as u64);
        }
        records += polled.len() as u64;
        ended = clock::now();
        progress.show(|elapsed| {
            let (rate, megabytes) = rates(records, bytes, elapsed);
            format!("{records} records consumed, {rate:.0} a second, {megabytes:.1} MB a second")
        });
    }
    drop(progress);
    let topic = load.topic.clone();
    Ok(Summary { what: "consumed", topic, records, bytes, elapsed: ended - begun, latencies: None })
}

/// Sends at the load's rate and reads at once.
pub(super) async fn end_to_end(load: &Load) -> Result<Summary, Failure> {
    let mut consumer = consumer(load, OffsetSpec::Latest);
    // Find the ends of the partitions before anything is sent.
    consumer.poll(Duration::from_millis(1)).await.map_err(|error| consume_failure(&error))?;
    let run = random::u64().to_be_bytes();
    let epoch = clock::now();
    let sending = RecordSender::new(load);
    let ((), latencies) =
        tokio::try_join!(send(load, sending, run, epoch), take(load, &mut consumer, run, epoch))?;
    Ok(Summary {
        what: "produced and consumed",
        topic: load.topic.clone(),
        records: latencies.count(),
        bytes: latencies.count() * load.size as u64,
        elapsed: epoch.elapsed(),
        latencies: Some(latencies),
    })
}

async fn send(
    load: &Load,
    sending: RecordSender,
    run: [u8; RUN_BYTES],
    epoch: Instant,
) -> Result<(), Failure> {
    let mut value = Values::new(load.size).of(0).to_vec();
    value[..RUN_BYTES].copy_from_slice(&run);
    let mut pace = Pace::new(load.throughput);
    for nth in 0..load.records {
        let due = pace.due(nth).await;
        let due_ns = u64::try_from((due - epoch).as_nanos()).expect("not for centuries");
        value[RUN_BYTES..RUN_BYTES + DUE_BYTES].copy_from_slice(&due_ns.to_be_bytes());
        sending.send(load, nth, &value, due).await?;
        sending.check()?;
    }
    sending.finish().await.map(drop)
}

/// Takes the records of this run and passes over those of other producers.
async fn take(
    load: &Load,
    consumer: &mut Consumer,
    run: [u8; RUN_BYTES],
    epoch: Instant,
) -> Result<Latencies, Failure> {
    let mut latencies = Latencies::new();
    let mut progress = Progress::new(false);
    let mut heard = clock::now();
    while latencies.count() < load.records {
        let polled = consumer.poll(PATIENCE).await.map_err(|error| consume_failure(&error))?;
        let arrived = epoch.elapsed();
        for record in &polled {
            let Some((of_run, rest)) = record.value.as_deref().and_then(<[u8]>::split_first_chunk) else {
                continue;
            };
            if let (true, Some(due_ns)) = (*of_run == run, rest.first_chunk::<DUE_BYTES>()) {
                let due = Duration::from_nanos(u64::from_be_bytes(*due_ns));
                latencies.add(arrived.saturating_sub(due));
                heard = clock::now();
            }
        }
        if heard.elapsed() > PATIENCE {
            let (seen, all) = (latencies.count(), load.records);
            return Err(Failure::new(format!(
                "{seen} of {all} records have come, and no more for ten seconds"
            )));
        }
        progress.show(|elapsed| {
            let (seen, p99_ms) = (latencies.count(), latencies.percentile_ms(99.0));
            let (rate, _) = rates(seen, 0, elapsed);
            format!(
                "{seen} of {} records there and back, {rate:.0} a second, p99 {p99_ms:.1} ms",
                load.records
            )
        });
    }
    Ok(latencies)
}
