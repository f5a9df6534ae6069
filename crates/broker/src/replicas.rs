//! The replicas on this broker: their logs, the requests that wait for them, and the records that clients can
//! see.

mod append;
#[cfg_attr(not(test), expect(dead_code, reason = "nothing fetches from other brokers yet"))]
mod follower;
mod leader;
#[cfg(test)]
mod model;
mod replica;
mod role;
mod table;
mod traps;

use std::sync::Arc;

use arc_swap::Guard;
use metadata::Partition;
use parking_lot::{Mutex, MutexGuard};
use protocol::{Str, Uuid};
use storage::TopicPartition;
use tracing::warn;

use crate::beside;
use crate::directories::{LogDirs, LogToOpen};

pub(crate) use append::{AppendedRecords, Refusal};
#[cfg(test)]
pub(crate) use leader::lone_replica;
pub(crate) use leader::{AfterAnswer, BrokerState, Proposal, ProposalAnswer};
pub(crate) use replica::{
    FetchingBroker, FetchingReplica, Isolation, LastScrub, News, OffsetSpec, PartitionRules, ReadOutcome,
    ReadRequest, Replica, ScrubNews, Turn, Watch,
};
pub(crate) use table::{PartitionSlot, Topic, TopicTable, Topics};

/// The replicas of this broker, and the directories that their logs are in.
pub(crate) struct Replicas {
    topics: Topics,
    dirs: LogDirs,
    applying: Mutex<()>,
}

/// A replica whose log is to be opened.
pub(crate) struct ReplicaToOpen {
    pub(crate) topic: Str,
    pub(crate) log: LogToOpen,
    /// This broker, and what the controller has decided of the partition.
    pub(crate) node_id: i32,
    pub(crate) decided: Arc<Partition>,
    /// The rules of the topic, which its partitions share.
    pub(crate) rules: Arc<PartitionRules>,
}

impl Replicas {
    /// Starts without replicas, in these directories.
    pub(crate) fn new(dirs: LogDirs) -> Self {
        Self { topics: Topics::default(), dirs, applying: Mutex::default() }
    }

    /// The present table of topics and their replicas.
    pub(crate) fn table(&self) -> Guard<Arc<TopicTable>> {
        self.topics.table()
    }

    /// The directories that the logs are in.
    pub(crate) fn dirs(&self) -> &LogDirs {
        &self.dirs
    }

    /// Locks the table until it is dropped: while the table follows the metadata or a failure, and while a
    /// log moves from one directory to another.
    pub(crate) fn applying(&self) -> MutexGuard<'_, ()> {
        self.applying.lock()
    }

    /// Adds topics to the table, and removes others.
    pub(crate) fn change(&self, added: Vec<Topic>, removed: &[Uuid]) {
        self.topics.change(added, removed);
    }

    /// Opens the log of a replica. If it cannot be opened, the replica is offline and the reason is logged. Blocks on
    /// the disk.
    pub(crate) fn open(&self, replica: ReplicaToOpen) -> PartitionSlot {
        let ReplicaToOpen { topic, log, node_id, decided, rules } = replica;
        let index = log.partition.partition;
        match self.dirs.open_log(log) {
            Some((log, dir)) => {
                PartitionSlot::Open(Arc::new(Replica::new(topic, index, (node_id, decided), rules, log, dir)))
            }
            None => PartitionSlot::Offline,
        }
    }

    /// Deletes the logs of topics that are no longer in the table.
    pub(crate) fn delete_logs(&self, topics: &[Arc<Topic>]) {
        let mut logs = Vec::new();
        for topic in topics {
            self.dirs.forget_lost(topic.id());
            for (number, slot) in (0..).zip(topic.slots()) {
                let name = TopicPartition { topic: topic.name().to_string(), partition: number };
                let directory = match slot {
                    PartitionSlot::Open(replica) => {
                        drop(replica.take_log());
                        replica.log_dir().working()
                    }
                    // The partition was offline. Its files would stand in the way of a new topic of the same
                    // name.
                    PartitionSlot::Offline | PartitionSlot::Elsewhere => {
                        self.dirs.find_of_topic(&name, topic.id())
                    }
                };
                logs.extend(directory.map(|directory| (name, directory)));
            }
        }
        self.dirs.delete(logs);
    }

    /// Closes all logs, so that the next start reads nothing but the ends of their files.
    pub(crate) fn close(&self, broker_epoch: i64) {
        let replicas: Vec<Arc<Replica>> = self.table().partitions().cloned().collect();
        // Closes several at a time: each waits for the disk a few times.
        beside::map(replicas, |replica| {
            if let Some(log) = replica.take_log()
                && let Err(problem) = log.close()
            {
                warn!(partition = replica.name(), "the log was not closed cleanly: {problem}");
            }
        });
        self.dirs.close(broker_epoch);
    }
}
