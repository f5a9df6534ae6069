//! `milena log`.

use clap::Subcommand;

use crate::connect::ConnectArgs;
use crate::failure::Failure;

mod status;

/// Show the state of a cluster's logs.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show the log directories with their partitions: sizes, offsets, the last scrub, damage
    Status(status::StatusArgs),
}

impl LogCommand {
    pub(crate) fn connect(&self) -> &ConnectArgs {
        match self {
            LogCommand::Status(args) => &args.connect,
        }
    }
}

pub(crate) async fn run(command: &LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::Status(args) => status::run(args).await,
    }
}
