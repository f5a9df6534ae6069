//! Snappy, as Kafka's clients write it: most use the Java library's framing (a magic of eight bytes, two
//! versions, then blocks with their lengths), and librdkafka writes one bare block. Kafka reads both.

use super::window::Window;
use super::{Fault, Progress};

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
/// Magic, version, and the oldest version that can read it.
const FRAME_HEADER_BYTES: usize = 16;
const VERSION: u32 = 1;
/// The block size of the Java library.
const BLOCK_BYTES: usize = 32 << 10;
/// The most bytes to which one byte of a block can decompress: 3 bytes copy 64 at most.
const RATIO_MAX: usize = 22;

pub(super) struct Decoder<'s> {
    input: &'s [u8],
    stage: Stage,
}

enum Stage {
    Begin,
    Framed,
}

impl<'s> Decoder<'s> {
    pub(super) fn new(input: &'s [u8]) -> Decoder<'s> {
        Decoder { input, stage: Stage::Begin }
    }

    /// Decodes the next block, which may decompress to `left_bytes`.
    pub(super) fn fill(&mut self, window: &mut Window, left_bytes: usize) -> Result<Progress, Fault> {
        let block = match self.stage {
            Stage::Begin if self.input.starts_with(MAGIC) => {
                // No reader looks at the versions.
                self.input = self.input.get(FRAME_HEADER_BYTES..).ok_or(Fault::Malformed)?;
                self.stage = Stage::Framed;
                return Ok(self.progress());
            }
            Stage::Begin => std::mem::take(&mut self.input),
            Stage::Framed => {
                let (length, rest) = self.input.split_first_chunk::<4>().ok_or(Fault::Malformed)?;
                let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| Fault::Malformed)?;
                let (block, rest) = rest.split_at_checked(length).ok_or(Fault::Malformed)?;
                self.input = rest;
                block
            }
        };
        decode_block(block, window, left_bytes)?;
        Ok(self.progress())
    }

    fn progress(&self) -> Progress {
        if self.input.is_empty() { Progress::Ended } else { Progress::More }
    }
}

fn decode_block(block: &[u8], window: &mut Window, left_bytes: usize) -> Result<(), Fault> {
    let length = snap::raw::decompress_len(block).map_err(|_| Fault::Malformed)?;
    if length > block.len().saturating_mul(RATIO_MAX) {
        return Err(Fault::Malformed);
    }
    if length > left_bytes {
        return Err(Fault::TooLarge);
    }
    let room = window.room(length);
    let decoded = snap::raw::Decoder::new().decompress(block, room).map_err(|_| Fault::Malformed)?;
    window.filled(decoded);
    Ok(())
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        let block_at = length_at + 4;
        out.resize(block_at + snap::raw::max_compress_len(block.len()), 0);
        let length = encoder.compress(block, &mut out[block_at..]).expect("there is room for the worst case");
        out.truncate(block_at + length);
        out[length_at..block_at].copy_from_slice(&(length as u32).to_be_bytes());
    }
}
