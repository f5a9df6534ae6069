//! The invariants of a recovered log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::{Batch, Scratch};

use super::indexes;
use super::partition::{Entry, Partition};
use crate::fs::simulated::Disk;
use crate::leader_epochs::LeaderEpochs;
use crate::log::note_epoch;
use crate::producer_state::{Marker, ProducerState};
use crate::{AbortedTxn, EpochEntry, Log};

/// Longer than any test, in ms: tombstones with this retention must stay.
const TOMBSTONES_STAY_MS: i64 = 3_600_000;

/// Checks a log after a crash, of the process alone or of the machine, and has the model continue with the recovered
/// partition. Returns its batches.
pub(super) fn recovered(partition: &mut Partition, is_killed: bool) -> Vec<Entry> {
    let found = contents(partition);
    let durable = match (partition.emptying, partition.written) {
        (Some(_), _) => 0,
        (None, Some(written)) if is_killed => written,
        _ => partition.durable,
    };
    nothing_is_invented(partition, &found);
    nothing_durable_is_gone(partition, &found, durable);
    let log = partition.log.as_ref().expect("it is open");
    let (start, end) = (log.log_start_offset(), log.end_offset());
    assert!(end >= durable, "{}: offsets from {end} on would be used again", partition.name);
    assert!(start >= partition.checkpointed_start, "{}: {start} was deleted for good", partition.name);
    let start_max = partition.start.max(partition.emptying.unwrap_or(0));
    assert!(start <= start_max, "{}: it begins at {start}, not {start_max}", partition.name);
    // Some producers of a log that was emptied may be known until the next start.
    partition.producers_unknown |= partition.emptying.is_some() && start == end;
    let first = found.first().map_or(end, |entry| entry.header.base_offset);
    let first = first.min(start);
    partition.note_gone_markers(&found, first);
    let before = partition.entries.iter().filter(|entry| entry.header.next_offset() <= first);
    partition.entries = before.chain(&found).cloned().collect();
    // A marker that was not durable may be gone, with batches that had been truncated in its place.
    let known_to = first.max(partition.compacted_to).min(end);
    partition.verdicts.retain(|_, (marker, _)| *marker < known_to);
    partition.note_verdicts();
    partition.forget_what_an_empty_log_forgets();
    producers_are_those_of_a_replay(partition);
    leader_epochs_are_those_of_the_batches(partition, &found);
    transactions_are_told_apart(partition, &found);
    if !partition.entries.is_empty() && partition.compacted_to == 0 {
        aborted_transactions_are_those_of_a_replay(partition);
    }
    found
}

/// Checks a log that was not opened again.
pub(super) fn as_written(partition: &Partition) {
    let found = contents(partition);
    let log = partition.log.as_ref().expect("it is open");
    nothing_is_invented(partition, &found);
    nothing_durable_is_gone(partition, &found, log.end_offset());
    transactions_are_told_apart(partition, &found);
}

/// Checks the indexes of a log, by their bytes and by their use.
pub(super) fn indexes(partition: &Partition, disk: &Arc<Disk>, random: &mut fastrand::Rng) {
    indexes::equal_a_rebuild(partition, disk);
    let found = partition.entries.iter().filter(|entry| entry.header.records_count > 0);
    let found: Vec<_> = found.cloned().collect();
    let log = partition.log.as_ref().expect("it is open");
    let start = log.log_start_offset();
    if start < log.end_offset() {
        let offset = random.i64(start..log.end_offset());
        let holds = partition.entries.iter().find(|entry| entry.header.last_offset() >= offset);
        let slice = log.read(offset, 1, true, i64::MAX).expect("what is served is read");
        let base_offset = slice.map(|slice| slice.base_offset);
        assert_eq!(base_offset, holds.map(|entry| entry.header.base_offset), "{}: {offset}", partition.name);
    }
    let Some(entry) = found.get(random.usize(..found.len().max(1))) else { return };
    let timestamp = entry.header.max_timestamp - random.i64(0..50);
    let later = found.iter().find_map(|entry| {
        let batch = Batch::parse(&entry.bytes).expect("it is a batch");
        let records = batch.records().map(|record| record.expect("it is a record"));
        let mut later = records.filter(|record| record.timestamp >= timestamp && record.offset >= start);
        later.next().map(|record| record.offset)
    });
    let told = log.offset_for_timestamp(timestamp, &mut Scratch::new()).expect("what is served is read");
    assert_eq!(told.map(|told| told.offset), later, "{}: the time {timestamp}", partition.name);
}

/// The batches that the log serves.
pub(super) fn contents(partition: &Partition) -> Vec<Entry> {
    let log = partition.log.as_ref().expect("it is open");
    let mut offset = log.log_start_offset();
    let mut found: Vec<Entry> = Vec::new();
    let is_gap = |from: i64, to: i64| {
        from == to || from < partition.compacted_to || leads_to(&partition.gaps, from, to)
    };
    while let Some(slice) = log.read(offset, usize::MAX, true, i64::MAX).expect("what is served is read") {
        for batch in record::batches(&slice.read().expect("what is served is read")) {
            let batch = batch.expect("what is served is whole");
            batch.verify_crc().expect("what is served is right");
            let header = *batch.header();
            let follows =
                found.last().is_none_or(|last| is_gap(last.header.next_offset(), header.base_offset));
            assert!(follows, "{}: something is missing before {}", partition.name, header.base_offset);
            found.push(Entry { bytes: batch.bytes().into(), header });
            offset = header.next_offset();
        }
    }
    let end = log.end_offset();
    let is_last = found.is_empty() || is_gap(offset, end);
    assert!(is_last, "{}: the log is served to {offset}, not its end at {end}", partition.name);
    found
}

/// Whether gaps lead from one offset to the other: they adjoin if the log was truncated between them.
fn leads_to(gaps: &BTreeSet<(i64, i64)>, from: i64, to: i64) -> bool {
    let mut reached = BTreeSet::from([from]);
    for (before, after) in gaps.range((from, from)..(to, to)) {
        if reached.contains(before) {
            reached.insert(*after);
        }
    }
    reached.contains(&to)
}

fn was_appended(partition: &Partition, entry: &Entry) -> bool {
    let base_offset = entry.header.base_offset;
    let index = partition.entries.binary_search_by_key(&base_offset, |entry| entry.header.base_offset);
    index.is_ok_and(|index| partition.entries[index].bytes == entry.bytes)
        || partition.others.contains(&(base_offset, entry.bytes.clone()))
}

/// The records of a batch, by offset: key and value.
fn records(entry: &Entry) -> impl Iterator<Item = (i64, Option<&[u8]>, Option<&[u8]>)> {
    let batch = Batch::parse(&entry.bytes).expect("it is a batch");
    batch.records().map(|record| {
        let record = record.expect("it is a record");
        (record.offset, record.key, record.value)
    })
}

fn nothing_is_invented(partition: &Partition, found: &[Entry]) {
    let anew = found.iter().filter(|entry| !was_appended(partition, entry));
    let anew: Vec<_> = anew.collect();
    if anew.is_empty() {
        return;
    }
    let known: BTreeSet<_> = partition.entries.iter().flat_map(records).collect();
    for entry in anew {
        let base_offset = entry.header.base_offset;
        let is_cleaned = base_offset < partition.cleaned_to && records(entry).all(|r| known.contains(&r));
        assert!(is_cleaned, "{}: the batch at {base_offset} was never appended", partition.name);
    }
}

fn nothing_durable_is_gone(partition: &Partition, found: &[Entry], durable: i64) {
    let log = partition.log.as_ref().expect("it is open");
    let start = log.log_start_offset();
    for entry in &partition.entries {
        let header = &entry.header;
        let is_durable = header.next_offset() <= durable && header.last_offset() >= partition.start;
        if !is_durable || header.base_offset < partition.cleaned_to {
            continue;
        }
        let index = found.binary_search_by_key(&header.base_offset, |entry| entry.header.base_offset);
        let is_there = index.is_ok_and(|index| found[index].bytes == entry.bytes);
        assert!(
            is_there,
            "{}: the batch at {} was durable (up to {durable}) and is gone: the log has {start} to {}",
            partition.name,
            header.base_offset,
            log.end_offset()
        );
    }
    the_last_of_each_key_is_there(partition, found, start.max(partition.start), durable);
}

/// Compaction keeps the last committed record of each key, unless it says that the key is deleted.
fn the_last_of_each_key_is_there(partition: &Partition, found: &[Entry], start: i64, durable: i64) {
    let mut last = BTreeMap::new();
    let to = partition.cleaned_to.min(durable);
    for entry in partition.entries.iter().filter(|entry| entry.header.base_offset < to) {
        let attributes = entry.header.attributes;
        let verdict = partition.verdicts.get(&entry.header.base_offset);
        let is_aborted = attributes.is_transactional() && verdict.is_none_or(|(_, aborted)| *aborted);
        if attributes.is_control() || is_aborted {
            continue;
        }
        last.extend(
            records(entry).filter(|r| r.0 >= start).map(|(offset, key, value)| (key, (offset, value))),
        );
    }
    if last.is_empty() {
        return;
    }
    let found: BTreeSet<_> = found.iter().flat_map(records).collect();
    let keeps_tombstones = partition.config.delete_retention_ms >= TOMBSTONES_STAY_MS;
    for (key, (offset, value)) in last.into_iter().filter(|(_, (_, it))| it.is_some() || keeps_tombstones) {
        let is_there = found.contains(&(offset, key, value));
        assert!(is_there, "{}: the last record of a key, at {offset}, is gone", partition.name);
    }
}

fn producers_are_those_of_a_replay(partition: &mut Partition) {
    let log = partition.log.as_ref().expect("it is open");
    let mut state = ProducerState::new(0);
    for entry in partition.appended().into_values() {
        state.apply(&entry.header, Marker::of(&entry.header, &entry.bytes));
    }
    let replayed = state.producers().iter().map(|(producer_id, producer)| {
        let last_sequence = producer.batches().last().map_or(-1, |batch| batch.last_sequence);
        (*producer_id, producer.epoch, last_sequence, producer.txn_first_offset.unwrap_or(-1))
    });
    let known = log.active_producers().into_iter().map(|active| {
        (active.producer_id, active.producer_epoch, active.last_sequence, active.current_txn_start_offset)
    });
    let (replayed, known): (Vec<_>, Vec<_>) = (replayed.collect(), known.collect());
    if partition.producers_unknown || log.log_start_offset() == log.end_offset() {
        // All batches may be lost, and a snapshot with the producers of some may be left.
        partition.producers_unknown |= known != replayed;
        return;
    }
    assert_eq!(known, replayed, "{}: producers (id, epoch, last sequence, transaction)", partition.name);
}

fn leader_epochs_are_those_of_the_batches(partition: &Partition, found: &[Entry]) {
    let log = partition.log.as_ref().expect("it is open");
    for Entry { header, .. } in found {
        let offset = header.base_offset.max(log.log_start_offset());
        let epoch = log.epoch_for_offset(offset);
        assert_eq!(epoch, Some(header.partition_leader_epoch), "{}: epoch at {offset}", partition.name);
    }
    if found.is_empty() || partition.compacted_to > 0 {
        return;
    }
    let mut epochs = LeaderEpochs::default();
    for entry in &partition.entries {
        note_epoch(&mut epochs, &entry.header);
    }
    epochs.truncate_from_start(log.log_start_offset());
    // One leader may have been elected before offsets that no batch has, and another after them.
    let first_batch = |epoch: &EpochEntry| {
        let mut offsets = found.iter().map(|entry| entry.header.base_offset);
        (offsets.find(|offset| *offset >= epoch.start_offset), epoch.epoch)
    };
    let known: BTreeMap<_, _> = log.leader_epochs().iter().map(first_batch).collect();
    let of_batches: BTreeMap<_, _> = epochs.entries().iter().map(first_batch).collect();
    assert_eq!(known, of_batches, "{}: leader epochs", partition.name);
}

/// A reader of committed records learns of the aborted transactions, and of no other.
fn transactions_are_told_apart(partition: &Partition, found: &[Entry]) {
    let log: &Log = partition.log.as_ref().expect("it is open");
    let known = log.aborted_transactions(log.log_start_offset(), i64::MAX).expect("the index is read");
    for active in log.active_producers() {
        let start = active.current_txn_start_offset;
        let is_there = found.iter().any(|entry| entry.header.base_offset == start);
        let is_open = !is_there || !partition.verdicts.contains_key(&start);
        assert!(is_open, "{}: {active:?} has ended its transaction", partition.name);
    }
    for Entry { header, .. } in found {
        let Some((_, aborted)) = partition.verdicts.get(&header.base_offset) else { continue };
        let covers = |txn: &AbortedTxn| {
            txn.producer_id == header.producer_id
                && (txn.first_offset..txn.last_offset).contains(&header.base_offset)
        };
        let is_told = known.iter().any(covers) && header.attributes.is_transactional();
        let is_aborted = *aborted && header.attributes.is_transactional();
        assert!(
            is_told == is_aborted || header.records_count == 0,
            "{}: the batch at {} was aborted: {is_aborted}, is told to be: {is_told}",
            partition.name,
            header.base_offset
        );
    }
}

fn aborted_transactions_are_those_of_a_replay(partition: &Partition) {
    let log = partition.log.as_ref().expect("it is open");
    let mut state = ProducerState::new(0);
    let mut aborted: Vec<AbortedTxn> = Vec::new();
    for entry in &partition.entries {
        let txn = state.apply(&entry.header, Marker::of(&entry.header, &entry.bytes));
        aborted.extend(txn.filter(|txn| txn.aborted).map(AbortedTxn::from));
    }
    let start = log.log_start_offset();
    aborted.retain(|txn| txn.last_offset >= start);
    let known = log.aborted_transactions(start, i64::MAX).expect("the index is read");
    assert_eq!(known, aborted, "{}: aborted transactions", partition.name);
}
