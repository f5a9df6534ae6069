//! An administrator who removes voters and adds them again.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use metadata::Quorum;
use metadata::quorum::VoterChangeError;
use runtime::clock;
use runtime::sim::{self, Host};
use tokio::sync::watch;

use super::ledger::Ledger;
use super::links::Links;
use super::voter::Voter;
use super::{RECOVERY_MAX, id, restart_ended};

/// The voters that are left at least, so that some may fail.
const VOTERS_MIN: usize = 2;

/// The time that a change may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Works until the faults end.
pub(crate) async fn work(
    links: Arc<Links>,
    ledger: Arc<Ledger>,
    mut chance: Rng,
    stopping: watch::Receiver<bool>,
) {
    while !*stopping.borrow() {
        clock::sleep(Duration::from_millis(chance.u64(300..3_000))).await;
        let (asked, node) = (chance.i32(1..=links.nodes()), chance.i32(1..=links.nodes()));
        let Some((host, quorum)) = links.at(asked) else { continue };
        let voters: Vec<i32> = quorum.status().voters.iter().map(|voter| voter.id.id).collect();
        let changed = if !voters.contains(&node) {
            add(host, quorum, node).await
        } else if voters.len() > VOTERS_MIN {
            remove(host, quorum, node).await
        } else {
            continue;
        };
        sim::note(format_args!("voter {asked} has changed {node} among {voters:?}: {changed:?}"));
        if changed == Some(Ok(())) {
            ledger.count(|counts| counts.changes += 1);
        }
    }
}

async fn add(host: Host, quorum: Arc<Quorum>, node: i32) -> Option<Result<(), VoterChangeError>> {
    let mut adding = host.spawn(async move { quorum.add_voter(id(node), Vec::new()).await });
    let added = clock::timeout(PATIENCE, &mut adding).await;
    adding.abort();
    added.ok()?.ok()
}

async fn remove(host: Host, quorum: Arc<Quorum>, node: i32) -> Option<Result<(), VoterChangeError>> {
    let mut removing = host.spawn(async move { quorum.remove_voter(id(node)).await });
    let removed = clock::timeout(PATIENCE, &mut removing).await;
    removing.abort();
    removed.ok()?.ok()
}

/// Makes all nodes voters again: nothing is broken any more.
pub(crate) async fn restore(voters: &[Arc<Voter>], links: &Arc<Links>) -> Result<(), String> {
    let deadline = clock::now() + RECOVERY_MAX;
    loop {
        restart_ended(voters).await?;
        let mut missing = Vec::new();
        for asked in 1..=links.nodes() {
            let Some((host, quorum)) = links.at(asked) else { continue };
            if quorum.confirm_office().await.is_err() {
                continue;
            }
            let status = quorum.status();
            let is_voter = |node: &i32| status.voters.iter().any(|voter| voter.id == id(*node));
            missing = (1..=links.nodes()).filter(|node| !is_voter(node)).collect();
            if missing.is_empty() {
                return Ok(());
            }
            for node in &missing {
                let added = add(host, Arc::clone(&quorum), *node).await;
                sim::note(format_args!("voter {asked} has added {node}: {added:?}"));
            }
        }
        if clock::now() > deadline {
            return Err(format!(
                "voters {missing:?} cannot be added, or nobody leads, {RECOVERY_MAX:?} after everything is healed"
            ));
        }
        clock::sleep(Duration::from_millis(200)).await;
    }
}
