//! The listener of the console.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use broker::metrics::Metrics;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use runtime::net::{self, BoundSocket, TcpListener, TcpStream};
use runtime::{clock, task};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

use crate::exposition::{self, MEDIA_TYPE};

/// The most open connections; further ones are closed at once.
const CONNECTIONS_MAX: usize = 32;

/// The longest accepted head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The longest time of a connection, from its start to the end of the answer.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);

/// The wait before the next accept while the system has no free descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that is bound and does not answer yet.
#[derive(Debug)]
pub struct Console {
    socket: BoundSocket,
    address: SocketAddr,
}

impl Console {
    /// Binds `address`, `host:port`, on which [`Console::serve`] will listen.
    ///
    /// # Errors
    /// The system's error: the address is in use, is not one of this machine, or is not permitted.
    pub async fn bind(address: &str) -> io::Result<Console> {
        let socket = net::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Console { socket, address })
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, and answers `GET /metrics` with the broker's metrics until the returned future is dropped.
    ///
    /// # Errors
    /// The system's error: another program listens on the address by now.
    pub fn serve(self, metrics: Metrics) -> io::Result<impl Future<Output = ()> + Send> {
        let socket = self.socket.listen()?;
        Ok(answer_all(socket, metrics))
    }
}

async fn answer_all(socket: TcpListener, metrics: Metrics) {
    let router = Router::new().route("/metrics", get(answer)).with_state(metrics);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        match socket.accept().await {
            Ok((stream, client)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(permit) => drop(task::spawn(converse(stream, router.clone(), permit))),
                Err(_) => debug!(%client, "connection closed: {CONNECTIONS_MAX} are open"),
            },
            Err(problem) => {
                warn!("a connection to the console was not accepted: {problem}");
                clock::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers one request and closes the connection.
async fn converse(stream: TcpStream, router: Router, _permit: OwnedSemaphorePermit) {
    let mut http = http1::Builder::new();
    // One deadline covers all of it.
    http.keep_alive(false).header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match clock::timeout(CONNECTION_TIME_MAX, served).await {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => debug!("a connection to the console ended: {problem}"),
        Err(_elapsed) => debug!("a connection to the console was closed after its time limit"),
    }
}

async fn answer(State(metrics): State<Metrics>) -> Response {
    // A disk may be slow to report its free space.
    match task::spawn_blocking(move || exposition::encode(&metrics)).await {
        Ok(text) => ([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
