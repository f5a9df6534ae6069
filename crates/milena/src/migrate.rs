//! `milena migrate`: checks what opening another broker's data directory would do.

mod contents;

use std::path::{Path, PathBuf};

use broker::{Directories, SurveyReport};
use clap::{Args, Subcommand};
use metadata::features::METADATA_VERSION;
use metadata::level;
use metadata::quorum::{self, Survey};
use serde_json::json;
use storage::DirKind;
use storage::fs::Fs;

use self::contents::{Contents, GroupKind};
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;
use crate::{files, properties};

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Say whether `start` would open a data directory, Kafka's or Milena's, and what it contains
    Check(CheckArgs),
}

const EXAMPLES: &str = "\
Examples:
  milena migrate check /var/lib/kafka
  milena migrate check /disk1/kafka /disk2/kafka --json

Nothing is changed. The broker must be stopped: what it writes meanwhile may not be seen.
This reads the metadata, the groups and the transactions; milena check reads the records as well.
The exit status is 0 where start would open the directory, and 1 where it would not.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The directories named by log.dirs, and metadata.log.dir if it is another
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,

    /// Print the result as JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Checks a directory as a start does, and fails if `start` would.
pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let node = node_of(&args.dirs)?;
    let refused = |error: broker::DirectoryError| Failure::new(format!("it would not be opened: {error}"));
    let SurveyReport { survey, refusals } =
        broker::survey(&directories(&args.dirs)?, node.id, &Fs::real()).map_err(refused)?;
    let contents = Contents::of(&args.dirs).map_err(|error| Failure::new(error.to_string()))?;
    let mut output = Output::new(args.json);
    if args.json {
        output.json(&as_json(&survey, &node, &contents, &refusals))?;
    } else {
        output.table(&as_table(&survey, &node, &contents))?;
    }
    output.flush()?;
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("it would not be opened: {}", refusals.join("; "))))
}

/// The node's settings of its directories: one of them has the metadata log, and all are in `log.dirs` except
/// one that holds nothing else.
fn directories(dirs: &[PathBuf]) -> Result<Directories, Failure> {
    let fs = Fs::real();
    let failed = |error: storage::fs::Error| Failure::new(error.to_string());
    let (mut metadata_log_dir, mut log_dirs) = (None, Vec::new());
    for dir in dirs {
        let entries = fs.list(dir).map_err(failed)?;
        let has_metadata = |name: &str| name == format!("{}-0", quorum::METADATA_TOPIC);
        let is_found = entries.iter().any(|entry| has_metadata(&entry.name))
            || fs.exists(&dir.join("bootstrap.checkpoint")).map_err(failed)?;
        let others = entries.iter().filter(|entry| entry.is_dir && !has_metadata(&entry.name));
        let holds_partitions =
            others.map(|entry| DirKind::of(&entry.name)).any(|kind| matches!(kind, DirKind::Partition(_)));
        let shown = dir.display().to_string();
        if is_found && metadata_log_dir.is_none() {
            metadata_log_dir = Some(shown.clone());
            if !holds_partitions && dirs.len() > 1 {
                continue;
            }
        }
        log_dirs.push(shown);
    }
    match metadata_log_dir {
        Some(metadata_log_dir) => Ok(Directories { log_dirs, metadata_log_dir }),
        None => Err(Failure::new(format!("no metadata log is in {}", log_dirs.join(", ")))
            .mend("It is in one directory of log.dirs or in metadata.log.dir: name all of them.")),
    }
}

/// The node that owns a directory, by its `meta.properties`.
struct Node {
    id: i32,
    cluster_id: String,
}

fn node_of(dirs: &[PathBuf]) -> Result<Node, Failure> {
    let mut nodes = dirs.iter().map(|dir| node_of_dir(dir).map(|node| (dir, node)));
    let (_, first) = nodes.next().expect("there is a directory")?;
    for found in nodes {
        let (dir, Node { id, cluster_id }) = found?;
        if (id, &cluster_id) != (first.id, &first.cluster_id) {
            let what = format!(
                "{} belongs to node {id} of cluster {cluster_id}, and the first does not",
                dir.display()
            );
            return Err(Failure::new(what).mend("Name the directories of one node."));
        }
    }
    Ok(first)
}

fn node_of_dir(dir: &Path) -> Result<Node, Failure> {
    let path = dir.join("meta.properties");
    let shown = path.display();
    let fs = Fs::real();
    let exists = |path: &Path| fs.exists(path).map_err(|error| Failure::new(error.to_string()));
    if exists(dir)? && !exists(&path)? {
        return Err(Failure::new(format!("it would not be opened: there is no {shown}"))
            .mend("Restore it: a start takes a directory without it for a new one, or rejects it."));
    }
    let properties = properties::parse(&files::read(&path)?)
        .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    let value = |name: &str| {
        properties.iter().find(|property| property.name == name).map(|it| it.value.trim().to_owned())
    };
    match value("version").as_deref() {
        Some("1") => {}
        None | Some("0") => {
            return Err(Failure::new(format!("{shown} is not of version 1: a Kafka before KRaft wrote it"))
                .mend("Have Kafka 3.9 migrate it from ZooKeeper to KRaft first."));
        }
        Some(later) => {
            return Err(Failure::new(format!("{shown} is of version {later}: a later Kafka wrote it")));
        }
    }
    let id = value("node.id").and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Failure::new(format!("{shown} names no node.id")))?;
    Ok(Node { id, cluster_id: value("cluster.id").unwrap_or_default() })
}

fn as_table(survey: &Survey, node: &Node, contents: &Contents) -> Table {
    let image = &survey.image;
    let mut table = Table::new(&["WHAT", "FOUND"]);
    let mut row = |what: &str, found: String| table.row(vec![what.to_owned(), found]);
    row("cluster", node.cluster_id.clone());
    row("node.id", node.id.to_string());
    row("metadata log", format!("{} records, kraft.version {}", survey.end_offset, survey.kraft_version));
    for (name, level) in image.features() {
        row(name, if &**name == METADATA_VERSION { level::named(level) } else { level.to_string() });
    }
    row("topics", image.topics().len().to_string());
    row("partitions", image.topics().partition_count().to_string());
    row("next producer id", image.next_producer_id().to_string());
    row("partitions found here", contents.partitions.to_string());
    row("segments", format!("{}, {} bytes", contents.segments, contents.bytes));
    if contents.old_segments > 0 {
        row("segments from before Kafka 0.11", format!("{}, served as they are", contents.old_segments));
    }
    row("groups", contents.groups(GroupKind::Classic).to_string());
    row("committed offsets", format!("{} of {} groups", contents.offsets(), contents.groups_with_offsets()));
    for (kind, what) in NOT_SERVED {
        if contents.groups(kind) > 0 {
            row(what, format!("{}: not served, their committed offsets are", contents.groups(kind)));
        }
    }
    row("producers", contents.producers.to_string());
    if contents.transactional_ids() > 0 {
        row("transactional ids", format!("{}, kept and not served", contents.transactional_ids()));
    }
    for (id, state) in contents.unfinished() {
        row("open transaction", format!("{id}: {state}; readers of committed records stop at it"));
    }
    if contents.partitions_with_open_transactions > 0 {
        row("partitions with an open transaction", contents.partitions_with_open_transactions.to_string());
    }
    if contents.damaged > 0 {
        let what = format!("{} places in internal topics: see milena check", contents.damaged);
        row("damaged", what);
    }
    for (what, count) in survey.not_acted_on() {
        row(what, format!("{count}, kept and not enforced"));
    }
    row("the way back", WAY_BACK.to_owned());
    if survey.torn_bytes > 0 {
        row("torn end of the log", format!("{} bytes, truncated by start", survey.torn_bytes));
    }
    table
}

/// The brokers that can open the directory after a start.
const WAY_BACK: &str =
    "Kafka 4.3 or later, at the same metadata.version; an older Kafka may not read what Milena writes";

/// The kinds of groups that are not served.
const NOT_SERVED: [(GroupKind, &str); 3] = [
    (GroupKind::Consumer, "groups of the consumer protocol"),
    (GroupKind::Share, "share groups"),
    (GroupKind::Streams, "groups of Kafka Streams' own protocol"),
];

fn as_json(survey: &Survey, node: &Node, contents: &Contents, refusals: &[String]) -> serde_json::Value {
    let image = &survey.image;
    let kept = survey.not_acted_on().into_iter().map(|(what, count)| (what.to_owned(), json!(count)));
    let features = image.features().map(|(name, level)| (name.to_string(), json!(level)));
    json!({
        "clusterId": node.cluster_id,
        "nodeId": node.id,
        "endOffset": survey.end_offset,
        "kraftVersion": survey.kraft_version,
        "features": features.collect::<serde_json::Map<_, _>>(),
        "topics": image.topics().len(),
        "partitions": image.topics().partition_count(),
        "nextProducerId": image.next_producer_id(),
        "partitionsFound": contents.partitions,
        "segments": contents.segments,
        "bytes": contents.bytes,
        "oldSegments": contents.old_segments,
        "groups": contents.groups(GroupKind::Classic),
        "consumerGroups": contents.groups(GroupKind::Consumer),
        "shareGroups": contents.groups(GroupKind::Share),
        "streamsGroups": contents.groups(GroupKind::Streams),
        "groupsWithOffsets": contents.groups_with_offsets(),
        "committedOffsets": contents.offsets(),
        "producers": contents.producers,
        "transactionalIds": contents.transactional_ids(),
        "openTransactions": contents.unfinished().iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        "partitionsWithOpenTransactions": contents.partitions_with_open_transactions,
        "damagedPlaces": contents.damaged,
        "keptAndNotEnforced": kept.collect::<serde_json::Map<_, _>>(),
        "tornBytes": survey.torn_bytes,
        "refusals": refusals,
    })
}
