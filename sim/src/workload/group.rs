//! A member of a group that commits what it has read.

use std::sync::Arc;
use std::time::Duration;

use client::GroupConsumer;
use client::admin::OffsetSpec;
use client::consumer::ConsumerOptions;
use client::group::GroupOptions;
use fastrand::Rng;
use runtime::clock;
use tokio::sync::watch;

use crate::history::History;
use crate::run;
use crate::workload::{GROUP, TOPIC};

/// Reads and commits until it is stopped; leaves now and then, and returns.
pub(super) async fn run(
    history: Arc<History>,
    mut chance: Rng,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    while !*stopping.borrow() {
        let cluster = run::connect().await?;
        let mut options = GroupOptions::new(GROUP);
        options.session_timeout = Duration::from_secs(6);
        options.heartbeat_interval = Duration::from_millis(500);
        options.commit_interval = None;
        options.reset = OffsetSpec::Earliest;
        options.consumer =
            ConsumerOptions { reset: Some(OffsetSpec::Earliest), ..ConsumerOptions::default() };
        let mut member = GroupConsumer::new(cluster, options, vec![TOPIC.to_owned()]);
        let leaves_at = clock::now() + Duration::from_millis(chance.u64(1_000..20_000));
        while !*stopping.borrow() && clock::now() < leaves_at {
            // Retry while the group does not work: it is down with its node.
            let Ok(records) = member.poll(Duration::from_millis(300)).await else { break };
            history.consumed(records.len());
            let position =
                |at: &client::TopicPartition| Some((at.partition, member.consumer().position(at)?));
            let positions: Vec<_> = member.assignment().iter().filter_map(position).collect();
            if records.is_empty() || chance.bool() {
                continue;
            }
            history.committing(&positions);
            if member.commit().await.is_ok() {
                // A commit that the coordinator rejects because of a rebalance leaves the known positions.
                let known = |at: &(i32, i64)| {
                    member.committed().get(&client::TopicPartition::new(TOPIC, at.0)) == Some(&at.1)
                };
                history.committed(positions.into_iter().filter(known));
            }
        }
        let _ = member.leave().await;
    }
    Ok(())
}
