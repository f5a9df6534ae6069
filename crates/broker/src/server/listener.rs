//! Accepts connections, each of which gets a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use runtime::net::{TcpListener, TcpStream};
use runtime::{clock, task};
use tokio::sync::watch;
use tracing::{debug, error, warn};

use super::Server;
use super::connection::Connection;
use super::rare_log::RareLog;
use crate::peer::Peer;

/// The wait before the next accept while the system has no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts on `socket` until the broker stops.
pub(crate) async fn accept(
    server: Arc<Server>,
    listener: usize,
    socket: TcpListener,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => admit(&server, listener, stream, address, &stopping),
            Err(problem) => {
                // The descriptors are used up, or the client has already gone: other connections are not
                // affected.
                tell_not_accepted(&server.not_accepted_log, &problem);
                clock::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn tell_not_accepted(log: &RareLog, problem: &io::Error) {
    let Some(left_out) = log.admit(clock::now()) else { return };
    let hint = if runtime::is_out_of_descriptors(problem) {
        ": raise the limit of this process (ulimit -n, or LimitNOFILE= of its service) or that of the system (fs.file-max)"
    } else {
        ""
    };
    error!(left_out, "a connection was not accepted: {problem}{hint}");
}

fn admit(
    server: &Arc<Server>,
    listener: usize,
    stream: TcpStream,
    address: SocketAddr,
    stopping: &watch::Receiver<bool>,
) {
    let admission = match server.limits.admit(address.ip()) {
        Ok(admission) => admission,
        Err(too_many) => {
            if let Some(left_out) = server.not_accepted_log.admit(clock::now()) {
                warn!(client = %address, left_out, "connection closed: {too_many}");
            }
            return;
        }
    };
    if let Err(problem) = prepare(&stream, address) {
        debug!(client = %address, "connection closed: {problem}");
        return;
    }
    let listener_type = server.broker.listener_type(listener);
    let peer = Peer { host: format!("/{}", address.ip()), listener, listener_type };
    let connection = Connection::new(Arc::clone(server), peer, stream, stopping.clone(), admission);
    task::spawn(connection.serve());
}

/// Prepares a socket. Small replies leave at once, since somebody waits for them.
fn prepare(stream: &TcpStream, address: SocketAddr) -> io::Result<()> {
    if stream.local_addr()?.ip() == address.ip() {
        runtime::net::do_not_pace(stream);
    }
    stream.set_nodelay(true)
}
