//! Medians, ranges, ratios; the table and the file.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::peer::Kind;

/// One figure of one workload: how it is written and which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    /// Messages a second.
    Rate,
    /// Seconds of the broker's CPU for a million messages.
    CpuPerMillion,
    /// Milliseconds.
    Ms,
    /// Mebibytes.
    Mib,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Rate => "msg/s",
            Unit::CpuPerMillion => "CPU s/M",
            Unit::Ms => "ms",
            Unit::Mib => "MiB",
        }
    }

    fn text(self, value: f64) -> String {
        match self {
            Unit::Rate if value >= 1e6 => format!("{:.2} M", value / 1e6),
            Unit::Rate => format!("{:.0} k", value / 1e3),
            Unit::CpuPerMillion => format!("{value:.3}"),
            Unit::Ms | Unit::Mib => format!("{value:.1}"),
        }
    }
}

/// All that was measured, in the order of the rounds.
#[derive(Default)]
pub(crate) struct Results {
    /// Workload and unit in the order in which they were first seen.
    order: Vec<(String, Unit)>,
    values: BTreeMap<(String, Unit, Kind), Vec<f64>>,
}

#[derive(Serialize)]
struct Line {
    workload: String,
    unit: &'static str,
    peer: &'static str,
    median: f64,
    min: f64,
    max: f64,
    values: Vec<f64>,
}

impl Results {
    pub(crate) fn add(&mut self, workload: &str, unit: Unit, kind: Kind, value: f64) {
        let key = (workload.to_owned(), unit);
        if !self.order.contains(&key) {
            self.order.push(key);
        }
        println!("  {:12} {workload}: {} {}", kind.name(), unit.text(value), unit.name());
        self.values.entry((workload.to_owned(), unit, kind)).or_default().push(value);
    }

    fn of(&self, workload: &str, unit: Unit, kind: Kind) -> Option<&Vec<f64>> {
        self.values.get(&(workload.to_owned(), unit, kind))
    }

    /// The table for people: medians with ranges, and the first broker's ratio to each of the others.
    pub(crate) fn markdown(&self, peers: &[Kind]) -> String {
        let mut text = String::from("| workload | unit |");
        for kind in peers {
            let _ = write!(text, " {} |", kind.name());
        }
        for other in &peers[1..] {
            let _ = write!(text, " {} / {} |", peers[0].name(), other.name());
        }
        text.push_str("\n|---|---|");
        text.push_str(&"---|".repeat(peers.len() * 2 - 1));
        text.push('\n');
        for (workload, unit) in &self.order {
            let _ = write!(text, "| {workload} | {} |", unit.name());
            for kind in peers {
                let cell = self.of(workload, *unit, *kind).map_or(String::new(), |values| {
                    let (median, min, max) = spread(values);
                    format!("{} ({}-{})", unit.text(median), unit.text(min), unit.text(max))
                });
                let _ = write!(text, " {cell} |");
            }
            for other in &peers[1..] {
                let ratios = self.ratios(workload, *unit, peers[0], *other);
                let cell = ratios
                    .map_or(String::new(), |(median, min, max)| format!("{median:.2} ({min:.2}-{max:.2})"));
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
        text
    }

    /// The ratio within each round: what both brokers met there, they met together.
    fn ratios(&self, workload: &str, unit: Unit, one: Kind, other: Kind) -> Option<(f64, f64, f64)> {
        let (one, other) = (self.of(workload, unit, one)?, self.of(workload, unit, other)?);
        let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| one / other).collect();
        Some(spread(&ratios))
    }

    /// Every value, for programs.
    pub(crate) fn json(&self) -> String {
        let mut lines = Vec::new();
        for ((workload, unit, kind), values) in &self.values {
            let (median, min, max) = spread(values);
            let (workload, values) = (workload.clone(), values.clone());
            lines.push(Line { workload, unit: unit.name(), peer: kind.name(), median, min, max, values });
        }
        serde_json::to_string_pretty(&lines).expect("numbers and names")
    }
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
