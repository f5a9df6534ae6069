//! `milena group reset-offsets`.

use std::collections::BTreeMap;

use clap::{ArgGroup, Args};
use client::admin::{CommittedOffset, OffsetSpec};
use client::{Admin, ClusterError, TopicPartition};
use runtime::clock;
use serde_json::{Value, json};

use super::reset::{self, PartitionOffsets, Target};
use super::{explain_group, find};
use crate::connect::{ConnectArgs, explain, explain_topic};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::table::Table;
use crate::time;

const EXAMPLES: &str = "\
Examples:
  milena group reset-offsets billing --topic orders --to-earliest
  milena group reset-offsets billing --topic orders:0,3 --to-offset 1200 --execute
  milena group reset-offsets billing --all-topics --to-datetime 2026-09-01T12:00:00Z --execute
  milena group reset-offsets billing --all-topics --to-datetime=-2h --execute
  milena group reset-offsets billing --all-topics --shift-by=-100 --execute

Without --execute nothing is changed: what would be is shown. The group must have no members.";

#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("target").required(true).args(["to_earliest", "to_latest", "to_offset", "to_datetime", "shift_by"]),
    group = ArgGroup::new("scope").required(true).multiple(true).args(["topics", "all_topics"]),
)]
pub(crate) struct ResetOffsetsArgs {
    /// The group; created if it does not exist
    #[arg(value_name = "GROUP")]
    group: String,

    /// A topic, or some of its partitions; may be repeated
    #[arg(short, long = "topic", value_name = "TOPIC[:0,3]", value_parser = reset::parse_topic)]
    topics: Vec<(String, Option<Vec<i32>>)>,

    /// Every topic for which the group has committed offsets
    #[arg(short, long)]
    all_topics: bool,

    /// To the first record that is still there
    #[arg(long)]
    to_earliest: bool,

    /// To the end of the log
    #[arg(long)]
    to_latest: bool,

    /// To an offset
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,

    /// To the first record at a time or later: 2026-09-01T12:00:00Z, ms since 1970, or -2h (how long ago)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to_datetime: Option<String>,

    /// To this many records after the committed offset, or before it if negative
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    shift_by: Option<i64>,

    /// Apply the change; without this, it is only shown
    #[arg(short = 'x', long)]
    execute: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// The offset of a partition before and after.
struct Move {
    at: TopicPartition,
    before: Option<i64>,
    after: i64,
}

pub(super) async fn run(args: &ResetOffsetsArgs) -> Result<(), Failure> {
    let target = args.target()?;
    let admin = Admin::new(args.connect.cluster().await?);
    if let Some(group) = find(&admin, &args.group).await?
        && !group.members.is_empty()
    {
        let members = group.members.len();
        return Err(Failure::new(format!(
            "group '{}' has {members} members and cannot be reset",
            args.group
        ))
        .mend("Stop its consumers first; 'milena group describe' shows them."));
    }
    let committed = admin.committed(&args.group).await.map_err(|error| explain(&error))?;
    let moves = match plan(&admin, args, target, &committed).await {
        Ok(moves) => moves,
        Err(error) => return Err(explain_topic(admin.cluster(), &error).await),
    };
    if moves.is_empty() {
        return Err(Failure::new(format!("group '{}' has no committed offsets to reset", args.group))
            .mend("Name a topic: --topic TOPIC, with --to-earliest, --to-latest or another target."));
    }
    if args.execute {
        let offsets = moves.iter().map(|moved| (moved.at.clone(), moved.after)).collect();
        if let Err(error) = admin.commit(&args.group, &offsets).await {
            return Err(explain_group(&admin, &args.group, &error).await);
        }
    }
    report(args, &moves)
}

impl ResetOffsetsArgs {
    fn target(&self) -> Result<Target, Failure> {
        if let Some(text) = &self.to_datetime {
            let timestamp_ms =
                time::parse(text, clock::now_ms()).map_err(|bad| Failure::usage(bad.to_string()))?;
            return Ok(Target::Time(timestamp_ms));
        }
        Ok(match (self.to_offset, self.shift_by) {
            (Some(offset), _) => Target::Offset(offset),
            (_, Some(by)) => Target::Shift(by),
            _ if self.to_earliest => Target::Earliest,
            _ => Target::Latest,
        })
    }
}

async fn plan(
    admin: &Admin,
    args: &ResetOffsetsArgs,
    target: Target,
    committed: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<Vec<Move>, ClusterError> {
    let partitions = partitions(admin, args, committed).await?;
    let list = async |spec: OffsetSpec| {
        let specs = partitions.iter().map(|at| (at.clone(), spec)).collect();
        let listed = admin.list_offsets(&specs).await?;
        Ok::<_, ClusterError>(
            listed
                .into_iter()
                .map(|(at, found)| (at, found.map(|found| found.offset)))
                .collect::<BTreeMap<_, _>>(),
        )
    };
    let start = list(OffsetSpec::Earliest).await?;
    let end = list(OffsetSpec::Latest).await?;
    let at_time = match target {
        Target::Time(timestamp_ms) => list(OffsetSpec::Timestamp(timestamp_ms)).await?,
        _ => BTreeMap::new(),
    };
    let mut moves = Vec::new();
    for at in partitions {
        let of = |listed: &BTreeMap<TopicPartition, Option<i64>>| listed.get(&at).copied().flatten();
        let known = PartitionOffsets {
            committed: committed.get(&at).map(|committed| committed.offset),
            start: of(&start).unwrap_or(0),
            end: of(&end).unwrap_or(0),
            at_time: of(&at_time),
        };
        match reset::offset(target, &known) {
            Some(after) => moves.push(Move { at, before: known.committed, after }),
            None => {
                output::note(format_args!("{at} is left alone: it has no committed offset to shift from"));
            }
        }
    }
    Ok(moves)
}

/// The partitions named by the arguments.
async fn partitions(
    admin: &Admin,
    args: &ResetOffsetsArgs,
    committed: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<Vec<TopicPartition>, ClusterError> {
    let mut partitions = Vec::new();
    if args.all_topics {
        for at in committed.keys() {
            match admin.cluster().topic(&at.topic).await {
                Ok(_) => partitions.push(at.clone()),
                Err(ClusterError::UnknownTopic { .. }) => {
                    output::note(format_args!("{at} is left alone: its topic was deleted"));
                }
                Err(error) => return Err(error),
            }
        }
    }
    for (topic, chosen) in &args.topics {
        let known = admin.cluster().topic(topic).await?;
        for &partition in chosen.iter().flatten() {
            // Fails with the list of partitions if this is none of them.
            known.leader_of(partition)?;
        }
        let all = || known.partitions.iter().map(|partition| partition.index).collect();
        let chosen: Vec<i32> = chosen.clone().unwrap_or_else(all);
        partitions.extend(chosen.into_iter().map(|partition| TopicPartition::new(topic.as_str(), partition)));
    }
    partitions.sort();
    partitions.dedup();
    Ok(partitions)
}

fn report(args: &ResetOffsetsArgs, moves: &[Move]) -> Result<(), Failure> {
    let mut output = Output::new(args.connect.json);
    if output.is_json() {
        let value = |moved: &Move| {
            json!({
                "topic": moved.at.topic,
                "partition": moved.at.partition,
                "before": moved.before,
                "after": moved.after,
            })
        };
        let moves: Vec<Value> = moves.iter().map(value).collect();
        output.json(&json!({ "group": args.group, "executed": args.execute, "offsets": moves }))?;
        return output.flush();
    }
    let mut table = Table::new(&["TOPIC", "PARTITION", "BEFORE", "AFTER"]);
    for moved in moves {
        let before = moved.before.map(|before| before.to_string()).unwrap_or_default();
        table.row(vec![
            moved.at.topic.clone(),
            moved.at.partition.to_string(),
            before,
            moved.after.to_string(),
        ]);
    }
    output.table(&table)?;
    if !args.execute {
        output.flush()?;
        output::note("nothing was changed; --execute applies this");
    }
    output.flush()
}
