//! RecordSender, and waiting for the acknowledgements.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use client::Producer;
use client::producer::{Delivery, NewRecord, ProduceError, SendError};
use runtime::clock::Instant;
use runtime::task::{self, JoinHandle};
use tokio::sync::mpsc;

use super::Load;
use super::pace::{Pace, Values};
use super::summary::{Latencies, Summary, rates};
use crate::connect::explain;
use crate::failure::Failure;
use crate::output::Progress;

/// The acknowledgements so far.
struct Tally {
    latencies: Latencies,
    failure: Option<ProduceError>,
}

/// Sends records to the partitions in turn and collects their acknowledgements.
pub(super) struct RecordSender {
    producer: Producer,
    tally: Arc<Mutex<Tally>>,
    /// The deliveries in flight, by partition: batches of one are acknowledged in order, whatever the others
    /// do.
    under_way: Vec<mpsc::UnboundedSender<(Instant, Delivery)>>,
    settling: Vec<JoinHandle<()>>,
}

impl RecordSender {
    pub(super) fn new(load: &Load) -> RecordSender {
        let tally = Arc::new(Mutex::new(Tally { latencies: Latencies::new(), failure: None }));
        let (mut under_way, mut settling) = (Vec::new(), Vec::new());
        for _ in &load.partitions {
            let (sender, receiver) = mpsc::unbounded_channel();
            under_way.push(sender);
            settling.push(task::spawn(settle(receiver, Arc::clone(&tally))));
        }
        let producer = Producer::new(load.cluster.clone(), load.options.clone());
        RecordSender { producer, tally, under_way, settling }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().expect("no holder panics")
    }

    /// Sends the n-th record, which was due at `due`.
    pub(super) async fn send(
        &self,
        load: &Load,
        nth: u64,
        value: &[u8],
        due: Instant,
    ) -> Result<(), Failure> {
        let at = usize::try_from(nth % load.partitions.len() as u64).expect("one of the partitions");
        let record = NewRecord {
            topic: &load.topic,
            partition: Some(load.partitions[at]),
            value: Some(value),
            ..NewRecord::default()
        };
        let delivery = self.producer.send(&record).await.map_err(|error| match error {
            SendError::Cluster(error) => explain(&error),
            error @ SendError::TooLarge { .. } => Failure::new(error.to_string()),
        })?;
        // The receiver lives as long as this sender.
        let _ = self.under_way[at].send((due, delivery));
        Ok(())
    }

    /// Fails if a record was not delivered: further ones would only fail as well.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let tally = self.tally();
        let Some(error) = &tally.failure else { return Ok(()) };
        let delivered = tally.latencies.count();
        Err(Failure::new(format!("{delivered} records were delivered; then one was {error}")))
    }

    /// Waits for all acknowledgements, and returns their latencies.
    pub(super) async fn finish(mut self) -> Result<Latencies, Failure> {
        self.producer.flush().await;
        self.under_way.clear();
        for settling in std::mem::take(&mut self.settling) {
            settling.await.expect("settling does not panic");
        }
        self.check()?;
        let latencies = self.tally().latencies.clone();
        Ok(latencies)
    }
}

impl Drop for RecordSender {
    fn drop(&mut self) {
        for settling in &self.settling {
            settling.abort();
        }
    }
}

async fn settle(mut under_way: mpsc::UnboundedReceiver<(Instant, Delivery)>, tally: Arc<Mutex<Tally>>) {
    while let Some((due, delivery)) = under_way.recv().await {
        let outcome = delivery.settled().await;
        let mut tally = tally.lock().expect("no holder panics");
        match outcome {
            Ok(_) => tally.latencies.add(due.elapsed()),
            Err(error) => drop(tally.failure.get_or_insert(error)),
        }
    }
}

pub(super) async fn run(load: &Load, what: &'static str) -> Result<Summary, Failure> {
    let sending = RecordSender::new(load);
    let values = Values::new(load.size);
    let mut pace = Pace::new(load.throughput);
    let mut progress = Progress::new(false);
    for nth in 0..load.records {
        let due = pace.due(nth).await;
        sending.send(load, nth, values.of(nth), due).await?;
        if nth % 1_024 == 0 || load.throughput.is_some() {
            sending.check()?;
            progress.show(|elapsed| state(&sending, load, what, elapsed));
        }
    }
    let latencies = sending.finish().await?;
    drop(progress);
    Ok(Summary {
        what,
        topic: load.topic.clone(),
        records: load.records,
        bytes: load.records * load.size as u64,
        elapsed: pace.elapsed(),
        latencies: Some(latencies),
    })
}

fn state(sending: &RecordSender, load: &Load, what: &str, elapsed: Duration) -> String {
    let tally = sending.tally();
    let records = tally.latencies.count();
    let (rate, megabytes) = rates(records, records * load.size as u64, elapsed);
    let p99_ms = tally.latencies.percentile_ms(99.0);
    let all = load.records;
    format!(
        "{records} of {all} records {what}, {rate:.0} a second, {megabytes:.1} MB a second, p99 {p99_ms:.1} ms"
    )
}
