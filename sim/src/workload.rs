//! Clients that record their observations.

mod consume;
mod group;
mod offsets;
mod produce;

use std::pin::Pin;
use std::sync::Arc;

use client::Admin;
use client::admin::NewTopic;
use fastrand::Rng;
use tokio::sync::watch;

use crate::history::History;
use crate::run;
use crate::swarm::Swarm;

/// The topic of the run.
pub(crate) const TOPIC: &str = "events";
/// The group that reads it.
pub(crate) const GROUP: &str = "readers";

/// A client at work; an error is an observation that should be impossible.
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Creates the topic.
pub(crate) async fn prepare(swarm: Swarm) -> Result<(), String> {
    let admin = Admin::new(run::connect().await?);
    let topic = NewTopic {
        name: TOPIC.to_owned(),
        partitions: Some(swarm.partitions),
        replication_factor: Some(1),
        configs: vec![
            ("internal.segment.bytes".to_owned(), swarm.segment_bytes.to_string()),
            ("retention.ms".to_owned(), "-1".to_owned()),
        ],
    };
    admin
        .create_topic(&topic, false)
        .await
        .map(drop)
        .map_err(|error| format!("the topic is not created: {error}"))
}

/// The clients of a run.
pub(crate) fn all(
    swarm: &Swarm,
    history: &Arc<History>,
    chance: &mut Rng,
    stopping: &watch::Receiver<bool>,
) -> Vec<Work> {
    let mut work: Vec<Work> = Vec::new();
    for producer in 0..swarm.producers {
        let (swarm, history, stopping) = (swarm.clone(), Arc::clone(history), stopping.clone());
        work.push(Box::pin(produce::run(producer, swarm, history, chance.fork(), stopping)));
    }
    work.push(Box::pin(consume::run(swarm.clone(), Arc::clone(history), stopping.clone())));
    for _ in 0..swarm.group_members {
        work.push(Box::pin(group::run(Arc::clone(history), chance.fork(), stopping.clone())));
    }
    work.push(Box::pin(offsets::run(Arc::clone(history), chance.fork(), stopping.clone())));
    work
}
