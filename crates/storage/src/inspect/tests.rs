#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use super::*;
use crate::testing::{Home, NOW_MS, append, batch, open_log, small};

/// A segment of three batches: its bytes, and the position of each.
fn segment(home: &Home) -> (Vec<u8>, Vec<u64>) {
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let mut starts = Vec::new();
    for n in 0..3 {
        starts.push(log.size_bytes());
        append(&mut log, &batch(2, NOW_MS + n, 500)).unwrap();
    }
    log.close().unwrap();
    (std::fs::read(home.file("00000000000000000000.log")).unwrap(), starts)
}

/// The offsets of the whole batches, and the positions and lengths of what is damaged.
fn walk(path: &Path) -> (Vec<i64>, Vec<(u64, u64)>) {
    let (mut whole, mut damaged, mut zeros) = (Vec::new(), Vec::new(), None);
    let mut batches = Batches::open(&Fs::real(), path).unwrap();
    while let Some((position, found)) = batches.next_region().unwrap() {
        match found {
            Region::Batch(batch, Ok(())) => whole.push(batch.header().base_offset),
            Region::Batch(batch, Err(_)) => damaged.push((position, batch.bytes().len() as u64)),
            Region::Damage { bytes, .. } => damaged.push((position, bytes)),
            Region::Zeros { bytes } => zeros = Some((position, bytes)),
        }
    }
    // The damage as a fault at that place: other kinds of damage are not checked here.
    damaged.extend(zeros);
    (whole, damaged)
}

#[test]
fn zeros_at_the_end_are_no_damage() {
    let home = Home::new();
    let (bytes, _) = segment(&home);
    let path = home.file("00000000000000000000.log");
    let zeros = |path: &Path| {
        let mut batches = Batches::open(&Fs::real(), path).unwrap();
        let mut found = Vec::new();
        while let Some((position, next)) = batches.next_region().unwrap() {
            match next {
                Region::Zeros { bytes } => found.push((position, bytes)),
                Region::Batch(_, Ok(())) => {}
                other => panic!("{other:?}"),
            }
        }
        found
    };
    let len = bytes.len() as u64;
    std::fs::File::options().write(true).open(&path).unwrap().set_len(len + (3 << 20)).unwrap();
    assert_eq!(zeros(&path), [(len, 3 << 20)]);
    std::fs::write(&path, [0; 500]).unwrap();
    assert_eq!(zeros(&path), [(0, 500)]);
    for (name, kind) in [("index", FileKind::OffsetIndex), ("timeindex", FileKind::TimeIndex)] {
        let path = home.file(&format!("00000000000000000000.{name}"));
        let len = std::fs::metadata(&path).unwrap().len();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(len + 10_000).unwrap();
        let mut entries = IndexEntries::open(&Fs::real(), &path, kind, 0).unwrap();
        let mut from = None;
        while let Some((at, _)) = entries.next_entry().unwrap() {
            if entries.only_zeros_from(at).unwrap() {
                from = Some(at);
                break;
            }
        }
        assert_eq!(from, Some(len), "{name}");
    }
}

#[test]
fn damage_has_a_position_and_the_batches_after_it_are_found() {
    let home = Home::new();
    let (bytes, starts) = segment(&home);
    let path = home.file("00000000000000000000.log");
    assert_eq!(walk(&path), (vec![0, 2, 4], vec![]));
    let second = starts[2] - starts[1];
    let damage = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        walk(&path)
    };
    let at = starts[1] as usize;
    // A bit of a record, the magic, the length, all of it, and the end of the file.
    assert_eq!(damage(&|bytes| bytes[at + 80] ^= 1), (vec![0, 4], vec![(starts[1], second)]));
    assert_eq!(damage(&|bytes| bytes[at + 16] = 1), (vec![0, 4], vec![(starts[1], second)]));
    assert_eq!(damage(&|bytes| bytes[at + 8] = 0x7f), (vec![0, 4], vec![(starts[1], second)]));
    let zeroed = damage(&|bytes| bytes[at..at + second as usize].fill(0));
    assert_eq!(zeroed, (vec![0, 4], vec![(starts[1], second)]));
    let cut = damage(&|bytes| bytes.truncate(starts[2] as usize + 30));
    assert_eq!(cut, (vec![0, 2], vec![(starts[2], 30)]));
}

#[test]
fn every_byte_may_be_noise() {
    let home = Home::new();
    let (bytes, _) = segment(&home);
    let path = home.file("00000000000000000000.log");
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let mut bytes = bytes.clone();
        for _ in 0..random.usize(1..20) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        std::fs::write(&path, &bytes).unwrap();
        let (_, damaged) = walk(&path);
        assert!(damaged.iter().all(|(position, len)| position + len <= bytes.len() as u64));
    }
}

#[test]
fn index_entries_say_where_the_batches_are() {
    let home = Home::new();
    let (_, starts) = segment(&home);
    let (fs, path) = (Fs::real(), home.file("00000000000000000000.index"));
    let log = Batches::open(&fs, &home.file("00000000000000000000.log")).unwrap();
    let mut entries = IndexEntries::open(&fs, &path, FileKind::OffsetIndex, 0).unwrap();
    let mut seen = Vec::new();
    while let Some((_, IndexEntry::Offset { offset, position })) = entries.next_entry().unwrap() {
        assert_eq!(log.last_offset_at(position).unwrap(), Some(offset));
        seen.push(position);
    }
    assert_eq!(seen, starts[1..]);
    assert_eq!(entries.trailing_bytes(), 0);
}

#[test]
fn kinds_by_name() {
    #[track_caller]
    fn check(name: &str, expect: Option<FileKind>) {
        assert_eq!(FileKind::of(name), expect, "{name}");
    }
    check("00000000000000000000.log", Some(FileKind::Batches));
    check("00000000000000000000.log.deleted", Some(FileKind::Batches));
    check("00000000000000000123-0000000004.checkpoint", Some(FileKind::Batches));
    check("00000000000000000000.index", Some(FileKind::OffsetIndex));
    check("00000000000000000000.timeindex.swap", Some(FileKind::TimeIndex));
    check("00000000000000000000.txnindex", Some(FileKind::TxnIndex));
    check("00000000000000000000.snapshot", Some(FileKind::ProducerSnapshot));
    check("leader-epoch-checkpoint", Some(FileKind::Text));
    check("meta.properties", Some(FileKind::Text));
    check(".lock", None);
}
