//! Following the metadata log: topics come, grow, change their settings and go.

mod without_room;

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::DeletedTopic;
use metadata::controller::Assignment;
use metadata::{Change, Delta, Image, ResourceType};
use protocol::Uuid;
use runtime::task;
use tracing::{error, warn};

use crate::broker::{Broker, DECISION_TIMEOUT};
use crate::groups::OFFSETS_TOPIC;
use crate::logs::PartitionToOpen;
use crate::partition::{Leadership, Partition, PartitionRules};
use crate::topics::{PartitionSlot, Topic};

impl Broker {
    /// Puts a change of the metadata in force. Blocks on the disk.
    pub(crate) fn apply(self: &Arc<Self>, change: &Change) {
        let _applying = self.applying.lock();
        let deleted: Vec<_> = change.deleted_topics().cloned().collect();
        let removed: Vec<Uuid> = deleted.iter().map(|topic| topic.id).collect();
        if !removed.is_empty() {
            self.delete_topics(&removed);
            let gone = deleted.iter().map(|topic| DeletedTopic { name: topic.name.clone(), id: topic.id });
            self.groups.topics_deleted(&gone.collect::<Vec<_>>());
        }
        self.open_missing(&change.new, &change.delta);
        self.open_again(&change.new, self.logs.accept_losses(&change.new, &change.delta));
        self.reconfigure(&change.new, &change.delta);
    }

    fn delete_topics(&self, ids: &[Uuid]) {
        let table = self.topics.table();
        // First out of the table, so that no new request finds them.
        self.topics.change(Vec::new(), ids);
        for topic in ids.iter().filter_map(|id| table.by_id(*id)) {
            if &**topic.name() == OFFSETS_TOPIC {
                self.groups.resign_all();
            }
            topic.partitions().for_each(|partition| self.moves.cancel(partition));
            self.logs.delete_topic(topic);
        }
    }

    /// Opens the logs of partitions that are in the metadata and not yet here.
    fn open_missing(self: &Arc<Self>, image: &Image, delta: &Delta) {
        let mut opened: BTreeMap<Uuid, Vec<PartitionSlot>> = BTreeMap::new();
        let table = self.topics.table();
        for topic in delta.topics.iter().filter_map(|id| image.topic_by_id(*id)) {
            let here = table.by_id(topic.id).map_or(&[][..], |topic| topic.slots());
            if here.len() == topic.partitions.len() {
                continue;
            }
            let missing = here.len()..topic.partitions.len();
            let rules = self.rules(image, &topic.name);
            let missing: Vec<_> = missing.map(|index| self.to_open(topic, index, &rules)).collect();
            let slots = opened.entry(topic.id).or_insert_with(|| here.to_vec());
            slots.extend(self.open_all(missing));
        }
        let topics = opened.into_iter().filter_map(|(id, slots)| {
            let name = image.topic_by_id(id)?.name.clone();
            Some(Topic::new(name, id, slots))
        });
        let topics: Vec<Topic> = topics.collect();
        self.elect_groups(&topics);
        if !topics.is_empty() {
            let elsewhere = self.elsewhere(image, &topics);
            self.topics.change(topics, &[]);
            self.tell_where(elsewhere);
        }
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

    /// Has the controller know where partitions are, a little later: it is what called.
    fn tell_where(self: &Arc<Self>, assignments: Vec<Assignment>) {
        if assignments.is_empty() {
            return;
        }
        let broker = Arc::clone(self);
        task::spawn(async move {
            let node_id = broker.config.node_id;
            let decided = broker.decide(DECISION_TIMEOUT, |controller, image| {
                ((), controller.assign_replicas_to_dirs(image, node_id, &assignments))
            });
            if let Err(problem) = decided.await {
                warn!("the controller does not know where partitions are: {}", problem.message());
            }
        });
    }

    fn to_open(&self, topic: &metadata::Topic, index: usize, rules: &Arc<PartitionRules>) -> PartitionToOpen {
        let partition = &topic.partitions[index];
        PartitionToOpen {
            topic: topic.name.clone(),
            topic_id: topic.id.0,
            index: i32::try_from(index).expect("partitions are numbered by i32"),
            directory: partition.directory_of(self.config.node_id),
            preferred: self.moves.take_preferred(&topic.name, i32::try_from(index).unwrap_or(-1)),
            leadership: Leadership {
                leader_epoch: partition.leader_epoch,
                isr_len: partition.isr.len(),
                replicas_len: partition.replicas.len(),
            },
            rules: Arc::clone(rules),
        }
    }

    /// Opens logs, several at a time: most of it is waiting for the disk.
    fn open_all(self: &Arc<Self>, partitions: Vec<PartitionToOpen>) -> Vec<PartitionSlot> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if partitions.len() == 1 || threads == 1 {
            return partitions.into_iter().map(|partition| self.logs.open_partition(partition)).collect();
        }
        let share = partitions.len().div_ceil(threads);
        let mut partitions = partitions.into_iter();
        let mut shares = Vec::new();
        loop {
            let share: Vec<_> = partitions.by_ref().take(share).collect();
            if share.is_empty() {
                break;
            }
            let broker = Arc::clone(self);
            let work = move || share.into_iter().map(|it| broker.logs.open_partition(it)).collect::<Vec<_>>();
            shares.push(task::spawn_blocking(work));
        }
        let runtime = tokio::runtime::Handle::current();
        let slots =
            shares.into_iter().map(|share| runtime.block_on(share).expect("opening logs does not panic"));
        let mut slots: Vec<_> = slots.flatten().collect();
        slots.shrink_to_fit();
        slots
    }

    fn elect_groups(&self, topics: &[Topic]) {
        let Some(offsets) = topics.iter().find(|topic| &**topic.name() == OFFSETS_TOPIC) else { return };
        let count = i32::try_from(offsets.slots().len()).expect("partitions are numbered by i32");
        let shards: Vec<Arc<Partition>> = offsets.partitions().cloned().collect();
        if shards.len() != offsets.slots().len() {
            error!("some partitions of {OFFSETS_TOPIC} are offline: their groups are not served");
        }
        for shard in shards {
            self.groups.elect(shard, count);
        }
    }

    /// Puts changed settings in force: a topic's own, or the broker's for all topics.
    fn reconfigure(&self, image: &Image, delta: &Delta) {
        let all = delta.configs.iter().any(|resource| resource.resource_type == ResourceType::Broker);
        let table = self.topics.table();
        let changed = table.topics().filter(|topic| {
            let own = |resource: &metadata::ConfigResource| {
                resource.resource_type == ResourceType::Topic && resource.name == *topic.name()
            };
            all || delta.configs.iter().any(own)
        });
        for topic in changed {
            let rules = self.rules(image, topic.name());
            topic.partitions().for_each(|partition| partition.set_rules(Arc::clone(&rules)));
        }
    }

    /// The settings that all partitions of a topic share.
    fn rules(&self, image: &Image, topic: &str) -> Arc<PartitionRules> {
        let config = image.topic_config(topic, self.config.node_id, &self.given);
        Arc::new(PartitionRules::new(config, &self.config))
    }
}
