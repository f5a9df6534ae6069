//! What openraft relies on, at the edges of the buckets.

use super::*;

fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::new();
    values.into_iter().for_each(|value| histogram.record(value));
    histogram
}

#[test]
fn nothing_seen_is_zero_everywhere() {
    let empty = Histogram::<()>::new();
    assert_eq!(empty.total(), 0);
    for part in [0.0, 0.5, 1.0] {
        assert_eq!(empty.percentile(part), 0);
    }
    let stats = empty.percentile_stats();
    assert_eq!((stats.samples, stats.p0_1, stats.p50, stats.p99_9), (0, 0, 0, 0));
}

#[test]
fn a_percentile_is_at_most_the_value_and_more_than_half_of_it() {
    let histogram = of(1..=1000);
    assert_eq!(histogram.total(), 1000);
    for exact in 1..=1000u64 {
        let near = histogram.percentile(exact as f64 / 1000.0);
        // Division and multiplication may round up to the next rank, whose value is one more.
        assert!(near <= exact + 1 && near * 2 > exact, "{exact}: {near}");
    }
}

#[test]
fn powers_of_two_are_exact_and_begin_a_bucket() {
    for exponent in 0..u64::BITS {
        let power = 1u64 << exponent;
        assert_eq!(of([power]).percentile(0.5), power);
        assert_eq!(of([power - 1]).percentile(0.5), power >> 1, "below 2^{exponent}");
    }
}

#[test]
fn the_largest_value_has_a_bucket() {
    let histogram = of([0, u64::MAX]);
    assert_eq!(histogram.total(), 2);
    assert_eq!(histogram.percentile(0.5), 0);
    assert_eq!(histogram.percentile(1.0), 1 << 63);
}

#[test]
fn the_percentiles_stand_in_their_fields() {
    let mut histogram = Histogram::<()>::new();
    // Of a thousand values, each field's rank is the last of its own power of two.
    for (value, times) in
        [(1, 1), (2, 9), (4, 40), (8, 50), (16, 400), (32, 400), (64, 90), (128, 9), (256, 1)]
    {
        histogram.record_n(value, times);
    }
    let expected = PercentileStats {
        samples: 1000,
        p0_1: 1,
        p1: 2,
        p5: 4,
        p10: 8,
        p50: 16,
        p90: 32,
        p99: 64,
        p99_9: 128,
    };
    assert_eq!(histogram.percentile_stats(), expected);
}

#[test]
fn a_chart_has_a_line_for_each_histogram() {
    let chart =
        AsciiChart::new().add("empty", Histogram::<()>::new()).add("one", of([5])).detailed().to_string();
    let lines: Vec<&str> = chart.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("empty: [samples: 0,"), "{chart}");
    assert!(lines[1].starts_with("one: [samples: 1, P50: 4,"), "{chart}");
}

#[test]
fn ranks_round_up_and_begin_at_the_least_value() {
    // Half of three values is the second, and no part is less than the first.
    assert_eq!(of([1, 2, 4]).percentile(0.5), 2);
    assert_eq!(of([8, 16]).percentile(0.0), 8);
}
