#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use std::io::{ErrorKind, IoSlice};

use super::faults::{Fault, Faults};
use super::*;
use crate::testing::TempDir;

#[test]
fn trap_s7_short_transfers_are_completed() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    faults.set_transfer_max(3);
    let file = Fs::faulty(faults.clone()).open(&dir.path().join("f"), Mode::Create).unwrap();
    let mut slices = [IoSlice::new(b""), IoSlice::new(b"hello "), IoSlice::new(b"world"), IoSlice::new(b"!")];
    file.write_all_vectored_at(&mut slices, 2).unwrap();
    let mut bytes = [0; 14];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"\0\0hello world!");
    let writes = faults.take_done().iter().filter(|(operation, _)| *operation == Operation::Write).count();
    assert_eq!(writes, 2 + 2 + 1, "short writes were made");
    assert_eq!(file.read_at(&mut [0; 20], 10).unwrap(), 4);
    assert_eq!(file.read_exact_at(&mut [0; 20], 10).unwrap_err().source.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_full_disk_is_told_apart() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let fs = Fs::faulty(faults.clone());
    let file = fs.open(&dir.path().join("f"), Mode::Create).unwrap();
    faults.add(Fault {
        operation: Operation::Write,
        path_end: "f",
        after: 1,
        times: 1,
        error: ErrorKind::StorageFull,
    });
    file.write_all_at(b"a", 0).unwrap();
    assert!(file.write_all_at(b"b", 1).unwrap_err().is_full());
    file.write_all_at(b"b", 1).unwrap();
    assert!(!fs.open(&dir.path().join("none"), Mode::Write).unwrap_err().is_full());
    assert!(fs.open(&dir.path().join("none"), Mode::Write).unwrap_err().is_not_found());
}

#[test]
fn trap_s4_a_file_is_replaced_whole_or_not_at_all() {
    let dir = TempDir::new();
    let path = dir.path().join("checkpoint");
    let faults = Arc::new(Faults::default());
    let fs = Fs::faulty(faults.clone());
    fs.replace(&path, b"old").unwrap();
    let done: Vec<_> = faults.take_done().into_iter().map(|(operation, _)| operation).collect();
    use Operation::{Open, Rename, Sync, SyncDir, Write};
    assert_eq!(done, [Open, Write, Sync, Rename, SyncDir]);
    for operation in [Open, Write, Sync, Rename] {
        faults.add(Fault { operation, path_end: "", after: 0, times: 1, error: ErrorKind::Other });
        fs.replace(&path, b"new").unwrap_err();
        faults.clear();
        assert_eq!(fs.read(&path).unwrap(), b"old", "{operation} failed");
    }
    fs.replace(&path, b"new").unwrap();
    assert_eq!(fs.read(&path).unwrap(), b"new");
}

#[test]
fn a_lock_is_held_as_long_as_its_file() {
    let dir = TempDir::new();
    let path = dir.path().join(".lock");
    let fs = Fs::real();
    let first = fs.lock(&path).unwrap().expect("free");
    assert!(fs.lock(&path).unwrap().is_none());
    drop(first);
    assert!(fs.lock(&path).unwrap().is_some());
}

#[test]
fn listing_is_sorted_and_tells_directories() {
    let dir = TempDir::new();
    let fs = Fs::real();
    fs.create_dir_all(&dir.path().join("b/c")).unwrap();
    fs.replace(&dir.path().join("a"), b"12345").unwrap();
    let listed = fs.list(dir.path()).unwrap();
    let a = DirEntry { name: "a".into(), is_dir: false, len: 5 };
    let b = DirEntry { name: "b".into(), is_dir: true, len: 0 };
    assert_eq!(listed, [a, b]);
    assert!(fs.space(dir.path()).unwrap().usable_bytes > 0);
}
