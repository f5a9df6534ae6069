//! Messages in and out with the time of every so many of them, for the comparison with other kinds of brokers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::Load;
use crate::Attempt;
use crate::queue::Marks;

/// Notes each acknowledgement.
struct Marked(Mutex<Marks>);

impl ClientContext for Marked {}

impl ProducerContext for Marked {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.lock().expect("not poisoned").add(1);
        }
    }
}

/// Produces; a mark counts what was acknowledged.
pub(crate) fn put(load: &Load<'_>, every: u64) -> Attempt<Marks> {
    let producer = load.producer(Marked(Mutex::new(Marks::new(every))), &[("linger.ms", "5")])?;
    // It began when the producer was made; what counts begins now.
    *producer.context().0.lock().expect("not poisoned") = Marks::new(every);
    let sent_all = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Acknowledgements are noted when they come.
        scope.spawn(|| poll_until(&producer, &sent_all));
        let sent = load.send_all(&producer);
        sent_all.store(true, Ordering::Relaxed);
        sent
    })?;
    let marks =
        std::mem::replace(&mut *producer.context().0.lock().expect("not poisoned"), Marks::new(every));
    if marks.seen() != load.count as u64 {
        return Err(format!("{} of {} were acknowledged", marks.seen(), load.count));
    }
    Ok(marks)
}

fn poll_until(producer: &BaseProducer<Marked>, sent_all: &AtomicBool) {
    while !sent_all.load(Ordering::Relaxed) {
        producer.poll(Duration::from_millis(20));
    }
}

/// Consumes and commits, as a consumer of a group does, every five seconds.
pub(crate) fn take(load: &Load<'_>, every: u64) -> Attempt<Marks> {
    let settings =
        [("group.id", "classic"), ("enable.auto.commit", "true"), ("queued.min.messages", "1000000")];
    let consumer = load.consumer(&settings)?;
    let mut marks = Marks::new(every);
    load.take_all(&consumer, |_| marks.add(1))?;
    Ok(marks)
}
