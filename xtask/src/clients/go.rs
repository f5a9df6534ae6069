//! Clients for Go: franz-go, Sarama and kafka-go.

use super::Stage;
use crate::process::run;
use crate::{Attempt, root, workshop};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// A program in Go: its folder, and the module file if it is not the usual one.
#[derive(Clone, Copy)]
pub(super) struct Client {
    folder: &'static str,
    module: Option<&'static str>,
    /// The version of Kafka that Sarama is configured for.
    version: Option<&'static str>,
}

pub(super) const FRANZ: Client = Client { folder: "franz", module: None, version: None };
pub(super) const SEGMENTIO: Client = Client { folder: "segmentio", module: None, version: None };
pub(super) const SARAMA_DEFAULT: Client = Client { folder: "sarama", module: None, version: Some("default") };
pub(super) const SARAMA_NEWEST: Client = Client { folder: "sarama", module: None, version: Some("newest") };
/// 1.0.0 was Sarama's default version for years.
pub(super) const SARAMA_1_0: Client =
    Client { folder: "sarama", module: Some("sarama-1.43.mod"), version: Some("1.0.0") };
/// 2.1.0 is the default version of Sarama 1.43 to 1.46.
pub(super) const SARAMA_2_1: Client =
    Client { folder: "sarama", module: Some("sarama-1.43.mod"), version: Some("default") };

impl Client {
    /// A command that runs the program, which is built first.
    pub(super) fn command(&self) -> Attempt<Command> {
        build()?;
        let mut command = Command::new(self.program());
        if let Some(version) = self.version {
            command.args(["-version", version]);
        }
        Ok(command)
    }

    fn name(&self) -> &'static str {
        self.module.map_or(self.folder, |module| module.trim_end_matches(".mod"))
    }

    fn program(&self) -> PathBuf {
        workshop().join("go").join(self.name())
    }

    fn build(&self) -> Attempt<()> {
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(self.program());
        build.current_dir(root().join("clients/go").join(self.folder));
        if let Some(module) = self.module {
            build.args(["-modfile", module]);
        }
        run(build.arg("."), "", BUILD_LIMIT)?.success()?;
        Ok(())
    }
}

/// Builds the programs, once.
pub(super) fn build() -> Attempt<()> {
    static BUILT: OnceLock<Attempt<()>> = OnceLock::new();
    BUILT
        .get_or_init(|| [FRANZ, SEGMENTIO, SARAMA_NEWEST, SARAMA_2_1].iter().try_for_each(Client::build))
        .clone()
}

pub(super) fn franz(stage: &mut Stage) -> Attempt<()> {
    perform(stage, "", FRANZ)
}

pub(super) fn segmentio(stage: &mut Stage) -> Attempt<()> {
    perform(stage, "", SEGMENTIO)
}

pub(super) fn sarama(stage: &mut Stage) -> Attempt<()> {
    perform(stage, "default: ", SARAMA_DEFAULT)?;
    perform(stage, "newest: ", SARAMA_NEWEST)
}

pub(super) fn sarama_old(stage: &mut Stage) -> Attempt<()> {
    perform(stage, "1.0.0: ", SARAMA_1_0)?;
    perform(stage, "2.1.0: ", SARAMA_2_1)
}

fn perform(stage: &mut Stage, prefix: &str, client: Client) -> Attempt<()> {
    let address = stage.address();
    stage.program(prefix, client.command()?.args([&address, "suite"]))
}
