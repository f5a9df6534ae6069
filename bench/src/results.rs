//! The results, kept as JSON: reports are made from them, as often as needed.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Attempt;
use crate::machine::Machine;

/// The unit of a figure, which also says which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Messages a second.
    #[serde(rename = "msg/s")]
    Rate,
    /// Seconds of the broker's CPU for a million messages.
    #[serde(rename = "CPU s/M")]
    CpuPerMillion,
    /// Seconds of the broker's CPU for a GB (1e9 bytes) of values.
    #[serde(rename = "CPU s/GB")]
    CpuPerGb,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Ms,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Mebibytes.
    #[serde(rename = "MiB")]
    Mib,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::Rate => "msg/s",
            Unit::CpuPerMillion => "CPU s/M",
            Unit::CpuPerGb => "CPU s/GB",
            Unit::Ms => "ms",
            Unit::Seconds => "s",
            Unit::Mib => "MiB",
        }
    }

    /// A value, with a sensible number of digits.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Unit::Rate if value >= 1e6 => format!("{:.2} M", value / 1e6),
            Unit::Rate if value >= 1e4 => format!("{:.0} k", value / 1e3),
            Unit::Rate if value >= 1e3 => format!("{:.1} k", value / 1e3),
            _ if value >= 100.0 => format!("{value:.0}"),
            _ if value >= 10.0 => format!("{value:.1}"),
            _ if value >= 1.0 => format!("{value:.2}"),
            _ => format!("{value:.3}"),
        }
    }
}

/// One figure of one broker: a value for each round, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The chapter of the report: `throughput`, `latency`, ...
    pub(crate) part: String,
    pub(crate) workload: String,
    pub(crate) unit: Unit,
    pub(crate) peer: String,
    pub(crate) values: Vec<f64>,
    /// The round of each value.
    pub(crate) rounds: Vec<usize>,
    /// Its run: rounds of two runs are no pairs.
    pub(crate) run: String,
    /// A note on it: that it was ended early.
    #[serde(default)]
    pub(crate) note: Option<String>,
}

/// One curve of one broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) part: String,
    pub(crate) workload: String,
    /// The unit of the points' second numbers.
    pub(crate) unit: Unit,
    /// The quantity of the points' first numbers.
    pub(crate) along: String,
    pub(crate) peer: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Its run.
    pub(crate) run: String,
}

/// A failed measurement, and the reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) part: String,
    /// A part of the names of its figures, or of its curves.
    pub(crate) workload: String,
    pub(crate) peer: String,
    pub(crate) error: String,
}

/// All results, in the order of the measurements.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
    pub(crate) series: Vec<Series>,
    pub(crate) failures: Vec<Failure>,
    /// The current round.
    #[serde(skip)]
    pub(crate) round: usize,
}

impl Results {
    /// Adds a round's value to a figure.
    pub(crate) fn add(&mut self, part: &str, workload: &str, unit: Unit, peer: &str, value: f64) {
        // It follows from the CPU of a million.
        if unit != Unit::CpuPerGb {
            println!("  {peer:26} {workload}: {} {}", unit.text(value), unit.name());
        }
        let place = self.figures.iter().position(|it| it.is(part, workload, unit, peer));
        let place = place.unwrap_or_else(|| {
            self.figures.push(Figure {
                part: part.to_owned(),
                workload: workload.to_owned(),
                unit,
                peer: peer.to_owned(),
                values: Vec::new(),
                rounds: Vec::new(),
                run: self.machine.run(),
                note: None,
            });
            self.figures.len() - 1
        });
        self.figures[place].values.push(value);
        self.figures[place].rounds.push(self.round);
    }

    /// Notes something about a figure that has a value; the first note stays.
    pub(crate) fn note(&mut self, part: &str, workload: &str, unit: Unit, peer: &str, note: &str) {
        println!("  {peer:26} {workload}: {note}");
        let figure = self.figures.iter_mut().find(|it| it.is(part, workload, unit, peer));
        figure.expect("it was added").note.get_or_insert(note.to_owned());
    }

    /// Adds a curve; the report draws the median of several rounds at each point.
    pub(crate) fn draw(&mut self, series: Series) {
        self.series.push(series);
    }

    /// Notes a failed measurement.
    pub(crate) fn failed(&mut self, part: &str, workload: &str, peer: &str, error: &str) {
        eprintln!("{part}, {workload}, {peer} failed: {error}");
        let [part, workload, peer, error] = [part, workload, peer, error].map(str::to_owned);
        self.failures.push(Failure { part, workload, peer, error });
    }

    /// A figure that was measured.
    pub(crate) fn of(&self, workload: &str, unit: Unit, peer: &str) -> Option<&Figure> {
        let is_it = |it: &&Figure| it.workload == workload && it.unit == unit && it.peer == peer;
        self.figures.iter().filter(is_it).find(|it| !it.values.is_empty())
    }

    /// The number of rounds of a curve.
    pub(crate) fn curves(&self, part: &str, workload: &str, peer: &str) -> usize {
        let is_it = |it: &&Series| it.part == part && it.workload == workload && it.peer == peer;
        self.series.iter().filter(is_it).count()
    }

    /// The runs of a part's figures and curves, the earliest first.
    pub(crate) fn runs(&self, part: &str) -> Vec<&str> {
        let figures = self.figures.iter().filter(|it| it.part == part).map(|it| it.run.as_str());
        let series = self.series.iter().filter(|it| it.part == part).map(|it| it.run.as_str());
        let mut runs: Vec<_> = figures.chain(series).collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    }

    /// Reads the results of an earlier run; empty if there are none.
    pub(crate) fn read(path: &Path) -> Attempt<Results> {
        let Ok(text) = fs::read_to_string(path) else { return Ok(Results::default()) };
        serde_json::from_str(&text).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    /// Writes this over earlier runs' results: repeated measurements are replaced, the rest stays. Until a
    /// part is complete, results with more rounds stay too, so that an aborted run takes nothing away.
    pub(crate) fn write(&self, path: &Path, is_part_done: bool) -> Attempt<()> {
        let mut all = Results::read(path)?;
        all.merge(self, is_part_done);
        let text = serde_json::to_string_pretty(&all).expect("numbers and names");
        // A run may end while it writes.
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, path))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    fn merge(&mut self, new: &Results, is_part_done: bool) {
        self.machine = new.machine.clone();
        for figure in &new.figures {
            let is_it = |old: &Figure| old.is(&figure.part, &figure.workload, figure.unit, &figure.peer);
            let old = self.figures.iter_mut().find(|old| is_it(old));
            match old {
                Some(old) if is_part_done || figure.values.len() >= old.values.len() => *old = figure.clone(),
                Some(_) => {}
                None => self.figures.push(figure.clone()),
            }
        }
        let rounds = |all: &Results, it: &Series| all.curves(&it.part, &it.workload, &it.peer);
        let is_replaced = |it: &Series| is_part_done || rounds(new, it) >= rounds(self, it);
        let same = |one: &Series, other: &Series| {
            (&one.part, &one.workload, &one.peer) == (&other.part, &other.workload, &other.peer)
        };
        let replaced: Vec<Series> = new.series.iter().filter(|it| is_replaced(it)).cloned().collect();
        self.series.retain(|old| !replaced.iter().any(|it| same(old, it)));
        self.series.extend(replaced);
        self.failures.retain(|old| {
            let is_of = |part: &str, workload: &str, peer: &str| {
                part == old.part && peer == old.peer && workload.contains(&old.workload)
            };
            let is_measured = new.figures.iter().any(|it| is_of(&it.part, &it.workload, &it.peer))
                || new.series.iter().any(|it| is_of(&it.part, &it.workload, &it.peer));
            !is_measured && !new.failures.iter().any(|it| is_of(&it.part, &it.workload, &it.peer))
        });
        self.failures.extend(new.failures.iter().cloned());
    }
}

impl Figure {
    fn is(&self, part: &str, workload: &str, unit: Unit, peer: &str) -> bool {
        self.part == part && self.workload == workload && self.unit == unit && self.peer == peer
    }
}

/// The ratio of one figure to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
    /// Whether both were measured in the same rounds.
    pub(crate) is_paired: bool,
}

impl Ratio {
    /// The median and the range, with a sensible number of digits.
    pub(crate) fn text(&self) -> String {
        let [median, least, greatest] = [self.median, self.least, self.greatest].map(digits);
        if self.least < self.greatest { format!("{median} ({least}–{greatest})") } else { median }
    }

    /// Whether each round agrees on which is the greater.
    pub(crate) fn is_decided(&self) -> bool {
        (self.least > 1.0) == (self.greatest > 1.0)
    }
}

fn digits(ratio: f64) -> String {
    if ratio >= 10.0 {
        format!("{ratio:.0}")
    } else if ratio >= 0.1 {
        format!("{ratio:.2}")
    } else {
        format!("{ratio:.3}")
    }
}

/// The ratios of two figures within each round, as a spread: disturbances in a round affected both brokers.
/// If the figures are of two runs, the ratio of their medians, between the least and the greatest that their
/// ranges allow.
pub(crate) fn ratio(one: &Figure, other: &Figure) -> Option<Ratio> {
    let in_round = |round: &usize| other.rounds.iter().position(|it| it == round).map(|at| other.values[at]);
    let pairs = one.values.iter().zip(&one.rounds);
    let ratios = pairs.filter_map(|(value, round)| in_round(round).map(|it| value / it));
    // A CPU time below the system's resolution is no measure.
    let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
    if one.run == other.run && !ratios.is_empty() {
        let (median, least, greatest) = spread(&ratios);
        return Some(Ratio { median, least, greatest, is_paired: true });
    }
    if one.values.is_empty() || other.values.is_empty() {
        return None;
    }
    let (ours, theirs) = (spread(&one.values), spread(&other.values));
    if theirs.1 <= 0.0 {
        return None;
    }
    let (least, greatest) = (ours.1 / theirs.2, ours.2 / theirs.1);
    Some(Ratio { median: ours.0 / theirs.0, least, greatest, is_paired: false })
}

/// (median, least, greatest).
pub(crate) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    };
    (median, sorted[0], sorted[sorted.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::{Results, Unit, ratio};

    fn results(rounds: &[(usize, f64)], run: &str) -> Results {
        let mut results = Results::default();
        results.machine.time = run.to_owned();
        for (round, value) in rounds {
            results.round = *round;
            results.add("part", "workload", Unit::Ms, "peer", *value);
        }
        results
    }

    #[test]
    fn a_cut_run_takes_no_rounds_away() {
        let mut all = results(&[(1, 1.0), (2, 1.0)], "old");
        all.merge(&results(&[(1, 7.0)], "new"), false);
        assert_eq!(all.figures[0].values, [1.0, 1.0]);
        all.merge(&results(&[(1, 7.0), (2, 8.0)], "new"), false);
        assert_eq!(all.figures[0].values, [7.0, 8.0]);
        all.merge(&results(&[(1, 9.0)], "newer"), true);
        assert_eq!(all.figures[0].values, [9.0]);
        assert_eq!(all.figures.len(), 1);
    }

    #[test]
    fn a_failure_stays_until_it_is_measured() {
        let mut all = Results::default();
        all.failed("part", "work", "peer", "it was late");
        let mut other = Results::default();
        other.failed("part", "else", "peer", "it was late");
        all.merge(&other, true);
        assert_eq!(all.failures.len(), 2);
        all.merge(&results(&[(1, 1.0)], "new"), false);
        assert_eq!(all.failures.len(), 1);
        assert_eq!(all.failures[0].workload, "else");
    }

    /// A broker that missed a round has fewer values, and not other pairs.
    #[test]
    fn pairs_are_of_one_round() {
        let one = results(&[(1, 1.0), (2, 20.0), (3, 3.0)], "run");
        let other = results(&[(1, 1.0), (3, 1.0)], "run");
        let found = ratio(&one.figures[0], &other.figures[0]).expect("two pairs");
        assert_eq!((found.median, found.least, found.greatest, found.is_paired), (2.0, 1.0, 3.0, true));
    }

    #[test]
    fn figures_of_two_runs_are_no_pairs() {
        let one = results(&[(1, 2.0), (2, 4.0), (3, 6.0)], "a day");
        let other = results(&[(1, 1.0), (2, 2.0), (3, 4.0)], "another");
        let found = ratio(&one.figures[0], &other.figures[0]).expect("medians");
        assert_eq!((found.median, found.least, found.greatest, found.is_paired), (2.0, 0.5, 6.0, false));
    }
}
