//! The memory of an idle log.

#![allow(unsafe_code)] // An allocator is unsafe to write; this one counts and passes on.
#![allow(clippy::disallowed_methods, reason = "the files are behind the seam, their directory is not")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use record::{Batch, BatchBuilder, Compression, ValidBatch};
use storage::fs::Fs;
use storage::{Log, LogConfig, LogDirectory, OpenDirectory, OpenLog, Origin, TopicPartition};

/// Counts the bytes that this thread has allocated and not freed.
struct CountingAllocator;

thread_local! {
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: every call is the system allocator's, unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.set(BYTES.get() + layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size() as i64);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const LOGS: i32 = 500;
/// Half of what a whole partition may take, with what the broker and the metadata know of it.
const MADE_BYTES_MAX: i64 = 800;
/// With one producer and its snapshot.
const OPENED_BYTES_MAX: i64 = 1120;

fn open(path: &Path) -> LogDirectory {
    // Few open files, so that they do not count.
    let open = OpenDirectory { fs: Fs::real(), path: path.to_owned(), open_files_max: 16 };
    LogDirectory::open(open).expect("a directory")
}

fn open_logs(directory: &LogDirectory) -> Vec<Log> {
    let mut logs = Vec::with_capacity(LOGS as usize);
    let config = Arc::new(LogConfig::default());
    for partition in 0..LOGS {
        let open = OpenLog {
            partition: TopicPartition { topic: "topic".to_owned(), partition },
            topic_id: Some([7; 16]),
            config: config.clone(),
            now_ms: 1,
            jitter_seed: 0,
            accept_damage: false,
        };
        let (mut log, _) = Log::open(directory, open).expect("a log");
        log.assign_epoch(0);
        log.set_flush_listener(Box::new(|_| {}));
        logs.push(log);
    }
    logs
}

/// Bytes for each log that `make` leaves allocated.
fn bytes_each<T>(make: impl FnOnce() -> T) -> (i64, T) {
    let before = BYTES.get();
    let made = make();
    ((BYTES.get() - before) / i64::from(LOGS), made)
}

#[test]
fn an_idle_log_is_small() {
    // What is in memory needs no disk to be synced to.
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let path = parent.join(format!("milena-memory-{}", std::process::id()));
    let directory = open(&path);
    let (made, mut logs) = bytes_each(|| open_logs(&directory));
    let mut builder = BatchBuilder::new(Compression::None).producer(1, 0, 0);
    builder.push(1, None, Some(b"value"), &[]);
    let bytes = builder.build();
    for log in &mut logs {
        let valid = ValidBatch::trusted(&Batch::parse(&bytes).expect("a batch"));
        log.append_as_leader(&bytes, &valid, 0, Origin::Client, 1).expect("it appends");
    }
    logs.into_iter().for_each(|log| log.close().expect("it closes"));
    assert!(directory.close(-1).expect("it closes"));
    let directory = open(&path);
    let (opened, logs) = bytes_each(|| open_logs(&directory));
    drop(logs);
    drop(directory);
    std::fs::remove_dir_all(&path).expect("it is ours");
    assert!(made <= MADE_BYTES_MAX, "a new log takes {made} bytes");
    assert!(opened <= OPENED_BYTES_MAX, "a log with a batch, opened again, takes {opened} bytes");
}
