//! One broker, and a metadata quorum, in simulation: both are right under faults, one seed is one run, and mistakes are
//! found.
#![allow(clippy::disallowed_methods, reason = "a test runs programs and reads what they wrote")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Seeds that every run of the tests takes.
const SEEDS: &str = "1..41";

/// Seeds in which a mistake must be found.
const TRAP_SEEDS: &str = "1..101";

/// Mistakes of storage and of groups that clients of a whole broker notice, each within so many seeds.
const TRAPS: &[&str] = &[
    "SegmentEntryUnsynced",
    "PartitionEntryUnsynced",
    "RenameUnsynced",
    "CheckpointUnsynced",
    "CleanStopBelieved",
    "AcknowledgedUnsynced",
    "FailedSyncRetried",
    "ShortWrite",
    "ShortRead",
    "ZombieCommits",
    "ServedUnread",
    "CommitUnsynced",
    "LostCommitAcknowledged",
];

/// Mistakes of a metadata quorum of several voters, each found within so many seeds.
const QUORUM_TRAPS: &[&str] = &[
    "EntryUnsynced",
    "SnapshotUnsynced",
    "VoteForgotten",
    "VoteForShorterLog",
    "EntriesWrittenAnew",
    "DeposedLeaderReads",
    "ProposalsKept",
    "TruncatedEntriesApplied",
];

fn simulate(arguments: &[&str]) -> Output {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| xtask::simulation::build().expect("the simulation builds"));
    Command::new(program).args(arguments).env("RUST_BACKTRACE", "0").output().expect("the simulation runs")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The tests of the simulated body of `runtime`, which the workspace builds with the other.
#[test]
fn the_simulated_world_is_right() {
    let mut command = Command::new("cargo");
    command.current_dir(xtask::root()).args(["test", "--quiet", "--locked", "-p", "runtime", "--lib"]);
    let output = command.args(["--features", "simulation"]).output().expect("cargo runs");
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("test result: ok. 10 passed"), "{}", told(&output));
}

#[test]
fn a_broker_is_right_under_faults() {
    let output = simulate(&["--seeds", SEEDS]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(told(&output).matches(": right; ").count(), 40, "{}", told(&output));
}

#[test]
fn one_seed_is_one_run_byte_for_byte() {
    let folder = std::env::temp_dir().join(format!("milena-traces-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    for run in [
        ["--seed", "3"],
        ["--seed", "14"],
        ["--seed", "19"],
        ["--quorum", "--seed=4"],
        ["--quorum", "--seed=5"],
    ] {
        let trace = |name: &str| {
            let path = folder.join(name);
            let path = path.to_str().expect("a path in UTF-8");
            let output = simulate(&[run[0], run[1], "--trace", path]);
            assert!(output.status.success(), "{}", told(&output));
            (std::fs::read(path).expect("the trace was written"), output.stdout)
        };
        let (first, second) = (trace("first"), trace("second"));
        assert!(first.0.len() > 100_000, "{run:?} does something");
        assert!(first == second, "{run:?} is two runs: compare the traces in {}", folder.display());
    }
    std::fs::remove_dir_all(&folder).expect("it was made here");
}

#[test]
fn a_run_that_did_nothing_fails() {
    for scenario in [&["--seed", "1", "--idle"][..], &["--quorum", "--seed", "1", "--idle"]] {
        let output = simulate(scenario);
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    }
}

#[test]
fn a_quorum_is_right_under_faults() {
    let output = simulate(&["--quorum", "--seeds", SEEDS]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(told(&output).matches(": right; ").count(), 40, "{}", told(&output));
}

#[test]
fn mistakes_are_found_in_the_quorum() {
    // The same seeds without a mistake are right: see above.
    for trap in QUORUM_TRAPS {
        let output = simulate(&["--quorum", "--seeds", SEEDS, "--trap", trap]);
        assert_eq!(output.status.code(), Some(1), "{trap} is not found: {}", told(&output));
    }
}

#[test]
fn mistakes_are_found_through_the_whole_broker() {
    // The same seeds without a mistake are right: see above.
    for trap in TRAPS {
        let output = simulate(&["--seeds", TRAP_SEEDS, "--trap", trap]);
        assert_eq!(output.status.code(), Some(1), "{trap} is not found: {}", told(&output));
    }
}
