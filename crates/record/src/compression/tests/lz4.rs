use std::hash::Hasher;

use twox_hash::XxHash32;

use super::*;

const PLAIN: u8 = 0x60;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;

/// A frame, made part by part.
struct Frame(Vec<u8>);

impl Frame {
    fn new(flags: u8, block_descriptor: u8, content_size: Option<u64>) -> Frame {
        let mut descriptor = vec![flags, block_descriptor];
        descriptor.extend(content_size.iter().flat_map(|size| size.to_le_bytes()));
        let checksum = (XxHash32::oneshot(0, &descriptor) >> 8) as u8;
        Frame([&[0x04, 0x22, 0x4d, 0x18], &descriptor[..], &[checksum]].concat())
    }

    fn block(mut self, input: &[u8]) -> Frame {
        let block = lz4_flex::block::compress(input);
        self.0.extend((block.len() as u32).to_le_bytes());
        self.0.extend(block);
        self
    }

    fn stored(mut self, input: &[u8]) -> Frame {
        self.0.extend((input.len() as u32 | 1 << 31).to_le_bytes());
        self.0.extend(input);
        self
    }

    fn word(mut self, word: u32) -> Frame {
        self.0.extend(word.to_le_bytes());
        self
    }

    fn end(self) -> Vec<u8> {
        self.word(0).0
    }
}

fn hash(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

#[test]
fn every_part_that_kafka_reads_is_read() {
    let input = text(&mut fastrand::Rng::with_seed(10), 60_000);
    for block_descriptor in [0x40, 0x50, 0x60, 0x70] {
        let frame = Frame::new(PLAIN, block_descriptor, None);
        reads(
            Compression::Lz4,
            &frame.block(&input).stored(b"and more").end(),
            &[&input[..], b"and more"].concat(),
        );
    }
    reads(Compression::Lz4, &Frame::new(PLAIN, 0x40, None).end(), b"");
    reads(
        Compression::Lz4,
        &Frame::new(PLAIN | CONTENT_SIZE, 0x40, Some(5)).stored(b"12345").end(),
        b"12345",
    );

    let sum = hash(&[&input[..], b"12345"].concat());
    let frame =
        Frame::new(PLAIN | CONTENT_CHECKSUM, 0x40, None).block(&input).stored(b"12345").word(0).word(sum);
    reads(Compression::Lz4, &frame.0, &[&input[..], b"12345"].concat());

    let block = lz4_flex::block::compress(&input);
    let frame = Frame::new(PLAIN | BLOCK_CHECKSUM, 0x40, None).block(&input).word(hash(&block));
    let frame = frame.stored(b"12345").word(hash(b"12345"));
    reads(Compression::Lz4, &frame.end(), &[&input[..], b"12345"].concat());
}

#[test]
fn checksums_and_sizes_that_are_wrong_are_refused() {
    let wrong = hash(b"12345") ^ 1;
    refuses(
        Compression::Lz4,
        &Frame::new(PLAIN | CONTENT_CHECKSUM, 0x40, None).stored(b"12345").word(0).word(wrong).0,
    );
    refuses(Compression::Lz4, &Frame::new(PLAIN | CONTENT_CHECKSUM, 0x40, None).stored(b"12345").end());
    refuses(
        Compression::Lz4,
        &Frame::new(PLAIN | BLOCK_CHECKSUM, 0x40, None).stored(b"12345").word(wrong).end(),
    );
    for size in [0, 4, 6] {
        refuses(Compression::Lz4, &Frame::new(PLAIN | CONTENT_SIZE, 0x40, Some(size)).stored(b"12345").end());
    }
    let frame = Frame::new(PLAIN | CONTENT_SIZE, 0x40, Some(u64::MAX)).stored(b"12345").end();
    refuses_as_too_large(Compression::Lz4, &frame);
    let mut frame = Frame::new(PLAIN, 0x40, None).stored(b"12345").end();
    frame[6] ^= 1;
    refuses(Compression::Lz4, &frame);
}

#[test]
fn frames_that_kafka_does_not_read_are_refused() {
    // Linked blocks, a dictionary, the reserved bit, other versions.
    for flags in [0x40, PLAIN | 0x01, PLAIN | 0x02, 0x20, 0xa0, 0xe0] {
        refuses(Compression::Lz4, &Frame::new(flags, 0x40, None).stored(b"12345").end());
    }
    for block_descriptor in [0x00, 0x10, 0x30, 0x80, 0xc0, 0x41, 0x48] {
        refuses(Compression::Lz4, &Frame::new(PLAIN, block_descriptor, None).stored(b"12345").end());
    }
    let mut other_magic = Frame::new(PLAIN, 0x40, None).end();
    other_magic[0] = 0x02;
    refuses(Compression::Lz4, &other_magic);
    // A skippable frame before it.
    let frame = Frame::new(PLAIN, 0x40, None).end();
    refuses(Compression::Lz4, &[&[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], &frame[..]].concat());
}

#[test]
fn a_second_frame_is_refused() {
    let frame = Frame::new(PLAIN, 0x40, None).stored(b"12345").end();
    refuses(Compression::Lz4, &frame.repeat(2));
}

#[test]
fn blocks_that_lie_are_refused() {
    let new = || Frame::new(PLAIN, 0x40, None);
    // Longer than the frame allows: stored, and once it is decompressed.
    refuses(Compression::Lz4, &new().stored(&vec![0; (64 << 10) + 1]).end());
    refuses(Compression::Lz4, &new().block(&vec![0; (64 << 10) + 1]).end());
    reads(Compression::Lz4, &new().block(&vec![0; 64 << 10]).end(), &vec![0; 64 << 10]);
    // Longer than there is, and no block at all.
    refuses(Compression::Lz4, &new().word(100).end());
    refuses(Compression::Lz4, &new().word(0x7fff_ffff).end());
    refuses(Compression::Lz4, &new().word(0xffff_ffff).end());
    // A copy from before the beginning.
    refuses(Compression::Lz4, &[&new().word(4).0[..], &[0x00, 0x05, 0x00, 0x00], &[0; 4]].concat());
    // No end mark.
    refuses(Compression::Lz4, &new().stored(b"12345").0);
}

#[test]
fn the_content_checksum_is_the_same_in_pieces() {
    let mut hasher = XxHash32::with_seed(0);
    hasher.write(b"some ");
    hasher.write(b"text");
    assert_eq!(hasher.finish(), u64::from(hash(b"some text")));
}
