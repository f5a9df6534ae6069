//! The metrics, served by HTTP on a listener of their own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use broker::metrics::{METRICS, MetricKind};

use crate::harness::broker::{Broker, free_port};
use crate::harness::clients::{LIMIT, Producer, create_topic, read_all};

/// Sends bytes and reads to the end of the connection; what came before an error.
fn exchange(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    // It may close while it is still being sent to.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut bytes) {
        answer.extend_from_slice(&bytes[..read]);
    }
    String::from_utf8(answer).expect("text")
}

fn get(address: &str, path: &str) -> String {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
}

/// The values that are served, by name and labels.
pub(crate) fn scrape(address: &str) -> BTreeMap<String, f64> {
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, text) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("a number: {line}")))
    };
    samples.map(sample).collect()
}

#[test]
fn what_the_table_has_is_served_and_counts() {
    let address = format!("127.0.0.1:{}", free_port());
    let Some(broker) = Broker::own(&[("console.listener", &address)]) else { return };
    assert!(broker.log().contains(&format!("http://{address}/metrics")), "{}", broker.log());
    let before = scrape(&address);
    let topic = create_topic(broker.bootstrap(), "metrics", 2, &[]);
    let producer = Producer::new(broker.bootstrap(), &[]);
    (0..20).for_each(|id| producer.send(&topic, 0, id, 10_000));
    producer.acknowledged();
    assert_eq!(read_all(broker.bootstrap(), &topic, 0).len(), 20);
    let after = scrape(&address);
    let names: Vec<String> = METRICS.iter().map(broker::metrics::Metric::full_name).collect();
    for (name, metric) in names.iter().zip(METRICS) {
        let of_metric = |served: &&String| served.split('{').next() == Some(name.as_str());
        let served: Vec<&String> = after.keys().filter(of_metric).collect();
        assert!(!served.is_empty(), "{name} is served");
        for served in served {
            assert_eq!(served.contains('{'), !metric.labels.is_empty(), "{served}");
            if metric.kind == MetricKind::Counter {
                assert!(after[served] >= before[served], "{served} only rises");
            }
        }
    }
    let known = |served: &String| names.iter().any(|name| served.split('{').next() == Some(name.as_str()));
    assert!(after.keys().all(known), "nothing else is: {after:?}");
    let grown = |name: &str| after[name] - before[name];
    assert!(grown("milena_requests_total{api=\"Produce\"}") >= 1.0);
    assert!(grown("milena_received_bytes_total") >= 200_000.0);
    assert!(grown("milena_sent_bytes_total") >= 200_000.0);
    assert!(after["milena_connections"] >= 1.0);
    let of_dir = format!("{{dir=\"{}\"}}", broker.data().display());
    assert!(grown(&format!("milena_log_flushes_total{of_dir}")) >= 1.0);
    assert!(grown(&format!("milena_log_flush_seconds_total{of_dir}")) > 0.0);
    let by_dir = |name: &str| after[&format!("{name}{{dir=\"{}\"}}", broker.data().display())];
    assert!(by_dir("milena_log_size_bytes") >= 200_000.0);
    assert!(by_dir("milena_partitions") >= 2.0);
    assert_eq!((by_dir("milena_log_dir_online"), by_dir("milena_scrub_damaged_places")), (1.0, 0.0));
}

#[test]
fn what_is_not_asked_for_rightly_is_refused_and_limits_hold() {
    let address = format!("127.0.0.1:{}", free_port());
    let Some(_broker) = Broker::own(&[("console.listener", &address)]) else { return };
    let status = |answer: String| answer.split(' ').nth(1).map(ToOwned::to_owned).unwrap_or_default();
    assert_eq!(status(get(&address, "/")), "404");
    assert_eq!(
        status(exchange(&address, b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")),
        "405"
    );
    let long = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert_ne!(status(exchange(&address, long.as_bytes())), "200", "a head has a limit");
    assert_ne!(status(exchange(&address, b"\x00\x00\x00\x10no http at all..\r\n\r\n")), "200");

    // Those that say nothing use up the connections, and no more than those.
    let silent: Vec<TcpStream> = (0..32).map(|_| TcpStream::connect(&address).expect("it listens")).collect();
    let closed_at_once = (0..100).any(|_| get(&address, "/metrics").is_empty());
    assert!(closed_at_once, "one more is closed");
    drop(silent);
    crate::harness::wait_until("it answers again", LIMIT, || get(&address, "/metrics").contains("200"));
}
