//! The place from which a reader's log and the leader's may differ.

use protocol::ErrorCode;
use storage::EpochEndOffset;

/// The epoch and its end up to which both logs may agree, if the reader's diverges after it (KIP-595); `None` if it is a part
/// of the leader's. The reader fetches from `offset`, its last record before is of the epoch that the leader's log has
/// `end` for, and the log starts at `log_start_offset`.
///
/// # Errors
/// OFFSET_OUT_OF_RANGE if the leader cannot know, or the reader is below the log.
pub(crate) fn divergence(
    last_fetched_epoch: i32,
    offset: i64,
    end: EpochEndOffset,
    log_start_offset: i64,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if end.epoch < 0 || end.end_offset < 0 || offset < log_start_offset {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let diverges = end.epoch < last_fetched_epoch || end.end_offset < offset;
    Ok(diverges.then_some(end))
}
