//! A few bytes that decompress to many.

use super::*;

/// The limit of these tests.
const MAX_BYTES: usize = 1 << 20;

fn stops(codec: Compression, input: &[u8], ratio_at_least: usize, bytes: usize) {
    assert!(bytes / input.len() >= ratio_at_least, "{codec:?}: {} to 1", bytes / input.len());
    let mut scratch = Scratch::new();
    let refused = scratch.decompress(codec, input, MAX_BYTES).map(<[u8]>::len);
    assert_eq!(refused, Err(DecompressError::TooLarge { max_bytes: MAX_BYTES }));
    // A block beyond the limit, and twice the room for growing.
    let window_bytes = scratch.window.capacity();
    assert!(window_bytes <= 4 * MAX_BYTES, "{codec:?}: {window_bytes} bytes were taken");
    // The memory is freed again.
    scratch.decompress(codec, &compressed(codec, b"text"), MAX_BYTES).unwrap();
    assert!(scratch.window.capacity() <= MAX_BYTES);
}

/// Checks that a stream that is used as it comes is decompressed up to its limit and one step beyond, in a
/// buffer of one step.
fn stops_as_it_streams(codec: Compression, input: &[u8], step_bytes: usize) {
    let mut scratch = Scratch::new();
    let mut stream = scratch.open(codec, input, MAX_BYTES);
    let mut used_bytes = 0;
    let refused = loop {
        match stream.fill() {
            Ok(progress) => assert_eq!(progress, Progress::More),
            Err(error) => break error,
        }
        used_bytes += stream.window.unread().len();
        stream.window.consume(stream.window.unread().len());
    };
    assert_eq!(refused, DecompressError::TooLarge { max_bytes: MAX_BYTES });
    let produced_bytes = used_bytes + stream.window.unread().len();
    assert!(produced_bytes <= MAX_BYTES + step_bytes, "{codec:?}: {produced_bytes} bytes");
    let window_bytes = scratch.window.capacity();
    assert!(window_bytes <= step_bytes.max(128 << 10), "{codec:?}: a window of {window_bytes} bytes");
}

#[test]
fn no_more_is_decompressed_than_the_limit_and_a_step() {
    let zeros = vec![0; 16 << 20];
    for codec in CODECS {
        stops_as_it_streams(codec, &compressed(codec, &zeros), 128 << 10);
    }
    // A bare block and a frame that announce their size are rejected before they start.
    let announced = zstd_of_known_size(&zeros);
    for (codec, input) in [
        (Compression::Snappy, snap::raw::Encoder::new().compress_vec(&zeros).unwrap()),
        (Compression::Zstd, announced),
    ] {
        let mut scratch = Scratch::new();
        let refused = scratch.open(codec, &input, MAX_BYTES).fill().unwrap_err();
        assert_eq!(refused, DecompressError::TooLarge { max_bytes: MAX_BYTES });
        assert_eq!(scratch.window.capacity(), 0, "{codec:?}");
    }
}

fn zstd_of_known_size(input: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(input, 3).unwrap()
}

#[test]
fn a_large_window_of_zstd_is_given_back() {
    let mut scratch = Scratch::new();
    let frame = super::zstd::zeros(27, 200);
    let mut stream = scratch.open(Compression::Zstd, &frame, 32 << 20);
    while stream.fill().unwrap() == Progress::More {
        stream.window.consume(stream.window.unread().len());
    }
    assert!(scratch.zstd.context_bytes() > 100 << 20);
    scratch.trim();
    assert_eq!(scratch.zstd.context_bytes(), 0);
    // That of an ordinary batch stays for the next one.
    scratch.decompress(Compression::Zstd, &compressed(Compression::Zstd, b"text"), MAX_BYTES).unwrap();
    scratch.trim();
    assert!(scratch.zstd.context_bytes() > 0);
}

#[test]
fn each_codec_at_its_greatest_ratio() {
    const BYTES: usize = 16 << 20;
    let zeros = vec![0; BYTES];
    stops(Compression::Gzip, &compressed(Compression::Gzip, &zeros), 1000, BYTES);
    stops(Compression::Snappy, &compressed(Compression::Snappy, &zeros), 20, BYTES);
    stops(Compression::Snappy, &snap::raw::Encoder::new().compress_vec(&zeros).unwrap(), 20, BYTES);
    stops(Compression::Lz4, &compressed(Compression::Lz4, &zeros), 240, BYTES);
    stops(Compression::Zstd, &compressed(Compression::Zstd, &zeros), 20_000, BYTES);
}

#[test]
fn one_to_a_million() {
    // The largest that a format allows: 128 KiB from 4 bytes, 4 GiB of them, after a window of 128 MiB; and
    // gzip members without end.
    stops(Compression::Zstd, &super::zstd::zeros(27, 32_768), 32_000, 32_768 * (128 << 10));
    let member = compressed(Compression::Gzip, &vec![0; 1 << 20]);
    stops(Compression::Gzip, &member.repeat(1000), 900, 1000 << 20);
    // A bomb in a bomb: the output is records, and is not decompressed again.
    let nested = compressed(Compression::Gzip, &compressed(Compression::Gzip, &vec![0; 64 << 20]));
    assert!((64 << 20) / nested.len() > 100_000);
    assert!(Scratch::new().decompress(Compression::Gzip, &nested, MAX_BYTES).unwrap().len() < 100_000);
}

#[test]
fn nothing_from_many_bytes_ends() {
    // Empty blocks, members, frames: as many steps as there are bytes, and no output.
    let mut scratch = Scratch::new();
    let empty_member = compressed(Compression::Gzip, b"").repeat(20_000);
    assert_eq!(scratch.decompress(Compression::Gzip, &empty_member, 0).unwrap(), b"");
    let empty_frame = compressed(Compression::Zstd, b"").repeat(20_000);
    assert_eq!(scratch.decompress(Compression::Zstd, &empty_frame, 0).unwrap(), b"");
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(20_000);
    assert_eq!(scratch.decompress(Compression::Zstd, &skippable, 0).unwrap(), b"");
    let empty_blocks = [&compressed(Compression::Snappy, b"")[..], &[0, 0, 0, 1, 0].repeat(20_000)].concat();
    assert_eq!(scratch.decompress(Compression::Snappy, &empty_blocks, 0).unwrap(), b"");
    let frame = compressed(Compression::Lz4, b"");
    let empty_blocks = [&frame[..7], &[1, 0, 0, 0, 0].repeat(20_000), &[0; 4]].concat();
    assert_eq!(scratch.decompress(Compression::Lz4, &empty_blocks, 0).unwrap(), b"");
}

/// A frame that announces blocks of 4 MiB has not sent them yet.
#[test]
fn what_a_frame_announces_is_not_reserved() {
    let text = [b't'; 30];
    let plain = compressed(Compression::Lz4, &text);
    assert_eq!(plain[10] & 0x80, 0, "the block is compressed");
    let mut announced = plain[..4].to_vec();
    announced.extend([0x60, 0x70]);
    announced.push((twox_hash::XxHash32::oneshot(0, &[0x60, 0x70]) >> 8) as u8);
    announced.extend(&plain[7..]);
    let mut scratch = Scratch::new();
    assert_eq!(scratch.decompress(Compression::Lz4, &announced, 30).unwrap(), text);
    assert!(scratch.window.capacity() < 1 << 20);
}

/// The announced size of a block is not reserved if so few bytes cannot decompress to it.
#[test]
fn what_a_block_announces_is_not_reserved() {
    let mut block = vec![0; 40_000];
    block[..4].copy_from_slice(&[0x80, 0x80, 0x80, 0x01]);
    let mut scratch = Scratch::new();
    let refused = scratch.decompress(Compression::Snappy, &block, LIMIT_BYTES).map(<[u8]>::len);
    assert_eq!(refused, Err(DecompressError::Malformed(Compression::Snappy)));
    assert_eq!(scratch.window.capacity(), 0);
}
