//! A broker that answers as a test scripts it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use protocol::frame::{ReceivedRequest, decode_request, encode_response};
use protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::{ApiKey, Request, Response, Str, Uuid, Writer};
use runtime::net::TcpStream;
use runtime::task::JoinHandle;
use runtime::{net, task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cluster::{Cluster, ClusterOptions};

/// A scripted answer to a request.
pub(crate) enum Answer {
    /// Send these bytes.
    Bytes(Bytes),
    /// Send nothing and go on.
    Nothing,
    /// Close the connection.
    Close,
}

/// Answers `received` with `response`, in its version.
pub(crate) fn respond<R: Response>(received: &ReceivedRequest, response: &R) -> Answer {
    let frame = encode_response(received.correlation_id, response, received.version, Writer::new());
    Answer::Bytes(frame.expect("a test's response can be said").into_bytes())
}

/// The message of a request.
pub(crate) fn request_of<M: Request>(received: &ReceivedRequest) -> M {
    let ReceivedRequest { api_key, version, correlation_id, ref body, .. } = *received;
    let again = ReceivedRequest { api_key, version, correlation_id, client_id: None, body: body.clone() };
    again.decode().expect("the client sends what it says")
}

/// A broker that runs until it is dropped.
pub(crate) struct ScriptedBroker {
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Drop for ScriptedBroker {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ScriptedBroker {
    /// A broker that answers every request by `script`.
    pub(crate) async fn start(
        script: impl FnMut(ReceivedRequest) -> Answer + Send + 'static,
    ) -> ScriptedBroker {
        let listener = net::listen("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let script = Arc::new(Mutex::new(script));
        let accepting = task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                task::spawn(serve(stream, Arc::clone(&script)));
            }
        });
        ScriptedBroker { port, accepting }
    }

    /// A broker that is a whole cluster with one topic `t` of `partitions`. It leaves all requests but
    /// ApiVersions and Metadata to `script`.
    pub(crate) async fn cluster(
        partitions: i32,
        mut script: impl FnMut(ReceivedRequest) -> Answer + Send + 'static,
    ) -> (ScriptedBroker, Cluster) {
        let port = Arc::new(Mutex::new(0));
        let known = Arc::clone(&port);
        let broker = ScriptedBroker::start(move |received| match received.api_key {
            ApiKey::ApiVersions => respond(&received, &all_versions()),
            ApiKey::Metadata => respond(&received, &metadata(*known.lock(), partitions)),
            _ => script(received),
        });
        let broker = broker.await;
        *port.lock() = broker.port;
        let cluster = Cluster::connect(ClusterOptions::new(&broker.address())).await;
        (broker, cluster.expect("the broker answers"))
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

async fn serve<S>(mut stream: TcpStream, script: Arc<Mutex<S>>)
where
    S: FnMut(ReceivedRequest) -> Answer,
{
    while let Ok(length) = stream.read_u32().await {
        let mut frame = BytesMut::zeroed(length as usize);
        if stream.read_exact(&mut frame).await.is_err() {
            return;
        }
        let received = decode_request(frame.freeze()).expect("the client sends requests");
        let answer = (*script.lock())(received);
        match answer {
            Answer::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Answer::Nothing => {}
            Answer::Close => return,
        }
    }
}

/// Every API in every version.
pub(crate) fn all_versions() -> ApiVersionsResponse {
    let apis = ApiKey::all().filter(|api| !api.versions().is_empty());
    served(&apis.map(|api| (api, *api.versions().start(), *api.versions().end())).collect::<Vec<_>>())
}

/// These APIs in these ranges of versions.
pub(crate) fn served(apis: &[(ApiKey, i16, i16)]) -> ApiVersionsResponse {
    let api = |&(api, min_version, max_version): &(ApiKey, i16, i16)| ApiVersion {
        api_key: api.as_i16(),
        min_version,
        max_version,
    };
    ApiVersionsResponse { api_keys: apis.iter().map(api).collect(), ..Default::default() }
}

/// The id of topic `t`.
pub(crate) const TOPIC_ID: Uuid = Uuid([7; 16]);

/// A broker 1 that leads all partitions of topic `t`.
fn metadata(port: u16, partitions: i32) -> MetadataResponse {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 0,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: Str::from("127.0.0.1"),
            port: port.into(),
            rack: None,
        }],
        controller_id: 1,
        topics: vec![MetadataResponseTopic {
            name: Some(Str::from("t")),
            topic_id: TOPIC_ID,
            partitions: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}
