#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use super::*;
use crate::testing::TempDir;

const LEN: usize = 64 << 10;

/// The number of the file's bytes in the page cache, from its start; `None` if the system cannot tell.
fn at_hand(file: &File) -> Option<usize> {
    let mut bytes = vec![0; LEN];
    let read = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT);
    match read {
        Ok(read) => Some(read),
        Err(rustix::io::Errno::AGAIN) => Some(0),
        Err(_) => None,
    }
}

#[test]
fn what_was_not_in_the_page_cache_is_not_there_afterwards() {
    // Not in memory: a file system that has nothing else keeps all.
    let path = std::env::current_dir().unwrap().join(format!("aside-{}", std::process::id()));
    let bytes: Vec<u8> = (0..LEN).map(|n| (n % 251) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let file = Fs::real().open_aside(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.sync_data().unwrap();
    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    let mut read = vec![0; LEN];
    if at_hand(&file) == Some(0) {
        assert_eq!(file.read_aside_at(&mut read, 0).unwrap(), LEN);
        assert_eq!(read, bytes);
        assert_eq!(at_hand(&file), Some(0), "it is as it was");
    }
    file.read_at(&mut read, 0).unwrap();
    let before = at_hand(&file);
    read.fill(0);
    assert_eq!(file.read_aside_at(&mut read, 0).unwrap(), LEN);
    assert_eq!(read, bytes);
    assert_eq!(at_hand(&file), before, "what others read stays");
}

#[test]
fn it_ends_where_the_file_does() {
    let dir = TempDir::new();
    let path = dir.path().join("file");
    std::fs::write(&path, b"0123456789").unwrap();
    let file = Fs::real().open_aside(&path).unwrap();
    let mut read = [0; 8];
    assert_eq!(file.read_aside_at(&mut read, 6).unwrap(), 4);
    assert_eq!(&read[..4], b"6789");
    assert_eq!(file.read_aside_at(&mut read, 10).unwrap(), 0);
}
