//! Kafka's text form of a UUID: URL-safe base64 of its 16 bytes, 22 characters without padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(crate) fn encode(uuid: [u8; 16]) -> String {
    let mut text = String::with_capacity(22);
    for chunk in uuid.chunks(3) {
        let mut word = [0; 3];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for digit in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * digit)) as usize & 0x3f]));
        }
    }
    text
}

pub(crate) fn decode(text: &str) -> Option<[u8; 16]> {
    if text.len() != 22 {
        return None;
    }
    let mut value: u128 = 0;
    let mut last = 0;
    for (n, character) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|&c| c == character)?;
        last = digit;
        if n < 21 {
            value = value << 6 | digit as u128;
        }
    }
    // 22 characters are 132 bits: the last holds two bits of the UUID and four unused ones.
    Some((value << 2 | (last >> 4) as u128).to_be_bytes())
}

#[cfg(test)]
mod tests;
