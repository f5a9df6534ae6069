//! The CPU cost of a batch to the broker: checksum and walk, by the size of the records and by codec.
//!
//! `cargo bench -p record` prints a line each; a word after `--` picks the lines that contain it. Each figure
//! is the fastest of many short runs, which other work on the machine disturbed least.

#![allow(clippy::disallowed_methods)] // A bench times itself; the crate has no clock.
#![allow(clippy::print_stdout)] // Its lines are its result.

use std::hint::black_box;
use std::time::Instant;

use record::{Batch, BatchBuilder, Compression, ProduceRules, Scratch, TimestampType, validate};

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let wanted = |name: &str| name.contains(&wanted);
    for size in [100, 1_000, 16_384, 1 << 20] {
        let bytes = vec![7; size];
        let name = format!("crc32c of {size} bytes");
        if wanted(&name) {
            let batch = batch_of(Compression::None, size, 1);
            let batch = Batch::parse(&batch).expect("what was built parses");
            let seconds = fastest(|| batch.verify_crc().is_ok());
            let gb = batch.bytes().len() as f64 / seconds / 1e9;
            println!("{name:44} {:9.1} ns {gb:9.1} GB/s", seconds * 1e9);
        }
        black_box(bytes);
    }
    for compression in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        for value_bytes in [10, 100, 1_000, 10_000] {
            let count = (1_000_000 / (value_bytes + 10)).min(20_000);
            validation(&wanted, compression, value_bytes, count);
        }
        validation(&wanted, compression, 100, 1);
        validation(&wanted, compression, 100, 140);
    }
    let name = "set the append time in a batch of 1000000";
    if wanted(name) {
        let batch = batch_of(Compression::None, 1_000_000, 1);
        let mut scratch = Scratch::new();
        let rules = rules(TimestampType::CreateTime);
        let plain = fastest(|| validate::produce(&batch, &rules, &mut scratch).is_ok());
        let rules = self::rules(TimestampType::LogAppendTime);
        let stamped = fastest(|| validate::produce(&batch, &rules, &mut scratch).is_ok());
        println!("{name:44} {:9.1} ns more than leaving it", (stamped - plain) * 1e9);
    }
}

/// Validates a batch of `count` records again and again.
fn validation(wanted: &dyn Fn(&str) -> bool, compression: Compression, value_bytes: usize, count: usize) {
    let name = format!("validate {} {count} x {value_bytes} bytes", compression.name());
    if !wanted(&name) {
        return;
    }
    let batch = batch_of(compression, value_bytes, count);
    let mut scratch = Scratch::new();
    let rules = rules(TimestampType::CreateTime);
    let seconds = fastest(|| validate::produce(&batch, &rules, &mut scratch).is_ok());
    let ns = seconds * 1e9 / count as f64;
    println!("{name:44} {ns:9.2} ns/record {:9.2} us/batch {:9} bytes", seconds * 1e6, batch.len());
}

fn batch_of(compression: Compression, value_bytes: usize, count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    let mut builder = BatchBuilder::new(compression);
    // Half random, half constant: compresses to about a half, as text does.
    let mut value: Vec<u8> = vec![b'x'; value_bytes];
    for i in 0..count {
        value[..value_bytes / 2].iter_mut().for_each(|byte| *byte = random.alphanumeric() as u8);
        builder.push(1_700_000_000_000 + i as i64 / 100, None, Some(&value), &[]);
    }
    builder.build()
}

fn rules(timestamp_type: TimestampType) -> ProduceRules {
    ProduceRules {
        request_version: 9,
        now_ms: 1_700_000_000_000,
        max_message_bytes: 16 << 20,
        max_decompressed_bytes: 64 << 20,
        max_record_bytes: usize::MAX,
        compacted: false,
        timestamp_type,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
    }
}

/// Seconds that one call takes at its fastest.
fn fastest(mut call: impl FnMut() -> bool) -> f64 {
    let once = Instant::now();
    assert!(black_box(call()), "what is timed succeeds");
    let calls = (0.002 / once.elapsed().as_secs_f64().max(1e-8)).ceil().clamp(1.0, 1e6) as u32;
    let mut best = f64::MAX;
    for _ in 0..60 {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    best
}
