//! The cleaner: threads that compact the logs of topics with `cleanup.policy=compact`, the one with
//! the largest dirty part first.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::Uuid;
use runtime::HashSet;
use runtime::clock::{self, Instant};
use runtime::sync::Condvar;
use runtime::{random, task};
use settings::BrokerConfig;
use storage::{ChangeError, CleanError, CleanPlan, CleanStats, OffsetMap, Swapped};
use tracing::{debug, error, info};

use crate::cluster::Cluster;
use crate::replicas::{Replica, Replicas, TopicTable};

/// The most that the offset maps of all threads may take is shared by the threads; one map is never
/// larger than this, as in Kafka.
const MAP_BYTES_MAX: i64 = i32::MAX as i64;

/// The threads, and what they tell each other.
pub(crate) struct Cleaner {
    state: Mutex<State>,
    stopping: Condvar,
    threads: Mutex<Vec<task::Thread>>,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// The partitions that a thread is at.
    in_progress: HashSet<PartitionKey>,
    /// The partitions that could not be cleaned: they are left alone until the next start.
    uncleanable: HashSet<PartitionKey>,
}

/// A partition by its topic's id and its number: a topic that is deleted and made again has another id.
type PartitionKey = (Uuid, i32);

/// A log to clean, and who may not take it meanwhile.
struct Work {
    key: PartitionKey,
    partition: Arc<Replica>,
    plan: CleanPlan,
}

/// Why a pass ended early.
enum Failure {
    /// The broker stops.
    Stopped,
    /// The log has changed below it: retention, a deletion or a truncation went first. The next pass begins anew.
    Changed,
    /// The offset map has no room for a single segment's keys.
    NoProgress,
    /// A file cannot be read or written, or holds damage.
    Clean(CleanError),
}

impl From<CleanError> for Failure {
    fn from(error: CleanError) -> Self {
        match error {
            CleanError::Stopped => Failure::Stopped,
            CleanError::Stale => Failure::Changed,
            other => Failure::Clean(other),
        }
    }
}

impl State {
    /// Forgets the verdict on partitions of topics that are deleted.
    fn forget_deleted(&mut self, table: &TopicTable) {
        self.uncleanable.retain(|(topic_id, _)| table.by_id(*topic_id).is_some());
    }
}

impl Cleaner {
    /// A cleaner without threads.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), stopping: Condvar::new(), threads: Mutex::default() })
    }

    /// Starts `log.cleaner.threads` threads, none where `log.cleaner.enable` is false.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start(
        self: &Arc<Self>,
        config: &BrokerConfig,
        replicas: &Arc<Replicas>,
        cluster: &Arc<Cluster>,
    ) -> std::io::Result<()> {
        let count = if config.log_cleaner_enable { config.log_cleaner_threads } else { 0 };
        for number in 0..count {
            let (replicas, cluster) = (Arc::downgrade(replicas), Arc::downgrade(cluster));
            let cleaner = Arc::clone(self);
            let run = move || cleaner.run(&replicas, &cluster);
            self.threads.lock().push(task::spawn_background_thread(&format!("milena-clean-{number}"), run)?);
        }
        Ok(())
    }

    /// Ends the threads; a pass that is under way is given up and leaves nothing behind that the
    /// next start does not remove.
    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.stopping.notify_all();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                error!("a thread that compacts ended by a panic");
            }
        }
    }

    fn run(&self, replicas: &Weak<Replicas>, cluster: &Weak<Cluster>) {
        loop {
            let (Some(replicas), Some(cluster)) = (replicas.upgrade(), cluster.upgrade()) else { return };
            // A setting that is changed while the broker runs counts from the next round on.
            let config = cluster.broker_config();
            while let Some(work) = self.filthiest(&replicas.table()) {
                let key = work.key;
                self.clean(work, &config);
                self.state.lock().in_progress.remove(&key);
            }
            let backoff = Duration::from_millis(u64::try_from(config.log_cleaner_backoff_ms).unwrap_or(0));
            drop((replicas, cluster));
            if self.pause(backoff.max(Duration::from_millis(1))) {
                return;
            }
        }
    }

    /// Waits; says whether the broker stops.
    fn pause(&self, time: Duration) -> bool {
        let deadline = clock::now() + time.min(Duration::from_secs(24 * 3600));
        let mut state = self.state.lock();
        while !state.stopping {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                break;
            }
            self.stopping.wait_for(&mut state, left);
        }
        state.stopping
    }

    /// The log with the largest part that is dirty, of those whose part is above
    /// `min.cleanable.dirty.ratio` or that waited for `max.compaction.lag.ms`; those first.
    fn filthiest(&self, table: &TopicTable) -> Option<Work> {
        let now_ms = clock::now_ms();
        let mut state = self.state.lock();
        if state.stopping {
            return None;
        }
        state.forget_deleted(table);
        let mut best: Option<((bool, f64), Work)> = None;
        let partitions = table.topics().flat_map(|topic| topic.partitions().map(|it| (topic.id(), it)));
        for (topic_id, partition) in partitions {
            let key = (topic_id, partition.index());
            if state.in_progress.contains(&key) || state.uncleanable.contains(&key) {
                continue;
            }
            let plan = match partition.clean_plan(now_ms) {
                Ok(Some(plan)) => plan,
                Ok(None) => continue,
                Err(ChangeError::Full(_)) => continue,
                Err(problem) => {
                    error!(partition = partition.name(), "the log is not compacted any more: {problem}");
                    state.uncleanable.insert(key);
                    continue;
                }
            };
            let rank = (plan.is_overdue(), plan.dirty_ratio());
            let is_due = rank.0 || rank.1 > partition.min_cleanable_dirty_ratio();
            if is_due && best.as_ref().is_none_or(|(most, _)| rank > *most) {
                best = Some((rank, Work { key, partition: Arc::clone(partition), plan }));
            }
        }
        let (_, work) = best?;
        state.in_progress.insert(work.key);
        Some(work)
    }

    /// Cleans one log, and reports it where that cannot be.
    fn clean(&self, work: Work, config: &BrokerConfig) {
        let (key, partition, begun) = (work.key, Arc::clone(&work.partition), clock::now());
        match self.pass(work, config) {
            Ok(stats) => {
                let CleanStats { map_bytes, read_bytes, written_bytes, invalid_records } = stats;
                let ms = begun.elapsed().as_millis();
                info!(
                    partition = partition.name(),
                    map_bytes, read_bytes, written_bytes, invalid_records, ms, "the log was compacted"
                );
            }
            Err(Failure::Stopped) => {}
            Err(Failure::Changed) => {
                debug!(partition = partition.name(), "the log changed while it was compacted");
            }
            Err(Failure::NoProgress) => {
                error!(
                    partition = partition.name(),
                    "the log is not compacted any more: the keys of one segment do not fit \
                     log.cleaner.dedupe.buffer.size; make it larger and restart"
                );
                self.state.lock().uncleanable.insert(key);
            }
            Err(Failure::Clean(problem)) => {
                let is_full = matches!(&problem, CleanError::Fs(error) if error.passes());
                if is_full {
                    debug!(partition = partition.name(), "the log was not compacted: {problem}");
                } else {
                    error!(partition = partition.name(), "the log is not compacted any more: {problem}");
                    self.state.lock().uncleanable.insert(key);
                }
            }
        }
    }

    fn pass(&self, work: Work, config: &BrokerConfig) -> Result<CleanStats, Failure> {
        let Work { partition, plan, .. } = work;
        let threads = i64::from(config.log_cleaner_threads.max(1));
        let map_bytes = (config.log_cleaner_dedupe_buffer_size / threads).clamp(0, MAP_BYTES_MAX);
        let map_bytes = usize::try_from(map_bytes).expect("it is clamped");
        let map = OffsetMap::new(map_bytes, config.log_cleaner_io_buffer_load_factor);
        let mut map = map.seeded([random::u64(), random::u64()]);
        let rate = config.log_cleaner_io_max_bytes_per_second / threads as f64;
        let mut budget = Budget::new(rate, clock::now());
        let mut throttle = |bytes| match self.pause_for(&mut budget, bytes) {
            true => Err(CleanError::Stopped),
            false => Ok(()),
        };
        let from = plan.dirty_offset();
        let mut cleaning = plan.start(&mut map, &mut throttle)?;
        if cleaning.clean_to() <= from {
            return Err(Failure::NoProgress);
        }
        while let Some(cleaned) = cleaning.next_group(&mut throttle)? {
            match partition.swap(&cleaned, clock::now_ms()) {
                Some(Ok(Swapped::Done)) => {}
                Some(Ok(Swapped::Stale)) | None => return Err(Failure::Changed),
                Some(Err(error)) => {
                    error!(partition = partition.name(), "a compacted segment was not put in place: {error}");
                    return Err(Failure::Changed);
                }
            }
        }
        Ok(cleaning.finish()?)
    }

    /// Takes the time that `bytes` may take at the least; says whether the broker stops.
    fn pause_for(&self, budget: &mut Budget, bytes: u64) -> bool {
        let now = clock::now();
        match budget.wait(bytes, now) {
            Some(time) => self.pause(time),
            None => {
                if budget.turn_is_over(now) {
                    // To be nice is not enough: who has a processor keeps it until the next tick.
                    task::yield_thread();
                }
                self.state.lock().stopping
            }
        }
    }
}

/// What one pass may read and write.
struct Budget {
    /// Bytes a second.
    rate: f64,
    since: Instant,
    bytes: u64,
    turn_began: Instant,
}

/// How long a pass works before it lets others go first: short beside what a request takes.
const TURN: Duration = Duration::from_micros(500);

impl Budget {
    fn new(rate: f64, now: Instant) -> Self {
        Self { rate, since: now, bytes: 0, turn_began: now }
    }

    /// Whether it is time to let others go first; the next turn begins then.
    fn turn_is_over(&mut self, now: Instant) -> bool {
        let is_over = now.saturating_duration_since(self.turn_began) >= TURN;
        if is_over {
            self.turn_began = now;
        }
        is_over
    }

    /// How long to wait after that many bytes more; none where it is not worth a sleep.
    fn wait(&mut self, bytes: u64, now: Instant) -> Option<Duration> {
        self.bytes += bytes;
        let due_s = self.bytes as f64 / self.rate;
        let ahead_s = due_s - now.saturating_duration_since(self.since).as_secs_f64();
        (ahead_s > 0.01).then(|| Duration::try_from_secs_f64(ahead_s).unwrap_or(Duration::from_secs(3600)))
    }
}

#[cfg(test)]
mod tests;
