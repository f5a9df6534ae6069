//! The codecs of a batch's records.
//!
//! Every codec is decoded as a stream, a piece at a time, into the [`Window`] of a [`Scratch`]. The size of a
//! stream is bounded before it is decoded, so that a few bytes cannot ask for much memory. Compressed bytes
//! after the end of a stream are an error in every codec: a reader might ignore them and another decode them.

mod gzip;
mod lz4;
mod snappy;
mod window;
mod zstd;

use std::fmt;

use window::Window;

/// The codec of a batch's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Uncompressed.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Blocks of Snappy in the framing of the Java library, or one bare block.
    Snappy,
    /// One LZ4 frame of independent blocks.
    Lz4,
    /// RFC 8878.
    Zstd,
}

/// A codec number (5, 6 or 7) that names no codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCodec(pub u8);

impl fmt::Display for UnknownCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no codec with the number {}", self.0)
    }
}

impl std::error::Error for UnknownCodec {}

impl Compression {
    /// The codec with the number `id` in a batch's attributes.
    ///
    /// # Errors
    /// [`UnknownCodec`] above 4.
    pub fn from_id(id: u8) -> Result<Compression, UnknownCodec> {
        Ok(match id {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            _ => return Err(UnknownCodec(id)),
        })
    }

    /// The codec's number in a batch's attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The name as in the setting `compression.type`, except that `none` is called `uncompressed` there.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

/// The reason why bytes cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecompressError {
    /// The bytes are not valid in this codec.
    Malformed(Compression),
    /// They decompress to more than the limit.
    TooLarge {
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// One of the records is larger than a record may be.
    RecordTooLarge {
        /// Bytes of the record.
        size_bytes: usize,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The batch names no codec.
    UnknownCodec(UnknownCodec),
}

impl fmt::Display for DecompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecompressError::Malformed(codec) => {
                write!(f, "the bytes cannot be decompressed with {}", codec.name())
            }
            DecompressError::TooLarge { max_bytes } => {
                write!(f, "the bytes decompress to more than {max_bytes}")
            }
            DecompressError::RecordTooLarge { size_bytes, max_bytes } => {
                write!(f, "a record decompresses to {size_bytes} bytes; the limit is {max_bytes}")
            }
            DecompressError::UnknownCodec(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecompressError {}

/// The memory of decompression that is reused from one batch to the next: a buffer and codec states, created
/// when first used. One for each thread that validates.
#[derive(Default)]
pub struct Scratch {
    window: Window,
    gzip: gzip::State,
    zstd: zstd::State,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("window_bytes", &self.window.capacity()).finish_non_exhaustive()
    }
}

impl Scratch {
    /// Creates it empty.
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// The sum of all bytes decompressed with it so far; a measure of the time that a request takes.
    pub fn decompressed_bytes(&self) -> u64 {
        self.window.total_bytes()
    }

    /// Starts to decompress `input`, to at most `max_bytes`.
    pub(crate) fn open<'s>(
        &'s mut self,
        codec: Compression,
        input: &'s [u8],
        max_bytes: usize,
    ) -> Stream<'s> {
        self.window.reset();
        let decoder = match codec {
            Compression::None => Decoder::None(input),
            Compression::Gzip => Decoder::Gzip(gzip::Decoder::new(&mut self.gzip, input)),
            Compression::Snappy => Decoder::Snappy(snappy::Decoder::new(input)),
            Compression::Lz4 => Decoder::Lz4(lz4::Decoder::new(input)),
            Compression::Zstd => Decoder::Zstd(zstd::Decoder::new(&mut self.zstd, input)),
        };
        Stream { window: &mut self.window, decoder, codec, max_bytes, left_bytes: max_bytes }
    }

    /// Decompresses all of `input`.
    pub(crate) fn decompress<'s>(
        &'s mut self,
        codec: Compression,
        input: &'s [u8],
        max_bytes: usize,
    ) -> Result<&'s [u8], DecompressError> {
        let mut stream = self.open(codec, input, max_bytes);
        while stream.fill()? == Progress::More {}
        Ok(self.window.unread())
    }

    /// Frees the memory that only an unusual batch needs.
    pub(crate) fn trim(&mut self) {
        self.window.reset();
        self.zstd.trim();
    }
}

impl Scratch {
    /// Decompresses the value of a message of magic 0 or 1. The writers of LZ4 with magic 0 made a mistake in
    /// the checksum of the frame's header that was kept for good: as in Kafka, it is not verified there.
    pub(crate) fn decompress_messages<'s>(
        &'s mut self,
        codec: Compression,
        magic: i8,
        input: &'s [u8],
        max_bytes: usize,
    ) -> Result<&'s [u8], DecompressError> {
        let mut stream = self.open(codec, input, max_bytes);
        if let Decoder::Lz4(decoder) = &mut stream.decoder {
            decoder.verify_descriptor(magic > 0);
        }
        while stream.fill()? == Progress::More {}
        Ok(self.window.unread())
    }
}

/// One batch's records while they are decompressed.
pub(crate) struct Stream<'s> {
    /// The bytes that were decompressed and not used yet.
    pub(crate) window: &'s mut Window,
    decoder: Decoder<'s>,
    codec: Compression,
    max_bytes: usize,
    /// The part of `max_bytes` that has not been used up.
    left_bytes: usize,
}

enum Decoder<'s> {
    None(&'s [u8]),
    Gzip(gzip::Decoder<'s>),
    Snappy(snappy::Decoder<'s>),
    Lz4(lz4::Decoder<'s>),
    Zstd(zstd::Decoder<'s>),
}

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There may be more; a step need not produce a byte.
    More,
    /// The stream has ended, and all its own checks have passed.
    Ended,
}

/// The reason why a decoder stops; the caller knows the codec and the limit.
enum Fault {
    Malformed,
    TooLarge,
}

impl Stream<'_> {
    /// Checks that `bytes` more are within the limit.
    pub(crate) fn check_left(&self, bytes: usize) -> Result<(), DecompressError> {
        if bytes <= self.left_bytes {
            return Ok(());
        }
        Err(DecompressError::TooLarge { max_bytes: self.max_bytes })
    }

    /// Decompresses the next piece into the window.
    pub(crate) fn fill(&mut self) -> Result<Progress, DecompressError> {
        let before = self.window.unread().len();
        let (window, left_bytes) = (&mut *self.window, self.left_bytes);
        let progress = match &mut self.decoder {
            Decoder::None(input) => Ok(window.write_all(std::mem::take(input))),
            Decoder::Gzip(decoder) => decoder.fill(window),
            Decoder::Snappy(decoder) => decoder.fill(window, left_bytes),
            Decoder::Lz4(decoder) => decoder.fill(window, left_bytes),
            Decoder::Zstd(decoder) => decoder.fill(window, left_bytes),
        };
        let produced = self.window.unread().len() - before;
        let progress = progress.and_then(|progress| {
            self.left_bytes = self.left_bytes.checked_sub(produced).ok_or(Fault::TooLarge)?;
            Ok(progress)
        });
        progress.map_err(|fault| match fault {
            Fault::Malformed => DecompressError::Malformed(self.codec),
            Fault::TooLarge => DecompressError::TooLarge { max_bytes: self.max_bytes },
        })
    }
}

/// A codec and its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compressor {
    /// The codec in the batch's attributes.
    pub codec: Compression,
    /// The level in the codec's own numbers; `None` is the default of Kafka's clients. gzip has 1 to 9 and
    /// zstd up to 22, with ever faster ones below 0; the others have no levels.
    pub level: Option<i32>,
}

impl From<Compression> for Compressor {
    fn from(codec: Compression) -> Compressor {
        Compressor { codec, level: None }
    }
}

impl Compressor {
    /// Compresses `input` and appends it to `out`.
    pub(crate) fn compress(self, input: &[u8], out: &mut Vec<u8>) {
        match self.codec {
            Compression::None => out.extend_from_slice(input),
            Compression::Gzip => gzip::compress(self.level, input, out),
            Compression::Snappy => snappy::compress(input, out),
            Compression::Lz4 => lz4::compress(input, out),
            Compression::Zstd => zstd::compress(self.level, input, out),
        }
    }
}

#[cfg(test)]
mod tests;
