//! Bytes on a socket, as no client would send them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// One connection; frames are made by hand.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn open(bootstrap: &str) -> Wire {
        let stream = TcpStream::connect(bootstrap).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream.set_write_timeout(Some(LIMIT)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Wire(stream)
    }

    /// The same connection, to be used by another thread.
    pub(crate) fn another_handle(&self) -> Wire {
        Wire(self.0.try_clone().expect("a handle"))
    }

    /// Sends bytes as they are. A broker that has closed the connection already is no failure of the test.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Sends bytes as they are, and says whether they went.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// No more is coming from here.
    pub(crate) fn finish_sending(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// The next response without its length, its correlation id first.
    pub(crate) fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.0.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Sends one request and gives its response, without correlation id and (flexible) header tags.
    pub(crate) fn ask(&mut self, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
        self.send(&frame(key, version, 77, body));
        let response = self.receive().expect("a response");
        assert_eq!(response[..4], 77_i32.to_be_bytes());
        response[4..].to_vec()
    }

    /// Waits for the broker to close the connection; fails if it answers or if nothing happens.
    pub(crate) fn assert_closed(mut self, what: &str) {
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(0) => {}
            Ok(_) => panic!("{what}: answered instead of closed"),
            Err(error) => assert!(
                matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
                "{what}: not closed: {error}"
            ),
        }
    }

    /// Whether it is still open after `wait`, with nothing said by the broker.
    pub(crate) fn is_open_after(&mut self, wait: Duration) -> bool {
        self.0.set_read_timeout(Some(wait)).expect("a timeout");
        let outcome = self.0.read(&mut [0]);
        self.0.set_read_timeout(Some(LIMIT)).expect("a timeout");
        matches!(outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A request with a header of version 1 (no tags): client id "wire".
pub(crate) fn frame(key: i16, version: i16, correlation: i32, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend(key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation.to_be_bytes());
    frame.extend(4_i16.to_be_bytes());
    frame.extend(b"wire");
    frame.extend(body);
    let length = i32::try_from(frame.len() - 4).expect("small");
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

/// Asks for the versions of all APIs on a connection of its own: the broker serves others. Says how long it took.
pub(crate) fn assert_serves(bootstrap: &str) -> Duration {
    let begun = Instant::now();
    let mut wire = Wire::open(bootstrap);
    let answer = wire.ask(API_VERSIONS, 0, &[]);
    assert_eq!(answer[..2], [0, 0], "no error");
    begun.elapsed()
}

pub(crate) const METADATA: i16 = 3;
pub(crate) const API_VERSIONS: i16 = 18;
