use super::*;

fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
    let entries: Vec<_> =
        entries.iter().map(|&(epoch, start_offset)| EpochEntry { epoch, start_offset }).collect();
    LeaderEpochs::from_entries(&entries)
}

fn end(epoch: i32, end_offset: i64) -> EpochEndOffset {
    EpochEndOffset { epoch, end_offset }
}

#[test]
fn an_epoch_ends_where_the_next_begins() {
    let known = epochs(&[(2, 10), (4, 20), (7, 30)]);
    assert_eq!(known.end_offset_for(7, 35), end(7, 35));
    assert_eq!(known.end_offset_for(4, 35), end(4, 30));
    assert_eq!(known.end_offset_for(2, 35), end(2, 20));
    // KIP-279: an epoch that is not known is answered by the largest below it.
    assert_eq!(known.end_offset_for(6, 35), end(4, 30));
    assert_eq!(known.end_offset_for(3, 35), end(2, 20));
    assert_eq!(known.end_offset_for(1, 35), end(1, 10));
    assert_eq!(known.end_offset_for(8, 35), EpochEndOffset::UNDEFINED);
    assert_eq!(known.end_offset_for(-1, 35), EpochEndOffset::UNDEFINED);
    assert_eq!(epochs(&[]).end_offset_for(0, 0), EpochEndOffset::UNDEFINED);
}

#[test]
fn an_entry_removes_those_that_contradict_it() {
    let mut known = epochs(&[(1, 0), (2, 10), (3, 20)]);
    assert!(!known.assign(EpochEntry { epoch: 3, start_offset: 25 }));
    assert!(known.assign(EpochEntry { epoch: 4, start_offset: 20 }), "3 never had a batch");
    assert_eq!(known, epochs(&[(1, 0), (2, 10), (4, 20)]));
    assert!(known.assign(EpochEntry { epoch: 5, start_offset: 5 }));
    assert_eq!(known, epochs(&[(1, 0), (5, 5)]));
    assert!(known.assign(EpochEntry { epoch: 5, start_offset: 3 }));
    assert_eq!(known, epochs(&[(1, 0), (5, 3)]));
}

#[test]
fn truncation_keeps_what_is_left_of_an_epoch() {
    let mut known = epochs(&[(1, 0), (2, 10), (3, 20)]);
    assert!(!known.truncate_from_end(21));
    assert!(known.truncate_from_end(20));
    assert_eq!(known, epochs(&[(1, 0), (2, 10)]));
    assert!(known.truncate_from_start(12));
    assert_eq!(known, epochs(&[(2, 12)]));
    assert!(!known.truncate_from_start(12));
    assert!(!known.truncate_from_start(11));
    assert_eq!(known.epoch_for_offset(12), Some(2));
    assert_eq!(known.epoch_for_offset(11), None);
    let mut known = epochs(&[(1, 0), (2, 10), (3, 20)]);
    assert!(known.truncate_from_start(10));
    assert_eq!(known, epochs(&[(2, 10), (3, 20)]));
}
