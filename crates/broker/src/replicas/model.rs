//! A search through small clusters: leaders and followers as they are, over logs that are vectors, and a controller that
//! elects from the ISR. It takes every order of a bounded number of appends, fetches, syncs, late and repeated deliveries,
//! crashes, elections and changes of the ISR, and looks after each step whether what was committed is still there.
//!
//! The mistakes of [`super::traps`] are put back one at a time, and the search must find each.

mod cluster;
mod controller;
mod node;
mod search;

use cluster::{Loss, Step};
use search::{Outcome, Scope, explore};

use super::traps::{self, Trap};

const NONE: Scope = Scope {
    nodes: 2,
    laggards: 0,
    appends: 0,
    asks: 0,
    elections: 0,
    fences: 0,
    crashes: 0,
    shrinks: 0,
    loss: Loss::None,
};
/// Leadership goes to and fro, and what a deposed leader had alone is truncated.
const ELECTIONS: Scope = Scope { appends: 2, asks: 3, elections: 2, ..NONE };
/// A follower that lags goes out of sync and comes back, while the leader changes.
const LAGGARDS: Scope = Scope { appends: 1, asks: 2, elections: 1, shrinks: 2, ..NONE };
/// Power fails, and what was not synced is gone.
const POWER: Scope = Scope { appends: 1, asks: 3, crashes: 1, elections: 1, loss: Loss::Unsynced, ..NONE };
/// A disk is replaced.
const DISK: Scope = Scope { appends: 1, asks: 3, crashes: 1, loss: Loss::All, ..NONE };
/// Brokers are fenced that live.
const FENCES: Scope = Scope { appends: 1, asks: 2, fences: 2, ..NONE };
/// The third of three replicas is out of sync, and what the other two have is committed. One is elected that does not know.
const THREE: Scope = Scope { nodes: 3, laggards: 1, appends: 1, asks: 4, elections: 1, ..NONE };
const COMMIT: [Step; 8] = [
    Step::Append(0),
    Step::Ask(1),
    Step::Serve(0),
    Step::Deliver(0),
    Step::Sync(0),
    Step::Sync(1),
    Step::Ask(1),
    Step::Serve(1),
];

/// Goes through the whole scope, in which nothing that is committed may be lost.
fn check(scope: &Scope, first: &[Step]) {
    match explore(scope, first) {
        Outcome::Sound { acknowledged, .. } => assert!(acknowledged > 0, "it proves nothing"),
        Outcome::Broken { trace, problem } => panic!("{problem}\n{}", trace.join("\n")),
    }
}

/// Makes a mistake, which the search through the scope must find.
fn find(trap: Trap, scope: &Scope, first: &[Step]) {
    traps::set(Some(trap));
    let outcome = explore(scope, first);
    traps::set(None);
    if let Outcome::Sound { states, .. } = outcome {
        panic!("{trap:?} is not found in {states} states");
    }
}

#[test]
fn elections_lose_nothing() {
    check(&ELECTIONS, &[]);
}

#[test]
fn laggards_lose_nothing() {
    check(&LAGGARDS, &[]);
}

#[test]
fn a_loss_of_power_loses_nothing_acknowledged() {
    check(&POWER, &[]);
}

#[test]
fn a_replaced_disk_loses_nothing_acknowledged() {
    check(&DISK, &[]);
}

#[test]
fn fenced_brokers_lose_nothing() {
    check(&FENCES, &[]);
}

#[test]
fn three_replicas_lose_nothing() {
    check(&THREE, &COMMIT);
}

/// Larger scopes, of some minutes.
#[test]
#[ignore = "takes minutes"]
fn larger_clusters_lose_nothing() {
    for scope in [
        Scope { appends: 2, asks: 5, elections: 2, ..NONE },
        Scope { appends: 2, asks: 3, elections: 1, shrinks: 2, ..NONE },
        Scope { appends: 2, asks: 3, crashes: 2, elections: 1, loss: Loss::Unsynced, ..NONE },
        Scope { appends: 2, asks: 4, crashes: 1, loss: Loss::All, ..NONE },
        Scope { appends: 2, asks: 2, fences: 2, ..NONE },
        Scope { nodes: 3, laggards: 1, appends: 1, asks: 3, elections: 1, ..NONE },
    ] {
        check(&scope, &[]);
    }
}

#[test]
fn trap_r1_truncation_to_the_high_watermark_is_found() {
    find(Trap::TruncatedToHighWatermark, &ELECTIONS, &[]);
}

#[test]
fn trap_r3_fetches_of_other_epochs_are_found() {
    // A follower says that it has the record of a leader that is deposed, and truncates it for the next one.
    let first = [
        Step::Append(0),
        Step::Ask(1),
        Step::Serve(0),
        Step::Deliver(0),
        Step::Sync(1),
        Step::Ask(1),
        Step::Elect(2),
        Step::Learn(2),
        Step::Learn(1),
    ];
    let scope = Scope { nodes: 3, appends: 1, asks: 6, elections: 2, ..NONE };
    find(Trap::FetchUnfenced, &scope, &first);
}

#[test]
fn trap_r3_expansion_by_the_high_watermark_is_found() {
    find(Trap::ExpandedByHighWatermark, &THREE, &COMMIT);
}

#[test]
fn trap_r7_fetching_from_what_is_not_synced_is_found() {
    find(Trap::UnsyncedFetchOffset, &POWER, &[]);
}

#[test]
fn trap_r7_acknowledging_what_was_taken_over_is_found() {
    find(Trap::InheritedAcknowledged, &POWER, &[]);
}

#[test]
fn trap_r8_the_committed_isr_alone_is_found() {
    find(Trap::CommittedIsrCounts, &LAGGARDS, &[]);
}

#[test]
fn trap_r8_an_answer_to_an_earlier_attempt_is_found() {
    let scope = Scope { appends: 1, asks: 1, fences: 2, shrinks: 1, ..NONE };
    check(&Scope { asks: 2, ..scope }, &[]);
    find(Trap::EarlierAnswerTaken, &scope, &[]);
}

#[test]
fn trap_r9_a_stale_broker_is_found() {
    find(Trap::StaleBrokerJoins, &DISK, &[]);
}

#[test]
fn trap_r12_an_epoch_untold_is_found() {
    find(Trap::LastEpochUntold, &ELECTIONS, &[]);
}

#[test]
fn trap_r13_late_answers_are_found() {
    // A deposed leader has a record of its own, and the answer that its log diverges is on the way.
    let first = [
        Step::Append(0),
        Step::Sync(0),
        Step::Elect(1),
        Step::Learn(0),
        Step::Learn(1),
        Step::Append(1),
        Step::Ask(0),
        Step::Serve(0),
        Step::Lose(0),
    ];
    let scope = Scope { appends: 2, asks: 4, elections: 1, ..NONE };
    check(&scope, &first);
    find(Trap::LateAnswerTaken, &scope, &first);
}
