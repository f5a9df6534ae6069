use std::collections::BTreeMap;

use super::{KAFKA, MILENA, SINK, judge};
use crate::compare::{classic, throughput};
use crate::results::{Results, Unit};

fn results(lines: &[(&str, Unit, &str, &[f64])]) -> Results {
    let mut results = Results::default();
    for (workload, unit, peer, values) in lines {
        for (round, value) in values.iter().enumerate() {
            results.round = round;
            results.add("part", workload, *unit, peer, *value);
        }
    }
    results
}

#[test]
fn a_ratio_is_the_median_of_the_rounds() {
    let name = throughput::plain(100).produce();
    let measured = results(&[
        (&name, Unit::Rate, MILENA, &[1.0, 9.0, 10.0]),
        (&name, Unit::Rate, SINK, &[2.0, 10.0, 100.0]),
    ]);
    let judged = judge(&measured, &BTreeMap::new());
    let goal = judged.iter().find(|it| it.name == name && it.against == SINK).expect("a goal");
    let found = goal.found.as_ref().expect("measured");
    assert_eq!((found.ratio.median, found.ratio.least, found.ratio.greatest), (0.5, 0.1, 0.9));
    assert!(!found.is_reached);
    assert_eq!(goal.verdict(), "not reached");
}

#[test]
fn costs_are_to_be_low() {
    let name = throughput::plain(1024).consume();
    let measured =
        results(&[(&name, Unit::CpuPerMillion, MILENA, &[0.2]), (&name, Unit::CpuPerMillion, KAFKA, &[0.5])]);
    let reasons = BTreeMap::from([(format!("CPU of {name}"), "because".to_owned())]);
    let judged = judge(&measured, &reasons);
    let goal = judged.iter().find(|it| it.name == format!("CPU of {name}")).expect("a goal");
    assert_eq!(goal.verdict(), "reached");
    assert_eq!(goal.reason.as_deref(), Some("because"));
}

#[test]
fn the_best_of_the_others_counts_and_only_the_durable_ones() {
    let name = classic::name_in(128);
    let measured = results(&[
        (&name, Unit::Rate, "Milena, fsync", &[100.0]),
        (&name, Unit::Rate, "RabbitMQ, quorum queue", &[40.0]),
        (&name, Unit::Rate, "Redis, appendfsync always", &[80.0]),
        (&name, Unit::Rate, "Redis, appendfsync everysec", &[400.0]),
        (&name, Unit::Rate, "Kafka, fsync", &[300.0]),
    ]);
    let judged = judge(&measured, &BTreeMap::new());
    let goal = judged.iter().find(|it| it.name == name).expect("a goal");
    assert_eq!(goal.against, "Redis, appendfsync always");
    assert_eq!(goal.ratio(), "1.25");
    assert_eq!(goal.verdict(), "reached");
}

/// A figure that is worth less than another is marked.
#[test]
fn what_is_measured_badly_is_said() {
    let name = throughput::plain(100).produce();
    let mut measured = results(&[(&name, Unit::Rate, MILENA, &[2.0]), (&name, Unit::Rate, SINK, &[4.0])]);
    let remarks = |measured: &Results, reasons: &BTreeMap<String, String>| {
        let judged = judge(measured, reasons);
        judged.iter().find(|it| it.name == name && it.against == SINK).expect("a goal").remarks()
    };
    assert_eq!(remarks(&measured, &BTreeMap::new()), ["The reason is not known yet.", "1 round only."]);
    measured.figures[0].run = "another".to_owned();
    let reasons = BTreeMap::from([(name.clone(), "Because.".to_owned())]);
    assert_eq!(remarks(&measured, &reasons), ["Because.", "1 round only.", "Of two runs."]);
}

/// A goal that was not measured has its row too.
#[test]
fn each_goal_has_a_row() {
    let judged = judge(&Results::default(), &BTreeMap::new());
    assert!(judged.iter().all(|it| it.verdict() == "not measured"));
    let of = |text: &str| judged.iter().filter(|it| it.name.contains(text)).count();
    // In and out at four sizes; memory idle and loaded; the start; two rates with and without fsync; two costs of
    // single records; end to end.
    assert_eq!(of("one million"), 8);
    assert_eq!(of("resident memory"), 2);
    assert_eq!(of("start to first"), 1);
    assert_eq!(of("p99"), 5);
    assert_eq!(of("CPU of single-record"), 2);
    assert_eq!(judged.len(), 8 + 2 + 1 + 5 + 2 + 20);
}
