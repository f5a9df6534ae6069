//! Sockets: connections are accepted, requests taken from them in order, and replies sent in the same order.

mod connection;
mod inbox;
pub(crate) mod limits;
pub(crate) mod listener;
mod outbox;
mod rare_log;

pub(crate) use rare_log::RareLog;
