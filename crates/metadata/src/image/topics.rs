//! Topics and their partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::records::{PartitionChangeRecord, PartitionRecord};
use protocol::{Str, Uuid};

use super::{Few, NO_LEADER, SortedMap};

/// `leader` in a change that keeps the leader.
const NO_LEADER_CHANGE: i32 = -2;

/// One partition, as the controller has decided it. There are as many of these as partitions in the cluster,
/// so it is small: attributes that few partitions have are stored apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// The brokers with a replica, the preferred leader first.
    pub replicas: Few<i32>,
    /// The replicas that are in sync.
    pub isr: Few<i32>,
    /// The directory of each replica, in the order of `replicas`.
    pub directories: Few<Uuid>,
    /// The attributes that few partitions have; `None` if all of them are empty.
    rare: Option<Box<Rare>>,
    /// The leader; [`NO_LEADER`] if there is none.
    pub leader: i32,
    /// Rises with each election.
    pub leader_epoch: i32,
    /// Rises with each change.
    pub partition_epoch: i32,
    /// 0 if it has recovered; 1 while the recovery from an unclean election is not finished.
    pub leader_recovery_state: i8,
}

/// The attributes that few partitions have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    removing_replicas: Vec<i32>,
    adding_replicas: Vec<i32>,
    eligible_leader_replicas: Vec<i32>,
    last_known_elr: Vec<i32>,
}

impl Rare {
    fn kept(self) -> Option<Box<Rare>> {
        (self != Rare::default()).then(|| Box::new(self))
    }
}

/// The value for partitions without any of these attributes.
static NOTHING_RARE: Rare = Rare {
    removing_replicas: Vec::new(),
    adding_replicas: Vec::new(),
    eligible_leader_replicas: Vec::new(),
    last_known_elr: Vec::new(),
};

impl Partition {
    pub(super) fn new(record: PartitionRecord) -> Self {
        let rare = Rare {
            removing_replicas: record.removing_replicas,
            adding_replicas: record.adding_replicas,
            eligible_leader_replicas: record.eligible_leader_replicas.unwrap_or_default(),
            last_known_elr: record.last_known_elr.unwrap_or_default(),
        };
        Self {
            replicas: record.replicas.into(),
            isr: record.isr.into(),
            directories: record.directories.into(),
            rare: rare.kept(),
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
            leader_recovery_state: record.leader_recovery_state,
        }
    }

    /// Applies a change.
    pub(crate) fn change(&mut self, record: PartitionChangeRecord) {
        fn set<F: From<T>, T>(field: &mut F, change: Option<T>) {
            if let Some(change) = change {
                *field = change.into();
            }
        }
        set(&mut self.isr, record.isr);
        set(&mut self.replicas, record.replicas);
        set(&mut self.directories, record.directories);
        let mut rare = self.rare().clone();
        set(&mut rare.removing_replicas, record.removing_replicas);
        set(&mut rare.adding_replicas, record.adding_replicas);
        set(&mut rare.eligible_leader_replicas, record.eligible_leader_replicas);
        set(&mut rare.last_known_elr, record.last_known_elr);
        self.rare = rare.kept();
        if record.leader != NO_LEADER_CHANGE {
            self.leader = record.leader;
            self.leader_epoch += 1;
        }
        if record.leader_recovery_state >= 0 {
            self.leader_recovery_state = record.leader_recovery_state;
        }
        self.partition_epoch += 1;
    }

    pub(super) fn record(&self, topic_id: Uuid, partition_id: i32) -> PartitionRecord {
        let unless_empty = |replicas: &Vec<i32>| Some(replicas.clone()).filter(|list| !list.is_empty());
        let rare = self.rare();
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: self.replicas.to_vec(),
            isr: self.isr.to_vec(),
            removing_replicas: rare.removing_replicas.clone(),
            adding_replicas: rare.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: self.directories.to_vec(),
            eligible_leader_replicas: unless_empty(&rare.eligible_leader_replicas),
            last_known_elr: unless_empty(&rare.last_known_elr),
        }
    }

    fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }

    /// The replicas that a reassignment adds.
    pub fn adding_replicas(&self) -> &[i32] {
        &self.rare().adding_replicas
    }

    /// The replicas that a reassignment removes.
    pub fn removing_replicas(&self) -> &[i32] {
        &self.rare().removing_replicas
    }

    /// Whether a reassignment is in progress.
    pub fn is_reassigned(&self) -> bool {
        !self.adding_replicas().is_empty() || !self.removing_replicas().is_empty()
    }

    /// The replicas that are not in sync and still have all committed records (KIP-966).
    pub fn eligible_leader_replicas(&self) -> &[i32] {
        &self.rare().eligible_leader_replicas
    }

    /// The last eligible leader replicas, once there are none left.
    pub fn last_known_elr(&self) -> &[i32] {
        &self.rare().last_known_elr
    }

    /// Clears both.
    pub(super) fn clear_elr(&mut self) {
        let mut rare = self.rare().clone();
        rare.eligible_leader_replicas.clear();
        rare.last_known_elr.clear();
        self.rare = rare.kept();
    }

    /// Whether it has a leader.
    pub fn has_leader(&self) -> bool {
        self.leader != NO_LEADER
    }
}

/// One topic. Its partitions are numbered from 0 without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Str,
    /// The id, which identifies it even if another topic of the same name follows.
    pub id: Uuid,
    /// Its partitions, by number.
    pub partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// The partition with that number.
    pub fn partition(&self, partition: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }
}

/// Every topic, by name and by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topics {
    by_id: SortedMap<Uuid, Arc<Topic>>,
    by_name: SortedMap<Str, Uuid>,
    /// Names with a `.` or `_`, by their form in metrics, which has `_` for both: such names must not
    /// collide.
    by_metric_name: SortedMap<Str, Str>,
    partitions: usize,
    /// The number of replicas in each log directory with any.
    replicas_in: Arc<BTreeMap<Uuid, usize>>,
}

impl Topics {
    /// The number of topics.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are no topics.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The number of partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    /// The number of replicas in a log directory.
    pub fn replicas_in(&self, directory: Uuid) -> usize {
        self.replicas_in.get(&directory).copied().unwrap_or_default()
    }

    /// Counts the replicas of a partition that is new, or whose directories change.
    fn count(&mut self, directories: &[Uuid]) {
        let replicas_in = Arc::make_mut(&mut self.replicas_in);
        for directory in directories {
            *replicas_in.entry(*directory).or_default() += 1;
        }
    }

    /// Removes replicas from the count.
    fn discount(&mut self, directories: &[Uuid]) {
        let replicas_in = Arc::make_mut(&mut self.replicas_in);
        for directory in directories {
            let count = replicas_in.get_mut(directory).expect("it was counted");
            *count -= 1;
            if *count == 0 {
                replicas_in.remove(directory);
            }
        }
    }

    /// The topic called `name`.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// The topic with that id.
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// The topics in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.iter().filter_map(|(_, id)| self.by_id.get(id))
    }

    /// The topics from `name` on, in the order of their names.
    pub fn iter_from(&self, name: &str) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.iter_from(name).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// The topic whose name differs from `name` only by `.` instead of `_`, or the reverse.
    pub fn colliding(&self, name: &str) -> Option<&Str> {
        self.by_metric_name.get(metric_name(name)?.as_str()).filter(|other| ***other != *name)
    }

    /// Adds a topic without partitions. Returns `false` if its name or id is taken.
    pub(super) fn insert(&mut self, name: &Str, id: Uuid) -> bool {
        if self.by_name.contains_key(&**name) || self.by_id.contains_key(&id) {
            return false;
        }
        // The name may be a slice of a whole request, which must not live as long as the topic.
        let name = name.detached();
        if let Some(metric_name) = metric_name(&name) {
            self.by_metric_name.insert(metric_name.into(), name.clone());
        }
        self.by_name.insert(name.clone(), id);
        self.by_id.insert(id, Arc::new(Topic { name, id, partitions: Vec::new() }));
        true
    }

    /// Removes a topic.
    pub(super) fn remove(&mut self, id: Uuid) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&*topic.name);
        if let Some(metric_name) = metric_name(&topic.name) {
            self.by_metric_name.remove(metric_name.as_str());
        }
        self.partitions -= topic.partitions.len();
        topic.partitions.iter().for_each(|partition| self.discount(&partition.directories));
        Some(topic)
    }

    /// Sets an existing partition, or the next one. Returns `false` if the topic is unknown or the partition
    /// would leave a gap.
    pub(super) fn set_partition(&mut self, id: Uuid, number: i32, partition: Partition) -> bool {
        let Some(topic) = self.by_id.get_mut(&id) else { return false };
        let Ok(at) = usize::try_from(number) else { return false };
        if at > topic.partitions.len() {
            return false;
        }
        let partitions = &mut Arc::make_mut(topic).partitions;
        let partition = Arc::new(partition);
        let before = match partitions.get_mut(at) {
            Some(slot) => Some(std::mem::replace(slot, Arc::clone(&partition))),
            None => {
                partitions.push(Arc::clone(&partition));
                self.partitions += 1;
                None
            }
        };
        self.count(&partition.directories);
        before.iter().for_each(|before| self.discount(&before.directories));
        true
    }

    /// Changes a partition. Returns `false` if it does not exist.
    pub(super) fn change_partition(
        &mut self,
        id: Uuid,
        number: i32,
        change: impl FnOnce(&mut Partition),
    ) -> bool {
        let Ok(at) = usize::try_from(number) else { return false };
        let Some(topic) = self.by_id.get_mut(&id) else { return false };
        if at >= topic.partitions.len() {
            return false;
        }
        let partition = Arc::make_mut(&mut Arc::make_mut(topic).partitions[at]);
        let before = partition.directories.clone();
        change(partition);
        let after = partition.directories.clone();
        self.count(&after);
        self.discount(&before);
        true
    }
}

/// The form in metrics of a name with `.` or `_`, with `_` for both.
fn metric_name(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
