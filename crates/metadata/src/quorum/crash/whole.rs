//! The whole quorum, openraft and all, on a disk that loses power.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;
use storage::fs::Fs;
use storage::fs::simulated::Disk;
use storage::{LogDirectory, OpenDirectory};

use super::history::config;
use crate::controller::tests::random::decide;
use crate::image::{Delta, Image};
use crate::quorum::{Quorum, QuorumConfig};
use crate::record::MetadataRecord;

/// Decisions that are made at once, at most.
const AT_ONCE: usize = 4;

/// Crashes of one seed.
const CRASHES: u32 = 4;

/// The decisions since the last start, the oldest first: the state that each has led to.
type DecidedStates = Arc<Mutex<VecDeque<Image>>>;

struct Cluster {
    random: Rng,
    disk: Arc<Disk>,
    /// The state that was acknowledged last, and those that may have followed it.
    decided: DecidedStates,
}

/// Runs a seed.
pub(super) fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let disk = Disk::new(random.u64(..));
    let mut cluster = Cluster { random, disk, decided: Arc::default() };
    for _ in 0..CRASHES {
        let point = cluster.disk.points() + cluster.random.u64(1..250);
        cluster.disk.cut_power_at(point);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let started = runtime.expect("a runtime").block_on(cluster.live());
        // The tasks are gone with the runtime, as those of a process that is killed.
        let is_down = cluster.disk.is_down();
        if let Err(error) = started {
            assert!(is_down, "it does not start: {error}");
        }
        cluster.disk.cut_power();
        cluster.disk.reboot();
    }
}

impl Cluster {
    /// Starts, and decides until the power goes or enough is decided.
    async fn live(&mut self) -> Result<(), String> {
        let fs = Fs::simulated(self.disk.clone());
        let open = OpenDirectory { fs, path: PathBuf::from("/data"), open_files_max: 8 };
        let directory = LogDirectory::open(open).map_err(|error| error.to_string())?;
        let flusher = directory.flusher();
        // On the one thread that there is, so that a seed has one history.
        let flushing = runtime::task::spawn(async move {
            loop {
                flusher.run_round();
                tokio::task::yield_now().await;
            }
        });
        let config = QuorumConfig { bytes_between_snapshots: 3000, ..config() };
        let quorum = Quorum::start(config, &directory).await;
        if let Ok(quorum) = &quorum {
            self.check(&quorum.image());
            while self.decide(quorum).await.is_ok() && !self.disk.is_down() {}
        }
        flushing.abort();
        quorum.map(drop).map_err(|error| error.to_string())
    }

    /// The state is the one that was acknowledged last, or one that was decided after it.
    fn check(&mut self, found: &Image) {
        let mut decided = self.decided.lock();
        let is_one = decided.is_empty() || decided.iter().any(|image| same(image, found));
        assert!(is_one, "the state is none of the {} that may be", decided.len());
        decided.clear();
        decided.push_back(found.clone());
    }

    async fn decide(&mut self, quorum: &Quorum) -> Result<(), String> {
        if self.random.u8(..) < 20 {
            return quorum.snapshot().await.map_err(|error| error.to_string());
        }
        let seeds: Vec<u64> = (0..self.random.usize(1..=AT_ONCE)).map(|_| self.random.u64(..)).collect();
        let decided = &self.decided;
        let submits = seeds.into_iter().map(|seed| quorum.submit(move |image| make(seed, image, decided)));
        let answers = futures_util::future::join_all(submits).await;
        let acknowledged = answers.iter().flatten().map(|decided| decided.answer).max().unwrap_or(0);
        if answers.iter().all(Result::is_ok) {
            let mut decided = self.decided.lock();
            let last = &decided[acknowledged];
            assert!(same(last, &quorum.image()), "what is acknowledged is applied");
            decided.drain(..acknowledged);
            return Ok(());
        }
        self.decided.lock().drain(..acknowledged);
        Err("it has stopped".to_owned())
    }
}

/// Makes a decision, and notes what it leads to; its number is its answer.
fn make(seed: u64, image: &Image, decided: &DecidedStates) -> (usize, Vec<MetadataRecord>) {
    let records = decide(&mut Rng::with_seed(seed), image);
    let mut next = image.clone();
    for record in &records {
        next.apply(record.clone(), &mut Delta::default()).expect("what is decided follows");
    }
    let mut decided = decided.lock();
    decided.push_back(next);
    (decided.len() - 1, records)
}

/// Whether two states are one, whatever their offsets.
fn same(one: &Image, other: &Image) -> bool {
    one.records().eq(other.records())
}
