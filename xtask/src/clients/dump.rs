//! Kafka's DumpLogSegments on the data directory that a broker left behind.

use super::{Stage, contains, kcat};
use crate::process::run;
use crate::{Attempt, java};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const TOOL: &str = "org.apache.kafka.tools.DumpLogSegments";
const LIMIT: Duration = Duration::from_secs(60);
const TOPIC: &str = "dumped";
const RECORDS_PER_CODEC: usize = 1_500;
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    kcat::install()?;
    fill(stage)?;
    stage.broker().stop()?;
    stage.test("every record of every segment", records);
    stage.test("offset indexes", |stage| indexes(stage, "index"));
    stage.test("time indexes", |stage| indexes(stage, "timeindex"));
    stage.test("producer snapshots", snapshots);
    stage.test("committed offsets and groups", offsets);
    stage.test("the cluster's metadata", metadata);
    stage.broker().start_again()
}

/// Writes several segments by every codec, and a group that has read them.
fn fill(stage: &mut Stage) -> Attempt<()> {
    let address = stage.address();
    let arguments = format!(
        "--bootstrap-server {address} --create --topic {TOPIC} --partitions 1 \
         --config segment.bytes=1048576 --config index.interval.bytes=4096"
    );
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    java::tool(&java::class_path()?, "org.apache.kafka.tools.TopicCommand", &arguments, "")?.success()?;
    let mut seed = 1_u32;
    for codec in CODECS {
        let mut lines = String::new();
        for i in 0..RECORDS_PER_CODEC {
            // Text that hardly compresses, so that segments fill by every codec.
            let noise: String = (0..1_000).map(|_| noise(&mut seed)).collect();
            lines.push_str(&format!("{codec}-{i}\t{noise}\n"));
        }
        let mut write = Command::new("kcat");
        write.args(["-b", &address, "-P", "-t", TOPIC, "-z", codec, "-K", "\t"]);
        write.args(["-X", "enable.idempotence=true", "-X", "batch.size=16000"]);
        run(&mut write, &lines, LIMIT)?.success()?;
    }
    let mut read = Command::new("kcat");
    read.args(["-b", &address, "-q", "-X", "auto.offset.reset=earliest", "-c", "100", "-G", "dumper", TOPIC]);
    run(&mut read, "", LIMIT)?.success()?;
    Ok(())
}

fn noise(seed: &mut u32) -> char {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    char::from(b'!' + u8::try_from((*seed >> 16) % 90).expect("less than 90"))
}

/// The files of a partition with a given ending, in order.
fn files(partition: &Path, ending: &str) -> Attempt<Vec<PathBuf>> {
    let entries = partition.read_dir().map_err(|error| format!("{}: {error}", partition.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("{} has no file .{ending}", partition.display()));
    }
    Ok(files)
}

fn dump(files: &[PathBuf], options: &[&str]) -> Attempt<String> {
    let joined: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let joined = joined.join(",");
    let mut arguments = vec!["--files", &joined];
    arguments.extend(options);
    java::tool(&java::class_path()?, TOOL, &arguments, "")?.success()
}

fn records(stage: &mut Stage) -> Attempt<()> {
    let segments = files(&stage.broker().data_dir().join(format!("{TOPIC}-0")), "log")?;
    if segments.len() < 4 {
        return Err(format!("only {} segments", segments.len()));
    }
    let text = dump(&segments, &["--deep-iteration", "--print-data-log"])?;
    if let Some(bad) =
        text.lines().find(|line| line.starts_with("baseOffset") && !line.contains("isvalid: true"))
    {
        return Err(bad.to_owned());
    }
    let mut next = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("| offset: ")) {
        let offset: usize = line.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(usize::MAX);
        let key = format!("key: {}-{} ", CODECS[next / RECORDS_PER_CODEC], next % RECORDS_PER_CODEC);
        if offset != next || !line.contains(&key) {
            return Err(format!("record {next} is not {key:?}: {}", &line[..line.len().min(200)]));
        }
        next += 1;
    }
    if next != CODECS.len() * RECORDS_PER_CODEC {
        return Err(format!("{next} records"));
    }
    contains(&text, &["compresscodec: none", "compresscodec: gzip", "compresscodec: snappy"])?;
    contains(&text, &["compresscodec: lz4", "compresscodec: zstd", "partitionLeaderEpoch: 0"])?;
    consecutive(&text)
}

fn indexes(stage: &mut Stage, ending: &str) -> Attempt<()> {
    let partition = stage.broker().data_dir().join(format!("{TOPIC}-0"));
    let indexes = files(&partition, ending)?;
    let text = dump(&indexes, &[])?;
    consecutive(&text)?;
    let word = if ending == "index" { "position: " } else { "timestamp: " };
    let entries = text.lines().filter(|line| line.contains(word)).count();
    if entries < 2 * indexes.len() {
        return Err(format!("only {entries} entries in {} files", indexes.len()));
    }
    let text = dump(&indexes, &["--index-sanity-check"])?;
    consecutive(&text)?;
    if ending == "index" && text.matches("passed sanity check").count() != indexes.len() {
        return Err(format!("not every index passed: {text}"));
    }
    Ok(())
}

fn snapshots(stage: &mut Stage) -> Attempt<()> {
    let snapshots = files(&stage.broker().data_dir().join(format!("{TOPIC}-0")), "snapshot")?;
    let text = dump(&snapshots[snapshots.len() - 1..], &[])?;
    contains(&text, &["producerId: ", "producerEpoch: 0", "currentTxnFirstOffset: OptionalLong.empty"])?;
    contains(&text, &[&format!("lastOffset: {}", CODECS.len() * RECORDS_PER_CODEC - 1)])
}

fn offsets(stage: &mut Stage) -> Attempt<()> {
    let data_dir = stage.broker().data_dir();
    let entries = data_dir.read_dir().map_err(|error| format!("{}: {error}", data_dir.display()))?;
    let mut text = String::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("__consumer_offsets-") {
            let logs = files(&path, "log")?;
            if logs.iter().any(|log| log.metadata().is_ok_and(|metadata| metadata.len() > 0)) {
                text.push_str(&dump(&logs, &["--offsets-decoder"])?);
            }
        }
    }
    consecutive(&text)?;
    contains(&text, &[r#"{"type":"1","data":{"group":"dumper","topic":"dumped","partition":0}}"#])?;
    contains(&text, &[r#""offset":100,"#, r#"{"type":"2","data":{"group":"dumper"}}"#])?;
    contains(&text, &[r#""protocolType":"consumer","generation":1,"protocol":"range""#])
}

fn metadata(stage: &mut Stage) -> Attempt<()> {
    let logs = files(&stage.broker().data_dir().join("__cluster_metadata-0"), "log")?;
    let text = dump(&logs, &["--cluster-metadata-decoder"])?;
    consecutive(&text)?;
    contains(&text, &[r#""type":"TOPIC_RECORD""#, r#""name":"dumped""#, r#""type":"PARTITION_RECORD""#])?;
    contains(&text, &[r#""type":"CONFIG_RECORD""#, r#""name":"segment.bytes","value":"1048576""#])?;
    contains(&text, &[r#""type":"REGISTER_BROKER_RECORD""#])
}

/// Whether the tool found nothing wrong and no offset left out.
fn consecutive(text: &str) -> Attempt<()> {
    without(text, "Non-consecutive")?;
    unblemished(text)
}

/// The tool says these words when a file is not as it should be, and still succeeds.
pub(super) fn unblemished(text: &str) -> Attempt<()> {
    ["Mismatches", "mismatch", "Found timestamp", "out of order", "isvalid: false", "Could not read", "Error"]
        .iter()
        .try_for_each(|word| without(text, word))
}

fn without(text: &str, word: &str) -> Attempt<()> {
    match text.lines().find(|line| line.contains(word)) {
        Some(line) => Err(line.chars().take(300).collect()),
        None => Ok(()),
    }
}
