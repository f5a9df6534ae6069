//! Messages in and out, with a time noted every so many of them, for the comparison with other kinds of
//! brokers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{Producer, ProducerContext, PurgeConfig};

use super::Load;
use crate::Attempt;
use crate::queue::Marks;

/// Notes each acknowledgement.
struct MarkRecorder(Mutex<Marks>);

impl ClientContext for MarkRecorder {}

impl ProducerContext for MarkRecorder {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.lock().expect("not poisoned").add(1);
        }
    }
}

/// Produces for at most `limit`; a mark counts the acknowledged messages.
pub(crate) fn put(load: &Load<'_>, every: u64, limit: Duration) -> Attempt<Marks> {
    let marks = || Marks::new(every, limit);
    let producer = load.producer(MarkRecorder(Mutex::new(marks())), &[("linger.ms", "5")])?;
    // It started when the producer was created; the measurement starts now.
    *producer.context().0.lock().expect("not poisoned") = marks();
    let is_cut = || producer.context().0.lock().expect("not poisoned").is_cut();
    let sent_all = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Acknowledgements are noted as they arrive.
        scope.spawn(|| {
            while !sent_all.load(Ordering::Relaxed) {
                producer.poll(Duration::from_millis(20));
            }
        });
        let sent = load.queue_all(&producer, is_cut);
        while sent.is_ok() && producer.in_flight_count() > 0 && !is_cut() {
            std::thread::sleep(Duration::from_millis(1));
        }
        sent_all.store(true, Ordering::Relaxed);
        sent
    })?;
    // Messages left after the limit are dropped.
    producer.purge(PurgeConfig::default().queue().inflight());
    let marks = std::mem::replace(&mut *producer.context().0.lock().expect("not poisoned"), marks());
    if marks.seen() != load.count as u64 && !marks.is_cut() {
        return Err(format!("{} of {} were acknowledged", marks.seen(), load.count));
    }
    Ok(marks.finish())
}

/// Consumes and commits every five seconds, as a consumer of a group does; for at most `limit`.
pub(crate) fn take(load: &Load<'_>, every: u64, limit: Duration) -> Attempt<Marks> {
    let settings =
        [("group.id", "classic"), ("enable.auto.commit", "true"), ("queued.min.messages", "1000000")];
    let consumer = load.consumer(&settings)?;
    let mut marks = Marks::new(every, limit);
    load.look_at_all(&consumer, |_| marks.add(1))?;
    Ok(marks.finish())
}
