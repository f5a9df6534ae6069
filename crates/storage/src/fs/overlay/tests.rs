use std::path::Path;

use super::super::{Fs, Mode};
use crate::testing::TempDir;

fn names(fs: &Fs, dir: &Path) -> Vec<(String, bool, u64)> {
    fs.list(dir).unwrap().into_iter().map(|entry| (entry.name, entry.is_dir, entry.len)).collect()
}

/// Does the same to both; what either shows must be the same.
fn change(fs: &Fs, dir: &Path) {
    let path = |name: &str| dir.join(name);
    fs.open(&path("a"), Mode::Write).unwrap().write_all_at(b"XY", 1).unwrap();
    fs.open(&path("b"), Mode::Write).unwrap().truncate(2).unwrap();
    fs.open(&path("grown"), Mode::Create).unwrap().write_all_at(b"end", 5).unwrap();
    fs.open(&path("emptied"), Mode::CreateEmpty).unwrap();
    fs.replace(&path("replaced"), b"whole").unwrap();
    fs.rename(&path("old"), &path("new")).unwrap();
    fs.remove_file(&path("gone")).unwrap();
    assert!(!fs.remove_file_if_exists(&path("gone")).unwrap());
    assert!(fs.open(&path("gone"), Mode::Read).unwrap_err().is_not_found());
    assert!(fs.open(&path("nowhere/f"), Mode::Create).unwrap_err().is_not_found());
    fs.create_dir_all(&path("made/deep")).unwrap();
    fs.open(&path("made/deep/f"), Mode::Create).unwrap().write_all_at(b"f", 0).unwrap();
    fs.remove_dir_all(&path("full")).unwrap();
    assert!(fs.list(&path("full")).unwrap_err().is_not_found());
    fs.create_dir_all(&path("full")).unwrap();
    fs.sync_dir(dir).unwrap();
}

fn fill(dir: &Path) {
    let fs = Fs::real();
    for name in ["a", "b", "emptied", "replaced", "old", "new", "gone", "left"] {
        fs.open(&dir.join(name), Mode::Create).unwrap().write_all_at(b"before", 0).unwrap();
    }
    fs.create_dir_all(&dir.join("full")).unwrap();
    fs.open(&dir.join("full/f"), Mode::Create).unwrap();
}

fn everything(fs: &Fs, dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, is_dir, _) in names(fs, dir) {
        let path = dir.join(&name);
        if is_dir {
            all.push((path.display().to_string(), Vec::new()));
            all.extend(everything(fs, &path));
        } else {
            all.push((path.display().to_string(), fs.read(&path).unwrap()));
        }
    }
    all
}

#[test]
fn an_overlay_shows_what_real_files_would_and_changes_none() {
    let (changed, untouched) = (TempDir::new(), TempDir::new());
    fill(changed.path());
    fill(untouched.path());
    let (real, overlay) = (Fs::real(), Fs::real().overlay());
    change(&real, changed.path());
    let before = everything(&real, untouched.path());
    change(&overlay, untouched.path());
    assert_eq!(everything(&real, untouched.path()), before);
    let relative = |all: Vec<(String, Vec<u8>)>, dir: &TempDir| -> Vec<(String, Vec<u8>)> {
        let root = dir.path().display().to_string();
        all.into_iter().map(|(path, bytes)| (path.replace(&root, ""), bytes)).collect()
    };
    let expected = relative(everything(&real, changed.path()), &changed);
    assert_eq!(relative(everything(&overlay, untouched.path()), &untouched), expected);
    let lens = names(&overlay, untouched.path());
    assert_eq!(lens, names(&real, changed.path()));
}

/// Two handles of one file see each other's changes, whichever was first.
#[test]
fn handles_share_a_file() {
    let dir = TempDir::new();
    fill(dir.path());
    let fs = Fs::real().overlay();
    let path = dir.path().join("a");
    let reader = fs.open(&path, Mode::Read).unwrap();
    let writer = fs.open(&path, Mode::Write).unwrap();
    writer.write_all_at(b"after!", 0).unwrap();
    let mut bytes = [0; 6];
    reader.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"after!");
    assert_eq!(reader.read_at(&mut bytes, 4).unwrap(), 2);
    assert_eq!(reader.len().unwrap(), 6);
}

/// Opening takes a lock, which must neither create the file nor conflict with the lock of the process that looks at the
/// directory.
#[test]
fn a_lock_is_nobody_elses() {
    let dir = TempDir::new();
    let path = dir.path().join(".lock");
    assert!(Fs::real().overlay().lock(&path).unwrap().is_some());
    assert!(!path.exists());
    let _held = Fs::real().lock(&path).unwrap().unwrap();
    assert!(Fs::real().overlay().lock(&path).unwrap().is_some());
}
