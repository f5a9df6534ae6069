//! Sockets.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::io::{self, IoSlice};
use std::net::SocketAddr;

use rustix::net::{SendAncillaryBuffer, SendFlags, sockopt};
use tokio::io::Interest;

use tokio::net::TcpSocket;
pub use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
pub use tokio::net::{TcpListener, TcpStream};

use crate::FileBytes;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A socket that is bound and does not listen yet: clients are refused, rather than left to wait.
#[derive(Debug)]
pub struct BoundSocket(TcpSocket);

impl BoundSocket {
    /// The bound address.
    ///
    /// # Errors
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// The system's error: another program that had bound the same address listens on it by now.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)
    }
}

/// Binds `address` (`host:port`; port 0 lets the system choose), to listen on it later.
///
/// # Errors
/// The system's error: the address is in use, is not one of this machine, or is not permitted.
pub async fn bind(address: &str) -> io::Result<BoundSocket> {
    let mut last = None;
    for address in tokio::net::lookup_host(address).await? {
        match bind_one(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the name has no address")))
}

fn bind_one(address: SocketAddr) -> io::Result<BoundSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections left by an earlier process do not keep the address from this one.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(BoundSocket(socket))
}

/// Listens on `address` at once.
///
/// # Errors
/// See [`bind`].
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    bind(address).await?.listen()
}

/// Connects to `address` (`host:port`), with small writes sent at once.
///
/// # Errors
/// The system's error: refused, unreachable, or not resolved.
pub async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Takes a connection within one machine off BBR, with which many systems pace every connection: there is no
/// network to be kind to, and a timer and a wake-up of the reader for every 64 KiB halve the rate and double
/// its cost. If this fails, the connection stays as it is.
pub fn do_not_pace(stream: &TcpStream) {
    if sockopt::tcp_congestion(stream).is_ok_and(|name| name.starts_with("bbr")) {
        // Root may choose any, others only those that the system permits; Reno is always among them.
        let _ = sockopt::set_tcp_congestion(stream, "cubic")
            .or_else(|_| sockopt::set_tcp_congestion(stream, "reno"));
    }
}

/// Writes as much of `parts` as the socket takes now, in one system call.
///
/// `more` says that more data follows at once (a file by [`try_send_file`]), so that the kernel fills a
/// packet rather than send a short one.
///
/// # Errors
/// `WouldBlock` if the socket takes nothing now; any other error ends the connection.
pub fn try_send(stream: &TcpStream, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let flags = if more { SendFlags::MORE | SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL };
    stream.try_io(Interest::WRITABLE, || {
        Ok(rustix::net::sendmsg(stream, parts, &mut SendAncillaryBuffer::default(), flags)?)
    })
}

/// Sends up to `len` bytes of `file` from `position` on, from the page cache to the socket, and moves
/// `position` past the bytes sent.
///
/// # Errors
/// `WouldBlock` if the socket takes nothing now; any other error ends the connection.
pub fn try_send_file(
    stream: &TcpStream,
    file: &impl FileBytes,
    position: &mut u64,
    len: usize,
) -> io::Result<usize> {
    stream.try_io(Interest::WRITABLE, || Ok(rustix::fs::sendfile(stream, file.as_fd(), Some(position), len)?))
}

/// The host name of this machine.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt;

    use std::io::ErrorKind;

    use super::{bind, connect, do_not_pace, listen};

    #[tokio::test]
    async fn who_connects_before_it_listens_is_refused() {
        let bound = bind("127.0.0.1:0").await.expect("a port");
        let address = bound.local_addr().expect("an address").to_string();
        let refused = connect(&address).await.expect_err("it does not listen");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let listener = bound.listen().expect("nobody else does");
        connect(&address).await.expect("it listens");
        let in_use = bind(&address).await.expect_err("another listens");
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        drop(listener);
    }

    #[tokio::test]
    async fn a_connection_within_the_machine_is_not_paced() {
        let listener = listen("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let stream = connect(&address).await.expect("it listens");
        let name = || sockopt::tcp_congestion(&stream).expect("Linux tells");
        if sockopt::set_tcp_congestion(&stream, "bbr").is_ok() {
            do_not_pace(&stream);
            assert!(["cubic", "reno"].contains(&name().trim_end_matches('\0')), "{}", name());
        }
        // What does not pace is left alone.
        sockopt::set_tcp_congestion(&stream, "reno").expect("on every kernel");
        do_not_pace(&stream);
        assert_eq!(name().trim_end_matches('\0'), "reno");
    }
}
