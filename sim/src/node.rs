//! The machine that the broker runs on: its disk, its boots, and their faults.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use broker::RunningNode;
use fastrand::Rng;
use runtime::sim::{self, Host};
use runtime::{clock, net};
use settings::Configs;
use storage::fs::simulated::{CAPACITY_BYTES, Disk};
use storage::fs::{Fs, Operation};

use crate::history::History;
use crate::swarm::Swarm;

/// The machine's name.
const NAME: &str = "node-1";

/// The time that a start may take.
const START_MAX: Duration = Duration::from_secs(60);

/// A fault of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    Kill,
    PowerCut,
    CleanStop,
    FailedSync,
    FullDisk,
    Resets,
    Cut,
    ClockJump,
}

impl Fault {
    /// Draws one of the faults of the run.
    pub(crate) fn draw(swarm: &Swarm, chance: &mut Rng) -> Self {
        let families = [
            (swarm.kills, Self::Kill),
            (swarm.power_cuts, Self::PowerCut),
            (swarm.clean_stops, Self::CleanStop),
            (swarm.failing_syncs, Self::FailedSync),
            (swarm.full_disks, Self::FullDisk),
            (swarm.resets, Self::Resets),
            (swarm.cuts, Self::Cut),
            (swarm.clock_jumps, Self::ClockJump),
        ];
        let has: Vec<Self> = families.iter().filter(|(has, _)| *has).map(|(_, fault)| *fault).collect();
        chance.choice(has).unwrap_or(Self::Nothing)
    }
}

/// The machine.
pub(crate) struct Node {
    disk: Arc<Disk>,
    boot: Option<(Host, RunningNode)>,
    skew_ms: i64,
    chance: Rng,
    history: Arc<History>,
    keeping_time: runtime::task::JoinHandle<()>,
}

impl Node {
    pub(crate) fn new(swarm: &Swarm, mut chance: Rng, history: Arc<History>) -> Self {
        let disk = Disk::new(chance.u64(..));
        disk.set_short_transfers(swarm.short_transfers);
        let kept = Arc::clone(&disk);
        let keeping_time = runtime::task::spawn(async move {
            loop {
                kept.set_now_ms(clock::now_ms());
                clock::sleep(Duration::from_millis(10)).await;
            }
        });
        Self { disk, boot: None, skew_ms: 0, chance, history, keeping_time }
    }

    /// Starts the broker.
    pub(crate) async fn start(&mut self) -> Result<(), String> {
        self.history.count(|counts| counts.boots += 1);
        let host = sim::boot(NAME);
        host.set_skew_ms(self.skew_ms);
        let fs = Fs::simulated(Arc::clone(&self.disk));
        let starting = host.spawn(broker::start_on(settings(), fs));
        match clock::timeout(START_MAX, starting).await {
            Ok(Ok(Ok(running))) => {
                self.boot = Some((host, running));
                Ok(())
            }
            Ok(Ok(Err(error))) => Err(format!("the broker does not start: {error}")),
            Ok(Err(error)) => Err(format!("the start: {error}")),
            Err(_) => Err("the broker did not start within a minute".to_owned()),
        }
    }

    /// Stops the broker cleanly.
    pub(crate) async fn stop(&mut self) -> Result<(), String> {
        let Some((host, running)) = self.boot.take() else { return Ok(()) };
        let stopping = host.spawn(running.shutdown());
        match clock::timeout(START_MAX, stopping).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(format!("the stop: {error}")),
            Err(_) => return Err("the broker did not stop within a minute".to_owned()),
        }
        host.kill();
        self.disk.restart();
        Ok(())
    }

    /// Kills the process at this point.
    fn kill(&mut self) {
        let Some((host, running)) = self.boot.take() else { return };
        host.kill();
        drop(running);
        self.disk.restart();
    }

    fn cut_power(&mut self) {
        self.disk.cut_power();
        let Some((host, running)) = self.boot.take() else { return };
        host.kill();
        drop(running);
        self.disk.reboot();
    }

    /// Waits until the broker ends by itself, as it does without a log directory.
    async fn wait_for_end(&mut self, patience: Duration) -> bool {
        let Some((_, running)) = &self.boot else { return true };
        clock::timeout(patience, running.failed()).await.is_ok()
    }

    /// Injects a fault into the node, and waits until it serves again.
    pub(crate) async fn suffer(&mut self, fault: Fault) -> Result<(), String> {
        sim::note(format_args!("fault {fault:?}"));
        match fault {
            Fault::Nothing => {
                // So that the run without faults has a second start too.
                self.stop().await?;
                self.start().await?;
            }
            Fault::Kill => {
                self.history.count(|counts| counts.kills += 1);
                self.kill();
                self.pause().await;
                self.start().await?;
            }
            Fault::PowerCut => {
                self.history.count(|counts| counts.power_cuts += 1);
                if self.chance.bool() {
                    self.await_operation().await;
                }
                self.cut_power();
                self.pause().await;
                self.start().await?;
            }
            Fault::CleanStop => {
                self.history.count(|counts| counts.clean_stops += 1);
                self.stop().await?;
                self.pause().await;
                self.start().await?;
            }
            Fault::FailedSync => {
                self.history.count(|counts| counts.failed_syncs += 1);
                self.disk.fail(Operation::Sync, self.chance.u32(..20), ErrorKind::Other);
                // The only log directory: without it the process ends.
                self.wait_for_end(Duration::from_secs(5)).await;
                self.disk.spare();
                self.kill();
                self.disk.reboot();
                self.start().await?;
            }
            Fault::FullDisk => {
                self.history.count(|counts| counts.full_disks += 1);
                self.disk.set_capacity(self.disk.used_bytes() + self.chance.u64(..200_000));
                clock::sleep(Duration::from_millis(self.chance.u64(100..4_000))).await;
                self.disk.set_capacity(CAPACITY_BYTES);
            }
            Fault::Resets => {
                self.history.count(|counts| counts.resets += 1);
                net::reset_connections(NAME, self.chance.u32(1..4));
            }
            Fault::Cut => {
                self.history.count(|counts| counts.cuts += 1);
                if self.chance.bool() {
                    net::cut("clients", NAME);
                }
                net::cut(NAME, "clients");
                clock::sleep(Duration::from_millis(self.chance.u64(100..15_000))).await;
                net::heal();
            }
            Fault::ClockJump => {
                self.history.count(|counts| counts.clock_jumps += 1);
                self.skew_ms = self.chance.i64(-3_600_000..3_600_000);
                if let Some((host, _)) = &self.boot {
                    host.set_skew_ms(self.skew_ms);
                }
            }
        }
        Ok(())
    }

    /// Cuts the power during an operation of the disk, rather than between two: anything can be torn there.
    async fn await_operation(&mut self) {
        self.disk.cut_power_at(self.disk.points() + self.chance.u64(1..40));
        for _ in 0..2_000 {
            if self.disk.is_down() {
                return;
            }
            clock::sleep(Duration::from_micros(500)).await;
        }
    }

    async fn pause(&mut self) {
        clock::sleep(Duration::from_millis(self.chance.u64(..2_000))).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.keeping_time.abort();
    }
}

fn settings() -> Configs {
    let settings = [
        ("node.id", "1"),
        ("log.dirs", "/data"),
        ("listeners", "PLAINTEXT://0.0.0.0:9092"),
        ("advertised.listeners", "PLAINTEXT://node-1:9092"),
        ("offsets.topic.num.partitions", "3"),
        ("group.initial.rebalance.delay.ms", "100"),
        ("log.flush.offset.checkpoint.interval.ms", "1000"),
        ("log.flush.start.offset.checkpoint.interval.ms", "1000"),
    ];
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
