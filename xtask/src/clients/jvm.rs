//! Kafka's Java clients.

use super::Stage;
use crate::{Attempt, java};

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    let class_path = java::class_path()?;
    let address = stage.address();
    let mut command = java::command(&class_path, "milena.clients.Main", 512);
    stage.program("", command.args([&address, "suite"]))
}
