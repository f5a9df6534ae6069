//! Mistakes that other brokers have made, each with a test that finds it.

use super::script::check_with;
use super::*;
use crate::Settings;

const STABLE: &str = "a join v=3 topics=t session=1800000
     wait 3000
     > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:{t}
     a sync a1=A
     > log: g gen=1 consumer range leader=a1 a1=A
     > a sync: NONE consumer range A
     a commit t-0=10 u-0=20
     > log: g t-0=10; g u-0=20
     > a commit: t-0=NONE u-0=NONE\n";

/// A day; the default retention is seven of them.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A commit of an earlier generation, or by a client that is in no generation, must not change the offsets of
/// a group with members.
#[test]
fn g1_a_zombie_does_not_commit() {
    check(&format!(
        "{STABLE}
         x commit t-0=1
         > x commit: t-0=UNKNOWN_MEMBER_ID
         x commit t-0=1 gen=-1 id=a1
         > x commit: t-0=ILLEGAL_GENERATION
         b join v=3
         x commit t-0=1
         > x commit: t-0=UNKNOWN_MEMBER_ID
         a join topics=t session=1800000
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:{{t}} b1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         x commit t-0=1
         > x commit: t-0=UNKNOWN_MEMBER_ID
         a sync a1=A b1=B
         > log: g gen=2 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         a commit t-0=1 gen=1
         > a commit: t-0=ILLEGAL_GENERATION
         a fetch t-0
         > a fetch: t-0=10
         a leave
         > a leave: NONE a1=NONE
         a commit t-0=1
         > a commit: t-0=UNKNOWN_MEMBER_ID
         b leave
         > log: g gen=3 consumer
         > b leave: NONE b1=NONE
         a commit t-0=1
         > a commit: t-0=UNKNOWN_MEMBER_ID
         x commit t-0=1
         > log: g t-0=1
         > x commit: t-0=NONE"
    ));
}

/// A coordinator that is asked before it has read its log to the end answers with old offsets or none. Here
/// it cannot be asked: [`LoadingShard`](crate::LoadingShard) has no method for it. Its answers afterwards are
/// the last ones in the log, and an offset that was never committed is -1, never 0.
#[test]
fn g4_offsets_are_those_of_the_end_of_the_log() {
    check(&format!(
        "{STABLE}
         a commit t-0=11
         > log: g t-0=11
         > a commit: t-0=NONE
         a commit t-0=12
         > log: g t-0=12
         > a commit: t-0=NONE
         x forget u-0
         > log: g u-0 deleted
         > x forget: NONE u-0=NONE
         restart
         a fetch t-0 t-1 u-0
         > a fetch: t-0=12 t-1=-1 u-0=-1
         a heartbeat
         > a heartbeat: NONE
         a commit t-0=13
         > log: g t-0=13
         > a commit: t-0=NONE"
    ));
}

/// A group that is alive keeps its offsets however long it does not commit. Only those of topics that it no
/// longer reads are deleted.
#[test]
fn g5_idle_is_not_dead() {
    // The first search after the retention of seven days. No member subscribes to `u`.
    let expired_ms = 3_000 + 7 * DAY_MS;
    let looked_ms = (expired_ms / 600_000 + 1) * 600_000;
    let mut script = STABLE.to_owned();
    let mut now_ms = 3_000;
    while now_ms < 30 * DAY_MS {
        script += "wait 1000000\n";
        if (now_ms + 1..=now_ms + 1_000_000).contains(&looked_ms) {
            script += &format!("> @{looked_ms} log: g u-0 deleted\n");
        }
        script += "a heartbeat\n> a heartbeat: NONE\n";
        now_ms += 1_000_000;
    }
    script += "a fetch *\n> a fetch: t-0=10\n";
    check(&script);
}

#[test]
fn g5_offsets_outlive_their_group_by_the_retention() {
    let settings = Settings { offsets_retention_minutes: 60, ..Settings::default() };
    check_with(
        settings.clone(),
        &format!(
            "{STABLE}
             wait 597000
             wait 1200000
             a leave
             > log: g gen=2 consumer
             > a leave: NONE a1=NONE
             wait 3599999
             a fetch *
             > a fetch: t-0=10 u-0=20
             wait 1
             > @5400000 log: g t-0 deleted; g u-0 deleted; g deleted
             a list
             > a list:"
        ),
    );
    // The member returns in time.
    check_with(
        settings,
        &format!(
            "{STABLE}
             a leave
             > log: g gen=2 consumer
             > a leave: NONE a1=NONE
             wait 3500000
             b join v=3 topics=t,u session=1800000
             wait 3000
             > @3506000 b join: NONE gen=3 consumer range leader=b1 id=b1 b1:{{t,u}}
             b sync b1=B
             > log: g gen=3 consumer range leader=b1 b1=B
             > b sync: NONE consumer range B
             wait 1700000
             b fetch *
             > b fetch: t-0=10 u-0=20"
        ),
    );
}

#[test]
fn g5_offsets_without_a_group_outlive_their_commit_by_the_retention() {
    check_with(
        Settings { offsets_retention_minutes: 60, ..Settings::default() },
        "x commit t-0=1
         > log: g t-0=1
         > x commit: t-0=NONE
         wait 1800000
         x commit t-1=2
         > log: g t-1=2
         > x commit: t-1=NONE
         wait 1799999
         wait 1
         > @3600000 log: g t-0 deleted
         x fetch *
         > x fetch: t-1=2
         wait 1800000
         > @5400000 log: g t-1 deleted; g deleted",
    );
}

#[test]
fn g5_a_client_may_say_when_an_offset_expires() {
    check(
        "x commit t-0=1 v=4 retention=900000
         > log: g t-0=1
         > x commit: t-0=NONE
         wait 600000
         restart
         wait 599999
         wait 1
         > @1200000 log: g t-0 deleted; g deleted",
    );
}

#[test]
fn g5_offsets_that_are_not_deleted_are_deleted_another_time() {
    check_with(
        Settings { offsets_retention_minutes: 60, ..Settings::default() },
        "x commit t-0=1
         > log: g t-0=1
         > x commit: t-0=NONE
         wait 3599999
         fail NOT_ENOUGH_REPLICAS
         wait 1
         > @3600000 lost: g t-0 deleted; g deleted
         x fetch *
         > x fetch: t-0=1
         wait 600000
         > @4200000 log: g t-0 deleted; g deleted",
    );
}

/// A client that was just given its member id still finds the group that it will join.
#[test]
fn g5_a_group_that_someone_is_about_to_join_stays() {
    check(
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a leave
         > log: g gen=2 consumer
         > a leave: NONE a1=NONE
         wait 596999
         b join
         > b join: MEMBER_ID_REQUIRED id=b1
         wait 1
         b join
         wait 3000
         > @603000 b join: NONE gen=3 consumer range leader=b1 id=b1 b1:m",
    );
}

#[test]
fn g5_a_group_of_others_than_consumers_keeps_all_its_offsets() {
    check_with(
        Settings { offsets_retention_minutes: 20, ..Settings::default() },
        "a join v=3 type=connect session=1800000
         wait 3000
         > @3000 a join: NONE gen=1 connect range leader=a1 id=a1 a1:m
         a sync a1=A
         > log: g gen=1 connect range leader=a1 a1=A
         > a sync: NONE connect range A
         a commit t-0=10
         > log: g t-0=10
         > a commit: t-0=NONE
         wait 1700000
         a heartbeat
         > a heartbeat: NONE
         wait 1700000
         a fetch *
         > a fetch: t-0=10",
    );
}

/// If offsets in memory changed before the record is stored, they would differ from the log when that fails.
/// The shell of these tests compares the two after every step, and before every append.
#[test]
fn g6_offsets_change_only_with_the_log() {
    check(&format!(
        "{STABLE}
         fail NOT_ENOUGH_REPLICAS
         a commit t-0=11 t-1=12
         > lost: g t-0=11; g t-1=12
         > a commit: t-0=COORDINATOR_NOT_AVAILABLE t-1=COORDINATOR_NOT_AVAILABLE
         a fetch *
         > a fetch: t-0=10 u-0=20
         fail KAFKA_STORAGE_ERROR
         x forget u-0
         > lost: g u-0 deleted
         > x forget: NOT_COORDINATOR
         fail KAFKA_STORAGE_ERROR
         gone t
         > lost: g t-0 deleted
         a fetch *
         > a fetch: t-0=10 u-0=20
         restart
         a fetch *
         > a fetch: t-0=10 u-0=20"
    ));
}
