//! KafkaJS, the client for Node.js.

use super::Stage;
use crate::process::run;
use crate::{Attempt, root, workshop};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const INSTALL_LIMIT: Duration = Duration::from_secs(300);

pub(super) fn kafkajs(stage: &mut Stage) -> Attempt<()> {
    let folder = install()?;
    let address = stage.address();
    let mut command = Command::new("node");
    command.arg(root().join("clients/node/kafkajs.js")).arg(&address).arg(folder);
    stage.program("", &mut command)
}

/// Installs the packages pinned by `package-lock.json`, once; returns their folder.
pub(super) fn install() -> Attempt<PathBuf> {
    static INSTALLED: OnceLock<Attempt<PathBuf>> = OnceLock::new();
    INSTALLED.get_or_init(fill).clone()
}

fn fill() -> Attempt<PathBuf> {
    let source = root().join("clients/node");
    let folder = workshop().join("node");
    let lock = "package-lock.json";
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let wanted = read(source.join(lock))?;
    let is_there = folder.join("node_modules").exists();
    if is_there && read(folder.join(lock)).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    println!("installing KafkaJS");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for name in ["package.json", lock] {
        std::fs::copy(source.join(name), folder.join(name))
            .map_err(|error| format!("cannot copy {name}: {error}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
    run(&mut npm, "", INSTALL_LIMIT)?.success()?;
    Ok(folder)
}
