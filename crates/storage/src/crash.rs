//! Crash points: random histories of a log directory on a simulated disk that loses power or whose
//! process dies at any operation, that fails and runs full, and what recovery must make of what is
//! left.
//!
//! A seed is one disk and one history of several crashes. `MILENA_CRASH_SEEDS=A..B` chooses the
//! seeds; those in `tests/seeds.txt` failed once and come first each time. `cargo xtask soak
//! storage` runs more.

mod check;
mod damage;
mod history;
mod indexes;
mod partition;
mod scripted;
mod traps;

use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use history::History;

/// Crashes of one seed.
const CRASHES: u32 = 8;

/// Seeds of an ordinary run.
const SEEDS: u64 = 2000;

/// The points that an ordinary run passes at least.
const POINTS_MIN: u64 = 20_000;

/// What was met: each is a loss of power, a death of the process or a failing file operation, with
/// a recovery and a check after it.
#[derive(Clone, Copy, Debug, Default)]
struct Points {
    crashes: u64,
    /// Of those, and beside them, where recovery itself was interrupted.
    in_recovery: u64,
    /// A bit turned.
    damages: u64,
}

impl AddAssign for Points {
    fn add_assign(&mut self, other: Points) {
        self.crashes += other.crashes;
        self.in_recovery += other.in_recovery;
        self.damages += other.damages;
    }
}

/// Seeds that failed once.
fn kept_seeds() -> Vec<u64> {
    let lines = include_str!("../tests/seeds.txt").lines();
    let seeds = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    seeds.map(|line| line.trim().parse().expect("a line is a seed")).collect()
}

/// Runs a seed; the points that it passed, or what it found wrong.
fn run(seed: u64) -> Result<Points, String> {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut history = History::new(seed);
        for _ in 0..CRASHES {
            history.until_crash();
            history.recover();
        }
        history.points
    }));
    run.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        format!(
            "seed {seed}: {text}\nreplay: MILENA_CRASH_SEEDS={seed}..{} cargo test -p storage --lib crash::seeds",
            seed + 1
        )
    })
}

/// Runs seeds by so many threads; the points that they passed, or what the first that failed found.
fn run_all(seeds: &[u64], threads: usize) -> Result<Points, String> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Ok(Points::default()));
    std::thread::scope(|scope| {
        let work = || {
            while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = run(*seed);
                match (&mut *found.lock(), outcome) {
                    (Ok(points), Ok(more)) => *points += more,
                    (Err(_), _) => return,
                    (found, Err(failure)) => *found = Err(failure),
                }
            }
        };
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    found.into_inner()
}

/// The kept seeds and many more, or those of `MILENA_CRASH_SEEDS`.
#[test]
fn seeds_lose_nothing_that_was_durable() {
    let range = std::env::var("MILENA_CRASH_SEEDS").ok().map(|range| {
        let (from, to) = range.split_once("..").expect("a range of seeds, as 0..100");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    let seeds: Vec<u64> = match range.clone() {
        Some(range) => range.collect(),
        None => kept_seeds().into_iter().chain(0..SEEDS).collect(),
    };
    let points = run_all(&seeds, 2).unwrap_or_else(|failure| panic!("{failure}"));
    let all = points.crashes + points.in_recovery + points.damages;
    tracing::info!(all, ?points, "crash points");
    assert!(range.is_some() || all >= POINTS_MIN, "{points:?}");
}
