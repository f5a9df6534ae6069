//! One run: its start, its faults, and its verdict.

use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use client::{Cluster, ClusterOptions};
use runtime::sim::{self, Host, Options, Report};
use runtime::{clock, task};

use crate::check;
use crate::history::History;
use crate::node::{Fault, Node};
use crate::quorum;
use crate::swarm::Swarm;
use crate::workload;

/// The longest run, in simulated time: the faults, the clients' waits after each, and the end.
const TIME_MAX: Duration = Duration::from_secs(1800);

/// The printed summary of a run.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    digest: u64,
    events: u64,
    time: Duration,
    counts: String,
}

/// The machines of a run, and the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// A broker.
    Broker,
    /// The voters of a metadata quorum.
    Quorum,
}

/// The summary of what happened in a run, and why that proves nothing, if it does not.
pub(crate) type Outcome = (String, Option<&'static str>);

/// The verdict on a seed.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Everything that was checked was right.
    Right(Summary),
    /// Something was wrong.
    Wrong(String),
    /// Nothing was wrong, and hardly anything happened.
    ProvedNothing(Summary, &'static str),
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, events, time, counts } = self;
        write!(f, "digest {digest:016x}, {events} events, {:.1} s: {counts}", time.as_secs_f64())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right(summary) => write!(f, "right; {summary}"),
            Self::Wrong(what) => write!(f, "WRONG: {what}"),
            Self::ProvedNothing(summary, why) => write!(f, "PROVED NOTHING: {why}; {summary}"),
        }
    }
}

/// Runs one seed.
#[expect(
    clippy::disallowed_methods,
    reason = "the trace is a file of the machine, not of the simulated node"
)]
pub(crate) fn seed(scenario: Scenario, seed: u64, trace: Option<&Path>, idle: bool) -> Verdict {
    let mut options = Options::new(seed);
    options.time_max = TIME_MAX;
    if let Some(path) = trace {
        match File::create(path) {
            Ok(file) => options.trace = Some(Box::new(BufWriter::new(file))),
            Err(error) => return Verdict::Wrong(format!("cannot write {}: {error}", path.display())),
        }
    }
    let run = match scenario {
        Scenario::Broker => sim::run(options, direct(idle)),
        Scenario::Quorum => sim::run(options, quorum::direct(idle)),
    };
    let report = match run {
        Ok(report) => report,
        Err(failure) => return Verdict::Wrong(failure.to_string()),
    };
    let Report { output, digest, events, time } = report;
    match output {
        Err(wrong) => Verdict::Wrong(format!("{wrong} (digest {digest:016x})")),
        Ok((counts, why)) => {
            let summary = Summary { digest, events, time, counts };
            why.map_or_else(
                || Verdict::Right(summary.clone()),
                |why| Verdict::ProvedNothing(summary.clone(), why),
            )
        }
    }
}

/// Directs the run: boots the node, has clients work on it, breaks it, and checks the rest.
async fn direct(idle: bool) -> Result<Outcome, String> {
    let mut chance = sim::chance();
    let swarm = Swarm::draw(&mut sim::chance());
    sim::note(format_args!("{swarm:?}"));
    if swarm.slow_threads {
        sim::set_lateness_max(Duration::from_millis(50));
    }
    let history = Arc::new(History::default());
    let mut node = Node::new(&swarm, sim::chance(), Arc::clone(&history));
    node.start().await?;
    let clients = sim::boot("clients");
    on(clients, workload::prepare(swarm.clone())).await?;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let mut working = Vec::new();
    let work = workload::all(&swarm, &history, &mut sim::chance(), &stopping);
    if !idle {
        working.extend(work.into_iter().map(|work| clients.spawn(work)));
    }
    for _ in 0..swarm.faults {
        let calm = Duration::from_millis(chance.u64(200..6_000));
        clock::sleep(calm).await;
        let fault = Fault::draw(&swarm, &mut chance);
        node.suffer(fault).await?;
    }
    // Enough time for the last requests to be acknowledged.
    clock::sleep(Duration::from_secs(3)).await;
    stop.send_replace(true);
    for work in working {
        work.await.map_err(|error| format!("a client: {error}"))??;
    }
    // Check the contents of the disk: once as they are, once after a last loss of power.
    let drained = on(clients, check::drain(swarm.clone())).await?;
    check::all(&history, &drained)?;
    let last = if swarm.power_cuts { Fault::PowerCut } else { Fault::Kill };
    node.suffer(last).await?;
    let drained = on(clients, check::drain(swarm.clone())).await?;
    check::all(&history, &drained)?;
    node.stop().await?;
    let counts = history.counts();
    Ok((counts.to_string(), counts.proved_nothing()))
}

/// Runs something as a client.
async fn on<T: Send + 'static>(
    host: Host,
    work: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    let working: task::JoinHandle<_> = host.spawn(work);
    working.await.map_err(|error| format!("a client: {error}"))?
}

/// Connects to the node, as every client does.
pub(crate) async fn connect() -> Result<Cluster, String> {
    let mut options = ClusterOptions::new("node-1:9092");
    options.retry_for = Duration::from_secs(120);
    options.connection.request_timeout = Duration::from_secs(10);
    let deadline = clock::now() + Duration::from_secs(120);
    loop {
        match Cluster::connect(options.clone()).await {
            Ok(cluster) => return Ok(cluster),
            Err(error) if clock::now() > deadline => {
                return Err(format!("no connection within two minutes: {error}"));
            }
            Err(_) => clock::sleep(Duration::from_millis(100)).await,
        }
    }
}
