use super::*;
use crate::fs::{Fs, Mode};
use crate::testing::{NOW_MS, TempDir, batch};

/// Batches of many sizes, the smallest a fraction of a page and the largest several buffers.
fn file_of_batches(dir: &TempDir) -> (File, Vec<(u32, BatchHeader)>) {
    let file = Fs::real().open(&dir.path().join("log"), Mode::Create).unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    let (mut position, mut offset, mut expected) = (0, 0, Vec::new());
    for n in 0..400 {
        let size = match n % 100 {
            99 => 3 << 20,
            50..60 => random.usize(4000..4200),
            _ => random.usize(0..300),
        };
        let mut bytes = batch(random.usize(1..4), NOW_MS, size / 2);
        bytes[..8].copy_from_slice(&i64::to_be_bytes(offset));
        let header = BatchHeader::parse(&bytes).unwrap();
        file.write_all_at(&bytes, position).unwrap();
        expected.push((position as u32, header));
        position += bytes.len() as u64;
        offset = header.next_offset();
    }
    (file, expected)
}

#[test]
fn headers_and_verified_batches_are_those_of_the_file() {
    let dir = TempDir::new();
    let (file, expected) = file_of_batches(&dir);
    let end = file.len().unwrap() as u32;
    for start in [0, 1, 98, 99, 100, 399] {
        let mut headers = Headers::new(&file, expected[start].0, end);
        let mut verified = VerifiedBatches::new(&file, expected[start].0, end);
        for (position, header) in &expected[start..] {
            assert_eq!(headers.next().unwrap(), Some((*position, *header)));
            assert_eq!(verified.position(), *position);
            assert_eq!(verified.next().unwrap().unwrap().header(), header);
        }
        assert!(headers.next().unwrap().is_none() && verified.next().unwrap().is_none());
    }
    let (position, header) = Headers::new(&file, 0, end).find(expected[200].1.base_offset).unwrap().unwrap();
    assert_eq!((position, header), expected[200]);
}

#[test]
fn a_cut_or_flipped_byte_is_damage_at_the_batch() {
    let dir = TempDir::new();
    let (file, expected) = file_of_batches(&dir);
    let (position, header) = expected[60];
    let end = position + header.size_bytes() as u32;
    for cut in [end - 1, position + 61, position + 60, position + 17, position + 1] {
        let Err(ScanError::Damaged(damage)) = Headers::new(&file, position, cut).next() else { panic!() };
        assert_eq!((damage.path.as_path(), damage.position), (file.path(), u64::from(position)));
        assert!(matches!(VerifiedBatches::new(&file, position, cut).next(), Err(ScanError::Damaged(_))));
    }
    let mut byte = [0];
    file.read_exact_at(&mut byte, u64::from(end - 1)).unwrap();
    file.write_all_at(&[byte[0] ^ 1], u64::from(end - 1)).unwrap();
    Headers::new(&file, position, end).next().unwrap();
    let mut verified = VerifiedBatches::new(&file, expected[58].0, file.len().unwrap() as u32);
    verified.next().unwrap();
    verified.next().unwrap();
    let Err(ScanError::Damaged(damage)) = verified.next() else { panic!() };
    assert!(matches!(damage.reason, DamageReason::Batch(BatchError::Crc { .. })));
    assert!(verified.skip_damaged());
    assert_eq!(verified.next().unwrap().unwrap().header(), &expected[61].1);
}
