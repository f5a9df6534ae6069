//! Moves of partitions between the log directories of this broker (AlterReplicaLogDirs, KIP-113).
//!
//! A move copies the log while it is written, a bounded part in each turn, tells the controller the new
//! directory of the partition, and then switches the log to the copy. `num.replica.alter.log.dirs.threads`
//! moves work at once; the others wait for their turn. `replica.alter.log.dirs.io.max.bytes.per.second`
//! limits all of them together.

mod alter;
mod turn;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::{Str, Uuid};
use runtime::HashMap;
use runtime::clock::{self, Instant};
use runtime::task;
use storage::FutureLog;
use tokio::sync::Notify;

use crate::cluster::Cluster;
use crate::directories::LogDir;
use crate::replicas::{Replica, Replicas};
use crate::upkeep::worker::{Stop, Workers};
use turn::Turn;

/// The most partitions whose directory is remembered before they exist here, whatever clients ask for.
const PREFERRED_MAX: usize = 10_000;

/// The time between two checks of the limit while nothing more may be copied.
const LIMIT_CHECK: Duration = Duration::from_millis(500);

/// The time between two checks of the limit while nothing is moved.
const IDLE: Duration = Duration::from_secs(3600);

/// The time that a move waits if its target disk is full.
const FULL_BACKOFF: Duration = Duration::from_secs(5);

/// A partition by its topic and number.
type Name = (Str, i32);

/// A move of a partition to another directory.
pub(crate) struct Move {
    partition: Arc<Replica>,
    topic_id: Uuid,
    target: Arc<LogDir>,
    /// The copy, which is held during a turn. `None` once the move is over.
    future: Mutex<Option<FutureLog>>,
    /// Whether the move is cancelled.
    cancelled: AtomicBool,
    /// Whether the controller may have assigned the partition to the target.
    assigned: AtomicBool,
    /// An earlier move of the partition that was cancelled. Its message to the controller must not follow
    /// that of this move.
    after: Mutex<Option<Arc<Move>>>,
    /// Whether the move is over.
    over: AtomicBool,
    /// Its size for DescribeLogDirs.
    size_bytes: AtomicU64,
    end_offset: AtomicI64,
}

/// All moves of a broker.
pub(crate) struct Moves {
    replicas: Arc<Replicas>,
    cluster: Arc<Cluster>,
    state: Mutex<State>,
    /// Notified when a move waits for a turn.
    queued: Notify,
    budget: Mutex<Budget>,
}

#[derive(Default)]
struct State {
    /// The running moves.
    moves: HashMap<Name, Arc<Move>>,
    /// The cancelled moves that are not over.
    ending: HashMap<Name, Arc<Move>>,
    /// The moves that wait for a turn, including cancelled ones.
    queue: VecDeque<Arc<Move>>,
    /// The directories for partitions that do not exist here yet.
    preferred: HashMap<Name, Arc<LogDir>>,
}

/// The bytes copied ahead of the limit.
struct Budget {
    debt_bytes: f64,
    /// The time of that count.
    at: Instant,
}

impl Budget {
    fn spend(&mut self, bytes: u64) {
        self.debt_bytes += bytes as f64;
    }

    /// The time for which nothing may be copied, at `rate` bytes a second.
    fn wait(&mut self, rate: u64, now: Instant) -> Duration {
        let paid = now.saturating_duration_since(self.at).as_secs_f64() * rate as f64;
        (self.debt_bytes, self.at) = ((self.debt_bytes - paid).max(0.0), now);
        let wait = Duration::try_from_secs_f64(self.debt_bytes / rate.max(1) as f64);
        wait.unwrap_or(Duration::MAX)
    }
}

impl State {
    /// Cancels and returns the move of a partition. Its copy is removed in its next turn, or at the end of
    /// the present one.
    fn cancel(&mut self, name: &Name) -> Option<Arc<Move>> {
        let cancelled = self.moves.remove(name)?;
        cancelled.cancelled.store(true, Ordering::Release);
        self.ending.insert(name.clone(), Arc::clone(&cancelled));
        Some(cancelled)
    }
}

impl Move {
    fn name(&self) -> Name {
        (self.partition.topic().clone(), self.partition.index())
    }

    pub(crate) fn partition(&self) -> &Arc<Replica> {
        &self.partition
    }

    /// The target directory.
    pub(crate) fn target(&self) -> &Arc<LogDir> {
        &self.target
    }

    /// The bytes of batches in the copy.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes.load(Ordering::Relaxed)
    }

    /// The offset up to which the log is copied, or a little less.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset.load(Ordering::Relaxed)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

impl Moves {
    pub(crate) fn new(replicas: Arc<Replicas>, cluster: Arc<Cluster>) -> Arc<Self> {
        Arc::new(Self {
            replicas,
            cluster,
            state: Mutex::default(),
            queued: Notify::new(),
            budget: Mutex::new(Budget { debt_bytes: 0.0, at: clock::now() }),
        })
    }

    /// Starts the tasks that move: as many as `num.replica.alter.log.dirs.threads` says, or as there are
    /// directories. Moves that a stop interrupts continue at the next start.
    pub(crate) fn start(self: &Arc<Self>, tasks: Option<i32>, workers: &Workers) {
        let dirs = i32::try_from(self.replicas.dirs().partition_dirs().count()).unwrap_or(i32::MAX);
        for number in 0..tasks.unwrap_or(dirs).max(1) {
            workers.spawn(&format!("milena-move-{number}"), |stop| work(Arc::clone(self), stop));
        }
    }

    /// The running moves.
    pub(crate) fn under_way(&self) -> Vec<Arc<Move>> {
        self.state.lock().moves.values().cloned().collect()
    }

    /// Takes the directory that a client chose for a partition before it existed here.
    pub(crate) fn take_preferred(&self, topic: &Str, index: i32) -> Option<Arc<LogDir>> {
        self.state.lock().preferred.remove(&(topic.clone(), index))
    }

    /// Cancels the move of a partition, if there is one.
    pub(crate) fn cancel(&self, partition: &Replica) {
        self.state.lock().cancel(&(partition.topic().clone(), partition.index()));
        self.queued.notify_one();
    }

    /// Cancels the moves from and to a directory that has failed. Returns the moves away from it that the
    /// controller was told of.
    pub(crate) fn cancel_at(&self, dir: &Arc<LogDir>) -> Vec<Arc<Move>> {
        let mut state = self.state.lock();
        let concerned =
            |it: &Arc<Move>| Arc::ptr_eq(&it.target, dir) || Arc::ptr_eq(&it.partition.log_dir(), dir);
        let names: Vec<_> =
            state.moves.iter().filter(|(_, it)| concerned(it)).map(|(name, _)| name.clone()).collect();
        let given_up = names.iter().filter_map(|name| state.cancel(name));
        let told = |it: &Arc<Move>| it.assigned.load(Ordering::Acquire) && !Arc::ptr_eq(&it.target, dir);
        let told = given_up.filter(told).collect();
        self.queued.notify_one();
        told
    }

    fn enqueue(&self, next: Arc<Move>) {
        self.state.lock().queue.push_back(next);
        self.queued.notify_one();
    }

    /// The next move to have a turn. While nothing may be copied, only a cancelled one.
    fn dequeue(&self, may_copy: bool) -> Option<Arc<Move>> {
        let queue = &mut self.state.lock().queue;
        let at = queue.iter().position(|it| may_copy || it.is_cancelled())?;
        queue.remove(at)
    }

    /// Removes a move from the list, if it is the one on the list, because it is being cancelled.
    fn abandon(&self, this: &Arc<Move>) {
        let mut state = self.state.lock();
        if state.moves.get(&this.name()).is_some_and(|it| Arc::ptr_eq(it, this)) {
            state.cancel(&this.name());
        }
    }

    /// Removes a move that is over.
    fn forget(&self, this: &Arc<Move>) {
        this.over.store(true, Ordering::Release);
        let mut state = self.state.lock();
        let State { moves, ending, .. } = &mut *state;
        for list in [moves, ending] {
            if list.get(&this.name()).is_some_and(|it| Arc::ptr_eq(it, this)) {
                list.remove(&this.name());
            }
        }
    }
}

/// One of the tasks: gives turns to moves until the broker stops.
async fn work(moves: Arc<Moves>, stop: Stop) {
    while stop.check().is_ok() {
        let wait = moves.budget.lock().wait(moves.rate(), clock::now());
        let Some(next) = moves.dequeue(wait.is_zero()) else {
            // The limit may change during the wait.
            let wait = if wait.is_zero() { IDLE } else { wait.min(LIMIT_CHECK) };
            tokio::select! {
                biased;
                () = moves.queued.notified() => {}
                () = clock::sleep(wait) => {}
                () = stop.rung() => {}
            }
            continue;
        };
        match moves.take_turn(&next, &stop).await {
            Turn::Over => moves.forget(&next),
            Turn::Again => moves.enqueue(next),
            Turn::Later { wait } => {
                let (moves, stop) = (Arc::clone(&moves), stop.clone());
                task::spawn(async move {
                    tokio::select! {
                        biased;
                        () = clock::sleep(wait) => {}
                        () = stop.rung() => {}
                    }
                    moves.enqueue(next);
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
