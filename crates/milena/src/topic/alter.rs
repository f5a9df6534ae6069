//! `milena topic alter`.

use clap::{ArgGroup, Args};
use client::admin::ConfigChange;
use client::{Admin, ClusterError};
use serde_json::json;

use crate::connect::{ConnectArgs, explain_settings};
use crate::failure::Failure;
use crate::output::Output;
use crate::pair;

const EXAMPLES: &str = "\
Examples:
  milena topic alter orders --partitions 24
  milena topic alter orders --set retention.ms=3600000 --set min.insync.replicas=2
  milena topic alter orders --unset retention.ms";

#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("change").required(true).multiple(true).args(["partitions", "settings", "unset"]),
)]
pub(crate) struct AlterArgs {
    /// The topic to change
    #[arg(value_name = "TOPIC")]
    topic: String,

    /// New number of partitions; more than now. Keys then go to other partitions than before
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,

    /// Set a setting, by its name in Kafka; may be repeated
    #[arg(short, long = "set", alias = "config", value_name = "NAME=VALUE", value_parser = pair::parse)]
    settings: Vec<(String, String)>,

    /// Remove a setting, so that the broker's applies again; may be repeated
    #[arg(short, long, alias = "delete-config", value_name = "NAME")]
    unset: Vec<String>,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

pub(super) async fn run(args: &AlterArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    if let Err(error) = alter(&admin, args).await {
        let settings = args.settings.iter().map(|(name, _)| name).chain(&args.unset);
        return Err(explain_settings(admin.cluster(), &error, settings).await);
    }
    let mut output = Output::new(args.connect.json);
    output.say(format_args!("topic '{}' altered", args.topic))?;
    if output.is_json() {
        output.json(&json!({ "topic": args.topic, "altered": true }))?;
    }
    output.flush()
}

async fn alter(admin: &Admin, args: &AlterArgs) -> Result<(), ClusterError> {
    let set = args
        .settings
        .iter()
        .map(|(name, value)| ConfigChange::Set { name: name.clone(), value: value.clone() });
    let unset = args.unset.iter().map(|name| ConfigChange::Unset { name: name.clone() });
    let changes: Vec<ConfigChange> = set.chain(unset).collect();
    // Settings first: they are rejected more often, and partitions cannot be removed again.
    if !changes.is_empty() {
        admin.alter_topic_configs(&args.topic, &changes).await?;
    }
    if let Some(partitions) = args.partitions {
        admin.create_partitions(&args.topic, partitions).await?;
    }
    Ok(())
}
