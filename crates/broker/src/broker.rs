//! The broker as its handlers see it.

use std::sync::Arc;

use metadata::Image;
use protocol::Str;
use settings::BrokerConfig;
use tokio::sync::Semaphore;

use crate::cluster::Cluster;
use crate::coordinators::Groups;
use crate::fetch::session::FetchSessions;
use crate::peer::ListenerType;
use crate::replicas::Replicas;
use crate::traffic::Traffic;
use crate::upkeep::moves::Moves;
use crate::upkeep::scrubber::Scrubber;

/// A broker that serves.
pub(crate) struct Broker {
    /// The settings at the start.
    pub(crate) config: Arc<BrokerConfig>,
    /// The names of the listeners, in the order of the settings: those for clients, then those for controllers.
    pub(crate) listener_names: Vec<Str>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) replicas: Arc<Replicas>,
    pub(crate) groups: Arc<Groups>,
    pub(crate) fetch_sessions: Arc<FetchSessions>,
    pub(crate) moves: Arc<Moves>,
    pub(crate) scrubber: Arc<Scrubber>,
    /// Taken while a large answer is built.
    pub(crate) large_answers: Semaphore,
    pub(crate) traffic: Traffic,
}

impl Broker {
    pub(crate) fn listener_name(&self, listener: usize) -> &Str {
        &self.listener_names[listener]
    }

    pub(crate) fn listener_type(&self, listener: usize) -> ListenerType {
        if listener < self.config.listeners.len() { ListenerType::Broker } else { ListenerType::Controller }
    }

    pub(crate) fn image(&self) -> Arc<Image> {
        self.cluster.image()
    }
}
