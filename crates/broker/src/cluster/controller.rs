//! Asking the controller.

use std::time::Duration;

use metadata::SubmitError;
use metadata::controller::{ControllerRequest, RequestContext, data_losses, settings_without_effect};
use parking_lot::Mutex;
use protocol::{ErrorCode, Uuid};
use runtime::clock::Instant;
use runtime::{clock, random};
use tracing::warn;

use super::Cluster;

/// The time that a request without a timeout of its own may wait for the controller: less than clients wait
/// for an answer, which is 30 s for most.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which the same problem is logged again.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// The shortest and the longest time between two looks at what is due on the controller.
const TICK_MIN: Duration = Duration::from_millis(10);
const TICK_MAX: Duration = Duration::from_secs(1);

impl Cluster {
    /// Puts a request of this broker to the controller, as [`Cluster::ask_as`].
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn ask<Q: ControllerRequest>(&self, request: &Q) -> Result<Q::Response, ErrorCode> {
        self.ask_as(request, *Q::VERSIONS.end(), ANSWER_TIMEOUT).await
    }

    /// Puts a request that came in `version` to the active controller, which answers it in this process. When this
    /// returns, what was decided is in the metadata log, on disk, and in force on this broker.
    ///
    /// # Errors
    /// Kafka's error if the decision was not made durable, or not in force, within `timeout`.
    pub(crate) async fn ask_as<Q: ControllerRequest>(
        &self,
        request: &Q,
        version: i16,
        timeout: Duration,
    ) -> Result<Q::Response, ErrorCode> {
        match clock::timeout(timeout, self.decided(request, version)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ErrorCode::REQUEST_TIMED_OUT),
        }
    }

    async fn decided<Q: ControllerRequest>(
        &self,
        request: &Q,
        version: i16,
    ) -> Result<Q::Response, ErrorCode> {
        let mut warnings = Vec::new();
        let decided = self.quorum.submit_in_office(|image, office| {
            let random_id = || Uuid(random::uuid_bytes());
            let context = RequestContext { version, random_id, now_ms: clock::steady_ms(), office };
            let (response, records) = request.decide(&self.controller, image, context);
            warnings = settings_without_effect(&records);
            warnings.extend(data_losses(image, &records));
            (response, records)
        });
        let decided = decided.await.map_err(|error| {
            self.refusals.tell(&format!("the cluster's metadata was not changed: {error}"));
            code_of(&error)
        })?;
        self.view.wait_for(decided.offset).await.map_err(|_ended| ErrorCode::NOT_CONTROLLER)?;
        warnings.iter().for_each(|warning| warn!("{warning}"));
        Ok(decided.answer)
    }

    /// Does what is due on the active controller, until this future is dropped. Another node has nothing to do.
    pub(crate) async fn run_controller(&self) {
        loop {
            let now_ms = clock::steady_ms();
            let ticked =
                self.quorum.submit_in_office(|image, office| self.controller.tick(image, office, now_ms));
            let next_ms = match ticked.await {
                Ok(outcome) => {
                    for broker in &outcome.answer.fenced {
                        warn!("broker {broker} was not heard of for broker.session.timeout.ms: it is fenced");
                    }
                    outcome.answer.next_ms
                }
                Err(SubmitError::NotLeader { .. }) => i64::MAX,
                Err(problem) => {
                    self.refusals.tell(&format!("the controller cannot do what is due: {problem}"));
                    i64::MAX
                }
            };
            let wait_ms = u64::try_from(next_ms.saturating_sub(now_ms)).unwrap_or(0);
            clock::sleep(Duration::from_millis(wait_ms).clamp(TICK_MIN, TICK_MAX)).await;
        }
    }
}

/// The last problem of the controller that was logged.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Option<(String, Instant)>>);

impl Refusals {
    /// Logs a problem; the same one again once a minute at most, since heartbeats meet a full disk every few seconds.
    fn tell(&self, problem: &str) {
        let mut last = self.0.lock();
        let now = clock::now();
        let is_known = |(told, at): &(String, Instant)| told == problem && now < *at + TELL_AGAIN;
        if !last.as_ref().is_some_and(is_known) {
            warn!("{problem}");
            *last = Some((problem.to_owned(), now));
        }
    }
}

fn code_of(error: &SubmitError) -> ErrorCode {
    match error {
        SubmitError::DiskFull => ErrorCode::KAFKA_STORAGE_ERROR,
        SubmitError::TooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
        SubmitError::Unencodable { .. } | SubmitError::Contradiction(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        SubmitError::NotLeader { .. }
        | SubmitError::Deposed
        | SubmitError::Unconfirmed
        | SubmitError::Stopped(_) => ErrorCode::NOT_CONTROLLER,
    }
}
