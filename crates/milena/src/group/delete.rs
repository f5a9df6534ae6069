//! `milena group delete`.

use clap::Args;
use client::Admin;
use protocol::ErrorCode;
use serde_json::json;

use super::explain_group;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milena group delete billing\n  milena group delete a b --if-exists")]
pub(crate) struct DeleteArgs {
    /// Groups to delete
    #[arg(value_name = "GROUP", required = true)]
    groups: Vec<String>,

    /// Ignore groups that do not exist
    #[arg(long)]
    if_exists: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

pub(super) async fn run(args: &DeleteArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    let mut output = Output::new(args.connect.json);
    for group in &args.groups {
        let deleted = match admin.delete_group(group).await {
            Ok(()) => true,
            Err(error) if args.if_exists && error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => false,
            Err(error) => {
                output.flush()?;
                return Err(explain_group(&admin, group, &error).await);
            }
        };
        if deleted {
            output.say(format_args!("group '{group}' deleted"))?;
        }
        if output.is_json() {
            output.json(&json!({ "group": group, "deleted": deleted }))?;
        }
    }
    output.flush()
}
