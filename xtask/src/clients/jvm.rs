//! Kafka's Java clients.

use super::Stage;
use crate::{Attempt, java};

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    let class_path = stage.class_path()?;
    let address = stage.address();
    let mut command = java::command(&class_path, "milena.clients.Main", 512);
    stage.program("", command.args([&address, "suite"]))
}

/// Kafka's clients of years ago. zstd came with 2.1.
pub(super) fn old(stage: &mut Stage) -> Attempt<()> {
    for (version, codecs) in [
        ("1.1.1", &["gzip", "snappy", "lz4"][..]),
        ("2.0.1", &["gzip", "snappy", "lz4"]),
        ("2.8.2", &["gzip", "snappy", "lz4", "zstd"]),
        ("3.9.1", &["gzip", "snappy", "lz4", "zstd"]),
    ] {
        let address = stage.address();
        let mut command = java::old_clients(version)?;
        stage.program(&format!("{version}: "), command.arg(&address).args(codecs))?;
    }
    Ok(())
}

/// Kafka Streams.
pub(super) fn streams(stage: &mut Stage) -> Attempt<()> {
    in_folder(stage, "streams")
}

/// Kafka Connect.
pub(super) fn connect(stage: &mut Stage) -> Attempt<()> {
    in_folder(stage, "connect")
}

/// Performs a suite whose program keeps files.
fn in_folder(stage: &mut Stage, suite: &str) -> Attempt<()> {
    let class_path = stage.class_path()?;
    let (address, folder) = (stage.address(), stage.folder.join("files"));
    let mut command = java::command(&class_path, "milena.clients.Main", 512);
    stage.program("", command.args([&address, suite]).arg(folder))
}
