use std::path::Path;

use super::*;
use crate::fs::simulated::Disk;

fn read_back(bytes: &[u8]) -> Result<Option<[u8; 16]>, CheckpointError> {
    let fs = Fs::simulated(Disk::new(1));
    let path = Path::new("/").join(FILE);
    fs.open(&path, Mode::CreateEmpty).unwrap().write_all_at(bytes, 0).unwrap();
    read_topic_id(&fs, Path::new("/"))
}

#[test]
fn a_file_that_a_crash_has_torn_counts_as_none_and_a_damaged_one_does_not() {
    let whole = format!("{TEXT}{}", uuid::encode([7; 16]));
    assert_eq!(read_back(whole.as_bytes()).unwrap(), Some([7; 16]));
    for len in 0..whole.len() {
        assert_eq!(read_back(&whole.as_bytes()[..len]).unwrap(), None, "{len} bytes");
    }
    assert_eq!(read_back(&vec![0; whole.len()]).unwrap(), None);
    for damaged in ["version: 1\n", "garbage", "version: 0\ntopic_id: ?", "version: 0\ntopic_id: \0\0x"] {
        let padded = format!("{damaged:-<60}");
        assert!(read_back(padded.as_bytes()).is_err(), "{damaged}");
    }
}
