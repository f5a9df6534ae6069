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
    /// Show a group: its offsets, its lag, its members
    Describe(describe::DescribeArgs),
    /// Delete groups without members, and their committed offsets
    Delete(delete::DeleteArgs),
    /// Set the committed offsets of a group without members
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

/// The group, or `None` if it does not exist: older brokers describe it as dead.
async fn find(admin: &Admin, group: &str) -> Result<Option<GroupDescription>, Failure> {
    match admin.describe_group(group).await {
        Ok(description) if description.state == "Dead" => Ok(None),
        Ok(description) => Ok(Some(description)),
        Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(None),
        Err(error) => Err(explain(&error)),
    }
}

/// A failure for a group that does not exist, with a suggestion if a similar name does.
async fn unknown(admin: &Admin, group: &str) -> Failure {
    let failure = Failure::new(format!("there is no group '{group}'"));
    let groups = admin.list_groups().await.unwrap_or_default();
    match nearest(group, groups.iter().map(|group| group.group_id.as_str())) {
        Some(near) => failure.mend(format!("Did you mean '{near}'?")),
        None => failure.mend("'milena group list' shows the existing groups."),
    }
}

/// Explains an error as [`explain`] does, and suggests a group with a similar name if none has this one.
async fn explain_group(admin: &Admin, group: &str, error: &ClusterError) -> Failure {
    match error.code() {
        Some(ErrorCode::GROUP_ID_NOT_FOUND) => unknown(admin, group).await,
        _ => explain(error),
    }
}
