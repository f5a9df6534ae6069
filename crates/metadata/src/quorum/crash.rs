//! Crash points of the metadata log: random histories of entries, votes and snapshots, as openraft
//! may ask for them, on a simulated disk that loses power or fails at any operation, and what a
//! start must make of what is left.
//!
//! A seed is one disk and one history of several crashes. `MILENA_CRASH_SEEDS=A..B` chooses the
//! seeds; those in `tests/seeds.txt` failed once and come first each time.

mod check;
mod history;
mod whole;

use std::panic::{AssertUnwindSafe, catch_unwind};

use history::History;

/// Crashes of one seed.
const CRASHES: u32 = 8;

/// Seeds of an ordinary run: 4,800 crashes.
const SEEDS: u64 = 600;

/// Seeds that failed once.
fn kept_seeds() -> Vec<u64> {
    let lines = include_str!("../../tests/seeds.txt").lines();
    let seeds = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    seeds.map(|line| line.trim().parse().expect("a line is a seed")).collect()
}

fn seeds() -> Vec<u64> {
    match std::env::var("MILENA_CRASH_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("a range of seeds, as 0..100");
            (from.parse().expect("a number")..to.parse().expect("a number")).collect()
        }
        Err(_) => kept_seeds().into_iter().chain(0..SEEDS).collect(),
    }
}

/// Runs a seed; what it found wrong.
fn run(seed: u64, test: &str, work: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let range = format!("{seed}..{}", seed + 1);
        format!(
            "seed {seed}: {text}\nreplay: MILENA_CRASH_SEEDS={range} cargo test -p metadata --lib crash::{test}"
        )
    })
}

/// Runs the seeds of one of two threads.
fn run_share(share: usize, test: &str) {
    let all = seeds();
    let of_share = all.iter().skip(share).step_by(2);
    let crashes = |seed| {
        move || {
            let mut history = History::new(seed);
            for _ in 0..CRASHES {
                history.until_crash();
                history.recover();
            }
        }
    };
    let failed: Vec<String> =
        of_share.filter_map(|seed| run(*seed, test, crashes(*seed)).err()).take(3).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn nothing_acknowledged_is_lost_at_any_crash_point() {
    run_share(0, "nothing");
}

/// The other half, so that the test runner gives it another processor.
#[test]
fn nothing_acknowledged_is_lost_at_any_other_crash_point() {
    run_share(1, "nothing");
}

/// A bit that turns in what was durable is told of, or is one of those that say nothing: the state
/// is never another.
#[test]
fn a_bit_that_turns_is_told_of_with_its_file() {
    let mut told = 0;
    let flips: Vec<String> = seeds()
        .into_iter()
        .take(400)
        .filter_map(|seed| run(seed, "a_bit", || told += u32::from(History::new(seed).flip())).err())
        .take(3)
        .collect();
    assert!(flips.is_empty(), "{}", flips.join("\n\n"));
    assert!(told > 10 || seeds().len() < 100, "{told} errors: the bits say something");
}

/// The same of the whole quorum: a twentieth of the seeds.
#[test]
fn nothing_decided_is_lost_at_any_crash_point_of_the_whole() {
    let failed: Vec<String> = seeds()
        .into_iter()
        .step_by(20)
        .filter_map(|seed| run(seed, "nothing", || whole::run(seed)).err())
        .take(3)
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
