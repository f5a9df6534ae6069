//! Proposals of who is in sync: leaders on this broker make them, and the controller decides (AlterPartition, KIP-497).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::messages::AlterPartitionRequest;
use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::alter_partition_response::{self, AlterPartitionResponse};
use protocol::{ErrorCode, Uuid};
use runtime::clock;
use tracing::{debug, info, warn};

use crate::cluster::Cluster;
use crate::replicas::{AfterAnswer, Proposal, ProposalAnswer, Replica, Replicas};

/// The time between two looks at who is in sync.
const INTERVAL: Duration = Duration::from_millis(500);

/// Proposals of one request, by topic id and partition.
type Proposals = BTreeMap<(Uuid, i32), (Arc<Replica>, Proposal)>;

/// Has the controller decide who is in sync, until this future is dropped. Alone in its cluster, a broker has nobody to
/// propose.
pub(crate) async fn propose_isrs(replicas: Arc<Replicas>, cluster: Arc<Cluster>) {
    loop {
        clock::sleep(INTERVAL).await;
        if cluster.image().brokers().len() < 2 {
            continue;
        }
        let proposals = proposals(&replicas, cluster.broker_epoch());
        if proposals.is_empty() {
            continue;
        }
        let request = request(&proposals, &cluster);
        match cluster.ask(&request).await {
            Ok(response) => answer(&proposals, response),
            // They are made again.
            Err(problem) => warn!("the controller did not answer who is in sync: {}", problem.message()),
        }
    }
}

fn proposals(replicas: &Replicas, broker_epoch: i64) -> Proposals {
    let table = replicas.table();
    let of_topic = table.topics().flat_map(|topic| topic.partitions().map(|replica| (topic.id(), replica)));
    let proposals = of_topic.filter_map(|(id, replica)| {
        let proposal = replica.isr_proposal(broker_epoch)?;
        Some(((id, replica.index()), (Arc::clone(replica), proposal)))
    });
    proposals.collect()
}

fn request(proposals: &Proposals, cluster: &Cluster) -> AlterPartitionRequest {
    let mut topics: Vec<TopicData> = Vec::new();
    for ((topic_id, partition_index), (_, proposal)) in proposals {
        let members = proposal.isr().iter();
        let members = members.map(|it| BrokerState { broker_id: it.node_id, broker_epoch: it.broker_epoch });
        let partition = PartitionData {
            partition_index: *partition_index,
            leader_epoch: proposal.leader_epoch(),
            new_isr_with_epochs: members.collect(),
            partition_epoch: proposal.partition_epoch(),
            ..PartitionData::default()
        };
        match topics.last_mut().filter(|topic| topic.topic_id == *topic_id) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(TopicData { topic_id: *topic_id, partitions: vec![partition] }),
        }
    }
    AlterPartitionRequest { broker_id: cluster.node_id(), broker_epoch: cluster.broker_epoch(), topics }
}

fn answer(proposals: &Proposals, response: AlterPartitionResponse) {
    let mut answers = BTreeMap::new();
    for topic in response.topics {
        let of_topic = topic.partitions.into_iter().map(|it| ((topic.topic_id, it.partition_index), it));
        answers.extend(of_topic);
    }
    for (place, (replica, proposal)) in proposals {
        let answer = match answers.remove(place) {
            _ if response.error_code.is_error() => ProposalAnswer::Rejected(response.error_code),
            Some(partition) => answer_of(partition),
            None => ProposalAnswer::Rejected(ErrorCode::UNKNOWN_SERVER_ERROR),
        };
        let (partition, isr) = (replica.name(), proposal.isr());
        match replica.isr_answered(proposal.number(), answer.clone()) {
            AfterAnswer::Committed => info!(partition, ?isr, "the ISR has changed"),
            after => debug!(partition, ?isr, ?answer, ?after, "the ISR has not changed"),
        }
    }
}

fn answer_of(partition: alter_partition_response::PartitionData) -> ProposalAnswer {
    if partition.error_code.is_error() {
        return ProposalAnswer::Rejected(partition.error_code);
    }
    ProposalAnswer::Accepted {
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        isr: partition.isr,
    }
}
