use super::script::check_with;
use super::*;
use crate::Settings;

#[test]
fn an_empty_group_is_deleted_with_its_offsets() {
    check(
        "x delete g
         > x delete: g=GROUP_ID_NOT_FOUND
         a join v=3
         x delete g
         > x delete: g=NON_EMPTY_GROUP
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         x delete g
         > x delete: g=NON_EMPTY_GROUP
         a sync a1=A
         > log: g gen=1 consumer range leader=a1 a1=A
         > a sync: NONE consumer range A
         a commit t-0=1 t-1=2
         > log: g t-0=1; g t-1=2
         > a commit: t-0=NONE t-1=NONE
         x delete g
         > x delete: g=NON_EMPTY_GROUP
         a leave
         > log: g gen=2 consumer
         > a leave: NONE a1=NONE
         fail NOT_ENOUGH_REPLICAS
         x delete g h
         > lost: g t-0 deleted; g t-1 deleted; g deleted
         > x delete: g=COORDINATOR_NOT_AVAILABLE h=GROUP_ID_NOT_FOUND
         x fetch *
         > x fetch: t-0=1 t-1=2
         x delete g h g
         > log: g t-0 deleted; g t-1 deleted; g deleted
         > x delete: g=NONE h=GROUP_ID_NOT_FOUND
         x list
         > x list:
         x fetch t-0
         > x fetch: t-0=-1
         restart
         x list
         > x list:",
    );
}

#[test]
fn a_deleted_group_starts_over() {
    check(
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a leave
         > log: g gen=2 consumer
         > a leave: NONE a1=NONE
         b join
         > b join: MEMBER_ID_REQUIRED id=b1
         x delete g
         > log: g deleted
         > x delete: g=NONE
         b join
         > b join: UNKNOWN_MEMBER_ID id=b1
         b join id= v=3
         wait 3000
         > @6000 b join: NONE gen=1 consumer range leader=b2 id=b2 b2:m",
    );
}

#[test]
fn large_deletions_go_in_several_batches() {
    // Two tombstones of offsets fit into a batch.
    let settings = Settings { deletion_batch_max_bytes: 26, ..Settings::default() };
    let offsets = "x commit t-0=1 t-1=1 t-2=1 t-3=1 t-4=1
         > log: g t-0=1; g t-1=1; g t-2=1; g t-3=1; g t-4=1
         > x commit: t-0=NONE t-1=NONE t-2=NONE t-3=NONE t-4=NONE\n";
    check_with(
        settings.clone(),
        &format!(
            "{offsets}
             x delete g
             > log: g t-0 deleted; g t-1 deleted
             > log: g t-2 deleted; g t-3 deleted
             > log: g t-4 deleted; g deleted
             > x delete: g=NONE"
        ),
    );
    // A deletion that fails in the middle leaves a group that can be deleted again.
    check_with(
        settings,
        &format!(
            "{offsets}
             fail NOT_ENOUGH_REPLICAS
             gone t
             > lost: g t-0 deleted; g t-1 deleted
             x fetch *
             > x fetch: t-0=1 t-1=1 t-2=1 t-3=1 t-4=1
             x delete g
             > log: g t-0 deleted; g t-1 deleted
             > log: g t-2 deleted; g t-3 deleted
             > log: g t-4 deleted; g deleted
             > x delete: g=NONE"
        ),
    );
}
