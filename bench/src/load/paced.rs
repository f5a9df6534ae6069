//! Messages sent when they are due, and the latency of their acknowledgements.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rdkafka::client::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::{LIMIT, Load};
use crate::Attempt;
use crate::schedule::{Schedule, histogram, record};
use crate::values::Values;

/// Times from when a message was due to its acknowledgement, in ns.
pub(crate) struct AckLatencies(Mutex<Histogram<u64>>);

impl ClientContext for AckLatencies {}

impl ProducerContext for AckLatencies {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, due: Box<Instant>) {
        if result.is_ok() {
            record(&mut self.0.lock().expect("not poisoned"), *due);
        }
    }
}

/// librdkafka's settings without lingering: one record a request, or as many as gathered meanwhile.
pub(super) fn settings(single: bool) -> &'static [(&'static str, &'static str)] {
    const SETTINGS: [(&str, &str); 2] = [("linger.ms", "0"), ("batch.num.messages", "1")];
    if single { &SETTINGS } else { &SETTINGS[..1] }
}

/// Produces `per_second` messages a second; returns the latencies of their acknowledgements.
pub(crate) fn paced(load: &Load<'_>, per_second: u64, single: bool) -> Attempt<Histogram<u64>> {
    let producer = load.producer(AckLatencies(Mutex::new(histogram())), settings(single))?;
    let sent_all = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Acknowledgements are taken as they arrive, not when the next message is due.
        scope.spawn(|| {
            while !sent_all.load(Ordering::Relaxed) {
                producer.poll(Duration::from_millis(20));
            }
        });
        let sent = send(load, &producer, per_second);
        let flushed = producer.flush(LIMIT).map_err(|error| format!("not flushed: {error}"));
        sent_all.store(true, Ordering::Relaxed);
        sent.and(flushed)
    })?;
    let latencies = std::mem::replace(&mut *producer.context().0.lock().expect("not poisoned"), histogram());
    if latencies.len() != load.count as u64 {
        return Err(format!("{} of {} were acknowledged", latencies.len(), load.count));
    }
    Ok(latencies)
}

fn send(load: &Load<'_>, producer: &BaseProducer<AckLatencies>, per_second: u64) -> Attempt<()> {
    let values = Values::new(load.size);
    let schedule = Schedule::new(per_second);
    for nth in 0..load.count {
        let due = schedule.wait(nth as u64);
        let record = BaseRecord::<(), [u8], _>::with_opaque_to(load.topic, Box::new(due));
        let record = record.partition(load.partition_of(nth)).payload(values.of(nth));
        producer.send(record).map_err(|(error, _)| format!("not queued: {error}"))?;
    }
    Ok(())
}
