//! The same raw requests, the same answers: bytes that no well-behaved client would send.
//!
//! Kafka's answers are kept in a file, so that the suite needs no Kafka to judge ours.

use super::Stage;
use crate::broker::Kind;
use crate::kafka::KafkaVersion;
use crate::{Attempt, root};
use std::process::Command;

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    let folder = root().join("clients/compare");
    let address = stage.address();
    let mut command = Command::new("python3");
    command.arg(folder.join("main.py")).arg(&address).arg(folder.join("answers.json"));
    if stage.kind == Kind::Kafka && stage.version == KafkaVersion::V4_4 {
        command.arg("--kafka-4.4");
    }
    // Rewrite the reference's answers if that was requested.
    let is_reference = stage.kind == Kind::Kafka && stage.version == KafkaVersion::REFERENCE;
    if is_reference && std::env::var_os("UPDATE_ANSWERS").is_some() {
        command.arg("--write");
    }
    stage.program("", &mut command)
}
