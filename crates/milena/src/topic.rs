//! `milena topic`.

use clap::Subcommand;

use crate::connect::ConnectArgs;
use crate::failure::Failure;

mod alter;
mod create;
mod delete;
mod describe;
mod list;

/// Create, list, describe, delete and alter topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create topics
    Create(create::CreateArgs),
    /// List the topics
    List(list::ListArgs),
    /// Show topics in detail: partitions, replicas, offsets, settings
    Describe(describe::DescribeArgs),
    /// Delete topics and all their records
    Delete(delete::DeleteArgs),
    /// Give a topic more partitions, or change its settings
    Alter(alter::AlterArgs),
}

impl TopicCommand {
    pub(crate) fn connect(&self) -> &ConnectArgs {
        match self {
            TopicCommand::Create(args) => &args.connect,
            TopicCommand::List(args) => &args.connect,
            TopicCommand::Describe(args) => &args.connect,
            TopicCommand::Delete(args) => &args.connect,
            TopicCommand::Alter(args) => &args.connect,
        }
    }
}

pub(crate) async fn run(command: &TopicCommand) -> Result<(), Failure> {
    match command {
        TopicCommand::Create(args) => create::run(args).await,
        TopicCommand::List(args) => list::run(args).await,
        TopicCommand::Describe(args) => describe::run(args).await,
        TopicCommand::Delete(args) => delete::run(args).await,
        TopicCommand::Alter(args) => alter::run(args).await,
    }
}
