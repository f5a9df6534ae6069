use super::*;

#[test]
fn an_entry_is_big_endian() {
    let entry = TimeEntry { timestamp: 0x0102_0304_0506_0708, relative_offset: 0x090a_0b0c };
    assert_eq!(entry.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(TimeEntry::from_bytes(entry.to_bytes()), entry);
}

#[test]
fn trap_s8_only_the_plausible_part_of_an_index_is_kept() {
    let valid = |entries: &[(i64, u32)]| {
        let entry = |&(timestamp, relative_offset)| TimeEntry { timestamp, relative_offset }.to_bytes();
        let bytes: Vec<u8> = entries.iter().flat_map(entry).collect();
        valid_prefix(&bytes, 100).len()
    };
    assert_eq!(valid(&[(5, 10), (9, 10), (12, 99)]), 3);
    assert_eq!(valid(&[(5, 10), (0, 0), (12, 30)]), 1, "a hole");
    assert_eq!(valid(&[(0, 0), (1, 5)]), 0, "zeros");
    assert_eq!(valid(&[(5, 10), (5, 20)]), 1, "the same time");
    assert_eq!(valid(&[(5, 10), (6, 9)]), 1, "back in the log");
    assert_eq!(valid(&[(5, 100)]), 0, "beyond the log");
    assert_eq!(valid(&[(-7, 1), (-6, 2)]), 2, "before 1970");
}
