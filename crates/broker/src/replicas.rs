//! The partitions whose replicas are here: their logs, who waits for them, and what clients may see.

mod append;
mod replica;
mod table;

pub(crate) use append::{Appended, Refusal};
pub(crate) use replica::{
    Isolation, LastScrub, Leadership, OffsetSpec, PartitionRules, ReadOutcome, ReadRequest, Replica,
    ScrubNews, Turn, Watch,
};
pub(crate) use table::{PartitionSlot, Topic, TopicTable, Topics};
