//! `milena log status`.

use clap::Args;
use client::Admin;
use client::admin::{LogDamage, LogDescription, LogDirDescription};
use serde_json::{Value, json};

use crate::connect::{ConnectArgs, explain};
use crate::failure::Failure;
use crate::output::Output;
use crate::size::bytes_shown as size;
use crate::table::Table;
use crate::time;

const EXAMPLES: &str = "\
Examples:
  milena log status
  milena log status orders --bootstrap-server broker-1:9092
  milena log status --json

SCRUBBED is when all closed segments of the partition were last read in search of damage;
log.scrub.io.max.bytes.per.second and log.scrub.interval.ms say how fast and how often that is done.
A '-' stands where the broker does not tell: Kafka's own brokers tell sizes only.
The metadata log, __cluster_metadata-0, is shown where it is damaged.

The exit status is 1 where a place is damaged or a directory has failed.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// Only partitions whose topic's name contains this text
    #[arg(value_name = "TEXT")]
    containing: Option<String>,

    /// Include the empty partitions of Kafka's own topics, such as __consumer_offsets
    #[arg(short, long)]
    all: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

pub(super) async fn run(args: &StatusArgs) -> Result<(), Failure> {
    let admin = Admin::new(args.connect.cluster().await?);
    let mut dirs = admin.describe_log_dirs().await.map_err(|error| explain(&error))?;
    if let Some(text) = &args.containing {
        dirs.iter_mut().for_each(|dir| dir.logs.retain(|log| log.partition.topic.contains(text.as_str())));
    }
    let totals = Totals::of(&dirs);
    let mut output = Output::new(args.connect.json);
    if output.is_json() {
        let dirs: Vec<Value> = dirs.iter().map(dir_json).collect();
        output.json(&json!({ "totals": totals.json(), "directories": dirs }))?;
    } else {
        output.say(totals.sentence())?;
        output.say("")?;
        output.table(&dirs_table(&dirs))?;
        output.say("")?;
        let shown = logs_table(&dirs, |log| args.all || !is_idle(log));
        output.table(&shown)?;
        let idle = dirs.iter().flat_map(|dir| &dir.logs).filter(|log| is_idle(log)).count();
        if idle > 0 && !args.all {
            output.say(format_args!(
                "({idle} empty partitions of Kafka's own topics are left out; --all shows them)"
            ))?;
        }
        for (log, damage) in damages(&dirs) {
            let LogDamage { file, position, offset, what, mend } = damage;
            output.say(format_args!(
                "\ndamage: {file} at byte {position}, offset {offset} of {}: {what}. {mend}",
                log.partition
            ))?;
        }
    }
    output.flush()?;
    totals.verdict()
}

/// The sums over all partitions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    dirs: usize,
    failed_dirs: usize,
    partitions: usize,
    size_bytes: i64,
    /// Segments of the partitions whose broker reports them.
    segments: i64,
    scrubbed_partitions: usize,
    scrubbed_bytes: i64,
    damaged_places: usize,
}

impl Totals {
    fn of(dirs: &[LogDirDescription]) -> Totals {
        let logs = || dirs.iter().flat_map(|dir| &dir.logs);
        let statuses = || logs().filter_map(|log| log.status.as_ref());
        let scrubbed = || statuses().filter(|status| status.scrub_timestamp >= 0);
        Totals {
            dirs: dirs.len(),
            failed_dirs: dirs.iter().filter(|dir| dir.error.is_some()).count(),
            partitions: logs().count(),
            size_bytes: logs().map(|log| log.size_bytes).fold(0, i64::saturating_add),
            segments: statuses().map(|status| i64::from(status.segments.max(0))).sum(),
            scrubbed_partitions: scrubbed().count(),
            scrubbed_bytes: scrubbed()
                .map(|status| status.scrubbed_bytes.max(0))
                .fold(0, i64::saturating_add),
            damaged_places: damages(dirs).count(),
        }
    }

    fn sentence(&self) -> String {
        let of = |count: usize, one: &str, several: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {several}"),
        };
        let mut parts = vec![
            format!(
                "{} in {}",
                of(self.partitions, "partition", "partitions"),
                of(self.dirs, "log directory", "log directories")
            ),
            format!("{} in {} segments", size(self.size_bytes), self.segments),
            format!("{} scrubbed", of(self.scrubbed_partitions, "partition", "partitions")),
            match self.damaged_places {
                0 => "no damage known".to_owned(),
                places => of(places, "damaged place", "damaged places"),
            },
        ];
        if self.failed_dirs > 0 {
            parts.push(format!("{} failed", of(self.failed_dirs, "directory has", "directories have")));
        }
        parts.join(", ")
    }

    fn json(&self) -> Value {
        json!({
            "directories": self.dirs,
            "failedDirectories": self.failed_dirs,
            "partitions": self.partitions,
            "sizeBytes": self.size_bytes,
            "segments": self.segments,
            "scrubbedPartitions": self.scrubbed_partitions,
            "scrubbedBytes": self.scrubbed_bytes,
            "damagedPlaces": self.damaged_places,
        })
    }

    fn verdict(&self) -> Result<(), Failure> {
        match (self.damaged_places, self.failed_dirs) {
            (0, 0) => Ok(()),
            (0, _) => Err(Failure::new("a log directory has failed").mend(
                "The broker's log says why; its partitions stay offline until the broker is restarted.",
            )),
            (1, _) => Err(Failure::new("one place is damaged")),
            (places, _) => Err(Failure::new(format!("{places} places are damaged"))),
        }
    }
}

fn damages(dirs: &[LogDirDescription]) -> impl Iterator<Item = (&LogDescription, &LogDamage)> {
    let logs = dirs.iter().flat_map(|dir| &dir.logs);
    logs.flat_map(|log| {
        log.status.iter().flat_map(move |status| status.damage.iter().map(move |it| (log, it)))
    })
}

fn dirs_table(dirs: &[LogDirDescription]) -> Table {
    let mut table = Table::new(&["BROKER", "DIRECTORY", "STATE", "PARTITIONS", "SIZE", "FREE", "OF"]);
    for dir in dirs {
        let state = dir.error.map_or_else(|| "online".to_owned(), |_| "failed".to_owned());
        let volume = |bytes: Option<i64>| bytes.map(size).unwrap_or_default();
        table.row(vec![
            dir.broker.to_string(),
            dir.path.clone(),
            state,
            dir.logs.len().to_string(),
            size(dir.logs.iter().map(|log| log.size_bytes).sum()),
            volume(dir.usable_bytes),
            volume(dir.total_bytes),
        ]);
    }
    table
}

/// Whether it is an empty partition of an internal topic: one committed offset makes fifty of them.
fn is_idle(log: &LogDescription) -> bool {
    let is_sound = log.status.as_ref().is_none_or(|status| status.damage.is_empty());
    log.partition.topic.starts_with("__") && log.size_bytes == 0 && is_sound
}

fn logs_table(dirs: &[LogDirDescription], is_shown: impl Fn(&LogDescription) -> bool) -> Table {
    let mut table = Table::new(&[
        "PARTITION",
        "BROKER",
        "SIZE",
        "SEGMENTS",
        "START",
        "END",
        "RECOVERY POINT",
        "SCRUBBED",
        "READ",
        "DAMAGED",
    ]);
    let several = dirs.iter().filter(|dir| !dir.logs.is_empty()).count() > 1;
    for dir in dirs {
        for log in dir.logs.iter().filter(|log| is_shown(log)) {
            let status = log.status.as_ref();
            let told = |value: Option<String>| value.unwrap_or_default();
            // Fewer details are known of the metadata log than of a partition.
            let known = |number: i64| (number >= 0).then(|| number.to_string());
            let scrubbed = status.filter(|status| status.scrub_timestamp >= 0);
            let broker =
                if several { format!("{} {}", dir.broker, dir.path) } else { dir.broker.to_string() };
            let future = if log.is_future { " (moving here)" } else { "" };
            table.row(vec![
                format!("{}{future}", log.partition),
                broker,
                size(log.size_bytes),
                told(status.and_then(|status| known(status.segments.into()))),
                told(status.and_then(|status| known(status.log_start_offset))),
                told(status.and_then(|status| known(status.log_end_offset))),
                told(status.and_then(|status| known(status.recovery_point))),
                told(scrubbed.map(|status| time::format(status.scrub_timestamp))),
                told(scrubbed.filter(|status| status.scrubbed_bytes >= 0).map(|it| size(it.scrubbed_bytes))),
                told(status.map(|status| status.damage.len().to_string())),
            ]);
        }
    }
    table
}

fn dir_json(dir: &LogDirDescription) -> Value {
    json!({
        "broker": dir.broker,
        "path": dir.path,
        "error": dir.error.map(|error| error.to_string()),
        "totalBytes": dir.total_bytes,
        "usableBytes": dir.usable_bytes,
        "partitions": dir.logs.iter().map(log_json).collect::<Vec<_>>(),
    })
}

fn log_json(log: &LogDescription) -> Value {
    let mut value = json!({
        "topic": log.partition.topic,
        "partition": log.partition.partition,
        "sizeBytes": log.size_bytes,
        "future": log.is_future,
    });
    let Some(status) = &log.status else { return value };
    let damage = |damage: &LogDamage| {
        json!({
            "file": &*damage.file,
            "position": damage.position,
            "offset": damage.offset,
            "what": &*damage.what,
            "mend": &*damage.mend,
        })
    };
    let scrubbed = (status.scrub_timestamp >= 0).then_some(status);
    let known = |number: i64| (number >= 0).then_some(number);
    value["segments"] = json!(known(status.segments.into()));
    value["startOffset"] = json!(known(status.log_start_offset));
    value["endOffset"] = json!(known(status.log_end_offset));
    value["recoveryPoint"] = json!(known(status.recovery_point));
    value["scrubTimestamp"] = json!(scrubbed.map(|status| status.scrub_timestamp));
    value["scrubbedBytes"] = json!(scrubbed.and_then(|status| known(status.scrubbed_bytes)));
    value["damage"] = status.damage.iter().map(damage).collect();
    value
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn what_is_wrong_is_a_failure() {
        assert!(Totals::default().verdict().is_ok());
        assert!(Totals { damaged_places: 1, ..Totals::default() }.verdict().is_err());
        assert!(Totals { failed_dirs: 1, ..Totals::default() }.verdict().is_err());
    }
}
