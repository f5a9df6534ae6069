//! The same results as a table in Markdown.

use std::fmt::Write;

use super::goals::GoalResult;
use crate::results::{Figure, Results, Unit, spread};

/// The parts in the order of the report, with their titles.
pub(super) const PARTS: [(&str, &str); 7] = [
    ("throughput", "As fast as it goes"),
    ("latency", "Latency at a given rate"),
    ("connections", "Many connections"),
    ("start", "Starting, and idling"),
    ("scaling", "Partitions and backlog"),
    ("topics", "Thousands of topics"),
    ("classic", "One million in, one million out"),
];

/// The goals as a table.
pub(super) fn goals(judged: &[GoalResult]) -> String {
    let mut text = String::from(
        "| what | against | goal | ratio (range) | | Milena | the other | remarks |\n|---|---|---|---|---|---|---|---|\n",
    );
    for goal in judged {
        let [ours, theirs] = goal.figures();
        let (name, against, bound, ratio) = (&goal.name, &goal.against, goal.bound.text(), goal.ratio());
        let (verdict, remarks) = (goal.verdict(), goal.remarks().join(" "));
        let _ = writeln!(
            text,
            "| {name} | {against} | {bound} | {ratio} | {verdict} | {ours} | {theirs} | {remarks} |"
        );
    }
    text
}

/// The number of goals of each kind, as a sentence.
pub(super) fn summary(judged: &[GoalResult]) -> String {
    let count = |verdict: &str| judged.iter().filter(|it| it.verdict() == verdict).count();
    let [reached, missed, unknown] = ["reached", "not reached", "not measured"].map(count);
    format!(
        "Of {} goals {reached} are reached, {missed} are not reached, {unknown} are not measured.",
        judged.len()
    )
}

/// A figure's median and range.
pub(super) fn cell(figure: &Figure) -> String {
    let (median, min, max) = spread(&figure.values);
    let text = |value| figure.unit.text(value);
    // The figure of a run that was ended early is extrapolated.
    let cut = if figure.note.is_some() { "≈ " } else { "" };
    match figure.values.len() {
        1 => format!("{cut}{}", text(median)),
        _ => format!("{cut}{} ({}–{})", text(median), text(min), text(max)),
    }
}

/// The workloads and units of a part, and the brokers, both in the order of the measurements.
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
    let found = one.zip(other).and_then(|(one, other)| crate::results::ratio(one, other));
    found.map_or(String::new(), |found| found.text())
}

/// A workload in which Milena is behind another broker, whatever the goal.
pub(super) struct Loss {
    pub(super) workload: String,
    pub(super) unit: Unit,
    pub(super) ours: String,
    pub(super) peer: String,
    pub(super) theirs: String,
    pub(super) ratio: String,
    /// Whether it is behind in each round.
    pub(super) is_decided: bool,
}

/// All losses. The ideal sink is no broker, and a broker with weaker promises is compared with others like
/// it.
pub(super) fn losses(results: &Results) -> Vec<Loss> {
    let is_weaker =
        |peer: &str| ["page cache", "everysec", "every 2 min"].iter().any(|it| peer.ends_with(it));
    let mut losses = Vec::new();
    for ours in results.figures.iter().filter(|it| it.peer.starts_with("Milena")) {
        let is_other = |it: &&Figure| {
            it.part == ours.part
                && (&it.workload, it.unit) == (&ours.workload, ours.unit)
                && !it.peer.starts_with("Milena")
                && it.peer != "ideal sink"
                && is_weaker(&it.peer) == is_weaker(&ours.peer)
                // The rate at which a latency was measured is no achievement.
                && !(it.part == "latency" && it.unit == Unit::Rate)
        };
        for theirs in results.figures.iter().filter(is_other) {
            let Some(found) = crate::results::ratio(ours, theirs) else { continue };
            let is_behind = if ours.unit == Unit::Rate { found.median < 1.0 } else { found.median > 1.0 };
            if is_behind {
                losses.push(Loss {
                    workload: ours.workload.clone(),
                    unit: ours.unit,
                    ours: cell(ours),
                    peer: theirs.peer.clone(),
                    theirs: cell(theirs),
                    ratio: found.text(),
                    is_decided: found.is_decided(),
                });
            }
        }
    }
    // Certain losses come first.
    losses.sort_by_key(|loss| !loss.is_decided);
    losses
}

/// Whether some results of a part are of a run that is too small to count.
pub(super) fn has_small_runs(results: &Results) -> bool {
    let is_small = |run: &&str| run.contains("--scale") || run.contains("--quick");
    PARTS.iter().any(|(part, _)| results.runs(part).iter().any(is_small))
}

/// The time of each part's measurements: its title and its runs.
pub(super) fn dates(results: &Results) -> Vec<(&'static str, Vec<&str>)> {
    let runs = PARTS.iter().map(|(part, title)| (*title, results.runs(part)));
    runs.filter(|(_, runs)| !runs.is_empty()).collect()
}

/// The extrapolated figures: broker, workload, and note.
pub(super) fn notes(results: &Results) -> Vec<String> {
    let noted = results.figures.iter().filter_map(|it| it.note.as_ref().map(|note| (it, note)));
    noted.map(|(it, note)| format!("{}, {}: {note}", it.peer, it.workload)).collect()
}

/// Machine, goals and every figure.
pub(super) fn markdown(results: &Results, judged: &[GoalResult]) -> String {
    let mut text = String::from(
        "# Results\n\nMade by `bench report`; what the figures are stands in [README.md](README.md).\n\n",
    );
    let machine = &results.machine;
    let _ = writeln!(
        text,
        "{}, {} cores, {} GiB, Linux {}, loopback with {}; {}; librdkafka {}. Medians (least–greatest) of the rounds; ≈ is extrapolated.\n",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        machine.congestion_control,
        machine.java,
        machine.librdkafka,
    );
    if has_small_runs(results) {
        text += "**Of runs that are too small to count: made to see that it works.**\n\n";
    }
    for (title, runs) in dates(results) {
        let _ = writeln!(text, "* {title}: {}", runs.join("; "));
    }
    let _ = write!(text, "\n## Goals\n\n{}\n\n{}", summary(judged), goals(judged));
    text += "\n## Where Milena is behind\n\n";
    let losses = losses(results);
    if losses.is_empty() {
        text += "Nowhere in what was measured.\n";
    } else {
        text += "| workload | unit | Milena | | the other | ratio (range) | in each round |\n|---|---|---|---|---|---|---|\n";
    }
    for Loss { workload, unit, ours, peer, theirs, ratio, is_decided } in losses {
        let (unit, decided) = (unit.name(), if is_decided { "yes" } else { "no" });
        let _ = writeln!(text, "| {workload} | {unit} | {ours} | {peer} | {theirs} | {ratio} | {decided} |");
    }
    figures(results, &mut text);
    let notes = notes(results);
    if !notes.is_empty() {
        text += "\n## Extrapolated\n\n";
        notes.iter().for_each(|note| text += &format!("* {note}\n"));
    }
    if !results.failures.is_empty() {
        text += "\n## Not measured\n\n";
        failures(results).iter().for_each(|failure| text += &format!("* {failure}\n"));
    }
    text
}

/// The measurements that failed, each with the first line of the reason.
pub(super) fn failures(results: &Results) -> Vec<String> {
    let texts = results.failures.iter().map(|it| {
        let what = [it.part.as_str(), it.workload.trim(), it.peer.as_str()];
        let what: Vec<_> = what.into_iter().filter(|text| !text.is_empty()).collect();
        format!("{}: {}", what.join(", "), it.error.lines().next().unwrap_or_default())
    });
    let mut texts: Vec<_> = texts.collect();
    texts.dedup();
    texts
}

/// Every figure, part by part.
fn figures(results: &Results, text: &mut String) {
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
}
