//! CRC-32C (Castagnoli), the checksum of a batch, computed by the CPU's own instructions if it has them; and
//! CRC-32, the checksum of the older formats.

/// CRC-32C of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32 (IEEE 802.3) of `bytes`.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// CRC-32C of a text whose first part changed and whose last `tail_len` bytes did not, without reading the
/// tail again.
///
/// A CRC is linear: the effect of a changed first part on the checksum of the whole depends only on the
/// difference of the two parts' checksums, moved on by the length of the tail. The parts must be of equal
/// length.
pub(crate) fn replace_head(whole: u32, old_head: u32, new_head: u32, tail_len: usize) -> u32 {
    whole ^ advance(old_head ^ new_head, tail_len as u64)
}

/// The polynomial, bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `SHIFTS[k]` is x^(8 * 2^k) modulo the polynomial: the factor by which 2^k zero bytes multiply a remainder.
const SHIFTS: [u32; 40] = {
    let mut shifts = [0; 40];
    // x^8: bit 31 of a reversed remainder stands for x^0.
    let mut shift = 1u32 << (31 - 8);
    let mut k = 0;
    while k < shifts.len() {
        shifts[k] = shift;
        shift = multiply(shift, shift);
        k += 1;
    }
    shifts
};

/// The product of two remainders modulo the polynomial.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 1u32 << 31;
    while bit != 0 {
        // Masks instead of branches: the bits of a checksum are a coin toss to the branch predictor.
        product ^= b & (((a & bit) != 0) as u32).wrapping_neg();
        b = (b >> 1) ^ (POLYNOMIAL & (b & 1).wrapping_neg());
        bit >>= 1;
    }
    product
}

/// The remainder `crc` after `zero_bytes` more bytes of zero.
fn advance(mut crc: u32, zero_bytes: u64) -> u32 {
    let mut left = zero_bytes;
    while left != 0 {
        crc = multiply(SHIFTS[left.trailing_zeros() as usize], crc);
        left &= left - 1;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_checksums() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn a_new_head_gives_the_checksum_of_the_whole() {
        let mut random = fastrand::Rng::with_seed(7);
        for tail_len in (0..200).chain([1 << 12, (1 << 16) + 1, (1 << 20) - 1]) {
            let mut bytes: Vec<u8> = (0..40 + tail_len).map(|_| random.u8(..)).collect();
            let (whole, old_head) = (crc32c(&bytes), crc32c(&bytes[..40]));
            bytes[..40].iter_mut().for_each(|byte| *byte = random.u8(..));
            assert_eq!(replace_head(whole, old_head, crc32c(&bytes[..40]), tail_len), crc32c(&bytes));
        }
    }
}
