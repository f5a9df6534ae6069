//! Producing and consuming at once.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer};

use super::{Failures, LIMIT, Load, paced};
use crate::Attempt;
use crate::schedule::{Schedule, histogram};
use crate::values::Values;

/// Time for the consumer's first fetch to reach the broker.
const SETTLE: Duration = Duration::from_millis(300);

/// Produces as fast as possible while another client consumes the same; returns the seconds from the first
/// send to the last message.
pub(crate) fn at_once(load: &Load<'_>) -> Attempt<f64> {
    let producer =
        load.producer(Failures::default(), &[("linger.ms", "5"), ("delivery.report.only.error", "true")])?;
    let consumer = load.consumer(&[("queued.min.messages", "1000000")])?;
    std::thread::scope(|scope| {
        let consuming = scope.spawn(|| load.take_all(&consumer, |_| ()).map(|()| Instant::now()));
        std::thread::sleep(SETTLE);
        let begun = Instant::now();
        load.send_all(&producer)?;
        let ended = consuming.join().expect("a consumer does not panic")?;
        Ok((ended - begun).as_secs_f64())
    })
}

/// Produces `per_second` messages a second while another client consumes them; returns the time of each from
/// when it was due until it arrived.
pub(crate) fn end_to_end(load: &Load<'_>, per_second: u64, single: bool) -> Attempt<Histogram<u64>> {
    let mut settings = paced::settings(single).to_vec();
    settings.push(("delivery.report.only.error", "true"));
    let producer = load.producer(Failures::default(), &settings)?;
    let consumer = load.consumer(&[("fetch.wait.max.ms", "500"), ("fetch.min.bytes", "1")])?;
    let epoch = Instant::now();
    std::thread::scope(|scope| {
        let consuming = scope.spawn(|| {
            let mut latencies = histogram();
            let taken = load.look_at_all(&consumer, |message| {
                let due = message.payload().and_then(|value| value.first_chunk());
                let due = u64::from_be_bytes(*due.expect("each message begins with when it was due"));
                let now = u64::try_from(epoch.elapsed().as_nanos()).expect("not for centuries");
                latencies.saturating_record(now.saturating_sub(due));
                true
            });
            taken.map(|()| latencies)
        });
        std::thread::sleep(SETTLE);
        let mut value = Values::new(load.size.max(8)).of(0).to_vec();
        let schedule = Schedule::new(per_second);
        for nth in 0..load.count {
            let due = schedule.wait(nth as u64).duration_since(epoch);
            value[..8].copy_from_slice(&u64::try_from(due.as_nanos()).expect("a time").to_be_bytes());
            let record = BaseRecord::<(), [u8]>::to(load.topic).partition(load.partition_of(nth));
            let sent = producer.send(record.payload(value.as_slice()));
            sent.map_err(|(error, _)| format!("not queued: {error}"))?;
        }
        producer.flush(LIMIT).map_err(|error| format!("not flushed: {error}"))?;
        producer.context().check()?;
        consuming.join().expect("a consumer does not panic")
    })
}
