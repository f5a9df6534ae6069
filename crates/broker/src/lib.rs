//! The broker: everything between a socket and a log.
//!
//! A request goes `server` (frame, header, order) → `dispatch` (the table of APIs) → `api/…` → `replicas` →
//! `storage`. Decisions about groups and the cluster are made in the `coordinator` and `metadata` crates,
//! which do no IO; this crate carries them out.

mod api;
mod beside;
mod broker;
mod call;
mod cluster;
mod coordinators;
mod directories;
mod dispatch;
mod fetch;
pub mod metrics;
mod node;
mod peer;
mod replicas;
mod reply;
mod server;
mod traffic;
mod upkeep;

pub use directories::{Directories, DirectoryError, Recovery, SurveyReport, survey};
pub use dispatch::{APIS, Api, Listeners};
pub use node::{RunningNode, StartError, start, start_on};
pub use peer::ListenerType;

#[cfg(test)]
mod tests;
