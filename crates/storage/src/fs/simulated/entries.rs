//! The entries of a simulated directory: as every process sees them, and what a loss of power
//! leaves.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::Survival;

/// The number of a file or directory.
pub(super) type Inode = u64;

/// The entries of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    /// As every process sees them.
    pub(super) current: BTreeMap<String, Inode>,
    /// As of the last sync.
    durable: BTreeMap<String, Inode>,
    /// The changes since, each with its place in the journal.
    changes: Vec<(u64, Change)>,
}

#[derive(Clone, Debug)]
enum Change {
    Link { name: String, inode: Inode },
    Rename { from: String, to: String, inode: Inode },
    Unlink { name: String },
}

impl Change {
    fn apply(&self, entries: &mut BTreeMap<String, Inode>) {
        match self {
            Change::Link { name, inode } => {
                entries.insert(name.clone(), *inode);
            }
            Change::Rename { from, to, inode } => {
                if entries.get(from) == Some(inode) {
                    entries.remove(from);
                }
                entries.insert(to.clone(), *inode);
            }
            Change::Unlink { name } => {
                entries.remove(name);
            }
        }
    }
}

impl Entries {
    pub(super) fn durable(entries: BTreeMap<String, Inode>) -> Entries {
        Entries { current: entries.clone(), durable: entries, changes: Vec::new() }
    }

    pub(super) fn link(&mut self, name: &str, inode: Inode, order: u64) {
        self.done(order, Change::Link { name: name.to_owned(), inode });
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, inode: Inode, order: u64) {
        self.done(order, Change::Rename { from: from.to_owned(), to: to.to_owned(), inode });
    }

    pub(super) fn unlink(&mut self, name: &str, order: u64) {
        self.done(order, Change::Unlink { name: name.to_owned() });
    }

    fn done(&mut self, order: u64, change: Change) {
        change.apply(&mut self.current);
        self.changes.push((order, change));
    }

    pub(super) fn sync(&mut self) {
        for (_, change) in self.changes.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// Fails a sync: changes that are not on the disk by now never will be.
    pub(super) fn sync_failed(&mut self, random: &mut Rng) {
        self.durable = self.after_power_cut(random, Survival::Any);
        self.changes.clear();
    }

    /// The entries after a loss of power: each change since the last sync happened or did not.
    pub(super) fn after_power_cut(&self, random: &mut Rng, survival: Survival) -> BTreeMap<String, Inode> {
        let mut entries = self.durable.clone();
        for (order, change) in &self.changes {
            let survives = match survival {
                Survival::Nothing => false,
                Survival::Everything => true,
                Survival::Ordered(horizon) => *order <= horizon,
                Survival::Any => random.bool(),
            };
            if survives {
                change.apply(&mut entries);
            }
        }
        entries
    }
}
