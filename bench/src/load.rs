//! The load: librdkafka, set as its own `rdkafka_performance` sets it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Attempt;

/// Longer than any run may take.
const LIMIT: Duration = Duration::from_secs(180);

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

pub(crate) fn create_topic(bootstrap: &str, name: &str, settings: &[(&str, &str)]) -> Attempt<()> {
    let mut topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
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

/// Only failures are reported on: a report for each message would cost the client more than the message.
struct Failures;

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            // A rate with losses in it is no rate.
            eprintln!("a message was lost: {error}");
            std::process::exit(1);
        }
    }
}

/// Produces `count` messages of `size` bytes to partition 0; the seconds from the first send to the last
/// acknowledgement.
pub(crate) fn produce(bootstrap: &str, topic: &str, count: usize, size: usize, acks: &str) -> Attempt<f64> {
    let mut config = config(bootstrap);
    config.set("acks", acks).set("linger.ms", "5").set("delivery.report.only.error", "true");
    config.set("queue.buffering.max.messages", "1000000").set("queue.buffering.max.kbytes", "1048576");
    config.set("message.timeout.ms", "120000");
    let producer: BaseProducer<Failures> =
        config.create_with_context(Failures).map_err(|error| format!("no producer: {error}"))?;
    // The connection and the topic's leader are not part of the rate.
    producer.client().fetch_metadata(Some(topic), LIMIT).map_err(|error| format!("no metadata: {error}"))?;
    let value = vec![b'x'; size];
    let begun = Instant::now();
    for _ in 0..count {
        let mut record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(&value);
        while let Err((error, back)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(format!("not queued: {error}"));
            }
            record = back;
            producer.poll(Duration::from_millis(1));
        }
    }
    producer.flush(LIMIT).map_err(|error| format!("not flushed: {error}"))?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Consumes `count` messages of partition 0 from its start; the seconds from the first message to the last.
pub(crate) fn consume(bootstrap: &str, topic: &str, count: usize) -> Attempt<f64> {
    let mut config = config(bootstrap);
    config.set("group.id", "unused").set("enable.auto.commit", "false");
    config.set("queued.min.messages", "1000000").set("check.crcs", "false");
    let consumer: BaseConsumer = config.create().map_err(|error| format!("no consumer: {error}"))?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).map_err(|error| format!("{error}"))?;
    consumer.assign(&list).map_err(|error| format!("not assigned: {error}"))?;
    let mut first = None;
    let mut seen = 0;
    while seen < count {
        match consumer.poll(LIMIT) {
            Some(Ok(_)) => {
                first.get_or_insert_with(Instant::now);
                seen += 1;
            }
            Some(Err(error)) => return Err(format!("after {seen} messages: {error}")),
            None => return Err(format!("no message after {seen} of {count}")),
        }
    }
    Ok(first.map_or(0.0, |first| first.elapsed().as_secs_f64()))
}

/// Round trips, in milliseconds.
pub(crate) struct Latencies(std::sync::Mutex<Vec<f64>>);

impl ClientContext for Latencies {}

impl ProducerContext for Latencies {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Instant>) {
        if result.is_ok() {
            self.0.lock().expect("not poisoned").push(sent.elapsed().as_secs_f64() * 1e3);
        }
    }
}

/// One record a request, `per_second` of them for `seconds`, acks=all; how long each took, in milliseconds, sorted.
pub(crate) fn paced(bootstrap: &str, topic: &str, per_second: u32, seconds: u32) -> Attempt<Vec<f64>> {
    let mut config = config(bootstrap);
    config.set("acks", "all").set("linger.ms", "0").set("batch.num.messages", "1");
    let context = Latencies(std::sync::Mutex::default());
    let producer: BaseProducer<Latencies> =
        config.create_with_context(context).map_err(|error| format!("no producer: {error}"))?;
    producer.client().fetch_metadata(Some(topic), LIMIT).map_err(|error| format!("no metadata: {error}"))?;
    let (value, count) = (vec![b'x'; 100], per_second * seconds);
    let sent_all = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Acknowledgements are taken when they come, not when the next message is due.
        scope.spawn(|| {
            while !sent_all.load(Ordering::Relaxed) {
                producer.poll(Duration::from_millis(20));
            }
        });
        let begun = Instant::now();
        for nth in 0..count {
            let due = begun + Duration::from_secs(1) * nth / per_second;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let record = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(Instant::now()));
            let sent = producer.send(record.partition(0).payload(&value));
            sent.map_err(|(error, _)| format!("not queued: {error}"))?;
        }
        let flushed = producer.flush(LIMIT).map_err(|error| format!("not flushed: {error}"));
        sent_all.store(true, Ordering::Relaxed);
        flushed
    })?;
    let mut all = std::mem::take(&mut *producer.context().0.lock().expect("not poisoned"));
    if all.len() != count as usize {
        return Err(format!("{} of {count} were acknowledged", all.len()));
    }
    all.sort_by(f64::total_cmp);
    Ok(all)
}

/// Produces one message to a topic that the broker creates for it; waits for the acknowledgement.
pub(crate) fn first_message(bootstrap: &str) -> Attempt<()> {
    let mut config = config(bootstrap);
    config.set("linger.ms", "0").set("acks", "all").set("topic.metadata.refresh.fast.interval.ms", "1");
    config.set("retry.backoff.ms", "1");
    let producer: BaseProducer<Failures> =
        config.create_with_context(Failures).map_err(|error| format!("no producer: {error}"))?;
    let record = BaseRecord::<(), [u8]>::to("first").payload(b"x".as_slice());
    producer.send(record).map_err(|(error, _): (KafkaError, _)| format!("not queued: {error}"))?;
    // A flush looks every 100 ms, which is longer than what is measured here.
    let deadline = Instant::now() + LIMIT;
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
        if Instant::now() > deadline {
            return Err("not acknowledged".to_owned());
        }
    }
    Ok(())
}
