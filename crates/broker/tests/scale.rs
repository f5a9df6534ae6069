//! Counts a broker's operations on its disk: a fixed number for each partition of a request, and none for
//! others.
#![allow(clippy::disallowed_methods, reason = "a test looks at files, and connects")]

#[path = "home/broker.rs"]
mod home;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use broker::{DirectoryError, StartError};
use home::{Home, create_topics, delete_topics, produce};
use protocol::ErrorCode;
use storage::fs::Operation;
use storage::fs::faults::Fault;

const DIRS: &[&str] = &["data"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_looks_at_the_file_system_that_it_was_given_and_at_no_other() {
    let home = Home::new("given-fs", DIRS);
    home.try_start(&[("node.id", "5")]).await.expect("it starts").shutdown().await;
    home.faults.take_done();
    // The owner of the directory cannot be read while the node id is looked for; later it can.
    home.faults.add(Fault {
        operation: Operation::Open,
        path_end: "data/meta.properties",
        after: 0,
        // Once for metadata.log.dir and once for log.dirs.
        times: 2,
        error: ErrorKind::PermissionDenied,
    });
    match home.try_start(&[]).await {
        Err(StartError::Directories(DirectoryError::NodeId { found: 5, .. })) => {}
        other => panic!("it took a number that it could not read: {:?}", other.err()),
    }
}

/// The operations on the files of partitions and on the log directory itself, except for the periodic checks
/// of its space. Those of the metadata log are left out: its syncs may be shared.
fn of_partitions(home: &Home) -> BTreeMap<(Operation, String), usize> {
    let data = home.dir("data");
    let mut counts = BTreeMap::new();
    for (operation, path) in home.faults.take_done() {
        let is_metadata = path.starts_with(data.join("__cluster_metadata-0"));
        if is_metadata || (operation == Operation::Stat && path == data) {
            continue;
        }
        let Ok(file) = path.strip_prefix(&data) else { continue };
        let file = file.iter().nth(1).unwrap_or_default();
        *counts.entry((operation, file.to_string_lossy().into_owned())).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_costs_the_same_beside_ten_partitions_and_beside_a_thousand() {
    let home = Home::new("beside-others", DIRS);
    let running = home.start().await;
    let address = running.local_addresses()[0];
    let counted = tokio::task::spawn_blocking(move || {
        let mut counted = Vec::new();
        for (round, others) in [10, 1_000].into_iter().enumerate() {
            create_topics(address, &[&format!("others-{round}")], others);
            let name = format!("topic-{round}");
            let mut costs = Vec::new();
            of_partitions(&home);
            create_topics(address, &[&name], 1);
            costs.push(("creating it", of_partitions(&home)));
            assert_eq!(produce(address, &name, 0), (ErrorCode::NONE, 0));
            costs.push(("the first record", of_partitions(&home)));
            delete_topics(address, &[&name]);
            let mut deleted = of_partitions(&home);
            // Files are removed in the background, perhaps a little later.
            deleted.retain(|(operation, _), _| *operation != Operation::Remove);
            costs.push(("deleting it", deleted));
            counted.push(costs);
        }
        (home, counted)
    });
    let (home, mut counted) = counted.await.unwrap();
    // Checkpoints of the log directory are written from time to time as well.
    let is_of_partition = |(operation, file): &(Operation, String)| {
        !file.is_empty() || matches!(operation, Operation::List | Operation::CreateDir)
    };
    for (_, cost) in counted.iter_mut().flatten() {
        cost.retain(|done, _| is_of_partition(done));
    }
    for (few, many) in counted[0].iter().zip(&counted[1]) {
        assert_eq!(few, many);
    }
    let lists = counted[0].iter().flat_map(|(_, cost)| cost.keys()).filter(|(it, _)| *it == Operation::List);
    assert_eq!(lists.count(), 0, "nothing is listed");
    running.shutdown().await;
    drop(home);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_and_the_next_start_sync_nothing_for_partitions_without_records() {
    let home = Home::new("idle", DIRS);
    let running = home.start().await;
    let address = running.local_addresses()[0];
    tokio::task::spawn_blocking(move || create_topics(address, &["idle"], 300)).await.unwrap();
    running.shutdown().await;
    let running = home.start().await;
    running.shutdown().await;
    let done = home.faults.take_done();
    let is_sync = |operation: &Operation| matches!(operation, Operation::Sync | Operation::SyncDir);
    let of_idle = done.iter().filter(|(it, path)| is_sync(it) && path.to_string_lossy().contains("/idle-"));
    assert_eq!(of_idle.count(), 0, "from its creation to its second stop");
    assert!(home.dir("data").join("idle-299").is_dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_partitions_are_deleted_with_one_sync() {
    let home = Home::new("deleted-together", DIRS);
    let running = home.start().await;
    let address = running.local_addresses()[0];
    let home = tokio::task::spawn_blocking(move || {
        create_topics(address, &["a", "b"], 100);
        of_partitions(&home);
        delete_topics(address, &["a", "b"]);
        let done = of_partitions(&home);
        assert_eq!(done.get(&(Operation::SyncDir, String::new())), Some(&1), "{done:?}");
        assert_eq!(done.get(&(Operation::Rename, String::new())), Some(&200), "{done:?}");
        home
    });
    let home = home.await.unwrap();
    // The removal of files takes longer, and does not prevent a clean shutdown.
    running.shutdown().await;
    assert!(home.dir("data").join(".kafka_cleanshutdown").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_while_partitions_are_opened_is_refused_and_the_port_is_taken() {
    let home = Arc::new(Home::new("refused-meanwhile", DIRS));
    let running = home.start().await;
    let address = running.local_addresses()[0];
    let port = format!("PLAINTEXT://{address}");
    tokio::task::spawn_blocking(move || create_topics(address, &["held"], 8)).await.unwrap();
    running.shutdown().await;

    home.faults.hold(Operation::Open, "held-3/partition.metadata");
    let starting = tokio::spawn({
        let (home, port) = (Arc::clone(&home), port.clone());
        async move { home.try_start(&[("node.id", "1"), ("listeners", &port)]).await }
    });
    let waiting = Arc::clone(&home);
    tokio::task::spawn_blocking(move || waiting.faults.await_held()).await.unwrap();
    let refused = std::net::TcpStream::connect(address).expect_err("nothing would be answered");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    home.faults.release();
    let running = starting.await.unwrap().expect("it starts");
    let produced = tokio::task::spawn_blocking(move || produce(address, "held", 3)).await.unwrap();
    assert_eq!(produced, (ErrorCode::NONE, 0));

    // A second broker learns at once that the port is in use, before it opens anything.
    let other = Home::new("port-in-use", DIRS);
    match other.try_start(&[("node.id", "1"), ("listeners", &port)]).await {
        Err(StartError::Listen(_, error)) => assert_eq!(error.kind(), ErrorKind::AddrInUse),
        other => panic!("{:?}", other.err()),
    }
    running.shutdown().await;
}
