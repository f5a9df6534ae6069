//! One data directory, opened by Kafka and by ours in turn: each finds what the other wrote.

use super::{Stage, contains, kcat, same};
use crate::broker::{Broker, BrokerOptions, Kind};
use crate::process::run;
use crate::{Attempt, java, milena};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const TOPIC: &str = "carried";
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const RECORDS_PER_CODEC: usize = 400;

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    if stage.kind == Kind::Kafka {
        return Ok(());
    }
    kcat::install()?;
    stage.broker().stop()?;
    let kafkas = BrokerOptions::new(&stage.folder.join("from-kafka"))?;
    let ours = BrokerOptions::new(&stage.folder.join("from-milena"))?;
    for (options, turns) in [
        (kafkas, [Kind::Kafka, Kind::Milena, Kind::Kafka, Kind::Milena]),
        (ours, [Kind::Milena, Kind::Kafka, Kind::Milena, Kind::Kafka]),
    ] {
        let options = options.set("group.initial.rebalance.delay.ms", "0");
        let outcome = turn_about(stage, &options, &turns);
        stage
            .report
            .note(&format!("a directory that {} began goes from hand to hand", named(turns[0])), outcome);
    }
    stage.broker().start_again()
}

fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Kafka => "Kafka",
        Kind::Milena => "Milena",
    }
}

/// Each broker in turn finds every record, offset, setting and committed offset, writes more, and is
/// stopped or, every other one, killed.
fn turn_about(stage: &mut Stage, options: &BrokerOptions, turns: &[Kind]) -> Attempt<()> {
    let class_path = java::class_path()?;
    let address = format!("127.0.0.1:{}", options.port);
    let mut expected = String::new();
    for (turn, kind) in turns.iter().enumerate() {
        if *kind == Kind::Milena && turn > 0 {
            check(&options.dir.join("data"))?;
        }
        let mut broker = Broker::start(*kind, options.clone())?;
        let prefix = format!("{} began, turn {turn} is {}'s: ", named(turns[0]), named(*kind));
        let times = turn.to_string();
        let words: Vec<&str> =
            if turn == 0 { vec![&address, "before"] } else { vec![&address, "after", &times] };
        stage.program(&prefix, java::command(&class_path, "milena.clients.Main", 256).args(words))?;
        let found =
            if turn == 0 { create(&class_path, &address).map(|()| String::new())? } else { dump(&address)? };
        same(&format!("{prefix}records"), &expected, &found)?;
        for codec in CODECS {
            fill(&address, codec, turn)?;
        }
        expected = dump(&address)?;
        let records = expected.lines().count();
        if records != (turn + 1) * CODECS.len() * RECORDS_PER_CODEC {
            return Err(format!("{prefix}{records} records are there"));
        }
        if turn % 2 == 0 { broker.stop()? } else { broker.kill()? }
    }
    Ok(())
}

/// What `milena migrate check` says of what Kafka left.
fn check(data: &Path) -> Attempt<()> {
    let mut command = Command::new(milena::program()?);
    command.args(["migrate", "check"]).arg(data).env_remove("MILENA_BINARY");
    contains(&run(&mut command, "", LIMIT)?.success()?, &["metadata.version", "partitions", "node.id"])
}

fn create(class_path: &str, address: &str) -> Attempt<()> {
    let arguments = format!(
        "--bootstrap-server {address} --create --topic {TOPIC} --partitions 1 \
         --config segment.bytes=1048576 --config index.interval.bytes=4096"
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    java::tool(class_path, "org.apache.kafka.tools.TopicCommand", &arguments, "")?.success()?;
    Ok(())
}

fn fill(address: &str, codec: &str, turn: usize) -> Attempt<()> {
    let mut lines = String::new();
    for record in 0..RECORDS_PER_CODEC {
        let value = format!("{turn}-{codec}-{record}-").repeat(60);
        lines.push_str(&format!("key-{record}\t{value}\n"));
    }
    let mut write = Command::new("kcat");
    write.args(["-b", address, "-P", "-t", TOPIC, "-z", codec, "-K", "\t", "-H", "turn=here"]);
    write.args(["-X", "enable.idempotence=true"]);
    run(&mut write, &lines, LIMIT)?.success()?;
    Ok(())
}

/// Every record with its offset, time, key, value and headers.
fn dump(address: &str) -> Attempt<String> {
    let mut read = Command::new("kcat");
    read.args(["-b", address, "-C", "-t", TOPIC, "-e", "-q", "-o", "beginning", "-f", "%o %T %k %s %h\n"]);
    run(&mut read, "", LIMIT)?.success()
}

/// All that Kafka's client can learn of a broker.
pub(super) fn contents(class_path: &str, address: &str) -> Attempt<String> {
    let mut show = java::command(class_path, "milena.clients.Main", 256);
    run(show.args([address, "show"]), "", Duration::from_secs(180))?.success()
}
