//! A coordinator's answers on their way to clients: they leave once the log that they depend on is durable.

use std::sync::Arc;
use std::time::Duration;

use coordinator::Reply as CoordinatorReply;
use coordinator::traps::{self, Trap};
use protocol::{ErrorCode, Response};
use runtime::clock;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::replicas::Replica;
use crate::reply::{Reply, Responder};

/// The time that an answer waits for the disk, as a produce does: a disk can stay full for any time.
const DISK_WAIT: Duration = Duration::from_secs(10);

/// A position in a coordinator's partition that must be durable before an answer leaves.
pub(crate) struct Barrier {
    log: Arc<Replica>,
    end_offset: i64,
}

impl Barrier {
    /// A barrier behind everything that is in `log` now.
    pub(crate) fn at_end_of(log: &Arc<Replica>) -> Self {
        Self { log: Arc::clone(log), end_offset: log.end_offset() }
    }

    pub(super) fn is_passed(&self) -> bool {
        traps::is_on(Trap::CommitUnsynced) || self.log.is_committed(self.end_offset)
    }

    /// # Errors
    /// NOT_COORDINATOR if the log was lost before, COORDINATOR_NOT_AVAILABLE if the disk takes too long.
    pub(crate) async fn passed(&self) -> Result<(), ErrorCode> {
        match clock::timeout(DISK_WAIT, self.log.committed(self.end_offset)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_lost)) => Err(ErrorCode::NOT_COORDINATOR),
            // Kafka's error if replicas take longer than `offsets.commit.timeout.ms`.
            Err(_elapsed) => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        }
    }
}

/// A reply, and what must be durable before it leaves.
pub(super) struct SettledReply {
    pub(super) reply: CoordinatorReply,
    pub(super) barrier: Barrier,
}

/// A request to a coordinator whose reply is here or will come.
pub(crate) struct PendingReply {
    receiver: oneshot::Receiver<SettledReply>,
}

impl PendingReply {
    pub(super) fn new(receiver: oneshot::Receiver<SettledReply>) -> Self {
        Self { receiver }
    }

    /// The receiver of the reply.
    #[cfg(test)]
    pub(super) fn into_receiver(self) -> oneshot::Receiver<SettledReply> {
        self.receiver
    }

    /// The reply to the client: the coordinator's response, or that of `failed` if the coordinator reports an
    /// error.
    pub(crate) fn answer<R: Answer>(
        self,
        responder: Responder,
        failed: impl FnOnce(ErrorCode) -> R + Send + 'static,
    ) -> Reply {
        self.answer_with(responder, |response| response, failed)
    }

    /// As [`answer`](Self::answer), but passes the coordinator's response to `complete` first.
    pub(crate) fn answer_with<R: Answer>(
        mut self,
        responder: Responder,
        complete: impl FnOnce(R) -> R + Send + 'static,
        failed: impl FnOnce(ErrorCode) -> R + Send + 'static,
    ) -> Reply {
        match self.receiver.try_recv() {
            Ok(SettledReply { reply, barrier }) if barrier.is_passed() => {
                responder.reply(&complete(response(reply)))
            }
            Ok(SettledReply { reply, barrier }) => Reply::later(async move {
                let reply = finish(reply, &barrier).await;
                responder.frame(&complete(response(reply)))
            }),
            Err(TryRecvError::Closed) => responder.reply(&failed(ErrorCode::NOT_COORDINATOR)),
            Err(TryRecvError::Empty) => Reply::later(async move {
                match self.settled().await {
                    Ok(response) => responder.frame(&complete(response)),
                    Err(error) => responder.frame(&failed(error)),
                }
            }),
        }
    }

    /// The coordinator's response, once its barrier is passed.
    ///
    /// # Errors
    /// NOT_COORDINATOR if the coordinator has resigned.
    pub(crate) async fn settled<R: Answer>(self) -> Result<R, ErrorCode> {
        let SettledReply { reply, barrier } =
            self.receiver.await.map_err(|_gone| ErrorCode::NOT_COORDINATOR)?;
        Ok(response(finish(reply, &barrier).await))
    }
}

/// A response that can be made from a coordinator's reply.
pub(crate) trait Answer: Response + TryFrom<CoordinatorReply, Error = CoordinatorReply> {}

impl<R: Response + TryFrom<CoordinatorReply, Error = CoordinatorReply>> Answer for R {}

fn response<R: Answer>(reply: CoordinatorReply) -> R {
    R::try_from(reply)
        .unwrap_or_else(|other| panic!("a request is answered by its response, not by {other:?}"))
}

async fn finish(reply: CoordinatorReply, barrier: &Barrier) -> CoordinatorReply {
    match barrier.passed().await {
        Ok(()) => reply,
        Err(error) => reply.into_error(error),
    }
}

/// Sends the result of a look-up once everything that it shows is durable, or the response of `failed`.
pub(crate) fn reply_behind<R: Response + Send + 'static>(
    responder: Responder,
    barriers: Vec<Barrier>,
    response: R,
    failed: impl FnOnce(ErrorCode) -> R + Send + 'static,
) -> Reply {
    if barriers.iter().all(Barrier::is_passed) {
        return responder.reply(&response);
    }
    Reply::later(async move {
        for barrier in &barriers {
            if let Err(error) = barrier.passed().await {
                return responder.frame(&failed(error));
            }
        }
        responder.frame(&response)
    })
}
