use super::*;

#[test]
fn a_partition_directory_is_named_after_its_partition() {
    let partition = |topic: &str, partition| Some(TopicPartition { topic: topic.into(), partition });
    assert_eq!(TopicPartition::from_dir_name("a-b.c_d-12"), partition("a-b.c_d", 12));
    assert_eq!(TopicPartition::from_dir_name("__cluster_metadata-0"), partition("__cluster_metadata", 0));
    assert_eq!(TopicPartition::from_dir_name("a--1"), partition("a-", 1));
    for name in ["a", "-1", "a-", "a-1x", "a-99999999999", ""] {
        assert_eq!(TopicPartition::from_dir_name(name), None, "{name}");
    }
    assert_eq!(partition("t-1", 7).unwrap().to_string(), "t-1-7");
}

#[test]
fn directories_are_told_apart() {
    assert!(matches!(DirKind::of("orders-3"), DirKind::Partition(_)));
    assert_eq!(DirKind::of("orders-3.0f6c0c4b32f64f2d9e1a2d9b1a0d3c55-delete"), DirKind::Delete);
    assert_eq!(DirKind::of("orders-3.0f6c-stray"), DirKind::Stray);
    assert_eq!(DirKind::of("orders-3.0f6c-future"), DirKind::Future);
    assert_eq!(DirKind::of("orders-delete"), DirKind::Other);
    assert_eq!(DirKind::of("lost+found"), DirKind::Other);
}

#[test]
fn offsets_are_twenty_digits() {
    assert_eq!(offset_path(Path::new("d"), 42, ".log"), Path::new("d/00000000000000000042.log"));
    assert_eq!(offset_of("00000000000000000042.log", ".log"), Some(42));
    assert_eq!(offset_of("09223372036854775807.index", ".index"), Some(i64::MAX));
    for name in
        ["42.log", "00000000000000000042.index", "0000000000000000004x.log", "99999999999999999999.log"]
    {
        assert_eq!(offset_of(name, ".log"), None, "{name}");
    }
}
