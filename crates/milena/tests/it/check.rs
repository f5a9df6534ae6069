//! `milena check` on what a broker left: sound, and with one file damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::harness::broker::Broker;
use crate::harness::directory::Directory;
use crate::harness::unique;

fn milena(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.args(words).env_remove("MILENA_LOG").stdin(Stdio::null());
    command.output().expect("the product's binary runs")
}

/// Every file below a directory, with its bytes.
fn files(dir: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
}

/// The findings of a check, and its exit status. The check must change nothing.
pub(crate) fn check(dir: &Path) -> (Vec<Value>, i32) {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    files(dir, &mut before);
    let output = milena(&["check", &dir.display().to_string(), "--json", "--jobs", "2"]);
    files(dir, &mut after);
    assert_eq!(before, after, "a check changes nothing");
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let lines = lines.lines().map(|line| serde_json::from_str(line).expect("each line is JSON"));
    let mut lines: Vec<Value> = lines.collect();
    let summary = lines.pop().expect("a summary is the end");
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((&summary["kind"], &summary["damaged"]), (&"summary".into(), &of_kind("damage").into()));
    assert_eq!(summary["notes"], Value::from(of_kind("note")));
    (lines, output.status.code().expect("it ends"))
}

/// Has a broker write a log of several segments, and checks that it is sound.
fn left_behind(topic: &str) -> Directory {
    let directory = Directory::new();
    let mut broker = Broker::on(directory.path(), &[]).expect("it starts");
    let at = broker.bootstrap().to_owned();
    let words = ["topic", "create", topic, "-p", "2", "--set", "segment.bytes=1048576"];
    let created = milena(&[&words[..], &["--bootstrap-server", &at]].concat());
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    for _ in 0..3 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_milena"))
            .args(["produce", topic, "--bootstrap-server", &at, "--partition", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the product's binary runs");
        let mut stdin = child.stdin.take().expect("piped");
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..700 {
            let mut line: String = (0..1000).map(|_| random.alphanumeric()).collect();
            line.push('\n');
            std::io::Write::write_all(&mut stdin, line.as_bytes()).expect("it reads");
        }
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    }
    let running = milena(&["check", &directory.path().display().to_string()]);
    let told = String::from_utf8_lossy(&running.stderr).into_owned();
    assert!(running.status.code() == Some(1) && told.contains("a broker is running on"), "{told}");
    broker.stop();
    directory
}

#[test]
fn a_sound_directory_is_sound_and_one_damaged_file_is_named() {
    let topic = unique("checked");
    let directory = left_behind(&topic);
    let partition = directory.path().join(format!("{topic}-0"));
    let (lines, status) = check(directory.path());
    assert_eq!((lines.len(), status), (0, 0), "{lines:?}");
    let segments = std::fs::read_dir(&partition).expect("the partition").filter(|entry| {
        entry.as_ref().expect("an entry").path().extension().is_some_and(|extension| extension == "log")
    });
    assert!(segments.count() > 1, "a segment is closed");

    let damage = |path: PathBuf, change: &dyn Fn(&mut Vec<u8>)| {
        let sound = std::fs::read(&path).ok();
        let mut bytes = sound.clone().unwrap_or_default();
        change(&mut bytes);
        std::fs::write(&path, &bytes).expect("a file");
        let (lines, status) = check(directory.path());
        let named = path.display().to_string();
        assert_eq!(status, 1, "{named}: {lines:?}");
        assert!(!lines.is_empty() && lines.iter().all(|line| line["file"] == named.as_str()), "{lines:?}");
        assert!(lines.iter().all(|line| line["kind"] == "damage" && !line["mend"].is_null()), "{lines:?}");
        match sound {
            Some(sound) => std::fs::write(&path, sound).expect("a file"),
            None => std::fs::remove_file(&path).expect("a file"),
        }
        lines[0]["position"].as_u64()
    };
    let of_segment = |suffix: &str| partition.join(format!("{:020}{suffix}", 0));
    assert_eq!(damage(of_segment(".log"), &|bytes| bytes[100] ^= 1), Some(0));
    damage(of_segment(".index"), &|bytes| bytes.truncate(bytes.len() - 3));
    damage(of_segment(".index"), &|bytes| bytes[7] ^= 1);
    damage(of_segment(".timeindex"), &|bytes| bytes.truncate(bytes.len() - 5));
    damage(of_segment(".timeindex"), &|bytes| bytes[2] ^= 1);
    damage(of_segment(".txnindex"), &|bytes| bytes.extend([0xff; 34]));
    damage(partition.join(format!("{:020}.snapshot", 77)), &|bytes| bytes.extend([0x77; 50]));
    damage(partition.join("leader-epoch-checkpoint"), &|bytes| bytes.extend(b"noise"));
    damage(partition.join("partition.metadata"), &|bytes| bytes[0] ^= 1);
    damage(directory.path().join("meta.properties"), &|bytes| bytes.insert(0, b'x'));
    for name in ["recovery-point-offset", "log-start-offset", "replication-offset"] {
        damage(directory.path().join(format!("{name}-checkpoint")), &|bytes| *bytes = b"noise".to_vec());
    }
    let (lines, status) = check(directory.path());
    assert_eq!((lines.len(), status), (0, 0), "{lines:?}");

    // What is left over is named, and is no damage; what is missing is damage.
    std::fs::write(of_segment(".log.deleted"), b"").expect("a file");
    let stray = directory.path().join("gone-0.0f6c0c4b-stray");
    std::fs::create_dir(&stray).expect("a directory");
    let (lines, status) = check(directory.path());
    assert_eq!((lines.len(), status), (2, 0), "{lines:?}");
    assert!(lines.iter().all(|line| line["kind"] == "note"), "{lines:?}");
    std::fs::remove_file(directory.path().join("meta.properties")).expect("it is there");
    let (lines, status) = check(directory.path());
    assert_eq!(status, 1);
    assert!(lines.iter().any(|line| line["what"] == "the file is missing"), "{lines:?}");
}
