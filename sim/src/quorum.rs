//! The scenario of a metadata quorum: three or five voters without brokers, on machines and links that fail, and
//! clients that have records written and read them.

mod administrator;
mod client;
mod ledger;
mod links;
mod voter;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use metadata::quorum::{FoundingVoter, VoterId};
use protocol::Uuid;
use runtime::sim;
use runtime::{clock, task};
use tokio::sync::watch;

use crate::run::Outcome;
use ledger::Ledger;
use links::Links;
use voter::Voter;

/// The time in which the quorum goes on once everything is healed.
const RECOVERY_MAX: Duration = Duration::from_secs(90);

/// The time that clients go on for when the faults are over.
const CALM: Duration = Duration::from_secs(5);

/// The time between two looks at a voter.
const LOOK: Duration = Duration::from_millis(100);

/// The shape of a run. Each seed leaves out some kinds of faults altogether: one fault may hide another.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) voters: i32,
    clients: u32,
    /// The time with faults.
    length: Duration,
    pub(crate) bytes_between_snapshots: u64,
    pub(crate) segment_bytes: u32,
    pub(crate) kills: bool,
    pub(crate) power_cuts: bool,
    pub(crate) failing_syncs: bool,
    pub(crate) full_disks: bool,
    pub(crate) pauses: bool,
    pub(crate) clock_jumps: bool,
    pub(crate) cuts: bool,
    /// Whether voters are removed, and come back.
    changes: bool,
    /// One message of so many is lost; 0 if none is.
    pub(crate) loss_one_in: u32,
    /// One message of so many arrives twice; 0 if none does.
    pub(crate) duplicates_one_in: u32,
    pub(crate) delay_max: Duration,
    slow_threads: bool,
}

impl Shape {
    fn draw(chance: &mut Rng) -> Self {
        let calm = chance.u32(..8) == 0;
        let mut family = || !calm && chance.bool();
        let (kills, power_cuts, failing_syncs, full_disks) = (family(), family(), family(), family());
        let (pauses, clock_jumps, cuts, changes) = (family(), family(), family(), family());
        let (lossy, repeating, slow_links, slow_threads) = (family(), family(), family(), family());
        Self {
            voters: if chance.u32(..3) == 0 { 5 } else { 3 },
            clients: chance.u32(2..5),
            length: Duration::from_secs(chance.u64(8..25)),
            bytes_between_snapshots: 1 << chance.u32(11..15),
            segment_bytes: 1 << chance.u32(12..16),
            kills,
            power_cuts,
            failing_syncs,
            full_disks,
            pauses,
            clock_jumps,
            cuts,
            changes,
            loss_one_in: if lossy { chance.u32(10..100) } else { 0 },
            duplicates_one_in: if repeating { chance.u32(4..40) } else { 0 },
            delay_max: Duration::from_millis(if slow_links { chance.u64(5..60) } else { 3 }),
            slow_threads,
        }
    }

    /// Whether any fault is drawn.
    fn is_calm(&self) -> bool {
        !(self.kills || self.power_cuts || self.pauses || self.cuts || self.failing_syncs || self.full_disks)
    }
}

/// The identity of a voter.
pub(crate) fn id(node: i32) -> VoterId {
    VoterId { id: node, directory_id: Uuid([u8::try_from(node).expect("a small number"); 16]) }
}

fn founders(voters: i32) -> Vec<FoundingVoter> {
    (1..=voters).map(|node| FoundingVoter { id: id(node), endpoints: Vec::new() }).collect()
}

/// Directs the run: boots the voters, has clients work on them, breaks them, and checks them all the time.
pub(crate) async fn direct(idle: bool) -> Result<Outcome, String> {
    let shape = Shape::draw(&mut sim::chance());
    sim::note(format_args!("{shape:?}"));
    if shape.slow_threads {
        sim::set_lateness_max(Duration::from_millis(50));
    }
    let ledger = Arc::new(Ledger::default());
    let links = Arc::new(Links::new(&shape, sim::chance()));
    let (stop, stopping) = watch::channel(false);
    let mut voters = Vec::new();
    for node in 1..=shape.voters {
        voters.push(Voter::new(node, &shape, sim::chance(), &links, &ledger));
    }
    let mut breaking = Vec::new();
    for voter in &voters {
        voter.start().await?;
        let voter = Arc::clone(voter);
        breaking.push(task::spawn(voter.suffer(shape.clone(), stopping.clone())));
    }
    if shape.cuts {
        breaking.push(task::spawn(links::cut_at_times(Arc::clone(&links), sim::chance(), stopping.clone())));
    }
    let looking = task::spawn(look(voters.clone(), Arc::clone(&ledger)));
    let (rest, resting) = watch::channel(false);
    let mut working = Vec::new();
    for client in 0..if idle { 0 } else { shape.clients } {
        let work =
            client::work(client, Arc::clone(&links), Arc::clone(&ledger), sim::chance(), resting.clone());
        working.push(sim::boot("client").spawn(work));
    }
    if shape.changes {
        let work =
            administrator::work(Arc::clone(&links), Arc::clone(&ledger), sim::chance(), stopping.clone());
        working.push(sim::boot("administrator").spawn(work));
    }
    clock::sleep(shape.length).await;
    stop.send_replace(true);
    for breaking in breaking {
        breaking.await.map_err(|error| format!("a fault: {error}"))??;
    }
    links.heal();
    // With nothing broken any more there is something to read, too.
    clock::sleep(CALM).await;
    rest.send_replace(true);
    for working in working {
        working.await.map_err(|error| format!("a client: {error}"))?;
    }
    administrator::restore(&voters, &links).await?;
    recover(&voters, &links, &ledger).await?;
    // Once more from what is on the disks.
    for voter in &voters {
        voter.restart_after_power_cut().await?;
    }
    recover(&voters, &links, &ledger).await?;
    looking.abort();
    for voter in &voters {
        ledger.look(voter)?;
    }
    ledger.verdict()?;
    let mut counts = ledger.counts();
    counts.messages = links.carried();
    counts.faults += links.cuts();
    Ok((counts.to_string(), counts.proved_nothing(shape.is_calm(), shape.voters)))
}

/// Looks at every voter time and again.
async fn look(voters: Vec<Arc<Voter>>, ledger: Arc<Ledger>) {
    loop {
        for voter in &voters {
            if let Err(wrong) = ledger.look(voter) {
                ledger.wrong(wrong);
            }
        }
        clock::sleep(LOOK).await;
    }
}

/// Starts voters again that have ended by themselves.
async fn restart_ended(voters: &[Arc<Voter>]) -> Result<(), String> {
    for voter in voters {
        voter.restart_if_ended().await?;
    }
    Ok(())
}

/// Waits until a record is written and every voter has it: nothing is broken any more.
async fn recover(voters: &[Arc<Voter>], links: &Arc<Links>, ledger: &Arc<Ledger>) -> Result<(), String> {
    let deadline = clock::now() + RECOVERY_MAX;
    let last = loop {
        restart_ended(voters).await?;
        if let Some(offset) = client::write_last(links, ledger).await {
            break offset;
        }
        if clock::now() > deadline {
            return Err(format!("nothing can be written {RECOVERY_MAX:?} after everything is healed"));
        }
        clock::sleep(LOOK).await;
    };
    while !voters.iter().all(|voter| voter.offset() >= last) {
        restart_ended(voters).await?;
        if clock::now() > deadline {
            let offsets: Vec<i64> = voters.iter().map(|voter| voter.offset()).collect();
            return Err(format!(
                "the voters are at {offsets:?} and not at {last}, {RECOVERY_MAX:?} after everything is healed"
            ));
        }
        clock::sleep(LOOK).await;
    }
    ledger.verdict()
}
