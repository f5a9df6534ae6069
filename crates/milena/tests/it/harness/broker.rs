//! The broker under test: the product's binary as a process of its own, or one that was there before.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::directory::Directory;

/// Far beyond what a start takes; a loaded machine may be slow.
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Broker {
    address: String,
    /// None for a broker that was there before.
    own: Option<Process>,
}

struct Process {
    child: Option<Child>,
    data: PathBuf,
    log: PathBuf,
    settings: Vec<(String, String)>,
    environment: Vec<(&'static str, PathBuf)>,
    /// The descriptors that the process may have, if not those of the tests.
    descriptors: Option<Descriptors>,
    /// Last, so that the process has ended when the directory goes.
    _directory: Directory,
}

/// The descriptors of a process.
#[derive(Clone, Copy)]
pub(crate) struct Descriptors {
    pub(crate) max: u64,
    /// Those that are open when it starts, beside the standard streams.
    pub(crate) inherited: u64,
}

/// The end of a broker that did not start.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: ExitStatus,
    /// All that it printed, standard output and error.
    pub(crate) output: String,
}

impl Broker {
    /// A broker with nothing special: a fresh one, or the one that `MILENA_TEST_BOOTSTRAP` names.
    pub(crate) fn start() -> Broker {
        match std::env::var("MILENA_TEST_BOOTSTRAP") {
            Ok(address) => Broker { address, own: None },
            Err(_) => Broker::fresh(&[]),
        }
    }

    /// A broker that the test may stop, kill and configure, or `None` if the tests run against another one.
    pub(crate) fn own(settings: &[(&str, &str)]) -> Option<Broker> {
        if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
            eprintln!("skipped: needs a broker of its own");
            return None;
        }
        Some(Broker::fresh(settings))
    }

    /// The same in a process that may have so many descriptors.
    pub(crate) fn with_descriptors(descriptors: Descriptors) -> Option<Broker> {
        if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
            eprintln!("skipped: needs a broker of its own");
            return None;
        }
        let directory = Directory::new();
        let data = directory.path().join("data");
        Some(Broker::launch(directory, data, &[], &[], Some(descriptors)).expect("the broker starts"))
    }

    fn fresh(settings: &[(&str, &str)]) -> Broker {
        let directory = Directory::new();
        let data = directory.path().join("data");
        Broker::launch(directory, data, settings, &[], None).expect("the broker starts on a fresh directory")
    }

    /// A broker of its own that reads the time from `clock`, or `None` if the tests run against another one.
    pub(crate) fn under(clock: &Clock, settings: &[(&str, &str)]) -> Option<Broker> {
        if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
            eprintln!("skipped: needs a broker of its own");
            return None;
        }
        let directory = Directory::new();
        let data = directory.path().join("data");
        let launched = Broker::launch(directory, data, settings, &clock.environment(), None);
        Some(launched.expect("the broker starts on a fresh directory"))
    }

    /// A broker of its own whose data are at `data`, which may hold some already.
    pub(crate) fn on(data: &Path, settings: &[(&str, &str)]) -> Result<Broker, Refusal> {
        Broker::launch(Directory::new(), data.to_owned(), settings, &[], None)
    }

    fn launch(
        directory: Directory,
        data: PathBuf,
        settings: &[(&str, &str)],
        environment: &[(&'static str, PathBuf)],
        descriptors: Option<Descriptors>,
    ) -> Result<Broker, Refusal> {
        let port = free_port();
        let mut own = Process {
            child: None,
            data,
            log: directory.path().join("broker.log"),
            settings: vec![("listeners".into(), format!("PLAINTEXT://127.0.0.1:{port}"))],
            environment: environment.to_vec(),
            descriptors,
            _directory: directory,
        };
        own.settings.extend(settings.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let address = own.start()?;
        Ok(Broker { address, own: Some(own) })
    }

    /// `host:port` for clients.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.address
    }

    fn process(&self) -> &Process {
        self.own.as_ref().expect("a broker of its own")
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.process().data
    }

    /// All that it has printed.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.process().log).unwrap_or_default()
    }

    /// SIGKILL: the process is gone, the page cache stays.
    pub(crate) fn kill(&mut self) {
        let process = self.own.as_mut().expect("a broker of its own");
        let mut child = process.child.take().expect("it runs");
        child.kill().expect("a process of ours can be killed");
        child.wait().expect("it has ended");
    }

    /// Sends a signal and waits for nothing.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let child = self.process().child.as_ref().expect("it runs");
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal)
            .expect("a process of ours can be signalled");
    }

    /// Limits the descriptors of the process from here on, within the limit with which it was started.
    pub(crate) fn limit_descriptors(&self, current: u64) {
        let child = self.process().child.as_ref().expect("it runs");
        let id = Some(rustix::process::Pid::from_child(child));
        let maximum = self.process().descriptors.map(|descriptors| descriptors.max);
        let limit = rustix::process::Rlimit { current: Some(current), maximum };
        rustix::process::prlimit(id, rustix::process::Resource::Nofile, limit).expect("a process of ours");
    }

    /// SIGTERM, and waits for the end; says how long that took.
    pub(crate) fn stop(&mut self) -> Duration {
        let process = self.own.as_mut().expect("a broker of its own");
        let mut child = process.child.take().expect("it runs");
        let begun = Instant::now();
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::TERM,
        )
        .expect("a process of ours can be stopped");
        match wait(&mut child, STOP_LIMIT) {
            Some(status) => assert!(status.success(), "SIGTERM ended it with {status}: {}", self.log()),
            None => {
                let _ = child.kill();
                panic!("it did not end within {STOP_LIMIT:?} of SIGTERM: {}", self.log());
            }
        }
        begun.elapsed()
    }

    /// Waits until it ends by itself.
    pub(crate) fn await_end(&mut self) -> ExitStatus {
        let process = self.own.as_mut().expect("a broker of its own");
        let mut child = process.child.take().expect("it runs");
        let Some(status) = wait(&mut child, STOP_LIMIT) else {
            let _ = child.kill();
            panic!("it did not end within {STOP_LIMIT:?}: {}", self.log());
        };
        status
    }

    /// Ends it: with SIGKILL for a crash, else with SIGTERM.
    pub(crate) fn end(&mut self, crash: bool) {
        if crash {
            self.kill();
        } else {
            self.stop();
        }
    }

    /// Starts it again after [`Broker::kill`] or [`Broker::stop`], on the same port and data; says how long that took.
    pub(crate) fn restart(&mut self) -> Duration {
        let begun = Instant::now();
        let process = self.own.as_mut().expect("a broker of its own");
        assert!(process.child.is_none(), "it still runs");
        self.address = process.start().expect("it starts again on its own data");
        begun.elapsed()
    }

    /// Resident memory now, in bytes; none for a broker that was there before.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let id = self.own.as_ref()?.child.as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    }

    /// The nice values of the product's threads whose names begin with `name`; empty if the broker is not
    /// ours or the system does not tell.
    pub(crate) fn nice_of_threads(&self, name: &str) -> Vec<i32> {
        let Some(child) = self.own.as_ref().and_then(|process| process.child.as_ref()) else {
            return Vec::new();
        };
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", child.id())) else { return Vec::new() };
        let stats = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
        let nice = |stat: String| {
            // pid (name) state ...; nice is field 19.
            let (_, named) = stat.split_once('(')?;
            let (thread, rest) = named.rsplit_once(") ")?;
            thread.starts_with(name).then(|| rest.split(' ').nth(16)?.parse().ok())?
        };
        stats.filter_map(nice).collect()
    }

    /// Fails the test if the broker has ended or has panicked anywhere.
    pub(crate) fn assert_healthy(&mut self) {
        let Some(process) = self.own.as_mut() else { return };
        if let Some(child) = process.child.as_mut() {
            let ended = child.try_wait().expect("a process of ours can be asked");
            assert!(ended.is_none(), "the broker ended by itself, {ended:?}: {}", self.log());
        }
        let log = self.log();
        assert!(!log.contains("panicked at"), "the broker panicked: {log}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if self.own.is_some() {
                let log = self.log();
                let from = log.char_indices().rev().nth(4_000).map_or(0, |(at, _)| at);
                eprintln!("--- the broker printed:\n{}---", &log[from..]);
            }
        } else {
            self.assert_healthy();
        }
    }
}

impl Process {
    /// Starts the process and waits for its line with the address.
    fn start(&mut self) -> Result<String, Refusal> {
        let log = open_log(&self.log);
        let mut command = start_command(&self.data, &self.settings);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(descriptors) = self.descriptors {
            command = with_descriptors(descriptors, &command);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the product's binary runs");
        let stdout = child.stdout.take().expect("piped");
        let (said, lines) = mpsc::channel();
        let mut log = open_log(&self.log);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
                let _ = said.send(line);
            }
        });
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = address_in(&line) {
                        self.child = Some(child);
                        return Ok(address);
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let status = child.wait().expect("it has ended");
                    return Err(Refusal { status, output: read_lossy(&self.log) });
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    panic!("no line with an address in {START_LIMIT:?}: {}", read_lossy(&self.log));
                }
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The same command in a process with these descriptors alone: the clients of other tests leave theirs to every process
/// that is started meanwhile (librdkafka makes pipes without `O_CLOEXEC`).
fn with_descriptors(descriptors: Descriptors, command: &Command) -> Command {
    let Descriptors { max, inherited } = descriptors;
    let mut limited = Command::new("bash");
    limited.arg("-c").arg(format!(
        r#"for fd in /proc/self/fd/*; do fd=${{fd##*/}}; ((fd < 3)) || eval "exec $fd>&-"; done
        for ((i = 0; i < {inherited}; i++)); do exec {{fd}}</dev/null; done
        ulimit -n {max}; exec "$@""#
    ));
    limited.arg("bash");
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// `milena start` on `data`, with nothing taken from the environment of the tests.
pub(crate) fn start_command(data: &Path, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.arg("start").arg("--set").arg(format!("log.dirs={}", data.display()));
    for (name, value) in settings {
        command.arg("--set").arg(format!("{name}={value}"));
    }
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("MILENA_") || name_text.starts_with("KAFKA_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Waits for the end of `child`, for at most `limit`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a process of ours can be asked") {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The `127.0.0.1:port` in the line that a broker prints when it is ready.
fn address_in(line: &str) -> Option<String> {
    let from = line.find("127.0.0.1:")?;
    let end = line[from + 10..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |at| from + 10 + at);
    (end > from + 10).then(|| line[from..end].to_owned())
}

/// A port that is free now, below those that the system gives to outgoing connections, so that it is still free for
/// a restart.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % 97).expect("below 97") * 120;
    loop {
        let port = 20_000 + (spread + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn open_log(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a file for the log")
}

fn read_lossy(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
