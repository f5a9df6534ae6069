//! `milena`: the broker, and the commands to work with it or with any Kafka-compatible cluster.

mod allocator;
mod bench;
mod check;
mod command;
mod connect;
mod consume;
mod dump;
mod escape;
mod failure;
mod files;
mod group;
mod interrupt;
mod log;
mod logs;
mod migrate;
mod nearest;
mod output;
mod pair;
mod produce;
mod properties;
mod settings;
mod size;
mod start;
mod table;
mod time;
mod topic;

use std::process::ExitCode;

use runtime::clock;

use crate::command::CommandLine;

fn main() -> ExitCode {
    let started = clock::now();
    let command_line = CommandLine::of_process();
    let as_json = command_line.wants_json();
    match command_line.run(started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure, as_json);
            ExitCode::from(failure.exit().code())
        }
    }
}
