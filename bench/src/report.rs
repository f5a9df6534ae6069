//! The report: one page and one table, made from the results of earlier runs.

mod goals;
mod page;
mod plot;
mod plots;
mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::results::Results;
use crate::{Attempt, Places};

/// The input and the output of the report.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The results [default: results.json, as written by the comparison].
    #[arg(long)]
    results: Option<PathBuf>,
    /// The page to write [default: docs/benchmarks.html].
    #[arg(long)]
    page: Option<PathBuf>,
    /// The table to write [default: bench/RESULTS.md].
    #[arg(long)]
    table: Option<PathBuf>,
    /// Reasons for missed goals: lines of `goal | reason` [default: bench/reasons.txt].
    #[arg(long)]
    reasons: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn run(options: &Options) -> Attempt<()> {
    let path = match &options.results {
        Some(path) => path.clone(),
        None => options.places.make()?.1.join("results.json"),
    };
    let results = Results::read(&path)?;
    if results.figures.is_empty() && results.series.is_empty() {
        return Err(format!("{} has no results; `bench compare` measures", path.display()));
    }
    let root = xtask::root();
    let or = |given: &Option<PathBuf>, default: &str| given.clone().unwrap_or_else(|| root.join(default));
    let reasons = reasons(&or(&options.reasons, "bench/reasons.txt"));
    let judged = goals::judge(&results, &reasons);
    let (page, table) = (or(&options.page, "docs/benchmarks.html"), or(&options.table, "bench/RESULTS.md"));
    write(&page, &page::page(&results, &judged))?;
    write(&table, &tables::markdown(&results, &judged))?;
    print!("{}", tables::goals(&judged));
    println!("{} and {} are written", page.display(), table.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Attempt<()> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Goal and reason, from an optional file.
fn reasons(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(" | "));
    pairs.map(|(goal, reason)| (goal.trim().to_owned(), reason.trim().to_owned())).collect()
}
