//! `cargo xtask`: the commands of the workshop.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use xtask::broker::{BrokerOptions, Kind};
use xtask::kafka::{Kafka, KafkaVersion};
use xtask::{Attempt, capture, clients, simulation, soak, tidy};

const HELP: &str = "\
The workshop of Milena.

cargo xtask clients [--against kafka|kafka-4.3|kafka-4.4|milena] [--only SUITE]... [--lanes N]
    Runs the suites of other clients against a fresh broker each; ours unless told otherwise; three at a time.
    `kafka` is Kafka 4.3.1 and then 4.4.0.
    MILENA_BINARY names a program to test instead of the release build.
    UPDATE_ANSWERS=1 with `--against kafka-4.3 --only compare` writes Kafka's answers down anew.
cargo xtask kafka start [--port N] [--dir FOLDER] [--version 4.3.1|4.4.0|4.0.0]
    Starts Apache Kafka on a loopback port and keeps it until its input ends; 4.3.1 unless told otherwise.
cargo xtask capture metadata
    Writes anew the metadata logs of Kafka 4.3.1 that tests read.
cargo xtask soak storage|metadata --seeds N [--from SEED]
    Runs so many seeds of the crash test of the storage engine or of the metadata log, in release; prints the command that replays one that fails.
cargo xtask sim [--quorum] --seed N [--trace FILE] [--log] | --seeds A..B [--trap TRAP]
    Runs one broker with clients in simulation, or a metadata quorum of several voters, under the faults that each seed
    draws; --traps lists mistakes to put back.
cargo xtask tidy [--write]
    Checks the rules of the house; with --write, writes the generated documents first.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["clients", options @ ..] => run_clients(options),
        ["kafka", "start", options @ ..] => start_kafka(options),
        ["capture", "metadata"] => capture::metadata(&capture::metadata_logs()).map(|()| true),
        ["soak", "storage", options @ ..] => run_soak(soak::STORAGE, options),
        ["soak", "metadata", options @ ..] => run_soak(soak::METADATA, options),
        ["sim", options @ ..] => simulation::run(options),
        ["tidy"] => check_tidy(),
        ["tidy", "--write"] => tidy::apis::write().and_then(|()| check_tidy()),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            for (name, shows) in clients::names() {
                println!("    {name:20} {shows}");
            }
            Ok(true)
        }
        _ => Err(format!("no such command\n\n{HELP}")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run_clients(options: &[&str]) -> Attempt<bool> {
    let mut against = vec![(Kind::Milena, KafkaVersion::REFERENCE)];
    let mut only = Vec::new();
    let mut lanes = clients::LANES;
    for pair in options.chunks(2) {
        match pair {
            ["--against", "milena"] => against = vec![(Kind::Milena, KafkaVersion::REFERENCE)],
            ["--against", "kafka"] => {
                against = KafkaVersion::TESTED.map(|version| (Kind::Kafka, version)).to_vec();
            }
            ["--against", broker] if broker.starts_with("kafka-") => {
                against = vec![(Kind::Kafka, KafkaVersion::numbered(&broker["kafka-".len()..])?)];
            }
            ["--only", suite] => only.push((*suite).to_owned()),
            ["--lanes", count] => lanes = count.parse().map_err(|error| format!("{count}: {error}"))?,
            _ => return Err(format!("{} is not understood\n\n{HELP}", pair.join(" "))),
        }
    }
    let mut passed = true;
    for (kind, version) in against {
        passed &= clients::run_suites(kind, version, &only, lanes)?;
    }
    Ok(passed)
}

fn run_soak(crash: soak::Crash, options: &[&str]) -> Attempt<bool> {
    let (mut seeds, mut from) = (None, 0);
    for pair in options.chunks(2) {
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
        match pair {
            ["--seeds", text] => seeds = Some(number(text)?),
            ["--from", text] => from = number(text)?,
            _ => return Err(format!("{} is not understood\n\n{HELP}", pair.join(" "))),
        }
    }
    soak::run(crash, seeds.ok_or("how many --seeds?")?, from)
}

fn start_kafka(options: &[&str]) -> Attempt<bool> {
    let mut broker = BrokerOptions::new(&std::env::temp_dir().join("milena-kafka"))?;
    for pair in options.chunks(2) {
        match pair {
            ["--port", port] => broker.port = port.parse().map_err(|error| format!("{port}: {error}"))?,
            ["--dir", folder] => broker.dir = PathBuf::from(folder),
            ["--version", number] => broker.kafka = KafkaVersion::numbered(number)?,
            _ => return Err(format!("{} is not understood\n\n{HELP}", pair.join(" "))),
        }
    }
    let kafka = Kafka::start(broker)?;
    println!("Kafka listens on {}, process {}; end the input to stop it", kafka.address(), kafka.id());
    // The caller ends it by closing its input; without an input it runs until it is killed.
    if std::io::read_to_string(std::io::stdin()).is_err() {
        std::thread::sleep(Duration::MAX);
    }
    Ok(true)
}

fn check_tidy() -> Attempt<bool> {
    let faults = tidy::check();
    for fault in &faults {
        println!("{fault}");
    }
    println!("{} faults", faults.len());
    Ok(faults.is_empty())
}
