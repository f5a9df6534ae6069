use ::zstd::zstd_safe::{CCtx, CParameter};

use super::*;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame that asks for a window of 2^`window_log` bytes, with `blocks` blocks of 128 KiB zeros.
pub(super) fn zeros(window_log: u8, blocks: usize) -> Vec<u8> {
    let mut frame = [&MAGIC[..], &[0, (window_log - 10) << 3]].concat();
    for block in 1..=blocks {
        let last = u32::from(block == blocks);
        let header = last | 1 << 1 | (128 << 10) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

fn written(parameters: &[CParameter], input: &[u8]) -> Vec<u8> {
    let mut context = CCtx::create();
    parameters.iter().for_each(|&parameter| assert!(context.set_parameter(parameter).is_ok()));
    let mut out = Vec::with_capacity(input.len() + 1000);
    context.compress2(&mut out, input).unwrap();
    out
}

#[test]
fn frames_with_all_their_options_are_read() {
    let input = text(&mut fastrand::Rng::with_seed(12), 300_000);
    for level in [-5, 1, 3, 19, 22] {
        reads(Compression::Zstd, &written(&[CParameter::CompressionLevel(level)], &input), &input);
    }
    reads(Compression::Zstd, &written(&[CParameter::ChecksumFlag(true)], &input), &input);
    reads(Compression::Zstd, &written(&[CParameter::ContentSizeFlag(false)], &input), &input);
    reads(Compression::Zstd, &zeros(20, 5), &vec![0; 5 * (128 << 10)]);
}

#[test]
fn the_level_is_3_unless_another_is_wanted() {
    let input = text(&mut fastrand::Rng::with_seed(13), 100_000);
    let at = |level| {
        let mut out = Vec::new();
        Compressor { codec: Compression::Zstd, level }.compress(&input, &mut out);
        out
    };
    assert_eq!(at(None), at(Some(3)));
    assert_ne!(at(None), at(Some(1)));
    assert_ne!(at(None), at(Some(-5)));
}

#[test]
fn frames_follow_one_another() {
    let (one, two) = (compressed(Compression::Zstd, b"one, "), compressed(Compression::Zstd, b"two"));
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    reads(Compression::Zstd, &[&one[..], &two].concat(), b"one, two");
    reads(Compression::Zstd, &[&skippable[..], &one, &skippable, &two].concat(), b"one, two");
    refuses(Compression::Zstd, &[&one[..], &two[..two.len() - 1]].concat());
    refuses(Compression::Zstd, &[&one[..], &skippable[..9]].concat());
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut frame = written(&[CParameter::ChecksumFlag(true)], b"some text");
    let last = frame.len() - 1;
    frame[last] ^= 1;
    refuses(Compression::Zstd, &frame);
}

#[test]
fn a_window_above_the_limit_is_refused() {
    reads(Compression::Zstd, &zeros(27, 2), &vec![0; 2 * (128 << 10)]);
    for window_log in [28, 30, 31, 41] {
        refuses(Compression::Zstd, &zeros(window_log, 2));
    }
}

#[test]
fn a_content_size_that_is_wrong_is_refused() {
    // Content size of eight bytes, no single segment, a window of 1 MiB.
    let frame_of = |size: u64| {
        let mut frame = zeros(20, 1);
        frame[4] = 0xc0;
        frame.splice(6..6, size.to_le_bytes());
        frame
    };
    for size in [0_u64, 1, (128 << 10) - 1, (128 << 10) + 1] {
        refuses(Compression::Zstd, &frame_of(size));
    }
    refuses_as_too_large(Compression::Zstd, &frame_of(1 << 62));
}

#[test]
fn a_dictionary_is_refused() {
    let mut frame = zeros(20, 1);
    frame[4] = 0x01;
    frame.insert(6, 77);
    refuses(Compression::Zstd, &frame);
}
