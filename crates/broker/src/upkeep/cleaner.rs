//! The cleaner: threads that compact the logs of topics with `cleanup.policy=compact`, the one with
//! the largest dirty part first.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::Uuid;
use runtime::HashSet;
use runtime::clock::{self, Instant};
use runtime::{random, task};
use settings::BrokerConfig;
use storage::{ChangeError, CleanError, CleanPlan, CleanStats, OffsetMap, SwapOutcome};
use tracing::{debug, error, info};

use crate::cluster::Cluster;
use crate::replicas::{Replica, Replicas, TopicTable};
use crate::upkeep::worker::{Next, Shutdown, Stop, Worker};

/// The limit on the offset map of one thread. The threads share the memory of the setting; one map is never
/// larger than this, as in Kafka.
const MAP_BYTES_MAX: i64 = i32::MAX as i64;

/// The state that the cleaner's threads share.
pub(crate) struct Cleaner {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The partitions that threads are cleaning.
    in_progress: HashSet<PartitionKey>,
    /// The partitions that could not be cleaned. They are left alone until the next start.
    uncleanable: HashSet<PartitionKey>,
}

/// The work of one thread.
pub(crate) struct CleanerThread {
    cleaner: Arc<Cleaner>,
    replicas: Weak<Replicas>,
    cluster: Weak<Cluster>,
}

/// A partition by its topic's id and its number: a topic that is deleted and created again has another id.
type PartitionKey = (Uuid, i32);

/// A log to clean, which no other thread takes meanwhile.
struct Work {
    key: PartitionKey,
    partition: Arc<Replica>,
    plan: CleanPlan,
}

/// The reason why a pass ended early.
enum Failure {
    /// The broker stops.
    Stopped,
    /// The log has changed meanwhile: retention, a deletion or a truncation came first. The next pass starts
    /// over.
    Changed,
    /// The offset map is too small for the keys of a single segment.
    NoProgress,
    /// A file cannot be read or written, or is damaged.
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
    /// Removes the entries of partitions whose topics were deleted.
    fn forget_deleted(&mut self, table: &TopicTable) {
        self.uncleanable.retain(|(topic_id, _)| table.by_id(*topic_id).is_some());
    }
}

impl Worker for CleanerThread {
    /// Cleans the logs that are due. A pass that a stop interrupts is abandoned, and leaves nothing behind
    /// that the next start does not remove.
    fn run(&mut self, stop: &Stop) -> Next {
        let (Some(replicas), Some(cluster)) = (self.replicas.upgrade(), self.cluster.upgrade()) else {
            return Next::Never;
        };
        // A changed setting takes effect from the next round on.
        let config = cluster.broker_config();
        while stop.check().is_ok()
            && let Some(work) = self.cleaner.filthiest(&replicas.table())
        {
            let key = work.key;
            self.cleaner.clean(work, &config, stop);
            self.cleaner.state.lock().in_progress.remove(&key);
        }
        let backoff = Duration::from_millis(u64::try_from(config.log_cleaner_backoff_ms).unwrap_or(0));
        Next::after(backoff.max(Duration::from_millis(1)))
    }
}

impl Cleaner {
    fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default() })
    }

    /// The work for `log.cleaner.threads` threads, or for none if `log.cleaner.enable` is false.
    pub(crate) fn threads(
        config: &BrokerConfig,
        replicas: &Arc<Replicas>,
        cluster: &Arc<Cluster>,
    ) -> Vec<CleanerThread> {
        let count = if config.log_cleaner_enable { config.log_cleaner_threads } else { 0 };
        let cleaner = Self::new();
        let thread = |_| CleanerThread {
            cleaner: Arc::clone(&cleaner),
            replicas: Arc::downgrade(replicas),
            cluster: Arc::downgrade(cluster),
        };
        (0..count).map(thread).collect()
    }

    /// Picks the log with the largest dirty part, among those whose part is above `min.cleanable.dirty.ratio`
    /// or that have waited for `max.compaction.lag.ms`. The latter come first.
    fn filthiest(&self, table: &TopicTable) -> Option<Work> {
        let now_ms = clock::now_ms();
        let mut state = self.state.lock();
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
                    error!(partition = partition.name(), "the log is no longer compacted: {problem}");
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

    /// Cleans one log. If that is impossible, the log is reported.
    fn clean(&self, work: Work, config: &BrokerConfig, stop: &Stop) {
        let (key, partition, begun) = (work.key, Arc::clone(&work.partition), clock::now());
        match pass(work, config, stop) {
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
                    "the log is no longer compacted: the keys of one segment do not fit \
                     log.cleaner.dedupe.buffer.size; increase it and restart"
                );
                self.state.lock().uncleanable.insert(key);
            }
            Err(Failure::Clean(problem)) => {
                let is_full = matches!(&problem, CleanError::Fs(error) if error.passes());
                if is_full {
                    debug!(partition = partition.name(), "the log was not compacted: {problem}");
                } else {
                    error!(partition = partition.name(), "the log is no longer compacted: {problem}");
                    self.state.lock().uncleanable.insert(key);
                }
            }
        }
    }
}

fn pass(work: Work, config: &BrokerConfig, stop: &Stop) -> Result<CleanStats, Failure> {
    let Work { partition, plan, .. } = work;
    let threads = i64::from(config.log_cleaner_threads.max(1));
    let map_bytes = (config.log_cleaner_dedupe_buffer_size / threads).clamp(0, MAP_BYTES_MAX);
    let map_bytes = usize::try_from(map_bytes).expect("it is clamped");
    let map = OffsetMap::new(map_bytes, config.log_cleaner_io_buffer_load_factor);
    let mut map = map.seeded([random::u64(), random::u64()]);
    let rate = config.log_cleaner_io_max_bytes_per_second / threads as f64;
    let mut budget = Budget::new(rate, clock::now());
    let mut throttle = |bytes| budget.spend(bytes, stop).map_err(|Shutdown| CleanError::Stopped);
    let from = plan.dirty_offset();
    let mut cleaning = plan.start(&mut map, &mut throttle)?;
    if cleaning.clean_to() <= from {
        return Err(Failure::NoProgress);
    }
    while let Some(cleaned) = cleaning.next_group(&mut throttle)? {
        match partition.swap(&cleaned, clock::now_ms()) {
            Some(Ok(SwapOutcome::Done)) => {}
            Some(Ok(SwapOutcome::Stale)) | None => return Err(Failure::Changed),
            Some(Err(error)) => {
                error!(
                    partition = partition.name(),
                    "a compacted segment did not replace the old ones: \
                     {error}"
                );
                return Err(Failure::Changed);
            }
        }
    }
    Ok(cleaning.finish()?)
}

/// The bytes that one pass may read and write.
struct Budget {
    /// Bytes a second.
    rate: f64,
    since: Instant,
    bytes: u64,
    turn_began: Instant,
}

/// The time that a pass works before it yields: short compared to a request.
const TURN: Duration = Duration::from_micros(500);

impl Budget {
    fn new(rate: f64, now: Instant) -> Self {
        Self { rate, since: now, bytes: 0, turn_began: now }
    }

    /// Waits as long as `bytes` must take at least.
    fn spend(&mut self, bytes: u64, stop: &Stop) -> Result<(), Shutdown> {
        let now = clock::now();
        if let Some(time) = self.wait(bytes, now) {
            return stop.pause(time);
        }
        if self.turn_is_over(now) {
            // A low priority is not enough: a running thread keeps its processor until the next tick.
            task::yield_thread();
        }
        stop.check()
    }

    /// Whether it is time to yield; the next turn begins then.
    fn turn_is_over(&mut self, now: Instant) -> bool {
        let is_over = now.saturating_duration_since(self.turn_began) >= TURN;
        if is_over {
            self.turn_began = now;
        }
        is_over
    }

    /// The wait that so many more bytes need; `None` if it is too short for a sleep.
    fn wait(&mut self, bytes: u64, now: Instant) -> Option<Duration> {
        self.bytes += bytes;
        let due_s = self.bytes as f64 / self.rate;
        let ahead_s = due_s - now.saturating_duration_since(self.since).as_secs_f64();
        (ahead_s > 0.01).then(|| Duration::try_from_secs_f64(ahead_s).unwrap_or(Duration::from_secs(3600)))
    }
}

#[cfg(test)]
mod tests;
