//! Data written straight into the log directory of a stopped broker, with the storage crate.

use std::path::Path;
use std::time::SystemTime;

use protocol::{Bytes, Uuid};
use record::{Batch, BatchBuilder, Compression, ValidBatch};
use storage::fs::Fs;
use storage::{Log, LogConfig, LogDirectory, OpenDirectory, OpenLog, Origin, TopicPartition};

use crate::Attempt;

/// The wall clock in ms since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

/// A batch of `count` records of `size` bytes without keys.
pub(crate) fn batch(count: usize, size: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![b'x'; size];
    let now_ms = now_ms();
    for _ in 0..count {
        builder.push(now_ms, None, Some(&value), &[]);
    }
    Bytes::from(builder.build())
}

/// Writes with `write` to the directory of a stopped broker, and leaves it as a clean stop would.
pub(crate) fn in_directory(path: &Path, write: impl FnOnce(&LogDirectory) -> Attempt<()>) -> Attempt<()> {
    let open = OpenDirectory { fs: Fs::real(), path: path.to_owned(), open_files_max: 256 };
    let directory = LogDirectory::open(open).map_err(|error| error.to_string())?;
    write(&directory)?;
    match directory.close(-1) {
        Ok(true) => Ok(()),
        Ok(false) => Err("the directory was not closed cleanly".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn open_log(
    directory: &LogDirectory,
    topic: &str,
    partition: i32,
    topic_id: Option<Uuid>,
    config: &LogConfig,
) -> Attempt<Log> {
    let open = OpenLog {
        partition: TopicPartition { topic: topic.to_owned(), partition },
        topic_id: topic_id.map(|id| id.0),
        config: config.clone().into(),
        now_ms: now_ms(),
        jitter_seed: 0,
        accept_damage: false,
    };
    Log::open(directory, open).map(|(log, _)| log).map_err(|error| error.to_string())
}

/// Appends a batch a number of times.
pub(crate) fn append(log: &mut Log, batch: &Bytes, times: u64) -> Attempt<()> {
    let valid = ValidBatch::trusted(&Batch::parse(batch).expect("it was built"));
    let now_ms = now_ms();
    for _ in 0..times {
        log.append_as_leader(batch, &valid, 0, Origin::Client, now_ms).map_err(|error| error.to_string())?;
    }
    Ok(())
}
