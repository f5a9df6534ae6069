//! Voters that come and go.

use super::several::{Several, endpoints, id, until};
use super::*;
use crate::quorum::voters::VoterChangeError;

/// Adds a voter by whoever leads.
async fn add(several: &Several, node: i32) {
    until(&format!("node {node} is a voter"), || async {
        let leader = several.leader().await;
        match several.quorum(leader).add_voter(id(node), endpoints(node)).await {
            Ok(()) | Err(VoterChangeError::DuplicateVoter(_)) => Some(()),
            Err(_) => None,
        }
    })
    .await;
}

async fn remove(several: &Several, node: i32) {
    until(&format!("node {node} is no voter"), || async {
        let leader = several.leader().await;
        match several.quorum(leader).remove_voter(id(node)).await {
            Ok(()) | Err(VoterChangeError::VoterNotFound(_)) => Some(()),
            Err(_) => None,
        }
    })
    .await;
}

fn voters(quorum: &Quorum) -> Vec<i32> {
    quorum.status().voters.iter().map(|voter| voter.id.id).collect()
}

async fn await_voters(several: &Several, nodes: &[i32], expected: &[i32]) {
    for node in nodes {
        let quorum = several.quorum(*node);
        until(&format!("node {node} knows the voters {expected:?}"), || async {
            (voters(&quorum) == expected).then_some(())
        })
        .await;
    }
}

/// One command each, and nothing that was there before is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_alone_grows_to_three_and_survives_its_first_voter() {
    let mut several = Several::new(1);
    several.start(1).await;
    several.decide("a").await;
    for node in [2, 3] {
        // They know whom to join.
        several.start(node).await;
        add(&several, node).await;
        several.decide(&format!("with-{node}")).await;
    }
    await_voters(&several, &[1, 2, 3], &[1, 2, 3]).await;
    several.await_topics(&[1, 2, 3], &["a", "with-2", "with-3"]).await;
    let status = several.quorum(2).status();
    assert_eq!(status.voters[2].endpoints, endpoints(3));
    several.crash(1).await;
    several.decide("without-1").await;
    several.start(1).await;
    several.await_topics(&[1, 2, 3], &["a", "with-2", "with-3", "without-1"]).await;
    several.stop_all().await;
    // The settings of the first say still that it is alone: the log says otherwise.
    for node in [3, 1] {
        several.start(node).await;
    }
    several.decide("again").await;
    await_voters(&several, &[1, 3], &[1, 2, 3]).await;
    several.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn voters_are_removed_the_leader_too_and_come_back() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    let first = several.leader().await;
    remove(&several, first).await;
    let others: Vec<i32> = (1..=3).filter(|node| *node != first).collect();
    several.decide("b").await;
    await_voters(&several, &others, &others).await;
    until("one of the others leads", || async {
        let leader = several.leader().await;
        others.contains(&leader).then_some(())
    })
    .await;
    add(&several, first).await;
    several.decide("c").await;
    await_voters(&several, &[1, 2, 3], &[1, 2, 3]).await;
    several.await_topics(&[1, 2, 3], &["a", "b", "c"]).await;
    several.stop_all().await;
}

/// A node whose directory was wiped is another voter.
#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_comes_back_as_another_voter() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    let leader = several.leader().await;
    let wiped = (1..=3).find(|node| *node != leader).unwrap();
    several.crash(wiped).await;
    several.dirs.insert(wiped, TempDir::new());
    let directory_id = Uuid([99; 16]);
    let config = QuorumConfig { directory_id, ..several.config(wiped) };
    several.start_with(config).await.expect("it joins");
    let quorum = several.quorum(several.leader().await);
    let again = VoterId { id: wiped, directory_id };
    let refused = quorum.add_voter(again, endpoints(wiped)).await;
    assert_eq!(refused, Err(VoterChangeError::DuplicateVoter(id(wiped))));
    remove(&several, wiped).await;
    let leader = several.leader().await;
    assert_eq!(several.quorum(leader).add_voter(again, endpoints(wiped)).await, Ok(()));
    several.await_topics(&[1, 2, 3], &["a"]).await;
    several.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_cannot_be_are_refused() {
    let mut several = Several::with_all_started(3).await;
    several.decide("a").await;
    let leader = several.leader().await;
    let quorum = several.quorum(leader);
    let unknown = VoterId { directory_id: Uuid([55; 16]), ..id(leader) };
    assert_eq!(quorum.remove_voter(unknown).await, Err(VoterChangeError::VoterNotFound(unknown)));
    assert_eq!(quorum.update_voter(unknown, Vec::new()).await, Err(VoterChangeError::VoterNotFound(unknown)));
    assert_eq!(
        quorum.add_voter(unknown, Vec::new()).await,
        Err(VoterChangeError::DuplicateVoter(id(leader)))
    );
    let follower = several.quorum((1..=3).find(|node| *node != leader).unwrap());
    let refused = follower.remove_voter(id(leader)).await;
    let is_led = matches!(refused, Err(VoterChangeError::Submit(SubmitError::NotLeader { leader: Some(_) })));
    assert!(is_led, "{refused:?}");
    // The addresses of a voter may change.
    let elsewhere = vec![VoterEndpoint { port: 9999, ..endpoints(leader).remove(0) }];
    assert_eq!(quorum.update_voter(id(leader), elsewhere.clone()).await, Ok(()));
    until("all know the new address", || async {
        let known = (1..=3).all(|node| {
            let status = several.quorum(node).status();
            let voter = status.voters.into_iter().find(|voter| voter.id == id(leader));
            voter.is_some_and(|voter| voter.endpoints == elsewhere)
        });
        known.then_some(())
    })
    .await;
    several.decide("b").await;
    several.stop_all().await;
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    assert_eq!(node.quorum.add_voter(id(2), Vec::new()).await, Err(VoterChangeError::Unsupported));
    node.stop().await;
}
