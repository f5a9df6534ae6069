//! What was measured, kept as JSON: the report is made from it, and can be made again.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Attempt;
use crate::machine::Machine;

/// How a figure is counted, and so which way is better.
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

    /// A value, with as many digits as it deserves.
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

/// One figure of one broker: a value for each round, in their order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The chapter of the report: `throughput`, `latency`, ...
    pub(crate) part: String,
    pub(crate) workload: String,
    pub(crate) unit: Unit,
    pub(crate) peer: String,
    pub(crate) values: Vec<f64>,
    /// The run that it is of: rounds of two runs are no pairs.
    pub(crate) run: String,
}

/// One curve of one broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) part: String,
    pub(crate) workload: String,
    /// What the points' second numbers are.
    pub(crate) unit: Unit,
    /// What the points' first numbers are.
    pub(crate) along: String,
    pub(crate) peer: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// All that was measured, in the order in which it was.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
    pub(crate) series: Vec<Series>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

impl Results {
    /// Adds a round's value to a figure.
    pub(crate) fn add(&mut self, part: &str, workload: &str, unit: Unit, peer: &str, value: f64) {
        println!("  {peer:26} {workload}: {} {}", unit.text(value), unit.name());
        let run = self.machine.run();
        let found = self.figures.iter_mut().find(|it| it.is(part, workload, unit, peer));
        match found {
            Some(figure) => figure.values.push(value),
            None => self.figures.push(Figure {
                part: part.to_owned(),
                workload: workload.to_owned(),
                unit,
                peer: peer.to_owned(),
                values: vec![value],
                run,
            }),
        }
    }

    /// Adds a curve; of several rounds the report draws the median at each point.
    pub(crate) fn draw(&mut self, series: Series) {
        self.series.push(series);
    }

    /// Notes what could not be measured.
    pub(crate) fn failed(&mut self, what: &str, error: &str) {
        eprintln!("{what} failed: {error}");
        self.failures.push(format!("{what}: {error}"));
    }

    /// A figure that was measured.
    pub(crate) fn of(&self, workload: &str, unit: Unit, peer: &str) -> Option<&Figure> {
        let is_it = |it: &&Figure| it.workload == workload && it.unit == unit && it.peer == peer;
        self.figures.iter().filter(is_it).find(|it| !it.values.is_empty())
    }

    /// The runs that the figures are of.
    pub(crate) fn runs(&self) -> Vec<&str> {
        let mut runs: Vec<_> = self.figures.iter().map(|figure| figure.run.as_str()).collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    }

    /// Reads what an earlier run left; nothing where there was none.
    pub(crate) fn read(path: &Path) -> Attempt<Results> {
        let Ok(text) = fs::read_to_string(path) else { return Ok(Results::default()) };
        serde_json::from_str(&text).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    /// Writes this over an earlier run's results: a figure that was measured again is replaced, the others stay.
    pub(crate) fn write(&self, path: &Path) -> Attempt<()> {
        let mut all = Results::read(path)?;
        all.machine = self.machine.clone();
        all.failures.clone_from(&self.failures);
        all.figures.retain(|old| {
            !self.figures.iter().any(|new| new.is(&old.part, &old.workload, old.unit, &old.peer))
        });
        all.figures.extend(self.figures.iter().cloned());
        let same = |old: &Series, new: &Series| {
            old.part == new.part
                && old.workload == new.workload
                && old.unit == new.unit
                && old.peer == new.peer
        };
        all.series.retain(|old| !self.series.iter().any(|new| same(old, new)));
        all.series.extend(self.series.iter().cloned());
        let text = serde_json::to_string_pretty(&all).expect("numbers and names");
        fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

impl Figure {
    fn is(&self, part: &str, workload: &str, unit: Unit, peer: &str) -> bool {
        self.part == part && self.workload == workload && self.unit == unit && self.peer == peer
    }
}

/// The ratios of two figures within each round, as a spread: what both brokers met there, they met together. None where
/// they are of two runs.
pub(crate) fn ratios(one: &Figure, other: &Figure) -> Option<(f64, f64, f64)> {
    let pairs = one.values.iter().zip(&other.values);
    let ratios: Vec<f64> = pairs.map(|(one, other)| one / other).collect();
    (one.run == other.run && !ratios.is_empty()).then(|| spread(&ratios))
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
