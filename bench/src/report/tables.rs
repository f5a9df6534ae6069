//! The same results as a table in Markdown.

use std::fmt::Write;

use super::goals::{Judged, digits};
use crate::results::{Figure, Results, Unit, ratios, spread};

/// Parts in the order of the report, and what they are called.
pub(super) const PARTS: [(&str, &str); 6] = [
    ("throughput", "As fast as it goes"),
    ("latency", "Latency at a given rate"),
    ("connections", "Many connections"),
    ("start", "Starting, and idling"),
    ("scaling", "Partitions and backlog"),
    ("classic", "One million in, one million out"),
];

/// The goals as a table.
pub(super) fn goals(judged: &[Judged]) -> String {
    let mut text = String::from(
        "| what | against | goal | Milena | the other | ratio (range) | |\n|---|---|---|---|---|---|---|\n",
    );
    for goal in judged {
        let [ours, theirs] = goal.figures();
        let mut verdict = goal.verdict().to_owned();
        if let (Some(reason), "not reached") = (&goal.reason, goal.verdict()) {
            let _ = write!(verdict, ": {reason}");
        }
        let (name, against, bound, ratio) = (&goal.name, &goal.against, goal.bound.text(), goal.ratio());
        let _ = writeln!(text, "| {name} | {against} | {bound} | {ours} | {theirs} | {ratio} | {verdict} |");
    }
    text
}

/// A figure's median and range.
pub(super) fn cell(figure: &Figure) -> String {
    let (median, min, max) = spread(&figure.values);
    let text = |value| figure.unit.text(value);
    if figure.values.len() == 1 {
        return text(median);
    }
    format!("{} ({}–{})", text(median), text(min), text(max))
}

/// The workloads and units of a part, in the order in which they were measured, and the brokers in theirs.
pub(super) fn layout<'a>(results: &'a Results, part: &str) -> (Vec<(&'a str, Unit)>, Vec<&'a str>) {
    let (mut rows, mut peers) = (Vec::new(), Vec::new());
    for figure in results.figures.iter().filter(|figure| figure.part == part) {
        let row = (figure.workload.as_str(), figure.unit);
        if !rows.contains(&row) {
            rows.push(row);
        }
        if !peers.contains(&figure.peer.as_str()) {
            peers.push(&figure.peer);
        }
    }
    (rows, peers)
}

/// The figure of a row and a broker.
pub(super) fn find<'a>(
    results: &'a Results,
    part: &str,
    row: (&str, Unit),
    peer: &str,
) -> Option<&'a Figure> {
    let is_it = |it: &&Figure| it.part == part && (it.workload.as_str(), it.unit) == row && it.peer == peer;
    results.figures.iter().find(is_it)
}

/// The first broker's ratio to another, over the rounds.
pub(super) fn ratio(one: Option<&Figure>, other: Option<&Figure>) -> String {
    let Some((one, other)) = one.zip(other) else { return String::new() };
    let Some((median, min, max)) = ratios(one, other) else { return String::new() };
    format!("{} ({}–{})", digits(median), digits(min), digits(max))
}

/// Machine, goals and every figure.
pub(super) fn markdown(results: &Results, judged: &[Judged]) -> String {
    let mut text = String::from(
        "# Results\n\nMade by `bench report`; what the figures are stands in [README.md](README.md).\n\n",
    );
    let machine = &results.machine;
    let _ = writeln!(
        text,
        "{}, {} cores, {} GiB, Linux {}; {}; librdkafka {}. Medians (least–greatest) of the rounds. The runs:\n",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        machine.java,
        machine.librdkafka,
    );
    for run in results.runs() {
        let _ = writeln!(text, "* {run}");
    }
    text.push('\n');
    text += "## Goals\n\n";
    text += &goals(judged);
    for (part, title) in PARTS {
        let (rows, peers) = layout(results, part);
        if rows.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {title}\n\n| workload | unit | {} |\n", peers.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(peers.len()));
        for row in rows {
            let cells = peers.iter().map(|peer| find(results, part, row, peer).map_or(String::new(), cell));
            let cells: Vec<_> = cells.collect();
            let _ = writeln!(text, "| {} | {} | {} |", row.0, row.1.name(), cells.join(" | "));
        }
    }
    if !results.failures.is_empty() {
        text += "\n## Not measured\n\n";
        for failure in &results.failures {
            let _ = writeln!(text, "* {}", failure.lines().next().unwrap_or_default());
        }
    }
    text
}
