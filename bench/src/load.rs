//! The load: librdkafka, configured as its own `rdkafka_performance` configures it.

mod end_to_end;
mod marked;
mod native;
mod paced;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, DeliveryResult};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Attempt;
use crate::values::Values;
pub(crate) use end_to_end::{at_once, end_to_end};
pub(crate) use marked::{put, take};
use native::{Batches, ProducerTopic};
pub(crate) use paced::paced;

/// Longer than anything awaited here may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The number of messages after which the limit is checked.
const LOOK_EVERY: usize = 256;

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("reconnect.backoff.ms", "5");
    config
}

fn admin(bootstrap: &str) -> Attempt<AdminClient<DefaultClientContext>> {
    config(bootstrap).create().map_err(|error| format!("no admin client: {error}"))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    // The client answers from a thread of its own and wakes this one.
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

pub(crate) fn create_topic(
    bootstrap: &str,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Attempt<()> {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let options = AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT));
    let answer = wait(admin(bootstrap)?.create_topics([&topic], &options));
    match answer.map_err(|error| format!("no topic: {error}"))?.remove(0) {
        Ok(_) => Ok(()),
        Err((_, code)) => Err(format!("no topic: {code}")),
    }
}

pub(crate) fn delete_topic(bootstrap: &str, name: &str) -> Attempt<()> {
    let options = AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT));
    let answer = wait(admin(bootstrap)?.delete_topics(&[name], &options));
    answer.map(drop).map_err(|error| format!("not deleted: {error}"))
}

/// Reports only failures: a report for each message would cost the client more than the message. It counts
/// the messages that were lost.
#[derive(Default)]
struct Failures(AtomicU64);

impl Failures {
    /// Fails if messages were lost: a rate with losses is meaningless.
    fn check(&self) -> Attempt<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            lost => Err(format!("{lost} messages were lost")),
        }
    }
}

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The messages to produce and consume.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) bootstrap: &'a str,
    pub(crate) topic: &'a str,
    /// They get messages in turn.
    pub(crate) partitions: i32,
    pub(crate) count: usize,
    /// Bytes of a message's value; there is no key.
    pub(crate) size: usize,
    pub(crate) acks: &'a str,
    pub(crate) codec: &'a str,
}

impl Load<'_> {
    fn producer<C: ProducerContext>(
        &self,
        context: C,
        settings: &[(&str, &str)],
    ) -> Attempt<BaseProducer<C>> {
        let mut config = config(self.bootstrap);
        config.set("acks", self.acks).set("compression.codec", self.codec);
        config.set("queue.buffering.max.messages", "1000000").set("queue.buffering.max.kbytes", "1048576");
        config.set("message.timeout.ms", "120000");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let producer = config.create_with_context(context);
        let producer: BaseProducer<C> = producer.map_err(|error| format!("no producer: {error}"))?;
        // The connection and the topic's leader are not part of the measurement.
        let known = producer.client().fetch_metadata(Some(self.topic), LIMIT);
        known.map_err(|error| format!("no metadata: {error}"))?;
        Ok(producer)
    }

    /// A consumer of all partitions from their first offset.
    fn consumer(&self, settings: &[(&str, &str)]) -> Attempt<BaseConsumer> {
        let mut config = config(self.bootstrap);
        // It commits nothing, but librdkafka assigns no partitions without a group.
        config.set("group.id", "unused").set("enable.auto.commit", "false").set("check.crcs", "false");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let consumer: BaseConsumer = config.create().map_err(|error| format!("no consumer: {error}"))?;
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            let added = list.add_partition_offset(self.topic, partition, Offset::Offset(0));
            added.map_err(|error| format!("{error}"))?;
        }
        consumer.assign(&list).map_err(|error| format!("not assigned: {error}"))?;
        Ok(consumer)
    }

    fn partition_of(&self, nth: usize) -> i32 {
        i32::try_from(nth % usize::try_from(self.partitions).expect("some")).expect("a partition")
    }

    /// Produces; returns the seconds from the first send to the last acknowledgement.
    pub(crate) fn produce(&self) -> Attempt<f64> {
        let producer = self
            .producer(Failures::default(), &[("linger.ms", "5"), ("delivery.report.only.error", "true")])?;
        let begun = Instant::now();
        self.send_all(&producer)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Sends all messages, and waits until they are acknowledged.
    fn send_all(&self, producer: &BaseProducer<Failures>) -> Attempt<()> {
        self.queue_all(producer, || false)?;
        producer.flush(LIMIT).map_err(|error| format!("not flushed: {error}"))?;
        producer.context().check()
    }

    /// Gives all messages to the producer, until it is enough.
    fn queue_all<C: ProducerContext<DeliveryOpaque = ()>>(
        &self,
        producer: &BaseProducer<C>,
        is_enough: impl Fn() -> bool,
    ) -> Attempt<()> {
        let topic = ProducerTopic::new(producer, self.topic)?;
        let values = Values::new(self.size);
        for nth in 0..self.count {
            if nth % LOOK_EVERY == 0 && is_enough() {
                break;
            }
            while !topic.send(self.partition_of(nth), values.of(nth))? {
                topic.wait();
                if is_enough() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Consumes as many messages from the start; returns the seconds from the first message to the last.
    pub(crate) fn consume(&self) -> Attempt<f64> {
        let consumer = self.consumer(&[("queued.min.messages", "1000000")])?;
        let mut first = None;
        self.take_all(&consumer, |_| {
            first.get_or_insert_with(Instant::now);
        })?;
        Ok(first.map_or(0.0, |first| first.elapsed().as_secs_f64()))
    }

    /// Takes all messages, many at a time; `each` gets their number. The consumer must not commit: with
    /// messages taken in this way, the answer to a commit ends librdkafka.
    fn take_all(&self, consumer: &BaseConsumer, mut each: impl FnMut(usize)) -> Attempt<()> {
        let mut batches = Batches::new(consumer)?;
        let mut seen = 0;
        while seen < self.count {
            match batches
                .take(self.count - seen)
                .map_err(|error| format!("after {seen} messages: {error}"))?
            {
                0 => return Err(format!("no message after {seen} of {}", self.count)),
                taken => {
                    each(taken);
                    seen += taken;
                }
            }
        }
        Ok(())
    }

    /// Takes all messages, one after another, and looks at each; or until it is enough.
    fn look_at_all(
        &self,
        consumer: &BaseConsumer,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> bool,
    ) -> Attempt<()> {
        for seen in 0..self.count {
            match consumer.poll(LIMIT) {
                Some(Ok(message)) if each(&message) => {}
                Some(Ok(_)) => break,
                Some(Err(error)) => return Err(format!("after {seen} messages: {error}")),
                None => return Err(format!("no message after {seen} of {}", self.count)),
            }
        }
        Ok(())
    }
}

/// Produces one message to a topic that the broker creates for it; waits for the acknowledgement.
pub(crate) fn first_message(bootstrap: &str) -> Attempt<()> {
    let mut config = config(bootstrap);
    config.set("linger.ms", "0").set("acks", "all").set("topic.metadata.refresh.fast.interval.ms", "1");
    config.set("retry.backoff.ms", "1");
    let producer: BaseProducer<Failures> =
        config.create_with_context(Failures::default()).map_err(|error| format!("no producer: {error}"))?;
    let record = BaseRecord::<(), [u8]>::to("first").payload(b"x".as_slice());
    producer.send(record).map_err(|(error, _): (KafkaError, _)| format!("not queued: {error}"))?;
    // A flush checks every 100 ms, which is longer than the time measured here.
    let deadline = Instant::now() + LIMIT;
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
        if Instant::now() > deadline {
            return Err("not acknowledged".to_owned());
        }
    }
    producer.context().check()
}
