//! The knowledge of what must be so: what is committed, who leads, what clients were told. Every look at a voter is
//! compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use metadata::Image;
use metadata::quorum::{LogPart, VoterId};
use parking_lot::Mutex;

use super::client;
use super::id;
use super::voter::Voter;

/// Bytes that are read of a log at once.
const READ_BYTES: usize = 64 << 10;

/// The fate of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is there for good; its record is at the offset if it was decided alone.
    Acknowledged { offset: i64, is_alone: bool },
    /// It is nowhere.
    Refused,
    /// It may be there.
    Unknown,
}

/// How far the log of a voter was compared.
#[derive(Clone, Copy, Debug)]
struct Comparison {
    boot: u64,
    offset: i64,
    epoch: i32,
}

/// A committed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CommittedBatch {
    next_offset: i64,
    epoch: i32,
    crc: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Knowledge>);

#[derive(Debug, Default)]
struct Knowledge {
    /// The committed batches by offset, of any voter.
    chain: BTreeMap<i64, CommittedBatch>,
    /// The offsets of the batches with each value.
    values: BTreeMap<String, BTreeSet<i64>>,
    /// The states by offset.
    images: BTreeMap<i64, u64>,
    leaders: BTreeMap<i32, VoterId>,
    /// The offsets of the states that were looked at last.
    looked_at: BTreeMap<i32, i64>,
    /// How far the logs of voters were compared.
    compared: BTreeMap<i32, Comparison>,
    /// The last acknowledged write of each key, and its offset.
    acknowledged: BTreeMap<String, (u64, i64)>,
    refused: Vec<String>,
    /// Acknowledged values with their offsets.
    places: Vec<(String, i64)>,
    numbers: u64,
    wrong: Option<String>,
    counts: Counts,
}

/// The numbers of events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) boots: u32,
    pub(crate) faults: u32,
    pub(crate) reads: u32,
    pub(crate) changes: u32,
    pub(crate) messages: u64,
    acknowledged: u32,
    refused: u32,
    unknown: u32,
    elections: usize,
    committed: usize,
}

impl Ledger {
    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.0.lock().counts);
    }

    pub(crate) fn counts(&self) -> Counts {
        let known = self.0.lock();
        Counts { elections: known.leaders.len(), committed: known.chain.len(), ..known.counts.clone() }
    }

    /// Notes something that must not be.
    pub(crate) fn wrong(&self, wrong: String) {
        self.0.lock().wrong.get_or_insert(wrong);
    }

    pub(crate) fn next_number(&self) -> u64 {
        let mut known = self.0.lock();
        known.numbers += 1;
        known.numbers
    }

    pub(crate) fn written(&self, key: &str, number: u64, value: &str, fate: Fate) {
        let mut known = self.0.lock();
        match fate {
            Fate::Acknowledged { offset, is_alone } => {
                known.counts.acknowledged += 1;
                known.acknowledged.insert(key.to_owned(), (number, offset));
                if is_alone {
                    known.places.push((value.to_owned(), offset));
                }
            }
            Fate::Refused => {
                known.counts.refused += 1;
                known.refused.push(value.to_owned());
            }
            Fate::Unknown => known.counts.unknown += 1,
        }
    }

    /// The last acknowledged write of each key.
    pub(crate) fn acknowledged(&self) -> BTreeMap<String, u64> {
        let known = self.0.lock();
        known.acknowledged.iter().map(|(key, (number, _))| (key.clone(), *number)).collect()
    }

    /// Compares a voter with what is known, and learns from it.
    pub(crate) fn look(&self, voter: &Voter) -> Result<(), String> {
        let Some((quorum, boot)) = voter.quorum() else { return Ok(()) };
        let node = voter.node;
        let known = &mut *self.0.lock();
        let status = quorum.status();
        if status.leader == Some(id(node)) {
            let leader = *known.leaders.entry(status.leader_epoch).or_insert(id(node));
            if leader != id(node) {
                return Err(format!("voters {node} and {} lead in epoch {}", leader.id, status.leader_epoch));
            }
        }
        let compared = known.compared.get(&node).filter(|compared| compared.boot == boot);
        let mut compared = compared.copied().unwrap_or(Comparison { boot, offset: 0, epoch: 0 });
        // A log that cannot be read is that of a disk that fails.
        let high_watermark = quorum.status().high_watermark;
        while let Ok(part) =
            quorum.read_for_observer(compared.offset, compared.epoch, high_watermark, READ_BYTES)
        {
            let bytes = match part {
                LogPart::Records(Some(slice)) => slice.read().unwrap_or_default(),
                LogPart::Records(None) => break,
                LogPart::Snapshot(snapshot) => {
                    compared = Comparison { boot, offset: snapshot.end_offset, epoch: snapshot.epoch };
                    continue;
                }
                LogPart::Diverging(end) => {
                    let at = compared.offset;
                    return Err(format!("voter {node} had committed up to {at}, and diverges at {end:?}"));
                }
            };
            let before = compared.offset;
            for batch in record::batches(&bytes).map_while(Result::ok) {
                batch.verify_crc().map_err(|error| format!("the log of voter {node}: {error}"))?;
                known.compare(node, &batch)?;
                compared.offset = batch.header().next_offset();
                compared.epoch = batch.header().partition_leader_epoch;
            }
            if compared.offset == before {
                break;
            }
        }
        known.compared.insert(node, compared);
        let image = quorum.image();
        known.compare_image(node, &image)
    }

    /// The verdict so far.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let known = self.0.lock();
        if let Some(wrong) = &known.wrong {
            return Err(wrong.clone());
        }
        for (value, offset) in &known.places {
            // A batch that every voter purged before a look is not known.
            let batch =
                known.chain.range(..=offset).next_back().filter(|(_, batch)| batch.next_offset > *offset);
            let offsets = known.values.get(value);
            if let Some((base_offset, _)) = batch
                && !offsets.is_some_and(|offsets| offsets.contains(base_offset))
            {
                return Err(format!("{value}, acknowledged at offset {offset}, is at {offsets:?}"));
            }
        }
        for value in &known.refused {
            if let Some(offsets) = known.values.get(value) {
                return Err(format!("{value} was refused, but is at {offsets:?}"));
            }
        }
        Ok(())
    }
}

impl Knowledge {
    fn compare(&mut self, node: i32, batch: &record::Batch<'_>) -> Result<(), String> {
        let header = batch.header();
        let (offset, epoch) = (header.base_offset, header.partition_leader_epoch);
        let found = CommittedBatch { next_offset: header.next_offset(), epoch, crc: header.crc };
        let before = self.chain.range(..offset).next_back();
        if let Some((_, before)) = before
            && (before.next_offset > offset || before.epoch > epoch)
        {
            return Err(format!(
                "voter {node} has a batch at {offset} of epoch {epoch} over another: {before:?}"
            ));
        }
        let known = self.chain.entry(offset).or_insert_with(|| {
            for value in client::values_in(batch.bytes()) {
                self.values.entry(value).or_default().insert(offset);
            }
            found.clone()
        });
        if (known.next_offset, known.epoch, known.crc) != (found.next_offset, found.epoch, found.crc) {
            return Err(format!(
                "at offset {offset} voter {node} has committed epoch {epoch}, checksum {:08x}, and another voter \
                 epoch {}, checksum {:08x}",
                found.crc, known.epoch, known.crc
            ));
        }
        Ok(())
    }

    fn compare_image(&mut self, node: i32, image: &Image) -> Result<(), String> {
        if self.looked_at.insert(node, image.offset()) == Some(image.offset()) {
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        for record in image.records() {
            format!("{record:?}").hash(&mut hasher);
        }
        let found = hasher.finish();
        let known = *self.images.entry(image.offset()).or_insert(found);
        if known != found {
            return Err(format!(
                "at offset {} the state of voter {node} is another than that of others",
                image.offset()
            ));
        }
        // What was acknowledged stays, once a state has come so far.
        for (key, (number, offset)) in &self.acknowledged {
            let has = client::number_of(image, key);
            if image.offset() >= *offset && has < Some(*number) {
                let at = image.offset();
                return Err(format!(
                    "write {number} of {key} was acknowledged at {offset}, and voter {node} at {at} has {has:?}"
                ));
            }
        }
        Ok(())
    }
}

impl Counts {
    /// The reason why the run proves nothing, if it does not.
    pub(crate) fn proved_nothing(&self, is_calm: bool, voters: i32) -> Option<&'static str> {
        let first = u32::try_from(voters).unwrap_or_default() * 2;
        match self {
            Self { acknowledged: ..10, .. } => Some("fewer than 10 writes were acknowledged"),
            Self { reads: 0, .. } => Some("nothing was read"),
            Self { elections: 0, .. } => Some("nobody was elected"),
            Self { messages: ..100, .. } => Some("the voters hardly spoke to each other"),
            Self { faults: 0, .. } if !is_calm => Some("nothing was broken"),
            Self { boots, .. } if *boots < first => Some("no voter was started again"),
            _ => None,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            boots,
            faults,
            reads,
            messages,
            acknowledged,
            refused,
            unknown,
            elections,
            committed,
            changes,
        } = self;
        write!(
            f,
            "{acknowledged} acknowledged, {refused} refused, {unknown} unknown, {reads} reads, {committed} \
             batches, {elections} elections, {changes} changes of voters, {messages} messages, {boots} boots, {faults} faults"
        )
    }
}
