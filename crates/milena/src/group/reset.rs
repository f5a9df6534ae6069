//! The arithmetic of `milena group reset-offsets`.

/// The target of a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The first record that is still there.
    Earliest,
    /// The end of the log.
    Latest,
    /// This offset.
    Offset(i64),
    /// The first record at this time (ms since the epoch) or later, or else the end of the log.
    Time(i64),
    /// So many records after the committed offset, or before it if negative.
    Shift(i64),
}

/// The offsets of a partition before the reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartitionOffsets {
    pub(super) committed: Option<i64>,
    pub(super) start: i64,
    pub(super) end: i64,
    /// The answer to [`Target::Time`].
    pub(super) at_time: Option<i64>,
}

/// The new offset of a partition, always within its log; `None` if there is no committed offset to shift
/// from.
pub(super) fn offset(target: Target, known: &PartitionOffsets) -> Option<i64> {
    let wanted = match target {
        Target::Earliest => known.start,
        Target::Latest => known.end,
        Target::Offset(offset) => offset,
        Target::Time(_) => known.at_time.unwrap_or(known.end),
        Target::Shift(by) => known.committed?.saturating_add(by),
    };
    Some(wanted.max(known.start).min(known.end))
}

/// `TOPIC` or `TOPIC:0,3,5`.
pub(super) fn parse_topic(text: &str) -> Result<(String, Option<Vec<i32>>), String> {
    let Some((topic, partitions)) = text.split_once(':') else {
        return Ok((text.to_owned(), None));
    };
    let number = |partition: &str| partition.trim().parse::<i32>().ok().filter(|&partition| partition >= 0);
    match partitions.split(',').map(number).collect::<Option<Vec<i32>>>() {
        Some(partitions) if !topic.is_empty() => Ok((topic.to_owned(), Some(partitions))),
        _ => Err("write TOPIC, or TOPIC:0,3 for some of its partitions".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{PartitionOffsets, Target, offset, parse_topic};

    #[test]
    fn targets() {
        let known = PartitionOffsets { committed: Some(50), start: 10, end: 100, at_time: Some(70) };
        for (target, expect) in [
            (Target::Earliest, 10),
            (Target::Latest, 100),
            (Target::Offset(42), 42),
            (Target::Offset(3), 10),
            (Target::Offset(1000), 100),
            (Target::Time(0), 70),
            (Target::Shift(-5), 45),
            (Target::Shift(-60), 10),
            (Target::Shift(i64::MAX), 100),
        ] {
            assert_eq!(offset(target, &known), Some(expect), "{target:?}");
        }
    }

    #[test]
    fn what_is_not_known() {
        let known = PartitionOffsets { committed: None, start: 10, end: 100, at_time: None };
        assert_eq!(offset(Target::Shift(1), &known), None);
        assert_eq!(offset(Target::Time(5), &known), Some(100));
    }

    #[test]
    fn topics_and_their_partitions() {
        assert_eq!(parse_topic("t"), Ok(("t".to_owned(), None)));
        assert_eq!(parse_topic("t:0,3"), Ok(("t".to_owned(), Some(vec![0, 3]))));
        assert!(parse_topic("t:").is_err() && parse_topic("t:-1").is_err() && parse_topic(":1").is_err());
    }
}
