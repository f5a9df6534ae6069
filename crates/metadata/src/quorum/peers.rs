//! The seam to the other voters: whoever can carry bytes to one and bring the answer back.

use std::fmt::Debug;
use std::io;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::raft::{VoterEndpoint, VoterId};

/// The way to the other voters.
///
/// Requests may be lost, delayed, repeated and reordered, and so may answers: the quorum expects no more. A request
/// arrives at [`Quorum::answer`](super::Quorum::answer) of the voter, which checks that it is meant.
pub trait Peers: Debug + Send + Sync + 'static {
    /// Brings `request` to a voter that has these addresses, and returns its answer. The quorum limits the time that
    /// this may take, and drops the future when it is over.
    ///
    /// # Errors
    /// An error if the voter is not reached, or if the answer does not come.
    fn ask<'a>(
        &'a self,
        voter: VoterId,
        endpoints: &'a [VoterEndpoint],
        request: Bytes,
    ) -> BoxFuture<'a, io::Result<Bytes>>;
}

/// The peers of a quorum of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoPeers;

impl Peers for NoPeers {
    fn ask<'a>(
        &'a self,
        voter: VoterId,
        _endpoints: &'a [VoterEndpoint],
        _request: Bytes,
    ) -> BoxFuture<'a, io::Result<Bytes>> {
        let error = format!("this node was started alone, and knows no way to voter {voter}");
        Box::pin(async { Err(io::Error::new(io::ErrorKind::NotConnected, error)) })
    }
}
