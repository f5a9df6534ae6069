//! Kafka's Java clients.

use super::{Stage, contains, same};
use crate::broker::{Broker, BrokerOptions, Kind};
use crate::process::run;
use crate::{Attempt, java};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    let class_path = stage.class_path()?;
    let address = stage.address();
    let mut command = java::command(&class_path, "milena.clients.Main", 512);
    stage.program("", command.args([&address, "suite"]))
}

/// Kafka's clients of years ago. zstd came with 2.1.
pub(super) fn old(stage: &mut Stage) -> Attempt<()> {
    for (version, codecs) in [
        ("0.11.0.3", &["gzip", "snappy", "lz4"][..]),
        ("1.0.2", &["gzip", "snappy", "lz4"]),
        ("1.1.1", &["gzip", "snappy", "lz4"]),
        ("2.0.1", &["gzip", "snappy", "lz4"]),
        ("2.1.1", &["gzip", "snappy", "lz4", "zstd"]),
        ("2.8.2", &["gzip", "snappy", "lz4", "zstd"]),
        ("3.9.1", &["gzip", "snappy", "lz4", "zstd"]),
    ] {
        let address = stage.address();
        let mut command = java::old_clients("Old.java", version)?;
        stage.program(&format!("{version}: "), command.arg(&address).args(codecs))?;
    }
    refused(stage)
}

/// Clients from before magic 2, whose versions of Produce and Fetch are no longer served. The first of them
/// does not ask for the versions.
fn refused(stage: &mut Stage) -> Attempt<()> {
    const TOPIC: &str = "too-new";
    const RECORD: &str = "a:b\tkey\tvalue\n";
    stage.create_topic(TOPIC, 1)?;
    let (address, class_path) = (stage.address(), stage.class_path()?);
    let main = || java::command(&class_path, "milena.clients.Main", 128);
    run(main().args([&address, "write", TOPIC, "none"]), RECORD, LIMIT)?.success()?;
    for version in ["0.10.0.1", "0.10.2.2"] {
        let mut command = java::old_clients("Refused.java", version)?;
        stage.program(&format!("{version}: "), command.args([&address, TOPIC, version]))?;
    }
    stage.test("the broker names the client that it refuses", told);
    stage.test("nothing of a refused client is stored", |_| {
        let read = run(main().args([&address, "read", TOPIC, "1"]), "", LIMIT)?.success()?;
        same("records", RECORD, &read)
    });
    Ok(())
}

/// The broker's output says why the client is cut off. Milena limits how often it says so, and the first
/// message is about the oldest producer.
fn told(stage: &mut Stage) -> Attempt<()> {
    let path = stage.folder.join("output.txt");
    let output = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match stage.kind {
        Kind::Kafka => contains(&output, &["(Produce) and unsupported version 2"]),
        Kind::Milena => contains(
            &output,
            &[
                "client=\"/127.0.0.1\"",
                "client \"old-producer-0.10.0.1\" asked for version 2 of Produce; versions 3 to",
                "too old",
            ],
        ),
    }
}

/// Kafka Streams.
pub(super) fn streams(stage: &mut Stage) -> Attempt<()> {
    in_folder(stage, "streams")
}

/// Kafka Connect.
pub(super) fn connect(stage: &mut Stage) -> Attempt<()> {
    in_folder(stage, "connect")
}

/// MirrorMaker 2 between two brokers of a kind.
pub(super) fn mirror_maker(stage: &mut Stage) -> Attempt<()> {
    let options = BrokerOptions::new(&stage.folder.join("target"))?
        .kafka(stage.version)
        .set("group.initial.rebalance.delay.ms", "0");
    let mut target = Broker::start(stage.kind, options)?;
    let (source, class_path) = (stage.address(), stage.class_path()?);
    let mut command = java::command(&class_path, "milena.clients.Main", 512);
    let outcome = stage.program("", command.args([&source, "mirror", &target.address()]));
    outcome.and(target.stop())
}

/// Performs a suite whose program keeps files.
fn in_folder(stage: &mut Stage, suite: &str) -> Attempt<()> {
    let class_path = stage.class_path()?;
    let (address, folder) = (stage.address(), stage.folder.join("files"));
    let mut command = java::command(&class_path, "milena.clients.Main", 512);
    stage.program("", command.args([&address, suite]).arg(folder))
}
