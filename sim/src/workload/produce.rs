//! A producer with acks=all that never sends the same record twice.

use std::sync::Arc;
use std::time::Duration;

use client::Producer;
use client::producer::{NewRecord, ProduceError, ProducerOptions};
use fastrand::Rng;
use runtime::{clock, task};
use tokio::sync::watch;

use crate::history::{Fate, History, SentRecord};
use crate::run;
use crate::swarm::Swarm;
use crate::workload::TOPIC;

/// Sends until it is stopped; returns when the fate of all records is known.
pub(super) async fn run(
    producer: u32,
    swarm: Swarm,
    history: Arc<History>,
    mut chance: Rng,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let options = ProducerOptions {
        linger: Duration::from_millis(chance.u64(..10)),
        batch_bytes: 1 << chance.u32(8..15),
        delivery_timeout: Duration::from_secs(120),
        create_topics: false,
        ..ProducerOptions::default()
    };
    let sending = Producer::new(run::connect().await?, options);
    let mut settling = Vec::new();
    let mut number = 0;
    while !*stopping.borrow() {
        let partition = chance.i32(0..swarm.partitions);
        let value = value(producer, number, partition, chance.usize(..swarm.value_bytes_max));
        let record = NewRecord {
            topic: TOPIC,
            partition: Some(partition),
            value: Some(&value),
            ..NewRecord::default()
        };
        match sending.send(&record).await {
            Ok(delivery) => {
                let (history, sent) =
                    (Arc::clone(&history), move |fate| SentRecord { partition, producer, number, fate });
                settling.push(task::spawn(async move {
                    let fate = match delivery.settled().await {
                        Ok(acknowledged) => Fate::Acknowledged(acknowledged.offset),
                        Err(ProduceError::Failed { may_be_delivered: false, cause, .. }) => {
                            tracing::info!("refused: {cause}");
                            Fate::Refused
                        }
                        Err(_) => Fate::Unknown,
                    };
                    history.sent(value, sent(fate));
                }));
            }
            // It was not accepted, so it is nowhere.
            Err(error) => {
                tracing::info!("not accepted: {error}");
                history.sent(value, SentRecord { partition, producer, number, fate: Fate::Refused });
            }
        }
        number += 1;
        let pause = if chance.u32(..20) == 0 { chance.u64(..500) } else { chance.u64(..20) };
        clock::sleep(Duration::from_millis(pause)).await;
    }
    sending.flush().await;
    for settled in settling {
        settled.await.map_err(|error| format!("a delivery: {error}"))?;
    }
    Ok(())
}

/// A value that no other record has.
fn value(producer: u32, number: u64, partition: i32, filler_bytes: usize) -> Vec<u8> {
    let mut value = format!("{producer}:{number}:{partition}:").into_bytes();
    // Not all bytes are the same, so that a block in the wrong place shows.
    value.extend((0..filler_bytes).map(|index| (index as u64 * 31 + number) as u8));
    value
}
