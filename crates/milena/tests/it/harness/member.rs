//! A member of a consumer group that polls in a thread of its own, as an application does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::clients::{LIMIT, consumer_config, id_of};
use super::wait_until;

/// A change of a member's assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
}

#[derive(Default)]
pub(crate) struct Watch {
    changes: Mutex<Vec<Change>>,
    assigned: Mutex<BTreeSet<i32>>,
    /// The numbers of the messages that it has processed.
    processed: Mutex<Vec<usize>>,
    fatal: Mutex<Option<RDKafkaErrorCode>>,
    stop: AtomicBool,
}

impl ClientContext for Watch {}

impl ConsumerContext for Watch {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(_) = rebalance {
            // What was processed is committed before another member may have the partition.
            let _ = consumer.commit_consumer_state(CommitMode::Sync);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut assigned = self.assigned.lock().expect("not poisoned");
        let change = match rebalance {
            Rebalance::Assign(list) => {
                if !matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
                    assigned.clear();
                }
                assigned.extend(partitions(list));
                Change::Assigned(partitions(list))
            }
            Rebalance::Revoke(list) => {
                assigned.retain(|partition| !partitions(list).contains(partition));
                Change::Revoked(partitions(list))
            }
            Rebalance::Error(_) => return,
        };
        self.changes.lock().expect("not poisoned").push(change);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(|element| element.partition()).collect()
}

pub(crate) struct Member {
    watch: Arc<BaseConsumer<Watch>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Joins `group` for `topic`, processes and commits what it gets until it leaves.
    pub(crate) fn join(bootstrap: &str, group: &str, topic: &str, settings: &[(&str, &str)]) -> Member {
        let consumer: BaseConsumer<Watch> = consumer_config(bootstrap, group, settings)
            .create_with_context(Watch::default())
            .expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribed");
        let watch = Arc::new(consumer);
        let consumer = Arc::clone(&watch);
        let thread = std::thread::spawn(move || process(&consumer));
        Member { watch, thread: Some(thread) }
    }

    fn context(&self) -> &Watch {
        self.watch.context()
    }

    /// The partitions that are assigned to it now.
    pub(crate) fn assigned(&self) -> BTreeSet<i32> {
        self.context().assigned.lock().expect("not poisoned").clone()
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.context().changes.lock().expect("not poisoned").clone()
    }

    pub(crate) fn processed(&self) -> Vec<usize> {
        self.context().processed.lock().expect("not poisoned").clone()
    }

    /// The error that ended it.
    pub(crate) fn fatal(&self) -> Option<RDKafkaErrorCode> {
        *self.context().fatal.lock().expect("not poisoned")
    }

    /// Commits and closes as a well-behaved client does: a dynamic member leaves the group, a static one only goes.
    pub(crate) fn leave(mut self) -> Vec<usize> {
        self.end();
        self.processed()
    }

    fn end(&mut self) {
        self.context().stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the member's thread failed");
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

fn process(consumer: &BaseConsumer<Watch>) {
    let watch = consumer.context();
    while !watch.stop.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(20)) {
            Some(Ok(message)) => {
                let id = id_of(message.payload().expect("a payload"));
                watch.processed.lock().expect("not poisoned").push(id);
                let _ = consumer.commit_message(&message, CommitMode::Async);
            }
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                *watch.fatal.lock().expect("not poisoned") = Some(code);
                return;
            }
            // The rest passes: the end of a partition, a broker on its way back.
            Some(Err(_)) | None => {}
        }
    }
    let _ = consumer.commit_consumer_state(CommitMode::Sync);
}

/// Waits until the members share the partitions 0..`count` among them, each partition with one member and each
/// member with its share.
pub(crate) fn wait_until_shared(members: &[&Member], count: usize) {
    let all: BTreeSet<i32> = (0..i32::try_from(count).expect("small")).collect();
    let fewest = count / members.len();
    wait_until("the partitions are shared", LIMIT * 2, || {
        let shares: Vec<_> = members.iter().map(|member| member.assigned()).collect();
        let together: BTreeSet<i32> = shares.iter().flatten().copied().collect();
        let sum: usize = shares.iter().map(BTreeSet::len).sum();
        sum == count && together == all && shares.iter().all(|share| share.len() >= fewest)
    });
}
