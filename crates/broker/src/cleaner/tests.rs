//! What a pass may read and write in a time.

use std::time::Duration;

use runtime::clock;

use super::Budget;

#[test]
fn a_pass_waits_for_as_long_as_its_bytes_may_take() {
    let since = clock::now();
    let mut budget = Budget { rate: 1000.0, since, bytes: 0 };
    assert_eq!(budget.wait(5, since), None, "a wait of 5 ms is not worth a sleep");
    assert_eq!(budget.wait(495, since), Some(Duration::from_millis(500)));
    assert_eq!(budget.wait(500, since + Duration::from_millis(400)), Some(Duration::from_millis(600)));
    assert_eq!(budget.wait(0, since + Duration::from_secs(2)), None);
}

#[test]
fn without_a_limit_nothing_waits() {
    let since = clock::now();
    let mut budget = Budget { rate: f64::MAX, since, bytes: 0 };
    assert_eq!(budget.wait(u64::MAX, since), None);
}
