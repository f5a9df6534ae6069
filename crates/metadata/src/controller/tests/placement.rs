//! The placement of new partitions over racks and brokers.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::super::racks::Racks;
use super::*;

fn in_rack(broker_id: i32, rack: &str, fenced: bool) -> RegisterBrokerRecord {
    RegisterBrokerRecord { fenced, rack: Some(rack.into()), ..registered(broker_id, DIRECTORY) }
}

fn count<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    counts
}

fn spread(counts: &BTreeMap<i32, usize>) -> usize {
    counts.values().max().unwrap_or(&0) - counts.values().min().unwrap_or(&0)
}

/// The rack of a broker.
fn rack(brokers: &[RegisterBrokerRecord], id: i32) -> &str {
    let broker = brokers.iter().find(|broker| broker.broker_id == id).expect("it is registered");
    broker.rack.as_deref().expect("all have one")
}

#[test]
fn any_cluster_keeps_the_guarantees() {
    for seed in 0..300 {
        let mut rng = Rng::with_seed(seed);
        let racks = rng.usize(1..=4);
        let names = ["a", "b", "c", "d"];
        let brokers: Vec<RegisterBrokerRecord> = (0..rng.i32(1..=9))
            .map(|id| in_rack(id, names[rng.usize(..racks)], id > 0 && rng.u8(..4) == 0))
            .collect();
        let placed = Racks::new(brokers.iter());
        let factor = rng.usize(1..=brokers.len());
        for number in 0..60 {
            let replicas = placed.place(number, factor);
            let context = format!("seed {seed}: {replicas:?} of {brokers:?}");
            let is_fenced = |id: &i32| brokers.iter().any(|it| it.broker_id == *id && it.fenced);
            assert_eq!(count(replicas.iter()).len(), factor, "no broker twice, {context}");
            assert!(!is_fenced(&replicas[0]), "a leader is alive, {context}");
            let per_rack = count(replicas.iter().map(|id| rack(&brokers, *id)));
            let most = *per_rack.values().max().expect("there is a replica");
            for (name, size) in count(brokers.iter().map(|it| rack(&brokers, it.broker_id))) {
                let has = per_rack.get(name).copied().unwrap_or_default();
                assert!(has + 1 >= most || has == size, "each rack in turn, {context}");
                let of_rack = |it: &&RegisterBrokerRecord| it.rack.as_deref() == Some(name);
                let alive = brokers.iter().filter(of_rack).filter(|it| !it.fenced);
                let is_left = alive.into_iter().any(|it| !replicas.contains(&it.broker_id));
                let takes_fenced = replicas.iter().any(|id| is_fenced(id) && rack(&brokers, *id) == name);
                assert!(!is_left || !takes_fenced, "those that are fenced last, {context}");
            }
        }
    }
}

#[test]
fn leaders_and_replicas_are_even_where_racks_are() {
    for (racks, size) in [(1, 5), (3, 2), (3, 3), (4, 1)] {
        let names = ["a", "b", "c", "d"];
        let ids = 0..racks * size;
        let brokers: Vec<_> = ids.map(|id| in_rack(id, names[(id % racks) as usize], false)).collect();
        let placed = Racks::new(brokers.iter());
        let partitions: Vec<Vec<i32>> = (0..720).map(|number| placed.place(number, 3)).collect();
        let leaders = count(partitions.iter().map(|replicas| replicas[0]));
        assert_eq!((leaders.len(), spread(&leaders)), (brokers.len(), 0), "{racks} racks of {size}");
        let replicas = count(partitions.iter().flatten().copied());
        assert!(spread(&replicas) <= 24, "{racks} racks of {size}: {replicas:?}");
        // If a broker fails, all others that may take over take an equal part.
        for failed in 0..racks * size {
            let led = partitions.iter().filter(|replicas| replicas[0] == failed);
            let next = count(led.map(|replicas| replicas[1]));
            let candidates = if racks == 1 { size - 1 } else { (racks - 1) * size };
            assert_eq!(next.len(), candidates as usize, "{racks} racks of {size}: {next:?}");
            assert!(spread(&next) * 4 <= 720 / brokers.len(), "{racks} racks of {size}: {next:?}");
        }
    }
}

#[test]
fn a_topic_may_have_replicas_on_brokers_that_are_fenced() {
    let brokers = [in_rack(1, "a", false), in_rack(2, "a", true), in_rack(3, "b", false)];
    let image = with(Image::default(), brokers.map(MetadataRecord::from).to_vec());
    let topic = CreatableTopic { num_partitions: 4, replication_factor: 3, ..topic("t") };
    let (response, records) = create(&image, vec![topic]);
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
    let image = with(image, records);
    for partition in &image.topic("t").expect("it is there").partitions {
        assert_eq!((partition.replicas.len(), partition.isr.len()), (3, 2));
        assert!(!partition.isr.contains(&2) && partition.isr[0] == partition.leader);
    }
    let too_many = CreatableTopic { num_partitions: 1, replication_factor: 4, ..super::topic("u") };
    let (response, _) = create(&image, vec![too_many]);
    assert_eq!(response.topics[0].error_code, ErrorCode::INVALID_REPLICATION_FACTOR);
}

#[test]
fn brokers_that_leave_or_are_cordoned_get_nothing_new() {
    let other = Uuid([0xe; 16]);
    let cordoned = |directories: &[Uuid]| RegisterBrokerRecord {
        log_dirs: vec![DIRECTORY, other],
        cordoned_log_dirs: Some(directories.to_vec()),
        ..registered(2, DIRECTORY)
    };
    let leaving = RegisterBrokerRecord { in_controlled_shutdown: true, ..registered(3, DIRECTORY) };
    for (broker, replicas, code) in [
        (cordoned(&[DIRECTORY]), 2, ErrorCode::NONE),
        (cordoned(&[DIRECTORY, other]), 2, ErrorCode::INVALID_REPLICATION_FACTOR),
        (leaving, 2, ErrorCode::INVALID_REPLICATION_FACTOR),
    ] {
        let id = broker.broker_id;
        let image = with(cluster(), vec![broker.into()]);
        let topic = CreatableTopic { num_partitions: 3, replication_factor: replicas, ..topic("t") };
        let (response, records) = create(&image, vec![topic]);
        assert_eq!(response.topics[0].error_code, code);
        let image = with(image, records);
        let partitions = image.topic("t").map(|topic| topic.partitions.clone()).unwrap_or_default();
        assert!(
            partitions.iter().all(|partition| partition.directory_of(id) == other),
            "not in the cordoned one"
        );
    }
}
