//! Message sets of magic 0 and 1 in a data directory: Kafka serves them as they are, and so do we. Their
//! writers are long gone; the bytes come from Kafka's own classes.

use super::python::{KAFKA_PYTHON, KAFKA_PYTHON_OLD};
use super::{Stage, files_of, kcat, same};
use crate::broker::{Broker, BrokerOptions, Kind};
use crate::process::run;
use crate::{Attempt, java, root};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
/// The topics, and their settings: no record may be deleted for its age, which is that of the captured bytes.
const TOPICS: [(&str, &str); 2] = [
    ("old", "retention.ms=-1"),
    ("old-compacted", "cleanup.policy=compact,min.cleanable.dirty.ratio=0.01,segment.ms=100000000000"),
];
/// The start of the active segment, which compaction leaves alone.
const ACTIVE_OFFSET: i64 = 148;

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    if stage.kind == Kind::Kafka {
        return Ok(());
    }
    kcat::install()?;
    stage.broker().stop()?;
    let kafkas = options(&stage.folder.join("by-kafka"))?;
    prepare(&kafkas)?;
    let ours = options(&stage.folder.join("by-milena"))?;
    copy(&kafkas.data_dir(), &ours.data_dir())?;
    let expected = ClientView::of(Kind::Kafka, &kafkas)?;
    let found = ClientView::of(Kind::Milena, &ours)?;
    stage.test("Kafka's client sees the same topics, records, offsets and times", |_| {
        same("contents", &expected.contents, &found.contents)
    });
    for (client, ((name, expected), (_, found))) in expected.read.iter().zip(&found.read).enumerate() {
        stage.test(&format!("{name} reads the same"), |_| {
            if client == 0 && !expected.contains("key-4 value 136 of magic 1 with lz4") {
                return Err("not the captured records".to_owned());
            }
            same("records", expected, found)
        });
    }
    stage.test("Kafka opens what we compacted", |_| {
        let again = ClientView::of(Kind::Kafka, &ours)?;
        same("contents", &found.contents, &again.contents)
    });
    stage.broker().start_again()
}

fn options(folder: &Path) -> Attempt<BrokerOptions> {
    Ok(BrokerOptions::new(folder)?.set("log.cleaner.backoff.ms", "200"))
}

/// Creates the topics and puts the captured bytes into them.
fn prepare(options: &BrokerOptions) -> Attempt<()> {
    let class_path = java::class_path()?;
    let mut kafka = Broker::start(Kind::Kafka, options.clone())?;
    for (topic, settings) in TOPICS {
        let address = kafka.address();
        let mut arguments = vec!["--bootstrap-server", &address, "--create", "--topic", topic];
        for setting in settings.split(',') {
            arguments.extend(["--config", setting]);
        }
        java::tool(&class_path, "org.apache.kafka.tools.TopicCommand", &arguments, "")?.success()?;
    }
    kafka.stop()?;
    let (old, active) = captured()?;
    for (topic, _) in TOPICS {
        let partition = options.data_dir().join(format!("{topic}-0"));
        for file in files_of(&partition)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("0000") {
                remove(&file)?;
            }
        }
        write(&partition.join("00000000000000000000.log"), &old)?;
        write(&partition.join(format!("{ACTIVE_OFFSET:020}.log")), &active)?;
    }
    // None of the captured bytes is known to be whole.
    for name in [
        ".kafka_cleanshutdown",
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
        "cleaner-offset-checkpoint",
    ] {
        let path = options.data_dir().join(name);
        if path.exists() {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The bytes of the captured log before and after the start of the active segment.
fn captured() -> Attempt<(Vec<u8>, Vec<u8>)> {
    let path = root().join("crates/record/tests/captured/legacy.txt");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (mut old, mut active) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| line.starts_with("set ")) {
        let hex = line.rsplit(' ').next().unwrap_or_default();
        let bytes = if line.starts_with("set 2") { &mut active } else { &mut old };
        for at in (0..hex.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&hex[at..at + 2], 16).map_err(|error| error.to_string())?);
        }
    }
    Ok((old, active))
}

/// The view that clients have of a broker.
struct ClientView {
    contents: String,
    /// The records as other clients read them, by the clients' names.
    read: Vec<(&'static str, String)>,
}

impl ClientView {
    /// Starts a broker, asks it, and stops it.
    fn of(kind: Kind, options: &BrokerOptions) -> Attempt<ClientView> {
        let mut broker = Broker::start(kind, options.clone())?;
        let address = broker.address();
        let contents = compacted_contents(&address)?;
        let mut read = Command::new("kcat");
        read.args([
            "-b",
            &address,
            "-C",
            "-t",
            "old",
            "-e",
            "-q",
            "-Z",
            "-o",
            "beginning",
            "-f",
            "%o %T %k %s\n",
        ]);
        let mut read = vec![("kcat", run(&mut read, "", LIMIT)?.success()?)];
        let count = read[0].1.lines().count().to_string();
        for (name, client) in [("kafka-python", KAFKA_PYTHON), ("kafka-python-2.0.2", KAFKA_PYTHON_OLD)] {
            let text =
                run(client.command()?.args([&address, "read", "old", &count]), "", LIMIT)?.success()?;
            read.push((name, text));
        }
        broker.stop()?;
        Ok(ClientView { contents, read })
    }
}

/// The contents that Kafka's client sees once the compacted topic is compacted: a record without a key is
/// gone.
fn compacted_contents(address: &str) -> Attempt<String> {
    let class_path = java::class_path()?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let contents = super::migrate::contents(&class_path, address)?;
        let is_keyless = |line: &str| {
            let mut words = line.split(' ');
            line.starts_with("record old-compacted-0 ")
                && words
                    .nth(2)
                    .and_then(|offset| offset.parse().ok())
                    .is_some_and(|offset: i64| offset < ACTIVE_OFFSET)
                && words.nth(3) == Some("null")
        };
        if !contents.lines().any(is_keyless) {
            return Ok(contents);
        }
        if Instant::now() > deadline {
            return Err("the old log is not compacted".to_owned());
        }
    }
}

fn copy(from: &Path, to: &Path) -> Attempt<()> {
    std::fs::create_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
    for path in files_of(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Attempt<()> {
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn remove(path: &Path) -> Attempt<()> {
    std::fs::remove_file(path).map_err(|error| format!("{}: {error}", path.display()))
}
