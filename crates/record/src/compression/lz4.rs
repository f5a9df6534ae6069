//! The part of the LZ4 frame format that Kafka reads (`Lz4BlockInputStream`): one frame, version 1,
//! independent blocks, no dictionary. Unlike Kafka, this also verifies the content checksum and the content
//! size, as librdkafka does when it consumes.

use std::hash::Hasher;

use twox_hash::XxHash32;

use super::window::Window;
use super::{Fault, Progress};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
const INDEPENDENT_BLOCKS: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
/// Version 1 without the optional parts.
const PLAIN: u8 = 0x60;
const BLOCK_64_KIB: u8 = 0x40;
const BLOCK_64_KIB_BYTES: usize = 64 << 10;
/// Flag in a block's length: the block is stored uncompressed.
const STORED: u32 = 1 << 31;
/// The most bytes to which one byte of a block can decompress.
const RATIO_MAX: usize = 256;

pub(super) struct Decoder<'s> {
    input: &'s [u8],
    frame: Option<Frame>,
    verifies_descriptor: bool,
}

/// The frame's descriptor, with the values to compare at its end.
struct Frame {
    flags: u8,
    block_bytes_max: usize,
    content_size: u64,
    decoded_bytes: u64,
    content_hash: XxHash32,
}

impl<'s> Decoder<'s> {
    pub(super) fn new(input: &'s [u8]) -> Decoder<'s> {
        Decoder { input, frame: None, verifies_descriptor: true }
    }

    /// Sets whether the checksum of the frame's descriptor is verified.
    pub(super) fn verify_descriptor(&mut self, verify: bool) {
        self.verifies_descriptor = verify;
    }

    /// Decodes the next block. Rejects a frame that announces more than `left_bytes` before it starts.
    pub(super) fn fill(&mut self, window: &mut Window, left_bytes: usize) -> Result<Progress, Fault> {
        let Some(frame) = &mut self.frame else {
            let (frame, rest) =
                read_descriptor(self.input, self.verifies_descriptor).ok_or(Fault::Malformed)?;
            if frame.content_size > left_bytes as u64 {
                return Err(Fault::TooLarge);
            }
            self.frame = Some(frame);
            self.input = rest;
            return Ok(Progress::More);
        };
        let (length, rest) = self.input.split_first_chunk::<4>().ok_or(Fault::Malformed)?;
        let length = u32::from_le_bytes(*length);
        let (stored, block_bytes) = (length & STORED != 0, (length & !STORED) as usize);
        if block_bytes == 0 {
            return frame.end(rest);
        }
        if block_bytes > frame.block_bytes_max {
            return Err(Fault::Malformed);
        }
        let (block, mut rest) = rest.split_at_checked(block_bytes).ok_or(Fault::Malformed)?;
        if frame.flags & BLOCK_CHECKSUM != 0 {
            let (checksum, after) = rest.split_first_chunk::<4>().ok_or(Fault::Malformed)?;
            if XxHash32::oneshot(0, block) != u32::from_le_bytes(*checksum) {
                return Err(Fault::Malformed);
            }
            rest = after;
        }
        frame.decode(block, stored, window)?;
        self.input = rest;
        Ok(Progress::More)
    }
}

impl Frame {
    fn decode(&mut self, block: &[u8], stored: bool, window: &mut Window) -> Result<(), Fault> {
        let decoded = if stored {
            window.room(block.len())[..block.len()].copy_from_slice(block);
            block.len()
        } else {
            let most = self.block_bytes_max.min(block.len().saturating_mul(RATIO_MAX));
            let room = &mut window.room(most)[..most];
            lz4_flex::block::decompress_into(block, room).map_err(|_| Fault::Malformed)?
        };
        window.filled(decoded);
        self.decoded_bytes += decoded as u64;
        if self.flags & CONTENT_CHECKSUM != 0 {
            let all = window.unread();
            self.content_hash.write(&all[all.len() - decoded..]);
        }
        Ok(())
    }

    /// Checks the bytes after the end mark.
    fn end(&self, mut rest: &[u8]) -> Result<Progress, Fault> {
        if self.flags & CONTENT_CHECKSUM != 0 {
            let (checksum, after) = rest.split_first_chunk::<4>().ok_or(Fault::Malformed)?;
            if self.content_hash.finish() != u64::from(u32::from_le_bytes(*checksum)) {
                return Err(Fault::Malformed);
            }
            rest = after;
        }
        let size_fits = self.flags & CONTENT_SIZE == 0 || self.content_size == self.decoded_bytes;
        if size_fits && rest.is_empty() { Ok(Progress::Ended) } else { Err(Fault::Malformed) }
    }
}

/// Parses the descriptor of the frame at the front of `input`; returns it with the bytes after it.
fn read_descriptor(input: &[u8], verify: bool) -> Option<(Frame, &[u8])> {
    let descriptor = input.strip_prefix(&MAGIC)?;
    let (&[flags, block_descriptor], mut rest) = descriptor.split_first_chunk::<2>()?;
    let known = INDEPENDENT_BLOCKS | BLOCK_CHECKSUM | CONTENT_SIZE | CONTENT_CHECKSUM;
    if flags & !known != PLAIN & !known || flags & INDEPENDENT_BLOCKS == 0 {
        return None;
    }
    let block_bytes_max = match block_descriptor {
        0x40 => BLOCK_64_KIB_BYTES,
        0x50 => 256 << 10,
        0x60 => 1 << 20,
        0x70 => 4 << 20,
        _ => return None,
    };
    let mut content_size = 0;
    if flags & CONTENT_SIZE != 0 {
        let (size, after) = rest.split_first_chunk::<8>()?;
        content_size = u64::from_le_bytes(*size);
        rest = after;
    }
    let (&checksum, rest_after) = rest.split_first()?;
    if verify && checksum != descriptor_checksum(&descriptor[..descriptor.len() - rest.len()]) {
        return None;
    }
    let content_hash = XxHash32::with_seed(0);
    Some((Frame { flags, block_bytes_max, content_size, decoded_bytes: 0, content_hash }, rest_after))
}

fn descriptor_checksum(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    let descriptor = [PLAIN, BLOCK_64_KIB];
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&descriptor);
    out.push(descriptor_checksum(&descriptor));
    for block in input.chunks(BLOCK_64_KIB_BYTES) {
        let length_at = out.len();
        let block_at = length_at + 4;
        out.resize(block_at + lz4_flex::block::get_maximum_output_size(block.len()), 0);
        let compressed = lz4_flex::block::compress_into(block, &mut out[block_at..]);
        let mut length = compressed.expect("there is room for the worst case") as u32;
        if length as usize >= block.len() {
            length = block.len() as u32 | STORED;
            out[block_at..block_at + block.len()].copy_from_slice(block);
        }
        out.truncate(block_at + (length & !STORED) as usize);
        out[length_at..block_at].copy_from_slice(&length.to_le_bytes());
    }
    out.extend_from_slice(&0_u32.to_le_bytes());
}
