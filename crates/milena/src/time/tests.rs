use super::{format, parse, parse_duration_ms};

const NOON_MS: i64 = 1_788_264_000_000; // 2026-09-01T12:00:00Z

#[track_caller]
fn check(text: &str, expect: Option<i64>) {
    assert_eq!(parse(text, NOON_MS).ok(), expect, "{text:?}");
}

#[test]
fn dates_and_times() {
    check("1970-01-01", Some(0));
    check("2026-09-01T12:00:00Z", Some(NOON_MS));
    check("2026-09-01T12:00", Some(NOON_MS));
    check("2026-09-01 12:00:00.250", Some(NOON_MS + 250));
    check("2026-09-01T12:00:00.2509Z", Some(NOON_MS + 250));
    check("2026-09-01T14:00:00+02:00", Some(NOON_MS));
    check("2026-09-01T14:00:00+0200", Some(NOON_MS));
    check("2026-09-01T07:30:00.000-04:30", Some(NOON_MS));
    check("1969-12-31T23:59:59.999Z", Some(-1));
    check("2024-02-29", Some(1_709_164_800_000));
}

#[test]
fn milliseconds_and_durations() {
    check("1788264000000", Some(NOON_MS));
    check("-2h", Some(NOON_MS - 7_200_000));
    check("-7d", Some(NOON_MS - 604_800_000));
    assert_eq!(parse_duration_ms("1500ms"), Some(1500));
    assert_eq!(parse_duration_ms("15m"), Some(900_000));
    assert_eq!(parse_duration_ms("15"), None);
    assert_eq!(parse_duration_ms("s"), None);
    assert_eq!(parse_duration_ms("99999999999999d"), None);
}

#[test]
fn what_is_not_a_time() {
    for text in [
        "",
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2023-02-29",
        "26-09-01",
        "2026-09-01T25:00",
        "2026-09-01T12",
        "2026-09-01T12:00:00.",
        "2026-09-01T12:00:00+2",
        "2026-09-01T12:00:00+éé",
        "-5",
        "99999999999999999999",
    ] {
        check(text, None);
    }
}

#[test]
fn what_is_formatted_parses_back() {
    assert_eq!(format(NOON_MS + 7), "2026-09-01T12:00:00.007Z");
    assert_eq!(format(-1), "1969-12-31T23:59:59.999Z");
    // A day in every month of eight hundred years, on both sides of the epoch.
    for day in (-146_097..146_097).step_by(29) {
        let timestamp_ms = day * 86_400_000 + 3_723_004;
        check(&format(timestamp_ms), Some(timestamp_ms));
    }
}
