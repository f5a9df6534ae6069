//! Messages sent when they are due, and how long their acknowledgement takes.

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
pub(crate) struct Acknowledged(Mutex<Histogram<u64>>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, due: Box<Instant>) {
        if result.is_ok() {
            record(&mut self.0.lock().expect("not poisoned"), *due);
        }
    }
}

/// What a librdkafka that waits for nothing is told, with one record a request or with what has gathered meanwhile.
pub(super) fn settings(single: bool) -> &'static [(&'static str, &'static str)] {
    const SETTINGS: [(&str, &str); 2] = [("linger.ms", "0"), ("batch.num.messages", "1")];
    if single { &SETTINGS } else { &SETTINGS[..1] }
}

/// Produces `per_second` messages a second; how long each took to be acknowledged.
pub(crate) fn paced(load: &Load<'_>, per_second: u64, single: bool) -> Attempt<Histogram<u64>> {
    let producer = load.producer(Acknowledged(Mutex::new(histogram())), settings(single))?;
    let sent_all = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Acknowledgements are taken when they come, not when the next message is due.
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

fn send(load: &Load<'_>, producer: &BaseProducer<Acknowledged>, per_second: u64) -> Attempt<()> {
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
