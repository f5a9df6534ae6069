//! librdkafka's cheapest calls, which `rdkafka_performance` uses, too: through the safe ones the client takes
//! as long for a message of 100 bytes as it takes to send and write it, and all brokers look alike.
#![allow(unsafe_code, reason = "these calls of librdkafka have no safe binding")]

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_last_error, rd_kafka_message_destroy, rd_kafka_produce,
    rd_kafka_queue_destroy, rd_kafka_queue_get_consumer, rd_kafka_topic_destroy, rd_kafka_topic_new,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::{RDKafkaMessage, RDKafkaQueue, RDKafkaTopic};

use super::LIMIT;
use crate::Attempt;

/// Messages taken at once, as many as `rdkafka_performance` takes.
const BATCH: usize = 1_000;

/// A producer's topic, looked up once instead of for each message.
pub(super) struct ProducerTopic<'a, C: ProducerContext<DeliveryOpaque = ()>> {
    producer: &'a BaseProducer<C>,
    topic: *mut RDKafkaTopic,
}

impl<'a, C: ProducerContext<DeliveryOpaque = ()>> ProducerTopic<'a, C> {
    pub(super) fn new(producer: &'a BaseProducer<C>, name: &str) -> Attempt<Self> {
        let name = CString::new(name).map_err(|error| format!("no topic: {error}"))?;
        // SAFETY: the client lives as long as the borrow, the name is copied, and no configuration is allowed.
        let topic =
            unsafe { rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() { Err("no topic".to_owned()) } else { Ok(ProducerTopic { producer, topic }) }
    }

    /// Queues a message. Returns `false` if the queue is full.
    pub(super) fn send(&self, partition: i32, value: &'static [u8]) -> Attempt<bool> {
        let payload = value.as_ptr().cast_mut().cast();
        // SAFETY: the topic is alive; without a flag the payload is neither changed, copied nor freed, and it is
        // static; there is no key, and the opaque pointer of () is null.
        let result = unsafe {
            rd_kafka_produce(self.topic, partition, 0, payload, value.len(), ptr::null(), 0, ptr::null_mut())
        };
        if result == 0 {
            return Ok(true);
        }
        // SAFETY: it reads what the last call on this thread left.
        match RDKafkaErrorCode::from(unsafe { rd_kafka_last_error() }) {
            RDKafkaErrorCode::QueueFull => Ok(false),
            error => Err(format!("not queued: {error}")),
        }
    }

    /// Waits a little for space in the queue.
    pub(super) fn wait(&self) {
        self.producer.poll(Duration::from_millis(1));
    }
}

impl<C: ProducerContext<DeliveryOpaque = ()>> Drop for ProducerTopic<'_, C> {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once; messages in the queue hold the topic themselves.
        unsafe { rd_kafka_topic_destroy(self.topic) };
    }
}

/// Takes messages from a consumer, many at a time.
pub(super) struct Batches<'a> {
    /// It must outlive the queue.
    _consumer: &'a BaseConsumer,
    queue: *mut RDKafkaQueue,
    messages: Vec<*mut RDKafkaMessage>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(consumer: &'a BaseConsumer) -> Attempt<Self> {
        // SAFETY: the client lives as long as the borrow.
        let queue = unsafe { rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        if queue.is_null() {
            return Err("no queue of messages".to_owned());
        }
        Ok(Batches { _consumer: consumer, queue, messages: vec![ptr::null_mut(); BATCH] })
    }

    /// Takes the next messages, and returns their number. The call waits until it has as many as it may take,
    /// so it takes no more than are `left`.
    pub(super) fn take(&mut self, left: usize) -> Attempt<usize> {
        let room = left.min(BATCH);
        let limit_ms = i32::try_from(LIMIT.as_millis()).expect("some minutes");
        // SAFETY: the queue is alive, and the array has space for as many.
        let taken =
            unsafe { rd_kafka_consume_batch_queue(self.queue, limit_ms, self.messages.as_mut_ptr(), room) };
        let taken = usize::try_from(taken).map_err(|_| "no message could be taken".to_owned())?;
        let mut failed = None;
        for message in &self.messages[..taken] {
            // SAFETY: so many messages were returned, each is destroyed once and not used afterwards.
            unsafe {
                if (**message).err as i32 != 0 {
                    failed = Some(KafkaError::MessageConsumption((**message).err.into()));
                }
                rd_kafka_message_destroy(*message);
            }
        }
        failed.map_or(Ok(taken), |error| Err(error.to_string()))
    }
}

impl Drop for Batches<'_> {
    fn drop(&mut self) {
        // SAFETY: got by `new`, given back once.
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}
