//! Every interleaving of a small cluster: three brokers, one partition, two records.
//!
//! The controller is the real one; the brokers are models of Kafka's replication that know the metadata late, crash, and
//! lose what they had not synced. A record is committed once the high watermark of a leader has passed it. No state that
//! can be reached has a leader, or a replica that may become one, without all committed records.

mod world;

use std::collections::HashSet;

use world::{Action, Trap, World};

use super::*;

/// Where the search begins.
type Scenario = &'static [Action];

use Action::{Append, Crash, Expand, Expire, Fetch, Heartbeat, Learn, LoseTail, ShutDown};

/// All have all, and one record is committed.
const CALM: Scenario = &[Append(1), Fetch(2, 1), Fetch(3, 1)];
/// Broker 3 was fenced and is back, outside the ISR, and has caught up.
const RETURNED: Scenario =
    &[Expire(3), Learn(1), Heartbeat(3), Learn(3), Append(1), Fetch(3, 1), Fetch(2, 1)];
/// As before, and the leader has asked for it to be in the ISR when it crashes without its last record.
const PROPOSED: Scenario =
    &[Expire(3), Learn(1), Heartbeat(3), Learn(3), Append(1), Fetch(3, 1), Expand(1, 3), LoseTail(3)];
/// Only the leader is left in sync.
const ALONE: Scenario = &[Append(1), Fetch(2, 1), Fetch(3, 1), Expire(3), Expire(2), Learn(1)];
/// Nobody leads.
const DOWN: Scenario = &[Append(1), Fetch(2, 1), Fetch(3, 1), Expire(3), Expire(2), Expire(1)];
/// The leader is about to stop.
const STOPPING: Scenario = &[Append(1), Fetch(2, 1), Fetch(3, 1), ShutDown(1), Learn(2)];

const SCENARIOS: [Scenario; 6] = [CALM, RETURNED, PROPOSED, ALONE, DOWN, STOPPING];

/// Looks at all states that `depth` actions lead to; returns their number, or the actions that lead to a wrong one.
fn search(start: &World, depth: usize) -> Result<usize, (Vec<Action>, String)> {
    let mut seen = HashSet::from([start.key()]);
    let mut level = vec![(start.clone(), Vec::new())];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (world, path) in &level {
            for action in Action::all() {
                let mut after = world.clone();
                if !after.step(action) || !seen.insert(after.key()) {
                    continue;
                }
                let mut path: Vec<Action> = path.clone();
                path.push(action);
                if let Some(fault) = after.fault() {
                    return Err((path, fault));
                }
                next.push((after, path));
            }
        }
        level = next;
    }
    Ok(seen.len())
}

fn begin(with_elr: bool, trap: Option<Trap>, scenario: Scenario) -> World {
    let mut world = World::new(with_elr, trap);
    for action in scenario {
        let is_possible = world.step(*action);
        assert!(is_possible || (*action == LoseTail(3) && world.step(Crash(3))), "{action:?}");
        assert!(world.fault().is_none() || trap.is_some(), "{action:?}: {:?}", world.fault());
    }
    world
}

/// The number of steps from each scenario: `MILENA_CONTROLLER_STEPS`, or as many as take some seconds.
fn steps() -> usize {
    std::env::var("MILENA_CONTROLLER_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(4)
}

#[test]
fn no_election_loses_a_committed_record() {
    let mut states = 0;
    for with_elr in [false, true] {
        for scenario in SCENARIOS {
            match search(&begin(with_elr, None, scenario), steps()) {
                Ok(count) => states += count,
                Err((path, fault)) => {
                    panic!("eligible replicas: {with_elr}, {scenario:?}, {path:?}: {fault}")
                }
            }
        }
    }
    assert!(states > 10_000, "{states} states");
}

#[test]
fn a_rule_that_is_broken_is_found() {
    for (trap, with_elr, scenario) in [
        (Trap::UncleanElection, false, RETURNED),
        (Trap::NoBrokerEpochs, true, PROPOSED),
        (Trap::LossHidden, true, ALONE),
        (Trap::CommittedIsrOnly, false, RETURNED),
        (Trap::CommitBelowMinIsr, true, ALONE),
    ] {
        let found = search(&begin(with_elr, Some(trap), scenario), 5);
        assert!(found.is_err(), "{trap:?} was not found in {found:?} states");
    }
}
