//! Consumer groups: joins, leaves, kills, static members, assignors, committed offsets.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::broker::Broker;
use crate::harness::clients::{
    LIMIT, Producer, admin, admin_options, block_on, consumer, create_topic, ids, take,
};
use crate::harness::member::{Change, Member, wait_until_shared};
use crate::harness::{unique, wait_until};

const PARTITIONS: usize = 6;

/// A topic of so many partitions with messages 0..`count` spread over them.
fn spread(bootstrap: &str, partitions: usize, count: usize) -> String {
    let topic = create_topic(bootstrap, "spread", i32::try_from(partitions).expect("small"), &[]);
    produce(bootstrap, &topic, partitions, 0..count);
    topic
}

fn produce(bootstrap: &str, topic: &str, partitions: usize, ids: std::ops::Range<usize>) {
    let producer = Producer::new(bootstrap, &[("enable.idempotence", "true")]);
    for id in ids {
        producer.send(topic, i32::try_from(id % partitions).expect("small"), id, 40);
    }
    producer.acknowledged();
}

/// The committed offset of a group for one partition.
fn committed(bootstrap: &str, group: &str, topic: &str, partition: i32) -> (Offset, String) {
    let consumer = consumer(bootstrap, group, &[]);
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let found = consumer.committed_offsets(list, LIMIT).expect("committed offsets");
    let element = found.find_partition(topic, partition).expect("asked for");
    (element.offset(), element.metadata().to_owned())
}

fn delete_group(bootstrap: &str, group: &str) -> Result<(), RDKafkaErrorCode> {
    let answers = block_on(admin(bootstrap).delete_groups(&[group], &admin_options())).expect("an answer");
    answers.into_iter().next().expect("one").map(drop).map_err(|(_, code)| code)
}

#[test]
fn a_group_resumes_where_it_committed() {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), 1, 20);
    let group = unique("resume");
    let first = consumer(broker.bootstrap(), &group, &[]);
    first.subscribe(&[&topic]).expect("subscribed");
    assert_eq!(ids(&take(&first, 10)), (0..10).collect::<Vec<_>>());
    first.commit_consumer_state(CommitMode::Sync).expect("committed");
    // Read and not committed: read again by who comes next.
    assert_eq!(ids(&take(&first, 5)), (10..15).collect::<Vec<_>>());
    drop(first);
    assert_eq!(committed(broker.bootstrap(), &group, &topic, 0).0, Offset::Offset(10));
    let second = consumer(broker.bootstrap(), &group, &[]);
    second.subscribe(&[&topic]).expect("subscribed");
    assert_eq!(ids(&take(&second, 10)), (10..20).collect::<Vec<_>>());
}

#[test]
fn an_offset_is_committed_with_its_metadata_by_a_consumer_that_never_joined() {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), 2, 10);
    let group = unique("simple");
    assert_eq!(committed(broker.bootstrap(), &group, &topic, 1), (Offset::Invalid, String::new()));
    let consumer = consumer(broker.bootstrap(), &group, &[]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 1, Offset::Offset(3)).expect("an offset");
    list.find_partition(&topic, 1).expect("added").set_metadata("left off here");
    consumer.commit(&list, CommitMode::Sync).expect("committed");
    let expected = (Offset::Offset(3), "left off here".to_owned());
    assert_eq!(committed(broker.bootstrap(), &group, &topic, 1), expected);
    assert_eq!(committed(broker.bootstrap(), &group, &topic, 0).0, Offset::Invalid);
    // Backwards is allowed: a reset of the group.
    list.set_partition_offset(&topic, 1, Offset::Offset(1)).expect("an offset");
    consumer.commit(&list, CommitMode::Sync).expect("committed");
    assert_eq!(committed(broker.bootstrap(), &group, &topic, 1).0, Offset::Offset(1));
}

/// Members come and go one after another; the partitions are always shared among those that are there.
fn share(assignor: &str) {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), PARTITIONS, 600);
    let group = unique("share");
    let settings = [("partition.assignment.strategy", assignor)];
    let join = || Member::join(broker.bootstrap(), &group, &topic, &settings);
    let first = join();
    wait_until_shared(&[&first], PARTITIONS);
    let second = join();
    wait_until_shared(&[&first, &second], PARTITIONS);
    let third = join();
    wait_until_shared(&[&first, &second, &third], PARTITIONS);
    let mut processed = second.leave();
    wait_until_shared(&[&first, &third], PARTITIONS);
    produce(broker.bootstrap(), &topic, PARTITIONS, 600..1_200);
    wait_until("all is processed", LIMIT, || {
        let mut all: BTreeSet<usize> = processed.iter().copied().collect();
        all.extend(first.processed());
        all.extend(third.processed());
        all.len() == 1_200
    });
    processed.extend(first.leave());
    processed.extend(third.leave());
    assert_eq!(processed.iter().copied().collect::<BTreeSet<_>>(), (0..1_200).collect::<BTreeSet<_>>());
    for partition in 0..PARTITIONS {
        let partition = i32::try_from(partition).expect("small");
        assert_eq!(committed(broker.bootstrap(), &group, &topic, partition).0, Offset::Offset(200));
    }
}

#[test]
fn members_share_by_range() {
    share("range");
}

#[test]
fn members_share_by_round_robin() {
    share("roundrobin");
}

#[test]
fn members_share_cooperatively() {
    share("cooperative-sticky");
}

/// With the cooperative protocol a member keeps what it need not give away.
#[test]
fn a_cooperative_member_keeps_its_partitions() {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), PARTITIONS, 60);
    let group = unique("cooperative");
    let settings = [("partition.assignment.strategy", "cooperative-sticky")];
    let first = Member::join(broker.bootstrap(), &group, &topic, &settings);
    wait_until_shared(&[&first], PARTITIONS);
    let second = Member::join(broker.bootstrap(), &group, &topic, &settings);
    wait_until_shared(&[&first, &second], PARTITIONS);
    let revoked: Vec<i32> = first
        .changes()
        .into_iter()
        .flat_map(|change| match change {
            Change::Revoked(partitions) => partitions,
            Change::Assigned(_) => Vec::new(),
        })
        .collect();
    assert_eq!(revoked.len(), PARTITIONS / 2, "it gave away the second member's share and no more");
}

/// Without a fixed order: members join and leave at once while messages keep coming, and none is missed.
#[test]
fn nothing_is_missed_while_members_come_and_go() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "churn", 6, &[]);
    let group = unique("churn");
    let mut processed: BTreeSet<usize> = BTreeSet::new();
    let stays = Member::join(broker.bootstrap(), &group, &topic, &[]);
    for round in 0..4 {
        let guests: Vec<_> = (0..2).map(|_| Member::join(broker.bootstrap(), &group, &topic, &[])).collect();
        produce(broker.bootstrap(), &topic, PARTITIONS, round * 1_000..(round + 1) * 1_000);
        std::thread::sleep(Duration::from_millis(300 * round as u64));
        processed.extend(guests.into_iter().flat_map(Member::leave));
    }
    wait_until("every message is processed", LIMIT * 2, || {
        processed.extend(stays.processed());
        processed.len() == 4_000
    });
}

const VICTIM: &str = "MILENA_TEST_VICTIM";

/// The process that [`a_killed_member_is_missed`] kills: joins, says so, and polls until then.
#[test]
#[ignore = "run by another test, as a process of its own"]
fn victim() {
    let Ok(told) = std::env::var(VICTIM) else { return };
    let [bootstrap, group, topic] = told.split(' ').collect::<Vec<_>>()[..] else { panic!("{told}") };
    let member = Member::join(bootstrap, group, topic, &[]);
    wait_until("it has partitions", LIMIT, || !member.assigned().is_empty());
    eprintln!("victim assigned");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_member_is_missed() {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), PARTITIONS, 60);
    let group = unique("kill");
    let first = Member::join(broker.bootstrap(), &group, &topic, &[]);
    wait_until_shared(&[&first], PARTITIONS);
    let mut victim = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "groups::victim", "--ignored", "--nocapture"])
        .env(VICTIM, format!("{} {group} {topic}", broker.bootstrap()))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("this binary runs");
    let mut lines = BufReader::new(victim.stderr.take().expect("piped")).lines();
    let assigned = lines.any(|line| line.expect("text").contains("victim assigned"));
    wait_until("the victim has its share", LIMIT, || first.assigned().len() == PARTITIONS / 2);
    let begun = Instant::now();
    victim.kill().expect("a process of ours");
    victim.wait().expect("it has ended");
    assert!(assigned, "the victim joined");
    wait_until_shared(&[&first], PARTITIONS);
    // The session timeout is six seconds: not before it, and not long after.
    let after = begun.elapsed();
    assert!(after > Duration::from_secs(4), "a member that lives is not given up at once: {after:?}");
    assert!(after < Duration::from_secs(12), "{after:?}");
}

/// A static member that goes and comes back within its session timeout has its partitions again, and nobody else
/// notices (KIP-345).
#[test]
fn a_static_member_comes_back_unnoticed() {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), PARTITIONS, 60);
    let group = unique("static");
    let join = |instance| {
        let settings = [("group.instance.id", instance), ("session.timeout.ms", "30000")];
        Member::join(broker.bootstrap(), &group, &topic, &settings)
    };
    let first = join("first");
    let second = join("second");
    wait_until_shared(&[&first, &second], PARTITIONS);
    let share = second.assigned();
    let changes = first.changes().len();
    second.leave();
    let second = join("second");
    wait_until("it has its share again", LIMIT, || second.assigned() == share);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(first.changes().len(), changes, "no rebalance: {:?}", first.changes());
    assert_eq!(first.assigned().len() + share.len(), PARTITIONS);
}

/// Two processes with one instance id: the later one has it, the earlier one ends.
#[test]
fn a_second_member_with_the_same_instance_id_fences_the_first() {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), PARTITIONS, 60);
    let group = unique("fenced");
    let settings = [("group.instance.id", "one")];
    let first = Member::join(broker.bootstrap(), &group, &topic, &settings);
    wait_until_shared(&[&first], PARTITIONS);
    let second = Member::join(broker.bootstrap(), &group, &topic, &settings);
    wait_until("the first is fenced", LIMIT, || first.fatal().is_some());
    assert_eq!(first.fatal(), Some(RDKafkaErrorCode::FencedInstanceId));
    wait_until_shared(&[&second], PARTITIONS);
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let broker = Broker::start();
    let topic = spread(broker.bootstrap(), PARTITIONS, 60);
    let group = unique("listed");
    let settings = [("client.id", "someone"), ("partition.assignment.strategy", "range")];
    let member = Member::join(broker.bootstrap(), &group, &topic, &settings);
    wait_until_shared(&[&member], PARTITIONS);
    let asker: BaseConsumer = consumer(broker.bootstrap(), "unused", &[]);
    let listed = asker.fetch_group_list(None, LIMIT).expect("groups");
    assert!(listed.groups().iter().any(|found| found.name() == group));
    let described = asker.fetch_group_list(Some(&group), LIMIT).expect("the group");
    let found = described.groups().iter().find(|found| found.name() == group).expect("the group");
    assert_eq!((found.state(), found.protocol_type(), found.protocol()), ("Stable", "consumer", "range"));
    assert_eq!(found.members().len(), 1);
    let one = &found.members()[0];
    assert_eq!(one.client_id(), "someone");
    assert!(one.client_host().contains("127.0.0.1"), "{}", one.client_host());
    assert!(one.id().starts_with("someone-"), "{}", one.id());
    assert!(one.assignment().is_some_and(|bytes| !bytes.is_empty()));

    assert_eq!(delete_group(broker.bootstrap(), &group), Err(RDKafkaErrorCode::NonEmptyGroup));
    // What it has not read it cannot commit.
    wait_until("everything is processed", LIMIT, || member.processed().len() == 60);
    member.leave();
    assert!(matches!(committed(broker.bootstrap(), &group, &topic, 0).0, Offset::Offset(_)));
    assert_eq!(delete_group(broker.bootstrap(), &group), Ok(()));
    assert_eq!(committed(broker.bootstrap(), &group, &topic, 0).0, Offset::Invalid);
    assert_eq!(delete_group(broker.bootstrap(), &group), Err(RDKafkaErrorCode::GroupIdNotFound));
    let listed = asker.fetch_group_list(None, LIMIT).expect("groups");
    assert!(!listed.groups().iter().any(|found| found.name() == group));
}

#[test]
fn a_subscription_by_pattern_finds_new_topics() {
    let broker = Broker::start();
    let prefix = unique("pattern");
    let one = create_topic(broker.bootstrap(), &prefix, 1, &[]);
    let settings = [("topic.metadata.refresh.interval.ms", "200")];
    let consumer = consumer(broker.bootstrap(), &unique("pattern-group"), &settings);
    consumer.subscribe(&[&format!("^{prefix}-.*")]).expect("subscribed");
    produce(broker.bootstrap(), &one, 1, 0..5);
    assert_eq!(ids(&take(&consumer, 5)), [0, 1, 2, 3, 4]);
    consumer.commit_consumer_state(CommitMode::Sync).expect("committed");
    let two = create_topic(broker.bootstrap(), &prefix, 1, &[]);
    produce(broker.bootstrap(), &two, 1, 5..10);
    assert_eq!(ids(&take(&consumer, 5)), [5, 6, 7, 8, 9]);
}

/// A restart of the broker, clean or not, keeps what was committed, and members that lived through it go on.
fn restart_under_a_group(crash: bool) {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topic = spread(broker.bootstrap(), PARTITIONS, 600);
    let group = unique("restart");
    let first = Member::join(broker.bootstrap(), &group, &topic, &[]);
    let second = Member::join(broker.bootstrap(), &group, &topic, &[]);
    wait_until_shared(&[&first, &second], PARTITIONS);
    wait_until("all is processed", LIMIT, || {
        first.processed().iter().chain(&second.processed()).collect::<BTreeSet<_>>().len() == 600
    });
    let all_committed = || {
        (0..6).all(|partition| {
            committed(broker.bootstrap(), &group, &topic, partition).0 == Offset::Offset(100)
        })
    };
    wait_until("all is committed", LIMIT, all_committed);
    broker.end(crash);
    broker.restart();
    for partition in 0..6 {
        assert_eq!(committed(broker.bootstrap(), &group, &topic, partition).0, Offset::Offset(100));
    }
    produce(broker.bootstrap(), &topic, PARTITIONS, 600..1_200);
    wait_until("what came after is processed", LIMIT * 2, || {
        first.processed().iter().chain(&second.processed()).collect::<BTreeSet<_>>().len() == 1_200
    });
    let mut processed = first.leave();
    processed.extend(second.leave());
    assert_eq!(processed.len(), 1_200, "nothing that was committed is processed again");
}

#[test]
fn a_group_outlives_a_restart() {
    restart_under_a_group(false);
}

#[test]
fn a_group_outlives_a_crash() {
    restart_under_a_group(true);
}
