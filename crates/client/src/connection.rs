//! One connection to one broker.
//!
//! Requests are answered in the order in which they are written, so any number of them may be in flight. A
//! connection that broke stays broken; open another one instead.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use protocol::messages::ResponseHeader;
use protocol::wire::{Chunk, Frame};
use protocol::{ApiKey, DecodeError, EncodeError, Message, Reader, Request, Str, Writer};
use runtime::net::{OwnedWriteHalf, TcpStream};
use runtime::task::JoinHandle;
use runtime::{clock, net, task};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

pub use error::{ConnectError, RequestError};
use pending::AnswerQueue;
use versions::Versions;

mod error;
mod frame;
mod pending;
#[cfg(test)]
mod tests;
mod versions;

/// The client's name and its timeouts.
#[derive(Debug, Clone)]
pub struct ConnectionOptions {
    /// The name under which brokers log, meter and throttle this client.
    pub client_id: String,
    /// The time that opening may take, including the exchange of versions.
    pub connect_timeout: Duration,
    /// The time that an answer may take, beyond the wait that a request itself asks of the broker.
    pub request_timeout: Duration,
    /// The longest response that is accepted.
    pub response_bytes_max: usize,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        ConnectionOptions {
            client_id: "milena".to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            response_bytes_max: 256 << 20,
        }
    }
}

/// A connection to a broker, with the versions that both sides speak. Cloning gives another handle to the
/// same connection, which closes when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    shared: Arc<ConnectionCore>,
}

#[derive(Debug)]
struct ConnectionCore {
    /// `host:port`, as it was given.
    address: String,
    options: ConnectionOptions,
    sender: tokio::sync::Mutex<Sender>,
    pending: Arc<Mutex<AnswerQueue>>,
    reader: JoinHandle<()>,
    versions: Versions,
}

#[derive(Debug)]
struct Sender {
    socket: OwnedWriteHalf,
    /// Whether a frame was begun and not finished, because its future was dropped: then half a request is on
    /// the wire, and nothing may follow it.
    inside_frame: bool,
}

impl Drop for ConnectionCore {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Connection {
    /// Connects to `address` (`host:port`) and agrees on versions.
    ///
    /// # Errors
    /// [`ConnectError`] if nothing listens there, if it takes too long, or if it does not speak Kafka's
    /// protocol.
    pub async fn open(address: &str, options: &ConnectionOptions) -> Result<Connection, ConnectError> {
        let (deadline, after) = (clock::now() + options.connect_timeout, options.connect_timeout);
        let of = || address.to_owned();
        let stream = match clock::timeout(after, net::connect(address)).await {
            Ok(connected) => connected.map_err(|error| ConnectError::Unreachable { address: of(), error })?,
            Err(_) => return Err(ConnectError::TimedOut { address: of(), after }),
        };
        let mut connection = ConnectionCore::over(stream, address, options);
        let left = deadline.saturating_duration_since(clock::now());
        let negotiated = match clock::timeout(left, versions::negotiate(&connection)).await {
            Ok(negotiated) => negotiated,
            // The listener may be busy, or of another kind.
            Err(_) => Err(RequestError::TimedOut { address: of(), api: ApiKey::ApiVersions, after }),
        };
        connection.versions = negotiated.map_err(|error| ConnectError::NotKafka { address: of(), error })?;
        Ok(Connection { shared: Arc::new(connection) })
    }

    /// The address of the broker.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// Whether it has broken, so that every further request fails at once.
    pub fn is_closed(&self) -> bool {
        self.shared.pending.lock().closed().is_some()
    }

    /// The versions of an API that the broker serves, or `None` if it does not serve it.
    pub fn broker_versions(&self, api: ApiKey) -> Option<RangeInclusive<i16>> {
        self.shared.versions.of_broker(api)
    }

    /// The version in which requests of type `R` are sent.
    ///
    /// # Errors
    /// [`RequestError::NoCommonVersion`] if the two sides have none.
    pub fn version_of<R: Request>(&self) -> Result<i16, RequestError> {
        self.shared.versions.common::<R>(i16::MAX)
    }

    /// Sends `request` in the newest version that both sides speak, and waits for its answer.
    ///
    /// Dropping the future forgets the answer; the request may have reached the broker.
    ///
    /// # Errors
    /// [`RequestError`] if there is no answer. After [`RequestError::TimedOut`] the connection is closed:
    /// answers come in order, so none can overtake the missing one.
    pub async fn request<R: Request>(&self, request: &R) -> Result<R::Response, RequestError> {
        self.request_with(request, i16::MAX, Duration::ZERO).await
    }

    /// Sends a request as [`Connection::request`] does, in a version up to `version_max`. The request itself
    /// asks the broker to wait for up to `wait`.
    ///
    /// # Errors
    /// See [`Connection::request`].
    pub async fn request_with<R: Request>(
        &self,
        request: &R,
        version_max: i16,
        wait: Duration,
    ) -> Result<R::Response, RequestError> {
        let version = self.shared.versions.common::<R>(version_max)?;
        self.shared.exchange(request, version, wait).await
    }

    /// Sends a request to which the broker gives no answer: a produce request with `acks=0`.
    ///
    /// # Errors
    /// See [`Connection::request`]; success says only that the bytes were written.
    pub async fn send_unanswered<R: Request>(
        &self,
        request: &R,
        version_max: i16,
    ) -> Result<(), RequestError> {
        let version = self.shared.versions.common::<R>(version_max)?;
        let encode = self.shared.encoder(request, version);
        self.shared.write(&OutgoingRequest { api: R::API_KEY, version, encode: &encode }, None).await
    }
}

/// A request that lacks only its correlation id. What a connection does with it is the same for all types of
/// request, and is compiled once.
struct OutgoingRequest<'a> {
    api: ApiKey,
    version: i16,
    encode: &'a (dyn Fn(i32) -> Result<Frame, EncodeError> + Sync),
}

impl ConnectionCore {
    /// A connection over `stream` on which no versions have been agreed on yet.
    fn over(stream: TcpStream, address: &str, options: &ConnectionOptions) -> ConnectionCore {
        let (incoming, outgoing) = stream.into_split();
        let pending = Arc::new(Mutex::new(AnswerQueue::default()));
        let reader = task::spawn(frame::read_all(incoming, options.response_bytes_max, Arc::clone(&pending)));
        ConnectionCore {
            address: address.to_owned(),
            options: options.clone(),
            sender: tokio::sync::Mutex::new(Sender { socket: outgoing, inside_frame: false }),
            pending,
            reader,
            versions: Versions::default(),
        }
    }

    /// Sends `request` in `version`, and decodes the answer.
    async fn exchange<R: Request>(
        &self,
        request: &R,
        version: i16,
        wait: Duration,
    ) -> Result<R::Response, RequestError> {
        let mut body = self.exchange_bytes(request, version, wait).await?;
        let malformed = |error| self.malformed(R::API_KEY, error);
        let response = R::Response::decode(&mut body, version).map_err(malformed)?;
        body.finish().map_err(malformed)?;
        Ok(response)
    }

    /// Sends `request` in `version`, and returns the body of the answer.
    async fn exchange_bytes<R: Request>(
        &self,
        request: &R,
        version: i16,
        wait: Duration,
    ) -> Result<Reader, RequestError> {
        let encode = self.encoder(request, version);
        self.exchange_frames(&OutgoingRequest { api: R::API_KEY, version, encode: &encode }, wait).await
    }

    /// Sends `request`, and returns the body of the answer.
    async fn exchange_frames(
        &self,
        request: &OutgoingRequest<'_>,
        wait: Duration,
    ) -> Result<Reader, RequestError> {
        let (answer, receiver) = oneshot::channel();
        let patience = self.options.request_timeout + wait;
        let answered = async {
            self.write(request, Some(answer)).await?;
            receiver.await.map_err(|_| self.closed())
        };
        let Ok(frame) = clock::timeout(patience, answered).await else {
            let timed_out =
                RequestError::TimedOut { address: self.address.clone(), api: request.api, after: patience };
            self.close(&timed_out.to_string());
            return Err(timed_out);
        };
        let mut reader = Reader::new(frame?);
        match ResponseHeader::decode(&mut reader, request.api.response_header_version(request.version)) {
            Ok(_) => Ok(reader),
            Err(error) => Err(self.malformed(request.api, error)),
        }
    }

    /// Writes `request`; its answer will be sent to `answer`.
    async fn write(
        &self,
        request: &OutgoingRequest<'_>,
        answer: Option<oneshot::Sender<Bytes>>,
    ) -> Result<(), RequestError> {
        // The order in the queue of answers and on the wire must be the same: one lock for both.
        let mut sender = self.sender.lock().await;
        if sender.inside_frame {
            self.close("a request was given up while it was being sent");
        }
        let correlation_id = match answer {
            Some(answer) => self.pending.lock().expect_answer(answer),
            None => self.pending.lock().expect_nothing(),
        };
        let Some(correlation_id) = correlation_id else { return Err(self.closed()) };
        let frame = match (request.encode)(correlation_id) {
            Ok(frame) => frame,
            Err(error) => {
                self.pending.lock().forget_last(correlation_id);
                let (api, version) = (request.api, request.version);
                return Err(RequestError::Unencodable { api, version, error });
            }
        };
        sender.inside_frame = true;
        let written = write_frame(&mut sender.socket, frame).await;
        sender.inside_frame = false;
        written.map_err(|error| {
            self.close(&error.to_string());
            self.closed()
        })
    }

    fn encoder<R: Request>(
        &self,
        request: &R,
        version: i16,
    ) -> impl Fn(i32) -> Result<Frame, EncodeError> + Sync {
        move |correlation_id| {
            let client_id = Some(Str::from(&self.options.client_id));
            protocol::frame::encode_request(correlation_id, client_id, request, version, Writer::new())
        }
    }

    fn close(&self, reason: &str) {
        self.pending.lock().close(reason);
        self.reader.abort();
    }

    fn closed(&self) -> RequestError {
        let reason = self.pending.lock().closed().unwrap_or("the connection was closed").to_owned();
        RequestError::Closed { address: self.address.clone(), reason }
    }

    fn malformed(&self, api: ApiKey, error: DecodeError) -> RequestError {
        self.close("an answer was malformed");
        RequestError::Malformed { address: self.address.clone(), api, error }
    }
}

/// Writes a frame, its records without copying them.
async fn write_frame(socket: &mut OwnedWriteHalf, frame: Frame) -> std::io::Result<()> {
    for chunk in frame.into_chunks() {
        match chunk {
            Chunk::Bytes(mut bytes) => socket.write_all_buf(&mut bytes).await?,
            Chunk::External { .. } => unreachable!("a client's records are in memory"),
        }
    }
    Ok(())
}
