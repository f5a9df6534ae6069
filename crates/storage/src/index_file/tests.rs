use super::*;
use crate::fs::{Fs, Mode};
use crate::testing::TempDir;

fn entry(n: u32) -> [u8; 8] {
    u64::from(n).to_be_bytes()
}

#[test]
fn floor_is_the_last_entry_not_above() {
    let dir = TempDir::new();
    let file = Fs::real().open(&dir.path().join("i"), Mode::Create).unwrap();
    let mut tail = IndexTail::<8>::default();
    for n in 0..1500 {
        for target in [0, n, 2 * n, 2 * n + 1, 2 * n + 2] {
            let expected = if n == 0 { None } else { Some((target / 2).min(n - 1)) };
            let found =
                tail.floor(|| Ok(file.clone()), |e| u64::from_be_bytes(*e) <= u64::from(target)).unwrap();
            assert_eq!(found, expected.map(|n| entry(2 * n)));
        }
        tail.push(entry(2 * n));
        if tail.is_due() {
            tail.write(&file).unwrap();
        }
    }
    assert_eq!(tail.len(), 1500);
    assert_eq!(entries_in::<8>(&file).unwrap(), 1500 / 64 * 64);
    assert_eq!(tail.floor(|| Ok(file.clone()), |_| true).unwrap(), Some(entry(2 * 1499)));
    let mut reopened = IndexTail::<8>::new(7);
    reopened.push(entry(99));
    reopened.write(&file).unwrap();
    assert_eq!(entry_at::<8>(&file, 7).unwrap(), entry(99));
    assert_eq!(count::<8>(&file, 8, |e| *e <= entry(12)).unwrap(), 7);
}
