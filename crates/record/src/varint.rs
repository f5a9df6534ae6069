//! Variable-length integers of records: seven bits a byte, least significant first, zigzag for the sign.
//!
//! An encoding that is longer than necessary is accepted, as by every Kafka client; one whose bits do not fit
//! the integer is not, because readers disagree about its meaning.

/// The most bytes that a 32-bit integer takes.
pub(crate) const VARINT_BYTES_MAX: usize = 5;

/// Reads a zigzag 32-bit integer at `at`: the value and the position after it.
#[inline(always)]
pub(crate) fn read_i32(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
    let first = *bytes.get(at)?;
    if first < 0x80 {
        return Some((zigzag_i32(u32::from(first)), at + 1));
    }
    let second = *bytes.get(at + 1)?;
    let low = u32::from(first & 0x7f) | u32::from(second) << 7;
    if second < 0x80 {
        return Some((zigzag_i32(low), at + 2));
    }
    read_long_u32(bytes, at + 2, low & 0x3fff).map(|(value, next)| (zigzag_i32(value), next))
}

/// Reads a zigzag 64-bit integer at `at`: the value and the position after it.
#[inline(always)]
pub(crate) fn read_i64(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let first = *bytes.get(at)?;
    if first < 0x80 {
        return Some((zigzag_i64(u64::from(first)), at + 1));
    }
    let second = *bytes.get(at + 1)?;
    let low = u64::from(first & 0x7f) | u64::from(second) << 7;
    if second < 0x80 {
        return Some((zigzag_i64(low), at + 2));
    }
    read_long_u64(bytes, at + 2, low & 0x3fff).map(|(value, next)| (zigzag_i64(value), next))
}

/// The third byte and what follows it.
fn read_long_u32(bytes: &[u8], at: usize, low: u32) -> Option<(u32, usize)> {
    let mut value = low;
    for (i, &byte) in bytes.get(at..)?.iter().take(VARINT_BYTES_MAX - 2).enumerate() {
        let shift = 14 + 7 * i as u32;
        // The fifth byte has room for four bits.
        if shift == 28 && byte > 0x0f {
            return None;
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, at + i + 1));
        }
    }
    None
}

/// The third byte and what follows it.
fn read_long_u64(bytes: &[u8], at: usize, low: u64) -> Option<(u64, usize)> {
    let mut value = low;
    for (i, &byte) in bytes.get(at..)?.iter().take(8).enumerate() {
        let shift = 14 + 7 * i as u32;
        // The tenth byte has room for one bit.
        if shift == 63 && byte > 0x01 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, at + i + 1));
        }
    }
    None
}

/// Appends a zigzag 32-bit integer.
pub(crate) fn write_i32(out: &mut Vec<u8>, value: i32) {
    write_u64(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Appends a zigzag 64-bit integer.
pub(crate) fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`write_i32`] takes for `value`.
pub(crate) fn size_i32(value: i32) -> usize {
    size_u64(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// Bytes that [`write_i64`] takes for `value`.
pub(crate) fn size_i64(value: i64) -> usize {
    size_u64(((value << 1) ^ (value >> 63)) as u64)
}

fn size_u64(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline(always)]
fn zigzag_i32(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

#[inline(always)]
fn zigzag_i64(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_round_trips() {
        let mut out = Vec::new();
        for bit in 0..64 {
            for value in
                [(1i64 << bit), (1i64 << bit).wrapping_neg(), (1i64 << bit).wrapping_sub(1), !(1i64 << bit)]
            {
                out.clear();
                write_i64(&mut out, value);
                assert_eq!(out.len(), size_i64(value));
                assert_eq!(read_i64(&out, 0), Some((value, out.len())));
                assert!((0..out.len()).all(|cut| read_i64(&out[..cut], 0).is_none()));
                if let Ok(value) = i32::try_from(value) {
                    assert_eq!(out.len(), size_i32(value));
                    assert_eq!(read_i32(&out, 0), Some((value, out.len())));
                    assert!((0..out.len()).all(|cut| read_i32(&out[..cut], 0).is_none()));
                }
            }
        }
    }

    #[test]
    fn bits_that_do_not_fit_are_refused() {
        assert_eq!(read_i32(&[0xff, 0xff, 0xff, 0xff, 0x0f], 0), Some((i32::MIN, 5)));
        assert_eq!(read_i32(&[0xff, 0xff, 0xff, 0xff, 0x1f], 0), None);
        assert_eq!(read_i32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 0), None);
        assert_eq!(
            read_i64(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0),
            Some((i64::MIN, 10))
        );
        assert_eq!(read_i64(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], 0), None);
        assert_eq!(read_i64(&[0x80; 11], 0), None);
    }

    #[test]
    fn a_longer_encoding_than_needed_is_accepted() {
        assert_eq!(read_i32(&[0x82, 0x80, 0x80, 0x80, 0x00], 0), Some((1, 5)));
        assert_eq!(read_i64(&[0x83, 0x80, 0x00], 0), Some((-2, 3)));
    }
}
