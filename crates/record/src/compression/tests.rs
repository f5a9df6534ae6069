//! Each codec: the input that it must read or reject, and that it stops at its limit.

mod bombs;
mod gzip;
mod lz4;
mod snappy;
mod zstd;

use super::*;

const CODECS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
const LIMIT_BYTES: usize = 4 << 20;

/// Text that is somewhat compressible.
fn text(random: &mut fastrand::Rng, bytes: usize) -> Vec<u8> {
    let words = [&b"partition "[..], b"offset ", b"leader ", b"epoch ", b"segment ", b"batch "];
    let mut text = Vec::with_capacity(bytes + 10);
    while text.len() < bytes {
        text.extend_from_slice(words[random.usize(..words.len())]);
        text.push(random.u8(..));
    }
    text.truncate(bytes);
    text
}

fn compressed(codec: Compression, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressor::from(codec).compress(input, &mut out);
    out
}

#[track_caller]
fn reads(codec: Compression, input: &[u8], expected: &[u8]) {
    let mut scratch = Scratch::new();
    let read = scratch.decompress(codec, input, LIMIT_BYTES).unwrap();
    assert!(read == expected, "{} bytes came out and {} should have", read.len(), expected.len());
}

#[track_caller]
fn refuses(codec: Compression, input: &[u8]) {
    let refused = Scratch::new().decompress(codec, input, LIMIT_BYTES).map(<[u8]>::len);
    assert_eq!(refused, Err(DecompressError::Malformed(codec)));
}

/// Checks that a frame is rejected because of the size that it announces.
#[track_caller]
fn refuses_as_too_large(codec: Compression, input: &[u8]) {
    let refused = Scratch::new().decompress(codec, input, LIMIT_BYTES).map(<[u8]>::len);
    assert_eq!(refused, Err(DecompressError::TooLarge { max_bytes: LIMIT_BYTES }));
}

#[test]
fn every_size_comes_back() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut scratch = Scratch::new();
    let edges = [15, 16, 17].map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]).concat();
    for bytes in (0..70).chain(edges).chain([300_000, 1 << 20]) {
        for input in [text(&mut random, bytes), vec![7; bytes], (0..bytes).map(|_| random.u8(..)).collect()] {
            for codec in CODECS {
                let compressed = compressed(codec, &input);
                assert!(scratch.decompress(codec, &compressed, bytes).unwrap() == input, "{codec:?} {bytes}");
                if bytes > 0 {
                    let below = scratch.decompress(codec, &compressed, bytes - 1).map(<[u8]>::len);
                    assert_eq!(below, Err(DecompressError::TooLarge { max_bytes: bytes - 1 }), "{codec:?}");
                }
            }
        }
    }
}

/// One state serves all batches, so a bad one must leave nothing behind.
#[test]
fn a_failure_does_not_disturb_the_next_batch() {
    let mut random = fastrand::Rng::with_seed(6);
    let mut scratch = Scratch::new();
    let input = text(&mut random, 200_000);
    for codec in CODECS {
        let good = compressed(codec, &input);
        for _ in 0..30 {
            let mut bad = good[..random.usize(..good.len())].to_vec();
            if let Some(last) = bad.last_mut() {
                *last ^= 0x55;
            }
            let limit = random.usize(..input.len());
            let _ = scratch.decompress(codec, &bad, limit);
            assert!(scratch.decompress(codec, &good, input.len()).unwrap() == input);
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let input = text(&mut fastrand::Rng::with_seed(7), 70_000);
    let mut scratch = Scratch::new();
    for codec in CODECS {
        let good = compressed(codec, &input);
        let near_the_ends = (0..400).chain(good.len() - 400..good.len());
        for cut in near_the_ends.chain((400..good.len() - 400).step_by(97)) {
            let result = scratch.decompress(codec, &good[..cut], LIMIT_BYTES).map(<[u8]>::len);
            match result {
                // The framing of Snappy has no end: it may be truncated between two blocks, and the records
                // are too few.
                Ok(bytes) => assert!(codec == Compression::Snappy && bytes < input.len(), "{codec:?} {cut}"),
                Err(error) => assert_eq!(error, DecompressError::Malformed(codec)),
            }
        }
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for codec in CODECS {
        for more in [&b"\0"[..], b"\0\0\0\0", b"\xff\xff\xff\xff\xff", b"more"] {
            refuses(codec, &[compressed(codec, b"some input"), more.to_vec()].concat());
        }
    }
}

#[test]
fn random_damage_is_refused_or_gives_something_within_the_limit() {
    let mut random = fastrand::Rng::with_seed(8);
    let input = text(&mut random, 3000);
    let mut scratch = Scratch::new();
    for codec in CODECS {
        let good = compressed(codec, &input);
        for _ in 0..5000 {
            let mut bad = good.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bad.len());
                bad[at] = random.u8(..);
            }
            if let Ok(read) = scratch.decompress(codec, &bad, 5000) {
                assert!(read.len() <= 5000);
            }
        }
    }
}
