//! A broker in this process, on a disk that the test watches and makes fail, with a client for it.
#![allow(
    clippy::disallowed_methods,
    reason = "a test speaks to the broker over sockets of its own, and looks at files"
)]
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::{RunningNode, StartError};
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, ProduceRequest};
use protocol::{Bytes, ErrorCode, Records, Request, Str, Writer, frame};
use record::{BatchBuilder, Compression};
use settings::Configs;
use storage::fs::Fs;
use storage::fs::faults::Faults;

/// The longest time that anything may take.
pub const LIMIT: Duration = Duration::from_secs(20);

/// The log directories of a broker.
pub struct Home {
    pub root: PathBuf,
    pub faults: Arc<Faults>,
    dirs: &'static [&'static str],
}

impl Home {
    /// Log directories of these names, the first with the metadata log.
    pub fn new(name: &str, dirs: &'static [&'static str]) -> Home {
        let root = std::env::temp_dir().join(format!("milena-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        Home { root, faults: Arc::default(), dirs }
    }

    pub fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Starts a broker with these settings in addition to the usual ones.
    pub async fn try_start(&self, settings: &[(&str, &str)]) -> Result<RunningNode, StartError> {
        let dirs: Vec<_> = self.dirs.iter().map(|dir| self.dir(dir).display().to_string()).collect();
        let dirs = dirs.join(",");
        let usual = [
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("log.dirs", dirs.as_str()),
            // Only what the test itself syncs is synced.
            ("log.flush.offset.checkpoint.interval.ms", "3600000"),
        ];
        let given = usual.iter().chain(settings);
        let given: Configs = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        broker::start_on(given, Fs::faulty(self.faults.clone())).await
    }

    pub async fn start(&self) -> RunningNode {
        self.try_start(&[("node.id", "1")]).await.expect("it starts")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// Sends a request on a connection of its own, and returns the response.
pub fn ask<R: Request>(address: SocketAddr, request: &R, version: i16) -> R::Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let sent =
        frame::encode_request(7, Some(Str::from("disk-test")), request, version, Writer::new()).unwrap();
    stream.write_all(&sent.into_bytes()).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut response = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut response).unwrap();
    frame::decode_response::<R::Response>(Bytes::from(response), version).unwrap().1
}

/// Creates topics with that many partitions each.
pub fn create_topics(address: SocketAddr, names: &[&str], num_partitions: i32) {
    let topics = names.iter().map(|name| CreatableTopic {
        name: Str::from(*name),
        num_partitions,
        replication_factor: 1,
        ..Default::default()
    });
    let request = CreateTopicsRequest { topics: topics.collect(), timeout_ms: 9_000, ..Default::default() };
    for topic in ask(address, &request, 7).topics {
        assert_eq!(topic.error_code, ErrorCode::NONE, "{topic:?}");
    }
}

/// Deletes topics.
pub fn delete_topics(address: SocketAddr, names: &[&str]) {
    let topics =
        names.iter().map(|name| DeleteTopicState { name: Some(Str::from(*name)), ..Default::default() });
    let request = DeleteTopicsRequest { topics: topics.collect(), timeout_ms: 9_000, ..Default::default() };
    for topic in ask(address, &request, 6).responses {
        assert_eq!(topic.error_code, ErrorCode::NONE, "{topic:?}");
    }
}

/// Produces one record with acks=all.
pub fn produce(address: SocketAddr, topic: &str, index: i32) -> (ErrorCode, i64) {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(1_700_000_000_000, None, Some(b"value"), &[]);
    let data = PartitionProduceData { index, records: Records::Bytes(builder.build().into()) };
    let topic = TopicProduceData { name: Str::from(topic), partition_data: vec![data], ..Default::default() };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 9_000, topic_data: vec![topic], ..Default::default() };
    let response = ask(address, &request, 9);
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}
