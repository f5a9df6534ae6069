//! The rate limit of a pass.

use std::sync::Arc;
use std::time::Duration;

use runtime::clock;
use settings::{BrokerConfig, Configs};

use super::{Budget, Cleaner, Stop, TURN, Uuid, Work};
use crate::replicas::{PartitionSlot, Topic, Topics};
use crate::upkeep::scrubber::tests::{Home, flip};

#[test]
fn a_pass_waits_for_as_long_as_its_bytes_may_take() {
    let since = clock::now();
    let mut budget = Budget::new(1000.0, since);
    assert_eq!(budget.wait(5, since), None, "a wait of 5 ms is not worth a sleep");
    assert_eq!(budget.wait(495, since), Some(Duration::from_millis(500)));
    assert_eq!(budget.wait(500, since + Duration::from_millis(400)), Some(Duration::from_millis(600)));
    assert_eq!(budget.wait(0, since + Duration::from_secs(2)), None);
}

#[test]
fn without_a_limit_nothing_waits() {
    let since = clock::now();
    let mut budget = Budget::new(f64::MAX, since);
    assert_eq!(budget.wait(u64::MAX, since), None);
}

#[test]
fn a_pass_lets_others_go_first_again_and_again() {
    let since = clock::now();
    let mut budget = Budget::new(f64::MAX, since);
    assert!(!budget.turn_is_over(since));
    assert!(!budget.turn_is_over(since + TURN / 2));
    assert!(budget.turn_is_over(since + TURN));
    assert!(!budget.turn_is_over(since + TURN + TURN / 2), "the next turn began with the last one's end");
    assert!(budget.turn_is_over(since + TURN * 2));
}

#[test]
fn segments_that_go_while_a_log_is_compacted_are_no_reason_to_give_it_up() {
    let config = BrokerConfig::start(&Configs::new()).unwrap();
    let home = Home::with("cleaned-and-deleted", true, true);
    let cleaner = Cleaner::new();
    let partition = Arc::clone(&home.partition);
    let plan = partition.clean_plan(2_000).unwrap().expect("it is dirty");
    let work = Work { key: (Uuid([1; 16]), 0), partition, plan };
    assert_eq!(home.partition.delete_records(home.second() + 1, 2_000), Ok(home.second() + 1));
    cleaner.clean(work, &config, &Stop::default());
    assert!(cleaner.state.lock().uncleanable.is_empty());
}

#[test]
fn a_topic_made_anew_does_not_inherit_that_its_log_cannot_be_compacted() {
    let config = BrokerConfig::start(&Configs::new()).unwrap();
    let home = Home::with("made-anew", true, false);
    let (cleaner, topics, ids) = (Cleaner::new(), Topics::default(), [Uuid([1; 16]), Uuid([2; 16])]);
    // A topic at the same address, which the allocator may reuse.
    let topic = |id| {
        Topic::new(home.partition.topic().clone(), id, vec![PartitionSlot::Open(Arc::clone(&home.partition))])
    };
    topics.change(vec![topic(ids[0])], &[]);
    flip(&home.segment(0), 70);
    cleaner.clean(cleaner.filthiest(&topics.table()).expect("it is dirty"), &config, &Stop::default());
    cleaner.state.lock().in_progress.clear();
    assert!(cleaner.filthiest(&topics.table()).is_none(), "it cannot be compacted");

    topics.change(vec![topic(ids[1])], &ids[..1]);
    flip(&home.segment(0), 70);
    let work = cleaner.filthiest(&topics.table()).expect("another topic's log was never tried");
    assert_eq!(work.key, (ids[1], 0));
    assert!(cleaner.state.lock().uncleanable.is_empty(), "nothing is kept of a topic that is gone");
}
