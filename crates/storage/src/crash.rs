//! Crash points: random histories of a log directory on a simulated disk that loses power at any
//! operation, and what recovery must make of what is left.
//!
//! A seed is one disk and one history of several crashes. `MILENA_CRASH_SEEDS=A..B` chooses the
//! seeds; those in `tests/seeds.txt` failed once and come first each time.

mod check;
mod history;

use std::panic::{AssertUnwindSafe, catch_unwind};

use history::History;

/// Crashes of one seed.
const CRASHES: u32 = 8;

/// Seeds of an ordinary run: 12,000 crashes.
const SEEDS: u64 = 1500;

/// Seeds that failed once.
fn kept_seeds() -> Vec<u64> {
    let lines = include_str!("../tests/seeds.txt").lines();
    let seeds = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    seeds.map(|line| line.trim().parse().expect("a line is a seed")).collect()
}

/// Runs a seed; what it found wrong.
fn run(seed: u64) -> Result<(), String> {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut history = History::new(seed);
        for _ in 0..CRASHES {
            history.until_crash();
            history.recover();
        }
    }));
    run.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        format!(
            "seed {seed}: {text}\nreplay: MILENA_CRASH_SEEDS={seed}..{} cargo test -p storage --lib crash::",
            seed + 1
        )
    })
}

/// Runs the seeds of one of two threads.
fn run_share(share: u64, shares: u64) {
    let seeds: Vec<u64> = match std::env::var("MILENA_CRASH_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("a range of seeds, as 0..100");
            (from.parse().expect("a number")..to.parse().expect("a number")).collect()
        }
        Err(_) => kept_seeds().into_iter().chain(0..SEEDS).collect(),
    };
    let of_share = seeds.iter().enumerate().filter(|(n, _)| *n as u64 % shares == share);
    let failed: Vec<String> = of_share.filter_map(|(_, seed)| run(*seed).err()).take(3).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn nothing_durable_is_lost_at_any_crash_point() {
    run_share(0, 2);
}

/// The other half, so that the test runner gives it another processor.
#[test]
fn nothing_durable_is_lost_at_any_other_crash_point() {
    run_share(1, 2);
}

/// Undone by a loss of power, a truncation reached into the segments that were made after it, and
/// the log did not open.
#[test]
fn a_truncation_is_durable_before_a_segment_follows() {
    for seed in 0..100 {
        let mut history = History::new(seed);
        history.truncate_and_roll();
        history.recover();
    }
}

/// Of several segments of which nothing was synced a loss of power left a later one, and the log
/// opened as if it began there.
#[test]
fn a_log_whose_beginning_is_lost_begins_anew() {
    for seed in 0..100 {
        let mut history = History::new(seed);
        history.roll_without_sync();
        history.recover();
    }
}

/// Of the names that deleting several segments changes a loss of power undid some, and between
/// segments a hole was left.
#[test]
fn segments_that_were_deleted_leave_no_hole_when_they_come_back() {
    for seed in 0..100 {
        let mut history = History::new(seed);
        history.delete_segments();
        history.recover();
    }
}
