//! The partition of a record, chosen as Kafka's Java producer does, so that a key goes to the same partition
//! whichever client sends it.

/// The partition of a record with a key: murmur2 of the key, its sign bit cleared.
///
/// # Panics
/// If `partitions` is 0: a topic has at least one.
pub fn partition_of_key(key: &[u8], partitions: u32) -> i32 {
    assert!(partitions > 0, "a topic has at least one partition");
    let positive = murmur2(key) & 0x7fff_ffff;
    i32::try_from(positive % partitions).expect("a remainder of 31 bits fits 31 bits")
}

/// MurmurHash2 with the seed that Kafka uses, little-endian on every machine.
fn murmur2(bytes: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Kafka's lengths are Java ints; a longer text wraps there as well.
    #[allow(clippy::cast_possible_truncation, reason = "wraps as in Java")]
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, tail) = bytes.as_chunks::<4>();
    for &word in words {
        let mut mixed = u32::from_le_bytes(word).wrapping_mul(MIX);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MIX) ^ mixed.wrapping_mul(MIX);
    }
    if !tail.is_empty() {
        for (place, &byte) in tail.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * place);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::{murmur2, partition_of_key};

    #[test]
    fn hashes_are_those_of_the_java_client() {
        let known: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_negative_hash_still_gives_a_partition() {
        assert_eq!(partition_of_key(b"21", 10), ((-973_932_308_i32) & 0x7fff_ffff) % 10);
        assert_eq!(partition_of_key(b"21", 1), 0);
    }
}
