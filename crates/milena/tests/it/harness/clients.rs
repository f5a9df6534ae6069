//! Kafka's C client, wrapped so that a test reads as what it shows.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message, OwnedMessage};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The longest that a call to a broker on this machine may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

fn config(bootstrap: &str, extra: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    // A broker that comes back is found again at once.
    config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
    for (name, value) in extra {
        config.set(*name, *value);
    }
    config
}

/// Waits for an answer of the admin client.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

pub(crate) fn admin(bootstrap: &str) -> AdminClient<DefaultClientContext> {
    config(bootstrap, &[]).create().expect("an admin client")
}

pub(crate) fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT))
}

/// Creates one topic; the error is Kafka's.
pub(crate) fn try_create_topic(
    bootstrap: &str,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Result<(), RDKafkaErrorCode> {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    create(bootstrap, &topic, &admin_options())
}

/// Creates the topic as described; the error is Kafka's.
pub(crate) fn create(
    bootstrap: &str,
    topic: &NewTopic<'_>,
    options: &AdminOptions,
) -> Result<(), RDKafkaErrorCode> {
    let answers = block_on(admin(bootstrap).create_topics([topic], options)).expect("an answer");
    assert_eq!(answers.len(), 1);
    answers.into_iter().next().expect("one").map(drop).map_err(|(_, code)| code)
}

/// Creates a topic that nothing speaks against, and gives its name back.
pub(crate) fn create_topic(
    bootstrap: &str,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> String {
    let name = super::unique(name);
    try_create_topic(bootstrap, &name, partitions, settings).expect("a topic");
    name
}

/// The outcome of one message.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The number that the test gave to the message.
    pub(crate) id: usize,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) error: Option<RDKafkaErrorCode>,
}

/// Delivery reports in the order in which they came.
#[derive(Default)]
pub(crate) struct Reports(Mutex<Vec<Report>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, id: usize) {
        let (message, error) = match result {
            Ok(message) => (message, None),
            Err((error, message)) => (message, Some(error.rdkafka_error_code().expect("Kafka's code"))),
        };
        let report = Report { id, partition: message.partition(), offset: message.offset(), error };
        self.0.lock().expect("not poisoned").push(report);
    }
}

/// A producer that polls in a thread of its own and keeps every delivery report.
pub(crate) struct Producer(ThreadedProducer<Reports>);

impl Producer {
    pub(crate) fn new(bootstrap: &str, extra: &[(&str, &str)]) -> Producer {
        let mut config = config(bootstrap, &[("linger.ms", "2"), ("message.timeout.ms", "60000")]);
        for (name, value) in extra {
            config.set(*name, *value);
        }
        Producer(config.create_with_context(Reports::default()).expect("a producer"))
    }

    /// Sends `record`, waiting while the queue is full.
    pub(crate) fn send_record(&self, record: BaseRecord<'_, [u8], [u8], usize>) -> Result<(), KafkaError> {
        let mut record = record;
        loop {
            match self.0.send(record) {
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(1));
                }
                other => return other.map_err(|(error, _)| error),
            }
        }
    }

    /// Sends message `id` with its key and payload (see [`payload`]) to one partition.
    pub(crate) fn send(&self, topic: &str, partition: i32, id: usize, size: usize) {
        let key = format!("k{id}");
        let payload = payload(id, size);
        let record = BaseRecord::with_opaque_to(topic, id)
            .partition(partition)
            .key(key.as_bytes())
            .payload(payload.as_slice());
        self.send_record(record).expect("queued");
    }

    /// Waits until every message has been reported on; the reports in order of id.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.0.flush(Duration::from_secs(60)).expect("every message reported on");
        let mut reports = self.0.context().0.lock().expect("not poisoned").clone();
        reports.sort_by_key(|report| report.id);
        reports
    }

    /// Waits until every message was acknowledged; the reports in order of id.
    pub(crate) fn acknowledged(&self) -> Vec<Report> {
        let reports = self.reports();
        let failed = reports.iter().find(|report| report.error.is_some());
        assert!(failed.is_none(), "not acknowledged: {failed:?}");
        reports
    }

    /// The error after which this producer can do nothing more.
    pub(crate) fn fatal_error(&self) -> Option<RDKafkaErrorCode> {
        self.0.client().fatal_error().map(|(code, _)| code)
    }
}

/// The bytes of message `id`: its number, then noise that depends on nothing else. `size` includes the number.
pub(crate) fn payload(id: usize, size: usize) -> Vec<u8> {
    let mut bytes = format!("{id}:").into_bytes();
    let mut noise = fastrand::Rng::with_seed(id as u64);
    while bytes.len() < size {
        // Few symbols, so that every codec has something to compress.
        bytes.push(b"abcdefgh"[noise.usize(..8)]);
    }
    bytes
}

/// The number of a message made by [`payload`].
pub(crate) fn id_of(payload: &[u8]) -> usize {
    let digits = payload.split(|byte| *byte == b':').next().expect("a number first");
    std::str::from_utf8(digits).expect("digits").parse().expect("a number")
}

pub(crate) fn consumer(bootstrap: &str, group: &str, extra: &[(&str, &str)]) -> BaseConsumer {
    consumer_config(bootstrap, group, extra).create().expect("a consumer")
}

pub(crate) fn consumer_config(bootstrap: &str, group: &str, extra: &[(&str, &str)]) -> ClientConfig {
    let mut config = config(bootstrap, &[("group.id", group), ("auto.offset.reset", "earliest")]);
    config.set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    config.set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "200");
    config.set("allow.auto.create.topics", "false");
    for (name, value) in extra {
        config.set(*name, *value);
    }
    config
}

/// A consumer without a group that reads one partition from `offset`.
pub(crate) fn reader(bootstrap: &str, topic: &str, partition: i32, offset: Offset) -> BaseConsumer {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).expect("an offset");
    // Assigning asks for a group's name even where no group is used.
    let settings = [("check.crcs", "true"), ("fetch.wait.max.ms", "50")];
    let consumer = consumer(bootstrap, "unused", &settings);
    consumer.assign(&list).expect("assigned");
    consumer
}

/// Polls until `count` messages have come.
pub(crate) fn take(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let mut messages = Vec::new();
    let deadline = Instant::now() + LIMIT;
    while messages.len() < count {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => messages.push(message.detach()),
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => panic!("after {} of {count} messages: {error}", messages.len()),
        }
        assert!(Instant::now() < deadline, "{} of {count} messages in {LIMIT:?}", messages.len());
    }
    messages
}

/// All of one partition, from its start to its end now.
pub(crate) fn read_all(bootstrap: &str, topic: &str, partition: i32) -> Vec<OwnedMessage> {
    let consumer = reader(bootstrap, topic, partition, Offset::Beginning);
    read_to_end(&consumer, 1)
}

/// All of the partitions 0..`partitions` of one topic, each from its start to its end now.
pub(crate) fn read_partitions(bootstrap: &str, topic: &str, partitions: i32) -> Vec<Vec<OwnedMessage>> {
    let consumer = reader(bootstrap, topic, 0, Offset::Beginning);
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    list.set_all_offsets(Offset::Beginning).expect("offsets");
    consumer.assign(&list).expect("assigned");
    let mut by_partition: Vec<_> = (0..partitions).map(|_| Vec::new()).collect();
    for message in read_to_end(&consumer, by_partition.len()) {
        by_partition[usize::try_from(message.partition()).expect("not negative")].push(message);
    }
    by_partition
}

/// Polls until the end of so many partitions was reached.
fn read_to_end(consumer: &BaseConsumer, partitions: usize) -> Vec<OwnedMessage> {
    let mut messages = Vec::new();
    let mut ends = BTreeSet::new();
    let deadline = Instant::now() + LIMIT * 3;
    while ends.len() < partitions {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => messages.push(message.detach()),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ends.insert(partition)),
            // A broker that is on its way back.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
            )))
            | None => {}
            Some(Err(error)) => panic!("after {} messages: {error}", messages.len()),
        }
        assert!(Instant::now() < deadline, "no end after {} messages", messages.len());
    }
    messages
}

/// The numbers of the messages, see [`payload`].
pub(crate) fn ids(messages: &[OwnedMessage]) -> Vec<usize> {
    messages.iter().map(|message| id_of(message.payload().expect("a payload"))).collect()
}

/// (low, high) of one partition.
pub(crate) fn watermarks(bootstrap: &str, topic: &str, partition: i32) -> (i64, i64) {
    let consumer = consumer(bootstrap, "unused", &[]);
    consumer.fetch_watermarks(topic, partition, LIMIT).expect("watermarks")
}
