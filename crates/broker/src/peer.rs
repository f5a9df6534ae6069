//! The client of a request.

/// The other end of a connection, as handlers see it.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The address without the port, as Kafka's `client_host` shows it (`/127.0.0.1`).
    pub(crate) host: String,
    /// The index of the listener that accepted the connection.
    pub(crate) listener: usize,
}
