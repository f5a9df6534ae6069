//! The plots of the page, by part.

use std::fmt::Write;

use super::plot::{Bar, Bars, Curve, bars, curves};
use super::tables::find;
use crate::compare::latency::{self, Pace, What};
use crate::compare::{classic, start, throughput};
use crate::results::{Results, Series, Unit, spread};
use throughput::Workload;

/// One colour for each broker, wherever it appears.
fn color(peer: &str) -> usize {
    let order = ["Milena", "Kafka", "ideal sink", "Redis", "RabbitMQ", "JetStream", "ActiveMQ"];
    let base = order.iter().position(|name| peer.starts_with(name)).unwrap_or(order.len());
    // Brokers with weaker promises have a paler one.
    let is_weaker = ["page cache", "everysec", "every 2 min"].iter().any(|it| peer.ends_with(it));
    base + if is_weaker { 10 } else { 0 }
}

fn figure(title: &str, plot: &str, peers: &[&str]) -> String {
    let mut text = format!("<figure><figcaption>{title}</figcaption>{plot}<p class=\"legend\">");
    for peer in peers {
        let _ = write!(text, "<span><i class=\"s{}\"></i>{peer}</span>", color(peer));
    }
    text + "</p></figure>"
}

/// The plots of a part; empty if it was not measured.
pub(super) fn of(results: &Results, part: &str) -> String {
    match part {
        "throughput" => throughput_bars(results),
        "start" => start_bars(results),
        "latency" => latency_curves(results),
        "classic" => classic_curves(results),
        "scaling" => scaling_curves(results),
        _ => String::new(),
    }
}

fn throughput_bars(results: &Results) -> String {
    let plain: Vec<Workload> = [100, 1_024, 10_240].map(throughput::plain).into();
    let synced = plain.iter().map(|it| Workload { acks: "all", synced: true, ..*it });
    let produce: Vec<_> = plain.iter().map(Workload::produce).chain(synced.map(|it| it.produce())).collect();
    let others: Vec<_> =
        plain.iter().map(Workload::consume).chain(plain.iter().map(Workload::at_once)).collect();
    let mut text = String::new();
    for (title, names) in [("Produce", produce), ("Consume, and both at once", others)] {
        for (unit, what) in
            [(Unit::Rate, "messages a second"), (Unit::CpuPerGb, "the broker's CPU seconds for a GB")]
        {
            let bars_of = |name| peer_bars(results, "throughput", name, unit);
            let groups = names.iter().map(|name| Bars { name, bars: bars_of(name) });
            let groups: Vec<_> = groups.filter(|group| !group.bars.is_empty()).collect();
            if !groups.is_empty() {
                text += &figure(&format!("{title}: {what}"), &bars(&groups), &[]);
            }
        }
    }
    text
}

fn start_bars(results: &Results) -> String {
    let mut text = String::new();
    for (title, unit, names) in [
        (
            "From the command to the first acknowledgement",
            Unit::Ms,
            vec![start::EMPTY, start::MANY, start::KILLED],
        ),
        ("Resident memory", Unit::Mib, vec![start::IDLE, throughput::LOADED]),
    ] {
        let bars_of = |name: &str, part| peer_bars(results, part, name, unit);
        let groups = names.iter().map(|name| {
            let part = if *name == throughput::LOADED { throughput::PART } else { start::PART };
            Bars { name, bars: bars_of(name, part) }
        });
        let groups: Vec<_> = groups.filter(|group| !group.bars.is_empty()).collect();
        if !groups.is_empty() {
            text += &figure(&format!("{title}, {}", unit.name()), &bars(&groups), &[]);
        }
    }
    text
}

fn peer_bars<'a>(results: &'a Results, part: &str, name: &str, unit: Unit) -> Vec<Bar<'a>> {
    let of_it = results.figures.iter().filter(|it| it.part == part && it.unit == unit && it.workload == name);
    let bar = |it: &'a crate::results::Figure| {
        let (value, least, greatest) = spread(&it.values);
        let (name, text) = (it.peer.as_str(), unit.text(value));
        Bar { color: color(&it.peer), name, value, range: [least, greatest], text }
    };
    of_it.map(bar).collect()
}

fn latency_curves(results: &Results) -> String {
    let mut text = String::new();
    for what in [What::Produce, What::EndToEnd, What::RawProduce, What::RawEndToEnd] {
        for which in ["p50", "p99", "p99.9"] {
            let mut lines = Vec::new();
            for (peer, synced, name) in [
                ("Milena", false, "Milena, page cache"),
                ("Milena", true, "Milena, fsync"),
                ("Kafka 4.3.1", false, "Kafka, page cache"),
                ("ideal sink", false, "ideal sink, page cache"),
                ("ideal sink", true, "ideal sink, fsync"),
            ] {
                let points = latency::PER_SECOND.iter().filter_map(|per_second| {
                    let pace = Pace { what, per_second: *per_second, synced };
                    let found = find(results, "latency", (&pace.percentile(which), Unit::Ms), peer)?;
                    Some((*per_second as f64, spread(&found.values).0))
                });
                let points: Vec<_> = points.collect();
                if !points.is_empty() {
                    lines.push(Curve { color: color(name), name, points });
                }
            }
            if !lines.is_empty() {
                let pace = Pace { what, per_second: 1_000, synced: false }.name();
                let title =
                    format!("{}, acks=all: {which} in ms", pace.split(" at ").next().expect("a name"));
                let names: Vec<_> = lines.iter().map(|line| line.name).collect();
                text += &figure(&title, &curves(&lines, "messages a second", "ms", (true, true)), &names);
            }
        }
    }
    text
}

/// The curves of one measurement, each the median of its rounds at each point. If the rounds have different
/// points, since some were ended early, the one that came furthest.
fn medians<'a>(results: &'a Results, part: &str, workload: &str) -> Vec<Curve<'a>> {
    let of_it = results.series.iter().filter(|it| it.part == part && it.workload == workload);
    let mut by_peer: Vec<(&str, Vec<&Series>)> = Vec::new();
    for series in of_it {
        match by_peer.iter_mut().find(|(peer, _)| *peer == series.peer) {
            Some((_, all)) => all.push(series),
            None => by_peer.push((&series.peer, vec![series])),
        }
    }
    let curve = |(name, all): (&'a str, Vec<&Series>)| {
        let at = |series: &Series| -> Vec<f64> { series.points.iter().map(|point| point.0).collect() };
        let is_same = all.iter().all(|series| at(series) == at(all[0]));
        let end = |series: &&&Series| series.points.last().map_or(0, |point| point.0 as u64);
        let furthest = all.iter().max_by_key(end).expect("at least one");
        let point = |at: usize| {
            let values: Vec<_> = all.iter().map(|series| series.points[at].1).collect();
            (all[0].points[at].0, spread(&values).0)
        };
        let points =
            if is_same { (0..all[0].points.len()).map(point).collect() } else { furthest.points.clone() };
        Curve { color: color(name), name, points }
    };
    by_peer.into_iter().map(curve).collect()
}

fn classic_curves(results: &Results) -> String {
    let mut text = String::new();
    for size in classic::SIZES {
        for name in [classic::name_in(size), classic::name_out(size)] {
            let lines = medians(results, "classic", &name);
            if !lines.is_empty() {
                let names: Vec<_> = lines.iter().map(|line| line.name).collect();
                let title = format!("{name}: seconds");
                text += &figure(&title, &curves(&lines, "messages", "s", (false, true)), &names);
            }
        }
    }
    text
}

fn scaling_curves(results: &Results) -> String {
    let mut text = String::new();
    let mut drawn: Vec<&str> = Vec::new();
    for series in results.series.iter().filter(|it| it.part == "scaling") {
        if drawn.contains(&series.workload.as_str()) {
            continue;
        }
        drawn.push(&series.workload);
        let lines = medians(results, "scaling", &series.workload);
        let names: Vec<_> = lines.iter().map(|line| line.name).collect();
        let title = format!("{}: {}", series.workload, series.unit.name());
        text += &figure(&title, &curves(&lines, &series.along, series.unit.name(), (true, true)), &names);
    }
    text
}
