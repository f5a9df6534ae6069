use super::*;

const HEADER: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

fn bare(input: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(input).unwrap()
}

/// The Java library's framing of blocks as they are.
fn framed(blocks: &[&[u8]]) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    for block in blocks {
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend_from_slice(block);
    }
    out
}

#[test]
fn a_bare_block_is_read() {
    let input = text(&mut fastrand::Rng::with_seed(9), 200_000);
    reads(Compression::Snappy, &bare(&input), &input);
    reads(Compression::Snappy, &bare(b""), b"");
}

#[test]
fn framed_blocks_of_any_size_are_read() {
    reads(Compression::Snappy, &framed(&[]), b"");
    reads(Compression::Snappy, &framed(&[&bare(b"")]), b"");
    let input = text(&mut fastrand::Rng::with_seed(9), 100_000);
    let parts: Vec<Vec<u8>> = input.chunks(7001).map(bare).collect();
    let blocks: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    reads(Compression::Snappy, &framed(&blocks), &input);
}

#[test]
fn what_is_written_has_the_java_librarys_framing() {
    let written = compressed(Compression::Snappy, &[1; 40_000]);
    assert_eq!(written[..16], HEADER[..]);
    let first_bytes = u32::from_be_bytes([written[16], written[17], written[18], written[19]]) as usize;
    assert_eq!(snap::raw::decompress_len(&written[20..20 + first_bytes]), Ok(32 << 10));
}

#[test]
fn framing_that_lies_is_refused() {
    let block = bare(b"some text");
    let good = framed(&[&block, &block]);
    for length in [0xffff_ffff_u32, 0x8000_0000, 0x7fff_ffff, block.len() as u32 - 1, block.len() as u32 + 1]
    {
        let mut bad = good.clone();
        bad[16..20].copy_from_slice(&length.to_be_bytes());
        refuses(Compression::Snappy, &bad);
    }
    refuses(Compression::Snappy, &good[..10]);
    refuses(Compression::Snappy, &good[..18]);
    refuses(Compression::Snappy, &[&good[..], &good[..]].concat());
}

#[test]
fn blocks_that_lie_are_refused() {
    // A length far above the most to which so few bytes can decompress.
    refuses(Compression::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'x']);
    refuses(Compression::Snappy, &framed(&[&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'x']]));
    refuses(Compression::Snappy, &[0xff; 20]);
    // One more and one less than there is.
    let mut bad = bare(b"some text");
    for length in [8, 10] {
        bad[0] = length;
        refuses(Compression::Snappy, &bad);
    }
}
