use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::*;
use protocol::{ErrorCode, Str};

use super::*;
use crate::Reply;

#[test]
fn whoever_waits_is_sent_away_when_the_coordinator_gives_up() {
    check(
        "a join v=3
         b join v=3 group=h
         c join v=3 group=h
         wait 6000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         > @6000 b join: NONE gen=1 consumer range leader=b1 id=b1 b1:m c1:m
         > @6000 c join: NONE gen=1 consumer range leader=b1 id=c1
         d join v=3
         c sync group=h
         resign
         > d join: NOT_COORDINATOR id=d1
         > c sync: NOT_COORDINATOR",
    );
}

/// The reply that the shell sends if the records of a reply could not be made durable.
#[test]
fn a_reply_turns_into_an_error() {
    let error = ErrorCode::NOT_ENOUGH_REPLICAS;
    let told = ErrorCode::COORDINATOR_NOT_AVAILABLE;

    let joined = JoinGroupResponse {
        member_id: Str::from("a1"),
        skip_assignment: true,
        members: vec![Default::default()],
        ..Default::default()
    };
    let Reply::JoinGroup(response) = Reply::JoinGroup(joined).into_error(error) else { panic!() };
    assert_eq!((response.error_code, &*response.member_id), (told, ""));
    assert!(!response.skip_assignment && response.members.is_empty());

    let refused = JoinGroupResponse { error_code: ErrorCode::MEMBER_ID_REQUIRED, ..Default::default() };
    let refused = Reply::JoinGroup(refused);
    assert_eq!(refused.clone().into_error(error), refused);

    let synced = SyncGroupResponse { assignment: "A".into(), ..Default::default() };
    let Reply::SyncGroup(response) = Reply::SyncGroup(synced).into_error(error) else { panic!() };
    assert_eq!(response, SyncGroupResponse { error_code: told, ..Default::default() });

    let left = LeaveGroupResponse { members: vec![Default::default()], ..Default::default() };
    let Reply::LeaveGroup(response) = Reply::LeaveGroup(left).into_error(error) else { panic!() };
    assert_eq!(response, LeaveGroupResponse { error_code: told, ..Default::default() });

    let partition =
        |partition_index, error_code| OffsetCommitResponsePartition { partition_index, error_code };
    let topic = |of: [ErrorCode; 2]| OffsetCommitResponseTopic {
        name: Str::from("t"),
        partitions: vec![partition(0, of[0]), partition(1, of[1])],
        ..Default::default()
    };
    let commit = |of| OffsetCommitResponse { topics: vec![topic(of)], ..Default::default() };
    let committed = commit([ErrorCode::NONE, ErrorCode::OFFSET_METADATA_TOO_LARGE]);
    assert_eq!(Reply::OffsetCommit(committed).into_error(error), Reply::OffsetCommit(commit([told, told])));

    let Reply::OffsetDelete(response) =
        Reply::OffsetDelete(OffsetDeleteResponse::default()).into_error(error)
    else {
        panic!()
    };
    assert_eq!(response.error_code, told);

    let result = |group: &str, error_code| DeletableGroupResult { group_id: Str::from(group), error_code };
    let delete = |first| DeleteGroupsResponse {
        results: vec![result("g", first), result("h", ErrorCode::GROUP_ID_NOT_FOUND)],
        ..Default::default()
    };
    let deleted = Reply::DeleteGroups(delete(ErrorCode::NONE)).into_error(error);
    assert_eq!(deleted, Reply::DeleteGroups(delete(told)));
}
