//! Starting and stopping a broker, in the stages that ARCHITECTURE.md lists.

mod error;
mod failures;
mod follow;
mod stages;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metadata::quorum::{Quorum, QuorumConfig, VoterChangeError, VoterEndpoint, VoterId};
use metadata::{Controller, Topic, features};
use protocol::messages::broker_registration_request::{self, BrokerRegistrationRequest, Feature};
use protocol::{Str, Uuid};
use runtime::net::BoundSocket;
use runtime::task::JoinHandle;
use runtime::{clock, net, random, task};
use settings::{self, BrokerConfig, Configs, Listener};
use storage::TopicPartition;
use storage::fs::Fs;
use tokio::sync::{Semaphore, watch};
use tracing::{debug, info, warn};

use crate::broker::Broker;
use crate::cluster::Cluster;
use crate::coordinators::Groups;
use crate::directories::{self, Directories, LogDir, LogDirs, Recovery, Roll, SurveyReport};
use crate::dispatch::APIS;
use crate::fetch::session::FetchSessions;
use crate::metrics::Metrics;
use crate::replicas::Replicas;
use crate::server::{self, Server};
use crate::traffic::Traffic;
use crate::upkeep::chores::Chores;
use crate::upkeep::cleaner::Cleaner;
use crate::upkeep::in_sync::propose_isrs;
use crate::upkeep::moves::Moves;
use crate::upkeep::scrubber::Scrubber;
use crate::upkeep::worker::Workers;
use stages::Stages;

pub use error::StartError;

/// Large answers that are made at a time.
const LARGE_ANSWERS_MAX: usize = 2;
/// The time that connections may take to send pending replies when the broker stops.
const DRAIN: Duration = Duration::from_secs(3);

/// A broker that runs.
pub struct RunningNode {
    server: Arc<Server>,
    addresses: Vec<SocketAddr>,
    /// Why it cannot go on.
    failed: watch::Receiver<Option<String>>,
    stages: Stages,
}

/// Starts a broker with the settings `given`; what is not given has its default. Warnings about
/// settings are the caller's to show, see [`settings::check_broker`].
///
/// # Errors
/// [`StartError`], a sentence that says what to do.
pub async fn start(given: Configs) -> Result<RunningNode, StartError> {
    start_on(given, Fs::real()).await
}

/// The same with the log directories' files in `fs`, of which a test may have some fail.
///
/// # Errors
/// As [`start`].
pub async fn start_on(given: Configs, fs: Fs) -> Result<RunningNode, StartError> {
    let plan = plan(given, &fs)?;
    // Who cannot have an address is told so at once, and who connects meanwhile is refused: nothing is answered yet.
    let (sockets, addresses) = bind(&plan.config).await?;
    open(plan, fs, sockets, addresses).await
}

/// The same without a port: a test hands requests to the table of APIs.
///
/// # Errors
/// As [`start`].
#[cfg(test)]
pub(crate) async fn start_without_port(given: Configs, fs: Fs) -> Result<RunningNode, StartError> {
    let plan = plan(given, &fs)?;
    let addresses = all_listeners(&plan.config).map(|_| SocketAddr::from(([127, 0, 0, 1], 9092)));
    let addresses = addresses.collect();
    open(plan, fs, Vec::new(), addresses).await
}

/// The settings of a start, after a look at the directories.
struct StartPlan {
    config: Arc<BrokerConfig>,
    given: Arc<Configs>,
    removed_topics: BTreeSet<Uuid>,
}

/// Checks whatever refuses a start, before anything is changed.
fn plan(mut given: Configs, fs: &Fs) -> Result<StartPlan, StartError> {
    adopt_node_id(&mut given, fs);
    settings::check_broker(&given).map_err(StartError::Settings)?;
    let config = BrokerConfig::start(&given).map_err(|error| StartError::Settings(vec![error]))?;
    let removed_topics = survey(&config, fs)?;
    Ok(StartPlan { config: Arc::new(config), given: Arc::new(given), removed_topics })
}

async fn open(
    plan: StartPlan,
    fs: Fs,
    sockets: Vec<BoundSocket>,
    addresses: Vec<SocketAddr>,
) -> Result<RunningNode, StartError> {
    let StartPlan { config, given, removed_topics } = plan;
    let dirs = LogDirs::open(&config, &fs)?;

    let (listeners, endpoints) = advertised(&config, &addresses);
    let quorum = start_quorum(&config, dirs.metadata_dir(), endpoints.clone()).await?;
    dirs.settle(&quorum.image(), config.node_id)?;
    let (image, node_id) = (quorum.image(), config.node_id);
    dirs.call_roll(&Roll { image: &image, node_id, removed_topics: &removed_topics });
    let controller = Controller::new(config.node_id, Arc::clone(&given)).of_cluster(dirs.cluster_id());
    let broker_epoch = register(&config, &quorum, &controller, &dirs, listeners).await?;
    // Before logs are open, which have descriptors of their own.
    let connections_max = directories::connections_max();

    let cluster_id = dirs.cluster_id().into();
    let (cluster, changes) =
        Cluster::new(cluster_id, broker_epoch, Arc::clone(&config), given, controller, quorum, endpoints);
    let broker = broker(config, cluster, dirs);
    let mut stages = Stages::default();
    stages.reached("log directories", close_directories(Arc::clone(&broker), pass_on_news(&broker)));

    task::block_in_place(|| follow::begin(&broker));
    task::block_in_place(|| broker.moves.resume());
    let (fatal, failed) = watch::channel(None);
    let following = task::spawn(follow::follow(Arc::downgrade(&broker), changes, fatal.clone()));
    stages.reached("metadata", leave_quorum(Arc::clone(&broker), following));

    let workers = start_workers(&broker, fatal).map_err(StartError::Thread)?;
    stages.reached("work beside the requests", async move { workers.stop().await });

    let server = Server::new(Arc::clone(&broker), connections_max);
    let serving = serve(&server, sockets)?;
    stages.reached("requests", stop_serving(broker, serving));
    Ok(RunningNode { server, addresses, failed, stages })
}

/// Starts the work beside the requests. If the broker cannot go on, the reason goes to `fatal`.
fn start_workers(broker: &Arc<Broker>, fatal: watch::Sender<Option<String>>) -> io::Result<Workers> {
    let (config, replicas, cluster) = (&broker.config, &broker.replicas, &broker.cluster);
    let again = Arc::downgrade(broker);
    let open_without_room = move || {
        if let Some(broker) = again.upgrade() {
            broker.open_those_without_room();
        }
    };
    let workers = Workers::new();
    broker.moves.start(config.num_replica_alter_log_dirs_threads, &workers);
    workers.start("milena-chores", Chores::new(replicas, config, open_without_room))?;
    for (number, thread) in Cleaner::threads(config, replicas, cluster).into_iter().enumerate() {
        workers.start_in_background(&format!("milena-clean-{number}"), thread)?;
    }
    workers.start_in_background("milena-scrub", broker.scrubber.thread(replicas, cluster))?;
    let groups = Arc::clone(&broker.groups);
    workers.spawn_until_stop("milena-groups", |_| async move { groups.run_timers().await });
    let (active, session) = (Arc::clone(cluster), Arc::clone(cluster));
    workers.spawn_until_stop("milena-controller", |_| async move { active.run_controller().await });
    workers.spawn_until_stop("milena-heartbeat", |_| async move { session.send_heartbeats().await });
    let (leaders, asking) = (Arc::clone(replicas), Arc::clone(cluster));
    workers.spawn_until_stop("milena-isr", |_| propose_isrs(leaders, asking));
    let failures = replicas.dirs().take_failures();
    let (quorum, told) = (Arc::clone(broker), fatal.clone());
    workers.spawn_until_stop("milena-quorum", |_| failures::follow_quorum(quorum, told));
    let broker = Arc::clone(broker);
    workers.spawn_until_stop("milena-failures", |stop| failures::follow(broker, failures, fatal, stop));
    Ok(workers)
}

/// A broker whose logs are not open yet.
fn broker(config: Arc<BrokerConfig>, cluster: Cluster, dirs: LogDirs) -> Arc<Broker> {
    let groups = Groups::new(group_settings(&config), config.offsets_topic_num_partitions);
    let sessions = usize::try_from(config.max_incremental_fetch_session_cache_slots).unwrap_or(0);
    let (cluster, replicas) = (Arc::new(cluster), Arc::new(Replicas::new(dirs)));
    Arc::new(Broker {
        listener_names: all_listeners(&config).map(|listener| Str::from(listener.name.as_str())).collect(),
        groups: Arc::new(groups),
        fetch_sessions: Arc::new(FetchSessions::new(sessions)),
        moves: Moves::new(Arc::clone(&replicas), Arc::clone(&cluster)),
        scrubber: Scrubber::new(),
        large_answers: Semaphore::new(LARGE_ANSWERS_MAX),
        traffic: Traffic::new(APIS.len()),
        config,
        cluster,
        replicas,
    })
}

/// Takes over the id of the node that owns the directories, if the settings have none.
fn adopt_node_id(given: &mut Configs, fs: &Fs) {
    if given.contains_key("node.id") || given.contains_key("broker.id") {
        return;
    }
    // What is wrong is told of by who needs it.
    let Ok(config) = BrokerConfig::start(given) else { return };
    for dir in [&config.metadata_log_dir].into_iter().chain(&config.log_dirs) {
        let properties = storage::inspect::read_meta_properties(fs, Path::new(dir));
        if let Some(node_id) = properties.ok().flatten().and_then(|properties| properties.node_id) {
            info!("node.id is {node_id}, as in {dir}");
            given.insert("node.id".to_owned(), node_id.to_string());
            return;
        }
    }
}

/// Looks at the directories, which another broker may have left, before anything is changed. Gives the topics that the
/// metadata log has removed since its last snapshot.
fn survey(config: &BrokerConfig, fs: &Fs) -> Result<BTreeSet<Uuid>, StartError> {
    let SurveyReport { survey, refusals } =
        directories::survey(&Directories::of(config), config.node_id, fs)?;
    if !refusals.is_empty() {
        return Err(StartError::Foreign(refusals));
    }
    let (topics, dir) = (survey.image.topics(), &config.metadata_log_dir);
    if !topics.is_empty() {
        info!("{dir} holds {} topics with {} partitions", topics.len(), topics.partition_count());
    }
    let kept = survey.not_acted_on();
    if !kept.is_empty() {
        let kept: Vec<String> = kept.iter().map(|(what, count)| format!("{count} {what}")).collect();
        warn!("{dir} has {}: they are kept, but this version does not enforce them", kept.join(", "));
    }
    Ok(survey.removed_topics)
}

/// Tells who waits for the disk how far logs are durable.
fn pass_on_news(broker: &Broker) -> Vec<JoinHandle<()>> {
    let dirs = broker.replicas.dirs().partition_dirs();
    dirs.map(|dir| task::spawn(Arc::clone(dir.news()).pass_on())).collect()
}

/// The end of the log directories: logs are closed so that the next start reads nothing but their ends.
async fn close_directories(broker: Arc<Broker>, news: Vec<JoinHandle<()>>) {
    task::block_in_place(|| broker.replicas.close(broker.cluster.broker_epoch()));
    news.iter().for_each(JoinHandle::abort);
}

/// The end of this broker's part in the cluster: the quorum stops, and what it has decided by then is in force.
async fn leave_quorum(broker: Arc<Broker>, following: JoinHandle<()>) {
    if let Err(problem) = broker.cluster.quorum().shutdown().await {
        warn!("the metadata log is checked again at the next start: {problem}");
    }
    if following.await.is_err() {
        warn!("the metadata was not followed to the end");
    }
}

/// The listeners, and a signal for their connections.
struct OpenListeners {
    listeners: Vec<JoinHandle<()>>,
    stopping: watch::Sender<bool>,
}

fn serve(server: &Arc<Server>, sockets: Vec<BoundSocket>) -> Result<OpenListeners, StartError> {
    let (stopping, stop) = watch::channel(false);
    let mut listeners = Vec::new();
    let config = &server.broker().config;
    for ((listener, socket), setting) in sockets.into_iter().enumerate().zip(all_listeners(config)) {
        let failed = |error| StartError::Listen(setting.clone(), error);
        let socket = socket.listen().map_err(failed)?;
        listeners.push(task::spawn(server::accept(Arc::clone(server), listener, socket, stop.clone())));
    }
    Ok(OpenListeners { listeners, stopping })
}

/// The end of the requests: no new ones are taken, groups are given up, and replies under way are sent.
async fn stop_serving(broker: Arc<Broker>, serving: OpenListeners) {
    let OpenListeners { listeners, stopping } = serving;
    stopping.send_replace(true);
    broker.groups.resign_all();
    listeners.iter().for_each(JoinHandle::abort);
    // Every connection holds a receiver until it is over.
    if clock::timeout(DRAIN, stopping.closed()).await.is_err() {
        warn!("connections that did not end in time are closed");
    }
}

/// All listeners, those for clients first.
fn all_listeners(config: &BrokerConfig) -> impl Iterator<Item = &Listener> {
    config.listeners.iter().chain(&config.controller_listeners)
}

async fn bind(config: &BrokerConfig) -> Result<(Vec<BoundSocket>, Vec<SocketAddr>), StartError> {
    let mut sockets = Vec::new();
    let mut addresses = Vec::new();
    for listener in all_listeners(config) {
        let failed = |error| StartError::Listen(listener.clone(), error);
        let socket = net::bind(&listener.address()).await.map_err(failed)?;
        addresses.push(socket.local_addr().map_err(failed)?);
        sockets.push(socket);
    }
    Ok((sockets, addresses))
}

async fn start_quorum(
    config: &BrokerConfig,
    dir: &LogDir,
    endpoints: Vec<VoterEndpoint>,
) -> Result<Quorum, StartError> {
    let directory = dir.opened().expect("a start without it has failed");
    let quorum = QuorumConfig {
        endpoints,
        segment_bytes: u32::try_from(config.metadata_log_segment_bytes).unwrap_or(u32::MAX),
        bytes_between_snapshots: u64::try_from(config.metadata_log_max_record_bytes_between_snapshots)
            .unwrap_or(u64::MAX),
        min_insync_replicas: config.topic_defaults.min_insync_replicas,
        ..QuorumConfig::of_node(config.node_id, dir.id())
    };
    let this = VoterId { id: config.node_id, directory_id: dir.id() };
    let endpoints = quorum.endpoints.clone();
    let quorum = Quorum::start(quorum, &directory).await.map_err(StartError::Quorum)?;
    publish_endpoints(&quorum, this, endpoints).await;
    Ok(quorum)
}

/// Has the voters know the addresses of this one, if they are others than before.
async fn publish_endpoints(quorum: &Quorum, this: VoterId, endpoints: Vec<VoterEndpoint>) {
    let status = quorum.status();
    let known = status.voters.iter().find(|voter| voter.id == this).map(|voter| &voter.endpoints);
    if known == Some(&endpoints) {
        return;
    }
    match quorum.update_voter(this, endpoints).await {
        // They are in the settings of all voters then.
        Ok(()) | Err(VoterChangeError::Unsupported) => {}
        Err(problem) => warn!("brokers do not know the addresses of this controller: {problem}"),
    }
}

/// The advertised address of each listener for clients, and of each for controllers.
fn advertised(
    config: &BrokerConfig,
    bound: &[SocketAddr],
) -> (Vec<broker_registration_request::Listener>, Vec<VoterEndpoint>) {
    let host = |listener: &Listener| match listener.is_wildcard() {
        true => net::host_name(),
        false => listener.host.clone(),
    };
    let port = |listener: &Listener, bound: &SocketAddr| match listener.port {
        0 => bound.port(),
        port => port,
    };
    let (for_clients, for_controllers) = bound.split_at(config.listeners.len().min(bound.len()));
    let clients = config.advertised_listeners.iter().zip(for_clients);
    let clients = clients.map(|(advertised, bound)| broker_registration_request::Listener {
        name: Str::from(advertised.name.as_str()),
        host: host(advertised).into(),
        port: port(advertised, bound),
        security_protocol: 0,
    });
    let controllers = config.advertised_controller_listeners.iter().zip(for_controllers);
    let controllers = controllers.map(|(advertised, bound)| VoterEndpoint {
        name: advertised.name.clone(),
        host: host(advertised),
        port: port(advertised, bound),
    });
    (clients.collect(), controllers.collect())
}

/// Registers this broker, and lets it take part. Returns its epoch.
async fn register(
    config: &BrokerConfig,
    quorum: &Quorum,
    controller: &Controller,
    dirs: &LogDirs,
    listeners: Vec<broker_registration_request::Listener>,
) -> Result<i64, StartError> {
    let features = features::SUPPORTED.iter().map(|feature| Feature {
        name: Str::from_static(feature.name),
        min_supported_version: *feature.levels.start(),
        max_supported_version: *feature.levels.end(),
    });
    let request = BrokerRegistrationRequest {
        broker_id: config.node_id,
        cluster_id: dirs.cluster_id().into(),
        incarnation_id: Uuid(random::uuid_bytes()),
        listeners,
        features: features.collect(),
        rack: config.broker_rack.clone().map(Into::into),
        log_dirs: dirs.online_ids(),
        ..BrokerRegistrationRequest::default()
    };
    let found = |topic: &Topic, partition| {
        let name = TopicPartition { topic: topic.name.to_string(), partition };
        dirs.find(&name).map(|dir| dir.id())
    };
    let registered = quorum.submit(|image| {
        let (response, mut records) = controller.register_broker(image, &request, found);
        // Alone in its cluster, it has nothing to catch up with.
        records.push(controller.unfence_broker(config.node_id, response.broker_epoch));
        records.extend(controller.logs_lost(&dirs.lost()));
        (response.broker_epoch, records)
    });
    Ok(registered.await.map_err(StartError::Register)?.answer)
}

fn group_settings(config: &BrokerConfig) -> coordinator::Settings {
    let size = |value: i32| usize::try_from(value).unwrap_or(0);
    let defaults = coordinator::Settings::default();
    // What a record is stored with comes to twice its key at most.
    let deletion_batch_max_bytes = size(config.topic_defaults.max_message_bytes) / 3;
    coordinator::Settings {
        group_min_session_timeout_ms: config.group_min_session_timeout_ms,
        group_max_session_timeout_ms: config.group_max_session_timeout_ms,
        group_initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
        group_max_size: size(config.group_max_size),
        offset_metadata_max_bytes: size(config.offset_metadata_max_bytes),
        offsets_retention_minutes: config.offsets_retention_minutes,
        offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
        deletion_batch_max_bytes: deletion_batch_max_bytes.min(defaults.deletion_batch_max_bytes),
    }
}

impl RunningNode {
    /// The addresses that are listened on, in the order of `listeners`.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The id of the cluster.
    pub fn cluster_id(&self) -> &str {
        self.server.broker().cluster.id()
    }

    /// The repairs on opening the log directories; `None` if they are new or were closed cleanly.
    pub fn recovery(&self) -> Option<Recovery> {
        self.server.broker().replicas.dirs().recovery()
    }

    /// The part of it that handlers reach.
    #[cfg(test)]
    pub(crate) fn broker(&self) -> &Arc<Broker> {
        self.server.broker()
    }

    /// Its metrics.
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.server)
    }

    /// Waits until the broker cannot go on, because the directory of the metadata log has failed or
    /// no log directory is left; says why.
    pub fn failed(&self) -> impl Future<Output = String> + Send + use<> {
        let mut failed = self.failed.clone();
        async move {
            if let Ok(reason) = failed.wait_for(Option::is_some).await {
                return reason.clone().unwrap_or_default();
            }
            std::future::pending().await
        }
    }

    /// Stops: no new requests, replies under way sent, everything on disk, files closed so that
    /// the next start reads nothing but their ends.
    pub async fn shutdown(self) {
        self.stages.end().await;
        debug!("stopped");
    }
}
