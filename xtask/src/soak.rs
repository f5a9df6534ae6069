//! `cargo xtask soak`: more seeds of a simulation than the ordinary tests run.

use crate::{Attempt, root};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Seeds of one run of the test program, which prints a line of progress.
const SEEDS_AT_ONCE: u64 = 2000;

/// A crash test.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    package: &'static str,
    /// The tests that run the seeds.
    tests: &'static str,
}

/// The crash test of the storage engine.
pub const STORAGE: Crash = Crash { package: "storage", tests: "crash::seeds" };

/// The crash test of the metadata log.
pub const METADATA: Crash = Crash { package: "metadata", tests: "crash::nothing_acknowledged" };

/// Runs seeds of a crash test. Returns whether all passed. The first failure ends it, and is printed with the
/// command that replays it.
///
/// # Errors
/// A sentence, if the test program does not build or does not run.
pub fn run(crash: Crash, seeds: u64, from: u64) -> Attempt<bool> {
    let built =
        cargo(crash, &["--no-run"]).status().map_err(|error| format!("cargo does not run: {error}"))?;
    if !built.success() {
        return Err("the crash test is not built".to_owned());
    }
    let began = Instant::now();
    let mut at = from;
    let end = from.checked_add(seeds).ok_or("there are not so many seeds")?;
    while at < end {
        let to = end.min(at + SEEDS_AT_ONCE);
        let mut run = cargo(crash, &["-q", crash.tests, "--", "--nocapture"]);
        run.env("MILENA_CRASH_SEEDS", format!("{at}..{to}")).env("RUST_BACKTRACE", "0");
        let output = run.stderr(Stdio::piped()).stdout(Stdio::piped()).output();
        let output = output.map_err(|error| format!("cargo does not run: {error}"))?;
        if !output.status.success() {
            let told = [output.stdout, output.stderr].concat();
            println!("{}", failure(crash, &String::from_utf8_lossy(&told)));
            return Ok(false);
        }
        println!("seeds {from} to {to}: nothing found, after {} s", began.elapsed().as_secs());
        at = to;
    }
    Ok(true)
}

/// `cargo test` of the tests beside the code, in release.
fn cargo(crash: Crash, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).args(["test", "--release", "-p", crash.package, "--lib"]).args(arguments);
    command
}

/// The message of a failed run about the seed, and how to keep it.
fn failure(crash: Crash, told: &str) -> String {
    let seed = told.lines().skip_while(|line| !line.starts_with("seed "));
    let mut seed: Vec<&str> = seed.take_while(|line| !line.starts_with("note: ")).collect();
    if seed.is_empty() {
        seed = told.lines().collect();
    }
    format!(
        "{}\nAdd the seed to crates/{}/tests/seeds.txt: every run begins with those.",
        seed.join("\n"),
        crash.package
    )
}

#[cfg(test)]
mod tests {
    use super::{STORAGE, failure};

    #[test]
    fn a_failure_is_the_seed_with_the_command_that_replays_it() {
        let told = "running 1 test\n\nthread 'x' panicked at crates/storage/src/crash.rs:1:1:\nseed 7: gone\nreplay: MILENA_CRASH_SEEDS=7..8 cargo test\nnote: run with\n\ntest result: FAILED";
        assert_eq!(
            failure(STORAGE, told),
            "seed 7: gone\nreplay: MILENA_CRASH_SEEDS=7..8 cargo test\n\
             Add the seed to crates/storage/tests/seeds.txt: every run begins with those."
        );
        assert!(failure(STORAGE, "error: no such test").starts_with("error: no such test"));
    }
}
