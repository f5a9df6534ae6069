//! The compared brokers, each started as its makers recommend.

mod programs;
mod queues;

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::Attempt;
use crate::process::{self, Process};
pub(crate) use programs::Programs;

/// The kinds of brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// Milena.
    Milena,
    /// Apache Kafka 4.3.1.
    Kafka,
    /// The minimum of work for any broker.
    Sink,
    /// Streams of Redis.
    Redis,
    /// A quorum queue of RabbitMQ.
    Rabbitmq,
    /// A stream of NATS JetStream in files.
    Nats,
    /// A queue of ActiveMQ in KahaDB.
    Activemq,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Milena => "Milena",
            Kind::Kafka => "Kafka 4.3.1",
            Kind::Sink => "ideal sink",
            Kind::Redis => "Redis Streams",
            Kind::Rabbitmq => "RabbitMQ",
            Kind::Nats => "NATS JetStream",
            Kind::Activemq => "ActiveMQ",
        }
    }
}

/// The brokers' programs.
#[derive(clap::Args, Clone)]
pub(crate) struct Binaries {
    /// The binary under test [default: `milena` beside this program].
    #[arg(long)]
    pub(crate) milena: Option<PathBuf>,
    /// The class path of Kafka 4.3.1 [default: fetched by Maven].
    #[arg(long)]
    pub(crate) kafka_class_path: Option<String>,
}

/// Starts the brokers.
pub(crate) struct Peers {
    milena: PathBuf,
    kafka_class_path: Option<String>,
    programs: Programs,
    dir: PathBuf,
}

/// The setup of a broker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup<'a> {
    /// Whether Redis and NATS sync before they acknowledge. Milena, Kafka and the sink are configured by
    /// topic; RabbitMQ and ActiveMQ always sync.
    pub(crate) durable: bool,
    /// Settings of Milena and of Kafka, by name.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// Whether it keeps the data of an earlier broker of its kind, rather than start empty.
    pub(crate) keep: bool,
    /// The descriptors that it may have, or `None` for the system's limit.
    pub(crate) descriptors_max: Option<u32>,
}

/// A running broker.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) process: Process,
    pub(crate) bootstrap: String,
    /// The time at which its command was run.
    pub(crate) started: Instant,
    dir: PathBuf,
    /// Another process that it needs.
    companion: Option<Process>,
}

impl Peers {
    /// The brokers of these kinds, on directories below `dir`.
    pub(crate) fn new(kinds: &[Kind], binaries: &Binaries, dir: &Path) -> Attempt<Peers> {
        let beside = std::env::current_exe().map_err(|error| format!("where am I: {error}"))?;
        let milena = binaries.milena.clone().unwrap_or_else(|| beside.with_file_name("milena"));
        if kinds.contains(&Kind::Milena) && !milena.is_file() {
            return Err(format!(
                "there is no {}; build it with: cargo build --release -p milena",
                milena.display()
            ));
        }
        let kafka_class_path = match (&binaries.kafka_class_path, kinds.contains(&Kind::Kafka)) {
            (_, false) => None,
            (Some(given), true) => Some(given.clone()),
            (None, true) => Some(xtask::java::class_path()?.to_string()),
        };
        Ok(Peers { milena, kafka_class_path, programs: Programs::new(), dir: dir.to_owned() })
    }

    /// The directory of a broker of that kind.
    pub(crate) fn dir_of(&self, kind: Kind) -> PathBuf {
        self.dir.join(format!("{kind:?}").to_lowercase())
    }

    /// The log directory of Milena and Kafka.
    pub(crate) fn log_dir_of(&self, kind: Kind) -> PathBuf {
        self.dir_of(kind).join("data")
    }

    /// Starts a broker.
    pub(crate) fn start(&self, kind: Kind, setup: Setup<'_>) -> Attempt<Peer> {
        let dir = self.dir_of(kind);
        end_orphan(&dir);
        if !setup.keep {
            let _ = fs::remove_dir_all(&dir);
        }
        fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        let port = free_port()?;
        let mut companion = None;
        let command = match kind {
            Kind::Milena => self.milena(&dir, port, setup.settings),
            Kind::Kafka => self.kafka(&dir, port, setup)?,
            Kind::Sink => sink(&dir, port)?,
            Kind::Redis => queues::redis(&self.programs, &dir, port, setup)?,
            Kind::Nats => queues::nats(&self.programs, &dir, port, setup)?,
            Kind::Activemq => queues::activemq(&self.programs, &dir, port)?,
            Kind::Rabbitmq => {
                let (mut mapper, command) = queues::rabbitmq(&self.programs, &dir, port)?;
                let started = mapper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
                let started = started.map_err(|error| format!("cannot start epmd: {error}"))?;
                companion = Some(Process::new(started));
                command
            }
        };
        let command = match setup.descriptors_max {
            Some(max) => limited(&command, max),
            None => command,
        };
        let peer = launch(kind, dir, port, command)?;
        let peer = Peer { companion, ..peer };
        peer.note_processes();
        Ok(peer)
    }

    fn milena(&self, dir: &Path, port: u16, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.milena);
        command.arg("start").arg("--set").arg(format!("log.dirs={}", dir.join("data").display()));
        command.arg("--set").arg(format!("listeners=PLAINTEXT://127.0.0.1:{port}"));
        for (name, value) in settings {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        command
    }

    /// Uses the flags and the heap of Kafka's own start script.
    fn kafka(&self, dir: &Path, port: u16, setup: Setup<'_>) -> Attempt<Command> {
        let properties = dir.join("server.properties");
        let controller = free_port()?;
        let mut text = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             log.dirs={}\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             log.segment.delete.delay.ms=0\ngroup.initial.rebalance.delay.ms=0\n",
            dir.join("data").display()
        );
        for (name, value) in setup.settings {
            text += &format!("{name}={value}\n");
        }
        fs::write(&properties, text).map_err(|error| format!("cannot write settings: {error}"))?;
        let class_path = self.kafka_class_path.as_deref().expect("asked for when Kafka is a peer");
        let mut format = Command::new("java");
        format
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
            .stderr(Stdio::null());
        if !setup.keep && !format.status().is_ok_and(|status| status.success()) {
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

/// Ends the broker that an aborted run has left with this directory.
fn end_orphan(dir: &Path) {
    let Ok(text) = fs::read_to_string(dir.with_extension("pid")) else { return };
    let ids = text.lines().filter_map(|line| line.parse().ok()).flat_map(process::family);
    let ids = ids.filter_map(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    // Find all of them before the first of them ends.
    for id in ids.collect::<Vec<_>>() {
        let is_there = |file: &str| {
            let said = fs::read(format!("/proc/{}/{file}", id.as_raw_nonzero())).unwrap_or_default();
            String::from_utf8_lossy(&said).contains(&*dir.to_string_lossy())
        };
        let is_in =
            fs::read_link(format!("/proc/{}/cwd", id.as_raw_nonzero())).is_ok_and(|at| at.ends_with(dir));
        // The id may belong to another process by now.
        if is_in || is_there("cmdline") || is_there("environ") {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

/// The time that a broker may take until it listens: one with thousands of partitions has much to open.
const LISTENS_MAX: Duration = Duration::from_secs(300);

/// Runs the command and waits until it listens.
fn launch(kind: Kind, dir: PathBuf, port: u16, mut command: Command) -> Attempt<Peer> {
    let log = File::create(dir.join("output.log")).map_err(|error| format!("cannot log: {error}"))?;
    let second = log.try_clone().map_err(|error| format!("cannot log: {error}"))?;
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(log).stderr(second).spawn();
    let child = child.map_err(|error| format!("cannot start {}: {error}", kind.name()))?;
    let bootstrap = format!("127.0.0.1:{port}");
    let mut peer = Peer { kind, process: Process::new(child), bootstrap, started, dir, companion: None };
    peer.note_processes();
    let deadline = Instant::now() + LISTENS_MAX;
    while TcpStream::connect(&peer.bootstrap).is_err() {
        if let Err(error) = peer.process.assert_running() {
            let output = fs::read_to_string(peer.dir.join("output.log")).unwrap_or_default();
            return Err(format!("{}: {error}\n{output}", kind.name()));
        }
        if Instant::now() > deadline {
            return Err(format!("{} does not listen", kind.name()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(peer)
}

/// The command in a shell that lowers the limit of descriptors first.
fn limited(command: &Command, descriptors_max: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {descriptors_max} && exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

fn sink(dir: &Path, port: u16) -> Attempt<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| format!("where am I: {error}"))?);
    command.args(["sink", "--listen", &format!("127.0.0.1:{port}"), "--dir"]).arg(dir);
    Ok(command)
}

impl Peer {
    /// Notes the processes, so that the next run ends them if this one is aborted.
    fn note_processes(&self) {
        let processes = [Some(&self.process), self.companion.as_ref()];
        let ids: Vec<_> = processes.into_iter().flatten().flat_map(Process::family).collect();
        let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
        let _ = fs::write(self.dir.with_extension("pid"), ids.join("\n"));
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends it and deletes its directory.
    pub(crate) fn stop(self) {
        self.process.stop();
        drop(self.companion);
        let _ = fs::remove_dir_all(&self.dir);
        let _ = fs::remove_file(self.dir.with_extension("pid"));
    }

    /// Ends it and keeps its directory.
    pub(crate) fn leave(self) {
        self.process.stop();
    }

    /// Kills it and keeps its directory.
    pub(crate) fn kill(self) {
        drop(self.process);
    }
}

/// A port that was free a moment ago, below those of outgoing connections.
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
