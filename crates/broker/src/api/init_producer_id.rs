//! InitProducerId (22), versions 0-5: an identity for an idempotent producer (KIP-98).
//!
//! 3 lets a producer send its present identity (KIP-360); 4 has an error of its own for fencing (KIP-588); 5
//! is for transactions of version 2 (KIP-890).
//!
//! Transactions are not served: a request with a transactional id fails in the same way as FindCoordinator
//! does, so that the producer does not search again.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::init_producer_id_request::InitProducerIdRequest;
use protocol::messages::init_producer_id_response::InitProducerIdResponse;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: InitProducerIdRequest) -> Reply {
    let none =
        InitProducerIdResponse { producer_id: -1, producer_epoch: -1, ..InitProducerIdResponse::default() };
    let invalid = match &request.transactional_id {
        Some(id) if id.is_empty() => Some(ErrorCode::INVALID_REQUEST),
        Some(_) => Some(ErrorCode::UNSUPPORTED_VERSION),
        // A producer id and an epoch are valid only together.
        None if (request.producer_id < 0) != (request.producer_epoch < 0) => Some(ErrorCode::INVALID_REQUEST),
        None => None,
    };
    if let Some(error_code) = invalid {
        return call.reply(&InitProducerIdResponse { error_code, ..none });
    }
    if let Some(producer_id) = call.broker.cluster.take_producer_id() {
        return call.reply(&InitProducerIdResponse { producer_id, producer_epoch: 0, ..none });
    }
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        responder.frame(&match broker.cluster.next_producer_id().await {
            Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: 0, ..none },
            Err(error_code) => InitProducerIdResponse { error_code, ..none },
        })
    })
}
