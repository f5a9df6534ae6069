//! `milena topic create`.

use clap::Args;
use client::Admin;
use client::admin::{CreatedTopic, NewTopic};
use protocol::ErrorCode;
use serde_json::json;

use crate::connect::{ConnectArgs, explain_settings};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::pair;

const EXAMPLES: &str = "\
Examples:
  milena topic create orders
  milena topic create orders payments --partitions 12
  milena topic create sessions --set cleanup.policy=compact --set max.message.bytes=2097152";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CreateArgs {
    /// Topics to create
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    /// Partitions of each topic [default: the broker's num.partitions]
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,

    /// Replicas of each partition [default: the broker's default.replication.factor]
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,

    /// A setting of the topic, by its name in Kafka; may be repeated
    #[arg(short, long = "set", alias = "config", value_name = "NAME=VALUE", value_parser = pair::parse)]
    settings: Vec<(String, String)>,

    /// Keep a topic that already exists
    #[arg(long)]
    if_not_exists: bool,

    /// Only check whether the topic could be created
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

pub(super) async fn run(args: &CreateArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    let mut output = Output::new(args.connect.json);
    for name in &args.topics {
        let topic = NewTopic {
            name: name.clone(),
            partitions: args.partitions,
            replication_factor: args.replication_factor,
            configs: args.settings.clone(),
        };
        let creating = admin.create_topic(&topic, args.dry_run);
        match output::patiently(format_args!("creating '{name}'"), creating).await {
            Ok(created) => report(&mut output, &created, args.dry_run)?,
            Err(error) if args.if_not_exists && error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
                output.say(format_args!("topic '{name}' exists already"))?;
                if output.is_json() {
                    output.json(&json!({ "topic": name, "created": false }))?;
                }
            }
            Err(error) => {
                output.flush()?;
                let settings = args.settings.iter().map(|(name, _)| name);
                return Err(explain_settings(admin.cluster(), &error, settings).await);
            }
        }
    }
    output.flush()
}

fn report(output: &mut Output, topic: &CreatedTopic, dry_run: bool) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(&json!({
            "topic": topic.name,
            "id": topic.id.to_string(),
            "partitions": topic.partitions,
            "replicationFactor": topic.replication_factor,
            "created": !dry_run,
        }));
    }
    let of = |count: Option<i64>, one: &str| match count {
        Some(1) => format!("1 {one}"),
        Some(count) => format!("{count} {one}s"),
        None => format!("the default number of {one}s"),
    };
    let partitions = of(topic.partitions.map(i64::from), "partition");
    let replicas = of(topic.replication_factor.map(i64::from), "replica");
    let done = if dry_run { "would be created" } else { "created" };
    output.say(format_args!("topic '{}' {done}: {partitions}, {replicas} each", topic.name))
}
