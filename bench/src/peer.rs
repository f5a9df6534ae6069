//! The brokers that are compared, each started the way its makers start it.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::process::Process;
use crate::{Attempt, Options};

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// Ours.
    Milena,
    /// Apache Kafka 4.3.1.
    Kafka,
    /// The least that any broker must do; without a sync for acknowledgements that ask for none.
    Sink,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Milena => "Milena",
            Kind::Kafka => "Kafka 4.3.1",
            Kind::Sink => "ideal sink",
        }
    }
}

/// How to start each broker.
pub(crate) struct Peers {
    milena: PathBuf,
    kafka_class_path: Option<String>,
    dir: PathBuf,
}

/// A broker that runs on a fresh directory.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) process: Process,
    pub(crate) bootstrap: String,
    /// When its command was run.
    pub(crate) started: Instant,
    dir: PathBuf,
}

impl Peers {
    pub(crate) fn new(options: &Options, dir: &Path) -> Attempt<Peers> {
        let beside = std::env::current_exe().map_err(|error| format!("where am I: {error}"))?;
        let milena = options.milena.clone().unwrap_or_else(|| beside.with_file_name("milena"));
        if options.peers.contains(&Kind::Milena) && !milena.is_file() {
            return Err(format!(
                "there is no {}; build it with: cargo build --release -p milena",
                milena.display()
            ));
        }
        let kafka_class_path = match (&options.kafka_class_path, options.peers.contains(&Kind::Kafka)) {
            (_, false) => None,
            (Some(given), true) => Some(given.clone()),
            (None, true) => Some(xtask::java::class_path()?),
        };
        Ok(Peers { milena, kafka_class_path, dir: dir.to_owned() })
    }

    /// Starts a broker; `sync` says whether acknowledgements of the run wait for the disk.
    pub(crate) fn start(&self, kind: Kind, sync: bool) -> Attempt<Peer> {
        let dir = self.dir.join(format!("{kind:?}").to_lowercase());
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        let port = free_port()?;
        let command = match kind {
            Kind::Milena => self.milena(&dir, port),
            Kind::Kafka => self.kafka(&dir, port)?,
            Kind::Sink => sink(&dir, port, sync)?,
        };
        self.launch(kind, dir, port, command)
    }

    fn launch(&self, kind: Kind, dir: PathBuf, port: u16, mut command: Command) -> Attempt<Peer> {
        let log = File::create(dir.join("output.log")).map_err(|error| format!("cannot log: {error}"))?;
        let second = log.try_clone().map_err(|error| format!("cannot log: {error}"))?;
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(log).stderr(second).spawn();
        let child = child.map_err(|error| format!("cannot start {}: {error}", kind.name()))?;
        let bootstrap = format!("127.0.0.1:{port}");
        let mut peer = Peer { kind, process: Process::new(child), bootstrap, started, dir };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&peer.bootstrap).is_err() {
            if let Err(error) = peer.process.assert_running() {
                let output = fs::read_to_string(peer.dir.join("output.log")).unwrap_or_default();
                return Err(format!("{}: {error}\n{output}", kind.name()));
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not listen after a minute", kind.name()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(peer)
    }

    fn milena(&self, dir: &Path, port: u16) -> Command {
        let mut command = Command::new(&self.milena);
        command.arg("start").arg("--set").arg(format!("log.dirs={}", dir.join("data").display()));
        command.arg("--set").arg(format!("listeners=PLAINTEXT://127.0.0.1:{port}"));
        command
    }

    /// With the flags and the heap of Kafka's own start script.
    fn kafka(&self, dir: &Path, port: u16) -> Attempt<Command> {
        let properties = dir.join("server.properties");
        let controller = free_port()?;
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             log.dirs={}\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             log.segment.delete.delay.ms=0\ngroup.initial.rebalance.delay.ms=0\n",
            dir.join("data").display()
        );
        fs::write(&properties, text).map_err(|error| format!("cannot write settings: {error}"))?;
        let class_path = self.kafka_class_path.as_deref().expect("asked for when Kafka is a peer");
        let status = Command::new("java")
            .args([
                "-cp",
                class_path,
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "Zm9yLWEtYmVuY2htYXJrIQ",
                "-c",
            ])
            .arg(&properties)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !status.is_ok_and(|status| status.success()) {
            return Err("Kafka's directory could not be formatted".to_owned());
        }
        let mut command = Command::new("java");
        command.args(["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
        command.args(["-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]);
        command.args(["-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]);
        command.args(["-cp", class_path, "kafka.Kafka"]).arg(properties);
        Ok(command)
    }
}

fn sink(dir: &Path, port: u16, sync: bool) -> Attempt<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| format!("where am I: {error}"))?);
    command.args(["sink", "--listen", &format!("127.0.0.1:{port}"), "--dir"]).arg(dir);
    if sync {
        command.arg("--sync");
    }
    Ok(command)
}

impl Peer {
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends it and deletes its directory.
    pub(crate) fn stop(self) {
        self.process.stop();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A port that nobody listened on a moment ago, below those that outgoing connections get.
fn free_port() -> Attempt<u16> {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let first = 21_000 + u16::try_from(std::process::id() % 100).expect("below 100") * 100;
    for _ in 0..1_000 {
        let port = first + NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 1_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".to_owned())
}
