use openraft::type_config::TypeConfigExt;

use super::super::start::{self, Company};
use super::super::tests::{Node, TempDir, config};
use super::*;

#[test]
fn who_waits_is_told_once_the_log_is_durable_that_far() {
    let waiting = Mutex::new(PendingAppends::default());
    let mut told = Vec::new();
    for end_offset in [5, 7, 9] {
        let (sender, receiver) = Types::oneshot();
        waiting.lock().0.push_back((end_offset, IOFlushed::signal(sender)));
        told.push(receiver);
    }
    let mut is_told = |nth: usize| told[nth].try_recv().is_ok_and(|result| result.is_ok());
    tell(&waiting, || Ok(4));
    assert!(!is_told(0));
    tell(&waiting, || Ok(7));
    assert!(is_told(0) && is_told(1) && !is_told(2));
    tell(&waiting, || Ok(9));
    assert!(is_told(2));
    tell(&waiting, || Ok(20));
}

/// Openraft's documentation says the first. With those a node that starts again misjudges which entries it has.
#[tokio::test]
async fn the_key_entries_are_the_last_of_each_leader() {
    let dir = TempDir::new();
    for _ in 0..3 {
        let node = Node::start(dir.path()).await;
        node.register().await;
        node.stop().await;
    }
    let open = storage::OpenDirectory { fs: Fs::real(), path: dir.path().to_owned(), open_files_max: 16 };
    let directory = storage::LogDirectory::open(open).expect("nobody has it");
    let mut store = start::open(&config(), &directory, Company::Alone).expect("it opens").store;
    let last = store.last().expect("it has entries");
    let entries = store.try_get_log_entries(0..=last.index).await.expect("they are read");
    let ends_term = |pair: &&[Entry]| pair[0].log_id.leader_id != pair[1].log_id.leader_id;
    let mut expected: Vec<LogId> = entries.windows(2).filter(ends_term).map(|pair| pair[0].log_id).collect();
    expected.push(last);
    assert_eq!(expected.len(), 4, "the founding entries, and three leaders: {expected:?}");
    let found = store.get_key_log_ids(entries[0].log_id..=last).await.expect("they are known");
    assert_eq!(found, expected);
}
