//! The cluster as this broker knows it: its metadata, and the controller that changes it.

mod controller;
mod creation;
mod heartbeat;
mod leadership;
mod log_dirs;
mod nodes;
mod producer_ids;
mod view;

use std::sync::Arc;

use metadata::quorum::{Changes, Quorum, VoterEndpoint};
use metadata::{Controller, Image};
use protocol::Str;
use settings::{BrokerConfig, Configs, TopicConfig};

use controller::Refusals;
use producer_ids::ProducerIds;
use view::MetadataView;

pub(crate) use controller::ANSWER_TIMEOUT;
pub(crate) use leadership::Leadership;
pub(crate) use nodes::{
    CLUSTER_OPERATIONS, GROUP_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS, live_nodes, node,
};

/// This broker's membership of its cluster.
pub(crate) struct Cluster {
    id: Str,
    broker_epoch: i64,
    /// The settings at the start.
    config: Arc<BrokerConfig>,
    /// The same as they were given.
    given: Arc<Configs>,
    controller: Controller,
    quorum: Quorum,
    /// The addresses of this node's listeners for controllers.
    controller_endpoints: Vec<VoterEndpoint>,
    view: MetadataView,
    producer_ids: ProducerIds,
    refusals: Refusals,
}

impl Cluster {
    /// A cluster that this broker is registered in, under `broker_epoch`, and the changes of its metadata from here on.
    pub(crate) fn new(
        id: Str,
        broker_epoch: i64,
        config: Arc<BrokerConfig>,
        given: Arc<Configs>,
        controller: Controller,
        quorum: Quorum,
        controller_endpoints: Vec<VoterEndpoint>,
    ) -> (Self, Changes) {
        let (image, changes) = quorum.follow();
        let (view, producer_ids) = (MetadataView::new(image), ProducerIds::default());
        let cluster = Self {
            id,
            broker_epoch,
            config,
            given,
            controller,
            quorum,
            controller_endpoints,
            view,
            producer_ids,
            refusals: Refusals::default(),
        };
        (cluster, changes)
    }

    pub(crate) fn id(&self) -> &Str {
        &self.id
    }

    pub(crate) fn node_id(&self) -> i32 {
        self.config.node_id
    }

    /// The epoch under which this broker is registered.
    pub(crate) fn broker_epoch(&self) -> i64 {
        self.broker_epoch
    }

    /// The node that clients send administrative requests to: this one, because it is the only voter and so leads
    /// the quorum.
    pub(crate) fn controller_id(&self) -> i32 {
        self.config.node_id
    }

    pub(crate) fn controller(&self) -> &Controller {
        &self.controller
    }

    pub(crate) fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// The metadata, as this broker sees it.
    pub(crate) fn view(&self) -> &MetadataView {
        &self.view
    }

    pub(crate) fn image(&self) -> Arc<Image> {
        self.view.image()
    }

    /// The broker's settings in force: those of the start with what was changed while it runs.
    pub(crate) fn broker_config(&self) -> Arc<BrokerConfig> {
        match self.image().broker_config(self.node_id(), &self.given) {
            Ok(config) => Arc::new(config),
            // A change that makes no sense leaves those of the start.
            Err(_invalid) => Arc::clone(&self.config),
        }
    }

    /// The settings of a topic in `image`.
    pub(crate) fn topic_config(&self, image: &Image, topic: &str) -> TopicConfig {
        image.topic_config(topic, self.node_id(), &self.given)
    }
}
