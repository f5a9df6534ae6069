#![allow(clippy::disallowed_methods, reason = "a test makes, damages and removes files of its own")]

use std::path::{Path, PathBuf};

use protocol::Str;
use record::{BatchBuilder, Compression};
use settings::{BrokerConfig, Configs};
use storage::fs::Fs;
use storage::{FaultReason, Log, LogDirectory, OffsetMap, OpenDirectory, OpenLog, TopicPartition};

use super::*;
use crate::directories::LogDir;
use crate::replicas::{PartitionRules, lone_replica};

const NOW_MS: i64 = 1_000;

/// A partition with several closed segments, in a temporary directory.
pub(crate) struct Home {
    path: PathBuf,
    _directory: LogDirectory,
    pub(crate) partition: Arc<Replica>,
}

impl Home {
    fn new(name: &str, compact: bool) -> Self {
        Self::with(name, compact, !compact)
    }

    /// A partition whose records are compacted, deleted, or both.
    pub(crate) fn with(name: &str, compact: bool, delete: bool) -> Self {
        let path = std::env::temp_dir().join(format!("milena-scrub-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        let open = OpenDirectory { fs: Fs::real(), path: path.clone(), open_files_max: 16 };
        let directory = LogDirectory::open(open).unwrap();
        let broker = BrokerConfig::start(&Configs::new()).unwrap();
        let mut topic = broker.topic_defaults.clone();
        topic.segment_bytes = 4096;
        topic.index_interval_bytes = 256;
        (topic.compact, topic.delete) = (compact, delete);
        topic.message_timestamp_before_max_ms = i64::MAX;
        let rules = PartitionRules::new(topic, &broker);
        let open = OpenLog {
            partition: TopicPartition { topic: name.to_owned(), partition: 0 },
            topic_id: None,
            config: rules.log(),
            now_ms: NOW_MS,
            jitter_seed: 0,
            accept_damage: false,
        };
        let (log, _) = Log::open(&directory, open).unwrap();
        let log_dir = Arc::new(LogDir::offline(path.clone()));
        let partition = Replica::new(Str::from(name), 0, lone_replica(), rules.into(), log, log_dir);
        let partition = Arc::new(partition);
        for n in 0..60_u8 {
            let mut builder = BatchBuilder::new(Compression::None);
            builder.push(NOW_MS, Some(&[n % 4]), Some(&[n; 200]), &[]);
            partition.append_produced(&builder.build(), 9, true, NOW_MS).unwrap();
        }
        Self { path, _directory: directory, partition }
    }

    pub(crate) fn segment(&self, base_offset: i64) -> PathBuf {
        let name = format!("{}-0/{base_offset:020}.log", self.partition.topic());
        self.path.join(name)
    }

    /// Scrubs everything, and returns the damaged places that are known afterwards.
    fn scrub(&self) -> Vec<(PathBuf, u64)> {
        Scrubber::new().scrub(&self.partition, |_| Ok(())).unwrap();
        places(&self.partition)
    }

    pub(crate) fn second(&self) -> i64 {
        self.partition.closed_segment_from(1).unwrap().base_offset()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn places(partition: &Replica) -> Vec<(PathBuf, u64)> {
    partition.damage().1.into_iter().map(|fault| (fault.path, fault.position)).collect()
}

pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damage_is_remembered_until_it_is_mended_or_gone_and_news_only_once() {
    let home = Home::new("remembered", false);
    assert_eq!(home.scrub(), []);
    let (second, path) = (home.second(), home.segment(home.second()));
    flip(&path, 100);
    let segment = home.partition.closed_segment_from(second).unwrap();
    let faults = segment.scrub(|_| Ok(())).unwrap().faults;
    let news = home.partition.note_scrubbed(&segment, faults.clone());
    assert_eq!((news.damaged.len(), news.whole.len()), (1, 0));
    assert_eq!(home.partition.note_scrubbed(&segment, faults), ScrubNews::default(), "it is known");
    assert_eq!(home.partition.damage().0, 1);
    assert_eq!(home.scrub(), [(path.clone(), 0)], "it is still there");

    flip(&path, 100);
    let faults = segment.scrub(|_| Ok(())).unwrap().faults;
    let news = home.partition.note_scrubbed(&segment, faults);
    assert_eq!((news.damaged.len(), news.whole.len()), (0, 1));
    assert_eq!(places(&home.partition), []);

    flip(&path, 100);
    assert_eq!(home.scrub(), [(path, 0)]);
    home.partition.delete_records(segment.next_base_offset(), NOW_MS).unwrap();
    assert_eq!(places(&home.partition), [], "what is deleted is not damaged");
    let status = home.partition.log_status().unwrap();
    assert_eq!((status.damage, status.log_start_offset), (Vec::new(), segment.next_base_offset()));
    assert_eq!(status.log_end_offset, 60);
    drop(home.partition.take_log());
    assert_eq!(home.partition.log_status(), None);
}

#[test]
fn what_is_read_and_when_is_noted() {
    let home = Home::new("noted", false);
    assert_eq!(home.partition.log_status().unwrap().last_scrub, None);
    let mut told = 0;
    let before_ms = clock::now_ms();
    let read = |bytes| {
        told += bytes;
        Ok(())
    };
    Scrubber::new().scrub(&home.partition, read).unwrap();
    let last = home.partition.log_status().unwrap().last_scrub.unwrap();
    assert_eq!(last.bytes, told);
    assert!(last.end_ms >= before_ms && last.bytes > 3 * 4000, "{last:?}");
}

#[test]
fn segments_that_are_deleted_while_they_are_read_are_no_damage() {
    let home = Home::new("deleted", false);
    let mut reads = 0;
    let delete_all = |_| {
        reads += 1;
        // The first segment is open and its index is read; the others are not.
        if reads == 3 {
            home.partition.delete_records(-1, NOW_MS).unwrap();
            for deleted in home.partition.take_due_deletions(i64::MAX) {
                deleted.remove().unwrap();
            }
        }
        Ok(())
    };
    Scrubber::new().scrub(&home.partition, delete_all).unwrap();
    assert!(reads >= 3);
    assert!(!home.segment(0).exists());
    assert_eq!(places(&home.partition), []);
}

#[test]
fn segments_that_compaction_replaces_while_they_are_read_are_no_damage() {
    for at in 1..=3 {
        let home = Home::new(&format!("compacted{at}"), true);
        let plan = home.partition.clean_plan(NOW_MS).unwrap().unwrap();
        let mut map = OffsetMap::new(1 << 16, 0.9);
        let mut cleaning = plan.start(&mut map, &mut |_| Ok(())).unwrap();
        let mut reads = 0;
        let before_read = |_| {
            reads += 1;
            while reads == at
                && let Some(cleaned) = cleaning.next_group(&mut |_| Ok(())).unwrap()
            {
                home.partition.swap(&cleaned, NOW_MS).unwrap().unwrap();
            }
            Ok(())
        };
        Scrubber::new().scrub(&home.partition, before_read).unwrap();
        assert!(reads >= at);
        assert_eq!(places(&home.partition), [], "at read {at}");
        assert_eq!(home.scrub(), [], "and compacted segments have gaps, which are none either");
        let mut segment = home.partition.closed_segment_from(0).unwrap();
        while segment.size_bytes() == 0 {
            segment = home.partition.closed_segment_from(segment.next_base_offset()).unwrap();
        }
        let path = home.segment(segment.base_offset());
        flip(&path, 100);
        assert_eq!(home.scrub(), [(path, 0)]);
    }
}

#[test]
fn a_partition_that_is_deleted_while_it_is_read_is_no_damage() {
    let home = Home::new("partition", false);
    let mut reads = 0;
    let before_read = |_| {
        reads += 1;
        if reads == 4 {
            drop(home.partition.take_log());
            std::fs::remove_dir_all(home.path.join("partition-0")).unwrap();
        }
        Ok(())
    };
    Scrubber::new().scrub(&home.partition, before_read).unwrap();
    assert_eq!(places(&home.partition), []);
}

#[test]
fn a_file_that_is_missing_is_damage_while_its_segment_is_there() {
    let home = Home::new("missing", false);
    std::fs::remove_file(home.segment(home.second())).unwrap();
    assert_eq!(home.scrub().len(), 1);
    assert_eq!(home.partition.damage().1[0].reason, FaultReason::Missing);
}

#[test]
fn no_more_is_read_than_the_time_allows() {
    let begin = clock::now();
    let (rate, read) = (1_000_000, 262_144);
    let mut pace = Pace { paid_at: begin };
    let (mut now, mut bytes) = (begin, 0);
    for n in 0..1000_u64 {
        now += pace.wait(read, rate, now).unwrap();
        bytes += read;
        let allowed = (now - begin).as_secs_f64() * rate as f64 + read as f64;
        assert!(bytes as f64 <= allowed + 1.0, "{bytes} after {:?}", now - begin);
        // The disk takes a varying time as well.
        now += Duration::from_millis(n % 50);
    }
    let rate_reached = bytes as f64 / (now - begin).as_secs_f64();
    assert!(rate_reached > 0.99 * rate as f64, "{rate_reached}");
    // Unused time is not made up for.
    now += Duration::from_secs(1000);
    assert_eq!(pace.wait(read, rate, now), Some(Duration::ZERO));
    assert_eq!(pace.wait(read, rate, now), Some(Duration::from_secs_f64(read as f64 / rate as f64)));
    assert_eq!(pace.wait(read, 0, now), None, "turned off, nothing may be read");
}

#[test]
fn rounds_begin_when_they_are_due_and_never_where_it_is_off() {
    let started = clock::now();
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let settings = |given: &[(&str, &str)]| {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::of(&BrokerConfig::start(&given.collect()).unwrap())
    };
    let default = settings(&[]);
    assert_eq!(default.next_round(started, None, started), Some(minutes(5)));
    assert_eq!(default.next_round(started, None, started + minutes(6)), Some(Duration::ZERO));
    let end = started + minutes(10);
    let week = minutes(7 * 24 * 60);
    assert_eq!(default.next_round(started, Some(end), end + minutes(1)), Some(week - minutes(1)));
    let soon = settings(&[("log.scrub.interval.ms", "1000")]);
    assert_eq!(soon.next_round(started, None, started), Some(Duration::from_secs(1)));
    let off = settings(&[("log.scrub.io.max.bytes.per.second", "0")]);
    assert_eq!(off.next_round(started, None, started + week), None);
    assert_eq!(off.next_round(started, Some(started), started + week), None);
}
