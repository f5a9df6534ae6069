use super::*;

/// The result of Kafka 4.3.1 (`Utils.abs(groupId.hashCode()) % 50`).
#[test]
fn groups_live_where_kafka_puts_them() {
    for (group_id, partition) in [
        ("", 0),
        ("g", 3),
        ("test-group-1", 36),
        ("console-consumer-12345", 6),
        ("connect-cluster", 13),
        ("a.b_c-D", 38),
        // Their hashes are negative.
        ("my-group", 12),
        ("gruppe-äöü", 40),
        // Their hash is the smallest integer.
        ("polygenelubricants", 0),
        ("DESIGNING WORKHOUSES", 0),
        // Characters that take two UTF-16 code units.
        ("é😀", 12),
        ("😀😀", 38),
        ("hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", 46),
    ] {
        assert_eq!(partition_for(group_id, 50), partition, "{group_id}");
    }
    assert_eq!(partition_for("my-group", 1), 0);
}
