//! `milena group describe`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use client::admin::{CommittedOffset, GroupDescription, GroupMember, OffsetSpec};
use client::{Admin, ClusterError, TopicPartition};
use serde_json::{Value, json};

use super::{find, unknown};
use crate::connect::{ConnectArgs, explain};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::table::Table;

const EXAMPLES: &str = "\
Examples:
  milena group describe billing
  milena group describe billing --members
  milena group describe                      all groups
  milena group describe billing --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DescribeArgs {
    /// Groups to show [default: all]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,

    /// Show the members instead of the partitions
    #[arg(short, long)]
    members: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// A partition with a committed offset, or one that a member reads.
struct Row<'a> {
    at: TopicPartition,
    committed: Option<i64>,
    /// The end of the log, or `None` if the topic was deleted.
    end: Option<i64>,
    member: Option<&'a GroupMember>,
}

impl Row<'_> {
    fn lag(&self) -> Option<i64> {
        Some((self.end? - self.committed?).max(0))
    }
}

pub(super) async fn run(args: &DescribeArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    let mut names = args.groups.clone();
    if names.is_empty() {
        let groups = admin.list_groups().await.map_err(|error| explain(&error))?;
        names.extend(groups.into_iter().map(|group| group.group_id));
    }
    let mut output = Output::new(args.connect.json);
    if names.is_empty() {
        output::note("there are no groups");
    }
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            output.say("")?;
        }
        describe(&admin, name, args.members, &mut output).await?;
        output.flush()?;
    }
    Ok(())
}

async fn describe(admin: &Admin, name: &str, members: bool, output: &mut Output) -> Result<(), Failure> {
    let Some(group) = find(admin, name).await? else {
        return Err(unknown(admin, name).await);
    };
    let committed = admin.committed(name).await.map_err(|error| explain(&error))?;
    let rows = rows(admin, &group, &committed).await.map_err(|error| explain(&error))?;
    if output.is_json() {
        return output.json(&json(&group, &rows));
    }
    output.say(format_args!("group:        {}", group.group_id))?;
    output.say(format_args!("state:        {}", group.state))?;
    let assignor = if group.assignor.is_empty() { "-" } else { &group.assignor };
    output.say(format_args!("assignor:     {assignor}"))?;
    output.say(format_args!("coordinator:  {}", group.coordinator))?;
    output.say(format_args!("members:      {}", group.members.len()))?;
    output.say(format_args!("lag:          {}", rows.iter().filter_map(Row::lag).sum::<i64>()))?;
    output.say("")?;
    output.table(&if members { members_table(&group) } else { partitions_table(&rows) })
}

async fn rows<'a>(
    admin: &Admin,
    group: &'a GroupDescription,
    committed: &BTreeMap<TopicPartition, CommittedOffset>,
) -> Result<Vec<Row<'a>>, ClusterError> {
    let mut owners: BTreeMap<&TopicPartition, &GroupMember> = BTreeMap::new();
    for member in &group.members {
        owners.extend(member.assignment.iter().map(|at| (at, member)));
    }
    let partitions: BTreeSet<&TopicPartition> = committed.keys().chain(owners.keys().copied()).collect();
    let topics: BTreeSet<&str> = partitions.iter().map(|at| at.topic.as_str()).collect();
    let mut ends = BTreeMap::new();
    for topic in topics {
        match admin.topic_offsets(topic, OffsetSpec::Latest).await {
            Ok(offsets) => {
                ends.extend(
                    offsets.into_iter().map(|(partition, end)| (TopicPartition::new(topic, partition), end)),
                );
            }
            Err(ClusterError::UnknownTopic { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let row = |at: &TopicPartition| Row {
        at: at.clone(),
        committed: committed.get(at).map(|committed| committed.offset),
        end: ends.get(at).copied().flatten().map(|end| end.offset),
        member: owners.get(at).copied(),
    };
    Ok(partitions.into_iter().map(row).collect())
}

fn partitions_table(rows: &[Row<'_>]) -> Table {
    let mut table =
        Table::new(&["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT", "HOST"]);
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    for row in rows {
        let of_member = |part: fn(&GroupMember) -> &String| row.member.map(part).cloned().unwrap_or_default();
        table.row(vec![
            row.at.topic.clone(),
            row.at.partition.to_string(),
            number(row.committed),
            number(row.end),
            number(row.lag()),
            of_member(|member| &member.member_id),
            of_member(|member| &member.client_id),
            of_member(|member| &member.host),
        ]);
    }
    table
}

fn members_table(group: &GroupDescription) -> Table {
    let mut table = Table::new(&["MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS"]);
    for member in &group.members {
        let partitions: Vec<String> = member.assignment.iter().map(ToString::to_string).collect();
        table.row(vec![
            member.member_id.clone(),
            member.group_instance_id.clone().unwrap_or_default(),
            member.client_id.clone(),
            member.host.clone(),
            partitions.join(" "),
        ]);
    }
    table
}

fn json(group: &GroupDescription, rows: &[Row<'_>]) -> Value {
    let row = |row: &Row<'_>| {
        json!({
            "topic": row.at.topic,
            "partition": row.at.partition,
            "committed": row.committed,
            "end": row.end,
            "lag": row.lag(),
            "member": row.member.map(|member| &member.member_id),
        })
    };
    let assigned = |at: &TopicPartition| json!({ "topic": at.topic, "partition": at.partition });
    let member = |member: &GroupMember| {
        json!({
            "member": member.member_id,
            "instance": member.group_instance_id,
            "client": member.client_id,
            "host": member.host,
            "partitions": member.assignment.iter().map(assigned).collect::<Vec<_>>(),
        })
    };
    json!({
        "group": group.group_id,
        "state": group.state,
        "assignor": group.assignor,
        "coordinator": group.coordinator,
        "partitions": rows.iter().map(row).collect::<Vec<_>>(),
        "members": group.members.iter().map(member).collect::<Vec<_>>(),
    })
}
