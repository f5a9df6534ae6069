//! `milena migrate check`, on directories that Kafka 4.3.1 left.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::unique;

/// Copies a captured directory to where it may be changed.
fn copy_of(name: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metadata/src/quorum/tests/captured").join(name);
    let to = std::env::temp_dir().join(unique("milena-migrate"));
    copy(&from, &to);
    to
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(path, to).map(|_| ()).unwrap() }
    }
}

/// Every file with its bytes.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    files.sort();
    files
}

fn check(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_milena"))
        .args(["migrate", "check"])
        .arg(dir)
        .args(words)
        .env_remove("MILENA_LOG")
        .output()
        .unwrap()
}

#[test]
fn a_check_tells_what_is_there_and_changes_nothing() {
    for name in ["static", "dynamic"] {
        let dir = copy_of(name);
        let before = contents(&dir);
        let output = check(&dir, &["--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["clusterId"], "AAAAAAAAQACAAAAAAAAAAQ");
        assert_eq!(
            (&found["nodeId"], &found["topics"], &found["partitions"]),
            (&json!(1), &json!(2), &json!(5))
        );
        assert_eq!(found["features"]["metadata.version"], 30);
        assert_eq!(found["keptAndNotEnforced"], json!({ "SCRAM credentials": 1, "quotas": 1 }));
        assert_eq!(found["refusals"], json!([]));
        let output = check(&dir, &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().any(|line| line.split_whitespace().eq(["partitions", "5"])), "{text}");
        assert_eq!(contents(&dir), before);
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn a_check_fails_where_a_start_would() {
    let dir = copy_of("static");
    let properties = dir.join("meta.properties");
    let of_node = |id: i32| format!("version=1\nnode.id={id}\ncluster.id=x\n");
    std::fs::write(&properties, of_node(7)).unwrap();
    let before = contents(&dir);
    let output = check(&dir, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("broker 1 is registered as well"), "{said}");
    assert_eq!(contents(&dir), before);
    std::fs::write(&properties, "version=0\nbroker.id=1\n").unwrap();
    let said = String::from_utf8(check(&dir, &[]).stderr).unwrap();
    assert!(said.contains("not of version 1"), "{said}");
    std::fs::write(&properties, of_node(1)).unwrap();
    let log = dir.join("__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.drain(..91);
    std::fs::write(&log, bytes).unwrap();
    let output = check(&dir, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("missing"), "{said}");
    std::fs::remove_dir_all(dir).unwrap();
}
