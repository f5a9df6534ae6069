//! The offset to which a follower truncates a log that diverges from its leader's (KIP-101, KIP-279).

use storage::EpochEndOffset;

use super::OwnLog;

/// The offset, given up to which epoch and offset the leader's log may agree with this one, and the end that this log has for
/// that epoch. `None` if truncating there would change nothing.
///
/// If this log has no record of the leader's epoch, nothing after the epoch before it is the leader's; whether that is, the
/// next fetch tells.
pub(super) fn offset(leaders: EpochEndOffset, own: EpochEndOffset, log: &OwnLog) -> Option<i64> {
    if leaders.epoch < 0 || leaders.end_offset < 0 {
        return None;
    }
    let offset = match own.epoch {
        epoch if epoch == leaders.epoch => own.end_offset.min(leaders.end_offset),
        // All of this log is of later epochs.
        epoch if epoch < 0 => leaders.end_offset,
        _ => own.end_offset,
    };
    let offset = offset.min(log.end_offset);
    // An epoch that began at the end and has no record is forgotten there.
    let forgets = log.latest_epoch.is_some_and(|latest| latest > leaders.epoch);
    (offset < log.end_offset || forgets).then_some(offset)
}
