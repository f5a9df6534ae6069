//! `milena consume`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{ArgGroup, Args};
use client::admin::OffsetSpec;
use client::consumer::{ConsumeError, ConsumedRecord, ConsumerOptions, Position};
use client::group::{GroupError, GroupOptions};
use client::{Admin, Cluster, Consumer, GroupConsumer, TopicPartition};
use runtime::clock;

use crate::connect::{ConnectArgs, explain, explain_topic};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, Progress};
use crate::time;
use format::{Field, Format};

mod format;

const EXAMPLES: &str = "\
Examples:
  milena consume orders                                   what comes from now on
  milena consume orders --from-beginning --until-end      all there is, then stop
  milena consume orders --last 10 --show offset,key,value
  milena consume orders --from-time=-15m --json
  milena consume orders --partition 0 --from-offset 1200 --count 1
  milena consume orders --group billing                   goes on where the group was
  milena consume orders --format '%D %k: %s\\n'

A template for --format is any text with
  %k key     %t topic      %o offset                    %h headers     %K bytes of the key
  %s value   %p partition  %T timestamp in ms, %D date  %% percent     %S bytes of the value
and \\n (line end), \\t (tab), \\x1f (any byte).";

/// Print the records of a topic.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("from").args(["from_beginning", "from_offset", "from_time", "last"]),
    group = ArgGroup::new("looks").args(["format", "show", "json"]),
)]
pub(crate) struct ConsumeArgs {
    /// Topics to read
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    /// Read only this partition; may be repeated
    #[arg(short, long = "partition", value_name = "NUMBER", conflicts_with = "group")]
    partitions: Vec<i32>,

    /// Start with the first record; with --group, only if the group has committed no offset
    #[arg(long)]
    from_beginning: bool,

    /// Start at an offset
    #[arg(long, value_name = "OFFSET", conflicts_with = "group", value_parser = clap::value_parser!(i64).range(0..))]
    from_offset: Option<i64>,

    /// Start at a time: 2026-09-01T12:00:00Z, ms since 1970, or -15m (how long ago)
    #[arg(long, value_name = "TIME", conflicts_with = "group", allow_hyphen_values = true)]
    from_time: Option<String>,

    /// Start this many records before the end of each partition
    #[arg(long, value_name = "COUNT", conflicts_with = "group", value_parser = clap::value_parser!(i64).range(0..))]
    last: Option<i64>,

    /// Stop after this many records
    #[arg(short = 'n', long, alias = "max-messages", value_name = "COUNT")]
    count: Option<u64>,

    /// Stop at the end of the log as of the start of the command
    #[arg(short = 'e', long, conflicts_with = "group")]
    until_end: bool,

    /// Stop if no record arrives for this many seconds
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,

    /// Read as a member of this group: share the partitions with its other members, and commit what was
    /// printed
    #[arg(short, long)]
    group: Option<String>,

    /// Skip records of transactions that are not committed
    #[arg(long)]
    read_committed: bool,

    /// Template of a printed record, see below
    #[arg(short, long, value_name = "TEMPLATE", default_value = "%s\\n", value_parser = Format::parse)]
    format: Format,

    /// Fields of a record to print, separated by tabs
    #[arg(short, long, value_name = "FIELDS", value_delimiter = ',', value_enum)]
    show: Vec<Field>,

    /// Text to print for a null key or value
    #[arg(long, value_name = "TEXT", default_value = "")]
    null: String,

    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

pub(crate) async fn run(args: &ConsumeArgs) -> Result<(), Failure> {
    let position = args.position()?;
    let cluster = args.connect.cluster().await?;
    for topic in &args.topics {
        if let Err(error) = cluster.topic(topic).await {
            return Err(explain_topic(&cluster, &error).await);
        }
    }
    let mut interrupt = Interrupt::new()?;
    let mut printing = RecordPrinter::new(args);
    match &args.group {
        None => consume(args, position, cluster, &mut printing, &mut interrupt).await,
        Some(group) => consume_in_group(args, cluster, group, &mut printing, &mut interrupt).await,
    }
}

impl ConsumeArgs {
    fn options(&self) -> ConsumerOptions {
        ConsumerOptions { read_committed: self.read_committed, ..ConsumerOptions::default() }
    }

    /// The starting position, other than for `--last`.
    fn position(&self) -> Result<Position, Failure> {
        if let Some(text) = &self.from_time {
            let timestamp_ms =
                time::parse(text, clock::now_ms()).map_err(|bad| Failure::usage(bad.to_string()))?;
            return Ok(Position::Spec(OffsetSpec::Timestamp(timestamp_ms)));
        }
        Ok(match self.from_offset {
            Some(offset) => Position::Offset(offset),
            None if self.from_beginning => Position::Spec(OffsetSpec::Earliest),
            None => Position::Spec(OffsetSpec::Latest),
        })
    }
}

/// Reads partitions without a group.
async fn consume(
    args: &ConsumeArgs,
    position: Position,
    cluster: Cluster,
    printing: &mut RecordPrinter<'_>,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let positions = positions(args, position, &cluster).await?;
    let mut ends = BTreeMap::new();
    if args.until_end {
        let specs = positions.keys().map(|at| (at.clone(), OffsetSpec::Latest)).collect();
        let listed =
            Admin::new(cluster.clone()).list_offsets(&specs).await.map_err(|error| explain(&error))?;
        ends = listed.into_iter().map(|(at, end)| (at, end.map_or(0, |end| end.offset))).collect();
    }
    let mut consumer = Consumer::new(cluster, args.options());
    consumer.assign(positions);
    loop {
        // An empty partition has no record that could show that its end is reached.
        if args.until_end
            && ends.iter().all(|(at, &end)| consumer.position(at).is_some_and(|next| next >= end))
        {
            return Ok(());
        }
        let records = tokio::select! {
            records = consumer.poll(printing.patience()) => records.map_err(|error| explain_consume(&error))?,
            () = interrupt.wait() => return Ok(()),
        };
        let within = |record: &ConsumedRecord| {
            let end = ends.get(&TopicPartition::new(&*record.topic, record.partition));
            end.is_none_or(|&end| record.offset < end)
        };
        if printing.print(records.into_iter().filter(within))? {
            return Ok(());
        }
    }
}

/// The partitions to read, with their starting positions.
async fn positions(
    args: &ConsumeArgs,
    position: Position,
    cluster: &Cluster,
) -> Result<BTreeMap<TopicPartition, Position>, Failure> {
    let mut positions = BTreeMap::new();
    for name in &args.topics {
        let topic = cluster.topic(name).await.map_err(|error| explain(&error))?;
        for &partition in &args.partitions {
            topic.leader_of(partition).map_err(|error| explain(&error))?;
        }
        let wanted = |partition: i32| args.partitions.is_empty() || args.partitions.contains(&partition);
        let all =
            topic.partitions.iter().map(|partition| partition.index).filter(|&partition| wanted(partition));
        positions.extend(all.map(|partition| (TopicPartition::new(name.as_str(), partition), position)));
    }
    if let Some(count) = args.last {
        let admin = Admin::new(cluster.clone());
        let list = async |spec| {
            let specs = positions.keys().map(|at| (at.clone(), spec)).collect();
            admin.list_offsets(&specs).await.map_err(|error| explain(&error))
        };
        let (start, end) = (list(OffsetSpec::Earliest).await?, list(OffsetSpec::Latest).await?);
        for (at, position) in &mut positions {
            let offset = |of: &BTreeMap<TopicPartition, Option<client::admin::ListedOffset>>| {
                of.get(at).copied().flatten().map_or(0, |listed| listed.offset)
            };
            *position = Position::Offset((offset(&end) - count).max(offset(&start)));
        }
    }
    Ok(positions)
}

/// Reads as a member of a group.
async fn consume_in_group(
    args: &ConsumeArgs,
    cluster: Cluster,
    group: &str,
    printing: &mut RecordPrinter<'_>,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let mut options = GroupOptions::new(group);
    options.consumer = args.options();
    options.reset = if args.from_beginning { OffsetSpec::Earliest } else { OffsetSpec::Latest };
    options.consumer.reset = Some(options.reset);
    // Commit nothing that was not printed: records beyond the count go back.
    let limited = args.count.is_some();
    if limited {
        options.commit_interval = None;
    }
    let mut consumer = GroupConsumer::new(cluster, options, args.topics.clone());
    loop {
        let records = tokio::select! {
            records = consumer.poll(printing.patience()) => records.map_err(|error| explain_group(&error))?,
            () = interrupt.wait() => break,
        };
        // No records arrive during a rebalance.
        printing.last = consumer.joined_at().map_or(printing.last, |joined| joined.max(printing.last));
        let taken = printing.taken(&records);
        let is_done = match printing.print(records.iter().take(taken).cloned()) {
            Ok(is_done) => is_done,
            Err(failure) => {
                // Nobody saw these records: leave, so that another member reads them soon.
                let _ = consumer.leave().await;
                return Err(failure);
            }
        };
        if limited && taken < records.len() {
            let rest = records[taken..].iter();
            consumer.rewind(rest.rev().map(|r| (TopicPartition::new(&*r.topic, r.partition), r.offset)));
        }
        if is_done {
            break;
        }
    }
    consumer.commit().await.map_err(|error| explain_group(&error))?;
    consumer.leave().await.map_err(|error| explain_group(&error))
}

/// Prints records to standard output.
struct RecordPrinter<'a> {
    args: &'a ConsumeArgs,
    format: Format,
    output: Output,
    progress: Progress,
    printed: u64,
    last: runtime::clock::Instant,
    line: Vec<u8>,
}

impl<'a> RecordPrinter<'a> {
    fn new(args: &'a ConsumeArgs) -> Self {
        let format = if args.show.is_empty() { args.format.clone() } else { Format::of_fields(&args.show) };
        RecordPrinter {
            args,
            format,
            output: Output::new(args.connect.json),
            progress: Progress::new(true),
            printed: 0,
            last: clock::now(),
            line: Vec::new(),
        }
    }

    /// The time to wait for records before looking around again.
    fn patience(&self) -> Duration {
        let idle =
            self.args.idle.map(|seconds| Duration::from_secs(seconds).saturating_sub(self.last.elapsed()));
        idle.unwrap_or(Duration::from_millis(500)).min(Duration::from_millis(500))
    }

    /// The number of these records that are still to be printed.
    fn taken(&self, records: &[ConsumedRecord]) -> usize {
        let left = self.args.count.map_or(u64::MAX, |count| count - self.printed);
        records.len().min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Prints records. Returns whether those were the last.
    fn print(&mut self, records: impl Iterator<Item = ConsumedRecord>) -> Result<bool, Failure> {
        let before = self.printed;
        for record in records {
            if self.is_done() {
                break;
            }
            if self.output.is_json() {
                self.output.json(&format::json(&record))?;
            } else {
                self.line.clear();
                self.format.write(&record, self.args.null.as_bytes(), &mut self.line);
                self.output.bytes(&self.line)?;
            }
            self.printed += 1;
        }
        self.output.flush()?;
        if self.printed > before {
            self.last = clock::now();
        } else if self.output.is_closed() {
            return Err(Failure::output_closed());
        }
        let printed = self.printed;
        self.progress.show(|elapsed| format!("{printed} records in {:.0} s", elapsed.as_secs_f64()));
        let is_idle =
            self.args.idle.is_some_and(|seconds| self.last.elapsed() >= Duration::from_secs(seconds));
        Ok(self.is_done() || is_idle)
    }

    fn is_done(&self) -> bool {
        self.args.count.is_some_and(|count| self.printed >= count)
    }
}

fn explain_consume(error: &ConsumeError) -> Failure {
    match error {
        ConsumeError::Cluster(error) => explain(error),
        ConsumeError::OutOfRange { at, .. } => Failure::new(error.to_string()).mend(format!(
            "milena topic describe {} shows the first and last offsets of its partitions.",
            at.topic
        )),
        ConsumeError::Corrupt { .. } => Failure::new(error.to_string()),
    }
}

fn explain_group(error: &GroupError) -> Failure {
    match error {
        GroupError::Cluster(error) => explain(error),
        GroupError::Consume(error) => explain_consume(error),
        _ => Failure::new(error.to_string()),
    }
}
