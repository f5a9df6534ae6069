//! Sockets.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use rustix::net::{SendAncillaryBuffer, SendFlags, sockopt};
use tokio::io::Interest;

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

/// Takes a connection within one machine off BBR, with which many systems pace every connection: there is no network to
/// be kind to, and a timer and a wake-up of the reader for every 64 KiB halve the rate and double its cost. Where it
/// cannot be done, the connection stays as it is.
pub fn do_not_pace(stream: &TcpStream) {
    if sockopt::tcp_congestion(stream).is_ok_and(|name| name.starts_with("bbr")) {
        // Root may have any, others what the system permits; Reno is always among it.
        let _ = sockopt::set_tcp_congestion(stream, "cubic")
            .or_else(|_| sockopt::set_tcp_congestion(stream, "reno"));
    }
}

/// Writes what the socket takes of `parts` now, in one system call.
///
/// `more` says that something follows at once (a file by [`try_send_file`]), so that the kernel
/// fills a packet rather than send a short one.
///
/// # Errors
/// `WouldBlock` where the socket takes nothing now; whatever else ends the connection.
pub fn try_send(stream: &TcpStream, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let flags = if more { SendFlags::MORE | SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL };
    stream.try_io(Interest::WRITABLE, || {
        Ok(rustix::net::sendmsg(stream, parts, &mut SendAncillaryBuffer::default(), flags)?)
    })
}

/// Sends up to `len` bytes of `file` from `position` on, from the page cache to the socket, and
/// moves `position` past what was sent.
///
/// # Errors
/// `WouldBlock` where the socket takes nothing now; whatever else ends the connection.
pub fn try_send_file(
    stream: &TcpStream,
    file: BorrowedFd<'_>,
    position: &mut u64,
    len: usize,
) -> io::Result<usize> {
    stream.try_io(Interest::WRITABLE, || Ok(rustix::fs::sendfile(stream, file, Some(position), len)?))
}

/// The name that this machine has for itself.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt;

    use super::{bind, connect, do_not_pace};

    #[tokio::test]
    async fn a_connection_within_the_machine_is_not_paced() {
        let listener = bind("127.0.0.1:0").await.expect("a port");
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
