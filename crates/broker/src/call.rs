//! One request as its handler sees it.

use std::sync::Arc;

use protocol::wire::Chunk;
use protocol::{Response, Str, Writer, frame};

use crate::broker::Broker;
use crate::connection::Peer;
use crate::reply::{Frame, Piece, Reply};

/// Room for most responses: a buffer that begins empty is moved five times before it holds one.
const SMALL_BYTES: usize = 256;

/// A request that is being handled: where it came from and how it is answered.
pub(crate) struct Call<'a> {
    pub(crate) broker: &'a Arc<Broker>,
    pub(crate) peer: &'a Arc<Peer>,
    /// The client's name for itself; none and empty mean the same.
    pub(crate) client_id: Option<Str>,
    pub(crate) responder: Responder,
}

impl Call<'_> {
    /// The version of the API that the client speaks.
    pub(crate) fn version(&self) -> i16 {
        self.responder.version
    }

    /// Answers at once.
    pub(crate) fn reply(&self, response: &impl Response) -> Reply {
        Reply::Now(self.responder.frame(response))
    }
}

/// What is needed to encode the response to a request, for replies that come later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Responder {
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

impl Responder {
    /// A response whose bytes are all in it.
    pub(crate) fn frame(self, response: &impl Response) -> Frame {
        self.frame_with(response, Vec::new())
    }

    /// A response whose external records are `pieces`, in the order of the fields.
    pub(crate) fn frame_with(self, response: &impl Response, pieces: Vec<Piece>) -> Frame {
        let encoded = frame::encode_response(
            self.correlation_id,
            response,
            self.version,
            Writer::with_capacity(SMALL_BYTES),
        );
        // A handler that builds what its version cannot say has a bug that the client cannot mend.
        let encoded = encoded.unwrap_or_else(|error| panic!("a response must fit its version: {error}"));
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
