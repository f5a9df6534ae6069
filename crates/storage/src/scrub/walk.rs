//! Going along the batches of a segment, and past what is damaged.

use crc_fast::CrcAlgorithm;
use record::{BATCH_OVERHEAD, Batch, BatchError, BatchHeader};

use super::gap::has_holes;
use super::{FAULTS_MAX, Fault, FaultReason, ScrubError, ScrubTarget, unreadable};
use crate::fs::{self, File};
use crate::names::SegmentFile;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// The first byte of a batch that its checksum covers: that of the attributes.
const CRC_COVERS_FROM: u32 = 21;

/// The same of a message of magic 0 and 1: the magic.
const CRC_COVERS_FROM_LEGACY: u32 = 16;

/// A segment that is being read.
pub(super) struct Walk<'a, S> {
    file: &'a File,
    segment: &'a ScrubTarget,
    /// Called before bytes are read, with their number.
    spend: &'a mut S,
    /// The end of the segment.
    end: u32,
    /// Bytes of the file from `buffer_position` on.
    buffer: Vec<u8>,
    buffer_position: u32,
    next_offset: i64,
    pub(super) read_bytes: u64,
    /// Whether offsets are missing between batches, or in one: the segment has been compacted.
    pub(super) has_holes: bool,
    pub(super) faults: Vec<Fault>,
}

/// Why a batch was not read.
enum WalkError {
    /// The file cannot be read.
    Fs(fs::Error),
    /// The caller has ended the scrub.
    Scrub(ScrubError),
}

impl From<fs::Error> for WalkError {
    fn from(error: fs::Error) -> Self {
        WalkError::Fs(error)
    }
}

impl From<ScrubError> for WalkError {
    fn from(error: ScrubError) -> Self {
        WalkError::Scrub(error)
    }
}

type WalkResult<T> = Result<T, WalkError>;

impl<'a, S: FnMut(u64) -> Result<(), ScrubError>> Walk<'a, S> {
    pub(super) fn new(file: &'a File, segment: &'a ScrubTarget, spend: &'a mut S) -> Self {
        Walk {
            file,
            segment,
            spend,
            end: segment.closed.size,
            buffer: Vec::new(),
            buffer_position: 0,
            next_offset: segment.base_offset(),
            read_bytes: 0,
            has_holes: false,
            faults: Vec::new(),
        }
    }

    /// The offset after the last batch so far.
    pub(super) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Reads to the end, or to the last fault that is reported. Calls `each` with every whole batch.
    pub(super) fn run(&mut self, mut each: impl FnMut(u32, &BatchHeader)) -> Result<(), ScrubError> {
        let mut position = 0;
        let size = self.end;
        if let Ok(len) = self.file.len() {
            self.end = size.min(u32::try_from(len).unwrap_or(u32::MAX));
        }
        while position < self.end && self.faults.len() < FAULTS_MAX {
            match self.step(position, &mut each) {
                Ok(next) => position = next,
                Err(WalkError::Scrub(error)) => return Err(error),
                Err(WalkError::Fs(error)) => {
                    let (path, offset) = (self.segment.path(SegmentFile::Log), self.next_offset);
                    self.faults.push(unreadable(&path, u64::from(position), offset, error)?);
                    return Ok(());
                }
            }
        }
        if self.end < size && self.faults.len() < FAULTS_MAX {
            self.ends_early(size);
        }
        Ok(())
    }

    /// Reports a file that is too short. A torn batch at its end is not a fault of its own.
    fn ends_early(&mut self, size: u32) {
        let end = u64::from(self.end);
        let torn = self.faults.pop_if(|last| match &last.reason {
            FaultReason::Batch { bytes, .. } => last.position + bytes == end,
            _ => false,
        });
        let position = torn.map_or(self.end, |torn| torn.position as u32);
        self.fault(position, FaultReason::Short { size_bytes: u64::from(size) });
    }

    /// Checks the batch at a position. Returns the position of the next.
    fn step(&mut self, position: u32, each: &mut impl FnMut(u32, &BatchHeader)) -> WalkResult<u32> {
        match self.load(position)? {
            Ok(header) => {
                self.check_offsets(position, &header);
                each(position, &header);
                Ok(position + header.size_bytes() as u32)
            }
            Err(error) => {
                let next = self.resume(position)?;
                let bytes = u64::from(next - position);
                self.fault(position, FaultReason::Batch { error, bytes });
                Ok(next)
            }
        }
    }

    fn fault(&mut self, position: u32, reason: FaultReason) {
        let path = self.segment.path(SegmentFile::Log);
        self.faults.push(Fault { path, position: u64::from(position), offset: self.next_offset, reason });
    }

    /// Checks that offsets rise, and stay below those of the next segment. Compaction leaves gaps.
    fn check_offsets(&mut self, position: u32, header: &BatchHeader) {
        let (found, expected) = (header.base_offset, self.next_offset);
        if found < expected || header.last_offset_delta < 0 {
            return self.fault(position, FaultReason::Offset { found, expected });
        }
        let (next_offset, next_base_offset) = (header.next_offset(), self.segment.next_base_offset);
        if next_offset > next_base_offset {
            return self.fault(position, FaultReason::Overlap { next_offset, next_base_offset });
        }
        self.has_holes |= found > expected || has_holes(header);
        self.next_offset = next_offset;
    }

    /// The header of the batch at a position, whose checksum is right.
    fn load(&mut self, position: u32) -> WalkResult<Result<BatchHeader, BatchError>> {
        let header = match BatchHeader::parse_stored(self.have(position, BATCH_OVERHEAD)?) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        let (need_bytes, have_bytes) = (header.size_bytes(), (self.end - position) as usize);
        if need_bytes > have_bytes {
            return Ok(Err(BatchError::Truncated { have_bytes, need_bytes }));
        }
        if need_bytes > CHUNK_BYTES {
            return self.load_long(position, header);
        }
        let parsed = Batch::parse_stored(self.have(position, need_bytes)?);
        Ok(parsed.and_then(|batch| batch.verify_crc().map(|()| header)))
    }

    /// The same of a batch that may be very long, or says so: it is never in memory as a whole.
    fn load_long(
        &mut self,
        position: u32,
        header: BatchHeader,
    ) -> WalkResult<Result<BatchHeader, BatchError>> {
        let end = position + header.size_bytes() as u32;
        let (algorithm, from) = match header.magic {
            2 => (CrcAlgorithm::Crc32Iscsi, CRC_COVERS_FROM),
            _ => (CrcAlgorithm::Crc32IsoHdlc, CRC_COVERS_FROM_LEGACY),
        };
        let mut digest = crc_fast::Digest::new(algorithm);
        let mut at = position + from;
        while at < end {
            let need = CHUNK_BYTES.min((end - at) as usize);
            let bytes = self.have(at, need)?;
            if bytes.len() < need {
                let have_bytes = (at - position) as usize + bytes.len();
                return Ok(Err(BatchError::Truncated { have_bytes, need_bytes: header.size_bytes() }));
            }
            digest.update(&bytes[..need]);
            at += need as u32;
        }
        let computed = digest.finalize() as u32;
        let crc = BatchError::Crc { stored: header.crc, computed };
        Ok(if computed == header.crc { Ok(header) } else { Err(crc) })
    }

    /// The position to continue from after damage: the next whole batch that may follow, or the end.
    fn resume(&mut self, position: u32) -> WalkResult<u32> {
        // If its length is right, the batch ends where its header says.
        if let Ok(header) = BatchHeader::parse_stored(self.have(position, BATCH_OVERHEAD)?) {
            let next = u64::from(position) + header.size_bytes() as u64;
            let next = u32::try_from(next).unwrap_or(u32::MAX);
            if next == self.end || (next < self.end && self.may_follow(next)?) {
                return Ok(next);
            }
        }
        let mut next = position + 1;
        while next < self.end && !self.may_follow(next)? {
            next += 1;
        }
        Ok(next.min(self.end))
    }

    /// Whether there is a whole batch with offsets of this segment that the walk has not passed yet.
    fn may_follow(&mut self, position: u32) -> WalkResult<bool> {
        let offsets = self.next_offset..self.segment.next_base_offset;
        let header = BatchHeader::parse_stored(self.have(position, BATCH_OVERHEAD)?);
        let is_candidate =
            header.is_ok_and(|header| offsets.contains(&header.base_offset) && header.last_offset_delta >= 0);
        Ok(is_candidate && self.load(position)?.is_ok())
    }

    /// The bytes from a position on: as many as are needed, or as there are.
    fn have(&mut self, position: u32, need_bytes: usize) -> WalkResult<&[u8]> {
        let need_bytes = need_bytes.min((self.end - position) as usize);
        let start = position.wrapping_sub(self.buffer_position) as usize;
        let kept = self.buffer.len().saturating_sub(start);
        if position >= self.buffer_position && kept >= need_bytes {
            return Ok(&self.buffer[start..]);
        }
        if position >= self.buffer_position && kept > 0 {
            self.buffer.drain(..start);
        } else {
            self.buffer.clear();
        }
        self.buffer_position = position;
        let have = self.buffer.len();
        let len = need_bytes.max(CHUNK_BYTES).min((self.end - position) as usize);
        (self.spend)((len - have) as u64)?;
        self.buffer.resize(len, 0);
        let read = self.file.read_aside_at(&mut self.buffer[have..], u64::from(position) + have as u64);
        self.buffer.truncate(have + *read.as_ref().unwrap_or(&0));
        self.read_bytes += read? as u64;
        if self.buffer.len() < len {
            // The file was truncated since it was opened: the walk ends there.
            self.end = position + self.buffer.len() as u32;
        }
        Ok(&self.buffer)
    }
}
