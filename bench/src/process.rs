//! A running process, as the system sees it.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::Attempt;

/// The time that a broker may take to end: one with thousands of new partitions has much to sync.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// A broker's process, ended when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn new(child: Child) -> Process {
        Process(child)
    }

    /// User and system time that it and its children have used so far, in seconds; the system counts in steps of 10 ms.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let ticks: f64 = self.family().iter().map(|process| ticks(*process)).sum();
        ticks / rustix::param::clock_ticks_per_second() as f64
    }

    /// Resident memory of it and its children in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        self.family().iter().map(|process| resident_kib(*process)).sum::<f64>() / 1024.0
    }

    /// The process and those that it has started: some brokers' command is a shell that waits for the broker.
    pub(crate) fn family(&self) -> Vec<u32> {
        family(self.0.id())
    }

    /// Descriptors that are open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).map_or(0, Iterator::count)
    }

    /// Its id, to watch it from another thread.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Fails if it has ended by itself.
    pub(crate) fn assert_running(&mut self) -> Attempt<()> {
        match self.0.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the broker ended by itself: {status}")),
            Err(error) => Err(format!("cannot ask after the broker: {error}")),
        }
    }

    /// Asks it to end and waits; kills it if that takes too long.
    pub(crate) fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A process and all its descendants.
pub(crate) fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut at = 0;
    while let Some(process) = family.get(at) {
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        family.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        at += 1;
    }
    family
}

/// User and system time of a process, in ticks of the system's clock.
fn ticks(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; the numbers come after it. Fields 14 and 15 of proc(5).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    ticks(11) + ticks(12)
}

/// Resident memory of a process in KiB.
pub(crate) fn resident_kib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok());
    kib.unwrap_or_default()
}

impl Drop for Process {
    fn drop(&mut self) {
        // Without their parent the others would stay.
        for process in self.family().into_iter().skip(1) {
            let id = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
            let _ = id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::KILL));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
