//! Variable-length integers: seven bits a byte, the lowest first, the high bit set on all but the last.

use bytes::BufMut;

/// The most bytes that an unsigned 32-bit integer takes.
pub const MAX_UVARINT_BYTES: usize = 5;

/// Reads an unsigned 32-bit integer from the front of `bytes`: its value and its length in bytes.
///
/// # Errors
/// An error if the bytes end early or the integer does not fit 32 bits.
#[inline]
pub fn get_uvarint(bytes: &[u8]) -> Result<(u32, usize), UvarintError> {
    let mut value = 0u32;
    for (place, &byte) in bytes.iter().take(MAX_UVARINT_BYTES).enumerate() {
        // Four bits are left for the fifth byte, and it must be the last one.
        if place == MAX_UVARINT_BYTES - 1 && byte > 0x0f {
            return Err(UvarintError::TooLong);
        }
        value |= u32::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok((value, place + 1));
        }
    }
    Err(UvarintError::Truncated)
}

/// The reason why there is no integer at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UvarintError {
    /// The bytes end inside the integer.
    Truncated,
    /// The integer has more than 32 bits.
    TooLong,
}

/// Writes an unsigned 32-bit integer.
#[inline]
pub fn put_uvarint(out: &mut impl BufMut, value: u32) {
    let mut rest = value;
    while rest >= 0x80 {
        out.put_u8(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest.to_le_bytes()[0]);
}

/// The number of bytes that [`put_uvarint`] writes for `value`.
#[inline]
pub fn uvarint_bytes(value: u32) -> usize {
    (38 - value.leading_zeros() as usize) / 7 + usize::from(value == 0)
}
