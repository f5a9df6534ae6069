//! One voter on its machine, and the machine's faults.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_util::FutureExt;
use metadata::{Quorum, QuorumConfig};
use parking_lot::Mutex;
use runtime::sim::{self, Host};
use runtime::{clock, task};
use storage::fs::simulated::{CAPACITY_BYTES, Disk};
use storage::fs::{Fs, Operation};
use storage::{LogDirectory, OpenDirectory};
use tokio::sync::watch;

use super::ledger::Ledger;
use super::links::Links;
use super::{Shape, founders, id};

/// The time that a start may take.
const START_MAX: Duration = Duration::from_secs(60);

/// A machine with a voter.
pub(crate) struct Voter {
    pub(crate) node: i32,
    config: QuorumConfig,
    disk: Arc<Disk>,
    links: Arc<Links>,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
}

struct State {
    boot: Option<Boot>,
    boots: u64,
    chance: Rng,
    skew_ms: i64,
}

/// A process.
struct Boot {
    host: Host,
    quorum: Arc<Quorum>,
    _directory: LogDirectory,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    PowerCut,
    FailedSync,
    FullDisk,
    Pause,
    ClockJump,
}

impl Voter {
    pub(crate) fn new(
        node: i32,
        shape: &Shape,
        mut chance: Rng,
        links: &Arc<Links>,
        ledger: &Arc<Ledger>,
    ) -> Arc<Self> {
        let config = QuorumConfig {
            cluster_id: "simulated".to_owned(),
            voters: founders(shape.voters),
            segment_bytes: shape.segment_bytes,
            bytes_between_snapshots: shape.bytes_between_snapshots,
            ..QuorumConfig::of_node(node, id(node).directory_id)
        };
        let disk = Disk::new(chance.u64(..));
        let state = Mutex::new(State { boot: None, boots: 0, chance, skew_ms: 0 });
        let (links, ledger) = (Arc::clone(links), Arc::clone(ledger));
        Arc::new(Self { node, config, disk, links, ledger, state })
    }

    /// The quorum as long as it runs, and the number of the boot.
    pub(crate) fn quorum(&self) -> Option<(Arc<Quorum>, u64)> {
        let state = self.state.lock();
        state.boot.as_ref().map(|boot| (Arc::clone(&boot.quorum), state.boots))
    }

    /// How far its state is; -1 while it does not run.
    pub(crate) fn offset(&self) -> i64 {
        self.quorum().map_or(-1, |(quorum, _)| quorum.image().offset())
    }

    /// Starts the process.
    pub(crate) async fn start(&self) -> Result<(), String> {
        let host = sim::boot(&format!("voter-{}", self.node));
        host.set_skew_ms(self.state.lock().skew_ms);
        self.ledger.count(|counts| counts.boots += 1);
        let open = OpenDirectory {
            fs: Fs::simulated(Arc::clone(&self.disk)),
            path: PathBuf::from("/data"),
            open_files_max: 64,
        };
        let (config, peers) = (self.config.clone(), self.links.end_at(self.node));
        let starting = host.spawn(async move {
            let directory = LogDirectory::open(open).map_err(|error| error.to_string())?;
            let flusher = directory.flusher();
            let flushing = task::spawn_thread("milena-flush", move || flusher.run());
            flushing.map_err(|error| error.to_string())?;
            let quorum = Quorum::start_among(config, &directory, peers).await;
            Ok::<_, String>((quorum.map_err(|error| error.to_string())?, directory))
        });
        match clock::timeout(START_MAX, starting).await {
            Ok(Ok(Ok((quorum, directory)))) => {
                self.links.up(self.node, host, &quorum);
                let mut state = self.state.lock();
                state.boots += 1;
                state.boot = Some(Boot { host, quorum, _directory: directory });
                Ok(())
            }
            Ok(Ok(Err(error))) => Err(format!("voter {} does not start: {error}", self.node)),
            Ok(Err(error)) => Err(format!("the start of voter {}: {error}", self.node)),
            Err(_) => Err(format!("voter {} did not start within a minute", self.node)),
        }
    }

    /// Ends the process at this point.
    fn kill(&self) {
        self.links.down(self.node);
        let boot = self.state.lock().boot.take();
        if let Some(Boot { host, quorum, _directory }) = boot {
            host.kill();
            drop(quorum);
        }
    }

    /// Suffers the faults of the run, one after the other, until they end; it runs then.
    pub(crate) async fn suffer(
        self: Arc<Self>,
        shape: Shape,
        stopping: watch::Receiver<bool>,
    ) -> Result<(), String> {
        let families = [
            (shape.kills, Fault::Kill),
            (shape.power_cuts, Fault::PowerCut),
            (shape.failing_syncs, Fault::FailedSync),
            (shape.full_disks, Fault::FullDisk),
            (shape.pauses, Fault::Pause),
            (shape.clock_jumps, Fault::ClockJump),
        ];
        let has: Vec<Fault> = families.iter().filter(|(has, _)| *has).map(|(_, fault)| *fault).collect();
        loop {
            let calm = Duration::from_millis(self.chance(200..8_000));
            clock::sleep(calm).await;
            let fault = {
                let mut state = self.state.lock();
                state.chance.choice(&has).copied()
            };
            self.restart_if_ended().await?;
            let Some(fault) = fault.filter(|_| !*stopping.borrow()) else { return Ok(()) };
            sim::note(format_args!("voter {}: {fault:?}", self.node));
            self.ledger.count(|counts| counts.faults += 1);
            self.meet(fault).await?;
        }
    }

    async fn meet(&self, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::Kill => {
                self.kill();
                self.disk.restart();
                clock::sleep(Duration::from_millis(self.chance(1..3_000))).await;
                self.start().await
            }
            Fault::PowerCut => {
                self.disk.cut_power_at(self.disk.points() + self.chance(1..60));
                for _ in 0..400 {
                    if self.disk.is_down() {
                        break;
                    }
                    clock::sleep(Duration::from_millis(5)).await;
                }
                self.restart_after_power_cut().await
            }
            Fault::FailedSync => {
                let after = u32::try_from(self.chance(0..20)).expect("a small number");
                self.disk.fail(Operation::Sync, after, ErrorKind::Other);
                let quorum = self.quorum().map(|(quorum, _)| quorum);
                if let Some(quorum) = quorum {
                    // The only log directory: without it the process ends.
                    let _ = clock::timeout(Duration::from_secs(5), quorum.ended()).await;
                }
                self.disk.spare();
                self.restart_after_power_cut().await
            }
            Fault::FullDisk => {
                self.disk.set_capacity(self.disk.used_bytes() + self.chance(0..100_000));
                clock::sleep(Duration::from_millis(self.chance(100..4_000))).await;
                self.disk.set_capacity(CAPACITY_BYTES);
                Ok(())
            }
            Fault::Pause => {
                let host = self.state.lock().boot.as_ref().map(|boot| boot.host);
                if let Some(host) = host {
                    host.set_paused(true);
                    clock::sleep(Duration::from_millis(self.chance(50..3_000))).await;
                    host.set_paused(false);
                }
                Ok(())
            }
            Fault::ClockJump => {
                let mut state = self.state.lock();
                state.skew_ms = state.chance.i64(-3_600_000..3_600_000);
                if let Some(boot) = &state.boot {
                    boot.host.set_skew_ms(state.skew_ms);
                }
                Ok(())
            }
        }
    }

    /// Starts a process again that has ended by itself, as a supervisor does.
    pub(crate) async fn restart_if_ended(&self) -> Result<(), String> {
        let Some((quorum, _)) = self.quorum() else { return Ok(()) };
        let Some(reason) = quorum.ended().now_or_never() else { return Ok(()) };
        sim::note(format_args!("voter {} has ended: {reason}", self.node));
        drop(quorum);
        self.kill();
        self.disk.restart();
        self.start().await
    }

    /// Loses what the disk has not synced, and starts.
    pub(crate) async fn restart_after_power_cut(&self) -> Result<(), String> {
        self.disk.cut_power();
        self.kill();
        self.disk.reboot();
        clock::sleep(Duration::from_millis(self.chance(1..2_000))).await;
        self.start().await
    }

    fn chance(&self, range: std::ops::Range<u64>) -> u64 {
        self.state.lock().chance.u64(range)
    }
}
