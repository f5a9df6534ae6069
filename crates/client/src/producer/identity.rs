//! The identity by which a broker recognises a batch that is sent again (KIP-98).

use protocol::messages::InitProducerIdRequest;

use crate::cluster::{Cluster, ClusterError};

/// A producer's id and epoch, given by the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
}

/// The position of a partition's batches under an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) identity: Identity,
    /// The sequence number of the next record.
    pub(super) next: i32,
}

impl Sequence {
    pub(super) fn first(identity: Identity) -> Self {
        Sequence { identity, next: 0 }
    }

    /// The sequence after `records` more have been acknowledged. The number after the greatest is 0.
    pub(super) fn after(self, records: i32) -> Self {
        Sequence { next: self.next.wrapping_add(records) & i32::MAX, ..self }
    }
}

/// Asks the cluster for a new identity.
pub(super) async fn request(cluster: &Cluster) -> Result<Identity, ClusterError> {
    // Without a transactional id there is no transaction that could time out.
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    let mut retry = cluster.retry();
    loop {
        let attempt = async {
            let response = cluster.any().await?.request(&request).await?;
            ClusterError::check(response.error_code, None)?;
            Ok(Identity { producer_id: response.producer_id, producer_epoch: response.producer_epoch })
        };
        match attempt.await {
            Ok(identity) => return Ok(identity),
            Err(error) => retry.after(error).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Sequence};

    #[test]
    fn sequence_numbers_wrap_to_zero() {
        let identity = Identity { producer_id: 1, producer_epoch: 0 };
        assert_eq!(Sequence::first(identity).after(3).next, 3);
        assert_eq!(Sequence { identity, next: i32::MAX }.after(1).next, 0);
        assert_eq!(Sequence { identity, next: i32::MAX - 1 }.after(3).next, 1);
    }
}
