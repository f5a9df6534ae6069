//! Reads the metadata log: records applied in order, and transactions as a whole.

use std::fmt;

use crate::image::{ApplyError, Delta, Image};
use crate::record::MetadataRecord;

/// A reader of the metadata log.
///
/// Records between `BeginTransactionRecord` and `EndTransactionRecord` take effect together or not at all
/// (KIP-868): they are held back until the end, and dropped by `AbortTransactionRecord`.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    image: Image,
    /// The state with the records of the open transaction, which may be many, and the parts that they
    /// changed.
    open: Option<Box<(Image, Delta)>>,
    delta: Delta,
}

/// The reason why a record cannot follow those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// The record contradicts the state.
    Apply(ApplyError),
    /// The record begins a transaction within another, or ends one that has not begun.
    Transaction(&'static str),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply(error) => error.fmt(f),
            Self::Transaction(record) => write!(f, "{record} is out of place"),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<ApplyError> for ReplayError {
    fn from(error: ApplyError) -> Self {
        Self::Apply(error)
    }
}

impl Replay {
    /// Continues from the state in a snapshot.
    pub fn from_image(image: Image) -> Self {
        Self { image, open: None, delta: Delta::default() }
    }

    /// The state, without the records of an open transaction.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the parts that changed since the last call.
    pub fn take_delta(&mut self) -> Delta {
        std::mem::take(&mut self.delta)
    }

    /// Applies the record at `offset`.
    ///
    /// # Errors
    /// [`ReplayError`] if the record cannot follow those before it.
    pub fn record(&mut self, offset: i64, record: MetadataRecord) -> Result<(), ReplayError> {
        match (record, &mut self.open) {
            (MetadataRecord::BeginTransaction(_), open @ None) => {
                *open = Some(Box::new((self.image.clone(), Delta::default())));
            }
            (MetadataRecord::BeginTransaction(_), Some(_)) => {
                return Err(ReplayError::Transaction("BeginTransactionRecord"));
            }
            (MetadataRecord::EndTransaction(_), open) => {
                let (image, delta) = *open.take().ok_or(ReplayError::Transaction("EndTransactionRecord"))?;
                self.image = image;
                self.delta.add(delta);
            }
            (MetadataRecord::AbortTransaction(_), open) => {
                open.take().ok_or(ReplayError::Transaction("AbortTransactionRecord"))?;
            }
            (record, Some(open)) => open.0.apply(record, &mut open.1)?,
            (record, None) => self.image.apply(record, &mut self.delta)?,
        }
        self.skip(offset);
        Ok(())
    }

    /// Skips an entry at `offset` that is not a record, but is about the quorum itself.
    pub fn skip(&mut self, offset: i64) {
        // While a transaction is open, the state stays the one before its first record.
        if self.open.is_none() {
            self.image.advance_to(offset);
        }
    }
}

#[cfg(test)]
mod tests;
