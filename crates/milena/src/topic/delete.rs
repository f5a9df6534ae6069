//! `milena topic delete`.

use clap::Args;
use client::{Admin, ClusterError};
use serde_json::json;

use crate::connect::{ConnectArgs, explain_topic};
use crate::failure::Failure;
use crate::output::{self, Output};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milena topic delete orders\n  milena topic delete a b c --if-exists")]
pub(crate) struct DeleteArgs {
    /// Topics to delete
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    /// Ignore topics that do not exist
    #[arg(long)]
    if_exists: bool,

    /// Delete Kafka's own topics as well, such as __consumer_offsets with all committed offsets
    #[arg(long)]
    internal: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

pub(super) async fn run(args: &DeleteArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    let mut output = Output::new(args.connect.json);
    for name in &args.topics {
        if !args.internal && is_internal(&admin, name).await {
            output.flush()?;
            return Err(Failure::new(format!("topic '{name}' is one of Kafka's own and was not deleted"))
                .mend("Its contents would be lost, such as the offsets of groups. --internal deletes it all the same."));
        }
        let deleting = admin.delete_topic(name);
        let deleted = match output::patiently(format_args!("deleting '{name}'"), deleting).await {
            Ok(()) => true,
            Err(ClusterError::UnknownTopic { .. }) if args.if_exists => false,
            Err(error) => {
                output.flush()?;
                return Err(explain_topic(admin.cluster(), &error).await);
            }
        };
        if deleted {
            output.say(format_args!("topic '{name}' deleted"))?;
        }
        if output.is_json() {
            output.json(&json!({ "topic": name, "deleted": deleted }))?;
        }
    }
    output.flush()
}

async fn is_internal(admin: &Admin, name: &str) -> bool {
    // Only such names need a look.
    name.starts_with("__") && admin.cluster().topic(name).await.is_ok_and(|topic| topic.is_internal)
}
