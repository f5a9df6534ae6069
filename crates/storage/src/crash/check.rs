//! What must hold of a log that was recovered.

use super::history::{Entry, Partition};
use crate::AbortedTxn;
use crate::producer_state::{Marker, ProducerState};

/// Checks a log after a crash; from here on the partition is what recovery made of it.
pub(super) fn recovered(partition: &mut Partition) {
    let found = contents(partition);
    nothing_is_invented(partition, &found);
    nothing_durable_is_gone(partition, &found);
    let log = partition.log.as_ref().expect("it is open");
    let start = log.log_start_offset();
    assert!(start >= partition.checkpointed_start, "{}: {start} was deleted for good", partition.name);
    assert!(start <= partition.start, "{}: it begins at {start}, not {}", partition.name, partition.start);
    let first = found.first().map_or(log.end_offset(), |entry| entry.header.base_offset);
    let before = partition.entries.iter().filter(|entry| entry.header.next_offset() <= first);
    partition.entries = before.cloned().collect();
    partition.entries.extend(found);
    partition.forget_what_an_empty_log_forgets();
    if !partition.entries.is_empty() {
        aborted_transactions_are_those_of_a_replay(partition);
    }
}

/// The batches that the log serves.
fn contents(partition: &Partition) -> Vec<Entry> {
    let log = partition.log.as_ref().expect("it is open");
    let mut offset = log.log_start_offset();
    let mut found: Vec<Entry> = Vec::new();
    while let Some(slice) = log.read(offset, usize::MAX, true, i64::MAX).expect("what is served is read") {
        for batch in record::batches(&slice.read().expect("what is served is read")) {
            let batch = batch.expect("what is served is whole");
            batch.verify_crc().expect("what is served is right");
            let header = *batch.header();
            let follows = found.last().is_none_or(|last| last.header.next_offset() == header.base_offset);
            assert!(follows, "{}: nothing is missing before {}", partition.name, header.base_offset);
            found.push(Entry { bytes: batch.bytes().into(), header });
            offset = header.next_offset();
        }
    }
    assert_eq!(offset, log.end_offset(), "{}: the log is served to its end", partition.name);
    found
}

fn nothing_is_invented(partition: &Partition, found: &[Entry]) {
    for entry in found {
        let base_offset = entry.header.base_offset;
        let index = partition.entries.binary_search_by_key(&base_offset, |entry| entry.header.base_offset);
        let was_appended = index.is_ok_and(|index| partition.entries[index].bytes == entry.bytes)
            || partition.others.contains(&(base_offset, entry.bytes.clone()));
        assert!(was_appended, "{}: the batch at {base_offset} was never appended", partition.name);
    }
}

fn nothing_durable_is_gone(partition: &Partition, found: &[Entry]) {
    let log = partition.log.as_ref().expect("it is open");
    let start = log.log_start_offset();
    for entry in &partition.entries {
        let header = &entry.header;
        if header.next_offset() > partition.durable || header.last_offset() < partition.start {
            continue;
        }
        let index = found.binary_search_by_key(&header.base_offset, |entry| entry.header.base_offset);
        let is_there = index.is_ok_and(|index| found[index].bytes == entry.bytes);
        assert!(
            is_there,
            "{}: the batch at {} was durable (up to {}) and is gone: the log has {start} to {}",
            partition.name,
            header.base_offset,
            partition.durable,
            log.end_offset()
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
