//! Retries while a cluster moves things around.

use std::time::Duration;

use runtime::clock::Instant;
use runtime::{clock, random};

use super::{Cluster, ClusterError};
use crate::backoff::Backoff;

/// An operation that is retried until it succeeds, cannot succeed, or has taken too long.
#[derive(Debug)]
pub struct Retry<'a> {
    cluster: &'a Cluster,
    deadline: Instant,
    backoff: Backoff,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(cluster: &'a Cluster, patience: Duration) -> Self {
        Retry { cluster, deadline: clock::now() + patience, backoff: Backoff::default() }
    }

    /// Waits a little after a failed attempt, and forgets the leaders and coordinators, since the failure may
    /// have come from asking the wrong broker.
    ///
    /// # Errors
    /// `error` itself if another attempt cannot help or would come too late.
    pub async fn after(&mut self, error: ClusterError) -> Result<(), ClusterError> {
        if !error.is_retriable() {
            return Err(error);
        }
        let wait = self.backoff.next_wait(random::u64());
        if clock::now() + wait > self.deadline {
            return Err(error);
        }
        tracing::debug!(%error, wait_ms = wait.as_millis(), "trying again");
        clock::sleep(wait).await;
        self.cluster.forget();
        Ok(())
    }
}
