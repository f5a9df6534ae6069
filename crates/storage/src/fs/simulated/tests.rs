use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::fs::Fs;

fn disk(seed: u64) -> (Arc<Disk>, Fs, PathBuf) {
    let disk = Disk::new(seed);
    let fs = Fs::simulated(disk.clone());
    fs.create_dir_all(Path::new("/d")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    (disk, fs, PathBuf::from("/d/f"))
}

/// The contents of `/d/f` after a loss of power, over many seeds.
fn outcomes(act: impl Fn(&Disk, &Fs, &Path)) -> BTreeSet<Option<Vec<u8>>> {
    let left = (0..300).map(|seed| {
        let (disk, fs, path) = disk(seed);
        act(&disk, &fs, &path);
        disk.cut_power();
        disk.reboot();
        fs.exists(&path).unwrap().then(|| fs.read(&path).unwrap())
    });
    left.collect()
}

#[test]
fn what_is_synced_stays_and_the_rest_may() {
    let (a, b) = (vec![1; 512], vec![2; 512]);
    let left = outcomes(|_, fs, path| {
        let file = fs.open(path, Mode::Create).unwrap();
        file.write_all_at(&a, 0).unwrap();
        file.sync_data().unwrap();
        fs.sync_dir(Path::new("/d")).unwrap();
        file.write_all_at(&b, 512).unwrap();
        file.write_all_at(&a, 1024).unwrap();
    });
    assert!(left.iter().all(|bytes| bytes.as_ref().unwrap()[..512] == a[..]), "the first block is durable");
    let ends: BTreeSet<Vec<u8>> = left.into_iter().map(|bytes| bytes.unwrap()[512..].to_vec()).collect();
    let hole = vec![0; 512];
    for end in [vec![], b.clone(), hole.clone(), [&b[..], &a].concat(), [&hole[..], &a].concat()] {
        assert!(ends.contains(&end), "{} blocks", end.len() / 512);
    }
}

#[test]
fn trap_s3_an_entry_is_durable_when_its_directory_is() {
    let write = |fs: &Fs, path: &Path| {
        let file = fs.open(path, Mode::Create).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        file.sync_data().unwrap();
    };
    let unsynced = outcomes(|_, fs, path| write(fs, path));
    assert_eq!(unsynced, BTreeSet::from([None, Some(b"x".to_vec())]));
    let synced = outcomes(|_, fs, path| {
        write(fs, path);
        fs.sync_dir(Path::new("/d")).unwrap();
    });
    assert_eq!(synced, BTreeSet::from([Some(b"x".to_vec())]));
}

#[test]
fn trap_s5_a_failed_sync_is_not_made_good_by_the_next() {
    let left = outcomes(|disk, fs, path| {
        let file = fs.open(path, Mode::Create).unwrap();
        fs.sync_dir(Path::new("/d")).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        disk.fail(Operation::Sync, 0, ErrorKind::Other);
        file.sync_data().unwrap_err();
        file.sync_data().unwrap();
    });
    assert!(left.contains(&Some(Vec::new())), "{left:?}");
}

#[test]
fn a_replaced_file_is_one_or_the_other_wherever_the_power_goes() {
    for seed in 0..300 {
        let (disk, fs, path) = disk(seed);
        fs.replace(&path, b"old").unwrap();
        disk.cut_power_at(disk.points() + 1 + seed % 5);
        fs.replace(&path, b"newer").unwrap_err();
        assert!(disk.is_down());
        disk.reboot();
        let bytes = fs.read(&path).unwrap();
        assert!(bytes == b"old" || bytes == b"newer", "{bytes:?}");
    }
}

#[test]
fn a_full_disk_takes_no_more_and_a_lock_is_held_once() {
    let (disk, fs, path) = disk(1);
    disk.set_capacity(4 * 512);
    let file = fs.lock(&path).unwrap().unwrap();
    assert!(fs.lock(&path).unwrap().is_none());
    assert!(file.write_all_at(&[1; 3000], 0).unwrap_err().is_full());
    assert_eq!(file.len().unwrap(), 3 * 512);
    assert_eq!(fs.space(&path).unwrap().usable_bytes, 0);
    drop(file);
    assert!(fs.lock(&path).unwrap().is_some());
}
