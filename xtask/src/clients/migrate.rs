//! One data directory, opened by Kafka and by ours in turn: each finds the other's data, record by record and
//! offset by offset.

mod bridge;
mod files;
mod groups;
mod levels;

use super::{Stage, contains, same};
use crate::broker::{Broker, BrokerOptions, Kind};
use crate::java::ClassPath;
use crate::process::run;
use crate::{Attempt, java, milena};
use bridge::Bridge;
pub(super) use groups::suite as groups;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn from_kafka(stage: &mut Stage) -> Attempt<()> {
    suite(stage, [Kind::Kafka, Kind::Milena, Kind::Kafka, Kind::Milena])
}

pub(super) fn from_milena(stage: &mut Stage) -> Attempt<()> {
    suite(stage, [Kind::Milena, Kind::Kafka, Kind::Milena, Kind::Kafka])
}

pub(super) fn levels(stage: &mut Stage) -> Attempt<()> {
    levels::suite(stage)
}

fn suite(stage: &mut Stage, turns: [Kind; 4]) -> Attempt<()> {
    if stage.kind == Kind::Kafka {
        return Ok(());
    }
    stage.broker().stop()?;
    let options = options(&stage.folder.join("directory"))?;
    let outcome = turn_about(stage, &options, &turns[..turns_each()]);
    let name = format!("a directory that {} began goes from hand to hand", named(turns[0]));
    stage.report.note(&name, outcome);
    stage.broker().start_again()
}

/// The number of times that each broker opens a directory: one, or with `MILENA_MIGRATE_TURNS=4` two.
fn turns_each() -> usize {
    let wanted = std::env::var("MILENA_MIGRATE_TURNS").ok().and_then(|turns| turns.parse().ok());
    wanted.unwrap_or(2).clamp(2, 4)
}

/// Small segments of groups' offsets and an eager cleaner, so that they are compacted, too. By default Kafka
/// writes the log start offsets once a minute, first after half a minute: a kill before that resets them to
/// the first segment.
fn options(folder: &Path) -> Attempt<BrokerOptions> {
    Ok(BrokerOptions::new(folder)?
        .set("group.initial.rebalance.delay.ms", "0")
        .set("offsets.topic.num.partitions", "4")
        .set("offsets.topic.segment.bytes", "1048576")
        .set("transaction.state.log.num.partitions", "3")
        .set("log.cleaner.backoff.ms", "200")
        .set("log.cleaner.min.cleanable.ratio", "0.01")
        .set("log.flush.start.offset.checkpoint.interval.ms", "500")
        .set("log.initial.task.delay.ms", "500")
        .set("log.retention.check.interval.ms", "500"))
}

fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Kafka => "Kafka",
        Kind::Milena => "Milena",
    }
}

/// Each broker in turn finds all earlier data, writes more, and is stopped or, every other one, killed. A
/// producer lives through all of it.
fn turn_about(stage: &mut Stage, options: &BrokerOptions, turns: &[Kind]) -> Attempt<()> {
    let class_path = java::class_path()?;
    let address = format!("127.0.0.1:{}", options.port);
    let data = options.data_dir();
    let mut bridge: Option<Bridge> = None;
    let mut left = String::new();
    for (turn, kind) in turns.iter().enumerate() {
        let prefix = format!("{} began, turn {turn} is {}'s: ", named(turns[0]), named(*kind));
        if turn > 0 {
            // The turn before it ended by a kill if its number was even.
            files::sound(stage, &prefix, &data, turn % 2 == 0)?;
        }
        if *kind == Kind::Milena && turn > 0 {
            // Kafka's first transactions are left open, until its next turn.
            stage.test(&format!("{prefix}migrate check"), |_| check(&data, turn < 3));
        }
        let mut broker = Broker::start(*kind, options.clone())?;
        if turn > 0 {
            let found = contents(&class_path, &address)?;
            stage.test(&format!("{prefix}records, offsets, times, settings and groups"), |_| {
                same("contents", &left, &found)
            });
        }
        let mut program = |words: &[&str]| {
            let mut command = java::command(&class_path, "milena.clients.Main", 256);
            stage.program(&prefix, command.arg(&address).args(words))
        };
        write(&mut program, turn, *kind, turns[0])?;
        let bridge = match &mut bridge {
            Some(bridge) => bridge,
            none => none.insert(Bridge::start(&class_path, &address)?),
        };
        let written = bridge.write(turn);
        stage.test(&format!("{prefix}an idempotent producer goes on"), |_| written);
        left = contents(&class_path, &address)?;
        if left.lines().count() < 2_000 {
            return Err(format!("only {} lines tell what is there", left.lines().count()));
        }
        if turn == 0 {
            stage.test(&format!("{prefix}offsets are compacted"), |_| files::await_cleaned_offsets(&data));
        }
        if turn % 2 == 0 { broker.kill()? } else { broker.stop()? }
    }
    files::sound(stage, &format!("{} began, in the end: ", named(turns[0])), &data, true)?;
    stage.test(&format!("{} began: the producer kept its id and its sequence", named(turns[0])), |_| {
        files::one_producer(&data.join("bridged-0"), turns.len() * bridge::RECORDS)
    });
    Ok(())
}

/// Writes the data of a turn. Transactions are Kafka's: in its first turn it leaves one open, and in its
/// second turn that one's producer returns.
fn write(
    program: &mut impl FnMut(&[&str]) -> Attempt<()>,
    turn: usize,
    kind: Kind,
    first: Kind,
) -> Attempt<()> {
    match turn {
        0 => {
            program(&["before"])?;
            program(&["fill"])?;
        }
        _ => {
            program(&["after", &turn.to_string()])?;
            program(&["more", &turn.to_string()])?;
        }
    }
    match (kind, turn) {
        (Kind::Kafka, 0) => program(&["transactions"]),
        (Kind::Kafka, 1) if first == Kind::Milena => program(&["transactions"]),
        (Kind::Kafka, _) => program(&["settle"]),
        (Kind::Milena, _) => Ok(()),
    }
}

/// Checks the output of `milena migrate check` on Kafka's directory.
fn check(data: &Path, is_open: bool) -> Attempt<()> {
    let mut command = Command::new(milena::program()?);
    command.args(["migrate", "check"]).arg(data).env_remove("MILENA_BINARY");
    let text = run(&mut command, "", LIMIT)?.success()?;
    contains(&text, &["metadata.version", "partitions", "node.id", "transactional ids"])?;
    // Those of the Java suite's group, of three more, and of the transactions.
    contains(&text, &["of 5 groups"])?;
    if text.contains("left-open: ongoing") == is_open {
        return Ok(());
    }
    Err(format!("the open transaction is not as it should be: {text}"))
}

/// All data that Kafka's client can see in a broker.
pub(super) fn contents(class_path: &ClassPath, address: &str) -> Attempt<String> {
    let mut show = java::command(class_path, "milena.clients.Main", 256);
    run(show.args([address, "show"]), "", Duration::from_secs(180))?.success()
}
