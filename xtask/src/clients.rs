//! The suites of other languages' clients, run against Kafka or against ours.
//!
//! A suite gets a fresh broker. It is made of tests, each of which prints one line. Programs in other
//! languages take part by printing `ok NAME`, `FAIL NAME: reason` and a last line `done`. Several suites run at a time,
//! since most of them wait more than they work.

mod compare;
mod console;
mod crossing;
mod dump;
mod go;
mod jvm;
mod kcat;
mod legacy;
mod migrate;
mod neighbour;
mod node;
mod python;
mod restart;

use crate::broker::{Broker, BrokerOptions, Kind};
use crate::java::ClassPath;
use crate::kafka::KafkaVersion;
use crate::process::{run, tail};
use crate::{Attempt, java, milena, workshop};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The time that one program of a suite may run.
const PROGRAM_LIMIT: Duration = Duration::from_secs(420);
/// The number of suites that run at a time by default.
pub const LANES: usize = 3;

struct Suite {
    name: &'static str,
    shows: &'static str,
    run: fn(&mut Stage) -> Attempt<()>,
}

/// The suites that take too long to run with all others: `--only` asks for them.
const ON_DEMAND: [&str; 1] = ["migrate-levels"];

const SUITES: &[Suite] = &[
    Suite { name: "java", shows: "Kafka's Java producer, consumer and admin client", run: jvm::suite },
    Suite {
        name: "java-old",
        shows: "Kafka's Java clients of 0.11 to 3.9; older ones are refused",
        run: jvm::old,
    },
    Suite { name: "streams", shows: "Kafka Streams: repartitioning, stores, changelogs", run: jvm::streams },
    Suite { name: "connect", shows: "Kafka Connect: a distributed worker and its topics", run: jvm::connect },
    Suite { name: "mirror-maker", shows: "MirrorMaker 2 from one broker to another", run: jvm::mirror_maker },
    Suite { name: "console", shows: "Kafka's console tools, as users run them", run: console::suite },
    Suite {
        name: "java-4.4",
        shows: "Kafka's Java producer, consumer and admin client of 4.4",
        run: |stage| jvm::suite(stage.with_java(KafkaVersion::V4_4)),
    },
    Suite {
        name: "streams-4.4",
        shows: "Kafka Streams of 4.4",
        run: |stage| jvm::streams(stage.with_java(KafkaVersion::V4_4)),
    },
    Suite {
        name: "console-4.4",
        shows: "Kafka's console tools of 4.4",
        run: |stage| console::suite(stage.with_java(KafkaVersion::V4_4)),
    },
    Suite { name: "kcat", shows: "kcat on librdkafka", run: kcat::suite },
    Suite { name: "kafka-python-2.0.2", shows: "kafka-python as of 2020", run: python::kafka_python_old },
    Suite { name: "kafka-python", shows: "kafka-python, newest", run: python::kafka_python },
    Suite { name: "aiokafka", shows: "aiokafka, newest", run: python::aiokafka },
    Suite { name: "confluent-kafka", shows: "confluent-kafka for Python, newest", run: python::confluent },
    Suite { name: "franz-go", shows: "franz-go, newest", run: go::franz },
    Suite { name: "kafka-go", shows: "segmentio's kafka-go, newest", run: go::segmentio },
    Suite { name: "kafkajs", shows: "KafkaJS, which has had no release since 2023", run: node::kafkajs },
    Suite { name: "sarama", shows: "Sarama, newest, by its default and newest versions", run: go::sarama },
    Suite { name: "sarama-1.43", shows: "Sarama before it negotiated versions", run: go::sarama_old },
    Suite {
        name: "crossing",
        shows: "what any client writes, every other client reads",
        run: crossing::suite,
    },
    Suite {
        name: "restart",
        shows: "what is kept when the broker stops, and when it is killed",
        run: restart::suite,
    },
    Suite { name: "dump", shows: "Kafka's DumpLogSegments on the data directory", run: dump::suite },
    Suite {
        name: "migrate-from-kafka",
        shows: "a data directory goes from Kafka to ours",
        run: migrate::from_kafka,
    },
    Suite {
        name: "migrate-from-milena",
        shows: "a data directory goes from ours to Kafka",
        run: migrate::from_milena,
    },
    Suite {
        name: "migrate-levels",
        shows: "a directory at each metadata.version, there and back; only if asked for",
        run: migrate::levels,
    },
    Suite {
        name: "migrate-groups",
        shows: "groups of Kafka's newer protocols go to ours and back",
        run: migrate::groups,
    },
    Suite {
        name: "neighbour",
        shows: "a Kafka broker in a cluster with our controller",
        run: neighbour::suite,
    },
    Suite { name: "legacy", shows: "message sets of magic 0 and 1 in a data directory", run: legacy::suite },
    Suite { name: "compare", shows: "the same raw requests, the same answers", run: compare::suite },
];

/// The names of all suites with their descriptions.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    SUITES.iter().map(|suite| (suite.name, suite.shows))
}

/// The longest suites start first, so that none of them is left alone at the end.
const FIRST: [&str; 8] = [
    "migrate-from-milena",
    "migrate-from-kafka",
    "crossing",
    "console",
    "console-4.4",
    "java",
    "java-4.4",
    "java-old",
];

/// Runs the suites whose names are in `only`, or all but those on demand if it is empty, `lanes` at a time.
/// Returns whether every test passed. `version` is Kafka's, if that is the broker under test.
pub fn run_suites(kind: Kind, version: KafkaVersion, only: &[String], lanes: usize) -> Attempt<bool> {
    if let Some(unknown) = only.iter().find(|name| !SUITES.iter().any(|suite| suite.name == **name)) {
        return Err(format!("there is no suite {unknown}"));
    }
    let is_asked_for = |suite: &&Suite| match only {
        [] => !ON_DEMAND.contains(&suite.name),
        only => only.iter().any(|name| name == suite.name),
    };
    let mut suites: Vec<&Suite> = SUITES.iter().filter(is_asked_for).collect();
    suites.sort_by_key(|suite| FIRST.iter().position(|name| *name == suite.name).unwrap_or(FIRST.len()));
    if only.is_empty() {
        prepare(kind);
    }
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    let lane = || {
        while let Some(suite) = suites.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = perform(suite, kind, version);
            reports.lock().expect("no suite panics").push(report);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..lanes.max(1) {
            scope.spawn(lane);
        }
    });
    Ok(print_table(reports.into_inner().expect("no suite panics")))
}

/// Fetches and builds in parallel what the suites would otherwise fetch when they start; failures are
/// reported there.
fn prepare(kind: Kind) {
    std::thread::scope(|scope| {
        if kind == Kind::Milena {
            scope.spawn(|| drop(milena::program()));
        }
        scope.spawn(|| KafkaVersion::TESTED.map(|version| drop(version.class_path())));
        scope.spawn(|| drop(python::install()));
        scope.spawn(|| drop(go::build()));
        scope.spawn(|| drop(node::install()));
    });
}

/// Prints the results of the suites, the longest first. Returns whether every test passed.
fn print_table(mut reports: Vec<Report>) -> bool {
    reports.sort_by_key(|report| std::cmp::Reverse(report.took));
    println!("\n{:20} {:>8} {:>8} {:>8}", "suite", "passed", "failed", "seconds");
    for report in &reports {
        let seconds = report.took.as_secs_f64();
        println!("{:20} {:>8} {:>8} {seconds:>8.1}", report.suite, report.passed, report.failed.len());
    }
    for report in &reports {
        for test in &report.failed {
            println!("failed: {}: {test}", report.suite);
        }
    }
    let passed: usize = reports.iter().map(|report| report.passed).sum();
    let failed: usize = reports.iter().map(|report| report.failed.len()).sum();
    println!("{passed} passed, {failed} failed");
    failed == 0
}

fn perform(suite: &Suite, kind: Kind, version: KafkaVersion) -> Report {
    let started = Instant::now();
    println!("{}: {}", suite.name, suite.shows);
    let mut report = Report::of(suite.name);
    let outcome = Stage::open(suite.name, kind, version).and_then(|mut stage| {
        let outcome = (suite.run)(&mut stage);
        std::mem::swap(&mut report, &mut stage.report);
        let ended = stage.broker.as_mut().map_or(Ok(()), Broker::stop);
        outcome.and(ended)
    });
    if let Err(error) = outcome {
        report.note("the suite runs", Err(error));
    }
    report.took = started.elapsed();
    report
}

/// The results of a suite's tests so far.
#[derive(Debug)]
struct Report {
    suite: &'static str,
    passed: usize,
    failed: Vec<String>,
    took: Duration,
}

impl Report {
    fn of(suite: &'static str) -> Report {
        Report { suite, passed: 0, failed: Vec::new(), took: Duration::ZERO }
    }

    fn note(&mut self, name: &str, outcome: Attempt<()>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("  {}: ok {name}", self.suite);
            }
            Err(error) => {
                println!("  {}: FAIL {name}: {}", self.suite, error.replace('\n', "\n       "));
                self.failed.push(name.to_owned());
            }
        }
    }
}

/// The stage of a suite: its broker and folder, and the results of its tests.
struct Stage {
    kind: Kind,
    /// The version of the broker, if it is Kafka.
    version: KafkaVersion,
    /// The version of Kafka's clients and tools.
    java: KafkaVersion,
    folder: PathBuf,
    broker: Option<Broker>,
    report: Report,
}

impl Stage {
    fn open(name: &'static str, kind: Kind, version: KafkaVersion) -> Attempt<Stage> {
        let side = match kind {
            Kind::Kafka => format!("kafka-{version}"),
            Kind::Milena => "milena".to_owned(),
        };
        let folder = workshop().join(format!("clients-{side}")).join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        // Groups form at once instead of three seconds later, as Kafka's own tests have it.
        let options =
            BrokerOptions::new(&folder)?.kafka(version).set("group.initial.rebalance.delay.ms", "0");
        // Partitions are moved between them.
        let options = if matches!(name, "java" | "java-4.4" | "console" | "console-4.4") {
            options.two_dirs()
        } else {
            options
        };
        let broker = Some(Broker::start(kind, options)?);
        let java = KafkaVersion::REFERENCE;
        Ok(Stage { kind, version, java, folder, broker, report: Report::of(name) })
    }

    fn broker(&mut self) -> &mut Broker {
        self.broker.as_mut().expect("a stage has a broker until it is closed")
    }

    /// Uses another version of Kafka's clients and tools.
    fn with_java(&mut self, version: KafkaVersion) -> &mut Stage {
        self.java = version;
        self
    }

    fn class_path(&self) -> Attempt<ClassPath> {
        self.java.class_path()
    }

    fn address(&mut self) -> String {
        self.broker().address()
    }

    /// Performs one test.
    fn test(&mut self, name: &str, body: impl FnOnce(&mut Stage) -> Attempt<()>) {
        let started = Instant::now();
        let outcome = body(self);
        self.report.note(&format!("{name} ({} ms)", started.elapsed().as_millis()), outcome);
    }

    /// Runs a program that performs tests and prints their outcomes.
    fn program(&mut self, prefix: &str, command: &mut Command) -> Attempt<()> {
        let ended = run(command, "", PROGRAM_LIMIT)?;
        let mut done = false;
        for line in ended.stdout.lines() {
            if let Some(name) = line.strip_prefix("ok ") {
                self.report.note(&format!("{prefix}{name}"), Ok(()));
            } else if let Some(failure) = line.strip_prefix("FAIL ") {
                let (name, reason) = failure.split_once(": ").unwrap_or((failure, ""));
                self.report.note(&format!("{prefix}{name}"), Err(reason.to_owned()));
            }
            done |= line == "done";
        }
        if done && ended.status.success() {
            return Ok(());
        }
        let end = tail(&format!("{}\n{}", ended.stdout, ended.stderr), 12);
        Err(format!("the program ended early, {}: {end}", ended.status))
    }

    /// Creates a topic by Kafka's console tool.
    fn create_topic(&mut self, name: &str, partitions: u32) -> Attempt<()> {
        let partitions = partitions.to_string();
        let address = self.address();
        let arguments =
            ["--bootstrap-server", &address, "--create", "--topic", name, "--partitions", &partitions];
        java::tool(&self.class_path()?, "org.apache.kafka.tools.TopicCommand", &arguments, "")?.success()?;
        Ok(())
    }
}

/// Fails unless the texts are the same.
fn same(what: &str, expected: &str, actual: &str) -> Attempt<()> {
    if expected == actual {
        return Ok(());
    }
    let at = expected.lines().zip(actual.lines()).position(|(left, right)| left != right);
    let line = at.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    let shown = |text: &str| text.lines().nth(line).map_or("nothing".to_owned(), |line| format!("{line:?}"));
    Err(format!("{what}: line {} should be {}, is {}", line + 1, shown(expected), shown(actual)))
}

/// The files of a folder, in order.
fn files_of(folder: &Path) -> Attempt<Vec<PathBuf>> {
    let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

/// Fails unless the text contains all of the parts.
fn contains(text: &str, parts: &[&str]) -> Attempt<()> {
    match parts.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(format!("{part:?} is not in: {}", tail(text, 15))),
    }
}
