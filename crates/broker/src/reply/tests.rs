#![allow(clippy::disallowed_methods, reason = "a test makes and removes a directory of its own")]

use storage::fs::{Fs, Mode};

use super::*;

/// Needs a file system on a disk: one in memory drops nothing from the page cache, so that there is nothing
/// to see.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_sent_next_is_brought_into_the_page_cache_and_no_more() {
    const PART: usize = 4 << 20;
    let path = std::env::temp_dir().join(format!("milena-cold-{}", std::process::id()));
    let file = Fs::real().open(&path, Mode::Create).unwrap();
    file.write_all_at(&vec![7; 3 * PART], 0).unwrap();
    file.sync_data().unwrap();
    let dropped = |file: &File| {
        let all = std::num::NonZeroU64::new(3 * PART as u64);
        rustix::fs::fadvise(file, 0, all, rustix::fs::Advice::DontNeed).unwrap();
        !file.is_cached(0, PART)
    };
    if dropped(&file) {
        let mut region = FileRegion::new(file.clone(), 0, 3 * PART);
        region.bring_into_cache(PART);
        assert!(file.is_cached(0, PART));
        assert!(!file.is_cached(2 * PART as u64, PART), "its turn comes later");
        region.position += PART as u64 / 2;
        assert!(dropped(&file));
        region.bring_into_cache(PART / 2);
        assert!(!file.is_cached(0, PART), "known to have been there: it is not looked at again");
        region.bring_into_cache(PART);
        assert!(file.is_cached(PART as u64, PART / 2));
    }
    std::fs::remove_file(path).unwrap();
}
