//! The clients' observations, and the faults of the node.

use std::collections::BTreeMap;
use std::fmt;

use parking_lot::Mutex;

/// The fate of a record that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Acknowledged, at this offset if the broker reported one.
    Acknowledged(Option<i64>),
    /// Rejected: it is in no log.
    Refused,
    /// It may be in the log.
    Unknown,
}

/// A record that was sent.
#[derive(Clone, Debug)]
pub(crate) struct SentRecord {
    pub(crate) partition: i32,
    pub(crate) producer: u32,
    pub(crate) number: u64,
    pub(crate) fate: Fate,
}

/// All observations, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct History {
    seen: Mutex<Observations>,
}

#[derive(Debug, Default)]
struct Observations {
    sent: BTreeMap<Vec<u8>, SentRecord>,
    commits: BTreeMap<i32, Commits>,
    /// Observations that should be impossible.
    wrong: Vec<String>,
    counts: Counts,
}

/// The positions that the group may have committed for a partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commits {
    /// The last acknowledged position.
    pub(crate) acknowledged: Option<i64>,
    /// Positions whose commit may still be in flight, or was never answered.
    pub(crate) attempted: Vec<i64>,
}

/// The numbers of events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) boots: u32,
    pub(crate) kills: u32,
    pub(crate) power_cuts: u32,
    pub(crate) clean_stops: u32,
    pub(crate) failed_syncs: u32,
    pub(crate) full_disks: u32,
    pub(crate) resets: u32,
    pub(crate) cuts: u32,
    pub(crate) clock_jumps: u32,
    /// Clients that had an offset acknowledged which they committed by hand.
    pub(crate) commits_by_hand: u32,
    acknowledged: u64,
    refused: u64,
    unknown: u64,
    consumed: u64,
    commits: u64,
}

impl History {
    /// Notes the fate of a record.
    pub(crate) fn sent(&self, value: Vec<u8>, sent: SentRecord) {
        let mut seen = self.seen.lock();
        match sent.fate {
            Fate::Acknowledged(_) => seen.counts.acknowledged += 1,
            Fate::Refused => seen.counts.refused += 1,
            Fate::Unknown => seen.counts.unknown += 1,
        }
        seen.sent.insert(value, sent);
    }

    pub(crate) fn consumed(&self, records: usize) {
        self.seen.lock().counts.consumed += records as u64;
    }

    /// Notes positions that are about to be committed.
    pub(crate) fn committing(&self, positions: &[(i32, i64)]) {
        let mut seen = self.seen.lock();
        for (partition, position) in positions {
            seen.commits.entry(*partition).or_default().attempted.push(*position);
        }
    }

    /// Notes positions whose commit was acknowledged.
    pub(crate) fn committed(&self, positions: impl IntoIterator<Item = (i32, i64)>) {
        let mut seen = self.seen.lock();
        seen.counts.commits += 1;
        for (partition, position) in positions {
            let commits = seen.commits.entry(partition).or_default();
            commits.acknowledged = Some(position);
            commits.attempted.retain(|attempted| *attempted != position);
        }
    }

    pub(crate) fn wrong(&self, what: String) {
        self.seen.lock().wrong.push(what);
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.seen.lock().counts);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.seen.lock().counts.clone()
    }

    /// Passes the records, the commits and the impossible observations to `look`.
    pub(crate) fn look<R>(
        &self,
        look: impl FnOnce(&BTreeMap<Vec<u8>, SentRecord>, &BTreeMap<i32, Commits>, &[String]) -> R,
    ) -> R {
        let seen = self.seen.lock();
        look(&seen.sent, &seen.commits, &seen.wrong)
    }
}

impl Counts {
    /// The reason why the run proves nothing, if it does not.
    pub(crate) fn proved_nothing(&self) -> Option<&'static str> {
        match self {
            Self { acknowledged: ..20, .. } => Some("fewer than 20 records were acknowledged"),
            Self { consumed: 0, .. } => Some("nothing was consumed"),
            Self { commits: 0, .. } => Some("no offset was committed"),
            Self { commits_by_hand: 0, .. } => Some("no offset was committed by hand"),
            Self { boots: ..2, .. } => Some("the node was not restarted"),
            _ => None,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, refused, unknown, consumed, commits, .. } = self;
        write!(
            f,
            "{acknowledged} acknowledged, {refused} refused, {unknown} unknown, {consumed} consumed, "
        )?;
        write!(f, "{commits} commits, {} boots", self.boots)?;
        let faults = [
            (self.kills, "kills"),
            (self.power_cuts, "power cuts"),
            (self.clean_stops, "clean stops"),
            (self.failed_syncs, "failed syncs"),
            (self.full_disks, "full disks"),
            (self.resets, "resets"),
            (self.cuts, "cuts"),
            (self.clock_jumps, "clock jumps"),
        ];
        faults
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}
