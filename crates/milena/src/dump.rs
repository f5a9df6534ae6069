//! `milena dump`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use storage::fs::{self, Fs};
use storage::inspect::{self, FileKind};

use self::kind::Kind;
use crate::failure::Failure;
use crate::output::Output;

mod batches;
mod indexes;
mod kind;
mod records;

const EXAMPLES: &str = "\
Examples:
  milena dump milena-data/orders-0
  milena dump milena-data/orders-0/00000000000000000000.log --records
  milena dump milena-data/__consumer_offsets-12 --json
  milena dump milena-data/__cluster_metadata-0
  milena dump --kind metadata /backup/a-copy-of-the-log

A file's name says what it is; where it does not, --kind does. Records of the internal topics and
of the metadata log are decoded. An index is compared with the segment beside it.
Nothing is changed, so a broker may be running. Where something is damaged its position is shown,
and then the rest; the exit status is 1.";

/// Show the contents of a log directory's files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DumpArgs {
    /// Files, or directories of partitions, whose files are all shown
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,

    /// The kind of the files if their names do not tell; for a directory, the kind of its records
    #[arg(short, long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Show the records of each batch as well as its header
    #[arg(short, long)]
    records: bool,

    /// Format of keys and values
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    bytes: BytesFormat,

    /// Print one JSON object a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// The format of keys and values outside of internal topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BytesFormat {
    /// As UTF-8; invalid bytes become replacement characters
    Text,
    /// As hexadecimal digits
    Hex,
    /// As Base64
    Base64,
}

/// Shows files.
struct Dump<'a> {
    args: &'a DumpArgs,
    fs: Fs,
    output: Output,
    /// Places that are damaged.
    damaged: usize,
}

pub(crate) fn run(args: &DumpArgs) -> Result<(), Failure> {
    let mut dump = Dump { args, fs: Fs::real(), output: Output::new(args.json), damaged: 0 };
    for path in &args.paths {
        dump.path(path)?;
    }
    dump.output.flush()?;
    match dump.damaged {
        0 => Ok(()),
        1 => Err(Failure::new("one place is damaged")),
        places => Err(Failure::new(format!("{places} places are damaged"))),
    }
}

impl Dump<'_> {
    fn path(&mut self, path: &Path) -> Result<(), Failure> {
        let entries = match self.fs.list(path) {
            Ok(entries) => entries,
            Err(error) if error.source.kind() == std::io::ErrorKind::NotADirectory => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let kind = self.args.kind.map(Kind::of_file).or_else(|| FileKind::of(&name));
                let kind = kind.ok_or_else(|| {
                    Failure::usage(format!(
                        "{} does not have the name of a file of a log directory",
                        path.display()
                    ))
                    .mend("Give its kind with --kind.")
                })?;
                return self.file(path, kind);
            }
            Err(error) => return Err(failed(&error)),
        };
        for entry in entries.iter().filter(|entry| !entry.is_dir) {
            if let Some(kind) = FileKind::of(&entry.name) {
                self.file(&path.join(&entry.name), kind)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, kind: FileKind) -> Result<(), Failure> {
        self.output.say(format_args!("{}", path.display()))?;
        match kind {
            FileKind::Batches => batches::show(self, path),
            FileKind::OffsetIndex | FileKind::TimeIndex | FileKind::TxnIndex => {
                indexes::show(self, path, kind)
            }
            FileKind::ProducerSnapshot => self.producers(path),
            FileKind::Text => self.text(path),
        }
    }

    fn producers(&mut self, path: &Path) -> Result<(), Failure> {
        let producers = match inspect::read_producers(&self.fs, path).map_err(|error| failed(&error))? {
            Ok(producers) => producers,
            Err(reason) => return self.damage(path, 0, reason),
        };
        for producer in producers {
            let (last_sequence, last_offset) = producer.last_batch.unwrap_or((-1, -1));
            self.line(
                path,
                "producer",
                json!({
                    "producerId": producer.producer_id,
                    "producerEpoch": producer.producer_epoch,
                    "coordinatorEpoch": producer.coordinator_epoch,
                    "lastTimestamp": producer.last_timestamp,
                    "lastSequence": last_sequence,
                    "lastOffset": last_offset,
                    "currentTxnFirstOffset": producer.current_txn_first_offset,
                }),
            )?;
        }
        Ok(())
    }

    fn text(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = self.fs.read(path).map_err(|error| failed(&error))?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                for (n, line) in text.lines().enumerate() {
                    self.line(path, "line", json!({ "line": n + 1, "text": line }))?;
                }
                Ok(())
            }
            Err(error) => self.damage(path, error.valid_up_to() as u64, "not UTF-8"),
        }
    }

    /// Shows one item: its fields as `name: value` for people, or as an object with its file for programs.
    fn line(&mut self, path: &Path, what: &str, fields: Value) -> Result<(), Failure> {
        let Value::Object(fields) = fields else { panic!("an item is shown by its fields") };
        if self.output.is_json() {
            let mut object = serde_json::Map::new();
            object.insert("file".to_owned(), json!(path.display().to_string()));
            object.insert("kind".to_owned(), json!(what));
            object.extend(fields);
            return self.output.json(&Value::Object(object));
        }
        let shown = fields.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {}", plain(text)),
            value => format!("{name}: {value}"),
        });
        let shown: Vec<String> = shown.collect();
        let indent = if what == "record" { "    " } else { "  " };
        self.output.say(format_args!("{indent}{}", shown.join(" ")))
    }

    /// Reports a damaged place.
    fn damage(&mut self, path: &Path, position: u64, what: impl std::fmt::Display) -> Result<(), Failure> {
        self.damaged += 1;
        let what = what.to_string();
        if self.output.is_json() {
            let path = path.display().to_string();
            return self
                .output
                .json(&json!({ "file": path, "kind": "damage", "position": position, "damage": what }));
        }
        self.output.say(format_args!("  DAMAGED at byte {position}: {what}"))
    }
}

/// Removes control characters, which would break the lines or repaint the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn failed(error: &fs::Error) -> Failure {
    Failure::new(error.to_string())
}
