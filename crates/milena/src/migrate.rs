//! `milena migrate`: what opening the data directory of another broker would come to.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use metadata::quorum::{self, Survey};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;
use crate::{files, properties};

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Say whether `start` would open a data directory, Kafka's or Milena's, and what is in it
    Check(CheckArgs),
}

const EXAMPLES: &str = "\
Examples:
  milena migrate check /var/lib/kafka
  milena migrate check /var/lib/kafka --json

Nothing is changed. The broker must be stopped: what it writes meanwhile may not be seen.
The records of partitions are not read here; start checks those that a crash may have torn.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The directory that log.dirs names
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// The result as JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Looks at a directory, and fails where `start` would.
pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let node = node_of(&args.dir)?;
    let survey = quorum::survey(&args.dir).map_err(|error| Failure::new(error.to_string()))?;
    let Some(survey) = survey else {
        return Err(Failure::new(format!("{} holds no metadata log", args.dir.display())).mend(
            "With several directories in log.dirs it is in one of them; a node that is a broker alone has none, \
             and is not opened.",
        ));
    };
    let refusals = survey.refusals(node.id);
    let mut output = Output::new(args.json);
    if args.json {
        output.json(&as_json(&survey, &node, &refusals))?;
    } else {
        output.table(&as_table(&survey, &node))?;
    }
    output.flush()?;
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("it would not be opened: {}", refusals.join("; "))))
}

/// Whose directory it is, by its `meta.properties`.
struct Node {
    id: i32,
    cluster_id: String,
}

fn node_of(dir: &Path) -> Result<Node, Failure> {
    let path = dir.join("meta.properties");
    let shown = path.display();
    let properties = properties::parse(&files::read(&path)?)
        .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    let value = |name: &str| {
        properties.iter().find(|property| property.name == name).map(|it| it.value.trim().to_owned())
    };
    if value("version").is_none_or(|version| version != "1") {
        return Err(Failure::new(format!("{shown} is not of version 1: a Kafka before KRaft wrote it")));
    }
    let id = value("node.id").and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Failure::new(format!("{shown} names no node.id")))?;
    Ok(Node { id, cluster_id: value("cluster.id").unwrap_or_default() })
}

fn as_table(survey: &Survey, node: &Node) -> Table {
    let image = &survey.image;
    let mut table = Table::new(&["WHAT", "FOUND"]);
    let mut row = |what: &str, found: String| table.row(vec![what.to_owned(), found]);
    row("cluster", node.cluster_id.clone());
    row("node.id", node.id.to_string());
    row("metadata log", format!("{} records, kraft.version {}", survey.end_offset, survey.kraft_version));
    for (name, level) in image.features() {
        row(name, level.to_string());
    }
    row("topics", image.topics().len().to_string());
    row("partitions", image.topics().partition_count().to_string());
    row("next producer id", image.next_producer_id().to_string());
    for (what, count) in survey.not_acted_on() {
        row(what, format!("{count}, kept and not enforced"));
    }
    if survey.torn_bytes > 0 {
        row("torn end of the log", format!("{} bytes, cut by start", survey.torn_bytes));
    }
    table
}

fn as_json(survey: &Survey, node: &Node, refusals: &[String]) -> serde_json::Value {
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
        "keptAndNotEnforced": kept.collect::<serde_json::Map<_, _>>(),
        "tornBytes": survey.torn_bytes,
        "refusals": refusals,
    })
}
