//! Several voters in one process, with links that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use openraft::rt::WatchReceiver;
use parking_lot::Mutex;
use protocol::records::TopicRecord;

use super::*;

/// The time that anything may take: a generous limit, which no test reaches.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const CLUSTER: &str = "a-cluster-of-this-test";

/// The links between the voters.
#[derive(Debug, Default)]
pub(super) struct Wires {
    voters: Mutex<BTreeMap<VoterId, Weak<Quorum>>>,
    /// Links that carry nothing, from one node to another.
    cut: Mutex<BTreeSet<(i32, i32)>>,
    /// Bytes that arrived.
    pub(super) carried: Mutex<u64>,
}

impl Wires {
    fn is_cut(&self, from: i32, to: i32) -> bool {
        self.cut.lock().contains(&(from, to))
    }

    /// Cuts a node off, both ways.
    pub(super) fn isolate(&self, node: i32) {
        for other in 1..=7 {
            self.cut.lock().extend([(node, other), (other, node)]);
        }
    }

    pub(super) fn heal(&self) {
        self.cut.lock().clear();
    }
}

/// The end of the links at one node.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) node: i32,
    pub(super) wires: Arc<Wires>,
}

impl Peers for Ends {
    fn ask<'a>(
        &'a self,
        voter: VoterId,
        _endpoints: &'a [VoterEndpoint],
        request: Bytes,
    ) -> BoxFuture<'a, io::Result<Bytes>> {
        Box::pin(async move {
            let lost = || io::Error::from(io::ErrorKind::HostUnreachable);
            let asked = self.wires.voters.lock().get(&voter).and_then(Weak::upgrade);
            let Some(asked) = asked.filter(|_| !self.wires.is_cut(self.node, voter.id)) else {
                return Err(lost());
            };
            *self.wires.carried.lock() += request.len() as u64;
            // As on a connection: whoever asks may go away, and the request is there.
            let answering = runtime::task::spawn(async move { asked.answer(request).await });
            let answer = answering.await.map_err(io::Error::other)?;
            if self.wires.is_cut(voter.id, self.node) { Err(lost()) } else { Ok(answer) }
        })
    }
}

/// A node of the cluster.
pub(super) struct Voter {
    pub(super) quorum: Arc<Quorum>,
    directory: LogDirectory,
    flusher: Arc<DirectoryFlusher>,
    thread: JoinHandle<()>,
}

impl Voter {
    /// Stops as a service is stopped.
    async fn stop(self) {
        self.quorum.shutdown().await.expect("the log closes");
        self.end();
    }

    /// Ends as `kill -9` ends it.
    async fn crash(self) {
        self.quorum.raft.shutdown().await.expect("the tasks end");
        self.end();
    }

    fn end(self) {
        drop(self.quorum);
        self.flusher.stop();
        self.thread.join().expect("the flusher ends");
        drop(self.directory);
    }
}

/// A cluster of nodes 1 to `n`.
pub(super) struct Several {
    pub(super) wires: Arc<Wires>,
    pub(super) dirs: BTreeMap<i32, TempDir>,
    pub(super) running: BTreeMap<i32, Voter>,
    pub(super) founders: Vec<FoundingVoter>,
    pub(super) bytes_between_snapshots: u64,
}

pub(super) fn id(node: i32) -> VoterId {
    VoterId { id: node, directory_id: Uuid([u8::try_from(node).unwrap(); 16]) }
}

pub(super) fn endpoints(node: i32) -> Vec<VoterEndpoint> {
    vec![VoterEndpoint { name: "CONTROLLER".to_owned(), host: format!("node-{node}"), port: 9093 }]
}

impl Several {
    pub(super) fn new(count: i32) -> Self {
        let founders = (1..=count).map(|node| FoundingVoter { id: id(node), endpoints: endpoints(node) });
        Self {
            wires: Arc::default(),
            dirs: (1..=count).map(|node| (node, TempDir::new())).collect(),
            running: BTreeMap::new(),
            founders: founders.collect(),
            bytes_between_snapshots: 20 << 20,
        }
    }

    pub(super) async fn with_all_started(count: i32) -> Self {
        let mut several = Self::new(count);
        for node in 1..=count {
            several.start(node).await;
        }
        several
    }

    pub(super) fn config(&self, node: i32) -> QuorumConfig {
        QuorumConfig {
            cluster_id: CLUSTER.to_owned(),
            endpoints: endpoints(node),
            voters: self.founders.clone(),
            bytes_between_snapshots: self.bytes_between_snapshots,
            segment_bytes: 1 << 20,
            ..QuorumConfig::of_node(node, id(node).directory_id)
        }
    }

    pub(super) async fn start(&mut self, node: i32) {
        self.start_with(self.config(node)).await.unwrap_or_else(|error| panic!("node {node}: {error}"));
    }

    pub(super) async fn start_with(&mut self, config: QuorumConfig) -> Result<(), StartError> {
        let node = config.node_id;
        let path = self.dirs.entry(node).or_insert_with(TempDir::new).path().to_owned();
        let open = OpenDirectory { fs: Fs::real(), path, open_files_max: 16 };
        // The one before may be about to close it.
        let directory = loop {
            match LogDirectory::open(open.clone()) {
                Ok(directory) => break directory,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let flusher = directory.flusher();
        let flushing = flusher.clone();
        let thread = std::thread::spawn(move || flushing.run());
        let this = config.voter();
        let ends = Arc::new(Ends { node, wires: self.wires.clone() });
        let quorum = Quorum::start_among(config, &directory, ends).await.inspect_err(|_| flusher.stop())?;
        self.wires.voters.lock().insert(this, Arc::downgrade(&quorum));
        self.running.insert(node, Voter { quorum, directory, flusher, thread });
        Ok(())
    }

    pub(super) async fn crash(&mut self, node: i32) {
        self.running.remove(&node).expect("it runs").crash().await;
    }

    pub(super) async fn stop_all(&mut self) {
        while let Some((_, voter)) = self.running.pop_first() {
            voter.stop().await;
        }
    }

    pub(super) fn quorum(&self, node: i32) -> Arc<Quorum> {
        self.running[&node].quorum.clone()
    }

    /// Waits until a node says that it leads and can decide.
    pub(super) async fn leader(&self) -> i32 {
        until("there is a leader", || async {
            for (node, voter) in &self.running {
                if voter.quorum.led_term().is_ok() && voter.quorum.confirm_office().await.is_ok() {
                    return Some(*node);
                }
            }
            None
        })
        .await
    }

    /// Has whoever leads make a topic, and returns its offset.
    pub(super) async fn decide(&self, name: &str) -> i64 {
        until("a decision is made", || async {
            for voter in self.running.values() {
                let records = |image: &Image| {
                    let is_there = image.topic(name).is_some();
                    ((), if is_there { Vec::new() } else { vec![topic(name)] })
                };
                if let Ok(decided) = voter.quorum.submit(records).await {
                    return Some(decided.offset);
                }
            }
            None
        })
        .await
    }

    /// Waits until these nodes have the topics, and no others.
    pub(super) async fn await_topics(&self, nodes: &[i32], expected: &[&str]) {
        for node in nodes {
            let quorum = self.quorum(*node);
            until(&format!("node {node} has {expected:?}"), || async {
                (names(&quorum.image()) == expected).then_some(())
            })
            .await;
        }
    }

    /// The bytes of a node's log, as long as it is one segment.
    pub(super) fn log(&self, node: i32) -> Vec<u8> {
        std::fs::read(self.dirs[&node].metadata_log()).expect("it is there")
    }
}

pub(super) fn topic(name: &str) -> MetadataRecord {
    TopicRecord { name: name.into(), topic_id: Uuid(runtime::random::uuid_bytes()) }.into()
}

/// Asks again until there is an answer.
pub(super) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "it takes too long until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_voters_agree_on_the_same_bytes() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    let leader = several.leader().await;
    several.decide("b").await;
    several.await_topics(&[1, 2, 3], &["a", "b"]).await;
    for node in 1..=3 {
        let quorum = several.quorum(node);
        assert_eq!(quorum.image().feature_level("metadata.version"), 30, "the first leader has founded it");
        let records = |_: &Image| ((), vec![topic("c")]);
        if node != leader {
            let refused = quorum.submit(records).await;
            assert_eq!(refused, Err(SubmitError::NotLeader { leader: Some(id(leader)) }), "{node}");
        }
    }
    several.stop_all().await;
    let (one, two, three) = (several.log(1), several.log(2), several.log(3));
    // A follower may have stopped before the last of it.
    let len = one.len().min(two.len()).min(three.len());
    assert!(len > 500, "{len}");
    assert!(one[..len] == two[..len] && two[..len] == three[..len], "the logs are the same, byte for byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_go_on_when_a_leader_dies_and_it_comes_back_as_a_follower() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    for name in ["b", "c"] {
        let leader = several.leader().await;
        several.crash(leader).await;
        several.decide(name).await;
        several.start(leader).await;
    }
    several.await_topics(&[1, 2, 3], &["a", "b", "c"]).await;
    several.stop_all().await;
    for node in [2, 3, 1] {
        several.start(node).await;
    }
    several.decide("d").await;
    several.await_topics(&[1, 2, 3], &["a", "b", "c", "d"]).await;
    several.stop_all().await;
}

/// What a leader wrote that was cut off is taken back, in memory and on its disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_confirms_nothing_and_truncates_its_log() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    let deposed = several.leader().await;
    several.await_topics(&[1, 2, 3], &["a"]).await;
    several.wires.isolate(deposed);
    let cut_off = several.quorum(deposed);
    let waiting = tokio::spawn(async move { cut_off.submit(|_| ((), vec![topic("lost")])).await });
    let others: Vec<i32> = (1..=3).filter(|node| *node != deposed).collect();
    until("the others have a leader", || async {
        for node in &others {
            let made = several.quorum(*node).submit(|_| ((), vec![topic("kept")])).await;
            if made.is_ok() {
                return Some(());
            }
        }
        None
    })
    .await;
    let confirmed = several.quorum(deposed).confirm_office().await;
    assert!(matches!(confirmed, Err(SubmitError::NotLeader { .. })), "{confirmed:?}");
    several.wires.heal();
    let refused = waiting.await.unwrap();
    assert!(matches!(refused, Err(SubmitError::Deposed | SubmitError::Unconfirmed)), "{refused:?}");
    several.await_topics(&[1, 2, 3], &["a", "kept"]).await;
    several.decide("more").await;
    several.await_topics(&[1, 2, 3], &["a", "kept", "more"]).await;
    several.crash(deposed).await;
    several.start(deposed).await;
    several.await_topics(&[deposed], &["a", "kept", "more"]).await;
    several.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_without_a_majority_ends_unconfirmed() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    let leader = several.leader().await;
    for node in (1..=3).filter(|node| *node != leader) {
        several.wires.isolate(node);
    }
    let alone = several.quorum(leader).submit(|_| ((), vec![topic("b")])).await;
    let is_known = matches!(alone, Err(SubmitError::Unconfirmed | SubmitError::NotLeader { .. }));
    assert!(is_known, "{alone:?}");
    several.wires.heal();
    several.decide("c").await;
    several.stop_all().await;
}

/// It gets the leader's snapshot, in parts, and the log after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_is_far_behind_gets_a_snapshot() {
    let mut several = Several::new(3);
    several.start(1).await;
    several.start(2).await;
    let leader = several.leader().await;
    let quorum = several.quorum(leader);
    // Some hundred KiB, so that it takes several parts.
    let mut expected = Vec::new();
    for batch in 0..20 {
        let names: Vec<String> =
            (0..250).map(|at| format!("{batch:02}-{at:03}-{}", "x".repeat(100))).collect();
        quorum.submit(|_| ((), names.iter().map(|name| topic(name)).collect())).await.expect("it leads");
        expected.extend(names);
    }
    quorum.snapshot().await.unwrap();
    let newest = || checkpoint::list(&Fs::real(), &several.dirs[&leader].metadata()).unwrap().pop();
    let snapshot = until("there is a snapshot", || async { newest() }).await;
    assert!(snapshot.size_bytes > 2 * 256 * 1024, "{snapshot:?}");
    until("the log before it is gone", || async {
        let purged = quorum.raft.metrics().borrow_watched().purged;
        (purged == Some(snapshot.last_log_id)).then_some(())
    })
    .await;
    quorum.submit(|_| ((), vec![topic("after")])).await.expect("it leads");
    expected.push("after".to_owned());
    several.start(3).await;
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    several.await_topics(&[3], &expected).await;
    let found = checkpoint::list(&Fs::real(), &several.dirs[&3].metadata()).unwrap();
    assert_eq!(found.last().map(|it| it.last_log_id), Some(snapshot.last_log_id));
    let mut files = std::fs::read_dir(several.dirs[&3].metadata()).unwrap();
    assert!(!files.any(|file| file.unwrap().file_name().to_string_lossy().ends_with(".incoming")));
    several.crash(3).await;
    several.start(3).await;
    several.await_topics(&[3], &expected).await;
    several.stop_all().await;
}

/// As Kafka's controllers, each voter writes snapshots of its own.
#[tokio::test(flavor = "multi_thread")]
async fn followers_take_snapshots_too() {
    let mut several = Several::new(3);
    several.bytes_between_snapshots = 4_000;
    for node in 1..=3 {
        several.start(node).await;
    }
    for at in 0..60 {
        several.decide(&format!("{at:03}")).await;
    }
    for node in 1..=3 {
        let dir = several.dirs[&node].metadata();
        until(&format!("node {node} has a snapshot"), || async {
            checkpoint::list(&Fs::real(), &dir).unwrap().pop()
        })
        .await;
    }
    several.stop_all().await;
}

/// After a start it does not know what is committed, and has no state yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_voter_without_a_state_survives_being_asked_for_a_snapshot() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    several.await_topics(&[1, 2, 3], &["a"]).await;
    several.stop_all().await;
    several.start(1).await;
    several.quorum(1).snapshot().await.expect("it runs");
    assert_eq!(several.quorum(1).image().offset(), -1, "nothing is known to be committed");
    several.start(2).await;
    several.decide("b").await;
    several.await_topics(&[1, 2], &["a", "b"]).await;
    several.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_another_is_refused_with_a_reason() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    let vote = |from: VoterId| raft::Vote::new_committed(1 << 20, from);
    let append = |cluster: &str, from: VoterId, to: VoterId| message::Request {
        cluster_id: cluster.into(),
        from,
        to,
        kind: message::Kind::Append(message::Append {
            vote: vote(from),
            prev: None,
            committed: None,
            batches: Bytes::new(),
        }),
    };
    let wiped = VoterId { directory_id: Uuid([9; 16]), ..id(1) };
    let cases = [
        (append("another-cluster", id(2), id(1)), "this is cluster a-cluster-of-this-test"),
        (append(CLUSTER, id(2), wiped), "this is voter 1-AQEB"),
        (append(CLUSTER, id(2), id(3)), "this is voter 1-AQEB"),
        (append(CLUSTER, id(1), id(1)), "this is voter 1-AQEB"),
    ];
    let quorum = several.quorum(1);
    let term = quorum.status().leader_epoch;
    for (request, reason) in cases {
        let answer = message::Answer::decode(quorum.answer(request.encode().unwrap()).await).unwrap();
        let message::Answer::Refused(text) = answer else { panic!("{answer:?}") };
        assert!(text.contains(reason), "{text}");
    }
    assert!(quorum.status().leader_epoch < 1 << 20, "nothing was believed; it was {term}");
    several.stop_all().await;
}

/// A leader whose log lacks what is applied here has lost it: to follow would lose it here too.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_contradicts_what_is_committed_is_refused() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    several.await_topics(&[1, 2, 3], &["a"]).await;
    let last = several.quorum(1).raft.metrics().borrow_watched().last_applied.unwrap();
    let other = raft::log_id(raft::epoch(last.leader_id.term) + 1, raft::offset(last.index));
    let request = message::Request {
        cluster_id: CLUSTER.into(),
        from: id(2),
        to: id(1),
        kind: message::Kind::Append(message::Append {
            vote: raft::Vote::new_committed(last.leader_id.term + 7, id(2)),
            prev: Some(other),
            committed: None,
            batches: Bytes::new(),
        }),
    };
    let answer = several.quorum(1).answer(request.encode().unwrap()).await;
    let message::Answer::Refused(text) = message::Answer::decode(answer).unwrap() else { panic!() };
    assert!(text.contains("contradicts what is committed here"), "{text}");
    several.decide("b").await;
    several.await_topics(&[1, 2, 3], &["a", "b"]).await;
    several.stop_all().await;
}

/// Bytes of every kind that turned on their way are answered, and the quorum goes on.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_changed_on_their_way_do_no_harm() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    several.await_topics(&[1, 2, 3], &["a"]).await;
    let leader = several.leader().await;
    let follower = (1..=3).find(|node| *node != leader).unwrap();
    let quorum = several.quorum(follower);
    let metrics = several.quorum(leader).raft.metrics().borrow_watched().clone();
    let append = message::Append {
        vote: metrics.vote,
        prev: Some(raft::log_id(0, 0)),
        committed: metrics.last_applied,
        batches: Bytes::from(several.log(leader)).slice(..200),
    };
    let whole = message::Request {
        cluster_id: CLUSTER.into(),
        from: id(leader),
        to: id(follower),
        kind: message::Kind::Append(append),
    };
    let whole = whole.encode().unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..3_000 {
        let mut changed = whole.to_vec();
        let at = random.usize(..changed.len());
        changed[at] ^= 1 << random.u8(..8);
        let answer = quorum.answer(Bytes::from(changed)).await;
        message::Answer::decode(answer).expect("it is an answer");
    }
    several.decide("b").await;
    several.await_topics(&[1, 2, 3], &["a", "b"]).await;
    several.stop_all().await;
}
