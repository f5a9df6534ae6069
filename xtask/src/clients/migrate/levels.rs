//! A directory at each level of `metadata.version` that Kafka 4 can format goes from Kafka to ours and back.
//! Kafka must then serve everything and let its level be raised: after clean stops, after kills, and with
//! ours the first to open a directory that Kafka has formatted.

use super::super::{Stage, contains};
use super::LIMIT;
use crate::broker::{Broker, BrokerOptions, Kind};
use crate::java::{self, ClassPath};
use crate::kafka::{self, KafkaVersion};
use crate::process::{run, tail};
use crate::{Attempt, milena};
use std::process::Command;

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const FEATURES: &str = "org.apache.kafka.tools.FeatureCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";

/// The releases whose levels are tested, with the version of Kafka that creates the directory. Kafka 4.4
/// formats differently from earlier ones.
const LEVELS: [(&str, KafkaVersion); 10] = [
    ("3.3", KafkaVersion::V4_0),
    ("3.3", KafkaVersion::V4_4),
    ("3.6", KafkaVersion::V4_0),
    ("3.7", KafkaVersion::REFERENCE),
    ("3.9", KafkaVersion::REFERENCE),
    ("4.0", KafkaVersion::V4_0),
    ("4.1", KafkaVersion::REFERENCE),
    ("4.2", KafkaVersion::REFERENCE),
    ("4.3", KafkaVersion::V4_4),
    ("4.4", KafkaVersion::V4_4),
];

/// The way in which a broker's turn with a directory ends, and the broker that starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turns {
    Stopped,
    Killed,
    /// Kafka has only formatted the directory.
    Formatted,
}

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    if stage.kind == Kind::Kafka {
        return Ok(());
    }
    stage.broker().stop()?;
    for (release, version) in LEVELS {
        for (turns, how) in
            [(Turns::Stopped, "stopped"), (Turns::Killed, "killed"), (Turns::Formatted, "formatted")]
        {
            let folder = stage.folder.join(format!("{release}-by-{}-{how}", version.minor()));
            let name = format!("{release}, begun by Kafka {version}, {how}");
            let outcome = BrokerOptions::new(&folder).and_then(|options| {
                let options = options
                    .kafka(version)
                    .set("group.initial.rebalance.delay.ms", "0")
                    .set("offsets.topic.num.partitions", "3");
                there_and_back(stage, &name, options, release, turns)
            });
            stage.report.note(&format!("{name}: it goes there and back"), outcome);
        }
    }
    stage.broker().start_again()
}

/// One directory: Kafka's, ours, Kafka's at its level and then at its latest, ours again.
fn there_and_back(
    stage: &mut Stage,
    name: &str,
    options: BrokerOptions,
    release: &str,
    turns: Turns,
) -> Attempt<()> {
    let class_path = options.kafka.class_path()?;
    let has_scram = release != "3.3";
    let scram: &[&str] =
        if has_scram { &["--add-scram", "SCRAM-SHA-256=[name=alice,password=secret]"] } else { &[] };
    kafka::format(&options, &[&["--release-version", release], scram].concat())?;
    let mut turn = Turn { stage, name, class_path, address: options.address().to_string(), number: 0 };
    if turns != Turns::Formatted {
        let mut first = Broker::start(Kind::Kafka, options.clone())?;
        turn.perform("Kafka")?;
        end(&mut first, turns)?;
    }
    turn.check(&options)?;
    let mut ours = Broker::start(Kind::Milena, options.clone())?;
    turn.perform("Milena")?;
    end(&mut ours, turns)?;
    // No Kafka before 4.3 is promised the way back.
    let back = options.kafka.max(KafkaVersion::REFERENCE);
    let options = options.kafka(back);
    turn.class_path = back.class_path()?;
    let mut kafka = Broker::start(Kind::Kafka, options.clone())?;
    turn.level(release)?;
    turn.perform("Kafka again")?;
    if has_scram {
        // Its class has another name in Kafka 4.4.
        let words = ["--describe", "--entity-type", "users", "--entity-name", "alice"];
        let all = [&["--bootstrap-server", turn.address.as_str()], &words[..]].concat();
        let users = java::tool(&java::class_path()?, CONFIGS, &all, "")?.success()?;
        contains(&users, &["SCRAM-SHA-256"])?;
    }
    if release != back.minor() {
        turn.tool(FEATURES, &["upgrade", "--release-version", back.minor()])?;
        turn.level(back.minor())?;
    }
    end(&mut kafka, turns)?;
    let mut ours = Broker::start(Kind::Milena, options.clone())?;
    turn.perform("Milena at the level that was raised")?;
    end(&mut ours, turns)?;
    let mut kafka = Broker::start(Kind::Kafka, options)?;
    turn.perform("Kafka at last")?;
    kafka.stop()
}

fn end(broker: &mut Broker, turns: Turns) -> Attempt<()> {
    if turns == Turns::Killed { broker.kill() } else { broker.stop() }
}

/// The turn of a broker with the directory, and the data written so far.
struct Turn<'a> {
    stage: &'a mut Stage,
    name: &'a str,
    class_path: ClassPath,
    address: String,
    /// The number of earlier turns.
    number: usize,
}

impl Turn<'_> {
    /// Finds the data of earlier turns, and writes more: records, committed offsets, a topic, an idempotent
    /// producer's records.
    fn perform(&mut self, who: &str) -> Attempt<()> {
        let prefix = format!("{}, {who}: ", self.name);
        let number = self.number.to_string();
        match self.number {
            0 => self.program(&prefix, &["before"])?,
            _ => self.program(&prefix, &["after", &number])?,
        }
        let topic = format!("turn-{number}");
        self.tool(
            TOPICS,
            &["--create", "--topic", &topic, "--partitions", "2", "--config", "retention.ms=-1"],
        )?;
        self.program(&prefix, &["load", &topic, "40"])?;
        let listed = self.tool(TOPICS, &["--list"])?;
        let expected: Vec<String> = (0..=self.number).map(|turn| format!("turn-{turn}")).collect();
        contains(&listed, &expected.iter().map(String::as_str).collect::<Vec<_>>())?;
        self.number += 1;
        Ok(())
    }

    fn program(&mut self, prefix: &str, words: &[&str]) -> Attempt<()> {
        let mut command = java::command(&java::class_path()?, "milena.clients.Main", 192);
        self.stage.program(prefix, command.arg(&self.address).args(words))
    }

    fn tool(&self, class: &str, arguments: &[&str]) -> Attempt<String> {
        let all = [&["--bootstrap-server", &self.address], arguments].concat();
        java::tool(&self.class_path, class, &all, "")?.success()
    }

    /// Checks that `metadata.version` is that of a release, by Kafka's tool.
    fn level(&self, release: &str) -> Attempt<()> {
        let features = self.tool(FEATURES, &["describe"])?;
        let finalized = format!("FinalizedVersionLevel: {release}-IV");
        let is_there = |line: &str| line.contains("Feature: metadata.version") && line.contains(&finalized);
        if features.lines().any(is_there) {
            return Ok(());
        }
        Err(format!("{finalized:?} is not in: {}", tail(&features, 12)))
    }

    /// Checks that `milena migrate check` says that it can be opened.
    fn check(&self, options: &BrokerOptions) -> Attempt<()> {
        let mut command = Command::new(milena::program()?);
        command.args(["migrate", "check"]).arg(options.data_dir()).env_remove("MILENA_BINARY");
        let text = run(&mut command, "", LIMIT)?.success()?;
        contains(&text, &["metadata.version", "node.id", "the way back"])
    }
}
