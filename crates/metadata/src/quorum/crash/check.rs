//! The invariants of a metadata log that was opened again.

use std::io;

use openraft::RaftLogReader;
use openraft::storage::{RaftLogStorage, RaftStateMachine};

use super::history::{History, advance, now};
use crate::quorum::raft::{Entry, LogId};

/// Checks a node that has started; from here on the log is what the start found.
pub(super) fn recovered(history: &mut History) {
    vote_is_kept(history);
    let node = history.node();
    let state = now(node.store.get_log_state()).expect("it is in memory");
    let snapshot = state.last_purged_log_id;
    let found_len = len(state.last_log_id.as_ref());
    let found = read(history, len(snapshot.as_ref()), found_len).expect("what is found is read");
    assert!(
        found_len >= history.acknowledged,
        "{} entries were durable, and {found_len} are there",
        history.acknowledged
    );
    if history.log.is_empty() {
        // A new log.
        history.log.clone_from(&found);
    }
    let was = history.others.iter().chain([&history.log]).find(|log| {
        let covered = snapshot.as_ref().is_none_or(|last| {
            let at = len(Some(last));
            at <= history.applied && log.get(at - 1).is_some_and(|entry| entry.log_id == *last)
        });
        let from = len(snapshot.as_ref());
        let same = found_len <= log.len() && are_same(&log[from.min(found_len)..found_len], &found);
        covered && same && are_same(&log[..history.acknowledged], &history.log[..history.acknowledged])
    });
    let Some(log) = was else {
        panic!("entries {} to {found_len} were never those of the log", len(snapshot.as_ref()));
    };
    let found = log[..found_len].to_vec();
    // That the rest is gone need not be durable before anything is written after it.
    history.others.push(std::mem::replace(&mut history.log, found));
    // Whoever goes on from here has no reason to write them again.
    history.acknowledged = found_len;
    let applied = now(history.node().machine.applied_state()).expect("it is in memory").0;
    assert_eq!(applied, snapshot, "the state is that of the snapshot");
    let upto = history.random.usize(history.applied..=found_len);
    history.apply_to(upto).expect("what was applied is applied again");
}

fn vote_is_kept(history: &mut History) {
    let read = now(history.node().store.read_vote()).expect("it is in memory");
    let leader = |vote: &Option<_>| vote.as_ref().map(|vote: &crate::quorum::raft::Vote| vote.leader_id);
    let is_one = leader(&read) == leader(&history.vote)
        || (history.voting.is_some() && leader(&read) == leader(&history.voting));
    assert!(is_one, "the vote is {read:?}, and was {:?} or {:?}", history.vote, history.voting);
    history.vote = read;
    history.voting = None;
}

/// The state that is published is that of the entries that were applied.
pub(super) fn image(history: &mut History) {
    let applied = now(history.node().machine.applied_state()).expect("it is in memory").0;
    let applied = len(applied.as_ref());
    // What is applied is never taken back: the state goes on from there.
    if applied < history.replayed.0 {
        history.replayed = Default::default();
    }
    let (from, replay) = &mut history.replayed;
    for entry in &history.log[*from..applied] {
        advance(replay, entry);
    }
    *from = applied;
    let image = history.running.as_ref().expect("it runs").published.image();
    assert_eq!(*image, *replay.image(), "the state after {applied} entries");
}

/// Entries that are not deleted are read back as they were appended.
pub(super) fn entries(history: &mut History) -> io::Result<()> {
    let state = now(history.node().store.get_log_state())?;
    let (from, to) = (len(state.last_purged_log_id.as_ref()), len(state.last_log_id.as_ref()));
    assert_eq!(to, history.log.len(), "the log ends with the last entry");
    let from = history.random.usize(from..=to);
    let to = history.random.usize(from..=to);
    let found = read(history, from, to)?;
    assert!(are_same(&history.log[from..to], &found), "entries {from} to {to} are others");
    Ok(())
}

fn read(history: &mut History, from: usize, to: usize) -> io::Result<Vec<Entry>> {
    if from == to {
        return Ok(Vec::new());
    }
    now(history.node().store.try_get_log_entries(from as u64..to as u64))
}

/// The number of entries up to one.
fn len(last: Option<&LogId>) -> usize {
    last.map_or(0, |last| usize::try_from(last.index).expect("a small log") + 1)
}

fn are_same(one: &[Entry], other: &[Entry]) -> bool {
    let same = |(one, other): (&Entry, &Entry)| one.log_id == other.log_id && one.payload == other.payload;
    one.len() == other.len() && one.iter().zip(other).all(same)
}
