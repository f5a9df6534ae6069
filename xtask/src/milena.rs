//! Our own broker, built in release and started as users start it.

use crate::broker::{BrokerOptions, START_LIMIT};
use crate::process::{BackgroundProcess, await_broker};
use crate::{Attempt, root};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Milena, running on a loopback port; it is killed when this value is dropped.
#[derive(Debug)]
pub struct Milena {
    options: BrokerOptions,
    program: PathBuf,
    process: BackgroundProcess,
}

impl Milena {
    /// Builds the program unless `MILENA_BINARY` names one, starts it and waits until it serves.
    pub fn start(options: BrokerOptions) -> Attempt<Milena> {
        let program = program()?;
        options.write_properties(&[
            ("node.id", "1".to_owned()),
            ("listeners", format!("PLAINTEXT://{}", options.address())),
            ("log.dirs", options.data_dir().display().to_string()),
        ])?;
        let process = spawn(&program, &options)?;
        Ok(Milena { options, program, process })
    }

    /// The address for clients: `host:port`.
    pub fn address(&self) -> String {
        self.options.address().to_string()
    }

    /// The process id, to measure its use of resources.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn start_again(&mut self) -> Attempt<()> {
        self.process = spawn(&self.program, &self.options)?;
        Ok(())
    }

    pub(crate) fn options(&self) -> &BrokerOptions {
        &self.options
    }

    pub(crate) fn process(&mut self) -> &mut BackgroundProcess {
        &mut self.process
    }
}

/// The release program: the one that `MILENA_BINARY` names, or one built now.
pub fn program() -> Attempt<PathBuf> {
    static BUILT: OnceLock<Attempt<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> Attempt<PathBuf> {
    if let Some(given) = std::env::var_os("MILENA_BINARY") {
        return Ok(PathBuf::from(given));
    }
    println!("building the release program");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--package", "milena"])
        .current_dir(root())
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("the release program does not build: {status}"));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(root().join(target).join("release/milena"))
}

fn spawn(program: &PathBuf, options: &BrokerOptions) -> Attempt<BackgroundProcess> {
    let mut command = Command::new(program);
    // A variable of that form would be a setting.
    command.env_remove("MILENA_BINARY");
    command.arg("start").arg(options.dir.join("server.properties")).current_dir(&options.dir);
    let output = options.dir.join("output.txt");
    let mut process = BackgroundProcess::start(&mut command, &output)?;
    await_broker(&mut process, options.address(), START_LIMIT)
        .map_err(|error| format!("{error}; its output is in {}", output.display()))?;
    Ok(process)
}
