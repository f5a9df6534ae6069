//! What a broker does to its disk, counted: so much for each partition that a request is about, and nothing for the
//! others that are there.
mod home;

use std::io::ErrorKind;
use std::path::PathBuf;

use broker::StartError;
use home::Home;
use storage::fs::Operation;
use storage::fs::faults::Fault;

const DIRS: &[&str] = &["data"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_looks_at_the_file_system_that_it_was_given_and_at_no_other() {
    let home = Home::new("given-fs", DIRS);
    home.try_start(&[("node.id", "5")]).await.expect("it starts").shutdown().await;
    home.faults.take_done();
    // Whose directory it is cannot be read when a number for the node is looked for, but later.
    home.faults.add(Fault {
        operation: Operation::Open,
        path_end: "data/meta.properties",
        after: 0,
        // Once for metadata.log.dir and once for log.dirs.
        times: 2,
        error: ErrorKind::PermissionDenied,
    });
    match home.try_start(&[]).await {
        Err(StartError::NodeId { found: 5, .. }) => {}
        other => panic!("it took a number that it could not read: {:?}", other.err()),
    }
    let done = home.faults.take_done();
    let locked = done.iter().position(|(operation, _)| *operation == Operation::Lock).expect("it was opened");
    let is_metadata = |(_, path): &(Operation, PathBuf)| path.ends_with("__cluster_metadata-0");
    assert!(done[..locked].iter().any(is_metadata), "the metadata was looked at before anything was changed");
}
