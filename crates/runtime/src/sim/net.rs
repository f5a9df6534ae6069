//! Sockets in memory: delay, cuts, resets, half-closed ends.
//!
//! A connection is two pipes. Bytes arrive after a delay drawn from the seed, in order; different connections
//! are in no order. A cut link holds the bytes in flight, as TCP does while it retransmits; a reset loses
//! them. When a host is killed, its system closes its connections.

mod pipe;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Buf;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Host;
use super::world::State;
use super::{clock, try_world, world};
use crate::file_bytes::FileBytes;
use pipe::{Pipe, ReadState};

/// The first port that is chosen for a socket on any port.
const EPHEMERAL: u16 = 32_768;

/// All sockets of a world.
#[derive(Default)]
pub(super) struct Network {
    listeners: BTreeMap<SocketAddr, Weak<ListenerState>>,
    connections: Vec<(u64, Weak<Mutex<Pipe>>)>,
    /// Directions in which nothing passes.
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    addresses: BTreeMap<String, IpAddr>,
    next_port: u16,
}

impl Network {
    /// Closes the connections of a dead host. Returns the wakers of their other ends.
    pub(super) fn host_gone(&mut self, host: Host, now: Duration) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for pipe in self.pipes() {
            let mut pipe = pipe.lock();
            if pipe.writer == host || pipe.reader == host {
                pipe.abort(now);
                wakers.extend(pipe.take_wakers());
            }
        }
        wakers
    }

    fn pipes(&mut self) -> Vec<Arc<Mutex<Pipe>>> {
        self.connections.retain(|(_, pipe)| pipe.strong_count() > 0);
        self.connections.iter().filter_map(|(_, pipe)| pipe.upgrade()).collect()
    }

    fn is_cut(&self, from: IpAddr, to: IpAddr) -> bool {
        self.cuts.contains(&(from, to))
    }

    fn port(&mut self) -> u16 {
        self.next_port = self.next_port.checked_add(1).unwrap_or(0).max(EPHEMERAL);
        self.next_port
    }

    /// The address of a machine, the same for all its boots.
    fn address_of(&mut self, machine: &str) -> IpAddr {
        let next = u8::try_from(self.addresses.len() + 1).expect("no more than 254 machines");
        let new = IpAddr::V4(Ipv4Addr::new(10, 0, 0, next));
        *self.addresses.entry(machine.to_owned()).or_insert(new)
    }
}

/// Blocks all traffic from the machine `from` to the machine `to` until [`heal`].
pub fn cut(from: &str, to: &str) {
    world().with(|state| {
        let link = (state.network.address_of(from), state.network.address_of(to));
        state.network.cuts.insert(link);
        state.note(format_args!("cut {from} to {to}"));
    });
}

/// Ends all cuts and releases the held traffic.
pub fn heal() {
    let wakers = world().with(|state| {
        state.network.cuts.clear();
        state.note(format_args!("heal"));
        let now = state.now;
        let wake = |pipe: Arc<Mutex<Pipe>>| {
            let mut pipe = pipe.lock();
            pipe.delay_until(now);
            pipe.take_wakers()
        };
        state.network.pipes().into_iter().flat_map(wake).collect::<Vec<_>>()
    });
    wakers.into_iter().for_each(Waker::wake);
}

/// Resets connections of the machine `name`, each with a chance of one in `one_in`. Bytes in flight are lost.
pub fn reset_connections(name: &str, one_in: u32) {
    let wakers = world().with(|state| {
        let address = state.network.address_of(name);
        let mut wakers = Vec::new();
        let mut ids = BTreeSet::new();
        for (id, pipe) in std::mem::take(&mut state.network.connections) {
            let Some(pipe) = pipe.upgrade() else { continue };
            let touches = pipe.lock().touches(address);
            // Both pipes of a connection have its id, one after the other.
            let is_reset = ids.contains(&id) || touches && state.chance.network.u32(..one_in) == 0;
            if is_reset {
                ids.insert(id);
                let mut pipe = pipe.lock();
                pipe.reset();
                wakers.extend(pipe.take_wakers());
            } else {
                state.network.connections.push((id, Arc::downgrade(&pipe)));
            }
        }
        state.note(format_args!("reset {} connections of {name}", ids.len()));
        wakers
    });
    wakers.into_iter().for_each(Waker::wake);
}

/// The state of a socket that accepts connections.
struct ListenerState {
    host: Host,
    address: SocketAddr,
    backlog: Mutex<Backlog>,
}

#[derive(Default)]
struct Backlog {
    is_open: bool,
    streams: VecDeque<TcpStream>,
    waker: Option<Waker>,
}

/// A listening socket.
pub struct TcpListener(Arc<ListenerState>);

impl TcpListener {
    /// The address that it listens on.
    ///
    /// # Errors
    /// Never.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.address)
    }

    /// The next connection, with the address of the other end.
    ///
    /// # Errors
    /// Never.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let stream = poll_fn(|context| {
            let mut backlog = self.0.backlog.lock();
            if let Some(stream) = backlog.streams.pop_front() {
                return Poll::Ready(stream);
            }
            backlog.waker = Some(context.waker().clone());
            Poll::Pending
        });
        let stream = stream.await;
        let peer = stream.peer;
        Ok((stream, peer))
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        // Connections that were not accepted are closed.
        drop(std::mem::take(&mut *self.0.backlog.lock()).streams);
    }
}

/// A socket that is bound and does not listen yet: clients are refused.
pub struct BoundSocket(Arc<ListenerState>);

impl BoundSocket {
    /// The bound address.
    ///
    /// # Errors
    /// Never.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.address)
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// Never.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.0.backlog.lock().is_open = true;
        Ok(TcpListener(self.0))
    }
}

/// Binds `address` (`host:port`; port 0 lets the system choose), to listen on it later.
///
/// # Errors
/// `AddrInUse` if the address is bound; `InvalidInput` if it is not an address.
pub async fn bind(address: &str) -> io::Result<BoundSocket> {
    world().with(|state| {
        let (ip, port) = resolve(state, address)?;
        let port = if port == 0 { state.network.port() } else { port };
        let address = SocketAddr::new(ip, port);
        let before = state.network.listeners.get(&address).and_then(Weak::upgrade);
        if before.is_some_and(|before| state.is_up(before.host)) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let listener = Arc::new(ListenerState { host: state.host, address, backlog: Mutex::default() });
        state.network.listeners.insert(address, Arc::downgrade(&listener));
        Ok(BoundSocket(listener))
    })
}

/// Listens on `address` at once.
///
/// # Errors
/// See [`bind`].
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    bind(address).await?.listen()
}

/// Resolves `host:port`: a host finds itself by any of its own addresses, and others by the names of
/// machines.
fn resolve(state: &mut State, address: &str) -> io::Result<(IpAddr, u16)> {
    let (host, port) = address.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
    let port = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    let own = state.hosts[state.host.0 as usize].name.clone();
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() || ip.is_unspecified() => state.network.address_of(&own),
        Ok(ip) => ip,
        Err(_) if host == "localhost" || host.is_empty() => state.network.address_of(&own),
        Err(_) => state.network.address_of(host),
    };
    Ok((ip, port))
}

/// Connects to `address` (`host:port`).
///
/// # Errors
/// `ConnectionRefused` if no socket listens there.
pub async fn connect(address: &str) -> io::Result<TcpStream> {
    let (here, from, to, trip) = world().with(|state| {
        let to = resolve(state, address)?;
        let own = state.hosts[state.host.0 as usize].name.clone();
        let from = SocketAddr::new(state.network.address_of(&own), state.network.port());
        io::Result::Ok((
            state.host,
            from,
            SocketAddr::new(to.0, to.1),
            pipe::delay(&mut state.chance.network) * 2,
        ))
    })?;
    clock::sleep(trip).await;
    // Nothing answers through a cut: the client gives up by its own clock, or the cut ends.
    while world()
        .with(|state| state.network.is_cut(from.ip(), to.ip()) || state.network.is_cut(to.ip(), from.ip()))
    {
        clock::sleep(Duration::from_millis(200)).await;
    }
    let (stream, waker) = world().with(|state| {
        let listener = state.network.listeners.get(&to).and_then(Weak::upgrade);
        let listener =
            listener.filter(|listener| state.is_up(listener.host) && listener.backlog.lock().is_open);
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let id = state.id();
        let out = Pipe::new(here, listener.host, from.ip(), to.ip());
        let back = Pipe::new(listener.host, here, to.ip(), from.ip());
        state.network.connections.push((id, Arc::downgrade(&out)));
        state.network.connections.push((id, Arc::downgrade(&back)));
        let theirs = TcpStream::new(id, to, from, Arc::clone(&out), Arc::clone(&back));
        let mut backlog = listener.backlog.lock();
        backlog.streams.push_back(theirs);
        io::Result::Ok((TcpStream::new(id, from, to, back, out), backlog.waker.take()))
    })?;
    if let Some(waker) = waker {
        waker.wake();
    }
    Ok(stream)
}

/// One end of a connection.
#[derive(Debug)]
pub struct TcpStream {
    local: SocketAddr,
    peer: SocketAddr,
    incoming: OwnedReadHalf,
    outgoing: OwnedWriteHalf,
}

impl TcpStream {
    fn new(
        id: u64,
        local: SocketAddr,
        peer: SocketAddr,
        incoming: Arc<Mutex<Pipe>>,
        outgoing: Arc<Mutex<Pipe>>,
    ) -> Self {
        let (incoming, outgoing) = (OwnedReadHalf { pipe: incoming }, OwnedWriteHalf { id, pipe: outgoing });
        Self { local, peer, incoming, outgoing }
    }

    /// The address of this end.
    ///
    /// # Errors
    /// Never.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// Never.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }

    /// Does nothing: this body never delays small writes.
    ///
    /// # Errors
    /// Never.
    pub fn set_nodelay(&self, _nodelay: bool) -> io::Result<()> {
        Ok(())
    }

    /// Ready when bytes can be written.
    ///
    /// # Errors
    /// Never; the write itself fails on a broken connection.
    pub fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.pipe.lock().poll_writable(context).map(Ok)
    }

    /// The two directions, each closed when it is dropped.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        (self.incoming, self.outgoing)
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_read(context, buffer)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.outgoing).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outgoing).poll_shutdown(context)
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct OwnedReadHalf {
    pipe: Arc<Mutex<Pipe>>,
}

impl AsyncRead for OwnedReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (polled, writer) = world().with(|state| {
            let mut pipe = self.pipe.lock();
            let is_cut = state.network.is_cut(pipe.from, pipe.to);
            let (incoming, writer) =
                pipe.poll_read(context, state.now, is_cut, &mut state.chance.network, buffer);
            let polled = match incoming {
                ReadState::Ready(result) => Poll::Ready(result),
                ReadState::Nothing => Poll::Pending,
                ReadState::At(arrival) => {
                    // It may fire after the bytes were read: a spurious wake-up is allowed.
                    state.arm(arrival, context.waker().clone());
                    Poll::Pending
                }
            };
            (polled, writer)
        });
        if let Some(writer) = writer {
            writer.wake();
        }
        polled
    }
}

impl Drop for OwnedReadHalf {
    fn drop(&mut self) {
        let Some(world) = try_world() else { return };
        let wakers = world.with(|_| {
            let mut pipe = self.pipe.lock();
            pipe.reader_gone();
            pipe.take_wakers()
        });
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The sending half. Dropping it closes this direction.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    id: u64,
    pipe: Arc<Mutex<Pipe>>,
}

impl OwnedWriteHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let (written, wakers) = world().with(|state| {
            let mut pipe = self.pipe.lock();
            let written = pipe.write(bytes, state.now, &mut state.chance.network)?;
            state.note(format_args!("write {} {written} {:08x}", self.id, checksum(&bytes[..written])));
            io::Result::Ok((written, pipe.take_reader()))
        })?;
        if let Some(waker) = wakers {
            waker.wake();
        }
        Ok(written)
    }

    fn close(&self) {
        let Some(world) = try_world() else { return };
        let wakers = world.with(|state| {
            let mut pipe = self.pipe.lock();
            pipe.close(state.now);
            pipe.take_wakers()
        });
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl AsyncWrite for OwnedWriteHalf {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.pipe.lock().poll_writable(context).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.try_write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        self.close();
    }
}

/// Does nothing: connections here are not paced.
pub fn do_not_pace(_stream: &TcpStream) {}

/// Writes as much of `parts` as the socket takes now.
///
/// # Errors
/// `WouldBlock` if the socket takes nothing now; any other error ends the connection.
pub fn try_send(stream: &TcpStream, parts: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter()).copied().collect();
    stream.outgoing.try_write(&bytes)
}

/// Sends up to `len` bytes of `file` from `position` on, and moves `position` past the bytes sent.
///
/// # Errors
/// `WouldBlock` if the socket takes nothing now; any other error ends the connection.
pub fn try_send_file(
    stream: &TcpStream,
    file: &impl FileBytes,
    position: &mut u64,
    len: usize,
) -> io::Result<usize> {
    let mut bytes = vec![0; len];
    let read = file.read_bytes_at(&mut bytes, *position)?;
    if read == 0 {
        return Ok(0);
    }
    let sent = stream.outgoing.try_write(&bytes[..read])?;
    *position += sent as u64;
    Ok(sent)
}

/// The host name of this machine.
pub fn host_name() -> String {
    world().with(|state| state.hosts[state.host.0 as usize].name.clone())
}

/// A sum over bytes, for the trace.
fn checksum(mut bytes: &[u8]) -> u32 {
    let mut sum = 0x811c_9dc5_u32;
    while bytes.has_remaining() {
        sum = (sum ^ u32::from(bytes.get_u8())).wrapping_mul(0x0100_0193);
    }
    sum
}
