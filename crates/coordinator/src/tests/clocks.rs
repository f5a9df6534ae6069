//! A wall clock that is set: sessions and rebalances do not notice, and stored timestamps follow it.

use protocol::records::{GroupMetadataValue, OffsetCommitValue, coordinator_value};

use super::check;
use super::script::{START_MS, records_of};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The wall clock jumps two days forward or back, and no session notices.
#[test]
fn neither_sessions_nor_rebalances_notice() {
    for set in [2 * DAY_MS, -2 * DAY_MS] {
        check(&format!(
            "
            a join v=3 session=10000
            clock {set}
            wait 2999
            wait 1
            > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
            a sync a1=X
            > log: g gen=1 consumer range leader=a1 a1=X
            > a sync: NONE consumer range X
            clock {set}
            wait 9999
            a heartbeat
            > a heartbeat: NONE
            clock {set}
            wait 9999
            a heartbeat
            > a heartbeat: NONE
            wait 10000
            > @32998 log: g gen=2 consumer
            "
        ));
    }
}

/// Commits stamped by a clock that was ten days behind expire once it is corrected; commits stamped from then
/// on do not, neither now nor after a restart.
#[test]
fn a_clock_that_was_behind_does_not_age_later_commits() {
    check(
        "
        clock -864000000
        a commit group=early t-0=1
        > log: early t-0=1
        > a commit: t-0=NONE
        clock 864000000
        a commit group=late t-0=2
        > log: late t-0=2
        > a commit: t-0=NONE
        wait 600000
        > @600000 log: early t-0 deleted; early deleted
        restart
        wait 600000
        a fetch group=late t-0
        > a fetch: t-0=2
        clock 604800000
        wait 600000
        > @1800000 log: late t-0 deleted; late deleted
        ",
    );
}

/// The retention of a group without members runs from the time that the wall clock showed when it lost the
/// last one.
#[test]
fn a_group_is_empty_since_the_time_of_the_clock_then() {
    let script = "
        clock -864000000
        a join v=3
        wait 3000
        a sync a1=X
        clock 864000000
        a commit t-0=1
        a leave";
    let records = records_of(script.trim());
    let [_, commit, empty] = &records[..] else { panic!("{records:?}") };
    let commit: OffsetCommitValue = coordinator_value::decode(commit.value.clone().unwrap()).unwrap();
    let empty: GroupMetadataValue = coordinator_value::decode(empty.value.clone().unwrap()).unwrap();
    assert_eq!(commit.commit_timestamp, START_MS + 3_000);
    assert_eq!(empty.current_state_timestamp, START_MS + 3_000);
}
