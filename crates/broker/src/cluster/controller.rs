//! Asking the controller.

use std::time::Duration;

use metadata::controller::{Decision, settings_without_effect};
use metadata::{Controller, Image, SubmitError};
use protocol::ErrorCode;
use runtime::clock;
use tracing::warn;

use super::Cluster;

/// How long a request without a timeout of its own may wait for the controller: less than clients wait for an answer,
/// which is 30 s for most.
pub(crate) const DECISION_TIMEOUT: Duration = Duration::from_secs(10);

impl Cluster {
    /// Puts a request to the controller. When this returns, what was decided is in the metadata
    /// log, on disk, and in force on this broker.
    ///
    /// # Errors
    /// Kafka's error where the decision was not made durable, or not in force, within `timeout`.
    pub(crate) async fn decide<R>(
        &self,
        timeout: Duration,
        decide: impl FnOnce(&Controller, &Image) -> Decision<R>,
    ) -> Result<R, ErrorCode> {
        let mut without_effect = Vec::new();
        let decided = self.quorum.submit(|image| {
            let (response, records) = decide(&self.controller, image);
            without_effect = settings_without_effect(&records);
            (response, records)
        });
        match clock::timeout(timeout, decided).await {
            Ok(Ok(response)) => {
                without_effect.iter().for_each(|setting| warn!("{setting}"));
                Ok(response)
            }
            Ok(Err(error)) => {
                warn!("a change of the cluster's metadata was not made: {error}");
                Err(match error {
                    SubmitError::DiskFull => ErrorCode::KAFKA_STORAGE_ERROR,
                    SubmitError::TooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
                    SubmitError::Unencodable { .. } | SubmitError::Contradiction(_) => {
                        ErrorCode::UNKNOWN_SERVER_ERROR
                    }
                    SubmitError::Stopped(_) => ErrorCode::NOT_CONTROLLER,
                })
            }
            Err(_elapsed) => Err(ErrorCode::REQUEST_TIMED_OUT),
        }
    }
}
