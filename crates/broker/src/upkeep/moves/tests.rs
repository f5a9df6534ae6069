use super::*;

#[test]
fn what_is_copied_is_paid_for_with_time() {
    let now = clock::now();
    let mut budget = Budget { debt_bytes: 0.0, at: now };
    let second = Duration::from_secs(1);
    assert_eq!(budget.wait(1_000, now), Duration::ZERO);
    budget.spend(1_000);
    assert_eq!(budget.wait(1_000, now), second);
    assert_eq!(budget.wait(1_000, now + second / 2), second / 2, "half of it is paid");
    assert_eq!(budget.wait(5_000, now + second / 2), second / 10, "the limit was raised");
    assert_eq!(budget.wait(1_000, now + 10 * second), Duration::ZERO);
    budget.spend(100);
    assert_eq!(budget.wait(1_000, now + 10 * second), second / 10, "idle time bought nothing");
    budget.spend(1 << 30);
    assert!(budget.wait(0, now + 10 * second) > Duration::from_secs(3600), "no rate at all");
    assert_eq!(budget.wait(u64::MAX, now + 11 * second), Duration::ZERO, "no limit");
}
