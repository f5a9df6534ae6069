//! `milena bench`.

use std::time::Duration;

use clap::{Args, Subcommand};
use client::admin::NewTopic;
use client::producer::ProducerOptions;
use client::{Admin, Cluster};
use runtime::random;

use crate::connect::{ConnectArgs, explain, explain_settings, explain_topic};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{self, Output};
use crate::pair;
use crate::produce::{AcksArg, Codec};
use summary::Summary;

mod consume;
mod pace;
mod produce;
mod summary;

const EXAMPLES: &str = "\
Examples:
  milena bench produce --records 1000000 --size 1024 --acks all
  milena bench consume --partitions 6 --compression lz4
  milena bench end-to-end --throughput 10000 --json
  milena bench produce orders --throughput 500

A topic that is made gets the partitions, replicas and settings that are given.
A latency counts from when a record was due: a broker that stalls is charged for what waits.";

/// The loads to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Send records, and report the throughput and the time to their acknowledgement
    #[command(after_help = EXAMPLES)]
    Produce(BenchArgs),
    /// Read a topic's records from its start; a topic created for the run is filled first
    #[command(after_help = EXAMPLES)]
    Consume(BenchArgs),
    /// Send and read at the same time, and report how long records take
    #[command(after_help = EXAMPLES)]
    EndToEnd(BenchArgs),
}

/// The load: its size, its rate, and how it is sent.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// An existing topic, which is kept; without one, a topic is created and deleted again
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,

    /// Number of records [default: a million, or ten seconds' worth with --throughput]
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,

    /// Bytes of a record's value
    #[arg(short, long, value_name = "BYTES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(16..=1 << 20))]
    size: u32,

    /// Records to send per second [default: as many as possible; 1000 for end-to-end]
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    throughput: Option<u64>,

    /// When a record counts as delivered: once sent, once the leader has it, or once all in-sync replicas
    /// have it
    #[arg(long, value_enum, default_value_t = AcksArg::All, hide_possible_values = true, value_name = "0|1|all")]
    acks: AcksArg,

    /// Compression codec of the batches
    #[arg(short = 'z', long, value_enum, default_value_t = Codec::None)]
    compression: Codec,

    /// Longest time that a batch waits for more records, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    linger: u64,

    /// Size at which a batch is sent, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 10,
          value_parser = clap::value_parser!(u32).range(1 << 10..=1 << 20))]
    batch_size: u32,

    /// Partitions of the created topic; records go to each in turn
    #[arg(short, long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "topic",
          value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,

    /// Replicas of the created topic [default: the broker's]
    #[arg(long, value_name = "NUMBER", conflicts_with = "topic", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,

    /// A setting of the created topic; may be repeated
    #[arg(long = "set", alias = "config", value_name = "NAME=VALUE", value_parser = pair::parse, conflicts_with = "topic")]
    configs: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

impl BenchCommand {
    pub(crate) fn connect(&self) -> &ConnectArgs {
        &self.args().connect
    }

    fn args(&self) -> &BenchArgs {
        match self {
            BenchCommand::Produce(args) | BenchCommand::Consume(args) | BenchCommand::EndToEnd(args) => args,
        }
    }
}

/// The input of every load.
struct Load {
    cluster: Cluster,
    topic: String,
    partitions: Vec<i32>,
    records: u64,
    size: usize,
    /// Records per second, or `None` for as many as possible.
    throughput: Option<u64>,
    options: ProducerOptions,
}

impl BenchArgs {
    async fn load(&self, command: &BenchCommand, topic: String, cluster: Cluster) -> Result<Load, Failure> {
        let known = match cluster.topic(&topic).await {
            Ok(known) => known,
            Err(error) => return Err(explain_topic(&cluster, &error).await),
        };
        let throughput = match command {
            BenchCommand::Produce(_) => self.throughput,
            BenchCommand::Consume(_) => None,
            BenchCommand::EndToEnd(_) => self.throughput.or(Some(1_000)),
        };
        Ok(Load {
            partitions: known.partitions.iter().map(|partition| partition.index).collect(),
            records: self
                .records
                .unwrap_or_else(|| throughput.map_or(1_000_000, |rate| rate.saturating_mul(10))),
            size: self.size as usize,
            throughput,
            options: ProducerOptions {
                acks: self.acks.into(),
                compression: self.compression.into(),
                idempotent: self.acks == AcksArg::All,
                linger: Duration::from_millis(self.linger),
                batch_bytes: self.batch_size as usize,
                // Space for the largest value and its framing.
                request_bytes_max: (self.size as usize).max(self.batch_size as usize) + (64 << 10),
                create_topics: false,
                ..ProducerOptions::default()
            },
            topic,
            cluster,
        })
    }
}

pub(crate) async fn run(command: &BenchCommand) -> Result<(), Failure> {
    let args = command.args();
    let cluster = args.connect.cluster().await?;
    let mut interrupt = Interrupt::new()?;
    let (topic, is_made) = match &args.topic {
        Some(topic) => (topic.clone(), false),
        None => (make_topic(args, &cluster).await?, true),
    };
    let outcome = tokio::select! {
        outcome = measure(command, topic.clone(), cluster.clone()) => outcome,
        () = interrupt.wait() => Err(Failure::interrupted("interrupted before the end")),
    };
    if is_made && let Err(error) = Admin::new(cluster).delete_topic(&topic).await {
        output::note(format_args!("the topic '{topic}' could not be deleted: {error}"));
    }
    let summary = outcome?;
    let mut output = Output::new(args.connect.json);
    if output.is_json() {
        output.json(&summary.json())?;
    } else {
        output.say(summary)?;
    }
    output.flush()
}

/// Creates a topic under a new name.
async fn make_topic(args: &BenchArgs, cluster: &Cluster) -> Result<String, Failure> {
    let topic = NewTopic {
        name: format!("milena-bench-{:016x}", random::u64()),
        partitions: Some(args.partitions),
        replication_factor: args.replication_factor,
        configs: args.configs.clone(),
    };
    match Admin::new(cluster.clone()).create_topic(&topic, false).await {
        Ok(_) => Ok(topic.name),
        Err(error) => Err(explain_settings(cluster, &error, args.configs.iter().map(|(name, _)| name)).await),
    }
}

async fn measure(command: &BenchCommand, topic: String, cluster: Cluster) -> Result<Summary, Failure> {
    let args = command.args();
    let load = args.load(command, topic, cluster).await?;
    match command {
        BenchCommand::Produce(_) => produce::run(&load, "produced").await,
        BenchCommand::Consume(_) => {
            if args.topic.is_none() {
                produce::run(&load, "filled").await?;
            }
            consume::run(&load).await
        }
        BenchCommand::EndToEnd(_) => consume::end_to_end(&load).await,
    }
}

/// Explains a failure as `milena consume` does.
fn consume_failure(error: &client::consumer::ConsumeError) -> Failure {
    match error {
        client::consumer::ConsumeError::Cluster(error) => explain(error),
        other => Failure::new(other.to_string()),
    }
}
