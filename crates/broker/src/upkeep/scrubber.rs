//! The scrubber: a thread that slowly reads all closed segments and the metadata again and again, and reports
//! damage that the disks have done since they were written.
//!
//! Its findings are kept in memory, with the partitions: a restart begins afresh.

mod metadata_log;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use metadata::quorum::METADATA_TOPIC;
use runtime::clock::{self, Instant};
use settings::BrokerConfig;
use storage::{Fault, ScrubError};
use tracing::{debug, error, info};

use crate::cluster::Cluster;
use crate::directories::LogDir;
use crate::replicas::{LastScrub, Replica, Replicas, ScrubNews};
use crate::upkeep::worker::{Next, Shutdown, Stop, Worker};

use metadata_log::MetadataDamage;

/// The longest time until a changed setting is noticed.
const TICK: Duration = Duration::from_secs(5);

/// The latest time for the first round after a start, during which the disks are left to clients.
const FIRST_ROUND_AFTER: Duration = Duration::from_secs(300);

/// The progress of the scrubber's thread, and the damage that it found in the metadata.
pub(crate) struct Scrubber {
    read_bytes: AtomicU64,
    rounds: AtomicU64,
    /// In ms since the epoch; 0 before the end of the first round.
    last_round_end_ms: AtomicI64,
    metadata: MetadataDamage,
}

/// The work of the scrubber since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScrubProgress {
    pub(crate) read_bytes: u64,
    /// The number of complete rounds.
    pub(crate) rounds: u64,
    /// The end of the last round, in ms since the epoch.
    pub(crate) last_round_end_ms: Option<i64>,
}

/// The settings for the time and the speed of rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settings {
    /// 0 turns the scrubber off.
    bytes_per_second: u64,
    interval: Duration,
}

impl Settings {
    fn of(config: &BrokerConfig) -> Self {
        let not_negative = |value: i64| u64::try_from(value).unwrap_or(0);
        Self {
            bytes_per_second: not_negative(config.log_scrub_io_max_bytes_per_second),
            interval: Duration::from_millis(not_negative(config.log_scrub_interval_ms)),
        }
    }

    /// The time until the next round; `None` if there is none. `last_end` is the end of the last one.
    fn next_round(self, started: Instant, last_end: Option<Instant>, now: Instant) -> Option<Duration> {
        let (since, wait) = match last_end {
            Some(end) => (end, self.interval),
            None => (started, self.interval.min(FIRST_ROUND_AFTER)),
        };
        let waited = now.saturating_duration_since(since);
        (self.bytes_per_second > 0).then(|| wait.saturating_sub(waited))
    }
}

/// Paces reads: in any period, no more bytes than it allows, plus one read.
#[derive(Debug)]
struct Pace {
    /// The time at which the bytes that were read so far are paid for.
    paid_at: Instant,
}

impl Pace {
    /// The time to wait before the next bytes are read; `None` if none may be read.
    fn wait(&mut self, bytes: u64, bytes_per_second: u64, now: Instant) -> Option<Duration> {
        if bytes_per_second == 0 {
            return None;
        }
        let begin = self.paid_at.max(now);
        self.paid_at = begin + Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64);
        Some(begin - now)
    }
}

/// The work of the scrubber's thread.
pub(crate) struct ScrubberThread {
    scrubber: Arc<Scrubber>,
    scope: Scope,
    started: Instant,
    has_looked_for_gaps: bool,
    last_end: Option<Instant>,
}

impl Worker for ScrubberThread {
    /// Reads everything once if a round is due. A stop interrupts it within a segment.
    fn run(&mut self, stop: &Stop) -> Next {
        // An error means that the broker stops.
        self.turn(stop).unwrap_or(Next::Never)
    }
}

impl ScrubberThread {
    fn turn(&mut self, stop: &Stop) -> Result<Next, ScrubError> {
        if !self.has_looked_for_gaps {
            look_for_gaps(&self.scope, stop)?;
            self.has_looked_for_gaps = true;
        }
        let wait = self.scope.settings()?.next_round(self.started, self.last_end, clock::now());
        if wait == Some(Duration::ZERO) {
            self.scrubber.round(&self.scope, stop)?;
            self.last_end = Some(clock::now());
            return Ok(Next::after(Duration::ZERO));
        }
        Ok(Next::after(wait.unwrap_or(TICK).min(TICK)))
    }
}

impl From<Shutdown> for ScrubError {
    fn from(Shutdown: Shutdown) -> Self {
        Self::Stopped
    }
}

impl Scrubber {
    /// A scrubber without its thread.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            read_bytes: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            last_round_end_ms: AtomicI64::new(0),
            metadata: MetadataDamage::default(),
        })
    }

    /// The work of the scrubber's thread.
    pub(crate) fn thread(
        self: &Arc<Self>,
        replicas: &Arc<Replicas>,
        cluster: &Arc<Cluster>,
    ) -> ScrubberThread {
        ScrubberThread {
            scrubber: Arc::clone(self),
            scope: Scope { replicas: Arc::downgrade(replicas), cluster: Arc::downgrade(cluster) },
            started: clock::now(),
            has_looked_for_gaps: false,
            last_end: None,
        }
    }

    /// Its work since the start.
    pub(crate) fn progress(&self) -> ScrubProgress {
        let last_round_end_ms = self.last_round_end_ms.load(Ordering::Relaxed);
        ScrubProgress {
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            rounds: self.rounds.load(Ordering::Relaxed),
            last_round_end_ms: (last_round_end_ms > 0).then_some(last_round_end_ms),
        }
    }

    /// The number of damaged places in the metadata log and its snapshots.
    pub(crate) fn metadata_places(&self) -> usize {
        self.metadata.places()
    }

    /// The damaged places in the metadata log and its snapshots.
    pub(crate) fn metadata_faults(&self) -> Vec<Fault> {
        self.metadata.faults()
    }

    /// Reads the closed segments of all partitions, and the metadata.
    fn round(&self, scope: &Scope, stop: &Stop) -> Result<(), ScrubError> {
        let mut pace = Pace { paid_at: clock::now() };
        for partition in scope.partitions()?.iter().filter_map(Weak::upgrade) {
            self.scrub(&partition, |bytes| self.before_read(scope, stop, &mut pace, bytes))?;
        }
        let metadata = scope.metadata_dir()?;
        if let Some(directory) = metadata.working() {
            let fs = directory.fs().clone();
            drop(directory);
            let spend = |bytes| self.before_read(scope, stop, &mut pace, bytes);
            let news = self.metadata.scrub(&fs, metadata.path(), spend)?;
            report(&format!("{METADATA_TOPIC}-0"), &news);
        }
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.last_round_end_ms.store(clock::now_ms(), Ordering::Relaxed);
        Ok(())
    }

    /// Waits until so many bytes may be read.
    fn before_read(&self, scope: &Scope, stop: &Stop, pace: &mut Pace, bytes: u64) -> Result<(), ScrubError> {
        loop {
            let Some(wait) = pace.wait(bytes, scope.settings()?.bytes_per_second, clock::now()) else {
                // The scrubber was turned off during a round, which continues when it is turned on again.
                stop.pause(TICK)?;
                continue;
            };
            stop.pause(wait)?;
            if scope.settings()?.bytes_per_second > 0 {
                self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
                return Ok(());
            }
        }
    }

    /// Reads the closed segments of one partition. `before_read` is called for each read and may wait.
    fn scrub(
        &self,
        partition: &Replica,
        mut before_read: impl FnMut(u64) -> Result<(), ScrubError>,
    ) -> Result<(), ScrubError> {
        let (mut from, mut bytes) = (i64::MIN, 0);
        while let Some(segment) = partition.closed_segment_from(from) {
            from = segment.next_base_offset();
            match segment.scrub(&mut before_read) {
                Ok(scrubbed) => {
                    bytes += scrubbed.bytes;
                    report(&partition.name(), &partition.note_scrubbed(&segment, scrubbed.faults));
                }
                Err(ScrubError::Stopped) => return Err(ScrubError::Stopped),
                Err(lack @ ScrubError::Lack(_)) => {
                    debug!(partition = partition.name(), "a segment was not scrubbed: {lack}");
                }
            }
        }
        partition.note_scrub_end(LastScrub { end_ms: clock::now_ms(), bytes });
        Ok(())
    }
}

/// Looks for missing segments, once after a start. Only the end of each closed segment is read. The start
/// does not wait for it, however long it takes.
fn look_for_gaps(scope: &Scope, stop: &Stop) -> Result<(), ScrubError> {
    for partition in scope.partitions()?.iter().filter_map(Weak::upgrade) {
        let mut from = i64::MIN;
        while let Some(segment) = partition.closed_segment_from(from) {
            stop.check()?;
            from = segment.next_base_offset();
            if let Some(gap) = segment.gap() {
                report(&partition.name(), &partition.note_scrubbed(&segment, vec![gap]));
            }
        }
    }
    Ok(())
}

/// The replicas to scrub, and the cluster whose settings apply. A round may take days: it keeps neither
/// alive.
struct Scope {
    replicas: Weak<Replicas>,
    cluster: Weak<Cluster>,
}

impl Scope {
    fn replicas(&self) -> Result<Arc<Replicas>, ScrubError> {
        self.replicas.upgrade().ok_or(ScrubError::Stopped)
    }

    /// All partitions, in the order of their names. A round does not keep deleted partitions alive either.
    fn partitions(&self) -> Result<Vec<Weak<Replica>>, ScrubError> {
        let mut partitions: Vec<Arc<Replica>> = self.replicas()?.table().partitions().cloned().collect();
        partitions.sort_by(|a, b| (a.topic(), a.index()).cmp(&(b.topic(), b.index())));
        Ok(partitions.iter().map(Arc::downgrade).collect())
    }

    fn metadata_dir(&self) -> Result<Arc<LogDir>, ScrubError> {
        Ok(Arc::clone(self.replicas()?.dirs().metadata_dir()))
    }

    /// The present settings: a change takes effect at once.
    fn settings(&self) -> Result<Settings, ScrubError> {
        let cluster = self.cluster.upgrade().ok_or(ScrubError::Stopped)?;
        Ok(Settings::of(&cluster.broker_config()))
    }
}

/// Logs one line for each place.
fn report(partition: &str, news: &ScrubNews) {
    for fault in &news.damaged {
        let (path, position) = (fault.path.display(), fault.position);
        error!(
            partition,
            offset = fault.offset,
            "{path} is damaged at byte {position}: {}. {}",
            fault.reason,
            fault.mend()
        );
    }
    for fault in &news.whole {
        let (path, position) = (fault.path.display(), fault.position);
        info!(partition, "{path} is repaired at byte {position}");
    }
}

#[cfg(test)]
pub(crate) mod tests;
