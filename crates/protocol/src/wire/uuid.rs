//! Ids of topics, directories, members and brokers' incarnations.

use std::fmt;
use std::str::FromStr;

/// The alphabet of base64url (RFC 4648, section 5).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The number of characters of a UUID: 128 bits by six, without padding.
const TEXT_CHARS: usize = 22;

/// A UUID, spelled as Kafka does: base64url without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// No id: the field is not set, or the sender knows only the name.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// The topic id of the metadata log, and the directory id of a lost directory.
    pub const ONE: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// Whether no id is set.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four zero bits after the last byte fill up the last character.
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0; TEXT_CHARS];
        text[TEXT_CHARS - 1] = ALPHABET[((bits << 4) & 0x3f) as usize];
        let mut rest = bits >> 2;
        for place in text[..TEXT_CHARS - 1].iter_mut().rev() {
            *place = ALPHABET[(rest & 0x3f) as usize];
            rest >>= 6;
        }
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no UUID in base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUuid;

impl fmt::Display for NotUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID of 22 base64url characters")
    }
}

impl std::error::Error for NotUuid {}

impl FromStr for Uuid {
    type Err = NotUuid;

    /// Parses the text that [`fmt::Display`] writes, with or without `==` at the end.
    fn from_str(text: &str) -> Result<Self, NotUuid> {
        let text = text.strip_suffix("==").unwrap_or(text).as_bytes();
        if text.len() != TEXT_CHARS {
            return Err(NotUuid);
        }
        let digit =
            |c: u8| ALPHABET.iter().position(|&known| known == c).map(|place| place as u128).ok_or(NotUuid);
        let mut bits = 0u128;
        for &c in &text[..TEXT_CHARS - 1] {
            bits = bits << 6 | digit(c)?;
        }
        let last = digit(text[TEXT_CHARS - 1])?;
        if last & 0x0f != 0 {
            return Err(NotUuid);
        }
        Ok(Uuid((bits << 2 | last >> 4).to_be_bytes()))
    }
}
