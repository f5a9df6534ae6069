//! `milena group list`.

use clap::Args;
use client::Admin;
use serde_json::{Value, json};

use crate::connect::{ConnectArgs, explain};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::table::Table;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milena group list\n  milena group list --json")]
pub(crate) struct ListArgs {
    /// Only groups whose name contains this text
    #[arg(value_name = "TEXT")]
    containing: Option<String>,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    let mut groups = admin.list_groups().await.map_err(|error| explain(&error))?;
    groups.retain(|group| args.containing.as_deref().is_none_or(|text| group.group_id.contains(text)));
    let mut output = Output::new(args.connect.json);
    if output.is_json() {
        let value = |group: &client::admin::GroupListing| {
            json!({
                "group": group.group_id,
                "state": group.state,
                "type": group.group_type,
                "protocolType": group.protocol_type,
            })
        };
        output.json(&Value::Array(groups.iter().map(value).collect()))?;
        return output.flush();
    }
    if groups.is_empty() {
        output::note("there are no such groups");
    }
    let mut table = Table::new(&["GROUP", "STATE", "TYPE", "PROTOCOL"]);
    for group in groups {
        table.row(vec![group.group_id, group.state, group.group_type, group.protocol_type]);
    }
    output.table(&table)?;
    output.flush()
}
