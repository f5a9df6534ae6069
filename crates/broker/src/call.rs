//! One request as its handler sees it.

use std::sync::Arc;
use std::time::Duration;

use coordinator::RequestContext;
use metadata::controller::ControllerRequest;
use protocol::{ErrorCode, Response, Str, Uuid};
use runtime::{random, task};

use crate::broker::Broker;
use crate::cluster::ANSWER_TIMEOUT;
use crate::peer::Peer;
use crate::reply::{Frame, Reply, Responder};

/// A request in progress: its origin, and the way to answer it.
pub(crate) struct Call<'a> {
    pub(crate) broker: &'a Arc<Broker>,
    pub(crate) peer: &'a Arc<Peer>,
    /// The client's name for itself. `None` and an empty name mean the same.
    pub(crate) client_id: Option<Str>,
    pub(crate) responder: Responder,
}

impl Call<'_> {
    /// The version of the API that the client speaks.
    pub(crate) fn version(&self) -> i16 {
        self.responder.version
    }

    /// Builds an answer with `make` beside the runtime's workers, so that other connections do not wait: for
    /// answers that may be large. Only a few are built at a time, which bounds their memory.
    pub(crate) fn reply_aside<R: Response>(&self, make: impl FnOnce(&Broker) -> R + Send + 'static) -> Reply {
        let (broker, responder) = (Arc::clone(self.broker), self.responder);
        Reply::later(async move {
            let _permit = broker.large_answers.acquire().await;
            let maker = Arc::clone(&broker);
            match task::spawn_blocking(move || responder.frame(&make(&maker))).await {
                Ok(frame) => frame,
                // The panic has been logged where it happened.
                Err(_panic) => Frame::unsayable(),
            }
        })
    }

    /// Asks the controller, and answers with its decision, or with what `failed` makes of an error. `timeout_ms` is the
    /// request's own timeout, if it has one.
    pub(crate) fn ask_controller<Q>(
        self,
        request: Q,
        timeout_ms: Option<i32>,
        failed: fn(&Q, ErrorCode) -> Q::Response,
    ) -> Reply
    where
        Q: ControllerRequest + Send + Sync + 'static,
        Q::Response: Send + Sync,
    {
        let (broker, responder) = (Arc::clone(self.broker), self.responder);
        let own = |timeout_ms| Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
        let timeout = timeout_ms.map_or(ANSWER_TIMEOUT, own);
        Reply::later(async move {
            let decided = broker.cluster.ask_as(&request, responder.version, timeout).await;
            responder.frame(&decided.unwrap_or_else(|error_code| failed(&request, error_code)))
        })
    }

    /// Answers at once.
    pub(crate) fn reply(&self, response: &impl Response) -> Reply {
        self.responder.reply(response)
    }

    /// The part of a request that a coordinator needs beside its body.
    pub(crate) fn request_context(&self) -> RequestContext {
        RequestContext {
            api_version: self.version(),
            client_id: self.client_id.clone().unwrap_or_default(),
            client_host: Str::from(self.peer.host.as_str()),
            random_uuid: Uuid(random::uuid_bytes()),
        }
    }
}
