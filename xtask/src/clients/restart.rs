//! The state that a broker keeps after it was stopped, and after it was killed.

use super::Stage;
use crate::broker::Kind;
use crate::process::BackgroundProcess;
use crate::{Attempt, java};
use std::process::Command;
use std::time::{Duration, Instant};

const RECORDS: u32 = 20_000;

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    let class_path = stage.class_path()?;
    let address = stage.address();
    let main = || java::command(&class_path, "milena.clients.Main", 256);
    stage.program("before: ", main().args([&address, "before"]))?;
    stage.broker().stop()?;
    stage.broker().start_again()?;
    stage.program("after a stop: ", main().args([&address, "after", "1"]))?;
    // Kafka acknowledges records in the page cache, which outlives a killed process.
    stage.broker().kill()?;
    stage.broker().start_again()?;
    stage.program("after a kill: ", main().args([&address, "after", "2"]))?;
    stage.test("a producer goes on through a stop", |stage| {
        under_load(stage, "stopped", Interruption::Stopped)
    });
    // Kafka's own data directory does not bear many kills: a killed controller may take long.
    if stage.kind == Kind::Milena {
        stage.test("a producer goes on through a kill", |stage| {
            under_load(stage, "killed", Interruption::Killed)
        });
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Interruption {
    Stopped,
    Killed,
}

/// A Java producer writes a sequence, the broker ends and starts in the middle of it, and every acknowledged
/// record is read back once and in order.
fn under_load(stage: &mut Stage, topic: &str, how: Interruption) -> Attempt<()> {
    stage.create_topic(topic, 1)?;
    let address = stage.address();
    let output = stage.folder.join(format!("load-{topic}.txt"));
    let class_path = stage.class_path()?;
    let mut command: Command = java::command(&class_path, "milena.clients.Main", 256);
    let mut load =
        BackgroundProcess::start(command.args([&address, "load", topic, &RECORDS.to_string()]), &output)?;
    let written = |what: &str| std::fs::read_to_string(&output).unwrap_or_default().contains(what);
    let started = Instant::now();
    while !written("writing") && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    match how {
        Interruption::Stopped => stage.broker().stop()?,
        Interruption::Killed => stage.broker().kill()?,
    }
    stage.broker().start_again()?;
    while load.ended()?.is_none() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = std::fs::read_to_string(&output).unwrap_or_default();
    if text.lines().any(|line| line.starts_with("ok ")) {
        return Ok(());
    }
    Err(crate::process::tail(&text, 10))
}
