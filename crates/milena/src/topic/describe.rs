//! `milena topic describe`.

use std::collections::BTreeMap;

use clap::Args;
use client::admin::{Config, ConfigSource, ListedOffset, OffsetSpec};
use client::cluster::{Partition, Topic};
use client::{Admin, ClusterError};
use serde_json::{Value, json};

use crate::connect::{ConnectArgs, explain, explain_topic};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::table::Table;

const EXAMPLES: &str = "\
Examples:
  milena topic describe orders
  milena topic describe orders --all-settings
  milena topic describe                      all topics that are not internal
  milena topic describe orders --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DescribeArgs {
    /// Topics to show [default: all]
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,

    /// Show every setting, not only the topic's own
    #[arg(short, long)]
    all_settings: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// The details of a topic.
struct TopicDetails {
    topic: std::sync::Arc<Topic>,
    configs: Vec<Config>,
    start: BTreeMap<i32, Option<ListedOffset>>,
    end: BTreeMap<i32, Option<ListedOffset>>,
}

pub(super) async fn run(args: &DescribeArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    let mut output = Output::new(args.connect.json);
    let mut values = Vec::new();
    let mut names = args.topics.clone();
    if names.is_empty() {
        let topics = admin.cluster().all_topics().await.map_err(|error| explain(&error))?;
        names.extend(topics.iter().filter(|topic| !topic.is_internal).map(|topic| topic.name.clone()));
    }
    if names.is_empty() {
        output::note("there are no such topics; milena topic create NAME creates one");
    }
    for (index, name) in names.iter().enumerate() {
        let mut described = match describe(&admin, name).await {
            Ok(described) => described,
            Err(error) => {
                output.flush()?;
                return Err(explain_topic(admin.cluster(), &error).await);
            }
        };
        described.configs.retain(|config| args.all_settings || config.source == ConfigSource::Topic);
        if output.is_json() {
            values.push(described.json());
            continue;
        }
        if index > 0 {
            output.say("")?;
        }
        described.print(&mut output)?;
    }
    if output.is_json() {
        output.json(&Value::Array(values))?;
    }
    output.flush()
}

async fn describe(admin: &Admin, name: &str) -> Result<TopicDetails, ClusterError> {
    let topic = admin.cluster().topic(name).await?;
    let configs = admin.topic_configs(name).await?;
    let has_leaders = topic.partitions.iter().all(|partition| partition.leader.is_some());
    let (start, end) = if has_leaders {
        (
            admin.topic_offsets(name, OffsetSpec::Earliest).await?,
            admin.topic_offsets(name, OffsetSpec::Latest).await?,
        )
    } else {
        // Show the rest all the more if these cannot be had.
        (BTreeMap::new(), BTreeMap::new())
    };
    Ok(TopicDetails { topic, configs, start, end })
}

impl TopicDetails {
    fn offset(of: &BTreeMap<i32, Option<ListedOffset>>, partition: &Partition) -> Option<i64> {
        of.get(&partition.index).copied().flatten().map(|listed| listed.offset)
    }

    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        let topic = &self.topic;
        output.say(format_args!("topic:       {}", topic.name))?;
        output.say(format_args!("id:          {}", topic.id))?;
        output.say(format_args!("partitions:  {}", topic.partitions.len()))?;
        output.say(format_args!("replicas:    {}", topic.replication_factor()))?;
        for (index, config) in self.configs.iter().enumerate() {
            let heading = if index == 0 { "settings:" } else { "" };
            let value =
                if config.is_sensitive { "(secret)" } else { config.value.as_deref().unwrap_or("(unset)") };
            let source = match config.source {
                ConfigSource::Topic => "",
                ConfigSource::Default => "  (default)",
                ConfigSource::Broker => "  (the broker's)",
                ConfigSource::Other(_) => "  (from elsewhere)",
            };
            output.say(format_args!("{heading:<13}{}={value}{source}", config.name))?;
        }
        output.say("")?;
        let mut table = Table::new(&["PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC", "START", "END"]);
        for partition in &topic.partitions {
            let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
            table.row(vec![
                partition.index.to_string(),
                partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
                partition.leader_epoch.to_string(),
                ids(&partition.replicas),
                ids(&partition.isr),
                number(Self::offset(&self.start, partition)),
                number(Self::offset(&self.end, partition)),
            ]);
        }
        output.table(&table)
    }

    fn json(&self) -> Value {
        let partition = |partition: &Partition| {
            json!({
                "partition": partition.index,
                "leader": partition.leader,
                "leaderEpoch": partition.leader_epoch,
                "replicas": partition.replicas,
                "isr": partition.isr,
                "startOffset": Self::offset(&self.start, partition),
                "endOffset": Self::offset(&self.end, partition),
            })
        };
        let configs = self.configs.iter().map(|config| (config.name.clone(), json!(config.value)));
        json!({
            "topic": self.topic.name,
            "id": self.topic.id.to_string(),
            "internal": self.topic.is_internal,
            "replicationFactor": self.topic.replication_factor(),
            "settings": Value::Object(configs.collect()),
            "partitions": self.topic.partitions.iter().map(partition).collect::<Vec<_>>(),
        })
    }
}

fn ids(of: &[i32]) -> String {
    of.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
