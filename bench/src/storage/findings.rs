//! What was measured beside what is to be reached.

use std::fmt::Write;

use serde::Serialize;

use crate::results::spread;

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// It only informs.
    None,
    /// No more than this.
    AtMost(f64),
    /// No less than this.
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

/// All that was measured, in order.
#[derive(Default)]
pub(crate) struct Findings {
    findings: Vec<Finding>,
    failures: Vec<String>,
}

impl Findings {
    /// Notes the values of a figure; its median is what counts.
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

    /// Notes a measurement that could not be taken.
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

/// With as many digits as say something.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
