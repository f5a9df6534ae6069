//! The client of a request.

/// The other end of a connection, as handlers see it.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The address without the port, as Kafka's `client_host` shows it (`/127.0.0.1`).
    pub(crate) host: String,
    /// The index of the listener that accepted the connection.
    pub(crate) listener: usize,
    /// The purpose of that listener.
    pub(crate) listener_type: ListenerType,
}

/// The purpose of a listener, as Kafka parts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerType {
    /// Clients, and brokers as replicas.
    Broker,
    /// Brokers and tools that ask the controller (`controller.listener.names`).
    Controller,
}
