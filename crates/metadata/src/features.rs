//! Features of a cluster and the levels that this version knows.

use std::ops::RangeInclusive;

/// The feature that decides which metadata records are written, and how.
pub const METADATA_VERSION: &str = "metadata.version";

/// The level of Kafka 4.3 (`4.3-IV0`), which a new cluster gets.
pub const METADATA_VERSION_LATEST: i16 = 30;

/// A feature, by Kafka's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The levels that this version can work at.
    pub levels: RangeInclusive<i16>,
}

/// The features that this version knows. Those of Kafka that are missing are at level 0: switched
/// off.
pub static SUPPORTED: &[Feature] =
    &[Feature { name: METADATA_VERSION, levels: METADATA_VERSION_LATEST..=METADATA_VERSION_LATEST }];
