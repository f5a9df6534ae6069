//! A log directory that fails while the broker runs: its partitions go offline and the others serve. Without the
//! directory of the metadata log, or without any, the broker cannot go on.

use std::sync::Arc;

use runtime::task;
use tokio::sync::{mpsc, watch};
use tracing::{error, warn};

use crate::broker::Broker;
use crate::coordinators::OFFSETS_TOPIC;
use crate::directories::LogDir;
use crate::replicas::{PartitionSlot, Topic};
use crate::upkeep::worker::Stop;

/// Follows failures of directories until it is dropped. If the broker cannot go on, the reason goes to
/// `fatal`.
pub(crate) async fn follow(
    broker: Arc<Broker>,
    mut failures: mpsc::UnboundedReceiver<usize>,
    fatal: watch::Sender<Option<String>>,
    stop: Stop,
) {
    while let Some(index) = failures.recv().await {
        let dir = Arc::clone(&broker.replicas.dirs().all()[index]);
        if let Some(reason) = broker.why_over(&dir) {
            error!("{reason}");
            fatal.send_replace(Some(reason));
        }
        let to_undo = broker.moves.cancel_at(&dir);
        let (taking, id) = (Arc::clone(&broker), dir.id());
        // A panic is reported where it happens.
        let _ = task::spawn_blocking(move || taking.take_offline(&dir)).await;
        if fatal.borrow().is_none() {
            // Their partitions are still in the directory that has failed, whatever the controller was told.
            for it in to_undo {
                broker.moves.assign(&it, id, &stop).await;
            }
            broker.tell_of_offline_directories().await;
        }
    }
}

/// Waits until the metadata quorum ends by itself, and says so to `fatal`: nothing could be created, changed or deleted
/// any more, and a start reads again what is in its log.
pub(crate) async fn follow_quorum(broker: Arc<Broker>, fatal: watch::Sender<Option<String>>) {
    let reason = broker.cluster.quorum().ended().await;
    // A directory that has failed is told of by who follows them.
    if broker.why_over(broker.replicas.dirs().metadata_dir()).is_none() {
        let reason = format!("the metadata quorum has ended: {reason}");
        error!("{reason}");
        fatal.send_replace(Some(reason));
    }
}

impl Broker {
    /// The reason why the broker cannot go on without a directory; `None` if it can.
    fn why_over(&self, failed: &Arc<LogDir>) -> Option<String> {
        let path = failed.path().display();
        let cause = failed.opened()?.check().err()?.cause().to_string();
        if Arc::ptr_eq(failed, self.replicas.dirs().metadata_dir()) {
            return Some(format!(
                "the log directory {path}, which has the metadata log, has failed: {cause}"
            ));
        }
        let none_left = self.replicas.dirs().online_ids().is_empty();
        none_left.then(|| format!("the last log directory that worked, {path}, has failed: {cause}"))
    }

    /// Takes the partitions of a directory that has failed out of service. Blocks.
    fn take_offline(&self, dir: &Arc<LogDir>) {
        let Some(offline) = dir.opened().and_then(|directory| directory.check().err()) else { return };
        // Whatever is being opened meanwhile is in the table, or finds the directory offline.
        let _applying = self.replicas.applying();
        let table = self.replicas.table();
        let mut changed = Vec::new();
        let mut partitions = Vec::new();
        for topic in table.topics() {
            let mut slots = topic.slots().to_vec();
            for slot in &mut slots {
                if let Some(replica) = slot.replica().filter(|it| Arc::ptr_eq(&it.log_dir(), dir)) {
                    partitions.push(Arc::clone(replica));
                    *slot = PartitionSlot::Offline;
                }
            }
            if slots.iter().filter_map(PartitionSlot::replica).count() < topic.partitions().count() {
                changed.push(Topic::new(topic.name().clone(), topic.id(), slots));
            }
        }
        self.replicas.change(changed, &[]);
        warn!("{} partitions in {} are offline", partitions.len(), dir.path().display());
        for partition in partitions {
            if &**partition.topic() == OFFSETS_TOPIC {
                self.groups.resign(partition.index());
            }
            partition.fail(&offline);
        }
    }

    /// Has the controller know which directories work, so that clients are told which partitions are offline.
    async fn tell_of_offline_directories(&self) {
        let decided = self.cluster.tell_offline_log_dirs(self.replicas.dirs().offline_ids());
        if let Err(problem) = decided.await {
            warn!("the metadata does not say that partitions are offline: {}", problem.message());
        }
    }
}
