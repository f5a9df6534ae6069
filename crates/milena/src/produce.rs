//! `milena produce`.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use client::Producer;
use client::producer::{Acks, Delivery, NewRecord, ProduceError, ProducerOptions, SendError};
use record::{Compression, Header};
use runtime::clock;
use serde_json::json;

use crate::connect::{ConnectArgs, explain, explain_topic};
use crate::escape::unescape;
use crate::failure::Failure;
use crate::output::{self, Output, Progress};
use crate::pair;
use line::{Format, Line};

mod input;
mod json_line;
mod line;

const EXAMPLES: &str = "\
Examples:
  echo 'hello' | milena produce orders
  milena produce orders --file orders.txt --key-separator ':' --compression zstd
  milena produce orders --file dump.json --input json
  seq 1 1000000 | milena produce numbers --acks 1

A line 'k1:v1' with --key-separator ':' has the key 'k1' and the value 'v1'.
What 'milena consume --json' prints, --input json takes: objects with key, value, headers,
partition and timestamp, each of which may be left out.";

/// Send records to a topic, one a line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProduceArgs {
    /// Topic to send to
    #[arg(value_name = "TOPIC")]
    topic: String,

    /// Read from a file instead of standard input; may be repeated
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Format of a line: the value (or key and value), or a JSON object
    #[arg(short, long, value_enum, default_value_t = Input::Lines)]
    input: Input,

    /// Separator of key and value in a line; \t is a tab
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = separator, conflicts_with = "key")]
    key_separator: Option<Separator>,

    /// Key of every record
    #[arg(short, long)]
    key: Option<String>,

    /// A header of every record; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = pair::parse)]
    headers: Vec<(String, String)>,

    /// Send a value of exactly this text as null: a tombstone
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,

    /// Partition to send to; without it the key decides, or chance if there is none
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,

    /// When a record counts as delivered: once sent, once the leader has it, or once all in-sync replicas
    /// have it
    #[arg(long, value_enum, default_value_t = AcksArg::All, hide_possible_values = true, value_name = "0|1|all")]
    acks: AcksArg,

    /// Compression codec of the batches
    #[arg(short = 'z', long, value_enum, default_value_t = Codec::None)]
    compression: Codec,

    /// Allow duplicates of a batch that has to be sent again
    #[arg(long)]
    no_idempotence: bool,

    /// Create the topic if it does not exist and the brokers allow it
    #[arg(long)]
    create: bool,

    /// Largest record, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_bytes: usize,

    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Input {
    Lines,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcksArg {
    #[value(name = "0")]
    None,
    #[value(name = "1")]
    Leader,
    #[value(name = "all", alias = "-1")]
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Acks {
        match acks {
            AcksArg::None => Acks::None,
            AcksArg::Leader => Acks::Leader,
            AcksArg::All => Acks::All,
        }
    }
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Compression {
        match codec {
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Gzip,
            Codec::Snappy => Compression::Snappy,
            Codec::Lz4 => Compression::Lz4,
            Codec::Zstd => Compression::Zstd,
        }
    }
}

/// The bytes between a key and a value; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Separator(Vec<u8>);

fn separator(text: &str) -> Result<Separator, String> {
    match unescape(text)? {
        bytes if bytes.is_empty() => Err("it needs at least one character".to_owned()),
        bytes => Ok(Separator(bytes)),
    }
}

impl ProduceArgs {
    fn options(&self) -> ProducerOptions {
        let acks = Acks::from(self.acks);
        ProducerOptions {
            acks,
            compression: self.compression.into(),
            idempotent: acks == Acks::All && !self.no_idempotence,
            // Lines that are typed should not wait, and a file fills batches by itself.
            linger: Duration::from_millis(2),
            batch_bytes: 256 << 10,
            request_bytes_max: self.max_bytes,
            create_topics: self.create,
            ..ProducerOptions::default()
        }
    }

    fn format(&self) -> Format {
        Format {
            key_separator: self.key_separator.clone().map(|Separator(bytes)| bytes),
            key: self.key.clone().map(String::into_bytes),
            null: self.null.clone().map(String::into_bytes),
            is_json: self.input == Input::Json,
        }
    }
}

pub(crate) async fn run(args: &ProduceArgs) -> Result<(), Failure> {
    let cluster = args.connect.cluster().await?;
    if !args.create
        && let Err(error) = cluster.topic(&args.topic).await
    {
        return Err(explain_topic(&cluster, &error).await);
    }
    let mut sending = RecordSender {
        producer: Producer::new(cluster, args.options()),
        topic: &args.topic,
        partition: args.partition,
        headers: &args.headers,
        under_way: VecDeque::new(),
        tally: Tally::default(),
    };
    if args.files.is_empty() && io::stdin().is_terminal() {
        output::note("each line is a record; Ctrl-D ends");
    }
    let begun = clock::now();
    let mut progress = Progress::new(false);
    let format = args.format();
    let mut chunks = input::read(&args.files, args.max_bytes)?;
    let mut outcome = Ok(());
    while let Some(chunk) = chunks.recv().await {
        outcome = match chunk {
            Ok(chunk) => sending.send_lines(&chunk, &format).await,
            Err(failure) => Err(failure),
        };
        if outcome.is_err() {
            break;
        }
        progress.show(|elapsed| sending.tally.rate(elapsed));
    }
    drop(chunks);
    sending.producer.flush().await;
    while let Some(delivery) = sending.under_way.pop_front() {
        sending.tally.count(delivery.settled().await);
    }
    drop(progress);
    outcome?;
    report(args, &sending.tally, begun.elapsed())
}

/// Sends records through a producer.
struct RecordSender<'a> {
    producer: Producer,
    topic: &'a str,
    partition: Option<i32>,
    headers: &'a [(String, String)],
    under_way: VecDeque<Delivery>,
    tally: Tally,
}

/// The number of records, and what became of them.
#[derive(Debug, Default)]
struct Tally {
    delivered: u64,
    bytes: u64,
    failed: u64,
    first_failure: Option<ProduceError>,
}

impl Tally {
    fn count(&mut self, outcome: Result<client::producer::RecordMetadata, ProduceError>) {
        match outcome {
            Ok(_) => self.delivered += 1,
            Err(error) => {
                self.failed += 1;
                self.first_failure.get_or_insert(error);
            }
        }
    }

    fn rate(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(0.001);
        #[allow(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let (records, megabytes) = (self.delivered as f64 / seconds, self.bytes as f64 / 1e6 / seconds);
        format!("{} records, {records:.0} a second, {megabytes:.1} MB a second", self.delivered)
    }
}

impl RecordSender<'_> {
    /// Sends the lines of a chunk, which ends with a line's end.
    async fn send_lines(&mut self, chunk: &input::Chunk, format: &Format) -> Result<(), Failure> {
        for (number, text) in (chunk.first_line..).zip(chunk.lines()) {
            let line = format.parse(text).map_err(|what| {
                Failure::new(format!("{}, line {number}: {what}", chunk.source))
                    .mend("The lines before it were sent.")
            })?;
            self.send(&line).await.map_err(|failure| match failure.how_to_mend() {
                None => failure.mend(format!("It is line {number} of {}.", chunk.source)),
                Some(_) => failure,
            })?;
        }
        while self.under_way.front().is_some_and(Delivery::is_settled) {
            if let Some(delivery) = self.under_way.pop_front() {
                self.tally.count(delivery.settled().await);
            }
        }
        match &self.tally.first_failure {
            // Further records would only fail as well.
            Some(error) => Err(self.given_up(error)),
            None => Ok(()),
        }
    }

    async fn send(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let fixed = self.headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
        let own = line.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref()));
        let headers: Vec<Header<'_>> = fixed.chain(own).map(|(key, value)| Header { key, value }).collect();
        let record = NewRecord {
            topic: self.topic,
            partition: self.partition.or(line.partition),
            key: line.key.as_deref(),
            value: line.value.as_deref(),
            headers: &headers,
            timestamp_ms: line.timestamp_ms,
        };
        self.tally.bytes += (line.key.as_ref().map_or(0, |key| key.len())
            + line.value.as_ref().map_or(0, |value| value.len())) as u64;
        match self.producer.send(&record).await {
            Ok(delivery) => {
                self.under_way.push_back(delivery);
                Ok(())
            }
            Err(SendError::Cluster(error)) => Err(explain(&error)),
            Err(error @ SendError::TooLarge { .. }) => Err(Failure::new(error.to_string())
                .mend("--max-bytes raises the limit; so must the topic's max.message.bytes.")),
        }
    }

    fn given_up(&self, error: &ProduceError) -> Failure {
        failure(&self.tally, error)
    }
}

fn failure(tally: &Tally, error: &ProduceError) -> Failure {
    let (cause, mend) = match error {
        ProduceError::Failed { cause, .. } => {
            let explained = explain(cause);
            (error.to_string(), explained.how_to_mend().map(ToOwned::to_owned))
        }
        ProduceError::Abandoned => (error.to_string(), None),
    };
    let failure = Failure::new(format!("{} records were delivered; then one was {cause}", tally.delivered));
    match mend {
        Some(mend) => failure.mend(mend),
        None => failure,
    }
}

fn report(args: &ProduceArgs, tally: &Tally, elapsed: Duration) -> Result<(), Failure> {
    let mut output = Output::new(args.connect.json);
    if output.is_json() {
        output.json(&json!({
            "topic": args.topic,
            "delivered": tally.delivered,
            "failed": tally.failed,
            "bytes": tally.bytes,
            "elapsedMs": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }))?;
    } else if tally.first_failure.is_none() {
        let records = if tally.delivered == 1 { "record" } else { "records" };
        let (delivered, topic, seconds) = (tally.delivered, &args.topic, elapsed.as_secs_f64());
        output.say(format_args!("{delivered} {records} sent to '{topic}' in {seconds:.3} s"))?;
    }
    output.flush()?;
    tally.first_failure.as_ref().map_or(Ok(()), |error| Err(failure(tally, error)))
}
