//! The kinds of files, as a user names them.

use clap::ValueEnum;
use protocol::records::named_record::Coordinator;
use storage::inspect::FileKind;

use super::records::Contents;

/// The kinds of files; those of batches by the kind of their records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A segment of a topic that is not internal
    Segment,
    /// A segment or a snapshot of the metadata log
    Metadata,
    /// A segment of __consumer_offsets
    Offsets,
    /// A segment of __transaction_state
    Transactions,
    /// A segment of __share_group_state
    ShareGroups,
    /// A segment of __remote_log_metadata
    RemoteLog,
    /// An offset index
    Index,
    /// A time index
    Timeindex,
    /// An index of aborted transactions
    Txnindex,
    /// A snapshot of a partition's producer state
    Producers,
    /// A checkpoint, or another text file
    Text,
}

impl Kind {
    pub(super) fn of_file(self) -> FileKind {
        match self {
            Kind::Index => FileKind::OffsetIndex,
            Kind::Timeindex => FileKind::TimeIndex,
            Kind::Txnindex => FileKind::TxnIndex,
            Kind::Producers => FileKind::ProducerSnapshot,
            Kind::Text => FileKind::Text,
            _ => FileKind::Batches,
        }
    }

    /// The contents of the records, or `None` for a file without batches.
    pub(super) fn contents(self) -> Option<Contents> {
        Some(match self {
            Kind::Segment => Contents::Plain,
            Kind::Metadata => Contents::Metadata,
            Kind::Offsets => Contents::Coordinator(Coordinator::Group),
            Kind::Transactions => Contents::Coordinator(Coordinator::Transaction),
            Kind::ShareGroups => Contents::Coordinator(Coordinator::Share),
            Kind::RemoteLog => Contents::RemoteLog,
            Kind::Index | Kind::Timeindex | Kind::Txnindex | Kind::Producers | Kind::Text => return None,
        })
    }
}
