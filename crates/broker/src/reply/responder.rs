//! Encodes a response into the bytes that answer a request.

use protocol::wire::{Chunk, EncodeErrorKind};
use protocol::{EncodeError, Response, Writer, frame};
use tracing::error;

use super::{Frame, Piece, Reply};

/// The initial capacity, enough for most responses: a buffer that starts empty is moved five times before it
/// holds one.
const SMALL_BYTES: usize = 256;

/// The encoder of the response to one request, also for replies that come later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Responder {
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

impl Responder {
    /// Answers at once.
    pub(crate) fn reply(self, response: &impl Response) -> Reply {
        Reply::Now(self.frame(response))
    }

    /// Encodes a response that has all its bytes itself.
    pub(crate) fn frame<R: Response>(self, response: &R) -> Frame {
        self.frame_with(response, Vec::new())
    }

    /// Encodes a response whose external records are `pieces`, in the order of the fields.
    pub(crate) fn frame_with<R: Response>(self, response: &R, pieces: Vec<Piece>) -> Frame {
        let encoded = frame::encode_response(
            self.correlation_id,
            response,
            self.version,
            Writer::with_capacity(SMALL_BYTES),
        );
        let encoded = match encoded {
            Ok(encoded) => encoded,
            Err(error) => return unsayable::<R>(error),
        };
        let mut pieces = pieces.into_iter();
        let chunks = encoded.into_chunks().into_iter().map(|chunk| match chunk {
            Chunk::Bytes(bytes) => Piece::Bytes(bytes),
            Chunk::External { len } => {
                let piece = pieces.next().expect("every external field has its piece");
                assert_eq!(piece.len(), len, "a piece is as long as its field says");
                piece
            }
        });
        Frame::of_pieces(chunks.collect())
    }
}

/// Logs a response that the protocol cannot carry. If it is too large, the client has to ask for less; if its
/// version cannot express it, its handler has a bug.
#[cold]
fn unsayable<R: Response>(problem: EncodeError) -> Frame {
    let api = R::API_KEY.name();
    match problem.kind {
        EncodeErrorKind::FrameTooLong | EncodeErrorKind::StringTooLong => {
            error!(
                "connection closed: an answer to {api} is too large to send ({problem}); ask for less at \
                 once"
            );
            Frame::unsayable()
        }
        EncodeErrorKind::NotInVersion | EncodeErrorKind::Null | EncodeErrorKind::UnsupportedVersion => {
            panic!("a response must fit its version: {problem}")
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::DescribeGroupsResponse;
    use protocol::messages::describe_groups_response::DescribedGroup;

    use super::*;

    #[test]
    fn an_answer_that_cannot_be_sent_ends_the_connection_and_not_the_broker() {
        let responder = Responder { version: 5, correlation_id: 7 };
        let of = |members: usize| {
            let metadata = protocol::Bytes::from(vec![0; 1 << 20]);
            let member = protocol::messages::describe_groups_response::DescribedGroupMember {
                member_metadata: metadata,
                ..Default::default()
            };
            // The bytes are shared, so that this takes no memory.
            let group = DescribedGroup { members: vec![member; members], ..Default::default() };
            responder.frame(&DescribeGroupsResponse { groups: vec![group], ..Default::default() })
        };
        assert!(of(2048).is_unsayable());
        assert!(!of(2).is_unsayable());
        let name = "x".repeat(40_000);
        let group = DescribedGroup { group_id: name.as_str().into(), ..Default::default() };
        let response = DescribeGroupsResponse { groups: vec![group], ..Default::default() };
        assert!(responder.frame(&response).is_unsayable());
    }
}
