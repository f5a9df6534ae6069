//! Clients of the quorum: each writes its own keys, and reads those of all.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use metadata::quorum::SubmitError;
use metadata::{ConfigResource, Image, MetadataRecord, ResourceType};
use protocol::records::ConfigRecord;
use runtime::{clock, sim};
use tokio::sync::watch;

use super::ledger::{Fate, Ledger};
use super::links::Links;

/// The keys of a client.
const KEYS: u64 = 4;

/// The time that a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client that writes when everything is healed.
const LAST: u32 = 99;

/// The setting that is a key of a client.
pub(crate) fn key(client: u32, number: u64) -> String {
    format!("client-{client}-{}", number % KEYS)
}

fn value(client: u32, number: u64) -> String {
    format!("<{client}:{number}>")
}

/// The values in the bytes of a batch.
pub(crate) fn values_in(bytes: &[u8]) -> Vec<String> {
    let parts = bytes.split(|byte| *byte == b'<').skip(1);
    let values = parts.filter_map(|part| {
        let len = part.iter().position(|byte| *byte == b'>')?;
        let text = std::str::from_utf8(&part[..len]).ok()?;
        let is_value = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        is_value.then(|| format!("<{text}>"))
    });
    values.collect()
}

fn resource() -> ConfigResource {
    ConfigResource { resource_type: ResourceType::Broker, name: "1".into() }
}

fn record(name: &str, value: &str) -> MetadataRecord {
    let record = ConfigRecord {
        resource_type: ResourceType::Broker as i8,
        resource_name: "1".into(),
        name: name.into(),
        value: Some(value.into()),
    };
    record.into()
}

/// The number of the write that a value is of.
pub(crate) fn number_of(image: &Image, key: &str) -> Option<u64> {
    let value = image.configs(&resource()).get(key)?;
    value.trim_matches(['<', '>']).split_once(':')?.1.parse().ok()
}

/// Works until the faults end.
pub(crate) async fn work(
    client: u32,
    links: Arc<Links>,
    ledger: Arc<Ledger>,
    mut chance: Rng,
    stopping: watch::Receiver<bool>,
) {
    let mut number = 0;
    while !*stopping.borrow() {
        let node = chance.i32(1..=links.nodes());
        if chance.u32(..4) == 0 {
            read(node, &links, &ledger).await;
        } else {
            number += 1;
            let extra = if chance.u32(..5) == 0 { chance.usize(1..6) } else { 0 };
            write(client, number, extra, node, &links, &ledger).await;
        }
        clock::sleep(Duration::from_millis(chance.u64(1..60))).await;
    }
}

/// Writes a value, alone or with others in one decision; returns its offset if it is acknowledged.
async fn write(
    client: u32,
    number: u64,
    extra: usize,
    node: i32,
    links: &Arc<Links>,
    ledger: &Arc<Ledger>,
) -> Option<i64> {
    let (host, quorum) = links.at(node)?;
    let (key, value) = (key(client, number), value(client, number));
    let mut records = vec![record(&key, &value)];
    records.extend((0..extra).map(|at| record(&format!("extra-{client}-{at}"), &value)));
    let is_alone = records.len() == 1;
    // The answer is to build on every write before it: a decision counts them.
    let mut writing = host.spawn(async move {
        quorum
            .submit(|image| {
                let before = number_of(image, &key);
                (before, records.clone())
            })
            .await
    });
    let answered = clock::timeout(PATIENCE, &mut writing).await;
    // Nobody waits for it any more: it must not come after the next one.
    writing.abort();
    let fate = match answered {
        Ok(Ok(Ok(decided))) => Fate::Acknowledged { offset: decided.offset, is_alone },
        Ok(Ok(Err(SubmitError::NotLeader { .. } | SubmitError::DiskFull))) => Fate::Refused,
        Ok(Ok(Err(SubmitError::Contradiction(error)))) => {
            ledger.wrong(format!("{value} contradicts the state: {error}"));
            Fate::Unknown
        }
        // It may have been written: it is lost with the process, or without a majority.
        _ => Fate::Unknown,
    };
    sim::note(format_args!("client {client}: {value} at voter {node}: {fate:?}"));
    ledger.written(&self::key(client, number), number, &self::value(client, number), fate);
    match fate {
        Fate::Acknowledged { offset, .. } => Some(offset),
        _ => None,
    }
}

/// Reads all keys from a node that says that it leads: it has every write that was acknowledged before.
async fn read(node: i32, links: &Arc<Links>, ledger: &Arc<Ledger>) {
    let Some((host, quorum)) = links.at(node) else { return };
    let expected = ledger.acknowledged();
    let reading = host.spawn(async move {
        let confirmed = quorum.confirm_office().await;
        confirmed.map(|()| quorum.image())
    });
    let Ok(Ok(Ok(image))) = clock::timeout(PATIENCE, reading).await else { return };
    ledger.count(|counts| counts.reads += 1);
    for (key, number) in expected {
        let found = number_of(&image, &key);
        if found < Some(number) {
            ledger
                .wrong(format!("voter {node} leads and reads {found:?} of {key}, which was {number} before"));
        }
    }
}

/// Writes one more value, whoever leads; returns its offset.
pub(crate) async fn write_last(links: &Arc<Links>, ledger: &Arc<Ledger>) -> Option<i64> {
    for node in 1..=links.nodes() {
        let number = ledger.next_number();
        if let Some(offset) = write(LAST, number, 0, node, links, ledger).await {
            return Some(offset);
        }
    }
    None
}
