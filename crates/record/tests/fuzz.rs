//! The functions of the fuzz targets over a bounded number of inputs: good batches, spoilt at random.

#[allow(unreachable_pub)] // It is a crate of its own for the fuzzer.
#[path = "../fuzz/src/lib.rs"]
mod entry;

use fastrand::Rng;
use record::{BatchBuilder, Compression, Header};

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A good batch.
fn seed(random: &mut Rng) -> Vec<u8> {
    let codec = CODECS[random.usize(..CODECS.len())];
    let mut builder = BatchBuilder::new(codec);
    if random.bool() {
        builder = builder.producer(random.i64(0..), random.i16(0..), random.i32(0..));
    }
    for i in 0..random.i64(1..12) {
        let value = vec![random.u8(..); random.usize(0..40)];
        let headers = [Header { key: b"h", value: None }, Header { key: b"", value: Some(b"v") }];
        let headers = &headers[..random.usize(0..=2)];
        builder.push(999_900 + i, random.bool().then_some(b"key"), random.bool().then_some(&value), headers);
    }
    builder.build()
}

/// Changes a few bytes, or cuts some out, or doubles some.
fn spoil(random: &mut Rng, input: &mut Vec<u8>) {
    for _ in 0..random.usize(0..4) {
        if input.is_empty() {
            return;
        }
        let at = random.usize(..input.len());
        let end = (at + random.usize(1..9)).min(input.len());
        match random.u8(..8) {
            0 => drop(input.drain(at..end)),
            1 => {
                let more = input[at..end].to_vec();
                input.splice(at..at, more);
            }
            2 => input[at] = random.u8(..),
            3 => input[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.usize(..6)],
            4 => input[at] = input[at].wrapping_add(random.u8(1..4)),
            _ => input[at] ^= 1 << random.u8(..8),
        }
    }
}

#[test]
fn bytes_as_they_come() {
    let mut random = Rng::with_seed(21);
    for _ in 0..10_000 {
        let mut input = seed(&mut random);
        if random.bool() {
            input.extend(seed(&mut random));
        }
        spoil(&mut random, &mut input);
        entry::bytes(&input);
    }
    for _ in 0..10_000 {
        let noise: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
        entry::bytes(&noise);
    }
}

#[test]
fn batches_with_a_right_checksum() {
    let mut random = Rng::with_seed(22);
    for _ in 0..15_000 {
        let mut input = seed(&mut random);
        spoil(&mut random, &mut input);
        input.insert(0, random.u8(..));
        entry::sealed(&input);
    }
}

#[test]
fn bodies_behind_a_good_header() {
    let mut random = Rng::with_seed(23);
    for _ in 0..15_000 {
        let good = seed(&mut random);
        let shape = (good[60] - 1) << 3 | good[22];
        let mut input = good[60..].to_vec();
        spoil(&mut random, &mut input);
        if let Some(first) = input.first_mut() {
            *first = shape;
        }
        entry::stream(&input);
    }
}
