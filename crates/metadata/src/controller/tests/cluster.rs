//! Several brokers: registration, heartbeats, fencing and controlled shutdown, by scripts.

use protocol::messages::broker_registration_request::{Feature, Listener};
use protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, UnregisterBrokerRequest,
};
use protocol::records::{FeatureLevelRecord, PartitionRecord, TopicRecord};

use super::*;
use crate::image::directories::LOST;
use crate::image::{NO_LEADER, Partition};

const TIMEOUT_MS: i64 = 9_000;

/// A cluster and its active controller, which is no broker.
pub(super) struct Cluster {
    pub(super) image: Image,
    pub(super) controller: Controller,
    pub(super) office: Office,
    pub(super) now_ms: i64,
}

impl Cluster {
    pub(super) fn new(given: &[(&str, &str)]) -> Self {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let controller = Controller::new(100, Arc::new(given.collect())).of_cluster("c");
        let level =
            |name: &str, feature_level| FeatureLevelRecord { name: name.into(), feature_level }.into();
        let image = with(Image::default(), vec![level("metadata.version", 30)]);
        Self { image, controller, office: Office::default(), now_ms: 1_000 }
    }

    /// A cluster with eligible leader replicas.
    pub(super) fn with_elr(given: &[(&str, &str)]) -> Self {
        let mut cluster = Self::new(given);
        let name = crate::features::ELIGIBLE_LEADER_REPLICAS.into();
        cluster.apply(vec![FeatureLevelRecord { name, feature_level: 1 }.into()]);
        cluster
    }

    /// With the brokers 1, 2 and 3, active.
    pub(super) fn of_three(mut self) -> Self {
        for id in 1..=3 {
            assert_eq!(self.register(id, 1), ErrorCode::NONE);
            assert!(!self.beat(id).is_fenced);
        }
        self
    }

    pub(super) fn apply(&mut self, records: Vec<MetadataRecord>) {
        let offset = self.image.offset() + i64::try_from(records.len()).expect("few");
        self.image = with(self.image.clone(), records);
        self.image.advance_to(offset);
    }

    pub(super) fn request(id: i32, incarnation: u8) -> BrokerRegistrationRequest {
        let feature = |feature: &crate::features::Feature| Feature {
            name: feature.name.into(),
            min_supported_version: *feature.levels.start(),
            max_supported_version: *feature.levels.end(),
        };
        let listener = Listener { name: "PLAINTEXT".into(), host: "localhost".into(), ..Listener::default() };
        BrokerRegistrationRequest {
            broker_id: id,
            cluster_id: "c".into(),
            incarnation_id: Uuid([incarnation; 16]),
            listeners: vec![listener],
            features: crate::features::of_registration().map(feature).collect(),
            log_dirs: vec![directory(id)],
            ..BrokerRegistrationRequest::default()
        }
    }

    pub(super) fn register(&mut self, id: i32, incarnation: u8) -> ErrorCode {
        self.register_by(&Self::request(id, incarnation), 4)
    }

    pub(super) fn register_by(&mut self, request: &BrokerRegistrationRequest, version: i16) -> ErrorCode {
        let (response, records) =
            self.controller.broker_registration(&self.image, request, version, &mut self.office, self.now_ms);
        assert!(response.error_code.is_none() || records.is_empty());
        self.apply(records);
        response.error_code
    }

    /// A heartbeat of a broker that has caught up.
    pub(super) fn heartbeat(&self, id: i32) -> BrokerHeartbeatRequest {
        BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.epoch(id),
            current_metadata_offset: self.image.offset(),
            ..BrokerHeartbeatRequest::default()
        }
    }

    pub(super) fn beat(&mut self, id: i32) -> BrokerHeartbeatResponse {
        self.beat_by(&self.heartbeat(id))
    }

    pub(super) fn beat_by(&mut self, request: &BrokerHeartbeatRequest) -> BrokerHeartbeatResponse {
        let (response, records) =
            self.controller.broker_heartbeat(&self.image, request, &mut self.office, self.now_ms);
        self.apply(records);
        response
    }

    pub(super) fn shut_down(&mut self, id: i32) -> BrokerHeartbeatResponse {
        self.beat_by(&BrokerHeartbeatRequest { want_shut_down: true, ..self.heartbeat(id) })
    }

    pub(super) fn tick(&mut self) -> TickOutcome {
        let (outcome, records) = self.controller.tick(&self.image, &mut self.office, self.now_ms);
        self.apply(records);
        outcome
    }

    pub(super) fn epoch(&self, id: i32) -> i64 {
        self.image.brokers().get(&id).map_or(-1, |broker| broker.broker_epoch)
    }

    /// Creates a topic whose partitions have the replicas given, all of them in sync.
    pub(super) fn create(&mut self, name: &str, replicas: &[&[i32]]) {
        let topic_id = Uuid([name.as_bytes()[0]; 16]);
        let partition = |(partition_id, replicas): (i32, &&[i32])| PartitionRecord {
            topic_id,
            partition_id,
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            leader: replicas[0],
            leader_epoch: 0,
            partition_epoch: 0,
            directories: replicas.iter().map(|id| directory(*id)).collect(),
            ..PartitionRecord::default()
        };
        let mut records = vec![TopicRecord { name: name.into(), topic_id }.into()];
        records.extend((0..).zip(replicas).map(partition).map(MetadataRecord::from));
        self.apply(records);
    }

    pub(super) fn partition(&self, name: &str, index: i32) -> &Partition {
        self.image.partition(name, index).expect("it was created")
    }

    /// The leader of each partition of a topic.
    pub(super) fn leaders(&self, name: &str) -> Vec<i32> {
        self.image.topic(name).expect("it was created").partitions.iter().map(|it| it.leader).collect()
    }

    pub(super) fn is_fenced(&self, id: i32) -> bool {
        self.image.brokers()[&id].fenced
    }
}

pub(super) fn directory(id: i32) -> Uuid {
    Uuid([0xd0 + u8::try_from(id).expect("few"); 16])
}

#[test]
fn a_broker_takes_part_once_it_has_caught_up_with_its_registration() {
    let mut cluster = Cluster::new(&[]);
    cluster.image.advance_to(41);
    assert_eq!(cluster.register(1, 1), ErrorCode::NONE);
    assert_eq!(cluster.epoch(1), 42);
    let behind = BrokerHeartbeatRequest { current_metadata_offset: 41, ..cluster.heartbeat(1) };
    let response = cluster.beat_by(&behind);
    assert_eq!((response.is_caught_up, response.is_fenced), (false, true));
    let wants_fence =
        BrokerHeartbeatRequest { current_metadata_offset: 42, want_fence: true, ..cluster.heartbeat(1) };
    let response = cluster.beat_by(&wants_fence);
    assert_eq!((response.is_caught_up, response.is_fenced), (true, true));
    let response = cluster.beat(1);
    assert_eq!((response.is_caught_up, response.is_fenced, cluster.is_fenced(1)), (true, false, false));
    let stale = BrokerHeartbeatRequest { broker_epoch: 41, ..cluster.heartbeat(1) };
    assert_eq!(cluster.beat_by(&stale).error_code, ErrorCode::STALE_BROKER_EPOCH);
    assert_eq!(cluster.beat(7).error_code, ErrorCode::STALE_BROKER_EPOCH);
}

#[test]
fn a_broker_that_is_silent_is_fenced_and_others_lead() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[2, 3, 1], &[1], &[3, 1]]);
    let first = cluster.tick();
    assert_eq!((first.fenced, first.next_ms), (vec![], 1_000 + TIMEOUT_MS + 1));
    cluster.now_ms += TIMEOUT_MS;
    cluster.beat(2);
    cluster.beat(3);
    assert!(cluster.tick().fenced.is_empty(), "it has all of its time");
    cluster.now_ms += 1;
    let outcome = cluster.tick();
    assert_eq!((outcome.fenced, outcome.next_ms), (vec![1], cluster.now_ms + TIMEOUT_MS));
    assert_eq!(cluster.leaders("t"), [2, 2, NO_LEADER, 3]);
    assert_eq!(cluster.partition("t", 0).isr, [2, 3]);
    assert_eq!(cluster.partition("t", 2).isr, [1], "nobody else has it");
    assert!(cluster.is_fenced(1));
    assert!(cluster.tick().fenced.is_empty());
    // The same process was only slow: it is let in again, and leads what nobody else can.
    assert!(!cluster.beat(1).is_fenced);
    assert_eq!(cluster.leaders("t"), [2, 2, 1, 3]);
    assert_eq!(cluster.partition("t", 0).isr, [2, 3], "its leader says when it is in sync");
}

#[test]
fn brokers_that_fall_silent_together_are_not_elected_for_each_other() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[2, 1, 3], &[2, 1]]);
    cluster.now_ms += TIMEOUT_MS + 1;
    cluster.beat(3);
    assert_eq!(cluster.tick().fenced, [1, 2]);
    assert_eq!(cluster.leaders("t"), [3, 3, NO_LEADER]);
    assert_eq!(cluster.partition("t", 2).isr, [2], "the last one that led");
}

#[test]
fn a_controller_that_did_not_run_fences_nobody_for_it() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.tick();
    // The process was stopped, and the heartbeats of that time are still to be read.
    cluster.now_ms += 60_000;
    assert!(cluster.tick().fenced.is_empty());
    cluster.now_ms += TIMEOUT_MS + 1;
    cluster.beat(2);
    cluster.beat(3);
    assert_eq!(cluster.tick().fenced, [1]);
}

#[test]
fn a_new_controller_gives_every_broker_its_time() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.now_ms += 100_000;
    cluster.office = Office::begin(&cluster.image, cluster.now_ms);
    assert!(cluster.tick().fenced.is_empty());
    cluster.now_ms += TIMEOUT_MS + 1;
    assert_eq!(cluster.tick().fenced, [1, 2, 3]);
}

#[test]
fn a_process_that_has_died_is_fenced_at_once_unless_another_has_registered() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3]]);
    let fence = |cluster: &Cluster, epoch| cluster.controller.fence_dead_broker(&cluster.image, 1, epoch);
    assert_eq!(fence(&cluster, cluster.epoch(1) - 1), []);
    let records = fence(&cluster, cluster.epoch(1));
    cluster.apply(records);
    assert_eq!((cluster.leaders("t"), cluster.is_fenced(1)), (vec![2], true));
    assert_eq!(fence(&cluster, cluster.epoch(1)), []);
}

#[test]
fn a_broker_that_asks_is_fenced() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2]]);
    let response = cluster.beat_by(&BrokerHeartbeatRequest { want_fence: true, ..cluster.heartbeat(1) });
    assert_eq!((response.is_fenced, response.should_shut_down), (true, false));
    assert_eq!((cluster.leaders("t"), cluster.is_fenced(1)), (vec![2], true));
}

#[test]
fn a_controlled_shutdown_hands_leaders_over_before_it_ends() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[2, 1, 3], &[1]]);
    let response = cluster.shut_down(1);
    assert_eq!((response.is_fenced, response.should_shut_down), (false, false));
    assert_eq!(cluster.leaders("t"), [2, 2, NO_LEADER]);
    assert_eq!(cluster.partition("t", 1).isr, [2, 3]);
    // Brokers 2 and 3 do not know yet that they lead.
    let response = cluster.shut_down(1);
    assert_eq!((response.is_fenced, response.should_shut_down), (false, false));
    cluster.beat(2);
    assert!(!cluster.shut_down(1).should_shut_down, "3 does not know");
    cluster.beat(3);
    let response = cluster.shut_down(1);
    assert_eq!((response.is_fenced, response.should_shut_down), (true, true));
    assert!(cluster.is_fenced(1));
    // The next incarnation need not wait.
    assert_eq!(cluster.register(1, 2), ErrorCode::NONE);
    assert!(!cluster.beat(1).is_fenced);
    assert_eq!(cluster.leaders("t"), [2, 2, 1]);
}

#[test]
fn a_controlled_shutdown_outlives_the_controller() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3]]);
    cluster.shut_down(1);
    cluster.office = Office::begin(&cluster.image, cluster.now_ms);
    assert!(!cluster.shut_down(1).should_shut_down);
    cluster.beat(2);
    cluster.beat(3);
    assert!(cluster.shut_down(1).should_shut_down);
}

#[test]
fn what_a_controller_has_left_undone_is_done_by_the_next() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2], &[1, 2], &[1], &[1]]);
    let part = |cluster: &Cluster, request: &BrokerHeartbeatRequest| {
        let mut office = Office::begin(&cluster.image, cluster.now_ms);
        cluster.controller.broker_heartbeat(&cluster.image, request, &mut office, cluster.now_ms).1
    };
    // The first records of a controlled shutdown, and those of the end of a session.
    let shut_down = BrokerHeartbeatRequest { want_shut_down: true, ..cluster.heartbeat(1) };
    let records = part(&cluster, &shut_down);
    cluster.apply(records[..2].to_vec());
    assert_eq!(cluster.leaders("t"), [2, 1, 1, 1]);
    assert!(!cluster.shut_down(1).should_shut_down);
    assert_eq!(cluster.leaders("t"), [2, 2, NO_LEADER, NO_LEADER]);
    cluster.beat(2);
    cluster.beat(3);
    assert!(cluster.shut_down(1).should_shut_down);
    // The first records of a broker that joins: one that leads and is fenced is not in the way of another.
    let records = part(&cluster, &cluster.heartbeat(1));
    assert_eq!(records.len(), 3);
    cluster.apply(records[..1].to_vec());
    assert_eq!((cluster.leaders("t"), cluster.is_fenced(1)), (vec![2, 2, 1, NO_LEADER], true));
    assert!(!cluster.beat(1).is_fenced);
    assert_eq!(cluster.leaders("t"), [2, 2, 1, 1]);
}

#[test]
fn a_broker_that_joins_elects_nobody_but_itself() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2]]);
    let fence = |cluster: &mut Cluster, id| {
        cluster.beat_by(&BrokerHeartbeatRequest { want_fence: true, ..cluster.heartbeat(id) });
    };
    fence(&mut cluster, 2);
    // The log of broker 1, the only one in sync, is lost.
    let lost = cluster.controller.logs_lost(&[(cluster.image.topic("t").unwrap().id, 0)]);
    cluster.apply(lost);
    cluster.beat(2);
    assert_eq!((cluster.leaders("t"), &*cluster.partition("t", 0).isr), (vec![NO_LEADER], &[1][..]));
}

#[test]
fn a_broker_says_where_its_replicas_are_before_it_takes_part() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2], &[1], &[1]]);
    let topic_id = cluster.image.topic("t").expect("it was created").id;
    cluster.now_ms += TIMEOUT_MS + 1;
    let other = Uuid([0xe; 16]);
    let mut request = Cluster::request(1, 2);
    request.log_dirs.push(other);
    assert_eq!(cluster.register_by(&request, 4), ErrorCode::NONE);
    // One was carried to another directory, and the log of one is gone.
    let found =
        [(1, other), (2, LOST)].map(|(partition, directory)| Assignment { topic_id, partition, directory });
    let assign = Assignment::request(1, cluster.epoch(1), &found);
    let (response, records) = cluster.controller.assign_replicas_to_dirs(&cluster.image, &assign);
    assert_eq!((response.error_code, records.len()), (ErrorCode::NONE, 2));
    cluster.apply(records);
    assert!(!cluster.beat(1).is_fenced);
    assert_eq!(cluster.leaders("t"), [2, 1, NO_LEADER]);
    assert_eq!(
        (cluster.partition("t", 1).directory_of(1), &*cluster.partition("t", 2).isr),
        (other, &[1][..])
    );
}

#[test]
fn a_broker_that_leads_nothing_may_go_at_once() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[2, 1]]);
    let response = cluster.shut_down(1);
    assert_eq!((response.is_fenced, response.should_shut_down), (true, true));
    assert_eq!((cluster.is_fenced(1), &*cluster.partition("t", 0).isr), (true, &[2][..]));
    assert!(cluster.shut_down(1).should_shut_down, "a fenced broker need not ask twice");
    let both = BrokerHeartbeatRequest { want_fence: true, want_shut_down: true, ..cluster.heartbeat(2) };
    assert!(cluster.beat_by(&both).should_shut_down);
    assert_eq!(cluster.leaders("t"), [NO_LEADER]);
}

#[test]
fn a_broker_joins_without_the_directory_that_fails_with_the_same_heartbeat() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1], &[1, 2]]);
    cluster.now_ms += TIMEOUT_MS + 1;
    cluster.beat(2);
    cluster.beat(3);
    cluster.tick();
    assert_eq!(cluster.leaders("t"), [NO_LEADER, 2]);
    let mut request = Cluster::request(1, 2);
    request.log_dirs = vec![directory(1), directory(7)];
    assert_eq!(cluster.register_by(&request, 4), ErrorCode::NONE);
    let failed = BrokerHeartbeatRequest { offline_log_dirs: vec![directory(1)], ..cluster.heartbeat(1) };
    assert!(!cluster.beat_by(&failed).is_fenced);
    assert_eq!(cluster.leaders("t"), [NO_LEADER, 2]);
    assert_eq!(cluster.image.brokers()[&1].log_dirs, [directory(7)]);
}

#[test]
fn a_directory_that_fails_hands_its_partitions_to_others() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2], &[3, 1], &[1]]);
    let failed = BrokerHeartbeatRequest { offline_log_dirs: vec![directory(1)], ..cluster.heartbeat(1) };
    cluster.beat_by(&failed);
    assert_eq!(cluster.leaders("t"), [2, 3, NO_LEADER]);
    assert_eq!((&*cluster.partition("t", 1).isr, cluster.is_fenced(1)), (&[3][..], false));
}

#[test]
fn cordoned_directories_are_noted_once() {
    let mut cluster = Cluster::new(&[]).of_three();
    let cordoned =
        |cluster: &Cluster, list| BrokerHeartbeatRequest { cordoned_log_dirs: list, ..cluster.heartbeat(1) };
    for (list, grows) in
        [(Some(vec![directory(1)]), 1), (Some(vec![directory(1)]), 0), (None, 0), (Some(vec![]), 1)]
    {
        let before = cluster.image.offset();
        cluster.beat_by(&cordoned(&cluster, list));
        assert_eq!(cluster.image.offset(), before + grows);
    }
}

#[test]
fn another_incarnation_waits_for_the_session_of_the_one_before() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[1]]);
    let epoch = cluster.epoch(1);
    assert_eq!(cluster.register(1, 2), ErrorCode::DUPLICATE_BROKER_REGISTRATION);
    // The same one again changes nothing: it lost the answer.
    assert_eq!((cluster.register(1, 1), cluster.epoch(1)), (ErrorCode::NONE, epoch));
    assert!(!cluster.is_fenced(1));
    assert_eq!(cluster.leaders("t"), [1, 1]);
    cluster.now_ms += TIMEOUT_MS + 1;
    assert_eq!(cluster.register(1, 2), ErrorCode::NONE);
    assert!(cluster.epoch(1) > epoch && cluster.is_fenced(1));
    assert_eq!(cluster.leaders("t"), [2, NO_LEADER]);
    assert_eq!((&*cluster.partition("t", 0).isr, &*cluster.partition("t", 1).isr), (&[2, 3][..], &[1][..]));
    assert!(!cluster.beat(1).is_fenced);
    assert_eq!(cluster.leaders("t"), [2, 1]);
}

#[test]
fn an_unclean_shutdown_costs_a_broker_its_claims_where_there_are_eligible_replicas() {
    for (previous, version, expected, leader) in
        [(true, 4, vec![1], 1), (false, 4, vec![], NO_LEADER), (true, 2, vec![], NO_LEADER)]
    {
        let mut cluster = Cluster::with_elr(&[("min.insync.replicas", "2")]).of_three();
        cluster.create("t", &[&[1, 2]]);
        let epoch = cluster.epoch(1);
        for id in [2, 1] {
            cluster.beat_by(&BrokerHeartbeatRequest { want_fence: true, ..cluster.heartbeat(id) });
        }
        let partition = cluster.partition("t", 0);
        assert_eq!((partition.leader, &*partition.isr), (NO_LEADER, &[][..]));
        assert_eq!(
            (partition.eligible_leader_replicas(), partition.last_known_elr()),
            (&[1, 2][..], &[1][..])
        );
        cluster.now_ms += TIMEOUT_MS + 1;
        let mut request = Cluster::request(1, 2);
        request.previous_broker_epoch = if previous { epoch } else { epoch - 1 };
        assert_eq!(cluster.register_by(&request, version), ErrorCode::NONE);
        let eligible: Vec<i32> = cluster
            .partition("t", 0)
            .eligible_leader_replicas()
            .iter()
            .copied()
            .filter(|id| *id == 1)
            .collect();
        assert_eq!(eligible, expected);
        cluster.beat(1);
        let partition = cluster.partition("t", 0);
        assert_eq!((partition.leader, partition.leader_recovery_state), (leader, 0));
        cluster.beat(2);
        assert_eq!(cluster.partition("t", 0).leader, if leader == 1 { 1 } else { 2 });
    }
}

#[test]
fn a_registration_that_cannot_be_has_kafkas_error() {
    let mut cluster = Cluster::with_elr(&[]).of_three();
    let fine = Cluster::request(4, 1);
    let mut wrong = vec![(fine.clone(), ErrorCode::INCONSISTENT_CLUSTER_ID); 12];
    wrong[0].0.cluster_id = "d".into();
    let mut set = |at: usize, code, change: &dyn Fn(&mut BrokerRegistrationRequest)| {
        change(&mut wrong[at].0);
        wrong[at].1 = code;
    };
    let (invalid, unsupported) = (ErrorCode::INVALID_REGISTRATION, ErrorCode::UNSUPPORTED_VERSION);
    set(1, ErrorCode::BROKER_ID_NOT_REGISTERED, &|it| it.is_migrating_zk_broker = true);
    set(2, invalid, &|it| it.log_dirs.clear());
    set(3, invalid, &|it| it.log_dirs.push(directory(4)));
    set(4, invalid, &|it| it.log_dirs.push(Uuid::ZERO));
    set(5, invalid, &|it| it.log_dirs.push(directory(1)));
    set(6, invalid, &|it| it.listeners.push(it.listeners[0].clone()));
    set(7, unsupported, &|it| it.features[0].max_supported_version = 29);
    set(8, unsupported, &|it| it.features[0].min_supported_version = 31);
    set(9, invalid, &|it| _ = it.features.remove(0));
    let elr = crate::features::ELIGIBLE_LEADER_REPLICAS;
    set(10, unsupported, &|it| it.features.retain(|feature| &*feature.name != elr));
    let more = Feature { name: "new".into(), min_supported_version: 1, max_supported_version: 2 };
    set(11, unsupported, &|it| it.features.push(more.clone()));
    for (at, (request, code)) in wrong.iter().enumerate() {
        assert_eq!(cluster.register_by(request, 4), *code, "{at}");
        assert!(!cluster.image.brokers().contains_key(&4));
    }
    assert_eq!(cluster.register_by(&fine, 4), ErrorCode::NONE);
}

#[test]
fn a_broker_that_is_unregistered_is_forgotten_and_others_lead() {
    let mut cluster = Cluster::with_elr(&[("min.insync.replicas", "3")]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[2, 1, 3], &[2, 3, 1]]);
    cluster.beat_by(&BrokerHeartbeatRequest { want_fence: true, ..cluster.heartbeat(1) });
    assert_eq!(cluster.partition("t", 0).eligible_leader_replicas(), [1]);
    for (broker_id, leaders) in [(1, [2, 2, 2]), (2, [3, 3, 3])] {
        let request = UnregisterBrokerRequest { broker_id };
        let (response, records) = cluster.controller.unregister_broker(&cluster.image, &request);
        assert_eq!(response.error_code, ErrorCode::NONE);
        cluster.apply(records);
        assert_eq!(cluster.leaders("t"), leaders);
        assert!(!cluster.image.brokers().contains_key(&broker_id));
        let partition = cluster.partition("t", 0);
        assert!(!partition.isr.contains(&broker_id));
        assert!(!partition.eligible_leader_replicas().contains(&broker_id));
    }
    let (response, records) =
        cluster.controller.unregister_broker(&cluster.image, &UnregisterBrokerRequest { broker_id: 2 });
    let message = response.error_message.expect("it says why");
    assert_eq!(&*message, "Broker ID 2 is not currently registered");
    assert_eq!((response.error_code, records.len()), (ErrorCode::BROKER_ID_NOT_REGISTERED, 0));
}

#[test]
fn the_only_broker_stays_if_it_is_the_controller_as_well() {
    let mut cluster = Cluster::new(&[]);
    cluster.controller = controller(&[]);
    cluster.register(1, 1);
    cluster.beat(1);
    cluster.tick();
    cluster.now_ms += TIMEOUT_MS + 1;
    assert_eq!((cluster.tick().fenced, cluster.is_fenced(1)), (vec![], false));
    let (response, _) =
        cluster.controller.unregister_broker(&cluster.image, &UnregisterBrokerRequest { broker_id: 1 });
    assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(cluster.controller.fence_dead_broker(&cluster.image, 1, cluster.epoch(1)), []);
    // With another one it is as any.
    cluster.register(2, 1);
    cluster.beat(1);
    cluster.now_ms += TIMEOUT_MS + 1;
    cluster.tick();
    assert!(cluster.is_fenced(1));
}
