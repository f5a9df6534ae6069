//! `milena topic list`.

use clap::Args;
use serde_json::{Value, json};

use crate::connect::{ConnectArgs, explain};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::table::Table;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milena topic list\n  milena topic list 'order' --json")]
pub(crate) struct ListArgs {
    /// Only topics whose name contains this text
    #[arg(value_name = "TEXT")]
    containing: Option<String>,

    /// Include the cluster's internal topics, such as __consumer_offsets
    #[arg(short, long)]
    internal: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), Failure> {
    let cluster = args.connect.cluster().await?;
    let mut topics = cluster.all_topics().await.map_err(|error| explain(&error))?;
    topics.retain(|topic| {
        let wanted = args.containing.as_deref().is_none_or(|text| topic.name.contains(text));
        wanted && (args.internal || !topic.is_internal)
    });
    let mut output = Output::new(args.connect.json);
    if output.is_json() {
        let value = |topic: &client::cluster::Topic| {
            json!({
                "topic": topic.name,
                "id": topic.id.to_string(),
                "partitions": topic.partitions.len(),
                "replicationFactor": topic.replication_factor(),
                "internal": topic.is_internal,
            })
        };
        output.json(&Value::Array(topics.iter().map(|topic| value(topic)).collect()))?;
        return output.flush();
    }
    if topics.is_empty() {
        output::note("there are no such topics; milena topic create NAME creates one");
    }
    let mut table = Table::new(&["TOPIC", "PARTITIONS", "REPLICAS"]);
    for topic in &topics {
        let (partitions, replicas) = (topic.partitions.len(), topic.replication_factor());
        table.row(vec![topic.name.clone(), partitions.to_string(), replicas.to_string()]);
    }
    output.table(&table)?;
    output.flush()
}
