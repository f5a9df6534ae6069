//! Starts moves: those that a request asks for, and those that an earlier process left unfinished.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use parking_lot::Mutex;
use protocol::{ErrorCode, Str, Uuid};
use storage::{CopyError, FutureDir, FutureLog, LogDirectory, TopicPartition};
use tracing::{info, warn};

use super::{Move, Moves, PREFERRED_MAX, State};
use crate::directories::LogDir;
use crate::directories::{remove_later, unique_id};
use crate::replicas::Replica;

impl Moves {
    /// Starts the move of a partition to the directory `path`, or remembers the directory until the partition
    /// is created.
    ///
    /// # Errors
    /// Kafka's error: INVALID_TOPIC_EXCEPTION for a name that is too long for that of a future log,
    /// LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR if a directory does not work, UNKNOWN_TOPIC_OR_PARTITION or
    /// REPLICA_NOT_AVAILABLE if the partition does not exist here, for which the directory is remembered.
    pub(crate) fn alter(&self, topic: &Str, index: i32, path: &str) -> Result<(), ErrorCode> {
        let name = TopicPartition { topic: topic.to_string(), partition: index };
        if !FutureLog::fits(&name) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        let target = self.replicas.dirs().partition_dirs().find(|dir| dir.path().to_string_lossy() == path);
        let target = target.ok_or(ErrorCode::LOG_DIR_NOT_FOUND)?;
        let directory = target.working().ok_or(ErrorCode::KAFKA_STORAGE_ERROR)?;
        // Nobody creates or deletes the partition meanwhile.
        let _applying = self.replicas.applying();
        let table = self.replicas.table();
        let partition = match table.partition(topic, index) {
            Ok(partition) => partition,
            Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => {
                self.prefer(topic, index, target);
                let image = self.cluster.image();
                let known = image.topic(topic).is_some_and(|topic| topic.partition(index).is_some());
                return Err(if known {
                    ErrorCode::REPLICA_NOT_AVAILABLE
                } else {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                });
            }
            Err(offline) => return Err(offline),
        };
        let mut state = self.state.lock();
        let running = state.moves.get(&(topic.clone(), index));
        if running.is_some_and(|running| Arc::ptr_eq(&running.target, target)) {
            return Ok(());
        }
        if let Some(cancelled) = state.cancel(&(topic.clone(), index)) {
            self.queued.notify_one();
            info!(partition = %name, "the move to {} is given up", cancelled.target.path().display());
        }
        if Arc::ptr_eq(&partition.log_dir(), target) {
            return Ok(());
        }
        if self.replicas.dirs().partition_dirs().any(|dir| !dir.is_online()) {
            // The failed directory may have a copy of the partition, from a move to it.
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        let topic_id = table.by_name(topic).map(|topic| topic.id()).expect("its partition is there");
        let future = FutureLog::create(&directory, &name, Some(topic_id.0), &unique_id());
        let future = future.map_err(|problem| refused(&name, &problem))?;
        info!(partition = %name, "the partition is being moved to {}", target.path().display());
        self.begin(&mut state, partition, topic_id, target, future);
        Ok(())
    }

    fn prefer(&self, topic: &Str, index: i32, target: &Arc<LogDir>) {
        let mut state = self.state.lock();
        let name = (topic.clone(), index);
        if state.preferred.len() < PREFERRED_MAX || state.preferred.contains_key(&name) {
            state.preferred.insert(name, Arc::clone(target));
        }
    }

    fn begin(
        &self,
        state: &mut State,
        partition: &Arc<Replica>,
        topic_id: Uuid,
        target: &Arc<LogDir>,
        future: FutureLog,
    ) {
        let name = (partition.topic().clone(), partition.index());
        let begun = Arc::new(Move {
            after: Mutex::new(state.ending.get(&name).cloned()),
            over: AtomicBool::new(false),
            partition: Arc::clone(partition),
            topic_id,
            target: Arc::clone(target),
            size_bytes: AtomicU64::new(0),
            end_offset: AtomicI64::new(0),
            future: Mutex::new(Some(future)),
            cancelled: AtomicBool::new(false),
            assigned: AtomicBool::new(false),
        });
        partition.set_moving(true);
        state.moves.insert(name, Arc::clone(&begun));
        state.queue.push_back(begun);
        self.queued.notify_one();
    }

    /// Whether a partition is being moved.
    pub(super) fn is_moved(&self, partition: &Replica) -> bool {
        self.state.lock().moves.contains_key(&(partition.topic().clone(), partition.index()))
    }

    /// Continues the moves that an earlier process began, and removes what is left of those that are over.
    pub(crate) fn resume(&self) {
        for target in self.replicas.dirs().partition_dirs() {
            let Some(directory) = target.working() else { continue };
            for future in directory.futures() {
                self.resume_one(target, &directory, &future);
            }
        }
    }

    fn resume_one(&self, target: &Arc<LogDir>, directory: &Arc<LogDirectory>, future: &FutureDir) {
        let table = self.replicas.table();
        let TopicPartition { topic, partition: index } = &future.partition;
        let topic = table.by_name(topic).filter(|topic| future.topic_id == Some(topic.id().0));
        let topic_id = topic.map(|topic| topic.id()).unwrap_or_default();
        match topic.map(|topic| topic.partition(*index)) {
            Some(Ok(partition))
                if !Arc::ptr_eq(&partition.log_dir(), target) && !self.is_moved(partition) =>
            {
                match FutureLog::resume(directory, future) {
                    Ok(log) => {
                        info!(partition = %future.partition, "its move to {} continues", target.path().display());
                        self.begin(&mut self.state.lock(), partition, topic_id, target, log);
                    }
                    Err(problem) => {
                        warn!(partition = %future.partition, "its move does not continue: {problem}");
                    }
                }
            }
            // Its log may come back: it may be in a directory that does not work now.
            Some(Err(ErrorCode::KAFKA_STORAGE_ERROR)) => {}
            _ => match directory.rename_future_deleted(future) {
                Ok(path) => remove_later(directory, vec![path]),
                Err(problem) => warn!("files of a move are still on the disk: {problem}"),
            },
        }
    }
}

fn refused(name: &TopicPartition, problem: &CopyError) -> ErrorCode {
    warn!(partition = %name, "the partition is not moved: {problem}");
    ErrorCode::KAFKA_STORAGE_ERROR
}
