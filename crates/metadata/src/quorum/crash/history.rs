//! The operations on a metadata log until its power fails.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use futures_util::FutureExt;
use openraft::storage::{IOFlushed, RaftLogStorage, RaftStateMachine};
use openraft::type_config::TypeConfigExt;
use openraft::type_config::alias::OneshotReceiverOf;
use protocol::Uuid;
use protocol::records::AbortTransactionRecord;
use storage::fs::simulated::Disk;
use storage::fs::{Fs, Operation};
use storage::{LogDirectory, OpenDirectory};

use super::check;
use crate::MetadataRecord;
use crate::controller::tests::random::decide;
use crate::features::METADATA_VERSION_NEW;
use crate::quorum::active::together;
use crate::quorum::checkpoint::{self, Snapshot};
use crate::quorum::follow::PublishedState;
use crate::quorum::log_store::LogStore;
use crate::quorum::raft::{Entry, EntryRecord, LeaderId, LogId, Payload, Types, Vote, VoterId};
use crate::quorum::start::{self, QuorumConfig};
use crate::quorum::state_machine::StateMachine;
use crate::replay::Replay;

/// Room on a disk that is not full.
const ROOM_BYTES: u64 = 1 << 30;

/// Entries that a new log begins with: its protocol and its voters.
const INITIAL_ENTRIES: usize = 2;

/// An append that is not durable yet: how long the log is with it, and who waits.
type PendingAppend = (usize, OneshotReceiverOf<Types, io::Result<()>>);

/// A node that has started, without openraft.
pub(super) struct RunningNode {
    pub(super) directory: LogDirectory,
    pub(super) store: LogStore,
    pub(super) machine: StateMachine,
    pub(super) published: Arc<PublishedState>,
    dir: PathBuf,
    waiting: VecDeque<PendingAppend>,
    /// A snapshot that is taken and not written.
    snapshot: Option<Snapshot>,
    /// The last entry of the newest snapshot, up to which the log may be deleted.
    snapshotted: Option<LogId>,
}

/// A disk and what must be, and may be, on it.
pub(super) struct History {
    pub(super) random: Rng,
    pub(super) disk: Arc<Disk>,
    pub(super) running: Option<RunningNode>,
    /// Every entry from the first one on, also those that a snapshot stands for.
    pub(super) log: Vec<Entry>,
    /// Other possible contents of the log: before a truncation that may not be durable, or with the entries
    /// that a process could not append before it ended.
    pub(super) others: Vec<Vec<Entry>>,
    /// The number of durable entries.
    pub(super) acknowledged: usize,
    /// The number of applied entries, which are never taken back.
    pub(super) applied: usize,
    /// The vote that is durable, and one that perhaps is.
    pub(super) vote: Option<Vote>,
    pub(super) voting: Option<Vote>,
    /// Whether somebody was elected since the start: no leader goes on in the term of before.
    is_led: bool,
    /// The state with everything in the log.
    proposed: Replay,
    /// The state with as many entries as were applied.
    pub(super) replayed: (usize, Replay),
}

pub(super) fn config() -> QuorumConfig {
    QuorumConfig {
        segment_bytes: 4096,
        bytes_between_snapshots: 1 << 20,
        ..QuorumConfig::of_node(1, Uuid([7; 16]))
    }
}

/// Polls a future that need not wait.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("files are simulated: nothing waits")
}

impl History {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let disk = Disk::new(random.u64(..));
        let mut history = Self {
            random,
            disk,
            running: None,
            log: Vec::new(),
            others: Vec::new(),
            acknowledged: 0,
            applied: 0,
            vote: None,
            voting: None,
            is_led: false,
            proposed: Replay::default(),
            replayed: Default::default(),
        };
        history.start();
        history
    }

    pub(super) fn node(&mut self) -> &mut RunningNode {
        self.running.as_mut().expect("it runs")
    }

    /// Works until something fails, which it does at any operation.
    pub(super) fn until_crash(&mut self) {
        let point = self.disk.points() + self.random.u64(1..100);
        self.disk.cut_power_at(point);
        self.disk.set_short_transfers(self.random.u8(..) < 40);
        match self.random.u8(..100) {
            0..15 => self.fail_once(30),
            15..25 => self.disk.set_capacity(self.disk.used_bytes() + self.random.u64(0..8000)),
            _ => {}
        }
        for _ in 0..120 {
            if self.step().is_err() || self.disk.is_down() {
                break;
            }
        }
    }

    fn fail_once(&mut self, after: u32) {
        let operations = [
            Operation::Open,
            Operation::Read,
            Operation::Write,
            Operation::Sync,
            Operation::SyncDir,
            Operation::Truncate,
            Operation::Rename,
            Operation::Remove,
            Operation::List,
        ];
        let operation = operations[self.random.usize(..operations.len())];
        self.disk.fail(operation, self.random.u32(..after), ErrorKind::Other);
    }

    /// Ends the process, sometimes with the power, and starts another.
    pub(super) fn recover(&mut self) {
        self.running = None;
        // After a failed sync what is in the page cache is not what is on the disk, and a process
        // cannot tell: that another one starts without a loss of power is not tried.
        let is_killed = self.random.u8(..) < 80 && !self.disk.has_failed_sync() && !self.disk.is_down();
        if !is_killed {
            self.disk.cut_power();
            self.disk.reboot();
        }
        self.disk.set_short_transfers(self.random.u8(..) < 40);
        self.start();
    }

    /// Starts a node, and again while that fails for want of power, of room, or of a working disk.
    fn start(&mut self) {
        loop {
            let point = if self.random.u8(..) < 80 { self.random.u64(1..30) } else { u64::MAX / 2 };
            self.disk.cut_power_at(self.disk.points() + point);
            if self.random.u8(..) < 20 {
                self.fail_once(8);
            }
            let fails = self.disk.will_fail();
            let opened = self.open();
            let failed = fails && !self.disk.will_fail();
            match opened {
                Ok(running) => {
                    self.running = Some(running);
                    break;
                }
                Err(_) if self.disk.is_down() || self.disk.has_failed_sync() => {
                    self.disk.cut_power();
                    self.disk.reboot();
                }
                Err(_) if failed => {}
                Err(error) => {
                    let free = self.disk.free_bytes();
                    assert!(free < 4096, "with {free} bytes free it does not start: {error}");
                }
            }
            self.disk.set_capacity(ROOM_BYTES);
        }
        self.disk.clear_faults();
        self.disk.set_capacity(ROOM_BYTES);
        check::recovered(self);
        self.is_led = false;
        self.propose_anew();
    }

    pub(super) fn open(&self) -> Result<RunningNode, String> {
        let fs = Fs::simulated(self.disk.clone());
        let open = OpenDirectory { fs, path: PathBuf::from("/data"), open_files_max: 8 };
        let directory = LogDirectory::open(open).map_err(|error| error.to_string())?;
        let opened =
            start::open(&config(), &directory, start::Company::Alone).map_err(|error| error.to_string())?;
        let start::QuorumParts { store, machine, published, dir, .. } = opened;
        // Here a full disk is the end: nobody makes room while an append waits for it.
        store.stop_waiting();
        let waiting = VecDeque::new();
        Ok(RunningNode {
            directory,
            store,
            machine,
            published,
            dir,
            waiting,
            snapshot: None,
            snapshotted: None,
        })
    }

    /// The proposals are all that is in the log.
    fn propose_anew(&mut self) {
        self.proposed = Replay::default();
        self.log.iter().for_each(|entry| advance(&mut self.proposed, entry));
    }

    fn term(&self) -> u64 {
        self.vote.map_or(0, |vote| vote.leader_id.term)
    }

    fn step(&mut self) -> io::Result<()> {
        match self.random.u8(..100) {
            0..35 => self.propose(),
            35..60 => self.flush(),
            60..75 => self.apply(),
            75..80 => self.elect(),
            80..84 => self.follow(),
            84..90 => self.snapshot(),
            90..94 => self.purge(),
            94..97 => {
                let checkpointed = self.node().directory.checkpoint_log_offsets();
                checkpointed.map_err(io::Error::other)
            }
            97 => self.stop(),
            _ => self.read(),
        }
    }

    /// A leader decides something; what comes of it is appended at once or in two parts.
    fn propose(&mut self) -> io::Result<()> {
        if !self.is_led {
            return self.elect();
        }
        let records = if self.proposed.in_transaction() {
            let reason = Some("its leader is gone".into());
            vec![AbortTransactionRecord { reason }.into()]
        } else {
            together(decide(&mut self.random, self.proposed.image()), METADATA_VERSION_NEW)
        };
        let records = EntryRecord::of_decision(records, METADATA_VERSION_NEW);
        let mut payloads: Vec<Payload> = records.into_iter().map(Payload::Normal).collect();
        let rest = payloads.split_off(self.random.usize(..=payloads.len()));
        self.append(payloads)?;
        if self.random.bool() {
            self.flush()?;
        }
        self.append(rest)
    }

    fn append(&mut self, payloads: Vec<Payload>) -> io::Result<()> {
        if payloads.is_empty() {
            return Ok(());
        }
        let term = i32::try_from(self.term()).expect("a small term");
        let mut entries = Vec::new();
        for payload in payloads {
            let at = i64::try_from(self.log.len()).expect("a small log");
            let entry = Entry::new(crate::quorum::raft::log_id(term, at), payload);
            advance(&mut self.proposed, &entry);
            self.log.push(entry.clone());
            entries.push(entry);
        }
        let (sender, receiver) = Types::oneshot();
        let len = self.log.len();
        let node = self.node();
        node.waiting.push_back((len, receiver));
        now(node.store.append(entries, IOFlushed::signal(sender)))
    }

    /// One round of group commit, and what it tells.
    fn flush(&mut self) -> io::Result<()> {
        let node = self.node();
        node.directory.flusher().run_round();
        let mut acknowledged = None;
        while let Some((len, receiver)) = node.waiting.front_mut() {
            match receiver.try_recv() {
                Ok(told) => told?,
                Err(_) => break,
            }
            acknowledged = Some(*len);
            node.waiting.pop_front();
        }
        node.directory.check().map_err(io::Error::other)?;
        if let Some(acknowledged) = acknowledged {
            self.acknowledged = self.acknowledged.max(acknowledged);
            // What is durable was written after them.
            self.others.clear();
        }
        Ok(())
    }

    /// Applies some of the entries that are durable.
    pub(super) fn apply(&mut self) -> io::Result<()> {
        let upto = self.random.usize(self.applied..=self.acknowledged);
        self.apply_to(upto)
    }

    pub(super) fn apply_to(&mut self, upto: usize) -> io::Result<()> {
        let applied = now(self.node().machine.applied_state())?.0;
        let from = applied.map_or(0, |last| last.index as usize + 1);
        let entries: Vec<_> =
            self.log[from..upto.max(from)].iter().map(|it| Ok((it.clone(), None))).collect();
        now(self.node().machine.apply(futures_util::stream::iter(entries)))?;
        self.applied = self.applied.max(upto);
        check::image(self);
        Ok(())
    }

    fn vote_for(&mut self, id: i32) -> io::Result<()> {
        let voted_for = VoterId { id, directory_id: Uuid([if id == 1 { 7 } else { 9 }; 16]) };
        let leader_id = LeaderId { term: self.term() + 1, voted_for };
        let vote = Vote { leader_id, committed: false };
        self.voting = Some(vote);
        now(self.node().store.save_vote(&vote))?;
        self.vote = self.voting.take();
        Ok(())
    }

    /// This node votes for itself, and wins or not.
    fn elect(&mut self) -> io::Result<()> {
        self.vote_for(1)?;
        self.is_led = self.random.u8(..) < 200;
        if self.is_led { self.append(vec![Payload::Blank]) } else { Ok(()) }
    }

    /// Another node is elected, and has some of the entries that are not applied yet cut.
    fn follow(&mut self) -> io::Result<()> {
        self.vote_for(2)?;
        self.is_led = true;
        let len = self.random.usize(self.applied.max(INITIAL_ENTRIES)..=self.log.len());
        if len < self.log.len() {
            self.others.push(self.log.clone());
            self.log.truncate(len);
            self.acknowledged = self.acknowledged.min(len);
            let last = self.log[len - 1].log_id;
            let node = self.node();
            node.waiting.retain(|(waiting, _)| *waiting <= len);
            now(node.store.truncate_after(Some(last)))?;
            self.propose_anew();
        }
        self.append(vec![Payload::Blank])
    }

    /// Takes a snapshot, or writes the one that is taken.
    fn snapshot(&mut self) -> io::Result<()> {
        let fs = Fs::simulated(self.disk.clone());
        let node = self.node();
        match node.snapshot.take() {
            None => {
                node.store.snapshot_begins();
                node.snapshot = node.machine.snapshot();
            }
            Some(snapshot) => {
                let written = checkpoint::replace(&fs, &node.dir, &snapshot).map_err(io::Error::other)?;
                node.snapshotted = Some(written.last_log_id);
            }
        }
        Ok(())
    }

    /// Deletes what the newest snapshot stands for, once.
    fn purge(&mut self) -> io::Result<()> {
        let node = self.node();
        match node.snapshotted.take() {
            Some(upto) => now(node.store.purge(upto)),
            None => Ok(()),
        }
    }

    /// Stops as a service is stopped, and starts again.
    fn stop(&mut self) -> io::Result<()> {
        self.flush()?;
        let RunningNode { directory, store, machine, published, .. } = self.running.take().expect("it runs");
        drop((machine, published));
        store.close().map_err(|error| io::Error::other(error.to_string()))?;
        drop(store);
        directory.close(-1).map_err(io::Error::other)?;
        self.acknowledged = self.log.len();
        self.others.clear();
        let running = self.open().map_err(io::Error::other)?;
        self.running = Some(running);
        check::recovered(self);
        self.is_led = false;
        self.propose_anew();
        Ok(())
    }

    /// Turns a bit of the log or of a snapshot that is durable, and starts; says whether that was
    /// told of.
    pub(super) fn flip(&mut self) -> bool {
        for _ in 0..self.random.u32(20..150) {
            self.step().expect("nothing fails");
        }
        self.flush().expect("nothing fails");
        self.node().directory.checkpoint_log_offsets().expect("nothing fails");
        if self.random.bool() {
            self.stop().expect("nothing fails");
        }
        let dir = self.running.take().expect("it runs").dir;
        let files = Fs::simulated(self.disk.clone()).list(&dir).expect("the directory is there");
        let is_kind = |name: &str| name.ends_with(".log") || name.ends_with(".checkpoint");
        let files: Vec<_> = files.iter().filter(|file| is_kind(&file.name) && file.len > 0).collect();
        let file = files[self.random.usize(..files.len())];
        let (position, bit) = (self.random.usize(..file.len as usize), self.random.u8(..8));
        let path = dir.join(&file.name);
        self.disk.flip(&path, position, bit);
        self.disk.cut_power();
        self.disk.reboot();
        let told = match self.open() {
            Ok(running) => {
                self.running = Some(running);
                false
            }
            Err(error) => {
                let names = error.contains(&*path.to_string_lossy());
                assert!(names, "bit {bit} of byte {position} of {} is not told of: {error}", path.display());
                self.disk.flip(&path, position, bit);
                let mended = self.open();
                let mended = mended.unwrap_or_else(|after| panic!("mended after {error}, it says: {after}"));
                self.running = Some(mended);
                true
            }
        };
        check::recovered(self);
        told
    }

    /// Reads entries back, from memory or from disk.
    fn read(&mut self) -> io::Result<()> {
        check::entries(self)
    }
}

/// Takes one more entry into a state.
pub(super) fn advance(replay: &mut Replay, entry: &Entry) {
    let at = crate::quorum::raft::offset(entry.log_id.index);
    match &entry.payload {
        Payload::Normal(EntryRecord { record, .. }) => {
            let record: MetadataRecord = record.clone();
            replay.record(at, record).expect("what was decided follows");
        }
        _ => replay.skip(at),
    }
}
