//! `milena group`.

use clap::Subcommand;
use client::admin::GroupDescription;
use client::{Admin, ClusterError};
use protocol::ErrorCode;

use crate::connect::{ConnectArgs, explain};
use crate::failure::Failure;
use crate::nearest::nearest;

mod delete;
mod describe;
mod list;
mod reset;
mod reset_offsets;

/// List, describe and delete consumer groups, and reset their offsets.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List the groups
    List(list::ListArgs),
    /// Show a group: what it has read, how far it is behind, its members
    Describe(describe::DescribeArgs),
    /// Delete groups that have no members, and what they have committed
    Delete(delete::DeleteArgs),
    /// Set from where a group without members goes on
    ResetOffsets(reset_offsets::ResetOffsetsArgs),
}

impl GroupCommand {
    pub(crate) fn connect(&self) -> &ConnectArgs {
        match self {
            GroupCommand::List(args) => &args.connect,
            GroupCommand::Describe(args) => &args.connect,
            GroupCommand::Delete(args) => &args.connect,
            GroupCommand::ResetOffsets(args) => &args.connect,
        }
    }
}

pub(crate) async fn run(command: &GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::List(args) => list::run(args).await,
        GroupCommand::Describe(args) => describe::run(args).await,
        GroupCommand::Delete(args) => delete::run(args).await,
        GroupCommand::ResetOffsets(args) => reset_offsets::run(args).await,
    }
}

/// The group, or `None` where there is none: older brokers describe such a one as dead.
async fn find(admin: &Admin, group: &str) -> Result<Option<GroupDescription>, Failure> {
    match admin.describe_group(group).await {
        Ok(description) if description.state == "Dead" => Ok(None),
        Ok(description) => Ok(Some(description)),
        Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(None),
        Err(error) => Err(explain(&error)),
    }
}

/// There is no such group; names the one that was probably meant.
async fn unknown(admin: &Admin, group: &str) -> Failure {
    let failure = Failure::new(format!("there is no group '{group}'"));
    let groups = admin.list_groups().await.unwrap_or_default();
    match nearest(group, groups.iter().map(|group| group.group_id.as_str())) {
        Some(near) => failure.mend(format!("Did you mean '{near}'?")),
        None => failure.mend("'milena group list' shows the groups that there are."),
    }
}

/// As [`explain`], with the group that was probably meant where there is none of the name.
async fn explain_group(admin: &Admin, group: &str, error: &ClusterError) -> Failure {
    match error.code() {
        Some(ErrorCode::GROUP_ID_NOT_FOUND) => unknown(admin, group).await,
        _ => explain(error),
    }
}
