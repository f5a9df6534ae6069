//! The page: everything in one file, nothing from elsewhere, light or dark as the reader prefers.

use std::fmt::Write;

use super::goals::{Bound, GoalResult};
use super::plot::strip;
use super::plots;
use super::tables::{self, Loss, PARTS, cell, find, layout, ratio};
use crate::results::{Results, Unit};

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fdfdfc;--ink:#1c2024;--faint:#6b7280;--line:#d9dce1;--card:#f4f5f6;
--good:#137a3f;--bad:#b3261e;--c0:#d1495b;--c1:#2f6fb0;--c2:#7d8590;--c3:#b8860b;--c4:#d9730d;--c5:#1b8a8f;--c6:#7b4fa3;--c7:#444}
@media(prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e6e8ea;--faint:#9aa3ad;--line:#32383f;--card:#1c2126;
--good:#5fcf8b;--bad:#ff8a80;--c0:#ff7b8d;--c1:#6cb2ff;--c2:#a3abb5;--c3:#e6bd4f;--c4:#ffa657;--c5:#53c9ce;--c6:#c39be8;--c7:#ccc}}
*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.2rem;margin-top:2.5rem}
p,li{max-width:44rem}.wide{overflow-x:auto;margin:0 -1rem;padding:0 1rem}table{border-collapse:collapse;font-size:.82rem;
font-variant-numeric:tabular-nums}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td{white-space:nowrap}td:first-child,td.why{white-space:normal;min-width:11rem;max-width:20rem}td.why{color:var(--faint)}tbody tr:hover{background:var(--card)}
th{position:sticky;top:0;background:var(--paper)}td.strip{padding:.15rem .6rem}.strip svg{width:9rem}.strip line{stroke:var(--c);stroke-width:1.6}.strip .goal{stroke:var(--faint);stroke-width:1;stroke-dasharray:2 2}
.tally{display:flex;flex-wrap:wrap;gap:.5rem 2rem;padding:0;margin:1rem 0;list-style:none}.tally b{font-size:1.6rem;display:block;line-height:1.1;font-variant-numeric:tabular-nums}th{color:var(--faint);font-weight:600}
.good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}.none{color:var(--faint)}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));gap:1rem;margin:1rem 0}
figure{margin:0;padding:.7rem;background:var(--card);border-radius:.5rem}figcaption{font-size:.85rem;font-weight:600;margin-bottom:.4rem}
svg{width:100%;height:auto;display:block}svg text{font-size:10px;fill:var(--faint);font-family:inherit}svg text.head{fill:var(--ink);font-size:10.5px}
.end{text-anchor:end}.mid{text-anchor:middle}.grid{stroke:var(--line);stroke-width:.7}.range{stroke:var(--ink);stroke-width:1.2;opacity:.65}polyline{fill:none;stroke:var(--c);stroke-width:1.7}
circle,rect{fill:var(--c)}.small{font-size:.82rem}.good svg,.sgood{--c:var(--good)}.sbad{--c:var(--bad)}.legend{display:flex;flex-wrap:wrap;gap:.1rem .8rem;margin:.4rem 0 0;font-size:.75rem;color:var(--faint)}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;background:var(--c);margin-right:.35em}
code{background:var(--card);padding:.1em .3em;border-radius:.2em;font-size:.9em;overflow-wrap:anywhere}details{margin:.5rem 0}summary{cursor:pointer;color:var(--faint)}";

/// Text escaped for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(super) fn page(results: &Results, judged: &[GoalResult]) -> String {
    let mut text = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Milena: benchmarks</title><style>",
    );
    text += STYLE;
    for color in 0..8 {
        let pale = color + 10;
        let _ = write!(text, "\n.s{color}{{--c:var(--c{color})}}.s{pale}{{--c:var(--c{color});opacity:.5}}");
    }
    text += "</style></head><body><h1>Milena beside its peers</h1>";
    text += "<p>Every broker takes the same load in turns on one machine. A figure is the median of the rounds with the \
             least and the greatest beside it; a ratio is the median of the rounds’ ratios, since what two brokers meet \
             in one round they meet together. The <em>ideal sink</em> checks CRCs and appends to a file and does nothing \
             else: it is the limit that client and kernel set, not a broker.</p>";
    if tables::has_small_runs(results) {
        text += "<p class=\"bad\">Of runs that are too small to count: made to see that it works.</p>";
    }
    text += &machine(results);
    text += "<h2>Goals</h2>";
    text += &goals(judged);
    text += "<h2>Where Milena is behind</h2>";
    text += &losses(results);
    for (part, title) in PARTS {
        let plots = plots::of(results, part);
        let table = table(results, part);
        if plots.is_empty() && table.is_empty() {
            continue;
        }
        let _ = write!(text, "<h2>{title}</h2>{}<div class=\"plots\">{plots}</div>", dates(results, part));
        if !table.is_empty() {
            // Without a plot the figures are all that there is to see.
            let open = if plots.is_empty() { " open" } else { "" };
            let _ = write!(
                text,
                "<details{open}><summary>Every figure</summary><div class=\"wide\">{table}</div></details>"
            );
        }
    }
    text += &list("Extrapolated", &tables::notes(results));
    text += &list("Not measured", &tables::failures(results));
    text += HOW;
    text + "</body></html>\n"
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = lines.iter().map(|line| format!("<li>{}</li>", escaped(line))).collect();
    format!("<details><summary>{title}: {}</summary><ul>{}</ul></details>", lines.len(), lines.join(""))
}

/// The instructions: how to repeat the measurements, and how to read them.
const HOW: &str = "<h2>How to repeat it</h2><p><code>cargo build --release -p milena -p bench</code>, \
    <code>target/release/bench fetch-peers</code>, <code>target/release/bench compare</code>, \
    <code>target/release/bench report</code>. <code>compare --estimate</code> says how long it takes; it needs Rust, Java 17, Maven, Go and Debian's package lists. What each workload is stands in <code>bench/README.md</code>.</p>\
    <h2>What to keep in mind</h2><ul><li>Client and broker share the machine's cores: a broker that needs less leaves more \
    to the client.</li><li>All run on loopback, as one node, with one disk.</li><li>A round of throughput or latency in which the \
    machine's host took more than a tenth of its processors was made once more, for all brokers.</li><li>Milena and Kafka are loaded by \
    librdkafka; the other brokers by the smallest client that speaks their protocol, which costs less than theirs \
    would.</li><li>With fsync an acknowledgement says that the message is on the disk; in the page cache it survives the \
    process and not the power.</li></ul>";

fn machine(results: &Results) -> String {
    let it = &results.machine;
    format!(
        "<p class=\"none\">{}, {} cores, {} GiB, Linux {}, loopback with {}. {}. librdkafka {}.</p>",
        escaped(&it.processor),
        it.cores,
        it.memory_gib,
        escaped(&it.kernel),
        escaped(&it.congestion_control),
        escaped(&it.java),
        escaped(&it.librdkafka),
    )
}

/// The times and circumstances of a part's measurements.
fn dates(results: &Results, part: &str) -> String {
    let runs = results.runs(part);
    let runs: Vec<_> = runs.iter().map(|run| escaped(&run.replace('`', ""))).collect();
    format!("<p class=\"none small\">{}</p>", runs.join("<br>"))
}

/// The degree to which a goal is reached, with the range: 1 is the goal, and more is better.
fn strip_of(goal: &GoalResult) -> String {
    let Some(found) = &goal.found else { return String::new() };
    let of = |ratio: f64| match goal.bound {
        Bound::AtLeast(limit) => ratio / limit,
        Bound::AtMost(limit) => limit / ratio,
    };
    strip(of(found.ratio.median), [of(found.ratio.least), of(found.ratio.greatest)], found.is_reached)
}

/// The result stands beside the goal: the rest is for wider screens.
fn goals(judged: &[GoalResult]) -> String {
    let count = |verdict: &str| judged.iter().filter(|it| it.verdict() == verdict).count();
    let mut text = String::from("<ul class=\"tally\">");
    for (class, verdict) in [("good", "reached"), ("bad", "not reached"), ("none", "not measured")] {
        let _ = write!(text, "<li><b class=\"{class}\">{}</b>{verdict}</li>", count(verdict));
    }
    text += "</ul><p class=\"small\">The dot is the median and the line the range, on a scale where the dashes are the goal \
             and each step to the right is twice as good.</p>\
             <div class=\"wide\"><table><thead><tr><th>what</th><th>ratio (range)</th><th></th><th>goal</th>\
             <th>Milena</th><th>against</th><th>remarks</th></tr></thead><tbody>";
    for goal in judged {
        let class = match goal.verdict() {
            "reached" => "good",
            "not reached" => "bad",
            _ => "none",
        };
        let [ours, theirs] = goal.figures();
        let _ = write!(
            text,
            "<tr><td>{}</td><td>{}<br><span class=\"{class}\">{}</span></td><td class=\"strip\">{}</td><td>{}</td>\
             <td>{ours}</td><td>{theirs}<br><span class=\"none\">{}</span></td><td class=\"why\">{}</td></tr>",
            escaped(&goal.name),
            goal.ratio(),
            goal.verdict(),
            strip_of(goal),
            goal.bound.text(),
            escaped(&goal.against),
            escaped(&goal.remarks().join(" "))
        );
    }
    text + "</tbody></table></div>"
}

/// The workloads that are lost, whatever the goals are.
fn losses(results: &Results) -> String {
    let losses = tables::losses(results);
    if losses.is_empty() {
        return "<p>Nowhere in what was measured.</p>".to_owned();
    }
    let mut text = String::from(
        "<p>Every figure in which another broker that promises as much does better.</p><div class=\"wide\"><table><thead>\
         <tr><th>workload</th><th></th><th>Milena</th><th></th><th>the other</th><th>ratio (range)</th><th></th></tr></thead><tbody>",
    );
    for Loss { workload, unit, ours, peer, theirs, ratio, is_decided } in losses {
        let (workload, unit) = (escaped(&workload), unit.name());
        let decided = if is_decided { "in each round" } else { "not in each round" };
        let _ = write!(
            text,
            "<tr><td>{workload}</td><td>{unit}</td><td>{ours}</td><td>{peer}</td><td>{theirs}</td><td>{ratio}</td>\
             <td class=\"none\">{decided}</td></tr>"
        );
    }
    text + "</tbody></table></div>"
}

fn table(results: &Results, part: &str) -> String {
    let (rows, peers) = layout(results, part);
    if rows.is_empty() {
        return String::new();
    }
    // Ratios to each of two peers are readable; to each of nine they are not.
    let compared = if peers.len() <= 3 { &peers[1..] } else { &[] };
    let mut text = String::from("<table><thead><tr><th>workload</th><th></th>");
    for peer in &peers {
        let _ = write!(text, "<th>{peer}</th>");
    }
    for peer in compared {
        let _ = write!(text, "<th>{} / {peer}</th>", peers[0]);
    }
    text += "</tr></thead><tbody>";
    for row in rows {
        let unit: Unit = row.1;
        let _ = write!(text, "<tr><td>{}</td><td>{}</td>", escaped(row.0), unit.name());
        let figure = |peer: &str| find(results, part, row, peer);
        for peer in &peers {
            let _ = write!(text, "<td>{}</td>", figure(peer).map_or(String::new(), cell));
        }
        for peer in compared {
            let _ = write!(text, "<td>{}</td>", ratio(figure(peers[0]), figure(peer)));
        }
        text += "</tr>";
    }
    text + "</tbody></table>"
}
