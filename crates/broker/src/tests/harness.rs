//! A broker without a port, on a disk in memory: a request goes through the table of APIs, and a response
//! comes back. Except for the socket, these tests run the same code as a process.
//!
//! With `MILENA_TEST_BOOTSTRAP=host:port` the tests run against another broker, such as a Kafka for
//! comparison. Tests that need their own broker are then skipped with a message.

#[allow(dead_code, reason = "the tests of the binary use more of it")]
pub(super) mod raw;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{CreateTopicsRequest, ListOffsetsRequest};
use protocol::{ErrorCode, Str};
use settings::Configs;
use storage::fs::Fs;
use storage::fs::simulated::Disk;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::broker::Broker;
use crate::dispatch;
use crate::node::{RunningNode, start_without_port};
use crate::peer::Peer;
use crate::reply::{Frame, Piece, Reply};
use raw::{Line, Raw};

/// The longest wait for one response.
const LIMIT: Duration = Duration::from_secs(30);

/// The address that a broker in this process shows to clients. Nobody listens there.
const ADDRESS: &str = "127.0.0.1:9092";

/// The special timestamps of ListOffsets for the first offset and for the end.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// A broker under test.
pub(super) enum Node {
    Here(Box<OwnNode>),
    There(String),
}

/// A broker in this process. It stops when it is dropped.
pub(super) struct OwnNode {
    /// `None` while it is being dropped.
    runtime: Option<Runtime>,
    running: Option<RunningNode>,
    disk: Arc<Disk>,
    given: Configs,
}

impl Node {
    /// A broker with default settings: a new one, or the one that `MILENA_TEST_BOOTSTRAP` names.
    pub(super) fn start() -> Node {
        match std::env::var("MILENA_TEST_BOOTSTRAP") {
            Ok(address) => Node::There(address),
            Err(_) => Node::Here(Box::new(OwnNode::start(&[]))),
        }
    }

    /// A broker with the test's own settings; `None` if the tests run against another one.
    pub(super) fn own(settings: &[(&str, &str)]) -> Option<Node> {
        if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
            eprintln!("skipped: needs a broker of its own");
            return None;
        }
        Some(Node::Here(Box::new(OwnNode::start(settings))))
    }

    /// The `host:port` that it shows to clients.
    pub(super) fn bootstrap(&self) -> &str {
        match self {
            Node::Here(_) => ADDRESS,
            Node::There(address) => address,
        }
    }

    /// A connection, or its substitute.
    pub(super) fn open(&self) -> Raw {
        match self {
            Node::Here(own) => Raw::over(own.line(0)),
            Node::There(address) => Raw::open(address),
        }
    }

    /// A connection to the listener for controllers of a broker that has one such and one other.
    pub(super) fn open_controller(&self) -> Raw {
        match self {
            Node::Here(own) => Raw::over(own.line(1)),
            Node::There(_) => panic!("only a broker of the test's own is known to have one"),
        }
    }

    /// Creates a topic whose name starts with that prefix, and returns its name.
    pub(super) fn create_topic(
        &self,
        name: &str,
        num_partitions: i32,
        settings: &[(&'static str, &str)],
    ) -> String {
        let name = unique(name);
        let config = |(name, value): &(&'static str, &str)| CreatableTopicConfig {
            name: Str::from_static(name),
            value: Some(Str::from(*value)),
        };
        let topic = CreatableTopic {
            name: Str::from(name.as_str()),
            num_partitions,
            replication_factor: 1,
            configs: settings.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let answer = self.open().ask(&request, 7).topics.remove(0);
        assert_eq!(answer.error_code, ErrorCode::NONE, "{:?}", answer.error_message);
        // Kafka's brokers learn of the topic a moment later.
        wait_until("the topic is served", LIMIT, || {
            (0..num_partitions).all(|partition| self.offset_at(&name, partition, LATEST).is_ok())
        });
        name
    }

    /// The first offset of a partition, and its end.
    pub(super) fn watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        let offset_at = |timestamp| self.offset_at(topic, partition, timestamp).expect("it is served");
        (offset_at(EARLIEST), offset_at(LATEST))
    }

    fn offset_at(&self, topic: &str, partition_index: i32, timestamp: i64) -> Result<i64, ErrorCode> {
        let partition = ListOffsetsPartition { partition_index, current_leader_epoch: -1, timestamp };
        let topic = ListOffsetsTopic { name: Str::from(topic), partitions: vec![partition] };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = self.open().ask(&request, 7).topics.remove(0).partitions.remove(0);
        if answer.error_code.is_error() { Err(answer.error_code) } else { Ok(answer.offset) }
    }

    /// Whether this is another broker, which is assumed to be Kafka.
    pub(super) fn is_kafka(&self) -> bool {
        matches!(self, Node::There(_))
    }
}

impl OwnNode {
    fn start(settings: &[(&str, &str)]) -> OwnNode {
        let mut given: Configs =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        given.entry("listeners".to_owned()).or_insert_with(|| format!("PLAINTEXT://{ADDRESS}"));
        // In most of these tests a new group would wait for members that never come.
        given.entry("group.initial.rebalance.delay.ms".to_owned()).or_insert_with(|| "50".to_owned());
        given.insert("node.id".to_owned(), "1".to_owned());
        given.insert("log.dirs".to_owned(), "/data".to_owned());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let disk = Disk::new(1);
        let mut node = OwnNode { runtime: Some(runtime.expect("a runtime")), running: None, disk, given };
        node.boot();
        node
    }

    fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("it is not being dropped").handle()
    }

    fn boot(&mut self) {
        let fs = Fs::simulated(Arc::clone(&self.disk));
        let started = self.handle().block_on(start_without_port(self.given.clone(), fs));
        self.running = Some(started.unwrap_or_else(|error| panic!("it does not start: {error}")));
    }

    fn stop(&mut self) {
        let running = self.running.take().expect("it runs");
        self.handle().block_on(running.shutdown());
    }

    fn line(&self, listener: usize) -> Handlers {
        let broker = Arc::clone(self.running.as_ref().expect("it runs").broker());
        let listener_type = broker.listener_type(listener);
        let peer = Arc::new(Peer { host: "/127.0.0.1".to_owned(), listener, listener_type });
        let (replies, replied) = unbounded_channel();
        let (sender, responses) = mpsc::channel();
        self.handle().spawn(respond(replied, sender));
        Handlers { handle: self.handle().clone(), broker, peer, replies, responses }
    }
}

impl Drop for OwnNode {
    fn drop(&mut self) {
        if self.running.is_some() && !std::thread::panicking() {
            self.stop();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Calls the handlers of a broker like a connection: requests in order, replies in the same order.
struct Handlers {
    handle: Handle,
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    replies: UnboundedSender<Reply>,
    responses: mpsc::Receiver<Option<Vec<u8>>>,
}

impl Line for Handlers {
    fn send(&mut self, frame: &[u8]) {
        let frame = Bytes::copy_from_slice(&frame[4..]);
        let handled = self.handle.block_on(async { dispatch::handle(&self.broker, &self.peer, frame) });
        // If the connection is closed, nobody receives it.
        let _ = self.replies.send(handled.unwrap_or(Reply::Close));
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        self.responses.recv_timeout(LIMIT).expect("a response in time")
    }
}

/// Sends the responses in order, until either side closes the connection.
async fn respond(mut replies: UnboundedReceiver<Reply>, responses: mpsc::Sender<Option<Vec<u8>>>) {
    while let Some(reply) = replies.recv().await {
        let frame = match reply {
            Reply::Nothing => continue,
            Reply::Now(frame) => frame,
            Reply::Later(reply) => reply.await,
            Reply::Close => Frame::unsayable(),
        };
        let response = if frame.is_unsayable() { None } else { Some(bytes_of(frame)) };
        let is_closed = response.is_none();
        if responses.send(response).is_err() || is_closed {
            return;
        }
    }
}

/// The bytes for the socket, without their length.
fn bytes_of(frame: Frame) -> Vec<u8> {
    let mut pieces = VecDeque::new();
    frame.into_pieces(&mut pieces);
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
            Piece::File(region) => {
                let at = bytes.len();
                bytes.resize(at + region.len, 0);
                region.file.read_exact_at(&mut bytes[at..], region.position).expect("the region is there");
            }
        }
    }
    bytes.split_off(4)
}

/// A name that no other test of this run, or of an earlier run against the same broker, has used.
pub(super) fn unique(what: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until `holds` is true, checking often, and fails the test with `what` after `limit`.
pub(super) fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "after {limit:?} still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
