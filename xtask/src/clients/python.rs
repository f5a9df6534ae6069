//! Clients for Python, each in a virtual environment of its own.

use super::Stage;
use crate::process::run;
use crate::{Attempt, root, workshop};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// A client for Python: the program that uses it and the file that pins what is installed for it.
#[derive(Clone, Copy)]
pub(super) struct Client {
    program: &'static str,
    requirements: &'static str,
}

pub(super) const KAFKA_PYTHON_OLD: Client =
    Client { program: "kafka_python.py", requirements: "kafka-python-2.0.2.txt" };
pub(super) const KAFKA_PYTHON: Client =
    Client { program: "kafka_python.py", requirements: "kafka-python-3.txt" };
pub(super) const AIOKAFKA: Client = Client { program: "aio.py", requirements: "aiokafka.txt" };
pub(super) const CONFLUENT: Client = Client { program: "confluent.py", requirements: "confluent-kafka.txt" };

impl Client {
    /// A command that runs the client's program; it installs its packages the first time.
    pub(super) fn command(&self) -> Attempt<Command> {
        install()?;
        let mut command = Command::new(environment(self.requirements).join("bin/python3"));
        command.arg(root().join("clients/python").join(self.program));
        Ok(command)
    }
}

pub(super) fn kafka_python_old(stage: &mut Stage) -> Attempt<()> {
    perform(stage, KAFKA_PYTHON_OLD)
}

pub(super) fn kafka_python(stage: &mut Stage) -> Attempt<()> {
    perform(stage, KAFKA_PYTHON)
}

pub(super) fn aiokafka(stage: &mut Stage) -> Attempt<()> {
    perform(stage, AIOKAFKA)
}

pub(super) fn confluent(stage: &mut Stage) -> Attempt<()> {
    perform(stage, CONFLUENT)
}

fn perform(stage: &mut Stage, client: Client) -> Attempt<()> {
    let address = stage.address();
    stage.program("", client.command()?.args([&address, "suite"]))
}

/// Creates the virtual environments, once.
pub(super) fn install() -> Attempt<()> {
    static INSTALLED: OnceLock<Attempt<()>> = OnceLock::new();
    let clients = [KAFKA_PYTHON_OLD, KAFKA_PYTHON, AIOKAFKA, CONFLUENT];
    INSTALLED.get_or_init(|| clients.iter().try_for_each(|client| fill(client.requirements))).clone()
}

/// The folder of a virtual environment.
fn environment(requirements: &str) -> PathBuf {
    workshop().join("python").join(requirements.trim_end_matches(".txt"))
}

/// Creates a virtual environment with exactly the pinned packages, unless it is there.
fn fill(requirements: &str) -> Attempt<()> {
    let file = root().join("clients/python").join(requirements);
    let wanted =
        std::fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let folder = environment(requirements);
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing {requirements}");
    let mut create = Command::new("python3");
    run(create.args(["-m", "venv", "--clear"]).arg(&folder), "", INSTALL_LIMIT)?.success()?;
    let mut install = Command::new(folder.join("bin/pip"));
    run(install.args(["install", "--quiet", "--requirement"]).arg(&file), "", INSTALL_LIMIT)?.success()?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(())
}
