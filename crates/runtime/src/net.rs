//! Sockets.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::io;

pub use tokio::net::{TcpListener, TcpStream};

/// Listens on `address` (`host:port`; port 0 lets the system choose).
///
/// # Errors
/// What the system says: the address is in use, is not one of this machine, is not permitted.
pub async fn bind(address: &str) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Connects to `address` (`host:port`), with small writes sent at once.
///
/// # Errors
/// What the system says: refused, unreachable, not resolved.
pub async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
