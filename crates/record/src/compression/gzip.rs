//! gzip (RFC 1952). The members' headers and trailers are parsed here, so that one inflate state serves every
//! batch.

use std::io::Write;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::window::{ROOM_BYTES, Window};
use super::{Fault, Progress};

/// The inflate state, once there is one.
#[derive(Default)]
pub(super) struct State(Option<Decompress>);

pub(super) struct Decoder<'s> {
    inflate: &'s mut Decompress,
    input: &'s [u8],
    /// The checksum of the current member, to compare with its trailer; `None` before its header.
    member: Option<Crc>,
}

const FHCRC: u8 = 0x02;
const FEXTRA: u8 = 0x04;
const FNAME: u8 = 0x08;
const FCOMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

impl<'s> Decoder<'s> {
    pub(super) fn new(state: &'s mut State, input: &'s [u8]) -> Decoder<'s> {
        Decoder { inflate: state.0.get_or_insert_with(|| Decompress::new(false)), input, member: None }
    }

    pub(super) fn fill(&mut self, window: &mut Window) -> Result<Progress, Fault> {
        let crc = match &mut self.member {
            Some(crc) => crc,
            None => {
                self.input = after_header(self.input).ok_or(Fault::Malformed)?;
                self.inflate.reset(false);
                self.member.insert(Crc::new())
            }
        };
        let room = window.room(ROOM_BYTES);
        let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status =
            self.inflate.decompress(self.input, room, FlushDecompress::None).map_err(|_| Fault::Malformed)?;
        let used = (self.inflate.total_in() - in_before) as usize;
        let produced = (self.inflate.total_out() - out_before) as usize;
        crc.update(&room[..produced]);
        window.filled(produced);
        self.input = &self.input[used..];
        match status {
            Status::StreamEnd => self.end_member(),
            // No input, no output, and space for both: the input ends too early.
            _ if used == 0 && produced == 0 => Err(Fault::Malformed),
            _ => Ok(Progress::More),
        }
    }

    fn end_member(&mut self) -> Result<Progress, Fault> {
        let crc = self.member.take().expect("a member ends that began");
        let (trailer, rest) = self.input.split_first_chunk::<8>().ok_or(Fault::Malformed)?;
        let expected = u64::from(crc.sum()) | u64::from(crc.amount()) << 32;
        if u64::from_le_bytes(*trailer) != expected {
            return Err(Fault::Malformed);
        }
        self.input = rest;
        // Members may follow one another; all of them are the stream.
        Ok(if rest.is_empty() { Progress::Ended } else { Progress::More })
    }
}

/// The bytes after the header of the member at the front of `input`.
fn after_header(input: &[u8]) -> Option<&[u8]> {
    let (&[id1, id2, method, flags, ..], mut rest) = input.split_first_chunk::<10>()?;
    if (id1, id2, method) != (0x1f, 0x8b, 8) || flags & RESERVED != 0 {
        return None;
    }
    if flags & FEXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for _ in 0..(flags & (FNAME | FCOMMENT)).count_ones() {
        let end = rest.iter().position(|&byte| byte == 0)?;
        rest = &rest[end + 1..];
    }
    if flags & FHCRC != 0 {
        let (stored, after) = rest.split_first_chunk::<2>()?;
        let mut crc = Crc::new();
        crc.update(&input[..input.len() - rest.len()]);
        if crc.sum() as u16 != u16::from_le_bytes(*stored) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

pub(super) fn compress(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) {
    let level = level.and_then(|level| u32::try_from(level).ok()).map(flate2::Compression::new);
    let mut encoder = flate2::write::GzEncoder::new(out, level.unwrap_or_default());
    let written = encoder.write_all(input).and_then(|()| encoder.finish());
    written.expect("writing to memory does not fail");
}
