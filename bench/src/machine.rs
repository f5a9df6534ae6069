//! The machine and the versions of a measurement.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::network;

/// The machine and the versions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// The congestion control, which decides when a connection on the loopback sends.
    #[serde(default)]
    pub(crate) congestion_control: String,
    pub(crate) java: String,
    pub(crate) librdkafka: String,
    /// The commit of Milena, if it is known.
    pub(crate) milena: String,
    /// The start of the run.
    pub(crate) time: String,
    /// The command line.
    pub(crate) command: String,
    /// The load average of the minute before: the other work of the machine.
    pub(crate) load_before: String,
}

impl Machine {
    /// The description that distinguishes this run from others.
    pub(crate) fn run(&self) -> String {
        let Machine { time, command, milena, load_before, .. } = self;
        format!("{time}, Milena {milena}: `bench {command}`, load average before: {load_before}")
    }

    pub(crate) fn this() -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split(':').nth(1).unwrap_or_default().trim().to_owned()
        };
        let memory_kib = field(&read("/proc/meminfo"), "MemTotal");
        let memory_kib: u64 =
            memory_kib.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0);
        let load = read("/proc/loadavg");
        Machine {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_gib: memory_kib.div_ceil(1 << 20),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion_control: network::congestion_control(),
            java: first_line("java", &["-version"]),
            librdkafka: rdkafka::util::get_rdkafka_version().1,
            milena: commit(),
            time: first_line("date", &["--utc", "+%Y-%m-%d %H:%M UTC"]),
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            load_before: load.split_whitespace().next().unwrap_or_default().to_owned(),
        }
    }
}

/// The commit of the sources beside this program; empty if they are not under version control.
fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty=+changes"]).current_dir(xtask::root());
    let said = git.output().ok().filter(|output| output.status.success());
    said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The first line of a command's output; empty if it cannot be run.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else { return String::new() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}
