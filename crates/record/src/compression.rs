//! The codecs of a batch's records.

use std::fmt;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
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

    /// The name as in the setting `compression.type`.
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

/// What decompression needs from one batch to the next: buffers and codec states, made when first used and kept.
/// One for each thread that validates.
#[derive(Debug, Default)]
pub struct Scratch {}

impl Scratch {
    /// Nothing yet.
    pub fn new() -> Scratch {
        Scratch::default()
    }
}
