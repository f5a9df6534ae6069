//! The results beside the goals.

use std::fmt::Write;

use serde::Serialize;

use super::latency::percentile;
use crate::results::spread;

/// The goal of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// None; the figure only informs.
    None,
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

/// One figure, measured one or several times.
#[derive(Serialize)]
struct Finding {
    what: String,
    unit: &'static str,
    goal: String,
    median: f64,
    min: f64,
    max: f64,
    reached: Option<bool>,
    values: Vec<f64>,
}

/// All results, in order.
#[derive(Default)]
pub(crate) struct Findings {
    findings: Vec<Finding>,
    failures: Vec<String>,
}

impl Findings {
    /// Notes the values of a figure; its median counts.
    pub(crate) fn add(&mut self, what: &str, unit: &'static str, goal: Goal, values: &[f64]) {
        let (median, min, max) = spread(values);
        let (goal, reached) = match goal {
            Goal::None => (String::new(), None),
            Goal::AtMost(limit) => (format!("at most {}", number(limit)), Some(median <= limit)),
            Goal::AtLeast(limit) => (format!("at least {}", number(limit)), Some(median >= limit)),
        };
        println!("  {what}: {} {unit} ({}-{})", number(median), number(min), number(max));
        let (what, values) = (what.to_owned(), values.to_vec());
        self.findings.push(Finding { what, unit, goal, median, min, max, reached, values });
    }

    /// Notes a percentile of many requests at idle and under load, in each round and over all rounds'
    /// requests together. The rounds show how it varies; the whole decides, since one round has few requests
    /// beyond its p99.
    pub(crate) fn add_p99(&mut self, what: &str, goal: Goal, idle: &[Vec<f64>], busy: &[Vec<f64>]) {
        let each = |rounds: &[Vec<f64>]| -> Vec<f64> {
            rounds.iter().map(|latencies| percentile(latencies, 99.0)).collect()
        };
        let ratios: Vec<f64> = each(busy).iter().zip(each(idle)).map(|(busy, idle)| busy / idle).collect();
        self.add(&format!("{what}, idle"), "ms", Goal::None, &each(idle));
        self.add(&format!("{what}, meanwhile"), "ms", Goal::None, &each(busy));
        self.add(&format!("{what}, ratio of each round"), "", Goal::None, &ratios);
        let (idle, busy) = (idle.concat(), busy.concat());
        let [of_idle, of_busy] = [&idle, &busy].map(|latencies| percentile(latencies, 99.0));
        let counts = format!("{} meanwhile, {} at idle", busy.len(), idle.len());
        self.add(&format!("{what}, idle, all requests together"), "ms", Goal::None, &[of_idle]);
        self.add(&format!("{what}, meanwhile, all requests together"), "ms", Goal::None, &[of_busy]);
        self.add(&format!("{what}, ratio of these ({counts})"), "", goal, &[of_busy / of_idle]);
    }

    /// Notes a failed measurement.
    pub(crate) fn failed(&mut self, name: &str, error: &str) {
        eprintln!("{name} failed: {error}");
        self.failures.push(format!("{name} failed: {error}"));
    }

    /// The table for people.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            String::from("| what | unit | median (range) | goal | reached |\n|---|---|---|---|---|\n");
        for finding in &self.findings {
            let Finding { what, unit, goal, median, min, max, .. } = finding;
            let value = match finding.values.len() {
                1 => number(*median),
                _ => format!("{} ({}-{})", number(*median), number(*min), number(*max)),
            };
            let reached = finding.reached.map_or("", |reached| if reached { "yes" } else { "no" });
            let _ = writeln!(text, "| {what} | {unit} | {value} | {goal} | {reached} |");
        }
        for failure in &self.failures {
            let _ = write!(text, "\n{failure}\n");
        }
        text
    }

    /// Every value, for programs.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(&self.findings).expect("numbers and names")
    }
}

/// A number with a sensible number of digits.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Goal};

    /// One round's p99 is its slowest request; that of all of them is not.
    #[test]
    fn all_requests_together_decide() {
        let mut findings = Findings::default();
        let quick = vec![1.0; 60];
        let mut slow = quick.clone();
        slow[0] = 100.0;
        let (idle, busy) = (vec![quick.clone(); 3], vec![slow, quick.clone(), quick]);
        findings.add_p99("p99", Goal::AtMost(1.5), &idle, &busy);
        let last = findings.findings.last().expect("the ratio of all");
        assert_eq!((last.median, last.reached), (1.0, Some(true)));
        assert!((findings.findings[2].max - 100.0).abs() < 1e-9);
    }
}
