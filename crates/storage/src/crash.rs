//! Crash points: random histories of a log directory on a simulated disk that loses power or whose process dies at any
//! operation, that fails and runs full, with checks of what recovery makes of the rest.
//!
//! A seed is one disk and one history of several crashes. `MILENA_CRASH_SEEDS=A..B` chooses the
//! seeds; those in `tests/seeds.txt`, and in `tests/compaction_seeds.txt` for histories in which every
//! log is compacted, failed once and come first each time. `cargo xtask soak storage` runs more.

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

/// Seeds of an ordinary run of histories in which every log is compacted.
const COMPACTING_SEEDS: u64 = 300;

/// The least number of points that an ordinary run passes.
const POINTS_MIN: u64 = 20_000;

/// The numbers of crash points met: each is a loss of power, a death of the process or a failing file
/// operation, with a recovery and a check after it.
#[derive(Clone, Copy, Debug, Default)]
struct Points {
    crashes: u64,
    /// Further points that interrupted recovery itself.
    in_recovery: u64,
    /// Flipped bits.
    damages: u64,
}

impl AddAssign for Points {
    fn add_assign(&mut self, other: Points) {
        self.crashes += other.crashes;
        self.in_recovery += other.in_recovery;
        self.damages += other.damages;
    }
}

/// The histories of seeds.
#[derive(Clone, Copy, Debug)]
enum In {
    /// Histories of all kinds.
    All,
    /// Histories in which every log is compacted, and often.
    Compacting,
}

/// Seeds that failed once.
fn kept_seeds(histories: In) -> Vec<u64> {
    let lines = match histories {
        In::All => include_str!("../tests/seeds.txt").lines(),
        In::Compacting => include_str!("../tests/compaction_seeds.txt").lines(),
    };
    let seeds = lines.filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    seeds.map(|line| line.trim().parse().expect("a line is a seed")).collect()
}

/// Runs the history of a seed. Returns the points that it passed.
fn pass(histories: In, seed: u64) -> Points {
    let mut history = match histories {
        In::All => History::new(seed),
        In::Compacting => History::compacting(seed),
    };
    for _ in 0..CRASHES {
        history.until_crash();
        history.recover();
    }
    history.points
}

/// Runs a seed. Returns the points that it passed, or the fault that it found.
fn run(histories: In, seed: u64) -> Result<Points, String> {
    catch_unwind(AssertUnwindSafe(|| pass(histories, seed))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let tests = match histories {
            In::All => "crash::seeds_lose",
            In::Compacting => "crash::seeds_of_compaction",
        };
        format!(
            "seed {seed}: {text}\nreplay: MILENA_CRASH_SEEDS={seed}..{} cargo test -p storage --lib {tests}",
            seed + 1
        )
    })
}

/// Runs seeds on several threads. Returns the points that they passed, or the fault that the first failed seed found.
#[allow(clippy::disallowed_methods, reason = "a test spreads its seeds over threads")]
fn run_all(histories: In, seeds: &[u64], threads: usize) -> Result<Points, String> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Ok(Points::default()));
    std::thread::scope(|scope| {
        let work = || {
            while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = run(histories, *seed);
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

/// The seeds of `MILENA_CRASH_SEEDS`.
fn chosen_seeds() -> Option<Vec<u64>> {
    let range = std::env::var("MILENA_CRASH_SEEDS").ok()?;
    let (from, to) = range.split_once("..").expect("a range of seeds, as 0..100");
    let (from, to): (u64, u64) = (from.parse().expect("a number"), to.parse().expect("a number"));
    Some((from..to).collect())
}

/// The kept seeds and many more, or those of `MILENA_CRASH_SEEDS`.
#[test]
fn seeds_lose_nothing_that_was_durable() {
    let chosen = chosen_seeds();
    let is_ordinary = chosen.is_none();
    let seeds = chosen.unwrap_or_else(|| kept_seeds(In::All).into_iter().chain(0..SEEDS).collect());
    let points = run_all(In::All, &seeds, 2).unwrap_or_else(|failure| panic!("{failure}"));
    let all = points.crashes + points.in_recovery + points.damages;
    tracing::info!(all, ?points, "crash points");
    assert!(!is_ordinary || all >= POINTS_MIN, "{points:?}");
}

/// The same for histories in which every log is compacted, and often.
#[test]
fn seeds_of_compaction_lose_nothing_that_was_durable() {
    let seeds = chosen_seeds();
    let seeds =
        seeds.unwrap_or_else(|| kept_seeds(In::Compacting).into_iter().chain(0..COMPACTING_SEEDS).collect());
    let points = run_all(In::Compacting, &seeds, 2).unwrap_or_else(|failure| panic!("{failure}"));
    tracing::info!(?points, "crash points of compaction");
}
