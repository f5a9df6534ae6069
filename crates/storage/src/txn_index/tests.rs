use super::*;
use crate::fs::{Fs, Mode};
use crate::testing::TempDir;

fn txn(last_offset: i64) -> AbortedTxn {
    AbortedTxn {
        producer_id: 7,
        first_offset: last_offset - 3,
        last_offset,
        last_stable_offset: last_offset + 1,
    }
}

#[test]
fn an_entry_is_34_bytes_of_version_0() {
    let bytes = txn(4).to_bytes();
    assert_eq!(bytes[..10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!(
        bytes[10..],
        [[0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 4], [0, 0, 0, 0, 0, 0, 0, 5]].concat()
    );
    assert_eq!(AbortedTxn::from_bytes(&bytes), txn(4));
}

#[test]
fn entries_are_added_and_cut() {
    let dir = TempDir::new();
    let file = Fs::real().open(&dir.path().join("t"), Mode::Create).unwrap();
    for last_offset in [4, 9, 20] {
        append(&file, txn(last_offset)).unwrap();
    }
    assert_eq!(read(&file).unwrap(), [txn(4), txn(9), txn(20)]);
    // A torn entry is overwritten by the next.
    file.write_all_at(&[0; 10], 102).unwrap();
    assert_eq!(read(&file).unwrap().len(), 3);
    append(&file, txn(25)).unwrap();
    assert_eq!(read(&file).unwrap(), [txn(4), txn(9), txn(20), txn(25)]);
    truncate(&file, 20).unwrap();
    assert_eq!((read(&file).unwrap(), file.len().unwrap()), (vec![txn(4), txn(9)], 68));
}

#[test]
fn zeros_after_a_crash_are_no_entry() {
    let dir = TempDir::new();
    let file = Fs::real().open(&dir.path().join("x.txnindex"), Mode::Create).unwrap();
    file.write_all_at(&[0; 2 * ENTRY_BYTES], 0).unwrap();
    truncate(&file, 100).unwrap();
    assert_eq!(read(&file).unwrap(), []);
    append(&file, txn(20)).unwrap();
    file.write_all_at(&[0; ENTRY_BYTES], ENTRY_BYTES as u64).unwrap();
    truncate(&file, 100).unwrap();
    assert_eq!(read(&file).unwrap(), [txn(20)]);
}
