//! The broker: everything between a socket and a log.
//!
//! A request goes `connection` (frame, header, order) → `dispatch` (the table of APIs) → `api/…`
//! → `partition` → `storage`. What a request decides about groups or the cluster is decided in the
//! `coordinator` and `metadata` crates, which do no IO; this crate carries it out.

mod api;
mod append;
mod apply;
mod beside;
mod broker;
mod call;
mod cleaner;
mod cluster;
mod connection;
mod dispatch;
mod failures;
mod fetch;
mod fetch_session;
mod groups;
mod limits;
mod listener;
mod log_dir;
mod logs;
mod maintenance;
pub mod metrics;
mod moves;
mod partition;
mod producer_ids;
mod rare_log;
mod reply;
mod scrubber;
mod start;
mod topics;
mod traffic;

pub use dispatch::{APIS, Api};
pub use logs::{Directories, Recovery, Surveyed, survey};
pub use start::{Running, StartError, start, start_on};
