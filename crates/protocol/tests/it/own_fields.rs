//! Milena's own fields: absent unless they are set, and ignored by peers that do not know them.

use bytes::Bytes;
use protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
    LogDamage, PartitionLogStatus,
};

use crate::sample::{decoded, encoded};

fn response(log_status: Option<PartitionLogStatus>) -> DescribeLogDirsResponse {
    let partition = DescribeLogDirsPartition {
        partition_index: 3,
        partition_size: 4096,
        log_status,
        ..DescribeLogDirsPartition::default()
    };
    let topic = DescribeLogDirsTopic { name: "orders".into(), partitions: vec![partition] };
    let result = DescribeLogDirsResult {
        log_dir: "/logs".into(),
        topics: vec![topic],
        ..DescribeLogDirsResult::default()
    };
    DescribeLogDirsResponse { results: vec![result], ..DescribeLogDirsResponse::default() }
}

fn status() -> PartitionLogStatus {
    let damage = LogDamage {
        file: "/logs/orders-3/00000000000000000000.log".into(),
        position: 70,
        offset: 2,
        what: "what".into(),
        mend: "mend".into(),
    };
    PartitionLogStatus {
        segments: 2,
        log_start_offset: 1,
        log_end_offset: 10,
        recovery_point: 9,
        scrub_timestamp: 1_700_000_000_000,
        scrubbed_bytes: 4000,
        damage: vec![damage],
    }
}

#[test]
fn the_status_of_logs_is_for_who_asks() {
    for version in 2..=5 {
        let asked = DescribeLogDirsRequest { topics: None, include_log_status: true };
        let not_asked = DescribeLogDirsRequest { topics: None, include_log_status: false };
        // The tag, its size and the value.
        assert_eq!(encoded(&asked, version).len(), encoded(&not_asked, version).len() + 4);
        assert_eq!(decoded::<DescribeLogDirsRequest>(&encoded(&asked, version), version), asked);
        let with = response(Some(status()));
        assert_eq!(decoded::<DescribeLogDirsResponse>(&encoded(&with, version), version), with);
    }
    // Before there were tags nothing is said.
    let with = encoded(&response(Some(status())), 1);
    assert_eq!(with, encoded(&response(None), 1));
}

#[test]
fn another_crate_passes_over_it() {
    use kacrab_protocol::generated::DescribeLogDirsResponseData;
    let read = |mut bytes: Bytes| {
        let response = DescribeLogDirsResponseData::read(&mut bytes, 5).unwrap();
        assert!(bytes.is_empty());
        response
    };
    let with = read(encoded(&response(Some(status())), 5));
    let topic = &with.results[0].topics[0];
    assert_eq!((topic.partitions[0].partition_index, topic.partitions[0].partition_size), (3, 4096));
    read(encoded(&response(None), 5));
}
