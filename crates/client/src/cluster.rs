//! A cluster, and the connections to its brokers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use protocol::{ErrorCode, Request, Str};
use runtime::HashMap;

use crate::connection::{ConnectError, Connection, ConnectionOptions};

pub use error::ClusterError;
pub use retry::Retry;
pub use view::{Broker, ClusterView, Partition, Topic};

mod error;
mod retry;
mod view;

/// The address of a cluster, and the client's timeouts.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// `host:port` of some of its brokers; the first that answers names the others.
    pub bootstrap: Vec<String>,
    /// The options of each connection.
    pub connection: ConnectionOptions,
    /// The time for which an operation is retried while leaders and coordinators move.
    pub retry_for: Duration,
    /// The time that a broker may take to create, enlarge or delete a topic before it answers.
    pub change_timeout: Duration,
}

impl ClusterOptions {
    /// Options with Kafka's own timeouts. `bootstrap` is as in `bootstrap.servers`: `host:port` separated by
    /// commas; the port is 9092 if left out.
    pub fn new(bootstrap: &str) -> Self {
        let addresses = bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty());
        ClusterOptions {
            bootstrap: addresses.map(with_port).collect(),
            connection: ConnectionOptions::default(),
            retry_for: Duration::from_secs(30),
            change_timeout: Duration::from_secs(30),
        }
    }
}

fn with_port(address: &str) -> String {
    let host_end = address.rfind(']').map_or(0, |bracket| bracket + 1);
    let is_bare_ipv6 = host_end == 0 && address.matches(':').count() > 1;
    if is_bare_ipv6 {
        return format!("[{address}]:9092");
    }
    if address[host_end..].contains(':') { address.to_owned() } else { format!("{address}:9092") }
}

/// The purpose of a connection. A broker answers in order, so requests that wait must not precede those that
/// do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Requests that are answered at once.
    Prompt,
    /// Fetches, which wait for records.
    Fetch,
    /// Joining a group and being its member, which waits for other members.
    Group,
}

/// A cluster, and the connections to its brokers. Cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub struct Cluster {
    shared: Arc<ClusterCore>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

#[derive(Debug)]
struct ClusterCore {
    options: ClusterOptions,
    /// One connection for each address and lane; the inner lock is held while it is being opened, so that it
    /// is opened once.
    connections: Mutex<HashMap<(String, Lane), Slot>>,
    /// The newest metadata.
    view: Mutex<Arc<ClusterView>>,
    /// Broker ids by group.
    coordinators: Mutex<HashMap<String, i32>>,
}

impl Cluster {
    /// Connects to the first of the bootstrap brokers that answers. None is tried twice.
    ///
    /// # Errors
    /// [`ClusterError::Connect`] of the last of them if none answers.
    pub async fn connect(options: ClusterOptions) -> Result<Cluster, ClusterError> {
        let shared = ClusterCore {
            options,
            connections: Mutex::default(),
            view: Mutex::default(),
            coordinators: Mutex::default(),
        };
        let cluster = Cluster { shared: Arc::new(shared) };
        cluster.fetch_topics(Some(&[]), false).await?;
        Ok(cluster)
    }

    /// The options of this client.
    pub fn options(&self) -> &ClusterOptions {
        &self.shared.options
    }

    /// The cluster, as of the newest metadata.
    pub fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.shared.view.lock())
    }

    /// Starts an operation that is retried for as long as the options say.
    pub fn retry(&self) -> Retry<'_> {
        Retry::new(self, self.shared.options.retry_for)
    }

    /// All topics as they are now, by name, without those that this client may not describe.
    pub async fn all_topics(&self) -> Result<Vec<Arc<Topic>>, ClusterError> {
        let mut retry = self.retry();
        loop {
            match self.fetch_topics(None, false).await {
                Ok(()) => return Ok(self.view().topics().cloned().collect()),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// A topic, from memory if it is known.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`] if the cluster still has none of this name half a second later (a new
    /// topic takes a moment to be known to all brokers).
    pub async fn topic(&self, name: &str) -> Result<Arc<Topic>, ClusterError> {
        self.topic_or_create(name, false).await
    }

    /// Finds a topic as [`Cluster::topic`] does. If `create` is set and the brokers create topics on demand
    /// (`auto.create.topics.enable`), the topic is created.
    ///
    /// # Errors
    /// See [`Cluster::topic`].
    pub async fn topic_or_create(&self, name: &str, create: bool) -> Result<Arc<Topic>, ClusterError> {
        let patience = Duration::from_millis(if create { 10_000 } else { 500 });
        let mut unknown = Retry::new(self, patience);
        let mut moving = self.retry();
        loop {
            if let Some(topic) = self.view().topic(name) {
                return Ok(topic);
            }
            match self.fetch_topics(Some(&[name]), create).await {
                Ok(()) => {}
                Err(error @ ClusterError::UnknownTopic { .. }) => unknown.after(error).await?,
                Err(error) => moving.after(error).await?,
            }
        }
    }

    /// Forgets all metadata, so that it is fetched again: something has moved.
    pub fn forget(&self) {
        let mut view = self.shared.view.lock();
        *view = Arc::new(view.without_topics());
        self.shared.coordinators.lock().clear();
    }

    /// Forgets the leaders of one topic.
    pub fn forget_topic(&self, name: &str) {
        let mut view = self.shared.view.lock();
        *view = Arc::new(view.without_topic(name));
    }

    /// A connection to any broker; an open one if there is one.
    ///
    /// # Errors
    /// [`ClusterError::Connect`] of the last one tried.
    pub async fn any(&self) -> Result<Connection, ClusterError> {
        let view = self.view();
        let known = view.brokers.values().map(Broker::address);
        let addresses: Vec<String> = known.chain(self.shared.options.bootstrap.iter().cloned()).collect();
        // A broker that is gone may be slow to refuse.
        if let Some(open) = addresses.iter().find_map(|address| self.open_connection(address)) {
            return Ok(open);
        }
        let mut last = None;
        for address in addresses {
            match self.connection(&address, Lane::Prompt).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or(ClusterError::NoBroker, ClusterError::Connect))
    }

    fn open_connection(&self, address: &str) -> Option<Connection> {
        let slot = self.shared.connections.lock().get(&(address.to_owned(), Lane::Prompt)).cloned()?;
        slot.try_lock().ok()?.as_ref().filter(|connection| !connection.is_closed()).cloned()
    }

    /// A connection to the broker with this id.
    ///
    /// # Errors
    /// [`ClusterError::UnknownBroker`] if the metadata has no such broker; [`ClusterError::Connect`] if it
    /// cannot be reached.
    pub async fn broker(&self, id: i32, lane: Lane) -> Result<Connection, ClusterError> {
        let address = self.view().brokers.get(&id).map(Broker::address);
        let address = address.ok_or(ClusterError::UnknownBroker { id })?;
        self.connection(&address, lane).await.map_err(ClusterError::Connect)
    }

    /// A connection to the broker that takes changes of topics and configurations: the controller that the
    /// metadata names, or any broker if it names none (any broker forwards them).
    ///
    /// # Errors
    /// See [`Cluster::any`].
    pub async fn controller(&self) -> Result<Connection, ClusterError> {
        match self.view().controller_id {
            Some(id) => self.broker(id, Lane::Prompt).await,
            None => self.any().await,
        }
    }

    /// A connection to the broker that coordinates `group`.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] if the group has no coordinator, with the reason; otherwise see
    /// [`Cluster::broker`].
    pub async fn coordinator(&self, group: &str, lane: Lane) -> Result<Connection, ClusterError> {
        let known = self.shared.coordinators.lock().get(group).copied();
        let id = match known {
            Some(id) => id,
            None => self.find_coordinator(group).await?,
        };
        self.broker(id, lane).await
    }

    async fn find_coordinator(&self, group: &str) -> Result<i32, ClusterError> {
        let connection = self.any().await?;
        let request = if connection.version_of::<FindCoordinatorRequest>()? >= 4 {
            FindCoordinatorRequest { coordinator_keys: vec![Str::from(group)], ..Default::default() }
        } else {
            FindCoordinatorRequest { key: Str::from(group), ..Default::default() }
        };
        let response = connection.request(&request).await?;
        let (code, message, node_id) = match response.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.error_message, found.node_id),
            None => (response.error_code, response.error_message, response.node_id),
        };
        ClusterError::check(code, message.as_deref())?;
        if !self.view().brokers.contains_key(&node_id) {
            self.fetch_topics(Some(&[]), false).await?;
        }
        self.shared.coordinators.lock().insert(group.to_owned(), node_id);
        Ok(node_id)
    }

    /// Fetches the metadata of topics (`None` for all of them) and adds it to the view.
    pub(crate) async fn fetch_topics(
        &self,
        names: Option<&[&str]>,
        create: bool,
    ) -> Result<(), ClusterError> {
        let connection = self.any().await?;
        let version = connection.version_of::<MetadataRequest>()?;
        let named = |name: &&str| MetadataRequestTopic { name: Some(Str::from(*name)), ..Default::default() };
        let topics = match names {
            Some(names) => Some(names.iter().map(named).collect()),
            // Version 0 has no null: there the empty list asks for all.
            None if version == 0 => Some(Vec::new()),
            None => None,
        };
        let allow_auto_topic_creation = create || version < 4;
        let request = MetadataRequest { topics, allow_auto_topic_creation, ..Default::default() };
        let response = connection.request(&request).await?;
        ClusterError::check(response.error_code, None)?;
        let failed =
            response.topics.iter().find(|topic| names.is_some() && topic.error_code != ErrorCode::NONE);
        let outcome = match failed {
            Some(topic) => {
                Err(ClusterError::of_topic(topic.name.as_deref().unwrap_or_default(), topic.error_code))
            }
            None => Ok(()),
        };
        let mut view = self.shared.view.lock();
        *view = Arc::new(view.with(&response, names.is_none()));
        outcome
    }

    /// A connection to the leader of a partition.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`] or [`ClusterError::UnknownPartition`] if there is none,
    /// [`ClusterError::NoLeader`] while it has no leader, [`ClusterError::Connect`] if its leader cannot be
    /// reached.
    pub async fn leader(&self, topic: &str, partition: i32, lane: Lane) -> Result<Connection, ClusterError> {
        let id = self.topic(topic).await?.leader_of(partition)?;
        self.broker(id, lane).await
    }

    /// The open connection to an address, or a new one.
    async fn connection(&self, address: &str, lane: Lane) -> Result<Connection, ConnectError> {
        let slot = Arc::clone(self.shared.connections.lock().entry((address.to_owned(), lane)).or_default());
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let connection = Connection::open(address, &self.shared.options.connection).await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// Sends a request that any broker can answer, and retries it while no broker can be reached.
    ///
    /// # Errors
    /// [`ClusterError::Connect`] and [`ClusterError::Request`] of the last attempt.
    pub async fn request<R: Request>(&self, request: &R) -> Result<R::Response, ClusterError> {
        let mut retry = self.retry();
        loop {
            let answered = async { Ok(self.any().await?.request(request).await?) };
            match answered.await {
                Ok(response) => return Ok(response),
                Err(error) => retry.after(error).await?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ClusterOptions;

    #[test]
    fn bootstrap_addresses() {
        for (given, expect) in [
            ("localhost", vec!["localhost:9092"]),
            ("a:1, b , ,c:3", vec!["a:1", "b:9092", "c:3"]),
            ("[::1]:9093,[::1],::1", vec!["[::1]:9093", "[::1]:9092", "[::1]:9092"]),
            ("", vec![]),
        ] {
            assert_eq!(ClusterOptions::new(given).bootstrap, expect, "{given}");
        }
    }
}
