//! Leaders of several brokers: elections that are asked for, unclean ones, and leaders handed back.

use protocol::messages::ElectLeadersRequest;
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{BrokerHeartbeatRequest, IncrementalAlterConfigsRequest};
use protocol::records::PartitionChangeRecord;

use super::cluster::Cluster;
use super::*;
use crate::image::NO_LEADER;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

impl Cluster {
    fn fence(&mut self, id: i32) {
        self.beat_by(&BrokerHeartbeatRequest { want_fence: true, ..self.heartbeat(id) });
    }

    /// Puts a broker back into the ISR of a partition, as its leader would.
    fn join_isr(&mut self, name: &str, partition_id: i32, id: i32) {
        let topic_id = self.image.topic(name).expect("it was created").id;
        let isr = Some(self.partition(name, partition_id).isr.iter().copied().chain([id]).collect());
        self.apply(vec![
            PartitionChangeRecord { topic_id, partition_id, isr, ..PartitionChangeRecord::default() }.into(),
        ]);
    }

    fn elect(&mut self, election_type: i8, name: &str) -> Vec<ErrorCode> {
        let partitions = (0..).take(self.leaders(name).len()).collect();
        let topic_partitions = Some(vec![TopicPartitions { topic: name.into(), partitions }]);
        let request = ElectLeadersRequest { election_type, topic_partitions, ..Default::default() };
        let (response, records) = self.controller.elect_leaders(&self.image, &request);
        self.apply(records);
        let results = &response.replica_election_results[0].partition_result;
        results.iter().map(|result| result.error_code).collect()
    }

    fn alter(&mut self, resource_type: i8, name: &str, setting: (&str, Option<&str>)) -> ErrorCode {
        let (setting, value) = setting;
        let config = AlterableConfig {
            name: setting.into(),
            config_operation: i8::from(value.is_none()),
            value: value.map(Into::into),
        };
        let resource =
            AlterConfigsResource { resource_type, resource_name: name.into(), configs: vec![config] };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let (response, records) = self.controller.incremental_alter_configs(&self.image, &request);
        self.apply(records);
        response.responses[0].error_code
    }

    /// Lets time pass, in which all brokers are heard of.
    fn pass(&mut self, time_ms: i64, alive: &[i32]) -> TickOutcome {
        self.now_ms += time_ms;
        for id in alive {
            self.beat(*id);
        }
        self.tick()
    }
}

#[test]
fn preferred_leaders_are_elected_if_they_are_in_sync() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[2, 1, 3], &[1, 3, 2]]);
    cluster.fence(1);
    cluster.beat(1);
    assert_eq!(cluster.leaders("t"), [2, 2, 3]);
    cluster.join_isr("t", 0, 1);
    let (not_needed, unavailable) =
        (ErrorCode::ELECTION_NOT_NEEDED, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
    assert_eq!(cluster.elect(PREFERRED, "t"), [ErrorCode::NONE, not_needed, unavailable]);
    assert_eq!(cluster.leaders("t"), [1, 2, 3]);
    assert_eq!(cluster.elect(UNCLEAN, "t"), [not_needed; 3]);
}

#[test]
fn an_unclean_election_that_is_asked_for_takes_any_broker_that_is_alive() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2], &[1, 3], &[1]]);
    [2, 3].into_iter().for_each(|id| cluster.fence(id));
    cluster.fence(1);
    cluster.beat(2);
    assert_eq!(cluster.leaders("t"), [NO_LEADER; 3]);
    let unavailable = ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE;
    let before = cluster.image.clone();
    let request =
        ElectLeadersRequest { election_type: UNCLEAN, topic_partitions: None, ..Default::default() };
    let (_, records) = cluster.controller.elect_leaders(&before, &request);
    assert_eq!(cluster.elect(UNCLEAN, "t"), [ErrorCode::NONE, unavailable, unavailable]);
    let partition = cluster.partition("t", 0);
    assert_eq!((partition.leader, &*partition.isr, partition.leader_recovery_state), (2, &[2][..], 1));
    assert_eq!(
        data_losses(&before, &records),
        [
            "t-0 has elected a leader that was not in sync: the in-sync replicas [1] are not available. Records may be lost."
        ]
    );
}

#[test]
fn a_topic_that_allows_unclean_elections_gets_a_leader_when_it_does() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2], &[1]]);
    cluster.create("u", &[&[1, 2]]);
    cluster.fence(2);
    cluster.fence(1);
    cluster.beat(2);
    assert_eq!(cluster.leaders("t"), [NO_LEADER; 2]);
    let unclean = ("unclean.leader.election.enable", Some("true"));
    assert_eq!(cluster.alter(2, "t", unclean), ErrorCode::NONE);
    assert_eq!((cluster.leaders("t"), cluster.leaders("u")), (vec![2, NO_LEADER], vec![NO_LEADER]));
    assert_eq!(cluster.alter(4, "", unclean), ErrorCode::NONE);
    assert_eq!(cluster.leaders("u"), [2]);
    // From now on a broker that goes is followed at once by one that is not in sync.
    cluster.beat(1);
    assert_eq!(cluster.partition("t", 0).isr, [2]);
    cluster.fence(2);
    assert_eq!(cluster.leaders("t"), [1, 1]);
}

#[test]
fn unclean_elections_that_became_possible_otherwise_are_found() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2]]);
    cluster.fence(2);
    cluster.fence(1);
    cluster.beat(2);
    // The file of the controller has another value after its restart.
    let given = [("unclean.leader.election.enable".to_owned(), "true".to_owned())];
    cluster.controller = Controller::new(100, Arc::new(given.into_iter().collect()));
    cluster.office = Office::begin(&cluster.image, cluster.now_ms);
    cluster.tick();
    assert_eq!(cluster.leaders("t"), [NO_LEADER]);
    cluster.pass(300_000, &[2, 3]);
    assert_eq!(cluster.leaders("t"), [2]);
}

#[test]
fn another_minimum_of_replicas_in_sync_forgets_who_was_eligible() {
    let mut cluster = Cluster::with_elr(&[("min.insync.replicas", "3")]).of_three();
    cluster.create("t", &[&[1, 2, 3]]);
    cluster.create("u", &[&[1, 2, 3]]);
    let min_isr = |value| ("min.insync.replicas", value);
    for (resource_type, name, left) in [(2, "t", [0, 1]), (4, "", [0, 0])] {
        cluster.beat(3);
        [("t", 0), ("u", 0)].into_iter().for_each(|(name, index)| {
            if !cluster.partition(name, index).isr.contains(&3) {
                cluster.join_isr(name, index, 3);
            }
        });
        cluster.fence(3);
        let eligible = |cluster: &Cluster| {
            ["t", "u"].map(|name| cluster.partition(name, 0).eligible_leader_replicas().len())
        };
        // With a minimum of one, nobody outside the ISR of two stays eligible.
        assert_eq!(eligible(&cluster), if resource_type == 2 { [1, 1] } else { [0, 1] });
        assert_eq!(cluster.alter(resource_type, name, min_isr(Some("1"))), ErrorCode::NONE);
        assert_eq!(eligible(&cluster), left);
    }
    assert_eq!(cluster.alter(4, "1", min_isr(Some("1"))), ErrorCode::INVALID_CONFIG);
    assert_eq!(cluster.alter(4, "", min_isr(None)), ErrorCode::INVALID_CONFIG);
    assert_eq!(cluster.alter(2, "t", min_isr(None)), ErrorCode::NONE);
    let mut without = Cluster::new(&[]).of_three();
    assert_eq!(without.alter(4, "1", min_isr(Some("1"))), ErrorCode::NONE);
    assert_eq!(without.alter(4, "9", min_isr(Some("1"))), ErrorCode::INVALID_REQUEST);
}

#[test]
fn leaders_are_handed_back_once_their_broker_has_caught_up() {
    let mut cluster = Cluster::new(&[]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[1, 3, 2]]);
    cluster.tick();
    cluster.fence(1);
    cluster.beat(1);
    let interval_ms = 300_000;
    cluster.join_isr("t", 0, 1);
    cluster.pass(interval_ms, &[1, 2, 3]);
    assert_eq!(cluster.leaders("t"), [2, 3], "it still copies the other");
    cluster.join_isr("t", 1, 1);
    cluster.pass(interval_ms - 1, &[1, 2, 3]);
    assert_eq!(cluster.leaders("t"), [2, 3], "the time has not come");
    cluster.pass(1, &[1, 2, 3]);
    assert_eq!(cluster.leaders("t"), [1, 1]);
}

#[test]
fn a_broker_does_not_wait_for_a_partition_that_it_cannot_catch_up_with() {
    let mut cluster = Cluster::new(&[("leader.imbalance.check.interval.seconds", "10")]).of_three();
    cluster.create("t", &[&[1, 2, 3], &[1, 3, 2]]);
    cluster.tick();
    cluster.fence(1);
    cluster.beat(1);
    cluster.join_isr("t", 0, 1);
    cluster.pass(10_000, &[1, 2, 3]);
    assert_eq!(cluster.leaders("t"), [2, 3]);
    cluster.pass(10_000, &[1, 2, 3]);
    assert_eq!(cluster.leaders("t"), [1, 3]);
}

#[test]
fn leaders_stay_where_the_setting_says_so_and_move_little_by_little() {
    let many: Vec<&[i32]> = vec![&[1, 2, 3]; 2_500];
    for (given, expected) in [("false", [0, 0, 0]), ("true", [1_000, 2_000, 2_500])] {
        let mut cluster = Cluster::new(&[("auto.leader.rebalance.enable", given)]).of_three();
        cluster.create("t", &many);
        cluster.tick();
        cluster.fence(1);
        cluster.beat(1);
        (0..2_500).for_each(|index| cluster.join_isr("t", index, 1));
        let mut outcome = cluster.pass(300_000, &[1, 2, 3]);
        for led in expected {
            let leads = cluster.leaders("t").iter().filter(|leader| **leader == 1).count();
            assert_eq!(leads, led);
            let pause_ms = outcome.next_ms - cluster.now_ms;
            assert_eq!(pause_ms == 1_000, led > 0 && led < 2_500, "{pause_ms}");
            outcome = cluster.pass(pause_ms, &[1, 2, 3]);
        }
    }
}
