//! Records of every client, read by every other client.
//!
//! Records are lines `name:value,name:value TAB key TAB value` with `NULL` for null, as in Kafka's console
//! tools.

use super::go::{self, FRANZ, SARAMA_1_0, SARAMA_2_1, SARAMA_DEFAULT, SARAMA_NEWEST};
use super::python::{self, CONFLUENT, KAFKA_PYTHON, KAFKA_PYTHON_OLD};
use super::{Stage, kcat, same};
use crate::process::run;
use crate::{Attempt, java};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const RECORDS_PER_CODEC: usize = 20;
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// zstd came with Kafka 2.1.
const CODECS_BEFORE_2_1: [&str; 4] = ["none", "gzip", "snappy", "lz4"];

#[derive(Clone, Copy)]
enum Client {
    Java,
    Console,
    Kcat,
    Python(python::Client),
    Go(go::Client),
}

const CLIENTS: [(&str, Client); 11] = [
    ("java", Client::Java),
    ("console", Client::Console),
    ("kcat", Client::Kcat),
    ("kafka-python-2.0.2", Client::Python(KAFKA_PYTHON_OLD)),
    ("kafka-python", Client::Python(KAFKA_PYTHON)),
    ("confluent-kafka", Client::Python(CONFLUENT)),
    ("franz-go", Client::Go(FRANZ)),
    ("sarama", Client::Go(SARAMA_DEFAULT)),
    ("sarama-newest", Client::Go(SARAMA_NEWEST)),
    ("sarama-1.43-1.0.0", Client::Go(SARAMA_1_0)),
    ("sarama-1.43-2.1.0", Client::Go(SARAMA_2_1)),
];

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    kcat::install()?;
    for (writer, client) in CLIENTS {
        let codecs = if writer == "sarama-1.43-1.0.0" { &CODECS_BEFORE_2_1[..] } else { &CODECS[..] };
        let topic = format!("by-{writer}");
        let mut expected = String::new();
        stage.test(&format!("{writer} writes"), |stage| {
            stage.create_topic(&topic, 1)?;
            for codec in codecs {
                let lines = records(codec);
                client.write(stage, &topic, codec, &lines)?;
                expected.push_str(&lines);
            }
            Ok(())
        });
        for (reader, client) in CLIENTS {
            stage.test(&format!("{reader} reads what {writer} wrote"), |stage| {
                same("records", &expected, &client.read(stage, &topic, codecs.len() * RECORDS_PER_CODEC)?)
            });
        }
    }
    Ok(())
}

/// The records of one codec: some without a key, some without a value, of very different lengths.
fn records(codec: &str) -> String {
    let mut lines = String::new();
    for i in 0..RECORDS_PER_CODEC {
        let key = if i % 5 == 4 { "NULL".to_owned() } else { format!("{codec}-key-{i}") };
        let value =
            if i % 7 == 6 { "NULL".to_owned() } else { format!("{codec}-value-{i}-{}", "x".repeat(i * i)) };
        lines.push_str(&format!("codec:{codec},kind:crossing\t{key}\t{value}\n"));
    }
    lines
}

impl Client {
    fn write(self, stage: &mut Stage, topic: &str, codec: &str, lines: &str) -> Attempt<()> {
        let address = stage.address();
        let mut command = match self {
            Client::Java => java::command(&java::class_path()?, "milena.clients.Main", 128),
            Client::Console => return write_by_console(&address, topic, codec, lines),
            Client::Kcat => return write_by_kcat(&address, topic, codec, lines),
            Client::Python(client) => client.command()?,
            Client::Go(client) => client.command()?,
        };
        run(command.args([&address, "write", topic, codec]), lines, LIMIT)?.success()?;
        Ok(())
    }

    fn read(self, stage: &mut Stage, topic: &str, count: usize) -> Attempt<String> {
        let address = stage.address();
        let mut command = match self {
            Client::Java => java::command(&java::class_path()?, "milena.clients.Main", 128),
            Client::Console => return read_by_console(&address, topic, count),
            Client::Kcat => return read_by_kcat(&address, topic),
            Client::Python(client) => client.command()?,
            Client::Go(client) => client.command()?,
        };
        run(command.args([&address, "read", topic, &count.to_string()]), "", LIMIT)?.success()
    }
}

fn write_by_console(address: &str, topic: &str, codec: &str, lines: &str) -> Attempt<()> {
    let arguments = format!(
        "--bootstrap-server {address} --topic {topic} --compression-codec {codec} \
         --reader-property parse.key=true --reader-property parse.headers=true \
         --reader-property null.marker=NULL"
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let class = "org.apache.kafka.tools.ConsoleProducer";
    java::tool(&java::class_path()?, class, &arguments, lines)?.success()?;
    Ok(())
}

fn read_by_console(address: &str, topic: &str, count: usize) -> Attempt<String> {
    let arguments = format!(
        "--bootstrap-server {address} --topic {topic} --partition 0 --from-beginning \
         --max-messages {count} --timeout-ms 20000 \
         --formatter-property print.key=true --formatter-property print.headers=true \
         --formatter-property null.literal=NULL"
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    java::tool(&java::class_path()?, class, &arguments, "")?.success()
}

fn write_by_kcat(address: &str, topic: &str, codec: &str, lines: &str) -> Attempt<()> {
    let mut command = Command::new("kcat");
    command.args(["-b", address, "-P", "-t", topic, "-p", "0", "-z", codec, "-K", "\t", "-Z"]);
    command.args(["-H", &format!("codec={codec}"), "-H", "kind=crossing"]);
    // kcat takes headers as arguments, and what is empty for null.
    let mut pairs = String::new();
    for line in lines.lines() {
        let (_, pair) = line.split_once('\t').expect("a line has three columns");
        let (key, value) = pair.split_once('\t').expect("a line has three columns");
        let shown = |text: &str| if text == "NULL" { String::new() } else { text.to_owned() };
        pairs.push_str(&format!("{}\t{}\n", shown(key), shown(value)));
    }
    run(&mut command, &pairs, LIMIT)?.success()?;
    Ok(())
}

fn read_by_kcat(address: &str, topic: &str) -> Attempt<String> {
    let mut command = Command::new("kcat");
    command.args(["-b", address, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-Z"]);
    let read = run(command.args(["-f", "%h\t%k\t%s\n"]), "", LIMIT)?.success()?;
    let mut lines = String::new();
    for line in read.lines() {
        let (headers, rest) = line.split_once('\t').unwrap_or((line, ""));
        lines.push_str(&format!("{}\t{rest}\n", headers.replace('=', ":")));
    }
    Ok(lines)
}
