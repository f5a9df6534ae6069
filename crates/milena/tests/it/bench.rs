//! `milena bench`, as a user or a script runs it.

use std::process::Command;

use serde_json::Value;

use crate::harness::broker::Broker;
use crate::harness::clients::{create_topic, watermarks};

/// The JSON that `milena bench` prints with these arguments.
#[track_caller]
fn bench(bootstrap: &str, words: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.arg("bench").args(words).args(["--json", "--bootstrap-server", bootstrap]);
    let output = command.env_remove("MILENA_LOG").output().expect("the product's binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {}, {errors}", output.status);
    serde_json::from_slice(&output.stdout).expect("one JSON value")
}

/// The names of the topics that there are.
fn topics(bootstrap: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    let output = command.args(["topic", "list", "--json", "--bootstrap-server", bootstrap]).output();
    String::from_utf8(output.expect("the product's binary runs").stdout).expect("JSON")
}

#[track_caller]
fn assert_latencies(summary: &Value) {
    let of =
        |name: &str| summary["latencyMs"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {summary}"));
    let told = ["p50", "p95", "p99", "p99.9", "max"].map(of);
    assert!(told[0] > 0.0 && told.is_sorted(), "{summary}");
}

#[test]
fn a_topic_is_made_filled_measured_and_removed() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let produced =
        bench(at, &["produce", "-n", "2000", "-s", "200", "-p", "3", "--acks", "all", "-z", "lz4"]);
    assert_eq!((&produced["records"], &produced["bytes"]), (&2_000.into(), &400_000.into()));
    assert_latencies(&produced);
    let consumed = bench(at, &["consume", "-n", "2000", "-s", "200", "-p", "3", "--acks", "1"]);
    assert_eq!((&consumed["records"], &consumed["bytes"]), (&2_000.into(), &400_000.into()));
    assert!(consumed["recordsPerSecond"].as_f64().is_some_and(|rate| rate > 0.0), "{consumed}");
    let there_and_back = bench(at, &["end-to-end", "-n", "300", "-t", "1000", "-p", "2"]);
    assert_eq!(there_and_back["records"], 300);
    assert_latencies(&there_and_back);
    let left = topics(at);
    for summary in [&produced, &consumed, &there_and_back] {
        let topic = summary["topic"].as_str().expect("a name");
        assert!(!left.contains(topic), "{topic} in {left}");
    }
}

#[test]
fn a_topic_that_is_named_is_left_with_its_records() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let topic = create_topic(at, "measured", 1, &[]);
    bench(at, &["produce", &topic, "-n", "500", "--acks", "1"]);
    assert_eq!(watermarks(at, &topic, 0), (0, 500));
    // What was there before is not taken for what was sent now.
    let there_and_back = bench(at, &["end-to-end", &topic, "-n", "100", "-t", "500"]);
    assert_eq!(there_and_back["records"], 100);
    assert_eq!(watermarks(at, &topic, 0), (0, 600));
    let consumed = bench(at, &["consume", &topic, "-n", "600"]);
    assert_eq!(consumed["records"], 600);
    assert!(topics(at).contains(&topic));
}

/// A rate is kept to: 200 records at 400 a second take half a second, whatever the broker could do.
#[test]
fn a_throughput_is_held() {
    let broker = Broker::start();
    let paced = bench(broker.bootstrap(), &["produce", "-n", "200", "-t", "400"]);
    let elapsed_ms = paced["elapsedMs"].as_u64().expect("a time");
    assert!(elapsed_ms >= 495, "{paced}");
    let rate = paced["recordsPerSecond"].as_f64().expect("a rate");
    assert!(rate <= 405.0, "{paced}");
}

#[test]
fn a_topic_that_is_not_there_is_told() {
    let broker = Broker::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.args(["bench", "produce", "absent", "--bootstrap-server", broker.bootstrap()]);
    let output = command.output().expect("the product's binary runs");
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("'absent'"), "{errors}");
    assert!(output.stdout.is_empty());
}
