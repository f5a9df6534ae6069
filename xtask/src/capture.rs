//! Captures a real Kafka's directories for tests.

use crate::broker::{Broker, BrokerOptions, Kind};
use crate::kafka::KafkaVersion;
use crate::{Attempt, java, kafka, root, workshop};
use std::path::{Path, PathBuf};

/// The ports are in the records, so they are the same each time.
const PORT: u16 = 21_020;
const CONTROLLER: &str = "127.0.0.1:21021";
/// The files that are kept: not those that a start would write again.
const KEPT: [&str; 5] =
    [".log", ".checkpoint", "leader-epoch-checkpoint", "partition.metadata", "quorum-state"];

/// The directory in which the tests of `metadata` and of `milena` look for the logs.
pub fn metadata_logs() -> PathBuf {
    root().join("crates/metadata/src/quorum/tests/captured")
}

/// Writes metadata logs of Kafka, broker and controller in one, into `to`: `static` by
/// `controller.quorum.voters`, stopped; `dynamic` formatted with `--standalone`, killed; and directories that were
/// formatted and never started.
pub fn metadata(to: &Path) -> Attempt<()> {
    formatted(to)?;
    for is_dynamic in [false, true] {
        let name = if is_dynamic { "dynamic" } else { "static" };
        let options = options(name, is_dynamic)?;
        if is_dynamic {
            kafka::format(&options, &["--standalone"])?;
        }
        let mut kafka = Broker::start(Kind::Kafka, options)?;
        fill(&kafka.address())?;
        if is_dynamic {
            kafka.kill()?;
        } else {
            kafka.stop()?;
        }
        keep(&kafka.data_dir(), &to.join(name))?;
        println!("{name} is in {}", to.join(name).display());
    }
    Ok(())
}

/// The options of the node of that name; the folder of an older one is emptied.
fn options(name: &str, is_dynamic: bool) -> Attempt<BrokerOptions> {
    let folder = workshop().join("capture").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let voters = if is_dynamic { String::new() } else { format!("1@{CONTROLLER}") };
    let mut options = BrokerOptions::new(&folder)?
        .set("listeners", &format!("PLAINTEXT://127.0.0.1:{PORT},CONTROLLER://{CONTROLLER}"))
        .set("controller.quorum.voters", &voters)
        .set("offsets.topic.num.partitions", "3")
        .set("group.initial.rebalance.delay.ms", "0");
    options.port = PORT;
    if is_dynamic {
        options = options.set("controller.quorum.bootstrap.servers", CONTROLLER);
    }
    Ok(options)
}

/// Directories that were formatted and never started: of Kafka 4.3 and of 4.4, which keeps the first records
/// elsewhere, with voters in settings and in the log.
fn formatted(to: &Path) -> Attempt<()> {
    let scram = ["--add-scram", "SCRAM-SHA-256=[name=alice,password=secret]"];
    for version in KafkaVersion::TESTED {
        for is_dynamic in [false, true] {
            let kind = if is_dynamic { "-dynamic" } else { "" };
            let name = format!("formatted-{}{kind}", version.minor());
            let options = options(&name, is_dynamic)?.kafka(version);
            // With static voters 4.4 formats for 4.3: two of its cases in one.
            let more: &[&str] = if is_dynamic { &["--standalone"] } else { &["--release-version", "4.3"] };
            kafka::format(&options, &[more, &scram].concat())?;
            keep(&options.data_dir(), &to.join(&name))?;
            println!("{name} is in {}", to.join(&name).display());
        }
    }
    let options = options("formatted-3.3", false)?;
    kafka::format(&options, &["--release-version", "3.3"])?;
    keep(&options.data_dir(), &to.join("formatted-3.3"))
}

/// A topic of two partitions with settings, a deleted topic, a SCRAM credential, a quota, a producer's id and a group.
fn fill(address: &str) -> Attempt<()> {
    const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
    const CONFIGS: &str = "kafka.admin.ConfigCommand";
    let settings = "--config segment.bytes=1048576 --config max.message.bytes=900000";
    let tools = [
        (TOPICS, format!("--create --topic foo --partitions 2 {settings}"), ""),
        (TOPICS, "--create --topic gone".to_owned(), ""),
        (TOPICS, "--delete --topic gone".to_owned(), ""),
        (
            CONFIGS,
            format!("{ALTER} users --entity-name alice --add-config SCRAM-SHA-256=[password=secret]"),
            "",
        ),
        (CONFIGS, format!("{ALTER} clients --entity-name greedy --add-config producer_byte_rate=1024"), ""),
        ("org.apache.kafka.tools.ConsoleProducer", "--topic foo".to_owned(), "one\n"),
        ("org.apache.kafka.tools.consumer.ConsoleConsumer", READ.to_owned(), ""),
    ];
    for (class, arguments, input) in tools {
        let mut all = vec!["--bootstrap-server", address];
        all.extend(arguments.split(' '));
        java::tool(&java::class_path()?, class, &all, input)?.success()?;
    }
    Ok(())
}

const ALTER: &str = "--alter --entity-type";
const READ: &str = "--topic foo --group readers --from-beginning --max-messages 1 --timeout-ms 30000";

/// Copies the files to keep of a data directory.
fn keep(data: &Path, to: &Path) -> Attempt<()> {
    let log = Path::new("__cluster_metadata-0");
    let failed = |error: std::io::Error| format!("{} is not copied: {error}", data.display());
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(failed)?;
    }
    std::fs::create_dir_all(to.join(log)).map_err(failed)?;
    // Kafka's snapshots are read-only; ours in the work tree need not be.
    let copy = |name: &Path| std::fs::write(to.join(name), std::fs::read(data.join(name))?);
    copy(Path::new("meta.properties")).map_err(failed)?;
    let first_records = Path::new("bootstrap.checkpoint");
    if data.join(first_records).exists() {
        copy(first_records).map_err(failed)?;
    }
    if !data.join(log).exists() {
        // Git keeps no empty folder; readers of the capture create it.
        return std::fs::remove_dir(to.join(log)).map_err(failed);
    }
    for entry in data.join(log).read_dir().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if KEPT.iter().any(|kept| name.to_string_lossy().ends_with(kept)) {
            copy(&log.join(&name)).map_err(failed)?;
        }
    }
    Ok(())
}
