//! The command line: the commands, and their dispatch.

use std::ffi::OsString;
use std::future::Future;
use std::pin::Pin;

use clap::{Parser, Subcommand};
use runtime::clock::Instant;

use crate::failure::Failure;
use crate::{bench, check, consume, dump, group, log, logs, migrate, produce, start, topic};

/// A Kafka-compatible streaming log in one program.
#[derive(Debug, Parser)]
#[command(name = "milena", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct CommandLine {
    /// Log level of standard error, for all parts or by part: info,storage=debug
    #[arg(
        long,
        value_name = "LEVELS",
        env = "MILENA_LOG",
        default_value = "warn",
        hide_env_values = true,
        global = true,
        help_heading = "Output"
    )]
    log: String,

    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  milena start                                  a broker on 127.0.0.1:9092, data in ./milena-data
  milena topic create orders --partitions 3
  echo 'hello' | milena produce orders
  milena consume orders --from-beginning
  milena group describe billing
  milena log status
  milena bench produce --records 1000000
  milena dump milena-data/orders-0
  milena check milena-data

Each command explains itself: milena help topic create, milena consume --help.
Everything but start, migrate, check and dump works with any Kafka-compatible cluster that speaks
plain text (no TLS, no SASL). Names may follow --topic and --group, as with Kafka's own tools.

Log levels are off, error, warn, info, debug and trace; parts that have one of their own are
broker, client, coordinator, metadata, milena, openraft and storage: --log info,storage=debug

Exit status: 0 done, 1 failed, 2 the command line or a setting is wrong, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a broker
    Start(start::StartArgs),
    /// Create, list, describe, delete and alter topics
    #[command(subcommand)]
    Topic(topic::TopicCommand),
    /// Send records to a topic, one a line
    Produce(produce::ProduceArgs),
    /// Print the records of a topic
    Consume(consume::ConsumeArgs),
    /// List, describe and delete consumer groups, and reset their offsets
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Show the state of the logs: sizes, offsets, the last scrub, damage
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Measure a cluster: produce, consume, end to end
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Migrate from Kafka, and back
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Verify the files of stopped log directories, and say how to repair what is damaged
    Check(check::CheckArgs),
    /// Show the contents of a log directory's files: segments, indexes, snapshots, checkpoints
    Dump(dump::DumpArgs),
}

/// The arguments without the flags by which Kafka's tools and kcat name a topic or a group, which is
/// positional here: `topic create --topic orders` becomes `topic create orders`.
fn in_our_words(mut words: Vec<OsString>) -> Vec<OsString> {
    let word = |at: usize| words.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    let flags: &[&str] = match (word(1), word(2)) {
        ("topic" | "produce" | "consume", _) => &["--topic", "-t"],
        ("bench", _) => &["--topic"],
        ("group", _) => &["--group"],
        _ => return words,
    };
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let last = words.split_off(end);
    words.retain(|word| flags.iter().all(|flag| word != flag));
    for word in &mut words {
        let name = word.to_str().and_then(|word| word.strip_prefix(flags[0])?.strip_prefix('='));
        if let Some(name) = name.map(OsString::from) {
            *word = name;
        }
    }
    words.extend(last);
    words
}

impl CommandLine {
    /// Parses the arguments of this process. Ends it if they are invalid or ask for help.
    pub(crate) fn of_process() -> CommandLine {
        CommandLine::parse_from(in_our_words(std::env::args_os().collect()))
    }

    /// Whether results and failures are printed for a program.
    pub(crate) fn wants_json(&self) -> bool {
        match &self.command {
            Command::Start(_) => false,
            Command::Migrate(migrate::MigrateCommand::Check(args)) => args.json,
            Command::Topic(command) => command.connect().json,
            Command::Produce(args) => args.connect.json,
            Command::Consume(args) => args.connect.json,
            Command::Group(command) => command.connect().json,
            Command::Log(command) => command.connect().json,
            Command::Bench(command) => command.connect().json,
            Command::Check(args) => args.json,
            Command::Dump(args) => args.json,
        }
    }

    /// Runs the command. `started` is when the process began.
    pub(crate) fn run(self, started: Instant) -> Result<(), Failure> {
        logs::start(&self.log)?;
        match self.command {
            Command::Start(args) => start::run(&args, started),
            Command::Topic(command) => block_on(topic::run(&command)),
            Command::Produce(args) => block_on(produce::run(&args)),
            Command::Consume(args) => block_on(consume::run(&args)),
            Command::Group(command) => block_on(group::run(&command)),
            Command::Log(command) => block_on(log::run(&command)),
            Command::Bench(command) => block_on(bench::run(&command)),
            Command::Migrate(migrate::MigrateCommand::Check(args)) => migrate::check(&args),
            Command::Check(args) => check::run(&args),
            Command::Dump(args) => dump::run(&args),
        }
    }
}

/// Runs a client command. One thread drives its sockets and timers.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // tokio's code and all that it calls is compiled again for each type of future: boxed, they are one type.
    block_on_boxed(Box::pin(command))
}

fn block_on_boxed(command: Pin<Box<dyn Future<Output = Result<(), Failure>> + '_>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?
        .block_on(command)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{CommandLine, in_our_words};

    #[test]
    fn names_may_have_kafkas_flags() {
        let ours = |line: &str| {
            let words = in_our_words(line.split(' ').map(Into::into).collect());
            words.join(std::ffi::OsStr::new(" ")).into_string().expect("text")
        };
        assert_eq!(ours("milena topic create --topic a -p 3"), "milena topic create a -p 3");
        assert_eq!(ours("milena produce -t a --key k"), "milena produce a --key k");
        assert_eq!(ours("milena consume --topic=a --group g"), "milena consume a --group g");
        assert_eq!(ours("milena group describe --group g"), "milena group describe g");
        let reset = "milena group reset-offsets g --topic a -t b --to-latest";
        assert_eq!(ours(reset), reset);
        let named_so = "milena topic create -- --topic";
        assert_eq!(ours(named_so), named_so);
        let bench = "milena bench produce -t 5";
        assert_eq!(ours(bench), bench);
    }

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }
}
