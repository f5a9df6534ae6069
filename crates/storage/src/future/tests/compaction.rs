//! A log moves while compaction puts segments of it in the place of others.

use fastrand::Rng;
use record::{BatchBuilder, Compression};

use super::*;
use crate::{CleanedSegment, LogConfig, OffsetMap, SwapOutcome};

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1200,
        compact: true,
        delete: false,
        file_delete_delay_ms: 0,
        producer_id_expiration_ms: i64::MAX,
        ..small()
    }
}

/// Appends a few records of a few keys, and sometimes a transaction.
fn put(log: &mut Log, random: &mut Rng) {
    let id = log.end_offset();
    let is_txn = random.u8(..4) == 0;
    let builder = BatchBuilder::new(Compression::None);
    let mut builder = if is_txn { builder.producer(id, 0, 0).transactional() } else { builder };
    for _ in 0..random.usize(1..4) {
        builder.push(NOW_MS, Some(&[random.u8(..5)]), Some(&vec![b'v'; random.usize(1..200)]), &[]);
    }
    append(log, &builder.build()).unwrap();
    if is_txn {
        append_from(log, &end_txn(id, 0, random.bool()), Origin::Coordinator).unwrap();
    }
    log.set_high_watermark(log.end_offset());
}

/// The next steps of a swap.
enum SwapStep {
    Begin,
    Replace,
    Finish,
    Done,
}

/// Does the next step of a swap. Returns the step after it.
fn step(log: &mut Log, cleaned: &CleanedSegment, next: &SwapStep) -> SwapStep {
    let swapped = match next {
        SwapStep::Begin => log.begin_swap(cleaned).unwrap(),
        SwapStep::Replace => log.replace_segments(cleaned, NOW_MS).unwrap(),
        SwapStep::Finish => log.finish_swap(cleaned).map(|()| SwapOutcome::Done).unwrap(),
        SwapStep::Done => return SwapStep::Done,
    };
    cleaned.sync_names().unwrap();
    match (swapped, next) {
        (SwapOutcome::Stale, _) | (_, SwapStep::Finish | SwapStep::Done) => SwapStep::Done,
        (SwapOutcome::Done, SwapStep::Begin) => SwapStep::Replace,
        (SwapOutcome::Done, SwapStep::Replace) => SwapStep::Finish,
    }
}

fn is_half_done(next: &SwapStep) -> bool {
    matches!(next, SwapStep::Replace | SwapStep::Finish)
}

/// One turn of a move: if it has caught up, the log may continue in the other place. Returns whether it does.
fn turn(log: &mut Log, future: &mut FutureLog, random: &mut Rng) -> bool {
    if !future.copy(&log.copy_source(), random.u64(200..4_000)).unwrap().caught_up {
        return false;
    }
    future.prepare(&log.copy_source()).unwrap();
    let syncs = log.syncs();
    let paused = syncs.pause();
    log.relocate(future, &paused).unwrap()
}

/// Runs a move with a pass of compaction. Returns whether the log moved while a cleaned segment was not yet in place.
fn run(seed: u64) -> bool {
    let mut random = Rng::with_seed(seed);
    let (home, other) = (Home::new(), Home::new());
    let (from, to) = (home.open(), other.open());
    let (mut log, _) = open_log(&from, config());
    while log.segments() < 8 {
        put(&mut log, &mut random);
    }
    let mut future = create(&to);
    let mut map = OffsetMap::new(1 << 16, 0.9);
    let mut cleaning = log.clean_plan(None, NOW_MS).unwrap().start(&mut map, &mut |_| Ok(())).unwrap();
    let (mut cleaned, mut next): (Option<CleanedSegment>, _) = (None, SwapStep::Done);
    loop {
        match random.u8(..10) {
            0..2 => put(&mut log, &mut random),
            2 => drop(log.flush().unwrap()),
            3..6 if matches!(next, SwapStep::Done) => {
                cleaned = cleaning.next_group(&mut |_| Ok(())).unwrap();
                next = if cleaned.is_some() { SwapStep::Begin } else { SwapStep::Done };
            }
            3..6 => next = step(&mut log, cleaned.as_ref().expect("it is being put in place"), &next),
            _ if turn(&mut log, &mut future, &mut random) => break,
            _ => {}
        }
    }
    assert!(!is_half_done(&next), "seed {seed}: no name is of a swap that is half done");
    assert_same_files(&other.dir.path().join("topic-0"), &home.dir.path().join("topic-0"));
    let before = said(&log);
    let old = from.rename_deleted(&name_of_log(), "1").unwrap();
    // The pass belongs to the old directory.
    let is_left = matches!(next, SwapStep::Begin);
    while !matches!(next, SwapStep::Done) {
        next = step(&mut log, cleaned.as_ref().expect("it is being put in place"), &next);
    }
    drop(cleaning);
    from.remove(&old).unwrap();
    from.check().unwrap();
    assert_eq!(said(&log), before, "seed {seed}");
    let names = std::fs::read_dir(other.dir.path().join("topic-0")).unwrap();
    let is_temporary = |name: &str| name.ends_with(".cleaned") || name.ends_with(".swap");
    assert!(names.map(|entry| entry.unwrap().file_name()).all(|name| !is_temporary(name.to_str().unwrap())));

    // The log can be compacted in the new directory, and opens there.
    let mut cleaning = log.clean_plan(None, NOW_MS).unwrap().start(&mut map, &mut |_| Ok(())).unwrap();
    while let Some(cleaned) = cleaning.next_group(&mut |_| Ok(())).unwrap() {
        assert_eq!(log.swap(&cleaned, NOW_MS).unwrap(), SwapOutcome::Done);
    }
    let compacted = said(&log);
    log.flush().unwrap();
    drop((log, to));
    let (log, _) = open_log(&other.open(), config());
    assert_eq!(said(&log), compacted, "seed {seed}");
    is_left
}

#[test]
fn a_log_moves_between_the_steps_of_a_swap_or_waits_for_its_end() {
    let left = (0..100).filter(|seed| run(*seed)).count();
    assert!((5..95).contains(&left), "{left}");
}

/// The last step of a swap has nothing to sync if the partition is gone meanwhile.
#[test]
fn a_log_that_is_deleted_while_its_segments_are_swapped_is_no_failure() {
    let mut random = Rng::with_seed(1);
    for steps in 1..=3 {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, config());
        while log.segments() < 4 {
            put(&mut log, &mut random);
        }
        let mut map = OffsetMap::new(1 << 16, 0.9);
        let mut cleaning = log.clean_plan(None, NOW_MS).unwrap().start(&mut map, &mut |_| Ok(())).unwrap();
        let cleaned = cleaning.next_group(&mut |_| Ok(())).unwrap().unwrap();
        let mut next = SwapStep::Begin;
        for _ in 0..steps {
            next = step(&mut log, &cleaned, &next);
        }
        drop(log);
        let path = directory.rename_deleted(&name_of_log(), "1").unwrap();
        cleaned.sync_names().unwrap();
        directory.check().unwrap();
        directory.remove(&path).unwrap();
    }
}
