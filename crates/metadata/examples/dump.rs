#![allow(missing_docs, clippy::disallowed_methods)]
use metadata::*;
use storage::{LogDirectory, OpenDirectory, fs::Fs};
#[tokio::main]
async fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let directory = LogDirectory::open(OpenDirectory { fs: Fs::real(), path: dir, open_files_max: 16 }).unwrap();
    let f = directory.flusher(); let g = f.clone();
    let t = std::thread::spawn(move || g.run());
    let begin = std::time::Instant::now();
    let q = Quorum::start(QuorumConfig { node_id: 1, directory_id: protocol::Uuid([7; 16]), endpoints: vec![metadata::quorum::VoterEndpoint{name:"CONTROLLER".into(),host:"localhost".into(),port:9093}], segment_bytes: 8 << 20, bytes_between_snapshots: 1 << 30 }, &directory, |_| {}).await.unwrap();
    println!("start {:?}", begin.elapsed());
    let c = Controller::new(1, Default::default());
    let req = protocol::messages::BrokerRegistrationRequest { broker_id: 1, incarnation_id: protocol::Uuid([3; 16]), log_dirs: vec![protocol::Uuid([7;16])], listeners: vec![protocol::messages::broker_registration_request::Listener{name:"PLAINTEXT".into(),host:"localhost".into(),port:9092,security_protocol:0}], ..Default::default() };
    q.submit(|image| { let (r, mut recs) = c.register_broker(image, &req); recs.push(c.unfence_broker(1, r.broker_epoch)); (r, recs) }).await.unwrap();
    let n: i32 = std::env::args().nth(2).map_or(3, |n| n.parse().unwrap());
    let begin = std::time::Instant::now();
    let name = format!("t{}", q.image().offset());
    let r = q.submit(|image| c.create_topics(image, &protocol::messages::CreateTopicsRequest { topics: vec![protocol::messages::create_topics_request::CreatableTopic { name: name.as_str().into(), num_partitions: n, replication_factor: 1, configs: vec![protocol::messages::create_topics_request::CreatableTopicConfig{name:"retention.ms".into(), value: Some("1000".into())}], ..Default::default() }], ..Default::default() }, || protocol::Uuid(runtime::random::uuid_bytes()))).await.unwrap();
    println!("create {:?} {:?}", begin.elapsed(), r.topics[0].error_code);
    q.submit(|image| c.allocate_producer_ids(image, &protocol::messages::AllocateProducerIdsRequest { broker_id: 1, broker_epoch: image.brokers()[&1].broker_epoch })).await.unwrap();
    q.snapshot().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    q.shutdown().await.unwrap(); drop(q); f.stop(); t.join().unwrap(); directory.close(-1).unwrap();
}
