use super::*;

fn bytes(entries: &[(u32, u32)]) -> Vec<u8> {
    let entry = |&(relative_offset, position)| OffsetEntry { relative_offset, position }.to_bytes();
    entries.iter().flat_map(entry).collect()
}

#[test]
fn an_entry_is_big_endian() {
    let entry = OffsetEntry { relative_offset: 0x0102_0304, position: 0x0506_0708 };
    assert_eq!(entry.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(OffsetEntry::from_bytes(entry.to_bytes()), entry);
}

#[test]
fn trap_s8_only_the_plausible_part_of_an_index_is_kept() {
    let valid = |entries: &[(u32, u32)]| valid_prefix(&bytes(entries), 1000).len();
    assert_eq!(valid(&[(5, 100), (9, 200), (12, 300)]), 3);
    assert_eq!(valid(&[(5, 100), (0, 0), (12, 300)]), 1, "a hole");
    assert_eq!(valid(&[(0, 0), (0, 0)]), 0, "zeros");
    assert_eq!(valid(&[(5, 100), (5, 200)]), 1, "the same offset");
    assert_eq!(valid(&[(5, 100), (9, 1000)]), 1, "beyond the log");
    assert_eq!(valid(&[(0x8000_0000, 100)]), 0, "beyond a segment");
    assert_eq!(valid_prefix(&bytes(&[(5, 100)])[..7], 1000).len(), 0, "half an entry");
}
