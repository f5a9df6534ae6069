//! The features of a cluster, and the levels that this version supports.

use std::ops::RangeInclusive;

/// The feature that decides which metadata records are written, and how: see [`crate::level`].
pub const METADATA_VERSION: &str = "metadata.version";

/// The level of Kafka 4.3 (`4.3-IV0`), which a new cluster gets.
pub const METADATA_VERSION_NEW: i16 = 30;

/// The earliest level that Kafka 4 supports (`3.3-IV3`).
pub const METADATA_VERSION_EARLIEST: i16 = 7;

/// The latest supported level: that of Kafka 4.4 (`4.4-IV2`).
pub const METADATA_VERSION_LATEST: i16 = 33;

/// The feature that enables eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";

/// A feature, under Kafka's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The levels that this version supports.
    pub levels: RangeInclusive<i16>,
}

/// The features that this version serves. Kafka's other features have level 0: they are disabled.
pub static SUPPORTED: &[Feature] =
    &[Feature { name: METADATA_VERSION, levels: METADATA_VERSION_EARLIEST..=METADATA_VERSION_LATEST }];

/// The features whose levels are kept for Kafka without being acted on.
pub(crate) static KEPT: &[Feature] = &[
    Feature { name: ELIGIBLE_LEADER_REPLICAS, levels: 0..=1 },
    Feature { name: "group.version", levels: 0..=1 },
    Feature { name: "share.version", levels: 0..=2 },
    Feature { name: "streams.version", levels: 0..=1 },
    Feature { name: "transaction.version", levels: 0..=2 },
];

/// The features that a broker registers with: a cluster from Kafka has levels of those that are only kept.
pub fn of_registration() -> impl Iterator<Item = &'static Feature> {
    SUPPORTED.iter().chain(KEPT)
}

/// The levels of a feature that this version knows; `None` if it does not know the feature.
pub(crate) fn known(name: &str) -> Option<&'static RangeInclusive<i16>> {
    let feature = SUPPORTED.iter().chain(KEPT).find(|feature| feature.name == name);
    feature.map(|feature| &feature.levels)
}
