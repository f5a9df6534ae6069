//! A consumer of all partitions, which remembers only its positions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::admin::OffsetSpec;
use client::consumer::{ConsumerOptions, Position};
use client::{Consumer, TopicPartition};
use tokio::sync::watch;

use crate::history::History;
use crate::run;
use crate::swarm::Swarm;
use crate::workload::TOPIC;

/// Reads until it is stopped.
pub(super) async fn run(
    swarm: Swarm,
    history: Arc<History>,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    // Records that were visible and not durable are lost with the power: the position may be beyond the end
    // then.
    let options = ConsumerOptions { reset: Some(OffsetSpec::Earliest), ..ConsumerOptions::default() };
    let mut consumer = Consumer::new(run::connect().await?, options);
    let begin = |index| (TopicPartition::new(TOPIC, index), Position::Spec(OffsetSpec::Earliest));
    consumer.assign((0..swarm.partitions).map(begin));
    let mut last: BTreeMap<i32, i64> = BTreeMap::new();
    while !*stopping.borrow() {
        let records = match consumer.poll(Duration::from_millis(500)).await {
            Ok(records) => records,
            Err(error) => return Err(format!("the consumer fails: {error}")),
        };
        history.consumed(records.len());
        for record in records {
            let before = last.insert(record.partition, record.offset);
            // The consumer starts over, or it continues with the next offset.
            let is_next = before.is_none_or(|before| record.offset == before + 1);
            if !is_next && record.offset != 0 {
                history.wrong(format!(
                    "the consumer read offset {} of {} after {before:?}",
                    record.offset, record.partition
                ));
            }
        }
    }
    Ok(())
}
