//! The partition of `__consumer_offsets` for a group.

/// The partition of `__consumer_offsets` for `group_id`: the absolute value of Java's `String.hashCode`,
/// modulo the number of partitions. Kafka's brokers compute the same, so a group keeps its partition when
/// Milena opens a directory of Kafka's.
///
/// The absolute value is that of Kafka's `Utils.abs`: zero for the smallest integer, whose absolute value
/// does not exist. It is not the hash with its sign bit cleared; the two differ for every negative hash.
///
/// `partition_count` must be positive.
pub fn partition_for(group_id: &str, partition_count: i32) -> i32 {
    assert!(partition_count > 0, "__consumer_offsets has partitions");
    java_hash_code(group_id).checked_abs().unwrap_or(0) % partition_count
}

/// `String.hashCode`, which is computed over UTF-16 code units, not over bytes or characters.
fn java_hash_code(string: &str) -> i32 {
    string.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests;
