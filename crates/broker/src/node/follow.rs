//! Following the metadata log: topics come, grow, change their settings and go.

mod progress;
mod without_room;

use std::sync::{Arc, Weak};

use coordinator::DeletedTopic;
use metadata::controller::Assignment;
use metadata::quorum::Changes;
use metadata::{Change, Delta, Image, ResourceType};
use protocol::Uuid;
use runtime::{clock, task};
use storage::TopicPartition;
use tokio::sync::watch;
use tracing::{error, warn};

use crate::beside;
use crate::broker::Broker;
use crate::coordinators::OFFSETS_TOPIC;
use crate::directories::LogToOpen;
use crate::replicas::{BrokerState, PartitionRules, PartitionSlot, Replica, ReplicaToOpen, Topic};
use progress::Progress;

/// Puts in force what the metadata has when a broker starts. Blocks on the disk.
pub(super) fn begin(broker: &Broker) {
    let image = broker.image();
    let delta = Delta { topics: image.topics().iter().map(|topic| topic.id).collect(), ..Delta::default() };
    broker.put_in_force(&Change { old: Arc::default(), new: image, delta });
}

/// Puts changes of the metadata in force, one after the other, until the quorum stops. If one cannot be, because acting
/// on it panicked, the broker cannot go on: `fatal` says so.
pub(super) async fn follow(broker: Weak<Broker>, changes: Changes, fatal: watch::Sender<Option<String>>) {
    let acting = Weak::clone(&broker);
    let in_force = act_on(changes, move |change| {
        // Without a broker nobody waits for it.
        if let Some(broker) = acting.upgrade() {
            broker.put_in_force(change);
        }
    });
    if let Err(failed) = in_force.await {
        let reason = format!("a change of the cluster's metadata could not be put in force: {failed}");
        error!("{reason}");
        fatal.send_replace(Some(reason));
    }
    if let Some(broker) = broker.upgrade() {
        broker.cluster.view().end();
    }
}

/// Has `act` act on each change in turn, on a thread that may block.
///
/// # Errors
/// If it panicked: what follows is not acted on.
async fn act_on(
    mut changes: Changes,
    act: impl Fn(&Change) + Clone + Send + 'static,
) -> Result<(), task::JoinError> {
    while let Some(change) = changes.next().await {
        let act = act.clone();
        task::spawn_blocking(move || act(&change)).await?;
    }
    Ok(())
}

impl Broker {
    /// Puts a change of the metadata in force. Blocks on the disk.
    fn put_in_force(&self, change: &Change) {
        let view = self.cluster.view();
        view.show(Arc::clone(&change.new));
        self.apply(change);
        view.put_in_force(change.new.offset());
    }

    fn apply(&self, change: &Change) {
        let _applying = self.replicas.applying();
        let deleted: Vec<_> = change.deleted_topics().cloned().collect();
        let removed: Vec<Uuid> = deleted.iter().map(|topic| topic.id).collect();
        if !removed.is_empty() {
            self.delete_topics(&removed);
            let gone = deleted.iter().map(|topic| DeletedTopic { name: topic.name.clone(), id: topic.id });
            self.groups.topics_deleted(&gone.collect::<Vec<_>>());
        }
        self.decide(change);
        self.open_missing(&change.new, &change.delta);
        self.open_again(&change.new, self.replicas.dirs().accept_losses(&change.new, &change.delta));
        self.reconfigure(&change.new, &change.delta);
        self.look_at_brokers(change);
    }

    fn delete_topics(&self, ids: &[Uuid]) {
        let table = self.replicas.table();
        // First out of the table, so that no new request finds them.
        self.replicas.change(Vec::new(), ids);
        let mut deleted = Vec::new();
        for topic in ids.iter().filter_map(|id| table.by_id(*id)) {
            if &**topic.name() == OFFSETS_TOPIC {
                self.groups.resign_all();
            }
            topic.partitions().for_each(|partition| self.moves.cancel(partition));
            deleted.push(Arc::clone(topic));
        }
        self.replicas.delete_logs(&deleted);
    }

    /// Has the replicas that are here go by what the controller has decided of them since.
    fn decide(&self, change: &Change) {
        let table = self.replicas.table();
        for (topic, index, _, decided) in change.changed_partitions() {
            let Some(topic) = table.by_id(topic.id) else { continue };
            let Ok(replica) = topic.partition(index) else { continue };
            if replica.decide(decided) && &**topic.name() == OFFSETS_TOPIC {
                self.elect_shard(replica, topic.slots().len());
            }
        }
    }

    /// Has the coordinator of a partition of `__consumer_offsets` begin anew in a new epoch, or resign.
    fn elect_shard(&self, replica: &Arc<Replica>, count: usize) {
        let count = i32::try_from(count).expect("partitions are numbered by i32");
        if replica.leading_epoch().is_some() {
            self.groups.elect(Arc::clone(replica), count);
        } else {
            self.groups.resign(replica.index());
        }
    }

    /// Has leaders know the brokers that their followers are on.
    fn look_at_brokers(&self, change: &Change) {
        let state = |node_id| {
            let broker = change.new.brokers().get(&node_id).filter(|broker| !broker.fenced)?;
            let in_controlled_shutdown = broker.in_controlled_shutdown;
            Some(BrokerState { epoch: broker.broker_epoch, in_controlled_shutdown })
        };
        let table = self.replicas.table();
        if change.delta.brokers.iter().any(|node_id| *node_id != self.config.node_id) {
            table.partitions().for_each(|replica| replica.set_brokers(state));
            return;
        }
        let changed = change.delta.topics.iter().filter_map(|id| table.by_id(*id));
        changed.flat_map(|topic| topic.partitions()).for_each(|replica| replica.set_brokers(state));
    }

    /// Opens the logs of partitions that are in the metadata and not yet here.
    fn open_missing(&self, image: &Image, delta: &Delta) {
        let table = self.replicas.table();
        let slots_of = |id| table.by_id(id).map_or(&[][..], |topic| topic.slots());
        let (mut grown, mut missing) = (Vec::new(), Vec::new());
        for topic in delta.topics.iter().filter_map(|id| image.topic_by_id(*id)) {
            let numbers = slots_of(topic.id).len()..topic.partitions.len();
            if !numbers.is_empty() {
                let rules = self.rules(image, &topic.name);
                missing.extend(numbers.clone().map(|index| {
                    let is_here = topic.partitions[index].replicas.contains(&self.config.node_id);
                    is_here.then(|| self.to_open(topic, index, &rules))
                }));
                grown.push((topic, numbers.len()));
            }
        }
        let mut opened = self.open_all(missing).into_iter();
        let topics = grown.into_iter().map(|(topic, count)| {
            let slots = slots_of(topic.id).iter().cloned().chain(opened.by_ref().take(count)).collect();
            Topic::new(topic.name.clone(), topic.id, slots)
        });
        let topics: Vec<Topic> = topics.collect();
        self.elect_groups(&topics);
        let elsewhere = self.elsewhere(image, &topics);
        self.replicas.change(topics, &[]);
        self.tell_where(elsewhere);
    }

    /// The partitions that are in another directory than the controller knows: a client has chosen it.
    fn elsewhere(&self, image: &Image, topics: &[Topic]) -> Vec<Assignment> {
        let partitions = topics.iter().flat_map(|topic| {
            let known = image.topic_by_id(topic.id());
            topic.partitions().filter_map(move |partition| {
                let known = known?.partition(partition.index())?.directory_of(self.config.node_id);
                let directory = partition.log_dir().id();
                let assignment = Assignment { topic_id: topic.id(), partition: partition.index(), directory };
                (known != directory).then_some(assignment)
            })
        });
        partitions.collect()
    }

    /// Reports the directories of partitions to the controller, a little later: its answer is in force once
    /// this change is.
    fn tell_where(&self, assignments: Vec<Assignment>) {
        if assignments.is_empty() {
            return;
        }
        let cluster = Arc::clone(&self.cluster);
        task::spawn(async move {
            if let Err(problem) = cluster.assign_replicas_to_dirs(&assignments).await {
                warn!("the controller does not know the directories of partitions: {}", problem.message());
            }
        });
    }

    fn to_open(&self, topic: &metadata::Topic, index: usize, rules: &Arc<PartitionRules>) -> ReplicaToOpen {
        let partition = &topic.partitions[index];
        let index = i32::try_from(index).expect("partitions are numbered by i32");
        ReplicaToOpen {
            topic: topic.name.clone(),
            log: LogToOpen {
                partition: TopicPartition { topic: topic.name.to_string(), partition: index },
                topic_id: topic.id,
                directory: partition.directory_of(self.config.node_id),
                preferred: self.moves.take_preferred(&topic.name, index),
                config: rules.log(),
            },
            node_id: self.config.node_id,
            decided: Arc::clone(partition),
            rules: Arc::clone(rules),
        }
    }

    /// Opens the logs of the replicas that are on this broker, several at a time, and tells how far it is if that takes long.
    fn open_all(&self, replicas: Vec<Option<ReplicaToOpen>>) -> Vec<PartitionSlot> {
        let progress = Progress::new(replicas.len(), clock::now());
        beside::map(replicas, |replica| {
            let slot = replica.map_or(PartitionSlot::Elsewhere, |replica| self.replicas.open(replica));
            progress.one_more();
            slot
        })
    }

    fn elect_groups(&self, topics: &[Topic]) {
        let Some(offsets) = topics.iter().find(|topic| &**topic.name() == OFFSETS_TOPIC) else { return };
        let count = offsets.slots().len();
        if offsets.slots().iter().any(PartitionSlot::is_offline) {
            error!("some partitions of {OFFSETS_TOPIC} are offline: their groups are not served");
        }
        offsets.partitions().for_each(|replica| self.elect_shard(replica, count));
    }

    /// Puts changed settings in force: a topic's own, or the broker's for all topics.
    fn reconfigure(&self, image: &Image, delta: &Delta) {
        let table = self.replicas.table();
        let set_rules = |topic: &Topic| {
            let rules = self.rules(image, topic.name());
            topic.partitions().for_each(|partition| partition.set_rules(Arc::clone(&rules)));
        };
        if delta.configs.iter().any(|resource| resource.resource_type == ResourceType::Broker) {
            table.topics().for_each(|topic| set_rules(topic));
            return;
        }
        let of_topics = delta.configs.iter().filter(|resource| resource.resource_type == ResourceType::Topic);
        of_topics.filter_map(|resource| table.by_name(&resource.name)).for_each(|topic| set_rules(topic));
    }

    /// The settings that all partitions of a topic share.
    fn rules(&self, image: &Image, topic: &str) -> Arc<PartitionRules> {
        Arc::new(PartitionRules::new(self.cluster.topic_config(image, topic), &self.config))
    }
}

#[cfg(test)]
mod tests;
