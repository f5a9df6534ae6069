use std::sync::Arc;

use super::*;
use crate::fs::faults::{Fault, Faults};
use crate::fs::simulated::Disk;
use crate::fs::{Fs, Mode};
use crate::testing::TempDir;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 % 251) as u8).collect()
}

/// Copies the end of a file on `from` behind its beginning on `to`.
fn copied(from: &Fs, from_dir: &std::path::Path, to: &Fs, to_dir: &std::path::Path) {
    let bytes = pattern(600_000);
    let source = from.open(&from_dir.join("source"), Mode::CreateEmpty).unwrap();
    source.write_all_at(&bytes, 0).unwrap();
    let copy = to.open(&to_dir.join("copy"), Mode::CreateEmpty).unwrap();
    copy.write_all_at(&bytes[..1_000], 0).unwrap();
    copy.copy_from(&source, 1_000, 598_000).unwrap();
    assert_eq!(to.read(&to_dir.join("copy")).unwrap(), bytes[..599_000]);
}

#[test]
fn bytes_are_copied_in_the_kernel_and_through_memory() {
    let (a, b) = (TempDir::new(), TempDir::new());
    copied(&Fs::real(), a.path(), &Fs::real(), b.path());
    let simulated = Fs::simulated(Disk::new(1));
    let root = std::path::Path::new("/");
    copied(&Fs::real(), a.path(), &simulated, root);
    copied(&simulated, root, &Fs::real(), b.path());
}

#[test]
fn which_of_the_files_fails_is_known() {
    let dir = TempDir::new();
    let faults: Arc<Faults> = Arc::default();
    let fs = Fs::faulty(faults.clone());
    let source = fs.open(&dir.path().join("source"), Mode::CreateEmpty).unwrap();
    source.write_all_at(&pattern(10), 0).unwrap();
    let copy = fs.open(&dir.path().join("copy"), Mode::CreateEmpty).unwrap();
    let short = copy.copy_from(&source, 0, 11);
    let Err(CopyRangeError::Read(error)) = short else { panic!("{short:?}") };
    assert_eq!(error.source.kind(), io::ErrorKind::UnexpectedEof);
    for (operation, path_end) in [(Operation::Read, "source"), (Operation::Write, "copy")] {
        faults.add(Fault { operation, path_end, after: 0, times: 1, error: io::ErrorKind::Other });
        match copy.copy_from(&source, 0, 10) {
            Err(CopyRangeError::Read(error)) => {
                assert_eq!((operation, error.operation), (Operation::Read, Operation::Read));
            }
            Err(CopyRangeError::Write(error)) => {
                assert_eq!((operation, error.operation), (Operation::Write, Operation::Write));
            }
            Ok(()) => panic!("nothing failed"),
        }
    }
}
