//! Every version that clients speak. Scripts encode each reply in the version of its request.

use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::{DescribeGroupsResponse, OffsetFetchRequest, OffsetFetchResponse};
use protocol::{ErrorCode, Message, Str, Uuid, Writer};

use super::script::{START, context};
use super::*;
use crate::classic::join_for_version;
use crate::*;

#[test]
fn join_group_0_to_9() {
    for version in 0..=9 {
        let first = match version {
            0..=3 => format!("a join v={version} instance=\n"),
            _ => format!("a join v={version}\n> a join: MEMBER_ID_REQUIRED id=a1\na join v={version}\n"),
        };
        // From version 7 on the response has the protocol type, which older versions drop.
        check(&format!(
            "{}
             b join v=3
             wait 6000
             > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
             > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
             b join v={version} id=x
             > b join: UNKNOWN_MEMBER_ID id=x
             b join v={version} type=other
             > b join: INCONSISTENT_GROUP_PROTOCOL id=b1
             b join v={version} session=1
             > b join: INVALID_SESSION_TIMEOUT id=b1
             b join v={version}
             > b join: NONE gen=1 consumer range leader=a1 id=b1",
            first.replace(" instance=", "")
        ));
    }
}

/// Version 0 has one timeout for both.
#[test]
fn join_group_0_rebalances_within_the_session_timeout() {
    check(
        "a join v=0 session=20000 rebalance=1
         b join v=0 session=10000 rebalance=1
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         b sync
         wait 13000
         a heartbeat
         > a heartbeat: NONE
         wait 6999
         wait 1
         > @26000 b sync: REBALANCE_IN_PROGRESS",
    );
}

/// Before version 7 the protocol name cannot be null; from then on it cannot be empty.
#[test]
fn join_group_7_has_null_for_no_protocol() {
    for (version, expected) in [(6, Some(Str::default())), (7, None), (9, None)] {
        let mut coordinator = LoadingShard::<GroupCoordinator>::new(Settings::default()).loaded(START);
        let request = protocol::messages::JoinGroupRequest {
            group_id: Str::from("g"),
            session_timeout_ms: 1,
            ..Default::default()
        };
        let request = GroupRequest::JoinGroup(context("a", version, 1), request);
        let output = coordinator.decide(Token(1), request, START);
        let [(Token(1), Reply::JoinGroup(response))] = &output.replies[..] else { panic!("{output:?}") };
        assert_eq!(response.protocol_name, expected);
        let without = protocol::messages::JoinGroupResponse { protocol_name: None, ..Default::default() };
        assert_eq!(join_for_version(without, version).protocol_name, expected);
    }
}

#[test]
fn sync_group_0_to_5() {
    for version in 0..=5 {
        check(&format!(
            "a join v=3
             wait 3000
             > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
             x sync v={version} type=consumer protocol=range
             > x sync: UNKNOWN_MEMBER_ID
             a sync v={version} a1=A
             > log: g gen=1 consumer range leader=a1 a1=A
             > a sync: NONE consumer range A"
        ));
    }
}

#[test]
fn leave_group_0_to_5() {
    for version in 0..=5 {
        let (left, unknown) = match version {
            0..=2 => ("NONE", "UNKNOWN_MEMBER_ID"),
            _ => ("NONE a1=NONE", "NONE a1=UNKNOWN_MEMBER_ID"),
        };
        check(&format!(
            "a join v=3
             wait 3000
             > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
             fail NOT_ENOUGH_REPLICAS
             a leave v={version}
             > lost: g gen=2 consumer
             > a leave: COORDINATOR_NOT_AVAILABLE
             a leave v={version}
             > a leave: {unknown}
             b join v=3
             a join v=3 id=
             wait 6000
             > @9000 a join: NONE gen=3 consumer range leader=b1 id=a2
             > @9000 b join: NONE gen=3 consumer range leader=b1 id=b1 a2:m b1:m
             a leave v={version}
             > a leave: {}",
            left.replace("a1", "a2")
        ));
    }
}

#[test]
fn offset_commit_2_to_10() {
    for version in 2..=10 {
        let unknown_group = if version >= 9 { "GROUP_ID_NOT_FOUND" } else { "ILLEGAL_GENERATION" };
        check(&format!(
            "x commit v={version} t-0=1 gen=1
             > x commit: t-0={unknown_group}
             x commit v={version} t-0=1
             > log: g t-0=1
             > x commit: t-0=NONE"
        ));
    }
}

#[test]
fn delete_groups_0_to_2() {
    for version in 0..=2 {
        check(&format!(
            "x delete v={version} g
             > x delete: g=GROUP_ID_NOT_FOUND"
        ));
    }
}

#[test]
fn describe_groups_0_to_6() {
    let coordinator = LoadingShard::<GroupCoordinator>::new(Settings::default()).loaded(START);
    for version in 0..=6 {
        let group: DescribedGroup = coordinator.describe_group(&Str::from("g"), version);
        assert_eq!(group.error_message.is_some(), version >= 6);
        let response = DescribeGroupsResponse { groups: vec![group], ..Default::default() };
        assert_eq!(response.encode(&mut Writer::new(), version), Ok(()));
    }
}

/// A coordinator in which group `g` has committed 5 for `t-0`.
fn with_an_offset() -> GroupCoordinator {
    let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
    for (offset, record) in script::records_of("x commit t-0=5:m").into_iter().enumerate() {
        let record = StoredRecord::new(offset as i64, record);
        assert_eq!(loading.replay(record), Ok(ReplayOutcome::Applied));
    }
    loading.loaded(START)
}

fn fetch(request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let coordinator = with_an_offset();
    let groups = offset_fetch_groups(request, version);
    let groups = groups
        .iter()
        .map(|group| coordinator.offset_fetch(group, false, START, |_| Uuid::ZERO).unwrap())
        .collect();
    let response = offset_fetch_response(groups, version);
    assert_eq!(response.encode(&mut Writer::new(), version), Ok(()));
    response
}

#[test]
fn offset_fetch_1_to_7_is_about_one_group() {
    for version in 1..=7 {
        let topics = vec![OffsetFetchRequestTopic { name: Str::from("t"), partition_indexes: vec![0, 1] }];
        let mut request =
            OffsetFetchRequest { group_id: Str::from("g"), topics: Some(topics), ..Default::default() };
        let response = fetch(request.clone(), version);
        assert_eq!(response.groups, []);
        assert_eq!(response.error_code, ErrorCode::NONE);
        let partitions = &response.topics[0].partitions;
        assert_eq!((partitions[0].partition_index, partitions[0].committed_offset), (0, 5));
        assert_eq!(partitions[0].metadata.as_deref(), Some("m"));
        assert_eq!((partitions[1].partition_index, partitions[1].committed_offset), (1, -1));
        assert_eq!(partitions[1].metadata.as_deref(), Some(""));
        if version >= 2 {
            request.topics = None;
            assert_eq!(fetch(request, version).topics[0].partitions.len(), 1);
        }
    }
}

#[test]
fn offset_fetch_8_to_10_is_about_several_groups() {
    for version in 8..=10 {
        let topics = vec![OffsetFetchRequestTopics {
            name: Str::from("t"),
            partition_indexes: vec![0],
            ..Default::default()
        }];
        let group =
            |group_id: &str, topics: &Option<Vec<OffsetFetchRequestTopics>>| OffsetFetchRequestGroup {
                group_id: Str::from(group_id),
                topics: topics.clone(),
                ..Default::default()
            };
        let groups = vec![group("g", &Some(topics.clone())), group("h", &Some(topics)), group("g", &None)];
        let response = fetch(OffsetFetchRequest { groups, ..Default::default() }, version);
        let committed: Vec<(Str, i64)> = response
            .groups
            .iter()
            .map(|group| (group.group_id.clone(), group.topics[0].partitions[0].committed_offset))
            .collect();
        assert_eq!(committed, [(Str::from("g"), 5), (Str::from("h"), -1), (Str::from("g"), 5)]);
    }
}

#[test]
fn an_offset_fetch_that_fails_says_so_where_its_version_can() {
    let topics = vec![OffsetFetchRequestTopic { name: Str::from("t"), partition_indexes: vec![3] }];
    let request = OffsetFetchRequest { group_id: Str::from("g"), topics: Some(topics), ..Default::default() };
    for version in 1..=10 {
        let mut request = request.clone();
        if version >= 8 {
            request.groups = offset_fetch_groups(request.clone(), 7);
        }
        let groups = offset_fetch_groups(request, version);
        let failed = offset_fetch_error(&groups[0], ErrorCode::NOT_COORDINATOR, version);
        let response = offset_fetch_response(vec![failed], version);
        assert_eq!(response.encode(&mut Writer::new(), version), Ok(()));
        match version {
            1 => {
                let partition = &response.topics[0].partitions[0];
                assert_eq!(partition.partition_index, 3);
                assert_eq!(partition.error_code, ErrorCode::NOT_COORDINATOR);
                assert_eq!(partition.committed_offset, -1);
            }
            2..=7 => {
                assert_eq!(response.error_code, ErrorCode::NOT_COORDINATOR);
                assert_eq!(response.topics, []);
            }
            _ => assert_eq!(response.groups[0].error_code, ErrorCode::NOT_COORDINATOR),
        }
    }
}
