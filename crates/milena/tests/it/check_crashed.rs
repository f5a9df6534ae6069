//! `milena check` on what crashes leave: what the next start mends by itself is no damage, what it cannot mend is.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;

use crate::check::check;
use crate::harness::broker::Broker;
use crate::harness::clients::{LIMIT, Producer, create_topic, watermarks};
use crate::harness::directory::Directory;
use crate::harness::{unique, wait_until};
use crate::migrate::copy;

const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";

/// A log directory as a crash left it, with one partition that was being written.
struct Remains {
    dir: PathBuf,
    topic: String,
}

impl Remains {
    /// Kills a broker while a producer fills segment after segment.
    fn of_a_kill(dir: &Path, random: &mut Rng) -> Remains {
        let mut broker = Broker::on(dir, &[]).expect("it starts");
        let at = broker.bootstrap().to_owned();
        let topic = create_topic(&at, "crashed", 1, &[("segment.bytes", "1048576")]);
        let remains = Remains { dir: dir.to_owned(), topic };
        let enough = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let producer = Producer::new(&at, &[("enable.idempotence", "true"), ("batch.size", "16384")]);
                let mut id = 0;
                while !enough.load(Ordering::Relaxed) {
                    producer.send(&remains.topic, 0, id, 3_000);
                    id += 1;
                }
            });
            let segments = 3 + random.usize(..3);
            wait_until("segments are closed", LIMIT, || remains.segments(".log").len() >= segments);
            broker.kill();
            enough.store(true, Ordering::Relaxed);
        });
        remains
    }

    fn copy(&self, to: &Directory) -> Remains {
        let dir = to.path().join(unique("copy"));
        copy(&self.dir, &dir);
        Remains { dir, topic: self.topic.clone() }
    }

    /// The partition's files of that suffix, in order.
    fn segments(&self, suffix: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir.join(format!("{}-0", self.topic))).expect("the partition");
        let mut paths: Vec<PathBuf> = files.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(suffix));
        paths.sort();
        paths
    }

    fn active(&self, suffix: &str) -> PathBuf {
        self.segments(suffix).pop().expect("a segment")
    }

    /// The recovery point in the directory's checkpoint.
    fn recovery_point(&self) -> i64 {
        let text = std::fs::read_to_string(self.dir.join(RECOVERY_POINTS)).unwrap_or_default();
        let own = text.lines().find_map(|line| line.strip_prefix(&format!("{} 0 ", self.topic)));
        own.map_or(0, |offset| offset.parse().expect("an offset"))
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).expect("a file");
    change(&mut bytes);
    std::fs::write(path, bytes).expect("a file");
}

fn base_offset(segment: &Path) -> i64 {
    let name = segment.file_stem().expect("a name").to_string_lossy();
    name.parse().expect("an offset")
}

type Crash = (&'static str, fn(&Remains, &mut Rng));

/// The states in which a crash of the machine or the process may leave the part of a log that was not
/// flushed.
const CRASHES: [Crash; 6] = [
    ("as the process left it", |_, _| {}),
    ("a write that did not end", |remains, random| {
        let noise: Vec<u8> = (0..random.usize(1..5_000)).map(|_| random.u8(..)).collect();
        change(&remains.active(".log"), |bytes| bytes.extend(noise));
    }),
    ("an end that was not written", |remains, random| {
        change(&remains.active(".log"), |bytes| bytes.truncate(random.usize(..=bytes.len())));
    }),
    ("an end of zeros", |remains, random| {
        change(&remains.active(".log"), |bytes| {
            let from = random.usize(..=bytes.len());
            bytes[from..].fill(0);
            bytes.resize(bytes.len() + random.usize(..9_000), 0);
        });
    }),
    ("indexes that were not written", |remains, random| {
        change(&remains.active(".index"), |bytes| *bytes = vec![0; random.usize(..100)]);
        change(&remains.active(".timeindex"), |bytes| {
            bytes.clear();
            bytes.extend((0..random.usize(..100)).map(|_| random.u8(..)));
        });
    }),
    ("files that did not come to their place", |remains, _| {
        std::fs::write(remains.dir.join(format!("{RECOVERY_POINTS}.tmp")), b"0\n1").expect("a file");
        std::fs::write(remains.active(".index").with_extension("index.cleaned"), b"").expect("a file");
    }),
];

#[test]
fn what_a_crash_leaves_and_a_start_mends_is_no_damage() {
    let (directory, copies) = (Directory::new(), Directory::new());
    let mut random = Rng::with_seed(7);
    let remains = Remains::of_a_kill(directory.path(), &mut random);
    assert!(remains.recovery_point() <= base_offset(&remains.active(".log")), "the end may be lost");
    for (what, crash) in CRASHES {
        let copy = remains.copy(&copies);
        crash(&copy, &mut random);
        let (lines, status) = check(&copy.dir);
        assert_eq!(status, 0, "{what}: {lines:?}");
        assert!(lines.iter().all(|line| line["kind"] == "note"), "{what}: {lines:?}");
        let mut broker = Broker::on(&copy.dir, &[]).unwrap_or_else(|refusal| panic!("{what}: {refusal:?}"));
        assert!(watermarks(broker.bootstrap(), &copy.topic, 0).1 > 0, "{what}");
        broker.stop();
        let (mut lines, status) = check(&copy.dir);
        // A checkpoint that was being written is replaced by the next, which a stop may leave to the next start.
        lines.retain(|line| !line["file"].as_str().is_some_and(|file| file.ends_with(".tmp")));
        assert_eq!((lines.len(), status), (0, 0), "{what}, mended: {lines:?}");
    }
}

/// With `log.preallocate` Kafka allocates a segment and its indexes ahead, and a kill leaves that room.
#[test]
fn what_was_allocated_ahead_is_no_damage() {
    let (directory, copies) = (Directory::new(), Directory::new());
    let remains = Remains::of_a_kill(directory.path(), &mut Rng::with_seed(9));
    let mut broker = Broker::on(&remains.copy(&copies).dir, &[]).expect("it starts");
    let end_offset = watermarks(broker.bootstrap(), &remains.topic, 0).1;
    broker.stop();
    for suffix in [".log", ".index", ".timeindex"] {
        let file = std::fs::File::options().write(true).open(remains.active(suffix)).expect("a file");
        file.set_len(64 << 20).expect("room");
    }
    let (lines, status) = check(&remains.dir);
    assert_eq!(status, 0, "{lines:?}");
    assert!(lines.iter().all(|line| line["kind"] == "note"), "{lines:?}");
    for suffix in [".log", ".index", ".timeindex"] {
        let path = remains.active(suffix).display().to_string();
        let dumped = std::process::Command::new(env!("CARGO_BIN_EXE_milena")).args(["dump", &path]).output();
        let dumped = dumped.expect("the product's binary runs");
        let text = String::from_utf8_lossy(&dumped.stdout);
        assert!(dumped.status.success() && text.contains("zeros"), "{suffix}: {text}");
    }
    let mut broker = Broker::on(&remains.dir, &[]).expect("it starts");
    assert_eq!(watermarks(broker.bootstrap(), &remains.topic, 0).1, end_offset);
    let told = broker.log();
    assert!(told.contains("nothing was truncated") && !told.contains("WARN"), "{told}");
    broker.stop();
}

#[test]
fn damage_in_what_a_crash_leaves_is_found() {
    let (directory, copies) = (Directory::new(), Directory::new());
    let remains = Remains::of_a_kill(directory.path(), &mut Rng::with_seed(8));
    let mended = remains.copy(&copies);
    let mut broker = Broker::on(&mended.dir, &[]).expect("it starts");
    let end_offset = watermarks(broker.bootstrap(), &mended.topic, 0).1;
    broker.stop();
    let find = |what: &str, damage: &dyn Fn(&Remains) -> PathBuf| {
        let copy = remains.copy(&copies);
        let damaged = damage(&copy).display().to_string();
        let (lines, status) = check(&copy.dir);
        assert_eq!(status, 1, "{what}: {lines:?}");
        let found: Vec<_> = lines.iter().filter(|line| line["kind"] == "damage").collect();
        let is_there =
            |line: &&serde_json::Value| line["file"].as_str().unwrap_or_default().starts_with(&damaged);
        assert!(!found.is_empty() && found.iter().all(is_there), "{what}: {lines:?}");
    };
    let closed = |copy: &Remains, n: usize| copy.segments(".log")[n].clone();
    find("a bit in the midst of a closed segment", &|copy| {
        change(&closed(copy, 1), |bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 4;
        });
        closed(copy, 1)
    });
    find("the end of a closed segment", &|copy| {
        change(&closed(copy, 0), |bytes| bytes.truncate(bytes.len() - 9));
        closed(copy, 0)
    });
    find("the metadata", &|copy| {
        let dir = copy.dir.join("__cluster_metadata-0");
        change(&dir.join("00000000000000000000.log"), |bytes| bytes[8] = 0x7f);
        dir
    });
    find("what was durable", &|copy| {
        let active = copy.active(".log");
        // It may be that nothing was in the active segment yet.
        let durable = end_offset.max(base_offset(&active) + 1);
        let text = format!("0\n1\n{} 0 {durable}\n", copy.topic);
        std::fs::write(copy.dir.join(RECOVERY_POINTS), text).expect("a file");
        change(&active, |bytes| bytes.clear());
        active.parent().expect("the partition").to_owned()
    });
}
